"""The real thing, addressed in the words of the naive model.

Rows are found by their ids each time, as a page does, also those that are gone or belong to another organization.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import transaction
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from portico.domain import (
    accounts,
    addresses,
    billing,
    departures,
    handovers,
    invitations,
    memberships,
    organizations,
    people,
    roles,
    tokens,
    workspaces,
)
from portico.domain.access import Actor, Bearer, Member, Operator, Person
from portico.domain.events import Event, record
from portico.domain.handovers import Handover
from portico.domain.invitations import Invitation, Terms, Wanted
from portico.domain.memberships import End, Membership
from portico.domain.organizations import Organization
from portico.domain.people import User
from portico.domain.permissions import Permissions, catalogue
from portico.domain.roles import Grant, Role
from portico.domain.tokens import Issued, Token
from portico.domain.workspaces import SeatOffer, Workspace
from tests import cast

from . import naive
from .explained import Row, Snapshot


class Real:
    """Ids of what the model knows by its keys, and every command in the model's words."""

    def __init__(self, users: dict[str, User]) -> None:
        self.users = users
        self.organizations: dict[str, UUID] = {}
        self.members: dict[int, UUID] = {}
        self.offers: dict[int, UUID] = {}
        self.workspaces: dict[str, UUID] = {}
        self.roles: dict[tuple[str, str], UUID] = {}  # by organization and key
        self.tokens: dict[int, Issued] = {}
        self.departures: dict[int, UUID] = {}

    def copy(self) -> Self:
        other = type(self)(self.users)
        for name in ("organizations", "members", "offers", "workspaces", "roles", "tokens", "departures"):
            getattr(other, name).update(getattr(self, name))
        return other

    # ── Words into rows ──────────────────────────────────────────────────────

    def organization(self, key: str) -> Organization:
        return Organization.objects.get(pk=self.organizations[key])

    def actor(self, org: str, actor: naive.Actor) -> Any:
        """As a door has found them: a token as it was when it was made, because a command reads it again."""
        organization = self.organization(org)
        if actor == naive.OPERATOR:
            return cast.operator(organization)
        if actor.token is not None:
            return tokens.actor_of(self.tokens[actor.token].token, cast.VIA, timezone.now())
        user = self.users[actor.person]
        nobody = Membership(id=uuid7(), organization=organization, user=user, name=user.name)
        membership = Membership.objects.filter(organization=organization, user=user).first() or nobody
        return Member.of(membership, cast.VIA, proved_at=self.proved(actor))

    def proved(self, actor: naive.Actor) -> datetime | None:
        return None if actor.proved is None else timezone.now() - actor.proved

    def reader(self, org: str, actor: naive.Actor) -> Actor:
        """For what runs without a lock: a token as a door reads it now."""
        if actor.token is None:
            return self.actor(org, actor)
        return tokens.authenticate(self.tokens[actor.token].secret, cast.VIA, timezone.now())

    def person(self, name: str | None, offer: Invitation) -> Any:
        if name in {None, naive.SOMEBODY_WITH_A_HANDED_LINK}:
            return Bearer(organization=offer.organization, via=cast.VIA, proves=name is None)
        return Person(organization=offer.organization, via=cast.VIA, user=self.users[name])

    def permissions(self, names: Iterable[str]) -> Permissions:
        return frozenset(each for each in catalogue().every if each.name in set(names))

    def role(self, org: str, key: str) -> Role:
        return Role.objects.get(pk=self.roles[org, key])

    def grant(self, org: str, grant: naive.Grant) -> Grant:
        return Grant(role=self.role(org, grant)) if isinstance(grant, str) else Grant(custom=self.permissions(grant))

    def granted(self, org: str, grant: naive.Grant | None) -> Grant | None:
        return None if grant is None else self.grant(org, grant)

    def member(self, key: int) -> Membership:
        return Membership.objects.filter(pk=self.members[key]).first() or Membership(id=self.members[key])

    def offer(self, key: int) -> Invitation:
        return Invitation.objects.get(pk=self.offers[key])

    def workspace(self, key: str) -> Workspace:
        pk = self.workspaces[key]
        return Workspace.objects.filter(pk=pk).first() or Workspace(id=pk)

    def names(self, permissions: Iterable[str] | None) -> list[str] | None:
        return None if permissions is None else sorted(permissions)

    def wanted(self, org: str, line: naive.Line) -> Wanted:
        seats = [SeatOffer(self.workspace(key), seat) for key, seat in line.seats]
        return Wanted(addresses.check(line.address), grant=self.grant(org, line.grant), seats=seats)

    # ── Commands ─────────────────────────────────────────────────────────────

    def found(self, person: str, key: str, name: str) -> Membership:
        made = organizations.found(cast.signed_in(self.users[person]), name=name)
        self.organizations[key] = made.organization_id
        self.roles.update({(key, str(role.slug).capitalize()): role.pk for role in made.organization.roles.named()})
        return made

    def create_workspace(self, org: str, actor: naive.Actor, name: str) -> Workspace:
        return workspaces.create(self.actor(org, actor), name=name)

    def change_workspace(
        self, org: str, actor: naive.Actor, key: str, name: str | None, slug: str | None, shown: int | None
    ) -> None:
        place = self.workspace(key)
        workspaces.change(self.actor(org, actor), workspace=place, name=name, slug=slug, version=shown)

    def archive(self, org: str, actor: naive.Actor, key: str, shown: int | None) -> None:
        workspaces.archive(self.actor(org, actor), workspace=self.workspace(key), version=shown)

    def restore_workspace(self, org: str, actor: naive.Actor, key: str, shown: int | None, *, take_over: bool) -> None:
        place = self.workspace(key)
        workspaces.restore(self.actor(org, actor), workspace=place, version=shown, take_over=take_over)

    def delete_workspace(self, org: str, actor: naive.Actor, key: str, shown: int | None) -> None:
        workspaces.delete(self.actor(org, actor), workspace=self.workspace(key), version=shown)

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
        place, member = self.workspace(workspace), self.member(target)
        acting = self.actor(org, actor)
        workspaces.give_seat(acting, workspace=place, member=member, role=seat, shown=shown, take_over=take_over)

    def take_seat(
        self, org: str, actor: naive.Actor, workspace: str, target: int, shown: str | None, *, take_over: bool
    ) -> None:
        place, member = self.workspace(workspace), self.member(target)
        workspaces.take_seat(self.actor(org, actor), workspace=place, member=member, shown=shown, take_over=take_over)

    def add_role(self, org: str, actor: naive.Actor, name: str, permissions: frozenset[str]) -> Role:
        return roles.add(self.actor(org, actor), name=name, permissions=self.permissions(permissions))

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
        chosen = None if permissions is None else self.permissions(permissions)
        acting, role = self.actor(org, actor), self.role(org, key)
        roles.change(acting, role=role, name=name, permissions=chosen, version=shown, take_over=take_over)

    def delete_role(
        self, org: str, actor: naive.Actor, key: str, instead: str | None, shown: int | None, *, take_over: bool
    ) -> None:
        acting, role = self.actor(org, actor), self.role(org, key)
        move_to = None if instead is None else self.role(org, instead)
        roles.delete(acting, role=role, move_to=move_to, version=shown, take_over=take_over)

    def asked(self, org: str, asked: naive.Change) -> dict[str, Any]:
        end = End(asked.end) if asked.moves_end else None
        return {"grant": self.granted(org, asked.grant), "status": asked.status, "end": end}

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
        acting, member, change = self.actor(org, actor), self.member(target), self.asked(org, asked)
        memberships.change(acting, member=member, version=shown, take_over=take_over, **change)

    def change_all(
        self, org: str, actor: naive.Actor, targets: list[int], asked: naive.Change, *, take_over: bool
    ) -> Any:
        acting, members = self.actor(org, actor), [self.member(target) for target in targets]
        return memberships.change_all(acting, members=members, take_over=take_over, **self.asked(org, asked))

    def remove(self, org: str, actor: naive.Actor, targets: list[int], *, take_over: bool) -> Any:
        members = [self.member(target) for target in targets]
        return memberships.remove(self.actor(org, actor), members=members, take_over=take_over)

    def noted(self, org: str, key: int, person: str) -> None:
        """The newest event that tells of somebody's departure."""
        told = Event.objects.filter(organization_id=self.organizations[org], subject_id=self.users[person].pk)
        self.departures[key] = told.filter(action__in=departures.ENDED).latest("id").pk

    def bring_back(self, org: str, actor: naive.Actor, key: int) -> Invitation:
        return departures.bring_back(self.actor(org, actor), departure=self.departures[key])

    def leave(self, org: str, actor: naive.Actor) -> None:
        memberships.leave(self.actor(org, actor))

    def issue(
        self, org: str, actor: naive.Actor, days: int | None, limit: frozenset[str] | None, *, service: bool
    ) -> Issued:
        make = tokens.issue_service if service else tokens.issue
        return make(self.actor(org, actor), name="Deploy", days=days, permissions=self.names(limit))

    def revoke_token(self, org: str, actor: naive.Actor, target: int, *, take_over: bool) -> None:
        tokens.revoke(self.actor(org, actor), token=self.tokens[target].token, take_over=take_over)

    # ── Its details, its end, and who administers it ─────────────────────────

    def change_organization(
        self, org: str, actor: naive.Actor, name: str | None, slug: str | None, shown: int | None
    ) -> None:
        organizations.change(self.actor(org, actor), name=name, slug=slug, version=shown)

    def bill(self, org: str, actor: naive.Actor, details: dict[str, str], shown: int | None) -> None:
        billing.change(self.actor(org, actor), details=billing.Details(**details), version=shown)

    def close(self, org: str, actor: naive.Actor, typed: str) -> None:
        organizations.close(self.actor(org, actor), name=typed)

    def restore(self, org: str, actor: naive.Actor) -> None:
        organizations.restore(self.actor(org, actor))

    def purge(self) -> None:
        organizations.purge_next(timezone.now())

    def hand_over(self, org: str, actor: naive.Actor, target: int, role: str | None) -> None:
        keeps = None if role is None else self.role(org, role)
        handovers.offer(self.actor(org, actor), member=self.member(target), step_down=keeps)

    def handover(self, org: str) -> Handover:
        organization = self.organization(org)
        return Handover.objects.filter(organization=organization).first() or Handover(organization=organization)

    def take_on(self, org: str, actor: naive.Actor, *, take_over: bool) -> None:
        handovers.accept(self.actor(org, actor), self.handover(org), take_over=take_over)

    def turn_down(self, org: str, actor: naive.Actor) -> None:
        handovers.decline(self.actor(org, actor), self.handover(org))

    def withdraw(self, org: str, actor: naive.Actor) -> None:
        handovers.withdraw(self.actor(org, actor), handover=self.handover(org))

    # ── Accounts ─────────────────────────────────────────────────────────────

    def close_account(self, person: str, proved: datetime | None) -> None:
        accounts.close(Person(via=cast.VIA, user=self.users[person], proved_at=proved))

    def sign_up(self, person: str, owned: list[str]) -> None:
        """As somebody new."""
        self.users = {**self.users, person: cast.person(person, owned[0])}
        for address in owned[1:]:
            cast.own(self.users[person], address)

    def add_address(self, person: str, address: str) -> None:
        with transaction.atomic():
            people.add_proven(cast.signed_in(self.users[person]), address)

    def let_go(self, person: str, address: str) -> None:
        """As the page of an account does it."""
        me = cast.signed_in(self.users[person])
        with transaction.atomic():
            me.user.emailaddress_set.filter(email=address).delete()
            record(me, "account.address_removed", me.user)
            memberships.keep_in_step(me)

    def be_known_by(self, org: str, actor: naive.Actor, address: str) -> None:
        memberships.known_by(self.actor(org, actor), address)

    def disable(self, person: str) -> None:
        accounts.disable(self.at_the_shell(), self.users[person])

    def enable(self, person: str) -> None:
        accounts.enable(self.at_the_shell(), self.users[person])

    def at_the_shell(self) -> Operator:
        """The operator, in no organization."""
        return cast.operator(None)

    def send(
        self,
        org: str,
        actor: naive.Actor,
        lines: list[naive.Line],
        *,
        days: int,
        until: datetime | None,
        dry: bool,
    ) -> list[invitations.Outcome]:
        terms = Terms(grant=None, days=days, member_until=until)
        wanted = [self.wanted(org, line) for line in lines]
        if dry:
            return invitations.preview(self.reader(org, actor), wanted=wanted, terms=terms)
        return invitations.send(self.actor(org, actor), wanted=wanted, terms=terms)

    def resend(
        self,
        org: str,
        actor: naive.Actor,
        targets: list[int],
        grant: naive.Grant | None,
        days: int,
        shown: int | None,
    ) -> Any:
        offers, chosen = [self.offer(target) for target in targets], self.granted(org, grant)
        acting = self.actor(org, actor)
        return invitations.resend(acting, invitations=offers, grant=chosen, days=days, shown=shown)

    def revoke(self, org: str, actor: naive.Actor, targets: list[int], shown: int | None) -> Any:
        offers = [self.offer(target) for target in targets]
        return invitations.revoke(self.actor(org, actor), invitations=offers, shown=shown)

    def make_link(self, org: str, actor: naive.Actor, target: int, shown: int | None) -> None:
        invitations.make_link(self.actor(org, actor), invitation=self.offer(target), shown=shown)

    def accept(self, person: str, target: int) -> Membership:
        offer = self.offer(target)
        return invitations.accept(self.person(person, offer), offer).membership

    def decline(self, person: str | None, target: int) -> None:
        offer = self.offer(target)
        invitations.decline(self.person(person, offer), offer)

    def ask_again(self, person: str | None, target: int) -> None:
        offer = self.offer(target)
        invitations.ask_again(self.person(person, offer), offer)

    # ── Rows into words ──────────────────────────────────────────────────────

    def held(self) -> dict[tuple[Any, str | None], set[str]]:
        """What everybody and every token holds, in each organization and inside each of its workspaces."""
        keys = {pk: key for key, pk in self.organizations.items()}
        names = {user.pk: name for name, user in self.users.items()}
        rows = Workspace.objects.in_bulk()
        places = [(key, rows[pk]) for key, pk in self.workspaces.items() if pk in rows]
        found: dict[Any, Actor] = {}
        for member in Membership.objects.prefetch_related("seats"):
            found[keys[member.organization_id], names[member.user_id]] = Member.of(member, cast.VIA)
        good = Token.objects.whole().good(timezone.now()).prefetch_related("membership__seats")
        for key, token in self.among(good):
            found[key] = tokens.actor_of(token, cast.VIA, timezone.now())
        return {
            (who, key): {each.name for each in acting.held(place)}
            for who, acting in found.items()
            for key, place in [(None, None), *places]
            if place is None or place.organization_id == acting.organization.pk
        }

    def among(self, rows: Iterable[Token]) -> Iterator[tuple[int, Token]]:
        keys = {issued.token.pk: key for key, issued in self.tokens.items()}
        return ((keys[row.pk], row) for row in rows)


