"""My account beyond what django-allauth keeps of it.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import json
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from portico.domain import people
from portico.domain.events import Event
from portico.domain.memberships import Membership
from portico.domain.outbox import Letter
from portico.domain.people import User
from tests import cast
from tests.cast import PASSWORD
from tests.console.browser import beside, signed_in, text
from tests.console.test_accounts import assert_looks_like_portico
from tests.console.test_proof import press, prove


def user_of(member: Any) -> User:
    return User.objects.get(pk=member.membership.user_id)


# --- The picture -----------------------------------------------------------------------------------------------------


def upload(content: bytes = b"") -> SimpleUploadedFile:
    if not content:
        file = BytesIO()
        Image.new("RGB", (80, 80), "teal").save(file, "PNG")
        content = file.getvalue()
    return SimpleUploadedFile("me.png", content)


def test_a_picture_is_set_shown_and_taken_away(mel):
    client = signed_in(mel)
    assert client.post("/account/picture", {"image": upload()}).status_code == 303
    image = user_of(mel).image
    assert f"/{image}-512.webp" in client.get("/account/").content.decode()

    client.post("/account/picture", {"do": "remove"})
    assert user_of(mel).image == ""
    assert cast.actions() == ["account.picture_changed", "account.picture_changed"]


@pytest.mark.parametrize("content", [b"<svg/>", b"GIF89a", b"nonsense"])
def test_what_is_no_picture_is_refused_beside_the_field(mel, content):
    answer = signed_in(mel).post("/account/picture", {"image": upload(content)})

    assert answer.status_code == 422
    assert beside(answer, "image")
    assert user_of(mel).image == ""


# --- Organizations ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_one_chooses_by_which_address_each_organization_knows_one(mel, acme):
    cast.own(mel.membership.user, "mel@work.example")
    client = signed_in(mel)
    assert "knows you as mel@example.org" in text(client.get("/account/organizations"))
    answer = client.post("/account/organizations", {"organization": "acme", "address": "mel@work.example"})

    assert answer.status_code == 303
    assert Membership.objects.get(pk=mel.membership.pk).address == "mel@work.example"
    assert cast.actions(acme)[-1] == "member.known_as"


def test_an_address_of_somebody_else_is_refused_beside_the_choice(mel, ada):
    cast.own(mel.membership.user, "mel@work.example")
    answer = signed_in(mel).post("/account/organizations", {"organization": "acme", "address": "ada@example.org"})

    assert answer.status_code == 409
    assert "This is none of your verified addresses." in text(answer)
    assert Membership.objects.get(pk=mel.membership.pk).address == "mel@example.org"


def test_an_organization_of_others_does_not_exist(eve, mel):
    answer = signed_in(mel).post("/account/organizations", {"organization": "elsewhere", "address": "mel@example.org"})

    assert answer.status_code == 404


def test_the_page_leads_to_the_way_out(mel):
    page = signed_in(mel).get("/account/organizations").content.decode()

    assert f"/o/acme/users/{mel.membership.pk}/remove" in page


def test_who_belongs_nowhere_is_told_what_to_do(db):
    assert "Whoever is invited" in text(signed_in(cast.person("Nia")).get("/account/organizations"))


# --- What happened, and what is kept ---------------------------------------------------------------------------------


def test_one_sees_what_happened_to_ones_account_and_nobody_elses(mel, ada):
    people.rename(cast.signed_in(mel.membership.user), "Melissa")
    people.rename(cast.signed_in(ada.membership.user), "Adelaide")
    page = text(signed_in(mel).get("/account/events"))

    assert "Melissa changed their name from 192.0.2.7, Firefox" in page
    assert "Adelaide" not in page


def test_older_events_stand_on_pages_of_their_own(mel):
    person = cast.signed_in(mel.membership.user)
    for n in range(60):
        people.rename(person, f"Mel {n}")
    client = signed_in(mel)
    first = client.get("/account/events")
    oldest = first.context["events"][-1][1].event.pk
    second = client.get(f"/account/events?before={oldest}")

    assert (len(first.context["events"]), len(second.context["events"])) == (50, 10)
    assert "Older" in text(first)
    assert "Older" not in text(second)
    assert client.get("/account/events?before=nonsense").status_code == 404


def test_the_data_come_as_a_file_of_json(mel, acme, ada):
    people.rename(cast.signed_in(mel.membership.user), "Mél")
    answer = signed_in(mel).get("/account/data")
    found = json.loads(answer.getvalue())

    assert answer.headers["Content-Disposition"] == 'attachment; filename="portico.json"'
    assert found["account"][0]["name"] == "Mél"
    assert found["memberships"][0]["organization"]["slug"] == "acme"
    assert found["events"][0]["action"] == "account.renamed"
    assert "ada@example.org" not in json.dumps(found)


# --- Away ------------------------------------------------------------------------------------------------------------


def test_signed_out_everywhere_is_signed_out_here_too(mel):
    here, there = Client(), Client()
    for client in (here, there):
        client.post("/account/login/", {"login": "mel@example.org", "password": PASSWORD})
    answer = here.post("/account/sign-out-everywhere")

    assert answer.url == "/account/login/"
    for client in (here, there):
        assert client.get("/account/").status_code == 302
    assert "account.sessions_ended" in cast.actions()


@pytest.mark.django_db(transaction=True)
def test_an_account_is_closed_after_the_password_and_is_gone(acme, mel):
    user = mel.membership.user
    client = signed_in(mel, proved=False)
    assert "Acme" in text(client.get("/account/close"))
    asked = client.post("/account/close")
    assert Membership.objects.filter(user=user).exists()

    answer = press(client, prove(client, asked))
    assert answer.url == "/account/login/"
    assert "Your account is closed." in client.get("/account/login/").content.decode()
    assert not User.objects.filter(pk=user.pk).exists()
    assert client.get("/account/").status_code == 302
    assert Letter.objects.latest("id").kind == "account/closed"
    assert Event.objects.filter(action="account.closed").count() == 1


def test_the_last_administrator_is_told_where_and_what_to_do(ada, acme):
    client = signed_in(ada)
    page = text(client.get("/account/close"))
    assert "You are the last Administrator who stays here." in page
    assert "Close my account" not in page

    answer = client.post("/account/close")
    assert answer.status_code == 409
    assert "Acme would have no Administrator who stays." in text(answer)
    assert User.objects.filter(name="Ada").exists()


@pytest.mark.parametrize("page", ["organizations", "events", "close"])
def test_each_page_is_in_our_look_and_signed_out_leads_to_sign_in(ada, page):
    cast.own(ada.membership.user, "second@example.org")

    assert_looks_like_portico(signed_in(ada).get(f"/account/{page}"))
    assert Client().get(f"/account/{page}").url.startswith("/account/login/")
