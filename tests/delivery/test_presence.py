"""What a worker had claimed when it was killed is free as soon as another one of its machine looks."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from portico.delivery import presence, worker
from portico.domain import outbox
from portico.domain.outbox import Letter

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path: Path) -> Path:
    settings.WORKERS_FOLDER = tmp_path / "workers"
    settings.WORKERS_FOLDER.mkdir()
    presence.mine.cache_clear()
    return settings.WORKERS_FOLDER


def claimed_by(name: UUID) -> Letter:
    letter = outbox.post("invitation", "bob@example.org", organization_id=uuid4())
    letter.leased_until, letter.leased_by = timezone.now() + worker.LEASE, name
    letter.save()
    return letter


def is_free(letter: Letter) -> bool:
    letter.refresh_from_db()
    return letter.leased_until is None


def test_what_a_dead_worker_had_claimed_is_free(folder):
    name = uuid4()
    letter, file = claimed_by(name), folder / f"{presence._machine()}.{name}"
    file.touch()

    worker.free()

    assert is_free(letter)
    assert not file.exists()


def test_what_a_living_worker_has_claimed_is_its_own(folder):
    name = uuid4()
    letter, file = claimed_by(name), folder / f"{presence._machine()}.{name}"
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        worker.free()

    assert not is_free(letter)
    assert file.exists()


def test_this_worker_is_alive_and_its_claims_carry_its_name(folder):
    outbox.post("invitation", "bob@example.org", organization_id=uuid4())
    [letter] = worker.claim()

    worker.free()

    assert letter.leased_by == presence.mine()
    assert not is_free(letter)
    assert [file.name for file in folder.iterdir()] == [f"{presence._machine()}.{presence.mine()}"]


def test_a_worker_ends_without_a_word_about_the_file_that_it_held(tmp_path):
    """Held until the very end, and let go by the system alone."""
    name_it = "import django; django.setup(); from portico.delivery import presence; print(presence.mine())"

    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", name_it],
        env=os.environ | {"PORTICO_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stderr == ""
    assert [file.suffix for file in (tmp_path / "workers").iterdir()] == [f".{ended.stdout.strip()}"]


def test_of_another_machines_worker_nothing_can_be_told(folder):
    name = uuid4()
    letter, file = claimed_by(name), folder / f"elsewhere.{name}"
    file.touch()

    worker.free()

    assert not is_free(letter)
    assert file.exists()


def test_a_worker_that_took_longer_than_the_lease_lets_go_nothing_that_is_anothers():
    letter = claimed_by(uuid4())

    worker.let_go([letter])

    assert not is_free(letter)


def test_a_folder_that_cannot_be_written_costs_the_quick_release_alone(settings, caplog):
    settings.WORKERS_FOLDER = Path("/dev/null/workers")
    outbox.post("invitation", "bob@example.org", organization_id=uuid4())

    [letter] = worker.claim()
    worker.free()

    assert letter.leased_by == presence.mine()
    assert "letters wait for the end of their lease" in caplog.text


def test_workers_of_machines_that_are_no_more_are_forgotten(folder):
    (folder / f"elsewhere.{uuid4()}").touch()
    presence.mine()
    long_ago = time.time() - presence.FORGOTTEN_AFTER.total_seconds() - 60
    for file in folder.iterdir():
        os.utime(file, (long_ago, long_ago))

    presence.forget(timezone.now())

    assert [file.name for file in folder.iterdir()] == [f"{presence._machine()}.{presence.mine()}"]
