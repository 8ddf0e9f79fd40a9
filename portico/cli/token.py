"""`portico token …`: service tokens, of one organization or of all."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done
from portico.cli.operator import operator
from portico.cli.operator import organization as organization_of
from portico.cli.tables import listed

if TYPE_CHECKING:
    from portico.domain.tokens import Token

ORGANIZATION = typer.Option(metavar="SLUG", help="The organization; without one, the tokens for all of them.")


def create(
    name: Annotated[str, typer.Option(help="What it is for.")],
    service: Annotated[
        bool, typer.Option("--service", help="A token that reads and checks. The shell makes no others.")
    ] = False,
    organization: Annotated[str | None, ORGANIZATION] = None,
    days: Annotated[int | None, typer.Option(help="So many days it is good; for ever if left out.")] = None,
    permission: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Narrow it to this; may be repeated.")
    ] = None,
) -> Done:
    """Make a service token and show its secret, this once."""
    from portico.domain import tokens
    from portico.domain.errors import Invalid

    if not service:
        raise Invalid(_("A token of a member is made by the member. Say --service."), field="service")
    if organization is None:
        if permission:
            raise Invalid(_("A token for all organizations is not narrowed."), field="permission")
        made = tokens.issue_for_all(operator(None), name=name, days=days)
    else:
        actor = operator(organization_of(organization))
        made = tokens.issue_service(actor, name=name, days=days, permissions=permission or None)
    return Done(made.secret, {**facts(made.token), "secret": made.secret})


def every(organization: Annotated[str | None, ORGANIZATION] = None) -> Done:
    """List tokens, the newest first. No secret is shown."""
    from portico.domain import tokens

    rows = tokens.every(operator(organization_of(organization))) if organization else tokens.of_operator()
    return listed("tokens", [facts(row) for row in rows], "id", "name", "member", "expires_at", "last_used_at")


def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The token.", show_default=False)],
    organization: Annotated[str | None, ORGANIZATION] = None,
) -> Done:
    """Revoke a token, with the open invitations that came through it."""
    from portico.domain import tokens
    from portico.domain.errors import Missing

    actor = operator(organization_of(organization) if organization else None)
    rows = tokens.every(actor) if organization else tokens.of_operator()
    row = rows.filter(pk=key(token)).first()
    if row is None:
        raise Missing(_("There is no token %(id)s here.") % {"id": token})
    done = Done(_("%(name)s is revoked.") % {"name": row.name}, facts(row))
    if organization:
        tokens.revoke(actor, token=row)
    else:
        tokens.revoke_for_all(actor, row)
    return done


def key(text: str) -> UUID:
    from portico.domain.errors import Missing

    try:
        return UUID(text)
    except ValueError as error:
        raise Missing(_("There is no token %(id)s here.") % {"id": text}) from error


def facts(row: "Token") -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "member": row.membership.address if row.membership else None,
        "service": row.is_service,
        "permissions": row.limit.names if row.limit else None,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }
