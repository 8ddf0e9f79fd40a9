"""Accounts: who may sign up, how an address is proven, where letters go, and what is written down.

django-allauth is the machinery; these are the promises we make with it.
"""

import re
from pathlib import Path

import allauth
import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.template.loader import render_to_string
from django.test import Client
from django.urls import get_resolver, reverse

import portico.console
from portico.domain import events
from portico.domain.events import Event
from portico.domain.outbox import Letter
from portico.domain.people import User
from tests import cast
from tests.cast import PASSWORD

NEW_PASSWORD = "battery horse staple correct"


@pytest.fixture
def mia(db) -> User:
    return cast.person("Mia")


@pytest.fixture
def as_mia(mia) -> Client:
    return signed_in(mia)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def letters(address: str = "") -> list[tuple[str, str]]:
    found = Letter.objects.filter(address=address) if address else Letter.objects.all()
    return list(found.order_by("id").values_list("kind", "address"))


def code() -> str:
    """The code of the newest letter."""
    return Letter.objects.latest("id").secrets["code"]


def sign_up(client: Client, email: str, name: str = "Nia", **more: str):
    data = {"name": name, "email": email, "password1": PASSWORD}
    return client.post("/account/signup/", data | more)


def log_in(client: Client, email: str, password: str = PASSWORD, **more: str):
    return client.post("/account/login/", {"login": email, "password": password} | more)


def confirm(client: Client, **more: str):
    return client.post("/account/confirm-email/", {"code": code()} | more)


def reauthenticate(client: Client) -> None:
    client.post("/account/reauthenticate/", {"password": PASSWORD})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


# --- Sign-up and log-in --------------------------------------------------------------------------------------------


def test_an_account_begins_with_a_name_an_address_and_its_code(client, db):
    answer = sign_up(client, "Nia@Example.org")
    assert answer.url == "/account/confirm-email/"
    assert letters() == [("account/email_confirmation_signup", "nia@example.org")]

    answer = confirm(client)
    assert answer.url == "/"
    assert is_signed_in(client)
    nia = User.objects.get()
    assert (nia.name, nia.email, nia.addresses) == ("Nia", "nia@example.org", {"nia@example.org"})
    assert cast.actions() == ["account.created", "account.address_verified"]


def test_nobody_is_in_before_the_code(client, db):
    sign_up(client, "nia@example.org")

    assert not is_signed_in(client)
    assert client.get("/account/").url == "/account/login/?next=/account/"


def test_a_wrong_code_is_said_beside_the_field_and_three_end_it(client, db):
    sign_up(client, "nia@example.org")

    answer = client.post("/account/confirm-email/", {"code": "ZZZZZZ"})
    assert answer.status_code == 422
    assert "This is not the code of the newest letter" in answer.content.decode()
    client.post("/account/confirm-email/", {"code": "ZZZZZZ"})
    assert client.post("/account/confirm-email/", {"code": "ZZZZZZ"}).url == "/account/login/"
    assert client.get("/account/confirm-email/").url == "/account/login/"


