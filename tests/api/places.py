"""Two organizations with everybody who can ask, by a session of the console or by a token."""

from dataclasses import dataclass

from django.test import Client

from portico.domain import memberships, tokens
from portico.domain.access import Member
from tests.api.operations import SERVICE
from tests.cast import VIA
from tests.console import routes
from tests.console.browser import signed_in
from tests.console.routes import NOBODY, Place


@dataclass
class Here(Place):
    """With a token of full access for each member, and a service token."""

    secrets: dict[str, str]


def with_tokens(place: Place) -> Here:
    rows = memberships.Membership.objects.filter(organization=place.administrator.organization)
    members = {row.user_id: row for row in rows}
    mine = {
        who: tokens.issue(Member.of(members[user.pk], VIA), name="All").secret
        for who, user in place.people.items()
        if user.pk in members
    }
    service = tokens.issue_service(place.administrator, name="Product").secret
    return Here(**vars(place), secrets=mine | {SERVICE: service})


def both() -> list[Here]:
    """Two organizations with all that a request can name."""
    acme = {"administrator": "Ada", "plain": "Mel", "bare": "Bo", "seated": "Sid", "manager": "Ivy"}
    elsewhere = {"administrator": "Eve", "plain": "Ned", "bare": "Nan", "seated": "Sue", "manager": "Ian"}
    return [
        with_tokens(routes.founded("Acme", **acme, invitee="Bob", stranger="Sam")),
        with_tokens(routes.founded("Elsewhere", **elsewhere, invitee="Fay", stranger="Sol")),
    ]


def asker(place: Here, who: str) -> Client:
    """By the console's session, signed in a moment ago; a service by its token."""
    if who == SERVICE:
        return program(place.secrets[SERVICE])
    return Client() if who == NOBODY else signed_in(place.people[who])


def program(secret: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {secret}"})
