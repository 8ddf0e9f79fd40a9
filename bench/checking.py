"""`check` over HTTP, against the least that a server can do and still ask the database once.

The floor is a bare WSGI function that runs the product's own statement (FLOOR names its file). Both run under the same
server with one process and four threads, on one PostgreSQL, and take turns within a round, asked by the same clients.
Half of the answers are no. Then the same at ten times as many memberships against a thousand, of which a copy is kept.
Needs PostgreSQL 18: `python -m tests.postgres -- python -m bench checking`.
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
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.models import Model
from psycopg import sql

from bench.measure import ROUNDS, Figures, row, table, verdict
from portico.domain import lookup, roles, tokens
from portico.domain.access import Operator, Via
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization, OwnedSlug
from portico.domain.people import User
from portico.domain.workspaces import Seat, Workspace

FEW, MEMBERSHIPS = 1_000, int(os.environ.get("BENCH_MEMBERSHIPS", "500000"))
GROWN = MEMBERSHIPS * 10
IN_EACH = 100  # members of an organization
CLIENTS, SECONDS, QUESTIONS = 16, 5, 100_000
AT_LEAST, MANY_AT_MOST, GROWN_AT_MOST = 0.8, 100, 1.25
PRODUCT = "portico.wsgi:application"
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
    """Who can be asked about, drawn from everybody, and the operator's token, which asks."""

    secret: str
    rows: list[tuple[str, str, str]]  # organization, person, workspace

    def question(self) -> tuple[str, bytes]:
        org, person, workspace = random.choice(self.rows)
        asked = {"user": person, "permission": random.choice(PERMISSIONS), "workspace": workspace}
        return org, json.dumps(asked).encode()


def run() -> None:
    if connection.vendor != "postgresql" or shutil.which("wrk") is None:
        row("check: needs PostgreSQL and wrk (apt-get install wrk); bench/checking.py says how to run it")
        return
    floor = Path(os.environ.get("FLOOR", "../shared/floor/bare_wsgi.py")).resolve()
    operator = Operator(organization=None, via=Via(door="bench"))  # type: ignore[arg-type]
    secret = tokens.issue_for_all(operator, name="Bench").secret
    small = World(secret, populated(FEW))
    with copied() as of_the_small, tempfile.TemporaryDirectory() as folder:
        world = World(secret, populated(MEMBERSHIPS))
        with serving(PRODUCT, {}) as product, serving(*bare(floor)) as bare_floor:
            table("check", "product", "floor", "ratio", "bound")
            compare(world, product, bare_floor, Path(folder))
            many(world, product)
        grown = World(secret, populated(GROWN))
        with serving(PRODUCT, {}) as product, serving(PRODUCT, of_the_small) as beside:
            compare_sizes(grown, product, small, beside, Path(folder))


