"""Departures: who was removed or left, what they held, and how they are brought back.

A membership that has ended is gone, and nothing of it revives by itself. Its event says what it held. For 90 days
whoever manages members can offer the same again, as far as they may give it: by a new invitation to the address that
the person was known by, which is accepted like any other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import models
from django.utils.translation import gettext as _

from . import addresses, invitations
from .access import Actor, exceeds
from .actions import action
from .errors import Forbidden, Missing, Refused
from .events import Event, Label, record
from .invitations import INVITED, Invitation, Outcome, Terms, Wanted
from .memberships import Membership
from .permissions import MEMBERS_MANAGE, Permission, Permissions, catalogue
from .roles import Grant, Role
from .workspaces import SeatOffer, Workspace

KNOWN_FOR = timedelta(days=90)
ENDED = ("member.removed", "member.left")


@dataclass(frozen=True)
class Departure:
    """Somebody who belonged: how they were known here, and what they held as it would be today."""

    event: Event
    name: str
    address: str
    by: str  # who ended it: themselves, where they left
    grant: Grant | None  # none where the role has been deleted since
    seats: list[SeatOffer]  # those whose workspace is still there

    @property
    def at(self) -> datetime:
        return self.event.at

    @property
    def left(self) -> bool:
        """By themselves."""
        return self.event.actor_id == self.event.subject_id

    @property
    def title(self) -> str:
        if self.grant is None:
            return _("A role that is gone")
        return self.grant.role.title if self.grant.role else _("Custom")


@dataclass(frozen=True)
class Return:
    """What of it an actor can offer, and what not."""

    grant: Grant | None
    seats: list[SeatOffer]
    missing: list[Permission]  # of what was held, what the actor does not hold
    left_out: list[Workspace]  # where the actor may not hand out the seat


def visible_to(actor: Actor) -> models.QuerySet[Event]:
    """The last departure of each who has not returned, the newest first; for those who manage members."""
    here = Membership.objects.filter(organization=actor.organization, user=models.OuterRef("subject_id"))
    later = _ended(actor).filter(subject_id=models.OuterRef("subject_id"), id__gt=models.OuterRef("id"))
    return _known(actor).filter(~models.Exists(here), ~models.Exists(later)).order_by("-id")


def _ended(actor: Actor) -> models.QuerySet[Event]:
    return Event.objects.filter(organization_id=actor.organization.pk, action__in=ENDED)


def _known(actor: Actor) -> models.QuerySet[Event]:
    """Not too long ago, and of somebody whose name has not been erased."""
    events = _ended(actor).filter(at__gt=actor.now - KNOWN_FOR)
    named = Label.objects.filter(pk=models.OuterRef("subject_label"))
    return events.filter(models.Exists(named)) if actor.can(MEMBERS_MANAGE) else events.none()


def find(actor: Actor, key: UUID) -> Departure:
    """One departure, or Missing."""
    event = _known(actor).filter(pk=key).first()
    if event is None:
        raise Missing
    return read(actor, [event])[0]


def read(actor: Actor, events: Iterable[Event]) -> list[Departure]:
    """What these events tell, in one query for each kind of row."""
    events = list(events)
    wanted = {key for event in events for key in (event.subject_label, event.actor_label) if key}
    labels: dict[UUID | None, str] = {label.pk: label.text for label in Label.objects.filter(pk__in=wanted)}
    roles = {role.slug: role for role in actor.organization.roles.named()}
    places = {str(place.pk): place for place in actor.organization.workspaces.filter(archived_at__isnull=True)}
    return [_read(event, labels, roles, places) for event in events]


def _read(
    event: Event, labels: dict[UUID | None, str], roles: dict[str | None, Role], places: dict[str, Workspace]
) -> Departure:
    name, address = _parted(labels.get(event.subject_label, ""))
    seats = [
        SeatOffer(places[seat["workspace"]], seat["role"])
        for seat in event.details.get("seats", [])
        if seat["workspace"] in places
    ]
    by = _parted(labels.get(event.actor_label, ""))[0]
    return Departure(event, name, address, by, _grant_in(event, roles), seats)


def _parted(label: str) -> tuple[str, str]:
    """Name and address of a label `Name <address>`."""
    name, _between, address = label.rpartition(" <")
    return name, address.removesuffix(">")


def _grant_in(event: Event, roles: dict[str | None, Role]) -> Grant | None:
    if "role" in event.details:
        role = roles.get(event.details["role"])
        return Grant(role=role) if role else None
    held = catalogue().known(event.details.get("permissions", []))
    return Grant(custom=_of_organization(held))


def _of_organization(permissions: Permissions) -> Permissions:
    return permissions & frozenset(catalogue().of_organization)


def what_of(actor: Actor, departure: Departure) -> Return:
    """What the actor can offer again. Of a grant that is more than they hold, the part that they hold."""
    seats = [seat for seat in departure.seats if not invitations.missing_for(actor, frozenset(), [seat])]
    left_out = [seat.workspace for seat in departure.seats if seat not in seats]
    grant = departure.grant
    missing = actor.missing(grant.permissions) if grant else []
    if grant and missing:
        grant = Grant(custom=_of_organization(grant.permissions - frozenset(missing)))
    return Return(grant, seats, missing, left_out)


@action(MEMBERS_MANAGE)
def bring_back(actor: Actor, *, departure: UUID) -> Invitation:
    """Invite somebody who was removed or left again, to what they held as far as the actor may give it."""
    gone = find(actor, departure)
    if actor.organization.memberships.filter(user=gone.event.subject_id).exists():
        raise Refused("already_member", _("%(name)s belongs here again already.") % {"name": gone.name})
    offer = what_of(actor, gone)
    if offer.grant is None:
        raise Refused("role_gone", _("The role that %(name)s had is gone. Choose another one.") % {"name": gone.name})
    wanted = Wanted(addresses.check(gone.address))
    [outcome] = invitations.draw_up(actor, [wanted], Terms(grant=offer.grant, seats=offer.seats))
    if outcome.invitation is None or not outcome.is_good:
        raise _refusal_of(outcome)
    what = "invitation.sent" if outcome.outcome == INVITED else "invitation.renewed"
    record(actor, what, outcome.invitation, **invitations.summary_of(outcome.invitation), departure=str(gone.event.pk))
    return outcome.invitation


def _refusal_of(outcome: Outcome) -> Forbidden | Refused:
    match outcome.outcome:
        case invitations.ALREADY_INVITED:
            return Refused("already_invited", outcome.detail)
        case invitations.EXCEEDS:
            return exceeds(outcome.missing)
        case invitations.OVER_LIMIT:
            return Refused("over_limit", outcome.detail)
    return Refused("already_member", outcome.detail)
