"""`portico`: a shell command in this process. `Server`: a real `portico serve` of its own, with its own data."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner, Result

from portico.cli.main import app
from tests.postgres import free_port

PATIENCE = 60  # seconds; machines under load are slow, and a pass never waits


@pytest.fixture
def portico(db: None) -> Callable[..., Result]:
    """Run a command against the database of the tests."""

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin)

    return run


def answer(result: Result) -> dict[str, Any]:
    """The one JSON object on standard output, and nothing else there."""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


class Server:
    """A `portico serve` and what it said. Every warning of Python is an error in it."""

    def __init__(self, environment: dict[str, str], *arguments: str):
        self.port = int(environment["PORTICO_PORT"])
        self.began = time.monotonic()
        command = [sys.executable, "-W", "error", "-m", "portico.cli", "serve", *arguments]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        )
        self.family = {self.process.pid}  # every process that was seen to belong to it
        self.left_behind: set[int] = set()  # of these, when `serve` itself had ended
        self.out: list[str] = []
        self.errors: list[str] = []
        self.readers = [
            threading.Thread(target=self.keep, args=(self.process.stdout, self.out)),
            threading.Thread(target=self.keep, args=(self.process.stderr, self.errors)),
        ]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def keep(stream: Any, lines: list[str]) -> None:
        with stream:
            lines.extend(stream)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and body; status 0 while nobody answers."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def up(self) -> float:
        """Wait for the first page; the seconds from the start to it."""
        until(lambda: self.get("/account/login/")[0] == 200 or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        return time.monotonic() - self.began

    def ready(self) -> dict[str, Any]:
        until(lambda: self.get("/health/ready")[0] == 200)
        status, body = self.get("/health/ready")
        assert status == 200, body
        return dict(json.loads(body))

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(PATIENCE)
        self.left_behind = self.family & processes().keys()
        for reader in self.readers:
            reader.join(PATIENCE)
        return code

    def said(self) -> str:
        return "".join([*self.out, *self.errors])

    def children(self) -> dict[int, str]:
        """The processes below this one, with their command lines."""
        found = {pid: command for pid, (parent, command) in processes().items() if parent == self.process.pid}
        self.family |= found.keys()
        return found

    def worker(self) -> int | None:
        return next((pid for pid, command in self.children().items() if " worker " in f"{command} "), None)

    def server(self) -> int | None:
        return next((pid for pid, command in self.children().items() if " serve" in command), None)


def processes() -> dict[int, tuple[int, str]]:
    """Every process of this machine: parent and command line; without those that are dead and not yet buried."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return {int(row[0]): (int(row[1]), row[3]) for row in rows if len(row) == 4 and not row[2].startswith("Z")}


def until(true: Callable[[], object]) -> None:
    """Wait for it; the assertion that follows tells when it never came."""
    deadline = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.fixture
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of a fresh installation; on PostgreSQL where the tests run there, in a database of its own.

    It is up to date already, because that takes longer than what most tests ask, save for `mark.empty_machine`.
    """
    is_empty = request.node.get_closest_marker("empty_machine") is not None
    model = None if is_empty else request.getfixturevalue("up_to_date")
    if model:
        shutil.copytree(model.data, tmp_path / "data")
    here = surroundings(tmp_path / "data")
    if url := os.environ.get("PORTICO_DATABASE_URL"):
        with own_database(url, like=model and model.database) as (_name, own):
            yield here | {"PORTICO_DATABASE_URL": own}
    else:
        yield here


def surroundings(data: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    return kept | {"PORTICO_DATA": str(data), "PORTICO_PORT": str(free_port())}


@dataclass(frozen=True)
class UpToDate:
    """An installation that was started once, and what it left."""

    data: Path
    database: str | None


@pytest.fixture(scope="session")
def up_to_date(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpToDate]:
    data = tmp_path_factory.mktemp("up-to-date") / "data"
    if url := os.environ.get("PORTICO_DATABASE_URL"):
        with own_database(url) as (name, own):
            start_once(surroundings(data) | {"PORTICO_DATABASE_URL": own})
            yield UpToDate(data, name)
    else:
        start_once(surroundings(data))
        yield UpToDate(data, None)


def start_once(environment: dict[str, str]) -> None:
    server = Server(environment, "--no-worker")
    server.up()
    assert server.end() == 0, server.said()


@contextmanager
def own_database(url: str, like: str | None = None) -> Iterator[tuple[str, str]]:
    """The name and the address of a new database: empty, or a copy."""
    name = f"portico_{secrets.token_hex(6)}"
    parts = conninfo_to_dict(url)
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(like or "template1")))
        try:
            yield name, f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{name}"
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def serve(environment: dict[str, str]) -> Iterator[Callable[..., Server]]:
    """Start `portico serve` in the fresh installation; whatever is left of it afterwards is killed."""
    started: list[Server] = []

    def start(*arguments: str, **settings: str) -> Server:
        started.append(Server(environment | settings, *arguments))
        return started[-1]

    yield start
    for server in started:
        server.children()
        for pid in server.family & processes().keys():
            os.kill(pid, signal.SIGKILL)
        server.wait()
