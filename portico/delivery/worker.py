"""The loop that takes letters away: claim, ask whether they are still true, send, mark.

At least once: a letter is marked sent before the next one's words go over the line, so a worker that is killed repeats
at most the one that it had in its hand. Nothing loses a letter. What was claimed and not sent is free again when its
lease ends, or as soon as another worker of the same machine sees that its owner is dead.
"""

import logging
import random
import smtplib
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Event
from typing import Any, ParamSpec
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection
from django.db.models import F, QuerySet
from django.utils import timezone

from portico.domain.outbox import ACCOUNT_FIRST, ORDINARY, SECRETS_LIVE, Letter

from . import daily, mail, presence

P = ParamSpec("P")
log = logging.getLogger("portico.delivery")

BATCH = 100
HOLD = 0.25  # seconds for which a batch may be held: then what is claimed is stale, and a code may be waiting
IDLE = 0.5  # seconds between looks at an empty outbox
# Longer than one letter can take: the server may let EMAIL_TIMEOUT pass at each of five steps.
LEASE = timedelta(minutes=3)
FIRST_WAIT = timedelta(minutes=1)
GIVE_UP_AFTER = timedelta(hours=24)
PATIENCE = (0.1, 0.5, 2, 5, 10, 20)  # seconds between attempts to tell the database what has left
SEEN = "portico.worker.seen"
# The server refuses us, not the letter: until the operator has mended the password, letters wait.
REFUSES_US = frozenset({530, 534, 535, 538})

_DUE = "state = 'waiting' AND priority = %s AND due_at <= %s AND (leased_until IS NULL OR leased_until <= %s)"
_LOOK = f"SELECT EXISTS (SELECT 1 FROM portico_letter WHERE {_DUE})"  # noqa: S608  # nothing of a user in it
_CLAIM = f"""
    UPDATE portico_letter SET leased_until = %s, leased_by = %s WHERE id IN (
        SELECT id FROM portico_letter WHERE {_DUE} ORDER BY due_at, id LIMIT {BATCH} {{lock}}
    ) RETURNING *
"""  # noqa: S608  # nothing of a user in it
_SENT = """
    UPDATE portico_letter SET
        state = 'sent', detail = '', secret = NULL, leased_until = NULL, closed_at = %s, attempts = attempts + 1
    WHERE id = %s AND state = 'waiting'
"""


def run(stop: Event) -> None:
    """Deliver until told to stop. A database that is away is waited for."""
    worker = Worker(stop)
    while not stop.is_set():
        try:
            worker.tend()
            worker.deliver()
        except (DatabaseError, InterfaceError):
            log.exception("The database does not answer; letters wait.")
            close_old_connections()
        stop.wait(IDLE)


def run_once() -> int:
    """Deliver what is due now, over one connection; how many letters left."""
    free()
    return Worker(Event()).deliver()


def last_seen() -> datetime | None:
    """When a worker last gave a sign of life, of all that work for this database."""
    seen: datetime | None = cache.get(SEEN)
    return seen


