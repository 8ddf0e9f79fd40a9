"""Handing over: an Administrator offers another member to become one, and may step down in the same act.

    offered ──► accepted     by the receiver: both changes are one
       ├──────► declined     by the receiver
       ├──────► withdrawn    by an Administrator
       └──────► ended        by a command after which it could no longer be offered, or accepted

It lasts for 7 days, is worth what its giver can give at the moment of acceptance, and is gone once it is answered: what
became of it is told by the events. At most one waits in an organization.
"""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from . import outbox
from .access import Actor, Member
from .actions import action, command, repeatable
from .errors import Forbidden, Invalid, Refused
from .events import record
from .memberships import Membership, is_self
from .organizations import Organization
from .people import User
from .permissions import ADMINISTER
from .roles import ADMINISTRATOR, Role

LASTS = timedelta(days=7)


class HandoverQuerySet(models.QuerySet["Handover"]):
    def whole(self) -> "HandoverQuerySet":
        parties = (f"{party}__{part}" for party in ("giver", "receiver") for part in ("grant", "organization", "user"))
        return self.select_related("organization", "role", *parties)

    def end_lost(self, actor: Actor) -> None:
        """End it, if a command has left it without one of both, or without what is given. Every command ends so."""
        for handover in self.whole():
            if not handover.is_possible:
                handover.end(actor)

    def end_all(self, actor: Actor) -> None:
        for handover in self.whole():
            handover.end(actor)