def test_the_stored_address_has_the_form_that_invitations_have(client, db):
    sign_up(client, "ANN@exämple.org")
    confirm(client)

    assert EmailAddress.objects.get().email == "ann@xn--exmple-cua.org"
    assert User.objects.get().email == "ann@xn--exmple-cua.org"

    client.post("/account/logout/")
    assert log_in(client, "Ann@EXÄMPLE.org").url == "/"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"email": "a@b"}, "After the @ sign stands a domain with a dot"),
        ({"email": "nia"}, "An address has an @ sign."),
        ({"email": "a" * 400 + "@example.org"}, 'class="wrong"'),
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 81}, "A name has at most 80 characters."),
        ({"name": "see www.example.org"}, "A name cannot contain a web address"),
        ({"name": "Nia\u202e"}, "There is a character that cannot be seen (U+202E)"),
        ({"password1": "short"}, "too short"),
        ({"password1": "password123"}, "too common"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_is_kept(client, db, typed, sentence):
    data = {"name": "Nia", "email": "nia@example.org", "password1": PASSWORD} | typed
    answer = client.post("/account/signup/", data)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page.replace("&#x27;", "'")
    assert page.count('aria-invalid="true"') == 1
    assert f'value="{data["email"]}"' in page
    assert not User.objects.exists()


def test_an_address_that_has_an_owner_learns_that_it_has_one_and_the_page_tells_nobody(client, mia):
    answer = sign_up(client, "mia@example.org")

    assert answer.url == sign_up(Client(), "new@example.org").url == "/account/confirm-email/"
    assert letters("mia@example.org") == [("account/account_already_exists", "mia@example.org")]
    assert User.objects.filter(email="mia@example.org").count() == 1


def test_the_letter_about_an_account_that_exists_goes_to_the_primary_address_whichever_was_typed(client, mia):
    cast.own(mia, "second@example.org")
    sign_up(client, "second@example.org")

    assert letters() == [("account/account_already_exists", "mia@example.org")]


def test_claiming_an_address_keeps_nobody_out(client, mia):
    sign_up(Client(), "nia@example.org", name="Squatter", password1=NEW_PASSWORD)
    cache.clear()  # one letter to an address in ten seconds
    sign_up(client, "nia@example.org", name="Nia")
    confirm(client)

    assert is_signed_in(client)
    assert User.objects.owner_of("nia@example.org").name == "Nia"
    assert not User.objects.filter(name="Squatter").exists()
    assert "account.discarded" in cast.actions()
    assert log_in(Client(), "nia@example.org", NEW_PASSWORD).status_code == 422


def test_whoever_claims_an_address_without_proving_it_is_asked_for_the_code_at_every_log_in(client, db):
    cast.person("Nia", verified=False)
    answer = log_in(client, "nia@example.org")

    assert answer.url == "/account/confirm-email/"
    assert not is_signed_in(client)
    confirm(client)
    assert is_signed_in(client)


def test_a_wrong_password_and_an_unknown_address_sound_the_same(client, mia):
    wrong = log_in(client, "mia@example.org", "nonsense nonsense")
    nobody = log_in(client, "nobody@example.org", "nonsense nonsense")

    sentence = "This address and this password do not belong together. Check both and try again."
    assert wrong.status_code == nobody.status_code == 422
    assert sentence in wrong.content.decode()
    assert sentence in nobody.content.decode()


def test_wrong_passwords_are_counted_although_nothing_changes(client, mia):
    for _ in range(5):
        log_in(client, "mia@example.org", "nonsense nonsense")

    answer = log_in(client, "mia@example.org")
    assert answer.status_code == 422
    assert "That was too often." in answer.content.decode()


def test_too_many_requests_get_a_page_of_ours(client, db):
    for number in range(21):
        answer = sign_up(client, f"n{number}", name="")

    assert answer.status_code == 429
    assert "That was too often" in answer.content.decode()
    assert_looks_like_portico(answer)


def test_log_in_leads_on_to_where_one_wanted_to_go_and_never_elsewhere(mia):
    assert log_in(Client(), "mia@example.org", next="/o/acme/").url == "/o/acme/"
    assert log_in(Client(), "mia@example.org", next="https://evil.example/").url == "/"
    assert log_in(Client(), "mia@example.org", next="//evil.example/").url == "/"


def test_sign_up_by_invitation_only_is_closed_to_others(client, db, settings):
    settings.SIGNUP = "invited"

    assert "Accounts by invitation" in client.get("/account/signup/").content.decode()
    assert "Accounts by invitation" in sign_up(client, "nia@example.org").content.decode()
    assert not User.objects.exists()
    assert "/account/signup/" not in client.get("/account/login/").content.decode()


# --- Addresses -----------------------------------------------------------------------------------------------------


def add(client: Client, email: str):
    reauthenticate(client)
    return client.post("/account/email/", {"action_add": "1", "email": email})


def test_a_second_address_is_added_by_a_code_that_goes_to_it_and_the_primary_is_told(mia, as_mia):
    answer = add(as_mia, "Second@Example.org")
    assert answer.url == "/account/confirm-email/"
    assert letters() == [("account/email_confirmation", "second@example.org")]
    assert mia.addresses == {"mia@example.org"}

    confirm(as_mia)
    assert mia.addresses == {"mia@example.org", "second@example.org"}
    assert letters()[1:] == [("account/email_confirm", "mia@example.org")]
    assert Letter.objects.latest("id").secrets["email"] == "second@example.org"
    assert cast.actions() == ["account.address_added", "account.address_verified"]


def test_an_address_is_changed_only_after_the_password(mia, as_mia):
    cast.own(mia, "second@example.org")
    for data in (
        {"action_add": "1", "email": "third@example.org"},
        {"action_remove": "1", "email": "second@example.org"},
        {"action_primary": "1", "email": "second@example.org"},
    ):
        assert as_mia.post("/account/email/", data).url.startswith("/account/reauthenticate/")

    mia.refresh_from_db()
    assert mia.addresses == {"mia@example.org", "second@example.org"}
    assert mia.email == "mia@example.org"
    assert letters() == []


def test_what_waited_for_the_password_is_done_after_it(mia, as_mia):
    cast.own(mia, "second@example.org")
    asked = as_mia.post("/account/email/", {"action_primary": "1", "email": "second@example.org"})
    as_mia.post(asked.url, {"password": PASSWORD, "next": "/account/email/"})

    mia.refresh_from_db()
    assert mia.email == "second@example.org"


def test_an_address_that_somebody_else_claims_can_be_added_and_then_is_theirs_no_more(mia, as_mia):
    squatter = cast.person("Squatter", "second@example.org", verified=False)
    add(as_mia, "second@example.org")
    confirm(as_mia)

    assert mia.owns("second@example.org")
    assert not User.objects.filter(pk=squatter.pk).exists()


def test_an_address_that_somebody_else_owns_cannot_be_added(mia, as_mia):
    eve = cast.person("Eve")
    add(as_mia, "eve@example.org")
    answer = confirm(as_mia)

    assert answer.status_code == 422
    assert "There is another account with this address." in answer.content.decode()
    assert mia.addresses == {"mia@example.org"}
    assert eve.addresses == {"eve@example.org"}


def test_the_former_primary_address_is_told_of_the_new_one(mia, as_mia):
    cast.own(mia, "second@example.org")
    reauthenticate(as_mia)
    as_mia.post("/account/email/", {"action_primary": "1", "email": "second@example.org"})

    assert letters() == [("account/email_changed", "mia@example.org")]
    assert Letter.objects.get().secrets["email"] == "second@example.org"
    assert cast.actions() == ["account.primary_changed"]


def test_the_primary_address_stays_until_another_is_primary(mia, as_mia):
    cast.own(mia, "second@example.org")
    reauthenticate(as_mia)
    answer = as_mia.post("/account/email/", {"action_remove": "1", "email": "mia@example.org"}, follow=True)

    assert "Make another one primary, then remove it." in answer.content.decode()
    assert mia.addresses == {"mia@example.org", "second@example.org"}


def test_who_removes_an_address_is_known_by_the_primary_one_where_they_were_known_by_it(ada, acme, mel):
    mel.membership.user.refresh_from_db()
    user = mel.membership.user
    cast.own(user, "private@example.org")
    client = signed_in(user)
    reauthenticate(client)
    client.post("/account/email/", {"action_primary": "1", "email": "private@example.org"})
    assert acme.memberships.get(user=user).address == "mel@example.org"

    page = client.get("/account/email/").content.decode()
    assert "<bdi>Acme</bdi> will know you by private@example.org instead." in page
    client.post("/account/email/", {"action_remove": "1", "email": "mel@example.org"})

    member = acme.memberships.get(user=user)
    assert (member.address, member.search) == ("private@example.org", " mel private example org")
    assert cast.actions(acme)[-1] == "member.known_as"
    assert Event.objects.get(action="member.known_as").details == {"changed": ["address"]}
    assert cast.actions()[-1] == "account.address_removed"
    assert letters("private@example.org") == [("account/email_deleted", "private@example.org")]


def test_an_address_nobody_knows_one_by_changes_no_membership(acme, mel):
    user = mel.membership.user
    cast.own(user, "private@example.org")
    client = signed_in(user)
    before = cast.actions(acme)
    reauthenticate(client)
    client.post("/account/email/", {"action_remove": "1", "email": "private@example.org"})

    assert acme.memberships.get(user=user).address == "mel@example.org"
    assert cast.actions(acme) == before


def test_whoever_is_renamed_is_renamed_in_their_organizations(acme, mel):
    user = mel.membership.user
    answer = signed_in(user).post("/account/", {"name": "  Melanie  "})

    assert answer.status_code == 303
    assert acme.memberships.get(user=user).name == "Melanie"
    assert cast.actions() == ["account.renamed"]
    assert cast.actions(acme)[-1] == "member.known_as"


def test_a_name_that_would_become_a_link_is_refused(mia, as_mia):
    answer = as_mia.post("/account/", {"name": "evil.example.com"})

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "A name cannot contain a web address" in page
    assert 'value="evil.example.com"' in page
    mia.refresh_from_db()
    assert mia.name == "Mia"


# --- Passwords -----------------------------------------------------------------------------------------------------


def reset(client: Client, email: str) -> str:
    """Ask for a new password; the address of the letter's link."""
    client.post("/account/password/reset/", {"email": email})
    return re.sub(r"^https?://[^/]+", "", Letter.objects.latest("id").secrets["url"])


def test_a_forgotten_password_is_chosen_anew(client, mia):
    link = reset(client, "mia@example.org")
    page = client.get(link, follow=True)
    answer = client.post(page.redirect_chain[-1][0], {"password1": NEW_PASSWORD})

    assert answer.url == "/account/password/reset/key/done/"
    assert log_in(client, "mia@example.org", NEW_PASSWORD).url == "/"
    assert letters() == [
        ("account/password_reset_key", "mia@example.org"),
        ("account/password_reset", "mia@example.org"),
    ]
    assert cast.actions() == ["account.password_reset"]


def test_the_link_to_a_new_password_goes_to_the_primary_address_whichever_was_typed(client, mia):
    cast.own(mia, "second@example.org")
    reset(client, "second@example.org")

    assert letters() == [("account/password_reset_key", "mia@example.org")]


def test_the_link_to_a_new_password_works_once(client, mia):
    link = reset(client, "mia@example.org")
    page = client.get(link, follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": NEW_PASSWORD})

    assert "This link no longer works" in client.get(link, follow=True).content.decode()


def test_a_forged_link_to_a_new_password_changes_nothing(client, mia):
    link = f"/account/password/reset/key/{mia.pk.hex}-abc-def/"

    assert "This link no longer works" in client.get(link).content.decode()
    assert "This link no longer works" in client.post(link, {"password1": NEW_PASSWORD}).content.decode()


def test_an_unknown_address_is_told_that_it_has_no_account_and_the_page_tells_nobody(client, mia):
    known = client.post("/account/password/reset/", {"email": "mia@example.org"})
    unknown = client.post("/account/password/reset/", {"email": "nobody@example.org"})

    assert known.url == unknown.url
    assert letters("nobody@example.org") == [("account/unknown_account", "nobody@example.org")]
    assert Letter.objects.get(address="nobody@example.org").about is None


def test_a_password_is_changed_by_whoever_knows_it_and_ends_all_other_sessions(mia):
    here, there = Client(), Client()
    log_in(here, "mia@example.org")
    log_in(there, "mia@example.org")
    answer = here.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW_PASSWORD})

    assert answer.status_code == 302
    assert here.get("/account/").status_code == 200
    assert there.get("/account/").status_code == 302
    assert letters() == [("account/password_changed", "mia@example.org")]
    assert cast.actions() == ["account.password_changed"]


