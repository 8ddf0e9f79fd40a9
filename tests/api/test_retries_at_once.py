"""The same key twice at once, on PostgreSQL, made to meet. What is asked happens once."""

import threading
from datetime import timedelta

import pytest
from django.test import Client

from portico.domain import organizations, retries
from portico.domain.events import Event
from portico.domain.organizations import Organization
from tests.console.browser import signed_in
from tests.test_races import PATIENCE, Runner, until

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ask(mel):
    """The same request, each time over a connection of its own."""
    cookies = signed_in(mel).cookies

    def post():
        client = Client()
        client.cookies = cookies
        headers = {"Idempotency-Key": "k1"}
        answer = client.post(
            "/api/v1/organizations", {"name": "Third"}, content_type="application/json", headers=headers
        )
        answers.append((answer.status_code, answer.json().get("code")))

    answers: list[tuple[int, str | None]] = []
    post.answers = answers
    return post


@pytest.fixture
def hold(monkeypatch):
    """Holds the first of two where it comes to this function, until it may go on."""

    def at(module, name):
        function = getattr(module, name)

        def held(*args, **kwargs):
            if threading.current_thread() is runners[0].thread:
                runners[0].stands = True
                go.wait(PATIENCE)
            return function(*args, **kwargs)

        monkeypatch.setattr(module, name, held)

    runners: list[Runner] = []
    go = threading.Event()
    at.runners, at.go = runners, go
    return at


def founded() -> tuple[int, int]:
    return Organization.objects.filter(name="Third").count(), Event.objects.filter(
        action="organization.founded"
    ).count()


def test_while_the_first_has_written_and_not_committed_the_second_hears_that_it_runs(ask, hold):
    hold(retries, "finish")
    first, second = hold.runners[:] = [Runner(ask), Runner(ask)]
    first.thread.start()
    until(lambda: first.stands)

    second.thread.start()
    second.thread.join(PATIENCE)
    heard = list(ask.answers)
    hold.go.set()
    first.thread.join(PATIENCE)
    ask()

    assert heard == [(409, "in_progress")]
    assert ask.answers[1:] == [(201, None), (201, None)]
    assert founded() == (1, 2)  # Acme too


def test_who_is_taken_for_dead_and_comes_back_has_done_nothing(ask, hold, monkeypatch):
    monkeypatch.setattr(retries, "RUNS_FOR", timedelta(0))
    hold(retries, "finish")
    first, second = hold.runners[:] = [Runner(ask), Runner(ask)]
    first.thread.start()
    until(lambda: first.stands)

    second.thread.start()
    until(lambda: second.waits)  # for the address that the first has taken and not committed
    hold.go.set()
    for runner in hold.runners:
        runner.thread.join(PATIENCE)

    assert sorted(ask.answers) == [(201, None), (409, "in_progress")]
    assert founded() == (1, 2)


def test_two_who_begin_at_the_same_moment_are_one_and_one_who_is_told_so(ask, hold):
    """Held before it commits that it runs: the second waits for that, and no longer."""
    hold(organizations, "ensure_founding_is_open")
    first, second = hold.runners[:] = [Runner(ask), Runner(ask)]
    first.thread.start()
    second.thread.start()
    until(lambda: first.stands or second.outcome)
    second.thread.join(PATIENCE)
    hold.go.set()
    first.thread.join(PATIENCE)

    assert sorted(ask.answers) in ([(201, None), (409, "in_progress")], [(201, None), (201, None)])
    assert founded() == (1, 2)
