"""From the link of a letter to a pressed button, and all that can stand between them.

ada administers Acme and invites bob@example.org; `link` is what his letter says.
"""

import base64
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.core import signing
from django.test import Client
from django.utils import timezone

from portico import logs
from portico.console import join
from portico.domain import invitations, organizations
from portico.domain.events import Event, Label
from portico.domain.invitations import Invitation, letter_token
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from portico.domain.people import User
from portico.domain.workspaces import SeatOffer, Workspace
from tests import cast
from tests.cast import PASSWORD

BOB = "bob@example.org"


@pytest.fixture
def offer(ada, developer) -> Invitation:
    """To bob@example.org, as Developer."""
    return cast.invited(ada, BOB, grant=developer, message="Welcome <b>here</b>,\nBob")


@pytest.fixture
def bob(db) -> User:
    return cast.person("Bob")


def link_of(invitation: Invitation, number: int = 0) -> str:
    return f"/join/{letter_token(invitation.pk, number or invitation.number)}"


def page_of(invitation: Invitation) -> str:
    return f"/invitations/{invitation.pk}"


def opened(invitation: Invitation, client: Client | None = None) -> Client:
    """A browser that has opened the letter's link."""
    client = client or Client()
    client.get(link_of(invitation))
    return client


def signed_in(user: User, client: Client | None = None) -> Client:
    client = client or Client()
    client.force_login(user)
    return client


def press(client: Client, invitation: Invitation, do: str, **more: str):
    return client.post(page_of(invitation), {"do": do} | more)


def heading(answer) -> str:
    [shown] = re.findall(r"<h1>(.*?)</h1>", answer.content.decode())
    return re.sub(r"<[^>]+>", "", shown)


def seen(client: Client, invitation: Invitation) -> str:
    return heading(client.get(page_of(invitation)))


def text(answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", answer.content.decode()).split())


def sign_up(client: Client, invitation: Invitation | None = None, **typed: str):
    data = {"name": "Bob", "email": BOB, "password1": PASSWORD} | typed
    return client.post("/account/signup/", data | ({"next": page_of(invitation)} if invitation else {}))


def reauthenticate(client: Client, **more: str):
    return client.post("/account/reauthenticate/", {"password": PASSWORD} | more)


def confirm(client: Client):
    code = Letter.objects.latest("id").secrets["code"]
    return client.post("/account/confirm-email/", {"code": code})


def everything() -> dict[str, list]:
    """All rows that an invitation could change."""
    tables: tuple[Any, ...] = (Invitation, Membership, User, EmailAddress, Event, Letter)
    return {table.__name__: list(table.objects.order_by("pk").values()) for table in tables}


# --- The link ------------------------------------------------------------------------------------------------------


def test_a_link_leaves_the_address_bar_and_stays_in_a_cookie_of_this_browser(client, offer):
    answer = client.get(link_of(offer))

    assert (answer.status_code, answer.url) == (303, page_of(offer))
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]
    cookie = answer.cookies[join.COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 7200)
    assert signing.loads(cookie.value, salt=join.SALT) == [[offer.pk.hex, 1, "letter"]]


def test_where_portico_speaks_https_the_cookie_travels_nowhere_else(client, offer, settings):
    settings.SECURE = True

    assert client.get(link_of(offer)).cookies[join.COOKIE]["secure"]


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_a_link_writes_nothing_on_the_server(offer, method):
    before = everything()
    scanner = Client()
    answer = getattr(scanner, method)(link_of(offer), HTTP_SEC_PURPOSE="prefetch")
    getattr(scanner, method)(answer.url, HTTP_SEC_PURPOSE="prefetch")

    assert answer.status_code == 303
    assert everything() == before
    assert not Session.objects.exists()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_a_link_is_only_opened(offer, method):
    before = everything()

    assert getattr(Client(), method)(link_of(offer)).status_code == 405
    assert everything() == before


def test_a_link_with_an_older_number_says_when_the_newer_letter_was_sent(client, ada, offer):
    invitations.resend(ada, invitations=[offer])
    offer.refresh_from_db()
    answer = client.get(link_of(offer, number=1))

    assert (answer.status_code, heading(answer)) == (410, "A newer letter was sent")
    assert f"{offer.sent_at:%H:%M} UTC" in text(answer)
    assert "Acme" not in text(answer)
    assert join.COOKIE not in answer.cookies
    assert client.get(link_of(offer)).status_code == 303


def test_a_link_stands_in_no_log(client, offer, capsys, caplog):
    logger = logging.getLogger("django.request")
    caplog.set_level(logging.WARNING, logger.name)  # it is silent on what was refused, and tells of faults like this
    with handler_of_production(logger):
        client.post(link_of(offer))

    assert '"Method Not Allowed (POST): /join/…"' in capsys.readouterr().err


