"""The rules as properties: the real commands beside the naive model, which says beforehand what must happen.

Whatever people do, in whatever order, code and model refuse the same, and what they do not refuse leaves the same rows,
the same permissions in everybody's hands and the same letters, and events that explain every changed column.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from portico.domain import invitations, workspaces
from portico.domain.errors import Refusal
from tests import cast

from . import naive
from .explained import Snapshot, difference, explain, snapshot
from .naive import (
    ADMINISTER,
    ADMINISTRATOR,
    CREATE_WORKSPACES,
    MANAGE_BILLING,
    MANAGE_MEMBERS,
    MANAGE_ORGANIZATION,
    MANAGE_WORKSPACE,
    OF_ORGANIZATIONS,
    OF_WORKSPACES,
    OPERATOR,
    SOMEBODY_WITH_A_HANDED_LINK,
    VIEW_MEMBERS,
    VIEW_WORKSPACES,
    Actor,
    Change,
    Line,
    Outcome,
    World,
)
from .programs import UNSEEN, Programs
from .real import Browser, Rows

START = datetime(2030, 1, 7, 9, tzinfo=UTC)
ON_THE_FIRST_DAY, PER_DAY = 7, 9  # letters; few, so that the limits are met
PEOPLE = {
    "Ann": ["ann@example.org"],
    "Bob": ["bob@example.org", "bob@home.example"],
    "Cat": ["cat@example.org", "cat@home.example"],
    "Dan": ["dan@example.org"],
    "Eve": ["eve@example.org"],
}
EVERYBODY = list(PEOPLE)
OWNED = [address for addresses in PEOPLE.values() for address in addresses]
TYPED = [*OWNED, "Dan@Example.org", "new@example.org", "no address", "a@b"]
NAMES = ["Payments", "Ünicode & Söhne", "Payments", "www.example.org", "a\r\nb"]
ROLES = ["Auditor", "People lead", "people-lead", "DEVELOPER", "Reader", "Custom", "www.example.org"]
SLUGS = ["north", "south-2", "west", "no", "a b", "account"]
SETS = [
    frozenset[str](),
    frozenset({MANAGE_MEMBERS}),
    frozenset({MANAGE_MEMBERS, "billing.manage"}),
    frozenset({MANAGE_MEMBERS, "reports.read", CREATE_WORKSPACES}),
    frozenset({VIEW_MEMBERS}),
    OF_ORGANIZATIONS,
]
BILLS = [
    {"legal_name": "Acme GmbH", "country": "DE", "tax_id": "DE136695976"},
    {"legal_name": "Acme Inc.", "country": "US", "tax_id": "91-1144442"},
    {"legal_name": "", "country": "DE", "tax_id": ""},
]
BAD_BILLS = [
    {"legal_name": "", "country": "US", "tax_id": "DE136695976"},
    {"legal_name": "", "country": "", "tax_id": ""},
    {"legal_name": "4111 1111 1111 1111", "country": "DE", "tax_id": ""},
]
# What tokens are narrowed to; None: to nothing.
MANAGING = frozenset({MANAGE_MEMBERS, MANAGE_WORKSPACE, "pages.publish"})
LIMITS = [None, *SETS, frozenset({MANAGE_WORKSPACE}), MANAGING]
READING = [None, frozenset({VIEW_MEMBERS}), frozenset({VIEW_MEMBERS, VIEW_WORKSPACES})]
LONG_AGO = [naive.PROOF_LASTS, naive.PROOF_LASTS + timedelta(seconds=1), None]
HOW_OFTEN = {
    "intrigue": 8,
    "send": 7,
    "accept": 10,
    "change": 9,
    "change_all": 3,
    "remove": 3,
    "bring_back": 3,
    "resend": 4,
    "give_seat": 4,
    "wait": 4,
    "revoke": 2,
    "make_link": 3,
    "check": 5,
    "take_seat": 2,
    "create_workspace": 2,
    "change_workspace": 1,
    "archive": 3,
    "delete_workspace": 1,
    "add_role": 1,
    "change_role": 3,
    "delete_role": 2,
    "issue": 3,
    "revoke_token": 3,
    "ask_again": 2,
    "go_home": 1,
    "visit": 3,
    "leave": 2,
    "decline": 1,
    "found": 1,
    "lock_out": 2,
    "close_account": 1,
    "known": 1,
    "hand_over": 4,
    "change_organization": 1,
    "bill": 1,
    "close": 1,
    "restore": 1,
    "purge": 1,
}
STEPS = [step for step, often in HOW_OFTEN.items() for _each in range(often)]

LAST_SEEN = {("Session", "came"), ("User", "last_login"), ("Membership", "active_at")}

numbers = st.integers(0, 2**24 - 1)  # evenly; of more, Hypothesis likes few small ones best

T = TypeVar("T")


class Story(RuleBasedStateMachine):
    scene: tuple[World, Programs]
    chance: Random  # draws what a step is about, so that each number is another step

    def __init__(self) -> None:
        super().__init__()
        self.clock = time_machine.travel(START, tick=False)
        self.time = self.clock.start()
        self.transaction = transaction.atomic()
        # As the transaction around a test: commands may begin durable ones inside.
        self.transaction._from_testcase = True  # type: ignore[attr-defined]
        self.transaction.__enter__()
        world, real = self.scene
        self.world, self.real = deepcopy(world), real.copy()
        self.last: Snapshot = snapshot()
        self.compared: Any = None
        self.steps = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.finish()

    def finish(self) -> None:
        self.transaction.__exit__(None, None, None)
        self.clock.stop()

    # --- How a step runs ---------------------------------------------------------------------------------------------

    def both(self, expected: Outcome, command: Callable[[], Any]) -> Any:
        """Run what the model has run. Both refuse, or both do it, and the log explains what changed."""
        before = self.last
        result, code = attempt(command)
        after = snapshot()
        if code or expected.refused:
            fits = code in expected.refused or (code == UNSEEN and expected.refused)
            assert fits, f"{code or 'done'}, and not {set(expected.refused) or 'done'}"
            assert not difference(before, after), "refused, and changed something"
            return None
        self.last = after
        events = explain(before, after)
        assert bool(events) == expected.is_told
        assert self.letters_since(before) == sorted(expected.letters)
        return result

    def letters_since(self, before: Snapshot) -> list[tuple[str, str]]:
        new = self.last["Letter"].keys() - before["Letter"].keys()
        return sorted((row["kind"], row["address"]) for key, row in self.last["Letter"].items() if key in new)

    def rows(self, expected: Outcome, results: Any) -> None:
        """What became of each of many."""
        if results is not None:
            agree([result.refusal.code if result.refusal else "done" for result in results], expected.rows)

    # --- Choosing ----------------------------------------------------------------------------------------------------

    def pick(self, label: str, likely: Sequence[T], unlikely: Sequence[T] = (), *, often: int = 9) -> T:
        """One of these; of the unlikely ones once in a while, or where there are no others."""
        first = likely and (not unlikely or self.chance.randrange(often + 1) < often)
        chosen = self.chance.choice(list(likely if first else unlikely))
        note(f"    {label}: {str(chosen)[:90]}")
        return chosen

    def perhaps(self, label: str, value: T, often: int = 4) -> T | None:
        return self.pick(label, [None], [value], often=often)

    def somewhere(self) -> naive.Organization:
        first, *others = self.world.organizations
        return self.world.organizations[self.pick("organization", [first], others, often=7)]

    def somebody(self, org: naive.Organization, permission: str, workspace: str | None = None) -> Actor:
        """Mostly one who may; now and then the operator, a member, a stranger, or a program."""
        there = workspace if workspace in org.workspaces else None
        able = [each for each in self.free if permission in self.world.held(org, Actor(each), there)]
        weak = [each for each in able if not self.world.covers(org, Actor(each), ADMINISTRATOR)]
        return self.appearing(org, self.pick("actor", [*able, *weak], [*EVERYBODY, OPERATOR.person], often=6))

    @property
    def free(self) -> list[str]:
        """Those who can sign in."""
        return [each for each in EVERYBODY if each not in self.world.locked_out]

    def appearing(self, org: naive.Organization, person: str) -> Actor:
        """Mostly themselves, having shown who they are; or through a token, rarely one that is no longer good."""
        if person == OPERATOR.person:
            return OPERATOR
        member = self.world.member_of(org, person)
        mine = [each.key for each in org.tokens.values() if member and each.member == member.key]
        every = [key for key, issued in self.real.tokens.items() if self.is_of(org, issued.token.organization_id)]
        token = self.perhaps("through a token", self.pick("token", mine, every) if every else None, often=3)
        if token is not None:
            return Actor(self.world.holders[token], token)
        return Actor(person, proved=self.pick("proved", [timedelta()], LONG_AGO, often=6))

    def is_of(self, org: naive.Organization, pk: Any) -> bool:
        return self.real.organizations[org.key] == pk

    def shown(self, version: int) -> int | None:
        """What a page showed: nothing, the version of today, or an older one."""
        return self.pick("shown", [None, version], range(1, version + 1), often=3)

    def takes_over(self) -> bool:
        return self.pick("take over", [False, True, True])

    def grant(self, org: naive.Organization, actor: Actor) -> naive.Grant:
        """Mostly one that the actor may give; rarely a role that is gone."""
        own = [key for key in org.roles if key not in naive.FIRST_ROLES]
        grants: list[naive.Grant] = [*SETS, *org.roles, *own, *own, ADMINISTRATOR]
        gone: list[naive.Grant] = [key for of, key in self.real.roles if of == org.key]
        mine = [each for each in grants if self.world.covers(org, actor, each)]
        return self.pick("grant", mine, [*grants, *grants, *gone], often=2)

    def role(self, org: naive.Organization) -> str:
        gone = [key for of, key in self.real.roles if of == org.key]
        own = [key for key in org.roles if key not in naive.FIRST_ROLES]
        return self.pick("role", [*org.roles, *own * 3], [ADMINISTRATOR, *gone], often=7)

    def asked(self, org: naive.Organization, actor: Actor) -> Change:
        """What to change of a membership."""
        hours = self.pick("until", [None, 11, 60, 24 * 9], [0], often=19)
        end = None if hours is None else self.world.now + timedelta(hours=hours)
        changes: dict[str, Callable[[], Change]] = {
            "grant": lambda: Change(grant=self.grant(org, actor)),
            "suspended": lambda: Change(status="suspended"),
            "active": lambda: Change(status="active"),
            "end": lambda: Change(moves_end=True, end=end),
            "all": lambda: Change(self.grant(org, actor), "active", moves_end=True, end=end),
        }
        return changes[self.pick("what", ["grant", "grant", "grant", "suspended", "active", "end", "all"])]()

    def place(self, org: naive.Organization) -> str:
        return self.pick("workspace", list(org.workspaces), list(self.real.workspaces), often=19)

    def member(self, org: naive.Organization) -> int:
        """Rarely the last Administrator, or one who is gone or belongs elsewhere."""
        likely = [key for key in org.members if not self.world.is_orphaned(org, {key: None})]
        return self.pick("member", likely, [*org.members] * 3 + [*self.real.members])

    def offer(self, org: naive.Organization) -> int:
        pending = [each.key for each in self.world.pending(org)]
        return self.pick("invitation", pending or list(org.invitations), list(self.real.offers))

    def several(self, one: Callable[[], int]) -> list[int]:
        return list(dict.fromkeys(one() for _each in range(self.pick("rows", [1, 1, 2, 3]))))

    def line(self, org: naive.Organization, actor: Actor) -> Line:
        waiting = {each.address for each in self.world.pending(org) if not self.world.expired(each)}
        known = waiting | {each.address for each in org.members.values()}
        address = self.pick("address", [each for each in OWNED if each not in known], TYPED, often=3)
        mine = [key for key in org.workspaces if self.world.hands_out(org, actor, {key: "manager"})]
        count = self.pick("seats", [0, 0, 1, 2]) if org.workspaces else 0
        others = [*org.workspaces] * 3 + [*self.real.workspaces]
        places = [self.pick("workspace", mine, others) for _each in range(count)]
        seats = {place: self.pick("seat", ["manager", "member"]) for place in places}
        return Line(address, self.grant(org, actor), tuple(seats.items()))

    # --- The story ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Two organizations, so that each is the other's elsewhere."""
        for person, name in (("Ann", "Acme"), ("Eve", "Elsewhere")):
            self.establish(person, name)
            org = self.world.organizations[name]
            self.build(org, Actor(person), "Payments")
            self.extend(org, Actor(person), "Auditor", frozenset())
            self.invite(org, Actor(person), [Line("dan@example.org", "Developer")])
            self.make_token(org, Actor(person), None, None)

    @initialize(number=numbers)
    def join(self, number: int) -> None:
        """Two more, who have been there before the story begins."""
        self.chance = Random(number)
        acme = self.world.organizations["Acme"]
        for person in ("Bob", "Cat"):
            grant: naive.Grant = ADMINISTRATOR if self.perhaps("administers", True) else self.pick("grant", SETS)
            key = self.world.admit(acme, person, PEOPLE[person][0], grant)
            organization = self.real.organization("Acme")
            member = cast.joined(organization, self.real.users[person], self.real.grant("Acme", grant))
            self.real.members[key] = member.membership.pk
            acme.workspaces["Acme/0"].seats[key] = "manager"
            workspaces.seat(self.real.workspace("Acme/0"), member.membership, "manager")
        self.last = snapshot()
        for person in ("Ann", "Bob", "Cat"):
            self.make_token(acme, Actor(person), self.pick("days", [None, 3]), self.limit(acme, Actor(person)))

    @rule(number=numbers)
    def step(self, number: int) -> None:
        """Nothing for 0: so a story that fails is shrunk by leaving out steps, and the others stay as they are."""
        self.steps += 1
        if number:
            self.chance = Random(f"{number} as step {self.steps}")
            closed = any(org.closed is not None for org in self.world.organizations.values())
            getattr(self, self.pick("step", STEPS + ["restore"] * 12 * closed))()

    # --- Organizations -----------------------------------------------------------------------------------------------

    def found(self) -> None:
        if len(self.world.organizations) < 3:
            self.establish(self.pick("person", EVERYBODY), self.pick("name", NAMES))

    def establish(self, person: str, name: str) -> None:
        expected = self.world.found(person, name, name)
        made = self.both(expected, lambda: self.real.found(person, name, name))
        if made is None:
            return
        [member] = expected.made
        self.real.members[member] = made.pk

    def change_organization(self) -> None:
        org = self.somewhere()
        actor, shown = self.somebody(org, MANAGE_ORGANIZATION), self.shown(org.version)
        name, slug = self.pick("name", [None, *NAMES]), self.pick("slug", [None, *SLUGS])
        expected = self.world.change_organization(org, actor, name, slug, shown)
        self.both(expected, lambda: self.real.change_organization(org.key, actor, name, slug, shown))

    def bill(self) -> None:
        org = self.somewhere()
        actor, shown = self.somebody(org, MANAGE_BILLING), self.pick("shown", [None, org.billed], [org.billed + 1])
        details = self.pick("details", BILLS, BAD_BILLS, often=3)
        expected = self.world.bill(org, actor, details, shown)
        self.both(expected, lambda: self.real.bill(org.key, actor, details, shown))

    def close(self) -> None:
        org = self.somewhere()
        actor, typed = self.somebody(org, ADMINISTER), self.pick("typed", [org.name, f" {org.name} "], ["acme"])
        expected = self.world.close(org, actor, typed)
        self.both(expected, lambda: self.real.close(org.key, actor, typed))

    def restore(self) -> None:
        closed = [org for org in self.world.organizations.values() if org.closed]
        org = self.pick("organization", closed) if closed else self.somewhere()
        able = [each.person for each in org.members.values() if self.world.may_restore(each)]
        person = self.pick("actor", [each for each in able if each in self.free], [*EVERYBODY, OPERATOR.person])
        actor = self.appearing(org, person)
        expected = self.world.restore(org, actor)
        self.both(expected, lambda: self.real.restore(org.key, actor))

    def purge(self) -> None:
        """What the worker does; the first organization stays, so that the story goes on."""
        first, *others = self.world.organizations.values()
        doomed = [org for org in others if org.closed] or others[1:]
        if doomed and not first.closed:
            self.end(doomed[-1])
            self.pass_time(naive.CLOSED_FOR)
        if not self.world.is_over(first):
            self.both(self.world.purge(), self.real.purge)

    def end(self, org: naive.Organization) -> None:
        expected = self.world.close(org, OPERATOR, org.name)
        self.both(expected, lambda: self.real.close(org.key, OPERATOR, org.name))

    # --- Handing over ------------------------------------------------------------------------------------------------

    def hand_over(self) -> None:
        """Offer it, answer what was offered, or both."""
        org = self.somewhere()
        if not org.handover or self.perhaps("another", True, often=7):
            self.give_up(org)
        if org.handover is None or self.pick("answered", [True, True, False]):
            answers = [self.take_on, self.take_on, self.take_on, self.turn_down, self.withdraw]
            self.pick("act", answers)(org)

    def give_up(self, org: naive.Organization) -> None:
        able = [key for key, each in org.members.items() if each.grant != ADMINISTRATOR and not each.suspended]
        actor, target = self.somebody(org, ADMINISTER), self.pick("member", able, [self.member(org)])
        role = self.pick("keeps", [None, "Contributor", "Developer"], [ADMINISTRATOR, self.role(org)])
        expected = self.world.hand_over(org, actor, target, role)
        self.both(expected, lambda: self.real.hand_over(org.key, actor, target, role))

    def receiver(self, org: naive.Organization) -> Actor:
        """Mostly whom it is offered to."""
        waiting = org.handover and org.members.get(org.handover.receiver)
        return self.appearing(org, self.pick("actor", [waiting.person] if waiting else [], EVERYBODY))

    def take_on(self, org: naive.Organization) -> None:
        actor, take_over = self.receiver(org), self.takes_over()
        expected = self.world.take_on(org, actor, take_over=take_over)
        self.both(expected, lambda: self.real.take_on(org.key, actor, take_over=take_over))

    def turn_down(self, org: naive.Organization) -> None:
        actor = self.receiver(org)
        expected = self.world.turn_down(org, actor)
        self.both(expected, lambda: self.real.turn_down(org.key, actor))

    def withdraw(self, org: naive.Organization) -> None:
        actor = self.somebody(org, ADMINISTER)
        expected = self.world.withdraw(org, actor)
        self.both(expected, lambda: self.real.withdraw(org.key, actor))

    # --- Workspaces and seats ----------------------------------------------------------------------------------------

    def create_workspace(self) -> None:
        org = self.somewhere()
        if len(org.workspaces) < 3:
            self.build(org, self.somebody(org, CREATE_WORKSPACES), self.pick("name", NAMES))

    def build(self, org: naive.Organization, actor: Actor, name: str) -> None:
        key = f"{org.key}/{len(self.real.workspaces)}"
        expected = self.world.create_workspace(org, actor, key, name)
        made = self.both(expected, lambda: self.real.create_workspace(org.key, actor, name))
        if made is not None:
            self.real.workspaces[key] = made.pk

    def version_of(self, org: naive.Organization, place: str) -> int | None:
        return self.shown(org.workspaces[place].version if place in org.workspaces else 1)

    def change_workspace(self) -> None:
        org = self.somewhere()
        place = self.place(org)
        actor, shown = self.somebody(org, MANAGE_WORKSPACE, place), self.version_of(org, place)
        name, slug = self.pick("name", [None, *NAMES]), self.pick("slug", [None, *SLUGS])
        expected = self.world.change_workspace(org, actor, place, name, slug, shown)
        self.both(expected, lambda: self.real.change_workspace(org.key, actor, place, name, slug, shown))

    def archive(self) -> None:
        """Or restore it: mostly what can be done."""
        org = self.somewhere()
        place = self.place(org)
        archived = place in org.workspaces and org.workspaces[place].archived
        act = self.pick("act", [self.reopen if archived else self.shut], [self.reopen, self.shut])
        act(org, place, self.somebody(org, MANAGE_WORKSPACE, place), self.version_of(org, place))

    def shut(self, org: naive.Organization, place: str, actor: Actor, shown: int | None) -> None:
        expected = self.world.archive(org, actor, place, shown)
        self.both(expected, lambda: self.real.archive(org.key, actor, place, shown))

    def reopen(self, org: naive.Organization, place: str, actor: Actor, shown: int | None) -> None:
        take_over = self.takes_over()
        expected = self.world.restore_workspace(org, actor, place, shown, take_over=take_over)
        self.both(expected, lambda: self.real.restore_workspace(org.key, actor, place, shown, take_over=take_over))

    def delete_workspace(self) -> None:
        org = self.somewhere()
        archived = [key for key, workspace in org.workspaces.items() if workspace.archived]
        place = self.pick("workspace", archived * 9, list(self.real.workspaces), often=19)
        actor, shown = self.somebody(org, ADMINISTER), self.version_of(org, place)
        expected = self.world.delete_workspace(org, actor, place, shown)
        self.both(expected, lambda: self.real.delete_workspace(org.key, actor, place, shown))

    # --- Roles -------------------------------------------------------------------------------------------------------

    def add_role(self) -> None:
        org = self.somewhere()
        if len(org.roles) < 5:
            self.extend(org, self.somebody(org, ADMINISTER), self.pick("name", ROLES), self.pick("set", SETS))

    def extend(self, org: naive.Organization, actor: Actor, name: str, permissions: frozenset[str]) -> None:
        key = f"{name} {len(self.real.roles)}"
        expected = self.world.add_role(org, actor, key, name, permissions)
        made = self.both(expected, lambda: self.real.add_role(org.key, actor, name, permissions))
        if made is not None:
            self.real.roles[org.key, key] = made.pk

    def change_role(self) -> None:
        org = self.somewhere()
        self.shape(org, self.role(org))

    def shape(self, org: naive.Organization, key: str) -> None:
        actor, take_over = self.somebody(org, ADMINISTER), self.takes_over()
        shown = self.shown(org.roles[key].version if key in org.roles else 1)
        name, permissions = self.pick("name", [None] * 9, ROLES, often=3), self.pick("set", [None, *SETS, *SETS])
        expected = self.world.change_role(org, actor, key, name, permissions, shown, take_over=take_over)
        self.both(
            expected,
            lambda: self.real.change_role(org.key, actor, key, name, permissions, shown, take_over=take_over),
        )

    def delete_role(self) -> None:
        org = self.somewhere()
        key, actor, take_over = self.role(org), self.somebody(org, ADMINISTER), self.takes_over()
        shown = self.shown(org.roles[key].version if key in org.roles else 1)
        instead = self.pick("instead", [None, "Contributor", "Developer", ADMINISTRATOR], [key, self.role(org)])
        expected = self.world.delete_role(org, actor, key, instead, shown, take_over=take_over)
        self.both(expected, lambda: self.real.delete_role(org.key, actor, key, instead, shown, take_over=take_over))

    # --- Seats -------------------------------------------------------------------------------------------------------

    def give_seat(self) -> None:
        org = self.somewhere()
        place, target, seat = self.place(org), self.member(org), self.pick("seat", ["manager", "member"])
        actor, shown = self.somebody(org, MANAGE_WORKSPACE, place), self.pick("shown", [None], ["", "member"], often=5)
        take_over = self.takes_over()
        expected = self.world.give_seat(org, actor, place, target, seat, shown, take_over=take_over)
        self.both(
            expected, lambda: self.real.give_seat(org.key, actor, place, target, seat, shown, take_over=take_over)
        )

    def take_seat(self) -> None:
        org = self.somewhere()
        place = self.place(org)
        seated = list(org.workspaces[place].seats) if place in org.workspaces else []
        self.unseat(org, place, self.pick("member", seated, list(self.real.members)))

    def unseat(self, org: naive.Organization, place: str, target: int) -> None:
        actor, take_over = self.somebody(org, MANAGE_WORKSPACE, place), self.takes_over()
        shown = self.pick("shown", [None], ["manager", "member"], often=5)
        expected = self.world.take_seat(org, actor, place, target, shown, take_over=take_over)
        self.both(expected, lambda: self.real.take_seat(org.key, actor, place, target, shown, take_over=take_over))

    # --- Members -----------------------------------------------------------------------------------------------------

    def change(self) -> None:
        org = self.somewhere()
        self.save(org, self.member(org))

    def save(self, org: naive.Organization, target: int) -> None:
        """From a page that shows the member as they are, or once were."""
        actor = self.somebody(org, MANAGE_MEMBERS)
        self.alter(org, actor, target, self.asked(org, actor))

    def hold(self, org: naive.Organization, target: int) -> None:
        """Suspend, or let the membership end soon."""
        soon = self.world.now + timedelta(hours=11)
        asked = self.pick("what", [Change(status="suspended"), Change(moves_end=True, end=soon)])
        self.alter(org, self.somebody(org, MANAGE_MEMBERS), target, asked)

    def alter(self, org: naive.Organization, actor: Actor, target: int, asked: Change) -> None:
        shown = self.shown(org.members[target].version if target in org.members else 1)
        take_over = self.takes_over()
        expected = self.world.change(org, actor, target, asked, shown, take_over=take_over)
        self.both(expected, lambda: self.real.change(org.key, actor, target, asked, shown, take_over=take_over))

    def change_all(self) -> None:
        org = self.somewhere()
        actor, targets = self.somebody(org, MANAGE_MEMBERS), self.several(lambda: self.member(org))
        take_over = self.takes_over()
        asked = self.asked(org, actor)
        expected = self.world.change_all(org, actor, targets, asked, take_over=take_over)
        results = self.both(expected, lambda: self.real.change_all(org.key, actor, targets, asked, take_over=take_over))
        self.rows(expected, results)

    def remove(self) -> None:
        org = self.somewhere()
        self.expel(org, self.several(lambda: self.member(org)))

    def expel(self, org: naive.Organization, targets: list[int]) -> None:
        actor, take_over = self.somebody(org, MANAGE_MEMBERS), self.takes_over()
        expected = self.world.remove(org, actor, targets, take_over=take_over)
        self.rows(expected, self.both(expected, lambda: self.real.remove(org.key, actor, targets, take_over=take_over)))
        self.note_departures(org)

    def note_departures(self, org: naive.Organization) -> None:
        for key in org.departed.keys() - self.real.departures.keys():
            self.real.noted(org.key, key, org.departed[key].person)

    def bring_back(self) -> None:
        org = self.somewhere()
        every = list(self.real.departures)
        if every:
            key = self.pick("departure", list(org.departed), every)
            actor = self.somebody(org, MANAGE_MEMBERS)
            expected = self.world.bring_back(org, actor, key)
            offer = self.both(expected, lambda: self.real.bring_back(org.key, actor, key))
            self.real.offers.update((made, offer.pk) for made in expected.made)

    def leave(self) -> None:
        org = self.somewhere()
        self.go(org, self.pick("actor", [each.person for each in org.members.values()], EVERYBODY))

    def go(self, org: naive.Organization, person: str) -> None:
        actor = self.appearing(org, person)
        expected = self.world.leave(org, actor)
        self.both(expected, lambda: self.real.leave(org.key, actor))
        self.note_departures(org)

    # --- Tokens ------------------------------------------------------------------------------------------------------

    def issue(self) -> None:
        """One's own, or the organization's."""
        org = self.somewhere()
        days = self.pick("days", [None, 1, 30], [0, 3651])
        if self.perhaps("service", True):
            self.make_token(
                org, self.somebody(org, ADMINISTER), days, self.pick("limit", READING, LIMITS), service=True
            )
        else:
            actor = self.appearing(org, self.pick("actor", [each.person for each in org.members.values()], EVERYBODY))
            self.make_token(org, actor, days, self.limit(org, actor))

    def limit(self, org: naive.Organization, actor: Actor) -> frozenset[str] | None:
        """Mostly one that the actor holds."""
        held = self.world.held(org, actor) | naive.OF_WORKSPACES
        mine = [each for each in LIMITS if each is None or (each and each <= held)]
        return self.pick("limit", mine, LIMITS, often=5)

    def make_token(
        self,
        org: naive.Organization,
        actor: Actor,
        days: int | None,
        limit: frozenset[str] | None,
        *,
        service: bool = False,
    ) -> None:
        make = self.world.issue_service if service else self.world.issue
        expected = make(org, actor, days, limit)
        issued = self.both(expected, lambda: self.real.issue(org.key, actor, days, limit, service=service))
        for key in expected.made:
            self.real.tokens[key] = issued

    def revoke_token(self) -> None:
        org = self.somewhere()
        used = [each.token for each in self.world.pending(org) if each.token is not None]
        if self.real.tokens:
            target = self.pick("token", [*org.tokens, *used, *used], list(self.real.tokens), often=7)
            self.end_token(org, target)

    def end_token(self, org: naive.Organization, target: int) -> None:
        """By whose it is, by an Administrator, or by itself."""
        own = self.appearing(org, self.world.holders[target] or self.pick("actor", EVERYBODY))
        able, here = self.somebody(org, ADMINISTER), self.is_of(org, self.real.tokens[target].token.organization_id)
        itself = [Actor(self.world.holders[target], target)] if here else []
        actor, take_over = self.pick("actor", [own, able, able], itself, often=5), self.takes_over()
        expected = self.world.revoke_token(org, actor, target, take_over=take_over)
        self.both(expected, lambda: self.real.revoke_token(org.key, actor, target, take_over=take_over))

    # --- Invitations, from the organization's side -------------------------------------------------------------------

    def send(self) -> None:
        org = self.somewhere()
        actor = self.somebody(org, MANAGE_MEMBERS)
        lines = [self.line(org, actor) for _each in range(self.pick("lines", [1, 1, 2, 4]))]
        days = self.pick("days", [7, 1, 30], [0, 31])
        until = self.pick("until", [None, None, 30, 24 * 9], [-1])
        # Whoever is no member comes to no page that judges.
        dry = self.perhaps("dry", actor == OPERATOR or self.world.member_of(org, actor.person) is not None)
        end = None if until is None else self.world.now + timedelta(hours=until)
        self.invite(org, actor, lines, days=days, until=end, dry=bool(dry))

    def invite(
        self,
        org: naive.Organization,
        actor: Actor,
        lines: list[Line],
        *,
        days: int = naive.LINK_LIVES,
        until: datetime | None = None,
        dry: bool = False,
    ) -> None:
        expected = self.world.send(org, actor, lines, days=days, until=until, dry=dry)
        outcomes = self.both(expected, lambda: self.real.send(org.key, actor, lines, days=days, until=until, dry=dry))
        if outcomes is None:
            return
        agree([each.outcome for each in outcomes], expected.rows)
        made = [each.invitation.pk for each in outcomes if each.outcome == "invited" and not dry]
        self.real.offers.update(zip(expected.made, made, strict=True))

    def resend(self) -> None:
        org = self.somewhere()
        actor, targets = self.somebody(org, MANAGE_MEMBERS), self.several(lambda: self.offer(org))
        grant = self.perhaps("another grant", self.grant(org, actor), often=1)
        days, shown = self.pick("days", [7, 1], [31]), self.pick("shown", [None], [1, 2], often=4)
        expected = self.world.resend(org, actor, targets, grant, days, shown)
        self.rows(expected, self.both(expected, lambda: self.real.resend(org.key, actor, targets, grant, days, shown)))

    def revoke(self) -> None:
        org = self.somewhere()
        actor, targets = self.somebody(org, MANAGE_MEMBERS), self.several(lambda: self.offer(org))
        shown = self.pick("shown", [None], [1, 2], often=4)
        expected = self.world.revoke(org, actor, targets, shown)
        self.rows(expected, self.both(expected, lambda: self.real.revoke(org.key, actor, targets, shown)))

    def make_link(self) -> None:
        org = self.somewhere()
        actor, target = self.somebody(org, MANAGE_MEMBERS), self.offer(org)
        shown = self.pick("shown", [None], [1, 2], often=4)
        expected = self.world.make_link(org, actor, target, shown)
        self.both(expected, lambda: self.real.make_link(org.key, actor, target, shown))

    def intrigue(self) -> None:
        """Somebody offers membership, something befalls them, and the invited may try to accept."""
        org = self.somewhere()
        able = [each for each in org.members.values() if MANAGE_MEMBERS in self.world.held(org, Actor(each.person))]
        able = [each for each in able if each.person in self.free]
        sponsors = [each for each in able if not self.world.is_orphaned(org, {each.key: None})]
        if sponsors:
            sponsor = self.pick("sponsor", sponsors)
            actor = self.appearing(org, sponsor.person)
            line = self.line(org, actor)
            self.invite(org, actor, [line])
            self.befall(org, sponsor, [place for place, _seat in line.seats if place in org.workspaces], actor.token)
            self.the_same()
            self.try_to_enter(org, line.address)

    def befall(self, org: naive.Organization, sponsor: naive.Member, places: list[str], token: int | None) -> None:
        fates: dict[str, Callable[[], None]] = {
            "changed": lambda: self.save(org, sponsor.key),
            "removed": lambda: self.expel(org, [sponsor.key]),
            "held": lambda: self.hold(org, sponsor.key),
            "gone": lambda: self.go(org, sponsor.person),
            "reshaped": lambda: self.shape(org, sponsor.grant if sponsor.grant in org.roles else self.role(org)),
            "waited": self.wait,
            "locked out": lambda: self.stop("disable", sponsor.person),
            "account closed": self.close_account,
            "hand-over": self.hand_over,
        }
        if token is not None:
            fates["token revoked"] = lambda: self.end_token(org, token)
        if places:
            fates["unseated"] = lambda: self.unseat(org, places[0], sponsor.key)
        fates[self.pick("befalls", list(fates))]()

    def try_to_enter(self, org: naive.Organization, address: str) -> None:
        offer = self.world.waiting(org, address)
        for person in self.free:
            if offer and offer.address in PEOPLE[person] and self.pick("accepts", [True, False]):
                self.enter(org, person, offer.key)

    # --- Invitations, from the invited person's side -----------------------------------------------------------------

    def answering(self) -> tuple[naive.Organization, str, int]:
        """Most often who was invited and is waited for, sometimes somebody else."""
        every = [(org, offer) for org in self.world.organizations.values() for offer in org.invitations.values()]
        hopeful = [
            (org, offer)
            for org, offer in every
            for person in self.free
            if offer.state == "pending" and offer.address in PEOPLE[person] and not self.world.expired(offer)
            if not self.world.member_of(org, person)
        ]
        org, offer = self.pick("invitation", hopeful, every, often=4)
        owners = [each for each in self.free if offer.address in PEOPLE[each]]
        return org, self.pick("person", owners, self.free), offer.key

    def accept(self) -> None:
        self.enter(*self.answering())

    def enter(self, org: naive.Organization, person: str, target: int) -> None:
        expected = self.world.accept(org, person, target)
        member = self.both(expected, lambda: self.real.accept(person, target))
        self.real.members.update((key, member.pk) for key in expected.made)

    def decline(self) -> None:
        """By who was invited, or by whoever holds a link."""
        org, person, target = self.answering()
        who = self.pick("who", [person, None], [SOMEBODY_WITH_A_HANDED_LINK], often=4)
        expected = self.world.decline(org, who, target)
        self.both(expected, lambda: self.real.decline(who, target))

    def ask_again(self) -> None:
        org, person, target = self.answering()
        who = self.pick("who", [person, None], [SOMEBODY_WITH_A_HANDED_LINK], often=4)
        expected = self.world.ask_again(org, who, target)
        self.both(expected, lambda: self.real.ask_again(who, target))

    def go_home(self) -> None:
        """What waits for a person's addresses is what they could answer."""
        person = self.pick("person", EVERYBODY)
        waiting = invitations.waiting_for(self.real.users[person]).values_list("pk", flat=True)
        assert set(waiting) == {self.real.offers[key] for key in self.world.waiting_for(person)}

    # --- What pages show ---------------------------------------------------------------------------------------------

    def visit(self) -> None:
        """Opening a page changes nothing but when somebody was last seen, and shows what the model says."""
        org = self.somewhere()
        person = self.pick("person", [each.person for each in org.members.values()], EVERYBODY)
        before, seen = self.last, Browser(self.real, org.key, person)
        self.pick("page", [self.visit_all, self.visit_member, self.visit_offer])(org, person, seen)
        self.last = snapshot()
        assert {(table, what) for table, _key, what in difference(before, self.last)} <= LAST_SEEN
        known = {each.address for each in org.invitations.values()} | {owned[0] for owned in PEOPLE.values()}
        assert seen.addresses <= known

    def visit_all(self, org: naive.Organization, person: str, seen: Browser) -> None:
        status, members, offers = self.world.listed(org, person)
        assert seen.open("users") == status
        if len(members | offers) > 1:
            assert seen.links == {self.real.members[key] for key in members} | {self.real.offers[key] for key in offers}
            shown = {org.members[key].address for key in members} | {org.invitations[key].address for key in offers}
            assert seen.addresses == shown

    def visit_member(self, org: naive.Organization, person: str, seen: Browser) -> None:
        target = self.member(org)
        assert seen.open(f"users/{self.real.members[target]}") == self.world.shows_member(org, person, target)

    def visit_offer(self, org: naive.Organization, person: str, seen: Browser) -> None:
        target = self.pick("invitation", list(org.invitations), list(self.real.offers))
        assert seen.open(f"users/{self.real.offers[target]}") == self.world.shows_offer(org, person, target)

    def check(self) -> None:
        """A program asks what somebody may do: it hears what the model says, and nothing changes."""
        org = self.somewhere()
        every = [key for key, issued in self.real.tokens.items() if self.is_of(org, issued.token.organization_id)]
        token = self.pick("token", every)
        asker, person = Actor(self.world.holders[token], token), self.pick("person", EVERYBODY)
        permission = self.pick("permission", sorted(OF_ORGANIZATIONS | OF_WORKSPACES))
        place = self.pick("workspace", [None, *org.workspaces])
        allowed, code = attempt(lambda: self.real.check(org.key, asker, person, permission, place))
        assert (allowed, code) == self.world.checked(org, asker, person, permission, place)
        assert not difference(self.last, snapshot())

    # --- The clock, and the operator's hand --------------------------------------------------------------------------

    def wait(self) -> None:
        self.pass_time(timedelta(hours=self.pick("hours", [1, 11, 24, 60, 24 * 8], [24 * 60], often=19)))

    def pass_time(self, long: timedelta) -> None:
        self.world.now += long
        self.time.move_to(self.world.now)

    def lock_out(self) -> None:
        """An account that cannot sign in, or can again: mostly what can be done."""
        person, out = self.pick("person", EVERYBODY), self.world.locked_out
        act = self.pick("act", ["enable" if person in out else "disable"], ["enable", "disable"])
        self.stop(act, person)

    def stop(self, act: str, person: str) -> None:
        expected = getattr(self.world, act)(person)
        self.both(expected, lambda: getattr(self.real, act)(person))

    def close_account(self) -> None:
        """And sign up again, as somebody whom nobody knows."""
        person, proved = self.pick("person", self.free), self.pick("proved", [timedelta()], LONG_AGO)
        expected = self.world.close_account(person, proved)
        since = None if proved is None else self.world.now - proved
        self.both(expected, lambda: self.real.close_account(person, since))
        if not expected.refused:
            self.world.addresses[person] = list(PEOPLE[person])
            self.real.sign_up(person, PEOPLE[person])
            self.last = snapshot()

    def known(self) -> None:
        """By which addresses: letting go of one, proving it again, and the choice among them."""
        org = self.somewhere()
        person = self.pick("person", [each for each in self.free if len(PEOPLE[each]) > 1] or self.free)
        further = PEOPLE[person][1:]
        own = self.world.addresses[person]
        lets_go = self.pick("lets go", [True, False])
        if further and lets_go:
            act = "let_go" if further[0] in own else "add_address"
            expected = getattr(self.world, act)(person, further[0])
            self.both(expected, lambda: getattr(self.real, act)(person, further[0]))
        else:
            actor, address = self.appearing(org, person), self.pick("address", own, OWNED)
            expected = self.world.be_known_by(org, actor, address)
            self.both(expected, lambda: self.real.be_known_by(org.key, actor, address))

    # --- What is the same after each step ----------------------------------------------------------------------------

    @invariant()
    def the_same(self) -> None:
        if self.compared != (self.world.now, id(self.last)):
            self.compared = (self.world.now, id(self.last))
            self.the_same_rows()
            self.the_same_held()

    def the_same_rows(self) -> None:
        rows = Rows(self.last, self.real)
        for key, org in self.world.organizations.items():
            assert rows.members(key) == {
                (each.person, each.address, settled(each.grant), each.suspended, each.ends, each.version)
                for each in org.members.values()
            }
            assert rows.seats(key) == {
                (place, org.members[member].person, seat)
                for place, workspace in org.workspaces.items()
                for member, seat in workspace.seats.items()
            }
            assert rows.offers(key) == {each.key: told(org, each) for each in org.invitations.values()}
            bill = (org.billing.get("country", ""), org.billing.get("tax_id", ""), org.billed)
            assert rows.organization(key) == (org.name, org.closed, org.version, [bill])
            waiting = org.handover
            assert rows.handover(key) == (
                waiting
                and (
                    org.members[waiting.giver].person,
                    org.members[waiting.receiver].person,
                    waiting.role,
                    waiting.expires,
                )
            )
            assert rows.workspaces(key) == {
                each.key: (each.name, each.archived, each.version) for each in org.workspaces.values()
            }
            assert rows.sets(key) == {
                role: (each.name, naive.completed(each.permissions), each.version) for role, each in org.roles.items()
            }
            assert rows.tokens(key) == {
                each.key: (
                    org.members[each.member].person if each.member else None,
                    None if each.limit is None else naive.completed(each.limit),
                    each.ends,
                )
                for each in org.tokens.values()
            }

    def the_same_held(self) -> None:
        expected = {}
        for key, org in self.world.organizations.items():
            actors: dict[Any, Actor] = {(key, each.person): Actor(each.person) for each in org.members.values()}
            good = [each for each in org.tokens.values() if self.world.is_good(org, each)]
            actors |= {each.key: Actor(self.world.holders[each.key], each.key) for each in good}
            for who, actor in actors.items():
                for place in (None, *org.workspaces):
                    expected[who, place] = self.world.held(org, actor, place)
        assert self.real.held() == expected


