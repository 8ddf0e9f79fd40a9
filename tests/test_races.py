"""Two commands of one organization at once, on PostgreSQL, made to meet.

The first is held between its checks and its writes until the second waits for it, or stands at the same place. Only
then both go on. Under the lock of the organization the second waits, and judges what the first has left behind; without
it both would have judged the same, and both would write.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from portico.domain import accounts, endings, handovers, invitations, memberships, roles, tokens
from portico.domain.access import Member, Person
from portico.domain.errors import Refusal
from portico.domain.events import Event
from portico.domain.handovers import Handover
from portico.domain.invitations import Invitation, Terms
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from portico.domain.people import User
from portico.domain.permissions import MEMBERS_MANAGE
from portico.domain.roles import Grant, Role
from portico.domain.tokens import Token
from tests import cast

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PATIENCE = 20  # seconds until a race that does not come about has failed
# Where a command has made all its checks and has written nothing yet.
BEFORE_WRITING = [
    (accounts, "_erase"),
    (accounts, "_stop"),
    (handovers, "_regrant"),
    (invitations, "_admit"),
    (invitations, "_close"),
    (invitations, "_write"),
    (memberships, "_end"),
    (memberships, "intern"),
    (memberships, "_write"),
    (endings, "_mark"),
    (roles, "_retire"),
    (roles, "_write"),
]


# --- How two commands are made to meet --------------------------------------------------------------------------------


@dataclass
class Runner:
    """One command in a thread and a connection of its own; `outcome` is "done", or the code of the refusal."""

    command: Callable[[], Any]
    outcome: str = ""
    pid: int = 0
    stands: bool = False  # before its writes
    has_written: bool = False  # and has not committed
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        try:
            connection.ensure_connection()
            self.pid = connection.connection.info.backend_pid
            self.outcome = told(self.command())
        except Refusal as refusal:
            self.outcome = refusal.code
        except Exception as error:  # shown by the test, in its own thread
            self.outcome = repr(error)
        finally:
            connections.close_all()

    @property
    def waits(self) -> bool:
        """Whether the database lets it wait for a lock."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [self.pid])
            return cursor.fetchone() == ("Lock",)


def told(result: Any) -> str:
    """The verdict on the one address, or what became of the one row."""
    match result:
        case [invitations.Outcome(outcome=outcome)]:
            return outcome
        case [memberships.Result(refusal=refusal)] if refusal:
            return refusal.code
        case 0:
            return "nothing to do"
    return "done"


