"""Organizations: founding, the lock that queues their commands, and the promises that hold after each of them.

An active, unexpiring Administrator whose account can sign in remains after every change, whatever the path.

    open ──► closed ──► purged      by the clock, 14 days later: only its events and its slugs are left
      ▲         │
      └─────────┘  restored by one of its Administrators
"""

import secrets
import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from . import bulk, events, images, outbox, retries, words
from .access import Actor, Member, Operator, Person, Via
from .actions import action, command, repeatable
from .errors import Forbidden, Invalid, Missing, Refused, ensure_current, together
from .events import record
from .memberships import ACTIVE, Membership, MembershipQuerySet, admit
from .people import User
from .permissions import ADMINISTER, MEMBERS_VIEW, ORGANIZATION_MANAGE
from .roles import found as found_roles

if TYPE_CHECKING:
    from .roles import RoleQuerySet

# Twelve names, each with a light and a dark tone in the stylesheet.
COLORS = (
    "violet", "indigo", "blue", "sky", "teal", "green", "lime", "yellow", "orange", "red", "pink", "slate",
)  # fmt: skip
FIRST_DAY = timedelta(days=1)
RESTORABLE_FOR = timedelta(days=14)


class Organization(models.Model):
    """A company, a team, a club: holds members and workspaces."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=words.NAME_LENGTH)
    slug = models.CharField(max_length=40, unique=True)
    description = models.CharField(max_length=200, default="")
    color = models.CharField(max_length=16, default=COLORS[0])
    image = images.PictureName(max_length=images.NAME_LENGTH, default="")
    is_trusted = models.BooleanField(default=False)  # founded or trusted by the operator: may write more letters
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    if TYPE_CHECKING:
        roles: RoleQuerySet

    event_kind = "organization"

    def __str__(self) -> str:
        return self.name

    @property
    def event_id(self) -> UUID:
        return self.pk

    @property
    def label(self) -> str:
        return self.name

    def lock(self) -> None:
        """Queue behind the running command of this organization. On SQLite, BEGIN IMMEDIATE has done it already."""
        if not list(Organization.objects.select_for_update(no_key=True).filter(pk=self.pk).values_list("pk")):
            raise Missing

    def has_administrator(self) -> bool:
        return Membership.objects.filter(organization=self).lasting_administrators().exists()

    def settle(self, actor: Actor, *, had_administrator: bool) -> None:
        """What must be true after every command, whatever it was."""
        if had_administrator:
            self.ensure_administrator_remains()
        self.invitations.revoke_unsponsored(actor)
        self.handovers.end_lost(actor)

    def ensure_administrator_remains(self) -> None:
        """Asked of the result, so that the command written next year is covered before it is written.

        Where there was none before, the rule lets pass, so that the operator can mend it.
        """
        if not self.has_administrator():
            raise Refused(
                "last_administrator",
                _("%(name)s needs an active administrator whose membership does not end. Make somebody else one first.")
                % {"name": self.name},
            )

    @property
    def restorable_until(self) -> datetime | None:
        """A closed one can be restored so long; then it is purged."""
        return self.closed_at + RESTORABLE_FOR if self.closed_at else None

    def letters_per_day(self, now: datetime) -> int:
        """How many invitation letters may leave within 24 hours."""
        limits = settings.LETTERS_PER_DAY
        if self.is_trusted:
            return int(limits["trusted"])
        return int(limits["new"] if now - self.created_at < FIRST_DAY else limits["usual"])


class OwnedSlug(models.Model):
    """A slug that an organization has, or once had: it is this organization's for ever, also when that is purged.

    So an old address never leads to somebody else, and no two can take one slug at the same moment.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=40, unique=True)
    owner_id = models.UUIDField(db_index=True)  # no foreign key, because it outlives the organization


def check_color(color: str) -> str:
    if color not in COLORS:
        raise Invalid(_("Choose one of the colours."), field="color")
    return color


def without_administrator() -> "models.QuerySet[Organization]":
    """Open ones in which nobody is left who can do everything. Only the operator can mend that."""
    remaining = Membership.objects.filter(organization=models.OuterRef("pk")).lasting_administrators()
    return Organization.objects.filter(~models.Exists(remaining.order_by()), closed_at__isnull=True).order_by("slug")


def founding_is_open() -> bool:
    """Whether people may create organizations here, or only the operator."""
    return bool(settings.FOUNDING != "operator")


def ensure_founding_is_open() -> None:
    if not founding_is_open():
        raise Forbidden(
            "founding_closed", _("Here only the operator creates organizations. Ask whoever runs this server.")
        )


def found(person: Person, *, name: str, slug: str = "", description: str = "", color: str = COLORS[0]) -> Membership:
    """Create an organization, and be its first Administrator."""
    ensure_founding_is_open()
    return _found(person, person.user, name=name, slug=slug, description=description, color=color, trusted=False)


