"""The commands of the shell: what they do, what they refuse, and how they say it."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError
from typer.testing import Result

from portico.cli.problems import Exit, explain
from portico.delivery import folder
from portico.domain import outbox
from portico.domain.access import Member
from portico.domain.events import Event
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization
from portico.domain.people import User
from tests import cast
from tests.cli.conftest import answer

Portico = Callable[..., Result]
GOOD = "correct horse battery staple"


# --- user create ----------------------------------------------------------------------------------------------------


def test_an_account_is_created_and_on_the_record(portico: Portico) -> None:
    made = portico("user", "create", "--email", "Ann.Lee@Example.ORG", "--password", GOOD, "--verified", "--json")

    user = User.objects.get()
    assert made.exit_code == 0, made.output
    assert answer(made) == {"id": str(user.pk), "email": "ann.lee@example.org", "name": "Ann Lee", "verified": True}
    assert user.owns("ann.lee@example.org")
    assert check_password(GOOD, user.password)
    assert Event.objects.get(action="account.created").door == "cli"


def test_the_answer_for_people_is_a_sentence(portico: Portico) -> None:
    made = portico("user", "create", "--email", "ann@example.org", "--name", "Ann", "--password", GOOD, "--verified")

    assert (made.stdout, made.stderr) == ("Created the account of Ann <ann@example.org>.\n", "")


def test_an_address_that_is_not_said_to_be_verified_is_not(portico: Portico) -> None:
    made = portico("user", "create", "--email", "ann@example.org", "--password", GOOD, "--json")

    assert answer(made)["verified"] is False
    assert not User.objects.get().owns("ann@example.org")


def test_the_password_comes_from_standard_input_when_it_is_left_out(portico: Portico) -> None:
    made = portico("user", "create", "--email", "ann@example.org", stdin=f"{GOOD}\n")

    assert made.exit_code == 0, made.output
    assert check_password(GOOD, User.objects.get().password)


@pytest.mark.parametrize("password", ["", "short", "password123", "annlee@example"])
def test_a_weak_password_is_refused(portico: Portico, password: str) -> None:
    refused = portico("user", "create", "--email", "annlee@example.org", "--password", password, "--json")

    assert refused.exit_code == Exit.REFUSED
    assert answer(refused)["code"] == "invalid"
    assert not User.objects.exists()


def test_what_is_no_address_is_refused_with_the_reason(portico: Portico) -> None:
    refused = portico("user", "create", "--email", "ann", "--password", GOOD)

    assert refused.exit_code == Exit.REFUSED
    assert (refused.stdout, refused.stderr) == ("", "ann: An address has an @ sign. (invalid)\n")


def test_an_address_that_somebody_has_is_refused(portico: Portico) -> None:
    cast.person("Ann")

    refused = portico("user", "create", "--email", "ann@example.org", "--password", GOOD, "--json")

    assert refused.exit_code == Exit.REFUSED
    assert answer(refused) == {
        "code": "address_taken",
        "detail": "There is an account with ann@example.org already.",
    }


# --- organization found ---------------------------------------------------------------------------------------------


def test_an_organization_is_founded_for_somebody(portico: Portico) -> None:
    ann = cast.person("Ann")

    made = portico("organization", "found", "--name", "Acme", "--administrator", "ANN@example.org", "--json")

    acme = Organization.objects.get()
    assert made.exit_code == 0, made.output
    assert answer(made) == {"id": str(acme.pk), "name": "Acme", "slug": "acme", "administrator": "ann@example.org"}
    assert acme.is_trusted
    assert Membership.objects.get(user=ann).is_administrator
    assert set(Event.objects.filter(organization_id=acme.pk).values_list("actor_kind", "door")) == {("operator", "cli")}


def test_nobody_founds_for_an_address_that_nobody_has_verified(portico: Portico) -> None:
    cast.person("Ann", verified=False)

    refused = portico("organization", "found", "--name", "Acme", "--administrator", "ann@example.org", "--json")

    assert refused.exit_code == Exit.REFUSED
    assert answer(refused)["code"] == "not_found"
    assert not Organization.objects.exists()


def test_a_slug_that_is_taken_is_refused(portico: Portico, ada: Member) -> None:
    refused = portico(
        "organization", "found", "--name", "Acme", "--slug", "acme", "--administrator", "ada@example.org", "--json"
    )

    assert refused.exit_code == Exit.REFUSED
    assert answer(refused)["code"] == "slug_taken"


# --- member set -----------------------------------------------------------------------------------------------------


def test_a_member_gets_a_role(portico: Portico, mel: Member) -> None:
    done = portico("member", "set", "--organization", "acme", "--member", "mel@example.org", "--role", "developer")

    assert done.exit_code == 0, done.output
    assert done.stdout == "Mel <mel@example.org> is now Developer in Acme.\n"
    assert Membership.objects.get(user_id=mel.id).grant.slug == "developer"
    changed = Event.objects.get(action="member.changed")
    assert (changed.actor_kind, changed.door) == ("operator", "cli")


def test_a_member_gets_single_permissions(portico: Portico, mel: Member) -> None:
    given = ["--permission", "billing.manage", "--permission", "members.manage"]

    done = portico("member", "set", "--organization", "acme", "--member", "mel@example.org", *given, "--json")

    assert answer(done) == {
        "organization": "acme",
        "member": "mel@example.org",
        "role": None,
        "permissions": ["billing.manage", "members.manage", "members.view"],
    }


def test_a_member_is_found_by_any_address_they_have_verified(portico: Portico, mel: Member) -> None:
    cast.own(User.objects.get(pk=mel.id), "mel@home.example")

    done = portico(
        "member", "set", "--organization", "acme", "--member", "mel@home.example", "--role", "developer", "--json"
    )

    assert answer(done)["member"] == "mel@example.org"


def test_the_last_administrator_stays_also_here(portico: Portico, ada: Member) -> None:
    refused = portico(
        "member", "set", "--organization", "acme", "--member", "ada@example.org", "--role", "developer", "--json"
    )

    assert refused.exit_code == Exit.REFUSED
    assert answer(refused)["code"] == "last_administrator"
    assert Membership.objects.get().is_administrator


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"--organization": "elsewhere"}, "not_found"),
        ({"--member": "eve@example.org"}, "not_a_member"),
        ({"--member": "nobody@example.org"}, "not_a_member"),
        ({"--role": "emperor"}, "invalid"),
        ({"--permission": "billing.manage"}, "invalid"),  # beside a role
    ],
)
def test_what_cannot_be_set_is_refused(portico: Portico, mel: Member, changes: dict[str, str], code: str) -> None:
    cast.person("Eve")
    asked = {"--organization": "acme", "--member": "mel@example.org", "--role": "developer"} | changes
    words = [word for pair in asked.items() for word in pair]

    refused = portico("member", "set", *words, "--json")

    assert refused.exit_code == Exit.REFUSED
    assert answer(refused)["code"] == code
    assert not Event.objects.filter(action="member.changed").exists()


# --- the rest -------------------------------------------------------------------------------------------------------


def test_the_outbox_lists_the_newest_letters_with_their_links(
    portico: Portico, ada: Member, settings, tmp_path
) -> None:
    settings.OUTBOX_FOLDER = tmp_path / "outbox"
    outbox.post("removed", "mel@example.org", organization_id=ada.organization.pk)
    from django.core.mail import EmailMessage

    for number in (1, 2):
        link = f"http://127.0.0.1:8000/join/{'x' * 90}{number}"
        folder.FolderBackend().send_messages([EmailMessage(f"Letter {number}", f"See {link}", to=["mel@example.org"])])

    listed = portico("outbox", "--limit", "1", "--json")
    shown = portico("outbox")

    assert answer(listed)["waiting"] == 1
    [newest] = answer(listed)["letters"]
    assert (newest["to"], newest["subject"]) == ("mel@example.org", "Letter 2")
    assert newest["links"] == [f"http://127.0.0.1:8000/join/{'x' * 90}2"]
    assert "Letter 1" in shown.stdout
    assert "1 waiting, 0 sent, 0 given up" in shown.stdout
    assert f"/join/{'x' * 90}2" in shown.stdout.replace("\n", "").replace("    ", "")


def test_migrate_has_nothing_to_do_a_second_time(portico: Portico) -> None:
    assert answer(portico("migrate", "--json")) == {"applied": []}


@pytest.mark.parametrize(
    "words",
    [["fly"], ["user", "create"], ["outbox", "--limit", "0"], ["member", "set", "--organization", "acme"]],
)
def test_what_is_not_understood_has_a_code_of_its_own(portico: Portico, words: list[str]) -> None:
    assert portico(*words).exit_code == Exit.USAGE


def test_a_fault_is_neither_done_nor_refused(portico: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(limit: int) -> Any:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("portico.delivery.folder.messages", fail)

    failed = portico("outbox", "--json")

    assert failed.exit_code == Exit.FAULT
    assert answer(failed)["code"] == "fault"


def file_error(number: int, path: str = "") -> OSError:
    """Of a file in the data folder, or elsewhere."""
    return OSError(number, os.strerror(number), path or f"{os.environ['PORTICO_DATA']}/portico.sqlite3")


class UndefinedTableError(Exception):
    sqlstate = "42P01"


def undefined_table() -> ProgrammingError:
    error = ProgrammingError('relation "portico_user" does not exist')
    error.__cause__ = UndefinedTableError()
    return error


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (file_error(errno.ENOSPC), "disk_full", Exit.UNAVAILABLE),
        (file_error(errno.EACCES), "data_folder", Exit.UNAVAILABLE),
        (file_error(errno.EROFS), "data_folder", Exit.UNAVAILABLE),
        (file_error(errno.ENOENT, "/elsewhere/people.csv"), "file", Exit.UNAVAILABLE),
        (OperationalError("database or disk is full"), "disk_full", Exit.UNAVAILABLE),
        (OperationalError("attempt to write a readonly database"), "data_folder", Exit.UNAVAILABLE),
        (OperationalError("unable to open database file"), "data_folder", Exit.UNAVAILABLE),
        (OperationalError("database is locked"), "database_busy", Exit.UNAVAILABLE),
        (OperationalError("connection refused"), "database_away", Exit.UNAVAILABLE),
        (OperationalError("no such table: portico_user"), "not_migrated", Exit.UNAVAILABLE),
        (undefined_table(), "not_migrated", Exit.UNAVAILABLE),
        (ProgrammingError("syntax error"), "fault", Exit.FAULT),
        (ImproperlyConfigured("permissions.toml, line 3: no"), "settings", Exit.SETTINGS),
        (OSError("bare"), "fault", Exit.FAULT),
    ],
)
def test_what_goes_wrong_around_portico_is_one_sentence(error: Exception, code: str, exit_code: Exit) -> None:
    problem = explain(error)

    assert (problem.code, problem.exit) == (code, exit_code)
    assert "\n" not in problem.detail
