"""Workspaces: parts of an organization with people of their own. A seat is that of a manager or of a member.

What a seat gives holds inside its workspace only; an archived workspace gives nothing. Managers cover the seats of
their workspace and give them to members; they invite nobody without the permission to manage members.

    open ◄──► archived ──► deleted

A manager archives. Since nothing is held in an archived workspace, only an Administrator restores or deletes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from . import words
from .access import Actor, Member
from .actions import action
from .errors import Invalid, Missing, Refused, changed_meanwhile, ensure_current, together
from .events import record, record_all
from .memberships import Membership, is_self
from .organizations import COLORS, Organization, check_color
from .permissions import (
    ADMINISTER,
    MANAGER,
    MEMBER,
    NONE,
    WORKSPACE_MANAGE,
    WORKSPACE_VIEW,
    WORKSPACES_CREATE,
    WORKSPACES_VIEW_ALL,
    Permissions,
    catalogue,
)

# What one may write about a workspace, and how each of it is checked.
DETAILS: dict[str, Callable[[str], str]] = {
    "name": words.name,
    "description": partial(words.message, field="description", length=200),
    "color": check_color,
    "slug": words.check_slug,
}
TOLD = ("color", "slug")  # of these an event tells what they were and are; a name stands beside it, as a label


class Workspace(models.Model):
    """A part of an organization."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="workspaces")
    name = models.CharField(max_length=words.NAME_LENGTH)
    slug = models.CharField(max_length=40)
    description = models.CharField(max_length=200, default="")
    color = models.CharField(max_length=16, default=COLORS[0])
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    event_kind = "workspace"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="workspace_of_organization"),
            models.UniqueConstraint(fields=["organization", "slug"], name="one_workspace_per_slug"),
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
    def is_open(self) -> bool:
        return self.archived_at is None

    def permissions_of(self, membership: Membership) -> Permissions:
        """What this member's seat here adds."""
        if not self.is_open:
            return NONE
        seat = next((seat for seat in membership.seats.all() if seat.workspace_id == self.pk), None)
        return catalogue().given_by_seat(seat.role) if seat else NONE


class FormerWorkspaceSlug(models.Model):
    """An address that a workspace once had. It stays this workspace's and goes on leading to it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="former_slugs")
    slug = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="former_workspace_slug_of_organization"),
            models.UniqueConstraint(fields=["organization", "slug"], name="one_workspace_per_former_slug"),
        ]


class Seat(models.Model):
    """One member in one workspace."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="seats")
    membership = models.ForeignKey(Membership, models.CASCADE, related_name="seats")
    role = models.CharField(max_length=16, choices=[(MANAGER, MANAGER), (MEMBER, MEMBER)])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="seat_of_organization"),
            models.UniqueConstraint(fields=["workspace", "membership"], name="one_seat_per_member"),
        ]

    @property
    def is_manager(self) -> bool:
        return self.role == MANAGER


@dataclass(frozen=True)
class SeatOffer:
    """A seat that somebody asks to give: "manager" or "member" of one workspace."""

    workspace: Workspace
    role: str = MEMBER

    def __post_init__(self) -> None:
        if self.role not in {MANAGER, MEMBER}:
            raise Invalid(_("A seat is that of a manager or of a member."), field="workspaces")

    @property
    def permissions(self) -> Permissions:
        return catalogue().given_by_seat(self.role)


def visible_to(actor: Actor) -> models.QuerySet[Workspace]:
    """Those in which one has a seat, and with the permission all. An archived one only to who may restore it."""
    rows: models.QuerySet[Workspace] = actor.organization.workspaces.order_by("name", "id")
    if actor.can(ADMINISTER):
        return rows
    rows = rows.filter(archived_at__isnull=True)
    if actor.can(WORKSPACES_VIEW_ALL):
        return rows
    return mine(actor)


def mine(actor: Actor) -> models.QuerySet[Workspace]:
    """Those in which one has a seat."""
    rows: models.QuerySet[Workspace] = actor.organization.workspaces.order_by("name", "id")
    if not isinstance(actor, Member) or WORKSPACE_VIEW not in actor.narrowed(catalogue().given_by_seat(MEMBER)):
        return rows.none()
    return rows.filter(seats__membership=actor.membership, archived_at__isnull=True)