@contextmanager
def handler_of_production(logger: logging.Logger) -> Iterator[None]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logs.formatter(terminal=False))
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


def forged(invitation: Invitation) -> dict[str, str]:
    token = letter_token(invitation.pk, 1)
    raw = base64.urlsafe_b64decode(token)
    other = raw[:20] + bytes([raw[20] ^ 1]) + raw[21:]
    return {
        "forged": base64.urlsafe_b64encode(other).decode(),
        "truncated": token[:-4],
        "longer": token + "AAAA",
        "of another invitation": base64.urlsafe_b64encode(uuid4().bytes + raw[16:]).decode(),
        "of a letter to come": letter_token(invitation.pk, 2),
        "of no invitation": letter_token(uuid4(), 1),
        "nothing": "x",
        "not ascii": "é" * 48,
    }


@pytest.mark.parametrize(
    "how",
    [
        "forged", "truncated", "longer", "of another invitation", "of a letter to come", "of no invitation", "nothing",
        "not ascii",
    ],
)  # fmt: skip
def test_everything_else_is_one_and_the_same_unknown_link(client, offer, how):
    answer = client.get(f"/join/{forged(offer)[how]}")

    assert (answer.status_code, heading(answer)) == (404, "This link is unknown")
    assert answer.content == client.get("/join/unknown").content
    assert join.COOKIE not in answer.cookies


# --- Who may see the invitation ------------------------------------------------------------------------------------


def test_the_invitation_is_unknown_to_whoever_bears_no_link_and_owns_no_such_address(offer, ada, mel, eve):
    for client in (Client(), *(signed_in(member.membership.user) for member in (ada, mel, eve))):
        answer = client.get(page_of(offer))
        assert (answer.status_code, heading(answer)) == (404, "This link is unknown")
        assert press(client, offer, "decline").status_code == 404
    assert not cast.person("Zoe", BOB, verified=False).owns(BOB)
    assert signed_in(User.objects.get(name="Zoe")).get(page_of(offer)).status_code == 404
    offer.refresh_from_db()
    assert offer.state == "pending"


def test_the_page_is_never_kept_indexed_or_framed(offer):
    answer = opened(offer).get(page_of(offer))

    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_a_cookie_that_somebody_touched_is_none(offer):
    client = opened(offer)
    value = client.cookies[join.COOKIE].value
    client.cookies[join.COOKIE] = value[:-1] + ("A" if value[-1] != "A" else "B")
    assert client.get(page_of(offer)).status_code == 404

    client.cookies[join.COOKIE] = signing.dumps([[offer.pk.hex, 1, "letter"]], salt="another")
    assert client.get(page_of(offer)).status_code == 404


def test_the_cookie_lives_for_two_hours(offer):
    client = opened(offer)
    with time_machine.travel(timezone.now() + timedelta(hours=2, seconds=5)):
        assert client.get(page_of(offer)).status_code == 404


def test_the_cookie_gives_no_power_once_a_newer_letter_was_sent(ada, offer):
    client = opened(offer)
    invitations.resend(ada, invitations=[offer])

    answer = press(client, offer, "decline")
    assert (answer.status_code, heading(answer)) == (410, "A newer letter was sent")
    assert press(client, offer, "signup").status_code == 410
    offer.refresh_from_db()
    assert offer.state == "pending"


def test_the_owner_of_the_address_needs_no_link(ada, offer, bob):
    invitations.resend(ada, invitations=[offer])

    assert seen(signed_in(bob), offer) == "Join Acme"


def test_the_last_five_links_are_remembered(ada, contributor):
    client = Client()
    offers = [cast.invited(ada, f"b{number}@example.org", grant=contributor) for number in range(6)]
    for each in [*offers, offers[2]]:
        opened(each, client)

    assert [client.get(page_of(each)).status_code for each in offers] == [404, 200, 200, 200, 200, 200]
    assert len(signing.loads(client.cookies[join.COOKIE].value, salt=join.SALT)) == 5


# --- What the page says --------------------------------------------------------------------------------------------


