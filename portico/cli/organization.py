"""`portico organization …`"""

from typing import Annotated

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done
from portico.cli.operator import account, address, operator
from portico.cli.operator import organization as organization_of
from portico.cli.tables import listed

SLUG = typer.Argument(metavar="SLUG", help="The organization.", show_default=False)


def found(
    name: Annotated[str, typer.Option(help="What people call it.")],
    administrator: Annotated[str, typer.Option(metavar="EMAIL", help="Whose account becomes its Administrator.")],
    slug: Annotated[str, typer.Option(help="Its part of web addresses; made from the name if left out.")] = "",
) -> Done:
    """Found an organization for somebody who has an account."""
    from portico.domain import organizations

    user = account(address(administrator, field="administrator"))
    membership = organizations.found_for(operator(None), user, name=name, slug=slug)
    organization = membership.organization
    return Done(
        _("Founded %(name)s (%(slug)s). %(person)s is its Administrator.")
        % {"name": organization.name, "slug": organization.slug, "person": membership.label},
        {
            "id": organization.pk,
            "name": organization.name,
            "slug": organization.slug,
            "administrator": membership.address,
        },
    )


def every() -> Done:
    """List organizations, the newest first."""
    from django.db.models import Count

    from portico.domain.organizations import Organization

    rows = Organization.objects.annotate(members=Count("memberships")).order_by("-id")
    told = [
        {
            "id": row.pk,
            "slug": row.slug,
            "name": row.name,
            "members": row.members,
            "trusted": row.is_trusted,
            "created_at": row.created_at,
            "closed_at": row.closed_at,
        }
        for row in rows
    ]
    return listed("organizations", told, "slug", "name", "members", "trusted", "created_at", "closed_at")


def trust(
    organization: Annotated[str, SLUG],
    no: Annotated[bool, typer.Option("--no", help="No more than others again.")] = False,
) -> Done:
    """Let an organization send as many letters as those that the operator founds."""
    from portico.domain import organizations

    row = organizations.trust(operator(organization_of(organization)), trusted=not no)
    sentence = _("%(name)s is trusted.") if row.is_trusted else _("%(name)s is not trusted any more.")
    return Done(sentence % {"name": row.name}, {"id": row.pk, "slug": row.slug, "trusted": row.is_trusted})


def restore(organization: Annotated[str, SLUG]) -> Done:
    """Open a closed organization again, within 14 days."""
    from portico.domain import organizations

    row = organizations.restore(operator(organization_of(organization)))
    return Done(_("%(name)s is open again.") % {"name": row.name}, {"id": row.pk, "slug": row.slug})