class Meeting:
    def __init__(self, patch: pytest.MonkeyPatch):
        self.go, self.commit = threading.Event(), threading.Event()
        self.commit.set()
        self.runners: list[Runner] = []
        for module, name in BEFORE_WRITING:
            patch.setattr(module, name, self.held(getattr(module, name)))

    def held(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            for runner in self.here():
                runner.stands = True
                self.go.wait(PATIENCE)
            return function(*args, **kwargs)

        return run

    def here(self) -> list[Runner]:
        return [runner for runner in self.runners if runner.thread is threading.current_thread()]

    def without_the_lock(self, patch: pytest.MonkeyPatch) -> None:
        """Nobody waits for anybody, and neither commits before both have written what they wanted."""
        settle = Organization.settle

        def held(*args: Any, **kwargs: Any) -> None:
            settle(*args, **kwargs)
            for runner in self.here():
                runner.has_written = True
                self.commit.wait(PATIENCE)

        self.commit.clear()
        patch.setattr(Organization, "lock", lambda organization: None)
        patch.setattr(Organization, "settle", held)

    def of(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[str, str]:
        """What became of both: the first has come to its writes before the second begins."""
        one, two = self.runners = [Runner(first), Runner(second)]
        one.thread.start()
        until(lambda: one.stands)
        two.thread.start()
        until(lambda: two.stands or two.waits)
        self.go.set()
        if not self.commit.is_set():
            until(lambda: all(runner.has_written or runner.outcome or runner.waits for runner in self.runners))
            self.commit.set()
        for runner in self.runners:
            runner.thread.join(PATIENCE)
        return one.outcome, two.outcome


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the two did not meet"
        time.sleep(0.005)


@pytest.fixture
def meeting(monkeypatch):
    return Meeting(monkeypatch)


# --- The races --------------------------------------------------------------------------------------------------------


@dataclass
class Race:
    """Two commands, what becomes of them in either order, and what then is true."""

    commands: dict[str, Callable[[], Any]]
    outcomes: dict[str, tuple[str, str]]  # by who is first: of the first, of the second
    check: Callable[[str], None]

    def run(self, meeting: Meeting, first: str) -> tuple[str, str]:
        [second] = self.commands.keys() - {first}
        return meeting.of(self.commands[first], self.commands[second])


@pytest.fixture
def bob() -> User:
    return cast.person("Bob")


@pytest.fixture
def zoe(acme, administrator) -> Member:
    """A second Administrator."""
    return cast.joined(acme, cast.person("Zoe"), administrator)


def again(member: Member) -> Member:
    """The same person as another request sees them."""
    return Member.of(member.membership, cast.VIA)


def count(action: str) -> int:
    return Event.objects.filter(action=action).count()


@pytest.fixture
def two_accepts(ivy, bob, contributor) -> Race:
    """The same person in two tabs."""
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    def check(first: str) -> None:
        assert Membership.objects.filter(user=bob).count() == 1
        assert (count("invitation.accepted"), Letter.objects.filter(kind="accepted").count()) == (1, 1)

    accept = {name: lambda: invitations.accept(cast.signed_in(bob), offer) for name in ("one tab", "another")}
    return Race(accept, dict.fromkeys(accept, ("done", "done")), check)


@pytest.fixture
def two_offers(ivy, bob, contributor, developer, ada) -> Race:
    """One person accepts two offers, to two of their addresses."""
    cast.own(bob, "bob@work.example.org")
    home = cast.invited(ivy, "bob@example.org", grant=contributor)
    work = cast.invited(ada, "bob@work.example.org", grant=developer)

    def check(first: str) -> None:
        assert Membership.objects.get(user=bob).grant.slug == {"home": "contributor", "work": "developer"}[first]
        assert Invitation.objects.filter(state="accepted").count() == 1

    return Race(
        {
            "home": lambda: invitations.accept(cast.signed_in(bob), home),
            "work": lambda: invitations.accept(cast.signed_in(bob), work),
        },
        dict.fromkeys(("home", "work"), ("done", "already_member")),
        check,
    )


@pytest.fixture
def two_administrators(ada, zoe) -> Race:
    """Each removes the other."""

    def check(first: str) -> None:
        remaining = Membership.objects.lasting_administrators()
        assert [member.name for member in remaining] == [first]
        assert count("member.removed") == 1

    return Race(
        {
            "Ada": lambda: memberships.remove(again(ada), members=[zoe.membership]),
            "Zoe": lambda: memberships.remove(again(zoe), members=[ada.membership]),
        },
        dict.fromkeys(("Ada", "Zoe"), ("done", "not_found")),
        check,
    )


@pytest.fixture
def two_who_leave(ada, zoe) -> Race:
    """Each relies on the other."""

    def check(first: str) -> None:
        remaining = Membership.objects.lasting_administrators()
        assert [member.name for member in remaining] == [{"Ada": "Zoe", "Zoe": "Ada"}[first]]

    return Race(
        {"Ada": lambda: memberships.leave(again(ada)), "Zoe": lambda: memberships.leave(again(zoe))},
        dict.fromkeys(("Ada", "Zoe"), ("done", "last_administrator")),
        check,
    )


@pytest.fixture
def revoke_and_accept(ada, ivy, bob, contributor) -> Race:
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    def check(first: str) -> None:
        state, members = {"revoke": ("revoked", 0), "accept": ("accepted", 1)}[first]
        assert Invitation.objects.get().state == state
        assert Membership.objects.filter(user=bob).count() == members
        assert count("invitation.revoked") + count("invitation.accepted") == 1

    return Race(
        {
            "revoke": lambda: invitations.revoke(again(ada), invitations=[offer]),
            "accept": lambda: invitations.accept(cast.signed_in(bob), offer),
        },
        dict.fromkeys(("revoke", "accept"), ("done", "invitation_closed")),
        check,
    )


@pytest.fixture
def demotion_and_accept(ada, ivy, bob, contributor) -> Race:
    """The sponsor loses what backs the offer while it is accepted."""
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    def check(first: str) -> None:
        state, members = {"demote": ("revoked", 0), "accept": ("accepted", 1)}[first]
        assert Membership.objects.get(pk=ivy.membership.pk).grant == contributor.role
        assert Invitation.objects.get().state == state
        assert Membership.objects.filter(user=bob).count() == members

    return Race(
        {
            "demote": lambda: memberships.change(again(ada), member=ivy.membership, grant=contributor),
            "accept": lambda: invitations.accept(cast.signed_in(bob), offer),
        },
        {"demote": ("done", "invitation_closed"), "accept": ("done", "done")},
        check,
    )


@pytest.fixture
def lead(ada) -> Role:
    """A role of Acme's own, which manages members."""
    return roles.add(ada, name="Lead", permissions=frozenset({MEMBERS_MANAGE}))


@pytest.fixture
def role_and_accept(ada, acme, bob, lead) -> Race:
    """A role is edited down while somebody accepts an offer of it, from a sponsor who holds it too."""
    pat = cast.joined(acme, cast.person("Pat"), Grant(role=lead))
    offer = cast.invited(pat, "bob@example.org", grant=Grant(role=lead))

    def check(first: str) -> None:
        state, members = {"edit": ("revoked", 0), "accept": ("accepted", 1)}[first]
        assert Invitation.objects.get().state == state
        assert Membership.objects.filter(user=bob).count() == members
        holders = Membership.objects.filter(grant=lead)
        assert {permission for member in holders for permission in member.grant.permissions} == set()

    return Race(
        {
            "edit": lambda: roles.change(again(ada), role=lead, permissions=frozenset()),
            "accept": lambda: invitations.accept(cast.signed_in(bob), offer),
        },
        {"edit": ("done", "invitation_closed"), "accept": ("done", "done")},
        check,
    )


@pytest.fixture
def role_deleted_and_given(ada, zoe, mel, lead) -> Race:
    """A role that nobody has is deleted while it is given to somebody."""

    def check(first: str) -> None:
        member = Membership.objects.get(pk=mel.membership.pk)
        assert (member.grant == lead, lead in roles.visible_to(ada)) == {
            "delete": (False, False),
            "give": (True, True),
        }[first]

    return Race(
        {
            "delete": lambda: roles.delete(again(ada), role=lead),
            "give": lambda: memberships.change(again(zoe), member=mel.membership, grant=Grant(role=lead)),
        },
        {"delete": ("done", "not_found"), "give": ("done", "role_in_use")},
        check,
    )


@pytest.fixture
def two_who_edit_a_role(ada, zoe, lead) -> Race:
    """Two have the same page open; the second sees what the first has made of it."""

    def edit(actor: Member, name: str) -> Callable[[], Any]:
        return lambda: roles.change(again(actor), role=lead, name=name, version=1)

    def check(first: str) -> None:
        assert (Role.objects.get(pk=lead.pk).name, count("role.changed")) == (f"By {first}", 1)

    return Race(
        {"Ada": edit(ada, "By Ada"), "Zoe": edit(zoe, "By Zoe")},
        dict.fromkeys(("Ada", "Zoe"), ("done", "changed_meanwhile")),
        check,
    )


@pytest.fixture
def suspension_and_accept(ada, ivy, bob, contributor) -> Race:
    """The sponsor is suspended while the offer is accepted."""
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    def check(first: str) -> None:
        state, members = {"suspend": ("revoked", 0), "accept": ("accepted", 1)}[first]
        assert Membership.objects.suspended().get() == ivy.membership
        assert Invitation.objects.get().state == state
        assert Membership.objects.filter(user=bob).count() == members

    return Race(
        {
            "suspend": lambda: memberships.change(again(ada), member=ivy.membership, status=memberships.SUSPENDED),
            "accept": lambda: invitations.accept(cast.signed_in(bob), offer),
        },
        {"suspend": ("done", "invitation_closed"), "accept": ("done", "done")},
        check,
    )


@pytest.fixture
def two_editors(ada, ivy, mel, developer) -> Race:
    """Two have one member's page open, and each saves something else."""

    def check(first: str) -> None:
        row = Membership.objects.get(pk=mel.membership.pk)
        role, is_suspended = {"role": ("developer", False), "suspend": ("contributor", True)}[first]
        assert (row.grant.slug, bool(row.suspended_at), row.version) == (role, is_suspended, 2)
        assert count("member.changed") + count("member.suspended") == 1

    edit = {
        "role": lambda: memberships.change(again(ada), member=mel.membership, grant=developer, version=1),
        "suspend": lambda: memberships.change(
            again(ivy), member=mel.membership, status=memberships.SUSPENDED, version=1
        ),
    }
    return Race(edit, dict.fromkeys(edit, ("done", "changed_meanwhile")), check)


@pytest.fixture
def two_workers(ada, mel) -> Race:
    """Each finds that a membership ends soon, and that nobody has said so."""
    now = timezone.now()
    Membership.objects.filter(pk=mel.membership.pk).update(expires_at=now + timedelta(days=6))

    def check(first: str) -> None:
        assert sorted(Letter.objects.values_list("kind", flat=True)) == ["ending", "endings"]

    announce = {name: lambda: endings.announce(now) for name in ("one", "another")}
    return Race(announce, dict.fromkeys(announce, ("done", "nothing to do")), check)


@pytest.fixture
def two_sends(ada, ivy, contributor) -> Race:
    """Two invite the same address."""

    def send(actor: Member) -> Callable[[], Any]:
        lines = cast.wanted("bob@example.org")
        return lambda: invitations.send(again(actor), wanted=lines, terms=Terms(grant=contributor))

    def check(first: str) -> None:
        assert Invitation.objects.filter(sponsor__name=first).count() == 1
        assert (count("invitation.sent"), Letter.objects.count()) == (1, 1)

    return Race(
        {"Ada": send(ada), "Ivy": send(ivy)},
        dict.fromkeys(("Ada", "Ivy"), ("invited", "already_invited")),
        check,
    )


@pytest.fixture
def the_last_letter(ada, ivy, contributor, settings) -> Race:
    """Two invite, and the organization may write one letter today."""
    settings.LETTERS_PER_DAY = {"usual": 1, "new": 1, "trusted": 1}

    def send(actor: Member, email: str) -> Callable[[], Any]:
        lines = cast.wanted(email)
        return lambda: invitations.send(again(actor), wanted=lines, terms=Terms(grant=contributor))

    def check(first: str) -> None:
        assert Letter.objects.count() == 1

    return Race(
        {"Ada": send(ada, "bob@example.org"), "Ivy": send(ivy, "cy@example.org")},
        dict.fromkeys(("Ada", "Ivy"), ("invited", "over_limit")),
        check,
    )


@pytest.fixture
def handover_and_removal(ada, zoe, mel) -> Race:
    """The receiver is removed while they accept."""
    handover = handovers.offer(ada, member=mel.membership)

    def check(first: str) -> None:
        assert not Handover.objects.exists()
        assert not Membership.objects.filter(pk=mel.membership.pk).exists()
        assert count("handover.ended") == (first == "remove")
        assert count("handover.accepted") == (first == "accept")

    return Race(
        {
            "accept": lambda: handovers.accept(again(mel), handover),
            "remove": lambda: memberships.remove(again(zoe), members=[mel.membership]),
        },
        {"accept": ("done", "done"), "remove": ("done", "not_found")},
        check,
    )


@pytest.fixture
def handover_and_demotion(ada, zoe, mel, contributor) -> Race:
    """The giver is no Administrator any more while the receiver accepts."""
    handover = handovers.offer(ada, member=mel.membership)

    def check(first: str) -> None:
        assert Membership.objects.get(pk=ada.membership.pk).grant == contributor.role
        assert Membership.objects.get(pk=mel.membership.pk).is_administrator == (first == "accept")

    return Race(
        {
            "accept": lambda: handovers.accept(again(mel), handover),
            "demote": lambda: memberships.change(again(zoe), member=ada.membership, grant=contributor),
        },
        {"accept": ("done", "done"), "demote": ("done", "handover_closed")},
        check,
    )


@pytest.fixture
def by_token(ivy, contributor) -> tuple[Token, Callable[[], Any]]:
    """A program of Ivy's, and how it invites Bob."""
    issued = tokens.issue(ivy, name="Onboarding")
    program = tokens.authenticate(issued.secret, cast.VIA, timezone.now())
    lines = cast.wanted("bob@example.org")
    return issued.token, lambda: invitations.send(program, wanted=lines, terms=Terms(grant=contributor))


@pytest.fixture
def suspension_and_token(ada, ivy, by_token) -> Race:
    """A token is used in the instant in which its holder is suspended."""
    _token, invite = by_token

    def check(first: str) -> None:
        assert Membership.objects.suspended().get() == ivy.membership
        states = {"suspend": [], "invite": ["revoked"]}[first]
        assert list(Invitation.objects.values_list("state", flat=True)) == states

    return Race(
        {
            "suspend": lambda: memberships.change(again(ada), member=ivy.membership, status=memberships.SUSPENDED),
            "invite": invite,
        },
        {"suspend": ("done", "suspended"), "invite": ("invited", "done")},
        check,
    )


@pytest.fixture
def revocation_and_token(ada, by_token) -> Race:
    """A token is revoked while it invites."""
    token, invite = by_token

    def check(first: str) -> None:
        assert not Token.objects.exists()
        states = {"revoke": [], "invite": ["revoked"]}[first]
        assert list(Invitation.objects.values_list("state", flat=True)) == states

    return Race(
        {"revoke": lambda: tokens.revoke(again(ada), token=token), "invite": invite},
        {"revoke": ("done", "unauthenticated"), "invite": ("invited", "done")},
        check,
    )


@pytest.fixture
def stop_and_leave(ada, zoe) -> Race:
    """The operator disables the account of one Administrator while the other leaves."""

    def check(first: str) -> None:
        remaining = Membership.objects.lasting_administrators()
        assert [member.name for member in remaining] == [{"disable": "Zoe", "leave": "Ada"}[first]]

    return Race(
        {
            "disable": lambda: accounts.disable(cast.operator(None), ada.membership.user),
            "leave": lambda: memberships.leave(again(zoe)),
        },
        dict.fromkeys(("disable", "leave"), ("done", "last_administrator")),
        check,
    )


@pytest.fixture
def close_and_leave(ada, zoe) -> Race:
    """One Administrator closes their account while the other leaves."""
    person = Person(via=cast.VIA, user=ada.membership.user, proved_at=ada.proved_at)

    def check(first: str) -> None:
        remaining = Membership.objects.lasting_administrators()
        assert [member.name for member in remaining] == [{"close": "Zoe", "leave": "Ada"}[first]]

    return Race(
        {"close": lambda: accounts.close(person), "leave": lambda: memberships.leave(again(zoe))},
        dict.fromkeys(("close", "leave"), ("done", "last_administrator")),
        check,
    )


RACES = {
    "handover_and_removal": ["remove", "accept"],
    "handover_and_demotion": ["demote", "accept"],
    "two_accepts": ["one tab", "another"],
    "two_offers": ["home", "work"],
    "two_administrators": ["Ada", "Zoe"],
    "two_who_leave": ["Ada", "Zoe"],
    "stop_and_leave": ["disable", "leave"],
    "close_and_leave": ["close", "leave"],
    "revoke_and_accept": ["revoke", "accept"],
    "demotion_and_accept": ["demote", "accept"],
    "role_and_accept": ["edit", "accept"],
    "role_deleted_and_given": ["delete", "give"],
    "two_who_edit_a_role": ["Ada", "Zoe"],
    "suspension_and_accept": ["suspend", "accept"],
    "two_editors": ["role", "suspend"],
    "two_workers": ["one", "another"],
    "two_sends": ["Ada", "Ivy"],
    "the_last_letter": ["Ada", "Ivy"],
    "suspension_and_token": ["suspend", "invite"],
    "revocation_and_token": ["revoke", "invite"],
}


@pytest.mark.parametrize(("name", "first"), [(name, first) for name, both in RACES.items() for first in both])
def test_of_two_at_once_the_second_judges_what_the_first_has_left_behind(request, meeting, name, first):
    race = request.getfixturevalue(name)

    assert race.run(meeting, first) == race.outcomes[first]
    race.check(first)


@pytest.mark.parametrize(("name", "first"), [(name, both[0]) for name, both in RACES.items()])
def test_without_the_lock_both_would_judge_the_same(request, meeting, monkeypatch, name, first):
    """So it is the lock that decides, and these tests would see it missing."""
    race = request.getfixturevalue(name)
    meeting.without_the_lock(monkeypatch)

    assert race.run(meeting, first) != race.outcomes[first]


@pytest.mark.parametrize("first", ["accept", "close"])
def test_who_accepts_while_their_account_closes_belongs_to_it_or_nowhere(meeting, ivy, bob, contributor, first):
    """The address is what both wait for: whoever closes ends what has just begun, or there is nobody to accept."""
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    person = Person(via=cast.VIA, user=bob, proved_at=ivy.proved_at)
    acts = {
        "accept": lambda: invitations.accept(cast.signed_in(bob), offer),
        "close": lambda: accounts.close(person),
    }
    [second] = acts.keys() - {first}

    outcomes = {"accept": ("done", "done"), "close": ("done", "wrong_account")}
    assert meeting.of(acts[first], acts[second]) == outcomes[first]
    assert not User.objects.filter(pk=bob.pk).exists()
    assert not Membership.objects.filter(name="Bob").exists()