def test_signed_out_it_says_who_invites_to_what_and_until_when(ada, payments, developer):
    until = timezone.now() + timedelta(days=100)
    seat = SeatOffer(payments, "member")
    offer = cast.invited(ada, BOB, grant=developer, seats=[seat], message="Hi <b>Bob</b>", member_until=until)
    page = text(opened(offer).get(page_of(offer)))

    assert "Ada (ada@example.org) invites you to join as Developer." in page
    assert f"The offer stands until {offer.expires_at.day} {offer.expires_at:%B}" in page
    assert f"The membership would end on {until.day} {until:%B}" in page
    assert "Hi &lt;b&gt;Bob&lt;/b&gt;" in page
    for given in ("View members of the organization", "See who belongs to the organization", "Create new workspace"):
        assert given in page
    assert "Work in Payments" in page
    assert "A seat as member of this workspace" in page
    assert "Manage members" not in page
    raw = opened(offer).get(page_of(offer)).content.decode()
    assert f'value="{BOB}" readonly' in raw
    assert re.findall(r'name="do" value="(\w+)"', raw) == ["signup", "login", "decline"]


def test_log_in_and_create_an_account_are_always_both_there(offer, bob):
    raw = opened(offer).get(page_of(offer)).content.decode()

    assert re.findall(r'name="do" value="(\w+)"', raw) == ["signup", "login", "decline"]


def test_an_offer_of_the_operator_says_so(acme, administrator):
    offer = cast.invited(cast.operator(acme), BOB, grant=administrator)
    page = text(opened(offer).get(page_of(offer)))

    assert "The operator of this Portico invites you to join as Administrator." in page
    assert "Do everything, now and in the future" in page


def test_an_offer_of_nothing_says_that_it_gives_nothing_yet(ada):
    offer = cast.invited(ada, BOB, grant=cast.custom())

    assert "Belong to it, and nothing else yet." in text(opened(offer).get(page_of(offer)))


# --- Signed out ----------------------------------------------------------------------------------------------------


def test_whoever_holds_the_link_may_decline_with_a_reply(offer):
    client = opened(offer)
    answer = press(client, offer, "decline", reply="Wrong Bob, sorry")

    assert (answer.status_code, answer.url) == (303, page_of(offer))
    offer.refresh_from_db()
    assert (offer.state, offer.reply) == ("declined", "Wrong Bob, sorry")
    assert Event.objects.get(action="invitation.declined").actor_kind == "bearer"
    assert seen(client, offer) == "This invitation has been declined"
    assert "ask Ada (ada@example.org) to invite you again" in text(client.get(page_of(offer)))


def test_log_in_leads_back_with_the_address_filled_in(offer, bob):
    client = opened(offer)
    way = press(client, offer, "login")
    assert (way.status_code, way.url) == (303, f"/account/login/?next=%2Finvitations%2F{offer.pk}")
    assert f'value="{BOB}"' in client.get(way.url).content.decode()

    answer = client.post(way.url, {"login": BOB, "password": PASSWORD, "next": page_of(offer)})
    assert answer.url == page_of(offer)
    assert seen(client, offer) == "Join Acme"
    assert "bob@example.org, the address that was invited" in text(client.get(page_of(offer)))
    assert not Membership.objects.filter(user=bob).exists()


def test_accepting_signed_out_leads_to_log_in(offer, bob):
    assert press(opened(offer), offer, "accept").url.startswith("/account/login/?next=")
    offer.refresh_from_db()
    assert offer.state == "pending"


def test_the_letter_has_proven_the_address_so_an_account_needs_no_second_letter(offer):
    client = opened(offer)
    way = press(client, offer, "signup")
    assert way.url == f"/account/signup/?next=%2Finvitations%2F{offer.pk}"
    page = client.get(way.url).content.decode()
    assert re.search(r'<input [^>]*name="email"[^>]*>', page).group().count("readonly") == 1
    assert f'value="{BOB}"' in page

    letters = Letter.objects.count()
    answer = sign_up(client, offer)
    assert answer.url == page_of(offer)
    bob = User.objects.get(email=BOB)
    assert bob.addresses == {BOB}
    assert Letter.objects.count() == letters
    assert cast.actions() == ["account.created"]
    assert not Membership.objects.filter(user=bob).exists(), "only a pressed button accepts"

    answer = press(client, offer, "accept")
    assert answer.url == "/o/acme/"
    assert Membership.objects.get(user=bob).address == BOB


def test_sign_up_may_be_tried_again_after_a_mistake(offer):
    client = opened(offer)
    press(client, offer, "signup")

    assert sign_up(client, offer, password1="short").status_code == 422
    assert sign_up(client, offer, name="").status_code == 422
    assert sign_up(client, offer).url == page_of(offer)
    assert User.objects.get(email=BOB).owns(BOB)


def test_log_out_between_opening_and_accepting_keeps_the_invitation(offer):
    client = opened(offer)
    press(client, offer, "signup")
    sign_up(client, offer)
    client.post("/account/logout/")

    assert seen(client, offer) == "Join Acme"
    press(client, offer, "login")
    client.post("/account/login/", {"login": BOB, "password": PASSWORD, "next": page_of(offer)})
    assert press(client, offer, "accept").url == "/o/acme/"


