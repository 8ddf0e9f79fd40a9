"""`python -m bench [part …]`: every measurement, or those named, on the database that the environment names."""

import sys
from importlib import import_module

import django

PARTS = ["inviting", "delivering", "users_page", "pages", "api", "audit", "images", "memory", "checking"]


def main() -> None:
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)  # pages name their files by what is in them
    for part in sys.argv[1:] or PARTS:
        import_module(f"bench.{part}").run()


main()
