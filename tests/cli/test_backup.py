"""`portico backup` and `portico restore`: nothing is missing, whatever happens meanwhile; what is broken is refused."""

import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings as configured
from django.core.files.base import ContentFile
from django.db import connection, connections
from PIL import Image
from typer.testing import Result

from portico import backup, restore
from portico.domain import billing, events, handovers, images, organizations, outbox, tokens, workspaces
from portico.domain.outbox import Letter
from portico.domain.workspaces import SeatOffer
from tests import cast
from tests.cli.conftest import answer
from tests.console.browser import signed_in

Portico = Callable[..., Result]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.empty_machine]

OF_OLD = Path(__file__).with_name("backup-at-0011.portico")  # with a row in every table that there was
ITS_KEY = "k" * 50


@pytest.fixture
def acme_with_everything(ada, mel, payments, developer, settings, tmp_path):
    """An installation in which no table is empty."""
    settings.MEDIA_ROOT = tmp_path / "uploads"
    drawn = BytesIO()
    Image.new("RGB", (600, 400), "red").save(drawn, "PNG")
    name = images.keep(images.read(ContentFile(drawn.getvalue())))
    organizations.change(ada, slug="acme-of-old", image=name)
    organizations.change(ada, slug="acme", name="Äcme 株式会社")
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    workspaces.change(ada, workspace=payments, slug="pay")
    cast.invited(ada, "bob@example.org", grant=developer, seats=[SeatOffer(payments, "member")], message="Здравствуйте")
    billing.change(ada, details=billing.Details(legal_name="Acme GmbH", country="DE"))
    tokens.issue(ada, name="Narrow", days=None, permissions=["members.view"])
    tokens.issue_service(ada, name="Product")
    handovers.offer(ada, member=mel.membership)
    Authenticator.objects.create(user=mel.membership.user, type="totp", data={"secret": "encrypted", "a": None})
    outbox.post_account("account/email_confirmation", "new@example.org", about=None, secrets={"code": "AB12CD"})
    signed_in(ada)
    events.make_searchable(most=1000)
    return ada.organization


class Rows:
    """All tables of a database, read without Portico."""

    def __init__(self, url: str, file: Path | str):
        self.url, self.file = url, file

    def all(self) -> dict[str, list[str]]:
        here: Any = psycopg.connect(self.url) if self.url else sqlite3.connect(self.file)
        with closing(here):
            return {
                model._meta.label: sorted(
                    json.dumps([plain(value) for value in row], default=str, sort_keys=True)
                    for row in here.execute(f'SELECT * FROM "{model._meta.db_table}"').fetchall()
                )
                for model in backup.kept()
            }


def plain(value: Any) -> Any:
    """JSON without the order of its keys, which PostgreSQL does not keep."""
    return json.loads(value) if isinstance(value, str) and value[:1] in {"{", "["} else value


def rows_here() -> dict[str, list[str]]:
    how = connection.settings_dict
    url = f"postgresql://{how['USER']}:{how['PASSWORD']}@{how['HOST']}:{how['PORT']}/{how['NAME']}"
    return Rows(url if connection.vendor == "postgresql" else "", how["NAME"]).all()


@pytest.fixture
def elsewhere(environment, tmp_path):
    """An empty machine that has the key."""
    environment["PORTICO_SECRET_KEY"] = configured.SECRET_KEY
    return Machine(environment)


