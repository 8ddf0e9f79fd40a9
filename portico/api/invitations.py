"""Invitations: inviting one or 10,000, what became of each, sending again and revoking; and answering one's own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from ninja import Body, Query
from pydantic import Field

from portico.domain import addresses, directory, invitations, workspaces
from portico.domain.access import Member, Service
from portico.domain.addresses import Typed
from portico.domain.errors import Invalid, Missing
from portico.domain.invitations import DAYS, Outcome, Terms, Wanted
from portico.domain.invitations import Invitation as Row
from portico.domain.permissions import MEMBERS_MANAGE
from portico.domain.roles import Grant, grant_of
from portico.domain.workspaces import SeatOffer

from . import answers, auth, lists, many, named
from .lists import Part
from .me import Belonging, belonging
from .operations import MB, Asked, Router, Shown, at_most, left_out
from .permissions import names

Found = TypeVar("Found")

router = Router(tags=["Invitations"])
CHUNK = 1000  # invitations that are read at once
NEWEST = ("-id",)
RESENT, REVOKED = "resent", "revoked"
Status = Literal["pending", "expired", "accepted", "declined", "revoked"]
Delivery = Literal["waiting", "sent", "given_up"]


class SeatWanted(Asked):
    workspace: str = Field(description="A slug or an id", examples=["payments"])
    role: Literal["manager", "member"] = "member"


class Addressed(Asked):
    """One address with a grant or seats of its own, in the place of those of the call."""

    email: str = Field(max_length=addresses.LONGEST, examples=["cy@example.org"])
    role: str = left_out(examples=["contributor"])
    permissions: list[str] = left_out()
    workspaces: list[SeatWanted] = left_out()


class NewInvitations(Asked):
    """`role` or `permissions`, exactly one; save where each address has its own."""

    emails: list[Annotated[str, Field(max_length=addresses.LONGEST)] | Addressed] = Field(
        min_length=1, description="10,000 at most; also as `Ann Lee <ann@example.org>`", examples=[["ann@example.org"]]
    )
    role: str | None = Field(None, description="A slug or an id", examples=["developer"])
    permissions: list[str] | None = Field(None, description="Names of the catalogue")
    workspaces: list[SeatWanted] = Field([], description="Seats that come with it")
    message: str = Field("", description="1,000 characters at most", examples=["Welcome!"])
    locale: str = Field("en", description="The language of the letter")
    expires_in_days: int = Field(DAYS, description="So many days the link works, 1 to 30", examples=[DAYS])
    member_until: datetime | None = Field(None, description="When the membership will end; null: never")
    dry_run: bool = Field(False, description="Only say what would become of each")


class InvitationsSponsor(Shown):
    id: UUID = Field(description="The membership's")
    name: str = Field(examples=["Ada"])


class SeatOnOffer(Shown):
    workspace: str = Field(description="Its slug", examples=["payments"])
    role: Literal["manager", "member"]


class Invitation(Shown):
    """An offer of membership to one address."""

    id: UUID
    email: str = Field(examples=["ann@example.org"])
    role: str | None = Field(
        description="The role's slug; null where the permissions are no role's", examples=["developer"]
    )
    permissions: list[str] = Field(description="What it offers, with what they imply", examples=[["members.view"]])
    workspaces: list[SeatOnOffer] = Field(description="Seats that come with it, as far as I may see them")
    message: str
    locale: str = Field(examples=["en"])
    status: Status
    delivery: Delivery | None = Field(
        description="Of its newest letter: `sent` says that a server took it. null: too long ago"
    )
    delivery_detail: str = Field(description="The server's words, where it is given up")
    sponsor: InvitationsSponsor | None = Field(description="null: the operator, or somebody who has left")
    number: int = Field(description="Of its newest letter")
    created_at: datetime
    expires_at: datetime = Field(description="Until when its link works")
    member_until: datetime | None
    closed_at: datetime | None
    reply: str


class Invitations(Shown):
    items: list[Invitation]
    next: str | None


class InvitationResult(Shown):
    """What became of one address."""

    email: str = Field(description="As it is kept; what is none as it was sent", examples=["ann@example.org"])
    outcome: Literal[
        "invited",
        "renewed",
        "already_invited",
        "already_member",
        "invalid",
        "over_limit",
        "exceeds_your_authority",
        "duplicate",
    ]
    invitation: Invitation | None = Field(description="null where there is none, and in a dry run")
    detail: str | None = Field(description="Why not, or how it was read")


class InvitationResults(Shown):
    invited: int = Field(description="To how many a letter goes")
    results: list[InvitationResult] = Field(description="One for each address, in the order asked")


class Searched(Part):
    """Which invitations."""

    status: Status | None = None
    delivery: Delivery | None = Field(None, description="Of the newest letter")
    email: str = Field("", max_length=addresses.LONGEST, description="A whole address")


class Resending(Asked):
    role: str = left_out(description="Offer this role instead", examples=["contributor"])
    permissions: list[str] = left_out(description="Offer these instead")
    expires_in_days: int = Field(DAYS, description="So many days the new link works, 1 to 30", examples=[DAYS])


class HandLink(Shown):
    """A link to hand over oneself."""

    link: str = Field(examples=[f"{settings.BASE_URL}/join/…"])


class ManyInvitations(Asked):
    invitations: list[str] = Field(min_length=1, max_length=many.MOST, description="Ids")
    do: Literal["resend", "revoke"]


class OneOfManyInvitations(Shown):
    """What became of one of many."""

    id: str = Field(description="As it was asked")
    outcome: str = Field(
        description="`resent`, `revoked`, `duplicate` (earlier in this call), `not_found`, or the code of a refusal",
        examples=["resent"],
    )
    invitation: Invitation | None = Field(description="As it is now; null where it was refused")
    detail: str | None = Field(description="Why not")


class ManyInvitationsDone(Shown):
    done: int
    results: list[OneOfManyInvitations]


class Reply(Asked):
    message: str = Field("", description="To whoever invited me; 1,000 characters at most", examples=["Thank you!"])


class Declined(Shown):
    id: UUID
    status: Literal["declined"]


# --- Of an organization --------------------------------------------------------------------------------------------


@router.get("/organizations/{org}/invitations", response=Invitations)
def every(request: HttpRequest, org: str, asked: Query[Searched]) -> dict[str, Any]:
    """Invitations

    The newest first, closed ones too. Needs `members.manage`.
    """
    actor = auth.actor_in(request, org)
    found = invitations.sought(actor, status=asked.status, delivery=asked.delivery, email=asked.email)
    rows = lists.following(found, asked, NEWEST)
    return lists.of_rows(rows, asked, teller(actor, rows), NEWEST)


@router.post("/organizations/{org}/invitations", response=InvitationResults)
@at_most(4 * MB)
def invite(request: HttpRequest, org: str, body: Body[NewInvitations]) -> dict[str, Any]:
    """Invite one or many

    One verdict for each address; the letters of the good ones leave together. Whatever becomes of them, it is 200.
    Needs `members.manage`, and to hold what is offered. To offer Administrator, the person proves who they are.
    """
    actor = auth.actor_in(request, org)
    actor.require(MEMBERS_MANAGE)  # before it is told which roles and workspaces there are
    known = Sent(actor)
    terms = Terms(
        grant=known.grant(body.given),
        seats=known.seats(body.workspaces),
        message=body.message,
        locale=body.locale,
        days=body.expires_in_days,
        member_until=named.moment(body.member_until, "member_until"),
    )
    wanted = [one_wanted(each, known) for each in body.emails]
    run = invitations.preview if body.dry_run else invitations.send
    outcomes = run(actor, wanted=wanted, terms=terms)
    kept = {} if body.dry_run else as_they_are(actor, (each.invitation for each in outcomes if each.invitation))
    results = [told_of_outcome(each, kept) for each in outcomes]
    return {"invited": sum(each.is_good for each in outcomes), "results": results}


# Before what takes an id in its place.
@router.post("/organizations/{org}/invitations/batch", response=ManyInvitationsDone)
def batch(request: HttpRequest, org: str, body: Body[ManyInvitations]) -> dict[str, Any]:
    """Send many again, or revoke them

    Up to 1,000 in one command. Each passes or is refused by itself.
    """
    actor = auth.actor_in(request, org)
    act = partial(invitations.resend if body.do == "resend" else invitations.revoke, actor)
    rows = invitations.visible_to(actor).filter(pk__in=many.keys(body.invitations)).order_by("id")
    results = act(invitations=list(rows))
    kept = as_they_are(actor, [result.row for result in results if result.done])  # type: ignore[misc]
    outcome = RESENT if body.do == "resend" else REVOKED
    return many.answer(body.invitations, results, outcome, "invitation", lambda row: kept[row.pk])


@router.get("/organizations/{org}/invitations/{invitation}", response=Invitation)
def show(request: HttpRequest, org: str, invitation: str) -> HttpResponse:
    """One invitation

    Needs `members.manage`.
    """
    actor = auth.active_in(request, org)
    return one(request, actor, found(actor, invitation))


@router.delete("/organizations/{org}/invitations/{invitation}", response={204: None})
def revoke(request: HttpRequest, org: str, invitation: str) -> None:
    """Revoke it

    Its links say so from now on. What is closed already: 409 `invitation_closed`. Needs `members.manage`, and to hold
    what it offers.
    """
    actor = auth.active_in(request, org)
    row = found(actor, invitation)
    [result] = invitations.revoke(actor, invitations=[row], shown=answers.shown(request, row.number))
    if result.refusal:
        raise result.refusal


@router.post("/organizations/{org}/invitations/{invitation}/resend", response=Invitation)
def resend(request: HttpRequest, org: str, invitation: str, body: Body[Resending] = Resending()) -> HttpResponse:  # noqa: B008  # ninja's way
    """Send it again

    With a newer link, to which the older ones point, and with another grant if one is given. Whoever sends it again
    becomes its sponsor. Needs `members.manage`, and to hold what it offered and offers.
    """
    actor = auth.active_in(request, org)
    row = found(actor, invitation)
    grant = named.grant(actor, body.given)
    [result] = invitations.resend(actor, invitations=[row], grant=grant, days=body.expires_in_days)
    if result.refusal:
        raise result.refusal
    return one(request, actor, found(actor, invitation))


@router.post("/organizations/{org}/invitations/{invitation}/link", response=HandLink)
def link(request: HttpRequest, org: str, invitation: str) -> HttpResponse:
    """Make a link to hand over

    It is told this once, and ends the one before it; the letter's link lives on. Whoever comes by it proves the address
    by a code, like everybody. Needs what sending again needs.
    """
    actor = auth.active_in(request, org)
    token = invitations.make_link(actor, invitation=found(actor, invitation))
    return answers.secret({"link": settings.BASE_URL + reverse("join", args=[token])})


# --- Mine ----------------------------------------------------------------------------------------------------------


@router.post("/invitations/{invitation}/accept", response=Belonging)
def accept(request: HttpRequest, invitation: str, body: Body[Reply] = Reply()) -> HttpResponse:  # noqa: B008  # ninja's way
    """Accept one to me

    To one of my verified addresses. Accepted again by me, it answers the same. Needs the person.
    """
    me = auth.person(request)
    admission = invitations.accept(me, mine(me.user, invitation), reply=body.message)
    return answers.plain(belonging(admission.membership, me))


@router.post("/invitations/{invitation}/decline", response=Declined)
def decline(request: HttpRequest, invitation: str, body: Body[Reply] = Reply()) -> dict[str, Any]:  # noqa: B008  # ninja's way
    """Decline one to me

    To one of my verified addresses. Needs the person.
    """
    me = auth.person(request)
    row = invitations.decline(me, mine(me.user, invitation), reply=body.message)
    return {"id": row.pk, "status": "declined"}


def mine(user: Any, sent: str) -> Row:
    """Of any state; to everybody else it does not exist."""
    row = invitations.addressed_to(user, named.key(sent))
    if row is None:
        raise Missing
    return row


# --- What is asked -------------------------------------------------------------------------------------------------


class Sent:
    """Roles and workspaces as bodies name them; each is looked for once, however many addresses name it."""

    def __init__(self, actor: Member | Service):
        self.actor = actor
        self.grants: dict[str, Grant | Invalid] = {}
        self.places: dict[str, workspaces.Workspace | Invalid] = {}

    def grant(self, sent: Mapping[str, Any]) -> Grant | None:
        role = sent.get("role")
        if role is None or sent.get("permissions") is not None:
            return named.grant(self.actor, sent)  # which asks the catalogue alone
        return _once(self.grants, role, lambda: grant_of(auth.place(self.actor), role, None))

    def seats(self, sent: Iterable[SeatWanted]) -> list[SeatOffer]:
        return [SeatOffer(self.place(each.workspace), each.role) for each in sent]

    def place(self, sent: str) -> workspaces.Workspace:
        return _once(self.places, sent, lambda: named.workspace_sent(self.actor, sent))


def _once(known: dict[str, Found | Invalid], key: str, find: Callable[[], Found]) -> Found:
    """What is found, or not, the first time."""
    if key not in known:
        try:
            known[key] = find()
        except Invalid as wrong:
            known[key] = wrong
    found = known[key]
    if isinstance(found, Invalid):
        raise found
    return found


def one_wanted(sent: str | Addressed, known: Sent) -> Wanted:
    """One line. What is wrong with it is its own problem, and no other's."""
    if isinstance(sent, str):
        return Wanted(entry_of(sent))
    entry = entry_of(sent.email)
    try:
        own_seats = known.seats(sent.workspaces) if "workspaces" in sent.given else None
        return Wanted(entry, known.grant(sent.given), own_seats)
    except Invalid as wrong:
        return Wanted(replace(entry, address=None, problem=entry.problem or wrong.sentence))


