"""Everybody who belongs to an organization, and everybody who was asked to: one list, in pages.

Offers stand first, because they wait for somebody; then members; both in the order asked. A page begins after the keys
of the row before it and never counts its way there, so page 1,000 costs what the first one does.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.expressions import F
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.utils.translation import gettext as _

from . import words, workspaces
from .access import Actor
from .errors import Invalid, Refused
from .invitations import Invitation, OfferedSeat
from .memberships import Membership, MembershipQuerySet
from .organizations import Organization
from .outbox import Letter
from .permissions import (
    MANAGER,
    MEMBER,
    MEMBERS_MANAGE,
    MEMBERS_VIEW,
    WORKSPACE,
    WORKSPACE_VIEW,
    Permission,
    catalogue,
)
from .roles import Role
from .workspaces import Seat, Workspace

SIZE = 50
STRIDE = 500  # members that an export has in its hand at a time
FEW = 1000  # up to here rows are gathered and counted; beyond it the list is walked, and says "more"

ALL, ACTIVE, INVITED, UNDELIVERED, SUSPENDED, EXPIRED = "", "active", "invited", "undelivered", "suspended", "expired"
STATES = (ALL, ACTIVE, INVITED, UNDELIVERED, SUSPENDED, EXPIRED)
OF_OFFERS = frozenset({INVITED, UNDELIVERED})

# The keys of offers, and those of members. The last one differs in every row, so no two rows are equal.
SORTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "name": (("address", "id"), ("sort_name", "id")),
    "email": (("address", "id"), ("address", "id")),
    "role": (("grant_id", "address", "id"), ("grant_id", "sort_name", "id")),
    "joined": (("id",), ("joined_at", "id")),
    "active": (("id",), ("active_at", "id")),
}
# What an export tells of each member; an invitation reads email, role and workspaces back.
COLUMNS = (
    "email", "name", "role", "permissions", "status", "workspaces", "joined_at", "expires_at", "last_active_at",
)  # fmt: skip
CUSTOM = "Custom"  # in the place of a role; no slug has a capital
FOR_MANAGERS = frozenset({"joined", "active"})

Row = Invitation | Membership
Rows = models.QuerySet[Any]


@dataclass(frozen=True)
class Question:
    """What somebody asks of the list. `custom` asks for those whose permissions are no role's.

    `can` asks who may do something now, in the whole organization.
    """

    text: str = ""
    role: Role | None = None
    custom: bool = False
    workspace: Workspace | None = None
    state: str = ALL
    can: Permission | None = None
    sort: str = "name"
    descending: bool = False

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise Invalid(_("There is no such order."), field="sort")
        if self.state not in STATES:
            raise Invalid(_("There is no such state."), field="state")
        if self.can and self.can.scope == WORKSPACE:
            raise Invalid(_("Seats give this permission inside each workspace. Ask for the seats."), field="permission")

    @property
    def narrows(self) -> bool:
        """Whether it asks for more than a state."""
        return bool(self.text.strip() or self.role or self.custom or self.workspace or self.can)

    @property
    def order(self) -> str:
        return f"-{self.sort}" if self.descending else self.sort


@dataclass(frozen=True)
class Place:
    """Between two rows: after the row with these keys, or `backward` before it."""

    section: int
    keys: tuple[Any, ...]
    backward: bool = False

    def encode(self, question: Question) -> str:
        keys = [key.isoformat() if isinstance(key, datetime) else str(key) for key in self.keys]
        told = json.dumps([question.order, self.section, self.backward, *keys], separators=(",", ":"))
        return urlsafe_b64encode(told.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, question: Question) -> "Place":
        """The place that a page handed out for the same order, or Invalid."""
        try:
            told = urlsafe_b64decode(text[:2000].encode() + b"=" * (-len(text) % 4))
            order, section, backward, *keys = json.loads(told)
            names = SORTS[question.sort][{0: 0, 1: 1}[section]]
            if order != question.order or not isinstance(backward, bool):
                raise ValueError(order)
            return cls(
                section, tuple(_key(name, key) for name, key in zip(names, keys, strict=True)), backward=backward
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Invalid(_("This place in the list does not exist. Here is its beginning."), field="at") from error


def _key(name: str, told: Any) -> Any:
    if not isinstance(told, str) or "\0" in told:
        raise ValueError(name)
    told.encode()
    if name in {"id", "grant_id"}:
        return UUID(told)
    if name.endswith("_at"):
        at = datetime.fromisoformat(told)
        if at.utcoffset() != timedelta():
            raise ValueError(told)
        return at
    return told


@dataclass(frozen=True)
class Page:
    """Some rows of the list, what lies before and after, and how many there are: FEW + 1 means more than FEW."""

    rows: list[Row]
    found: int
    counts: dict[str, int] | None = None  # for each state, where nothing but the state was asked for
    before: Place | None = None
    after: Place | None = None

    @property
    def pictures(self) -> dict[UUID, str]:
        """Of the members, by the person's id; they came with the rows."""
        return {row.user_id: row.image for row in self.rows if isinstance(row, Membership)}  # type: ignore[attr-defined]