def found_for(operator: Operator, user: User, *, name: str, slug: str = "") -> Membership:
    """The same at the command line, for an account that exists. Such an organization is trusted."""
    return _found(operator, user, name=name, slug=slug, trusted=True)


@repeatable
def _found(
    actor: Actor, user: User, *, name: str, slug: str, description: str = "", color: str = COLORS[0], trusted: bool
) -> Membership:
    name, description, color, chosen = together(
        lambda: words.name(name),
        lambda: words.message(description, field="description", length=200),
        lambda: check_color(color),
        lambda: words.check_slug(slug) if slug.strip() else "",
    )
    with transaction.atomic(durable=True):
        organization = Organization(name=name, description=description, color=color, is_trusted=trusted)
        organization.created_at = actor.now
        organization.slug = chosen or _free_slug(name)
        _own(organization, organization.slug)
        organization.save(force_insert=True)
        administrator = found_roles(organization)
        membership = admit(organization, user, administrator, address=user.email, now=actor.now)
        actor.organization = organization
        record(actor, "organization.founded", organization)
        record(actor, "member.joined", membership, **administrator.summary)
        retries.finish(actor)
        return membership


def _free_slug(name: str) -> str:
    base = words.slug_for(name, "organization")
    if not OwnedSlug.objects.filter(slug=base).exists():
        return base
    return f"{base[:33].rstrip('-')}-{secrets.token_hex(3)}"


def _own(organization: Organization, slug: str) -> None:
    """Make a slug this organization's, where it is nobody else's."""
    row, _made = OwnedSlug.objects.get_or_create(slug=slug, defaults={"owner_id": organization.pk})
    if row.owner_id != organization.pk:
        raise Refused("slug_taken", _("The address “%(slug)s” is taken.") % {"slug": slug}, field="slug")


# --- Its details ---------------------------------------------------------------------------------------------------

# What one may say of an organization, and how each of it is checked.
DETAILS: dict[str, Callable[[str], str]] = {
    "name": words.name,
    "slug": words.check_slug,
    "description": partial(words.message, field="description", length=200),
    "color": check_color,
    "image": images.check_name,
}
TOLD = ("slug", "color")  # of these an event tells what they were and are; a name stands beside it, as a label


@action(ORGANIZATION_MANAGE)
def change(
    actor: Actor,
    *,
    name: str | None = None,
    slug: str | None = None,
    description: str | None = None,
    color: str | None = None,
    image: str | None = None,
    version: int | None = None,
) -> Organization:
    """Change what the organization is called, its address, or how it looks; what is None stays. Old addresses lead on.

    `image` is the name of a picture that `images.keep` gave; empty, the organization has none.
    """
    organization = actor.organization
    ensure_current(organization.version, version)
    given = {"name": name, "slug": slug, "description": description, "color": color, "image": image}
    wanted = {field: text for field, text in given.items() if text is not None}
    checked = together(*(partial(DETAILS[field], text) for field, text in wanted.items()))
    details = dict(zip(wanted, checked, strict=True))
    changed = [field for field, new in details.items() if getattr(organization, field) != new]
    if not changed:
        return organization
    before = {field: getattr(organization, field) for field in changed if field in TOLD}
    if "slug" in changed:
        _own(organization, organization.slug)
        _own(organization, details["slug"])
    for field in changed:
        setattr(organization, field, details[field])
    _save(organization, *changed)
    after = {field: details[field] for field in before}
    record(actor, "organization.changed", organization, changed=changed, before=before, after=after)
    return organization


def _save(organization: Organization, *fields: str) -> None:
    organization.version += 1
    organization.save(update_fields=[*fields, "version"])


# --- Its end -------------------------------------------------------------------------------------------------------


@action(ADMINISTER, person=True)
def close(actor: Actor, *, name: str, version: int | None = None) -> Organization:
    """Close the organization for everybody, at once. For 14 days one of its Administrators can restore it.

    `name` is its name, typed, so that nobody closes another one by mistake.
    """
    actor.require_proof()
    organization = actor.organization
    if organization.closed_at:
        raise Forbidden("organization_closed", _("This organization is closed."))
    ensure_current(organization.version, version)
    if unicodedata.normalize("NFC", name.strip()) != organization.name:
        raise Invalid(_("Type the name exactly as it is: %(name)s") % {"name": organization.name}, field="name")
    organization.closed_at = actor.now
    _save(organization, "closed_at")
    record(actor, "organization.closed", organization)
    organization.invitations.revoke_all(actor, "organization_closed")
    organization.handovers.end_all(actor)
    outbox.post_all(
        outbox.draft(
            "closed",
            administrator.address,
            organization_id=organization.pk,
            about=administrator.user_id,
            facts={"by": actor.label} if actor.id else {},
            now=actor.now,
        )
        for administrator in organization.memberships.active(actor.now).filter(grant__is_administrator=True)
    )
    return organization


