"""The rules once more, naively, as a reader of the product's description understands them.

Nothing here comes from the code of the domain, and nothing here is quick: sets, dictionaries and loops. Each
command changes this model or says why it may not, and the real command must then do the same.
Where the description leaves open which of several true reasons is named, `refused` holds all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

ADMINISTER = "administer"
ADMINISTRATOR = "Administrator"
MANAGE_MEMBERS = "members.manage"
MANAGE_ORGANIZATION = "organization.manage"
MANAGE_BILLING = "billing.manage"
VIEW_MEMBERS = "members.view"
CREATE_WORKSPACES = "workspaces.create"
VIEW_WORKSPACES = "workspaces.view_all"
MANAGE_WORKSPACE = "workspace.manage"
VIEW_WORKSPACE = "workspace.view"

# The last ones of each are an operator's own.
OF_ORGANIZATIONS = frozenset(
    {
        MANAGE_MEMBERS,
        MANAGE_ORGANIZATION,
        MANAGE_BILLING,
        VIEW_MEMBERS,
        CREATE_WORKSPACES,
        VIEW_WORKSPACES,
        "reports.read",
    }
)
SEATS = {
    "member": frozenset({VIEW_WORKSPACE, "pages.read"}),
    "manager": frozenset({VIEW_WORKSPACE, MANAGE_WORKSPACE, "pages.read", "pages.publish"}),
}
OF_WORKSPACES = SEATS["manager"]
IMPLIES = {MANAGE_MEMBERS: {VIEW_MEMBERS}, MANAGE_WORKSPACE: {VIEW_WORKSPACE}}
FIRST_ROLES = {
    "Developer": frozenset({VIEW_MEMBERS, CREATE_WORKSPACES, VIEW_WORKSPACES}),
    "Contributor": frozenset({VIEW_MEMBERS}),
}
OF_SERVICES = frozenset({VIEW_MEMBERS, VIEW_WORKSPACES})  # a service token reads and checks, nothing else

A_DAY = timedelta(days=1)
LINK_LIVES = 7  # days
CLOSED_FOR = timedelta(days=14)  # then nothing can be restored any more
HANDOVER_LASTS = timedelta(days=7)
DEPARTED_ARE_KNOWN_FOR = timedelta(days=90)
LETTERS_TO_ONE_ADDRESS = 3
LETTERS_TO_ONE_ADDRESS_FROM_ALL = 10
PROOF_LASTS = timedelta(minutes=15)

TAX_IDS = {"DE": {"DE136695976"}, "US": {"91-1144442"}}  # some good ones of some countries

NOBODY_ASKS = frozenset({"unauthenticated", "not_found"})
DONE = frozenset({"done"})
INVITED = frozenset({"invited"})
RENEWED = frozenset({"renewed"})

Grant = str | frozenset[str]  # a role's key, or a custom set
Codes = frozenset[str]


@dataclass(frozen=True)
class Actor:
    """Who acts, through which token, and how long ago they showed who they are. The operator's name is nobody's."""

    person: str
    token: int | None = None
    proved: timedelta | None = timedelta()


OPERATOR = Actor("")
SOMEBODY_WITH_A_HANDED_LINK = "?"  # who has shown nothing


@dataclass
class Member:
    key: int
    person: str
    address: str
    grant: Grant
    suspended: bool = False
    ends: datetime | None = None
    version: int = 1


@dataclass(frozen=True)
class Change:
    """What somebody asks to change of a membership: what is None stays, and the end unless `moves_end`."""

    grant: Grant | None = None
    status: str | None = None
    moves_end: bool = False
    end: datetime | None = None

    def of(self, member: Member) -> Member:
        return replace(
            member,
            grant=member.grant if self.grant is None else self.grant,
            suspended=member.suspended if self.status is None else self.status == "suspended",
            ends=self.end if self.moves_end else member.ends,
        )


@dataclass
class Role:
    """Its name may change; programs go on calling it by the first one."""

    name: str
    permissions: frozenset[str]
    called: str
    version: int = 1


@dataclass
class Token:
    """Of a member, or of the organization; what it is narrowed to, if it is."""

    key: int
    member: int | None
    limit: frozenset[str] | None
    ends: datetime | None


@dataclass
class Invitation:
    key: int
    address: str
    grant: Grant
    seats: dict[str, str]
    sponsor: int | None  # nobody, for what the operator offers
    expires: datetime
    token: int | None = None  # through which it came
    membership_ends: datetime | None = None
    state: str = "pending"
    number: int = 0
    links: int = 0  # made to hand over
    became: int | None = None
    asked: datetime | None = None


@dataclass
class Workspace:
    key: str
    name: str
    seats: dict[int, str] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)  # that somebody chose, the one of today last
    archived: bool = False
    version: int = 1


@dataclass(frozen=True)
class Departure:
    """Somebody who belonged, and what they held."""

    person: str
    address: str
    grant: Grant  # of a role: how programs call it
    seats: dict[str, str]
    when: datetime


@dataclass
class Handover:
    giver: int
    receiver: int
    role: str | None  # that the giver keeps
    expires: datetime


@dataclass
class Organization:
    key: str
    name: str
    founded: datetime
    closed: datetime | None = None
    version: int = 1
    addresses: list[str] = field(default_factory=list)  # that somebody chose, the one of today last
    billing: dict[str, str] = field(default_factory=dict)
    billed: int = 0  # as often as that changed
    handover: Handover | None = None
    roles: dict[str, Role] = field(
        default_factory=lambda: {key: Role(key, names, plain(key)) for key, names in FIRST_ROLES.items()}
    )
    members: dict[int, Member] = field(default_factory=dict)
    workspaces: dict[str, Workspace] = field(default_factory=dict)
    invitations: dict[int, Invitation] = field(default_factory=dict)
    tokens: dict[int, Token] = field(default_factory=dict)
    departed: dict[int, Departure] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One address with what it is offered."""

    address: str
    grant: Grant
    seats: tuple[tuple[str, str], ...] = ()


@dataclass
class Outcome:
    """What a command does: a refusal, or what becomes of each row, of other offers, and who gets a letter."""

    refused: Codes = frozenset()
    rows: list[Codes] = field(default_factory=list)
    made: list[int] = field(default_factory=list)
    letters: list[tuple[str, str]] = field(default_factory=list)
    taken_over: set[int] = field(default_factory=set)
    revoked: set[int] = field(default_factory=set)
    ended: bool = False  # a hand-over
    changed: bool = True

    @property
    def is_told(self) -> bool:
        return bool(self.changed or self.revoked or self.taken_over or self.ended)


def no(*codes: str) -> Outcome:
    return Outcome(refused=frozenset(codes), changed=False)


def true_of(reasons: dict[str, bool]) -> Codes:
    return frozenset(code for code, holds in reasons.items() if holds)


def completed(permissions: frozenset[str]) -> frozenset[str]:
    return permissions.union(*(IMPLIES.get(each, set()) for each in permissions))


def same(address: str) -> str:
    return address.strip().lower()


def plain(name: str) -> str:
    """Two names that differ in nothing else than case and hyphens are one."""
    return " ".join(name.lower().replace("-", " ").split())