def test_who_has_an_account_already_is_led_to_log_in(offer, bob):
    answer = press(opened(offer), offer, "signup")

    assert answer.url.startswith("/account/login/?next=")


def test_an_account_made_meanwhile_is_no_second_one(offer):
    client = opened(offer)
    press(client, offer, "signup")
    cast.person("Bob")
    answer = sign_up(client, offer)

    assert answer.status_code == 422
    assert "There is an account with this address already. Log in." in text(answer)
    assert User.objects.filter(email=BOB).count() == 1


def test_sign_up_by_invitation_only_is_open_to_the_invited(offer, settings):
    settings.SIGNUP = "invited"
    client = opened(offer)
    assert "Accounts by invitation" in text(client.get(f"/account/signup/?next={page_of(offer)}"))

    press(client, offer, "signup")
    assert sign_up(client, offer).url == page_of(offer)
    assert User.objects.get(email=BOB).owns(BOB)


def test_sign_up_by_invitation_only_is_closed_again_once_the_invitation_is(ada, offer, settings):
    settings.SIGNUP = "invited"
    client = opened(offer)
    press(client, offer, "signup")
    invitations.revoke(ada, invitations=[offer])

    assert "Accounts by invitation" in text(sign_up(client, offer))
    assert not User.objects.filter(email=BOB).exists()


# --- Nobody gets an address by a link that went to another ----------------------------------------------------------


def stash(client: Client) -> str | None:
    return client.session.get("account_verified_email")


def test_nothing_is_proven_by_looking(offer):
    client = opened(offer)
    client.get(page_of(offer))
    client.get(f"/account/login/?next={page_of(offer)}")
    client.get(f"/account/signup/?next={page_of(offer)}")

    assert stash(client) is None
    sign_up(client, offer)
    assert not EmailAddress.objects.get(email=BOB).verified
    assert client.get("/account/").status_code == 302


def test_who_signs_up_with_their_own_address_does_not_get_the_other(offer):
    client = opened(offer)
    press(client, offer, "signup")
    client.get("/account/signup/")
    assert stash(client) is None

    sign_up(client, email="zoe@example.org", name="Zoe")
    confirm(client)
    zoe = User.objects.get(name="Zoe")
    assert (zoe.email, zoe.addresses) == ("zoe@example.org", {"zoe@example.org"})
    assert not EmailAddress.objects.filter(email=BOB).exists()
    assert seen(client, offer) == "This invitation is for another address"


def test_the_plain_form_clears_what_was_proven_even_if_its_page_was_never_looked_at(offer):
    client = opened(offer)
    press(client, offer, "signup")
    sign_up(client, email="zoe@example.org", name="Zoe")

    assert list(EmailAddress.objects.filter(user__name="Zoe").values_list("email", "verified")) == [
        ("zoe@example.org", False)
    ]
    assert stash(client) is None


def test_the_form_of_an_invitation_takes_no_other_address(offer):
    client = opened(offer)
    press(client, offer, "signup")
    answer = sign_up(client, offer, email="zoe@example.org")

    assert answer.status_code == 422
    assert "The invitation is for bob@example.org, so this account gets no other address." in text(answer)
    assert not User.objects.filter(name="Bob").exists()


def test_what_was_proven_by_one_invitation_does_not_serve_another(ada, offer, contributor):
    zoes = cast.invited(ada, "zoe@example.org", grant=contributor)
    client = opened(zoes, opened(offer))
    press(client, offer, "signup")
    sign_up(client, zoes, email="zoe@example.org")

    assert not EmailAddress.objects.filter(verified=True, email="zoe@example.org").exists()
    assert not EmailAddress.objects.filter(email=BOB).exists()


def test_what_was_pressed_proves_nothing_without_the_cookie(offer):
    client = opened(offer)
    press(client, offer, "signup")
    del client.cookies[join.COOKIE]
    sign_up(client, offer)

    assert not EmailAddress.objects.get(email=BOB).verified


def test_what_was_pressed_proves_nothing_once_a_newer_letter_was_sent(ada, offer):
    client = opened(offer)
    press(client, offer, "signup")
    invitations.resend(ada, invitations=[offer])
    sign_up(client, offer)

    assert not EmailAddress.objects.get(email=BOB).verified


