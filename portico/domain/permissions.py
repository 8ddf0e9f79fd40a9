"""The catalogue: everything that can be allowed, in words, and what it implies.

Every place that shows a permission prints its words from here. An operator adds the permissions of their own product
in a TOML file, which open nothing inside Portico:

    [[permission]]
    name = "reports.read"
    label = "Read reports"
    sentence = "Open the reports of the organization"
    scope = "organization"            # or "workspace", and then:
    seats = ["manager", "member"]     # which seats give it; a manager's alone if left out
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ORGANIZATION, WORKSPACE = "organization", "workspace"
MANAGER, MEMBER = "manager", "member"


@dataclass(frozen=True, eq=False)
class Permission:
    """One thing that can be allowed. There is one object of each in a process, so they are compared as objects."""

    name: str
    label: str | Promise
    sentence: str | Promise
    implies: frozenset["Permission"] = frozenset()
    scope: str = ORGANIZATION
    seats: frozenset[str] = frozenset({MANAGER})

    def __str__(self) -> str:
        return self.name


Permissions = frozenset[Permission]
NONE: Permissions = frozenset()

MEMBERS_VIEW = Permission(
    "members.view", _("View members of the organization"), _("See who belongs to the organization")
)
MEMBERS_MANAGE = Permission(
    "members.manage",
    _("Manage members"),
    _(
        "Manage other members' organization permissions, invite users to the organization, "
        "remove users from the organization"
    ),
    implies=frozenset({MEMBERS_VIEW}),
)
ORGANIZATION_MANAGE = Permission(
    "organization.manage",
    _("Manage organization"),
    _("Manage and update the details of the organization and its image"),
)
BILLING_MANAGE = Permission(
    "billing.manage",
    _("Manage billing information for organization"),
    _("Manage and update billing information of the organization, its billing data"),
)
WORKSPACES_CREATE = Permission(
    "workspaces.create", _("Create new workspace"), _("Create a workspace in the organization")
)
WORKSPACES_VIEW_ALL = Permission(
    "workspaces.view_all",
    _("View all workspaces"),
    _("See other workspaces of the organization which they are not a member of"),
)
WORKSPACE_VIEW = Permission(
    "workspace.view",
    _("View this workspace"),
    _("Open the workspace and see who has a seat in it"),
    scope=WORKSPACE,
    seats=frozenset({MANAGER, MEMBER}),
)
WORKSPACE_MANAGE = Permission(
    "workspace.manage",
    _("Manage this workspace"),
    _("Edit and archive the workspace, decide who has a seat in it"),
    implies=frozenset({WORKSPACE_VIEW}),
    scope=WORKSPACE,
)
BUILT_IN = (
    MEMBERS_MANAGE,
    ORGANIZATION_MANAGE,
    BILLING_MANAGE,
    MEMBERS_VIEW,
    WORKSPACES_CREATE,
    WORKSPACES_VIEW_ALL,
    WORKSPACE_VIEW,
    WORKSPACE_MANAGE,
)

# What an Administrator holds beyond everything, and no checkbox gives: so no other set ever equals it.
ADMINISTER = Permission("administer", _("Administer the organization"), _("Do everything, now and in the future"))


# What a token of the organization can hold at most: it reads and checks, and manages nothing.
READS: Permissions = frozenset({MEMBERS_VIEW, WORKSPACES_VIEW_ALL})


@dataclass(frozen=True)
class Catalogue:
    """All permissions of this installation, in the order in which pages show them."""

    every: tuple[Permission, ...]

    @property
    def of_organization(self) -> list[Permission]:
        return [permission for permission in self.every if permission.scope == ORGANIZATION]

    @property
    def of_workspace(self) -> list[Permission]:
        return [permission for permission in self.every if permission.scope == WORKSPACE]

    @property
    def everything(self) -> Permissions:
        return frozenset(self.every) | {ADMINISTER}

    def granted(self, permissions: Permissions) -> list[Permission]:
        """Those among these that a grant can give, in the order of the pages; first of all to administer."""
        return [permission for permission in (ADMINISTER, *self.of_organization) if permission in permissions]

    def given_by_seat(self, seat: str) -> Permissions:
        """What a seat, "manager" or "member", gives inside its workspace."""
        return complete(permission for permission in self.of_workspace if seat in permission.seats)

    @cached_property
    def by_name(self) -> Mapping[str, Permission]:
        return {permission.name: permission for permission in self.every}

    def find(self, name: str) -> Permission | None:
        return self.by_name.get(name)

    def known(self, names: Iterable[str]) -> Permissions:
        """The permissions of these names. A name that is no longer in the catalogue gives nothing."""
        wanted = set(names)
        return complete(permission for permission in self.every if permission.name in wanted)


def complete(given: Iterable[Permission]) -> Permissions:
    """These permissions, and all that they imply."""
    result: set[Permission] = set()
    waiting = list(given)
    while waiting:
        permission = waiting.pop()
        if permission not in result:
            result.add(permission)
            waiting.extend(permission.implies)
    return frozenset(result)


@cache
def catalogue() -> Catalogue:
    """The built-in permissions and the operator's own. Read once, at the start."""
    path = settings.PERMISSIONS_FILE
    return Catalogue(BUILT_IN + (tuple(read(Path(path))) if path else ()))


def read(path: Path) -> list[Permission]:
    """The operator's permissions, or ImproperlyConfigured that names file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path}: this file of permissions cannot be read: {error}") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ImproperlyConfigured(f"{path}: {error}") from error
    lines = list(enumerate(text.splitlines(), 1))
    if stray := sorted(tables.keys() - {"permission"}):
        line = next((number for number, words in lines if stray[0] in words), 1)
        raise ImproperlyConfigured(
            f"{path}, line {line}: “{stray[0]}” means nothing here; write [[permission]] tables."
        )
    heads = [number for number, words in lines if re.match(r"\s*\[\[\s*permission\s*]]", words)]
    entries = tables.get("permission", [])
    if not isinstance(entries, list) or len(heads) != len(entries):
        raise ImproperlyConfigured(f"{path}, line 1: write each permission as a table that begins with [[permission]].")
    found: list[Permission] = []
    for line, entry in zip(heads, entries, strict=True):
        try:
            found.append(_permission(entry, taken={permission.name for permission in (*BUILT_IN, ADMINISTER, *found)}))
        except ValueError as error:
            raise ImproperlyConfigured(f"{path}, line {line}: {error}") from error
    return found


def _permission(entry: Mapping[str, Any], taken: set[str]) -> Permission:
    if stray := sorted(entry.keys() - {"name", "label", "sentence", "scope", "seats"}):
        raise ValueError(f"“{stray[0]}” is not something a permission has.")
    for key in ("name", "label", "sentence"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise ValueError(f"{key} is missing.")
    name, scope = entry["name"], entry.get("scope", ORGANIZATION)
    if not re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", name) or len(name) > 64:
        raise ValueError(f"“{name}” is not a name like reports.read.")
    if name in taken:
        raise ValueError(f"{name} is there already and cannot be redefined.")
    if scope not in (ORGANIZATION, WORKSPACE):  # a tuple, because TOML may bring a list
        raise ValueError(f'scope is "organization" or "workspace", not “{scope}”.')
    seats = entry.get("seats", [MANAGER])
    if "seats" in entry and (scope != WORKSPACE or seats not in ([MANAGER], [MANAGER, MEMBER])):
        raise ValueError('seats is ["manager"] or ["manager", "member"], and only for the scope "workspace".')
    return Permission(name, entry["label"], entry["sentence"], scope=scope, seats=frozenset(seats))
