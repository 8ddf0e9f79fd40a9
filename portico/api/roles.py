"""Roles: the named sets of permissions of an organization, and what Administrators make of them."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Body, Query
from pydantic import BaseModel, Field

from portico.domain import roles
from portico.domain.access import Member, Service
from portico.domain.permissions import MEMBERS_MANAGE
from portico.domain.roles import Holders, grant_of
from portico.domain.roles import Role as Row

from . import answers, auth, lists, named
from .lists import Part
from .operations import Asked, Router, Shown, left_out
from .permissions import names

router = Router(tags=["Roles"])


class Role(Shown):
    """A named set of permissions."""

    id: UUID
    slug: str = Field(description="Made from the first name; it stays", examples=["developer"])
    name: str = Field(examples=["Developer"])
    permissions: list[str] = Field(description="With what they imply", examples=[["members.view"]])
    administrator: bool = Field(description="Whether it holds everything, now and in the future; one role does")
    members: int = Field(description="How many hold it, in any state")
    invitations: int = left_out(description="How many pending invitations offer it; for those who manage members")


class Roles(Shown):
    items: list[Role]
    next: str | None


class NewRole(Asked):
    name: str = Field(examples=["Support"])
    permissions: list[str] = Field(examples=[["members.view"]])


class RoleDetails(Asked):
    name: str = left_out(examples=["Support"])
    permissions: list[str] = left_out(examples=[["members.view", "workspaces.view_all"]])


class Deletion(BaseModel):
    move_to: str = Field("", max_length=254, description="The role, by slug or id, that its holders get instead")


@router.get("/organizations/{org}/roles", response=Roles)
def every(request: HttpRequest, org: str, part: Query[Part]) -> dict[str, Any]:
    """All roles

    In the order in which they were made. Needs `members.view`.
    """
    actor = auth.actor_in(request, org)
    known = roles.holders(actor)
    return lists.part(roles.visible_to(actor), part, lambda row: told(row, known, actor))


@router.post("/organizations/{org}/roles", response={201: Role})
def add(request: HttpRequest, org: str, body: Body[NewRole]) -> HttpResponse:
    """Add one

    Needs an Administrator.
    """
    actor = auth.actor_in(request, org)
    wanted = grant_of(auth.place(actor), None, body.permissions).permissions
    role = roles.add(actor, name=body.name, permissions=wanted)
    return answers.made(now(role, actor), f"/organizations/{auth.place(actor).slug}/roles/{role.slug}", role.version)


@router.get("/organizations/{org}/roles/{role}", response=Role)
def show(request: HttpRequest, org: str, role: str) -> HttpResponse:
    """One role

    Needs `members.view`.
    """
    actor = auth.actor_in(request, org)
    row = named.role(actor, role)
    return answers.one(request, now(row, actor), row.version)


@router.patch("/organizations/{org}/roles/{role}", response=Role)
def change(request: HttpRequest, org: str, role: str, body: Body[RoleDetails]) -> HttpResponse:
    """Change its name or its permissions

    Whoever holds it holds the new set at once, and invitations whose sponsor could no longer send them are revoked.
    Needs an Administrator.
    """
    actor = auth.actor_in(request, org)
    row = named.role(actor, role)
    given = body.given
    if body.permissions is not None:
        given["permissions"] = grant_of(auth.place(actor), None, body.permissions).permissions
    row = roles.change(actor, role=row, **given, version=answers.shown(request, row.version))
    return answers.one(request, now(row, actor), row.version)


@router.delete("/organizations/{org}/roles/{role}", response={204: None})
def delete(request: HttpRequest, org: str, role: str, asked: Query[Deletion]) -> None:
    """Delete it

    While members or pending invitations hold it: 409 `role_in_use`, unless `move_to` names what they get instead. Needs
    an Administrator.
    """
    actor = auth.actor_in(request, org)
    row = named.role(actor, role)
    move_to = named.role_sent(actor, asked.move_to, "move_to") if asked.move_to else None
    roles.delete(actor, role=row, move_to=move_to, version=answers.shown(request, row.version))


def now(row: Row, actor: Member | Service) -> dict[str, Any]:
    return told(row, roles.holders(actor), actor)


def told(row: Row, known: Holders, actor: Member | Service) -> dict[str, Any]:
    offers = {"invitations": known.offers.get(row.pk, 0)} if actor.can(MEMBERS_MANAGE) else {}
    return {
        "id": row.pk,
        "slug": row.slug,
        "name": row.title,
        "permissions": names(row.permissions),
        "administrator": row.is_administrator,
        "members": known.members.get(row.pk, 0),
        **offers,
    }
