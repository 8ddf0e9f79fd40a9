"""A role or single permissions, as a form: read from what was posted, and laid out for `console/permissions.html`.

A role together with boxes that differ from it is refused with both shown; nothing here guesses which was meant.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portico.domain import roles
from portico.domain.access import Actor
from portico.domain.errors import Invalid
from portico.domain.permissions import Permission, Permissions, catalogue, complete
from portico.domain.roles import Grant, Role, grant_of

CUSTOM = "Custom"  # no slug has a capital, so no role can be called this


class Differs(Invalid):
    """A role and boxes that say something else. The page asks which is meant: `meant` = "role" or "custom"."""

    def __init__(self, role: Role, boxes: Permissions):
        sentence = _("The boxes do not say what %(role)s gives. Which of the two do you mean?")
        super().__init__(sentence % {"role": role.title}, field="role")
        self.role, self.count = role, len(boxes)

    @property
    def use_role(self) -> str:
        return _("The role %(role)s") % {"role": self.role.title}

    @property
    def use_boxes(self) -> str:
        return ngettext("The %d permission ticked", "The %d permissions ticked", self.count) % self.count


def read(actor: Actor, data: QueryDict, *, blank: bool = False) -> Grant:
    """The grant that a form asks to give, or Invalid.

    `blank` says that the page began with no box ticked: then no box ticked says nothing, and the role holds alone.
    """
    chosen, names = data.get("role"), ticked(actor, data)
    if not chosen:
        return grant_of(actor.organization, None, None)
    if chosen == CUSTOM or data.get("meant") == "custom":
        return grant_of(actor.organization, None, names)
    grant = grant_of(actor.organization, chosen, None)
    boxes = grant_of(actor.organization, None, names).permissions
    ignored = data.get("meant") == "role" or (blank and not names)
    if grant.role and not ignored and boxes != complete(ticks(grant.role)):
        raise Differs(grant.role, boxes)
    return grant


def ticked(actor: Actor, data: QueryDict) -> set[str]:
    """The names of the boxes. *Select All* stands for every one that the actor may give."""
    names = set(data.getlist("grant"))
    if data.get("all") == "grant":
        names |= {
            permission.name for permission in catalogue().of_organization if actor.covers(frozenset({permission}))
        }
    return names


def ticks(role: Role) -> list[Permission]:
    """The boxes that a role stands for."""
    held = role.permissions
    return [permission for permission in catalogue().of_organization if permission in held]


@dataclass(frozen=True)
class Choice:
    """A role that can be chosen, or why it cannot."""

    slug: str
    title: str
    names: str  # of the boxes that it ticks, apart by spaces
    disabled: bool
    why: str = ""


@dataclass(frozen=True)
class Box:
    """A permission that can be ticked, or why it cannot. `why` tells why it is held."""

    permission: Permission
    checked: bool
    disabled: bool
    says: str
    why: str = ""

    @property
    def implies(self) -> str:
        return " ".join(sorted(permission.name for permission in complete([self.permission]) - {self.permission}))


@dataclass(frozen=True)
class Offered:
    """What `console/permissions.html` shows: `choices`, `boxes`, the `selected` slug, CUSTOM or nothing."""

    choices: list[Choice]
    boxes: list[Box]
    selected: str
    closed: bool = False

    @property
    def left_off(self) -> int:
        """How many boxes *Select All* leaves alone."""
        return sum(box.disabled for box in self.boxes)


def offered(
    actor: Actor,
    *,
    selected: str = "",
    checked: Iterable[str] = (),
    why: Mapping[Permission, str] | None = None,
    closed: bool = False,
) -> Offered:
    """Roles and permissions as this actor may give them; `closed` shows them and lets nothing be changed."""
    choices = [_choice(actor, role, closed) for role in roles.visible_to(actor)]
    return Offered(choices, boxed(actor, checked=checked, why=why, closed=closed).boxes, selected, closed)


def boxed(
    actor: Actor,
    *,
    checked: Iterable[str] = (),
    why: Mapping[Permission, str] | None = None,
    closed: bool = False,
) -> Offered:
    """Permissions alone: what a role of one's own is made of."""
    checked, why = set(checked), why or {}
    boxes = [
        Box(
            permission,
            checked=permission.name in checked,
            disabled=closed or not actor.covers(frozenset({permission})),
            says=says(actor, permission, closed),
            why=why.get(permission, ""),
        )
        for permission in catalogue().of_organization
    ]
    return Offered([], boxes, "", closed)


def as_it_is(actor: Actor, role: Role, why: Mapping[Permission, str] | None = None, *, closed: bool = False) -> Offered:
    """The same with a grant as somebody has it, or is offered it."""
    names = [permission.name for permission in ticks(role)]
    return offered(actor, selected=role.slug or CUSTOM, checked=names, why=why, closed=closed)


def typed(actor: Actor, data: QueryDict, why: Mapping[Permission, str] | None = None) -> Offered:
    """The same with what somebody chose and ticked, so that a refusal keeps it."""
    return offered(actor, selected=data.get("role", ""), checked=ticked(actor, data), why=why)


def _choice(actor: Actor, role: Role, closed: bool) -> Choice:
    names = " ".join(permission.name for permission in ticks(role))
    beyond = not actor.covers(role.permissions)
    why = _("%(role)s holds more than you do.") % {"role": role.title} if beyond and not closed else ""
    return Choice(role.slug or "", role.title, names, closed or beyond, why)


def says(actor: Actor, permission: Permission, closed: bool) -> str:
    if closed or actor.covers(frozenset({permission})):
        return str(permission.sentence)
    return _("You cannot give this, because you do not hold it. An administrator can.")


def why_held(role: Role) -> dict[Permission, str]:
    """Because of what each permission of a grant is held."""
    return {permission: _why(role, permission) for permission in ticks(role)}


def _why(role: Role, permission: Permission) -> str:
    if role.is_administrator:
        return _("an Administrator holds everything")
    for other in ticks(role):
        if other != permission and permission in complete([other]):
            return _("comes with %(label)s") % {"label": other.label}
    return _("Custom") if role.is_custom else _("from the role %(role)s") % {"role": role.title}