class Machine:
    def __init__(self, environment: dict[str, str]):
        self.environment, self.data = environment, Path(environment["PORTICO_DATA"])

    def portico(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-m", "portico.cli", *map(str, arguments)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def rows(self) -> dict[str, list[str]]:
        return Rows(self.environment.get("PORTICO_DATABASE_URL", ""), self.data / "portico.sqlite3").all()


def test_nothing_is_missing_on_an_empty_machine(acme_with_everything, portico: Portico, elsewhere, tmp_path) -> None:
    file = tmp_path / "acme.portico"
    made = answer(portico("backup", str(file), "--json"))

    restored = elsewhere.portico("restore", file)

    assert (restored.returncode, restored.stderr) == (0, "")
    Letter.objects.update(secret=None)
    here = rows_here()
    assert [label for label, rows in here.items() if not rows] == []
    assert {label: len(rows) for label, rows in here.items()} == made["tables"]
    assert elsewhere.rows() == here
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "uploads").rglob("*.webp")}
    assert pictures
    assert {path.name: path.read_bytes() for path in (elsewhere.data / "uploads").rglob("*.webp")} == pictures

    again = elsewhere.portico("restore", file)
    assert (again.returncode, again.stdout) == (1, "")
    assert "has data already" in again.stderr

    # What is restored works as before: its constraints, its triggers, its numbers.
    founded = elsewhere.portico("organization", "found", "--name", "New", "--administrator", "ada@example.org")
    assert (founded.returncode, founded.stderr) == (0, "")
    assert elsewhere.portico("restore", "--overwrite", file).returncode == 0
    assert elsewhere.rows() == here


@pytest.mark.postgres
def test_what_postgresql_held_goes_to_sqlite_and_back(acme_with_everything, elsewhere, tmp_path) -> None:
    """The two backups are the same to the byte."""
    url = elsewhere.environment.pop("PORTICO_DATABASE_URL")
    first = backup.write(tmp_path / "1.portico")
    assert elsewhere.portico("restore", tmp_path / "1.portico").returncode == 0
    assert elsewhere.portico("backup", tmp_path / "2.portico").returncode == 0
    elsewhere.environment["PORTICO_DATABASE_URL"] = url
    assert elsewhere.portico("restore", tmp_path / "2.portico").returncode == 0
    assert elsewhere.portico("backup", tmp_path / "3.portico").returncode == 0

    manifests = [json.loads(zipfile.ZipFile(tmp_path / f"{n}.portico").read(backup.MANIFEST)) for n in (1, 2, 3)]
    assert manifests[0]["tables"] == manifests[1]["tables"] == manifests[2]["tables"]
    assert {each["uploads_sha256"] for each in manifests} == {first.uploads_sha256}


