"""Who belongs to an organization, with which grant, and how it ends.

A membership is effective while it is neither suspended nor past its end and the organization is open. All rights hang
on it: seats, offers and tokens go with it.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from . import bulk, outbox, words
from .access import Actor, Member, Operator, Person, exceeds, needs_person
from .actions import action, command, repeatable
from .errors import Forbidden, Invalid, Missing, Refused, ensure_current
from .events import record, record_all
from .people import User
from .permissions import MEMBERS_MANAGE, MEMBERS_VIEW
from .roles import Grant, Role, intern

if TYPE_CHECKING:
    from .organizations import Organization

ACTIVE, SUSPENDED, EXPIRED = "active", "suspended", "expired"


class MembershipQuerySet(models.QuerySet["Membership"]):
    def whole(self) -> "MembershipQuerySet":
        """With what every decision about a membership needs."""
        return self.select_related("grant", "organization")

    def active(self, now: datetime) -> "MembershipQuerySet":
        unended = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now)
        return self.filter(unended, suspended_at__isnull=True)

    def effective(self, now: datetime) -> "MembershipQuerySet":
        return self.active(now).filter(organization__closed_at__isnull=True)

    def suspended(self) -> "MembershipQuerySet":
        return self.filter(suspended_at__isnull=False)

    def expired(self, now: datetime) -> "MembershipQuerySet":
        return self.filter(suspended_at__isnull=True, expires_at__lte=now)

    def lasting_administrators(self) -> "MembershipQuerySet":
        """Active, without an end, and the account can sign in: those of whom one must remain.

        Also while the organization is closed, because they are who may restore it.
        """
        active = self.filter(suspended_at__isnull=True, expires_at__isnull=True)
        return active.filter(grant__is_administrator=True, user__is_active=True)

    def with_pictures(self) -> "MembershipQuerySet":
        """Each with its person's picture as `image`. It joins nothing, so that it changes no way through an index."""
        image = User.objects.filter(pk=models.OuterRef("user")).values("image")
        return self.annotate(image=models.Subquery(image))

    def regrant(self, actor: Actor, role: Role) -> None:
        """Give all of them another role, because theirs goes. Only a command, under the lock, may."""
        members = list(self)
        self.update(grant=role, version=models.F("version") + 1)
        record_all(actor, "member.changed", members, lambda row: {"before": row.grant.summary, "after": role.summary})


def state_of(suspended_at: datetime | None, expires_at: datetime | None, now: datetime) -> str:
    if suspended_at:
        return SUSPENDED
    return EXPIRED if expires_at and expires_at <= now else ACTIVE


_Manager = models.Manager.from_queryset(MembershipQuerySet)


class MembershipManager(_Manager["Membership"]):
    """Reads a membership whole, because no decision about it can do without its grant and its organization."""

    def get_queryset(self) -> MembershipQuerySet:
        return MembershipQuerySet(self.model, using=self._db).whole()


