"""Lists at the shell: a table for people; with --json the same rows for programs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from portico.cli.command import Done


def listed(name: str, rows: Sequence[Mapping[str, Any]], *columns: str) -> Done:
    """`columns` are what the table shows of each row; the JSON has all of it under `name`."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")  # an id that is cut off names nothing
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    return Done(table, {name: list(rows)})


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "✓" if value else ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
