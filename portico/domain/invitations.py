"""The life of an invitation: an offer to one address, worth what its sponsor can give at the moment of acceptance.

    pending ──► accepted
        ├─────► declined     by the invited
        └─────► revoked      by a command, or because the sponsor can no longer offer it

*Expired* is a pending one past its time: derived, never stored. At most one is pending for an organization and an
address, and its address never changes. Each letter carries the next number; the older links point to the newer one.
"""

import hmac
import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from . import addresses, bulk, outbox, words, workspaces
from .access import Actor, Bearer, Member, Operator, Person, Via, exceeds
from .actions import action, command, fresh, repeatable
from .errors import Forbidden, Invalid, Missing, Refused, ensure_current, together
from .events import record, record_all
from .keys import derive, server_keys
from .memberships import Membership, Result, admit, ensure_end, who_manage
from .organizations import Organization
from .outbox import Letter
from .people import User
from .permissions import ADMINISTER, MEMBERS_MANAGE, NONE, WORKSPACE_MANAGE, Permission, Permissions
from .roles import Grant, Role, grant_of, intern
from .workspaces import Seat, SeatOffer, Workspace

if TYPE_CHECKING:
    from .tokens import Token

DAYS = 7
SHORTEST, LONGEST = 1, 30
A_DAY = timedelta(days=1)
CHUNK = 1000
ASKED_AT_MOST = 20
T = TypeVar("T")


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def pending(self) -> "InvitationQuerySet":
        return self.filter(state=Invitation.State.PENDING)

    def whole(self) -> "InvitationQuerySet":
        """With what every decision and every page about an invitation needs."""
        return self.select_related(
            "organization",
            "grant",
            "sponsor__grant",
            "sponsor__organization",
            "sponsor__user",
            "letter",
            "membership__grant",
        )

    def revoke_unsponsored(self, actor: Actor) -> None:
        """Revoke the pending offers that a command has left without a sponsor who could send them.

        Every command ends with this.
        """
        _withdraw(actor, self.unsponsored(actor, {}), "sponsor_gone")

    def unsponsored(self, actor: Actor, then: Mapping[UUID, Role]) -> "list[Invitation]":
        """The pending offers without a sponsor who could send them, if the roles of these ids were those of `then`.

        It looks at the few kinds of offer that each sponsor has out, not at each offer.
        """
        pending = self.pending().filter(by_operator=False)
        kinds = list(pending.values_list("sponsor", "grant").order_by().distinct())
        unbacked = _unbacked(actor, kinds, _seats_on_offer(actor.organization), then) if kinds else models.Q(pk__in=[])
        # Their ids first, then the rows: asked for both at once, PostgreSQL may compare every offer with every offer.
        ids = list(pending.filter(unbacked).values_list("pk", flat=True).order_by().distinct())
        return [offer for some in _chunks(ids) for offer in self.whole().filter(pk__in=some)]

    def regrant(self, actor: Actor, role: Role) -> None:
        """Let all of them offer another role, because theirs goes. Only a command, under the lock, may."""
        offers = list(self.select_related("grant"))
        self.update(grant=role)
        record_all(
            actor, "invitation.changed", offers, lambda row: {"before": row.grant.summary, "after": role.summary}
        )

    def revoke_all(self, actor: Actor, reason: str) -> None:
        """Revoke every pending offer, because of what a command did to the whole organization."""
        _withdraw(actor, list(self.pending().whole()), reason)


