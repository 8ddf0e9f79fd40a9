"""The tables: whether they are as this version needs them, and bringing them there."""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

Name = tuple[str, str]


@cache
def known() -> frozenset[Name]:
    """Every migration of this version, from the names of files: importing them all would slow each start."""
    found: set[Name] = set()
    for app in apps.get_app_configs():
        package = f"{app.name}.migrations"
        if find_spec(package):
            names = (module.name for module in pkgutil.iter_modules(import_module(package).__path__))
            found |= {(app.label, name) for name in names if name[0] not in "_~"}
    return frozenset(found)


def waiting() -> list[Name]:
    """The migrations that this database has not had yet."""
    return sorted(known() - MigrationRecorder(connection).applied_migrations().keys())


def bring_up_to_date() -> list[Name]:
    """Apply what waits, and make the table of the cache; returns what was applied. Nothing to do takes two queries."""
    todo = waiting()
    if todo:
        call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    return todo