class Worker:
    """One line to the mail server, and what is done now and then."""

    def __init__(self, stop: Event):
        self.stop = stop
        self.line: BaseEmailBackend | None = None
        self.gives_sign, self.forgets = daily.Every(15), daily.Every(60)
        self.jobs = daily.Jobs()

    def tend(self) -> None:
        if self.gives_sign():
            cache.set(SEEN, timezone.now(), timeout=None)
            free()
        if self.forgets():
            forget_secrets()
        self.jobs.step()

    def deliver(self) -> int:
        """Deliver until nothing is due or the server does not let us."""
        left = 0
        try:
            while not self.stop.is_set() and anything_due() and (line := self.connected()):
                left += self.batch(claim(), line)
                self.tend()
        finally:
            self.hang_up()
        return left

    def connected(self) -> BaseEmailBackend | None:
        """A line to the server. Without one all that is due waits, without being claimed one by one."""
        if self.line is not None:
            return self.line
        line = get_connection()
        try:
            line.open()
        except Exception as error:  # whatever a backend raises, letters wait
            words = words_of(error)
            log.warning("No connection to the mail server, letters wait: %s", words)
            postpone_all(words)
            return None
        self.line = line
        return line

    def hang_up(self) -> None:
        line, self.line = self.line, None
        if line is not None:
            try:
                line.close()
            except (OSError, smtplib.SMTPException) as error:
                log.debug("The mail server did not say good-bye: %s", error)

    def batch(self, claimed: Sequence[Letter], line: BaseEmailBackend) -> int:
        """Send these one by one, as long as what was read of them is fresh and the line holds; the rest is let go."""
        subjects, until, left = mail.Subjects.of(claimed), time.monotonic() + HOLD, 0
        for done, letter in enumerate(claimed):
            if done and (time.monotonic() > until or self.line is None or self.stop.is_set()):
                let_go(claimed[done:])
                break
            left += self.send(letter, subjects, line)
        return left

    def send(self, letter: Letter, subjects: mail.Subjects, line: BaseEmailBackend) -> bool:
        if reason := mail.why_not(letter, subjects, timezone.now()):
            persist(give_up, _only(letter), reason)
            return False
        try:
            message = mail.compose(letter, subjects)
        except Exception as error:
            log.exception("Letter %s cannot be written.", letter.pk)
            persist(postpone, _only(letter), letter.attempts, words_of(error))
            return False
        try:
            line.send_messages([message])
        except Exception as error:  # a backend may raise anything, and the letters behind must go on
            self.failed(letter, error)
            return False
        persist(mark_sent, letter)
        return True

    def failed(self, letter: Letter, error: Exception) -> None:
        words = words_of(error)
        log.warning("Letter %s was not taken: %s", letter.pk, words)
        if is_final(error):
            persist(give_up, _only(letter), words)
        else:
            persist(postpone, _only(letter), letter.attempts, words)
        if not is_answer(error):
            self.hang_up()


# --- The outbox ----------------------------------------------------------------------------------------------------


def anything_due() -> bool:
    """Whether a letter could leave now. Reads only, so that an idle worker is in nobody's way."""
    now = timezone.now()
    return any(_asked(_LOOK, priority, now, now)[0] for priority in (ACCOUNT_FIRST, ORDINARY))


def _asked(sql: str, *values: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [_adapted(value) for value in values])
        row: tuple[Any, ...] = cursor.fetchone()
        return row


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _key(value: UUID) -> Any:
    return Letter._meta.pk.get_db_prep_value(value, connection)


def claim() -> list[Letter]:
    """Take a few letters for a while: those to people about their own account before all others."""
    lock = "FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
    now = timezone.now()
    for priority in (ACCOUNT_FIRST, ORDINARY):
        values = [_adapted(value) for value in (now + LEASE, _key(presence.mine()), priority, now, now)]
        if claimed := list(Letter.objects.raw(_CLAIM.format(lock=lock), values)):
            return sorted(claimed, key=lambda letter: (letter.due_at, letter.pk))
    return []


def let_go(claimed: Sequence[Letter]) -> None:
    """Others may have them, unless others have them already: one letter may have taken longer than the lease."""
    ours = _waiting().filter(pk__in=[letter.pk for letter in claimed], leased_by=presence.mine())
    ours.update(leased_until=None)


def free() -> None:
    """Let go what was claimed by workers of this machine that were killed."""
    for worker in presence.dead():
        _waiting().filter(leased_by=worker).update(leased_until=None)


def mark_sent(letter: Letter) -> None:
    """The statement that runs for every letter, written out: the ORM takes as long for it as the mail server."""
    with connection.cursor() as cursor:
        cursor.execute(_SENT, [_adapted(timezone.now()), _key(letter.pk)])