def find(actor: Actor, named: str) -> Workspace | None:
    """The one that a slug of today, a former one or an id names, as far as the actor may see it."""
    which = models.Q(slug=named) | models.Q(former_slugs__slug=named)
    if words.UUID_SHAPE.fullmatch(named):
        which |= models.Q(pk=UUID(named))
    return visible_to(actor).filter(which).first() if "\0" not in named else None


def seats_visible_to(actor: Actor, workspace: Workspace) -> models.QuerySet[Seat]:
    """Who sits in a workspace: all for those who may view it, else its managers."""
    seats: models.QuerySet[Seat] = workspace.seats.select_related("membership__grant").order_by(
        "membership__sort_name", "id"
    )
    return seats if actor.can(WORKSPACE_VIEW, workspace) else seats.filter(role=MANAGER)


@action(WORKSPACES_CREATE)
def create(actor: Actor, *, name: str, slug: str = "", description: str = "", color: str = "") -> Workspace:
    """Create a workspace, and be its first manager. Without a wish its address is made from its name."""
    organization = actor.organization
    given = {"name": name, "description": description}
    details = _checked(given | {field: wish for field, wish in {"color": color, "slug": slug}.items() if wish.strip()})
    details.setdefault("color", next_color(organization))
    details.setdefault("slug", _free_slug(organization, details["name"]))
    workspace = Workspace(organization=organization, created_at=actor.now, **details)
    _ensure_free(workspace)
    workspace.save(force_insert=True)
    record(actor, "workspace.created", workspace)
    if isinstance(actor, Member):
        seat(workspace, actor.membership, MANAGER)
        record(actor, "seat.given", actor.membership, workspace=str(workspace.pk), after=MANAGER)
    return workspace


@action(WORKSPACE_MANAGE, within="workspace")
def change(
    actor: Actor,
    *,
    workspace: Workspace,
    name: str | None = None,
    slug: str | None = None,
    description: str | None = None,
    color: str | None = None,
    version: int | None = None,
) -> Workspace:
    """Change what a workspace is called, its address, or how it looks; what is None stays. Former addresses lead on."""
    ensure_current(workspace.version, version)
    given = {"name": name, "description": description, "color": color, "slug": slug}
    details = _checked({field: text for field, text in given.items() if text is not None})
    changed = [field for field, text in details.items() if getattr(workspace, field) != text]
    if not changed:
        return workspace
    before = {field: getattr(workspace, field) for field in changed if field in TOLD}
    for field in changed:
        setattr(workspace, field, details[field])
    if "slug" in changed:
        _ensure_free(workspace)
        _leave_behind(workspace, before["slug"])
    _save(workspace, *changed)
    after = {field: details[field] for field in before}
    record(actor, "workspace.changed", workspace, changed=changed, before=before, after=after)
    return workspace


@action(WORKSPACE_MANAGE, within="workspace")
def archive(actor: Actor, *, workspace: Workspace, version: int | None = None) -> Workspace:
    """Close a workspace: its seats stay and give nothing any more, offers of seats in it leave them out."""
    ensure_current(workspace.version, version)
    if not workspace.is_open:
        raise Refused("already_archived", _("%(name)s is archived already.") % {"name": workspace.name})
    workspace.archived_at = actor.now
    _save(workspace, "archived_at")
    record(actor, "workspace.archived", workspace)
    return workspace


@action(WORKSPACE_MANAGE, within="workspace")
def restore(actor: Actor, *, workspace: Workspace, version: int | None = None, take_over: bool = False) -> Workspace:
    """Open an archived workspace again, with the seats that it has.

    With `take_over` the actor becomes the sponsor of those offers whose sponsor decides about its seats no more.
    """
    ensure_current(workspace.version, version)
    if workspace.is_open:
        raise Refused("not_archived", _("%(name)s is not archived.") % {"name": workspace.name})
    workspace.archived_at = None
    _save(workspace, "archived_at")
    actor.takes_over = take_over
    record(actor, "workspace.restored", workspace)
    return workspace


@action(ADMINISTER)
def delete(actor: Actor, *, workspace: Workspace, version: int | None = None) -> None:
    """Delete an archived workspace for ever, with its seats, those on offer, and its addresses. Its events stay."""
    ensure_current(workspace.version, version)
    if workspace.is_open:
        raise Refused("not_archived", _("%(name)s is not archived. Archive it first.") % {"name": workspace.name})
    seats = list(workspace.seats.select_related("membership").order_by("id"))
    roles = {seat.membership: seat.role for seat in seats}
    record_all(actor, "seat.taken", list(roles), lambda who: {"workspace": str(workspace.pk), "before": roles[who]})
    workspace.offered_seats.withdraw(actor)
    record(actor, "workspace.deleted", workspace)
    workspace.delete()


