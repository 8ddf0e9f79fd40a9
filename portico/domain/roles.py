"""Roles: named sets of permissions of one organization, and shaping them. Grants: what a member or an offer holds.

A set of permissions is a row. A role is a named one, which has a slug; a custom set is an unnamed one, shared by all
who hold exactly it. So a check joins one row, and "who can" looks for few of them. What is changed of a role holds for
everybody who has it, with their next request.
"""

import hashlib
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from uuid_utils.compat import uuid7

from . import words
from .access import Actor
from .actions import action
from .errors import Invalid, Refused, ensure_current, together
from .events import record
from .permissions import (
    ADMINISTER,
    MEMBERS_MANAGE,
    MEMBERS_VIEW,
    WORKSPACES_CREATE,
    WORKSPACES_VIEW_ALL,
    Permissions,
    catalogue,
    complete,
)

if TYPE_CHECKING:
    from .invitations import InvitationQuerySet
    from .memberships import MembershipManager
    from .organizations import Organization

ADMINISTRATOR, DEVELOPER, CONTRIBUTOR = "administrator", "developer", "contributor"
BUILT_IN = [
    (ADMINISTRATOR, gettext_lazy("Administrator"), frozenset()),
    (DEVELOPER, gettext_lazy("Developer"), frozenset({MEMBERS_VIEW, WORKSPACES_CREATE, WORKSPACES_VIEW_ALL})),
    (CONTRIBUTOR, gettext_lazy("Contributor"), frozenset({MEMBERS_VIEW})),
]
MOST = 100  # roles of one organization, so that they can still be seen side by side
NAMED = 3  # as many holders as a refusal names


class RoleQuerySet(models.QuerySet["Role"]):
    def named(self) -> "RoleQuerySet":
        return self.filter(slug__isnull=False)

    def whole(self) -> "RoleQuerySet":
        """Those that a command may be handed: no custom set, and no role that is deleted."""
        return self.named()


class Role(models.Model):
    """A set of permissions. Named, it is a role; unnamed, a custom set.

    The Administrator's set is empty here, because it holds everything by definition, also what is added tomorrow.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("portico.Organization", models.CASCADE, related_name="roles")
    slug = models.CharField(max_length=40, null=True)  # noqa: DJ001  # none at all for custom sets, so never equal
    name = models.CharField(max_length=80, default="")
    names = models.JSONField(default=list)  # of its permissions, completed and sorted
    fingerprint = models.CharField(max_length=64)  # of `names`: two custom sets are the same row if this is the same
    is_administrator = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)

    if TYPE_CHECKING:
        memberships: MembershipManager
        invitations: InvitationQuerySet

    objects = RoleQuerySet.as_manager()

    event_kind = "role"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="role_of_organization"),
            models.UniqueConstraint(fields=["organization", "slug"], name="one_role_per_slug"),
            models.UniqueConstraint(
                fields=["organization", "fingerprint"],
                condition=models.Q(slug__isnull=True),
                name="one_row_per_custom_set",
            ),
            models.CheckConstraint(
                condition=models.Q(is_administrator=False) | models.Q(slug=ADMINISTRATOR),
                name="administrator_has_a_name",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def event_id(self) -> UUID:
        return self.pk

    @property
    def label(self) -> str:
        return self.title

    @property
    def is_custom(self) -> bool:
        return self.slug is None

    @property
    def is_built_in(self) -> bool:
        return any(slug == self.slug for slug, _name, _set in BUILT_IN)

    @property
    def title(self) -> str:
        """What pages call it. The roles that exist from the start are translated until somebody renames them."""
        return self.name or next((str(name) for slug, name, _set in BUILT_IN if slug == self.slug), _("Custom"))

    @property
    def permissions(self) -> Permissions:
        return catalogue().everything if self.is_administrator else catalogue().known(self.names)

    @property
    def summary(self) -> dict[str, object]:
        """What an event says of it: names of permissions are not personal."""
        return {"role": self.slug} if self.slug else {"permissions": list(self.names)}

    def with_permissions(self, permissions: Permissions) -> "Role":
        """The same role as it would be with this set, not written."""
        then = copy(self)
        then.names = sorted(permission.name for permission in permissions)
        then.fingerprint = fingerprint(then.names)
        return then

    def ensure_shapeable(self) -> None:
        if self.is_administrator:
            raise Refused("role_fixed", _("%(role)s always holds everything. Add another role.") % {"role": self.title})

    def ensure_deletable(self) -> None:
        self.ensure_shapeable()
        if self.is_built_in:
            sentence = _("%(role)s is there from the start. It can be changed, not deleted.")
            raise Refused("role_fixed", sentence % {"role": self.title})


@dataclass(frozen=True)
class Grant:
    """What somebody asks to give: a role, or a custom set of permissions, never both."""

    role: Role | None = None
    custom: Permissions | None = None

    def __post_init__(self) -> None:
        if (self.role is None) == (self.custom is None):
            raise Invalid(_("Choose a role or single permissions, not both."), field="role")
        if self.custom and not self.custom <= set(catalogue().of_organization):
            raise Invalid(_("Permissions inside a workspace are given by its seats."), field="permissions")

    @property
    def permissions(self) -> Permissions:
        return self.role.permissions if self.role else complete(self.custom or ())

    @property
    def is_administrator(self) -> bool:
        return self.role is not None and self.role.is_administrator


def grant_of(organization: "Organization", role: str | None, names: Iterable[str] | None) -> Grant:
    """The grant that a role's slug or id, or names of permissions stand for; Invalid where there is no such thing."""
    if role is not None and names is not None:
        raise Invalid(_("Choose a role or single permissions, not both."), field="role")
    if role is not None:
        for candidate in organization.roles.named():
            if role in {candidate.slug, str(candidate.pk)}:
                return Grant(role=candidate)
        raise Invalid(_("There is no role “%(role)s” here.") % {"role": role[:80]}, field="role")
    if names is None:
        raise Invalid(_("Choose a role, or choose Custom and single permissions."), field="role")
    offered = {permission.name: permission for permission in catalogue().of_organization}
    wanted = set(names)
    if unknown := sorted(wanted - offered.keys()):
        raise Invalid(_("There is no permission “%(name)s”.") % {"name": unknown[0][:80]}, field="permissions")
    return Grant(custom=frozenset(offered[name] for name in wanted))


