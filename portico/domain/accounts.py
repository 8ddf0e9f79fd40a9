"""The end of an account, and its stop: what reaches across all organizations of a person.

No organization loses its last Administrator by it. To close an account, each membership ends by a command of its own,
under the lock of its organization, and then the account goes. Whatever happens between two of these, what is done is
done whole, the account is still there, and closing it again does the rest.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.utils.translation import gettext as _

from . import events, memberships, organizations, outbox, people, retries
from .access import Actor, Member, Operator, Person
from .actions import repeatable
from .errors import Missing, Refused, changed_meanwhile
from .events import Event, Origin, record
from .invitations import Invitation
from .memberships import Membership
from .organizations import Organization
from .people import User
from .tokens import Token

CHUNK = 1000
ROUNDS = 5  # as often somebody may join something while their account closes


def of(user: User, table: str) -> models.QuerySet[Any]:
    """What django-allauth keeps of a person; asked for late, because its tables point at our User."""
    rows: models.QuerySet[Any] = apps.get_model(table)._default_manager.filter(user=user)
    return rows


ADDRESSES, FACTORS, SESSIONS = "account.EmailAddress", "mfa.Authenticator", "usersessions.UserSession"


# --- Closing -------------------------------------------------------------------------------------------------------


def close(person: Person) -> None:
    """Close one's own account: all memberships end, and whatever names the person is forgotten. Nobody can undo it."""
    person.require_proof()
    _end(person, person.user)


def delete(operator: Operator, user: User) -> None:
    """The same by the operator."""
    _end(operator, user)


def administered_alone(user: User) -> list[Organization]:
    """Where the person is the last Administrator who can stay: there, nothing may end that."""
    alone = []
    for mine in Membership.objects.filter(user=user).lasting_administrators().order_by("organization__name", "id"):
        others = mine.organization.memberships.lasting_administrators().exclude(user=user)
        if not others.exists():
            alone.append(mine.organization)
    return alone


def _end(actor: Person | Operator, user: User) -> None:
    _refuse(administered_alone(user))  # before anything has ended; each command asks again
    for _round in range(ROUNDS):
        for member in organizations.of(user):
            with suppress(Missing):  # somebody else has ended it
                memberships.end_with_account(_within(actor, member), member)
        if _forget(actor, user):
            return
    raise Refused("changed_meanwhile", _("You have joined an organization meanwhile. Try again."))


def _within(actor: Person | Operator, member: Membership) -> Actor:
    """The same one, as somebody who acts in this organization."""
    if isinstance(actor, Person):
        return Member.of(member, actor.via, proved_at=actor.proved_at)
    return Operator(organization=member.organization, via=actor.via)


@repeatable
def _forget(actor: Actor, user: User) -> bool:
    """The account itself, once it belongs nowhere; whether it does. What it did is still told, without its name."""
    with transaction.atomic(durable=True):
        # An acceptance locks the address first, and then waits for its owner, as every new membership does.
        owned = [row.email for row in of(user, ADDRESSES).select_for_update() if row.verified]
        locked = User.objects.select_for_update().filter(pk=user.pk).first()
        if locked is None:
            return True
        if locked.memberships.exists():
            return False
        record(actor, "account.closed", locked)
        _erase(locked, owned)
        return True


def _erase(user: User, addresses: Sequence[str]) -> None:
    """Last of all the letter, to an address that is nobody's from now on."""
    offers = Invitation.objects.filter(address__in=addresses).values_list("pk", flat=True)
    events.erase(user.pk, *offers)
    retries.erase(user.pk, addresses)
    _end_sessions(user)
    _post("account/closed", user)
    user.delete()


def _refuse(alone: Sequence[Organization]) -> None:
    if alone:
        names = ", ".join(organization.name for organization in alone)
        sentence = _("%(names)s would have no Administrator who stays. Make somebody else one there first.")
        raise Refused("last_administrator", sentence % {"names": names}, organizations=alone)


def _post(kind: str, user: User) -> None:
    secrets = {"email": user.email, "name": user.name}
    outbox.post_account(kind, user.email, about=user.pk, secrets=secrets, locale=user.locale)


def _end_sessions(user: User) -> None:
    theirs = of(user, SESSIONS)
    apps.get_model("sessions.Session")._default_manager.filter(
        session_key__in=list(theirs.values_list("session_key", flat=True))
    ).delete()
    theirs.delete()


# --- How one is called ------------------------------------------------------------------------------------------------


@repeatable
def rename(person: Person, name: str, *, was: str | None = None) -> None:
    """Change how a person is called, everywhere. `was` is the name that they saw, where they saw one."""
    with transaction.atomic(durable=True):
        person.user = User.objects.select_for_update().get(pk=person.user.pk)
        if was not in {None, person.user.name}:
            raise changed_meanwhile()
        people.rename(person, name)
        memberships.keep_in_step(person)


