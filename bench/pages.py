"""Each page of the console: its statements, the server's time, and all bytes that a first visit to it fetches.

The organization has 100 members, as many invitations that wait, ten workspaces and a token; asked is by its
administrator. Bytes are what the server sends to a browser that takes compressed answers: the page and each file that
it names, uploaded pictures aside.
"""

import gzip
import re
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.measure import ROUNDS, Figures, row, table, verdict
from bench.people import terms, wanted
from bench.users_page import Place, populated
from portico.domain import invitations, tokens, workspaces

EACH = 5  # pages in a round
AT_MOST_KB = 60.0
TAKES = {"HTTP_ACCEPT_ENCODING": "gzip, deflate, br"}
_named = re.compile(r"""<(?:link|script|img|use)\b[^>]*?(?:href|src)="([^"#]+)""")


@dataclass
class Visit:
    """One page, and all that it names."""

    browser: Client

    def page(self, path: str) -> bytes:
        """As it travels."""
        answer = self.browser.get(path, **TAKES)
        assert answer.status_code == 200, (path, answer.status_code)
        assert answer.headers["Content-Encoding"] == "gzip"
        return answer.content

    def files(self, page: bytes) -> int:
        """Bytes of the style, the scripts and the icons, each fetched once."""
        paths = {urlsplit(found).path for found in _named.findall(gzip.decompress(page).decode())}
        return sum(self.size(path) for path in paths if path.startswith("/static/"))

    def size(self, path: str) -> int:
        answer = self.browser.get(path, **TAKES)
        assert answer.status_code == 200, (path, answer.status_code)
        return len(b"".join(answer.streaming_content) if answer.streaming else answer.content)


def run() -> None:
    place = populated(100)
    table("Page", "server, ms", "statements", "a first visit, KB", "bound")
    for path in paths(place):
        measure(path, place)


def paths(place: Place) -> list[tuple[str, str]]:
    """What each page is called, and where it is."""
    actor = place.actor
    here = f"/o/{actor.organization.slug}"
    invitations.send(actor, wanted=wanted(100), terms=terms(actor))
    for number in range(10):
        workspaces.create(actor, name=f"Place {number}")
    token = tokens.issue(actor, name="Bench").token
    member = actor.organization.memberships.exclude(pk=actor.membership.pk).first()
    assert member
    inside = (
        "", "users", "users/invite", f"users/{member.pk}", "users/former", "roles", "roles/developer", "workspaces",
        "workspaces/atlas", "billing", "tokens", f"tokens/{token.pk}", "events", "settings", "handover",
    )  # fmt: skip
    outside = ["/", "/organizations/new", "/account/", "/account/events", "/account/second-factor/"]
    named = [(each.replace(str(member.pk), "one").replace(str(token.pk), "one"), f"{here}/{each}") for each in inside]
    return [(f"/o/…/{name}", path) for name, path in named] + [(path, path) for path in outside]


def measure(each: tuple[str, str], place: Place) -> None:
    name, path = each
    visit = Visit(place.browser)
    took = [statistics.median(seconds(visit, path) for _each in range(EACH)) for _round in range(ROUNDS + 1)]
    with CaptureQueriesContext(connection) as asked:
        page = visit.page(path)
        statements = len(asked)  # the next request forgets them
    kilobytes = (len(page) + visit.files(page)) / 1024
    bound = verdict(kilobytes, AT_MOST_KB)
    figures = Figures(tuple(took[1:])).scaled(1000)
    row(f"{name} on {connection.vendor}", figures, statements, f"{kilobytes:.1f}", bound)


def seconds(visit: Visit, path: str) -> float:
    begin = time.perf_counter()
    visit.page(path)
    return time.perf_counter() - begin
