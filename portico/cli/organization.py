"""`portico organization …`"""

from typing import Annotated

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done
from portico.cli.operator import account, address, operator


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
