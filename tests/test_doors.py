"""What one door refuses, every door refuses, with the same code and sentence. Every refusal that there is was raised.

ada administers Acme, alone · mel is a plain member · ivy may manage members · eve is from elsewhere
"""

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from portico import backup, schema
from portico.cli import demo
from portico.domain import (
    departures,
    directory,
    handovers,
    invitations,
    memberships,
    organizations,
    retries,
    roles,
    workspaces,
)
from portico.domain.access import Member
from portico.domain.errors import Refusal
from portico.domain.invitations import Invitation
from portico.domain.organizations import Organization
from portico.domain.people import User
from portico.domain.permissions import MEMBERS_MANAGE
from tests import cast
from tests.api.asking import program, sent
from tests.cli.conftest import portico  # noqa: F401  # the fixture
from tests.console.browser import signed_in, text
from tests.console.test_settings import picture
from tests.test_architecture import CODES

API = "/api/v1"
LONG = "www.evil.example"
OF_DEVELOPERS = ["members.view", "workspaces.create", "workspaces.view_all"]
OF_EVERYTHING = {"invalid", "not_found", "unauthenticated"}  # codes that a class of refusals has, not a call of it


@dataclass
class Here:
    """What a case needs; rows come to be where they are asked for."""

    ada: Member
    mel: Member
    settings: Any
    patch: pytest.MonkeyPatch
    folder: Path
    clock: Any

    @property
    def acme(self) -> Organization:
        return self.ada.organization

    def joined(self, name: str, grant: Any = None, **more: Any) -> Member:
        return cast.joined(self.acme, cast.person(name), grant or cast.role(self.acme, "contributor"), **more)

    def ivy(self) -> Member:
        return self.joined("Ivy", cast.custom(MEMBERS_MANAGE))

    def payments(self) -> Any:
        return workspaces.create(self.ada, name="Payments")

    def offer(self, email: str = "nia@example.org", **terms: Any) -> Invitation:
        return cast.invited(self.ada, email, grant=cast.role(self.acme, "contributor"), **terms)

    def later(self, days: float) -> None:
        """For everybody: the clock goes on."""
        self.clock.move_to(timezone.now() + timedelta(days=days))


Page = tuple[Member | User | Client, str, dict[str, Any]]
Call = tuple[Any, ...]  # who, method, path, body


@dataclass
class Asked:
    """One act at each door where there is such an act: a form of a page, a call of the API, a command."""

    page: Page | None = None
    call: Call | None = None
    command: tuple[str, ...] | None = None
    headers: dict[str, str] = field(default_factory=dict)  # of the call
    files: dict[str, Any] = field(default_factory=dict)  # of the page
    stdin: str = ""  # of the command


Case = Callable[[Here], Asked]
CASES: list[Any] = []
COMMITTED = pytest.mark.django_db(transaction=True)  # a backup is of what is committed


def refused(code: str, *marks: Any) -> Callable[[Case], Case]:
    def remember(case: Case) -> Case:
        CASES.append(pytest.param(code, case, id=f"{case.__name__}-{code}", marks=marks))
        return case

    return remember


# --- Well-formed, there, and asked by somebody ---------------------------------------------------------------------


@refused("invalid")
def a_role_that_is_not_there(here: Here) -> Asked:
    return Asked(
        (here.ada, f"/o/acme/users/{here.mel.membership.pk}", {"role": "nobody", "version": "1"}),
        (here.ada, "patch", f"/organizations/acme/members/{here.mel.membership.pk}", {"role": "nobody"}),
        ("member", "set", "--organization", "acme", "--member", "mel@example.org", "--role", "nobody"),
    )


@refused("invalid")
def a_permission_that_is_not_there(here: Here) -> Asked:
    mel = here.mel.membership.pk
    return Asked(
        (here.ada, f"/o/acme/users/{mel}", {"role": "Custom", "grant": ["nonsense"], "version": "1"}),
        (here.ada, "patch", f"/organizations/acme/members/{mel}", {"permissions": ["nonsense"]}),
        ("member", "set", "--organization", "acme", "--member", "mel@example.org", "--permission", "nonsense"),
    )


