"""Which workers of this machine live, so that what a killed one had claimed is free at once, before its lease ends.

Each worker holds the lock of a file of its own for as long as it lives; however its process ends, the system lets go
of the lock. Of the workers of another machine nothing can be told from here, though the folder may be shared: what
those had claimed is free when the lease ends.
"""

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings

log = logging.getLogger("portico.delivery")

FORGOTTEN_AFTER = timedelta(days=2)  # the living touch their file each day


@cache
def mine() -> UUID:
    """The name of this process among the workers."""
    name = uuid4()
    try:
        _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        # Locked before it has its name, or another worker might find it and hold us for dead.
        fresh = _folder() / f"{name}.new"
        # A bare descriptor, which nothing closes but the end of the process: what is closed is not locked any more.
        fcntl.flock(os.open(fresh, os.O_WRONLY | os.O_CREAT, 0o600), fcntl.LOCK_EX)
        fresh.rename(_file(name))
    except OSError as error:
        log.warning("If this worker is killed, its letters wait for the end of their lease: %s", error)
    return name


def dead() -> Iterator[UUID]:
    """The workers of this machine that are gone; each is forgotten when the next is asked for."""
    for path in _folder().glob(f"{_machine()}.*"):
        with suppress(OSError, ValueError), path.open("a") as file:  # another worker may have been here first
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield UUID(path.suffix[1:])
            path.unlink(missing_ok=True)


def forget(now: datetime) -> None:
    """The workers of machines that are no more: containers have a new name each time."""
    with suppress(OSError):
        os.utime(_file(mine()), (now.timestamp(), now.timestamp()))
    before = (now - FORGOTTEN_AFTER).timestamp()
    for path in _folder().glob("*"):
        with suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()


def _folder() -> Path:
    return Path(settings.WORKERS_FOLDER)


def _machine() -> str:
    return socket.gethostname().replace(".", "-")


def _file(name: UUID) -> Path:
    return _folder() / f"{_machine()}.{name}"
