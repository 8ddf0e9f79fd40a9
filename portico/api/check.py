"""Checking: the long way, for a session, for whoever may not ask, and for whatever is not well-formed.

What a token asks and may ask is answered in front of Django, by `quick.py`, from the same two functions of the domain.
"""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Body
from pydantic import Discriminator, Field, Tag

from portico import metrics
from portico.domain import checks
from portico.domain.checks import Answer
from portico.domain.lookup import Question

from . import auth
from .operations import MB, Asked, Router, Shown, at_most, left_out, only_reads

router = Router(tags=["Checking"])
Word = Annotated[str, Field(min_length=1, max_length=254)]


class Check(Asked):
    """May this person do that, here?"""

    user: Word = Field(description="A person's id, or one of their verified addresses", examples=["ann@example.org"])
    permission: Word = Field(description="A name of the catalogue", examples=["workspaces.create"])
    workspace: Word | None = Field(None, description="A slug or an id", examples=["payments"])


class Checks(Asked):
    checks: list[Check] = Field(min_length=1, max_length=checks.MANY)


def _which(body: Any) -> str:
    many = "checks" in body if isinstance(body, dict) else isinstance(body, Checks)
    return "[many]" if many else "[one]"


# Named like this so that what is wrong is told of the one that was meant.
Questions = Annotated[Annotated[Checks, Tag("[many]")] | Annotated[Check, Tag("[one]")], Discriminator(_which)]


class Because(Shown):
    """What allows it."""

    by: Literal["administrator", "role", "custom", "seat", "implied"]
    name: str = Field(examples=["developer"])


class Verdict(Shown):
    """Yes, with `because`; or no, with `reason`."""

    allowed: bool
    because: Because = left_out()
    reason: str = left_out(examples=["not_granted"])


class Verdicts(Shown):
    results: list[Verdict]


@router.post("/organizations/{org}/check", response=Verdict | Verdicts, throttle=[])
@at_most(MB)
@only_reads
def check(request: HttpRequest, org: str, body: Body[Questions]) -> dict[str, Any]:
    """Ask whether somebody may do something

    One question, or up to 1,000 at once. Asking about oneself needs nothing, about others `members.view`.
    """
    actor = auth.actor_in(request, org)
    asked = body.checks if isinstance(body, Checks) else [body]
    answers = checks.ask(actor, [Question(each.user, each.permission, each.workspace) for each in asked])
    metrics.checked(answers)
    told = [told_of(answer) for answer in answers]
    return {"results": told} if isinstance(body, Checks) else told[0]


def told_of(answer: Answer) -> dict[str, Any]:
    """The shape of an answer, for both ways."""
    if answer.because:
        return {"allowed": True, "because": {"by": answer.because.by, "name": answer.because.name}}
    return {"allowed": False, "reason": answer.reason}
