"""Organizations and people to measure with, made through the product's own commands."""

import secrets

from django.utils import timezone

from portico.domain import addresses, invitations, organizations, people, roles
from portico.domain.access import Member, Person, Via

VIA = Via(door="bench")


def founder() -> Member:
    """The administrator of a new organization that the operator trusts."""
    name = secrets.token_hex(6)
    user = people.create(f"{name}@bench.example", "Bench", None, verified=True, via=VIA)
    membership = organizations.found(Person(via=VIA, user=user), name=f"Bench {name}")
    organization = membership.organization
    organization.is_trusted = True
    organization.save(update_fields=["is_trusted"])
    return Member.of(membership, VIA, proved_at=timezone.now())


def wanted(count: int) -> list[invitations.Wanted]:
    """Addresses that nobody has used yet."""
    tag = secrets.token_hex(4)
    typed = addresses.read("\n".join(f"person{n}.{tag}@example.org" for n in range(count)))
    return [invitations.Wanted(each) for each in typed]


def terms(actor: Member) -> invitations.Terms:
    return invitations.Terms(grant=roles.grant_of(actor.organization, "developer", None))
