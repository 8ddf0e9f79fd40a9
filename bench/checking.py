"""`check` over HTTP, against the least that a server can do and still ask the database once.

The floor is a bare WSGI function that runs the product's own statement (FLOOR names its file). Both run under the same
server with one process and four threads, on one PostgreSQL, and take turns within a round, asked by the same clients.
Half of the answers are no. Needs PostgreSQL: `python -m tests.postgres -- python -m bench checking`.
"""

import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone
from uuid_utils.compat import uuid7

from bench.measure import ROUNDS, Figures, row, table, verdict
from portico.domain import lookup, roles, tokens
from portico.domain.access import Operator, Via
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization, OwnedSlug
from portico.domain.people import User
from portico.domain.workspaces import Seat, Workspace

MEMBERSHIPS = int(os.environ.get("BENCH_MEMBERSHIPS", "500000"))
IN_EACH = 100  # members of an organization
CLIENTS, SECONDS, QUESTIONS = 16, 5, 100_000
AT_LEAST, MANY_AT_MOST = 0.8, 100
CHUNK = 5_000
LUA = """
local asked, count = {}, 0
for org in io.lines("%(asked)s") do asked[#asked + 1] = org end
wrk.method = "POST"
wrk.headers["Host"] = "%(host)s"
wrk.headers["Authorization"] = "Bearer %(secret)s"
wrk.headers["Content-Type"] = "application/json"
function request()
  count = (count + 2) %% #asked
  return wrk.format(nil, "/api/v1/organizations/" .. asked[count + 1] .. "/check", nil, asked[count + 2])
end
"""
PERMISSIONS = ("members.view", "workspaces.create", "billing.manage", "workspace.view", "workspace.manage")


@dataclass
class World:
    """Everybody who can be asked about, and the operator's token, which asks."""

    secret: str
    rows: list[tuple[str, str, str]] = field(default_factory=list)  # organization, person, workspace

    def question(self) -> tuple[str, bytes]:
        org, person, workspace = random.choice(self.rows)
        asked = {"user": person, "permission": random.choice(PERMISSIONS), "workspace": workspace}
        return org, json.dumps(asked).encode()


def run() -> None:
    if connection.vendor != "postgresql" or shutil.which("wrk") is None:
        row("check: needs PostgreSQL and wrk (apt-get install wrk); bench/checking.py says how to run it")
        return
    floor = Path(os.environ.get("FLOOR", "../shared/floor/bare_wsgi.py")).resolve()
    world = populated(MEMBERSHIPS)
    with serving("portico.wsgi:application", {}) as product, serving(*bare(floor)) as bare_floor:
        table("check", "product", "floor", "ratio", "bound")
        with tempfile.TemporaryDirectory() as folder:
            compare(world, product, bare_floor, Path(folder))
        many(world, product)


def bare(floor: Path) -> tuple[str, dict[str, str]]:
    """The floor's application, with the product's statement for a slug, a person's id and a workspace's slug."""
    how = connection.get_connection_params()
    dsn = " ".join(f"{name}={how[name]}" for name in ("host", "port", "dbname", "user", "password"))
    sql = lookup.statement(organization="text", user="id", workspace="text")
    return "bare_wsgi:application", {"FLOOR_DSN": dsn, "FLOOR_SQL": sql, "PYTHONPATH": str(floor.parent)}


@contextmanager
def serving(application: str, more: dict[str, str]) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("granian")), "--interface", "wsgi", "--blocking-threads", "4"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "error", application]
    with subprocess.Popen(command, env={**os.environ, **more}) as process:
        try:
            wait(port)
            yield port
        finally:
            process.terminate()


def wait(port: int) -> None:
    for _attempt in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("A server did not start.")


