"""Where a member stands, their picture stands with them; for those who may see members, and for the invited.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from portico.domain import handovers, images, memberships, people, tokens, workspaces
from portico.domain.access import Member
from portico.domain.events import Event
from portico.domain.invitations import letter_token
from portico.domain.people import User
from tests import cast
from tests.console.browser import signed_in, text

Pictured = Callable[[Member | User], str]


@pytest.fixture
def pictured(settings, tmp_path) -> Pictured:
    """Give somebody a picture, each another one; its name."""
    settings.MEDIA_ROOT = tmp_path
    colors = iter(["red", "green", "blue"])

    def give(who: Member | User) -> str:
        user = who.membership.user if isinstance(who, Member) else who
        file = BytesIO()
        Image.new("RGB", (8, 8), next(colors)).save(file, "PNG")
        file.seek(0)
        people.show(cast.signed_in(user), images.keep(images.read(file)))  # type: ignore[arg-type]
        return user.image

    return give


def shows(answer: Any, name: str) -> bool:
    assert answer.status_code in {200, 422}, answer.status_code
    return f"/images/{name}-" in answer.content.decode()


# --- Whose face, and where -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "",
        "users",
        "users?q=mel",
        "users/{mel}",
        "workspaces/payments",
        "roles/contributor",
        "tokens?show=all",
        "tokens/{token}",
        "events",
    ],
)
def test_an_administrator_sees_the_picture_of_a_member(ada, mel, payments, pictured, path):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    token = tokens.issue(mel, name="Onboarding").token
    picture, client = pictured(mel), signed_in(ada)

    assert shows(client.get(f"/o/acme/{path}".format(mel=mel.membership.pk, token=token.pk)), picture)


def test_an_administrator_sees_the_picture_of_who_did_something(ada, mel, ivy, administrator, developer, pictured):
    memberships.change(ada, member=mel.membership, grant=administrator)
    mel.refresh()
    offer = cast.invited(mel, "new@example.org", grant=developer)
    memberships.change(mel, member=ivy.membership, grant=developer)
    event = Event.objects.filter(actor_id=mel.id).latest("id")
    picture, client = pictured(mel), signed_in(ada)

    for path in (f"events/{event.pk}", f"users/{offer.pk}", f"users/{ivy.membership.pk}/history"):
        assert shows(client.get(f"/o/acme/{path}"), picture), path


def test_whom_an_act_is_about_is_shown_before_it(ada, mel, pictured):
    picture, client = pictured(mel), signed_in(ada)
    chosen = {"who": str(mel.membership.pk)}

    for act in ("remove", "role"):
        assert shows(client.post("/o/acme/users/selected", chosen | {"do": act}), picture), act


def test_whom_a_typed_name_may_mean_is_shown(ada, mel, payments, pictured):
    picture, client = pictured(mel), signed_in(ada)

    assert shows(client.post("/o/acme/workspaces/payments/seats", {"who": "me", "role": "member"}), picture)
    assert shows(client.post("/o/acme/handover", {"who": "me"}), picture)
    handovers.offer(ada, member=mel.membership)
    assert shows(client.get("/o/acme/handover"), picture)


def test_each_has_their_own_picture_and_others_keep_their_initials(ada, mel, ivy, pictured):
    assert pictured(mel) != pictured(ivy)
    page = signed_in(ada).get("/o/acme/users").content.decode()

    for member in (mel, ivy):
        assert page.count(f'<img class="face " src="/images/{member.membership.user.image}-64.webp" alt="">') == 1
    assert re.search(r'<span class="face" data-hue="\d" aria-hidden="true">A</span>', page)


# --- For whom --------------------------------------------------------------------------------------------------------


def test_who_may_not_see_members_sees_their_names_alone(ada, acme, mel, payments, pictured):
    bob = cast.joined(acme, cast.person("Bob"), cast.custom())
    for each in (mel, bob):
        workspaces.give_seat(ada, workspace=payments, member=each.membership, role="member")
    picture = pictured(mel)
    page = signed_in(bob).get("/o/acme/workspaces/payments")

    assert "Mel" in text(page)
    assert not shows(page, picture)


def test_one_sees_ones_own_without_a_permission(ada, acme, pictured):
    bob = cast.joined(acme, cast.person("Bob"), cast.custom())
    picture = pictured(bob)

    assert shows(signed_in(bob).get(f"/o/acme/users/{bob.membership.pk}"), picture)
    assert memberships.pictures(bob, [bob.id, ada.id]) == {bob.id: picture}


def test_another_organization_learns_no_picture(ada, mel, eve, pictured):
    pictured(mel)

    assert memberships.pictures(eve, [mel.id]) == {}


def test_who_is_a_member_no_more_is_shown_without(ada, mel, pictured):
    picture, client = pictured(mel), signed_in(ada)
    memberships.remove(ada, members=[mel.membership])

    for path in ("events", "users/former", ""):
        assert not shows(client.get(f"/o/acme/{path}"), picture), path


def test_what_is_nobodys_id_is_passed_over(ada, mel, pictured):
    assert memberships.pictures(ada, ["operator", None, mel.id]) == {}


# --- The sponsor of an invitation ------------------------------------------------------------------------------------


def test_the_invited_see_who_invites_them(ada, contributor, pictured, client):
    offer, picture = cast.invited(ada, "new@example.org", grant=contributor), pictured(ada)
    client.get(f"/join/{letter_token(offer.pk, 1)}")

    assert shows(client.get(f"/invitations/{offer.pk}"), picture)


def test_signed_in_too_with_the_right_address_and_with_another(ada, contributor, pictured):
    offer, picture = cast.invited(ada, "bob@example.org", grant=contributor), pictured(ada)
    cid = signed_in(cast.person("Cid"))
    cid.get(f"/join/{letter_token(offer.pk, 1)}")

    assert shows(signed_in(cast.person("Bob")).get(f"/invitations/{offer.pk}"), picture)
    assert shows(cid.get(f"/invitations/{offer.pk}"), picture)