@refused("invalid")
def a_name_that_mail_programs_would_make_a_link_of(here: Here) -> Asked:
    return Asked(
        (here.ada, "/organizations/new", {"name": LONG, "color": "teal"}),
        (signed_in(here.ada), "post", "/organizations", {"name": LONG}),
        ("organization", "found", "--name", LONG, "--administrator", "ada@example.org"),
    )


@refused("invalid")
def a_token_for_no_day(here: Here) -> Asked:
    return Asked(
        (here.ada, "/o/acme/tokens/new/service", {"name": "X", "ends": "ephemeral", "days": "0", "reach": "full"}),
        (signed_in(here.ada), "post", "/organizations/acme/tokens", {"name": "X", "days": 0, "service": True}),
        ("token", "create", "--service", "--organization", "acme", "--name", "X", "--days", "0"),
    )


@refused("invalid")
def a_link_for_too_many_days(here: Here) -> Asked:
    asked = {"emails": ["x@example.org"], "role": "contributor", "expires_in_days": 31}
    form = {"emails": "x@example.org", "role": "contributor", "days": "31", "do": "invite"}
    return Asked(
        (here.ada, "/o/acme/users/invite", form),
        (here.ada, "post", "/organizations/acme/invitations", asked),
        ("invite", "x@example.org", "--organization", "acme", "--role", "contributor", "--days", "31"),
    )


@refused("not_found")
def a_place_of_others(here: Here) -> Asked:
    eve = cast.founded("Elsewhere", by=cast.person("Eve"))
    return Asked(call=(eve, "patch", "/organizations/acme", {"name": "Mine"}))


@refused("unauthenticated")
def nobody(here: Here) -> Asked:
    return Asked(call=(None, "post", "/organizations/acme/restore", {}))


@refused("prove_again")
def somebody_who_has_not_shown_lately_who_they_are(here: Here) -> Asked:
    return Asked(call=(here.ada.membership.user, "delete", "/organizations/acme", {}))


# --- Who may ---------------------------------------------------------------------------------------------------------


@refused("missing_permission")
def a_plain_member_founds_a_workspace(here: Here) -> Asked:
    return Asked(
        (here.mel, "/o/acme/workspaces/new", {"name": "Atlas"}),
        (here.mel, "post", "/organizations/acme/workspaces", {"name": "Atlas"}),
    )


@refused("exceeds_your_authority")
def more_is_given_than_the_giver_holds(here: Here) -> Asked:
    ivy, mel = here.ivy(), here.mel.membership.pk
    return Asked(
        (ivy, f"/o/acme/users/{mel}", {"role": "developer", "grant": OF_DEVELOPERS, "version": "1"}),
        (ivy, "patch", f"/organizations/acme/members/{mel}", {"role": "developer"}),
    )


@refused("needs_person")
def a_token_makes_a_token(here: Here) -> Asked:
    return Asked(call=(here.ada, "post", "/organizations/acme/tokens", {"name": "Next"}))


@refused("suspended")
def a_suspended_member_asks(here: Here) -> Asked:
    program_of_mel = program(here.mel)
    memberships.change(here.ada, member=here.mel.membership, status=memberships.SUSPENDED)
    return Asked(call=(program_of_mel, "post", "/organizations/acme/workspaces", {"name": "Atlas"}))


@refused("expired")
def a_member_past_the_end_asks(here: Here) -> Asked:
    until = here.joined("Una", expires_at=timezone.now() + timedelta(days=1))
    program_of_una = program(until)
    here.later(days=2)
    return Asked(call=(program_of_una, "post", "/organizations/acme/workspaces", {"name": "Atlas"}))


@refused("organization_closed")
def in_an_organization_that_is_closed(here: Here) -> Asked:
    organizations.close(here.ada, name="Acme")
    return Asked(
        (here.mel, "/o/acme/restore", {}),
        (here.mel.membership.user, "post", "/organizations/acme/restore", {}),
    )


