"""What the worker does besides letters, now and then: it deletes what is kept too long, and whatever else a clock asks
for. What is kept for how long is one table in the settings, `KEPT_FOR`.

A job is a function in one of the lists at the end. Each call does one step, small enough that no letter waits for
it and no lock is held for long, and says whether there is more to do. Every worker runs every job when it starts and
then each hour or day, so a job must come out right though another worker runs it at the same moment, and though the
last one was killed in the middle of it: it looks for what is left to do, and never remembers what it did.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import close_old_connections
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from portico.domain import allowances, endings, events, images, organizations, retries
from portico.domain.invitations import Invitation
from portico.domain.outbox import Letter

from . import folder, presence

Job = Callable[[datetime], bool | None]  # told what time it is; says whether there is more to do
STEP = 500  # rows of one step

log = logging.getLogger("portico.delivery")


class Every:
    """Says yes when asked for the first time, and then once in so many seconds."""

    def __init__(self, seconds: float):
        self.seconds, self.next = seconds, 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self.next:
            return False
        self.next = now + self.seconds
        return True


class Jobs:
    """The jobs of one worker: which of them are due, and which have more to do."""

    def __init__(self) -> None:
        self.often, self.hourly, self.daily = Every(10), Every(3600), Every(24 * 3600)
        self.waiting: deque[Job] = deque()
        self.failed: list[Job] = []

    def step(self) -> bool:
        """Take one step of the next job, in turn; whether there is more. One that fails is tried again in an hour."""
        if self.often():
            self.add(OFTEN)
        if self.hourly():
            self.add(HOURLY + self.failed)
            self.failed = []
        if self.daily():
            self.add(DAILY)
        if self.waiting:
            job = self.waiting.popleft()
            try:
                if job(timezone.now()):
                    self.waiting.append(job)
            except Exception:  # whatever it is, the other jobs and the letters go on
                log.exception("The job %s failed; it is tried again in an hour.", job.__name__)
                self.failed.append(job)
                close_old_connections()
        return bool(self.waiting)

    def add(self, jobs: list[Job]) -> None:
        self.waiting.extend(job for job in jobs if job not in self.waiting)


def run_all() -> None:
    """Every job, to its end."""
    jobs = Jobs()
    while jobs.step():
        pass


# --- What is kept too long -----------------------------------------------------------------------------------------


def forget_letters(now: datetime) -> bool:
    """Letters that left or were given up; but never the one whose fate an open invitation tells."""
    told = Invitation.objects.pending().filter(letter=OuterRef("pk"))
    closed = Letter.objects.exclude(state=Letter.State.WAITING).filter(closed_at__lt=now - settings.KEPT_FOR["letters"])
    some = _few(closed.exclude(Exists(told)))
    Letter.objects.filter(pk__in=some).delete()
    return len(some) == STEP


def forget_files(now: datetime) -> None:
    """The letters of the built-in outbox."""
    folder.forget(now - settings.KEPT_FOR["letters"])


def forget_sessions(now: datetime) -> bool:
    """Sessions that have ended."""
    some = _few(Session.objects.filter(expire_date__lt=now - settings.KEPT_FOR["sessions"]))
    Session.objects.filter(pk__in=some).delete()
    return len(some) == STEP


def forget_devices(_now: datetime) -> bool:
    """What the page of sessions knew of sessions that are no more."""
    there = Session.objects.filter(session_key=OuterRef("session_key"))
    some = _few(UserSession.objects.exclude(Exists(there)))
    UserSession.objects.filter(pk__in=some).delete()
    return len(some) == STEP


def forget_origins(now: datetime) -> bool:
    """From which addresses and browsers people acted. What they did is never forgotten."""
    return events.forget_origins(now - settings.KEPT_FOR["origins"], most=STEP) == STEP


def forget_answers(now: datetime) -> bool:
    """What programs were answered, for whom it asked again with the same key."""
    return retries.forget(now - settings.KEPT_FOR["answers"], most=STEP) == STEP


def forget_allowances(now: datetime) -> None:
    """How often somebody asked, a minute ago and longer."""
    allowances.forget(now)


def purge(now: datetime) -> bool:
    """The organization that is closed for the longest, once it can no longer be restored."""
    return organizations.purge_next(now)


def forget_images(now: datetime) -> None:
    """Pictures that no row names any more."""
    images.forget_unused(now)


def forget_workers(now: datetime) -> None:
    """Workers of machines that are no more."""
    presence.forget(now)


def _few(rows: QuerySet[Any]) -> list[Any]:
    """The keys of the first of these rows: as many as one step deletes."""
    return list(rows.order_by("pk").values_list("pk", flat=True)[:STEP])


# --- What is told in time ------------------------------------------------------------------------------------------


def announce_ends(now: datetime) -> bool:
    """Letters about memberships that end soon."""
    return endings.announce(now, most=STEP) > 0


# --- What can wait a little ----------------------------------------------------------------------------------------


def make_searchable(_now: datetime) -> bool:
    """Write down by which words the audit log finds what is new in it."""
    return events.make_searchable(most=STEP) == STEP


OFTEN: list[Job] = [make_searchable]  # every ten seconds
HOURLY: list[Job] = [announce_ends, forget_allowances, forget_answers, forget_sessions, forget_devices]
DAILY: list[Job] = [forget_letters, forget_files, purge, forget_images, forget_origins, forget_workers]
