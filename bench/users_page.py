"""Organization users at 100, 10,000 and 100,000 members: every order, every filter, page 1,000, and searching.

Each figure is the server's time for one page through the whole stack of middleware, with its number of statements.
The sizes alternate within a round, so what the machine does meanwhile hits all alike. A filter finds as many rows at
each size, or else a page of 50 rows would be compared with one of two; in the largest they are one in some thousands.
"""

import random
import re
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from uuid_utils.compat import uuid7

from bench.measure import ROUNDS, Figures, row, table, verdict
from bench.people import founder
from portico.domain import roles, workspaces
from portico.domain.access import Member
from portico.domain.memberships import Membership
from portico.domain.people import User
from portico.domain.workspaces import Seat

SIZES = (100, 10_000, 100_000)
AT_MOST, SEARCH_AT_MOST, STATEMENTS_AT_MOST = 1.5, 5.0, 12
EACH = 5  # pages in a round
FOUND = 24  # members whom the filters find by state, and by workspace: leaves 50 active ones of 100
FIRST = ("Ann", "Bo", "Chi", "Dina", "Eli", "Femi", "Gita", "Hal", "Ines", "Jo", "Kai", "Lea", "Mia", "Nils", "Ola")
LAST = ("Abel", "Brook", "Costa", "Diaz", "Eriksen", "Fox", "Garcia", "Haas", "Ito", "Jensen", "Kim", "Lopez", "Moss")


@dataclass
class Place:
    """One organization of a size, and a browser signed in as its administrator."""

    actor: Member
    browser: Client
    size: int
    far: str = ""

    def ask(self, question: dict[str, str]) -> float:
        begin = time.perf_counter()
        answer = self.browser.get(f"/o/{self.actor.organization.slug}/users?{urlencode(question)}")
        took = time.perf_counter() - begin
        assert answer.status_code == 200, answer.status_code
        return took

    def statements(self, question: dict[str, str]) -> int:
        with CaptureQueriesContext(connection) as asked:
            self.ask(question)
        return len(asked)


def run() -> None:
    places = [populated(size) for size in SIZES]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    table("Organization users", *[f"{size:,} members, ms" for size in SIZES], "100,000 / 100", "bound", "statements")
    for title, question in questions().items():
        measure(title, question, places, SEARCH_AT_MOST if "search" in title else AT_MOST)
    far = walk(places[-1])
    near = {place.size: {"at": first_cursor(place)} for place in places}
    near[SIZES[-1]] = {"at": far}
    measure("page 1,000 by cursor (page 2 of the others)", near, places, AT_MOST)


def questions() -> dict[str, dict[str, str]]:
    return {
        "default order": {},
        "by email": {"sort": "email"},
        "by role": {"sort": "role"},
        "by last activity": {"sort": "active"},
        "by joining, newest first": {"sort": "-joined"},
        "filter: role": {"role": "developer"},
        "filter: workspace": {"workspace": "atlas"},
        "filter: active": {"state": "active"},
        "filter: suspended": {"state": "suspended"},
        "filter: expired": {"state": "expired"},
        "filter: invited": {"state": "invited"},
        "search that finds one": {"q": "one"},
        "search that finds nothing": {"q": "zzyzx"},
    }


def measure(title: str, question: dict, places: list[Place], bound: float) -> None:
    taken: dict[int, list[float]] = {place.size: [] for place in places}
    for _ in range(ROUNDS + 1):
        for place in places:
            taken[place.size].append(statistics.median(place.ask(specific(question, place)) for _ in range(EACH)))
    figures = {size: Figures(tuple(values[1:])) for size, values in taken.items()}
    ratio = Figures(
        tuple(big / small for big, small in zip(figures[SIZES[-1]].values, figures[SIZES[0]].values, strict=True))
    )
    count = max(place.statements(specific(question, place)) for place in places)
    row(
        f"{title} on {connection.vendor}",
        *[figures[size].scaled(1000) for size in SIZES],
        ratio,
        verdict(ratio.median, bound),
        f"{count} {verdict(count, STATEMENTS_AT_MOST)}",
    )


def specific(question: dict, place: Place) -> dict[str, str]:
    """The question as this organization is asked it: somebody drawn at random, or a place of its own."""
    if place.size in question:
        return dict(question[place.size])
    if question.get("q") == "one":
        return {"q": f"person{random.randrange(place.size - 1)}x"}
    return dict(question)


def first_cursor(place: Place) -> str:
    return next_of(place, {})


def next_of(place: Place, question: dict[str, str]) -> str:
    page = place.browser.get(f"/o/{place.actor.organization.slug}/users?{urlencode(question)}").content.decode()
    found = re.search(r'rel="next" href="[^"]*?at=([^"&]+)', page)
    assert found
    return found[1]


def walk(place: Place) -> str:
    """The cursor of page 1,000, by pressing Next."""
    at = first_cursor(place)
    for _ in range(998):
        at = next_of(place, {"at": at})
    return at


def populated(size: int) -> Place:
    """An organization with members of every kind, written in bulk."""
    actor = founder()
    organization, now = actor.organization, timezone.now()
    sets = [roles.grant_of(organization, slug, None).role for slug in ("developer", "contributor")]
    atlas = workspaces.create(actor, name="Atlas")
    drawn = random.sample(range(size - 1), 3 * FOUND)
    suspended, expired, seated = set(drawn[:FOUND]), set(drawn[FOUND:-FOUND]), set(drawn[-FOUND:])
    for start in range(0, size - 1, 5_000):
        numbers = range(start, min(start + 5_000, size - 1))
        users = [
            User(id=uuid7(), email=f"p{n}.{organization.pk.hex[-8:]}@example.org", name=called(n)) for n in numbers
        ]
        User.objects.bulk_create(users)
        members = [member(organization, user, sets[n % 2], now) for n, user in zip(numbers, users, strict=True)]
        for n, each in zip(numbers, members, strict=True):
            each.suspended_at = each.joined_at if n in suspended else None
            each.expires_at = now - timedelta(days=1) if n in expired else None
        Membership.objects.bulk_create(members)
        seats = [
            Seat(organization=organization, workspace=atlas, membership=each, role="member")
            for n, each in zip(numbers, members, strict=True)
            if n in seated
        ]
        Seat.objects.bulk_create(seats)
    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(actor.membership.user)
    return Place(actor, browser, size)


def called(number: int) -> str:
    return f"{random.choice(FIRST)} {random.choice(LAST)} Person{number}x"


def member(organization: object, user: User, grant: object, now: object) -> Membership:
    row = Membership(organization=organization, user=user, grant=grant)  # type: ignore[misc]
    row.known_as(user.name, user.email)
    row.joined_at = row.active_at = now - timedelta(minutes=random.randrange(500_000))  # type: ignore[operator]
    return row
