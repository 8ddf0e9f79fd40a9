"""The audit log: who did what to whom, when and from where; for Administrators."""

import re
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query
from pydantic import BaseModel, Field

from portico import journal
from portico.domain import audit
from portico.domain.audit import Place, Question

from . import auth, lists, named
from .lists import Part
from .operations import Router, Shown

router = Router(tags=["Audit log"])
STREAMS = {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/jsonl")}


class Event(Shown):
    """One line of the log. Names and addresses are those of that time; a person who was erased has none."""

    id: UUID
    at: datetime
    action: str = Field(examples=["member.removed"])
    actor_kind: str = Field(examples=["member"])
    actor_id: UUID | None = Field(description="The person's, or the token's of the organization")
    actor: str = Field(examples=["Ann Lee <ann@example.org>"])
    subject_kind: str = Field(examples=["member"])
    subject_id: UUID = Field(description="Of a member the person's, so that it stays when they return")
    subject: str = Field(examples=["Bo Lee <bo@example.org>"])
    door: str = Field(examples=["console"])
    address: str = Field(description="From where; kept for a limited time", examples=["192.0.2.7"])
    browser: str
    details: dict[str, Any] = Field(description="What changed: names of fields, and values that are not personal")
    batch: UUID = Field(description="The same for all that one act did")


class Events(Shown):
    items: list[Event]
    next: str | None


class Filters(BaseModel):
    """Which events."""

    actor: UUID | None = Field(None, description="Who did it")
    action: str = Field("", max_length=48, description="What", examples=["member.removed"])
    subject: UUID | None = Field(None, description="To whom, or to what")
    since: datetime | None = Field(None, description="From this moment on")
    until: datetime | None = Field(None, description="Before this moment")

    @property
    def question(self) -> Question:
        return Question(
            actor=self.actor,
            action=self.action,
            subject=self.subject,
            since=named.moment(self.since, "since"),
            until=named.moment(self.until, "until"),
        )


class AskedEvents(Part, Filters):
    """A part of them."""


class Export(Filters):
    format: Literal["csv", "jsonl"] = "csv"


@router.get("/organizations/{org}/events", response=Events)
def every(request: HttpRequest, org: str, asked: Query[AskedEvents]) -> dict[str, Any]:
    """What happened

    The newest first. Needs an Administrator.
    """
    page = audit.read(auth.actor_in(request, org), asked.question, place(asked.cursor), size=asked.limit)
    return {
        "items": [journal.told(line) for line in page.lines],
        "next": page.after.encode() if page.after else None,
    }


@router.get(
    "/organizations/{org}/events/export", openapi_extra={"responses": {200: {"description": "OK", "content": STREAMS}}}
)
def export(request: HttpRequest, org: str, asked: Query[Export]) -> StreamingHttpResponse:
    """Export them

    As CSV or as JSON lines, written while it is read. Needs an Administrator.
    """
    write, content_type = journal.WRITERS[asked.format]
    found = map(journal.told, audit.export(auth.actor_in(request, org), asked.question))
    return StreamingHttpResponse(write(found), content_type=content_type)


def place(cursor: str) -> Place | None:
    """Where a list goes on; it goes one way only."""
    if cursor and not re.fullmatch(r"[0-9a-f]{32}", cursor):
        raise lists.impossible()
    return Place.decode(cursor) if cursor else None