def intern(organization: "Organization", grant: Grant) -> Role:
    """The row of a grant; only a command, under the lock, may ask."""
    return grant.role or custom_set(organization, grant.permissions)


def custom_set(organization: "Organization", permissions: Permissions) -> Role:
    """The unnamed row of exactly these, written once and shared. What narrows a token may name those of workspaces."""
    names = sorted(permission.name for permission in permissions)
    row, _made = Role.objects.get_or_create(
        organization=organization,
        fingerprint=fingerprint(names),
        slug=None,
        defaults={"names": names},
    )
    return row


def fingerprint(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def found(organization: "Organization") -> Role:
    """The roles that exist from the start; returns Administrator."""
    rows = []
    for slug, _name, permissions in BUILT_IN:
        names = sorted(permission.name for permission in complete(permissions))
        rows.append(
            Role(
                organization=organization,
                slug=slug,
                names=names,
                fingerprint=fingerprint(names),
                is_administrator=slug == ADMINISTRATOR,
            )
        )
    return Role.objects.bulk_create(rows)[0]


def visible_to(actor: Actor) -> RoleQuerySet:
    """The named sets, in the order in which they were made; for those who may see members."""
    roles: RoleQuerySet = actor.organization.roles.named().order_by("id")
    return roles if actor.can(MEMBERS_VIEW) else roles.none()


@dataclass(frozen=True)
class Holders:
    """How many hold each role: members in any state, and pending invitations, also expired ones."""

    members: dict[UUID, int]
    offers: dict[UUID, int]
    custom: int  # members who hold permissions of their own


def holders(actor: Actor) -> Holders:
    """Of each set that somebody holds, as far as one may see them: offers are for those who manage members."""
    actor.require(MEMBERS_VIEW)
    members = _counted(actor.organization.memberships.all())
    offers = _counted(actor.organization.invitations.pending()) if actor.can(MEMBERS_MANAGE) else {}
    named = set(actor.organization.roles.named().values_list("pk", flat=True))
    return Holders(members, offers, sum(count for grant, count in members.items() if grant not in named))


def _counted(rows: models.QuerySet[Any]) -> dict[UUID, int]:
    return dict(rows.order_by().values_list("grant").annotate(models.Count("id")))


# --- Commands of Administrators ------------------------------------------------------------------------------------


@action(ADMINISTER)
def add(actor: Actor, *, name: str, permissions: Permissions) -> Role:
    """Add a role: a name for a set of permissions. Its slug is made from the name and stays."""
    name, wanted = together(lambda: words.name(name), lambda: Grant(custom=permissions).permissions)
    actor.require_covers(wanted)
    others = list(actor.organization.roles.named())
    if len(others) >= MOST:
        raise Refused("too_many", _("These are %(n)d roles, as many as there can be. Delete one first.") % {"n": MOST})
    _ensure_free(name, others)
    role = Role(organization=actor.organization, name=name, slug=_free_slug(name, others)).with_permissions(wanted)
    role.save(force_insert=True)
    record(actor, "role.added", role, **role.summary, permissions=role.names)
    return role


@action(ADMINISTER)
def change(
    actor: Actor,
    *,
    role: Role,
    name: str | None = None,
    permissions: Permissions | None = None,
    version: int | None = None,
    take_over: bool = False,
) -> Role:
    """Give a role another name, another set of permissions, or both. Whoever has it holds the new set at once.

    With `take_over` the actor becomes the sponsor of those offers that can no longer be sent because of it.
    """
    role.ensure_shapeable()
    ensure_current(role.version, version)
    title, wanted = together(
        lambda: words.name(name) if name is not None else role.title,
        lambda: Grant(custom=permissions).permissions if permissions is not None else role.permissions,
    )
    actor.require_covers(role.permissions)
    actor.require_covers(wanted)
    before = list(role.names)
    renamed, reshaped = title != role.title, wanted != role.permissions
    if renamed:
        _ensure_free(title, actor.organization.roles.named().exclude(pk=role.pk))
        role.name = title
    if reshaped:
        role = role.with_permissions(wanted)
    changed = [field for field, differs in (("name", renamed), ("permissions", reshaped)) if differs]
    if changed:
        _write(actor, role, changed, before)
    actor.takes_over = take_over
    return role


@action(ADMINISTER)
def delete(
    actor: Actor,
    *,
    role: Role,
    move_to: Role | None = None,
    version: int | None = None,
    take_over: bool = False,
) -> None:
    """Delete a role. While it is in use, its holders are moved to another one in the same act.

    Its row loses the slug and keeps the name, so that closed invitations still say what they offered.
    """
    role.ensure_deletable()
    ensure_current(role.version, version)
    if move_to == role:
        raise Invalid(_("Choose another role than the one to be deleted."), field="move_to")
    actor.require_covers(role.permissions)
    if move_to is None:
        _ensure_unused(role)
    else:
        actor.require_covers(move_to.permissions)
        if move_to.is_administrator:
            actor.require_proof()
    _retire(actor, role, move_to)
    actor.takes_over = take_over


def _write(actor: Actor, role: Role, changed: list[str], before: list[str]) -> None:
    role.version += 1
    role.save(update_fields=["name", "names", "fingerprint", "version"])
    sets = {"before": {"permissions": before}, "after": {"permissions": role.names}} if "permissions" in changed else {}
    record(actor, "role.changed", role, changed=changed, **sets)


def _retire(actor: Actor, role: Role, move_to: Role | None) -> None:
    """Move whoever holds it, then let it lose its slug."""
    moved = {}
    if move_to:
        role.memberships.all().regrant(actor, move_to)
        role.invitations.pending().regrant(actor, move_to)
        moved = {"after": move_to.summary}
    record(actor, "role.deleted", role, **role.summary, permissions=role.names, **moved)
    role.slug, role.name, role.fingerprint = None, role.title, role.pk.hex  # so it is nobody's custom set either
    role.version += 1
    role.save(update_fields=["slug", "name", "fingerprint", "version"])


def _ensure_free(name: str, others: Iterable[Role]) -> None:
    """A file of addresses names roles by title or by slug, so each of both means one role only."""
    wanted = _plain(name)
    if wanted in {_plain(_("Custom")), "custom"}:
        raise Invalid(_("“Custom” is what permissions without a role are called. Choose another name."), field="name")
    for other in others:
        if wanted == _plain(other.title):
            raise Refused("name_taken", _("There is a role “%(role)s” already.") % {"role": other.title}, field="name")
        if wanted == _plain(other.slug or ""):
            sentence = _("“%(slug)s” is what programs call the role “%(role)s”. Choose another name.")
            raise Refused("name_taken", sentence % {"slug": other.slug, "role": other.title}, field="name")


def _plain(name: str) -> str:
    return words.fold(name) or name.casefold()


def _free_slug(name: str, others: Iterable[Role]) -> str:
    taken = {other.slug for other in others}
    base = words.slug_for(name, "role")
    if base not in taken:
        return base
    return next(slug for n in range(2, MOST + 2) if (slug := f"{base[:36].rstrip('-')}-{n}") not in taken)


def _ensure_unused(role: Role) -> None:
    """In use while members in any state or pending invitations hold it; the refusal says who."""
    members, offers = role.memberships.order_by("sort_name", "id"), role.invitations.pending().order_by("address")
    held, offered = members.count(), offers.count()
    if not held + offered:
        return
    who = [member.name for member in members[:NAMED]]
    who += [offer.address for offer in offers[: NAMED - len(who)]]
    told = {"role": role.title, "who": ", ".join(who), "n": held + offered - len(who)}
    sentence = _("%(role)s is in use: by %(who)s. Move them to another role.")
    if told["n"]:
        sentence = _("%(role)s is in use: by %(who)s and %(n)d more. Move them to another role.")
    raise Refused("role_in_use", sentence % told, members=held, invitations=offered)
