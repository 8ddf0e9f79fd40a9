"""`portico invite`"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portico.cli.command import Done
from portico.cli.operator import operator
from portico.cli.operator import organization as organization_of

if TYPE_CHECKING:
    from portico.domain.access import Operator
    from portico.domain.addresses import Typed
    from portico.domain.invitations import Outcome, Terms, Wanted

AT_ONCE = 500  # addresses in one command, between which others have their turn and the bar moves


def invite(
    organization: Annotated[str, typer.Option(metavar="SLUG", help="The organization.")],
    emails: Annotated[
        list[str] | None, typer.Argument(metavar="[EMAIL]…", help="Addresses.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV file with the columns email, role, workspaces.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="The role of all who have none of their own.")] = None,
    permission: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A single permission; may be repeated, instead of a role.")
    ] = None,
    message: Annotated[str, typer.Option(help="Some words in the letter.")] = "",
    days: Annotated[int, typer.Option(help="So many days the link works.")] = 7,
    result: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write what became of each, as CSV.")
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Make a link for each, to hand over yourself; it proves no address.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of each.")] = False,
) -> Done:
    """Invite people to an organization. The operator's invitations have no sponsor, and say so."""
    from portico.domain import invitations, roles
    from portico.domain.invitations import Terms

    where = organization_of(organization)
    actor = operator(where)
    given = role is not None or permission
    terms = Terms(grant=roles.grant_of(where, role, permission or None) if given else None, message=message, days=days)
    wanted = invitations.wanted_from(actor, entries(emails or [], file))
    outcomes = invitations.preview(
        actor, wanted=wanted, terms=terms
    )  # what is wrong for all is noticed before the first
    links: dict[str, str] = {}
    if not dry_run:
        outcomes = []
        with written(result, outcomes, links):
            send(actor, wanted, terms, outcomes)
            links.update(handed(actor, outcomes) if link else {})
    invited = sum(outcome.is_good for outcome in outcomes)
    facts = {"invited": invited, "results": [told(outcome, links) for outcome in outcomes]}
    return Done("\n".join([*sentences(outcomes, invited, dry_run=dry_run), *links.values()]), facts)


def entries(emails: Sequence[str], file: Path | None) -> "list[Typed]":
    from portico.domain import addresses

    typed = addresses.read("\n".join(emails))
    typed += addresses.read_csv(file.read_bytes()) if file else []
    addresses.refuse_too_many(len(typed))
    return typed


def send(actor: "Operator", wanted: "list[Wanted]", terms: "Terms", outcomes: "list[Outcome]") -> None:
    """One command for some hundred addresses at a time; each tells its outcomes."""
    from rich.console import Console
    from rich.progress import Progress

    from portico.domain import invitations

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        done = bar.add_task(_("Inviting"), total=len(wanted))
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            outcomes += invitations.send(actor, wanted=some, terms=terms)
            bar.advance(done, len(some))


def handed(actor: "Operator", outcomes: "list[Outcome]") -> dict[str, str]:
    """A link for each who is invited, by address."""
    from django.conf import settings
    from django.urls import reverse

    from portico.domain import invitations

    good = {each.address: each.invitation for each in outcomes if each.is_good and each.invitation}
    tokens = {address: invitations.make_link(actor, invitation=offer) for address, offer in good.items()}
    return {address: settings.BASE_URL + reverse("join", args=[token]) for address, token in tokens.items()}


def told(outcome: "Outcome", links: Mapping[str, str]) -> dict[str, Any]:
    link = {"link": links[outcome.address]} if outcome.address in links else {}
    return link | {
        "email": outcome.address or outcome.entry.text,
        "outcome": outcome.outcome,
        "detail": outcome.detail,
        "invitation": outcome.invitation.pk if outcome.invitation and outcome.is_good else None,
    }


@contextmanager
def written(path: Path | None, outcomes: "list[Outcome]", links: Mapping[str, str]) -> Iterator[None]:
    """Afterwards the result file tells of all that was done, also when it was interrupted; it is opened before."""
    if path is None:
        yield
        return
    from portico import spreadsheet

    with path.open("wb") as file:
        try:
            yield
        finally:
            columns = ["email", "outcome", "detail", *(["link"] if links else [])]
            lines = [told(outcome, links) for outcome in outcomes]
            file.writelines(spreadsheet.lines([columns, *([line.get(name, "") for name in columns] for line in lines)]))


def sentences(outcomes: "list[Outcome]", invited: int, *, dry_run: bool) -> list[str]:
    """How many are invited, and a line for each who is not."""
    if dry_run:
        words = ngettext("%(n)d person would be invited.", "%(n)d people would be invited.", invited)
    else:
        words = ngettext("%(n)d letter is on its way.", "%(n)d letters are on their way.", invited)
    others = [f"  {each.outcome}: {each.detail}" for each in outcomes if not each.is_good]
    return [words % {"n": invited}, *others]
