"""The audit log: who did what to whom, when, from where, through which door.

Every command writes its events in its own transaction, one for each thing changed. Events are never changed or
deleted (a trigger refuses it) and outlive what they tell of, so they carry no foreign keys and nothing personal: what
names a person stands beside them in `Label`, where an act came from in `Origin`. A person can be erased by blanking
those; the fact stays.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db import models, transaction
from uuid_utils.compat import uuid7

from . import bulk, words
from .access import Actor, Member
from .permissions import ADMINISTER, MEMBERS_MANAGE, WORKSPACE_VIEW

WORD_LENGTH = 40  # bytes of a word by which it is found
WINDOW = 50  # as many events are read at once to find the newest acts

Details = Mapping[str, Any]


class Subject(Protocol):
    """Anything an event can be about."""

    @property
    def event_kind(self) -> str: ...

    @property
    def event_id(self) -> UUID: ...

    @property
    def label(self) -> str: ...


S = TypeVar("S", bound=Subject)


class Event(models.Model):
    """One thing that happened. Ids are UUIDv7, so their order is the order of time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(null=True)  # null: what a person did to their own account
    batch = models.UUIDField()  # the command that it belongs to; also the id of its origin
    at = models.DateTimeField()
    door = models.CharField(max_length=16)
    action = models.CharField(max_length=48)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    actor_label = models.UUIDField(null=True)
    subject_kind = models.CharField(max_length=16)
    subject_id = models.UUIDField()
    subject_label = models.UUIDField(null=True)
    details = models.JSONField(default=dict)  # names of fields, and values that are not personal

    class Meta:
        indexes = [
            models.Index(fields=["organization_id", "id"], name="event_by_time"),
            models.Index(fields=["organization_id", "subject_id", "id"], name="event_by_subject"),
            models.Index(fields=["organization_id", "actor_id", "id"], name="event_by_actor"),
            models.Index(fields=["organization_id", "action", "id"], name="event_by_action"),
            models.Index(fields=["organization_id", "actor_id", "action", "id"], name="event_by_actor_action"),
            models.Index(fields=["batch"], name="event_by_batch"),
        ]


class Label(models.Model):
    """What a person or thing was called when an event told of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(null=True)
    about = models.UUIDField()
    text = models.CharField(max_length=420)
    is_searchable = models.BooleanField(default=False)  # its words are written down; the worker does it, soon after

    class Meta:
        indexes = [
            models.Index(fields=["organization_id", "about"], name="label_by_about"),
            models.Index(fields=["about"], name="label_of_anybody"),
            models.Index(
                fields=["organization_id", "id"],
                name="label_not_searchable_yet",
                condition=models.Q(is_searchable=False),
            ),
        ]


class Word(models.Model):
    """A word of a label, as search compares it: what begins with the same letters stands side by side.

    It is kept as bytes, because those have one order in every database and every language of it.
    """

    pk = models.CompositePrimaryKey("organization_id", "word", "label_id")
    organization_id = models.UUIDField()
    word = models.BinaryField(max_length=WORD_LENGTH)
    label_id = models.UUIDField()

    class Meta:
        indexes = [models.Index(fields=["label_id"], name="word_of_label")]


class Origin(models.Model):
    """Where the events of one command came from. Its id is their batch."""

    id = models.UUIDField(primary_key=True, editable=False)
    organization_id = models.UUIDField(null=True)
    address = models.CharField(max_length=64)
    browser = models.CharField(max_length=256)


def record(actor: Actor, action: str, subject: Subject, **details: Any) -> None:
    """Write down one thing that this command did."""
    record_all(actor, action, [subject], lambda _: details)


def record_all(
    actor: Actor, action: str, subjects: Sequence[S], details: Callable[[S], Details] = lambda _: {}
) -> None:
    """The same for many subjects, in a number of statements that does not grow with each of them."""
    if not subjects:
        return
    organization_id = getattr(actor.organization, "pk", None)
    names = [(subject.event_id, subject.label) for subject in subjects]
    by = [(actor.id, actor.label)] if actor.id else []
    labels = _labels(organization_id, dict.fromkeys(by + names))
    same = {
        "organization_id": organization_id,
        "batch": actor.batch,
        "at": actor.now,
        "door": actor.via.door,
        "action": action,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_label": labels[by[0]] if by else None,
    }
    columns: dict[str, list[Any]] = {
        "id": [uuid7() for _subject in subjects],
        **{name: [value] * len(subjects) for name, value in same.items()},
        "subject_kind": [subject.event_kind for subject in subjects],
        "subject_id": [about for about, _text in names],
        "subject_label": [labels[name] for name in names],
        "details": [details(subject) for subject in subjects],
    }
    bulk.insert_columns(Event, columns)
    if actor.via.address or actor.via.browser:
        origin = Origin(
            id=actor.batch,
            organization_id=organization_id,
            address=actor.via.address[:64],
            browser=actor.via.browser[:256],
        )
        Origin.objects.bulk_create([origin], ignore_conflicts=True)


def first_id(at: datetime) -> UUID:
    """No event of this moment or later has a smaller id, and no batch either: a UUIDv7 begins with its time."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def forget_origins(before: datetime, *, most: int) -> int:
    """Delete the oldest origins from before a moment; how many went. The events stay as they are."""
    old = Origin.objects.filter(pk__lt=first_id(before)).order_by("pk").values_list("pk", flat=True)[:most]
    return Origin.objects.filter(pk__in=list(old)).delete()[0]


