"""The person behind the session, or what a token is."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Body, Query
from pydantic import Field

from portico.domain import accounts, invitations, organizations
from portico.domain.access import Member, Person, Service
from portico.domain.errors import changed_meanwhile
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership

from . import answers, auth, lists
from .lists import Part
from .operations import Asked, Router, Shown, left_out
from .organizations import Organization, picture
from .organizations import told as told_of_organization
from .permissions import names

router = Router(tags=["Me"])


class MyToken(Shown):
    """By which I ask."""

    id: UUID
    name: str
    service: bool = Field(description="Of the organization and not of a member: reads and checks, nothing else")
    organization: UUID | None = Field(description="null: the operator's, which may ask about every organization")
    permissions: list[str] | None = Field(description="What it is narrowed to; null is full access")
    expires_at: datetime | None


class Me(Shown):
    """Who asks. A service token is no person's, so it has `token` alone."""

    id: UUID = left_out()
    name: str = left_out(examples=["Ann Lee"])
    email: str = left_out(description="The primary address; by a token the one that its organization knows")
    locale: str = left_out(examples=["en"])
    image: str | None = left_out(description="Where my picture is, 512 pixels wide and high")
    created_at: datetime = left_out()
    token: MyToken = left_out(description="By a token only")


class MyName(Asked):
    name: str = left_out(examples=["Ann Lee"])


class Belonging(Shown):
    """One membership of mine. What I may do there says `…/members/me/access`."""

    member: UUID = Field(description="The membership's id")
    organization: Organization
    role: str | None = Field(
        description="The role's slug; null where I have permissions of my own", examples=["developer"]
    )
    permissions: list[str] = Field(description="As given, with what they imply")
    status: Literal["active", "suspended", "expired"]
    closed: bool = Field(description="Whether the organization is closed; then nobody may do anything there")
    email: str = Field(description="By which of my addresses I am known there")
    joined_at: datetime
    expires_at: datetime | None


class Belongings(Shown):
    items: list[Belonging]
    next: str | None


class Sponsor(Shown):
    name: str
    email: str


class OfferedSeat(Shown):
    workspace: str = Field(description="Its name")
    role: Literal["manager", "member"]


class Offer(Shown):
    """An invitation to one of my verified addresses that I can accept or decline."""

    id: UUID
    organization: Organization
    email: str
    role: str | None
    permissions: list[str]
    workspaces: list[OfferedSeat]
    message: str
    sponsor: Sponsor | None = Field(description="null: the operator, or somebody who has left")
    created_at: datetime
    expires_at: datetime
    member_until: datetime | None


class Offers(Shown):
    items: list[Offer]
    next: str | None


@router.get("/me", response=Me)
def show(request: HttpRequest) -> HttpResponse:
    """Who asks"""
    return answers.one(request, whoever(request))


@router.patch("/me", response=Me)
def change(request: HttpRequest, body: Body[MyName]) -> HttpResponse:
    """Change how I am called

    Everywhere. Needs the person.
    """
    me = auth.person(request)
    shown = answers.is_shown(request, told(me))
    if shown is False:
        raise changed_meanwhile()
    if body.name is not None:
        accounts.rename(me, body.name, was=me.user.name if shown else None)
    return answers.one(request, told(me))


@router.get("/me/organizations", response=Belongings)
def mine(request: HttpRequest, part: Query[Part]) -> dict[str, Any]:
    """Where I belong

    In whatever state, also where I am suspended and where the organization is closed. Needs the person.
    """
    me = auth.person(request)
    mine = organizations.of(me.user)
    return lists.part(mine, part, lambda row: belonging(row, me), order=("organization__name", "id"))


@router.get("/me/invitations", response=Offers)
def offers(request: HttpRequest, part: Query[Part]) -> dict[str, Any]:
    """Invitations that wait for me

    Open ones to any of my verified addresses. Needs the person.
    """
    me = auth.person(request)
    waiting = invitations.waiting_for(me.user).prefetch_related("seats__workspace")
    return lists.part(waiting, part, offer)


def whoever(request: HttpRequest) -> dict[str, Any]:
    actor = auth.asker(request).by_token
    if actor is None:
        return told(auth.person(request))
    token = {"token": told_of_token(actor)}
    if isinstance(actor, Service):
        return token
    user = actor.membership.user
    known_here = {"name": actor.membership.name, "email": actor.membership.address}
    return {"id": user.pk, **known_here, "image": picture(user.image), **token}


def told(me: Person) -> dict[str, Any]:
    return {
        "id": me.user.pk,
        "name": me.user.name,
        "email": me.user.email,
        "locale": me.user.locale,
        "image": picture(me.user.image),
        "created_at": me.user.created_at,
    }


def told_of_token(actor: Member | Service) -> dict[str, Any]:
    token = actor.token
    assert token is not None  # noqa: S101  # it asks by one
    return {
        "id": token.pk,
        "name": token.name,
        "service": token.is_service,
        "organization": token.organization_id,
        "permissions": token.limit.names if token.limit else None,
        "expires_at": token.expires_at,
    }


def belonging(row: Membership, me: Person) -> dict[str, Any]:
    return {
        "member": row.pk,
        "organization": told_of_organization(row.organization),
        "role": row.grant.slug,
        "permissions": names(row.grant.permissions),
        "status": row.state(me.now),
        "closed": row.organization.closed_at is not None,
        "email": row.address,
        "joined_at": row.joined_at,
        "expires_at": row.expires_at,
    }


def offer(row: Invitation) -> dict[str, Any]:
    sponsor = row.sponsor
    return {
        "id": row.pk,
        "organization": told_of_organization(row.organization),
        "email": row.address,
        "role": row.grant.slug,
        "permissions": names(row.grant.permissions),
        "workspaces": [{"workspace": seat.workspace.name, "role": seat.role} for seat in row.open_seats],
        "message": row.message,
        "sponsor": {"name": sponsor.name, "email": sponsor.address} if sponsor else None,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "member_until": row.member_until,
    }