@repeatable
def trust(operator: Operator, *, trusted: bool) -> Organization:
    """Let an organization send as many letters as one that the operator founded, or no more than others."""
    with command(operator.organization, operator):
        organization = operator.organization
        if organization.is_trusted != trusted:
            organization.is_trusted = trusted
            _save(organization, "is_trusted")
            record(operator, "organization.trusted" if trusted else "organization.untrusted", organization)
        return organization


@repeatable
def restore(actor: Member | Operator) -> Organization:
    """Open a closed organization again. Nobody holds anything in it, so it is asked who was its Administrator."""
    with command(actor.organization, actor):
        actor.require_person()
        organization = actor.organization
        if organization.closed_at is None:
            raise Refused("not_closed", _("%(name)s is not closed.") % {"name": organization.name})
        if isinstance(actor, Member) and not was_administrator(actor.membership, actor.now):
            raise Forbidden("organization_closed", _("Only an Administrator of this organization can restore it."))
        if is_over(organization, actor.now):
            raise Refused("too_late", _("This organization can no longer be restored."))
        organization.closed_at = None
        _save(organization, "closed_at")
        record(actor, "organization.restored", organization)
        return organization


def was_administrator(membership: Membership, now: datetime) -> bool:
    """Whether somebody would be an effective Administrator, were the organization open."""
    return membership.is_administrator and membership.state(now) == ACTIVE


def is_over(organization: Organization, now: datetime) -> bool:
    """Whether the time is over in which it could be restored."""
    return organization.restorable_until is not None and now >= organization.restorable_until


def may_restore(membership: Membership, now: datetime) -> bool:
    organization = membership.organization
    closed = organization.closed_at is not None and not is_over(organization, now)
    return closed and was_administrator(membership, now)


def purge_next(now: datetime) -> bool:
    """Purge the one that is closed for the longest, if its time is over; whether there was one."""
    over = Organization.objects.filter(closed_at__lte=now - RESTORABLE_FOR).order_by("closed_at").first()
    if over is not None:
        _purge(over, now)
    return over is not None


@repeatable
def _purge(organization: Organization, now: datetime) -> None:
    """Every row goes but the events, which name nobody any more, and the slugs, which nobody gets."""
    with transaction.atomic(durable=True):
        locked = Organization.objects.select_for_update().filter(pk=organization.pk).first()
        if locked is None or not is_over(locked, now):  # another worker was first, or somebody restored it
            return
        record(Actor(organization=locked, via=Via(door="worker"), now=now), "organization.purged", locked)
        for table in _tables():
            bulk.clear(table, locked.pk)
        events.forget_organization(locked.pk)
        locked.delete()


def _tables() -> list[type[models.Model]]:
    """All that hold rows of an organization, but for those of the log; and those first that point at others."""
    every = apps.get_app_config("portico").get_models()
    pointing: dict[Any, set[Any]] = {}
    for model in (each for each in every if each.__module__ != events.__name__):
        fields = model._meta.concrete_fields
        if any(field.attname == "organization_id" for field in fields):
            pointing[model] = {field.related_model for field in fields} - {model, None}
    order = TopologicalSorter({model: pointed_at & pointing.keys() for model, pointed_at in pointing.items()})
    return list(order.static_order())[::-1]


# --- Whose they are ------------------------------------------------------------------------------------------------


def of(user: User) -> MembershipQuerySet:
    """My organizations: every membership of a person, in any state. One of the few questions across organizations."""
    return Membership.objects.filter(user=user).order_by("organization__name", "id")


def sizes(user: User, now: datetime) -> dict[UUID, int]:
    """How many people belong to each of my organizations, where I may see them."""
    mine = [row.organization_id for row in of(user) if row.is_effective(now) and MEMBERS_VIEW in row.grant.permissions]
    counted = Membership.objects.filter(organization__in=mine).order_by().values_list("organization")
    return dict(counted.annotate(models.Count("id")))


def named(text: str) -> Organization | None:
    """The organization of a slug, a former one, or an id. It is for the caller to ask who may know of it."""
    return Organization.objects.filter(pk__in=_ids(text)).first()


def mine_named(user: User, text: str) -> Membership | None:
    """That of my organizations which such a name means; None says that it does not exist for me."""
    return of(user).filter(organization__in=_ids(text)).first()


def _ids(text: str) -> "models.QuerySet[Any, UUID] | list[UUID]":
    """Of the one that is named, if there is one."""
    if words.UUID_SHAPE.fullmatch(text):
        return [UUID(text)]
    return [] if "\0" in text else OwnedSlug.objects.filter(slug=text).values_list("owner_id", flat=True)


def entered(mine: Iterable[Membership], slug: str) -> Membership | None:
    """That of my organizations which has this slug; None says that it does not exist for me."""
    return next((row for row in mine if row.organization.slug == slug), None)


def entered_formerly(mine: Iterable[Membership], slug: str) -> Membership | None:
    """The same by a slug that the organization once had."""
    owned = OwnedSlug.objects.filter(slug=slug).first()
    return next((row for row in mine if owned and row.organization_id == owned.owner_id), None)