def entry_of(text: str) -> Typed:
    """What stands in one place is one address."""
    entries = addresses.read(text)
    return entries[0] if len(entries) == 1 else Typed(text, None, _("Write one address in each place."))


def found(actor: Member | Service, sent: str) -> Row:
    row = invitations.visible_to(actor).filter(pk=named.key(sent)).first()
    if row is None:
        raise Missing
    return row


# --- What is answered ----------------------------------------------------------------------------------------------


def one(request: HttpRequest, actor: Member | Service, row: Row) -> HttpResponse:
    return answers.one(request, teller(actor, [row])(row), row.number)


def as_they_are(actor: Member | Service, rows: Iterable[Row]) -> dict[UUID, dict[str, Any]]:
    """What is told of each of these now, read a thousand at a time."""
    keys = list(dict.fromkeys(row.pk for row in rows))
    told: dict[UUID, dict[str, Any]] = {}
    for start in range(0, len(keys), CHUNK):
        some = list(invitations.visible_to(actor).filter(pk__in=keys[start : start + CHUNK]))
        tell = teller(actor, some)
        told |= {row.pk: tell(row) for row in some}
    return told


def teller(actor: Member | Service, rows: Sequence[Row]) -> Callable[[Row], dict[str, Any]]:
    """Tells of each of these invitations; what it needs for that is read once for all."""
    seats = directory.seats_with_roles(actor, rows, workspaces.visible_to(actor))

    def told(row: Row) -> dict[str, Any]:
        letter, sponsor = row.letter, row.sponsor
        return {
            "id": row.pk,
            "email": row.address,
            "role": row.grant.slug,
            "permissions": names(row.grant.permissions),
            "workspaces": [{"workspace": place.slug, "role": kind} for place, kind in seats[row.pk]],
            "message": row.message,
            "locale": row.locale,
            "status": "expired" if row.is_expired(actor.now) else row.state,
            "delivery": letter.state if letter else None,
            "delivery_detail": letter.detail if letter else "",
            "sponsor": {"id": sponsor.pk, "name": sponsor.name} if sponsor else None,
            "number": row.number,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
            "member_until": row.member_until,
            "closed_at": row.closed_at,
            "reply": row.reply,
        }

    return told


def told_of_outcome(each: Outcome, kept: dict[UUID, dict[str, Any]]) -> dict[str, Any]:
    return {
        "email": each.address or each.entry.text,
        "outcome": each.outcome,
        "invitation": kept.get(each.invitation.pk) if each.invitation else None,
        "detail": each.detail or None,
    }
