"""`portico audit …`"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done
from portico.cli.operator import operator
from portico.cli.operator import organization as organization_of


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.", show_default=False)],
    organization: Annotated[str, typer.Option(metavar="SLUG", help="The organization.")],
    kind: Annotated[Literal["csv", "jsonl"], typer.Option("--format", help="How it is written.")] = "csv",
    since: Annotated[datetime | None, typer.Option(help="From this day on, in UTC.", formats=["%Y-%m-%d"])] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this day, in UTC.", formats=["%Y-%m-%d"])] = None,
) -> Done:
    """Write the audit log of an organization into a file, the newest first."""
    from portico import journal
    from portico.domain import audit
    from portico.domain.audit import Question

    since, until = (day and day.replace(tzinfo=UTC) for day in (since, until))
    question = Question(since=since, until=until)
    write, _type = journal.WRITERS[kind]
    count = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal count
        for line in audit.export(operator(organization_of(organization)), question):
            count += 1
            yield journal.told(line)

    with file.open("xb") as out:
        try:
            out.writelines(write(counted()))
        except BaseException:  # half a log would look like a whole one
            file.unlink()
            raise
    sentence = _("Wrote %(n)d events to %(file)s.") % {"n": count, "file": file}
    return Done(sentence, {"file": str(file), "events": count})
