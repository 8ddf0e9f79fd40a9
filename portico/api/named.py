"""What stands in an address: a workspace or a role by slug or id, a member by the membership's id or as `me`.

What the actor may not see is not there.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from portico.domain import memberships, roles, workspaces
from portico.domain.access import Member, Service
from portico.domain.errors import Invalid, Missing
from portico.domain.memberships import Membership
from portico.domain.roles import Grant, Role, grant_of
from portico.domain.words import UUID_SHAPE
from portico.domain.workspaces import Workspace

from .auth import place

ME = "me"


def workspace(actor: Member | Service, named: str) -> Workspace:
    found = workspaces.find(actor, named)
    if found is None:
        raise Missing
    return found


def role(actor: Member | Service, named: str) -> Role:
    for each in roles.visible_to(actor):
        if named in {each.slug, str(each.pk)}:
            return each
    raise Missing


def member(actor: Member | Service, named: str) -> Membership:
    if named == ME and isinstance(actor, Member):
        return actor.membership
    found = memberships.visible_to(actor).filter(pk=key(named)).first()
    if found is None:
        raise Missing
    return found


def member_sent(actor: Member | Service, sent: str, field: str = "member") -> Membership:
    """The same where it stands in a body, which is then wrong."""
    try:
        return member(actor, sent)
    except Missing as error:
        raise Invalid(_("There is no member “%(member)s” here.") % {"member": sent[:80]}, field=field) from error


def role_sent(actor: Member | Service, sent: str, field: str = "role") -> Role:
    try:
        return role(actor, sent)
    except Missing as error:
        raise Invalid(_("There is no role “%(role)s” here.") % {"role": sent[:80]}, field=field) from error


def workspace_sent(actor: Member | Service, sent: str, field: str = "workspaces") -> Workspace:
    found = workspaces.find(actor, sent)
    if found is None or not found.is_open:
        raise Invalid(_("There is no workspace “%(slug)s” here.") % {"slug": sent[:80]}, field=field)
    return found


def grant(actor: Member | Service, sent: Mapping[str, Any]) -> Grant | None:
    """What `role` or `permissions` of a body stand for; None where neither is given."""
    role, names = sent.get("role"), sent.get("permissions")
    if role is None and names is None:
        return None
    return grant_of(place(actor), role, names)


def moment(sent: datetime | None, field: str) -> datetime | None:
    if sent is not None and sent.tzinfo is None:
        raise Invalid(_("Say the time zone: 2027-01-31T12:00:00Z."), field=field)
    return sent


def key(named: str) -> UUID:
    """The id of whatever has no other name."""
    if not UUID_SHAPE.fullmatch(named):
        raise Missing
    return UUID(named)
