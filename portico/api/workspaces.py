"""Workspaces and who sits in them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Body, Query
from pydantic import Field

from portico.domain import memberships, workspaces
from portico.domain.access import Member, Service
from portico.domain.errors import Missing, changed_meanwhile
from portico.domain.memberships import Membership
from portico.domain.workspaces import Seat as SeatRow
from portico.domain.workspaces import Workspace as Row

from . import answers, auth, lists, named
from .lists import Part
from .operations import Asked, Router, Shown, left_out
from .organizations import Color

router = Router(tags=["Workspaces"])
BY_NAME, BY_MEMBER = ("name", "id"), ("membership__sort_name", "id")


class Workspace(Shown):
    """A part of an organization with its own people."""

    id: UUID
    slug: str = Field(examples=["payments"])
    name: str = Field(examples=["Payments"])
    description: str
    color: Color
    seat: Literal["manager", "member"] | None = Field(description="Mine; null where I have none")
    created_at: datetime
    archived_at: datetime | None = Field(description="Since when its seats give nothing; null while it is open")


class Workspaces(Shown):
    items: list[Workspace]
    next: str | None


class NewWorkspace(Asked):
    name: str = Field(examples=["Payments"])
    slug: str = left_out(description="Without one it is made from the name", examples=["payments"])
    description: str = left_out(description="200 characters at most")
    color: Color = left_out()


class WorkspaceDetails(Asked):
    name: str = left_out(examples=["Payments"])
    slug: str = left_out(description="A former one stays this workspace's and leads here", examples=["payments"])
    description: str = left_out(description="200 characters at most")
    color: Color = left_out()


class Scope(Part):
    scope: Literal["mine", "all"] = Field("all", description="Where I have a seat, or all that I may see")


class SitsThere(Shown):
    """Who sits there, as the organization knows them."""

    id: UUID
    name: str = Field(examples=["Ann Lee"])
    email: str = Field(examples=["ann@example.org"])


class Seat(Shown):
    member: UUID = Field(description="The membership's id")
    user: SitsThere
    role: Literal["manager", "member"]


class Seats(Shown):
    items: list[Seat]
    next: str | None


class SeatGiven(Asked):
    role: Literal["manager", "member"]


# --- Which there are -----------------------------------------------------------------------------------------------


@router.get("/organizations/{org}/workspaces", response=Workspaces)
def every(request: HttpRequest, org: str, asked: Query[Scope]) -> dict[str, Any]:
    """Those I may see

    Where I have a seat, and with `workspaces.view_all` all. Archived ones only for Administrators.
    """
    actor = auth.active_in(request, org)
    rows = workspaces.mine(actor) if asked.scope == "mine" else workspaces.visible_to(actor)
    return lists.part(rows, asked, lambda row: told(actor, row), order=BY_NAME)


@router.post("/organizations/{org}/workspaces", response={201: Workspace})
def create(request: HttpRequest, org: str, body: Body[NewWorkspace]) -> HttpResponse:
    """Create one, and be its first manager

    Needs `workspaces.create`.
    """
    actor = auth.actor_in(request, org)
    row = workspaces.create(actor, **body.given)
    path = f"/organizations/{auth.place(actor).slug}/workspaces/{row.slug}"
    return answers.made(told(actor, row), path, row.version)


# --- One -----------------------------------------------------------------------------------------------------------


@router.get("/organizations/{org}/workspaces/{workspace}", response=Workspace)
def show(request: HttpRequest, org: str, workspace: str) -> HttpResponse:
    """One workspace

    For who has a seat in it, or `workspaces.view_all`.
    """
    actor = auth.active_in(request, org)
    return one(request, actor, named.workspace(actor, workspace))


@router.patch("/organizations/{org}/workspaces/{workspace}", response=Workspace)
def change(request: HttpRequest, org: str, workspace: str, body: Body[WorkspaceDetails]) -> HttpResponse:
    """Change its name, address, description or colour

    What is left out stays. Needs a manager's seat there, or an Administrator; so do archiving, restoring and its seats.
    """
    actor = auth.active_in(request, org)
    row = named.workspace(actor, workspace)
    row = workspaces.change(actor, workspace=row, **body.given, version=answers.shown(request, row.version))
    return one(request, actor, row)


@router.delete("/organizations/{org}/workspaces/{workspace}", response={204: None})
def delete(request: HttpRequest, org: str, workspace: str) -> None:
    """Delete it for ever

    Once it is archived. Needs an Administrator.
    """
    actor = auth.active_in(request, org)
    row = named.workspace(actor, workspace)
    workspaces.delete(actor, workspace=row, version=answers.shown(request, row.version))


@router.post("/organizations/{org}/workspaces/{workspace}/archive", response=Workspace)
def archive(request: HttpRequest, org: str, workspace: str) -> HttpResponse:
    """Close it

    Its seats stay and give nothing any more.
    """
    actor = auth.active_in(request, org)
    return one(request, actor, workspaces.archive(actor, workspace=named.workspace(actor, workspace)))


@router.post("/organizations/{org}/workspaces/{workspace}/restore", response=Workspace)
def restore(request: HttpRequest, org: str, workspace: str) -> HttpResponse:
    """Open it again

    With the seats that it had.
    """
    actor = auth.active_in(request, org)
    return one(request, actor, workspaces.restore(actor, workspace=named.workspace(actor, workspace)))


# --- Its seats -----------------------------------------------------------------------------------------------------


@router.get("/organizations/{org}/workspaces/{workspace}/seats", response=Seats)
def seats(request: HttpRequest, org: str, workspace: str, part: Query[Part]) -> dict[str, Any]:
    """Who sits there

    Whoever may not view the workspace sees its managers alone.
    """
    actor = auth.active_in(request, org)
    rows = workspaces.seats_visible_to(actor, named.workspace(actor, workspace))
    return lists.part(rows, part, told_of_seat, order=BY_MEMBER)


@router.put("/organizations/{org}/workspaces/{workspace}/seats/{member}", response=Seat)
def give(request: HttpRequest, org: str, workspace: str, member: str, body: Body[SeatGiven]) -> HttpResponse:
    """Give somebody a seat, or another one"""
    actor = auth.active_in(request, org)
    place = named.workspace(actor, workspace)
    row = seated_or_known(actor, place, member)
    seat = workspaces.give_seat(
        actor, workspace=place, member=row, role=body.role, shown=shown(request, actor, place, row)
    )
    return answers.one(request, told_of_seat(seat))


@router.delete("/organizations/{org}/workspaces/{workspace}/seats/{member}", response={204: None})
def take(request: HttpRequest, org: str, workspace: str, member: str) -> None:
    """Take it away"""
    actor = auth.active_in(request, org)
    place = named.workspace(actor, workspace)
    row = seated_or_known(actor, place, member)
    workspaces.take_seat(actor, workspace=place, member=row, shown=shown(request, actor, place, row))


def seated_or_known(actor: Member | Service, place: Row, sent: str) -> Membership:
    """A member whom the actor sees: in the organization, or in that workspace."""
    try:
        return named.member(actor, sent)
    except Missing:
        seats = workspaces.seats_visible_to(actor, place)
        found = memberships.Membership.objects.filter(seats__in=seats, pk=named.key(sent)).first()
        if found is None:
            raise
        return found


def seat_of(actor: Member | Service, place: Row, member: Membership) -> SeatRow | None:
    return workspaces.seats_visible_to(actor, place).filter(membership=member).first()


def shown(request: HttpRequest, actor: Member | Service, place: Row, member: Membership) -> str | None:
    """The seat that whoever asks has seen, for the command to compare under its lock; None for any."""
    seat = seat_of(actor, place, member)
    seen = answers.is_shown(request, told_of_seat(seat) if seat else {})
    if seen is False:
        raise changed_meanwhile()
    return (seat.role if seat else "") if seen else None


# --- What is answered ----------------------------------------------------------------------------------------------


def one(request: HttpRequest, actor: Member | Service, row: Row) -> HttpResponse:
    return answers.one(request, told(actor, row), row.version)


def told(actor: Member | Service, row: Row) -> dict[str, Any]:
    seats = actor.membership.seats.all() if isinstance(actor, Member) else []
    return {
        "id": row.pk,
        "slug": row.slug,
        "name": row.name,
        "description": row.description,
        "color": row.color,
        "seat": next((seat.role for seat in seats if seat.workspace_id == row.pk), None),
        "created_at": row.created_at,
        "archived_at": row.archived_at,
    }


def told_of_seat(row: SeatRow) -> dict[str, Any]:
    member = row.membership
    user = {"id": member.user_id, "name": member.name, "email": member.address}
    return {"member": member.pk, "user": user, "role": row.role}