def test_a_link_that_others_have_seen_proves_no_address(offer):
    client = Client()
    client.cookies[join.COOKIE] = signing.dumps([[offer.pk.hex, 1, "hand"]], salt=join.SALT)
    press(client, offer, "signup")
    assert stash(client) is None
    sign_up(client, offer)
    assert not EmailAddress.objects.get(email=BOB).verified

    mia = signed_in(cast.person("Mia"), client)
    reauthenticate(mia)
    press(mia, offer, "add")
    assert not EmailAddress.objects.filter(email=BOB, verified=True).exists()


def test_two_invitations_in_two_tabs_do_not_mix(ada, eve, offer):
    hers = cast.invited(eve, "robert@example.org", grant=cast.role(eve.organization, "contributor"))
    client = opened(hers, opened(offer))
    press(client, offer, "signup")
    press(client, hers, "signup")
    first = client.get(f"/account/signup/?next={page_of(offer)}").content.decode()
    assert f'value="{BOB}"' in first

    assert sign_up(client, offer).url == page_of(offer)
    bob = User.objects.get(email=BOB)
    assert bob.addresses == {BOB}
    assert press(client, offer, "accept").url == "/o/acme/"
    assert seen(client, hers) == "This invitation is for another address"

    reauthenticate(client)
    press(client, hers, "add")
    assert press(client, hers, "accept").url == "/o/elsewhere/"
    assert bob.addresses == {BOB, "robert@example.org"}
    assert [each.address for each in organizations.of(bob)] == [BOB, "robert@example.org"]


# --- Squatters -----------------------------------------------------------------------------------------------------


def test_who_registered_the_address_without_proving_it_does_not_keep_the_invited_out(offer):
    squatter = Client()
    sign_up(squatter, name="Squatter", password1="squatters own password")
    client = opened(offer)
    press(client, offer, "signup")
    sign_up(client, offer)

    assert press(client, offer, "accept").url == "/o/acme/"
    assert User.objects.owner_of(BOB).name == "Bob"
    assert not User.objects.filter(name="Squatter").exists()
    assert set(cast.actions()) == {"account.created", "account.discarded"}
    answer = squatter.post("/account/login/", {"login": BOB, "password": "squatters own password"}, follow=True)
    assert answer.context["user"].is_anonymous
    assert squatter.get(page_of(offer)).status_code == 404


def test_a_squatter_who_opens_nothing_sees_nothing(offer):
    squatter = cast.person("Squatter", BOB, verified=False)

    assert signed_in(squatter).get(page_of(offer)).status_code == 404


def test_one_account_cannot_begin_twice_from_one_letter(offer):
    one, two = opened(offer), opened(offer)
    press(one, offer, "signup")
    press(two, offer, "signup")
    sign_up(one, offer)

    assert sign_up(two, offer, name="Two").status_code == 422
    assert User.objects.owner_of(BOB).name == "Bob"


# --- Signed in as the invited --------------------------------------------------------------------------------------


def test_accept_makes_a_member_and_says_so(ada, offer, bob, acme):
    client = signed_in(bob)
    answer = press(client, offer, "accept", reply="Gladly")

    assert (answer.status_code, answer.url) == (303, "/o/acme/")
    assert [str(message) for message in answer.wsgi_request._messages] == ["You belong to Acme now."]
    member = acme.memberships.get(user=bob)
    assert (member.address, member.grant.slug) == (BOB, "developer")
    offer.refresh_from_db()
    assert (offer.state, offer.reply) == ("accepted", "Gladly")


def test_a_seat_that_is_gone_is_left_out_and_said(ada, payments, developer, bob):
    offer = cast.invited(ada, BOB, grant=developer, seats=[SeatOffer(payments, "member")])
    Workspace.objects.update(archived_at=timezone.now())
    answer = press(signed_in(bob), offer, "accept")

    assert [str(message) for message in answer.wsgi_request._messages] == [
        "You belong to Acme now. The seat in Payments was left out: the workspace is archived."
    ]


def test_accepting_twice_is_one_acceptance_and_one_success_page(offer, bob, acme):
    client = signed_in(bob)
    press(client, offer, "accept")
    events = cast.actions(acme)

    assert press(client, offer, "accept").url == "/o/acme/"
    assert cast.actions(acme) == events
    assert seen(client, offer) == "You belong to Acme"
    assert opened(offer, client).get(page_of(offer)).status_code == 200
    assert 'href="/o/acme/"' in client.get(page_of(offer)).content.decode()


def test_the_organization_learns_of_no_other_address_of_the_one_who_joins(offer, bob, acme):
    cast.own(bob, "robert@private.example")
    EmailAddress.objects.filter(user=bob).update(primary=False)
    EmailAddress.objects.get(email="robert@private.example").set_as_primary()
    press(signed_in(User.objects.get(pk=bob.pk)), offer, "accept")

    assert acme.memberships.get(user=bob).address == BOB
    told = list(Label.objects.filter(organization_id=acme.pk).values_list("text", flat=True))
    assert "Bob <bob@example.org>" in told
    assert not [label for label in told if "private" in label]


