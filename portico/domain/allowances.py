"""How often one may ask within a while: counted by one statement, for all processes at once.

A while begins with the first request and lasts for a minute; then the count begins anew. What is counted is worth
nothing after that, so it is kept where counting is cheapest: on PostgreSQL in a table that is not written to the log,
on SQLite in a file of its own. So who only reads never waits there for somebody who writes.
"""

import logging
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.conf import settings
from django.db import connection

from . import keys

WHILE = 60  # seconds
PURPOSE = b"portico allowances"
TABLE = "CREATE TABLE IF NOT EXISTS portico_allowance (key varchar(32) PRIMARY KEY, ends bigint, spent integer)"
COUNT = """
INSERT INTO portico_allowance (key, ends, spent) VALUES {places}
ON CONFLICT (key) DO UPDATE SET
  spent = CASE WHEN portico_allowance.ends <= {now} THEN 1 ELSE portico_allowance.spent + 1 END,
  ends = CASE WHEN portico_allowance.ends <= {now} THEN excluded.ends ELSE portico_allowance.ends END
RETURNING key, ends, spent
"""
FORGET = "DELETE FROM portico_allowance WHERE ends <= {now}"

log = logging.getLogger("portico.api")


@dataclass(frozen=True)
class Allowance:
    """What is left of the narrowest of all that was counted."""

    limit: int
    left: int  # below zero: refused
    resets_in: int  # seconds

    @property
    def is_spent(self) -> bool:
        return self.left < 0


def spend(limits: Mapping[str, int], now: datetime) -> Allowance:
    """Count one more for each of these, and say what is left. Addresses are counted without being written down."""
    second = int(now.timestamp())
    named = {_key(name): limit for name, limit in limits.items()}
    values = [
        each for key in sorted(named) for each in (key, second + WHILE)
    ]  # in one order, so that none waits for two
    places = ", ".join(["(%s, %s, 1)"] * len(named))
    found = _run(COUNT.format(places=places, now=second), values)
    counted = [Allowance(named[key], named[key] - spent, ends - second) for key, ends, spent in found]
    return min(counted, key=lambda each: each.left / each.limit, default=Allowance(1, 1, WHILE))


def forget(now: datetime) -> None:
    """Delete what counts no more."""
    _run(FORGET.format(now=int(now.timestamp())), [])


def _key(name: str) -> str:
    secret = keys.derive(settings.SECRET_KEY, PURPOSE, 32)
    return blake2b(name.encode(), digest_size=16, key=secret).hexdigest()


# --- Where it is counted -------------------------------------------------------------------------------------------


class _Line(threading.local):
    """This thread's connection to the file, and which file that is."""

    file: Any = None
    connection: sqlite3.Connection | None = None


_line = _Line()


def _run(statement: str, values: list[Any]) -> list[Any]:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    try:
        return _file(settings.ALLOWANCES_FILE).execute(statement.replace("%s", "?"), values).fetchall()
    except sqlite3.Error:  # a disk that is full stops nobody from reading
        log.exception("Requests could not be counted.")
        hang_up()
        return []


def _file(file: Any) -> sqlite3.Connection:
    if _line.connection is None or _line.file != file:
        hang_up()
        _line.file, _line.connection = file, sqlite3.connect(file, timeout=1, isolation_level=None)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF", TABLE):
            _line.connection.execute(statement)
    return _line.connection


def hang_up() -> None:
    """Close this thread's connection to the file; the next count opens it again."""
    broken, _line.connection = _line.connection, None
    if broken is not None:
        broken.close()
