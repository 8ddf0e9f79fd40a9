"""Checks by token, answered in front of Django: one statement, one decision, and no machinery in between.

Only what is asked by a good token that may ask it, well-formed, at the right host, is answered here. Everything else
goes the long way through Django with its body unread, and is refused there as everywhere. Both ways read with the
statements of `domain/lookup.py` and decide with the functions of `domain/checks.py`.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.http.request import split_domain_port, validate_host
from django.urls import resolve
from django.utils import timezone

from portico import metrics, web
from portico.domain import checks, lookup, tokens
from portico.domain.checks import Answer
from portico.domain.lookup import Question
from portico.front import ROUTE

from .check import told_of

log = logging.getLogger("portico.api")

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]

BEGINS, ENDS = "/api/v1/organizations/", "/check"
LONGEST = 1024 * 1024  # bytes: a thousand questions with long addresses
HEADERS = [("Content-Type", "application/json"), *web.BARE_HEADERS]


Word = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]


class One(msgspec.Struct, forbid_unknown_fields=True):
    user: Word
    permission: Word
    workspace: Word | None = None


class Many(msgspec.Struct, forbid_unknown_fields=True):
    checks: Annotated[list[One], msgspec.Meta(min_length=1, max_length=checks.MANY)]


_read_one = msgspec.json.Decoder(One).decode
_read_many = msgspec.json.Decoder(Many).decode
_write = msgspec.json.Encoder().encode


def in_front_of(django: Application) -> Application:
    """The application that answers checks itself and hands on everything else."""

    def application(environ: Environ, start: Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.endswith(ENDS) and path.startswith(BEGINS) and _is_for_us(environ):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            answer = answer_to(path[len(BEGINS) : -len(ENDS)], environ["HTTP_AUTHORIZATION"][7:], body)
            if answer is not None:
                environ[ROUTE] = _route()
                start("200 OK", HEADERS)
                return [answer]
            environ["wsgi.input"] = BytesIO(body)
        return django(environ, start)

    return application


@lru_cache(maxsize=1)
def _route() -> str:
    """The name of the long way's route, for whoever looks on."""
    return resolve(f"{BEGINS}any{ENDS}").view_name


def _is_for_us(environ: Environ) -> bool:
    """A token's question of a sensible size, which came as the settings ask for. Nothing is read yet."""
    size = environ.get("CONTENT_LENGTH", "")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("HTTP_AUTHORIZATION", "").startswith("Bearer ptc_")
        and size.isdecimal()
        and int(size) <= LONGEST
        and _is_our_host(environ.get("HTTP_HOST", ""))
        and not (settings.SECURE_SSL_REDIRECT and _is_plain(environ))
    )


@lru_cache(maxsize=16)
def _is_our_host(host: str) -> bool:
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


def _is_plain(environ: Environ) -> bool:
    name, secure = settings.SECURE_PROXY_SSL_HEADER or ("wsgi.url_scheme", "https")
    return bool(environ.get(name) != secure)


def answer_to(organization: str, secret: str, body: bytes) -> bytes | None:
    """The answer as JSON, or None for the long way."""
    if not tokens.is_well_formed(secret):
        return None
    asked = _asked(body)
    digest = tokens.bytes_of(secret)
    if isinstance(asked, One):
        question = Question(asked.user, asked.permission, asked.workspace)
        answers = _answers([question], *lookup.parameters(digest, organization, question))
        return _write(told_of(answers[0])) if answers else None
    if isinstance(asked, Many):
        questions = [Question(each.user, each.permission, each.workspace) for each in asked.checks]
        answers = _answers(questions, *lookup.parameters_for_many(digest, organization, questions))
        return _write({"results": [told_of(answer) for answer in answers]}) if answers else None
    return None


def _asked(body: bytes) -> One | Many | None:
    try:
        return _read_one(body)
    except msgspec.DecodeError:
        pass
    try:
        return _read_many(body)
    except msgspec.DecodeError:
        return None


def _answers(questions: Sequence[Question], sql: str, values: dict[str, Any]) -> list[Answer] | None:
    """One statement for all of them. None where the long way has to say no."""
    try:
        rows = fetch(sql, values)
    except ConnectionError:
        return None
    if not rows:
        return None
    now = datetime.now(UTC)
    found = [lookup.found_in(row) for row in rows]
    asker = lookup.asker_in(rows[0])
    view = checks.view_of(asker, found[0], now)
    if not checks.is_good(asker, now) or not checks.may_ask(asker, found, view):
        return None
    marks.note(asker.token_id, asker.used_at, now)
    answers = [checks.decide(question, each, view, now) for question, each in zip(questions, found, strict=True)]
    metrics.checked(answers)
    return answers


# --- The database --------------------------------------------------------------------------------------------------


class Line(threading.local):
    """This thread's own connection to where Django's goes, and its one cursor: a new one costs a tenth of a check."""

    cursor: Any = None


_line = Line()


def fetch(sql: str, values: dict[str, Any]) -> list[Any]:
    """The rows of one statement; ConnectionError where the database is away, or does not like the question."""
    if lookup.dialect() is not lookup.POSTGRESQL:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return [lookup.typed(row) for row in cursor.fetchall()]
    import psycopg  # noqa: PLC0415  # SQLite does without it

    for _attempt in range(2):  # a connection that the server has closed is noticed by using it
        try:
            if _line.cursor is None:
                how = connection.get_connection_params()
                # Django's own ways of reading values are written in Python, and another tenth.
                for name in ("cursor_factory", "context"):
                    how.pop(name, None)
                _line.cursor = psycopg.connect(**how | {"autocommit": True, "prepare_threshold": 1}).cursor()
            return list(_line.cursor.execute(sql, values).fetchall())
        except psycopg.OperationalError:
            hang_up()
        except psycopg.Error:  # nobody foresaw it: the long way says so, and logs it
            break
    raise ConnectionError


def hang_up() -> None:
    broken, _line.cursor = _line.cursor, None
    if broken is not None:
        broken.connection.close()


# --- Last used -----------------------------------------------------------------------------------------------------


class Marks:
    """When tokens were last used: noted here, and written apart by a thread, at most once a minute for each."""

    EVERY = 2.0  # seconds

    def __init__(self) -> None:
        self.noted: dict[UUID, datetime] = {}
        self.written: dict[UUID, datetime] = {}
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def note(self, token: UUID, used_at: datetime | None, now: datetime) -> None:
        known = self.written.get(token) or used_at
        if known is not None and now - known < tokens.USED_EVERY:
            return
        with self.lock:
            self.noted[token] = self.written[token] = now
            if self.thread is None or not self.thread.is_alive():  # also in a process that was forked since
                self.thread = threading.Thread(target=self._write_now_and_then, daemon=True)
                self.thread.start()

    def write(self) -> None:
        with self.lock:
            noted, self.noted = self.noted, {}
            self.written = {token: at for token, at in self.written.items() if timezone.now() - at < tokens.USED_EVERY}
        for token, now in noted.items():
            tokens.used_by_id(token, now)

    def _write_now_and_then(self) -> None:
        pause = threading.Event()
        while not pause.wait(self.EVERY):
            try:
                self.write()
            except DatabaseError:  # away or busy: the next use of the token notes it again
                log.exception("When tokens were used could not be written.")
            finally:
                connections.close_all()


marks = Marks()
