"""Proof when it matters: who makes an Administrator has lately shown who they are, and types nothing twice for it.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import html
import re
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from portico.console import proof
from portico.domain.outbox import Letter
from portico.domain.permissions import catalogue
from portico.domain.roles import ADMINISTRATOR
from tests import cast
from tests.cast import PASSWORD
from tests.console.browser import signed_in, text

OFFER = {"do": "invite", "role": ADMINISTRATOR, "expires_in_days": "7"}


def invite(client: Client, *emails: str, **more: Any) -> Any:
    data = OFFER | {"emails": "\n".join(emails), "message": "Welcome,\nall of you & more."} | more
    return client.post("/o/acme/users/invite", data, headers={"Referer": "http://testserver/o/acme/users/invite"})


def change(client: Client, member: Any, **more: Any) -> Any:
    every = [permission.name for permission in catalogue().of_organization]
    data = {"role": ADMINISTRATOR, "grant": every, "version": "1"} | more
    return client.post(f"/o/acme/users/{member.membership.pk}", data)


def prove(client: Client, asked: Any):
    """Type the password where one is asked for it; the page after that."""
    assert (asked.status_code, asked.url.partition("?")[0]) == (303, "/account/reauthenticate/")
    onward = parse_qs(urlsplit(asked.url).query)["next"][0]
    answer: Any = client.post(asked.url, {"password": PASSWORD, "next": onward})
    return client.get(answer.url)


def press(client: Client, page: Any):
    """Send the form of a page as it stands."""
    body = page.content.decode()
    [action] = re.findall(r'<form class="empty" method="post" action="([^"]*)"', body)
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', body):
        fields.setdefault(html.unescape(name), []).append(html.unescape(value))
    return client.post(html.unescape(action), fields)


def roles(acme) -> dict[str, str]:
    return {offer.address: offer.grant.slug for offer in acme.invitations.all()}


# --- The act waits, and goes on -------------------------------------------------------------------------------------


def test_an_administrator_is_invited_after_the_password_and_nothing_is_typed_twice(ada, acme):
    client = signed_in(ada, proved=False)
    asked = invite(client, "new@example.org", "one+two@example.org")
    assert roles(acme) == {}

    page = prove(client, asked)
    assert "Nothing has happened yet." in text(page)
    assert roles(acme) == {}

    assert press(client, page).status_code == 303
    assert roles(acme) == {"new@example.org": ADMINISTRATOR, "one+two@example.org": ADMINISTRATOR}
    assert acme.invitations.first().message == "Welcome,\nall of you & more."


def test_who_has_lately_logged_in_is_not_asked(ada, acme):
    client = Client()
    client.post("/account/login/", {"login": "ada@example.org", "password": PASSWORD})

    assert invite(client, "new@example.org").status_code == 303
    assert roles(acme) == {"new@example.org": ADMINISTRATOR}


def test_who_has_just_signed_up_is_not_asked(client, db):
    client.post("/account/signup/", {"name": "Nia", "email": "nia@example.org", "password1": PASSWORD})
    client.post("/account/confirm-email/", {"code": Letter.objects.latest("id").secrets["code"]})
    client.post("/organizations/new", {"name": "Acme"})
    answer = invite(client, "new@example.org")

    assert answer.url == "/o/acme/users"


def test_after_a_quarter_of_an_hour_one_is_asked_again(ada, acme):
    client = signed_in(ada)
    with time_machine.travel(timezone.now() + timedelta(minutes=14), tick=False):
        assert invite(client, "one@example.org").url == "/o/acme/users"
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        assert invite(client, "two@example.org").url.startswith("/account/reauthenticate/")

    assert roles(acme) == {"one@example.org": ADMINISTRATOR}


def test_a_member_is_made_administrator_after_the_password(ada, acme, mel):
    client = signed_in(ada, proved=False)
    page = prove(client, change(client, mel))

    assert not acme.memberships.get(pk=mel.membership.pk).is_administrator
    assert press(client, page).status_code == 303
    assert acme.memberships.get(pk=mel.membership.pk).is_administrator


def test_what_needs_no_proof_asks_for_none(ada, acme, mel):
    client = signed_in(ada, proved=False)

    assert invite(client, "new@example.org", role="contributor").url == "/o/acme/users"
    assert change(client, mel, role="Custom", grant=["billing.manage"]).status_code == 303
    assert acme.memberships.get(pk=mel.membership.pk).grant.is_custom


def test_what_has_waited_is_refused_as_anything_that_is_late(ada, acme, mel, administrator):
    client = signed_in(ada, proved=False)
    page = prove(client, change(client, mel))
    acme.memberships.filter(pk=mel.membership.pk).update(version=2)

    assert press(client, page).status_code == 412


def test_a_review_asks_for_no_proof(ada):
    client = signed_in(ada, proved=False)

    assert client.post("/o/acme/users/invite/review", OFFER | {"emails": "new@example.org"}).status_code == 200
    assert client.post("/o/acme/users/invite", OFFER | {"emails": "new@example.org", "do": ""}).status_code == 200


# --- Nothing goes on that should not ---------------------------------------------------------------------------------


def test_a_wrong_password_is_said_and_the_act_still_waits(ada, acme):
    client = signed_in(ada, proved=False)
    asked = invite(client, "new@example.org")
    onward = parse_qs(urlsplit(asked.url).query)["next"][0]

    answer = client.post(asked.url, {"password": "nonsense", "next": onward})
    assert answer.status_code == 422
    assert f'name="next" value="{onward}"' in answer.content.decode()
    press(client, prove(client, asked))
    assert roles(acme) == {"new@example.org": ADMINISTRATOR}


def test_cancel_leads_back_to_the_page_before_and_forgets_the_act(ada, acme):
    client = signed_in(ada, proved=False)
    asked = invite(client, "new@example.org")
    [cancel] = re.findall(r'<a class="btn bare" href="([^"]*)"', client.get(asked.url).content.decode())
    client.post("/account/reauthenticate/", {"password": PASSWORD})  # in another tab

    assert client.get(cancel).url == "/o/acme/users/invite"
    assert client.get(cancel.removesuffix("?cancel")).url == "/"
    assert roles(acme) == {}


def test_without_the_proof_the_act_does_not_go_on(ada, acme):
    client = signed_in(ada, proved=False)
    onward = parse_qs(urlsplit(invite(client, "new@example.org").url).query)["next"][0]

    assert client.get(onward).url == "/o/acme/users/invite"
    assert roles(acme) == {}


def test_the_way_back_of_the_browser_does_not_do_it_again(ada):
    client = signed_in(ada, proved=False)
    asked = invite(client, "new@example.org")
    prove(client, asked)

    assert client.get(parse_qs(urlsplit(asked.url).query)["next"][0]).url == "/"


def test_what_goes_on_is_checked_for_its_token_like_any_other_form(ada, acme):
    client = Client(enforce_csrf_checks=True)
    client.cookies = signed_in(ada, proved=False).cookies

    def token(page: Any) -> str:
        return re.findall(r'name="csrfmiddlewaretoken" value="([^"]*)"', page.content.decode())[-1]

    typed = OFFER | {"emails": "new@example.org"}
    mine = token(client.get("/o/acme/users/invite"))
    asked = client.post("/o/acme/users/invite", typed | {"csrfmiddlewaretoken": mine})
    question = client.get(asked.url)
    onward = parse_qs(urlsplit(asked.url).query)["next"][0]
    given = {"password": PASSWORD, "next": onward, "csrfmiddlewaretoken": token(question)}
    page = client.get(client.post(asked.url, given).url)

    assert client.post("/o/acme/users/invite", typed).status_code == 403
    assert roles(acme) == {}
    assert page.content.decode().partition('<form class="empty"')[2].count("csrfmiddlewaretoken") == 1
    assert client.post("/o/acme/users/invite", typed | {"csrfmiddlewaretoken": token(page)}).status_code == 303


def test_what_waits_in_one_tab_is_not_mixed_up_with_another(ada, acme):
    client = signed_in(ada, proved=False)
    first, second = invite(client, "one@example.org"), invite(client, "two@example.org")
    press(client, prove(client, first))

    assert roles(acme) == {"one@example.org": ADMINISTRATOR}
    press(client, prove(client, second))
    assert set(roles(acme)) == {"one@example.org", "two@example.org"}


def test_only_a_few_acts_wait(ada):
    client = signed_in(ada, proved=False)
    for n in range(proof.AT_ONCE + 3):
        invite(client, f"n{n}@example.org")

    kept = [parse_qs(each["typed"])["emails"] for each in client.session[proof.WAITING].values()]
    assert kept == [[f"n{n}@example.org"] for n in range(3, proof.AT_ONCE + 3)]


def test_another_persons_proof_is_none(ada, mel):
    client = signed_in(mel)
    client.force_login(ada.membership.user)

    assert invite(client, "new@example.org").url.startswith("/account/reauthenticate/")


@pytest.mark.parametrize("method", ["password_reset", "code", "socialaccount"])
def test_a_way_in_that_is_no_password_nor_passkey_proves_nothing(ada, method):
    client = signed_in(ada)
    session = client.session
    session["account_authentication_methods"] = [{"method": method, "at": time.time()}]
    session.save()

    assert invite(client, "new@example.org").url.startswith("/account/reauthenticate/")


def test_a_file_is_not_kept_and_the_page_says_so(ada, acme, settings):
    client = signed_in(ada, proved=False)
    upload = SimpleUploadedFile("people.csv", b"email\nnew@example.org\n")
    request = client.post("/o/acme/users/invite", OFFER | {"emails": "new@example.org", "other": upload})
    page = prove(client, request)

    assert "as files are" in text(page)
    assert "<form" not in page.content.decode().partition("<main")[2]
    assert roles(acme) == {}


def test_what_is_too_long_is_not_kept_and_the_page_says_so(ada, monkeypatch):
    monkeypatch.setattr(proof, "LONGEST", 10)
    client = signed_in(ada, proved=False)

    assert "too large to be kept" in text(prove(client, invite(client, "new@example.org")))


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "account/", "", "/\\evil.example"]
)
def test_cancel_never_leads_elsewhere(ada, where):
    page = signed_in(ada).get("/account/reauthenticate/", {"next": where})
    [cancel] = re.findall(r'<a class="btn bare" href="([^"]*)"', page.content.decode())

    assert cancel == "/account/"


@pytest.mark.parametrize("before", ["https://evil.example/o/acme/", "http://testserver//evil.example/", ""])
def test_the_page_before_is_one_of_ours(ada, before):
    client = signed_in(ada, proved=False)
    client.post("/o/acme/users/invite", OFFER | {"emails": "new@example.org"}, headers={"Referer": before})

    [kept] = client.session[proof.WAITING].values()
    assert kept["back"] == "/o/acme/users/invite"


def test_htmx_is_led_to_the_question_as_a_whole_page(ada):
    client = signed_in(ada, proved=False)
    answer = client.post("/o/acme/users/invite", OFFER | {"emails": "a@example.org"}, headers={"HX-Request": "true"})

    assert answer.headers["HX-Redirect"].startswith("/account/reauthenticate/")


def test_nobody_sees_what_waits_for_somebody_else(ada, mel):
    client = signed_in(ada, proved=False)
    onward = parse_qs(urlsplit(invite(client, "new@example.org").url).query)["next"][0]

    assert signed_in(mel).get(onward).url == "/"
    assert Client().get(onward).url.startswith("/account/login/")


# --- Addresses -------------------------------------------------------------------------------------------------------


def test_who_has_lately_logged_in_changes_addresses_without_being_asked(db):
    mia = cast.person("Mia")
    cast.own(mia, "second@example.org")
    data = {"action_primary": "1", "email": "second@example.org"}

    assert signed_in(mia, proved=False).post("/account/email/", data).url.startswith("/account/reauthenticate/")
    assert signed_in(mia).post("/account/email/", data).url == "/account/email/"
