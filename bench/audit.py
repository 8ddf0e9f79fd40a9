"""The audit log over 1,000 and over 1,000,000 events: its first page, a page in the middle, each filter and search, and
the exports with the memory that they take.

Each figure is the server's time for one page through the whole stack of middleware, with its number of statements.
The sizes alternate within a round, so what the machine does meanwhile hits all alike.
"""

import random
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from uuid_utils.compat import uuid7

from bench.measure import ROUNDS, Figures, row, table, verdict
from bench.people import founder
from portico.domain import audit, bulk, events
from portico.domain.access import Member
from portico.domain.events import Event, Label, Origin

SMALL, LARGE = 1_000, 1_000_000
AT_MOST, STATEMENTS_AT_MOST, EXPORT_AT_MOST_MB = 1.5, 20, 16
EACH = 5  # pages in a round
CHUNK = 20_000
ACTIONS = ("invitation.sent", "member.changed", "seat.given", "seat.taken", "invitation.accepted", "member.removed")
RARE, RARELY = "role.deleted", 60  # so many in all, whatever the size: what is compared are pages of as many lines
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Place:
    """One organization with so many events, and a browser signed in as its administrator."""

    actor: Member
    browser: Client
    size: int
    people: list[UUID]  # the first of them did half of everything
    begin: datetime

    def address(self, page: str, question: dict[str, str]) -> str:
        return f"/o/{self.actor.organization.slug}/{page}?{urlencode(question)}"

    def ask(self, question: dict[str, str]) -> float:
        begin = time.perf_counter()
        answer = self.browser.get(self.address("events", question))
        took = time.perf_counter() - begin
        assert answer.status_code == 200, answer.status_code
        return took

    def statements(self, question: dict[str, str]) -> int:
        with CaptureQueriesContext(connection) as asked:
            self.ask(question)
        return len(asked)

    def somebody(self) -> int:
        return random.randrange(10, len(self.people))


def run() -> None:
    places = [populated(size) for size in (SMALL, LARGE)]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    table("Audit log", f"{SMALL:,} events, ms", f"{LARGE:,} events, ms", "ratio", "bound", "statements")
    for title, question in QUESTIONS.items():
        measure(title, question, places)
    table("Export", f"{SMALL:,} events", f"{LARGE:,} events", "bound")
    for kind in ("jsonl", "csv"):
        exported(kind, places)


QUESTIONS = {
    "first page": lambda _place: {},
    "a page in the middle": lambda place: {"at": audit.Place(events.first_id(day(place, 180))).encode()},
    "filter: who did half of everything": lambda place: {"person": str(place.people[0])},
    "filter: somebody": lambda place: {"person": str(place.people[place.somebody()])},
    "filter: by whom": lambda place: {"actor": str(place.people[1])},
    "filter: about whom": lambda place: {"subject": str(place.people[place.somebody()])},
    "filter: action": lambda _place: {"action": "member.changed"},
    "filter: rare action": lambda _place: {"action": RARE},
    "filter: action of one person": lambda place: {"actor": str(place.people[0]), "action": RARE},
    # So long that a page of it is full whatever the size, or one of twenty lines would be compared with one of fifty.
    "filter: a month": lambda place: {"since": f"{day(place, 90):%Y-%m-%d}", "until": f"{day(place, 120):%Y-%m-%d}"},
    "search that finds one person": lambda place: {"q": f"person{place.somebody()}x"},
    "search that finds who did half of everything": lambda _place: {"q": "person0x"},
    "search by name and address": lambda place: {"q": f"person{place.somebody()}x example.org"},
    "search that finds everybody": lambda _place: {"q": "example"},
    "search that finds nothing": lambda _place: {"q": "zzyzx"},
}


def day(place: Place, number: int) -> datetime:
    return place.begin + timedelta(days=number)


