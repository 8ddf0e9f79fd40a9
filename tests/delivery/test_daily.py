"""What is kept too long is deleted, a few rows at a time; what is still needed stays."""

from datetime import timedelta
from threading import Event

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.db import OperationalError
from django.utils import timezone

from portico.delivery import daily, folder, worker
from portico.domain import events, invitations, memberships
from portico.domain.events import Origin
from portico.domain.outbox import Letter

pytestmark = pytest.mark.django_db


def later(**ahead):
    return time_machine.travel(timezone.now() + timedelta(**ahead), tick=False)


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(daily, "STEP", 2)


# --- What is forgotten, and when -----------------------------------------------------------------------------------


def test_letters_that_left_are_forgotten_after_their_time_except_those_an_open_invitation_points_to(
    smtp, ada, invite, letter, settings
):
    [closed, _open] = invite("ann@example.org", "bob@example.org")
    worker.run_once()
    invitations.revoke(ada, invitations=[closed])

    with later(days=89):
        daily.run_all()
        assert Letter.objects.count() == 2
    with later(days=91):
        daily.run_all()
        assert [row.address for row in Letter.objects.all()] == ["bob@example.org"]
    closed.refresh_from_db()
    assert closed.letter is None


def test_a_letter_that_still_waits_is_never_forgotten(nobody_listens, invite):
    invite("ann@example.org")

    with later(days=400):
        daily.run_all()

    assert Letter.objects.count() == 1


def test_the_files_of_the_built_in_outbox_are_forgotten_with_them(settings, tmp_path, invite):
    settings.EMAIL_BACKEND, settings.OUTBOX_FOLDER = "portico.delivery.folder.FolderBackend", tmp_path
    invite("ann@example.org")
    worker.run_once()

    with later(days=89):
        daily.run_all()
        assert folder.count() == 1
    with later(days=91):
        daily.run_all()
        assert folder.count() == 0


def test_sessions_are_forgotten_after_their_end_and_what_is_told_of_them(client, ada):
    client.force_login(ada.membership.user)
    key = client.session.session_key
    UserSession.objects.create(user=ada.membership.user, session_key=key, ip="192.0.2.7", user_agent="Firefox")

    daily.run_all()
    assert client.session.exists(key)
    assert UserSession.objects.count() == 1
    with later(days=15):
        daily.run_all()
        assert not client.session.exists(key)
        assert not UserSession.objects.exists()


def test_where_somebody_acted_from_is_forgotten_after_400_days_and_what_they_did_never(ada, mel):
    memberships.remove(ada, members=[mel.membership])

    with later(days=399):
        daily.run_all()
        assert Origin.objects.filter(pk=ada.batch).exists()
    with later(days=401):
        daily.run_all()
        assert not Origin.objects.exists()
    [line, *_] = events.recent(ada)
    assert (line.event.action, line.subject) == ("member.removed", "Mel <mel@example.org>")


# --- How the jobs are done -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", [daily.forget_letters, daily.forget_sessions, daily.forget_devices])
def test_nothing_to_do_is_done_at_once(job):
    assert not job(timezone.now())


def test_a_job_deletes_a_few_rows_and_says_that_there_are_more(small_steps):
    Origin.objects.all().delete()
    Origin.objects.bulk_create(Origin(id=events.first_id(timezone.now() - timedelta(days=500 + n))) for n in range(5))

    left = []
    while daily.forget_origins(timezone.now()):
        left.append(Origin.objects.count())

    assert left == [3, 1]
    assert not Origin.objects.exists()


def test_between_two_letters_the_worker_takes_one_step(monkeypatch):
    taken = []
    monkeypatch.setattr(
        daily, "HOURLY", [lambda _now: taken.append("a") or len(taken) < 4, lambda _n: taken.append("b")]
    )
    monkeypatch.setattr(daily, "OFTEN", [])
    monkeypatch.setattr(daily, "DAILY", [])
    idle = worker.Worker(Event())

    for expected in (["a"], ["a", "b"], ["a", "b", "a"], ["a", "b", "a", "a"], ["a", "b", "a", "a"]):
        idle.tend()
        assert taken == expected


def test_a_job_that_fails_stops_no_other_and_is_tried_again_in_an_hour(monkeypatch, caplog):
    ran = []

    def away(_now):
        ran.append("away")
        raise OperationalError("away")

    monkeypatch.setattr(daily, "OFTEN", [])
    monkeypatch.setattr(daily, "HOURLY", [])
    monkeypatch.setattr(daily, "DAILY", [away, lambda _now: ran.append("other")])
    monkeypatch.setattr(daily, "close_old_connections", lambda: ran.append("reconnected"))
    jobs = daily.Jobs()
    while jobs.step():
        pass
    assert ran == ["away", "reconnected", "other"]
    assert "The job away failed" in caplog.text

    jobs.step()
    assert len(ran) == 3
    jobs.hourly.next = 0
    jobs.step()
    assert ran[3:] == ["away", "reconnected"]


@pytest.mark.parametrize("job", daily.OFTEN + daily.HOURLY + daily.DAILY)
def test_a_worker_that_was_killed_is_followed_by_one_that_does_the_rest(job, small_steps, smtp, ada, invite, client):
    client.force_login(ada.membership.user)
    invitations.revoke(ada, invitations=invite(*(f"p{n}@example.org" for n in range(5))))
    worker.run_once()

    with later(days=500):
        job(timezone.now())
        daily.run_all()

        assert not job(timezone.now())


def test_every_job_says_what_it_does():
    assert all(job.__doc__ for job in daily.OFTEN + daily.HOURLY + daily.DAILY)