class Invitation(models.Model):
    """An offer of membership to one address."""

    class State(models.TextChoices):
        PENDING = "pending"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        REVOKED = "revoked"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    address = models.CharField(max_length=254)
    search = models.CharField(max_length=320)
    grant = models.ForeignKey(Role, models.PROTECT, related_name="invitations")
    sponsor = models.ForeignKey(Membership, models.SET_NULL, null=True, related_name="invitations")
    by_operator = models.BooleanField(default=False)  # has no sponsor, and says so
    # Through which it was sent; it has an index of its own below, because most offers come through none.
    token = models.ForeignKey("portico.Token", models.SET_NULL, null=True, related_name="invitations", db_index=False)
    message = models.CharField(max_length=words.MESSAGE_LENGTH, default="")
    locale = models.CharField(max_length=16, default="en")
    number = models.PositiveIntegerField(default=1)  # of its newest letter
    hand_number = models.PositiveIntegerField(default=0)  # of the newest link that somebody made to hand over
    letter = models.ForeignKey(Letter, models.SET_NULL, null=True, related_name="+")  # the newest
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(default=timezone.now)  # when its newest letter was posted
    expires_at = models.DateTimeField()
    member_until = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)  # when its bearer last asked for a new link
    reply = models.CharField(max_length=words.MESSAGE_LENGTH, default="")
    membership = models.ForeignKey(Membership, models.SET_NULL, null=True, related_name="+")  # what became of it

    objects = InvitationQuerySet.as_manager()

    event_kind = "invitation"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="invitation_of_organization"),
            models.UniqueConstraint(
                fields=["organization", "address"],
                condition=models.Q(state="pending"),
                name="one_pending_invitation_per_address",
            ),
        ]
        indexes = [
            models.Index(fields=["address", "state"], name="invitation_by_address"),
            models.Index(
                fields=["organization", "grant", "address", "id"],
                name="invitation_by_grant",
                condition=models.Q(state="pending"),
            ),
            models.Index(
                fields=["organization", "sponsor", "grant"],
                name="invitation_by_sponsor",
                condition=models.Q(state="pending"),
            ),
            models.Index(fields=["token"], name="invitation_by_token", condition=models.Q(token__isnull=False)),
            models.Index(fields=["organization", "id"], name="invitation_by_age", condition=models.Q(state="pending")),
            models.Index(
                fields=["organization", "expires_at", "id"],
                name="invitation_by_end",
                condition=models.Q(state="pending"),
            ),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def event_id(self) -> UUID:
        return self.pk

    @property
    def label(self) -> str:
        return self.address

    def is_open(self, now: datetime) -> bool:
        return self.state == Invitation.State.PENDING and now < self.expires_at

    def is_expired(self, now: datetime) -> bool:
        return self.state == Invitation.State.PENDING and now >= self.expires_at

    @property
    def seat_offers(self) -> "list[SeatOffer]":
        return [SeatOffer(seat.workspace, seat.role) for seat in self.seats.all()]

    @property
    def open_seats(self) -> "list[SeatOffer]":
        """Those whose workspace is still there. A seat whose workspace is gone asks nothing: it is left out."""
        return [offer for offer in self.seat_offers if offer.workspace.is_open]

    def sponsored_by(self, actor: Actor) -> None:
        """Whoever sends it backs it. Only the operator needs no membership for that."""
        self.sponsor, self.token = (actor.membership, actor.token) if isinstance(actor, Member) else (None, None)
        self.by_operator = isinstance(actor, Operator)

    def ensure_open(self, now: datetime) -> None:
        if self.is_expired(now):
            raise Refused("invitation_closed", _("This invitation has expired. Ask for a new one."))
        if self.state != Invitation.State.PENDING:
            closed = {
                Invitation.State.ACCEPTED: _("This invitation has been accepted already."),
                Invitation.State.DECLINED: _("This invitation has been declined."),
                Invitation.State.REVOKED: _("This invitation has been withdrawn."),
            }
            raise Refused("invitation_closed", closed[Invitation.State(self.state)])

    def ensure_addressed_to(self, person: Person) -> None:
        """It is theirs, and stays so until the command ends. The organization learns of no other address of theirs."""
        held = person.user.emailaddress_set.select_for_update().filter(email=self.address, verified=True)
        if not held.exists():
            raise Refused("wrong_account", _("This invitation is for an address that is not one of yours."))
        person.address = self.address

    def is_sponsored(self, now: datetime) -> bool:
        """Today the sponsor must still be able to sign in and send this very offer. Nobody left means no."""
        if self.by_operator:
            return True
        if self.sponsor is None or not self.sponsor.user.is_active:
            return False
        return may_offer(as_sponsor(self.sponsor, now), self.grant.permissions, self.open_seats)

    def ensure_sponsored(self, now: datetime) -> None:
        if not self.is_sponsored(now):
            raise Refused("sponsor_gone", _("Whoever invited you can no longer offer this."))


class OfferedSeatQuerySet(models.QuerySet["OfferedSeat"]):
    def pending(self) -> "OfferedSeatQuerySet":
        return self.filter(invitation__state=Invitation.State.PENDING)

    def withdraw(self, actor: Actor) -> None:
        """Take these seats out of what is on offer, because their workspace is deleted."""
        rows = self.pending().select_related("invitation").order_by("id")
        places = {seat.invitation: str(seat.workspace_id) for seat in rows}
        record_all(actor, "seat.withdrawn", list(places), lambda offer: {"workspace": places[offer]})
        self.delete()


class OfferedSeat(models.Model):
    """A seat that comes with an invitation."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    invitation = models.ForeignKey(Invitation, models.CASCADE, related_name="seats")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="offered_seats")
    role = models.CharField(max_length=16)

    objects = OfferedSeatQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="offered_seat_of_organization"),
            models.UniqueConstraint(fields=["invitation", "workspace"], name="one_offered_seat_per_workspace"),
        ]


@dataclass(frozen=True)
class Wanted:
    """One line of what somebody asks to send: an entry as typed, and its own grant or seats where they differ."""

    entry: addresses.Typed
    grant: Grant | None = None
    seats: Sequence[SeatOffer] | None = None


@dataclass(frozen=True)
class Terms:
    """What all invitations of one call have in common."""

    grant: Grant | None
    seats: Sequence[SeatOffer] = ()
    message: str = ""
    locale: str = "en"
    days: int = DAYS
    member_until: datetime | None = None

    def ensure_well_formed(self, now: datetime) -> "Terms":
        """All that is wrong with them at once; else the same with the message as it will be kept."""
        *_checked, message = together(
            self._ensure_days,
            lambda: self._ensure_future(now),
            self._ensure_language,
            lambda: words.message(self.message),
        )
        return replace(self, message=message)

    def link_ends(self, now: datetime) -> datetime:
        """An offer does not outlive the membership that it offers."""
        end = now + timedelta(days=self.days)
        return min(end, self.member_until or end)

    def _ensure_days(self) -> None:
        if not SHORTEST <= self.days <= LONGEST:
            sentence = _("A link works for %(from)d to %(to)d days.") % {"from": SHORTEST, "to": LONGEST}
            raise Invalid(sentence, field="expires_in_days")

    def _ensure_future(self, now: datetime) -> None:
        ensure_end(self.member_until, now, field="member_until")

    def _ensure_language(self) -> None:
        if self.locale not in dict(settings.LANGUAGES):
            raise Invalid(_("Portico does not speak this language."), field="locale")


# One verdict for each address.
INVITED, RENEWED, ALREADY_INVITED, ALREADY_MEMBER = "invited", "renewed", "already_invited", "already_member"
INVALID, OVER_LIMIT, EXCEEDS, DUPLICATE = "invalid", "over_limit", "exceeds_your_authority", "duplicate"
GOOD = frozenset({INVITED, RENEWED})


@dataclass
class Outcome:
    """What becomes of one entry. `detail` is a sentence where it is not sent, or where it is written differently."""

    entry: addresses.Typed
    outcome: str
    detail: str = ""
    grant: Grant | None = None
    seats: Sequence[SeatOffer] = ()
    missing: Sequence[Permission] = ()
    invitation: Invitation | None = None

    @property
    def address(self) -> str:
        return self.entry.address or ""

    @property
    def is_good(self) -> bool:
        return self.outcome in GOOD


def visible_to(actor: Actor) -> InvitationQuerySet:
    """Invitations are seen by those who manage members."""
    rows: InvitationQuerySet = actor.organization.invitations.whole()
    return rows if actor.can(MEMBERS_MANAGE) else rows.none()


def sought(actor: Actor, *, status: str | None, delivery: str | None, email: str) -> InvitationQuerySet:
    """Those in a state ("expired" is one), to an address, and whose newest letter is in a state, as far as given."""
    actor.require(MEMBERS_MANAGE)
    rows = visible_to(actor)
    if status in {"pending", "expired"}:
        open_now = models.Q(expires_at__gt=actor.now)
        rows = rows.pending().filter(open_now if status == "pending" else ~open_now)
    elif status:
        rows = rows.filter(state=status)
    if delivery:
        rows = rows.filter(letter__state=delivery)
    return rows.filter(address=addresses.normal(email) or "") if email else rows


def letters_of(invitation: Invitation) -> models.QuerySet[Letter]:
    """The letters that carried it, the newest first."""
    letters = Letter.objects.filter(organization_id=invitation.organization_id, about=invitation.pk, kind="invitation")
    return letters.order_by("-id")


def waiting_for(user: User) -> InvitationQuerySet:
    """Open offers to any of a person's verified addresses. One of the few questions across organizations."""
    open_now = Invitation.objects.pending().filter(expires_at__gt=timezone.now(), organization__closed_at__isnull=True)
    return open_now.filter(address__in=user.addresses).whole().order_by("id")


def addressed_to(user: User, key: UUID) -> Invitation | None:
    """One to any of their verified addresses, in whatever state, or that they accepted; to others there is none."""
    theirs = models.Q(address__in=user.addresses) | models.Q(membership__user=user)
    return Invitation.objects.whole().filter(theirs, pk=key).first()


# --- What an offer needs -------------------------------------------------------------------------------------------


def may_offer(actor: Actor, permissions: Permissions, seats: Iterable[SeatOffer]) -> bool:
    """Whether the actor could send this very offer now."""
    return actor.can(MEMBERS_MANAGE) and not missing_for(actor, permissions, seats)


def missing_for(actor: Actor, permissions: Permissions, seats: Iterable[SeatOffer]) -> list[Permission]:
    """What the actor would have to hold, and does not, to offer this.

    That is the grant, and inside each workspace the seat, and that one decides about seats there.
    """
    missing = actor.missing(permissions)
    for seat in seats:
        needed = seat.permissions | {WORKSPACE_MANAGE}
        missing += [each for each in actor.missing(needed, seat.workspace) if each not in missing]
    return missing


def as_sponsor(membership: Membership, now: datetime) -> Member:
    """The sponsor as the rules see them when they are not the one who acts."""
    return Member(organization=membership.organization, membership=membership, via=Via(door="sponsor"), now=now)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """A thousand at a time."""
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def _seats_on_offer(organization: Organization) -> list[tuple[UUID, UUID, str]]:
    """The kinds of seat that each sponsor has on offer: (sponsor, workspace, role)."""
    seats = OfferedSeat.objects.filter(
        organization=organization,
        invitation__state=Invitation.State.PENDING,
        invitation__sponsor__isnull=False,
        workspace__archived_at__isnull=True,
    )
    return list(seats.values_list("invitation__sponsor", "workspace", "role").order_by().distinct())


def _unbacked(
    actor: Actor,
    kinds: Sequence[tuple[UUID | None, UUID]],
    seats: Sequence[tuple[UUID, UUID, str]],
    then: Mapping[UUID, Role],
) -> models.Q:
    """Which offers have a sponsor who could not send them now, if the roles of these ids were those of `then`."""
    can_sign_in = Membership.objects.filter(user__is_active=True).prefetch_related("seats")
    rows = can_sign_in.in_bulk({sponsor for sponsor, _grant in kinds if sponsor})
    for row in rows.values():
        row.grant = then.get(row.grant_id, row.grant)
    sponsors = {pk: _before_the_end(row, actor.now) for pk, row in rows.items()}
    grants = {**Role.objects.in_bulk({grant for _sponsor, grant in kinds}), **then}
    places = Workspace.objects.in_bulk({workspace for _sponsor, workspace, _role in seats})
    unbacked = models.Q(sponsor__isnull=True)
    for sponsor, grant in kinds:
        if sponsor and not (sponsor in sponsors and may_offer(sponsors[sponsor], grants[grant].permissions, ())):
            unbacked |= models.Q(sponsor=sponsor, grant=grant)
    for sponsor, place, role in seats:
        if sponsor in sponsors and not may_offer(sponsors[sponsor], NONE, [SeatOffer(places[place], role)]):
            unbacked |= models.Q(sponsor=sponsor, seats__workspace=place, seats__role=role)
    return unbacked


def _before_the_end(sponsor: Membership, now: datetime) -> Member:
    """A sponsor whose end has come by the clock, as just before it.

    No command ended that, so acceptance refuses such an offer, and nobody's unrelated change revokes it.
    """
    return as_sponsor(sponsor, min(now, sponsor.expires_at - timedelta(microseconds=1)) if sponsor.expires_at else now)


def _take_over(actor: Actor, offers: Sequence[Invitation]) -> list[Invitation]:
    """Make the actor the sponsor of those offers that the actor could send; returns the others."""
    models.prefetch_related_objects(offers, "seats__workspace")
    bound = _Bound(actor)
    able = actor.can(MEMBERS_MANAGE)
    mine = [offer for offer in offers if able and not bound.missing(offer.grant, offer.open_seats)]
    for offer in mine:
        offer.sponsored_by(actor)
    _update(mine, "sponsor", "by_operator", "token")
    record_all(actor, "invitation.taken_over", mine)
    taken = set(mine)
    return [offer for offer in offers if offer not in taken]


def standing_on(members: Sequence[Membership], grant: Grant | None, now: datetime) -> list[Invitation]:
    """The pending offers that would end if these members got another grant, or with None were no members any more."""
    offers = list(Invitation.objects.pending().filter(sponsor__in=members).whole().prefetch_related("seats__workspace"))
    if grant is None:
        return offers
    bounds = {}
    for member in members:
        then = copy(member)
        then.grant = grant.role or Role(names=[permission.name for permission in grant.permissions])
        bounds[member.pk] = as_sponsor(then, now)
    return [
        offer
        for offer in offers
        if offer.sponsor_id and not may_offer(bounds[offer.sponsor_id], offer.grant.permissions, offer.open_seats)
    ]


def standing_on_seat(member: Membership, workspace: Workspace) -> list[Invitation]:
    """The pending offers that would end if this member's seat in the workspace were no manager's any more."""
    if not workspace.is_open or WORKSPACE_MANAGE in member.grant.permissions:
        return []
    offers = Invitation.objects.pending().filter(sponsor=member, seats__workspace=workspace)
    return list(offers.whole().prefetch_related("seats__workspace"))


def ended_by_restoring(workspace: Workspace, now: datetime) -> list[Invitation]:
    """The pending offers that would end if an archived workspace were open: their sponsor manages it no more."""
    then = copy(workspace)
    then.archived_at = None
    offers = Invitation.objects.pending().filter(seats__workspace=workspace, sponsor__isnull=False).whole()
    return [
        offer
        for offer in offers.prefetch_related("seats__workspace", "sponsor__seats")
        if offer.sponsor
        and not all(
            may_offer(_before_the_end(offer.sponsor, now), NONE, [SeatOffer(then, seat.role)])
            for seat in offer.seats.all()
            if seat.workspace_id == workspace.pk
        )
    ]


def through(token: "Token") -> InvitationQuerySet:
    """The pending offers that came through a token, and end with it."""
    offers: InvitationQuerySet = token.invitations.pending().whole().prefetch_related("seats__workspace")
    return offers.order_by("id")


def end_through(actor: Actor, token: "Token") -> None:
    """Revoke the offers of a token that a command revokes."""
    _withdraw(actor, list(through(token)), "token_revoked")


def _withdraw(actor: Actor, lost: Sequence[Invitation], reason: str) -> None:
    """Revoke what a command has left without backing, save what the actor takes over."""
    ended = _take_over(actor, lost) if actor.takes_over else lost
    _close(actor, ended, Invitation.State.REVOKED)
    record_all(actor, "invitation.revoked", ended, lambda offer: {"reason": reason})
    actor.revoked += ended


def ending_with(actor: Actor, then: Mapping[UUID, Role]) -> list[Invitation]:
    """The pending offers that would end if the roles of these ids became those of `then`."""
    actor.require(ADMINISTER)
    rows: InvitationQuerySet = actor.organization.invitations.all()
    return list(rows.unsponsored(actor, then))


def _close(actor: Actor, offers: Sequence[Invitation], state: "Invitation.State") -> None:
    for offer in offers:
        offer.state, offer.closed_at = state, actor.now
    _update(offers, "state", "closed_at")


def _update(offers: Sequence[Invitation], *names: str) -> None:
    """Write these fields, which are the same in all of them."""
    for some in _chunks(offers):
        values = {name: getattr(some[0], name) for name in names}
        Invitation.objects.filter(pk__in=[offer.pk for offer in some]).update(**values)


# --- Commands of those who manage members --------------------------------------------------------------------------


def wanted_from(actor: Actor, entries: Sequence[addresses.Typed]) -> list[Wanted]:
    """Entries with what they ask for themselves: a role by slug or title, workspaces by slug.

    What is not there is that entry's problem, and nobody else's.
    """
    _ensure_some(entries)
    grants = {role: Grant(role=role) for role in actor.organization.roles.named()}
    named = {role.title.casefold(): grant for role, grant in grants.items()}
    named |= {role.slug: grant for role, grant in grants.items() if role.slug}
    open_ones = workspaces.visible_to(actor).filter(archived_at__isnull=True)
    places = {place.slug: place for place in open_ones} if any(entry.workspaces for entry in entries) else {}
    return [_wanted(actor.organization, entry, named, places) for entry in entries]


def _wanted(
    organization: Organization, entry: addresses.Typed, named: Mapping[str, Grant], places: Mapping[str, Workspace]
) -> Wanted:
    if entry.address is None:
        return Wanted(entry)
    try:
        grant = _asked_for(organization, entry.role, named) if entry.role else None
    except Invalid as wrong:
        return Wanted(replace(entry, address=None, problem=wrong.sentence))
    if unknown := [slug for slug in entry.workspaces or () if slug not in places]:
        sentence = _("There is no workspace “%(slug)s” here.") % {"slug": unknown[0][:80]}
        return Wanted(replace(entry, address=None, problem=sentence))
    seats = [SeatOffer(places[slug]) for slug in entry.workspaces] if entry.workspaces is not None else None
    return Wanted(entry, grant, seats)


def _asked_for(organization: Organization, text: str, named: Mapping[str, Grant]) -> Grant:
    """A role by slug or title; or single permissions, as a file of members tells them."""
    if text.casefold() in named:
        return named[text.casefold()]
    role, colon, names = text.partition(":")
    if colon and role.casefold() == addresses.CUSTOM:
        return grant_of(organization, None, re.split(r"[;\s]+", names.strip()) if names.strip() else [])
    raise Invalid(_("There is no role “%(role)s” here.") % {"role": text[:80]}, field="role")


def _ensure_some(entries: Sequence[object]) -> None:
    if not entries:
        raise Invalid(_("Write at least one address."), field="emails")


def preview(actor: Actor, *, wanted: Sequence[Wanted], terms: Terms) -> list[Outcome]:
    """What `send` would answer now: judged without the lock and without writing."""
    actor.require(MEMBERS_MANAGE)
    wanted, terms = fresh(actor.organization, [wanted, terms])
    return judge(actor, wanted, terms.ensure_well_formed(actor.now))


@action(MEMBERS_MANAGE)
def send(actor: Actor, *, wanted: Sequence[Wanted], terms: Terms) -> list[Outcome]:
    """Offer membership to each address; one outcome for each entry, in the order asked."""
    outcomes = draw_up(actor, wanted, terms)
    for verdict, what in ((INVITED, "invitation.sent"), (RENEWED, "invitation.renewed")):
        these = [o.invitation for o in outcomes if o.outcome == verdict and o.invitation]
        _record_offers(actor, what, these)
    return outcomes


def draw_up(actor: Actor, wanted: Sequence[Wanted], terms: Terms) -> list[Outcome]:
    """Judge each entry and write the good offers with their letters. Only a command may, and it records them."""
    _ensure_some(wanted)
    terms = terms.ensure_well_formed(actor.now)
    outcomes = judge(actor, wanted, terms)
    good = [outcome for outcome in outcomes if outcome.is_good]
    if any(_granted(outcome).is_administrator for outcome in good):
        actor.require_proof()
    rows = {grant: intern(actor.organization, grant) for grant in {_granted(outcome) for outcome in good}}
    for outcome in good:
        if outcome.invitation:
            _offer(actor, outcome.invitation, rows[_granted(outcome)], terms)
    for grant, row in rows.items():
        _open(actor, [each for each in good if not each.invitation and each.grant == grant], row, terms)
    offers = [outcome.invitation for outcome in good if outcome.invitation]
    _write(actor, offers, {o.invitation.pk: o.seats for o in good if o.invitation})
    return outcomes


@action(MEMBERS_MANAGE)
def resend(
    actor: Actor,
    *,
    invitations: Sequence[Invitation],
    grant: Grant | None = None,
    days: int = DAYS,
    shown: int | None = None,
) -> list[Result]:
    """Send each a newer letter with a new end, and with another grant if one is given. The older links point to it.

    `shown` is the number of the newest letter on the page of a single one.
    """
    _ensure_shown(invitations, shown)
    terms = Terms(grant=grant, days=days).ensure_well_formed(actor.now)
    models.prefetch_related_objects(invitations, "seats__workspace")
    bound, allowance = _Bound(actor), _Allowance(actor, [invitation.address for invitation in invitations])
    results = [Result(row, _why_not_resend(bound, row, grant, allowance)) for row in invitations]
    again = [row for row, result in zip(invitations, results, strict=True) if result.done]
    if any((grant or row.grant).is_administrator for row in again):
        actor.require_proof()
    row_of_grant = intern(actor.organization, grant) if grant and again else None
    for row in again:
        kept = replace(terms, message=row.message, locale=row.locale, member_until=row.member_until)
        _offer(actor, row, row_of_grant or row.grant, kept)
    _write(actor, again, {})
    _record_offers(actor, "invitation.resent", again)
    return results


@action(MEMBERS_MANAGE)
def revoke(actor: Actor, *, invitations: Sequence[Invitation], shown: int | None = None) -> list[Result]:
    """Withdraw each offer. Its links say so from now on.

    `shown` is the number of the newest letter on the page of a single one.
    """
    _ensure_shown(invitations, shown)
    results = [Result(row, _why_not_touch(actor, row)) for row in invitations]
    ended = [row for row, result in zip(invitations, results, strict=True) if result.done]
    _close(actor, ended, Invitation.State.REVOKED)
    record_all(actor, "invitation.revoked", ended)
    return results


@action(MEMBERS_MANAGE)
def make_link(actor: Actor, *, invitation: Invitation, shown: int | None = None) -> str:
    """Make a link to hand over, and end the one before it; the letter's link lives on. It is told this once.

    Whoever comes by it has shown nothing: they sign up or add the address like everybody, by a code. `shown` is the
    number of the newest letter on the page.
    """
    ensure_current(invitation.number, shown)
    models.prefetch_related_objects([invitation], "seats__workspace")
    if refusal := _why_not_send(_Bound(actor), invitation, None):
        raise refusal
    invitation.ensure_open(actor.now)
    if invitation.grant.is_administrator:
        actor.require_proof()
    invitation.hand_number += 1
    invitation.save(update_fields=["hand_number"])
    record(actor, "invitation.link_made", invitation, number=invitation.hand_number)
    return hand_token(invitation.pk, invitation.hand_number)


def _ensure_shown(rows: Sequence[Invitation], number: int | None) -> None:
    for row in rows:
        ensure_current(row.number, number)


def judge(actor: Actor, wanted: Sequence[Wanted], terms: Terms) -> list[Outcome]:
    """One verdict for each entry. Reads a number of times that grows with thousands of entries, not with each."""
    addresses.refuse_too_many(len(wanted))
    asked = [each.entry.address for each in wanted if each.entry.address]
    members = _among(actor.organization.memberships.all(), asked)
    pending = _among(actor.organization.invitations.pending().select_related("grant"), asked)
    allowance = _Allowance(actor, asked)
    bound = _Bound(actor)
    seen: set[str] = set()
    outcomes = []
    for each in wanted:
        outcome = _verdict(each, terms, members, pending, seen, bound)
        if outcome.is_good and (refusal := allowance.take(outcome.address)):
            outcome.outcome, outcome.detail = OVER_LIMIT, refusal.sentence
        outcomes.append(outcome)
    return outcomes


def _verdict(
    each: Wanted,
    terms: Terms,
    members: "dict[str, Membership]",
    pending: "dict[str, Invitation]",
    seen: set[str],
    bound: "_Bound",
) -> Outcome:
    grant, address = each.grant or terms.grant, each.entry.address
    if address is None:
        return Outcome(each.entry, INVALID, each.entry.problem, grant=grant)
    if grant is None:
        raise Invalid(_("Choose a role, or choose Custom and single permissions."), field="role")
    try:
        seats = _once_each(terms.seats if each.seats is None else each.seats)
    except Invalid as wrong:
        if each.seats is None:
            raise
        return Outcome(each.entry, INVALID, wrong.sentence, grant=grant)
    result = Outcome(each.entry, INVITED, grant=grant, seats=seats)
    if address in seen:
        result.outcome, result.detail = DUPLICATE, _("%(email)s stands here twice.") % {"email": address}
    elif address in members:
        result.outcome, result.detail = ALREADY_MEMBER, _("%(email)s already belongs here.") % {"email": address}
    elif (old := pending.get(address)) and old.is_open(bound.actor.now):
        result.outcome, result.invitation = ALREADY_INVITED, old
        result.detail = _("%(email)s has an invitation already.") % {"email": address}
    elif missing := bound.missing(grant, result.seats) or (bound.actor.missing(old.grant.permissions) if old else []):
        result.outcome, result.missing, result.detail = EXCEEDS, missing, exceeds(missing).sentence
    else:
        result.outcome, result.invitation = (RENEWED, old) if old else (INVITED, None)
        if each.entry.text != address:
            result.detail = _("Written as %(email)s.") % {"email": address}
    seen.add(address)
    return result


def _once_each(seats: Sequence[SeatOffer]) -> Sequence[SeatOffer]:
    """One seat for each workspace; the same one twice is one."""
    unique = list(dict.fromkeys(seats))
    if len({seat.workspace for seat in unique}) < len(unique):
        raise Invalid(_("Choose one seat for each workspace."), field="workspaces")
    return unique


class _Bound:
    """What the actor lacks for a grant and seats; asked once for each pair, however many addresses share it."""

    def __init__(self, actor: Actor):
        self.actor = actor
        self._known: dict[tuple[Grant | Role, tuple[SeatOffer, ...]], list[Permission]] = {}

    def missing(self, grant: Grant | Role, seats: Sequence[SeatOffer]) -> list[Permission]:
        key = (grant, tuple(seats))
        if key not in self._known:
            self._known[key] = missing_for(self.actor, grant.permissions, seats)
        return self._known[key]


class _Allowance:
    """How many more letters may leave: for the organization, and to each address from here and from everybody.

    Counted in invitation letters of the last 24 hours, resends included, so that nobody can use Portico as a relay.
    """

    def __init__(self, actor: Actor, asked: Sequence[str]):
        since = actor.now - A_DAY
        recent = Letter.objects.filter(kind="invitation", created_at__gt=since)
        ours = recent.filter(organization_id=actor.organization.pk)
        self.limit = actor.organization.letters_per_day(actor.now)
        self.left = self.limit - ours.count()
        oldest = ours.order_by("created_at").values_list("created_at", flat=True).first()
        self.until = (oldest or actor.now) + A_DAY
        self.from_all: Counter[str] = Counter()
        self.from_here: Counter[str] = Counter()
        for some in _chunks(asked):
            rows = recent.filter(address__in=some)
            for address, organization_id in rows.values_list("address", "organization_id"):
                self.from_all[address] += 1
                self.from_here[address] += organization_id == actor.organization.pk

    def take(self, address: str) -> Refused | None:
        """Count one more letter, or say why it may not leave now."""
        if (
            self.from_here[address] >= settings.LETTERS_PER_ADDRESS
            or self.from_all[address] >= settings.LETTERS_PER_ADDRESS_FROM_ALL
        ):
            sentence = _("%(email)s has got as many letters as one address may get in a day. Try again tomorrow.")
            return Refused("over_limit", sentence % {"email": address})
        if self.left <= 0:
            sentence = _("This organization may send %(limit)s invitations in 24 hours. Try again after %(time)s UTC.")
            return Refused(
                "over_limit", sentence % {"limit": f"{self.limit:,}", "time": f"{self.until:%Y-%m-%d %H:%M}"}
            )
        self.left -= 1
        self.from_here[address] += 1
        self.from_all[address] += 1
        return None


def _among(rows: models.QuerySet[Any], asked: Sequence[str]) -> dict[str, Any]:
    """Those rows whose address was asked for, by address."""
    found: dict[str, Any] = {}
    for some in _chunks(asked):
        found.update({row.address: row for row in rows.filter(address__in=some)})
    return found


def _granted(outcome: Outcome) -> Grant:
    assert outcome.grant is not None  # noqa: S101  # a good verdict has one
    return outcome.grant


def _why_not_touch(actor: Actor, row: Invitation) -> Forbidden | Refused | None:
    if row.state != Invitation.State.PENDING:
        return Refused(
            "invitation_closed", _("The invitation of %(email)s is closed already.") % {"email": row.address}
        )
    missing = actor.missing(row.grant.permissions)
    return exceeds(missing) if missing else None


def _why_not_resend(
    bound: _Bound, row: Invitation, grant: Grant | None, allowance: _Allowance
) -> Forbidden | Refused | None:
    return _why_not_send(bound, row, grant) or allowance.take(row.address)


def _why_not_send(bound: _Bound, row: Invitation, grant: Grant | None) -> Forbidden | Refused | None:
    """Why this offer, with another grant if one is given, does not leave once more, by letter or by hand."""
    if refusal := _why_not_touch(bound.actor, row):
        return refusal
    if missing := bound.missing(grant or row.grant, row.open_seats):
        return exceeds(missing)
    if row.member_until and row.member_until <= bound.actor.now:
        sentence = _("What %(email)s was offered has ended already. Withdraw it and invite again.")
        return Refused("membership_over", sentence % {"email": row.address})
    return None


def _open(actor: Actor, outcomes: Sequence[Outcome], grant: Role, terms: Terms) -> None:
    """The new offers of one grant. They are alike but for their addresses."""
    one = Invitation(organization=actor.organization, created_at=actor.now, number=0)
    _offer(actor, one, grant, terms)
    addresses = [each.address for each in outcomes]
    search = [f" {words.fold(address)}"[:320] for address in addresses]
    rows = bulk.alike(one, {"id": [uuid7() for _each in outcomes], "address": addresses, "search": search})
    for outcome, row in zip(outcomes, rows, strict=True):
        outcome.invitation = row


def _offer(actor: Actor, invitation: Invitation, grant: Role, terms: Terms) -> None:
    """Set what the next letter of an invitation says."""
    invitation.grant = grant
    invitation.number += 1
    invitation.message, invitation.locale = terms.message, terms.locale
    invitation.sent_at, invitation.expires_at = actor.now, terms.link_ends(actor.now)
    invitation.member_until = terms.member_until
    invitation.sponsored_by(actor)


def _post(actor: Actor, offers: Sequence[Invitation]) -> None:
    """The next letter of each."""
    one = outbox.draft("invitation", "", organization_id=actor.organization.pk, now=actor.now)
    numbered = {number: {"number": number} for number in {offer.number for offer in offers}}
    letters = outbox.draft_all(
        one,
        address=[offer.address for offer in offers],
        about=[offer.pk for offer in offers],
        locale=[offer.locale for offer in offers],
        facts=[numbered[offer.number] for offer in offers],
    )
    for offer, letter in zip(offers, outbox.post_all(letters), strict=True):
        offer.letter = letter


_OFFERED = [
    "grant", "number", "message", "locale", "sent_at", "expires_at", "member_until", "sponsor", "by_operator", "token",
    "letter",
]  # fmt: skip


def _write(actor: Actor, offers: Sequence[Invitation], seats: "dict[UUID, Sequence[SeatOffer]]") -> None:
    """Letters first, because invitations point at them. `seats` are those of offers whose seats are replaced."""
    _post(actor, offers)
    bulk.insert(o for o in offers if o._state.adding)
    bulk.update([o for o in offers if o.number > 1], _OFFERED)
    renewed = [offer.pk for offer in offers if offer.number > 1 and offer.pk in seats]
    OfferedSeat.objects.filter(invitation__in=renewed).delete()
    bulk.insert(
        OfferedSeat(organization=o.organization, invitation=o, workspace=seat.workspace, role=seat.role)
        for o in offers
        for seat in seats.get(o.pk, ())
    )


def _record_offers(actor: Actor, what: str, offers: Sequence[Invitation]) -> None:
    """Offers that are alike say the same, which is put together once."""
    said = cache(_summary)
    record_all(actor, what, offers, lambda offer: said(offer.grant, offer.number, offer.expires_at))


def summary_of(invitation: Invitation) -> dict[str, Any]:
    """What an event says of an offer."""
    return _summary(invitation.grant, invitation.number, invitation.expires_at)


def _summary(grant: Role, number: int, ends: datetime) -> dict[str, Any]:
    return {**grant.summary, "number": number, "expires_at": ends.isoformat()}


# --- Commands of the invited ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Admission:
    """What became of an acceptance: the membership, and the workspaces whose seat was left out."""

    membership: Membership
    left_out: Sequence[Workspace] = ()


@repeatable
def accept(actor: Person, invitation: Invitation, *, reply: str = "") -> Admission:
    """Join. The offer is examined again, as it and its sponsor are now."""
    reply = words.message(reply, field="reply")
    with command(invitation.organization, actor):
        invitation = _locked(invitation)
        if invitation.membership and invitation.membership.user_id == actor.user.pk:
            return Admission(invitation.membership)
        if invitation.organization.closed_at:
            raise Forbidden("organization_closed", _("This organization is closed."))
        invitation.ensure_open(actor.now)
        invitation.ensure_addressed_to(actor)
        if invitation.organization.memberships.filter(user=actor.user).exists():
            raise Refused(
                "already_member", _("You belong to %(name)s already.") % {"name": invitation.organization.name}
            )
        invitation.ensure_sponsored(actor.now)
        return _admit(actor, invitation, reply)


def _admit(actor: Person, invitation: Invitation, reply: str) -> Admission:
    membership = admit(
        invitation.organization,
        actor.user,
        invitation.grant,
        address=invitation.address,
        now=actor.now,
        expires_at=invitation.member_until,
        invited_by=invitation.sponsor.name if invitation.sponsor else "",
    )
    given = invitation.open_seats
    left_out = [offer.workspace for offer in invitation.seat_offers if not offer.workspace.is_open]
    Seat.objects.bulk_create(
        Seat(organization=invitation.organization, workspace=each.workspace, membership=membership, role=each.role)
        for each in given
    )
    invitation.membership, invitation.reply = membership, reply
    invitation.state, invitation.closed_at = Invitation.State.ACCEPTED, actor.now
    invitation.save(update_fields=["membership", "reply", "state", "closed_at"])
    record(actor, "invitation.accepted", invitation, left_out=[str(workspace.pk) for workspace in left_out])
    record(actor, "member.joined", membership, **membership.grant.summary)
    for each in given:
        record(actor, "seat.given", membership, workspace=str(each.workspace.pk), after=each.role)
    _tell_sponsor(actor, "accepted", invitation)
    return Admission(membership, left_out)


@repeatable
def decline(actor: Person | Bearer, invitation: Invitation, *, reply: str = "") -> Invitation:
    """Say no. Whoever holds the letter's link may, and so may a signed-in owner of the address."""
    reply = words.message(reply, field="reply")
    with command(invitation.organization, actor):
        invitation = _locked(invitation)
        _ensure_may_answer(actor, invitation)
        if invitation.state != Invitation.State.PENDING:
            invitation.ensure_open(actor.now)
        invitation.state, invitation.closed_at, invitation.reply = Invitation.State.DECLINED, actor.now, reply
        invitation.save(update_fields=["state", "closed_at", "reply"])
        record(actor, "invitation.declined", invitation)
        _tell_sponsor(actor, "declined", invitation)
        return invitation


@repeatable
def ask_again(actor: Person | Bearer, invitation: Invitation) -> Invitation:
    """Ask for a new link, once a day: the sponsor, or if that one is gone those who manage members."""
    with command(invitation.organization, actor):
        invitation = _locked(invitation)
        _ensure_may_answer(actor, invitation)
        if invitation.state != Invitation.State.PENDING:
            invitation.ensure_open(actor.now)
        if invitation.asked_at and actor.now - invitation.asked_at < A_DAY:
            raise Refused("asked_already", _("You have asked today already. Try again tomorrow."))
        invitation.asked_at = actor.now
        invitation.save(update_fields=["asked_at"])
        record(actor, "invitation.asked", invitation)
        for member in _to_be_asked(invitation, actor.now):
            _tell(actor, member, "asked", invitation)
        return invitation


def _ensure_may_answer(actor: Person | Bearer, invitation: Invitation) -> None:
    """Whoever holds the link of the letter may; whoever is signed in must own the address."""
    if not isinstance(actor, Bearer):
        invitation.ensure_addressed_to(actor)
    elif not actor.proves:
        raise Refused("wrong_account", _("Log in with the invited address first."))


def _to_be_asked(invitation: Invitation, now: datetime) -> list[Membership]:
    if invitation.sponsor and invitation.is_sponsored(now):
        return [invitation.sponsor]
    return list(who_manage(invitation.organization, now)[:ASKED_AT_MOST])


def _tell_sponsor(actor: Actor, kind: str, invitation: Invitation) -> None:
    if invitation.sponsor and invitation.sponsor.is_effective(actor.now):
        _tell(actor, invitation.sponsor, kind, invitation)


def _tell(actor: Actor, member: Membership, kind: str, invitation: Invitation) -> None:
    outbox.post(
        kind,
        member.address,
        organization_id=invitation.organization_id,
        about=invitation.pk,
        facts={"to": member.name},
        now=actor.now,
    )


def _locked(invitation: Invitation) -> Invitation:
    """The row as it is now that the organization is locked."""
    rows = Invitation.objects.whole().prefetch_related("seats__workspace")
    found = rows.filter(organization=invitation.organization_id, pk=invitation.pk).first()
    if found is None:
        raise Missing
    return found


# --- Links ---------------------------------------------------------------------------------------------------------

# What a link is for. A letter's went to the address and nowhere else, therefore it proves the address. One that
# somebody made to hand over was seen by its maker, therefore it proves nothing.
LETTER, HAND = "letter", "hand"


@dataclass(frozen=True)
class Link:
    """What a genuine link says: which invitation, which of its letters or hand links, and which of the two it is."""

    invitation_id: UUID
    number: int
    purpose: str = LETTER


def letter_token(invitation_id: UUID, number: int) -> str:
    """The secret of one letter's link."""
    return _token(LETTER, invitation_id, number)


def hand_token(invitation_id: UUID, number: int) -> str:
    """The secret of a link to hand over."""
    return _token(HAND, invitation_id, number)


def _token(purpose: str, invitation_id: UUID, number: int) -> str:
    body = invitation_id.bytes + struct.pack(">I", number)
    return urlsafe_b64encode(body + _mac(server_keys()[0], purpose, body)).decode()


def read_token(token: str) -> Link | None:
    """What a token says if it is genuine; all else is one and the same unknown. The server's former keys count too."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii"))
    except (UnicodeEncodeError, ValueError, Base64Error):
        return None
    body, given = raw[:20], raw[20:]
    tried = [
        (purpose, hmac.compare_digest(_mac(key, purpose, body), given))
        for purpose in (LETTER, HAND)
        for key in server_keys()
    ]
    purpose = next((purpose for purpose, is_genuine in tried if is_genuine), None)
    if purpose is None or urlsafe_b64encode(raw).decode() != token:
        return None
    return Link(UUID(bytes=body[:16]), struct.unpack(">I", body[16:])[0], purpose)


def _mac(key: str, purpose: str, body: bytes) -> bytes:
    """128 bits over purpose, id and number, under a key that serves this purpose alone."""
    return hmac.digest(derive(key, b"portico invitation link", 32), purpose.encode() + body, "sha256")[:16]


def find(invitation_id: UUID) -> Invitation | None:
    """The invitation of a genuine link. One of the few questions across organizations."""
    return Invitation.objects.whole().prefetch_related("seats__workspace").filter(pk=invitation_id).first()