def read(actor: Actor, question: Question, at: Place | None = None, *, size: int = SIZE) -> Page:
    """One page. Offers, activity and joining are for those who manage members."""
    actor.require(MEMBERS_MANAGE if question.sort in FOR_MANAGERS or question.state in OF_OFFERS else MEMBERS_VIEW)
    sections = _sections(actor, question)
    if question.narrows:
        sections, found = _gathered(sections)
        return _page(question, sections, at, size, found=found)
    numbers = _numbers(actor)
    counts = {state: min(sum(numbers[state]), FEW + 1) for state in STATES}
    if question.state:
        sections = [
            section.few() if n <= FEW else section for section, n in zip(sections, numbers[question.state], strict=True)
        ]
    return _page(question, sections, at, size, found=counts[question.state], counts=counts)


def members(actor: Actor, question: Question) -> Rows:
    """The members alone that a question finds, each with its grant, to be read in any order.

    Who can do something is known to those who may see others' permissions.
    """
    for_managers = question.sort in FOR_MANAGERS or question.can
    actor.require(MEMBERS_MANAGE if for_managers else MEMBERS_VIEW)
    _offers, found = _sections(actor, question)
    if question.narrows or question.state in {SUSPENDED, EXPIRED}:
        [found], _number = _gathered([found])
    return found.rows


def everybody(actor: Actor, question: Question) -> list[Row]:
    """All that the question finds, offers first; refused beyond FEW."""
    actor.require(MEMBERS_MANAGE)
    found: list[Row] = [
        row for section in _sections(actor, question) for row in section.gather.select_related("grant")[: FEW + 1]
    ]
    if len(found) > FEW:
        raise too_many()
    return found


def export(actor: Actor, question: Question) -> Iterator[Sequence[str]]:
    """All members that the question finds, row by row below a heading, in the order in which they joined.

    That order never changes, so nobody is missed or told twice while people come and go.
    """
    actor.require(MEMBERS_MANAGE)
    return _exported(actor, replace(question, sort="joined", descending=False))


def _exported(actor: Actor, question: Question) -> Iterator[Sequence[str]]:
    yield COLUMNS
    places = list(workspaces.visible_to(actor).filter(archived_at__isnull=True))
    _offers, members = _sections(actor, question)
    if question.narrows:
        [members], _found = _gathered([members])
    keys = None
    while rows := list(_slice(question, members.rows, 1, keys, backward=False)[:STRIDE]):
        seats = seats_of(actor, rows, places)
        yield from (_row(actor, member, seats[member.pk]) for member in rows)
        keys = _keys(question, 1, rows[-1])


def _row(actor: Actor, member: Membership, seats: Sequence[Workspace]) -> Sequence[str]:
    held = member.grant.permissions
    return (
        member.address,
        member.name,
        member.grant.slug or CUSTOM,
        ";".join(permission.name for permission in catalogue().of_organization if permission in held),
        member.state(actor.now),
        ";".join(place.slug for place in seats),
        *(f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else "" for at in (member.joined_at, member.expires_at, member.active_at)),
    )


def too_many() -> Refused:
    sentence = _("These are more than %(limit)s, too many for one act. Narrow the list down first.")
    return Refused("too_many", sentence % {"limit": f"{FEW:,}"}, field="every")


def seats_of(actor: Actor, rows: Sequence[Row], among: Iterable[Workspace]) -> dict[UUID, list[Workspace]]:
    """Where each of these people sits or is offered a seat, among these workspaces and in their order."""
    seats = seats_with_roles(actor, rows, among)
    return {key: [place for place, _role in found] for key, found in seats.items()}


