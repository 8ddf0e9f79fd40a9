"""Organization users: everybody who belongs, and everybody who was asked to; and what is done to several at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from portico import spreadsheet
from portico.domain import directory, invitations, memberships, roles, tokens, workspaces
from portico.domain.access import Member
from portico.domain.directory import Page, Place, Question, Row
from portico.domain.errors import Invalid, Refusal
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership, Result
from portico.domain.permissions import MEMBERS_MANAGE, MEMBERS_VIEW, Permissions
from portico.domain.roles import Grant, Role
from portico.domain.workspaces import Workspace

from . import grants, pages
from .forms import question_in, see_other, status

ASKED = ("q", "role", "workspace", "state", "sort")  # what a question is made of, in an address
NAMED = 20  # as many people as a sentence or a confirmation names


@pages.page
@require_safe
def index(request: pages.PageRequest) -> HttpResponse:
    """The list."""
    return listed(request, request.GET)


@pages.page
@require_safe
def export(request: pages.PageRequest) -> StreamingHttpResponse:
    """The members that the same question finds, as a file for a spreadsheet; the Invite page reads it again."""
    actor = request.actor
    actor.require(MEMBERS_MANAGE)
    prefetch_related_objects([actor.membership], "seats")
    question = question_of(request.GET, roles.visible_to(actor), workspaces.visible_to(actor))
    rows = spreadsheet.lines(directory.export(actor, question))
    name = f"{actor.organization.slug}-members-{actor.now:%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8", headers=headers)


@dataclass(frozen=True)
class Line:
    """A row of the list, as this actor sees it."""

    row: Row
    places: str  # where they sit, or will
    permissions: str  # how many, where they are no role's
    last: datetime | None = None
    closed: str = ""  # why it cannot be chosen
    refused: str = ""

    @property
    def is_offer(self) -> bool:
        return isinstance(self.row, Invitation)

    @property
    def chosen(self) -> bool:
        return bool(self.refused)

    @property
    def select(self) -> str:
        who = self.row.address if isinstance(self.row, Invitation) else self.row.name
        said = _("Select %(who)s") % {"who": who}
        return f"{said}: {self.closed}" if self.closed else said


def listed(
    request: pages.PageRequest,
    asked: QueryDict,
    *,
    left: Sequence[Result] = (),
    refusal: Refusal | None = None,
    code: int | None = None,
) -> HttpResponse:
    """The list that `asked` asks for. Rows that an act has `left` stay chosen, each with its sentence."""
    actor = request.actor
    prefetch_related_objects([actor.membership], "seats")
    named, places = list(roles.visible_to(actor)), list(workspaces.visible_to(actor))
    try:
        question = question_of(asked, named, places)
        at = Place.decode(place, question) if (place := asked.get("at", "")) else None
        part = directory.read(actor, question, at)
    except Invalid as error:
        refusal, question, part = error, Question(), directory.read(actor, Question())
    lines = lines_of(actor, question, part, places, left)
    shown = {line.row.pk for line in lines}
    context: dict[str, Any] = {
        "place": "users",
        "manages": actor.can(MEMBERS_MANAGE),
        "question": question,
        "lines": lines,
        "pictures": part.pictures,
        "found": capped(part.found),
        "at": "" if refusal else asked.get("at", ""),
        "before": part.before and part.before.encode(question),
        "after": part.after and part.after.encode(question),
        "tabs": tabs(actor, question, part),
        "sorts": sorts(actor),
        "asked": question_in(asked, ASKED),
        "roles": named,
        "custom": grants.CUSTOM,
        "places": places,
        "elsewhere": [result for result in left if key_of(result) not in shown],
        "left": left,
        "refusal": refusal,
        "alone": part.found <= 1 and not question.narrows and not question.state,
    }
    return pages.render(request, "console/users.html", context, status=code or status(refusal))


def lines_of(
    actor: Member, question: Question, part: Page, places: Sequence[Workspace], left: Iterable[Result]
) -> list[Line]:
    seats = directory.seats_of(actor, part.rows, places)
    refused = {key_of(result): result.refusal.sentence for result in left if result.refusal}
    covered: dict[UUID, bool] = {}
    return [
        Line(
            row,
            places=places_of(row, seats[row.pk]),
            permissions=permissions_of(actor, row),
            last=last_of(row, question),
            closed=""
            if covers(actor, covered, row)
            else _("%(role)s holds more than you do.") % {"role": row.grant.title},
            refused=refused.get(row.pk, ""),
        )
        for row in part.rows
    ]


def places_of(row: Row, seats: Sequence[Workspace]) -> str:
    if isinstance(row, Membership) and row.is_administrator:
        return _("All")
    return ", ".join(place.name for place in seats)


def permissions_of(actor: Member, row: Row) -> str:
    """What one's permissions are is for those who manage members."""
    if not row.grant.is_custom or not actor.can(MEMBERS_MANAGE):
        return ""
    count = len(row.grant.names)
    return ngettext("%d permission", "%d permissions", count) % count


