"""What stands in deploy/ fits what is here: settings, commands, files; and it gives Portico no privilege."""

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from portico.cli.main import app
from portico.settings import Environment

HERE = Path(__file__).parents[1]
UNIT, CONTAINER = HERE / "deploy" / "portico.service", HERE / "deploy" / "Containerfile"
VARIABLE = re.compile(r"PORTICO_([A-Z_]+)")


@pytest.mark.parametrize("path", [UNIT, CONTAINER, HERE / "docs" / "operators.md"], ids=lambda path: path.name)
def test_every_variable_that_is_named_is_a_setting(path):
    known = {name.upper() for name in Environment.model_fields}

    assert {name for name in VARIABLE.findall(path.read_text()) if name not in known} == set()


def commands():
    return {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}


def unit():
    parser = ConfigParser(strict=False, interpolation=None, delimiters=["="])
    parser.optionxform = str
    parser.read(UNIT)
    return parser


def test_the_service_runs_a_command_that_there_is_and_waits_until_it_has_ended():
    service = unit()["Service"]

    assert service["ExecStart"].split()[1:] == ["serve"]
    assert {"serve", "worker"} <= commands()
    assert service["KillMode"] == "mixed"
    from portico.cli.serve import PATIENCE
    from portico.cli.worker import LETTER

    assert int(service["TimeoutStopSec"]) > PATIENCE + LETTER


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_systemd_understands_the_unit(tmp_path):
    copy = tmp_path / "portico.service"
    copy.write_text(UNIT.read_text().replace("/opt/portico/bin/portico", sys.executable))

    told = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)

    assert [line for line in told.stderr.splitlines() if "portico.service" in line] == []


def test_the_container_copies_what_there_is_and_runs_without_privileges():
    lines = CONTAINER.read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]

    assert [name for names in copied for name in names if not (HERE / name).exists()] == []
    assert [line for line in lines if line.startswith(("USER", "CMD", "ENTRYPOINT"))] == [
        "USER 10001:10001",
        'ENTRYPOINT ["portico"]',
        'CMD ["serve"]',
    ]
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def test_nothing_else_goes_into_the_container():
    ignored = (HERE / ".dockerignore").read_text().splitlines()

    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == {
        "LICENSE",
        "pyproject.toml",
        "requirements/run.txt",
        "portico",
    }
