"""Whoever acts through a token asks as programs do: by the REST API, for all that it has words for.

What it has none for (taking offers over, what a page showed of a seat, things that a body can only name wrongly) the
token asks of the command itself, as before.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.test import Client

from portico.domain import workspaces
from portico.domain.access import Actor
from portico.domain.errors import Refusal, Refused
from portico.domain.invitations import Invitation, Outcome
from portico.domain.memberships import Membership, Result
from portico.domain.roles import Role
from portico.domain.tokens import Issued, Token
from portico.domain.workspaces import Workspace

from . import naive
from .real import Real

# The code of what the API calls not there, although it is, because whoever asks cannot see it either. The model knows
# the reason, which the API does not tell.
UNSEEN = "unseen"


class Programs(Real):
    calls = 0  # how often the API was asked, in all stories: a run that never did would prove nothing

    def asks(self, actor: naive.Actor, *other: bool) -> bool:
        """Whether it goes by the API."""
        return actor.token is not None and not any(other)

    def ask(
        self,
        org: str,
        actor: naive.Actor,
        method: str,
        path: str,
        body: Any = None,
        *,
        shown: int | None = None,
        seen: Iterable[str] | None = None,
    ) -> Any:
        """What the API answers, or the refusal that it tells. `seen` are the addresses of what the call is about."""
        answered = self.sent(org, actor, method, path, body, shown)
        if answered.status_code < 400:
            return answered.json() if answered.content else None
        code = answered.json()["code"]
        if code == "not_found":
            looks = [self.sent(org, actor, "get", each).status_code for each in ([path] if seen is None else seen)]
            code = UNSEEN if 404 in looks else code
        raise Refusal(code, answered.json()["detail"])

    def sent(
        self, org: str, actor: naive.Actor, method: str, path: str, body: Any = None, shown: int | None = None
    ) -> Any:
        assert actor.token is not None
        type(self).calls += 1
        token = self.tokens[actor.token]
        headers = {"Authorization": f"Bearer {token.secret}"}
        if shown is not None:
            headers["If-Match"] = f'"{shown}-{0:016x}"'
        given: dict[str, Any] = {} if method == "get" else {"data": body or {}, "content_type": "application/json"}
        address = f"/api/v1/organizations/{self.organizations[org]}{path}"
        with unseen(Token.objects.filter(pk=token.token.pk), "last_used_at"), unseen(self.holder(token), "active_at"):
            return getattr(Client(), method)(address, headers=headers, **given)

    def holder(self, issued: Issued) -> Any:
        """Nobody, of an organization's own token."""
        return Membership.objects.filter(tokens=issued.token)

    # ── What a body can name ─────────────────────────────────────────────────

    def can_name(self, org: str, grant: naive.Grant | None) -> bool:
        """A role that is gone, or elsewhere, is no role to the API: a body that is wrong, and not a thing unseen."""
        if not isinstance(grant, str):
            return True
        here = Role.objects.filter(organization=self.organizations[org], slug__isnull=False)
        pk = self.roles.get((org, grant))
        return pk is not None and here.filter(pk=pk).exists()

    def can_name_seats(self, org: str, actor: naive.Actor, lines: list[naive.Line]) -> bool:
        named = {self.workspaces[key] for line in lines for key, _seat in line.seats}
        if not named:
            return True
        try:
            asking: Actor = self.reader(org, actor)
        except Refusal:
            return False
        return named <= set(workspaces.visible_to(asking).filter(archived_at__isnull=True).values_list("pk", flat=True))

    def in_words(self, org: str, grant: naive.Grant | None) -> dict[str, Any]:
        if grant is None:
            return {}
        return {"role": str(self.roles[org, grant])} if isinstance(grant, str) else {"permissions": sorted(grant)}

    # ── Workspaces and seats ─────────────────────────────────────────────────

    def create_workspace(self, org: str, actor: naive.Actor, name: str) -> Workspace:
        if not self.asks(actor):
            return super().create_workspace(org, actor, name)
        return Workspace(id=UUID(self.ask(org, actor, "post", "/workspaces", {"name": name}, seen=())["id"]))

    def change_workspace(
        self, org: str, actor: naive.Actor, key: str, name: str | None, slug: str | None, shown: int | None
    ) -> None:
        if not self.asks(actor):
            return super().change_workspace(org, actor, key, name, slug, shown)
        body = {field: text for field, text in (("name", name), ("slug", slug)) if text is not None}
        return self.ask(org, actor, "patch", self.place(key), body, shown=shown)

    def archive(self, org: str, actor: naive.Actor, key: str, shown: int | None) -> None:
        if not self.asks(actor):
            return super().archive(org, actor, key, shown)
        return self.ask(org, actor, "post", f"{self.place(key)}/archive", shown=shown, seen=[self.place(key)])

    def restore_workspace(self, org: str, actor: naive.Actor, key: str, shown: int | None, *, take_over: bool) -> None:
        if not self.asks(actor, take_over):
            return super().restore_workspace(org, actor, key, shown, take_over=take_over)
        return self.ask(org, actor, "post", f"{self.place(key)}/restore", shown=shown, seen=[self.place(key)])

    def delete_workspace(self, org: str, actor: naive.Actor, key: str, shown: int | None) -> None:
        if not self.asks(actor):
            return super().delete_workspace(org, actor, key, shown)
        return self.ask(org, actor, "delete", self.place(key), shown=shown)

    def place(self, key: str) -> str:
        return f"/workspaces/{self.workspaces[key]}"

    def give_seat(
        self,
        org: str,
        actor: naive.Actor,
        workspace: str,
        target: int,
        seat: str,
        shown: str | None,
        *,
        take_over: bool,
    ) -> None:
        if not self.asks(actor, take_over, shown is not None):
            return super().give_seat(org, actor, workspace, target, seat, shown, take_over=take_over)
        path = f"{self.place(workspace)}/seats/{self.members[target]}"
        return self.ask(org, actor, "put", path, {"role": seat}, seen=self.around(workspace, target))

    def take_seat(
        self, org: str, actor: naive.Actor, workspace: str, target: int, shown: str | None, *, take_over: bool
    ) -> None:
        if not self.asks(actor, take_over, shown is not None):
            return super().take_seat(org, actor, workspace, target, shown, take_over=take_over)
        path = f"{self.place(workspace)}/seats/{self.members[target]}"
        return self.ask(org, actor, "delete", path, seen=self.around(workspace, target))

    def around(self, workspace: str, target: int) -> list[str]:
        return [self.place(workspace), f"/members/{self.members[target]}"]

    # ── Roles ────────────────────────────────────────────────────────────────

    def add_role(self, org: str, actor: naive.Actor, name: str, permissions: frozenset[str]) -> Role:
        if not self.asks(actor):
            return super().add_role(org, actor, name, permissions)
        body = {"name": name, "permissions": sorted(permissions)}
        return Role(id=UUID(self.ask(org, actor, "post", "/roles", body, seen=())["id"]))

    def change_role(
        self,
        org: str,
        actor: naive.Actor,
        key: str,
        name: str | None,
        permissions: frozenset[str] | None,
        shown: int | None,
        *,
        take_over: bool,
    ) -> None:
        if not self.asks(actor, take_over):
            return super().change_role(org, actor, key, name, permissions, shown, take_over=take_over)
        body: dict[str, Any] = {} if name is None else {"name": name}
        body |= {} if permissions is None else {"permissions": sorted(permissions)}
        return self.ask(org, actor, "patch", f"/roles/{self.roles[org, key]}", body, shown=shown)

    def delete_role(
        self, org: str, actor: naive.Actor, key: str, instead: str | None, shown: int | None, *, take_over: bool
    ) -> None:
        if not self.asks(actor, take_over, not self.can_name(org, instead)):
            return super().delete_role(org, actor, key, instead, shown, take_over=take_over)
        path = f"/roles/{self.roles[org, key]}"
        query = "" if instead is None else f"?move_to={self.roles[org, instead]}"
        return self.ask(org, actor, "delete", path + query, shown=shown, seen=[path])

    # ── Members ──────────────────────────────────────────────────────────────

    def change(
        self,
        org: str,
        actor: naive.Actor,
        target: int,
        asked: naive.Change,
        shown: int | None,
        *,
        take_over: bool,
    ) -> None:
        if not self.asks(actor, take_over, not self.can_name(org, asked.grant)):
            return super().change(org, actor, target, asked, shown, take_over=take_over)
        body = self.change_in_words(org, asked)
        return self.ask(org, actor, "patch", f"/members/{self.members[target]}", body, shown=shown)

    def change_in_words(self, org: str, asked: naive.Change) -> dict[str, Any]:
        status = {} if asked.status is None else {"status": asked.status}
        end = {"expires_at": at(asked.end)} if asked.moves_end else {}
        return self.in_words(org, asked.grant) | status | end

    def change_all(
        self, org: str, actor: naive.Actor, targets: list[int], asked: naive.Change, *, take_over: bool
    ) -> Any:
        paths = [f"/members/{self.members[target]}" for target in targets]
        if not self.asks(actor, take_over, not self.can_name(org, asked.grant)) or not self.sees(org, actor, paths):
            return super().change_all(org, actor, targets, asked, take_over=take_over)
        change = self.change_in_words(org, asked)
        return self.many(org, actor, "/members", {"members": self.ids(self.members, targets), "set": change})

    def remove(self, org: str, actor: naive.Actor, targets: list[int], *, take_over: bool) -> Any:
        paths = [f"/members/{self.members[target]}" for target in targets]
        if not self.asks(actor, take_over) or not self.sees(org, actor, paths):
            return super().remove(org, actor, targets, take_over=take_over)
        return self.many(org, actor, "/members", {"members": self.ids(self.members, targets), "remove": True})

    def many(self, org: str, actor: naive.Actor, path: str, body: dict[str, Any]) -> list[Result]:
        results = self.ask(org, actor, "post", f"{path}/batch", body, seen=())["results"]
        told = [(each["outcome"], each["detail"]) for each in results]
        return [Result(None, Refused(outcome, why) if why else None) for outcome, why in told]

    def ids(self, known: dict[int, UUID], targets: list[int]) -> list[str]:
        return [str(known[target]) for target in targets]

    def sees(self, org: str, actor: naive.Actor, paths: list[str]) -> bool:
        """Of many, each that is not seen has its own no, where a command refuses all for one that is not there."""
        return all(self.sent(org, actor, "get", path).status_code == 200 for path in paths)

    # ── Invitations ──────────────────────────────────────────────────────────

    def send(
        self, org: str, actor: naive.Actor, lines: list[naive.Line], *, days: int, until: datetime | None, dry: bool
    ) -> list[Outcome]:
        named = all(self.can_name(org, line.grant) for line in lines)
        if not self.asks(actor, not named) or not self.can_name_seats(org, actor, lines):
            return super().send(org, actor, lines, days=days, until=until, dry=dry)
        body = {
            "emails": [self.addressed(org, line) for line in lines],
            "expires_in_days": days,
            "member_until": at(until),
            "dry_run": dry,
        }
        results = self.ask(org, actor, "post", "/invitations", body, seen=())["results"]
        return [self.outcome(each) for each in results]

    def addressed(self, org: str, line: naive.Line) -> dict[str, Any]:
        seats = [{"workspace": str(self.workspaces[key]), "role": seat} for key, seat in line.seats]
        return {"email": line.address, "workspaces": seats} | self.in_words(org, line.grant)

    def outcome(self, told: dict[str, Any]) -> Outcome:
        offer = Invitation(id=UUID(told["invitation"]["id"])) if told["invitation"] else None
        return Outcome(None, told["outcome"], invitation=offer)  # type: ignore[arg-type]  # what was typed is not told

    def resend(
        self,
        org: str,
        actor: naive.Actor,
        targets: list[int],
        grant: naive.Grant | None,
        days: int,
        shown: int | None,
    ) -> Any:
        """The API sends again as it was: the same grant, for as long as usual."""
        paths = [f"/invitations/{self.offers[target]}" for target in targets]
        plain = grant is None and days == naive.LINK_LIVES and shown is None
        if not self.asks(actor, not plain) or not self.sees(org, actor, paths):
            return super().resend(org, actor, targets, grant, days, shown)
        body = {"invitations": self.ids(self.offers, targets), "do": "resend"}
        return self.many(org, actor, "/invitations", body)

    def revoke(self, org: str, actor: naive.Actor, targets: list[int], shown: int | None) -> Any:
        paths = [f"/invitations/{self.offers[target]}" for target in targets]
        if not self.asks(actor, shown is not None) or not self.sees(org, actor, paths):
            return super().revoke(org, actor, targets, shown)
        return self.many(org, actor, "/invitations", {"invitations": self.ids(self.offers, targets), "do": "revoke"})

    def make_link(self, org: str, actor: naive.Actor, target: int, shown: int | None) -> None:
        if not self.asks(actor, shown is not None):
            return super().make_link(org, actor, target, shown)
        path = f"/invitations/{self.offers[target]}"
        return self.ask(org, actor, "post", f"{path}/link", seen=[path])

    # ── Checking ─────────────────────────────────────────────────────────────

    def check(self, org: str, asker: naive.Actor, person: str, permission: str, place: str | None) -> bool:
        body = {"user": str(self.users[person].pk), "permission": permission}
        body |= {} if place is None else {"workspace": str(self.workspaces[place])}
        return bool(self.ask(org, asker, "post", "/check", body, seen=())["allowed"])

    # ── The organization ─────────────────────────────────────────────────────

    def change_organization(
        self, org: str, actor: naive.Actor, name: str | None, slug: str | None, shown: int | None
    ) -> None:
        if not self.asks(actor):
            return super().change_organization(org, actor, name, slug, shown)
        body = {field: text for field, text in (("name", name), ("slug", slug)) if text is not None}
        return self.ask(org, actor, "patch", "", body, shown=shown)

    def bill(self, org: str, actor: naive.Actor, details: dict[str, str], shown: int | None) -> None:
        if not self.asks(actor):
            return super().bill(org, actor, details, shown)
        return self.ask(org, actor, "put", "/billing", details, shown=shown)


@contextmanager
def unseen(rows: Any, column: str) -> Iterator[None]:
    """Put back what a door notes of who asks: it is no part of the story."""
    before = rows.values_list(column, flat=True).first()
    yield
    rows.update(**{column: before})


def at(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
