"""The generated pages are current, and what the others say is true."""

import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from docs import permissions
from portico.domain import tokens
from tests import cast

HERE = Path(__file__).parent.parent
PAGES = [*HERE.glob("*.md"), *HERE.glob("docs/*.md")]
LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)\"""")


def test_the_page_of_permissions_is_current():
    assert permissions.PAGE.read_text() == permissions.page(), "stale: run `python -m docs.permissions`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_of_a_page_is_there(page: Path):
    for first, second in LINK.findall(page.read_text()):
        file = (first or second).partition("#")[0]
        assert file.startswith("http") or (page.parent / file).exists(), file


# --- docs/programmers.md ---------------------------------------------------------------------------------------------
# ada administers Acme · mel is a plain member

PROGRAMMERS = permissions.PAGE.with_name("programmers.md").read_text()


def test_the_published_expression_and_checksum_are_those_of_tokens():
    [expression] = re.findall(r"^    (\\bptc_.*)$", PROGRAMMERS, re.MULTILINE)
    [code] = re.findall(r"```python\n(.*?)```", PROGRAMMERS, re.DOTALL)
    said: dict[str, Any] = {}
    exec(code, said)  # the page's own example

    for secret in (tokens.new_secret() for _each in range(100)):
        assert re.search(expression, f'key = "{secret}"\n')
        assert said["is_token"](secret)
        assert not said["is_token"](secret[:-1] + ("0" if secret[-1] != "0" else "1"))


FENCED = re.findall(r"^```(\w*)\n(.*?)^```", PROGRAMMERS, re.DOTALL | re.MULTILINE)
BLOCKS = [block for language, block in FENCED if not language]
MANY = [line for block in BLOCKS for line in block.splitlines() if line.startswith('{"members"')]
EXAMPLES = [f"curl {one}" for block in BLOCKS for one in block.replace("\\\n", " ").split("curl ")[1:]]


def run(command: str, known: dict[str, str]) -> Any:
    """What curl would send, through the test client."""
    for name, value in known.items():
        command = command.replace(name, value)
    _curl, *words = shlex.split(command)
    options = {words[n]: words[n + 1] for n in range(len(words) - 1) if words[n].startswith("--")}
    [path] = [
        word.removeprefix("https://portico.example.org") for word in words if word.startswith(("https:", "/api/"))
    ]
    name, value = options["--header"].split(": ")
    method = options.get("--request", "POST" if "--json" in options else "GET").lower()
    asked = partial(getattr(Client(), method), path, headers={name: value})
    return asked(options["--json"], content_type="application/json") if "--json" in options else asked()


@pytest.mark.parametrize("command", EXAMPLES)
def test_every_example_of_the_guide_does_what_it_says(command, ada, mel, payments):
    secret = tokens.issue(ada, name="Guide").secret
    offer = cast.invited(ada, "waiting@example.org", grant=cast.role(ada.organization, "developer"))
    known = {"$PORTICO": "", "$TOKEN": secret, "$MEMBER": str(mel.membership.pk), "$INVITATION": str(offer.pk)}

    answer = run(command, known)

    assert answer.status_code == 200, answer.content
    assert not [each for each in answer.json().get("results", []) if each["outcome"] != "invited"]


def test_there_are_examples():
    assert len(EXAMPLES) >= 6
    assert len(MANY) == 2


@pytest.mark.parametrize("line", MANY)
def test_every_body_for_many_is_one(line, ada, mel, ivy):
    for shown, member in (("0198…", mel), ("0199…", ivy)):
        line = line.replace(shown, str(member.membership.pk))
    headers = {"Authorization": f"Bearer {tokens.issue(ada, name='Guide').secret}"}

    answer = Client().post(
        "/api/v1/organizations/acme/members/batch", line, content_type="application/json", headers=headers
    )

    assert answer.json()["done"] == 2