def last_of(row: Row, question: Question) -> datetime | None:
    if isinstance(row, Invitation):
        return None
    return row.joined_at if question.sort == "joined" else row.active_at


def covers(actor: Member, known: dict[UUID, bool], row: Row) -> bool:
    """Whether the actor holds what the row's grant gives; asked once for each grant."""
    if row.grant_id not in known:
        known[row.grant_id] = actor.covers(row.grant.permissions)
    return known[row.grant_id]


def key_of(result: Result) -> UUID:
    return result.row.pk  # type: ignore[attr-defined]  # every row has one


def question_of(asked: Mapping[str, str], named: Iterable[Role], places: Iterable[Workspace]) -> Question:
    role, place = asked.get("role", ""), asked.get("workspace", "")
    sort = asked.get("sort", "") or "name"
    return Question(
        text=asked.get("q", ""),
        role=one(named, role) if role and role != grants.CUSTOM else None,
        custom=role == grants.CUSTOM,
        workspace=one(places, place) if place else None,
        state=asked.get("state", ""),
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
    )


def one(rows: Iterable[Any], slug: str) -> Any:
    for row in rows:
        if row.slug == slug:
            return row
    raise Invalid(_("There is no “%(name)s” here to filter by.") % {"name": slug[:80]}, field="filter")


@dataclass(frozen=True)
class Tab:
    """A state to filter by, with how many there are, where that is known."""

    state: str
    title: str
    count: str
    current: bool


def tabs(actor: Member, question: Question, part: Page) -> list[Tab]:
    titles = {
        directory.ALL: _("All"),
        directory.ACTIVE: _("Active"),
        directory.INVITED: _("Invited"),
        directory.UNDELIVERED: _("Not delivered"),
        directory.SUSPENDED: _("Suspended"),
        directory.EXPIRED: _("Expired"),
    }
    counts = part.counts or {question.state: part.found}
    return [
        Tab(state, title, capped(counts[state]) if state in counts else "", state == question.state)
        for state, title in titles.items()
        if state not in directory.OF_OFFERS or actor.can(MEMBERS_MANAGE)
    ]


def sorts(actor: Member) -> list[tuple[str, str]]:
    """The orders that the list can have, in the words of a select."""
    titles = [
        ("name", _("Name, A to Z")),
        ("-name", _("Name, Z to A")),
        ("email", _("Email, A to Z")),
        ("-email", _("Email, Z to A")),
        ("role", _("Role")),
        ("-role", _("Role, last first")),
        ("-joined", _("Joined, newest first")),
        ("joined", _("Joined, oldest first")),
        ("-active", _("Active, newest first")),
        ("active", _("Active, oldest first")),
    ]
    manages = actor.can(MEMBERS_MANAGE)
    return [(name, title) for name, title in titles if manages or name.removeprefix("-") not in directory.FOR_MANAGERS]


def capped(count: int) -> str:
    return f"{directory.FEW:,}+" if count > directory.FEW else f"{count:,}"


# --- Several at once -----------------------------------------------------------------------------------------------


@pages.page
@require_POST
def selected(request: pages.PageRequest) -> HttpResponse:
    """Resend, revoke, remove or give another role to those that were chosen, or to all that the filter finds."""
    request.actor.require(MEMBERS_MANAGE)
    try:
        act = {"resend": resend, "revoke": revoke, "role": change_role, "remove": remove}.get(
            request.POST.get("do", "")
        )
        if act is None:
            raise Invalid(_("Choose what to do."))
        return act(request, *chosen(request))
    except Refusal as refusal:
        return listed(request, request.POST, refusal=refusal)


