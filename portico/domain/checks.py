"""The question that a company's own products ask before every act: may this person do that, here?

`lookup` reads what the answer needs, in one statement and as columns; what decides is `access.held`, as for commands.
A check is a read: it leaves nothing behind, and is never older than the last change that was answered before it was
asked.

Whoever may not ask is sent the long way, where the same actor as everywhere raises the same refusal.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from django.utils.translation import gettext as _

from . import lookup, workspaces
from .access import Actor, Member, held
from .errors import Invalid
from .lookup import Asker, Found, Question
from .memberships import ACTIVE, Membership, is_self, state_of
from .permissions import (
    MEMBERS_MANAGE,
    MEMBERS_VIEW,
    NONE,
    READS,
    WORKSPACE,
    WORKSPACE_VIEW,
    WORKSPACES_VIEW_ALL,
    Permission,
    Permissions,
    catalogue,
)

MANY = 1000  # questions in one call at most


class Because(NamedTuple):
    """What gives a permission. `name` is the role's slug, the seat's kind, or the permission that implies it."""

    by: str
    name: str | None


class Answer(NamedTuple):
    """Allowed because of something, or not for a reason."""

    because: Because | None = None
    reason: str = ""

    @property
    def allowed(self) -> bool:
        return self.because is not None


NO = {
    reason: Answer(reason=reason)
    for reason in (
        "not_a_member",
        "suspended",
        "expired",
        "not_granted",
        "no_seat",
        "unknown_permission",
        "unknown_workspace",
        "workspace_needed",
        "organization_closed",
    )
}


# --- Deciding ------------------------------------------------------------------------------------------------------


class View(NamedTuple):
    """What the asker may learn. A member learns of themselves all, of others what their permissions show."""

    user_id: UUID | None
    given: Permissions
    limit: Permissions | None
    is_service: bool

    @property
    def sees_members(self) -> bool:
        return MEMBERS_VIEW in held(self.given, limit=self.limit)

    def is_of_others(self, found: Found) -> bool:
        """Whether it concerns anybody, or nobody, but whoever asks."""
        return found.user_id is None or found.user_id != self.user_id

    def sees(self, found: Found) -> bool:
        """Whether a workspace is there for the asker: who only sees its name does not learn who sits in it."""
        if found.workspace_id is None:
            return False
        if self.is_service:
            return WORKSPACES_VIEW_ALL in self.given
        if found.seat and not self.is_of_others(found):
            return True
        seat = _seat(found.askers_seat, found.archived_at)
        return WORKSPACE_VIEW in held(self.given, seat=seat, limit=self.limit)


def decide(question: Question, found: Found, view: View, now: datetime) -> Answer:
    """The answer, from what was read."""
    if found.closed_at:
        return NO["organization_closed"]
    permission = catalogue().find(question.permission)
    if permission is None:
        return NO["unknown_permission"]
    if found.user_id is None:
        return NO["not_a_member"]
    if not found.can_sign_in:  # the operator has stopped the account: everywhere, and so here
        return NO["suspended"]
    state = state_of(found.suspended_at, found.expires_at, now)
    if state != ACTIVE:
        return NO[state]
    seat = NONE
    if question.workspace is not None:
        if not view.sees(found):
            return NO["unknown_workspace"]
        seat = _seat(found.seat, found.archived_at)
    elif permission.scope == WORKSPACE:
        return NO["workspace_needed"]
    given = permissions_of(found.is_administrator, found.names)
    if permission in held(given, seat=seat):
        return Answer(because(permission, found, given, seat))
    return NO["no_seat" if permission.scope == WORKSPACE and not seat else "not_granted"]


def because(permission: Permission, found: Found, given: Permissions, seat: Permissions) -> Because:
    """What gives a permission that is held: the grant before the seat, and what implies it before all else."""
    if found.is_administrator:
        return _ADMINISTRATOR
    source = given if permission in given else seat
    if implying := implied_by(permission, source):
        return Because("implied", implying.name)
    if source is seat:
        return Because("seat", found.seat)
    return Because("role", found.role) if found.role else _CUSTOM


_ADMINISTRATOR, _CUSTOM = Because("administrator", "administrator"), Because("custom", None)


def implied_by(permission: Permission, given: Permissions) -> Permission | None:
    """The permission among these that brings another along."""
    return next((each for each in given if permission in each.implies), None)


def _seat(kind: str | None, archived_at: datetime | None) -> Permissions:
    return _given_by_seat(kind) if kind and archived_at is None else NONE


def permissions_of(is_administrator: bool | None, names: str | None) -> Permissions:
    """A set of permissions from its row's columns."""
    return _everything() if is_administrator else _known(names or "[]")