def measure(title: str, question, places: list[Place]) -> None:  # type: ignore[no-untyped-def]
    taken: dict[int, list[float]] = {place.size: [] for place in places}
    for _ in range(ROUNDS + 1):
        for place in places:
            taken[place.size].append(statistics.median(place.ask(question(place)) for _ in range(EACH)))
    small, large = (Figures(tuple(taken[size][1:])) for size in (SMALL, LARGE))
    ratio = Figures(tuple(b / s for b, s in zip(large.values, small.values, strict=True)))
    count = max(place.statements(question(place)) for place in places)
    row(
        f"{title} on {connection.vendor}",
        small.scaled(1000),
        large.scaled(1000),
        ratio,
        verdict(ratio.median, AT_MOST),
        f"{count} {verdict(count, STATEMENTS_AT_MOST)}",
    )


# --- Export --------------------------------------------------------------------------------------------------------


def exported(kind: str, places: list[Place]) -> None:
    """How long it takes, and by how much the process grows at most meanwhile."""
    megabytes, said = [], []
    for place in places:
        before = most = memory()
        begin = time.perf_counter()
        answer = place.browser.get(place.address("events/export", {"format": kind}))
        lines = 0
        for chunk in answer.streaming_content:
            lines += chunk.count(b"\n")
            if lines % 1_000 == 0:
                most = max(most, memory())
        took = time.perf_counter() - begin
        assert lines >= place.size, lines
        megabytes.append(most - before)
        said.append(f"{took:.1f} s, grows by {megabytes[-1]:.1f} MB")
    row(f"{kind} on {connection.vendor}", *said, verdict(megabytes[-1], EXPORT_AT_MOST_MB))


def memory() -> float:
    """What this process takes of its own, in megabytes; pages of the database's file are not counted."""
    match = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


# --- A long history ------------------------------------------------------------------------------------------------


def populated(size: int) -> Place:
    """An organization with a year of events by ten people about many, written in bulk."""
    actor = founder()
    people = [uuid7() for _ in range(max(14, size // 100))]
    here = actor.organization.pk
    labels = [
        Label(organization_id=here, about=pk, text=f"Ann Person{n}x <p{n}@example.org>") for n, pk in enumerate(people)
    ]
    begin = timezone.now() - timedelta(days=360)
    named = {label.about: label.pk for label in labels}
    with transaction.atomic():
        bulk.insert(labels)
    for start in range(0, size, CHUNK):
        moments = [begin + timedelta(days=359) * (n / size) for n in range(start, min(start + CHUNK, size))]
        batches = [uuid_of(moment) for moment in moments]
        with transaction.atomic():
            bulk.insert(told(here, people, named, moments, batches, start, size // RARELY))
            bulk.insert(Origin(id=pk, organization_id=here, address="192.0.2.7", browser=BROWSER) for pk in batches)
    while events.make_searchable(most=5_000):
        pass
    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(actor.membership.user)
    return Place(actor, browser, size, people, begin)


def told(
    here: UUID,
    people: list[UUID],
    named: dict[UUID, UUID],
    moments: list[datetime],
    batches: list[UUID],
    start: int,
    rarely: int,
) -> Iterator[Event]:
    for number, (moment, batch) in enumerate(zip(moments, batches, strict=True), start):
        who = people[0] if number % 2 else people[random.randrange(10)]
        whom = random.choice(people)
        yield Event(
            id=uuid_of(moment),
            organization_id=here,
            batch=batch,
            at=moment,
            door="console",
            action=RARE if number % rarely == 1 else random.choice(ACTIONS),
            actor_kind="member",
            actor_id=who,
            actor_label=named[who],
            subject_kind="member",
            subject_id=whom,
            subject_label=named[whom],
            details={"before": {"role": "contributor"}, "after": {"role": "developer"}},
        )


def uuid_of(moment: datetime) -> UUID:
    """An id of its time."""
    return UUID(int=events.first_id(moment).int | random.getrandbits(76))
