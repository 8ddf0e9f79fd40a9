"""From a letter to a mail: is it still true, what does it say, how is it wrapped.

A letter is asked right before it leaves, because between posting and leaving an invitation may have been withdrawn,
renewed or accepted, its sponsor may be gone, and the organization may be closed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.charset import QP, Charset
from email.utils import format_datetime, formataddr, parseaddr
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from portico.domain import endings, organizations
from portico.domain.access import Member, Via
from portico.domain.handovers import Handover
from portico.domain.invitations import Invitation
from portico.domain.memberships import SUSPENDED, Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from portico.domain.permissions import MEMBERS_MANAGE

from . import letters
from .letters import Said

TOLD = {"accepted": letters.accepted, "declined": letters.declined, "asked": letters.asked}
# What befell a membership, or will; `about` is the person.
BEFELL = {"removed": letters.removed, "suspended": letters.suspended, "reactivated": letters.reactivated}
ENDING, ENDINGS = "ending", "endings"
OF_MEMBERS = frozenset({*BEFELL, ENDING, ENDINGS})
# Of a hand-over, to whom it is offered and to who offers it; and of an organization that was closed.
HANDOVER, CLOSED = "handover", "closed"
ANSWERED = {"handover_accepted": letters.handover_accepted, "handover_declined": letters.handover_declined}
TO_MEMBERS = frozenset({HANDOVER, CLOSED, *ANSWERED})
PARTS = ("organization", "grant", "sponsor__seats", "sponsor__user", "seats__workspace")
# Servers need not take eight bits or long lines.
ENCODING = Charset("utf-8")
ENCODING.body_encoding = QP


@dataclass(frozen=True)
class Subjects:
    """What some letters are about, as it is now: read once for all of them, right before they leave."""

    invitations: dict[UUID, Invitation]
    organizations: dict[UUID, Organization]
    members: dict[tuple[UUID, str], Membership]
    people: dict[tuple[UUID, UUID], Membership]  # by person, where that is what a letter is about
    handovers: dict[UUID, Handover]
    said: dict[tuple[object, ...], Said] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Sequence[Letter]) -> "Subjects":
        offers = {letter.about for letter in batch if letter.about and letter.kind in {"invitation", *TOLD}}
        places = {letter.organization_id for letter in batch if letter.organization_id and letter.kind in OF_MEMBERS}
        people = {letter.about for letter in batch if letter.about and letter.kind in OF_MEMBERS - {"removed"}}
        told = [letter for letter in batch if letter.kind in {*TOLD, *TO_MEMBERS}]
        handed = {letter.about for letter in batch if letter.about and letter.kind == HANDOVER}
        return cls(
            # Fetched apart and not joined: the offers of one command share organization, grant and sponsor.
            Invitation.objects.prefetch_related(*PARTS).in_bulk(offers) if offers else {},
            Organization.objects.in_bulk(places) if places else {},
            _members(told) if told else {},
            _people(places, people) if people else {},
            Handover.objects.whole().in_bulk(handed) if handed else {},
        )

    def offer(self, letter: Letter) -> Invitation | None:
        return self.invitations.get(letter.about) if letter.about else None

    def organization(self, letter: Letter) -> Organization | None:
        return self.organizations.get(letter.organization_id) if letter.organization_id else None

    def handover(self, letter: Letter) -> Handover | None:
        return self.handovers.get(letter.about) if letter.about else None

    def recipient(self, letter: Letter) -> Membership | None:
        return self.members.get((letter.organization_id, letter.address)) if letter.organization_id else None

    def member(self, letter: Letter) -> Membership | None:
        """The membership of the person that a letter is about."""
        return (
            self.people.get((letter.organization_id, letter.about)) if letter.organization_id and letter.about else None
        )


def _members(told: Sequence[Letter]) -> dict[tuple[UUID, str], Membership]:
    wanted = Q()
    for letter in told:
        wanted |= Q(organization=letter.organization_id, address=letter.address)
    return {(member.organization_id, member.address): member for member in Membership.objects.filter(wanted)}


def _people(places: Iterable[UUID], people: Iterable[UUID]) -> dict[tuple[UUID, UUID], Membership]:
    rows = Membership.objects.filter(organization__in=places, user__in=people)
    return {(member.organization_id, member.user_id): member for member in rows}


def why_not(letter: Letter, subjects: Subjects, now: datetime) -> str:
    """Why this letter must no longer leave; empty if it may."""
    if letter.kind == "invitation":
        return _why_not_invite(letter, subjects.offer(letter), now)
    if letter.kind in TOLD:
        return _why_not_tell(letter, subjects, now)
    if letter.kind in OF_MEMBERS:
        return _why_not_of(letter, subjects.member(letter), now) or _why_not_from(subjects.organization(letter))
    if letter.kind == CLOSED:
        return _why_not_closed(subjects.recipient(letter), now)
    if letter.kind in TO_MEMBERS:
        return _why_not_of_handover(letter, subjects, now)
    if letter.kind not in letters.ACCOUNT:
        return _("Nobody knows how to write this letter.")
    if letter.kind in letters.NEED_SECRETS and not letter.secrets:
        return _("It waited for so long that its code or link was forgotten.")
    return ""


def _why_not_invite(letter: Letter, offer: Invitation | None, now: datetime) -> str:
    if offer is None or offer.state != Invitation.State.PENDING:
        return _("The invitation was closed before it left.")
    if offer.number != letter.facts.get("number"):
        return _("A newer letter was sent in its place.")
    if not offer.is_open(now):
        return _("The invitation expired before it left.")
    if not offer.is_sponsored(now):
        return _("Whoever invited can no longer offer this.")
    return _why_not_from(offer.organization)


def _why_not_tell(letter: Letter, subjects: Subjects, now: datetime) -> str:
    """What becomes of invitations is for those who manage members; whoever no longer does is not told."""
    offer, member = subjects.offer(letter), subjects.recipient(letter)
    if offer is None:
        return _("The invitation is gone.")
    if member is None or not _as_reader(member, now).can(MEMBERS_MANAGE):
        return _("Whom it was for no longer manages members.")
    if letter.kind == "accepted" and offer.membership is None:
        return _("Whoever accepted no longer belongs to the organization.")
    if letter.kind == "asked" and (offer.state != Invitation.State.PENDING or offer.sent_at > letter.created_at):
        return _("The invitation was answered, withdrawn or sent again meanwhile.")
    return _why_not_from(offer.organization)


def _why_not_of(letter: Letter, member: Membership | None, now: datetime) -> str:
    """Of a membership it tells what is still so."""
    if letter.kind == "removed":
        return ""
    if member is None:
        return _("Whom it was for no longer belongs to the organization.")
    if letter.kind == ENDINGS:
        return _why_not_list(letter, member, now)
    if letter.kind == ENDING:
        return "" if member in _ending(letter, member.organization, now) else _("The end was moved, or has come.")
    if (member.state(now) == SUSPENDED) != (letter.kind == SUSPENDED):
        return _("It was taken back before it left.")
    return ""


def _why_not_list(letter: Letter, member: Membership, now: datetime) -> str:
    if not _as_reader(member, now).can(MEMBERS_MANAGE):
        return _("Whom it was for no longer manages members.")
    return "" if _ending(letter, member.organization, now, without=member) else _("The ends were moved, or have come.")


def _ending(
    letter: Letter, organization: Organization, now: datetime, without: Membership | None = None
) -> list[Membership]:
    """The memberships that end when the letter says, as things stand now."""
    moments = [datetime.fromisoformat(moment) for moment in letter.facts["ends"]]
    return [member for member in endings.ending_at(organization, moments, now) if member != without]


def _why_not_closed(member: Membership | None, now: datetime) -> str:
    """It says how to restore, to those who can."""
    may = member is not None and organizations.may_restore(member, now)
    return "" if may else _("The organization is open again, or whom it was for cannot restore it.")


def _why_not_of_handover(letter: Letter, subjects: Subjects, now: datetime) -> str:
    member = subjects.recipient(letter)
    if member is None or not member.is_effective(now):
        return _("Whom it was for is no active member any more.")
    if letter.kind == HANDOVER:
        handover = subjects.handover(letter)
        if handover is None or not handover.is_open(now) or handover.receiver != member:
            return _("The offer ended before it left.")
    return ""


def _as_reader(member: Membership, now: datetime) -> Member:
    return Member(organization=member.organization, membership=member, via=Via(door="letter"), now=now)


def _why_not_from(organization: Organization | None) -> str:
    if organization is None or organization.closed_at:
        return _("The organization was closed before it left.")
    return ""


def compose(letter: Letter, subjects: Subjects) -> EmailMultiAlternatives:
    """The mail, in the language of the letter."""
    with translation.override(letter.locale):
        said = _said(letter, subjects)
    message = EmailMultiAlternatives(
        subject=" ".join(said.subject.split()),
        body=said.text,
        from_email=sender(settings.DEFAULT_FROM_EMAIL),
        to=[letter.address],
        headers={
            # The same at every attempt, so that a letter repeated after a crash is known as the same.
            "Message-ID": f"<{letter.pk}@{_host()}>",
            "Date": format_datetime(timezone.now()),
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(said.html, "text/html")
    message.encoding = ENCODING
    return message


def _said(letter: Letter, subjects: Subjects) -> Said:
    """What it says. `why_not` has been asked, so what it is about is there."""
    if letter.kind in letters.ACCOUNT:
        return letters.account(letter.kind, letter.address, letter.secrets).said()
    if letter.kind in OF_MEMBERS and (organization := subjects.organization(letter)):
        return _of_a_membership(letter, organization, subjects.member(letter))
    member = subjects.recipient(letter)
    if member and letter.kind == CLOSED:
        return letters.closed(member.organization, letter.facts.get("by", "")).said()
    if member and letter.kind in ANSWERED:
        return ANSWERED[letter.kind](member.organization, letter.facts["name"]).said()
    if letter.kind == HANDOVER and (handover := subjects.handover(letter)):
        return letters.handover(handover).said()
    offer = subjects.offer(letter)
    if offer and letter.kind == "invitation":
        return _to_the_invited(offer, letter, subjects)
    if offer and letter.kind in TOLD:
        return TOLD[letter.kind](offer).said()
    raise LookupError(f"nothing to say of {letter.kind}")


def _of_a_membership(letter: Letter, organization: Organization, member: Membership | None) -> Said:
    if letter.kind in BEFELL:
        return BEFELL[letter.kind](organization, letter.facts.get("by", "")).said()
    if member and letter.kind == ENDING:
        return letters.ending(member).said()
    return letters.endings(organization, _ending(letter, organization, timezone.now(), without=member)).said()


def _to_the_invited(offer: Invitation, letter: Letter, subjects: Subjects) -> Said:
    """Those of one command say the same, so they are written once for each batch."""
    seats = frozenset((seat.workspace_id, seat.role) for seat in offer.seats.all())
    terms = (offer.message, offer.expires_at, offer.member_until, letter.locale)
    key = (offer.organization_id, offer.sponsor_id, offer.grant_id, seats, *terms)
    if key not in subjects.said:
        subjects.said[key] = letters.invitation(offer).said()
    return subjects.said[key].to(letter.address, letters.link_of(offer))


@lru_cache(maxsize=1)
def sender(configured: str) -> str:
    """The From of every letter: the operator's words, on one line."""
    name, address = parseaddr(" ".join(configured.split()))
    return formataddr((name, address)) if name else address


def _host() -> str:
    return f"[{settings.BASE_HOST}]" if ":" in settings.BASE_HOST else settings.BASE_HOST
