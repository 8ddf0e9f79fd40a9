"""What an operator does at the shell beyond founding: accounts, organizations, members, inviting, tokens, the log."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import OperationalError
from django.utils import timezone
from typer.testing import Result

from portico import schema
from portico.cli import doctor, invite
from portico.cli.problems import Exit
from portico.domain import accounts, invitations, organizations, tokens
from portico.domain.access import Via
from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from portico.domain.people import User
from portico.domain.tokens import Token
from tests import cast
from tests.cli.conftest import answer

Portico = Callable[..., Result]


def refused(result: Result) -> tuple[int, str]:
    return result.exit_code, answer(result)["code"]


def by_the_operator(action: str) -> bool:
    return Event.objects.filter(action=action, actor_kind="operator", door="cli").exists()


# --- Accounts ------------------------------------------------------------------------------------------------------


def test_accounts_are_listed_and_found(portico: Portico, db) -> None:
    cast.person("Ann")
    cast.person("Bo", verified=False)
    accounts.disable(cast.operator(None), User.objects.get(name="Ann"))

    told = answer(portico("user", "list", "--json"))["users"]

    assert [(each["name"], each["verified"], each["disabled"]) for each in told] == [
        ("Bo", False, False),
        ("Ann", True, True),
    ]
    assert [each["name"] for each in answer(portico("user", "list", "--search", "BO@", "--json"))["users"]] == ["Bo"]
    assert [each["name"] for each in answer(portico("user", "list", "--disabled", "--json"))["users"]] == ["Ann"]
    assert "ann@example.org" in portico("user", "list").stdout


def test_an_address_is_said_to_be_theirs(portico: Portico, db) -> None:
    bo = cast.person("Bo", verified=False)

    done = portico("user", "verify", "bo@example.org", "--json")

    assert done.exit_code == 0, done.output
    assert User.objects.get(pk=bo.pk).owns("bo@example.org")
    assert by_the_operator("account.verified")
    assert refused(portico("user", "verify", "bo@example.org", "--json")) == (1, "already_verified")
    assert refused(portico("user", "verify", "nobody@example.org", "--json")) == (1, "not_found")


def test_an_address_that_somebody_else_has_proven_is_not_given_away(portico: Portico, db) -> None:
    ann, bo = cast.person("Ann"), cast.person("Bo")
    EmailAddress.objects.create(user=bo, email="ann@example.org", primary=False, verified=False)

    assert refused(portico("user", "verify", "ann@example.org", "--json")) == (1, "several")
    EmailAddress.objects.filter(user=ann).update(email="other@example.org")
    assert portico("user", "verify", "ann@example.org").exit_code == 0


def test_an_account_is_disabled_and_enabled_and_keeps_an_administrator_everywhere(portico: Portico, ada, mel) -> None:
    assert refused(portico("user", "disable", "ada@example.org", "--json")) == (1, "last_administrator")
    assert User.objects.get(name="Ada").is_active

    assert portico("user", "disable", "mel@example.org").exit_code == 0
    assert not User.objects.get(name="Mel").is_active
    assert refused(portico("user", "disable", "mel@example.org", "--json")) == (1, "disabled")
    assert portico("user", "enable", "mel@example.org").exit_code == 0
    assert User.objects.get(name="Mel").is_active
    assert by_the_operator("account.disabled")
    assert by_the_operator("account.enabled")


def test_an_account_is_deleted_once_it_is_confirmed(portico: Portico, ada, mel) -> None:
    assert portico("user", "delete", "mel@example.org", stdin="").exit_code == Exit.INTERRUPTED
    kept = portico("user", "delete", "mel@example.org", stdin="n\n")
    assert (kept.exit_code, "Nothing was deleted. (not_confirmed)" in kept.stderr) == (Exit.REFUSED, True)
    assert User.objects.filter(name="Mel").exists()

    assert portico("user", "delete", "mel@example.org", "--yes").exit_code == 0
    assert not User.objects.filter(name="Mel").exists()
    assert not Membership.objects.filter(name="Mel").exists()
    assert by_the_operator("account.closed")
    assert refused(portico("user", "delete", "ada@example.org", "--yes", "--json")) == (1, "last_administrator")


def test_a_lost_second_factor_is_taken_off(portico: Portico, mel) -> None:
    Authenticator.objects.create(user=mel.membership.user, type="totp", data={"secret": "x"})

    assert portico("user", "reset-second-factor", "mel@example.org").exit_code == 0

    assert not Authenticator.objects.exists()
    assert by_the_operator("account.second_factor_reset")
    assert Letter.objects.filter(kind="account/second_factor_reset").exists()
    assert refused(portico("user", "reset-second-factor", "mel@example.org", "--json")) == (1, "no_second_factor")


# --- Organizations and members -------------------------------------------------------------------------------------


def test_organizations_are_listed_and_trusted(portico: Portico, ada, mel) -> None:
    [told] = answer(portico("organization", "list", "--json"))["organizations"]
    assert (told["slug"], told["members"], told["trusted"], told["closed_at"]) == ("acme", 2, False, None)

    assert answer(portico("organization", "trust", "acme", "--json"))["trusted"] is True
    assert Organization.objects.get().letters_per_day(timezone.now()) == 20_000
    assert answer(portico("organization", "trust", "acme", "--no", "--json"))["trusted"] is False
    assert by_the_operator("organization.trusted")
    assert by_the_operator("organization.untrusted")


def test_a_closed_organization_is_opened_again(portico: Portico, ada) -> None:
    assert refused(portico("organization", "restore", "acme", "--json")) == (1, "not_closed")
    organizations.close(ada, name="Acme")

    assert portico("organization", "restore", "acme").exit_code == 0
    assert Organization.objects.get().closed_at is None
    assert by_the_operator("organization.restored")


def test_members_are_listed_and_removed(portico: Portico, ada, mel) -> None:
    told = answer(portico("member", "list", "--organization", "acme", "--json"))["members"]
    assert [(each["email"], each["role"], each["status"]) for each in told] == [
        ("ada@example.org", "administrator", "active"),
        ("mel@example.org", "contributor", "active"),
    ]

    assert portico("member", "remove", "--organization", "acme", "--member", "mel@example.org").exit_code == 0
    last = portico("member", "remove", "--organization", "acme", "--member", "ada@example.org", "--json")
    assert refused(last) == (1, "last_administrator")
    assert by_the_operator("member.removed")


# --- Inviting ------------------------------------------------------------------------------------------------------


def test_addresses_and_a_file_are_invited_with_a_result_for_each(portico: Portico, ada, mel, tmp_path: Path) -> None:
    file, result = tmp_path / "people.csv", tmp_path / "result.csv"
    file.write_text("email;role\nbo@example.org;Contributor\nmel@example.org;\nnonsense;\n")

    done = portico(
        "invite", "ann@example.org", "--organization", "acme", "--role", "developer",
        "--file", str(file), "--result", str(result), "--json",
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    told = [(each["email"], each["outcome"]) for each in answer(done)["results"]]
    assert told == [
        ("ann@example.org", "invited"),
        ("bo@example.org", "invited"),
        ("mel@example.org", "already_member"),
        ("nonsense", "invalid"),
    ]
    with result.open(encoding="utf-8-sig", newline="") as lines:
        assert [(row["email"], row["outcome"]) for row in csv.DictReader(lines)] == told
    assert {offer.address: offer.grant.slug for offer in Invitation.objects.all()} == {
        "ann@example.org": "developer",
        "bo@example.org": "contributor",
    }
    assert result.stat().st_mode & 0o077 == 0
    assert all(offer.by_operator and offer.sponsor is None for offer in Invitation.objects.all())
    assert by_the_operator("invitation.sent")


def test_a_dry_run_invites_nobody_and_says_who_would_not_be(portico: Portico, ada, mel) -> None:
    done = portico("invite", "ann@example.org", "mel@example.org", "--organization", "acme", "--role", "developer",
                   "--dry-run")  # fmt: skip

    assert done.stdout == ("1 person would be invited.\n  already_member: mel@example.org already belongs here.\n")
    assert not Invitation.objects.exists()


def test_links_to_hand_over_are_made_for_each_who_is_invited(portico: Portico, ada, mel, client) -> None:
    done = portico("invite", "ann@example.org", "mel@example.org", "--organization", "acme", "--role", "developer",
                   "--link", "--json")  # fmt: skip

    ann, mel_ = answer(done)["results"]
    assert client.get(ann["link"].partition("8000")[2]).status_code == 303
    assert "link" not in mel_


@pytest.mark.parametrize(
    "more", [[], ["--role", "nobody"], ["--role", "developer", "--days", "31"], ["--permission", "nonsense"]]
)
def test_what_is_wrong_for_all_invites_nobody(portico: Portico, ada, more: list[str]) -> None:
    assert refused(portico("invite", "ann@example.org", "--organization", "acme", "--json", *more)) == (1, "invalid")
    assert not Invitation.objects.exists()


def test_a_file_that_is_not_there_is_a_sentence(portico: Portico, ada, tmp_path: Path) -> None:
    done = portico("invite", "--organization", "acme", "--role", "developer", "--file", str(tmp_path / "no.csv"))

    assert done.exit_code == Exit.UNAVAILABLE
    assert done.stderr.endswith("no.csv cannot be used: No such file or directory. (file)\n")


def test_a_result_that_cannot_be_written_is_noticed_before_anybody_is_invited(portico: Portico, ada, tmp_path) -> None:
    nowhere = str(tmp_path / "nowhere" / "result.csv")

    done = portico("invite", "ann@example.org", "--organization", "acme", "--role", "developer", "--result", nowhere)

    assert done.exit_code == Exit.UNAVAILABLE
    assert not Invitation.objects.exists()


def test_what_was_done_before_an_interruption_stands_in_the_result(
    portico: Portico, ada, tmp_path, monkeypatch
) -> None:
    result, sends = tmp_path / "result.csv", []
    real = invitations.send

    def send(*args, **more):
        sends.append(1)
        if len(sends) > 1:
            raise KeyboardInterrupt
        return real(*args, **more)

    monkeypatch.setattr(invitations, "send", send)
    monkeypatch.setattr(invite, "AT_ONCE", 1)
    emails = ("ann@example.org", "bo@example.org")
    done = portico("invite", *emails, "--organization", "acme", "--role", "developer", "--result", str(result))

    assert done.exit_code == Exit.INTERRUPTED
    rows = csv.DictReader(result.read_text(encoding="utf-8-sig").splitlines())
    assert [row["email"] for row in rows] == ["ann@example.org"]


# --- Tokens --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [["--organization", "acme"], []])
def test_a_service_token_is_made_listed_and_revoked(portico: Portico, ada, where: list[str]) -> None:
    made = answer(portico("token", "create", "--name", "Product", "--service", *where, "--json"))

    assert tokens.authenticate(made["secret"], Via(door="api"), timezone.now()).token == Token.objects.get()
    [listed] = answer(portico("token", "list", *where, "--json"))["tokens"]
    assert (listed["id"], listed["name"], listed["service"]) == (made["id"], "Product", True)
    assert "secret" not in listed
    assert portico("token", "revoke", made["id"], *where).exit_code == 0
    assert not Token.objects.exists()
    assert by_the_operator("token.issued")
    assert by_the_operator("token.revoked")
    assert refused(portico("token", "revoke", made["id"], *where, "--json")) == (1, "not_found")
    assert refused(portico("token", "revoke", "nonsense", *where, "--json")) == (1, "not_found")


def test_the_tokens_of_members_are_made_by_them(portico: Portico, ada) -> None:
    assert refused(portico("token", "create", "--name", "Mine", "--organization", "acme", "--json")) == (1, "invalid")
    assert not Token.objects.exists()


# --- The audit log -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_the_log_is_written_into_a_new_file(portico: Portico, ada, mel, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"log.{kind}"
    export = ("audit", "export", str(file), "--organization", "acme", "--format", kind, "--json")

    done = portico(*export)

    assert answer(done)["events"] == Event.objects.filter(organization_id=ada.organization.pk).count()
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    if kind == "jsonl":
        assert json.loads(lines[-1])["action"] == "organization.founded"
    assert portico(*export).exit_code == Exit.UNAVAILABLE  # it is there already
    broken = str(tmp_path / "broken")
    assert portico("audit", "export", broken, "--organization", "nowhere").exit_code == Exit.REFUSED
    assert not Path(broken).exists()
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%d}"
    assert answer(portico(*export[:2], str(file) + "2", *export[3:], "--since", tomorrow))["events"] == 0


# --- Doctor and demo -----------------------------------------------------------------------------------------------


def found(result: Result) -> dict[str, bool]:
    return {each["name"]: each["ok"] for each in answer(result)["findings"]}


def test_the_doctor_says_what_is_wrong_and_what_to_do(portico: Portico, ada, acme) -> None:
    done = portico("doctor", "--json")

    assert done.exit_code == Exit.REFUSED  # no worker was ever seen here
    assert {name for name, ok in found(done).items() if not ok} == {"worker"}
    Membership.objects.filter(organization=acme).update(suspended_at=timezone.now())
    Letter.objects.create(kind="removed", address="x@example.org", created_at=timezone.now() - timedelta(hours=2))
    told = answer(portico("doctor", "--json"))
    wrong = {each["name"]: each for each in told["findings"] if not each["ok"]}
    assert set(wrong) == {"worker", "letters", "administrators"}
    assert wrong["administrators"]["says"] == "acme"
    assert all(each["do"] for each in wrong.values())
    assert "→" in portico("doctor").stdout


def test_the_doctor_finds_a_mail_server_that_is_away(settings, db) -> None:
    from portico.settings import Environment, mail

    url = "smtp://127.0.0.1:9"
    settings.ENVIRONMENT = Environment(email_url=url)
    for name, value in mail(url).items():
        setattr(settings, name, value)

    [finding] = doctor.mail()

    assert not finding.ok
    assert finding.do


def test_the_doctor_finds_a_database_that_is_away_and_looks_at_the_rest(monkeypatch, settings, db) -> None:
    def database() -> Iterator[doctor.Finding]:
        raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr(doctor, "CHECKS", [database, doctor.proxy])

    told = doctor.doctor()

    away, proxies = told.facts["findings"]
    assert (told.exit, away["ok"], away["says"], proxies["ok"]) == (Exit.REFUSED, False, "connection refused", True)
    assert "PORTICO_DATABASE_URL" in away["do"]


def test_the_doctor_of_a_database_without_tables_says_to_migrate(monkeypatch) -> None:
    def letters() -> Iterator[doctor.Finding]:
        raise OperationalError("no such table: portico_letter")

    monkeypatch.setattr(doctor, "CHECKS", [letters])

    [finding] = doctor.doctor().facts["findings"]

    assert "portico migrate" in finding["says"]
    assert not finding["do"]


def test_what_a_list_tells_is_whole_on_one_line_for_who_reads_it_with_a_program(portico: Portico, ada) -> None:
    email = f"{'a' * 60}@{'b' * 60}.example.org"
    cast.joined(ada.organization, cast.person("Long " * 12, email), cast.role(ada.organization, "developer"))

    listed = portico("member", "list", "--organization", "acme").stdout

    [line] = [line for line in listed.splitlines() if email in line]
    assert "Developer" in line or "developer" in line


def test_the_doctor_finds_migrations_that_wait(monkeypatch) -> None:
    monkeypatch.setattr(schema, "waiting", lambda: ["portico.9999"])

    [finding] = doctor.migrations()

    assert (finding.ok, finding.do) == (False, "Run: portico migrate")


@pytest.mark.postgres
def test_the_doctor_finds_clocks_that_are_apart(time_machine, db) -> None:
    assert [each.ok for each in doctor.clock()] == [True]
    time_machine.move_to(timezone.now() + 2 * doctor.DRIFT)

    [finding] = doctor.clock()

    assert not finding.ok
    assert "NTP" in finding.do


def test_the_doctor_finds_a_key_that_others_can_read(settings, tmp_path: Path) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"data": tmp_path, "secret_key": None})
    key = tmp_path / "secret.key"
    key.write_text("x")
    key.chmod(0o600)
    assert [each.ok for each in doctor.key()] == [True]
    key.chmod(0o640)

    [finding] = doctor.key()

    assert (finding.ok, finding.do) == (False, f"Others can read it. Run: chmod 600 {key}")


def test_a_file_of_permissions_that_is_wrong_is_told_with_its_line_by_the_doctor_as_by_all(environment, tmp_path):
    """It decides what is allowed, so nothing runs without it: no command, and no server."""
    file = tmp_path / "permissions.toml"
    file.write_text('[[permission]]\nname = "reports"\n')
    command = [sys.executable, "-m", "portico.cli", "doctor", "--json"]

    told = subprocess.run(
        command, env=environment | {"PORTICO_PERMISSIONS": str(file)}, capture_output=True, text=True, check=False
    )

    assert told.returncode == Exit.SETTINGS
    assert f"{file}, line 1:" in json.loads(told.stdout)["detail"]


def test_the_doctor_finds_half_a_production(settings) -> None:
    from portico.settings import Environment

    settings.ENVIRONMENT = Environment(base_url="https://portico.example.org")

    assert {each.says for each in doctor.production()} == {"PORTICO_EMAIL_URL", "PORTICO_SECRET_KEY"}
    assert [each.ok for each in doctor.proxy()] == [False]


def test_the_demo_is_there_once_and_its_people_can_sign_in(portico: Portico, client, db) -> None:
    told = answer(portico("demo", "--json"))

    assert len(told["people"]) == 6
    for person in told["people"]:
        assert client.login(username=person["email"], password=told["password"])
    assert Organization.objects.get(slug="harbour-demo").memberships.count() == 6
    assert Invitation.objects.pending().count() == 2
    assert refused(portico("demo", "--json")) == (1, "already_there")


def test_the_demo_is_not_put_where_others_reach_it(portico: Portico, settings, db) -> None:
    from portico.settings import Environment

    settings.ENVIRONMENT = Environment(base_url="https://portico.example.org")

    assert refused(portico("demo", "--json")) == (1, "public")
    assert not Organization.objects.exists()
    assert portico("demo", "--public").exit_code == 0
