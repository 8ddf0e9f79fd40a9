"""The table of commands in docs/operators.md is the one in the code.

`python -m tests.cli.test_commands_docs` writes it anew.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from portico.cli.main import app

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"
BEGIN, END = "<!-- commands: generated -->\n", "<!-- end of commands -->\n"


def commands(group: Any, words: tuple[str, ...] = ("portico",)) -> Iterator[tuple[str, str]]:
    """Each command as it is typed, and the first paragraph of what it says of itself."""
    for name, command in group.commands.items():
        here = (*words, name)
        if hasattr(command, "commands"):
            yield from commands(command, here)
        else:
            yield " ".join(here), " ".join(command.help.split("\n\n")[0].split())


def table() -> str:
    rows = [f"| `{typed}` | {says} |" for typed, says in commands(typer.main.get_command(app))]
    return "\n".join(["", "| command | what it does |", "|---|---|", *rows, "", ""])


def test_the_table_of_commands_is_current() -> None:
    _before, rest = PAGE.read_text().split(BEGIN)
    written, _after = rest.split(END)

    assert written == table(), "python -m tests.cli.test_commands_docs writes it anew"


def test_every_command_says_what_it_does() -> None:
    told = dict(commands(typer.main.get_command(app)))

    assert len(told) > 20
    assert [typed for typed, says in told.items() if not says] == []


if __name__ == "__main__":
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1])
