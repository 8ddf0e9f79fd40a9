"""`portico demo`: an example organization to look at, made by the commands that people use."""

import secrets
from typing import TYPE_CHECKING, Annotated, Any

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done
from portico.cli.operator import via

if TYPE_CHECKING:
    from portico.domain.access import Member
    from portico.domain.people import User

SLUG = "harbour-demo"
# Name, and what they get: a role, or permissions of their own.
PEOPLE: list[tuple[str, str | None, list[str] | None]] = [
    ("Kwabena Mensah", None, ["members.manage"]),
    ("Aroha Ngata", "developer", None),
    ("Maite Etxeberria", "developer", None),
    ("Sofia Lindqvist", "contributor", None),
    ("Leila Haddad", "contributor", None),
]
INVITED = ("ines.duarte@demo.example", "oskar.nowak@demo.example")
WORKSPACES = {"Payments": ("Aroha Ngata", "Sofia Lindqvist"), "Web shop": ("Maite Etxeberria", "Leila Haddad")}


def demo(
    public: Annotated[
        bool, typer.Option("--public", help="Also where others reach this server: the people have one password.")
    ] = False,
) -> Done:
    """Make an example organization with people, roles, workspaces and invitations, and say how to sign in."""
    ensure_allowed(public=public)
    password = secrets.token_urlsafe(9)
    amara = account("Amara Okafor", password)
    boss = founded(amara)
    members = [boss, *(joined(boss, name, role, names, password) for name, role, names in PEOPLE)]
    populate(boss, {member.membership.name: member for member in members})
    from django.conf import settings

    facts: dict[str, Any] = {
        "address": f"{settings.ENVIRONMENT.base_url}/o/{SLUG}/",
        "password": password,
        "people": [{"name": each.membership.name, "email": each.membership.address} for each in members],
    }
    lines = [_("Sign in at %(address)s with the password %(password)s as") % facts]
    lines += [f"  {each['email']}  {each['name']}" for each in facts["people"]]
    return Done("\n".join(lines), facts)


def ensure_allowed(*, public: bool) -> None:
    from django.conf import settings

    from portico.domain.errors import Refused
    from portico.domain.organizations import Organization

    if not settings.ENVIRONMENT.is_loopback and not public:
        sentence = _(
            "Others reach this server, and everybody of the example has one password. Say --public if you mean it."
        )
        raise Refused("public", sentence)
    if Organization.objects.filter(slug=SLUG).exists():
        raise Refused("already_there", _("The example is there already, at /o/%(slug)s/.") % {"slug": SLUG})


def account(name: str, password: str) -> "User":
    from portico.domain import people, words

    email = f"{words.fold(name).replace(' ', '.')}@demo.example"
    return people.create(email, name, password, verified=True, via=via())


def founded(user: "User") -> "Member":
    from django.utils import timezone

    from portico.cli.operator import operator
    from portico.domain import organizations
    from portico.domain.access import Member

    row = organizations.found_for(operator(None), user, name="Harbour", slug=SLUG)
    return Member.of(row, via(), proved_at=timezone.now())


def joined(sponsor: "Member", name: str, role: str | None, names: list[str] | None, password: str) -> "Member":
    """Invited, and accepted at once."""
    from portico.domain import addresses, invitations, roles
    from portico.domain.access import Member, Person
    from portico.domain.invitations import Terms, Wanted

    user = account(name, password)
    terms = Terms(grant=roles.grant_of(sponsor.organization, role, names))
    [outcome] = invitations.send(sponsor, wanted=[Wanted(addresses.check(user.email))], terms=terms)
    assert outcome.invitation  # noqa: S101  # nobody else has this address
    return Member.of(invitations.accept(Person(via=via(), user=user), outcome.invitation).membership, via())


def populate(boss: "Member", members: "dict[str, Member]") -> None:
    """A role of its own, workspaces with seats, and invitations that wait."""
    from portico.domain import addresses, invitations, roles, workspaces
    from portico.domain.invitations import Terms
    from portico.domain.permissions import MANAGER, MEMBER

    billing = roles.grant_of(boss.organization, None, ["billing.manage", "members.view"])
    roles.add(boss, name="Accounting", permissions=billing.permissions)
    for title, (manager, member) in WORKSPACES.items():
        place = workspaces.create(boss, name=title)
        for name, kind in ((manager, MANAGER), (member, MEMBER)):
            workspaces.give_seat(boss, workspace=place, member=members[name].membership, role=kind)
    wanted = invitations.wanted_from(boss, addresses.read(" ".join(INVITED)))
    invitations.send(boss, wanted=wanted, terms=Terms(grant=roles.grant_of(boss.organization, "developer", None)))
