"""Roles: the sets side by side; adding one, changing one, deleting one.

What a change does to whom is shown before anything is saved: with script while boxes are ticked, else by a button.
A save carries what was `seen`; where that is no longer so, it is shown again and nothing happens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portico.domain import events, invitations, memberships, roles
from portico.domain.access import Member
from portico.domain.errors import Invalid, Refused, ensure_current
from portico.domain.invitations import Invitation, InvitationQuerySet
from portico.domain.memberships import Membership, MembershipQuerySet
from portico.domain.permissions import ADMINISTER, MEMBERS_MANAGE, MEMBERS_VIEW, Permission, Permissions, catalogue
from portico.domain.roles import Role, grant_of

from . import grants, pages
from .forms import problems, see_other, status
from .members import HISTORY, whole
from .sentences import Told, told
from .users import Ending, ended_with

NAMED = 10  # as many holders as a page names; the list of users has the others


@dataclass(frozen=True)
class Column:
    """One role in the matrix, with how many hold it and how many are offered it."""

    role: Role
    permissions: Permissions
    members: int
    offers: int


@pages.page
@require_safe
def index(request: pages.PageRequest) -> HttpResponse:
    """The sets side by side."""
    actor = request.actor
    actor.require(MEMBERS_VIEW)
    found = roles.holders(actor)
    columns = [
        Column(role, role.permissions, found.members.get(role.pk, 0), found.offers.get(role.pk, 0))
        for role in roles.visible_to(actor)
    ]
    context = {
        "place": "roles",
        "columns": columns,
        "rows": [
            (permission, [(column.role, permission in column.permissions) for column in columns])
            for permission in catalogue().of_organization
        ],
        "custom": found.custom,
        "custom_name": grants.CUSTOM,
        "own": any(not column.role.is_built_in for column in columns),
    }
    return pages.render(request, "console/roles.html", context)


# --- Who has a role, and what becomes of them ----------------------------------------------------------------------


@dataclass(frozen=True)
class Touch:
    """Whom a role touches, as far as one may see them; and what they gain and lose if it becomes `then`.

    That is the same role with another set, or another role to which everybody is moved.
    """

    actor: Member
    role: Role
    then: Role | None = None

    @property
    def _members(self) -> MembershipQuerySet:
        return memberships.visible_to(self.actor).filter(grant=self.role)

    @property
    def _offers(self) -> InvitationQuerySet:
        return invitations.visible_to(self.actor).pending().filter(grant=self.role)

    @cached_property
    def member_count(self) -> int:
        return self._members.count()

    @cached_property
    def offer_count(self) -> int:
        return self._offers.count()

    @cached_property
    def members(self) -> list[Membership]:
        return list(self._members.order_by("sort_name", "id")[:NAMED])

    @cached_property
    def offers(self) -> list[Invitation]:
        return list(self._offers.order_by("address", "id")[: NAMED - len(self.members)])

    @property
    def others(self) -> int:
        return self.member_count + self.offer_count - len(self.members) - len(self.offers)

    @property
    def is_held(self) -> bool:
        return bool(self.member_count or self.offer_count)

    @property
    def gained(self) -> list[Permission]:
        return self._between(self.role, self.then or self.role)

    @property
    def lost(self) -> list[Permission]:
        return self._between(self.then or self.role, self.role)

    @property
    def administers(self) -> bool:
        """Whether everybody becomes an Administrator."""
        return self.then is not None and self.then.is_administrator

    @staticmethod
    def _between(less: Role, more: Role) -> list[Permission]:
        beyond = more.permissions - less.permissions
        return [permission for permission in catalogue().of_organization if permission in beyond]

    @cached_property
    def ending(self) -> Ending:
        ends = invitations.ending_with(self.actor, {self.role.pk: self.then}) if self.then else []
        return Ending(self.actor, ends)

    @property
    def seen(self) -> str:
        """What was shown, in short: whoever saves has seen this."""
        then = self.then or self.role
        counts = (self.member_count, self.offer_count, len(self.ending.offers))
        return " ".join([*map(str, counts), str(then.pk), *sorted(then.names)])

    @property
    def is_news(self) -> bool:
        """Whether anybody's permissions or role change: then it is shown first."""
        changes = self.then is not None and (self.then != self.role or bool(self.gained or self.lost))
        return changes and self.is_held


# --- Adding --------------------------------------------------------------------------------------------------------


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: pages.PageRequest) -> HttpResponse:
    """Add a role, perhaps beginning with what another one permits."""
    actor = request.actor
    actor.require(ADMINISTER)
    like = roles.visible_to(actor).filter(slug=request.GET.get("like", "").replace("\0", "")).first()
    refusal: Invalid | Refused | None = None
    if request.method == "POST":
        try:
            role = roles.add(actor, name=request.POST.get("name", ""), permissions=asked(actor, request.POST))
        except (Invalid, Refused) as error:
            refusal = error
        else:
            said = _("%(role)s is there. Give it to people in the list of users, or invite somebody with it.")
            messages.success(request, said % {"role": role.title})
            return see_other("roles", actor.organization.slug)
    checked = names_in(like) if like and request.method != "POST" else grants.ticked(actor, request.POST)
    context = {
        "place": "roles",
        "like": like,
        "name": request.POST.get("name", ""),
        "grants": grants.boxed(actor, checked=checked),
        "problems": problems(refusal, "name", "permissions") if refusal else {},
    }
    return pages.render(request, "console/role_new.html", context, status=status(refusal))


