"""What an installation tells of itself in numbers, as Prometheus reads them at /metrics.

    requests   by method, name of the route and status, and how long they took
    checks     that were answered, by answer: a check in front of Django is counted here and nowhere else
    commands   that were done, and refusals by command and code
    letters    by state, and the age of the oldest that waits; read from the database when asked

No label holds a name, an address, a slug or an id. Server processes count together, in files of a folder that `serve`
makes; letters are the same whichever process is asked.
"""

import hmac
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from portico import web
from portico.domain import actions, outbox
from portico.domain.actions import DONE
from portico.domain.checks import Answer

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]

PATH = "/metrics"
TOGETHER = "PROMETHEUS_MULTIPROC_DIR"  # where processes count together; must be set before this module is imported
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

disable_created_metrics()  # when each began would be as many numbers again
counted = CollectorRegistry()
REQUESTS = Counter("portico_requests", "Requests that were answered.", ["method", "route", "status"], registry=counted)
TOOK = Histogram(
    "portico_request_seconds", "Seconds until an answer began.", ["route"], buckets=SECONDS, registry=counted
)
CHECKS = Counter("portico_checks", "Checks that were answered.", ["allowed"], registry=counted)
COMMANDS = Counter("portico_commands", "Commands that were done.", ["command"], registry=counted)
REFUSALS = Counter("portico_refusals", "Commands that were refused.", ["command", "code"], registry=counted)

YES, NO = CHECKS.labels("yes"), CHECKS.labels("no")


def answered(method: str, route: str, status: str, seconds: float) -> None:
    REQUESTS.labels(method, route, status).inc()
    TOOK.labels(route).observe(seconds)


def checked(answers: Sequence[Answer]) -> None:
    """These questions were answered; mostly it is one, and nothing is asked as often."""
    if len(answers) == 1:
        (YES if answers[0].because else NO).inc()
        return
    allowed = sum(answer.because is not None for answer in answers)
    if allowed:
        YES.inc(allowed)
    if refused := len(answers) - allowed:
        NO.inc(refused)


def _ended(command: str, outcome: str) -> None:
    if outcome == DONE:
        COMMANDS.labels(command).inc()
    else:
        REFUSALS.labels(command, outcome).inc()


actions.watchers.append(_ended)


class Letters(Collector):
    """The outbox, as it is now; without a database only that there is none."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            counts, oldest = outbox.counts(), outbox.oldest()
        except (DatabaseError, InterfaceError):
            yield GaugeMetricFamily("portico_database_up", "Whether the database answers.", 0)
            return
        yield GaugeMetricFamily("portico_database_up", "Whether the database answers.", 1)
        letters = GaugeMetricFamily("portico_letters", "Letters that are kept, by state.", labels=["state"])
        for state, count in counts.items():
            letters.add_metric([state], count)
        yield letters
        age = (timezone.now() - oldest).total_seconds() if oldest else 0
        yield GaugeMetricFamily("portico_letters_oldest_seconds", "Age of the oldest letter that waits.", age)


def told() -> bytes:
    """All of it, of all server processes."""
    registry = CollectorRegistry()
    if TOGETHER in os.environ:
        MultiProcessCollector(registry)
    else:
        registry.register(counted)
    registry.register(Letters())
    close_old_connections()  # nobody else does, in front of Django
    return generate_latest(registry)


def in_front_of(django: Application) -> Application:
    """Answers whoever shows PORTICO_METRICS_TOKEN, under any name of the host: each machine is asked by its own.

    Where no token is set there is no such page.
    """

    def application(environ: Environ, start: Start) -> Iterable[bytes]:
        expected = settings.METRICS_TOKEN
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "GET" or not expected:
            return django(environ, start)
        shown = environ.get("HTTP_AUTHORIZATION", "")
        if not hmac.compare_digest(shown.encode(), f"Bearer {expected}".encode()):
            start("401 Unauthorized", [("WWW-Authenticate", "Bearer"), *web.BARE_HEADERS])
            return [b""]
        start("200 OK", [("Content-Type", CONTENT_TYPE_LATEST), *web.BARE_HEADERS])
        return [told()]

    return application