def chosen(request: pages.PageRequest) -> tuple[list[Invitation], list[Membership]]:
    """The rows behind the boxes. A row that is gone or another's is refused: nothing is done to the others."""
    actor = request.actor
    if request.POST.get("every"):
        question = question_of(request.POST, roles.visible_to(actor), workspaces.visible_to(actor))
        rows = directory.everybody(actor, question)
        return [r for r in rows if isinstance(r, Invitation)], [r for r in rows if isinstance(r, Membership)]
    keys = {key(text) for text in request.POST.getlist("who")[: directory.FEW + 1]}
    if not keys:
        raise Invalid(_("Choose at least one row."))
    if len(keys) > directory.FEW:
        raise directory.too_many()
    offers = list(invitations.visible_to(actor).filter(pk__in=keys).order_by("address"))
    members = list(memberships.visible_to(actor).filter(pk__in=keys).order_by("sort_name", "id"))
    if len(offers) + len(members) != len(keys):
        raise Invalid(_("Somebody you chose is no longer here."))
    return offers, members


def key(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid(_("Somebody you chose is no longer here.")) from error


def resend(request: pages.PageRequest, offers: list[Invitation], _members: list[Membership]) -> HttpResponse:
    results = invitations.resend(request.actor, invitations=some(offers, _("Choose an invitation to send again.")))
    return answered(
        request, results, lambda n: ngettext("%d letter is on its way.", "%d letters are on their way.", n) % n
    )


def revoke(request: pages.PageRequest, offers: list[Invitation], _members: list[Membership]) -> HttpResponse:
    results = invitations.revoke(request.actor, invitations=some(offers, _("Choose an invitation to revoke.")))
    return answered(
        request, results, lambda n: ngettext("%d invitation is revoked.", "%d invitations are revoked.", n) % n
    )


def change_role(request: pages.PageRequest, _offers: list[Invitation], members: list[Membership]) -> HttpResponse:
    """Another role or other permissions for each. What this would end is shown first."""
    actor, data = request.actor, request.POST
    some(members, _("Choose a member who gets another role."))
    if not data.get("confirmed"):
        return choose_role(request, members)
    try:
        grant = grants.read(actor, data, blank=True)
        ending = ending_with(actor, members, grant)
        if data.get("review") or (ending.offers and data.get("ends") != str(len(ending.offers))):
            return choose_role(request, members, ending=ending)
        results = memberships.change_all(actor, members=members, grant=grant, take_over=bool(data.get("take_over")))
    except Refusal as refusal:
        return choose_role(request, members, refusal=refusal)
    done = sum(result.done for result in results)
    title = grant.role.title if grant.role else _("Custom")
    words = ngettext("%(n)d person now has the role %(role)s.", "%(n)d people now have the role %(role)s.", done)
    said = f"{words % {'n': done, 'role': title}} {ended_with(actor)}".strip()
    return answered(request, results, lambda _n: said, asked=QueryDict(data.get("asked", "")))


def ending_with(actor: Member, members: Sequence[Membership], grant: Grant) -> "Ending":
    """The offers that would end if all of these who can be changed got this grant."""
    mine = [row for row in members if memberships.is_self(actor, row) or actor.covers(row.grant.permissions)]
    myself = any(memberships.is_self(actor, row) for row in mine)
    return Ending(actor, invitations.standing_on(mine, grant, actor.now), myself)


def choose_role(
    request: pages.PageRequest,
    members: list[Membership],
    ending: "Ending | None" = None,
    refusal: Refusal | None = None,
) -> HttpResponse:
    """Which role, for whom, and what ends with the one they have.

    The form asks for a role, so the question of the list, which may ask for one too, travels under a name of its own.
    """
    actor = request.actor
    confirms = "confirmed" in request.POST
    asked = QueryDict(request.POST.get("asked", "")) if confirms else question_in(request.POST, ASKED)
    prefetch_related_objects([actor.membership], "seats")
    of_grant = refusal is not None and refusal.field in {"role", "permissions"}
    context = {
        "place": "users",
        "members": members,
        "named": members[:NAMED],
        "pictures": memberships.pictures(actor, [member.user_id for member in members[:NAMED]]),
        "others": max(0, len(members) - NAMED),
        "grants": grants.typed(actor, request.POST) if confirms else grants.offered(actor),
        "ending": ending,
        "asked": question_in(asked, ASKED),
        "myself": any(memberships.is_self(actor, member) for member in members),
        "wrong": refusal if of_grant else None,
        "refusal": None if of_grant else refusal,
    }
    return pages.render(request, "console/users_role.html", context, status=status(refusal))


def remove(request: pages.PageRequest, _offers: list[Invitation], members: list[Membership]) -> HttpResponse:
    actor = request.actor
    some(members, _("Choose a member to remove."))
    if not request.POST.get("confirmed"):
        return confirm(request, members)
    try:
        results = memberships.remove(actor, members=members, take_over=bool(request.POST.get("take_over")))
    except Refusal as refusal:
        return confirm(request, members, refusal)
    gone = [member for member, result in zip(members, results, strict=True) if result.done]
    if any(memberships.is_self(actor, member) for member in gone):
        messages.success(request, _("You have left %(name)s.") % {"name": actor.organization.name})
        return see_other("home")
    ended = ended_with(actor)
    said = ngettext("%d person is removed.", "%d people are removed.", len(gone)) % len(gone)
    return answered(request, results, lambda _n: f"{said} {ended}".strip())


def some(rows: list[Any], sentence: str) -> list[Any]:
    if not rows:
        raise Invalid(sentence)
    return rows


def ended_with(actor: Member) -> str:
    """Which offers a change has ended, because nobody is left who could send them."""
    count = len(actor.revoked)
    if not count:
        return ""
    if not actor.can(MEMBERS_MANAGE):  # and so does not see whom they were for
        return ngettext("%d invitation is revoked.", "%d invitations are revoked.", count) % count
    addresses = ", ".join(offer.address for offer in actor.revoked[:NAMED]) + (", …" if count > NAMED else "")
    said = ngettext("%(n)d invitation is revoked: %(who)s.", "%(n)d invitations are revoked: %(who)s.", count)
    return said % {"n": count, "who": addresses}


@dataclass(frozen=True)
class Ending:
    """What ends with memberships, or with what they allow: offers, and how many of them the actor could take over."""

    actor: Member
    offers: Sequence[Invitation]
    myself: bool = False  # who gives up what backs them cannot go on with them either

    @property
    def named(self) -> Sequence[Invitation]:
        return self.offers[:NAMED]

    @property
    def others(self) -> int:
        return len(self.offers) - len(self.named)

    @cached_property
    def mine(self) -> int:
        known: dict[tuple[Permissions, tuple[Any, ...]], bool] = {}
        count = 0
        for offer in () if self.myself else self.offers:
            asked = (offer.grant.permissions, tuple(offer.open_seats))
            if asked not in known:
                known[asked] = invitations.may_offer(self.actor, *asked)
            count += known[asked]
        return count


def confirm(request: pages.PageRequest, members: list[Membership], refusal: Refusal | None = None) -> HttpResponse:
    """What will end, before anything does."""
    actor = request.actor
    prefetch_related_objects([actor.membership], "seats")
    places = list(workspaces.visible_to(actor))
    seats = directory.seats_of(actor, members, places)
    myself = any(memberships.is_self(actor, member) for member in members)
    context = {
        "place": "users",
        "members": members,
        "named": [(member, seats[member.pk]) for member in members[:NAMED]],
        "pictures": memberships.pictures(actor, [member.user_id for member in members[:NAMED]]),
        "others": max(0, len(members) - NAMED),
        "tokens": tokens.count_of(members),
        "ending": Ending(actor, invitations.standing_on(members, None, actor.now), myself),
        "asked": question_in(request.POST, ASKED),
        "myself": myself,
        "refusal": refusal,
    }
    return pages.render(request, "console/users_remove.html", context, status=status(refusal))


def answered(
    request: pages.PageRequest, results: Sequence[Result], say: Callable[[int], str], asked: QueryDict | None = None
) -> HttpResponse:
    """Say what was done; what was refused stays chosen, each with its sentence, in the list that was `asked` for."""
    asked = request.POST if asked is None else asked
    done = sum(result.done for result in results)
    left = [result for result in results if not result.done]
    if done:
        messages.success(request, say(done))
    request.actor.refresh()
    if not request.actor.can(MEMBERS_VIEW):  # given up by the very act
        return see_other("dashboard", request.actor.organization.slug)
    if left:
        return listed(request, asked, left=left, code=None if done else status(left[0].refusal))
    again = question_in(asked, ASKED)
    if at := asked.get("at"):
        again["at"] = at
    where = resolve_url("users", request.actor.organization.slug)
    return HttpResponseRedirect(f"{where}?{again.urlencode()}" if again else where, status=303)