# --- Stopping ------------------------------------------------------------------------------------------------------


@repeatable
def disable(operator: Operator, user: User) -> None:
    """Nobody signs in to it or acts through its tokens until it is enabled again. It belongs where it belonged."""
    with transaction.atomic(durable=True):
        locked, theirs = _locked_everywhere(user)
        if not locked.is_active:
            raise Refused("disabled", _("This account is disabled."))
        had = {organization: organization.has_administrator() for organization in theirs}
        _stop(locked)
        record(operator, "account.disabled", locked)
        for organization, had_administrator in had.items():
            organization.settle(
                Operator(organization=organization, via=operator.via), had_administrator=had_administrator
            )


def _stop(user: User) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])
    _end_sessions(user)


@repeatable
def enable(operator: Operator, user: User) -> None:
    """Let somebody sign in again."""
    with transaction.atomic(durable=True):
        locked = User.objects.select_for_update().get(pk=user.pk)
        if locked.is_active:
            raise Refused("not_disabled", _("This account is not disabled."))
        locked.is_active = True
        locked.save(update_fields=["is_active"])
        record(operator, "account.enabled", locked)


@repeatable
def reset_second_factor(operator: Operator, user: User) -> None:
    """Take app, passkeys and recovery codes off, for somebody who has lost them: the password alone lets in again."""
    with transaction.atomic(durable=True):
        locked = User.objects.select_for_update().get(pk=user.pk)
        if not of(locked, FACTORS).exists():
            raise Refused("no_second_factor", _("This account has no second factor."))
        of(locked, FACTORS).delete()
        record(operator, "account.second_factor_reset", locked)
        _post("account/second_factor_reset", locked)


def _locked_everywhere(user: User) -> tuple[User, list[Organization]]:
    """The account and all its organizations, locked: in one order, so that two of these never wait for each other."""
    theirs = Organization.objects.filter(pk__in=Membership.objects.filter(user=user).order_by().values("organization"))
    locked = list(theirs.order_by("pk"))
    for organization in locked:
        organization.lock()
    found = User.objects.select_for_update().get(pk=user.pk)
    if found.memberships.exclude(organization__in=locked).exists():
        raise Refused("changed_meanwhile", _("They have joined an organization meanwhile. Try again."))
    return found, locked


# --- All that is kept of somebody ------------------------------------------------------------------------------------


def everything_of(user: User) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    """What is kept of a person, part by part, without what would let anybody in."""
    yield "account", [_account(user)]
    yield "addresses", of(user, ADDRESSES).order_by("email").values("email", "primary", "verified")
    yield "memberships", (_membership(member) for member in organizations.of(user).prefetch_related("seats__workspace"))
    tokens = Token.objects.filter(membership__user=user).order_by("id")
    yield "tokens", map(dict, tokens.values("name", "prefix", "created_at", "expires_at", "last_used_at"))
    yield "second_factors", of(user, FACTORS).order_by("id").values("type", "created_at", "last_used_at")
    yield "sessions", of(user, SESSIONS).order_by("id").values("ip", "user_agent", "created_at", "last_seen_at")
    yield "events", _events(user)


def _account(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "name": user.name,
        "email": user.email,
        "locale": user.locale,
        "picture": user.image,
        "created_at": user.created_at,
        "last_login": user.last_login,
    }


def _membership(member: Membership) -> dict[str, Any]:
    return {
        "organization": {"name": member.organization.name, "slug": member.organization.slug},
        "name": member.name,
        "address": member.address,
        "grant": member.grant.summary,
        "seats": [{"workspace": seat.workspace.name, "role": seat.role} for seat in member.seats.all()],
        "invited_by": member.invited_by,
        "joined_at": member.joined_at,
        "suspended_at": member.suspended_at,
        "expires_at": member.expires_at,
        "active_at": member.active_at,
    }


def _events(user: User) -> Iterator[dict[str, Any]]:
    """What they did, to their account and in organizations to which they belong, with where from; a few at a time."""
    for organization_id in [None, *organizations.of(user).values_list("organization", flat=True)]:
        acts = Event.objects.filter(organization_id=organization_id, actor_id=user.pk).order_by("id")
        while page := list(acts[:CHUNK]):
            origins = Origin.objects.in_bulk({event.batch for event in page})
            yield from (_event(event, origins.get(event.batch)) for event in page)
            acts = acts.filter(id__gt=page[-1].pk)


def _event(event: Event, origin: Origin | None) -> dict[str, Any]:
    return {
        "id": event.pk,
        "organization": event.organization_id,
        "at": event.at,
        "door": event.door,
        "action": event.action,
        "subject": {"kind": event.subject_kind, "id": event.subject_id},
        "details": event.details,
        "from": {"address": origin.address, "browser": origin.browser} if origin else None,
    }
