"""How every command runs: lock, authority again, rows again, permission, the command, the promises, commit."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass, replace
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from django.db import OperationalError, models, transaction

from . import retries
from .access import Actor
from .errors import Missing, Refusal
from .permissions import Permission

if TYPE_CHECKING:
    from .organizations import Organization

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A", bound=Actor)
SERIALIZATION_FAILURE = "40001"
ATTEMPTS = 4
DONE = "done"
watchers: list[Callable[[str, str], None]] = []  # told of each command how it ended: DONE, or the code of its refusal
_PLAIN = (str, bytes, type(None))  # holds no rows


@contextmanager
def command(organization: "Organization", actor: Actor) -> Iterator[None]:
    """One transaction, one lock, and the promises that hold after every change.

    The lock puts the commands of one organization in a queue, so no rule has to think about two of them at once.
    `durable` refuses nesting: an action never calls another action.
    """
    with transaction.atomic(durable=True):
        organization.lock()
        actor.organization = organization  # where a person acts who is no member yet, the offer says, not the door
        actor.refresh()
        had_administrator = organization.has_administrator()
        yield
        organization.settle(actor, had_administrator=had_administrator)
        retries.finish(actor)


def repeatable(run: Callable[P, R]) -> Callable[P, R]:
    """Run it again when the database could not put two transactions in order (40001, on distributed engines).

    Every command passes here, so here is told how it ended.
    """

    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, ATTEMPTS):
            try:
                return run(*args, **kwargs)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", None) != SERIALIZATION_FAILURE:
                    raise
                time.sleep(0.02 * 2**attempt)
        return run(*args, **kwargs)

    name = f"{run.__module__.rpartition('.')[2]}.{run.__name__.lstrip('_')}"

    @wraps(run)
    def watched(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result = again(*args, **kwargs)
        except Refusal as refusal:
            _tell(name, refusal.code)
            raise
        _tell(name, DONE)
        return result

    return watched


def _tell(name: str, outcome: str) -> None:
    for watch in watchers:
        watch(name, outcome)


def action(
    permission: Permission, *, within: str | None = None, person: bool = False
) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]:
    """Declare a command and the permission it needs, in one line above its name.

    Rows handed to an action are read again through the actor's organization, so a stale row or another tenant's row
    never reaches the rules. `within` names the argument that holds the workspace in which the permission is needed.
    `person` refuses the act to every token, because it outlives one.
    """

    def declare(function: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
        parameters = signature(function)

        @repeatable
        @wraps(function)
        def run(actor: A, /, *args: P.args, **kwargs: P.kwargs) -> R:
            call = parameters.bind(actor, *args, **kwargs)
            with command(actor.organization, actor):
                if person:
                    actor.require_person()
                given = {name: value for name, value in call.arguments.items() if value is not actor}
                call.arguments.update(fresh(actor.organization, given))
                actor.require(permission, call.arguments[within] if within else None)
                return function(*call.args, **call.kwargs)

        run.permission = permission  # type: ignore[attr-defined]  # read by the documentation and the architecture test
        return run

    return declare


def fresh(organization: "Organization", given: Any) -> Any:
    """The same arguments with every row read again through the organization, one query for each kind of row.

    Looks into mappings, sequences and dataclasses. A row that stands twice in a sequence stands there once. A row of
    another organization, or one that is gone, raises Missing.
    """
    wanted: dict[type[models.Model], set[Any]] = {}
    for row in _rows(given):
        wanted.setdefault(type(row), set()).add(row.pk)
    found: dict[tuple[type[models.Model], Any], models.Model] = {}
    for model, keys in wanted.items():
        every = model._default_manager.all()
        rows = getattr(every, "whole", every.all)().filter(organization=organization).in_bulk(list(keys))
        if len(rows) != len(keys):
            raise Missing
        found.update({(model, key): row for key, row in rows.items()})
    return _with(given, found) if found else given


def _rows(value: Any) -> Iterator[models.Model]:
    if isinstance(value, models.Model):
        yield value
    elif is_dataclass(value):
        for item in vars(value).values():
            yield from () if isinstance(item, _PLAIN) else _rows(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from () if isinstance(item, _PLAIN) else _rows(item)
    elif isinstance(value, Sequence) and not isinstance(value, _PLAIN):
        for item in value:
            yield from _rows(item)


def _with(value: Any, found: Mapping[tuple[type[models.Model], Any], models.Model]) -> Any:
    if isinstance(value, models.Model):
        return found[type(value), value.pk]
    if is_dataclass(value) and not isinstance(value, type):
        given = vars(value).items()
        changed = {
            name: new for name, old in given if not isinstance(old, _PLAIN) and (new := _with(old, found)) is not old
        }
        return replace(value, **changed) if changed else value
    if isinstance(value, Mapping):
        return {name: _with(item, found) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, _PLAIN):
        again = [_with(item, found) for item in value]
        if all(new is old for new, old in zip(again, value, strict=True)):
            return value
        # The same row twice is one, so that nothing is done to it twice.
        return list(dict.fromkeys(again)) if all(isinstance(item, models.Model) for item in again) else again
    return value
