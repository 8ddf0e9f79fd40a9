"""What each operation takes: the calls that it knows, who may make them, and what they tell the log.

A name in braces stands for one thing of a `Place` (tests/console/routes.py): `{member}` is a member of the organization
in which the call acts. The generator puts another organization's thing there, and asks that nothing comes of it.
A new operation gets its entry here; test_operations.py does the rest.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from PIL import Image

from portico.domain import handovers, images, organizations
from tests.console.routes import KINDS, STRANGER, Place, Things

API = "/api/v1"
# Who may be asked to try besides the people of a `Place`.
SERVICE = "service"  # a service token of the organization

NOT_HERE = {STRANGER: 404}
READER = {"plain": 403, "bare": 403}


@dataclass(frozen=True)
class Call:
    """One call of an operation. Each of `refused` makes the same one and gets that status; nothing changes then."""

    path: Things = field(default_factory=dict)  # what stands in the address, by the name of the parameter
    query: Things = field(default_factory=dict)
    body: Any = None  # as JSON
    by: str = "administrator"
    told: tuple[str, ...] = ()  # the events
    refused: Mapping[str, int] = field(default_factory=dict)
    status: int = 200
    each_by_itself: bool = False  # one of many that is not there is refused alone, and the answer is 200
    needs_person: bool = False  # a token gets 403 `needs_person`
    form: Mapping[str, bytes] | None = None  # as multipart/form-data, in the place of a body
    first: Callable[[Place], Any] = lambda place: None  # what has to be done before, in each organization

    def filled(self, template: str, things: Things) -> str:
        return template.format(**{name: kind.format(**things) for name, kind in self.path.items()})

    def asked(self, things: Things) -> dict[str, str]:
        return {name: kind.format(**things) for name, kind in self.query.items()}

    def sent(self, things: Things) -> Any:
        return None if self.body is None else _filled(self.body, things)

    @property
    def named(self) -> list[str]:
        """The kinds of things that stand in the address, in the query or in the body."""
        written = json.dumps([dict(self.path), dict(self.query), self.body])
        return [kind for kind in KINDS if f"{{{kind}}}" in written]


def _filled(body: Any, things: Things) -> Any:
    if isinstance(body, str):
        return body.format(**things)
    if isinstance(body, Mapping):
        return {name: _filled(each, things) for name, each in body.items()}
    return [_filled(each, things) for each in body] if isinstance(body, list) else body


def picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "PNG")
    return file.getvalue()


# --- What is done first ----------------------------------------------------------------------------------------------


def close(place: Place) -> None:
    organizations.close(place.administrator, name=place.administrator.organization.name)


def withdraw_handover(place: Place) -> None:
    handovers.withdraw(place.administrator, handover=handovers.visible_to(place.administrator).get())


def show_picture(place: Place) -> None:
    organizations.change(place.administrator, image="0" * images.NAME_LENGTH)


# --- The table -----------------------------------------------------------------------------------------------------

ORG = {"org": "{slug}"}
MEMBER = {**ORG, "member": "{member}"}
ROLE = {**ORG, "role": "{role}"}
INVITATION = {**ORG, "invitation": "{invitation}"}
WORKSPACE = {**ORG, "workspace": "{workspace}"}
SEAT = {**WORKSPACE, "member": "{member}"}
NOT_A_MANAGER = {"seated": 403, "plain": 404, "bare": 404, **NOT_HERE}
NOT_AN_ADMINISTRATOR = {"plain": 403, "bare": 403, "manager": 403, **NOT_HERE}
PNG = {"image": picture()}

OPERATIONS: dict[tuple[str, str], list[Call]] = {
    ("get", "/permissions"): [Call(by="bare"), Call(query={"limit": "2"}, by=STRANGER)],
    ("get", "/me"): [Call(by="plain"), Call(by=STRANGER)],
    ("patch", "/me"): [
        Call(body={"name": "Melanie"}, by="plain", told=("account.renamed", "member.known_as"), needs_person=True)
    ],
    ("get", "/me/organizations"): [Call(by="plain", needs_person=True), Call(query={"limit": "1"}, by=STRANGER)],
    ("get", "/me/invitations"): [Call(by="invitee"), Call(by="plain", needs_person=True)],
    ("get", "/organizations"): [Call(by="plain"), Call(by=STRANGER)],
    ("post", "/organizations"): [
        Call(
            body={"name": "Third", "color": "teal"},
            by="plain",
            told=("organization.founded", "member.joined"),
            status=201,
            needs_person=True,
        )
    ],
    ("delete", "/organizations/{org}"): [
        Call(
            ORG,
            told=("handover.ended", "invitation.revoked", "organization.closed"),
            refused=NOT_AN_ADMINISTRATOR,
            status=204,
            needs_person=True,
        )
    ],
    ("post", "/organizations/{org}/restore"): [
        Call(
            ORG,
            told=("organization.restored",),
            refused=NOT_AN_ADMINISTRATOR,
            needs_person=True,
            first=close,
        )
    ],
    ("post", "/organizations/{org}/leave"): [
        Call(ORG, by="plain", told=("member.left",), refused={"administrator": 409, **NOT_HERE}, needs_person=True)
    ],
    ("post", "/organizations/{org}/handover"): [
        Call(
            ORG,
            body={"member": "{member}", "step_down": "{role}"},
            told=("handover.offered",),
            refused={"manager": 403, **NOT_HERE},
            needs_person=True,
            first=withdraw_handover,
        )
    ],
    ("post", "/organizations/{org}/handover/accept"): [
        Call(
            ORG,
            body={"take_over": True},
            by="bare",
            told=("handover.accepted", "member.changed"),
            refused={"administrator": 409, "plain": 404, **NOT_HERE},
            needs_person=True,
        )
    ],
    ("post", "/organizations/{org}/handover/decline"): [
        Call(
            ORG,
            by="bare",
            told=("handover.declined",),
            refused={"administrator": 409, "plain": 404, **NOT_HERE},
            needs_person=True,
        )
    ],
    ("put", "/organizations/{org}/image"): [
        Call(ORG, form=PNG, told=("organization.changed",), refused=NOT_AN_ADMINISTRATOR)
    ],
    ("delete", "/organizations/{org}/image"): [
        Call(ORG, told=("organization.changed",), refused=NOT_AN_ADMINISTRATOR, status=204, first=show_picture)
    ],
    ("get", "/organizations/{org}"): [Call(ORG, by="bare", refused=NOT_HERE)],
    ("patch", "/organizations/{org}"): [
        Call(
            ORG, body={"name": "Fresh"}, told=("organization.changed",), refused={**READER, "manager": 403, **NOT_HERE}
        )
    ],
    ("get", "/organizations/{org}/members"): [
        Call(ORG, by="plain", refused={"bare": 403, **NOT_HERE}),
        Call(ORG, {"permission": "members.view", "role": "{role}"}, by="manager", refused={**READER, **NOT_HERE}),
    ],
    ("get", "/organizations/{org}/members/export"): [Call(ORG, by="manager", refused={**READER, **NOT_HERE})],
    ("get", "/organizations/{org}/members/{member}"): [
        Call(MEMBER, by="plain", refused={"bare": 404, **NOT_HERE}),
        Call({**ORG, "member": "me"}, by="bare", refused=NOT_HERE),
    ],
    ("get", "/organizations/{org}/members/{member}/access"): [
        Call(MEMBER, by="manager", refused={"seated": 403, "bare": 404, **NOT_HERE}),
        Call({**ORG, "member": "me"}, by="bare", refused=NOT_HERE),
    ],
    ("patch", "/organizations/{org}/members/{member}"): [
        Call(
            MEMBER,
            body={"role": "{role}", "status": "suspended"},
            told=("member.changed", "member.suspended"),
            refused={"seated": 403, "bare": 404, **NOT_HERE},
        )
    ],
    ("delete", "/organizations/{org}/members/{member}"): [
        Call(
            MEMBER,
            told=("member.removed",),
            refused={"seated": 403, "bare": 404, **NOT_HERE},
            status=204,
        )
    ],
    ("post", "/organizations/{org}/members/batch"): [
        Call(
            ORG,
            body={"members": ["{member}"], "set": {"expires_at": "2099-01-31T12:00:00Z"}},
            told=("member.end_changed",),
            refused={**READER, **NOT_HERE},
            each_by_itself=True,
        ),
        Call(
            ORG,
            body={"members": ["{member}"], "remove": True},
            told=("member.removed",),
            refused={**READER, **NOT_HERE},
            each_by_itself=True,
        ),
    ],
    ("get", "/organizations/{org}/invitations"): [
        Call(ORG, by="manager", refused={**READER, **NOT_HERE}),
        Call(ORG, {"status": "pending", "email": "nobody@example.org"}, by="manager"),
    ],
    ("post", "/organizations/{org}/invitations"): [
        Call(
            ORG,
            body={"emails": ["new@example.org"], "role": "{role}"},
            told=("invitation.sent",),
            refused={**READER, **NOT_HERE},
        ),
        Call(
            ORG,
            body={
                "emails": [{"email": "new@example.org", "permissions": []}],
                "workspaces": [{"workspace": "{workspace}"}],
                "dry_run": True,
            },
            refused={**READER, **NOT_HERE},
        ),
    ],
    ("post", "/organizations/{org}/invitations/batch"): [
        Call(
            ORG,
            body={"invitations": ["{invitation}"], "do": "resend"},
            told=("invitation.resent",),
            refused={**READER, **NOT_HERE},
            each_by_itself=True,
        )
    ],
    ("get", "/organizations/{org}/invitations/{invitation}"): [
        Call(INVITATION, by="manager", refused={"plain": 404, "bare": 404, **NOT_HERE})
    ],
    ("delete", "/organizations/{org}/invitations/{invitation}"): [
        Call(INVITATION, told=("invitation.revoked",), refused={"plain": 404, "bare": 404, **NOT_HERE}, status=204)
    ],
    ("post", "/organizations/{org}/invitations/{invitation}/resend"): [
        Call(
            INVITATION,
            body={"role": "{role}", "expires_in_days": 3},
            told=("invitation.resent",),
            refused={"plain": 404, "bare": 404, **NOT_HERE},
        )
    ],
    ("post", "/organizations/{org}/invitations/{invitation}/link"): [
        Call(INVITATION, told=("invitation.link_made",), refused={"plain": 404, "bare": 404, **NOT_HERE})
    ],
    ("post", "/invitations/{invitation}/accept"): [
        Call(
            {"invitation": "{invitation}"},
            body={"message": "Thank you!"},
            by="invitee",
            told=("invitation.accepted", "member.joined"),
            refused={"administrator": 404, STRANGER: 404},
            needs_person=True,
        )
    ],
    ("post", "/invitations/{invitation}/decline"): [
        Call(
            {"invitation": "{invitation}"},
            by="invitee",
            told=("invitation.declined",),
            refused={"administrator": 404, STRANGER: 404},
            needs_person=True,
        )
    ],
    ("get", "/organizations/{org}/roles"): [Call(ORG, by="plain", refused={"bare": 403, **NOT_HERE})],
    ("post", "/organizations/{org}/roles"): [
        Call(
            ORG,
            body={"name": "Fresh", "permissions": ["members.view"]},
            told=("role.added",),
            refused=NOT_AN_ADMINISTRATOR,
            status=201,
        )
    ],
    ("get", "/organizations/{org}/roles/{role}"): [Call(ROLE, by="plain", refused={"bare": 404, **NOT_HERE})],
    ("patch", "/organizations/{org}/roles/{role}"): [
        Call(ROLE, body={"name": "Fresh"}, told=("role.changed",), refused={**NOT_AN_ADMINISTRATOR, "bare": 404})
    ],
    ("delete", "/organizations/{org}/roles/{role}"): [
        Call(ROLE, told=("role.deleted",), refused={**NOT_AN_ADMINISTRATOR, "bare": 404}, status=204)
    ],
    ("get", "/organizations/{org}/workspaces"): [
        Call(ORG, by="bare", refused=NOT_HERE),
        Call(ORG, {"scope": "mine"}, by="seated"),
    ],
    ("post", "/organizations/{org}/workspaces"): [
        Call(
            ORG,
            body={"name": "Fresh"},
            told=("workspace.created", "seat.given"),
            refused={**READER, "manager": 403, **NOT_HERE},
            status=201,
        )
    ],
    ("get", "/organizations/{org}/workspaces/{workspace}"): [
        Call(WORKSPACE, by="seated", refused={"plain": 404, "bare": 404, **NOT_HERE})
    ],
    ("patch", "/organizations/{org}/workspaces/{workspace}"): [
        Call(WORKSPACE, body={"name": "Fresh"}, told=("workspace.changed",), refused=NOT_A_MANAGER)
    ],
    ("delete", "/organizations/{org}/workspaces/{workspace}"): [
        Call(
            {**ORG, "workspace": "{archived}"},
            told=("seat.taken", "workspace.deleted"),
            refused={"seated": 404, "plain": 404, **NOT_HERE},
            status=204,
        )
    ],
    ("post", "/organizations/{org}/workspaces/{workspace}/archive"): [
        Call(WORKSPACE, told=("workspace.archived",), refused=NOT_A_MANAGER)
    ],
    ("post", "/organizations/{org}/workspaces/{workspace}/restore"): [
        Call(
            {**ORG, "workspace": "{archived}"},
            told=("workspace.restored",),
            refused={"seated": 404, "plain": 404, **NOT_HERE},
        )
    ],
    ("get", "/organizations/{org}/workspaces/{workspace}/seats"): [
        Call(WORKSPACE, by="seated", refused={"plain": 404, **NOT_HERE})
    ],
    ("put", "/organizations/{org}/workspaces/{workspace}/seats/{member}"): [
        Call(SEAT, body={"role": "member"}, told=("seat.given",), refused=NOT_A_MANAGER)
    ],
    ("delete", "/organizations/{org}/workspaces/{workspace}/seats/{member}"): [
        Call({**WORKSPACE, "member": "{seated}"}, told=("seat.taken",), refused={"plain": 404, **NOT_HERE}, status=204)
    ],
    ("get", "/organizations/{org}/billing"): [
        Call(ORG, refused={**READER, "manager": 403, **NOT_HERE}),
    ],
    ("put", "/organizations/{org}/billing"): [
        Call(
            ORG,
            body={"legal_name": "Acme", "country": "AT"},
            told=("billing.changed",),
            refused={**READER, "manager": 403, **NOT_HERE},
        )
    ],
    ("get", "/organizations/{org}/tokens"): [
        Call(ORG, by="bare", refused=NOT_HERE),
        Call(ORG, {"all": "true"}, refused=NOT_AN_ADMINISTRATOR),
    ],
    ("post", "/organizations/{org}/tokens"): [
        Call(
            ORG,
            body={"name": "Mine"},
            by="bare",
            told=("token.issued",),
            refused=NOT_HERE,
            status=201,
            needs_person=True,
        ),
        Call(
            ORG,
            body={"name": "Product", "service": True, "days": None},
            told=("token.issued",),
            refused=NOT_AN_ADMINISTRATOR,
            status=201,
            needs_person=True,
        ),
    ],
    ("delete", "/organizations/{org}/tokens/{id}"): [
        Call(
            {**ORG, "id": "{service_token}"},
            told=("token.revoked",),
            refused={"plain": 404, "bare": 404, **NOT_HERE},
            status=204,
            needs_person=True,
        )
    ],
    ("get", "/organizations/{org}/events"): [
        Call(ORG, refused=NOT_AN_ADMINISTRATOR),
        Call(ORG, {"action": "member.joined", "since": "2020-01-31T12:00:00Z"}, refused=NOT_AN_ADMINISTRATOR),
    ],
    ("get", "/organizations/{org}/events/export"): [
        Call(ORG, refused=NOT_AN_ADMINISTRATOR),
        Call(ORG, {"format": "jsonl"}, refused=NOT_AN_ADMINISTRATOR),
    ],
    ("post", "/organizations/{org}/check"): [
        Call(ORG, body={"user": "{member_address}", "permission": "members.view"}, refused={"bare": 403, **NOT_HERE}),
        Call(
            ORG,
            body={"checks": [{"user": "nobody", "permission": "workspace.view", "workspace": "{workspace}"}]},
            refused={"bare": 403, **NOT_HERE},
        ),
    ],
}
