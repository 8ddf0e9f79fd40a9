"""A worker that is killed in the middle of a thousand letters loses none, and repeats at most the one in its hand."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.utils import timezone

from portico.delivery import worker
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from tests import cast
from tests.delivery.post_office import PostOffice

pytestmark = pytest.mark.django_db(transaction=True)
LETTERS = 1000
WORKER = """
import sys
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from portico.delivery import worker
worker.run_once()
"""


@contextmanager
def worker_process(office: PostOffice) -> Iterator[subprocess.Popen]:
    """A real one, as `portico worker` runs it, at the tests' database."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "portico.settings",
        "PORTICO_EMAIL_URL": f"smtp://127.0.0.1:{office.port}",
    }
    command = [sys.executable, "-c", WORKER, str(connection.settings_dict["NAME"])]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kill_at(office: PostOffice, count: int, process: subprocess.Popen) -> None:
    """Kill it when the server has this letter and has not said so yet: the worst moment there is."""

    async def kill(received) -> None:
        if len(office.received) == count:
            process.send_signal(signal.SIGKILL)

    office.between = kill


def test_a_killed_worker_loses_nothing_and_repeats_at_most_one_letter_for_each_kill(office, ada, developer):
    Organization.objects.update(is_trusted=True)
    cast.invite(ada, *(f"p{n}@example.org" for n in range(LETTERS)), grant=developer)

    for count in (300, 700):
        with worker_process(office) as process:
            kill_at(office, count, process)
            assert process.wait(60) == -signal.SIGKILL
        in_its_hand = Letter.objects.filter(state="waiting", leased_until__gt=timezone.now())
        assert 0 < in_its_hand.count() <= worker.BATCH  # the next worker sees that their owner is dead
    office.between = None
    with worker_process(office) as process:
        assert process.wait(60) == 0

    assert Letter.objects.filter(state="sent").count() == LETTERS
    assert len(office.counted) == LETTERS
    assert len(office.received) <= LETTERS + 2
