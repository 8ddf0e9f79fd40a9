"""Kill -9 of everything, in the middle of inviting a thousand people and of delivering their letters.

A real `portico serve`, asked over HTTP as the page asks it, and a real mail server. After each kill an invitation has
its event and its letter, or none of them is there; in the end every letter has arrived, and a kill repeated at most
the one that was on the line.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPException
from http.cookiejar import CookieJar
from pathlib import Path
from threading import Event
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import psycopg
import pytest

from tests.cli.conftest import PATIENCE, Server, until
from tests.delivery.post_office import PostOffice, Received

PEOPLE = 1000
NOTHING, EVERYTHING = (0,) * 4, (PEOPLE,) * 4
ADA = "ada@example.org"
PASSWORD = "correct horse battery staple"
Serve = Callable[..., Server]
COUNTS = """
    SELECT (SELECT count(*) FROM portico_invitation),
           (SELECT count(*) FROM portico_event WHERE action = 'invitation.sent'),
           (SELECT count(*) FROM portico_letter WHERE kind = 'invitation'),
           (SELECT count(*) FROM portico_invitation WHERE letter_id IN (SELECT id FROM portico_letter))
"""
SENT = "SELECT count(*) FROM portico_letter WHERE kind = 'invitation' AND state = 'sent'"


@pytest.fixture
def office() -> Iterator[PostOffice]:
    office = PostOffice()
    office.start()
    yield office
    office.stop()


class Database:
    """The rows of the installation, seen from outside."""

    def __init__(self, environment: dict[str, str]):
        self.url = environment.get("PORTICO_DATABASE_URL", "")
        self.file = Path(environment["PORTICO_DATA"]) / "portico.sqlite3"

    def row(self, query: str) -> tuple[Any, ...]:
        connection: Any = psycopg.connect(self.url) if self.url else sqlite3.connect(self.file, timeout=20)
        with closing(connection):
            return tuple(connection.execute(query).fetchone())

    def is_in_a_command(self) -> bool:
        """Whether somebody holds the lock under which every command runs."""
        try:
            if self.url:
                self.row("SELECT id FROM portico_organization FOR NO KEY UPDATE NOWAIT")
            else:
                with closing(sqlite3.connect(self.file, timeout=0)) as connection:
                    connection.execute("BEGIN IMMEDIATE")
        except (sqlite3.OperationalError, psycopg.errors.LockNotAvailable):
            return True
        return False


class Browser:
    """Ada's: signed in, and with the token of the form."""

    def __init__(self, server: Server):
        self.base = f"http://127.0.0.1:{server.port}"
        self.cookies = CookieJar()
        self.opener = build_opener(HTTPCookieProcessor(self.cookies))
        self.opener.open(f"{self.base}/account/login/").close()
        assert self.post("/account/login/", login=ADA, password=PASSWORD) == 200

    def post(self, path: str, **form: str) -> int:
        """The status of the page that comes in the end; 0 when the server was gone before it could answer."""
        [token] = [str(cookie.value) for cookie in self.cookies if cookie.name == "csrf"]
        try:
            with self.opener.open(self.base + path, urlencode(form | {"csrfmiddlewaretoken": token}).encode()) as page:
                return int(page.status)
        except HTTPError as error:
            with error:
                return error.code
        except (OSError, HTTPException):
            return 0

    def invite_everybody(self) -> int:
        emails = "\n".join(f"p{number}@example.org" for number in range(PEOPLE))
        return self.post("/o/acme/users/invite", do="invite", emails=emails, role="developer", message="Hello")


@pytest.fixture
def server(serve: Serve, environment: dict[str, str], office: PostOffice) -> Server:
    """A fresh installation, in which Ada administers Acme."""
    environment["PORTICO_EMAIL_URL"] = f"smtp://127.0.0.1:{office.port}"
    server = serve()
    server.up()
    shell(environment, "user", "create", "--email", ADA, "--name", "Ada", "--password", PASSWORD, "--verified")
    shell(environment, "organization", "found", "--name", "Acme", "--administrator", ADA)
    return server


def shell(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "portico.cli", *arguments], env=environment, check=True, capture_output=True)


def kill(*pids: int | None) -> None:
    for pid in filter(None, pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_everything(server: Server) -> None:
    kill(server.process.pid, *server.children())
    server.wait()


def test_a_kill_while_a_thousand_are_invited_leaves_all_of_it_or_nothing(
    server: Server, serve: Serve, environment: dict[str, str]
) -> None:
    database, ada, seen = Database(environment), Browser(server), []
    with ThreadPoolExecutor() as threads:

        def killed_midway(pause: float, end: Callable[[], None]) -> None:
            answer = threads.submit(ada.invite_everybody)
            until(lambda: database.is_in_a_command() or answer.done())
            time.sleep(pause)
            end()
            answer.result()
            seen.append(database.row(COUNTS))

        killed_midway(0, lambda: kill(server.server()))
        until(lambda: server.get("/health/live")[0] == 200)  # started again by itself
        killed_midway(0.1, lambda: kill_everything(server))
    serve().up()
    ada.invite_everybody()
    seen.append(database.row(COUNTS))

    assert seen[0] == NOTHING
    assert seen[1] in {NOTHING, EVERYTHING}
    assert seen[2] == EVERYTHING


def test_a_kill_while_a_thousand_letters_leave_loses_none_and_repeats_at_most_the_one_on_the_line(
    server: Server, serve: Serve, environment: dict[str, str], office: PostOffice
) -> None:
    database, everything_is_dead = Database(environment), Event()

    async def disturb(_letter: Received) -> None:
        """When the mail server has a letter and has not said so yet: the worst moment there is."""
        if len(office.received) == 300:
            kill(server.worker())
        if len(office.received) == 600:
            kill_everything(server)
            everything_is_dead.set()

    office.between = disturb
    assert Browser(server).invite_everybody() == 200
    assert everything_is_dead.wait(PATIENCE)
    serve().up()
    until(lambda: database.row(SENT) == (PEOPLE,))

    assert database.row(SENT) == (PEOPLE,)
    assert len(office.counted) == PEOPLE
    assert len(office.received) <= PEOPLE + 2
