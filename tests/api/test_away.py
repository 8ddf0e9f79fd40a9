"""What cannot be read, and a database that is away: a problem, and nothing half-done."""

import pytest
from django.db import OperationalError, connection
from django.test import Client

from portico.domain import allowances, tokens
from portico.domain.organizations import Organization
from portico.domain.retries import Attempt
from tests.console.browser import signed_in
from tests.console.test_away import held_by_another

ORGANIZATIONS = "/api/v1/organizations"


def away(*_asked):
    raise OperationalError("server closed the connection")


@pytest.mark.django_db
def test_a_database_that_is_away_is_a_problem_and_when_to_come_back(ada):
    by_token = Client(headers={"Authorization": f"Bearer {tokens.issue(ada, name='All').secret}"})

    for client in (signed_in(ada), by_token):
        with connection.execute_wrapper(away):
            told = client.get(f"{ORGANIZATIONS}/acme")
        assert (told.status_code, told.headers["Retry-After"]) == (503, "5")
        assert told.json()["code"] == "unavailable"


@pytest.mark.django_db
def test_also_where_only_counting_fails(ada, client, monkeypatch):
    monkeypatch.setattr(allowances, "spend", away)

    for asker in (signed_in(ada), client):
        told = asker.get(f"{ORGANIZATIONS}/acme")
        assert (told.status_code, told.json()["code"]) == (503, "unavailable")


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_locked_nothing_is_half_done_and_afterwards_it_works(ada):
    client = signed_in(ada)

    def rename():
        return client.patch(f"{ORGANIZATIONS}/acme", {"name": "Fresh"}, content_type="application/json")

    with held_by_another():
        told = rename()

    assert (told.status_code, told.json()["code"]) == (503, "unavailable")
    assert rename().json()["name"] == "Fresh"


@pytest.mark.django_db
def test_what_could_not_be_done_is_done_when_it_is_asked_again(ada, monkeypatch):
    client, save = signed_in(ada), Organization.save

    def full(*_given, **_named):
        raise OperationalError("database or disk is full")

    def found():
        headers = {"Idempotency-Key": "k1"}
        return client.post(ORGANIZATIONS, {"name": "Third"}, content_type="application/json", headers=headers)

    monkeypatch.setattr(Organization, "save", full)
    assert (found().status_code, Attempt.objects.count()) == (503, 0)
    monkeypatch.setattr(Organization, "save", save)
    assert found().status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 422),
        (b"null", 422),
        (b'{"name": "\\ud800"}', 422),
        (b'{"name": "a\\u0000b"}', 422),
        (b'{"name": "a\\u202eb"}', 422),
        (b'{"name": NaN}', 422),
        (b"\xff\xfe", 400),
        (b'{"name": ' + b"[" * 50_000, 400),
        (b"", 422),
    ],
)
def test_what_is_not_well_formed_is_refused(ada, body, status):
    told = signed_in(ada).post(ORGANIZATIONS, body, content_type="application/json")

    assert (told.status_code, told.headers["Content-Type"]) == (status, "application/problem+json")


@pytest.mark.django_db
def test_a_body_without_a_length_is_not_taken_for_an_empty_one(ada):
    told = signed_in(ada).generic(
        "POST", ORGANIZATIONS, b"", content_type="application/json", headers={"Transfer-Encoding": "chunked"}
    )

    assert (told.status_code, told.json()["code"]) == (400, "malformed")
    assert "Content-Length" in told.json()["detail"]


@pytest.mark.django_db
def test_another_host_is_refused_as_programs_read_it(client):
    told = client.get("/api/v1/permissions", headers={"Host": "evil.example"})

    assert (told.status_code, told.json()["code"]) == (400, "malformed")
