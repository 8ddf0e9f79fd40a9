"""Writes docs/permissions.md, from the code alone: `python -m docs.permissions`.

The page says for each permission what it allows, which commands need it, and which roles hold it from the start. A
test fails when it is stale.
"""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("permissions.md")
NOUNS = (
    "roles", "memberships", "organizations", "workspaces", "billing", "invitations", "departures", "tokens",
    "handovers",
)  # fmt: skip
# Acts that need the person and no permission; each opens its own command.
PERSONAL = (
    "organizations.found",
    "organizations.found_for",
    "invitations.accept",
    "invitations.decline",
    "invitations.ask_again",
    "memberships.leave",
    "memberships.known_by",
    "memberships.end_with_account",
    "tokens.issue",
    "tokens.issue_for_all",
    "tokens.revoke",
    "tokens.revoke_for_all",
    "organizations.restore",
    "organizations.trust",
    "handovers.accept",
    "handovers.decline",
)
HEAD = """# Permissions

Written from the code by `python -m docs.permissions`; do not edit it. The operator's own permissions
(`PORTICO_PERMISSIONS`) are not here: they open nothing inside Portico.
"""


def domain(noun: str) -> Any:
    """Imported late, because the tables need Django's settings."""
    return import_module(f"portico.domain.{noun}")


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that needs a permission, by the name under which doors call it."""
    for noun in NOUNS:
        for name, function in vars(domain(noun)).items():
            if hasattr(function, "permission") and function.__module__.endswith(f".{noun}"):
                yield f"{noun}.{name}", function


def sentence(function: Any) -> str:
    """What a command does: the first line of its docstring."""
    return (function.__doc__ or "").strip().splitlines()[0]


def table(*rows: tuple[str, ...]) -> str:
    head, *body = rows
    lines = [head, tuple("---" for _ in head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page() -> str:
    catalogue = domain("permissions")
    needed = dict(commands())
    held = [
        (
            f"`{each}`",
            f"{each.label}: {each.sentence}",
            ", ".join(f"`{implied}`" for implied in sorted(each.implies, key=str)) or "–",
            ", ".join(f"`{name}`" for name, command in needed.items() if command.permission == each) or "–",
            ", ".join(holders(each)),
        )
        for each in (*catalogue.BUILT_IN, catalogue.ADMINISTER)
    ]
    acts = [(f"`{name}`", f"`{command.permission}`", sentence(command)) for name, command in needed.items()]
    own = [(f"`{name}`", sentence(personal(name))) for name in PERSONAL]
    return "\n".join(
        [
            HEAD,
            table(("permission", "what it allows", "implies", "commands that need it", "who holds it"), *held),
            "## Commands\n",
            table(("command", "needs", "what it does"), *acts),
            "## Acts that need the person and no permission\n",
            table(("command", "what it does"), *own),
        ]
    )


def holders(permission: Any) -> list[str]:
    """The roles that hold it from the start, and the seats that give it."""
    catalogue = domain("permissions")
    roles = [str(name) for _slug, name, given in domain("roles").BUILT_IN if permission in catalogue.complete(given)]
    seats = [f"{seat} of the workspace" for seat in ("manager", "member") if seat in permission.seats]
    inside = seats if permission.scope == catalogue.WORKSPACE else []
    return ["Administrator"] if permission == catalogue.ADMINISTER else ["Administrator", *roles, *inside]


def personal(name: str) -> Any:
    noun, verb = name.split(".")
    return getattr(domain(noun), verb)


if __name__ == "__main__":
    import django

    # Nothing of this machine's settings, and no key in its data folder, has to do with the page.
    os.environ["PORTICO_SECRET_KEY"], os.environ["PORTICO_PERMISSIONS"] = "docs" * 20, ""
    os.environ["DJANGO_SETTINGS_MODULE"] = "portico.settings"
    django.setup()
    PAGE.write_text(page())
