"""The cast: ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
(administers another organization).

Each of them is an actor as the doors build it. `tests.cast` has the functions that make more of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import TransactionTestCase, override_settings

from portico.domain import permissions, workspaces
from portico.domain.access import Member
from portico.domain.organizations import Organization
from portico.domain.permissions import MEMBERS_MANAGE
from portico.domain.roles import ADMINISTRATOR, CONTRIBUTOR, DEVELOPER, Grant
from portico.domain.workspaces import Workspace
from tests import cast, environment

# --- The cast -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ada(db: None) -> Member:
    """Administers Acme."""
    return cast.founded("Acme", by=cast.person("Ada"))


@pytest.fixture
def acme(ada: Member) -> Organization:
    return ada.organization


@pytest.fixture
def mel(acme: Organization, contributor: Grant) -> Member:
    """A plain member: a Contributor."""
    return cast.joined(acme, cast.person("Mel"), contributor)


@pytest.fixture
def ivy(acme: Organization) -> Member:
    """May manage members, nothing else."""
    return cast.joined(acme, cast.person("Ivy"), cast.custom(MEMBERS_MANAGE))


@pytest.fixture
def eve(db: None) -> Member:
    """Is from elsewhere, and administers it."""
    return cast.founded("Elsewhere", by=cast.person("Eve"))


@pytest.fixture
def administrator(acme: Organization) -> Grant:
    return cast.role(acme, ADMINISTRATOR)


@pytest.fixture
def developer(acme: Organization) -> Grant:
    return cast.role(acme, DEVELOPER)


@pytest.fixture
def contributor(acme: Organization) -> Grant:
    return cast.role(acme, CONTRIBUTOR)


@pytest.fixture
def payments(ada: Member) -> Workspace:
    """A workspace of Acme; ada is its manager."""
    return workspaces.create(ada, name="Payments")


# --- The machinery --------------------------------------------------------------------------------------------------

FINAL = import_module("portico.domain.migrations.0002_events_are_final").REFUSALS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        return
    skip = pytest.mark.skip(reason="needs PostgreSQL: python -m tests.postgres -- python -m pytest")
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def quick_settings() -> Iterator[None]:
    """Passwords need not be strong here, and pages need no collected files."""
    storages = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    unlimited = dict.fromkeys(settings.API_LIMITS, 10**6)
    with override_settings(PASSWORD_HASHERS=hashers, STORAGES=storages, API_LIMITS=unlimited):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """A database for each process. On SQLite a file as in production: threads share it with its real locks."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"] = {**database.get("TEST", {}), "NAME": str(environment.FOLDER / "tests.sqlite3")}


@pytest.fixture(scope="session", autouse=True)
def flush_although_events_are_final() -> Iterator[None]:
    """Tests with real transactions are cleaned up by DELETE on SQLite, which the events' triggers refuse."""
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def around(case: TransactionTestCase) -> None:
        with events_deletable():
            flush(case)
        cache.clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", around)
        yield


@contextmanager
def events_deletable() -> Iterator[None]:
    if connection.vendor != "sqlite":
        yield  # TRUNCATE, which fires no trigger for rows
        return
    create, drop = FINAL["sqlite"]
    with connection.cursor() as cursor:
        for statement in drop:
            cursor.execute(statement)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for statement in create:
                cursor.execute(statement)


@pytest.fixture
def operators_permissions(settings, tmp_path) -> Iterator[Callable[[str], permissions.Catalogue]]:
    """Write the operator's TOML file and get the catalogue that it makes."""

    def load(text: str) -> permissions.Catalogue:
        settings.PERMISSIONS_FILE = tmp_path / "permissions.toml"
        settings.PERMISSIONS_FILE.write_text(text)
        permissions.catalogue.cache_clear()
        return permissions.catalogue()

    yield load
    permissions.catalogue.cache_clear()