@contextmanager
def copied() -> Iterator[dict[str, str]]:
    """A copy of the database as it is now, and the environment of a server on it."""
    url = os.environ["PORTICO_DATABASE_URL"]
    here, there = connection.settings_dict["NAME"], "bench_small"
    connection.close()
    with psycopg.connect(url.replace(f"/{here}", "/template1"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {there} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {there} TEMPLATE {here}")
        yield {"PORTICO_DATABASE_URL": url.replace(f"/{here}", f"/{there}")}
        admin.execute(f"DROP DATABASE {there} WITH (FORCE)")


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


def compare_sizes(grown: World, product: int, small: World, beside: int, folder: Path) -> None:
    """The product on many memberships against itself on few, in turn: what one request takes longer."""
    rounds = [(load(grown, product, folder), load(small, beside, folder)) for _round in range(ROUNDS + 1)][1:]
    ratio = Figures(tuple(few[0] / lots[0] for lots, few in rounds))
    lots, few = (Figures(tuple(each[side][0] for each in rounds)) for side in (0, 1))
    name = f"requests/s, {GROWN:,} memberships | {lots} | {FEW:,}: {few}"
    row(name, ratio, verdict(ratio.median, GROWN_AT_MOST))


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
        people = Membership.objects.filter(organization__slug=org).values_list("user_id", flat=True)
        asked = [
            {"user": str(person), "permission": permission, "workspace": place}
            for person in people
            for permission in PERMISSIONS
            for place in ("atlas", None)
        ][:1000]
        random.shuffle(asked)
        one = statistics.median(timed(org, json.dumps(random.choice(asked)).encode()) for _ in range(50))
        all_ = statistics.median(timed(org, json.dumps({"checks": asked}).encode()) for _ in range(5))
        ratios.append(all_ / one)
    found = Figures(tuple(ratios[1:]))
    row(f"{len(asked):,} questions in one call / one question", "–", "–", found, verdict(found.median, MANY_AT_MOST))


# --- Everybody -----------------------------------------------------------------------------------------------------


def populated(count: int) -> list[tuple[str, str, str]]:
    """Grow to so many memberships; some of them at random, and where they belong.

    Organizations of a hundred members each, half of them Developers, with a workspace that half of them sit in. Some
    are suspended, some past their end. Written by the database itself, which takes a twentieth of the time.
    """
    more = (count - Membership.objects.count()) // IN_EACH
    with connection.cursor() as cursor:
        cursor.execute(BELONGING.format(more=more, each=IN_EACH))
        for model, source, columns in TABLES:
            fill(model, source, columns)
        cursor.execute("DROP TABLE new_member; DROP TABLE new_place")
        cursor.execute("VACUUM ANALYZE")
    drawn = Membership.objects.order_by("?").values_list("organization__slug", "user_id")[: 3 * QUESTIONS]
    return [(slug, str(person), "atlas") for slug, person in drawn]


BELONGING = """
CREATE TEMP TABLE new_place AS SELECT uuidv7() AS id, uuidv7() AS atlas, uuidv7() AS developer, uuidv7() AS contributor,
    'org-' || encode(sha256(random()::text::bytea), 'hex')::varchar(30) AS slug FROM generate_series(1, {more});
CREATE TEMP TABLE new_member AS SELECT place.*, n, uuidv7() AS person, uuidv7() AS membership
    FROM new_place place CROSS JOIN generate_series(0, {each} - 1) AS n
"""
ROLE = {"id": "{0}", "organization_id": "id", "slug": "'{0}'", "fingerprint": "'{0}'"}
TABLES: list[tuple[Model, str, dict[str, str]]] = [
    (Organization(name="Bench"), "new_place", {"id": "id", "slug": "slug"}),
    (OwnedSlug(), "new_place", {"id": "uuidv7()", "slug": "slug", "owner_id": "id"}),
    *(
        (roles.Role(names=names), "new_place", {name: said.format(role) for name, said in ROLE.items()})
        for role, names in (("developer", ["members.view", "workspaces.create"]), ("contributor", ["members.view"]))
    ),
    (Workspace(name="Atlas", slug="atlas"), "new_place", {"id": "atlas", "organization_id": "id"}),
    (User(name="Bench"), "new_member", {"id": "person", "email": "person || '@example.org'"}),
    (
        Membership(name="Bench", sort_name="bench", search=" bench"),
        "new_member",
        {
            "id": "membership",
            "organization_id": "id",
            "user_id": "person",
            "grant_id": "CASE n % 2 WHEN 0 THEN developer ELSE contributor END",
            "address": "person || '@example.org'",
            "suspended_at": "CASE n % 25 WHEN 7 THEN now() END",
            "expires_at": "CASE n % 25 WHEN 9 THEN now() + (n - 10) * interval '1 day' END",
        },
    ),
    (
        Seat(),
        "new_member WHERE n % 2 = 1",
        {
            "id": "uuidv7()",
            "organization_id": "id",
            "workspace_id": "atlas",
            "membership_id": "membership",
            "role": "CASE n % 4 WHEN 1 THEN 'manager' ELSE 'member' END",
        },
    ),
]


def fill(like: Model, source: str, columns: dict[str, str]) -> None:
    """A row like this for each of the source; what differs is said in SQL."""
    fields = like._meta.concrete_fields
    names = ", ".join(field.column for field in fields)
    said = ", ".join(columns.get(field.attname) or literal(like, field) for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {like._meta.db_table} ({names}) SELECT {said} FROM {source}")


def literal(like: Model, field: Any) -> str:
    value = field.get_db_prep_save(getattr(like, field.attname), connection)
    return sql.Literal(value).as_string(connection.connection)
