"""Events for programs, and as files: nothing in them depends on the reader's language."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from portico import spreadsheet
from portico.domain.events import Line

COLUMNS = (
    "at", "action", "actor_kind", "actor_id", "actor", "subject_kind", "subject_id", "subject", "door", "address",
    "browser", "details", "batch", "id",
)  # fmt: skip


def told(line: Line) -> dict[str, Any]:
    """An event with what everything was called, and where it came from."""
    event = line.event
    return {
        "at": event.at.isoformat(),
        "action": event.action,
        "actor_kind": event.actor_kind,
        "actor_id": str(event.actor_id) if event.actor_id else None,
        "actor": line.actor,
        "subject_kind": event.subject_kind,
        "subject_id": str(event.subject_id),
        "subject": line.subject,
        "door": event.door,
        "address": line.address,
        "browser": line.browser,
        "details": event.details,
        "batch": str(event.batch),
        "id": str(event.pk),
    }


def csv(records: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    def rows() -> Iterator[list[str]]:
        yield list(COLUMNS)
        for each in records:
            cells = {**each, "details": json.dumps(each["details"], ensure_ascii=False)}
            yield [cells[column] or "" for column in COLUMNS]

    return spreadsheet.lines(rows())


def jsonl(records: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for each in records:
        yield json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


# By what a file is called: what writes it, and its type.
WRITERS: dict[str, tuple[Callable[[Iterator[dict[str, Any]]], Iterator[bytes]], str]] = {
    "csv": (csv, "text/csv; charset=utf-8"),
    "jsonl": (jsonl, "application/jsonl"),
}
