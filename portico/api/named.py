"""What stands in an address: a workspace or a role by slug or id, a member by the membership's id or as `me`.

What the actor may not see is not there.
"""

from uuid import UUID

from django.utils.translation import gettext as _

from portico.domain import memberships, roles, workspaces
from portico.domain.access import Member, Service
from portico.domain.errors import Invalid, Missing
from portico.domain.memberships import Membership
from portico.domain.roles import Role
from portico.domain.words import UUID_SHAPE
from portico.domain.workspaces import Workspace

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


def key(named: str) -> UUID:
    """The id of whatever has no other name."""
    if not UUID_SHAPE.fullmatch(named):
        raise Missing
    return UUID(named)
