"""`portico member …`"""

from typing import TYPE_CHECKING, Annotated

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done
from portico.cli.operator import address, operator
from portico.cli.operator import organization as organization_of
from portico.cli.tables import listed

if TYPE_CHECKING:
    from portico.domain.memberships import Membership
    from portico.domain.organizations import Organization


ORGANIZATION = typer.Option(metavar="SLUG", help="The organization.")
MEMBER = typer.Option(metavar="EMAIL", help="An address of the member.")


def change(
    organization: Annotated[str, ORGANIZATION],
    member: Annotated[str, MEMBER],
    role: Annotated[str | None, typer.Option(help="A role: administrator, developer, contributor, or its own.")] = None,
    permission: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A single permission; may be repeated, instead of a role.")
    ] = None,
) -> Done:
    """Give a member another role, or single permissions."""
    from portico.domain import memberships, roles

    where = organization_of(organization)
    who = _member(where, address(member, field="member"))
    grant = roles.grant_of(where, role, permission or None)
    changed = memberships.change(operator(where), member=who, grant=grant)
    return Done(
        _("%(person)s is now %(role)s in %(organization)s.")
        % {"person": changed.label, "role": changed.grant.title, "organization": where.name},
        {
            "organization": where.slug,
            "member": changed.address,
            "role": changed.grant.slug,
            "permissions": sorted(item.name for item in changed.grant.permissions),
        },
    )


def every(organization: Annotated[str, ORGANIZATION]) -> Done:
    """List the members of an organization, by name."""
    where = organization_of(organization)
    now = operator(where).now
    told = [
        {
            "id": row.pk,
            "user": row.user_id,
            "email": row.address,
            "name": row.name,
            "role": row.grant.slug,
            "permissions": sorted(item.name for item in row.grant.permissions),
            "status": row.state(now),
            "joined_at": row.joined_at,
            "expires_at": row.expires_at,
        }
        for row in where.memberships.order_by("sort_name", "id").iterator(1000)
    ]
    return listed("members", told, "email", "name", "role", "status", "joined_at", "expires_at")


def remove(organization: Annotated[str, ORGANIZATION], member: Annotated[str, MEMBER]) -> Done:
    """Remove a member, with their seats, tokens and open invitations."""
    from portico.domain import memberships

    where = organization_of(organization)
    who = _member(where, address(member, field="member"))
    [result] = memberships.remove(operator(where), members=[who])
    if result.refusal:
        raise result.refusal
    sentence = _("%(person)s does not belong to %(organization)s any more.")
    return Done(
        sentence % {"person": who.label, "organization": where.name},
        {"organization": where.slug, "member": who.address},
    )


def _member(organization: "Organization", email: str) -> "Membership":
    """By the address known in the organization, else by any address that the person has verified."""
    from portico.domain.errors import Refused
    from portico.domain.people import User

    members = organization.memberships.all()
    member = members.filter(address=email).first() or members.filter(user=User.objects.owner_of(email)).first()
    if member is None:
        raise Refused(
            "not_a_member",
            _("%(email)s is not a member of %(name)s. Invite them there first.")
            % {"email": email, "name": organization.name},
            field="member",
        )
    return member
