"""What the console answers when the database cannot: 503, when to come back, and nothing half-done."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.outbox import Letter
from tests.console.browser import signed_in, text

INVITE = {"do": "invite", "emails": "bob@example.org", "role": "contributor"}


@contextmanager
def held_by_another() -> Iterator[None]:
    """Somebody else has the lock that every command needs, and keeps it for longer than one waits."""
    if connection.vendor == "sqlite":
        patience = "PRAGMA busy_timeout = 100"
        other: Any = sqlite3.connect(str(connection.settings_dict["NAME"]), uri=True)
        take = "BEGIN IMMEDIATE"
    else:
        patience = "SET lock_timeout = '100ms'"
        other = psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor})
        take = "SELECT id FROM portico_organization FOR NO KEY UPDATE"
    with closing(other):
        other.execute(take)
        with connection.cursor() as cursor:
            cursor.execute(patience)
        yield
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_locked_nothing_is_half_done_and_afterwards_it_works(ada):
    ada_s = signed_in(ada)
    before = [table.objects.count() for table in (Invitation, Event, Letter)]
    with held_by_another():
        told = ada_s.post("/o/acme/users/invite", INVITE)
    assert (told.status_code, told["Retry-After"]) == (503, "5")
    assert [table.objects.count() for table in (Invitation, Event, Letter)] == before

    assert ada_s.post("/o/acme/users/invite", INVITE).status_code == 303
    assert Invitation.objects.count() == Letter.objects.count() == 1


@pytest.mark.parametrize("why", ["server closed the connection", "database is locked", "database or disk is full"])
def test_a_database_that_is_away_is_a_sentence_and_when_to_come_back(ada, why):
    def away(*_asked: Any) -> None:
        raise OperationalError(why)

    ada_s = signed_in(ada)
    with connection.execute_wrapper(away):
        told = ada_s.get("/o/acme/users")

    assert (told.status_code, told["Retry-After"]) == (503, "5")
    assert "Nothing was changed. Try again in a few seconds." in text(told)
    assert why not in told.content.decode()