def test_a_password_is_not_changed_without_the_old_one(mia, as_mia):
    answer = as_mia.post("/account/password/change/", {"oldpassword": "no", "password1": NEW_PASSWORD})

    assert answer.status_code == 422
    assert "This is not your password." in answer.content.decode()
    mia.refresh_from_db()
    assert mia.check_password(PASSWORD)


def test_sessions_are_seen_and_ended(mia):
    here, there = Client(), Client(HTTP_USER_AGENT="Elsewhere")
    log_in(here, "mia@example.org")
    log_in(there, "mia@example.org")
    assert "Elsewhere" in here.get("/account/sessions/").content.decode()
    here.post("/account/sessions/")

    assert here.get("/account/").status_code == 200
    assert there.get("/account/").status_code == 302
    assert cast.actions() == ["account.sessions_ended"]


# --- What is written down ------------------------------------------------------------------------------------------


def test_letters_of_accounts_keep_their_secret_encrypted(client, db):
    sign_up(client, "nia@example.org")
    letter = Letter.objects.get()

    assert letter.priority == 0
    assert letter.about == User.objects.get().pk
    assert letter.secrets["name"] == "Nia"
    assert letter.secrets["code"].encode() not in bytes(letter.secret)


def test_what_a_person_does_to_their_account_is_an_event_of_theirs_with_where_from(mia, as_mia):
    as_mia.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW_PASSWORD}, HTTP_USER_AGENT="Ff")
    event = Event.objects.get()

    assert (event.organization_id, event.actor_id, event.subject_id) == (None, mia.pk, mia.pk)
    assert events.Origin.objects.get(id=event.batch).browser == "Ff"