@refused("founding_closed")
def somebody_founds_where_only_the_operator_does(here: Here) -> Asked:
    here.settings.FOUNDING = "operator"
    return Asked(
        (here.mel, "/organizations/new", {"name": "Mine", "color": "teal"}),
        (here.mel.membership.user, "post", "/organizations", {"name": "Mine"}),
    )


# --- Members ---------------------------------------------------------------------------------------------------------


@refused("last_administrator")
def the_last_administrator_is_removed(here: Here) -> Asked:
    ada = here.ada.membership.pk
    return Asked(
        (here.ada, f"/o/acme/users/{ada}/remove", {"confirmed": "yes"}),
        (signed_in(here.ada), "delete", f"/organizations/acme/members/{ada}", {}),
        ("member", "remove", "--organization", "acme", "--member", "ada@example.org"),
    )


@refused("last_administrator")
def the_last_administrator_gets_another_role(here: Here) -> Asked:
    ada = here.ada.membership.pk
    form = {"role": "contributor", "grant": ["members.view"], "version": "1", "ends": "0"}
    return Asked(
        (here.ada, f"/o/acme/users/{ada}", form),
        (here.ada, "patch", f"/organizations/acme/members/{ada}", {"role": "contributor"}),
        ("member", "set", "--organization", "acme", "--member", "ada@example.org", "--role", "contributor"),
    )


@refused("membership_over")
def somebody_past_the_end_acts_again(here: Here) -> Asked:
    una = here.joined("Una", expires_at=timezone.now() + timedelta(days=1)).membership
    memberships.change(here.ada, member=una, status=memberships.SUSPENDED)
    here.later(days=2)
    return Asked(
        (here.ada, f"/o/acme/users/{una.pk}/reactivate", {"version": "2"}),
        (here.ada, "patch", f"/organizations/acme/members/{una.pk}", {"status": "active"}),
    )


@refused("changed_meanwhile")
def a_save_of_an_old_page(here: Here) -> Asked:
    mel = here.mel.membership
    memberships.change(here.ada, member=mel, grant=cast.role(here.acme, "developer"))
    return Asked(
        (here.ada, f"/o/acme/users/{mel.pk}", {"role": "contributor", "grant": ["members.view"], "version": "1"}),
        (here.ada, "patch", f"/organizations/acme/members/{mel.pk}", {"role": "contributor"}),
        headers={"If-Match": '"1"'},
    )


@refused("too_many")
def more_than_one_act_takes(here: Here) -> Asked:
    here.patch.setattr(directory, "FEW", 1)
    return Asked((here.ada, "/o/acme/users/selected", {"do": "remove", "every": "yes", "confirmed": "yes"}))


@refused("not_a_member")
def somebody_who_is_not_there(here: Here) -> Asked:
    return Asked(command=("member", "remove", "--organization", "acme", "--member", "nobody@example.org"))


@refused("not_your_address")
def an_address_that_is_not_mine(here: Here) -> Asked:
    cast.own(here.mel.membership.user, "second@example.org")
    form = {"organization": "acme", "address": "ada@example.org"}
    return Asked((here.mel, "/account/organizations", form))


@refused("already_member")
def somebody_belongs_here_again(here: Here) -> Asked:
    memberships.remove(here.ada, members=[here.mel.membership])
    path = former(here)
    cast.joined(here.acme, here.mel.membership.user, cast.role(here.acme, "contributor"))
    return Asked((here.ada, path, {}))


@refused("already_member")
def an_invitation_of_somebody_who_belongs_here(here: Here) -> Asked:
    offer = here.offer()
    cast.own(here.mel.membership.user, offer.address)
    return Asked(
        (here.mel, f"/invitations/{offer.pk}", {"do": "accept"}),
        (here.mel.membership.user, "post", f"/invitations/{offer.pk}/accept", {}),
    )


@refused("already_invited")
def somebody_who_left_is_invited_already(here: Here) -> Asked:
    memberships.remove(here.ada, members=[here.mel.membership])
    here.offer("mel@example.org")
    return Asked((here.ada, former(here), {}))