def next_color(organization: Organization) -> str:
    """One after the other, so that neighbours differ."""
    return COLORS[organization.workspaces.count() % len(COLORS)]


def _checked(given: Mapping[str, str]) -> dict[str, str]:
    """These details as they will be kept, or all that is wrong with them at once."""
    checks = [partial(DETAILS[field], text) for field, text in given.items()]
    return dict(zip(given, together(*checks), strict=True))


def _save(workspace: Workspace, *fields: str) -> None:
    workspace.version += 1
    workspace.save(update_fields=[*fields, "version"])


def _ensure_free(workspace: Workspace) -> None:
    """Its address is no other's, and was none: a former address stays its owner's for ever."""
    if workspace.slug in _taken(workspace.organization, workspace.slug, besides=workspace):
        raise Refused(
            "slug_taken", _("There is a workspace “%(slug)s” already.") % {"slug": workspace.slug}, field="slug"
        )


def _leave_behind(workspace: Workspace, slug: str) -> None:
    """Keep an address for the workspace that had it, unless it has it again."""
    workspace.former_slugs.filter(slug=workspace.slug).delete()
    FormerWorkspaceSlug.objects.create(organization=workspace.organization, workspace=workspace, slug=slug)


def _free_slug(organization: Organization, name: str) -> str:
    base = words.slug_for(name, "workspace")
    stem = base[:35].rstrip("-")
    taken = _taken(organization, stem)
    if base not in taken:
        return base
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{stem}-{n}") not in taken)


def _taken(organization: Organization, stem: str, *, besides: Workspace | None = None) -> set[str]:
    """The addresses that begin like this, of today and former ones."""
    today = Workspace.objects.filter(organization=organization, slug__startswith=stem)
    former = FormerWorkspaceSlug.objects.filter(organization=organization, slug__startswith=stem)
    if besides:
        today, former = today.exclude(pk=besides.pk), former.exclude(workspace=besides)
    return {*today.values_list("slug", flat=True), *former.values_list("slug", flat=True)}


@action(WORKSPACE_MANAGE, within="workspace")
def give_seat(
    actor: Actor,
    *,
    workspace: Workspace,
    member: Membership,
    role: str,
    shown: str | None = None,
    take_over: bool = False,
) -> Seat:
    """Give a member a seat, or change the one they have. `shown` is the seat that the page showed, "" for none.

    With `take_over` the actor becomes the sponsor of those offers that the member could no longer send, where possible.
    """
    offer = SeatOffer(workspace, role)
    actor.require_covers(offer.permissions, workspace)
    before = member.seats.filter(workspace=workspace).first()
    if shown is not None and shown != (before.role if before else ""):
        raise changed_meanwhile()
    if before and before.role == role:
        return before
    row = seat(workspace, member, role)
    actor.takes_over = take_over and not is_self(actor, member)
    record(
        actor,
        "seat.given",
        member,
        workspace=str(workspace.pk),
        before=before.role if before else None,
        after=role,
    )
    return row


@action(WORKSPACE_MANAGE, within="workspace")
def take_seat(
    actor: Actor, *, workspace: Workspace, member: Membership, shown: str | None = None, take_over: bool = False
) -> None:
    """Take a member's seat away. `shown` is the seat that the page showed.

    With `take_over` the actor becomes the sponsor of those offers that the member could no longer send, where possible.
    """
    before = member.seats.filter(workspace=workspace).first()
    if before is None:
        raise Missing(_("%(name)s has no seat here.") % {"name": member.name})
    if shown is not None and shown != before.role:
        raise changed_meanwhile()
    before.delete()
    actor.takes_over = take_over and not is_self(actor, member)
    record(actor, "seat.taken", member, workspace=str(workspace.pk), before=before.role)


def seat(workspace: Workspace, membership: Membership, role: str) -> Seat:
    """The seat itself. Only a command, under the lock, may."""
    row, _made = Seat.objects.update_or_create(
        workspace=workspace,
        membership=membership,
        defaults={"role": role, "organization": workspace.organization},
    )
    return row
