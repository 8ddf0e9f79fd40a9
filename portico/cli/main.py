"""`portico …`: every command of the shell, by name."""

from collections.abc import Callable
from typing import Any

import typer

from portico.cli import (
    audit,
    backup,
    demo,
    doctor,
    invite,
    member,
    migrate,
    organization,
    outbox,
    serve,
    token,
    user,
    worker,
)
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
command(app, "doctor")(doctor.doctor)
command(app, "demo")(demo.demo)
command(app, "invite")(invite.invite)


def group(name: str, help_: str, commands: dict[str, Callable[..., Any]]) -> None:
    """`portico NAME …`"""
    these = typer.Typer(name=name, help=help_, no_args_is_help=True)
    for verb, function in commands.items():
        command(these, verb)(function)
    app.add_typer(these)


group(
    "user",
    "Accounts.",
    {
        "create": user.create,
        "list": user.every,
        "verify": user.verify,
        "disable": user.disable,
        "enable": user.enable,
        "delete": user.delete,
        "reset-second-factor": user.reset_second_factor,
    },
)
group(
    "organization",
    "Organizations.",
    {
        "found": organization.found,
        "list": organization.every,
        "trust": organization.trust,
        "restore": organization.restore,
    },
)
group("member", "Members of organizations.", {"list": member.every, "set": member.change, "remove": member.remove})
group("token", "Service tokens.", {"create": token.create, "list": token.every, "revoke": token.revoke})
group("audit", "The audit log.", {"export": audit.export})

if __name__ == "__main__":
    app()
