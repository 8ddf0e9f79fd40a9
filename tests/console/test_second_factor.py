"""The second factor: an app, passkeys, recovery codes; asked for after the password, encrypted, and told of.

django-allauth is the machinery; these are the promises we make with it.
"""

import json
import re
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from portico.console.second_factor import Adapter
from portico.domain.outbox import Letter
from portico.domain.people import User
from tests import cast
from tests.authenticator import code_of
from tests.cast import PASSWORD
from tests.console.browser import signed_in, text
from tests.console.passkey import Device, challenge
from tests.console.test_accounts import assert_looks_like_portico

HERE = "/account/second-factor/"
LOCAL = {"SERVER_NAME": "localhost", "SERVER_PORT": "8000"}  # where browsers do passkeys without TLS


@pytest.fixture
def mia(db) -> User:
    return cast.person("Mia")


@pytest.fixture
def as_mia(mia) -> Client:
    client = signed_in(mia)
    client.defaults |= LOCAL
    return client


def secret_of(user: User) -> str:
    return Adapter().decrypt(Authenticator.objects.get(user=user, type="totp").data["secret"])


def set_up_app(client: Client) -> Any:
    page = client.get(f"{HERE}totp/activate/").content.decode()
    [secret] = re.findall(r'id="secret">([A-Z2-7]+)<', page)
    return client.post(f"{HERE}totp/activate/", {"code": code_of(secret)})


def add_passkey(client: Client, device: Device, name: str = "Phone", *, alone: bool = True) -> Any:
    client.get(f"{HERE}webauthn/add/")
    data = {"name": name, "credential": device.made(challenge(client), alone=alone)}
    return client.post(f"{HERE}webauthn/add/", data | ({"passwordless": "on"} if alone else {}))


def log_in(client: Client, password: str = PASSWORD) -> Any:
    client.defaults |= LOCAL
    return client.post("/account/login/", {"login": "mia@example.org", "password": password})


def recovery_codes(client: Client) -> list[str]:
    page = client.get(f"{HERE}recovery-codes/").content.decode()
    return re.findall(r"<li>(\d{8})</li>", page)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def letters() -> list[str]:
    return list(Letter.objects.order_by("id").values_list("kind", flat=True))


# --- An app ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_app_is_set_up_by_its_first_code_and_recovery_codes_come_with_it():
    mia = cast.person("Mia")
    client = signed_in(mia)
    answer = set_up_app(client)

    assert answer.url == f"{HERE}recovery-codes/"
    assert len(recovery_codes(client)) == 10
    assert cast.actions() == ["account.app_added", "account.recovery_codes_made"]
    assert letters() == ["account/app_added"]
    assert Letter.objects.get().address == "mia@example.org"


def test_a_wrong_first_code_sets_nothing_up_and_the_same_secret_stays(mia, as_mia):
    page = as_mia.get(f"{HERE}totp/activate/").content.decode()
    [secret] = re.findall(r'id="secret">([A-Z2-7]+)<', page)
    answer = as_mia.post(f"{HERE}totp/activate/", {"code": "000000"})

    assert answer.status_code == 422
    assert "This code is not right" in text(answer)
    assert f'id="secret">{secret}<' in answer.content.decode()
    assert not Authenticator.objects.exists()
    assert as_mia.post(f"{HERE}totp/activate/", {"code": code_of(secret)}).status_code == 302


def test_after_the_password_the_code_is_asked_for(mia, as_mia):
    set_up_app(as_mia)
    client = Client()

    assert log_in(client).url == f"{HERE}authenticate/"
    assert not is_signed_in(client)
    assert client.get("/account/").url.startswith("/account/login/")
    answer = client.post(f"{HERE}authenticate/", {"code": "123"})
    assert answer.status_code == 422
    assert client.post(f"{HERE}authenticate/", {"code": code_of(secret_of(mia))}).url == "/"
    assert is_signed_in(client)


def test_a_code_works_once(mia, as_mia):
    set_up_app(as_mia)
    with time_machine.travel("2026-11-27T10:00:00Z", tick=False):
        code = code_of(secret_of(mia))
        first, second = Client(), Client()
        for client in (first, second):
            log_in(client)
            client.post(f"{HERE}authenticate/", {"code": code})

    assert (is_signed_in(first), is_signed_in(second)) == (True, False)