@refused("role_gone")
def somebody_who_left_had_a_role_that_is_gone(here: Here) -> Asked:
    role = roles.add(here.ada, name="Lead", permissions=frozenset())
    una = here.joined("Una", cast.role(here.acme, "lead"))
    memberships.remove(here.ada, members=[una.membership])
    roles.delete(here.ada, role=role)
    return Asked((here.ada, former(here), {}))


def former(here: Here) -> str:
    return f"/o/acme/users/former/{departures.visible_to(here.ada).get().pk}"


# --- Invitations -----------------------------------------------------------------------------------------------------


@refused("invitation_closed")
def an_invitation_that_was_withdrawn(here: Here) -> Asked:
    offer = here.offer()
    invitations.revoke(here.ada, invitations=[offer])
    return Asked(
        (here.ada, f"/o/acme/users/{offer.pk}", {"do": "resend"}),
        (here.ada, "post", f"/organizations/acme/invitations/{offer.pk}/resend", {}),
    )


@refused("wrong_account")
def an_invitation_of_another_address(here: Here) -> Asked:
    offer = here.offer()
    client = signed_in(here.mel)
    client.get(f"/join/{invitations.letter_token(offer.pk, offer.number)}")
    return Asked((client, f"/invitations/{offer.pk}", {"do": "accept"}))


@refused("sponsor_gone")
def an_invitation_whose_sponsor_can_no_longer_offer_it(here: Here) -> Asked:
    offer, nia = here.offer(), cast.person("Nia")
    Invitation.objects.filter(pk=offer.pk).update(sponsor=here.mel.membership)
    return Asked(
        (nia, f"/invitations/{offer.pk}", {"do": "accept"}),
        (nia, "post", f"/invitations/{offer.pk}/accept", {}),
    )


@refused("asked_already")
def a_new_link_is_asked_for_twice(here: Here) -> Asked:
    offer, nia = here.offer(), cast.person("Nia")
    invitations.ask_again(cast.signed_in(nia), offer)
    return Asked((nia, f"/invitations/{offer.pk}", {"do": "ask"}))


@refused("over_limit")
def another_letter_than_may_leave_today(here: Here) -> Asked:
    offer = here.offer()
    here.settings.LETTERS_PER_ADDRESS = 1
    return Asked(
        (here.ada, f"/o/acme/users/{offer.pk}", {"do": "resend"}),
        (here.ada, "post", f"/organizations/acme/invitations/{offer.pk}/resend", {}),
    )


@refused("too_many_addresses")
def a_proven_address_more_than_an_account_has(here: Here) -> Asked:
    offer = here.offer()
    here.settings.ACCOUNT_MAX_EMAIL_ADDRESSES = 1
    client = signed_in(here.mel)
    client.post("/account/reauthenticate/", {"password": cast.PASSWORD})
    client.get(f"/join/{invitations.letter_token(offer.pk, offer.number)}")
    return Asked((client, f"/invitations/{offer.pk}", {"do": "add"}))


# --- Roles, workspaces, seats ----------------------------------------------------------------------------------------


@refused("name_taken")
def a_role_of_a_name_that_another_has(here: Here) -> Asked:
    return Asked(
        (here.ada, "/o/acme/roles/new", {"name": "developer"}),
        (here.ada, "post", "/organizations/acme/roles", {"name": "developer", "permissions": []}),
    )


@refused("role_fixed")
def the_administrators_role_is_deleted(here: Here) -> Asked:
    return Asked(
        (here.ada, "/o/acme/roles/administrator/delete", {"do": "delete"}),
        (here.ada, "delete", "/organizations/acme/roles/administrator", {}),
    )


@refused("role_in_use")
def a_role_that_somebody_has_is_deleted(here: Here) -> Asked:
    roles.add(here.ada, name="Lead", permissions=frozenset())
    here.joined("Una", cast.role(here.acme, "lead"))
    return Asked(
        (here.ada, "/o/acme/roles/lead/delete", {"do": "delete", "version": "1"}),
        (here.ada, "delete", "/organizations/acme/roles/lead", {}),
    )


