"""`portico …`: every command of the shell, by name."""

import typer

from portico.cli import backup, member, migrate, organization, outbox, serve, user, worker
from portico.cli.command import command

app = typer.Typer(
    name="portico",
    help="Portico: organizations, members, permissions and invitations, on your own server.",
    epilog="Exit codes: 0 done, 1 refused, 2 not understood, 3 something is away, 4 settings, 70 a fault in Portico.",
    no_args_is_help=True,
    # Values of variables would be shown with every fault, and some of them are secret.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

command(app, "serve")(serve.serve)
command(app, "worker")(worker.worker)
command(app, "migrate")(migrate.migrate)
command(app, "outbox")(outbox.outbox)
command(app, "backup")(backup.backup)
command(app, "restore")(backup.restore)
users = typer.Typer(name="user", help="Accounts.", no_args_is_help=True)
command(users, "create")(user.create)
app.add_typer(users)

organizations = typer.Typer(name="organization", help="Organizations.", no_args_is_help=True)
command(organizations, "found")(organization.found)
app.add_typer(organizations)

members = typer.Typer(name="member", help="Members of organizations.", no_args_is_help=True)
command(members, "set")(member.change)
app.add_typer(members)

if __name__ == "__main__":
    app()