def asked(actor: Member, data: QueryDict) -> Permissions:
    """The set that the boxes stand for."""
    return grant_of(actor.organization, None, grants.ticked(actor, data)).permissions


def names_in(role: Role) -> list[str]:
    return [permission.name for permission in grants.ticks(role)]


# --- One role ------------------------------------------------------------------------------------------------------


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: pages.PageRequest, role: str) -> HttpResponse:
    """What a role permits and who has it; for Administrators the form that changes it."""
    row = found(request.actor, role)
    if request.method != "POST":
        return page_of(request, row)
    request.actor.require(ADMINISTER)
    try:
        return save(request, row)
    except (Invalid, Refused) as refusal:
        return page_of(request, found(request.actor, role), refusal=refusal)


def found(actor: Member, slug: str) -> Role:
    role: Role | None = roles.visible_to(actor).filter(slug=slug).first()
    if role is None:
        raise Http404
    return role


def save(request: pages.PageRequest, role: Role) -> HttpResponse:
    """Change the role as the form asks, once it was seen what that does."""
    actor, data = request.actor, request.POST
    wanted, version = asked(actor, data), whole(data.get("version", ""))
    if data.get("do") == "save":
        ensure_current(role.version, version)  # before anything is shown of what is no longer so
    touch = Touch(actor, role, role.with_permissions(wanted))
    if data.get("do") != "save" or (touch.is_news and data.get("seen") != touch.seen):
        return page_of(request, role, touch)
    role = roles.change(
        actor,
        role=role,
        name=data.get("name", ""),
        permissions=wanted,
        version=version,
        take_over=bool(data.get("take_over")),
    )
    said = _("%(role)s: saved.") % {"role": role.title}
    messages.success(request, f"{said} {ended_with(actor)}".strip())
    return see_other("roles", actor.organization.slug)


def page_of(
    request: pages.PageRequest, role: Role, touch: Touch | None = None, refusal: Invalid | Refused | None = None
) -> HttpResponse:
    actor = request.actor
    stale = refusal is not None and refusal.code == "changed_meanwhile"
    typed = request.method == "POST" and not stale and not role.is_administrator
    shapes = actor.can(ADMINISTER) and not role.is_administrator
    lines = events.recent(actor, about=role.pk, limit=HISTORY) if actor.can(ADMINISTER) else []
    shown = whole(request.POST.get("version", ""))
    touch, reviewed = touch or Touch(actor, role), touch is not None
    history = told(lines)
    context = {
        "place": "roles",
        "role": role,
        "shapes": shapes,
        "manages": actor.can(MEMBERS_MANAGE),
        "name": request.POST.get("name", "") if typed else role.title,
        "version": role.version if stale or shown is None else shown,
        "grants": grants.boxed(actor, checked=grants.ticked(actor, request.POST) if typed else names_in(role)),
        "held": grants.ticks(role),
        "touch": touch,
        "reviewed": reviewed,
        "changes": told(since(lines, role.version - (shown or 0))) if stale else [],
        "history": history,
        "pictures": pictures_in(touch, history),
        "problems": problems(refusal, "name", "permissions") if refusal else {},
    }
    return pages.render(request, "console/role.html", context, status=status(refusal))


def pictures_in(touch: Touch, history: Sequence[Told] = ()) -> dict[UUID, str]:
    """Of those who have the role, and of those who changed it."""
    named = [*(member.user_id for member in touch.members), *(event.key for event in history)]
    return memberships.pictures(touch.actor, named)


def since(lines: Sequence[events.Line], versions: int) -> list[events.Line]:
    """What changed after the version that a page showed."""
    return [line for line in lines if line.event.action == "role.changed"][: max(1, versions)]


# --- Deleting ------------------------------------------------------------------------------------------------------


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: pages.PageRequest, role: str) -> HttpResponse:
    """Delete a role; whoever has it gets another one in the same act."""
    actor, data = request.actor, request.POST
    row = found(actor, role)
    actor.require(ADMINISTER)
    others = list(roles.visible_to(actor).exclude(pk=row.pk))
    move_to = next((other for other in others if other.slug == data.get("move_to")), None)
    touch = Touch(actor, row, move_to)
    if request.method != "POST":
        return deletion(request, touch, others)
    unseen = touch.is_news and data.get("seen") != touch.seen
    if data.get("do") != "delete" or unseen:
        return deletion(request, touch, others)
    try:
        roles.delete(
            actor,
            role=row,
            move_to=move_to if touch.is_held else None,
            version=whole(data.get("version", "")),
            take_over=bool(data.get("take_over")),
        )
    except (Invalid, Refused) as refusal:
        return deletion(request, Touch(actor, found(actor, role), move_to), others, refusal)
    said = _("%(role)s is deleted.") % {"role": row.title}
    messages.success(request, f"{said} {ended_with(actor)}".strip())
    return see_other("roles", actor.organization.slug)


def deletion(
    request: pages.PageRequest, touch: Touch, others: Sequence[Role], refusal: Invalid | Refused | None = None
) -> HttpResponse:
    context = {
        "place": "roles",
        "role": touch.role,
        "touch": touch,
        "pictures": pictures_in(touch),
        "others": others,
        "manages": True,
        "refusal": refusal,
    }
    return pages.render(request, "console/role_delete.html", context, status=status(refusal))
