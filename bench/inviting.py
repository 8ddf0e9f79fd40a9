"""Inviting 1 and 10,000 addresses, against a bare `executemany` of the same rows in one transaction."""

import subprocess
import sys
import time
from typing import Any

from django.db import connection, transaction
from uuid_utils.compat import uuid7

from bench.measure import Figures, compare, row, seconds, table, verdict
from bench.people import founder, terms, wanted
from portico.domain import invitations
from portico.domain.access import Member
from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.outbox import Letter

AT_MOST, LOCK_AT_MOST = 4.0, 3.0


def run() -> None:
    table("Inviting", "product, ms", "bare executemany, ms", "ratio", "bound")
    for count in (1, 10_000):
        held: list[float] = []
        floor = Floor(count)

        def product(_round: int, count: int = count, held: list[float] = held) -> float:
            actor, lines = founder(), wanted(count)
            asked = terms(actor)
            begin = time.perf_counter()
            outcomes = invitations.send(actor, wanted=lines, terms=asked)
            took = time.perf_counter() - begin
            assert sum(outcome.is_good for outcome in outcomes) == count
            held.append(time.time() - actor.now.timestamp())
            return took

        found = compare(product, floor)
        bound = verdict(found.ratio.median, AT_MOST) if count > 1 else "–"
        row(
            f"{count:,} on {connection.vendor}",
            found.product.scaled(1000),
            found.floor.scaled(1000),
            found.ratio,
            bound,
        )
    lock = Figures(tuple(held[1:]))
    row(f"the lock held for 10,000 on {connection.vendor}, s", lock, "–", "–", verdict(lock.median, LOCK_AT_MOST))
    row(f"longest wait of another organization on {connection.vendor}, ms", longest_wait(), "–", "–", "–")


class Floor:
    """The rows that one call leaves, written again by three plain statements under other ids."""

    def __init__(self, count: int):
        self.actor = founder()
        invitations.send(self.actor, wanted=wanted(count), terms=terms(self.actor))
        self.rows = {model: _rows_of(model, self.actor) for model in (Letter, Invitation, Event)}

    def __call__(self, _round: int) -> float:
        there = founder()
        fresh = {model: self._renamed(model, there) for model in self.rows}
        return seconds(lambda: self._write(fresh))

    def _renamed(self, model: Any, there: Member) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The same values for another organization, with ids of their own."""
        columns, rows = self.rows[model]
        swap = {
            "organization_id": there.organization.pk,
            "sponsor_id": there.membership.pk,
            "grant_id": terms(there).grant.role.pk,  # type: ignore[union-attr]
        }
        letters = self.__dict__.setdefault("letters", {})

        def value(column: str, old: Any) -> Any:
            if column == "id":
                new = uuid7()
                if model is Letter:
                    letters[str(old)] = new
                return _stored(new)
            if column == "letter_id":
                return _stored(letters[str(old)])
            return _stored(swap[column]) if column in swap else old

        return columns, [tuple(value(c, v) for c, v in zip(columns, each, strict=True)) for each in rows]

    def _write(self, fresh: dict[Any, tuple[list[str], list[tuple[Any, ...]]]]) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for model, (columns, rows) in fresh.items():
                names = ", ".join(f'"{name}"' for name in columns)
                places = ", ".join(["%s"] * len(columns))
                cursor.executemany(f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES ({places})', rows)


def _rows_of(model: Any, actor: Member) -> tuple[list[str], list[tuple[Any, ...]]]:
    columns = [field.column for field in model._meta.concrete_fields]
    names = ", ".join(f'"{name}"' + ("::text" if _is_json(model, name) else "") for name in columns)
    extra = " AND action = 'invitation.sent'" if model is Event else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT {names} FROM "{model._meta.db_table}" WHERE organization_id = %s{extra}',
            [_stored(actor.organization.pk)],
        )
        return columns, cursor.fetchall()


def _is_json(model: Any, column: str) -> bool:
    field = next(field for field in model._meta.concrete_fields if field.column == column)
    return connection.vendor == "postgresql" and field.get_internal_type() == "JSONField"


def _stored(value: Any) -> Any:
    return value if connection.vendor == "postgresql" else value.hex


def longest_wait() -> Figures:
    """Another process gives commands in another organization, one after the other, while 10,000 are invited here."""
    waits = []
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-m", "bench.bystander"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdin and other.stdout and other.stdout.readline() == "ready\n"
            actor, lines = founder(), wanted(10_000)
            invitations.send(actor, wanted=lines, terms=terms(actor))
            other.stdin.close()
            waits.append(float(other.stdout.readline()))
    return Figures(tuple(waits)).scaled(1000)