class Handover(models.Model):
    """An offer to become Administrator that waits for an answer."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="handovers")
    giver = models.ForeignKey(Membership, models.SET_NULL, null=True, related_name="+")
    receiver = models.ForeignKey(Membership, models.SET_NULL, null=True, related_name="+")
    steps_down = models.BooleanField(default=False)
    role = models.ForeignKey(Role, models.SET_NULL, null=True, related_name="+")  # of the giver, who steps down to it
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    objects = HandoverQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="handover_of_organization"),
            models.UniqueConstraint(fields=["organization"], name="one_handover_per_organization"),
        ]

    def is_open(self, now: datetime) -> bool:
        return now < self.expires_at

    @property
    def is_possible(self) -> bool:
        """Whether commands have left what it needs. What the clock ends, acceptance asks."""
        giver, receiver = self.giver, self.receiver
        if giver is None or receiver is None or giver.suspended_at or receiver.suspended_at:
            return False
        if not (giver.user.is_active and receiver.user.is_active):
            return False
        role_is_there = self.role is not None and not self.role.is_custom  # a deleted one has lost its slug
        administers = giver.is_administrator and not receiver.is_administrator
        return administers and (role_is_there or not self.steps_down)

    def end(self, actor: Actor) -> None:
        record(actor, "handover.ended", self.receiver or self.giver or self.organization)
        self.delete()


def visible_to(actor: Actor) -> HandoverQuerySet:
    """The one that waits: for Administrators, and for whom it is offered to."""
    rows: HandoverQuerySet = actor.organization.handovers.filter(expires_at__gt=actor.now).whole()
    if actor.can(ADMINISTER):
        return rows
    return rows.filter(receiver__user=actor.id, organization__closed_at__isnull=True)


def waiting_for(user: User) -> HandoverQuerySet:
    """Those offered to a person, who could accept them now. One of the few questions across organizations."""
    now = timezone.now()
    mine = Membership.objects.filter(user=user).effective(now)
    return Handover.objects.filter(receiver__in=mine, expires_at__gt=now).whole().order_by("id")


def candidates(actor: Actor) -> models.QuerySet[Membership]:
    """Whom an Administrator could offer it to."""
    actor.require(ADMINISTER)
    everybody: models.QuerySet[Membership] = actor.organization.memberships.effective(actor.now)
    return everybody.filter(grant__is_administrator=False, user__is_active=True)


@action(ADMINISTER, person=True)
def offer(actor: Actor, *, member: Membership, step_down: Role | None = None) -> Handover:
    """Offer a member to become an Administrator. With `step_down` the giver then takes that role in the same act."""
    giver = _giver(actor)
    actor.require_proof()
    _ensure_receivable(actor, member)
    if step_down is not None and step_down.is_administrator:
        raise Invalid(_("Choose the role that you keep."), field="step_down")
    for waiting in actor.organization.handovers.whole():
        if waiting.is_open(actor.now):
            raise Refused("handover_waits", _("Another hand-over waits for its answer. Withdraw it first."))
        waiting.delete()  # the clock has ended it
    handover = Handover.objects.create(
        organization=actor.organization,
        giver=giver,
        receiver=member,
        steps_down=step_down is not None,
        role=step_down,
        created_at=actor.now,
        expires_at=actor.now + LASTS,
    )
    record(actor, "handover.offered", member, step_down=step_down.slug if step_down else None)
    _tell(actor, "handover", member, handover, giver.name)
    return handover


@action(ADMINISTER)
def withdraw(actor: Actor, *, handover: Handover) -> None:
    """Take the offer back."""
    record(actor, "handover.withdrawn", handover.receiver or actor.organization)
    handover.delete()


@repeatable
def accept(actor: Member, handover: Handover, *, take_over: bool = False) -> Membership:
    """Become an Administrator. The offer is examined again, as it and its giver are now.

    With `take_over` the new Administrator becomes the sponsor of those offers that a giver who steps down could no
    longer send.
    """
    with command(actor.organization, actor):
        actor.require_person()
        handover = _mine(actor, handover)
        giver = handover.giver
        if giver is None or not (giver.is_effective(actor.now) and giver.is_administrator):
            raise Refused("sponsor_gone", _("Whoever offered this to you can no longer give it."))
        _regrant(actor, actor.membership, actor.organization.roles.get(slug=ADMINISTRATOR))
        if handover.role is not None:
            _regrant(actor, giver, handover.role)
        record(actor, "handover.accepted", actor.membership)
        _tell(actor, "handover_accepted", giver, handover, actor.membership.name)
        handover.delete()
        actor.takes_over = take_over
        return actor.membership


@repeatable
def decline(actor: Member, handover: Handover) -> None:
    """Stay what one is."""
    with command(actor.organization, actor):
        actor.require_person()
        handover = _mine(actor, handover)
        record(actor, "handover.declined", actor.membership)
        if handover.giver:
            _tell(actor, "handover_declined", handover.giver, handover, actor.membership.name)
        handover.delete()


def _giver(actor: Actor) -> Membership:
    """The person who gives: the operator makes an Administrator outright."""
    if not isinstance(actor, Member):
        raise Forbidden("needs_person", _("Only a member of the organization can hand over."))
    return actor.membership


def _ensure_receivable(actor: Actor, member: Membership) -> None:
    if is_self(actor, member):
        raise Refused("already_administrator", _("You are an Administrator already."), field="member")
    if member.is_administrator:
        sentence = _("%(name)s is an Administrator already.")
        raise Refused("already_administrator", sentence % {"name": member.name}, field="member")
    if not (member.is_effective(actor.now) and member.user.is_active):
        sentence = _("%(name)s is not an active member now.")
        raise Refused("not_active", sentence % {"name": member.name}, field="member")


def _mine(actor: Member, handover: Handover) -> Handover:
    """The offer as it is now that the organization is locked: open, and to this very member."""
    actor.explain_why_nothing_is_held()
    found = visible_to(actor).filter(pk=handover.pk, receiver=actor.membership).first()
    if found is None:
        raise closed()
    return found


def closed() -> Refused:
    return Refused("handover_closed", _("This offer no longer stands."))


def _regrant(actor: Actor, member: Membership, role: Role) -> None:
    if member.grant == role:
        return
    before, member.grant, member.version = member.grant, role, member.version + 1
    member.save(update_fields=["grant", "version"])
    record(actor, "member.changed", member, before=before.summary, after=role.summary)


def _tell(actor: Actor, kind: str, member: Membership, handover: Handover, name: str) -> None:
    outbox.post(
        kind,
        member.address,
        organization_id=actor.organization.pk,
        about=handover.pk,
        facts={"name": name},
        now=actor.now,
    )
