"""Many at once: what became of each, in the order asked. Those that pass happen together."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from portico.domain.errors import Missing, Refusal
from portico.domain.memberships import Result
from portico.domain.words import UUID_SHAPE

MOST = 1000  # in one call


def keys(asked: Iterable[str]) -> set[UUID]:
    """Those of the ids that are ids; of the others each is told that it is not there."""
    return {UUID(each) for each in asked if UUID_SHAPE.fullmatch(each.lower())}


def answer(
    asked: Sequence[str], results: Iterable[Result], outcome: str, noun: str, told: Callable[[Any], Any]
) -> dict[str, Any]:
    """`results` are of those that are there. `told` tells of one for which it was done, under the name `noun`."""
    done: dict[str, Result] = {str(result.row.pk): result for result in results}  # type: ignore[attr-defined]
    seen: set[str] = set()
    lines = []
    for each in asked:
        key = each.lower()
        refusal = _why_not(done.get(key), again=key in seen)
        seen.add(key)
        lines.append(
            {
                "id": each,
                "outcome": refusal.code if refusal else outcome,
                noun: None if refusal else told(done[key].row),
                "detail": refusal.sentence if refusal else None,
            }
        )
    return {"done": sum(line["outcome"] == outcome for line in lines), "results": lines}


def _why_not(result: Result | None, *, again: bool) -> Refusal | None:
    if again:
        return Refusal("duplicate", _("It stands here twice."))
    return Missing() if result is None else result.refusal