def give_up(those: QuerySet[Letter], words: str) -> None:
    those.update(
        state=Letter.State.GIVEN_UP,
        detail=words[:500],
        secret=None,
        leased_until=None,
        closed_at=timezone.now(),
        attempts=F("attempts") + 1,
    )


def postpone(those: QuerySet[Letter], attempts: int, words: str) -> None:
    """Try them again after a minute, then two, four, …; the last time a day after they were posted."""
    now = timezone.now()
    wait = FIRST_WAIT * 2 ** min(attempts, 11) * random.uniform(1, 1.2)  # noqa: S311  # not a secret
    give_up(those.filter(created_at__lte=now - GIVE_UP_AFTER), words)
    again = those.filter(created_at__gt=now - GIVE_UP_AFTER)
    later = {"detail": words[:500], "leased_until": None, "attempts": attempts + 1}
    last_chance = now + wait - GIVE_UP_AFTER
    again.filter(created_at__gt=last_chance).update(due_at=now + wait, **later)
    again.filter(created_at__lte=last_chance).update(due_at=F("created_at") + GIVE_UP_AFTER, **later)


def postpone_all(words: str) -> None:
    """The same for all that is due and that no other worker holds."""
    now = timezone.now()
    due = _waiting().filter(due_at__lte=now).exclude(leased_until__gt=now)
    for attempts in list(due.values_list("attempts", flat=True).distinct().order_by("-attempts")):
        postpone(due.filter(attempts=attempts), attempts, words)


def _waiting() -> QuerySet[Letter]:
    return Letter.objects.filter(state=Letter.State.WAITING)


def _only(letter: Letter) -> QuerySet[Letter]:
    return _waiting().filter(pk=letter.pk)


def persist(change: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Tell the database what became of a letter, though it is away for a while: or the letter would leave twice."""
    for pause in PATIENCE:
        try:
            return change(*args, **kwargs)
        except (OperationalError, InterfaceError):
            log.exception("The database did not take the mark of a letter; trying again.")
            close_old_connections()
            time.sleep(pause)
    return change(*args, **kwargs)


# --- What servers say ----------------------------------------------------------------------------------------------


def is_final(error: Exception) -> bool:
    """Whether the server will never take this letter."""
    if isinstance(error, (smtplib.SMTPException, OSError)):
        code, _words = answer(error)
        return 500 <= code < 600 and code not in REFUSES_US
    # A provider's. SMTP does without it, and it brings much along.
    from anymail.exceptions import AnymailRecipientsRefused  # type: ignore[import-untyped]  # noqa: PLC0415

    return isinstance(error, AnymailRecipientsRefused)


def is_answer(error: Exception) -> bool:
    """Whether the server spoke, and listens for the next letter."""
    return answer(error)[0] not in {0, 421}


def answer(error: Exception) -> tuple[int, str]:
    """The server's code and words; 0 where it said nothing."""
    said: tuple[int, bytes | str] = (0, "")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        said = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_code, error.smtp_error
    code, words = said
    return code, words.decode(errors="replace") if isinstance(words, bytes) else words


def words_of(error: Exception) -> str:
    """What to tell people: the server's words, or how it failed to say any."""
    code, words = answer(error)
    if code:
        return " ".join(f"{code} {words}".split())
    if TimeoutError in {type(error), type(error.__context__)}:
        return f"The mail server did not answer within {settings.EMAIL_TIMEOUT} seconds."
    if isinstance(error, ConnectionRefusedError):
        return "The mail server is not there: connection refused."
    if isinstance(error, (smtplib.SMTPServerDisconnected, ConnectionError)):
        return "The mail server closed the connection."
    return " ".join(f"{type(error).__name__}: {error}".split())


# --- Now and then --------------------------------------------------------------------------------------------------


def forget_secrets() -> None:
    """What a letter keeps secret is of no use an hour later, whether it left or not."""
    old = _waiting().filter(priority=ACCOUNT_FIRST, secret__isnull=False, created_at__lte=timezone.now() - SECRETS_LIVE)
    old.update(secret=None)
