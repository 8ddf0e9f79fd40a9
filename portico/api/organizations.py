"""Organizations: mine, founding one, what every member sees of it, its details, its end and its way back."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Body, Query
from pydantic import Field

from portico.domain import images, memberships, organizations
from portico.domain.organizations import COLORS
from portico.domain.organizations import Organization as Row

from . import answers, auth, lists
from .lists import Part
from .operations import Asked, Router, Shown, left_out

router = Router(tags=["Organizations"])
IMAGE = f"{settings.BASE_URL}/images/0b5e1d3c7a9f48e2-512.webp"
Color = Annotated[str, Field(examples=[COLORS[0]], json_schema_extra={"enum": list(COLORS)})]


class Organization(Shown):
    """A company, a team, a club."""

    id: UUID
    name: str = Field(examples=["Acme"])
    slug: str = Field(examples=["acme"])
    description: str = Field(examples=["Anvils and rockets"])
    image: str | None = Field(description="Where its picture is, 512 pixels wide and high", examples=[IMAGE])
    color: Color
    created_at: datetime


class Organizations(Shown):
    items: list[Organization]
    next: str | None


class NewOrganization(Asked):
    name: str = Field(description="Without what mail programs would make a link of", examples=["Acme"])
    slug: str = left_out(description="Without one it is made from the name", examples=["acme"])
    description: str = left_out(description="200 characters at most", examples=["Anvils and rockets"])
    color: Color = left_out()


class Details(Asked):
    name: str = left_out(description="Without what mail programs would make a link of", examples=["Acme"])
    slug: str = left_out(description="A former one stays this organization's and leads here", examples=["acme"])
    description: str = left_out(description="200 characters at most", examples=["Anvils and rockets"])
    color: Color = left_out()


class Left(Shown):
    """What one belonged to."""

    id: UUID
    name: str
    slug: str


# --- Which there are -----------------------------------------------------------------------------------------------


@router.get("/organizations", response=Organizations)
def mine(request: HttpRequest, part: Query[Part]) -> dict[str, Any]:
    """Those I belong to

    As far as I am an active member there; `/me/organizations` has all. With a token it is the token's.
    """
    who = auth.asker(request)
    if who.by_token is not None:
        here = auth.place_of_token(who.by_token)
        return lists.of_sequence([told(here)] if here else [], part, "id")
    rows = organizations.of(auth.person(request).user).effective(who.now)
    return lists.part(rows, part, lambda row: told(row.organization), order=("organization__name", "id"))


@router.post("/organizations", response={201: Organization})
def found(request: HttpRequest, body: Body[NewOrganization]) -> HttpResponse:
    """Found one, and be its first Administrator

    Needs the person: a token cannot. Where only the operator founds organizations: 403 `founding_closed`.
    """
    organization = organizations.found(auth.person(request), **body.given).organization
    return answers.made(told(organization), f"/organizations/{organization.slug}", organization.version)


# --- One -----------------------------------------------------------------------------------------------------------


@router.get("/organizations/{org}", response=Organization)
def show(request: HttpRequest, org: str) -> HttpResponse:
    """One organization

    For each of its active members, and each of its tokens.
    """
    return one(request, auth.place(auth.active_in(request, org)))


@router.patch("/organizations/{org}", response=Organization)
def change(request: HttpRequest, org: str, body: Body[Details]) -> HttpResponse:
    """Change its name, address, description or colour

    What is left out stays. Needs `organization.manage`.
    """
    actor = auth.actor_in(request, org)
    return one(request, organizations.change(actor, **body.given, version=shown(request, actor)))


@router.delete("/organizations/{org}", response={204: None})
def close(request: HttpRequest, org: str) -> None:
    """Close it for everybody

    For 14 days its Administrators can restore it; then it is gone. Needs an Administrator in person, who has shown the
    password or passkey within 15 minutes (403 `prove_again`).
    """
    actor = auth.actor_in(request, org)
    # A form asks for its name to be typed. Here its address is that: whoever asks has named it.
    organizations.close(actor, name=auth.place(actor).name, version=shown(request, actor))


@router.post("/organizations/{org}/restore", response=Organization)
def restore(request: HttpRequest, org: str) -> HttpResponse:
    """Open it again

    For one of its Administrators in person, within 14 days.
    """
    return one(request, organizations.restore(auth.member_in(request, org)))


@router.post("/organizations/{org}/leave", response=Left)
def leave(request: HttpRequest, org: str) -> dict[str, Any]:
    """Leave it

    With one's seats, tokens and open invitations. Needs the person; the last Administrator cannot.
    """
    actor = auth.member_in(request, org)
    memberships.leave(actor)
    here = actor.organization
    return {"id": here.pk, "name": here.name, "slug": here.slug}


def shown(request: HttpRequest, actor: Any) -> int | None:
    return answers.shown(request, auth.place(actor).version)


def one(request: HttpRequest, organization: Row) -> HttpResponse:
    return answers.one(request, told(organization), organization.version)


def told(organization: Row) -> dict[str, Any]:
    return {
        "id": organization.pk,
        "name": organization.name,
        "slug": organization.slug,
        "description": organization.description,
        "image": picture(organization.image),
        "color": organization.color,
        "created_at": organization.created_at,
    }


def picture(name: str) -> str | None:
    """Where a picture is, of an organization or a person."""
    return settings.BASE_URL + reverse("image", args=[images.file_of(name, images.LARGE)]) if name else None