class Rows:
    """A snapshot in the words of the model."""

    def __init__(self, all_rows: Snapshot, real: Real) -> None:
        self.all, self.real = all_rows, real
        self.people = {user.pk: name for name, user in real.users.items()}
        self.places = {pk: key for key, pk in real.workspaces.items()}
        self.keys = {pk: key for key, pk in real.offers.items()}
        self.roles = {pk: key for (_org, key), pk in real.roles.items()}
        self.issued = {issued.token.pk: key for key, issued in real.tokens.items()}

    def of(self, table: str, org: str) -> Iterator[Row]:
        pk = self.real.organizations[org]
        return (row for row in self.all[table].values() if row["organization_id"] == pk)

    def grant(self, pk: Any) -> naive.Grant:
        return self.roles.get(pk) or frozenset(self.all["Role"][pk]["names"])

    def sets(self, org: str) -> dict[str, tuple[Any, ...]]:
        """The roles that one could give."""
        return {
            self.roles[row["id"]]: (row["name"] or self.roles[row["id"]], frozenset(row["names"]), row["version"])
            for row in self.of("Role", org)
            if row["slug"] and not row["is_administrator"]
        }

    def workspaces(self, org: str) -> dict[str, tuple[Any, ...]]:
        return {
            self.places[row["id"]]: (row["name"], row["archived_at"] is not None, row["version"])
            for row in self.of("Workspace", org)
        }

    def organization(self, org: str) -> tuple[Any, ...]:
        row = self.all["Organization"][self.real.organizations[org]]
        bills = [(each["country"], each["tax_id"], each["version"]) for each in self.of("BillingProfile", org)]
        return (row["name"], row["closed_at"], row["version"], bills or [("", "", 0)])

    def handover(self, org: str) -> tuple[Any, ...] | None:
        for row in self.of("Handover", org):
            role = self.grant(row["role_id"]) if row["role_id"] else None
            return (self.person(row["giver_id"]), self.person(row["receiver_id"]), role, row["expires_at"])
        return None

    def tokens(self, org: str) -> dict[int, tuple[Any, ...]]:
        return {
            self.issued[row["id"]]: (
                self.person(row["membership_id"]),
                self.grant(row["limit_id"]) if row["limit_id"] else None,
                row["expires_at"],
            )
            for row in self.of("Token", org)
        }

    def members(self, org: str) -> set[tuple[Any, ...]]:
        return {
            (
                self.people[row["user_id"]],
                row["address"],
                self.grant(row["grant_id"]),
                row["suspended_at"] is not None,
                row["expires_at"],
                row["version"],
            )
            for row in self.of("Membership", org)
        }

    def person(self, membership: Any) -> str | None:
        row = self.all["Membership"].get(membership)
        return self.people[row["user_id"]] if row else None

    def seats(self, org: str) -> set[tuple[Any, ...]]:
        return {
            (self.places[row["workspace_id"]], self.person(row["membership_id"]), row["role"])
            for row in self.of("Seat", org)
        }

    def offers(self, org: str) -> dict[int, tuple[Any, ...]]:
        return {self.keys[row["id"]]: self.offer(row) for row in self.of("Invitation", org)}

    def offer(self, row: Row) -> tuple[Any, ...]:
        pending = row["state"] == "pending"
        seats = (seat for seat in self.all["OfferedSeat"].values() if seat["invitation_id"] == row["id"])
        return (
            row["address"],
            self.grant(row["grant_id"]),
            {self.places[seat["workspace_id"]]: seat["role"] for seat in seats},
            row["state"],
            row["number"],
            row["hand_number"],
            row["expires_at"],
            row["member_until"],
            row["asked_at"],
            self.person(row["sponsor_id"]) if pending else None,
            pending and row["by_operator"],
            self.issued[row["token_id"]] if pending and row["token_id"] else None,
        )


class Browser:
    """One person, signed in, at a page of one organization."""

    def __init__(self, real: Real, org: str, person: str) -> None:
        self.root = f"/o/{real.organization(org).slug}/"
        self.client = Client()
        self.client.force_login(real.users[person])
        self.main = ""

    def open(self, path: str) -> int:
        response = self.client.get(self.root + path)
        self.main = response.content.decode().partition("<main")[2].partition("</main>")[0]
        return response.status_code

    @property
    def links(self) -> set[UUID]:
        """The members and invitations that the page links to."""
        return {UUID(found) for found in re.findall(rf'href="{self.root}users/([0-9a-f-]{{36}})"', self.main)}

    @property
    def addresses(self) -> set[str]:
        return set(re.findall(r"[\w.]+@[\w.]+\w", self.main))