def test_a_reply_that_is_too_long_is_refused_and_kept(offer, bob):
    answer = press(signed_in(bob), offer, "accept", reply="x" * 1001)

    assert answer.status_code == 422
    assert "Write at most 1000 characters." in text(answer)
    assert "x" * 1001 in answer.content.decode()
    offer.refresh_from_db()
    assert offer.state == "pending"


def test_a_button_that_does_not_exist_changes_nothing(offer, bob):
    assert press(signed_in(bob), offer, "destroy").status_code == 422
    assert press(signed_in(bob), offer, "").status_code == 422


def test_who_belongs_already_by_another_address_is_told_so(offer, mel, acme):
    user = mel.membership.user
    cast.own(user, BOB)
    client = signed_in(user)

    assert seen(client, offer) == "You belong to Acme already"
    answer = press(client, offer, "accept")
    assert (answer.status_code, heading(answer)) == (409, "You belong to Acme already")
    assert acme.memberships.get(user=user).grant.slug == "contributor"


# --- Signed in as somebody else ------------------------------------------------------------------------------------


@pytest.fixture
def mia(db) -> User:
    return cast.person("Mia")


def test_somebody_else_sees_both_identities_and_never_joins_by_accident(offer, mia):
    client = opened(offer, signed_in(mia))
    page = client.get(page_of(offer))

    assert heading(page) == "This invitation is for another address"
    assert BOB in text(page)
    assert "mia@example.org" in text(page)
    assert re.findall(r'name="do" value="(\w+)"', page.content.decode()) == ["switch", "add", "decline"]
    answer = press(client, offer, "accept")
    assert (answer.status_code, heading(answer)) == (409, "This invitation is for another address")
    assert "This invitation is for an address that is not one of yours." in text(answer)
    assert not Membership.objects.filter(user=mia).exists()


def test_switch_account_signs_out_and_keeps_the_invitation(offer, mia):
    client = opened(offer, signed_in(mia))
    answer = press(client, offer, "switch")

    assert (answer.status_code, answer.url) == (303, page_of(offer))
    assert seen(client, offer) == "Join Acme"
    press(client, offer, "signup")
    sign_up(client, offer)
    assert press(client, offer, "accept").url == "/o/acme/"
    assert not Membership.objects.filter(user=mia).exists()


def test_adding_the_address_asks_for_the_password_first(offer, mia):
    client = opened(offer, signed_in(mia))
    answer = press(client, offer, "add")

    assert answer.url.startswith("/account/reauthenticate/?next=")
    assert mia.addresses == {"mia@example.org"}
    assert reauthenticate(client, password="wrong password", next=page_of(offer)).status_code == 422
    assert mia.addresses == {"mia@example.org"}


def test_the_address_is_added_after_the_password_as_a_second_one_and_the_primary_is_told(offer, mia, acme):
    client = opened(offer, signed_in(mia))
    asked = press(client, offer, "add")
    answer = client.post(asked.url, {"password": PASSWORD, "next": page_of(offer)})

    assert (answer.status_code, answer.url) == (303, page_of(offer))
    mia.refresh_from_db()
    assert (mia.email, mia.addresses) == ("mia@example.org", {"mia@example.org", BOB})
    letter = Letter.objects.latest("id")
    assert (letter.kind, letter.address) == ("account/address_added", "mia@example.org")
    assert letter.secrets["email"] == BOB
    assert cast.actions() == ["account.address_added"]
    assert seen(client, offer) == "Join Acme"
    assert press(client, offer, "accept").url == "/o/acme/"
    assert acme.memberships.get(user=mia).address == BOB


def test_adding_the_address_frees_it_from_who_only_claimed_it(offer, mia):
    cast.person("Squatter", BOB, verified=False)
    client = opened(offer, signed_in(mia))
    reauthenticate(client)
    press(client, offer, "add")

    assert mia.owns(BOB)
    assert not User.objects.filter(name="Squatter").exists()


def test_an_address_that_has_an_account_is_not_added_to_another(offer, mia, bob):
    client = opened(offer, signed_in(mia))
    page = client.get(page_of(offer)).content.decode()
    assert re.findall(r'name="do" value="(\w+)"', page) == ["switch", "decline"]

    reauthenticate(client)
    answer = press(client, offer, "add")
    assert answer.status_code == 409
    assert "There is an account with bob@example.org already." in text(answer)
    assert mia.addresses == {"mia@example.org"}
    assert bob.addresses == {BOB}


