"""Reading the audit log: who did what to whom, when and from where. For Administrators alone.

The newest comes first. A page begins after the event before it and never counts its way there; every filter has an
index that ends in the order of the log; nothing is totalled. So a page over a million events costs what one over a
thousand does.

A search looks for beginnings of words in what people and things were ever called, finds those, and then what they did
and what was done to them. Where so many are called so that they cannot be named one by one, the log itself is walked,
a bounded way at a time: then a page says how far back it looked.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import models
from django.utils.translation import gettext as _

from . import events
from .access import Actor
from .errors import Invalid
from .events import Event, Label, Line, Origin, Word, words_of
from .permissions import ADMINISTER

SIZE = 50
EXPORTED = 500  # as many events are read at once for an export
NAMES = 100  # as many people and things a search follows one by one
WINDOW, FAR = 100, 5_000  # how many events a walk reads at once, and for one page
FRESH = 1_000  # labels without words yet that are searched one by one
# Ids are made while a command runs, which began `at`; and clocks are set.
SLACK = timedelta(minutes=10)

Events = models.QuerySet[Event]


def _ensure_year(at: datetime | None, field: str) -> None:
    """Ids of events are counted from 1970 on, and calendars end with the year 9999 in UTC, wherever one asks from."""
    try:
        good = at is None or 1970 <= at.astimezone(UTC).year < 9999
    except OverflowError:
        good = False
    if not good:
        raise Invalid(_("Name a moment in the years 1970 to 9998."), field=field)


@dataclass(frozen=True)
class Question:
    """What somebody asks of the log. `person` did it or had it done to them; `since` counts, `until` does not."""

    text: str = ""
    person: UUID | None = None
    actor: UUID | None = None
    subject: UUID | None = None
    action: str = ""
    batch: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.action and not re.fullmatch(r"(?=.{3,48}$)[a-z_]+\.[a-z_]+", self.action):
            raise Invalid(_("There is no such action."), field="action")
        for field in ("since", "until"):
            _ensure_year(getattr(self, field), field)
        if self.since and self.until and self.since >= self.until:
            raise Invalid(_("The end comes before the beginning."), field="until")

    @property
    def narrows(self) -> bool:
        return self != Question()


@dataclass(frozen=True)
class Place:
    """Between two events: after, that is older than, the one with this id, or `backward` newer than it."""

    id: UUID
    backward: bool = False

    def encode(self) -> str:
        return f"{'-' if self.backward else ''}{self.id.hex}"

    @classmethod
    def decode(cls, text: str) -> "Place":
        found = re.fullmatch(r"(-?)([0-9a-f]{32})", text)
        if found is None:
            raise Invalid(_("This place in the list does not exist. Here is its beginning."), field="at")
        return cls(UUID(found[2]), backward=bool(found[1]))


@dataclass(frozen=True)
class Page:
    """Some events, and what lies before and after. `reached` says how far back a search looked that is not done."""

    lines: list[Line]
    before: Place | None = None
    after: Place | None = None
    reached: datetime | None = None


def read(actor: Actor, question: Question, at: Place | None = None, *, size: int = SIZE) -> Page:
    """One page of what the question finds."""
    actor.require(ADMINISTER)
    found = _find(actor, question, at, size + 1)
    rows = found.rows[:size]
    # In the direction in which the log is read: how it goes on from here, and how one came here.
    onward = found.rows[size - 1].pk if len(found.rows) > size else found.end.pk if found.end else None
    back = rows[0].pk if at and rows else None
    backward = bool(at and at.backward)
    older, newer = (back, onward) if backward else (onward, back)
    return Page(
        _lines(actor, rows[::-1] if backward else rows),
        before=Place(newer, backward=True) if newer else None,
        after=Place(older) if older else None,
        reached=found.end.at if found.end else None,
    )


def one(actor: Actor, pk: UUID) -> Line | None:
    """One event, with where it came from."""
    actor.require(ADMINISTER)
    return next(iter(_lines(actor, list(events.visible_to(actor).filter(pk=pk)))), None)


def called(actor: Actor, ids: Collection[UUID]) -> dict[UUID, str]:
    """What these were called last, here."""
    actor.require(ADMINISTER)
    labels = Label.objects.filter(organization_id=actor.organization.pk, about__in=ids).order_by("id")
    return dict(labels.values_list("about", "text"))


def export(actor: Actor, question: Question) -> Iterator[Line]:
    """All that the question finds, newest first, read a few at a time; and each time it is asked again who may."""
    actor.require(ADMINISTER)
    return _export(actor, question)


def _export(actor: Actor, question: Question) -> Iterator[Line]:
    place: Place | None = None
    while True:
        page = read(actor, question, place, size=EXPORTED)
        yield from page.lines
        place = page.after
        if place is None:
            return
        actor.refresh()


def _lines(actor: Actor, rows: Sequence[Event]) -> list[Line]:
    """The events with all that stands beside them."""
    origins = Origin.objects.in_bulk({row.batch for row in rows})
    found = ((line, origins.get(line.event.batch)) for line in events.lines(actor, rows))
    return [replace(line, address=from_.address, browser=from_.browser) if from_ else line for line, from_ in found]


# --- What a question finds -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """The first events in the order of reading; `end` is where a walk gave up, with perhaps more behind it."""

    rows: list[Event]
    end: Event | None = None


def _find(actor: Actor, question: Question, at: Place | None, most: int) -> _Found:
    log, person = _filtered(actor, question), question.person
    if not question.text.strip():
        return _Found(_of(actor, log, [person], at, most) if person else list(_from(log, at)[:most]))
    terms = words_of(question.text)
    called = _called(actor, terms)
    if called is None:
        return _walk(actor, log, terms, person, at, most)
    if person:
        log = log.filter(models.Q(actor_id=person) | models.Q(subject_id=person))
    return _Found(_of(actor, log, sorted(called), at, most))


def _filtered(actor: Actor, question: Question) -> Events:
    log = events.visible_to(actor)
    exact = {"actor_id": question.actor, "subject_id": question.subject, "batch": question.batch}
    log = log.filter(**{name: value for name, value in exact.items() if value})
    if question.action:
        log = log.filter(action=question.action)
    if question.since:
        log = log.filter(at__gte=question.since, pk__gte=events.first_id(question.since - SLACK))
    if question.until:
        log = log.filter(at__lt=question.until, pk__lt=events.first_id(question.until + SLACK))
    return log


def _from(log: Events, at: Place | None) -> Events:
    """The log in the order of reading, from a place on."""
    if at is None:
        return log.order_by("-pk")
    return log.filter(pk__gt=at.id).order_by("pk") if at.backward else log.filter(pk__lt=at.id).order_by("-pk")


def _of(actor: Actor, log: Events, ids: Sequence[UUID], at: Place | None, most: int) -> list[Event]:
    """The first events that one of these did, or that were done to one.

    Each is followed alone, in what it did and in what was done to it: otherwise the database would sort all that an
    administrator ever did to show the newest fifty.
    """
    backward = bool(at and at.backward)
    near = _from(log, at)
    keys: set[UUID] = set()
    if len(ids) == 1:
        for did in ({"actor_id": ids[0]}, {"subject_id": ids[0]}):
            keys.update(near.filter(**did).values_list("pk", flat=True)[:most])
    elif ids:
        near = _as_far_as_needed(actor, near, ids, most, backward=backward).order_by()
        for those in ({"actor_id__in": ids}, {"subject_id__in": ids}):
            keys.update(near.filter(**those).values_list("pk", flat=True))
    first = sorted(keys, reverse=not backward)[:most]
    return list(_from(Event.objects.filter(pk__in=first), at))


def _as_far_as_needed(actor: Actor, near: Events, ids: Sequence[UUID], most: int, *, backward: bool) -> Events:
    """Up to where one of these alone gives as many events as are wanted: what lies beyond is not among the first."""
    did, had = (
        models.Subquery(near.filter(**{name: models.OuterRef("about")}).values("pk")[most - 1 : most])
        for name in ("actor_id", "subject_id")
    )
    named = Label.objects.filter(organization_id=actor.organization.pk, about__in=ids)
    ends = [end for pair in named.values_list(did, had) for end in pair if end]
    if not ends:
        return near
    return near.filter(pk__lte=min(ends)) if backward else near.filter(pk__gte=max(ends))


def _walk(
    actor: Actor, log: Events, terms: Sequence[bytes], person: UUID | None, at: Place | None, most: int
) -> _Found:
    """Go through the log itself, and take what concerns somebody called so: they are many, so some are near."""
    found: list[Event] = []
    end = None
    for _step in range(FAR // WINDOW):
        window = list(_from(log, at)[:WINDOW])
        called = _called_so(actor, terms, window)
        for event in window:
            concerned = {event.actor_id, event.subject_id}
            if concerned & called and (person is None or person in concerned):
                found.append(event)
        if len(found) >= most or len(window) < WINDOW:
            return _Found(found[:most])
        end = window[-1]
        at = Place(end.pk, backward=bool(at and at.backward))
    return _Found(found, end)


# --- Finding by name -----------------------------------------------------------------------------------------------


def _called(actor: Actor, terms: Sequence[bytes]) -> set[UUID] | None:
    """Who and what was ever called so; None if these are too many to follow one by one.

    The rarest of the words leads there. Labels so new that their words are not written down yet are looked at as well.
    """
    here = actor.organization.pk
    words = Word.objects.filter(organization_id=here)
    found = [
        set(words.filter(word__gte=term, word__lt=term + b"\xff").values_list("label_id", flat=True)[: NAMES + 1])
        for term in terms
    ]
    rarest = min(found, key=len, default=set())
    if len(rarest) > NAMES:
        return None
    fresh = Label.objects.filter(organization_id=here, is_searchable=False).order_by("-id")[:FRESH]
    called = _named_so(Label.objects.filter(pk__in=rarest), terms) | _named_so(fresh, terms)
    return called if len(called) <= NAMES else None


def _called_so(actor: Actor, terms: Sequence[bytes], window: Sequence[Event]) -> set[UUID]:
    """Who and what in these events was ever called so."""
    concerned = {key for event in window for key in (event.actor_id, event.subject_id) if key}
    return _named_so(Label.objects.filter(organization_id=actor.organization.pk, about__in=concerned), terms)


def _named_so(labels: Iterable[Label], terms: Sequence[bytes]) -> set[UUID]:
    """Those whose words begin with all of these."""
    return {
        label.about
        for label in labels
        if terms and all(any(word.startswith(term) for word in words_of(label.text)) for term in terms)
    }
