"""The built-in outbox: letters as files, for whoever has no mail server."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from portico.delivery import folder, worker
from portico.domain.invitations import letter_token

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def outbox(settings, tmp_path) -> Path:
    settings.EMAIL_BACKEND = "portico.delivery.folder.FolderBackend"
    settings.OUTBOX_FOLDER = tmp_path / "outbox"
    settings.BASE_URL = "https://portico.example"
    return settings.OUTBOX_FOLDER


def test_without_a_mail_server_letters_become_files_that_can_be_read_with_their_links(invite):
    [offer] = invite("bob@example.org", message="Willkommen in Köln, see example.com")

    assert worker.run_once() == 1

    [message] = folder.messages()
    assert (message.to, message.subject) == ("bob@example.org", "Ada invites you to Acme")
    assert "Köln" in message.text
    assert "Köln" in message.html
    assert message.links == [f"https://portico.example/join/{letter_token(offer.pk, 1)}"]
    assert abs(message.date - timezone.now()).total_seconds() < 5


def test_the_newest_stands_first(invite):
    invite(*(f"p{n}@example.org" for n in range(5)))
    worker.run_once()

    assert [message.to for message in folder.messages(3)] == ["p4@example.org", "p3@example.org", "p2@example.org"]
    assert folder.count() == 5


def test_one_letter_is_found_by_its_name_and_nothing_else_is(invite, outbox):
    invite("bob@example.org")
    worker.run_once()
    outbox.with_name("secret.eml").write_text("Subject: not yours\n\n")
    [message] = folder.messages()

    assert folder.message(message.name) == message
    assert b"Message-ID" in folder.raw(message.name)
    for name in ("../secret.eml", str(outbox.with_name("secret.eml")), "none.eml", "", "..", "x\0.eml"):
        assert folder.message(name) is None
        assert folder.raw(name) is None


def test_only_the_owner_of_the_folder_can_read_letters(invite, outbox):
    invite("bob@example.org")
    worker.run_once()

    assert outbox.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in outbox.iterdir())


def test_nobody_ever_sees_half_a_letter(invite, outbox, monkeypatch):
    invite("bob@example.org")
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    assert worker.run_once() == 0

    assert folder.messages() == []


def test_a_full_disk_lets_letters_wait(invite, letter, monkeypatch):
    invite("bob@example.org")
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    worker.run_once()

    assert letter("bob@example.org").state == "waiting"
    assert "No space left on device" in letter("bob@example.org").detail


def test_an_empty_outbox_is_no_error():
    assert folder.messages() == []
    assert folder.count() == 0


def test_old_letters_are_forgotten(invite):
    invite("bob@example.org")
    worker.run_once()

    assert folder.forget(timezone.now() - timedelta(days=1)) == 0
    assert folder.forget(timezone.now() + timedelta(days=1)) == 1
    assert folder.messages() == []
