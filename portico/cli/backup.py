"""`portico backup` and `portico restore`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done

if TYPE_CHECKING:
    from portico.backup import Manifest

FILE = typer.Argument(metavar="FILE", help="The one file.", show_default=False)


def backup(file: Annotated[Path, FILE]) -> Done:
    """Write everything but the key into one file, while Portico serves."""
    from portico import backup

    manifest = backup.write(file)
    sentence = _(
        "Wrote %(file)s: %(rows)d rows and the pictures. The key is not in it: it has the fingerprint %(key)s, and "
        "belongs in another place."
    )
    return _told(sentence, file, manifest)


def restore(
    file: Annotated[Path, FILE],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Lose what the database holds, and put the backup in its place.")
    ] = False,
    without_key: Annotated[
        bool, typer.Option("--without-key", help="The key of the backup is lost: restore what can be without it.")
    ] = False,
) -> Done:
    """Make an installation again from the file of a backup. End Portico before."""
    from portico import restore

    manifest = restore.restore(file, overwrite=overwrite, without_key=without_key)
    return _told(_("Restored %(rows)d rows and the pictures, as they were at %(made_at)s."), file, manifest)


def _told(sentence: str, file: Path, manifest: "Manifest") -> Done:
    facts: dict[str, Any] = {
        "file": str(file),
        "made_at": manifest.made_at,
        "key": manifest.key,
        "rows": sum(table.rows for table in manifest.tables),
        "tables": {table.label: table.rows for table in manifest.tables},
    }
    return Done(sentence % facts, facts)
