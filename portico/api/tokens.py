"""Tokens: one's own, and for Administrators everybody's and the organization's; making one, and revoking it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Body, Query
from pydantic import Field

from portico.domain import tokens
from portico.domain.errors import Missing, changed_meanwhile
from portico.domain.tokens import DAYS
from portico.domain.tokens import Token as Row

from . import answers, auth, lists, named
from .lists import Part
from .operations import Asked, Router, Shown

router = Router(tags=["Tokens"])
NEWEST = ("-id",)


class Holder(Shown):
    """The member whose authority it has."""

    id: UUID = Field(description="The membership's")
    name: str = Field(examples=["Ann Lee"])
    email: str = Field(examples=["ann@example.org"])


class Token(Shown):
    """A secret for programs. The secret itself is shown once, when it is made."""

    id: UUID
    name: str = Field(examples=["Nightly import"])
    prefix: str = Field(description="How its secret begins", examples=["ptc_3fK9"])
    service: bool = Field(description="Of the organization and not of a member: reads and checks, nothing else")
    member: Holder | None = Field(description="null: the organization's")
    permissions: list[str] | None = Field(description="What it is narrowed to; null is full access")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class Tokens(Shown):
    items: list[Token]
    next: str | None


class NewToken(Asked):
    name: str = Field(examples=["Nightly import"])
    days: int | None = Field(DAYS, description="So many days it is good; null: for ever", examples=[DAYS])
    permissions: list[str] | None = Field(None, description="What it is narrowed to; null is full access")
    service: bool = Field(False, description="Of the organization; for Administrators")


class Issued(Token):
    """With its secret, this once."""

    secret: str = Field(examples=["ptc_…"])


class Whose(Part):
    all: bool = Field(False, description="Everybody's, and those of the organization; for Administrators")


@router.get("/organizations/{org}/tokens", response=Tokens)
def every(request: HttpRequest, org: str, asked: Query[Whose]) -> dict[str, Any]:
    """My tokens, or all

    The newest first.
    """
    actor = auth.active_in(request, org)
    rows = tokens.every(actor) if asked.all else tokens.mine(actor)
    return lists.part(rows, asked, told, order=NEWEST)


@router.post("/organizations/{org}/tokens", response={201: Issued})
def issue(request: HttpRequest, org: str, body: Body[NewToken]) -> HttpResponse:
    """Make one

    Needs the person. A service token needs an Administrator, who has shown the password or passkey within 15 minutes
    (403 `prove_again`).
    """
    actor = auth.member_in(request, org)
    run = tokens.issue_service if body.service else tokens.issue
    made = run(actor, name=body.name, days=body.days, permissions=body.permissions)
    path = f"/organizations/{actor.organization.slug}/tokens/{made.token.pk}"
    return answers.made({**told(made.token), "secret": made.secret}, path, secret=True)


@router.delete("/organizations/{org}/tokens/{id}", response={204: None})
def revoke(request: HttpRequest, org: str, id: str) -> None:  # noqa: A002  # its name in the address
    """Revoke it

    With the open invitations that came through it. Needs the person; a token may revoke itself and no other.
    """
    actor = auth.active_in(request, org)
    row = tokens.visible_to(actor).filter(pk=named.key(id)).first() or itself(actor, id)
    if answers.is_shown(request, told(row)) is False:
        raise changed_meanwhile()
    tokens.revoke(actor, token=row)


def itself(actor: Any, key: str) -> Row:
    """The token that asks, which also a service finds."""
    if actor.token is None or str(actor.token.pk) != key.lower():
        raise Missing
    return actor.token


def told(row: Row) -> dict[str, Any]:
    holder = row.membership
    return {
        "id": row.pk,
        "name": row.name,
        "prefix": row.prefix,
        "service": row.is_service,
        "member": {"id": holder.pk, "name": holder.name, "email": holder.address} if holder else None,
        "permissions": row.limit.names if row.limit else None,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }
