"""How every shell command runs: the settings first, then the command, then its answer in words or as JSON.

A command is a function that returns what it has done (`Done`), or raises. With --json the answer is one JSON object
on standard output, also when the command was refused: {"code": …, "detail": …}. Without, what was done goes to
standard output and a refusal to standard error. The exit code says which of them it was.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portico.cli.problems import Exit, Problem, explain

if TYPE_CHECKING:
    from rich.console import RenderableType

JSON = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]


@dataclass(frozen=True)
class Done:
    """What a command did: for people a sentence or a table, for programs the facts."""

    words: "RenderableType"
    facts: Mapping[str, Any] = field(default_factory=dict)
    exit: Exit = Exit.DONE


Tell = Callable[[Done], None]


def command(group: typer.Typer, name: str) -> Callable[[Callable[..., Done | None]], None]:
    """Add a function to a group of commands, with --json.

    A command that goes on after it has something to say takes a parameter `tell` and is given the way to say it.
    """

    def declare(function: Callable[..., Done | None]) -> None:
        parameters = signature(function).parameters
        own = [parameter for parameter in parameters.values() if parameter.name != "tell"]

        @wraps(function)
        def run(*, as_json: bool, **given: Any) -> None:
            say = partial(tell, as_json=as_json)
            raise typer.Exit(answer(partial(function, **given, **({"tell": say} if "tell" in parameters else {})), say))

        asked = Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=JSON)
        run.__signature__ = signature(function).replace(parameters=[*own, asked])  # type: ignore[attr-defined]
        group.command(name)(run)

    return declare


def answer(function: Callable[[], Done | None], say: Callable[[Done | Problem], None]) -> Exit:
    """Run the command and say what came of it; returns the exit code."""
    try:
        prepare()
        if done := function():
            say(done)
            return done.exit
    except (KeyboardInterrupt, typer.Abort):  # the second where nobody answers a question
        return Exit.INTERRUPTED
    except Exception as error:  # whatever it is, a script must get its exit code
        problem = explain(error)
        if problem.exit is Exit.FAULT:
            traceback.print_exc()
        say(problem)
        return problem.exit
    return Exit.DONE


def prepare() -> None:
    """Read the settings and the catalogue of permissions. Slow, and so not done for --help."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")
    import django
    from django.apps import apps
    from django.conf import settings

    os.umask(0o077)  # database, pictures and what commands write tell of people: only whoever runs Portico reads them
    if not apps.ready:
        with interrupted_afterwards():
            django.setup()
        settings.ENVIRONMENT.data.mkdir(parents=True, exist_ok=True)


@contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """Ctrl-C waits for the end of this, which imports modules.

    What is raised while Python cleans up after an import is dropped, and the program would go on as if nobody had asked
    it to end.
    """
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: noted.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if noted:
        raise KeyboardInterrupt


def tell(what: Done | Problem, *, as_json: bool) -> None:
    """Say what was done, or why not."""
    if as_json:
        facts = what.facts if isinstance(what, Done) else {"code": what.code, "detail": what.detail}
        print(json.dumps(facts, default=str, ensure_ascii=False), flush=True)
    elif isinstance(what, Problem):
        print(f"{what.detail} ({what.code})", file=sys.stderr, flush=True)
    elif isinstance(what.words, str):
        print(what.words, flush=True)
    else:
        from rich.console import Console

        # A program that reads it gets each row on one line, however long.
        width = None if sys.stdout.isatty() else 10_000
        Console(highlight=False, width=width).print(what.words)
