"""Tokens: secrets for programs.

    of a member         the member's authority here, narrowed: it shrinks with theirs at once, and goes with them
    of the organization a service token: reads and checks, nothing else; stays when its maker goes
    of the operator     a service token for every organization

The secret is shown once, when it is made; what is kept is its digest. It carries a checksum, so that a mistyped one is
refused before anything is read, and scanners find it where it should not be:

    ptc_  30 random digits and letters  6 more: their CRC32
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from . import invitations, words
from .access import Actor, Member, Operator, Service, Via
from .actions import action, command, repeatable
from .errors import Invalid, Missing, Refused, Unauthenticated, together
from .events import Event, record
from .memberships import Membership
from .organizations import Organization
from .permissions import ADMINISTER, ORGANIZATION, READS, Permissions, catalogue, complete
from .roles import Role, custom_set

DAYS = 30
SHORTEST, LONGEST = 1, 3650
USED_EVERY = timedelta(minutes=1)

PREFIX, RANDOM, CHECKSUM, SHOWN = "ptc_", 30, 6, 6
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]  # the digits of a number to the base of 62²
SHAPE = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{RANDOM}}})([0-9A-Za-z]{{{CHECKSUM}}})")  # published for secret scanners


class TokenQuerySet(models.QuerySet["Token"]):
    def whole(self) -> "TokenQuerySet":
        """With what every decision about a token needs."""
        return self.select_related("organization", "limit", "membership__grant", "membership__organization")

    def good(self, now: datetime) -> "TokenQuerySet":
        """Those by which somebody may ask: not past their end, and the account of their member can sign in."""
        unended = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now)
        return self.filter(unended, models.Q(membership__isnull=True) | models.Q(membership__user__is_active=True))


class Token(models.Model):
    """A secret for programs. Without a membership it is a service token, and without an organization the operator's.

    `limit` is the set of permissions that it is narrowed to; none is full access. Revoked, the row is gone. Who made a
    service token is known by the log alone, so that a person can be forgotten there.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, null=True, related_name="tokens")
    membership = models.ForeignKey(Membership, models.CASCADE, null=True, related_name="tokens")
    name = models.CharField(max_length=words.NAME_LENGTH)
    prefix = models.CharField(max_length=16)  # the beginning of the secret, by which people know it again
    digest = models.CharField(max_length=64, unique=True)
    limit = models.ForeignKey(Role, models.PROTECT, null=True, related_name="tokens")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)  # null: perpetual
    last_used_at = models.DateTimeField(null=True)

    objects = TokenQuerySet.as_manager()

    event_kind = "token"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="token_of_organization"),
            models.CheckConstraint(
                condition=models.Q(organization__isnull=False) | models.Q(membership__isnull=True, limit__isnull=True),
                name="only_a_service_token_is_of_no_organization",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def event_id(self) -> UUID:
        return self.pk

    @property
    def label(self) -> str:
        return self.name

    @property
    def is_service(self) -> bool:
        return self.membership_id is None

    @property
    def allowed(self) -> Permissions | None:
        """What it is narrowed to, completed by what that implies; None is full access."""
        return self.limit.permissions if self.limit else None

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def read_again(self, now: datetime) -> "Token":
        """The row as it is now; a token that is gone or over proves nothing any more."""
        token = Token.objects.whole().good(now).filter(pk=self.pk).first()
        if token is None:
            raise Unauthenticated
        return token


@dataclass(frozen=True)
class Issued:
    """A token that was just made, and its secret, which nobody can show again."""

    token: Token
    secret: str = field(repr=False)


def visible_to(actor: Actor) -> TokenQuerySet:
    """One's own, the newest first; for Administrators everybody's, and those of the organization."""
    tokens: TokenQuerySet = actor.organization.tokens.whole().order_by("-id")
    if actor.can(ADMINISTER):
        return tokens
    if isinstance(actor, Member) and actor.membership.is_effective(actor.now):
        return tokens.filter(membership=actor.membership)
    return tokens.none()


def mine(actor: Actor) -> TokenQuerySet:
    """One's own, the newest first."""
    membership = actor.membership.pk if isinstance(actor, Member) else None
    return visible_to(actor).filter(membership=membership) if membership else visible_to(actor).none()


def every(actor: Actor) -> TokenQuerySet:
    """Everybody's, and those of the organization; for Administrators."""
    actor.require(ADMINISTER)
    return visible_to(actor)


def count_of(members: Sequence[Membership]) -> int:
    """How many tokens would end with these memberships."""
    return Token.objects.filter(membership__in=members).count()


# --- Who asks by a token --------------------------------------------------------------------------------------------


def authenticate(secret: str, via: Via, now: datetime) -> Member | Service:
    """Whoever acts by this secret, or one and the same Unauthenticated. One of the few questions across organizations.

    Suspended or expired members are found: they hold nothing, and are told why. A token of the operator comes without
    an organization; the door says which one it asks about.
    """
    if not is_well_formed(secret):
        raise Unauthenticated
    token = Token.objects.whole().good(now).filter(digest=digest(secret)).first()
    if token is None:
        raise Unauthenticated
    return actor_of(token, via, now)


def actor_of(token: Token, via: Via, now: datetime) -> Member | Service:
    """A member for a member's token, else a service."""
    if token.membership is None:
        return Service(organization=token.organization, via=via, now=now, token=token)
    member = Member.of(token.membership, via, limit=token.allowed)
    member.token, member.now = token, now
    return member


def used(token: Token, now: datetime) -> None:
    """Note that a token was used; at most once a minute, and not in the transaction of what it was used for."""
    if token.last_used_at is None or now - token.last_used_at >= USED_EVERY:
        used_by_id(token.pk, now)


def used_by_id(key: UUID, now: datetime) -> None:
    stale = models.Q(last_used_at__isnull=True) | models.Q(last_used_at__lte=now - USED_EVERY)
    Token.objects.filter(stale, pk=key).update(last_used_at=now)


# --- The secret ------------------------------------------------------------------------------------------------------


def new_secret() -> str:
    random = "".join(secrets.choice(ALPHABET) for _each in range(RANDOM))
    return f"{PREFIX}{random}{checksum(random)}"


def is_well_formed(secret: str) -> bool:
    """Whether it could be a token at all: asked before any row is read."""
    match = SHAPE.fullmatch(secret)
    return match is not None and checksum(match[1]) == match[2]


def checksum(random: str) -> str:
    """The CRC32 of the random part, in base 62 with leading zeros."""
    number = zlib.crc32(random.encode())
    number, last = divmod(number, len(_PAIRS))
    first, middle = divmod(number, len(_PAIRS))
    return _PAIRS[first] + _PAIRS[middle] + _PAIRS[last]


def bytes_of(secret: str) -> bytes:
    """The SHA-256 of a secret, as statements take it."""
    return hashlib.sha256(secret.encode()).digest()


def digest(secret: str) -> str:
    """What is kept of a secret. It has 178 random bits, so a quick hash is as good as a slow one."""
    return bytes_of(secret).hex()


# --- Commands --------------------------------------------------------------------------------------------------------


@repeatable
def issue(
    actor: Member,
    *,
    name: str,
    days: int | None = DAYS,
    permissions: Sequence[str] | None = None,
    once: UUID | None = None,
) -> Issued:
    """Make a token of one's own: one's authority here, narrowed to `permissions` if they are given.

    Needs no permission, only to be an active member. `days` None makes it perpetual. `once` is an id that the asker
    chose: asked twice with the same, one token is made.
    """
    with command(actor.organization, actor):
        actor.require_person()
        actor.explain_why_nothing_is_held()
        return _issue(actor, actor.membership, name=name, days=days, names=permissions, once=once)


@action(ADMINISTER, person=True)
def issue_service(
    actor: Actor,
    *,
    name: str,
    days: int | None = DAYS,
    permissions: Sequence[str] | None = None,
    once: UUID | None = None,
) -> Issued:
    """Make a token of the organization, which reads and checks, and stays when its maker goes."""
    actor.require_proof()
    return _issue(actor, None, name=name, days=days, names=permissions, once=once)


def issue_for_all(operator: Operator, *, name: str, days: int | None = DAYS) -> Issued:
    """Make a service token for every organization. Only the operator can."""
    with transaction.atomic(durable=True):
        return _issue(operator, None, name=name, days=days)


def _issue(
    actor: Actor,
    membership: Membership | None,
    *,
    name: str,
    days: int | None,
    names: Sequence[str] | None = None,
    once: UUID | None = None,
) -> Issued:
    name, _days, allowed = together(
        lambda: words.name(name), lambda: _ensure_days(days), lambda: _allowed(names, service=membership is None)
    )
    actor.require_covers(frozenset(each for each in allowed or () if each.scope == ORGANIZATION))
    if once:
        _ensure_first(actor, once)
    secret = new_secret()
    token = Token.objects.create(
        id=once or uuid7(),
        organization=actor.organization,
        membership=membership,
        name=name,
        prefix=secret[: len(PREFIX) + SHOWN],
        digest=digest(secret),
        limit=None if allowed is None else custom_set(actor.organization, allowed),
        created_at=actor.now,
        expires_at=None if days is None else actor.now + timedelta(days=days),
    )
    record(actor, "token.issued", token, **_summary(token))
    return Issued(token, secret)


def _ensure_days(days: int | None) -> None:
    if days is not None and not SHORTEST <= days <= LONGEST:
        sentence = _("A token lives for %(from)d to %(to)d days, or is perpetual.")
        raise Invalid(sentence % {"from": SHORTEST, "to": LONGEST}, field="days")


def _allowed(names: Sequence[str] | None, *, service: bool) -> Permissions | None:
    """The permissions of these names, with what they imply; None is full access.

    Those inside a workspace may be named too: a limit gives nothing, it lets through what a seat gives.
    """
    if names is None:
        return None
    if not names:  # it could not be changed afterwards, so it would be of no use to anybody
        raise Invalid(_("Choose at least one permission, or full access."), field="permissions")
    known = {permission.name: permission for permission in catalogue().every}
    if unknown := sorted(set(names) - known.keys()):
        raise Invalid(_("There is no permission “%(name)s”.") % {"name": unknown[0][:80]}, field="permissions")
    if service and (beyond := sorted(set(names) - {each.name for each in READS})):
        sentence = _("A service token reads and checks. It cannot be given “%(label)s”.")
        raise Invalid(sentence % {"label": known[beyond[0]].label}, field="permissions")
    return complete(known[name] for name in names)


def _ensure_first(actor: Actor, once: UUID) -> None:
    """The log remembers also those that were revoked since."""
    if Event.objects.filter(organization_id=actor.organization.pk, subject_id=once).exists():
        sentence = _("This token was made already. Its secret was shown then, and cannot be shown again.")
        raise Refused("already_done", sentence, id=once)


@repeatable
def revoke(actor: Actor, *, token: Token, take_over: bool = False) -> None:
    """End a token, and with it the open offers that came through it: one's own, and as an Administrator any.

    A token may end itself, and no other. With `take_over` the actor becomes the sponsor of those offers that the actor
    could send; all others are revoked.
    """
    with command(actor.organization, actor):
        ends_itself = isinstance(actor, Member) and actor.token == token
        if not ends_itself:
            actor.require_person()
        actor.explain_why_nothing_is_held()
        token = _locked(actor, token)
        if token.is_service:
            actor.require_proof()
        actor.takes_over = take_over and not ends_itself
        invitations.end_through(actor, token)
        record(actor, "token.revoked", token, **_summary(token))
        token.delete()


def revoke_for_all(operator: Operator, token: Token) -> None:
    """End a token of the operator."""
    with transaction.atomic(durable=True):
        row = of_operator().filter(pk=token.pk).select_for_update(of=["self"]).first()
        if row is None:
            raise Missing
        record(operator, "token.revoked", row, **_summary(row))
        row.delete()


def of_operator() -> TokenQuerySet:
    """The service tokens for every organization, the newest first."""
    return Token.objects.filter(organization__isnull=True).whole().order_by("-id")


def _locked(actor: Actor, token: Token) -> Token:
    """The row as it is now that the organization is locked."""
    found = visible_to(actor).filter(pk=token.pk).first()
    if found is None:
        raise Missing
    return found


def _summary(token: Token) -> dict[str, object]:
    """What an event says of it: nothing personal, and whose it is by the person's id."""
    return {
        "member": str(token.membership.user_id) if token.membership else None,
        "permissions": list(token.limit.names) if token.limit else None,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
    }
