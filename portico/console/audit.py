"""The audit log: who did what to whom, when and from where; one event whole; and all of it as a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from portico import journal
from portico.domain import audit, memberships
from portico.domain.access import Member
from portico.domain.audit import Place, Question
from portico.domain.errors import Invalid
from portico.domain.events import Line
from portico.domain.permissions import ADMINISTER

from . import details, pages
from .forms import question_in, status
from .sentences import ACTIONS, name_in, sentence

ASKED = ("q", "person", "actor", "subject", "action", "batch", "since", "until")  # a question, in an address
HIDDEN = ("person", "actor", "subject", "batch")  # set by links, not by fields
OTHERS = 20  # as many of the same act as the page of an event shows

DOORS = {
    "console": gettext_lazy("Console"),
    "api": gettext_lazy("API"),
    "cli": gettext_lazy("Command line"),
    "worker": gettext_lazy("By the clock"),
}
KINDS = {
    "member": gettext_lazy("Member"),
    "person": gettext_lazy("Person"),
    "operator": gettext_lazy("The operator"),
    "bearer": gettext_lazy("Whoever holds the link"),
    "service": gettext_lazy("Service token"),
    "organization": gettext_lazy("Organization"),
    "invitation": gettext_lazy("Invitation"),
    "workspace": gettext_lazy("Workspace"),
    "role": gettext_lazy("Role"),
    "token": gettext_lazy("Token"),
    "billing": gettext_lazy("Billing information"),
    "nobody": gettext_lazy("Portico itself"),
}


@dataclass(frozen=True)
class Row:
    """One event, as the page shows it."""

    line: Line

    @property
    def sentence(self) -> SafeString:
        return sentence(self.line)

    @property
    def name(self) -> str:
        return name_in(self.line.actor)

    @property
    def key(self) -> UUID | str:
        return self.line.event.actor_id or self.line.event.actor_kind

    @property
    def door(self) -> str:
        return str(DOORS.get(self.line.event.door, self.line.event.door))


@dataclass(frozen=True)
class Chip:
    """A filter that no field of the page sets: what it keeps, and the question without it."""

    text: str
    without: str


@pages.page
@require_safe
def index(request: pages.PageRequest) -> HttpResponse:
    """The log, newest first. A question that cannot be asked is shown with the whole log, and what is wrong with it."""
    actor, asked, refusal = request.actor, request.GET, None
    actor.require(ADMINISTER)
    try:
        question = question_of(asked)
        at = Place.decode(place) if (place := asked.get("at", "")) else None
        part = audit.read(actor, question, at)
    except Invalid as error:
        refusal, question, at = error, Question(), None
        part = audit.read(actor, question)
    rows = [Row(line) for line in part.lines]
    context = {
        "place": "events",
        "asked": asked,
        "names": [(name, asked.get(name, "")) for name in HIDDEN],
        "again": question_in(asked, ASKED),
        "question": question,
        "rows": rows,
        "pictures": memberships.pictures(actor, [row.key for row in rows]),
        "reached": part.reached,
        "started": at,
        "before": part.before and part.before.encode(),
        "after": part.after and part.after.encode(),
        "actions": [(group, list(actions.items())) for group, actions in ACTIONS.items()],
        "chips": chips(actor, question, asked),
        "refusal": refusal,
    }
    return pages.render(request, "console/events.html", context, status=status(refusal))


def question_of(asked: Mapping[str, str]) -> Question:
    until = midnight(asked, "until")
    return Question(
        text=asked.get("q", "")[:200],
        person=key(asked, "person"),
        actor=key(asked, "actor"),
        subject=key(asked, "subject"),
        action=asked.get("action", ""),
        batch=key(asked, "batch"),
        since=midnight(asked, "since"),
        until=until and until + timedelta(days=1),  # the day itself is meant too
    )


def key(asked: Mapping[str, str], name: str) -> UUID | None:
    try:
        return UUID(asked[name]) if asked.get(name) else None
    except ValueError as error:
        raise Invalid(_("There is nobody and nothing like this to filter by."), field=name) from error


def midnight(asked: Mapping[str, str], name: str) -> datetime | None:
    """The beginning of the day that was chosen."""
    text = asked.get(name, "")
    try:
        day = date.fromisoformat(text) if text else None
        if day and not 1970 <= day.year < 9999:
            raise ValueError(text)
    except ValueError as error:
        raise Invalid(_("Write a day as 2026-01-31."), field=name) from error
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None


def chips(actor: Member, question: Question, asked: QueryDict) -> list[Chip]:
    kept = [
        ("person", question.person, _("By or about %(name)s")),
        ("actor", question.actor, _("By %(name)s")),
        ("subject", question.subject, _("About %(name)s")),
        ("batch", question.batch, _("One act")),
    ]
    names = audit.called(actor, {pk for _name, pk, _words in kept if pk})
    return [
        Chip(words % {"name": name_in(names.get(pk, "")) or _("somebody")}, without(asked, name))
        for name, pk, words in kept
        if pk
    ]


def without(asked: QueryDict, name: str) -> str:
    rest = question_in(asked, ASKED)
    rest.pop(name, None)
    return rest.urlencode()


# --- One event -----------------------------------------------------------------------------------------------------


@pages.page
@require_safe
def show(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """All that is known of one event, and what else the same act did."""
    actor = request.actor
    line = audit.one(actor, pk)
    if line is None:
        raise Http404
    others = audit.read(actor, Question(batch=line.event.batch), size=OTHERS + 2).lines
    others = [other for other in others if other.event.pk != pk]
    rows = [Row(each) for each in [line, *others[:OTHERS]]]
    context = {
        "place": "events",
        "row": rows[0],
        "pictures": memberships.pictures(actor, [row.key for row in rows]),
        "event": line.event,
        "line": line,
        "actor_kind": KINDS.get(line.event.actor_kind, line.event.actor_kind),
        "subject_kind": KINDS.get(line.event.subject_kind, line.event.subject_kind),
        "changes": details.changes(line),
        "facts": details.facts(line),
        "others": rows[1:],
        "more": len(others) > OTHERS,
    }
    return pages.render(request, "console/event.html", context)


# --- Export --------------------------------------------------------------------------------------------------------


@pages.page
@require_safe
def export(request: pages.PageRequest) -> StreamingHttpResponse:
    """All that the question finds, as CSV or JSON lines, written while it is read."""
    actor = request.actor
    actor.require(ADMINISTER)
    kind = request.GET.get("format", "")
    if kind not in journal.WRITERS:
        raise Invalid(_("An export is csv or jsonl."), field="format")
    write, content_type = journal.WRITERS[kind]
    found = map(journal.told, audit.export(actor, question_of(request.GET)))
    name = f"{actor.organization.slug}-events-{actor.now:%Y-%m-%d}.{kind}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(write(found), content_type=content_type, headers=disposition)