def test_a_code_of_half_a_minute_ago_is_not_believed_any_more(mia, as_mia):
    set_up_app(as_mia)
    client = Client()
    log_in(client)

    for later in (-2, -1, 1, 2):
        cache.clear()
        assert client.post(f"{HERE}authenticate/", {"code": code_of(secret_of(mia), later)}).status_code == 422


def test_codes_cannot_be_tried_for_long(mia, as_mia):
    set_up_app(as_mia)
    client = Client()
    log_in(client)
    for _ in range(5):
        client.post(f"{HERE}authenticate/", {"code": "000000"})

    answer = client.post(f"{HERE}authenticate/", {"code": code_of(secret_of(mia))})
    assert "That was too often." in text(answer)
    assert not is_signed_in(client)


def test_who_takes_the_app_off_logs_in_by_password_alone_again(mia, as_mia):
    set_up_app(as_mia)
    answer = as_mia.post(f"{HERE}totp/deactivate/")

    assert answer.url == HERE
    assert not Authenticator.objects.exists()
    assert cast.actions()[-1] == "account.app_removed"
    assert letters()[-1] == "account/app_removed"
    assert log_in(Client()).url == "/"


def test_the_app_sees_a_picture_that_the_content_policy_lets_in(as_mia):
    page = as_mia.get(f"{HERE}totp/activate/")

    assert '<svg class="qr"' in page.content.decode()
    assert "data:" not in page.content.decode()
    assert not re.search(r"\sstyle=", page.content.decode())


# --- At rest ---------------------------------------------------------------------------------------------------------


def test_secrets_are_encrypted_at_rest_and_while_they_wait_in_the_session(mia, as_mia):
    page = as_mia.get(f"{HERE}totp/activate/").content.decode()
    [secret] = re.findall(r'id="secret">([A-Z2-7]+)<', page)
    assert secret not in str(dict(as_mia.session))

    as_mia.post(f"{HERE}totp/activate/", {"code": code_of(secret)})
    assert secret_of(mia) == secret
    assert secret not in str(list(Authenticator.objects.values_list("data", flat=True)))
    assert "mfa.totp.secret" not in as_mia.session
    seed = Authenticator.objects.get(type="recovery_codes").data["seed"]
    assert len(Adapter().decrypt(seed)) == 80 < len(seed)


def test_secrets_outlive_a_new_key_of_the_server_while_the_former_is_believed(mia, as_mia, settings):
    set_up_app(as_mia)
    client = Client()
    secret, former = secret_of(mia), settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, [former]

    log_in(client)
    assert client.post(f"{HERE}authenticate/", {"code": code_of(secret)}).url == "/"


def test_when_the_key_is_lost_no_code_is_believed_and_the_page_says_why(mia, as_mia, settings):
    set_up_app(as_mia)
    settings.SECRET_KEY = "new" * 20
    client = Client()
    log_in(client)

    answer = client.post(f"{HERE}authenticate/", {"code": code_of("")})
    assert "This server's key has changed" in text(answer)
    assert not is_signed_in(client)


# --- Recovery codes --------------------------------------------------------------------------------------------------


def test_a_recovery_code_works_once_and_the_person_is_told(mia, as_mia):
    set_up_app(as_mia)
    code = recovery_codes(as_mia)[3]
    first, second = Client(), Client()
    for client in (first, second):
        log_in(client)
        client.post(f"{HERE}authenticate/", {"code": code})

    assert (is_signed_in(first), is_signed_in(second)) == (True, False)
    assert code not in recovery_codes(as_mia)
    assert cast.actions()[-1] == "account.recovery_code_used"
    assert letters()[-1] == "account/recovery_code_used"


def test_new_recovery_codes_end_the_old_ones(mia, as_mia):
    set_up_app(as_mia)
    old = recovery_codes(as_mia)
    as_mia.post(f"{HERE}recovery-codes/generate/")

    assert not set(old) & set(recovery_codes(as_mia))
    assert cast.actions()[-1] == "account.recovery_codes_made"
    assert letters()[-1] == "account/recovery_codes_made"


