"""What a whole file of tests needs, made once.

@pytest.fixture(scope="module")
def founded(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), undone():
        yield …

@pytest.fixture
def acme(founded, db):  # `db` takes back what the one test does
    return deepcopy(founded)
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is written inside is gone afterwards. Commands may run inside, `durable` as they are.

    A block like those in which Django's own TestCase runs its tests.
    """
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)
