"""The built-in outbox: readable on this very machine only, and only while no mail server is named."""

from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from tests.console.browser import text

FOLDER = "portico.delivery.folder.FolderBackend"


@pytest.fixture
def letter(db, settings, tmp_path) -> Path:
    """One letter in the folder."""
    settings.OUTBOX_FOLDER, settings.EMAIL_BACKEND = tmp_path, FOLDER
    message = EmailMultiAlternatives(
        "Ada invites <you>", "Open it:\nhttp://127.0.0.1:8000/join/abc_-1\n<script>", to=["Bob <bob@example.org>"]
    )
    message.attach_alternative("<p>Open it</p><script>1</script>", "text/html")
    message.send()
    [path] = tmp_path.glob("*.eml")
    return path


def test_the_outbox_lists_letters_and_opens_one(letter):
    client = Client()

    assert "Ada invites <you> to Bob <bob@example.org>" in text(client.get("/outbox"))
    answer = client.get("/outbox", {"letter": letter.name})
    assert "Open it:" in text(answer)
    assert '<a href="http://127.0.0.1:8000/join/abc_-1"' in answer.content.decode()
    assert "<script>1" not in answer.content.decode()
    assert "&lt;script&gt;" in answer.content.decode()


def test_a_letter_can_be_taken_as_the_file_it_is(letter):
    answer = Client().get("/outbox", {"letter": letter.name, "raw": ""})

    assert answer.headers["Content-Type"] == "message/rfc822"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.content == letter.read_bytes()


def test_an_empty_outbox_says_what_to_do(db, settings, tmp_path):
    settings.OUTBOX_FOLDER = tmp_path / "none"

    assert "No letter yet" in text(Client().get("/outbox"))


@pytest.mark.parametrize("name", ["../secret.key", "nothing.eml", "/etc/passwd", "", "\0.eml", "x" * 5000 + ".eml"])
def test_nothing_but_its_letters_can_be_read(letter, name):
    (letter.parent.parent / "secret.key").write_text("secret")

    assert Client().get("/outbox", {"letter": name}).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Forwarded-Proto": "http"},
        {"X-Forwarded-Anything": "1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
    ],
)
def test_a_request_that_came_through_a_proxy_sees_nothing(letter, headers):
    assert Client(headers=headers).get("/outbox").status_code == 404


def test_a_request_from_another_machine_sees_nothing(letter):
    assert Client(REMOTE_ADDR="192.0.2.7").get("/outbox").status_code == 404


def test_this_machine_by_its_newer_address_is_this_machine(letter):
    assert Client(REMOTE_ADDR="::1").get("/outbox").status_code == 200


@pytest.mark.parametrize(
    "named", [{"email_url": "smtp://mail.example.org"}, {"base_url": "https://portico.example.org"}]
)
def test_with_a_mail_server_or_a_public_address_there_is_no_outbox(letter, settings, named):
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=named)

    assert Client().get("/outbox").status_code == 404
    assert "/outbox" not in Client().get("/account/password/reset/done/").content.decode()


def test_whoever_waits_for_a_letter_is_told_where_it_lands(db):
    waits = "/account/password/reset/done/"

    assert '<a href="/outbox">' in Client().get(waits).content.decode()
    assert "/outbox" not in Client(headers={"x-forwarded-for": "192.0.2.1"}).get(waits).content.decode()


def test_a_name_that_only_looks_like_this_machine_is_refused(letter):
    assert Client(headers={"host": "evil.example"}).get("/outbox").status_code == 400