@refused("too_many")
def a_role_more_than_there_can_be(here: Here) -> Asked:
    here.patch.setattr(roles, "MOST", 3)
    return Asked(
        (here.ada, "/o/acme/roles/new", {"name": "Fourth"}),
        (here.ada, "post", "/organizations/acme/roles", {"name": "Fourth", "permissions": []}),
    )


@refused("slug_taken")
def an_address_that_another_organization_has(here: Here) -> Asked:
    return Asked(
        (here.ada, "/organizations/new", {"name": "Acme Two", "slug": "acme", "color": "teal"}),
        (signed_in(here.ada), "post", "/organizations", {"name": "Acme Two", "slug": "acme"}),
        ("organization", "found", "--name", "Acme Two", "--slug", "acme", "--administrator", "ada@example.org"),
    )


@refused("already_archived")
def a_workspace_is_archived_twice(here: Here) -> Asked:
    workspaces.archive(here.ada, workspace=here.payments())
    return Asked(
        (here.ada, "/o/acme/workspaces/payments/archive", {}),
        (here.ada, "post", "/organizations/acme/workspaces/payments/archive", {}),
    )


@refused("not_archived")
def a_workspace_is_restored_that_is_open(here: Here) -> Asked:
    here.payments()
    return Asked(
        (here.ada, "/o/acme/workspaces/payments/restore", {}),
        (here.ada, "post", "/organizations/acme/workspaces/payments/restore", {}),
    )


@refused("not_found")
def a_seat_is_taken_that_nobody_has(here: Here) -> Asked:
    here.payments()
    return Asked(
        call=(here.ada, "delete", f"/organizations/acme/workspaces/payments/seats/{here.mel.membership.pk}", {})
    )


# --- The organization ------------------------------------------------------------------------------------------------


@refused("not_closed")
def an_organization_is_restored_that_is_open(here: Here) -> Asked:
    return Asked(
        (here.ada, "/o/acme/restore", {}),
        (signed_in(here.ada), "post", "/organizations/acme/restore", {}),
        ("organization", "restore", "acme"),
    )


@refused("too_late")
def an_organization_is_restored_too_late(here: Here) -> Asked:
    organizations.close(here.ada, name="Acme")
    here.later(days=31)
    return Asked(
        (here.ada, "/o/acme/restore", {}),
        (signed_in(here.ada), "post", "/organizations/acme/restore", {}),
        ("organization", "restore", "acme"),
    )


@refused("already_administrator")
def it_is_handed_over_to_an_administrator(here: Here) -> Asked:
    bea = here.joined("Bea", cast.role(here.acme, "administrator")).membership
    return Asked(call=(signed_in(here.ada), "post", "/organizations/acme/handover", {"member": str(bea.pk)}))


@refused("not_active")
def it_is_handed_over_to_somebody_suspended(here: Here) -> Asked:
    mel = here.mel.membership
    memberships.change(here.ada, member=mel, status=memberships.SUSPENDED)
    return Asked(call=(signed_in(here.ada), "post", "/organizations/acme/handover", {"member": str(mel.pk)}))


@refused("handover_waits")
def it_is_handed_over_twice(here: Here) -> Asked:
    handovers.offer(here.ada, member=here.mel.membership)
    ivy = here.ivy().membership
    return Asked(
        (here.ada, "/o/acme/handover", {"who": ivy.address}),
        (signed_in(here.ada), "post", "/organizations/acme/handover", {"member": str(ivy.pk)}),
    )


@refused("handover_closed")
def a_hand_over_that_was_withdrawn_is_accepted(here: Here) -> Asked:
    old = handovers.offer(here.ada, member=here.mel.membership)
    handovers.withdraw(here.ada, handover=old)
    handovers.offer(here.ada, member=here.mel.membership)
    return Asked((here.mel, "/o/acme/handover", {"do": "accept", "handover": str(old.pk)}))


