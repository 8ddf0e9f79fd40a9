"""A backup becomes an installation again (`backup` tells what is in the file).

First the whole file is read, so that a broken one changes nothing. Then, in one transaction, the tables are made as
they were when the backup was, filled, and brought up to this version by the same migrations as everywhere. Constraints
and triggers are those of every installation; nothing is switched off.
"""

import errno
import hashlib
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.utils.translation import gettext as _
from msgspec import DecodeError

from portico import backup, schema
from portico.backup import MANIFEST, UPLOADS, Manifest, Table
from portico.domain import bulk
from portico.domain.errors import Invalid, Refused
from portico.domain.keys import server_keys

AT_ONCE = 1000  # rows that are written by one statement

_read = msgspec.json.Decoder(list).decode


def restore(path: Path, *, overwrite: bool = False, without_key: bool = False) -> Manifest:
    """Put what the file holds into an empty database; or, where that is asked for, in the place of what is there."""
    with _opened(path) as archive:
        manifest = _manifest(archive, path)
        _ensure_not_newer(manifest)
        if not without_key:
            _ensure_key(manifest)
        _ensure_whole(archive, manifest, path)
        if not overwrite:
            _ensure_empty()
        if _is_there():
            schema.bring_up_to_date()  # so that it is known which tables there are
        _put(archive, manifest)
    return manifest


# --- Before anything is changed --------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        file = path.open("rb")
    except OSError as error:
        told = {"path": path, "why": error.strerror}
        raise Invalid(_("%(path)s cannot be read: %(why)s.") % told, field="file") from None
    with file:
        with _to_be_whole(path):
            archive = zipfile.ZipFile(file)
        with archive:
            yield archive


@contextmanager
def _to_be_whole(path: Path) -> Iterator[None]:
    """What a damaged file can make of those who read it, as one refusal."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the beginning
            raise
        raise _broken(path) from None
    except (KeyError, ValueError, EOFError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile, DecodeError):
        raise _broken(path) from None


def _broken(path: Path) -> Refused:
    return Refused(
        "backup_broken",
        _("%(path)s is no whole backup of Portico: it was cut off or changed. Nothing was restored.") % {"path": path},
    )


class _Kind(msgspec.Struct):
    """What every manifest will have, whatever else a later version writes."""

    format: int
    portico: str


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    with _to_be_whole(path):
        content = archive.read(MANIFEST)
        kind = msgspec.json.decode(content, type=_Kind)
        if kind.format > backup.FORMAT:
            raise _newer(kind.portico)
        return msgspec.json.decode(content, type=Manifest)


def _newer(portico: str) -> Refused:
    return Refused(
        "backup_newer",
        _("This backup was made by a newer Portico (%(version)s). Install that or a later one, and restore it there.")
        % {"version": portico},
    )


def _ensure_not_newer(manifest: Manifest) -> None:
    if set(manifest.migrations) - schema.known():
        raise _newer(manifest.portico)


def _ensure_key(manifest: Manifest) -> None:
    if manifest.key not in map(backup.fingerprint, server_keys()):
        sentence = _(
            "This backup needs the key with the fingerprint %(its)s, and the key here has %(ours)s. Where is it? Give "
            "it by PORTICO_SECRET_KEY, or put the file secret.key of that installation into %(folder)s. If it is "
            "lost, restore with --without-key: links in letters and codes of authenticator apps are good no more."
        )
        ours = backup.fingerprint(settings.SECRET_KEY)
        told = {"its": manifest.key, "ours": ours, "folder": settings.ENVIRONMENT.data}
        raise Refused("backup_other_key", sentence % told)


def _ensure_whole(archive: zipfile.ZipFile, manifest: Manifest, path: Path) -> None:
    parts = {backup.part_of(table.label): table.sha256 for table in manifest.tables}
    for name, sha256 in {**parts, UPLOADS: manifest.uploads_sha256}.items():
        with _to_be_whole(path), archive.open(name) as part:
            content: Any = part
            if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
                raise _broken(path)


def _is_there() -> bool:
    return MigrationRecorder(connection).has_table()


def _ensure_empty() -> None:
    there = set(connection.introspection.table_names())
    if any(model._meta.db_table in there and model._base_manager.exists() for model in backup.kept()):
        raise Refused(
            "has_data",
            _("This database has data already. Restore into an empty one; or, with --overwrite, lose all of it first."),
        )


# --- The one transaction ---------------------------------------------------------------------------------------------


def _put(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    # Migrations on SQLite want foreign keys to be asked at their end and not meanwhile, which is to be said before.
    connection.disable_constraint_checking()
    try:
        with transaction.atomic(durable=True):
            _drop()
            models_then = _made_as_they_were(manifest)
            _upload(archive)
            for table in manifest.tables:
                _load(archive, models_then[table.label], table)
            _settle(list(models_then.values()))
            call_command("migrate", interactive=False, verbosity=0)
            schema.bring_up_to_date()
            cache.clear()
    finally:
        connection.enable_constraint_checking()


def _drop() -> None:
    """All tables of ours, with what hangs on them."""
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    ours.add(MigrationRecorder.Migration._meta.db_table)
    there = {name for name in connection.introspection.table_names() if name in ours or name.startswith("portico_")}
    cascade = "CASCADE" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for table in sorted(there):
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)} {cascade}")
        if cascade:
            cursor.execute(
                "SELECT CAST(CAST(oid AS regprocedure) AS text) FROM pg_proc "
                "WHERE pronamespace = CAST(current_schema() AS regnamespace) AND proname LIKE 'portico\\_%%'",
                [],
            )
            for [function] in cursor.fetchall():
                cursor.execute(f"DROP FUNCTION {function}")


def _made_as_they_were(manifest: Manifest) -> dict[str, type[models.Model]]:
    """Make the tables as the migrations of the backup make them; the models of that time, by label."""
    executor = MigrationExecutor(connection)
    had = set(manifest.migrations)
    inner = {parent.key for key in had for parent in executor.loader.graph.node_map[key].parents}
    targets = sorted(had - inner)
    executor.migrate(targets)
    then = executor.loader.project_state(targets).apps
    return {model._meta.label: model for model in then.get_models(include_auto_created=True)}


def _load(archive: zipfile.ZipFile, model: type[models.Model], table: Table) -> None:
    fields: list[Any] = [model._meta.get_field(name) for name in table.columns]
    with archive.open(backup.part_of(table.label)) as part:
        while lines := list(islice(part, AT_ONCE)):
            columns = zip(*map(_read, lines), strict=True)
            made = {
                field.attname: [field.to_python(value) for value in column]
                for field, column in zip(fields, columns, strict=True)
            }
            bulk.insert_columns(model, made)


def _settle(filled: list[type[models.Model]]) -> None:
    """Constraints that wait for the end are asked now, because a migration may follow; numbers go on after the last."""
    connection.check_constraints()
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), filled):
            cursor.execute(statement)


def _upload(archive: zipfile.ZipFile) -> None:
    """Pictures are named by what is in them, so those that are there already are the same."""
    with archive.open(UPLOADS) as part, tarfile.open(fileobj=part, mode="r|") as tar:
        for entry in tar:
            if content := tar.extractfile(entry):
                default_storage.save(entry.name, File(content))