def test_looking_at_recovery_codes_changes_nothing(mia, as_mia):
    set_up_app(as_mia)
    before = list(Authenticator.objects.values())
    recovery_codes(as_mia)
    as_mia.get(f"{HERE}recovery-codes/download/")

    assert list(Authenticator.objects.values()) == before


def test_without_an_app_or_a_passkey_there_are_no_recovery_codes(as_mia):
    answer = as_mia.post(f"{HERE}recovery-codes/generate/")

    assert answer.status_code == 422
    assert "Set up an app or a passkey first." in text(answer)


# --- Passkeys --------------------------------------------------------------------------------------------------------


def test_a_passkey_is_added_and_logs_in_alone(mia, as_mia):
    device = Device()
    assert add_passkey(as_mia, device).url == f"{HERE}recovery-codes/"
    assert cast.actions() == ["account.passkey_added", "account.recovery_codes_made"]
    assert letters() == ["account/passkey_added"]

    client = Client()
    client.defaults |= LOCAL
    assert "Log in with a passkey" in text(client.get("/account/login/"))
    client.get(f"{HERE}webauthn/login/", headers={"Accept": "application/json"})
    answer = client.post(f"{HERE}webauthn/login/", {"credential": device.shown(challenge(client), mia)})
    assert answer.url == "/"
    assert is_signed_in(client)


def test_to_log_in_by_passkey_is_a_proof_of_who_one_is(mia, as_mia):
    device = Device()
    add_passkey(as_mia, device)
    client = Client()
    client.defaults |= LOCAL
    client.get(f"{HERE}webauthn/login/", headers={"Accept": "application/json"})
    client.post(f"{HERE}webauthn/login/", {"credential": device.shown(challenge(client), mia)})

    assert client.get(f"{HERE}totp/activate/").status_code == 200


def test_log_in_by_passkey_leads_on_to_where_one_wanted_to_go_and_never_elsewhere(mia, as_mia):
    device = Device()
    add_passkey(as_mia, device)
    for wanted, led in (("/o/acme/", "/o/acme/"), ("https://evil.example/", "/")):
        client = Client()
        client.defaults |= LOCAL
        client.get(f"{HERE}webauthn/login/", headers={"Accept": "application/json"})
        data = {"credential": device.shown(challenge(client), mia), "next": wanted}
        assert client.post(f"{HERE}webauthn/login/", data).url == led


def test_a_passkey_that_does_not_ask_who_holds_it_does_not_log_in_alone(mia, as_mia):
    device = Device()
    add_passkey(as_mia, device)
    device.verifies = False
    client = Client()
    client.defaults |= LOCAL
    client.get(f"{HERE}webauthn/login/", headers={"Accept": "application/json"})
    client.post(f"{HERE}webauthn/login/", {"credential": device.shown(challenge(client), mia)})

    assert not is_signed_in(client)


def test_after_the_password_a_passkey_is_as_good_as_a_code(mia, as_mia):
    device = Device(verifies=False)
    add_passkey(as_mia, device, alone=False)
    client = Client()
    log_in(client)
    client.get(f"{HERE}authenticate/")

    assert client.post(f"{HERE}authenticate/", {"credential": device.shown(challenge(client))}).url == "/"
    assert is_signed_in(client)


def test_a_passkey_shows_who_one_is_for_what_needs_a_proof(mia, as_mia):
    device = Device()
    add_passkey(as_mia, device)
    client = signed_in(mia, proved=False)
    client.defaults |= LOCAL
    asked = client.get(f"{HERE}totp/activate/")
    assert asked.url.startswith("/account/reauthenticate/")
    assert "Use a passkey" in text(client.get(asked.url))
    client.get(f"{HERE}webauthn/reauthenticate/?next={HERE}totp/activate/")

    data = {"credential": device.shown(challenge(client)), "next": f"{HERE}totp/activate/"}
    assert client.post(f"{HERE}webauthn/reauthenticate/", data).url == f"{HERE}totp/activate/"
    assert client.get(f"{HERE}totp/activate/").status_code == 200


def test_a_closed_account_is_not_entered_by_passkey(mia, as_mia):
    device = Device()
    add_passkey(as_mia, device)
    User.objects.update(is_active=False)
    client = Client()
    client.defaults |= LOCAL
    client.get(f"{HERE}webauthn/login/", headers={"Accept": "application/json"})
    client.post(f"{HERE}webauthn/login/", {"credential": device.shown(challenge(client), mia)})

    assert not is_signed_in(client)


