"""What can go wrong at the shell, as an exit code, a stable code for programs, and a sentence for people."""

import errno
import os
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


def _(sentence: str) -> str:
    """Translated, as soon as there are settings that say into what."""
    from django.apps import apps
    from django.utils.translation import gettext

    return gettext(sentence) if apps.ready else sentence


UNDEFINED_TABLE = "42P01"


class Exit(IntEnum):
    """The exit codes. Once released they never change."""

    DONE = 0
    REFUSED = 1  # the same refusal, code and sentence as in every other door
    USAGE = 2  # the command line was not understood
    UNAVAILABLE = 3  # something that is needed is away, full or taken: the same command may succeed later
    SETTINGS = 4  # a setting is missing or wrong
    FAULT = 70  # a mistake in Portico itself
    INTERRUPTED = 130  # Ctrl-C


@dataclass(frozen=True)
class Problem:
    exit: Exit
    code: str
    detail: str


class UnavailableError(Exception):
    """Something that is needed is away, full or taken."""

    def __init__(self, code: str, sentence: str):
        super().__init__(sentence)
        self.code = code


class MisconfiguredError(Exception):
    """A setting is missing or wrong; the sentence names it."""


def explain(error: Exception) -> Problem:
    """Every error has its exit code; what nobody foresaw is a fault."""
    for read in (_settings, _own, _refusal, _database, _file):
        if problem := read(error):
            return problem
    sentence = _("This is a fault in Portico: %(error)s") % {"error": f"{type(error).__name__}: {error}"}
    return Problem(Exit.FAULT, "fault", sentence)


def _settings(error: Exception) -> Problem | None:
    from django.core.exceptions import ImproperlyConfigured
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        lines = [
            f"PORTICO_{'_'.join(map(str, wrong['loc'])).upper()}: {wrong['msg'].removeprefix('Value error, ')}"
            for wrong in error.errors(include_url=False, include_input=False)
            if wrong["type"] != "default_factory_not_called"  # only because of another one
        ]
        return Problem(Exit.SETTINGS, "settings", "\n".join(lines))
    if isinstance(error, (ImproperlyConfigured, MisconfiguredError)):
        return Problem(Exit.SETTINGS, "settings", str(error))
    return None


def _own(error: Exception) -> Problem | None:
    return Problem(Exit.UNAVAILABLE, error.code, str(error)) if isinstance(error, UnavailableError) else None


def _refusal(error: Exception) -> Problem | None:
    from portico.domain.errors import Invalid, Refusal

    if not isinstance(error, Refusal):
        return None
    sentences = [each.sentence for each in error.errors] if isinstance(error, Invalid) else [error.sentence]
    return Problem(Exit.REFUSED, error.code, " ".join(sentences))


def _database(error: Exception) -> Problem | None:
    from django.db import InterfaceError, OperationalError, ProgrammingError

    if not isinstance(error, (InterfaceError, OperationalError, ProgrammingError)):
        return None
    told = next(iter(str(error).strip().splitlines()), type(error).__name__)
    if "no such table" in told or getattr(error.__cause__, "sqlstate", None) == UNDEFINED_TABLE:
        return Problem(
            Exit.UNAVAILABLE, "not_migrated", _("The database has not got its tables yet. Run: portico migrate")
        )
    if isinstance(error, ProgrammingError):
        return None
    if "is full" in told:
        return Problem(Exit.UNAVAILABLE, "disk_full", _disk_full())
    if "unable to open" in told or "readonly" in told:
        return Problem(
            Exit.UNAVAILABLE, "data_folder", _("PORTICO_DATA: the database in it cannot be opened or written.")
        )
    if "locked" in told:
        return Problem(
            Exit.UNAVAILABLE,
            "database_busy",
            _("Something else keeps the database busy. Nothing was changed; try again."),
        )
    sentence = _("The database does not answer: %(told)s. Nothing was changed.") % {"told": told.rstrip(".")}
    return Problem(Exit.UNAVAILABLE, "database_away", sentence)


def _file(error: Exception) -> Problem | None:
    if not isinstance(error, OSError):
        return None
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Problem(Exit.UNAVAILABLE, "disk_full", _disk_full())
    if error.filename is None or error.strerror is None:
        return None
    facts = {"path": error.filename, "why": error.strerror}
    if not _is_ours(str(error.filename)):
        return Problem(Exit.UNAVAILABLE, "file", _("%(path)s cannot be used: %(why)s.") % facts)
    sentence = _("%(path)s cannot be used: %(why)s. PORTICO_DATA names the folder for Portico's files.") % facts
    return Problem(Exit.UNAVAILABLE, "data_folder", sentence)


def _is_ours(path: str) -> bool:
    """Whether it is the data folder or in it; asked of the environment, for the settings may not be there yet."""
    data = Path(os.environ.get("PORTICO_DATA") or "data").absolute()
    return Path(path).absolute().is_relative_to(data) or data.is_relative_to(Path(path).absolute())


def _disk_full() -> str:
    return _("The disk is full. Nothing was changed; make room and try again.")
