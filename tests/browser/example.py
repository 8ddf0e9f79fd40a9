"""Organizations with example people, made by the commands that people use: for tests of pages, and for pictures.

It runs beside a server, in a process of its own: `python -m tests.browser.example`, with `--picture` for Meroorg
without its rare rows alone. What only the clock can do (an end
that has come, when somebody was last here) is written into the rows afterwards. It prints where each person and each
invitation is found, by address.

    Meroorg                  rows of every kind; amara administers it, kwabena manages members, aroha contributes
    Northwind Cooperative    an invitation for each situation that somebody may find it in; nora sends them
    Estuary                  for tests that change something: nell administers it, theo and mae contribute
    Harbour mouse, …         hana administers it; pia has the role People lead and has invited dan: one for each hand
    Quiet                    quentin alone
    Atelier                  closed; anouk administers it
"""

import json
import os
import sys
import time
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")
django.setup()

from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from portico.domain import (  # noqa: E402
    billing,
    handovers,
    invitations,
    memberships,
    organizations,
    people,
    roles,
    tokens,
    workspaces,
)
from portico.domain.access import Bearer, Member, Person, Via  # noqa: E402
from portico.domain.billing import Details  # noqa: E402
from portico.domain.invitations import Invitation, hand_token  # noqa: E402
from portico.domain.memberships import Membership  # noqa: E402
from portico.domain.organizations import Organization  # noqa: E402
from portico.domain.outbox import Letter  # noqa: E402
from portico.domain.permissions import MEMBERS_MANAGE  # noqa: E402
from portico.domain.roles import Grant  # noqa: E402
from portico.domain.tokens import Token  # noqa: E402
from portico.domain.workspaces import SeatOffer, Workspace  # noqa: E402
from tests import cast  # noqa: E402
from tests.browser.installation import PASSWORD, PATIENCE  # noqa: E402

CONSOLE = Via(door="console", address="192.0.2.7", browser="Firefox")
LONG = "Maximiliane Hildegard Adelheid von Waldburg-Zeil-Trauchberg-Wolfegg und Waldsee"
HARBOURS = ("mouse", "without-script")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def account(name: str, email: str) -> Person:
    user = people.create(email, name, PASSWORD, verified=True, via=Via(door="cli"))
    return Person(via=CONSOLE, user=user)


def founded(name: str, by: Person, **facts: str) -> Member:
    return Member.of(organizations.found(by, name=name, **facts), CONSOLE, proved_at=timezone.now())


def again(member: Member) -> Member:
    """With what has become theirs meanwhile."""
    return Member.of(Membership.objects.get(pk=member.membership.pk), CONSOLE, proved_at=timezone.now())


def joined(sponsor: Member, person: Person, grant: Grant, *seats: SeatOffer, **terms: Any) -> Member:
    offer = cast.invited(sponsor, person.user.email, grant=grant, seats=seats, **terms)
    return Member.of(invitations.accept(person, offer).membership, CONSOLE)


BILLING = Details(
    legal_name="Meroorg Kartografie GmbH",
    email="bills@meroorg.example",
    line1="Lange Straße 1",
    city="Berlin",
    postal_code="10115",
    country="DE",
    tax_id="DE136695976",
    currency="EUR",
)


# --- Meroorg -------------------------------------------------------------------------------------------------------


def meroorg(*, whole: bool = True) -> Member:
    """The list of users that the pictures show; `whole` adds what is rare."""
    amara = founded(
        "Meroorg", account("Amara Okafor", "amara.okafor@meroorg.example"), description="Maps that know the way home."
    )
    administrator, developer, contributor = (
        cast.role(amara.organization, slug) for slug in ("administrator", "developer", "contributor")
    )
    atlas, field, ledger = (
        workspaces.create(amara, name=name, description=says)
        for name, says in (
            ("Atlas", "The maps themselves"),
            ("Field ops", "Those who walk the streets"),
            ("Ledger", ""),
        )
    )
    amara = again(amara)
    seat = SeatOffer
    joined(amara, account("Ivana Kovačević", "ivana@meroorg.example"), administrator)
    joined(amara, account("Aroha Ngāta", "aroha@meroorg.example"), contributor, seat(field))
    joined(
        amara, account("دينا منصور", "dina.mansour@meroorg.example"), developer, seat(atlas), seat(ledger, "manager")
    )
    joined(amara, account("Hiroshi Tanaka", "hiroshi.tanaka@meroorg.example"), developer, seat(atlas))
    kwabena = joined(
        amara, account("Kwabena Asante-Boateng", "k.asante@meroorg.example"), cast.custom(MEMBERS_MANAGE), seat(field)
    )
    joined(amara, account("Sorley MacLean", "sorley@meroorg.example"), contributor)
    joined(amara, account("Noor Haddad", "noor@meroorg.example"), developer, member_until=timezone.now() + 20 * DAY)
    cast.invite(amara, "j.whitfield@harrow-joinery.example", grant=contributor, seats=[seat(field)])
    cast.invite(
        amara,
        "sofia.reyes@meroorg.example",
        grant=developer,
        seats=[seat(atlas)],
        message="Welcome to the Atlas team. We meet on Tuesdays at ten.",
    )
    cast.invite(kwabena, "f.haidari@meroorg.example", grant=contributor, days=1)
    if whole:
        rare(amara, developer, contributor, ledger)
    delivered()
    were_here(amara.organization)
    return amara


