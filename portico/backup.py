"""Everything that an installation must not lose, in one file: its tables and its uploads.

    manifest.json               which version and migrations, whose key, and of each part its SHA-256
    tables/portico_event.jsonl  a row on each line, as the list of its values
    uploads.tar                 the pictures

The file is a ZIP, made while Portico serves: all tables are read in one transaction that sees one moment and keeps
nobody waiting, and a picture that a row names is never deleted on the same day. It tells nothing of the database that
it came from, so what SQLite held can be restored into PostgreSQL, and the other way round (`restore`).

Not in it: sessions, secrets of account letters, counts against limits, answers kept for whoever asks again, and the
key. Whoever has the file and the key has everything, so they belong in two places.
"""

import hashlib
import os
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import msgspec
from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.utils import timezone
from django.utils.translation import gettext as _

from portico import schema
from portico.domain import images
from portico.domain.errors import Invalid, Refused
from portico.domain.keys import derive

FORMAT = 1
MANIFEST, TABLES, UPLOADS = "manifest.json", "tables/", "uploads.tar"
# A new table is in the backup unless it stands here.
LEFT_OUT = frozenset({
    "sessions.Session", "usersessions.UserSession",  # they keep their keys in clear, and everybody can sign in again
    "portico.Attempt",  # what is asked again after a restore is done again
    "account.EmailConfirmation",  # links that are not used here
    "auth.Group", "auth.Group_permissions", "auth.Permission", "contenttypes.ContentType",  # Django's, not ours
})  # fmt: skip
BLANKED = {"portico.Letter": "secret"}  # codes and links to new passwords, good for an hour

_line = msgspec.json.Encoder(order="sorted").encode  # the order of keys would tell which database it was


class Table(msgspec.Struct, frozen=True):
    """One table, as the manifest tells of it."""

    label: str
    columns: list[str]
    rows: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    format: int
    portico: str
    made_at: str
    key: str
    migrations: list[tuple[str, str]]
    tables: list[Table]
    uploads_sha256: str


def fingerprint(key: str) -> str:
    """By which a key is known again; it tells nothing of the key."""
    return derive(key, b"portico backup fingerprint", 8).hex()


def kept() -> list[type[models.Model]]:
    """The tables that are in a backup."""
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.label not in LEFT_OUT]


def part_of(label: str) -> str:
    return f"{TABLES}{label.lower().replace('.', '_')}.jsonl"


def write(path: Path) -> Manifest:
    """Make the file. It has its name only when it is whole."""
    if path.exists():
        raise Refused("backup_exists", _("%(path)s is there already. Give another name.") % {"path": path})
    if waiting := schema.waiting():
        raise Refused(
            "not_up_to_date",
            _("The database lacks %(n)d migrations of this version. Run: portico migrate") % {"n": len(waiting)},
        )
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _created(fresh) as file:
            manifest = _fill(file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return manifest


def _created(path: Path) -> IO[bytes]:
    try:
        return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "w+b")
    except OSError as error:
        told = {"path": path.parent, "why": error.strerror}
        raise Invalid(_("Nothing can be written in %(path)s: %(why)s.") % told, field="file") from None


def _fill(file: IO[bytes]) -> Manifest:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with one_moment():
            made_at = timezone.now()
            tables = [_table(archive, model) for model in kept()]
        manifest = Manifest(
            format=FORMAT,
            portico=version("portico"),
            made_at=made_at.isoformat(),
            key=fingerprint(settings.SECRET_KEY),
            migrations=sorted(schema.known()),
            tables=tables,
            uploads_sha256=_uploads(archive),
        )
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


@contextmanager
def one_moment() -> Iterator[None]:
    """All that is read meanwhile is as it was when the first was. Django's own transactions would keep SQLite's writers
    waiting."""
    postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY" if postgresql else "BEGIN")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


@dataclass
class Hashed:
    """A part while it is written."""

    part: IO[bytes]

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.part.write(data)


def _table(archive: zipfile.ZipFile, model: type[models.Model]) -> Table:
    label, columns, rows = model._meta.label, [field.attname for field in model._meta.concrete_fields], 0
    with archive.open(part_of(label), "w", force_zip64=True) as part:
        hashed = Hashed(part)
        for row in _values(model, columns):
            hashed.write(_line(row) + b"\n")
            rows += 1
    return Table(label, columns, rows, hashed.digest.hexdigest())


def _values(model: type[models.Model], columns: list[str]) -> Iterable[tuple[Any, ...]]:
    every = model._base_manager.order_by("pk")
    secret = BLANKED.get(model._meta.label)
    nothing = models.Value(None, output_field=models.BinaryField())
    return every.values_list(*(nothing if name == secret else name for name in columns)).iterator()


def _uploads(archive: zipfile.ZipFile) -> str:
    """The SHA-256 of the pictures. They are compressed already."""
    whole = zipfile.ZipInfo(UPLOADS)
    with archive.open(whole, "w", force_zip64=True) as part:
        hashed: Any = Hashed(part)
        with tarfile.open(fileobj=hashed, mode="w|") as tar:
            for file in sorted(images.files()):
                _add(tar, file)
    return hashed.digest.hexdigest()


def _add(tar: tarfile.TarFile, file: str) -> None:
    """Without one that is being written."""
    content = images.content(file)
    if content is not None:
        entry = tarfile.TarInfo(f"{images.FOLDER}/{file}")
        entry.size = len(content)
        tar.addfile(entry, BytesIO(content))