class Membership(models.Model):
    """One person in one organization.

    `name` and `address` are how the person is known here: the one copy we allow, because no index can sort a join.
    `people` keeps them in step; no other of the person's addresses is ever shown here.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("portico.Organization", models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    grant = models.ForeignKey(Role, models.PROTECT, related_name="memberships")
    name = models.CharField(max_length=words.NAME_LENGTH)
    address = models.CharField(max_length=254)
    sort_name = models.CharField(max_length=160)  # folded, so that order and search do not depend on case and accents
    search = models.CharField(max_length=640)
    invited_by = models.CharField(max_length=words.NAME_LENGTH, default="")
    joined_at = models.DateTimeField(default=timezone.now)
    suspended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    reminded = models.PositiveSmallIntegerField(
        null=True
    )  # so many days before the end a letter said it; see `endings`
    active_at = models.DateTimeField(default=timezone.now)  # last seen here; joining counts
    version = models.PositiveIntegerField(default=1)

    objects = MembershipManager()

    event_kind = "member"

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="membership_of_organization"),
            models.UniqueConstraint(fields=["organization", "user"], name="one_membership_per_person"),
        ]
        indexes = [
            models.Index(fields=["organization", "sort_name", "id"], name="member_by_name"),
            models.Index(fields=["organization", "address", "id"], name="member_by_address"),
            models.Index(fields=["organization", "joined_at", "id"], name="member_by_joining"),
            models.Index(fields=["organization", "active_at", "id"], name="member_by_activity"),
            models.Index(fields=["organization", "grant", "sort_name", "id"], name="member_by_grant"),
            # A search reads all of it, so it holds all that a search may ask for besides.
            models.Index(
                fields=["organization", "search", "grant", "suspended_at", "expires_at", "id"], name="member_by_words"
            ),
            models.Index(
                fields=["organization", "sort_name", "id"],
                name="member_suspended",
                condition=models.Q(suspended_at__isnull=False),
            ),
            models.Index(
                fields=["organization", "expires_at", "id"],
                name="member_with_end",
                condition=models.Q(expires_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def event_id(self) -> UUID:
        """The person's, so that the history of somebody who leaves and returns is one."""
        return self.user_id

    @property
    def label(self) -> str:
        return f"{self.name} <{self.address}>"

    def is_effective(self, now: datetime) -> bool:
        return self.state(now) == ACTIVE and self.organization.closed_at is None

    def state(self, now: datetime) -> str:
        return state_of(self.suspended_at, self.expires_at, now)

    @property
    def is_administrator(self) -> bool:
        return self.grant.is_administrator

    def read_again(self) -> "Membership | None":
        """The row as it is now; nobody's any more if it has ended, or if its account cannot sign in."""
        rows = Membership.objects.filter(organization=self.organization_id, user__is_active=True)
        return rows.filter(pk=self.pk).first()

    @property
    def seat_summary(self) -> list[dict[str, str]]:
        return [{"workspace": str(seat.workspace_id), "role": seat.role} for seat in self.seats.all()]

    @property
    def token_summary(self) -> list[str]:
        return sorted(str(token.pk) for token in self.tokens.all())

    def known_as(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.sort_name = words.fold(name)[:160]
        self.search = f" {words.fold(name)} {words.fold(address)}"[:640]


def visible_to(actor: Actor) -> MembershipQuerySet:
    """Everybody, for those who may see members; else oneself."""
    members: MembershipQuerySet = actor.organization.memberships.all()
    if actor.can(MEMBERS_VIEW):
        return members
    return members.filter(user=actor.id, organization__closed_at__isnull=True)


def pictures(actor: Actor, people: Iterable[object]) -> dict[UUID, str]:
    """The pictures of those among these people who have one, by the person's id, as far as the actor may see them.

    A membership shows its person's picture; who is none any more shows none. What is no person's id is passed over.
    """
    ids = {key for key in people if isinstance(key, UUID)}
    shown = visible_to(actor).filter(user__in=ids).exclude(user__image="")
    return dict(shown.order_by().values_list("user_id", "user__image"))


def who_manage(organization: "Organization", now: datetime) -> MembershipQuerySet:
    """Whom to ask: the effective members who may manage members and can sign in, in the order in which they joined."""
    sets = [role for role in organization.roles.all() if MEMBERS_MANAGE in role.permissions]
    members = Membership.objects.filter(organization=organization, grant__in=sets, user__is_active=True)
    return members.effective(now).order_by("id")


def admit(
    organization: "Organization",
    user: User,
    grant: Role,
    *,
    address: str,
    now: datetime,
    expires_at: datetime | None = None,
    invited_by: str = "",
) -> Membership:
    """Let somebody in. Only a command, under the lock, may."""
    membership = Membership(
        organization=organization,
        user=user,
        grant=grant,
        joined_at=now,
        active_at=now,
        expires_at=expires_at,
        invited_by=invited_by,
    )
    membership.known_as(user.name, address)
    membership.save(force_insert=True)
    return membership


@dataclass(frozen=True)
class Result:
    """What became of one of many: done, or refused by itself."""

    row: object
    refusal: Forbidden | Refused | None = None

    @property
    def done(self) -> bool:
        return self.refusal is None


@dataclass(frozen=True)
class End:
    """The end that somebody sets: a moment, or none at all. Where no `End` is given, the end stays as it is."""

    at: datetime | None = None

    def is_after(self, other: datetime | None) -> bool:
        """Whether the membership lasts longer with this end than with the other."""
        return other is not None and (self.at is None or self.at > other)


LAST_YEAR = 2999  # in which a membership can end


def ensure_end(at: datetime | None, now: datetime, *, field: str) -> None:
    """That a membership can end then: not in the past, and in a year that every calendar and database knows."""
    if at is not None and at.year > LAST_YEAR:
        raise Invalid(_("Choose an end before the year %(n)d.") % {"n": LAST_YEAR + 1}, field=field)
    if at is not None and at <= now:
        raise Invalid(_("The end of the membership lies in the past."), field=field)


@dataclass(frozen=True)
class Change:
    """What somebody asks to change of a membership. What is None stays."""

    grant: Grant | None = None
    status: str | None = None  # ACTIVE or SUSPENDED
    end: End | None = None

    def ensure_well_formed(self, now: datetime) -> None:
        if self.status not in {None, ACTIVE, SUSPENDED}:
            raise Invalid(_("A member is made active or suspended."), field="status")
        if self.end:
            ensure_end(self.end.at, now, field="expires_at")

    def end_of(self, member: Membership) -> datetime | None:
        return self.end.at if self.end else member.expires_at


@action(MEMBERS_MANAGE)
def change(
    actor: Actor,
    *,
    member: Membership,
    grant: Grant | None = None,
    status: str | None = None,
    end: End | None = None,
    version: int | None = None,
    take_over: bool = False,
) -> Membership:
    """Give a member another role or other permissions, suspend or reactivate them, set or lift the membership's end.

    Whatever is given of these is one change. With `take_over` the actor becomes the sponsor of those offers that the
    member could no longer send, where possible.
    """
    ensure_current(member.version, version)
    [result] = _change(actor, [member], Change(grant, status, end), take_over)
    if result.refusal:
        raise result.refusal
    return member


@action(MEMBERS_MANAGE)
def change_all(
    actor: Actor,
    *,
    members: Sequence[Membership],
    grant: Grant | None = None,
    status: str | None = None,
    end: End | None = None,
    take_over: bool = False,
) -> list[Result]:
    """The same change for many: each is changed, or refused by itself."""
    return _change(actor, members, Change(grant, status, end), take_over)


def _change(actor: Actor, members: Sequence[Membership], asked: Change, take_over: bool) -> list[Result]:
    asked.ensure_well_formed(actor.now)
    results = [Result(member, _why_not_change(actor, member, asked)) for member in members]
    allowed = [member for member, result in zip(members, results, strict=True) if result.done]
    if any(_makes_administrator(member, asked, actor.now) for member in allowed):
        actor.require_proof()
    granted = intern(actor.organization, asked.grant) if asked.grant and allowed else None
    was = {member.pk: copy(member) for member in allowed}
    for member in allowed:
        member.grant = granted or member.grant
        member.expires_at = asked.end_of(member)
        if asked.status:
            member.suspended_at = (member.suspended_at or actor.now) if asked.status == SUSPENDED else None
    _write(actor, allowed, was)
    if isinstance(actor, Member):  # takes over as much as they can send afterwards
        actor.membership = next((member for member in allowed if is_self(actor, member)), actor.membership)
    actor.takes_over = take_over
    return results


def _makes_administrator(member: Membership, asked: Change, now: datetime) -> bool:
    """Whether the member becomes an Administrator, or one who was suspended or past the end acts as one again."""
    stays_suspended = asked.status == SUSPENDED or (member.suspended_at and asked.status != ACTIVE)
    if member.is_administrator and (stays_suspended or member.is_effective(now)):
        return False
    return bool((asked.grant or member.grant).is_administrator)


CHANGEABLE = ("grant_id", "suspended_at", "expires_at")


def _write(actor: Actor, members: Iterable[Membership], was: "dict[UUID, Membership]") -> None:
    """Write what differs, the next version with it; one event for each thing that changed, and a letter where due."""

    def that_changed(*names: str) -> list[Membership]:
        return [row for row in members if any(getattr(row, name) != getattr(was[row.pk], name) for name in names)]

    changed, states, ends = that_changed(*CHANGEABLE), that_changed("suspended_at"), that_changed("expires_at")
    for member in changed:
        member.version += 1
    for member in ends:
        member.reminded = None
    bulk.update(changed, ["grant", "suspended_at", "expires_at", "reminded", "version"])
    record_all(
        actor,
        "member.changed",
        that_changed("grant_id"),
        lambda row: {"before": was[row.pk].grant.summary, "after": row.grant.summary},
    )
    suspended = [member for member in states if member.suspended_at]
    reactivated = [member for member in states if not member.suspended_at]
    record_all(actor, "member.suspended", suspended)
    record_all(actor, "member.reactivated", reactivated)
    record_all(
        actor,
        "member.end_changed",
        ends,
        lambda row: {"before": _told(was[row.pk].expires_at), "after": _told(row.expires_at)},
    )
    _tell(actor, "suspended", suspended)
    _tell(actor, "reactivated", reactivated)


def _told(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


@action(MEMBERS_MANAGE)
def remove(
    actor: Actor, *, members: Sequence[Membership], version: int | None = None, take_over: bool = False
) -> list[Result]:
    """End the membership of each, and with it their seats and the offers that stood on them.

    `version` is that of a single one, as it was shown. With `take_over` the actor becomes the sponsor of those offers
    that the actor could make; all others are revoked.
    """
    for member in members:
        ensure_current(member.version, version)
    results = [Result(member, _why_not_remove(actor, member)) for member in members]
    gone = [member for member, result in zip(members, results, strict=True) if result.done]
    actor.takes_over = take_over and not any(is_self(actor, member) for member in gone)
    _end(actor, gone, "member.removed")
    _tell(actor, "removed", gone)
    return results


@repeatable
def leave(actor: Member) -> None:
    """Give up one's own membership. Needs no permission, only to be an active member."""
    with command(actor.organization, actor):
        actor.require_person()
        actor.explain_why_nothing_is_held()
        _end(actor, [actor.membership], "member.left")


@repeatable
def end_with_account(actor: Actor, member: Membership) -> None:
    """End a membership, in whatever state, because its account ends: by the person, or by the operator."""
    with command(member.organization, actor):
        actor.require_person()
        mine = _mine(actor, member)
        _end(actor, [mine], "member.left" if is_self(actor, mine) else "member.removed", reason="account_closed")


def _mine(actor: Actor, member: Membership) -> Membership:
    """The row as it is now that the organization is locked. Whoever has no part in it is told of none."""
    found = Membership.objects.filter(organization=actor.organization, pk=member.pk).first()
    if found is None or not (is_self(actor, found) or isinstance(actor, Operator)):
        raise Missing
    return found


@repeatable
def known_by(actor: Member, address: str) -> Membership:
    """Choose by which of one's verified addresses this organization knows one. Others of them it never learns."""
    with command(actor.organization, actor):
        actor.require_person()
        actor.explain_why_nothing_is_held()
        member = actor.membership
        # Locked, so that none of them can be removed from the account meanwhile.
        owned = member.user.emailaddress_set.select_for_update().filter(verified=True)
        if address not in owned.values_list("email", flat=True):
            raise Refused("not_your_address", _("This is none of your verified addresses."), field="address")
        if address != member.address:
            member.known_as(member.name, address)
            member.save(update_fields=["address", "search"])
            record(actor, "member.known_as", member, changed=["address"])
        return member


def keep_in_step(person: Person) -> None:
    """Where an organization knows a person by an old name, or by an address that is no longer theirs, it learns better.

    It then knows them by their primary address. Runs in the transaction that changed the account, without the lock of
    an organization: how somebody is called decides nothing there.
    """
    user = person.user
    user.refresh_from_db(fields=["name", "email"])
    owned = user.addresses
    for member in Membership.objects.filter(user=user):
        before = {"name": member.name, "address": member.address}
        member.known_as(user.name, member.address if member.address in owned else user.email)
        changed = [field for field, old in before.items() if getattr(member, field) != old]
        known = {field: getattr(member, field) for field in ("name", "address", "sort_name", "search")}
        if changed and Membership.objects.filter(pk=member.pk).update(**known):
            actor = Member(organization=member.organization, membership=member, via=person.via, batch=person.batch)
            record(actor, "member.known_as", member, changed=changed)


def _end(actor: Actor, members: Sequence[Membership], what: str, **why: str) -> None:
    models.prefetch_related_objects(members, "seats", "tokens")
    record_all(actor, what, members, lambda member: _what_ends(member) | why)
    Membership.objects.filter(organization=actor.organization, pk__in=[member.pk for member in members]).delete()


def _what_ends(member: Membership) -> dict[str, object]:
    return member.grant.summary | {"seats": member.seat_summary, "tokens": member.token_summary}


def _tell(actor: Actor, kind: str, members: Sequence[Membership]) -> None:
    """A letter to each, of what somebody else did to their membership."""
    outbox.post_all(
        outbox.draft(
            kind,
            member.address,
            organization_id=actor.organization.pk,
            about=member.user_id,
            facts={"by": actor.label} if actor.id else {},
            now=actor.now,
        )
        for member in members
        if not is_self(actor, member)
    )


def _why_not_touch(actor: Actor, member: Membership) -> Forbidden | None:
    """Nobody touches somebody whose grant is more than they hold; on oneself only the bound on giving speaks.

    A program is not oneself: what it lacks for others it lacks for whoever made it.
    """
    missing = [] if is_self(actor, member) and not is_program(actor) else actor.missing(member.grant.permissions)
    return exceeds(missing) if missing else None


def _why_not_remove(actor: Actor, member: Membership) -> Forbidden | None:
    """To end one's own membership is to leave, which needs the person."""
    return needs_person() if is_self(actor, member) and is_program(actor) else _why_not_touch(actor, member)


def _why_not_change(actor: Actor, member: Membership, asked: Change) -> Forbidden | Refused | None:
    if refusal := _why_not_touch(actor, member):
        return refusal
    if asked.grant and (missing := actor.missing(asked.grant.permissions)):
        return exceeds(missing)
    if asked.end and is_self(actor, member) and asked.end.is_after(member.expires_at):
        # After that end one holds nothing, so there is nothing to give it from.
        sentence = _("Nobody puts off their own end. Ask another who manages members.")
        return Forbidden("exceeds_your_authority", sentence, field="expires_at")
    ends = asked.end_of(member)
    if asked.status == ACTIVE and ends and ends <= actor.now:
        sentence = _("The membership of %(name)s has ended. Give it a new end, or none.")
        return Refused("membership_over", sentence % {"name": member.name})
    return None


def is_program(actor: Actor) -> bool:
    """Whether a token acts, in the name of a member or of the organization."""
    return getattr(actor, "token", None) is not None


def is_self(actor: Actor, member: Membership) -> bool:
    return actor.id is not None and actor.id == member.user_id


def seen(membership: Membership, now: datetime) -> None:
    """Note that the member was here; at most every five minutes, and not a change that anybody must be told of."""
    if (now - membership.active_at).total_seconds() > 300:
        Membership.objects.filter(pk=membership.pk).update(active_at=Now())
