"""The REST API: requests a second of one process with a token, and how many statements each takes.

The organization has 10,000 members. Members are drawn at random from all of them; each invitation goes to an address
that nobody has used. Each figure is of the whole application as the server runs it, asked one after the other; the rate
limit counts as always and is set so high that it refuses nothing.
"""

import json
import random
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from bench.measure import ROUNDS, Figures, row, table
from bench.users_page import populated
from portico.domain import tokens

MEMBERS, EACH = 10_000, 40  # requests in a round
UNLIMITED = 10**9


def run() -> None:
    with override_settings(API_LIMITS=dict.fromkeys(settings.API_LIMITS, UNLIMITED)):
        measure_all()


def measure_all() -> None:
    place = populated(MEMBERS)
    here = f"/api/v1/organizations/{place.actor.organization.slug}"
    secret = tokens.issue(place.actor, name="Bench").secret
    client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {secret}"})
    others = place.actor.organization.memberships.exclude(pk=place.actor.membership.pk)
    members = list(others.values_list("pk", flat=True))
    numbers = count()

    def send(method: str, path: str, body: Any) -> Any:
        return getattr(client, method)(here + path, json.dumps(body), content_type="application/json")

    asked: dict[str, Callable[[], Any]] = {
        "list of members, 50 of 10,000": lambda: client.get(f"{here}/members"),
        "one member": lambda: client.get(f"{here}/members/{random.choice(members)}"),
        "change of role": lambda: send(
            "patch", f"/members/{random.choice(members)}", {"role": random.choice(["developer", "contributor"])}
        ),
        "single invitation": lambda: send(
            "post", "/invitations", {"emails": [f"bench{next(numbers)}@example.org"], "role": "developer"}
        ),
    }
    table("REST API", "requests/s", "statements")
    for title, ask in asked.items():
        rounds = [rate(ask) for _round in range(ROUNDS + 1)][1:]
        with CaptureQueriesContext(connection) as statements:
            ask()
            taken = len(statements)
        row(f"{title}, on {connection.vendor}", Figures(tuple(rounds)), taken)


def rate(ask: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    for _each in range(EACH):
        answer = ask()
        assert answer.status_code == 200, answer.content
    return EACH / (time.perf_counter() - begin)