def load(world: World, port: int, folder: Path) -> tuple[float, float, float]:
    """Requests in a second, and milliseconds at p50 and p99, as wrk measures them with questions drawn at random."""
    asked = folder / "asked"
    asked.write_text("".join(f"{org}\n{body.decode()}\n" for org, body in (world.question() for _ in range(QUESTIONS))))
    script = folder / "ask.lua"
    script.write_text(LUA % {"host": settings.ALLOWED_HOSTS[0], "secret": world.secret, "asked": asked})
    command = [
        "wrk",
        "-t1",
        f"-c{CLIENTS}",
        f"-d{SECONDS}s",
        "--latency",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    rate, half, tail = (re.search(rf"{name}\s+([\d.]+)(us|ms|s)?", told) for name in ("Requests/sec:", "50%", "99%"))
    assert rate and half and tail, told
    return float(rate[1]), *(float(each[1]) * {"us": 0.001, "ms": 1, "s": 1000}[each[2]] for each in (half, tail))


def share_of_yes(world: World, port: int) -> float:
    line, yes = HTTPConnection("127.0.0.1", port, timeout=30), 0
    headers = {"Authorization": f"Bearer {world.secret}", "Host": settings.ALLOWED_HOSTS[0]}
    for _each in range(1000):
        org, body = world.question()
        line.request("POST", f"/api/v1/organizations/{org}/check", body, headers)
        yes += b"true" in line.getresponse().read()
    return yes / 1000


def compare(world: World, product: int, floor: int, folder: Path) -> None:
    rounds = [(load(world, product, folder), load(world, floor, folder)) for _round in range(ROUNDS + 1)][1:]
    ratio = Figures(tuple(mine[0] / theirs[0] for mine, theirs in rounds))
    for place, name in enumerate((f"requests/s, {MEMBERSHIPS:,} memberships", "p50, ms", "p99, ms")):
        mine, theirs = (Figures(tuple(each[side][place] for each in rounds)) for side in (0, 1))
        bound = verdict(ratio.median, AT_LEAST, at_least=True) if place == 0 else "–"
        row(name, mine, theirs, ratio if place == 0 else "–", bound)
    row("share of yes", f"{share_of_yes(world, product):.2f}", "–", "–", "–")


def many(world: World, port: int) -> None:
    """A thousand different questions in one call, against one question, each alone on an idle connection."""
    ratios = []
    line = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {world.secret}", "Content-Type": "application/json"}
    headers["Host"] = settings.ALLOWED_HOSTS[0]

    def timed(org: str, body: bytes) -> float:
        begin = time.perf_counter()
        line.request("POST", f"/api/v1/organizations/{org}/check", body, headers)
        assert line.getresponse().read()
        return time.perf_counter() - begin

    for _round in range(ROUNDS + 1):
        org = random.choice(world.rows)[0]
        here = [each for each in world.rows if each[0] == org]
        asked = [
            {"user": person, "permission": permission, "workspace": place}
            for _org, person, place in here
            for permission in PERMISSIONS
            for place in (place, None)
        ][:1000]
        random.shuffle(asked)
        one = statistics.median(timed(org, json.dumps(random.choice(asked)).encode()) for _ in range(50))
        all_ = statistics.median(timed(org, json.dumps({"checks": asked}).encode()) for _ in range(5))
        ratios.append(all_ / one)
    found = Figures(tuple(ratios[1:]))
    row(f"{len(asked):,} questions in one call / one question", "–", "–", found, verdict(found.median, MANY_AT_MOST))


def populated(count: int) -> World:
    """Organizations of a hundred members each, with a workspace that half of them sit in; written in bulk."""
    now = timezone.now()
    operator = Operator(organization=None, via=Via(door="bench"))  # type: ignore[arg-type]
    world = World(tokens.issue_for_all(operator, name="Bench").secret)
    for start in range(0, count // IN_EACH, CHUNK // IN_EACH):
        batch(world, min(CHUNK // IN_EACH, count // IN_EACH - start), now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return world


def batch(world: World, organizations: int, now: object) -> None:
    places = [Organization(id=uuid7(), slug=f"org-{uuid7().hex[-12:]}-{n}", name="Bench") for n in range(organizations)]
    Organization.objects.bulk_create(places)
    OwnedSlug.objects.bulk_create(OwnedSlug(slug=each.slug, owner_id=each.pk) for each in places)
    users, members, seats, sets, atlases = [], [], [], [], []
    for place in places:
        mine = [
            roles.Role(organization=place, slug=slug, names=names, fingerprint=slug)
            for slug, names in (("developer", ["members.view", "workspaces.create"]), ("contributor", ["members.view"]))
        ]
        sets += mine
        atlas = Workspace(organization=place, name="Atlas", slug="atlas")
        atlases.append(atlas)
        for number in range(IN_EACH):
            user = User(id=uuid7(), email=f"{uuid7().hex}@example.org", name="Bench")
            member = Membership(organization=place, user=user, grant=mine[number % 2])
            member.known_as("Bench", user.email)
            member.suspended_at = now if number % 25 == 7 else None  # type: ignore[assignment]
            member.expires_at = now + timedelta(days=number - 10) if number % 25 == 9 else None  # type: ignore[operator]
            users.append(user)
            members.append(member)
            if number % 2:
                seat = "manager" if number % 4 == 1 else "member"
                seats.append(Seat(organization=place, workspace=atlas, membership=member, role=seat))
            world.rows.append((place.slug, str(user.pk), "atlas"))
    for model, rows in ((roles.Role, sets), (Workspace, atlases), (User, users), (Membership, members), (Seat, seats)):
        model._default_manager.bulk_create(rows)  # type: ignore[attr-defined]