def _labels(organization_id: UUID | None, names: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
    """The label of each (id, text); those that are not there yet are made."""
    ids = [about for about, _ in names]
    known: dict[tuple[UUID, str], UUID] = {}
    for start in range(0, len(ids), 1000):
        there = Label.objects.filter(organization_id=organization_id, about__in=ids[start : start + 1000])
        known.update({(about, text): pk for about, text, pk in there.values_list("about", "text", "id")})
    new = {name: uuid7() for name in names if name not in known}
    if new:
        columns: dict[str, list[Any]] = {
            "id": list(new.values()),
            "organization_id": [organization_id] * len(new),
            "about": [about for about, _text in new],
            "text": [text[:420] for _about, text in new],
            # Nobody searches what people did to their accounts.
            "is_searchable": [organization_id is None] * len(new),
        }
        bulk.insert_columns(Label, columns)
    return known | new


# --- Finding by name -----------------------------------------------------------------------------------------------


def words_of(text: str) -> list[bytes]:
    """Each word of a label once, as it is compared."""
    return list(dict.fromkeys(word.encode()[:WORD_LENGTH] for word in words.fold(text).split()))


def make_searchable(*, most: int) -> int:
    """Write down the words of labels that are new; how many labels were.

    Not in the command that made them: of ten thousand invitations it would be a tenth of the time that the
    organization is locked.
    """
    with transaction.atomic():
        # Locked, or a name that is erased meanwhile would live on in its words. Another worker takes others.
        new = list(Label.objects.select_for_update(skip_locked=True).filter(is_searchable=False)[:most])
        found = [
            Word(organization_id=label.organization_id, word=word, label_id=label.pk)
            for label in new
            if label.organization_id
            for word in words_of(label.text)
        ]
        # PostgreSQL takes 65,535 values in a statement, and a label may be hundreds of words.
        Word.objects.bulk_create(found, ignore_conflicts=True, batch_size=5_000)
        Label.objects.filter(pk__in=[label.pk for label in new]).update(is_searchable=True)
    return len(new)


# --- Forgetting ----------------------------------------------------------------------------------------------------


def erase(*ids: UUID) -> None:
    """Forget what these were called, in every organization, and from where they acted. What they did stays.

    For a person who closes their account: their own id, and those of the invitations to their addresses.
    """
    labels = Label.objects.filter(about__in=ids)
    for organization_id in set(labels.values_list("organization_id", flat=True)):
        acts = Event.objects.filter(organization_id=organization_id, actor_id__in=ids)
        Origin.objects.filter(pk__in=acts.values("batch")).delete()
    forgotten = list(labels.values_list("pk", flat=True))
    labels.delete()
    Word.objects.filter(label_id__in=forgotten).delete()


def forget_organization(organization_id: UUID) -> None:
    """Forget what everybody and everything of an organization was called, and from where they acted."""
    Origin.objects.filter(organization_id=organization_id).delete()
    Label.objects.filter(organization_id=organization_id).delete()
    Word.objects.filter(organization_id=organization_id).delete()


# --- Reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """An event as people read it, with what everything was called. `others` tells of as many that one act changed.

    Where it came from stands here only for those who read the audit log.
    """

    event: Event
    actor: str
    subject: str
    names: Mapping[str, str]  # of roles by slug and of all else by id, for what the details mention
    others: int = 0
    address: str = ""
    browser: str = ""


def visible_to(actor: Actor) -> models.QuerySet[Event]:
    """All for Administrators; what members and offers went through for those who manage them; else one's own."""
    events = Event.objects.filter(organization_id=actor.organization.pk).order_by("-id")
    if actor.can(ADMINISTER):
        return events
    if actor.can(MEMBERS_MANAGE):
        return events.filter(subject_kind__in=["member", "invitation"])
    if isinstance(actor, Member) and actor.membership.is_effective(actor.now):
        return events.filter(subject_kind="member", subject_id=actor.id)
    return events.none()


def recent(actor: Actor, *, about: UUID | None = None, before: UUID | None = None, limit: int = 6) -> list[Line]:
    """The newest events that the actor may see, newest first: of the organization, or about one person or thing.

    Those about one go on `before` an event, for reading further back.

    What one command did to many is one line, so that a list of thousands does not push all else away.
    """
    events = visible_to(actor)
    if about is not None:
        told = events.filter(subject_id=about, **({"id__lt": before} if before else {}))
        return lines(actor, list(told[:limit]))
    chosen = _newest_acts(events, limit)
    batches = events.order_by().filter(batch__in={event.batch for event in chosen})
    sizes = batches.values_list("batch", "action").annotate(models.Count("id"))
    return lines(actor, chosen, Counter({(batch, action): size - 1 for batch, action, size in sizes}))


def of_account(user_id: UUID, *, before: UUID | None = None, limit: int) -> list[Line]:
    """What was done to an account, by the person or by the operator, with where from; the newest first."""
    events = Event.objects.filter(organization_id=None, subject_id=user_id).order_by("-id")
    page = list((events.filter(id__lt=before) if before else events)[:limit])
    ids = {label for event in page for label in (event.actor_label, event.subject_label) if label}
    labels: dict[UUID | None, str] = {label.pk: label.text for label in Label.objects.filter(pk__in=ids)}
    origins = Origin.objects.in_bulk({event.batch for event in page})
    nowhere = Origin()
    return [
        Line(
            event,
            labels.get(event.actor_label, ""),
            labels.get(event.subject_label, ""),
            {},
            address=origins.get(event.batch, nowhere).address,
            browser=origins.get(event.batch, nowhere).browser,
        )
        for event in page
    ]


def _newest_acts(events: models.QuerySet[Event], limit: int) -> list[Event]:
    """The newest event of each act. A large act is stepped over: its events follow each other, because of the lock."""
    first: dict[object, Event] = {}
    window = list(events[:WINDOW])
    while True:
        for event in window:
            first.setdefault(_act(event), event)
        if len(first) >= limit or len(window) < WINDOW:
            break
        earliest = events.filter(batch=window[-1].batch).order_by("id")[:1].get()
        window = list(events.filter(id__lt=earliest.pk)[:WINDOW])
    return list(first.values())[:limit]


def _act(event: Event) -> object:
    """What counts as one: the same done to many by one command. Seats are told one by one."""
    return event.pk if "workspace" in event.details else (event.batch, event.action)


def lines(actor: Actor, events: Sequence[Event], others: Mapping[object, int] = {}) -> list[Line]:  # read only
    """The events with their labels, in one query for each kind of name."""
    ids = {label for event in events for label in (event.actor_label, event.subject_label) if label}
    labels: dict[UUID | None, str] = {label.pk: label.text for label in Label.objects.filter(pk__in=ids)}
    names = _names(actor, {key for event in events for key in _mentioned(event.details)})
    return [
        Line(
            event,
            labels.get(event.actor_label, ""),
            labels.get(event.subject_label, ""),
            names,
            others.get(_act(event), 0),
        )
        for event in events
    ]


def _mentioned(details: Any) -> Iterator[str]:
    """The ids that stand anywhere in these details."""
    if isinstance(details, dict):
        details = list(details.values())
    if isinstance(details, list):
        for value in details:
            yield from _mentioned(value)
    elif isinstance(details, str) and words.UUID_SHAPE.fullmatch(details):
        yield details


def _names(actor: Actor, mentioned: Collection[str]) -> dict[str, str]:
    """What these were called last, as far as the actor may know of them, and what roles are called."""
    names = {role.slug: role.title for role in actor.organization.roles.named() if role.slug}
    known = set(mentioned) - _hidden(actor, mentioned)
    called = Label.objects.filter(organization_id=actor.organization.pk, about__in=known).order_by("id")
    return names | {str(label.about): label.text for label in called}


def _hidden(actor: Actor, mentioned: Collection[str]) -> set[str]:
    """The workspaces among these that the actor may not view: who sits there is not theirs to know."""
    if actor.can(ADMINISTER) or not mentioned:
        return set()
    if isinstance(actor, Member):
        models.prefetch_related_objects([actor.membership], "seats")
    places = actor.organization.workspaces.filter(pk__in=mentioned)
    return {str(place.pk) for place in places if not actor.can(WORKSPACE_VIEW, place)}