def rare(amara: Member, developer: Grant, contributor: Grant, ledger: Workspace) -> None:
    joined(amara, account(LONG, f"{'m' * 60}@{'waldsee' * 5}.meroorg.example"), developer)
    lena = joined(amara, account("Lena Fischer", "lena@meroorg.example"), contributor)
    tomas = joined(amara, account("Tomás Herrera", "tomas@meroorg.example"), contributor)
    lead = roles.add(amara, name="People lead", permissions=frozenset({MEMBERS_MANAGE}))
    cast.invite(amara, "lead@meroorg.example", grant=Grant(role=lead))
    petra = joined(amara, account("Petra Novák", "petra@meroorg.example"), developer, SeatOffer(ledger))
    memberships.remove(amara, members=[petra.membership])
    old = cast.invited(amara, "old@meroorg.example", grant=contributor)
    withdrawn = cast.invited(amara, "withdrawn@meroorg.example", grant=contributor)
    invitations.revoke(amara, invitations=[withdrawn])
    with_tokens(amara, lena, contributor)
    harbour = workspaces.create(amara, name="Harbour", description="Closed since the ferry runs by itself")
    workspaces.archive(amara, workspace=harbour)
    billing.change(amara, details=BILLING)
    now = timezone.now()
    Membership.objects.filter(pk=lena.membership.pk).update(suspended_at=now - 3 * DAY)
    Membership.objects.filter(pk=tomas.membership.pk).update(expires_at=now - 9 * DAY)
    Invitation.objects.filter(pk=old.pk).update(expires_at=now - 2 * DAY)


def with_tokens(amara: Member, lena: Member, contributor: Grant) -> None:
    """One of each kind: used and not, with an end and without, past it, through which an offer came, asleep."""
    tokens.issue(lena, name="Holiday calendar", permissions=["members.view"])
    tokens.issue(amara, name=LONG, days=None)
    old = tokens.issue(amara, name="Last year’s import", days=1)
    onboarding = tokens.issue(amara, name="Onboarding", permissions=["members.manage", "workspace.view"])
    shop = tokens.issue_service(amara, name="Map shop")
    now = timezone.now()
    cast.invite(tokens.actor_of(onboarding.token, CONSOLE, now), "by.script@meroorg.example", grant=contributor)
    for issued in (onboarding, shop):
        tokens.used(issued.token, now - 2 * HOUR)
    Token.objects.filter(pk=old.token.pk).update(expires_at=now - 5 * DAY)


def were_here(organization: Organization) -> None:
    """When each of them was last here, and since when they belong."""
    now = timezone.now()
    ago = [1 * MINUTE, 1 * HOUR, 26 * HOUR, 3 * HOUR, 12 * MINUTE, 2 * DAY, 5 * DAY, 40 * MINUTE]
    for number, member in enumerate(organization.memberships.order_by("id")):
        active_at = now - ago[number % len(ago)]
        joined_at = now - (400 - 30 * number) * DAY
        Membership.objects.filter(pk=member.pk).update(active_at=active_at, joined_at=joined_at)


# --- Northwind -----------------------------------------------------------------------------------------------------