@refused("storage_unavailable")
def a_picture_that_cannot_be_kept(here: Here) -> Asked:
    def full(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    here.patch.setattr(default_storage, "save", full)
    return Asked((here.ada, "/o/acme/settings/image", {}), files={"image": picture})


# --- Programs --------------------------------------------------------------------------------------------------------


@refused("already_done")
def a_secret_that_was_told_once(here: Here) -> Asked:
    asked = {"name": "Shop", "service": True}
    client = signed_in(here.ada)
    headers = {"Idempotency-Key": "one"}
    assert sent(client, "post", f"{API}/organizations/acme/tokens", asked, **headers).status_code == 201
    return Asked(call=(client, "post", "/organizations/acme/tokens", asked), headers=headers)


@refused("in_progress")
def the_same_request_runs(here: Here) -> Asked:
    client, path, asked = signed_in(here.mel), f"{API}/organizations", {"name": "Third"}
    body = json.dumps(asked).encode()
    retries.begin(here.mel.membership.user_id, f"POST {path}", "one", b"\n" + body, timezone.now())
    return Asked(call=(client, "post", "/organizations", asked), headers={"Idempotency-Key": "one"})


# --- The operator ----------------------------------------------------------------------------------------------------


@refused("address_taken")
def an_account_of_an_address_that_another_has(here: Here) -> Asked:
    return Asked(command=("user", "create", "--email", "ada@example.org", "--name", "Ada", "--password", cast.PASSWORD))


@refused("already_verified")
def an_address_is_verified_twice(here: Here) -> Asked:
    return Asked(command=("user", "verify", "ada@example.org"))


@refused("several")
def an_address_that_two_claim(here: Here) -> Asked:
    for user in (here.ada.membership.user, here.mel.membership.user):
        cast.own(user, "both@example.org", verified=False)
    return Asked(command=("user", "verify", "both@example.org"))


@refused("disabled")
def an_account_is_disabled_twice(here: Here) -> Asked:
    User.objects.filter(pk=here.mel.membership.user_id).update(is_active=False)
    return Asked(command=("user", "disable", "mel@example.org"))


@refused("not_disabled")
def an_account_is_enabled_that_works(here: Here) -> Asked:
    return Asked(command=("user", "enable", "mel@example.org"))


@refused("no_second_factor")
def a_second_factor_that_nobody_has(here: Here) -> Asked:
    return Asked(command=("user", "reset-second-factor", "mel@example.org"))


@refused("not_confirmed")
def an_account_is_not_deleted_after_all(here: Here) -> Asked:
    return Asked(command=("user", "delete", "mel@example.org"), stdin="n\n")


@refused("already_there")
def the_example_is_made_twice(here: Here) -> Asked:
    organizations.found(cast.signed_in(here.mel.membership.user), name="Harbour", slug=demo.SLUG)
    return Asked(command=("demo",))


@refused("public")
def the_example_is_made_where_others_reach_it(here: Here) -> Asked:
    here.settings.ENVIRONMENT = here.settings.ENVIRONMENT.model_copy(update={"base_url": "https://people.example"})
    return Asked(command=("demo",))


@refused("backup_exists", COMMITTED)
def a_backup_over_another(here: Here) -> Asked:
    return Asked(command=("backup", str(kept(here))))


@refused("has_data", COMMITTED)
def a_restore_over_an_organization(here: Here) -> Asked:
    return Asked(command=("restore", str(kept(here))))


@refused("backup_broken", COMMITTED)
def a_backup_that_is_cut_off(here: Here) -> Asked:
    file = kept(here)
    file.write_bytes(file.read_bytes()[:-1])
    return Asked(command=("restore", "--overwrite", str(file)))


@refused("backup_newer", COMMITTED)
def a_backup_of_a_newer_version(here: Here) -> Asked:
    file = kept(here)
    with zipfile.ZipFile(file) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    parts[backup.MANIFEST] = json.dumps(json.loads(parts[backup.MANIFEST]) | {"format": 2}).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for each, content in parts.items():
            archive.writestr(each, content)
    return Asked(command=("restore", "--overwrite", str(file)))


@refused("backup_other_key", COMMITTED)
def a_backup_of_another_key(here: Here) -> Asked:
    file = kept(here)
    here.settings.SECRET_KEY = "another key " * 5
    return Asked(command=("restore", "--overwrite", str(file)))


@refused("not_up_to_date")
def a_backup_of_a_database_that_waits_for_its_migrations(here: Here) -> Asked:
    here.patch.setattr(schema, "waiting", lambda: ["portico.9999"])
    return Asked(command=("backup", str(here.folder / "new.portico")))


def kept(here: Here) -> Path:
    backup.write(here.folder / "acme.portico")
    return here.folder / "acme.portico"


# --- The walk --------------------------------------------------------------------------------------------------------


@pytest.fixture
def here(
    ada: Member, mel: Member, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, time_machine: Any
) -> Here:
    return Here(ada, mel, settings, monkeypatch, tmp_path, time_machine)


@pytest.mark.parametrize(("code", "case"), CASES)
def test_every_door_says_the_same_no(code, case, here, portico) -> None:  # noqa: F811
    asked = case(here)
    doors = {"page": by_page(asked), "call": by_call(asked), "command": by_command(asked, portico)}
    before = rows()

    told = {name: ask() for name, ask in doors.items() if ask}

    assert {each[0] for each in told.values()} == {code}, told
    assert len({each[1] for each in told.values()}) == 1, told
    assert len({each[2] for each in told.values() if each[2]}) <= 1, told
    assert rows() == before


Told = tuple[str, str, int]  # code, sentence, status


def by_page(asked: Asked) -> Callable[[], Told] | None:
    if asked.page is None:
        return None
    who, path, form = asked.page
    client = who if isinstance(who, Client) else signed_in(who)

    def ask() -> Told:
        with refusals_made() as made:
            page = client.post(path, form | {name: give() for name, give in asked.files.items()})
        shown = text(page)
        [(code, sentence)] = {each for each in made if " ".join(each[1].split()) in shown} or {("nothing", shown)}
        return code, sentence, page.status_code

    return ask


@contextmanager
def refusals_made() -> Iterator[set[tuple[str, str]]]:
    """Code and sentence of each refusal that comes to be: a page shows the sentence alone."""
    made = set()
    begin = Refusal.__init__

    def noted(self: Refusal, code: str, sentence: str, **more: Any) -> None:
        begin(self, code, sentence, **more)
        made.add((self.code, self.sentence))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Refusal, "__init__", noted)
        yield made