def test_a_stolen_answer_of_a_device_is_of_no_use_elsewhere(mia, as_mia):
    device = Device()
    add_passkey(as_mia, device)
    here, there = Client(), Client()
    for client in (here, there):
        client.defaults |= LOCAL
        client.get(f"{HERE}webauthn/login/", headers={"Accept": "application/json"})
    answer = {"credential": device.shown(challenge(here), mia)}
    there.post(f"{HERE}webauthn/login/", answer)
    here.post(f"{HERE}webauthn/login/", answer)
    here.post("/account/logout/")
    here.post(f"{HERE}webauthn/login/", answer)

    assert not is_signed_in(there)
    assert not is_signed_in(here)


def test_an_answer_that_another_key_has_signed_is_not_believed(mia, as_mia):
    device, forger = Device(), Device()
    add_passkey(as_mia, device)
    forger.id = device.id
    client = Client()
    client.defaults |= LOCAL
    client.get(f"{HERE}webauthn/login/", headers={"Accept": "application/json"})
    answer = client.post(f"{HERE}webauthn/login/", {"credential": forger.shown(challenge(client), mia)}, follow=True)

    assert not is_signed_in(client)
    assert "This passkey is not known here" in answer.content.decode()


def test_a_passkey_is_renamed_and_removed(mia, as_mia):
    add_passkey(as_mia, Device())
    key = Authenticator.objects.get(type="webauthn")
    as_mia.post(f"{HERE}webauthn/keys/{key.pk}/edit/", {"name": "Blue key"})
    assert "Blue key" in text(as_mia.get(HERE))
    answer = as_mia.post(f"{HERE}webauthn/keys/{key.pk}/edit/", {"name": "see www.example.org"})
    assert answer.status_code == 422

    as_mia.post(f"{HERE}webauthn/keys/{key.pk}/remove/")
    assert not Authenticator.objects.exists()
    assert cast.actions()[-2:] == ["account.passkey_renamed", "account.passkey_removed"]
    assert letters() == ["account/passkey_added", "account/passkey_removed"]


def test_another_persons_passkey_does_not_exist(mia, as_mia):
    add_passkey(as_mia, Device())
    key = Authenticator.objects.get(type="webauthn")
    client = signed_in(cast.person("Eve"))

    for act in ("edit", "remove"):
        assert client.post(f"{HERE}webauthn/keys/{key.pk}/{act}/", {"name": "Mine"}).status_code == 404


GARBAGE = [
    "", "null", "[]", "7", '"x"', "{}", '{"response": null}', '{"response": {"userHandle": "eA"}}', "{",
    json.dumps({"type": "public-key", "id": "eA", "rawId": "eA", "response": dict.fromkeys(
        ("userHandle", "clientDataJSON", "authenticatorData", "attestationObject", "signature"), "eA")}),
]  # fmt: skip


@pytest.mark.parametrize("sent", GARBAGE)
def test_what_no_device_sends_is_refused_and_breaks_nothing(mia, as_mia, sent):
    add_passkey(as_mia, Device())
    client = Client()
    client.defaults |= LOCAL
    client.get(f"{HERE}webauthn/login/", headers={"Accept": "application/json"})
    assert client.post(f"{HERE}webauthn/login/", {"credential": sent}).url == "/account/login/"

    log_in(client)
    client.get(f"{HERE}authenticate/")
    assert client.post(f"{HERE}authenticate/", {"credential": sent}).status_code in {200, 422}
    as_mia.get(f"{HERE}webauthn/add/")
    assert as_mia.post(f"{HERE}webauthn/add/", {"name": "x", "credential": sent}).status_code == 422
    assert as_mia.post(f"{HERE}webauthn/reauthenticate/", {"credential": sent}).status_code == 302
    assert not is_signed_in(client)
    assert Authenticator.objects.filter(type="webauthn").count() == 1


