"""Memory of server and worker after 10,000 requests of a signed-in administrator."""

import http.client
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from bench.measure import row, table, verdict
from bench.people import founder, terms, wanted
from portico.domain import invitations
from portico.domain.access import Member

REQUESTS, AT_MOST_MB = 10_000, 180


def run() -> None:
    actor = founder()
    invitations.send(actor, wanted=wanted(200), terms=terms(actor))
    connection.close()
    table("Memory after 10,000 requests", "MB", "bound")
    with server() as (process, port):
        _ask(port, actor)
        for pid in _family(process.pid):
            megabytes = _resident(pid)
            row(f"{_command(pid)} on {connection.vendor}", f"{megabytes:.0f}", verdict(megabytes, AT_MOST_MB))


@contextmanager
def server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`portico serve` on a free port, with its worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PORTICO_PORT": str(port), "PORTICO_BASE_URL": f"http://127.0.0.1:{port}"}
    serve = [str(Path(sys.executable).with_name("portico")), "serve"]
    with subprocess.Popen(serve, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield process, port
        finally:
            process.send_signal(signal.SIGTERM)


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not start.")


def _ask(port: int, actor: Member) -> None:
    home = f"/o/{actor.organization.slug}"
    paths = [f"{home}/", f"{home}/users", f"{home}/users?q=person1", f"{home}/users/invite", f"{home}/workspaces", "/"]
    connected = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={_session(actor)}"}
    for _ in range(REQUESTS):
        connected.request("GET", random.choice(paths), headers=cookie)
        answer = connected.getresponse()
        answer.read()
        assert answer.status == 200, answer.status


def _session(actor: Member) -> str:
    """A session as log-in would make it."""
    user = actor.membership.user
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def _family(pid: int) -> list[int]:
    """The process and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _resident(pid: int) -> float:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def _command(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return " ".join(Path(word).name for word in words if word and not word.startswith("-"))[:60]