# --- The same words for both -----------------------------------------------------------------------------------------


def attempt(command: Callable[[], Any]) -> tuple[Any, str | None]:
    """What a command returns, or the code with which it refuses."""
    try:
        return command(), None
    except Refusal as refusal:
        return None, refusal.code


def agree(verdicts: list[str], expected: list[naive.Codes]) -> None:
    assert len(verdicts) == len(expected)
    fits = all(verdict in may for verdict, may in zip(verdicts, expected, strict=True))
    assert fits, f"{verdicts}, and not {expected}"


def settled(grant: naive.Grant) -> naive.Grant:
    return grant if isinstance(grant, str) else naive.completed(grant)


def told(org: naive.Organization, offer: naive.Invitation) -> tuple[Any, ...]:
    """An offer's sponsor is part of it while it is pending; afterwards it is history."""
    pending = offer.state == "pending"
    return (
        offer.address,
        settled(offer.grant),
        offer.seats,
        offer.state,
        offer.number,
        offer.links,
        offer.expires,
        offer.membership_ends,
        offer.asked,
        org.members[offer.sponsor].person if pending and offer.sponsor else None,
        pending and offer.sponsor is None,
        offer.token if pending else None,
    )


# --- The run ---------------------------------------------------------------------------------------------------------

OWN_PERMISSIONS = """
[[permission]]
name = "reports.read"
label = "Read reports"
sentence = "Open the reports of the organization"

[[permission]]
name = "pages.read"
label = "Read pages"
sentence = "Open the pages of the workspace"
scope = "workspace"
seats = ["manager", "member"]

[[permission]]
name = "pages.publish"
label = "Publish pages"
sentence = "Publish the pages of the workspace"
scope = "workspace"
"""

HOW_MUCH = settings(
    max_examples=50,
    stateful_step_count=50,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.django_db
def test_code_and_model_agree(settings: Any, operators_permissions: Callable[[str], Any]) -> None:
    operators_permissions(OWN_PERMISSIONS)
    settings.LETTERS_PER_DAY = settings.LETTERS_PER_DAY | {"new": ON_THE_FIRST_DAY, "usual": PER_DAY}
    people = {name: cast.person(name, addresses[0]) for name, addresses in PEOPLE.items()}
    for name, addresses in PEOPLE.items():
        for address in addresses[1:]:
            cast.own(people[name], address)
    world = World(START, PEOPLE, on_the_first_day=ON_THE_FIRST_DAY, per_day=PER_DAY)
    beginning = type("Beginning", (Story,), {"scene": (world, Programs(people))})()
    beginning.begin()
    beginning.finish()
    story = type("Rules", (Story,), {"scene": (beginning.world, beginning.real)})
    run_state_machine_as_test(story, settings=HOW_MUCH)
    assert Programs.calls > HOW_MUCH.max_examples, "Programs have hardly asked anything"
