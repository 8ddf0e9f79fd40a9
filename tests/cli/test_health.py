"""Alive, and ready: what a load balancer is told."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from portico import schema
from portico.delivery.worker import SEEN


@pytest.fixture
def client() -> Client:
    return Client(headers={"host": "localhost"})


def a_sign_of_life(seconds_ago: int) -> None:
    cache.set(SEEN, timezone.now() - timedelta(seconds=seconds_ago), timeout=None)


def test_alive_is_told_without_the_database(client: Client) -> None:
    def refuse(*_asked: Any) -> None:
        raise AssertionError("asked the database")

    with connection.execute_wrapper(refuse):
        told = client.get("/health/live")

    assert (told.status_code, told.json()) == (200, {"live": True})


def test_ready_when_all_is_well(client: Client, db: None) -> None:
    a_sign_of_life(seconds_ago=30)

    told = client.get("/health/ready")

    assert told.status_code == 200
    assert told["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert [told.json()[part]["ok"] for part in ("database", "migrations", "worker")] == [True, True, True]


@pytest.mark.parametrize("seconds_ago", [61, 3600])
def test_a_worker_that_is_silent_for_a_minute_is_told(client: Client, db: None, seconds_ago: int) -> None:
    a_sign_of_life(seconds_ago)

    told = client.get("/health/ready")

    assert (told.status_code, told["Retry-After"]) == (503, "5")
    assert told.json()["worker"]["ok"] is False
    assert told.json()["database"]["ok"] is True


def test_a_worker_that_never_was_is_told(client: Client, db: None) -> None:
    told = client.get("/health/ready")

    assert told.status_code == 503
    assert told.json()["worker"] == {"ok": False, "seen": None}


def test_a_migration_that_waits_is_told(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    a_sign_of_life(seconds_ago=0)
    more = schema.known() | {("portico", "0999_tomorrow")}
    monkeypatch.setattr(schema, "known", lambda: more)

    told = client.get("/health/ready")

    assert told.status_code == 503
    assert told.json()["migrations"] == {"ok": False, "waiting": 1}


def test_a_database_that_is_away_is_told(client: Client, db: None) -> None:
    def away(*_asked: Any) -> None:
        raise OperationalError("gone")

    with connection.execute_wrapper(away):
        told = client.get("/health/ready")

    assert (told.status_code, told["Retry-After"]) == (503, "5")
    assert told.json() == {
        "ready": False,
        "database": {"ok": False},
        "migrations": {"ok": False},
        "worker": {"ok": False},
    }


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_only_asking_is_allowed(client: Client, db: None, path: str) -> None:
    assert client.post(path).status_code == 405


def test_a_request_for_another_host_is_refused() -> None:
    assert Client(headers={"host": "elsewhere.example"}).get("/health/live").status_code == 400


def test_no_migration_waits_in_a_migrated_database(db: None) -> None:
    assert schema.waiting() == []
    assert ("portico", "0001_initial") in schema.known()