def by_call(asked: Asked) -> Callable[[], Told] | None:
    if asked.call is None:
        return None
    who, method, path, body = asked.call
    client = who if isinstance(who, Client) else Client() if who is None else asking(who)

    def ask() -> Told:
        answered = sent(client, method, API + path, body, **asked.headers)
        problem = answered.json()
        return problem["code"], problem["detail"], answered.status_code

    return ask


def asking(who: Member | User) -> Client:
    """A program of a member; or a person, who signed in too long ago to count as proven."""
    return program(who) if isinstance(who, Member) else signed_in(who, proved=False)


def by_command(asked: Asked, portico: Callable[..., Any]) -> Callable[[], Told] | None:  # noqa: F811
    if asked.command is None:
        return None
    words = asked.command

    def ask() -> Told:
        result = portico(*words, "--json", stdin=asked.stdin)
        problem = json.loads(result.stdout[result.stdout.index("{") :])  # after what was typed
        assert result.exit_code == 1, problem
        return problem["code"], problem["detail"], 0

    return ask


def rows() -> dict[str, int]:
    """How many there are of everything but what a door keeps for itself."""
    doors = {"Session", "UserSession", "Attempt", "Token"}
    models = [model for model in apps.get_models() if model.__name__ not in doors]
    return {model.__name__: model._default_manager.count() for model in models}


def test_every_refusal_that_there_is_was_raised() -> None:
    """The codes are read from the code by the architecture's test, which compares them with this table."""
    assert {case.values[0] for case in CASES} == CODES.keys() | OF_EVERYTHING


def test_signed_out_no_door_is_open(db) -> None:
    assert Client().post("/o/acme/restore").status_code == 302
    assert Client().post(f"{API}/organizations/acme/restore").status_code == 401