def northwind() -> Member:
    """Each address is named for what became of its invitation, and its letter has arrived before that."""
    nora = founded("Northwind Cooperative", account("Nora Berg", "nora@northwind.example"), color="teal")
    developer, contributor = (cast.role(nora.organization, slug) for slug in ("developer", "contributor"))
    crew = workspaces.create(nora, name="Harbour crew")
    nora = again(nora)
    nils = joined(
        nora, account("Nils Holm", "nils@northwind.example"), cast.custom(MEMBERS_MANAGE), SeatOffer(crew, "manager")
    )
    cast.invite(nils, "crew@elsewhere.example", grant=cast.custom(), seats=[SeatOffer(crew)])
    ned = joined(nora, account("Ned Fjord", "ned@northwind.example"), cast.custom(MEMBERS_MANAGE))
    offers = {
        name: cast.invited(nora, f"{name}@elsewhere.example", grant=developer, message="Come and sail with us.")
        for name in ("open", "expired", "revoked", "declined", "accepted", "renewed", "hers", "theirs")
    }
    offers["orphan"] = cast.invited(ned, "orphan@elsewhere.example", grant=cast.custom())
    for maker, name in ((nora, "expired"), (ned, "orphan")):
        invitations.make_link(maker, invitation=offers[name])
    cast.own(nora.membership.user, "noras.other@elsewhere.example")
    cast.invite(nora, "noras.other@elsewhere.example", grant=contributor)
    delivered()

    account("Theo Brandt", "theirs@elsewhere.example")
    akua = invitations.accept(account("Akua Mensah", "accepted@elsewhere.example"), offers["accepted"]).membership
    handovers.offer(nora, member=akua, step_down=contributor.role)
    invitations.decline(Bearer(organization=nora.organization, via=CONSOLE), offers["declined"])
    invitations.revoke(nora, invitations=[offers["revoked"]])
    invitations.resend(nora, invitations=[offers["renewed"]])
    now = timezone.now()
    Invitation.objects.filter(pk=offers["expired"].pk).update(expires_at=now - DAY)
    Membership.objects.filter(pk=ned.membership.pk).update(expires_at=now - DAY)
    return nora


# --- Smaller places ------------------------------------------------------------------------------------------------


def estuary() -> Member:
    nell = founded("Estuary", account("Nell Marsh", "nell@estuary.example"), color="green")
    for name, email in (("Theo Reed", "theo@estuary.example"), ("Mae Heron", "mae@estuary.example")):
        joined(nell, account(name, email), cast.role(nell.organization, "contributor"))
    return nell


def harbour(hand: str) -> None:
    hana = founded(f"Harbour {hand}", account("Hana Sato", f"hana@{hand}.harbour.example"))
    lead = roles.add(hana, name="People lead", permissions=frozenset({MEMBERS_MANAGE}))
    pia = joined(hana, account("Pia Lund", f"pia@{hand}.harbour.example"), Grant(role=lead))
    joined(hana, account("Sam Reed", f"sam@{hand}.harbour.example"), cast.role(hana.organization, "contributor"))
    cast.invite(pia, f"dan@{hand}.harbour.example", grant=cast.custom())


def quiet() -> Member:
    return founded("Quiet", account("Quentin Moss", "quentin@quiet.example"))


def atelier() -> Member:
    anouk = founded("Atelier", account("Anouk Sundström", "anouk@atelier.example"), color="orange")
    cast.invite(anouk, "closed@elsewhere.example", grant=cast.custom())
    delivered()
    Organization.objects.filter(pk=anouk.organization.pk).update(closed_at=timezone.now())
    return anouk


# --- Letters, and where everybody is found -------------------------------------------------------------------------


def delivered() -> None:
    """The worker beside us has handed over everything that is due."""
    deadline = time.monotonic() + PATIENCE
    while Letter.objects.filter(state=Letter.State.WAITING).exists():
        assert time.monotonic() < deadline, "letters wait, and nobody delivers them"
        time.sleep(0.05)


def found_at() -> dict[str, str]:
    """The page of each person and each invitation, by organization and address: "meroorg/ivana@meroorg.example".

    Links that were made to hand over stand there too: "handed/orphan@elsewhere.example".
    """
    rows = [*Membership.objects.select_related("organization"), *Invitation.objects.select_related("organization")]
    places = {f"{row.organization.slug}/{row.address}": (row.organization.slug, row.pk) for row in reversed(rows)}
    handed = {
        f"handed/{row.address}": reverse("join", args=[hand_token(row.pk, row.hand_number)])
        for row in Invitation.objects.filter(hand_number__gt=0)
    }
    return {name: reverse("user", args=place) for name, place in places.items()} | handed


def main() -> None:
    if "--picture" in sys.argv:
        meroorg(whole=False)
        return
    for place in (meroorg, northwind, estuary, quiet, atelier):
        place()
    for hand in HARBOURS:
        harbour(hand)
    account("Odd Nilsen", "odd@nowhere.example")
    delivered()
    print(json.dumps(found_at()))


if __name__ == "__main__":
    main()
