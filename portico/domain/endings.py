"""Memberships that come to their end: the member, and those who manage members, hear of it beforehand by letter.

When the end has come nothing has to happen, because what a member holds is asked of the clock. Only the letters need
somebody who posts them in time, and each of them once: `Membership.reminded` says which have been posted.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import models, transaction

from . import outbox
from .memberships import Membership, MembershipQuerySet, who_manage
from .organizations import Organization

# So many days before the end a letter leaves. An end that is set later than that is announced with the next one due.
EARLY, LATE = 7, 1
TOLD_AT_MOST = 20  # of those who manage members


def announce(now: datetime, *, most: int = 500) -> int:
    """Post letters that are due, in one organization and about so many memberships at most; how many it was.

    Workers may ask this at the same time: the lock of the organization lets one of them post, and the next one finds
    it done.
    """
    organization = Organization.objects.filter(pk__in=_due(now).values("organization")).order_by("pk").first()
    if organization is None:
        return 0
    with transaction.atomic(durable=True):
        organization.lock()
        due = _due(now).filter(organization=organization)
        members = list(due.order_by("expires_at", "sort_name", "id")[:most])
        _mark(members, now)
        outbox.post_all([*_to_members(members, now), *_to_managers(organization, members, now)])
    return len(members)


def ending_at(organization: Organization, moments: Sequence[datetime], now: datetime) -> MembershipQuerySet:
    """Those whose membership ends at one of these moments, the first first, as far as it lies ahead."""
    active = Membership.objects.filter(organization=organization).effective(now)
    return active.filter(expires_at__in=moments).order_by("expires_at", "sort_name", "id")


def _due(now: datetime) -> MembershipQuerySet:
    ends_by = {days: models.Q(expires_at__lte=now + timedelta(days=days)) for days in (EARLY, LATE)}
    early = ends_by[EARLY] & models.Q(reminded__isnull=True)
    late = ends_by[LATE] & models.Q(reminded=EARLY)
    return Membership.objects.effective(now).filter(early | late, expires_at__gt=now)


def _mark(members: Sequence[Membership], now: datetime) -> None:
    late = {member.pk for member in members if member.expires_at and member.expires_at <= now + timedelta(days=LATE)}
    for days, keys in ((LATE, late), (EARLY, {member.pk for member in members} - late)):
        Membership.objects.filter(pk__in=keys).update(reminded=days)


def _to_members(members: Sequence[Membership], now: datetime) -> list[outbox.Letter]:
    return [
        outbox.draft(
            "ending",
            member.address,
            organization_id=member.organization_id,
            about=member.user_id,
            facts={"ends": _moments([member])},
            now=now,
        )
        for member in members
    ]


def _to_managers(organization: Organization, members: Sequence[Membership], now: datetime) -> list[outbox.Letter]:
    """One letter to each, of all whose end is announced now; whom it is about themselves has a letter already."""
    ends = {
        manager: _moments([member for member in members if member != manager])
        for manager in who_manage(organization, now)[:TOLD_AT_MOST]
    }
    return [
        outbox.draft(
            "endings",
            manager.address,
            organization_id=organization.pk,
            about=manager.user_id,
            facts={"ends": moments},
            now=now,
        )
        for manager, moments in ends.items()
        if moments
    ]


def _moments(members: Sequence[Membership]) -> list[str]:
    return sorted({member.expires_at.isoformat() for member in members if member.expires_at})
