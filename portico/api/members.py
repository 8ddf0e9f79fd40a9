"""Members: who belongs, with which permissions and why; changing and removing one or many."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from ninja import Body, Query
from pydantic import Field

from portico import spreadsheet
from portico.domain import checks, directory, memberships, workspaces
from portico.domain.access import Member as Acting
from portico.domain.access import Service
from portico.domain.checks import Answer
from portico.domain.directory import SORTS, Question
from portico.domain.errors import Invalid
from portico.domain.lookup import Question as Check
from portico.domain.memberships import End, Result, is_self
from portico.domain.memberships import Membership as Row
from portico.domain.permissions import MEMBERS_MANAGE, MEMBERS_VIEW, NONE, catalogue

from . import answers, auth, lists, many, named
from .check import Because, told_of
from .lists import Part
from .operations import Asked, Router, Shown, left_out
from .permissions import names

router = Router(tags=["Members"])
CHANGED, REMOVED = "changed", "removed"
SORTED = {"name": "name", "email": "email", "joined_at": "joined", "last_active_at": "active"}
Status = Literal["active", "suspended", "expired"]
Given = Annotated[list[str], Field(examples=[["members.view"]])]


class MembersUser(Shown):
    """The person, as this organization knows them."""

    id: UUID
    name: str = Field(examples=["Ann Lee"])
    email: str = Field(examples=["ann@example.org"])


class SeatOfMember(Shown):
    slug: str = Field(description="The workspace's", examples=["payments"])
    role: Literal["manager", "member"]


class Member(Shown):
    """One person in one organization. What only those who manage members may see is left out for others."""

    id: UUID = Field(description="The membership's; whoever is removed and returns has another")
    user: MembersUser
    role: str | None = Field(
        description="The role's slug; null where the permissions are no role's", examples=["developer"]
    )
    permissions: Given = left_out(description="As given, with what they imply; for those who manage members")
    effective: Given = left_out(description="What holds now, nothing while suspended or expired; for the same")
    status: Status
    joined_at: datetime = left_out(description="For those who manage members")
    expires_at: datetime | None = left_out(description="When it ends; for those who manage members")
    last_active_at: datetime | None = left_out(description="For those who manage members")
    workspaces: list[SeatOfMember] = Field(description="Where they sit, as far as I may see it")


class Members(Shown):
    items: list[Member]
    next: str | None


class Sought(Part):
    """Which members."""

    query: str = Field("", max_length=254, description="Beginnings of words of name and address")
    role: str = Field("", max_length=254, description="A slug, an id, or `Custom` for permissions that are no role's")
    status: Status | None = None
    permission: str = Field("", max_length=254, description="Who can do this; for those who manage members")
    sort: Literal["name", "email", "joined_at", "last_active_at"] = Field(
        "name", description="The last two for those who manage members"
    )


class Change(Asked):
    """What is left out stays. `role` or `permissions`, never both."""

    role: str = left_out(description="A slug or an id", examples=["developer"])
    permissions: list[str] = left_out(description="Names of the catalogue; they belong to no role then")
    status: Literal["active", "suspended"] = left_out()
    expires_at: datetime | None = left_out(description="When the membership ends; null: never")


class ManyMembers(Asked):
    """The same change for all of these, or `remove`."""

    members: list[str] = Field(min_length=1, max_length=many.MOST, description="Ids of memberships")
    set: Change = left_out()
    remove: Literal[True] = left_out()


class MemberResult(Shown):
    """What became of one of many."""

    id: str = Field(description="As it was asked")
    outcome: str = Field(
        description="`changed`, `removed`, `duplicate` (earlier in this call), `not_found`, or the code of a refusal",
        examples=["changed"],
    )
    member: Member | None = Field(description="As it is now; null where it was refused or removed")
    detail: str | None = Field(description="Why not")


class MemberResults(Shown):
    done: int
    results: list[MemberResult]


class Reason(Shown):
    """One permission: held because of something, or not for a reason."""

    permission: str = Field(examples=["workspaces.create"])
    workspace: str = left_out(description="Of one that is given inside a workspace", examples=["payments"])
    allowed: bool
    because: Because = left_out()
    reason: str = left_out(examples=["not_granted"])


class Access(Shown):
    items: list[Reason]


# --- Reading -------------------------------------------------------------------------------------------------------


@router.get("/organizations/{org}/members", response=Members)
def every(request: HttpRequest, org: str, asked: Query[Sought]) -> dict[str, Any]:
    """Who belongs

    And who can do something (`permission`). Needs `members.view`.
    """
    actor = auth.actor_in(request, org)
    question = sought(actor, asked)
    order = SORTS[question.sort][1]
    rows = lists.following(directory.members(actor, question), asked, order)
    return lists.of_rows(rows, asked, teller(actor, rows), order)


@router.get(
    "/organizations/{org}/members/export",
    openapi_extra={"responses": {200: {"description": "OK", "content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
def export(request: HttpRequest, org: str, asked: Query[Sought]) -> StreamingHttpResponse:
    """Export them as CSV

    All that are sought, in the order in which they joined, whatever `limit`, `cursor` and `sort` say. Inviting reads
    the file again. Cells that a spreadsheet would run are made text. Needs `members.manage`.
    """
    actor = auth.actor_in(request, org)
    rows = spreadsheet.lines(directory.export(actor, sought(actor, asked)))
    return StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")


# Before what takes an id in its place.
@router.post("/organizations/{org}/members/batch", response=MemberResults)
def batch(request: HttpRequest, org: str, body: Body[ManyMembers]) -> dict[str, Any]:
    """Change or remove many

    Up to 1,000 in one command. Each passes or is refused by itself; if no Administrator remained, nothing happens (409
    `last_administrator`).
    """
    actor = auth.active_in(request, org)
    actor.require(MEMBERS_MANAGE)
    act, outcome = act_of(actor, body)
    results = act(members=found(actor, body.members))
    tell = teller(actor, [result.row for result in results])  # type: ignore[misc]
    return many.answer(body.members, results, outcome, "member", tell if outcome == CHANGED else lambda _gone: None)


@router.get("/organizations/{org}/members/{member}", response=Member)
def show(request: HttpRequest, org: str, member: str) -> HttpResponse:
    """One member

    By the membership's id, or `me`. Needs `members.view`; oneself one may always see.
    """
    actor = auth.active_in(request, org)
    return one(request, actor, named.member(actor, member))


@router.get("/organizations/{org}/members/{member}/access", response=Access)
def access(request: HttpRequest, org: str, member: str) -> HttpResponse:
    """What they can do, and why

    Every permission: held because of something, or not for a reason; those of workspaces where they sit. Needs
    `members.manage`; of oneself one may always know.
    """
    actor = auth.active_in(request, org)
    reasons = checks.access(actor, named.member(actor, member))
    return answers.one(request, {"items": [reason(question, answer) for question, answer in reasons]})


# --- Changing ------------------------------------------------------------------------------------------------------


@router.patch("/organizations/{org}/members/{member}", response=Member)
def change(request: HttpRequest, org: str, member: str, body: Body[Change]) -> HttpResponse:
    """Change role or permissions, suspend or reactivate, set or lift the end

    All that one call says is one change. Needs `members.manage`, and to hold what the member holds and gets. To make an
    Administrator, the person proves who they are (403 `prove_again`); a token need not.
    """
    actor = auth.active_in(request, org)
    row = named.member(actor, member)
    actor.require(MEMBERS_MANAGE)  # before roles are looked for, which not everybody may see
    row = memberships.change(actor, member=row, **asked_of(actor, body), version=answers.shown(request, row.version))
    return one(request, actor, row)


@router.delete("/organizations/{org}/members/{member}", response={204: None})
def remove(request: HttpRequest, org: str, member: str) -> None:
    """Remove them

    With their seats, tokens and open invitations. Needs `members.manage`, and to hold what they hold.
    """
    actor = auth.active_in(request, org)
    row = named.member(actor, member)
    [result] = memberships.remove(actor, members=[row], version=answers.shown(request, row.version))
    if result.refusal:
        raise result.refusal


# --- What is asked -------------------------------------------------------------------------------------------------


def sought(actor: Acting | Service, asked: Sought) -> Question:
    actor.require(MEMBERS_VIEW)  # before it is told which roles there are
    permission = catalogue().find(asked.permission) if asked.permission else None
    if asked.permission and permission is None:
        sentence = _("There is no permission “%(name)s”.") % {"name": asked.permission[:80]}
        raise Invalid(sentence, field="permission")
    custom = asked.role == directory.CUSTOM
    return Question(
        text=asked.query,
        role=named.role_sent(actor, asked.role) if asked.role and not custom else None,
        custom=custom,
        state=asked.status or directory.ALL,
        can=permission,
        sort=SORTED[asked.sort],
    )


def asked_of(actor: Acting | Service, body: Change) -> dict[str, Any]:
    """The arguments of the command."""
    given = body.given
    asked: dict[str, Any] = {}
    if grant := named.grant(actor, given):
        asked["grant"] = grant
    if "status" in given:
        asked["status"] = body.status
    if "expires_at" in given:
        asked["end"] = End(named.moment(body.expires_at, "expires_at"))
    if not asked:
        raise Invalid(_("Say what to change."))
    return asked


def act_of(actor: Acting | Service, body: ManyMembers) -> tuple[Callable[..., list[Result]], str]:
    """The command, and what is said of those for whom it was done."""
    if ("set" in body.given) == ("remove" in body.given):
        raise Invalid(_("Say what to set, or to remove them."), field="set")
    if "remove" in body.given:
        return partial(memberships.remove, actor), REMOVED
    return partial(memberships.change_all, actor, **asked_of(actor, body.set)), CHANGED


def found(actor: Acting | Service, ids: Iterable[str]) -> list[Row]:
    return list(memberships.visible_to(actor).filter(pk__in=many.keys(ids)).order_by("id"))


# --- What is answered ----------------------------------------------------------------------------------------------


def one(request: HttpRequest, actor: Acting | Service, row: Row) -> HttpResponse:
    return answers.one(request, teller(actor, [row])(row), row.version)


def teller(actor: Acting | Service, rows: Sequence[Row]) -> Callable[[Row], dict[str, Any]]:
    """Tells of each of these members what the actor may see; what it needs for that is read once for all."""
    here, manages = auth.place(actor), actor.can(MEMBERS_MANAGE)
    seats = directory.seats_with_roles(actor, rows, workspaces.visible_to(actor))

    def told(row: Row) -> dict[str, Any]:
        held = row.grant.permissions
        state = row.state(actor.now)
        whole = {
            "permissions": names(held),
            "effective": names(held if state == memberships.ACTIVE and here.closed_at is None else NONE),
            "joined_at": row.joined_at,
            "expires_at": row.expires_at,
            "last_active_at": row.active_at,
        }
        return {
            "id": row.pk,
            "user": {"id": row.user_id, "name": row.name, "email": row.address},
            "role": row.grant.slug,
            "status": state,
            **(whole if manages or is_self(actor, row) else {}),
            "workspaces": [{"slug": place.slug, "role": kind} for place, kind in seats[row.pk]],
        }

    return told


def reason(question: Check, answer: Answer) -> dict[str, Any]:
    where = {"workspace": question.workspace} if question.workspace else {}
    return {"permission": question.permission, **where, **told_of(answer)}
