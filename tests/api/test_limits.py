"""How often one may ask: counted exactly, for all processes at once, and told on every answer.

ada administers Acme · mel is a plain member
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection, connections, transaction
from django.test import Client
from django.utils import timezone

from portico.delivery import daily
from portico.domain import allowances, tokens
from tests.console.browser import signed_in

ME = "/api/v1/me"


@pytest.fixture
def few(settings, tmp_path):
    settings.API_LIMITS = {"asker": 3, "address": 5, "stranger": 2}
    settings.ALLOWANCES_FILE = tmp_path / "limits.sqlite3"
    yield
    allowances.hang_up()


def statuses(client, times, path=ME, **headers):
    return [client.get(path, headers=headers).status_code for _each in range(times)]


@pytest.mark.django_db
def test_who_asks_too_often_is_told_how_long_to_wait(few, mel):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        client = signed_in(mel)
        first = client.get(ME)
        assert statuses(client, 2) == [200, 200]
        clock.shift(20)
        refused = client.get(ME)

        assert first.headers["RateLimit-Limit"] == "3"
        assert (first.headers["RateLimit-Remaining"], first.headers["RateLimit-Reset"]) == ("2", "60")
        assert (refused.status_code, refused.json()["code"]) == (429, "limited")
        assert (refused.headers["Retry-After"], refused.headers["RateLimit-Remaining"]) == ("40", "0")
        clock.shift(40)
        assert statuses(client, 4) == [200, 200, 200, 429]


@pytest.mark.django_db
def test_each_person_and_each_token_has_its_own_and_an_address_one_for_all(few, ada, mel):
    secrets = [tokens.issue(member, name="All").secret for member in (ada, ada, mel)]
    one, two, three = (Client(headers={"Authorization": f"Bearer {secret}"}) for secret in secrets)

    assert statuses(one, 4) == [200, 200, 200, 429]
    assert statuses(two, 1) == [200]
    assert statuses(three, 1) == [429]
    assert three.get(ME, REMOTE_ADDR="192.0.2.9").status_code == 200


@pytest.mark.django_db
def test_who_tries_tokens_is_soon_told_nothing(few, ada):
    guesses = [Client(headers={"Authorization": f"Bearer {tokens.new_secret()}"}) for _each in range(3)]

    assert [guess.get(ME).status_code for guess in guesses] == [401, 401, 429]
    assert statuses(signed_in(ada), 1) == [200]


@pytest.mark.django_db
def test_a_proxy_is_believed_only_as_configured(few, mel, settings):
    client = signed_in(mel)
    forged = [client.get(ME, headers={"X-Forwarded-For": f"198.51.100.{n}"}).status_code for n in range(4)]
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    strangers = [Client().get(ME, headers={"X-Forwarded-For": f"9.9.9.9, 198.51.100.{n}"}) for n in range(4)]

    assert forged == [200, 200, 200, 429]
    assert [answer.status_code for answer in strangers] == [401] * 4


@pytest.mark.django_db
def test_checks_are_not_counted(few, mel):
    client = signed_in(mel)
    asked = {"user": str(mel.id), "permission": "members.view"}

    for _each in range(5):
        answer = client.post("/api/v1/organizations/acme/check", asked, content_type="application/json")
        assert answer.status_code == 200
        assert "RateLimit-Limit" not in answer.headers


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_counted_exactly(few):
    now = timezone.now()

    def ask(_number):
        try:
            return allowances.spend({"address 192.0.2.1": 100, "asker x": 1000}, now).left
        finally:
            connections.close_all()
            allowances.hang_up()

    with ThreadPoolExecutor(8) as pool:
        left = list(pool.map(ask, range(120)))

    assert sorted(left, reverse=True) == list(range(99, -21, -1))


@pytest.mark.django_db(transaction=True)
def test_who_only_reads_does_not_wait_for_somebody_who_writes(few, mel):
    client = signed_in(mel)
    begun, done = threading.Event(), threading.Event()

    def write():
        with transaction.atomic():
            mel.organization.lock()
            begun.set()
            done.wait(5)
        connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(5)
    answer = client.get(ME)
    still_writing = writer.is_alive()
    done.set()
    writer.join()

    assert (answer.status_code, still_writing) == (200, True)


@pytest.mark.skipif(connection.vendor == "postgresql", reason="there it is counted in the database itself")
@pytest.mark.django_db
def test_what_cannot_be_counted_is_not_refused(few, mel, settings, tmp_path):
    settings.ALLOWANCES_FILE = tmp_path / "nowhere" / "limits.sqlite3"

    assert statuses(signed_in(mel), 5) == [200] * 5


@pytest.mark.django_db
def test_what_was_counted_is_forgotten(few, mel):
    statuses(signed_in(mel), 3)

    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        daily.run_all()
        assert allowances._run("SELECT count(*) FROM portico_allowance", []) == [(0,)]
