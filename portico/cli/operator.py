"""Who acts at the shell, and how the shell's words for people and organizations become rows."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from portico.domain.access import Operator, Via
    from portico.domain.organizations import Organization
    from portico.domain.people import User


def via() -> "Via":
    from portico.domain.access import Via

    return Via(door="cli")


def operator(organization: "Organization | None") -> "Operator":
    """The actor of every command here; without an organization where that is about to be founded."""
    from portico.domain.access import Operator

    return Operator(organization=organization, via=via())  # type: ignore[arg-type]


def address(text: str, *, field: str) -> str:
    """The form in which an address is kept, or Invalid."""
    from portico.domain import addresses
    from portico.domain.errors import Invalid

    typed = addresses.check(text)
    if typed.address is None:
        raise Invalid(f"{typed.text}: {typed.problem}", field=field)
    return typed.address


def account(email: str) -> "User":
    """Whoever has verified this address, or Missing."""
    from portico.domain.errors import Missing
    from portico.domain.people import User

    user = User.objects.owner_of(email)
    if user is None:
        raise Missing(_("Nobody has an account with the verified address %(email)s.") % {"email": email})
    return user


def organization(slug: str) -> "Organization":
    """The organization of this slug, or Missing."""
    from portico.domain.errors import Missing
    from portico.domain.organizations import Organization

    found = Organization.objects.filter(slug=slug.strip().lower()).first()
    if found is None:
        raise Missing(_("There is no organization with the address “%(slug)s”.") % {"slug": slug})
    return found