def seats_with_roles(
    actor: Actor, rows: Sequence[Row], among: Iterable[Workspace]
) -> dict[UUID, list[tuple[Workspace, str]]]:
    """The same, each with the kind of seat.

    Who may not view a workspace sees no more than its managers, here as on its page.
    """
    sits = Seat.objects.filter(membership__in=[row.pk for row in rows if isinstance(row, Membership)])
    offered = OfferedSeat.objects.filter(invitation__in=[row.pk for row in rows if isinstance(row, Invitation)])
    names = ("workspace_id", "role")
    roles = {
        (row, place): role
        for row, place, role in sits.values_list("membership_id", *names).union(
            offered.values_list("invitation_id", *names)
        )
    }
    places = [(place, _seats_shown(actor, place)) for place in among]
    return {
        row.pk: [(place, kind) for place, shown in places if (kind := roles.get((row.pk, place.pk))) in shown]
        for row in rows
    }


def _seats_shown(actor: Actor, workspace: Workspace) -> set[str]:
    return {MEMBER, MANAGER} if actor.can(WORKSPACE_VIEW, workspace) else {MANAGER}


# --- What a question finds -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Section:
    """Offers, or members, that a question finds.

    `rows` are tested one by one in the order of the list: right where many are found. `gather` fetches them through
    whatever index finds them: right where few are. The database cannot know which of the two it is, and would walk
    100,000 rows to find ten, or sort 100,000 to show fifty.
    """

    rows: Rows
    gather: Rows

    @property
    def is_empty(self) -> bool:
        return self.rows.query.is_empty()

    def few(self, ids: Iterable[UUID] | None = None) -> "_Section":
        """The same, gathered first, or these if they are known: named one by one, so there is nothing to guess."""
        if self.is_empty:
            return self
        found = self.gather.values("pk")[:FEW] if ids is None else ids
        named = self.rows.model._default_manager.filter(pk__in=found)
        named.query.select_related = self.rows.query.select_related
        return _Section(named, named)

    def narrowed(self, actor: Actor, question: Question, seat: type[models.Model], owner: str) -> "_Section":
        rows, gather, where = self.rows, self.gather, models.Q()
        if question.text.strip():
            for term in words.fold(question.text).split() or ["\n"]:  # no letter and no digit: nobody is called that
                where &= models.Q(search__contains=f" {term}")
        if question.role:
            where &= models.Q(grant=question.role)
        if question.custom:
            custom = Role.objects.filter(slug__isnull=True)
            rows = rows.filter(models.Exists(custom.filter(pk=models.OuterRef("grant"))))
            gather = gather.filter(grant__in=custom.filter(organization=models.OuterRef("organization")))
        if question.workspace:
            seats = seat._default_manager.filter(
                workspace=question.workspace, role__in=_seats_shown(actor, question.workspace)
            )
            rows = rows.filter(models.Exists(seats.filter(**{owner: models.OuterRef("pk")})))
            gather = gather.filter(pk__in=seats.values(owner))
        return _Section(rows.filter(where), gather.filter(where))

    def able(self, actor: Actor, permission: Permission) -> "_Section":
        """Those of these members who hold it now."""
        sets = [role for role in Role.objects.filter(organization=actor.organization) if permission in role.permissions]
        fits = models.Q(grant__in=sets, user__is_active=True)
        return _Section(self.rows.active(actor.now).filter(fits), self.gather.active(actor.now).filter(fits))  # type: ignore[attr-defined]


def _sections(actor: Actor, question: Question) -> list[_Section]:
    offers = _offers(actor, question.state).narrowed(actor, question, OfferedSeat, "invitation")
    members = _members(actor, question.state).narrowed(actor, question, Seat, "membership")
    return [offers, members.able(actor, question.can) if question.can else members]


