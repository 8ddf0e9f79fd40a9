"""The catalogue: everything that can be allowed here, the operator's own permissions too."""

from typing import Any

from django.http import HttpRequest
from ninja import Query
from pydantic import Field

from portico.domain import permissions
from portico.domain.permissions import WORKSPACE

from . import lists
from .lists import Part
from .operations import Router, Shown

router = Router(tags=["Permissions"])


class Permission(Shown):
    """One thing that can be allowed."""

    name: str = Field(examples=["members.view"])
    label: str
    sentence: str
    scope: str = Field(description="`organization`, or `workspace`: given by seats", examples=["organization"])
    implies: list[str] = Field(description="What whoever holds it holds too")
    seats: list[str] = Field(description="Of a workspace's: the seats that give it")


class Permissions(Shown):
    items: list[Permission]
    next: str | None


@router.get("/permissions", response=Permissions)
def catalogue(request: HttpRequest, part: Query[Part]) -> dict[str, Any]:
    """Everything that can be allowed

    In the order in which pages show it.
    """
    return lists.of_sequence([told(each) for each in permissions.catalogue().every], part, "name")


def names(held: permissions.Permissions) -> list[str]:
    """Those that a grant can give, in the order of the catalogue. An Administrator has them all."""
    return [each.name for each in permissions.catalogue().of_organization if each in held]


def told(permission: permissions.Permission) -> dict[str, Any]:
    in_workspaces = permission.scope == WORKSPACE
    return {
        "name": permission.name,
        "label": str(permission.label),
        "sentence": str(permission.sentence),
        "scope": permission.scope,
        "implies": sorted(each.name for each in permission.implies),
        "seats": sorted(permission.seats) if in_workspaces else [],
    }