@pytest.mark.parametrize(
    ("host", "port", "secure", "work"),
    [
        ("localhost", "8000", False, True),
        ("127.0.0.1", "8000", False, False),
        ("[::1]", "8000", False, False),
        ("localhost", "443", True, True),
        ("testserver", "80", False, False),
        ("testserver", "443", True, True),
    ],
)
def test_passkeys_are_offered_where_browsers_do_them(mia, as_mia, host, port, secure, work):
    add_passkey(as_mia, Device())
    where = {"SERVER_NAME": host, "SERVER_PORT": port, "secure": secure}

    assert ("Log in with a passkey" in text(Client().get("/account/login/", **where))) == work
    assert ("Add a passkey" in text(as_mia.get(HERE, **where))) == work


def test_where_nobody_has_a_passkey_none_is_offered(mia):
    client = Client()
    client.defaults |= LOCAL

    assert "passkey" not in text(client.get("/account/login/"))


# --- Each change asks for a recent proof, and is one with its event --------------------------------------------------


@pytest.mark.parametrize(
    "where",
    [
        "totp/activate/", "totp/deactivate/", "recovery-codes/", "recovery-codes/generate/", "recovery-codes/download/",
        "webauthn/add/", "webauthn/keys/{key}/edit/", "webauthn/keys/{key}/remove/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "post"])
def test_whoever_changes_or_sees_a_second_factor_has_lately_shown_who_they_are(mia, as_mia, where, method):
    add_passkey(as_mia, Device())
    if "deactivate" in where:
        set_up_app(as_mia)
    before = list(Authenticator.objects.values())
    client = signed_in(mia, proved=False)
    path = HERE + where.format(key=Authenticator.objects.get(type="webauthn").pk)
    answer = getattr(client, method)(path, {"name": "x", "code": "1", "credential": "{}"})

    assert answer.status_code == 405 or answer.url.startswith("/account/reauthenticate/")
    assert list(Authenticator.objects.values()) == before


@pytest.mark.parametrize("act", ["app", "passkey", "remove", "codes"])
@pytest.mark.django_db(transaction=True)
def test_a_change_whose_event_cannot_be_written_does_not_happen(monkeypatch, act):
    mia = cast.person("Mia")
    client = signed_in(mia)
    client.defaults |= LOCAL
    client.raise_request_exception = False
    if act in {"remove", "codes"}:
        set_up_app(client)
    before = list(Authenticator.objects.order_by("id").values())

    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("portico.console.second_factor.record", fail)
    answer = {
        "app": lambda: set_up_app(client),
        "passkey": lambda: add_passkey(client, Device()),
        "remove": lambda: client.post(f"{HERE}totp/deactivate/"),
        "codes": lambda: client.post(f"{HERE}recovery-codes/generate/"),
    }[act]()

    assert answer.status_code == 500
    assert list(Authenticator.objects.order_by("id").values()) == before


def test_every_page_of_a_second_factor_is_in_our_look_and_breaks_no_content_policy(mia, as_mia):
    add_passkey(as_mia, Device())
    key = Authenticator.objects.get(type="webauthn").pk
    pages = ["", "totp/activate/", "webauthn/", "webauthn/add/", "webauthn/reauthenticate/", "recovery-codes/"]
    pages += ["recovery-codes/generate/", f"webauthn/keys/{key}/edit/", f"webauthn/keys/{key}/remove/"]
    for page in pages:
        assert_looks_like_portico(as_mia.get(HERE + page))
    set_up_app(as_mia)
    for page in ("", "totp/deactivate/", "reauthenticate/"):
        assert_looks_like_portico(as_mia.get(HERE + page))
    client = Client()
    log_in(client)
    assert_looks_like_portico(client.get(f"{HERE}authenticate/"))
    assert_looks_like_portico(client.post("/account/logout/", follow=True))


def test_cancel_leads_from_the_question_back_to_the_second_factor(mia):
    client = signed_in(mia, proved=False)
    asked = client.get(f"{HERE}totp/activate/")
    [cancel] = re.findall(r'<a class="btn bare" href="([^"]*)"', client.get(asked.url).content.decode())

    assert cancel == HERE


def test_who_has_an_address_that_is_not_verified_is_told_to_see_to_it_first(mia, as_mia):
    cast.own(mia, "second@example.org", verified=False)
    answer = as_mia.get(f"{HERE}totp/activate/", follow=True)

    assert "Verify all your addresses first" in answer.content.decode()