def test_an_address_is_not_added_by_an_older_link(ada, offer, mia):
    client = opened(offer, signed_in(mia))
    reauthenticate(client)
    invitations.resend(ada, invitations=[offer])

    assert press(client, offer, "add").status_code == 410
    assert mia.addresses == {"mia@example.org"}


def test_an_address_is_not_added_by_an_invitation_that_is_closed(ada, offer, mia):
    client = opened(offer, signed_in(mia))
    reauthenticate(client)
    invitations.revoke(ada, invitations=[offer])
    press(client, offer, "add")

    assert mia.addresses == {"mia@example.org"}


def test_somebody_else_who_holds_the_link_may_decline(offer, mia):
    client = opened(offer, signed_in(mia))
    press(client, offer, "decline")

    offer.refresh_from_db()
    assert offer.state == "declined"
    assert Event.objects.get(action="invitation.declined").actor_kind == "bearer"


def test_a_member_who_opens_a_colleagues_link_is_told_that_they_belong_and_adds_nothing(offer, mel):
    client = opened(offer, signed_in(mel.membership.user))
    page = client.get(page_of(offer))

    assert heading(page) == "This invitation is for another address"
    assert "Mel belongs to Acme already." in text(page)
    assert 'value="add"' not in page.content.decode()


# --- When it is over -----------------------------------------------------------------------------------------------


def test_a_withdrawn_invitation_says_the_organizations_name_only(ada, offer, bob):
    invitations.revoke(ada, invitations=[offer])
    for client in (opened(offer), signed_in(bob), opened(offer, signed_in(cast.person("Mia")))):
        page = text(client.get(page_of(offer)))
        assert "This invitation was withdrawn" in page
        assert "Acme" in page
        assert "Ada" not in page
        assert "Developer" not in page

    answer = press(signed_in(bob), offer, "accept")
    assert (answer.status_code, heading(answer)) == (409, "This invitation was withdrawn")
    assert press(opened(offer), offer, "signup").url == page_of(offer)


def test_an_invitation_that_another_account_accepted_says_so(offer, bob, mia):
    client = opened(offer, signed_in(mia))
    press(signed_in(bob), offer, "accept")

    assert seen(client, offer) == "This invitation has been accepted"
    assert seen(opened(offer), offer) == "This invitation has been accepted"
    answer = press(client, offer, "accept")
    assert (answer.status_code, heading(answer)) == (409, "This invitation has been accepted")


@pytest.fixture
def expired(ada, developer):
    """An invitation whose time has passed."""
    with time_machine.travel(timezone.now() - timedelta(days=8)):
        return cast.invited(ada, BOB, grant=developer)


def test_an_expired_invitation_asks_for_a_new_link_with_one_button_once_a_day(expired, bob):
    client = opened(expired)
    page = client.get(page_of(expired))
    assert heading(page) == "This invitation has expired"
    assert re.findall(r'name="do" value="(\w+)"', page.content.decode()) == ["ask"]

    assert press(client, expired, "ask").url == page_of(expired)
    letter = Letter.objects.latest("id")
    assert (letter.kind, letter.address) == ("asked", "ada@example.org")
    page = client.get(page_of(expired))
    assert "You can ask again tomorrow." in text(page)
    assert 'value="ask"' not in page.content.decode()
    answer = press(client, expired, "ask")
    assert answer.status_code == 409
    assert "You have asked today already." in text(answer)
    assert Letter.objects.filter(kind="asked").count() == 1


def test_an_expired_invitation_is_not_accepted(expired, bob, acme):
    answer = press(signed_in(bob), expired, "accept")

    assert (answer.status_code, heading(answer)) == (409, "This invitation has expired")
    assert not acme.memberships.filter(user=bob).exists()


def test_when_the_sponsor_is_gone_by_the_clock_those_who_manage_members_are_asked(ada, acme, bob):
    leaving = cast.joined(
        acme,
        cast.person("Lea"),
        cast.role(acme, "administrator"),
        expires_at=timezone.now() + timedelta(hours=1),
    )
    offer = cast.invited(leaving, BOB, grant=cast.role(acme, "contributor"))
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        client = signed_in(bob)
        assert seen(client, offer) == "Whoever invited you can no longer offer this"
        answer = press(client, offer, "accept")
        assert answer.status_code == 409
        press(client, offer, "ask")

    assert not acme.memberships.filter(user=bob).exists()
    assert list(Letter.objects.filter(kind="asked").values_list("address", flat=True)) == ["ada@example.org"]


