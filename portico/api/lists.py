"""Lists in parts: each part begins after the keys of the row before it, so page 1,000 costs what the first one does."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import models
from django.db.models.expressions import F
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from portico.domain.errors import Invalid

LIMIT, MOST = 50, 200


class Part(BaseModel):
    """Which part of a list: a parameter of every list, as `part: Query[Part]`."""

    limit: int = Field(LIMIT, ge=1, le=MOST, description="How many at most")
    cursor: str = Field("", max_length=2000, description="`next` of the part before")


def part(
    rows: "models.QuerySet[Any]", asked: Part, told: Callable[[Any], dict[str, Any]], *, order: Sequence[str] = ("id",)
) -> dict[str, Any]:
    """The answer: these rows in this order. The last key differs in every row; a falling order has `-` at each key."""
    return of_rows(following(rows, asked, order), asked, told, order)


def following(rows: "models.QuerySet[Any]", asked: Part, order: Sequence[str] = ("id",)) -> list[Any]:
    """The rows after the cursor, and one more if there is one."""
    names, falling = _keys(order)
    if asked.cursor:
        beyond = TupleLessThan if falling else TupleGreaterThan
        rows = rows.filter(beyond(Tuple(*map(F, names)), decode(asked.cursor, rows.model, order)))
    return list(rows.order_by(*order)[: asked.limit + 1])


def of_rows(
    rows: Sequence[Any], asked: Part, told: Callable[[Any], dict[str, Any]], order: Sequence[str] = ("id",)
) -> dict[str, Any]:
    """The same of rows that `following` found, for lists that fetch something for all of them together."""
    items, more = rows[: asked.limit], len(rows) > asked.limit
    return {"items": [told(row) for row in items], "next": encode(items[-1], order) if more else None}


def of_sequence(items: Sequence[dict[str, Any]], asked: Part, key: str) -> dict[str, Any]:
    """The same of what is no table, and has no two of the same key."""
    start = 0
    if asked.cursor:
        keys = [_coded(["", item[key]]) for item in items]
        if asked.cursor not in keys:
            raise impossible()
        start = keys.index(asked.cursor) + 1
    found = items[start : start + asked.limit]
    more = start + asked.limit < len(items)
    return {"items": found, "next": _coded(["", found[-1][key]]) if more else None}


def impossible() -> Invalid:
    return Invalid(_("There is no such cursor in this list. Begin without one."), field="cursor")


def _keys(order: Sequence[str]) -> tuple[list[str], bool]:
    return [name.removeprefix("-") for name in order], order[0].startswith("-")


def encode(row: Any, order: Sequence[str]) -> str:
    keys = [_value(row, name) for name in _keys(order)[0]]
    return _coded([",".join(order), *keys])


def _coded(told: list[Any]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(told)).decode().rstrip("=")


def _value(row: Any, name: str) -> Any:
    for part in name.split("__"):
        row = getattr(row, part)
    return row


def decode(cursor: str, model: type[models.Model], order: Sequence[str]) -> tuple[Any, ...]:
    """The keys of a cursor that a list in this order handed out, or Invalid."""
    try:
        told, *keys = msgspec.json.decode(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
        if told != ",".join(order):
            raise ValueError(told)
        return tuple(_key(_field(model, name), key) for name, key in zip(_keys(order)[0], keys, strict=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise impossible() from error


def _field(model: type[models.Model], name: str) -> Any:
    first, _dots, rest = name.partition("__")
    field: Any = model._meta.get_field(first)
    return _field(field.related_model, rest) if rest else field


def _key(field: Any, told: Any) -> Any:
    if not isinstance(told, str) or "\0" in told:
        raise ValueError(told)
    if isinstance(field, models.UUIDField | models.ForeignKey):
        return UUID(told)
    if isinstance(field, models.DateTimeField):
        at = datetime.fromisoformat(told)
        if at.utcoffset() != timedelta():
            raise ValueError(told)
        return at
    return told