def _offers(actor: Actor, state: str) -> _Section:
    rows = gather = actor.organization.invitations.pending()
    if state in {ACTIVE, SUSPENDED} or not actor.can(MEMBERS_MANAGE):
        rows = gather = rows.none()
    elif state == UNDELIVERED:
        given_up = Letter.objects.filter(organization_id=actor.organization.pk, state=Letter.State.GIVEN_UP)
        rows = rows.filter(letter__in=given_up)
        # Said without the organization, which these letters name: so SQLite begins with the letters.
        gather = Invitation.objects.pending().filter(letter__in=given_up)
    elif state:
        ended, lasts = models.Q(expires_at__lte=actor.now), models.Q(expires_at__gt=actor.now)
        rows = rows.filter(models.Q(letter__isnull=True) | ~models.Q(letter__state=Letter.State.GIVEN_UP))
        # Said as a negation, no index of ends lures SQLite away from the order of the list.
        rows, gather = (
            (rows.exclude(ended), rows.filter(lasts)) if state == INVITED else (rows.exclude(lasts), rows.filter(ended))
        )
    return _Section(rows.select_related("grant", "letter", "sponsor"), gather)


def _members(actor: Actor, state: str) -> _Section:
    rows: MembershipQuerySet = Membership.objects.filter(organization=actor.organization).select_related(None)
    if state in OF_OFFERS:
        rows = rows.none()
    elif state == ACTIVE:
        rows = rows.active(actor.now)
    elif state == SUSPENDED:
        rows = rows.suspended().order_by("sort_name")  # without order SQLite overlooks the index of the suspended
    elif state == EXPIRED:
        rows = rows.expired(actor.now)
    return _Section(rows.select_related("grant"), rows)


def _gathered(sections: Iterable[_Section]) -> tuple[list[_Section], int]:
    """Each section with its rows named if they are few, and how many all are."""
    result: list[_Section] = []
    found = 0
    for section in sections:
        ids = list(section.gather.order_by().values_list("pk", flat=True)[: FEW + 1])
        found += len(ids)
        result.append(section.few(ids) if len(ids) <= FEW else section)
    return result, min(found, FEW + 1)


class _Capped(models.Subquery):
    """How many rows there are, counted no further than FEW + 1."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = models.IntegerField()

    def __init__(self, rows: Rows):
        super().__init__(rows.values("pk")[: FEW + 1])


def _numbers(actor: Actor) -> dict[str, list[int]]:
    """How many offers and how many members there are in each state, in one statement."""
    asked = {
        f"{name}{n}": section.gather
        for n, state in enumerate(STATES)
        for name, section in (("offers", _offers(actor, state)), ("members", _members(actor, state)))
        if not section.is_empty
    }
    parts = {name: _Capped(rows) for name, rows in asked.items()}
    [found] = Organization.objects.filter(pk=actor.organization.pk).values(**parts)
    return {
        state: [int(str(found.get(f"{name}{n}", 0))) for name in ("offers", "members")]
        for n, state in enumerate(STATES)
    }


# --- Pages ---------------------------------------------------------------------------------------------------------


def _page(question: Question, sections: Sequence[_Section], at: Place | None, size: int, **told: Any) -> Page:
    backward = bool(at and at.backward)
    order = range(len(sections))
    rows: list[tuple[int, Row]] = []
    for n in reversed(order) if backward else order:
        if at and (n > at.section if backward else n < at.section):
            continue
        keys = at.keys if at and n == at.section else None
        wanted = size + 1 - len(rows)
        found = _slice(question, sections[n].rows, n, keys, backward=backward)
        if isinstance(found, MembershipQuerySet):
            found = found.with_pictures()
        rows += [(n, row) for row in found[:wanted]] if wanted else []
    more, rows = len(rows) > size, rows[:size]
    if backward:
        rows.reverse()
    before, after = (more, True) if backward else (bool(at), more)
    return Page(
        [row for _n, row in rows],
        before=_place(question, *rows[0], backward=True) if rows and before else None,
        after=_place(question, *rows[-1]) if rows and after else None,
        **told,
    )


def _slice(question: Question, rows: Rows, section: int, keys: tuple[Any, ...] | None, *, backward: bool) -> Rows:
    """The rows of one section in order, from these keys on."""
    names = SORTS[question.sort][section]
    falling = question.descending != backward
    if keys:
        beyond = TupleLessThan if falling else TupleGreaterThan
        rows = rows.filter(beyond(Tuple(*map(F, names)), keys))
    return rows.order_by(*(f"-{name}" if falling else name for name in names))


def _place(question: Question, section: int, row: Row, *, backward: bool = False) -> Place:
    return Place(section, _keys(question, section, row), backward=backward)


def _keys(question: Question, section: int, row: Row) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in SORTS[question.sort][section])
