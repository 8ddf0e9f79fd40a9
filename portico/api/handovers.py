"""Handing over: an Administrator offers another member to become one, who accepts or declines."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Body
from pydantic import Field

from portico.domain import handovers
from portico.domain.access import Member
from portico.domain.errors import Missing
from portico.domain.handovers import Handover as Row

from . import auth, named
from .operations import Asked, Router, Shown

router = Router(tags=["Handing over"])


class Handover(Shown):
    """An offer to become Administrator. `member` is the membership's id of whom it is made to."""

    id: UUID
    member: UUID
    step_down: str | None = Field(description="The role that whoever gives takes then; null, who stays what they are")
    status: Literal["offered", "accepted", "declined"]
    created_at: datetime
    expires_at: datetime


class NewHandover(Asked):
    member: str = Field(description="The membership's id")
    step_down: str | None = Field(None, description="A role's slug or id", examples=["developer"])


class Taking(Asked):
    take_over: bool = Field(
        False, description="Become the sponsor of the invitations that whoever steps down could no longer send"
    )


@router.post("/organizations/{org}/handover", response=Handover)
def offer(request: HttpRequest, org: str, body: Body[NewHandover]) -> dict[str, Any]:
    """Offer a member to become Administrator

    It waits for 7 days. Needs an Administrator in person, who has shown the password or passkey within 15 minutes.
    """
    actor = auth.actor_in(request, org)
    member = named.member_sent(actor, body.member)
    role = None if body.step_down is None else named.role_sent(actor, body.step_down, field="step_down")
    return told(handovers.offer(actor, member=member, step_down=role), "offered")


@router.post("/organizations/{org}/handover/accept", response=Handover)
def accept(request: HttpRequest, org: str, body: Body[Taking] = Taking()) -> dict[str, Any]:  # noqa: B008  # ninja's way
    """Become Administrator

    For the member, in person, to whom it is offered.
    """
    actor = auth.member_in(request, org)
    handover = waiting(actor)
    answer = told(handover, "accepted")
    handovers.accept(actor, handover, take_over=body.take_over)
    return answer


@router.post("/organizations/{org}/handover/decline", response=Handover)
def decline(request: HttpRequest, org: str) -> dict[str, Any]:
    """Stay what one is

    For the member, in person, to whom it is offered.
    """
    actor = auth.member_in(request, org)
    handover = waiting(actor)
    answer = told(handover, "declined")
    handovers.decline(actor, handover)
    return answer


def waiting(actor: Member) -> Row:
    found = handovers.visible_to(actor).first()
    if found is None:
        raise Missing
    return found


def told(handover: Row, status: str) -> dict[str, Any]:
    return {
        "id": handover.pk,
        "member": handover.receiver_id,
        "step_down": handover.role.slug if handover.role else None,
        "status": status,
        "created_at": handover.created_at,
        "expires_at": handover.expires_at,
    }