# These remember no row: the same words always mean the same, for as long as this process has its catalogue.
@lru_cache(maxsize=4096)
def _known(names: str) -> Permissions:
    return catalogue().known(json.loads(names))


@lru_cache(maxsize=1)
def _everything() -> Permissions:
    return catalogue().everything


@lru_cache(maxsize=2)
def _given_by_seat(kind: str) -> Permissions:
    return catalogue().given_by_seat(kind)


def forget() -> None:
    """For whoever changes the catalogue while a process runs, which only tests do."""
    for memory in (_known, _everything, _given_by_seat):
        memory.cache_clear()


def view_of(asker: Asker, found: Found, now: datetime) -> View:
    """What whoever asks by a token may learn here."""
    limit = None if asker.limit is None else _known(asker.limit)
    if asker.user_id is None:
        given = READS if limit is None else READS & limit
        return View(None, NONE if found.closed_at else given, None, is_service=True)
    active = state_of(asker.suspended_at, asker.expires_at, now) == ACTIVE and found.closed_at is None
    given = permissions_of(asker.is_administrator, asker.names) if active else NONE
    return View(asker.user_id, given, limit, is_service=False)


def is_good(asker: Asker, now: datetime) -> bool:
    """Whether the token may be used at all, as `TokenQuerySet.good` asks it of rows."""
    unended = asker.token_ends is None or asker.token_ends > now
    return unended and asker.can_sign_in is not False


def may_ask(asker: Asker, found: Iterable[Found], view: View) -> bool:
    """Here, and about these: asking about oneself needs nothing, about others to see members."""
    for each in found:
        here = each.organization_id
        if here is None or asker.organization_id not in {None, here}:
            return False
        if view.is_of_others(each) and not view.sees_members:
            return False
    return True


# --- Asked as an actor ---------------------------------------------------------------------------------------------


def ask(actor: Actor, questions: Sequence[Question]) -> list[Answer]:
    """The same answers for whoever the door knows already; one statement for all questions.

    Asking about others needs to see members. `organization_closed` and the like are refusals then, because who holds
    nothing sees nobody.
    """
    _ensure_few(questions)
    found = lookup.of_member(actor.organization.pk, _membership_of(actor), questions)
    view = _view_of_actor(actor)
    if any(view.is_of_others(each) for each in found):
        actor.require(MEMBERS_VIEW)
    return [decide(question, each, view, actor.now) for question, each in zip(questions, found, strict=True)]


def access(actor: Actor, member: Membership) -> list[tuple[Question, Answer]]:
    """All that a member may do and not do, and why: in the organization, and where they sit, as far as one sees it.

    Of others it is known to those who may see their permissions.
    """
    if not is_self(actor, member):
        actor.require(MEMBERS_MANAGE)
    seats = member.seats.filter(workspace__in=workspaces.visible_to(actor)).select_related("workspace")
    places = [seat.workspace.slug for seat in seats.order_by("workspace__name", "id")]
    who = str(member.user_id)
    questions = [Question(who, permission.name) for permission in catalogue().of_organization]
    inside = [permission.name for permission in catalogue().every if permission.scope == WORKSPACE]
    questions += [Question(who, name, place) for place in places for name in inside]
    found = lookup.of_member(actor.organization.pk, _membership_of(actor), questions)
    view = _view_of_actor(actor)
    answers = [decide(question, each, view, actor.now) for question, each in zip(questions, found, strict=True)]
    hidden = NO["unknown_workspace"]  # where they sit may be none of the asker's business
    return [(question, answer) for question, answer in zip(questions, answers, strict=True) if answer != hidden]


def _membership_of(actor: Actor) -> UUID | None:
    return actor.membership.pk if isinstance(actor, Member) else None


def _view_of_actor(actor: Actor) -> View:
    if not isinstance(actor, Member):
        return View(None, actor.held(), None, is_service=True)
    effective = actor.membership.is_effective(actor.now)
    given = actor.membership.grant.permissions if effective else NONE
    return View(actor.id, given, actor.limit, is_service=False)


def _ensure_few(questions: Sequence[Question]) -> None:
    if not 1 <= len(questions) <= MANY:
        raise Invalid(_("Ask 1 to %(n)d questions at once.") % {"n": MANY}, field="checks")