@pytest.mark.parametrize(
    ("where", "data"),
    [
        ("/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW_PASSWORD}),
        ("/account/email/", {"action_remove": "1", "email": "second@example.org"}),
        ("/account/email/", {"action_primary": "1", "email": "second@example.org"}),
        ("/account/", {"name": "Melanie"}),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_change_whose_event_cannot_be_written_does_not_happen(monkeypatch, where, data):
    mia = cast.person("Mia")
    cast.own(mia, "second@example.org")
    client = Client(raise_request_exception=False)
    client.force_login(mia)
    reauthenticate(client)

    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("portico.console.accounts.record", fail)
    monkeypatch.setattr("portico.domain.people.record", fail)
    answer = client.post(where, data)

    mia = User.objects.get(pk=mia.pk)
    assert answer.status_code == 500
    assert (mia.name, mia.email) == ("Mia", "mia@example.org")
    assert mia.addresses == {"mia@example.org", "second@example.org"}
    assert mia.check_password(PASSWORD)
    assert letters() == []


@pytest.mark.django_db(transaction=True)
def test_an_account_whose_event_cannot_be_written_does_not_begin(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("portico.console.accounts.record", fail)
    answer = sign_up(Client(raise_request_exception=False), "nia@example.org")

    assert answer.status_code == 500
    assert not User.objects.exists()
    assert letters() == []


# --- The look ------------------------------------------------------------------------------------------------------


def assert_looks_like_portico(answer) -> None:
    page = answer.content.decode()
    assert '<div class="alone">' in page
    assert page.count("<h1") == 1
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", page)
    assert not re.search(r"<script(?![^>]*(\bsrc=|application/json))", page)  # data is no script
    assert not re.search(r"(src|href|action)=\"(https?:)?//", page)
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"].split("; ")


def names_of(patterns) -> list[str]:
    return [
        name
        for each in patterns
        for name in (names_of(each.url_patterns) if hasattr(each, "url_patterns") else [each.name])
    ]


ACCOUNT_PAGES = [
    name for name in names_of(get_resolver().url_patterns) if name.startswith(("account", "mfa_", "usersessions"))
]
OF_SOMETHING = {  # that must be there; `test_second_factor` looks at these
    "account_reset_password_from_key", "mfa_deactivate_totp", "mfa_download_recovery_codes", "mfa_edit_webauthn",
    "mfa_remove_webauthn", "mfa_view_recovery_codes",
}  # fmt: skip
ACCOUNT_PAGES = [name for name in ACCOUNT_PAGES if name not in OF_SOMETHING]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ACCOUNT_PAGES)
@pytest.mark.parametrize("who", ["nobody", "mia"])
def test_every_page_of_accounts_is_in_our_look_and_breaks_no_content_policy(name, who, request):
    client = {"nobody": Client, "mia": lambda: signed_in(request.getfixturevalue("mia"))}[who]()
    answer = client.get(reverse(name), follow=True)

    assert answer.status_code == 200
    shown = [template.name for template in answer.templates if template.name]
    assert "alone.html" in shown
    assert_looks_like_portico(answer)


def test_every_element_of_allauth_has_our_look():
    folders = [Path(allauth.__file__).parent / "templates", Path(portico.console.__file__).parent / "templates"]
    theirs, ours = ({path.name for path in (folder / "allauth/elements").glob("*.html")} for folder in folders)

    assert theirs <= ours


def test_a_button_keeps_what_scripts_and_forms_know_it_by():
    given = {"id": "a", "form": "b", "name": "c", "value": "d", "type": "submit"}
    html = render_to_string("allauth/elements/button.html", {"attrs": given, "slots": {"default": ["Go"]}})

    assert all(f'{name}="{value}"' in html for name, value in given.items())


def test_pages_that_need_a_step_before_them_are_in_our_look(mia, client):
    nia = Client()
    sign_up(nia, "nia@example.org")
    assert_looks_like_portico(nia.get("/account/confirm-email/"))

    page = client.get(reset(client, "mia@example.org"), follow=True)
    assert "Choose a new password" in page.content.decode()
    assert_looks_like_portico(page)

    nowhere = cast.person("Noa")
    nowhere.set_unusable_password()
    nowhere.save()
    assert_looks_like_portico(signed_in(nowhere).get("/account/password/set/"))


def test_nobody_sees_the_account_of_nobody(client, db):
    assert client.get("/account/").url == "/account/login/?next=/account/"
