"""`portico outbox`"""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done

if TYPE_CHECKING:
    from rich.console import Group

    from portico.delivery.folder import Message


def outbox(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest letters.")] = 10,
) -> Done:
    """List the newest letters of the built-in outbox with their links, and how many letters still wait."""
    from portico.delivery import folder
    from portico.domain.outbox import counts as counted

    newest, counts = folder.messages(limit), counted()
    return Done(_shown(newest, counts), {"letters": [_facts(message) for message in newest], **counts})


def _facts(message: "Message") -> dict[str, Any]:
    return {
        "to": message.to,
        "subject": message.subject,
        "date": message.date and message.date.isoformat(),
        "links": message.links,
        "file": message.name,
    }


def _shown(newest: "list[Message]", counts: dict[str, int]) -> "Group":
    """Links stand on lines of their own, so that a terminal and a mouse take them whole."""
    from rich.console import Group
    from rich.text import Text

    blocks = []
    for message in newest:
        block = Text(overflow="fold")
        block.append(f"{message.date:%Y-%m-%d %H:%M}  " if message.date else "", style="dim")
        block.append(f"{message.to}  ", style="bold").append(message.subject)
        for link in message.links:
            block.append(f"\n    {link}")
        blocks.append(block)
    if not newest:
        blocks.append(Text(_("There is no letter in the built-in outbox.")))
    blocks.append(Text(_("%(waiting)d waiting, %(sent)d sent, %(given_up)d given up") % counts, style="dim"))
    return Group(*blocks)