def is_address(text: str) -> bool:
    local, _at, domain = text.strip().partition("@")
    return bool(local and "." in domain and "@" not in domain and " " not in text.strip())


def is_name(text: str) -> bool:
    """Nothing that a mail program would turn into a link, nothing that hides, and not nothing."""
    linked = "://" in text or "www." in text or any("." in word.strip(".") for word in text.split())
    return bool(text.strip()) and text.isprintable() and not linked


def is_slug(text: str) -> bool:
    """Long enough, of letters, digits and hyphens between them, and no address of Portico itself."""
    inside = text.replace("-", "")
    return len(text) >= 3 and inside.isalnum() and inside.isascii() and text.strip("-") == text and text != "account"


def is_bill(details: Mapping[str, str]) -> bool:
    """Of a country, with a tax id of that country if any, and nothing that could be the number of a card."""
    good = TAX_IDS.get(details["country"], set())
    digits = [sum(each.isdigit() for each in text) for text in details.values()]
    return details["country"] in TAX_IDS and details["tax_id"] in {"", *good} and all(n < 13 for n in digits)


def is_life_of_link(days: int) -> bool:
    return 1 <= days <= 30


def is_life_of_token(days: int | None) -> bool:
    return days is None or 1 <= days <= 3650


class World:
    def __init__(
        self, now: datetime, addresses: dict[str, list[str]], *, on_the_first_day: int = 50, per_day: int = 500
    ) -> None:
        self.now = now
        self.on_the_first_day, self.per_day = on_the_first_day, per_day
        self.addresses = addresses  # verified ones of each person, the primary one first
        self.locked_out: set[str] = set()
        self.holders: dict[int, str] = {}  # of each token that ever was; nobody's name for an organization's
        self.organizations: dict[str, Organization] = {}
        self.slugs: dict[str, Organization] = {}  # whose each is or was, for ever
        self.posted: list[tuple[datetime, str, str]] = []  # when, from which organization, to which address
        self.keys = 0

    def key(self) -> int:
        self.keys += 1
        return self.keys

    # ── What holds ───────────────────────────────────────────────────────────

    def is_past(self, moment: datetime | None) -> bool:
        return moment is not None and moment <= self.now

    def expired(self, offer: Invitation) -> bool:
        return self.is_past(offer.expires)

    def member_of(self, org: Organization, person: str) -> Member | None:
        return next((each for each in org.members.values() if each.person == person), None)

    def permissions(self, org: Organization, grant: Grant) -> frozenset[str]:
        if grant == ADMINISTRATOR:
            return OF_ORGANIZATIONS | OF_WORKSPACES | {ADMINISTER}
        return completed(org.roles[grant].permissions if isinstance(grant, str) else grant)

    def is_there(self, org: Organization, grant: Grant | None) -> bool:
        return not isinstance(grant, str) or grant == ADMINISTRATOR or grant in org.roles

    def seat_gives(self, member: Member, workspace: Workspace) -> frozenset[str]:
        seat = workspace.seats.get(member.key)
        return SEATS[seat] if seat and not workspace.archived else frozenset()

    def is_good(self, org: Organization, token: Token | None) -> bool:
        """Whether somebody may ask by it at all."""
        if token is None or self.is_past(token.ends):
            return False
        return token.member is None or org.members[token.member].person not in self.locked_out

    def held(
        self, org: Organization, actor: Actor, workspace: str | None = None, *, clock: bool = True
    ) -> frozenset[str]:
        """What somebody may do; without `clock`, what they might if no membership ended by itself."""
        if actor == OPERATOR:
            return frozenset() if org.closed else self.permissions(org, ADMINISTRATOR)
        if actor.token is not None:
            return self.held_through(org, org.tokens.get(actor.token), workspace)
        member = self.member_of(org, actor.person)
        return self.held_by(org, member, workspace, clock=clock) if member else frozenset()

    def held_through(self, org: Organization, token: Token | None, workspace: str | None) -> frozenset[str]:
        if token is None or not self.is_good(org, token):
            return frozenset()
        if token.member is None:
            has = frozenset() if org.closed else OF_SERVICES
        else:
            has = self.held_by(org, org.members[token.member], workspace)
        return has if token.limit is None else has & completed(token.limit)

    def held_by(
        self, org: Organization, member: Member, workspace: str | None = None, *, clock: bool = True
    ) -> frozenset[str]:
        if org.closed or member.suspended or (clock and self.is_past(member.ends)):
            return frozenset()
        has = self.permissions(org, member.grant)
        return has if workspace is None else has | self.seat_gives(member, org.workspaces[workspace])

    def covers(self, org: Organization, actor: Actor, grant: Grant, *, clock: bool = True) -> bool:
        return self.permissions(org, grant) <= self.held(org, actor, clock=clock)

    def hands_out(self, org: Organization, actor: Actor, seats: Mapping[str, str], *, clock: bool = True) -> bool:
        return all(
            SEATS[seat] | {MANAGE_WORKSPACE} <= self.held(org, actor, workspace, clock=clock)
            for workspace, seat in seats.items()
        )

    def could_send(self, org: Organization, actor: Actor, offer: Invitation, *, clock: bool = True) -> bool:
        return (
            MANAGE_MEMBERS in self.held(org, actor, clock=clock)
            and self.covers(org, actor, offer.grant, clock=clock)
            and self.hands_out(org, actor, self.standing(org, offer.seats), clock=clock)
        )

    def standing(self, org: Organization, seats: dict[str, str]) -> dict[str, str]:
        """The seats whose workspace is still there."""
        return {key: seat for key, seat in seats.items() if not org.workspaces[key].archived}

    def is_sponsored(self, org: Organization, offer: Invitation, *, clock: bool = True) -> bool:
        """A sponsor stands behind an offer as a person who can sign in, also where it came through a token."""
        if offer.sponsor is None:
            return True
        sponsor = org.members.get(offer.sponsor)
        if sponsor is None or sponsor.person in self.locked_out:
            return False
        return self.could_send(org, Actor(sponsor.person), offer, clock=clock)

    def pending(self, org: Organization) -> list[Invitation]:
        return [each for each in org.invitations.values() if each.state == "pending"]

    def waiting_for(self, person: str) -> set[int]:
        """The offers that a person could answer now, in all organizations."""
        return {
            offer.key
            for org in self.organizations.values()
            for offer in self.pending(org)
            if offer.address in self.addresses[person] and not self.expired(offer) and not org.closed
        }

    def may_touch(self, org: Organization, actor: Actor, member: Member) -> bool:
        return self.is_in_person(actor, member) or self.covers(org, actor, member.grant)

    def is_in_person(self, actor: Actor, member: Member) -> bool:
        """A program is not oneself."""
        return member.person == actor.person and actor.token is None

    # ── Who asks ─────────────────────────────────────────────────────────────

    def keeps_out(self, org: Organization, actor: Actor) -> Codes:
        if actor == OPERATOR:
            return true_of({"organization_closed": org.closed is not None})
        if actor.token is None:
            member = self.member_of(org, actor.person) if actor.person not in self.locked_out else None
        else:
            token = org.tokens.get(actor.token)
            if token is None or not self.is_good(org, token):
                return frozenset({"unauthenticated"})
            if token.member is None:
                return true_of({"organization_closed": org.closed is not None})
            member = org.members[token.member]
        if member is None:
            return frozenset({"not_found"})
        return true_of(
            {
                "organization_closed": org.closed is not None,
                "suspended": member.suspended,
                "expired": self.is_past(member.ends),
            }
        )

    def lacks(
        self, org: Organization, actor: Actor, permission: str, workspace: str | None = None, *, there: bool = True
    ) -> Codes:
        """Why somebody may not; empty when they may. What is not `there` is not there for everybody."""
        there = there and (workspace is None or workspace in org.workspaces)
        if out := self.keeps_out(org, actor) | true_of({"not_found": not there}):
            return out
        return true_of({"missing_permission": permission not in self.held(org, actor, workspace)})

    def is_unproven(self, actor: Actor) -> bool:
        """Only a person can prove who they are, so only a person is asked to."""
        if actor == OPERATOR or actor.token is not None:
            return False
        return actor.proved is None or actor.proved > PROOF_LASTS

    # ── The promises ─────────────────────────────────────────────────────────

    def lasting(self, members: Iterable[Member]) -> list[Member]:
        """The Administrators of whom one must remain."""
        return [
            each
            for each in members
            if each.grant == ADMINISTRATOR
            and not each.suspended
            and each.ends is None
            and each.person not in self.locked_out
        ]

    def is_orphaned(self, org: Organization, then: Mapping[int, Member | None]) -> bool:
        """Whether no Administrator would last, where one did, if these members were like that, or gone."""
        after = [each for each in {**org.members, **then}.values() if each]
        return bool(self.lasting(org.members.values())) and not self.lasting(after)

    def settled(self, org: Organization, outcome: Outcome, taker: Actor | None = None) -> Outcome:
        """What no sponsor could send any more goes with the change, or to who takes it over; so does a hand-over."""
        lost = [offer for offer in self.pending(org) if not self.is_sponsored(org, offer, clock=False)]
        self.pass_on(org, lost, outcome, taker)
        if org.handover and not self.is_possible(org, org.handover):
            org.handover, outcome.ended = None, True
        return outcome

    def is_possible(self, org: Organization, handover: Handover) -> bool:
        """Whether commands have left it so that it could still be offered, and accepted."""
        giver, receiver = org.members.get(handover.giver), org.members.get(handover.receiver)
        if not giver or not receiver or giver.suspended or receiver.suspended:
            return False
        if {giver.person, receiver.person} & self.locked_out:
            return False
        administer = giver.grant == ADMINISTRATOR and receiver.grant != ADMINISTRATOR
        return administer and (handover.role is None or handover.role in org.roles)

    def pass_on(self, org: Organization, offers: list[Invitation], outcome: Outcome, taker: Actor | None) -> None:
        for offer in offers:
            member = self.member_of(org, taker.person) if taker else None
            if taker and (member or taker == OPERATOR) and self.could_send(org, taker, offer):
                offer.sponsor, offer.token = member.key if member else None, taker.token
                outcome.taken_over.add(offer.key)
            else:
                offer.state = "revoked"
                outcome.revoked.add(offer.key)

    # ── Organizations ────────────────────────────────────────────────────────

    def found(self, person: str, key: str, name: str) -> Outcome:
        if not is_name(name):
            return no("invalid")
        org = self.organizations[key] = Organization(key, name.strip(), self.now)
        return Outcome(made=[self.admit(org, person, self.addresses[person][0], ADMINISTRATOR)])

    def admit(self, org: Organization, person: str, address: str, grant: Grant, ends: datetime | None = None) -> int:
        new = Member(self.key(), person, address, grant, ends=ends)
        org.members[new.key] = new
        return new.key

    def change_organization(
        self, org: Organization, actor: Actor, name: str | None, slug: str | None, shown: int | None
    ) -> Outcome:
        """`shown` is the version that the page showed."""
        if out := self.lacks(org, actor, MANAGE_ORGANIZATION):
            return no(*out)
        reasons = {
            "changed_meanwhile": shown is not None and shown != org.version,
            "invalid": (name is not None and not is_name(name)) or (slug is not None and not is_slug(slug)),
            "slug_taken": slug is not None and self.slugs.get(slug, org) is not org,
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        renamed = name is not None and name != org.name
        moved = slug is not None and slug not in org.addresses[-1:]
        org.name = name if name is not None else org.name
        if slug is not None and moved:
            org.addresses.append(slug)
            self.slugs[slug] = org
        org.version += renamed or moved
        return self.settled(org, Outcome(changed=renamed or moved))

    def bill(self, org: Organization, actor: Actor, details: dict[str, str], shown: int | None) -> Outcome:
        if out := self.lacks(org, actor, MANAGE_BILLING):
            return no(*out)
        reasons = {"changed_meanwhile": shown is not None and shown != org.billed, "invalid": not is_bill(details)}
        if any(reasons.values()):
            return no(*true_of(reasons))
        changed = details != org.billing
        org.billing, org.billed = dict(details), org.billed + changed
        return self.settled(org, Outcome(changed=changed))

    def close(self, org: Organization, actor: Actor, typed: str) -> Outcome:
        """At once, for everybody; nothing that was offered is left."""
        if out := self.lacks(org, actor, ADMINISTER) | true_of({"needs_person": actor.token is not None}):
            return no(*out)
        reasons = {
            "prove_again": self.is_unproven(actor),
            "organization_closed": org.closed is not None,
            "invalid": typed.strip() != org.name,
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        told = [each for each in org.members.values() if self.may_restore(each)]
        org.closed, org.version = self.now, org.version + 1
        outcome = Outcome(letters=[("closed", each.address) for each in told], ended=org.handover is not None)
        org.handover = None
        self.pass_on(org, self.pending(org), outcome, None)
        return self.settled(org, outcome)

    def may_restore(self, member: Member) -> bool:
        return member.grant == ADMINISTRATOR and not member.suspended and not self.is_past(member.ends)

    def restore(self, org: Organization, actor: Actor) -> Outcome:
        """By one of its Administrators, who hold nothing in it meanwhile, or by the operator."""
        out = self.keeps_out(org, actor) & {"not_found", "unauthenticated"}
        if out := out | true_of({"needs_person": actor.token is not None}):
            return no(*out)
        member = self.member_of(org, actor.person)
        reasons = {
            "not_closed": org.closed is None,
            "organization_closed": member is not None and not self.may_restore(member),
            "too_late": self.is_over(org),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        org.closed, org.version = None, org.version + 1
        return self.settled(org, Outcome())

    def is_over(self, org: Organization) -> bool:
        return org.closed is not None and org.closed + CLOSED_FOR <= self.now

    def purge(self) -> Outcome:
        """By the clock; of what is over, that which is closed the longest."""
        over = [org for org in self.organizations.values() if self.is_over(org)]
        if over:
            del self.organizations[min(over, key=lambda org: org.closed or self.now).key]
        return Outcome(changed=bool(over))

    # ── Handing over ─────────────────────────────────────────────────────────

    def hand_over(self, org: Organization, actor: Actor, target: int, role: str | None) -> Outcome:
        """Offer somebody to become Administrator; the giver may keep a `role` then."""
        there = target in org.members and self.is_there(org, role)
        person = actor != OPERATOR and actor.token is None
        if out := self.lacks(org, actor, ADMINISTER, there=there) | true_of({"needs_person": not person}):
            return no(*out)
        receiver, giver = org.members[target], self.member_of(org, actor.person)
        assert giver is not None
        inactive = receiver.suspended or self.is_past(receiver.ends) or receiver.person in self.locked_out
        reasons = {
            "prove_again": self.is_unproven(actor),
            "already_administrator": receiver.grant == ADMINISTRATOR,
            "not_active": inactive,
            "invalid": role == ADMINISTRATOR,
            "handover_waits": org.handover is not None and not self.is_past(org.handover.expires),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        org.handover = Handover(giver.key, target, role, self.now + HANDOVER_LASTS)
        return self.settled(org, Outcome(letters=[("handover", receiver.address)]))

    def unreceivable(self, org: Organization, actor: Actor) -> Codes:
        if out := self.keeps_out(org, actor) | true_of({"needs_person": actor.token is not None}):
            return out
        member, waiting = self.member_of(org, actor.person), org.handover
        mine = waiting and member and waiting.receiver == member.key and not self.is_past(waiting.expires)
        return true_of({"handover_closed": not mine})

    def take_on(self, org: Organization, actor: Actor, *, take_over: bool) -> Outcome:
        """Become Administrator; the giver becomes what they keep in the same act."""
        if out := self.unreceivable(org, actor):
            return no(*out)
        handover = org.handover
        assert handover is not None
        giver, receiver = org.members[handover.giver], org.members[handover.receiver]
        then = {
            receiver.key: replace(receiver, grant=ADMINISTRATOR),
            giver.key: replace(giver, grant=handover.role or giver.grant),
        }
        reasons = {
            "sponsor_gone": self.is_past(giver.ends),
            "last_administrator": self.is_orphaned(org, then),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        for key, member in then.items():
            member.version += member.grant != org.members[key].grant
            org.members[key] = member
        org.handover = None
        outcome = Outcome(letters=[("handover_accepted", giver.address)])
        return self.settled(org, outcome, actor if take_over else None)

    def turn_down(self, org: Organization, actor: Actor) -> Outcome:
        if out := self.unreceivable(org, actor):
            return no(*out)
        assert org.handover is not None
        giver = org.members[org.handover.giver]
        org.handover = None
        return self.settled(org, Outcome(letters=[("handover_declined", giver.address)]))

    def withdraw(self, org: Organization, actor: Actor) -> Outcome:
        if out := self.lacks(org, actor, ADMINISTER, there=org.handover is not None):
            return no(*out)
        org.handover = None
        return self.settled(org, Outcome())

    # ── Accounts ─────────────────────────────────────────────────────────────

    def disable(self, person: str) -> Outcome:
        reasons = {
            "disabled": person in self.locked_out,
            "last_administrator": any(
                self.is_orphaned(org, {member.key: None})
                for org in self.organizations.values()
                if (member := self.member_of(org, person))
            ),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        self.locked_out.add(person)
        outcome = Outcome()
        for org in self.organizations.values():
            if self.member_of(org, person):
                self.settled(org, outcome)
        return outcome

    def enable(self, person: str) -> Outcome:
        if person not in self.locked_out:
            return no("not_disabled")
        self.locked_out.remove(person)
        return Outcome()

    def close_account(self, person: str, proved: timedelta | None) -> Outcome:
        """Every membership ends, and whatever names the person is forgotten."""
        mine = [(org, member) for org in self.organizations.values() if (member := self.member_of(org, person))]
        reasons = {
            "prove_again": self.is_unproven(Actor(person, proved=proved)),
            "last_administrator": any(self.is_orphaned(org, {member.key: None}) for org, member in mine),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        outcome = Outcome(letters=[("account/closed", self.addresses[person][0])])
        for org, member in mine:
            self.gone(org, member.key)
            self.settled(org, outcome)
        for org in self.organizations.values():
            org.departed = {key: each for key, each in org.departed.items() if each.person != person}
        return outcome

    def add_address(self, person: str, address: str) -> Outcome:
        self.addresses[person].append(address)
        return Outcome(letters=[("account/address_added", self.addresses[person][0])])

    def let_go(self, person: str, address: str) -> Outcome:
        """Of an address; where one was known by it, one is known by the primary one then."""
        self.addresses[person].remove(address)
        for org in self.organizations.values():
            member = self.member_of(org, person)
            if member and member.address == address:
                member.address = self.addresses[person][0]
        return Outcome()

    def be_known_by(self, org: Organization, actor: Actor, address: str) -> Outcome:
        if out := self.keeps_out(org, actor) | true_of({"needs_person": actor.token is not None}):
            return no(*out)
        if address not in self.addresses[actor.person]:
            return no("not_your_address")
        member = self.member_of(org, actor.person)
        assert member is not None
        changed = member.address != address
        member.address = address
        return self.settled(org, Outcome(changed=changed))

    # ── Workspaces and seats ─────────────────────────────────────────────────

    def create_workspace(self, org: Organization, actor: Actor, key: str, name: str) -> Outcome:
        if out := self.lacks(org, actor, CREATE_WORKSPACES):
            return no(*out)
        if not is_name(name):
            return no("invalid")
        workspace = org.workspaces[key] = Workspace(key, name.strip())
        if member := self.member_of(org, actor.person):
            workspace.seats[member.key] = "manager"
        return self.settled(org, Outcome())

    def change_workspace(
        self, org: Organization, actor: Actor, key: str, name: str | None, slug: str | None, shown: int | None
    ) -> Outcome:
        """`shown` is the version that the page showed."""
        if out := self.lacks(org, actor, MANAGE_WORKSPACE, key):
            return no(*out)
        workspace = org.workspaces[key]
        others = [each for each in org.workspaces.values() if each is not workspace]
        reasons = {
            "changed_meanwhile": shown is not None and shown != workspace.version,
            "invalid": (name is not None and not is_name(name)) or (slug is not None and not is_slug(slug)),
            "slug_taken": any(slug in each.addresses for each in others),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        renamed = name is not None and name != workspace.name
        moved = slug is not None and slug not in workspace.addresses[-1:]
        workspace.name = name if name is not None else workspace.name
        workspace.addresses += [slug] if slug is not None and moved else []
        workspace.version += renamed or moved
        return self.settled(org, Outcome(changed=renamed or moved))

    def archive(self, org: Organization, actor: Actor, key: str, shown: int | None) -> Outcome:
        if out := self.lacks(org, actor, MANAGE_WORKSPACE, key):
            return no(*out)
        workspace = org.workspaces[key]
        reasons = {
            "changed_meanwhile": shown is not None and shown != workspace.version,
            "already_archived": workspace.archived,
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        workspace.archived, workspace.version = True, workspace.version + 1
        return self.settled(org, Outcome())

    def restore_workspace(
        self, org: Organization, actor: Actor, key: str, shown: int | None, *, take_over: bool
    ) -> Outcome:
        if out := self.lacks(org, actor, MANAGE_WORKSPACE, key):
            return no(*out)
        workspace = org.workspaces[key]
        reasons = {
            "changed_meanwhile": shown is not None and shown != workspace.version,
            "not_archived": not workspace.archived,
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        workspace.archived, workspace.version = False, workspace.version + 1
        return self.settled(org, Outcome(), actor if take_over else None)

    def delete_workspace(self, org: Organization, actor: Actor, key: str, shown: int | None) -> Outcome:
        """An archived one, for ever: what anybody was offered there is gone with it."""
        if out := self.lacks(org, actor, ADMINISTER, there=key in org.workspaces):
            return no(*out)
        workspace = org.workspaces[key]
        reasons = {
            "changed_meanwhile": shown is not None and shown != workspace.version,
            "not_archived": not workspace.archived,
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        del org.workspaces[key]
        for offer in org.invitations.values():
            offer.seats.pop(key, None)
        return self.settled(org, Outcome())

    def give_seat(
        self,
        org: Organization,
        actor: Actor,
        workspace: str,
        target: int,
        seat: str,
        shown: str | None = None,
        *,
        take_over: bool = False,
    ) -> Outcome:
        """`shown` is the seat that the page showed, empty for none."""
        if out := self.lacks(org, actor, MANAGE_WORKSPACE, workspace, there=target in org.members):
            return no(*out)
        seats = org.workspaces[workspace].seats
        reasons = {
            "exceeds_your_authority": not self.hands_out(org, actor, {workspace: seat}),
            "changed_meanwhile": shown is not None and shown != seats.get(target, ""),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        changed = seats.get(target) != seat
        seats[target] = seat
        return self.settled(org, Outcome(changed=changed), actor if take_over else None)

    def take_seat(
        self,
        org: Organization,
        actor: Actor,
        workspace: str,
        target: int,
        shown: str | None = None,
        *,
        take_over: bool = False,
    ) -> Outcome:
        if out := self.lacks(org, actor, MANAGE_WORKSPACE, workspace, there=target in org.members):
            return no(*out)
        seats = org.workspaces[workspace].seats
        if target not in seats:
            return no("not_found")
        if shown is not None and shown != seats[target]:
            return no("changed_meanwhile")
        del seats[target]
        return self.settled(org, Outcome(), actor if take_over else None)

    # ── Roles ────────────────────────────────────────────────────────────────

    def add_role(self, org: Organization, actor: Actor, key: str, name: str, permissions: frozenset[str]) -> Outcome:
        if out := self.lacks(org, actor, ADMINISTER):
            return no(*out)
        if out := self.unnameable(org, name):
            return no(*out)
        org.roles[key] = Role(name, permissions, plain(name))
        return self.settled(org, Outcome())

    def change_role(
        self,
        org: Organization,
        actor: Actor,
        key: str,
        name: str | None,
        permissions: frozenset[str] | None,
        shown: int | None,
        *,
        take_over: bool,
    ) -> Outcome:
        if out := self.lacks(org, actor, ADMINISTER, there=self.is_there(org, key)):
            return no(*out)
        if key == ADMINISTRATOR:
            return no("role_fixed")
        role = org.roles[key]
        out = true_of({"changed_meanwhile": shown is not None and shown != role.version})
        if out := out | (frozenset() if name in {None, role.name} else self.unnameable(org, str(name), besides=key)):
            return no(*out)
        newer = replace(
            role,
            name=role.name if name is None else name,
            permissions=role.permissions if permissions is None else permissions,
        )
        changed = (newer.name, completed(newer.permissions)) != (role.name, completed(role.permissions))
        newer.version += changed
        org.roles[key] = newer
        return self.settled(org, Outcome(changed=changed), actor if take_over else None)

    def unnameable(self, org: Organization, name: str, besides: str = "") -> Codes:
        """Whether a role may be called so: files of addresses name roles, by what people or programs call them."""
        taken = {plain(ADMINISTRATOR)}
        for key, role in org.roles.items():
            taken |= {plain(role.name), role.called} if key != besides else set()
        return true_of({"invalid": not is_name(name) or plain(name) == "custom", "name_taken": plain(name) in taken})

    def delete_role(
        self,
        org: Organization,
        actor: Actor,
        key: str,
        instead: Grant | None,
        shown: int | None,
        *,
        take_over: bool,
    ) -> Outcome:
        """While it is in use, only if its holders get another one `instead`."""
        if out := self.lacks(org, actor, ADMINISTER, there=self.is_there(org, key) and self.is_there(org, instead)):
            return no(*out)
        if key == ADMINISTRATOR or key in FIRST_ROLES:
            return no("role_fixed")
        holders = [each for each in org.members.values() if each.grant == key]
        offers = [each for each in self.pending(org) if each.grant == key]
        reasons = {
            "changed_meanwhile": shown is not None and shown != org.roles[key].version,
            "invalid": instead == key,
            "role_in_use": instead is None and bool(holders or offers),
            "prove_again": instead == ADMINISTRATOR and self.is_unproven(actor),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        if instead is not None:
            for member in holders:
                member.grant, member.version = instead, member.version + 1
            for offer in offers:
                offer.grant = instead
        del org.roles[key]
        return self.settled(org, Outcome(), actor if take_over else None)

    # ── Members ──────────────────────────────────────────────────────────────

    def change(
        self,
        org: Organization,
        actor: Actor,
        target: int,
        asked: Change,
        shown: int | None = None,
        *,
        take_over: bool = False,
    ) -> Outcome:
        """`shown` is the version that the page showed."""
        there = target in org.members and self.is_there(org, asked.grant)
        if out := self.lacks(org, actor, MANAGE_MEMBERS, there=there):
            return no(*out)
        member = org.members[target]
        out = true_of({"changed_meanwhile": shown is not None and shown != member.version})
        out |= self.unchangeable(org, actor, member, asked) | self.all_refused(org, actor, [member], asked)
        return no(*out) if out else self.changed(org, actor, [member], asked, take_over=take_over)

    def change_all(
        self, org: Organization, actor: Actor, targets: list[int], asked: Change, *, take_over: bool = False
    ) -> Outcome:
        there = set(targets) <= set(org.members) and self.is_there(org, asked.grant)
        if out := self.lacks(org, actor, MANAGE_MEMBERS, there=there):
            return no(*out)
        rows = [self.unchangeable(org, actor, org.members[target], asked) or DONE for target in targets]
        changing = [org.members[target] for target, row in zip(targets, rows, strict=True) if row == DONE]
        if out := self.all_refused(org, actor, changing, asked):
            return no(*out)
        outcome = self.changed(org, actor, changing, asked, take_over=take_over)
        outcome.rows = rows
        return outcome

    def unchangeable(self, org: Organization, actor: Actor, member: Member, asked: Change) -> Codes:
        """Nobody gives more than they hold, so nobody puts off their own end: after it they hold nothing."""
        then = asked.of(member)
        longer = member.ends is not None and (then.ends is None or then.ends > member.ends)
        beyond = (
            not self.may_touch(org, actor, member)
            or (asked.grant is not None and not self.covers(org, actor, asked.grant))
            or (longer and member.person == actor.person)
        )
        over = asked.status == "active" and self.is_past(then.ends)
        return true_of({"exceeds_your_authority": beyond, "membership_over": over})

    def all_refused(self, org: Organization, actor: Actor, changing: list[Member], asked: Change) -> Codes:
        """What refuses the whole, and not only a row of it."""
        makes = any(self.makes_administrator(each, asked.of(each)) for each in changing)
        return true_of(
            {
                "invalid": self.is_past(asked.end),
                "prove_again": makes and self.is_unproven(actor),
                "last_administrator": self.is_orphaned(org, {each.key: asked.of(each) for each in changing}),
            }
        )

    def makes_administrator(self, member: Member, then: Member) -> bool:
        """Also who was suspended or past the end, and acts again."""
        was_away = member.suspended or self.is_past(member.ends)
        acts_again = was_away and not then.suspended
        return then.grant == ADMINISTRATOR and (member.grant != ADMINISTRATOR or acts_again)

    def changed(
        self, org: Organization, actor: Actor, changing: list[Member], asked: Change, *, take_over: bool
    ) -> Outcome:
        outcome = Outcome(changed=False)
        for member in changing:
            then = asked.of(member)
            if then.suspended != member.suspended and member.person != actor.person:
                outcome.letters.append(("suspended" if then.suspended else "reactivated", member.address))
            if self.differ(then, member):
                then.version += 1
                outcome.changed = True
            org.members[member.key] = then
        return self.settled(org, outcome, actor if take_over else None)

    def differ(self, one: Member, other: Member) -> bool:
        """A custom set and what it is completed to are the same."""
        grants = [each.grant if isinstance(each.grant, str) else completed(each.grant) for each in (one, other)]
        return grants[0] != grants[1] or (one.suspended, one.ends) != (other.suspended, other.ends)

    def remove(self, org: Organization, actor: Actor, targets: list[int], *, take_over: bool = False) -> Outcome:
        if out := self.lacks(org, actor, MANAGE_MEMBERS, there=set(targets) <= set(org.members)):
            return no(*out)
        rows = [self.removable(org, actor, org.members[target]) for target in targets]
        going = {target for target, row in zip(targets, rows, strict=True) if row == DONE}
        if self.is_orphaned(org, dict.fromkeys(going)):
            return no("last_administrator")
        outcome = Outcome(rows=rows, changed=bool(going))
        for key in going:
            member = self.gone(org, key)
            if member.person != actor.person:
                outcome.letters.append(("removed", member.address))
        return self.settled(org, outcome, actor if take_over else None)

    def removable(self, org: Organization, actor: Actor, member: Member) -> Codes:
        if member.person == actor.person and actor.token is not None:  # that is to leave
            return frozenset({"needs_person"})
        return DONE if self.may_touch(org, actor, member) else frozenset({"exceeds_your_authority"})

    def leave(self, org: Organization, actor: Actor) -> Outcome:
        if out := self.keeps_out(org, actor) | true_of({"needs_person": actor.token is not None}):
            return no(*out)
        member = self.member_of(org, actor.person)
        assert member is not None
        if self.is_orphaned(org, {member.key: None}):
            return no("last_administrator")
        self.gone(org, member.key)
        return self.settled(org, Outcome())

    def gone(self, org: Organization, key: int) -> Member:
        """Rights hang on the membership: seats and tokens go with it."""
        seats = {place.key: place.seats.pop(key) for place in org.workspaces.values() if key in place.seats}
        for token in [each for each in org.tokens.values() if each.member == key]:
            self.ended(org, token)
        member = org.members.pop(key)
        grant = org.roles[member.grant].called if member.grant in org.roles else member.grant
        org.departed[key] = Departure(member.person, member.address, grant, seats, self.now)
        return member

    def bring_back(self, org: Organization, actor: Actor, key: int) -> Outcome:
        """Invite somebody who belonged again, to what they held as it is today, as far as the actor may give it."""
        if out := self.lacks(org, actor, MANAGE_MEMBERS):
            return no(*out)
        gone = org.departed.get(key)
        if gone is None or gone.when + DEPARTED_ARE_KNOWN_FOR <= self.now:
            return no("not_found")
        grant = self.called(org, gone.grant)
        reasons = {"already_member": self.member_of(org, gone.person) is not None, "role_gone": grant is None}
        if grant is None or any(reasons.values()):
            return no(*true_of(reasons))
        if not self.covers(org, actor, grant):
            grant = self.permissions(org, grant) & self.held(org, actor) & OF_ORGANIZATIONS
        there = {place: seat for place, seat in gone.seats.items() if place in org.workspaces}
        seats = {
            place: seat
            for place, seat in self.standing(org, there).items()
            if self.hands_out(org, actor, {place: seat})
        }
        line = Line(gone.address, grant, tuple(seats.items()))
        verdict = self.verdict(org, actor, line, set(), self.posted)
        out = frozenset() if verdict in (INVITED, RENEWED) else verdict
        if out := out | true_of({"prove_again": grant == ADMINISTRATOR and self.is_unproven(actor)}):
            return no(*out)
        outcome = Outcome()
        self.offer(org, actor, line, LINK_LIVES, None, outcome)
        return self.settled(org, outcome)

    def called(self, org: Organization, grant: Grant) -> Grant | None:
        """The role of today that programs call so."""
        if grant == ADMINISTRATOR or not isinstance(grant, str):
            return grant
        return next((key for key, role in org.roles.items() if role.called == grant), None)

    # ── Tokens ───────────────────────────────────────────────────────────────

    def issue(self, org: Organization, actor: Actor, days: int | None, limit: frozenset[str] | None) -> Outcome:
        """A token of one's own; narrowed, it is to what one holds, or to what a seat might give."""
        if out := self.keeps_out(org, actor) | true_of({"needs_person": actor.token is not None}):
            return no(*out)
        reasons = {
            "invalid": not is_life_of_token(days) or limit == frozenset(),
            "exceeds_your_authority": limit is not None
            and not completed(limit) & OF_ORGANIZATIONS <= self.held(org, actor),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        member = self.member_of(org, actor.person)
        assert member is not None
        return self.settled(org, self.made(org, member.key, days, limit))

    def issue_service(self, org: Organization, actor: Actor, days: int | None, limit: frozenset[str] | None) -> Outcome:
        if out := self.lacks(org, actor, ADMINISTER) | true_of({"needs_person": actor.token is not None}):
            return no(*out)
        reasons = {
            "prove_again": self.is_unproven(actor),
            "invalid": not is_life_of_token(days)
            or limit == frozenset()
            or (limit is not None and not limit <= OF_SERVICES),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        return self.settled(org, self.made(org, None, days, limit))

    def made(self, org: Organization, member: int | None, days: int | None, limit: frozenset[str] | None) -> Outcome:
        ends = None if days is None else self.now + timedelta(days=days)
        token = Token(self.key(), member, limit, ends)
        org.tokens[token.key] = token
        self.holders[token.key] = org.members[member].person if member else ""
        return Outcome(made=[token.key])

    def revoke_token(self, org: Organization, actor: Actor, target: int, *, take_over: bool) -> Outcome:
        """One's own, and as an Administrator any. A token may end itself, and no other."""
        token = org.tokens.get(target)
        itself = token is not None and token.member is not None and actor.token == target
        out = self.keeps_out(org, actor) | true_of({"needs_person": actor.token is not None and not itself})
        if out:
            return no(*out)
        member = self.member_of(org, actor.person)
        own = token is not None and member is not None and token.member == member.key
        if token is None or not (own or ADMINISTER in self.held(org, actor)):
            return no("not_found")
        if token.member is None and self.is_unproven(actor):
            return no("prove_again")
        through = [offer for offer in self.pending(org) if offer.token == target]
        outcome = Outcome()
        self.ended(org, token)
        taker = actor if take_over and not itself else None
        self.pass_on(org, through, outcome, taker)
        return self.settled(org, outcome, taker)

    def ended(self, org: Organization, token: Token) -> None:
        del org.tokens[token.key]
        for offer in org.invitations.values():
            offer.token = None if offer.token == token.key else offer.token

    # ── Invitations, from the organization's side ────────────────────────────

    def send(
        self,
        org: Organization,
        actor: Actor,
        lines: list[Line],
        *,
        days: int = LINK_LIVES,
        until: datetime | None = None,
        dry: bool = False,
    ) -> Outcome:
        there = all(
            self.is_there(org, line.grant) and {key for key, _seat in line.seats} <= set(org.workspaces)
            for line in lines
        )
        if out := self.lacks(org, actor, MANAGE_MEMBERS, there=there):
            return no(*out)
        if not is_life_of_link(days) or self.is_past(until):
            return no("invalid")
        outcome = Outcome(rows=self.verdicts(org, actor, lines), changed=False)
        good = [line for line, row in zip(lines, outcome.rows, strict=True) if row in (INVITED, RENEWED)]
        if dry:
            return outcome
        if any(line.grant == ADMINISTRATOR for line in good) and self.is_unproven(actor):
            return no("prove_again")
        for line in good:
            self.offer(org, actor, line, days, until, outcome)
        return self.settled(org, outcome)

    def verdicts(self, org: Organization, actor: Actor, lines: list[Line]) -> list[Codes]:
        posted = list(self.posted)
        met: set[str] = set()
        rows = []
        for line in lines:
            rows.append(self.verdict(org, actor, line, met, posted))
            met.add(same(line.address))
            if rows[-1] in (INVITED, RENEWED):
                posted.append((self.now, org.key, same(line.address)))
        return rows

    def verdict(
        self,
        org: Organization,
        actor: Actor,
        line: Line,
        met: set[str],
        posted: list[tuple[datetime, str, str]],
    ) -> Codes:
        if not is_address(line.address):
            return frozenset({"invalid"})
        before = self.waiting(org, line.address)
        beyond = (
            not self.covers(org, actor, line.grant)
            or not self.hands_out(org, actor, dict(line.seats))
            or (before is not None and not self.covers(org, actor, before.grant))
        )
        reasons = {
            "duplicate": same(line.address) in met,
            "already_member": any(each.address == same(line.address) for each in org.members.values()),
            "already_invited": before is not None and not self.expired(before),
            "exceeds_your_authority": beyond,
            "over_limit": self.is_over_limit(org, line.address, posted),
        }
        return true_of(reasons) or (RENEWED if before else INVITED)

    def waiting(self, org: Organization, address: str) -> Invitation | None:
        return next((each for each in self.pending(org) if each.address == same(address)), None)

    def is_over_limit(self, org: Organization, address: str, posted: list[tuple[datetime, str, str]]) -> bool:
        lately = [(sender, to) for when, sender, to in posted if when > self.now - A_DAY]
        allowed = self.on_the_first_day if self.now < org.founded + A_DAY else self.per_day
        return (
            sum(sender == org.key for sender, _to in lately) >= allowed
            or lately.count((org.key, same(address))) >= LETTERS_TO_ONE_ADDRESS
            or sum(to == same(address) for _sender, to in lately) >= LETTERS_TO_ONE_ADDRESS_FROM_ALL
        )

    def offer(
        self,
        org: Organization,
        actor: Actor,
        line: Line,
        days: int,
        until: datetime | None,
        outcome: Outcome,
    ) -> None:
        offer = self.waiting(org, line.address)
        if offer is None:
            offer = Invitation(self.key(), same(line.address), line.grant, {}, None, self.now)
            org.invitations[offer.key] = offer
            outcome.made.append(offer.key)
        offer.grant, offer.seats, offer.membership_ends = line.grant, dict(line.seats), until
        self.renew(org, actor, offer, days, outcome)

    def renew(self, org: Organization, actor: Actor, offer: Invitation, days: int, outcome: Outcome) -> None:
        """Whoever sends it becomes the sponsor, and what they send it through is what it came through."""
        member = self.member_of(org, actor.person)
        offer.sponsor, offer.token = member.key if member else None, actor.token
        offer.number += 1
        end = self.now + timedelta(days=days)
        offer.expires = min(end, offer.membership_ends or end)
        self.posted.append((self.now, org.key, offer.address))
        outcome.letters.append(("invitation", offer.address))
        outcome.changed = True

    def resend(
        self,
        org: Organization,
        actor: Actor,
        targets: list[int],
        grant: Grant | None = None,
        days: int = LINK_LIVES,
        shown: int | None = None,
    ) -> Outcome:
        """`shown` is the number of the newest letter that the page showed."""
        there = set(targets) <= set(org.invitations) and self.is_there(org, grant)
        if out := self.lacks(org, actor, MANAGE_MEMBERS, there=there):
            return no(*out)
        reasons = {"invalid": not is_life_of_link(days), "changed_meanwhile": self.is_old(org, targets, shown)}
        if any(reasons.values()):
            return no(*true_of(reasons))
        posted = list(self.posted)
        outcome = Outcome(changed=False)
        for target in targets:
            outcome.rows.append(self.resendable(org, actor, org.invitations[target], grant, posted))
            posted += [(self.now, org.key, org.invitations[target].address)] * (outcome.rows[-1] == DONE)
        again = [org.invitations[target] for target, row in zip(targets, outcome.rows, strict=True) if row == DONE]
        offered = {offer.grant if grant is None else grant for offer in again}
        if ADMINISTRATOR in offered and self.is_unproven(actor):
            return no("prove_again")
        for offer in again:
            offer.grant = offer.grant if grant is None else grant
            self.renew(org, actor, offer, days, outcome)
        return self.settled(org, outcome)

    def is_old(self, org: Organization, targets: list[int], shown: int | None) -> bool:
        return shown is not None and any(org.invitations[target].number != shown for target in targets)

    def resendable(
        self,
        org: Organization,
        actor: Actor,
        offer: Invitation,
        grant: Grant | None,
        posted: list[tuple[datetime, str, str]],
    ) -> Codes:
        if offer.state != "pending":
            return frozenset({"invitation_closed"})
        newer = offer if grant is None else replace(offer, grant=grant)
        reasons = {
            "exceeds_your_authority": not self.covers(org, actor, offer.grant)
            or not self.could_send(org, actor, newer),
            "over_limit": self.is_over_limit(org, offer.address, posted),
            "membership_over": self.is_past(offer.membership_ends),
        }
        return true_of(reasons) or DONE

    def revoke(self, org: Organization, actor: Actor, targets: list[int], shown: int | None = None) -> Outcome:
        if out := self.lacks(org, actor, MANAGE_MEMBERS, there=set(targets) <= set(org.invitations)):
            return no(*out)
        if self.is_old(org, targets, shown):
            return no("changed_meanwhile")
        rows = [self.revocable(org, actor, org.invitations[target]) for target in targets]
        going = {target for target, row in zip(targets, rows, strict=True) if row == DONE}
        for target in going:
            org.invitations[target].state = "revoked"
        return self.settled(org, Outcome(rows=rows, changed=bool(going)))

    def revocable(self, org: Organization, actor: Actor, offer: Invitation) -> Codes:
        if offer.state != "pending":
            return frozenset({"invitation_closed"})
        return DONE if self.covers(org, actor, offer.grant) else frozenset({"exceeds_your_authority"})

    def make_link(self, org: Organization, actor: Actor, target: int, shown: int | None = None) -> Outcome:
        """To hand over: what resending needs, but no letter leaves."""
        if out := self.lacks(org, actor, MANAGE_MEMBERS, there=target in org.invitations):
            return no(*out)
        offer = org.invitations[target]
        reasons = {
            "changed_meanwhile": self.is_old(org, [target], shown),
            "invitation_closed": offer.state != "pending" or self.expired(offer),
            "exceeds_your_authority": not self.covers(org, actor, offer.grant)
            or not self.could_send(org, actor, offer),
            "membership_over": self.is_past(offer.membership_ends),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        if offer.grant == ADMINISTRATOR and self.is_unproven(actor):
            return no("prove_again")
        offer.links += 1
        return self.settled(org, Outcome())

    # ── Checking ─────────────────────────────────────────────────────────────

    def checked(
        self, org: Organization, asker: Actor, person: str, permission: str, place: str | None
    ) -> tuple[bool | None, str | None]:
        """Whether somebody may do something, or why whoever asks may not ask."""
        if out := self.keeps_out(org, asker):  # of themselves, a member hears that they may do nothing
            [code] = out
            return (False, None) if person == asker.person and code not in NOBODY_ASKS else (None, code)
        if person != asker.person and VIEW_MEMBERS not in self.held(org, asker):
            return None, "missing_permission"
        if permission in OF_WORKSPACES and place is None:
            return False, None
        if person in self.locked_out or (place is not None and not self.is_shown(org, asker, person, place)):
            return False, None
        return permission in self.held(org, Actor(person), place), None

    def is_shown(self, org: Organization, asker: Actor, person: str, place: str) -> bool:
        """Of a workspace that one may not look into one learns only where one sits oneself."""
        token = org.tokens[asker.token or 0]
        if token.member is None:
            return VIEW_WORKSPACES in self.held(org, asker)
        sits = token.member in org.workspaces[place].seats
        return (sits and person == asker.person) or VIEW_WORKSPACE in self.held(org, asker, place)

    # ── Pages ────────────────────────────────────────────────────────────────

    def status(self, org: Organization, person: str) -> int:
        """How an organization receives somebody: signed out, not there for them, one page that says why, or open."""
        if person in self.locked_out:
            return 302
        out = self.keeps_out(org, Actor(person))
        return 404 if "not_found" in out else 403 if out else 200

    def listed(self, org: Organization, person: str) -> tuple[int, set[int], set[int]]:
        """The page of all users: its status, the members and the offers on it."""
        held = self.held(org, Actor(person))
        status = self.status(org, person)
        if status != 200:
            return status, set(), set()
        if VIEW_MEMBERS not in held:
            return 403, set(), set()
        offers = {each.key for each in self.pending(org)} if MANAGE_MEMBERS in held else set()
        return 200, set(org.members), offers

    def shows_member(self, org: Organization, person: str, target: int) -> int:
        """The status of the page of one member."""
        me = self.member_of(org, person)
        seen = VIEW_MEMBERS in self.held(org, Actor(person)) or (me is not None and me.key == target)
        status = self.status(org, person)
        return 404 if status == 200 and not (target in org.members and seen) else status

    def shows_offer(self, org: Organization, person: str, target: int) -> int:
        seen = target in org.invitations and MANAGE_MEMBERS in self.held(org, Actor(person))
        status = self.status(org, person)
        return 404 if status == 200 and not seen else status

    # ── Invitations, from the invited person's side ──────────────────────────

    def accept(self, org: Organization, person: str, target: int) -> Outcome:
        offer = org.invitations[target]
        became = org.members.get(offer.became or 0)
        if became and became.person == person:
            return self.settled(org, Outcome(changed=False))
        reasons = {
            "wrong_account": offer.address not in self.addresses[person],
            "organization_closed": org.closed is not None,
            "invitation_closed": offer.state != "pending" or self.expired(offer),
            "already_member": self.member_of(org, person) is not None,
            "sponsor_gone": offer.state == "pending" and not self.is_sponsored(org, offer),
        }
        if any(reasons.values()):
            return no(*true_of(reasons))
        offer.became = self.admit(org, person, offer.address, offer.grant, offer.membership_ends)
        for key, seat in self.standing(org, offer.seats).items():
            org.workspaces[key].seats[offer.became] = seat
        offer.state = "accepted"
        return self.settled(org, Outcome(made=[offer.became], letters=self.tell_sponsor(org, offer, "accepted")))

    def decline(self, org: Organization, person: str | None, target: int) -> Outcome:
        """Nobody's name is that of whoever holds the link of the letter."""
        offer = org.invitations[target]
        if out := self.unanswerable(offer, person):
            return no(*out)
        offer.state = "declined"
        return self.settled(org, Outcome(letters=self.tell_sponsor(org, offer, "declined")))

    def ask_again(self, org: Organization, person: str | None, target: int) -> Outcome:
        offer = org.invitations[target]
        if out := self.unanswerable(offer, person):
            return no(*out)
        if offer.asked is not None and self.now - offer.asked < A_DAY:
            return no("asked_already")
        offer.asked = self.now
        return self.settled(org, Outcome(letters=[("asked", address) for address in self.whom_to_ask(org, offer)]))

    def unanswerable(self, offer: Invitation, person: str | None) -> Codes:
        return true_of(
            {
                "wrong_account": person is not None and offer.address not in self.addresses.get(person, ()),
                "invitation_closed": offer.state != "pending",
            }
        )

    def tell_sponsor(self, org: Organization, offer: Invitation, what: str) -> list[tuple[str, str]]:
        sponsor = org.members.get(offer.sponsor or 0)
        return [(what, sponsor.address)] if sponsor and not self.keeps_out(org, Actor(sponsor.person)) else []

    def whom_to_ask(self, org: Organization, offer: Invitation) -> set[str]:
        sponsor = org.members.get(offer.sponsor or 0)
        if sponsor and self.is_sponsored(org, offer):
            return {sponsor.address}
        return {
            each.address
            for each in org.members.values()
            if each.person not in self.locked_out and MANAGE_MEMBERS in self.held(org, Actor(each.person))
        }