def test_an_organization_that_is_closed_says_so(offer, bob, acme):
    Organization.objects.filter(pk=acme.pk).update(closed_at=timezone.now())

    assert seen(signed_in(bob), offer) == "Acme is closed"
    assert press(signed_in(bob), offer, "accept").status_code == 403
    assert not acme.memberships.filter(user=bob).exists()


def test_the_buttons_need_the_token_of_their_page(offer, bob):
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)

    answer = press(client, offer, "accept")
    assert answer.status_code == 403
    assert "Go back, reload the page and try again." in text(answer)
    offer.refresh_from_db()
    assert offer.state == "pending"


def test_each_page_is_of_few_statements(offer, bob, django_assert_max_num_queries):
    client = opened(offer, signed_in(bob))
    with django_assert_max_num_queries(8):
        client.get(page_of(offer))


# --- A link that somebody handed over -------------------------------------------------------------------------------


@pytest.fixture
def by_hand(ada, offer) -> str:
    return f"/join/{invitations.make_link(ada, invitation=offer)}"


def test_a_hand_link_leads_to_the_invitation_and_proves_nothing(client, offer, by_hand):
    answer = client.get(by_hand)
    assert (answer.status_code, answer.url) == (303, page_of(offer))

    page = client.get(page_of(offer))
    assert heading(page) == "Join Acme"
    assert 'value="decline"' not in page.content.decode()
    assert press(client, offer, "decline").status_code == 409
    assert Invitation.objects.get().state == "pending"


def test_who_signs_up_by_a_hand_link_proves_the_address_by_a_code(client, offer, by_hand):
    client.get(by_hand)
    press(client, offer, "signup")

    sign_up(client, offer)

    assert not User.objects.get(email=BOB).owns(BOB)
    confirm(client)
    assert User.objects.get(email=BOB).owns(BOB)
    assert press(client, offer, "accept").status_code == 303
    assert Membership.objects.filter(user__name="Bob").exists()


def test_signed_in_as_somebody_else_a_hand_link_adds_no_address(offer, by_hand):
    cid = cast.person("Cid")
    client = signed_in(cid)
    client.get(by_hand)

    page = client.get(page_of(offer))
    assert 'value="add"' not in page.content.decode()
    assert "/account/email/" in page.content.decode()
    reauthenticate(client)
    press(client, offer, "add")
    assert not cid.owns(BOB)


def test_a_hand_link_does_not_tell_whether_the_address_has_an_account(offer, by_hand):
    def told():
        stranger = Client()
        stranger.get(by_hand)
        signing_up = press(stranger, offer, "signup")
        other = signed_in(cast.person(f"Cid{User.objects.count()}"))
        other.get(by_hand)
        page = other.get(page_of(offer)).content.decode()
        return signing_up.url, "/account/email/" in page, [str(each) for each in signing_up.wsgi_request._messages]

    before = told()
    cast.person("Bob")

    assert told() == before


def test_only_the_newest_hand_link_works_and_the_letters_lives_on(ada, client, offer, by_hand):
    newer = f"/join/{invitations.make_link(ada, invitation=offer)}"

    assert client.get(by_hand).status_code == 404
    assert client.get(newer).status_code == 303
    assert Client().get(link_of(offer)).status_code == 303
    ended = Client()
    ended.get(newer)
    invitations.make_link(ada, invitation=offer)
    assert ended.get(page_of(offer)).status_code == 404
    assert client.get(f"/join/{invitations.hand_token(offer.pk, 9)}").status_code == 404


def test_a_hand_link_takes_no_proof_away(client, offer, by_hand):
    client.get(link_of(offer))
    client.get(by_hand)

    assert press(client, offer, "decline").status_code == 303
    assert Invitation.objects.get().state == "declined"


def test_a_revoked_invitation_says_so_to_a_hand_link_too(ada, client, offer, by_hand):
    invitations.revoke(ada, invitations=[offer])

    client.get(by_hand)

    assert "withdrawn" in text(client.get(page_of(offer)))


def test_an_expired_one_lets_the_holder_ask_nobody(client, offer, by_hand):
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        client.get(by_hand)
        page = client.get(page_of(offer))

        assert 'value="ask"' not in page.content.decode()
        assert "Ask whoever gave you this link" in text(page)
        assert press(client, offer, "ask").status_code == 409


def test_the_page_of_the_invitation_makes_it_and_shows_it_once(ada, offer):
    client = signed_in(ada.membership.user)
    at = f"/o/acme/users/{offer.pk}"

    made = client.post(at, {"do": "link", "shown": "1"})

    [path] = set(re.findall(r"/join/[\w-]{48}", made.content.decode()))
    assert Client().get(path).url == page_of(offer)
    assert "no-store" in made.headers["Cache-Control"]
    assert "/join/" not in client.get(at).content.decode()