def test_it_is_of_one_moment_whatever_is_written_meanwhile(ada, elsewhere, tmp_path) -> None:
    """When the first table was read, somebody founds an organization: it is in the backup wholly, or not at all."""
    eve = cast.person("Eve")
    wrote: list[str] = []

    def found() -> None:
        cast.founded("Elsewhere", by=eve)
        connections.close_all()

    def meanwhile(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if 'FROM "portico_event"' in sql and not wrote:
            wrote.append(sql)
            others.submit(found).result()
        return result

    before = rows_here()
    with ThreadPoolExecutor(1) as others, connection.execute_wrapper(meanwhile):
        backup.write(tmp_path / "acme.portico")

    assert wrote
    assert elsewhere.portico("restore", tmp_path / "acme.portico").returncode == 0
    assert elsewhere.rows() == before
    assert rows_here() != before


def test_a_backup_of_an_older_version_is_brought_up_to_date(elsewhere) -> None:
    elsewhere.environment["PORTICO_SECRET_KEY"] = ITS_KEY
    with zipfile.ZipFile(OF_OLD) as archive:
        had = {table["label"]: table["rows"] for table in json.loads(archive.read(backup.MANIFEST))["tables"]}

    restored = elsewhere.portico("restore", OF_OLD)

    assert (restored.returncode, restored.stderr) == (0, "")
    assert json.loads(elsewhere.portico("migrate", "--json").stdout) == {"applied": []}
    assert {label: len(rows) for label, rows in elsewhere.rows().items() if label in had} == had


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.fixture
def file(ada, tmp_path) -> Path:
    backup.write(tmp_path / "acme.portico")
    return tmp_path / "acme.portico"


def refused(portico: Portico, *arguments: str | Path) -> tuple[str, str]:
    """The code and the sentence; and nothing has changed."""
    before = rows_here()
    result = portico(*map(str, arguments), "--json")
    told = answer(result)
    assert (result.exit_code, rows_here()) == (1, before), told
    return told["code"], told["detail"]


def test_a_truncated_or_changed_file_is_refused(portico, file) -> None:
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        middle = archive.getinfo("tables/portico_user.jsonl").header_offset + 100

    for broken in (
        b"",
        whole[:-1],
        whole[:middle],
        whole[:middle] + b"\0" * 9 + whole[middle + 9 :],
        whole[middle:],
    ):
        file.write_bytes(broken)
        code, sentence = refused(portico, "restore", "--overwrite", file)
        assert code == "backup_broken"
        assert str(file) in sentence


def changed(file: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """The same ZIP with one part changed, as nobody but an attacker or another version writes it."""
    with zipfile.ZipFile(file) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for each, content in parts.items():
            archive.writestr(each, change(content) if each == name else content)


def test_a_part_that_is_another_is_refused(portico, file) -> None:
    changed(file, "tables/portico_user.jsonl", lambda content: content.replace(b"Ada", b"Eva"))

    assert refused(portico, "restore", "--overwrite", file)[0] == "backup_broken"


@pytest.mark.parametrize(
    "newer",
    [
        lambda manifest: manifest | {"format": 2, "portico": "9.0", "tables": "are elsewhere"},
        lambda manifest: (
            manifest | {"portico": "9.0", "migrations": [*manifest["migrations"], ["portico", "9999_later"]]}
        ),
    ],
)
def test_a_file_of_a_newer_version_is_refused(portico, file, newer) -> None:
    changed(file, backup.MANIFEST, lambda content: json.dumps(newer(json.loads(content))).encode())

    code, sentence = refused(portico, "restore", "--overwrite", file)

    assert code == "backup_newer"
    assert "9.0" in sentence


def test_the_key_that_is_needed_is_told(portico, file, settings) -> None:
    its, settings.SECRET_KEY = backup.fingerprint(settings.SECRET_KEY), "another key " * 5

    code, sentence = refused(portico, "restore", "--overwrite", file)

    assert code == "backup_other_key"
    assert its in sentence
    assert "secret.key" in sentence
    settings.SECRET_KEY_FALLBACKS = [configured.SECRET_KEY, "the one of the backup"]
    assert refused(portico, "restore", file)[0] == "backup_other_key"


def test_a_former_key_that_is_still_believed_will_do(portico, file, settings) -> None:
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key " * 5

    assert refused(portico, "restore", file)[0] == "has_data"


def test_a_lost_key_must_be_said(portico, file, settings) -> None:
    settings.SECRET_KEY = "another key " * 5

    assert refused(portico, "restore", "--without-key", file)[0] == "has_data"


def test_nothing_is_overwritten_unasked(portico, file) -> None:
    assert refused(portico, "restore", file)[0] == "has_data"
    assert refused(portico, "backup", file)[0] == "backup_exists"


def test_files_that_are_not_there_or_cannot_be(portico, tmp_path) -> None:
    assert refused(portico, "restore", tmp_path / "nothing")[0] == "invalid"
    assert refused(portico, "backup", tmp_path / "nowhere" / "acme.portico")[0] == "invalid"


def test_nobody_else_may_read_the_file_and_no_half_of_it_stays(file, monkeypatch, tmp_path) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        backup.write(tmp_path / "other.portico")

    assert file.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme.portico"]


def test_what_is_left_out_is_known() -> None:
    """A new table is in the backup, unless it is named."""
    from django.apps import apps

    labels = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    assert labels > backup.LEFT_OUT
    assert {model._meta.label for model in backup.kept()} == labels - backup.LEFT_OUT


def test_a_restore_that_fails_half_way_leaves_all_as_it_was(portico, file, monkeypatch) -> None:
    def fails(*_args: object) -> None:
        raise sqlite3.OperationalError("the disk is gone")

    before = rows_here()
    monkeypatch.setattr(restore, "_settle", fails)
    with pytest.raises(sqlite3.OperationalError):
        restore.restore(file, overwrite=True)

    assert rows_here() == before
