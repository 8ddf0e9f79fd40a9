"""How the cast comes to be, and what tests ask of it again and again.

Everything here is a plain function. People join by `admit`, so that a test begins without letters and invitations.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.utils import timezone

from portico.domain import addresses, invitations, memberships, organizations, roles
from portico.domain.access import Member, Operator, Person, Via
from portico.domain.events import Event
from portico.domain.invitations import Invitation, Outcome, Terms, Wanted
from portico.domain.organizations import Organization
from portico.domain.people import User
from portico.domain.permissions import Permission
from portico.domain.roles import Grant
from portico.domain.workspaces import SeatOffer

VIA = Via(door="console", address="192.0.2.7", browser="Firefox")
PASSWORD = "correct horse battery staple"


def person(name: str, email: str = "", *, verified: bool = True) -> User:
    """An account; its address is `name@example.org` if none is given."""
    email = email or f"{name.lower()}@example.org"
    user = User.objects.create_user(email, PASSWORD, name=name)
    EmailAddress.objects.create(user=user, email=email, primary=True, verified=verified)
    return user


def own(user: User, email: str, *, verified: bool = True) -> None:
    """One more address of an account."""
    EmailAddress.objects.create(user=user, email=email, primary=False, verified=verified)


def signed_in(user: User) -> Person:
    return Person(via=VIA, user=user)


def operator(organization: Any) -> Operator:
    return Operator(organization=organization, via=Via(door="shell"))


def founded(name: str, by: User) -> Member:
    """A new organization, as its first Administrator sees it."""
    return Member.of(organizations.found(signed_in(by), name=name), VIA, proved_at=timezone.now())


def joined(organization: Organization, user: User, grant: Grant, *, expires_at: datetime | None = None) -> Member:
    """A person as a member of the organization."""
    row = roles.intern(organization, grant)
    now = timezone.now()
    membership = memberships.admit(organization, user, row, address=user.email, now=now, expires_at=expires_at)
    return Member.of(membership, VIA, proved_at=now)


def role(organization: Organization, slug: str) -> Grant:
    return Grant(role=organization.roles.get(slug=slug))


def custom(*permissions: Permission) -> Grant:
    return Grant(custom=frozenset(permissions))


def wanted(*emails: str, **own_terms: Any) -> list[Wanted]:
    """The lines of an invitation, as typed."""
    return [Wanted(entry, **own_terms) for email in emails for entry in addresses.read(email)]


def invite(actor: Any, *emails: str, grant: Grant, seats: Sequence[SeatOffer] = (), **terms: Any) -> list[Outcome]:
    """Invite addresses; one outcome for each."""
    return invitations.send(actor, wanted=wanted(*emails), terms=Terms(grant=grant, seats=seats, **terms))


def invited(actor: Any, email: str, *, grant: Grant, seats: Sequence[SeatOffer] = (), **terms: Any) -> Invitation:
    """The invitation of one address, which must succeed."""
    [outcome] = invite(actor, email, grant=grant, seats=seats, **terms)
    assert outcome.is_good, outcome.detail
    assert outcome.invitation
    return outcome.invitation


def actions(organization: Organization | None = None) -> list[str]:
    """What the audit log of an organization tells, oldest first; without one, what people did to their accounts."""
    log = Event.objects.filter(organization_id=organization.pk if organization else None)
    return list(log.order_by("id").values_list("action", flat=True))
