"""Organizations over the API: which there are, founding, pictures, the end and the way back, handing over.

ada administers Acme · mel is a plain member · eve is from elsewhere
"""

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from PIL import Image

from portico.domain import handovers, images, memberships, organizations, tokens, workspaces
from portico.domain.access import Via
from portico.domain.organizations import Organization
from portico.domain.permissions import MEMBERS_VIEW
from tests import cast
from tests.api.asking import code, program, sent
from tests.console.browser import signed_in

pytestmark = pytest.mark.django_db
API = "/api/v1"
ACME = f"{API}/organizations/acme"


def post(client, path, body=None):
    return sent(client, "post", path, body)


# --- Which there are -----------------------------------------------------------------------------------------------


def test_mine_are_those_in_which_i_am_active_in_parts_by_name(ada, mel):
    user = mel.membership.user
    for name in ("Zoo", "Beta"):
        cast.founded(name, by=user)
    memberships.change(ada, member=mel.membership, status=memberships.SUSPENDED)
    client = signed_in(user)

    first = client.get(f"{API}/organizations?limit=1").json()
    second = client.get(f"{API}/organizations?limit=1&cursor={first['next']}").json()

    assert [each["name"] for part in (first, second) for each in part["items"]] == ["Beta", "Zoo"]
    assert second["next"] is None


def test_a_token_has_one_and_the_operators_has_none(ada, mel):
    cast.founded("Zoo", by=mel.membership.user)
    everywhere = tokens.issue_for_all(cast.operator(None), name="Monitoring").secret

    assert [each["slug"] for each in program(mel).get(f"{API}/organizations").json()["items"]] == ["acme"]
    assert Client(headers={"Authorization": f"Bearer {everywhere}"}).get(f"{API}/organizations").json()["items"] == []


def test_slug_former_slug_and_id_name_the_same_organization(ada):
    organizations.change(ada, slug="acme-inc")
    client = signed_in(ada)

    for name in ("acme", "acme-inc", str(ada.organization.pk)):
        assert client.get(f"{API}/organizations/{name}").json()["slug"] == "acme-inc"


def test_whoever_is_suspended_is_told_so_and_sees_no_more(ada, mel):
    by_token, client = program(mel), signed_in(mel)
    memberships.change(ada, member=mel.membership, status=memberships.SUSPENDED)

    assert code(client.get(ACME)) == code(by_token.get(ACME)) == (403, "suspended")
    assert code(client.patch(ACME, {"name": "Mine"}, content_type="application/json")) == (403, "suspended")


def test_founding_says_where_it_is(mel, settings):
    client = signed_in(mel)
    made = post(client, f"{API}/organizations", {"name": "Third", "color": "teal"})

    assert made.status_code == 201
    there = client.get(made.headers["Location"])
    assert (there.json(), there.headers["ETag"]) == (made.json(), made.headers["ETag"])
    settings.FOUNDING = "operator"
    assert code(post(client, f"{API}/organizations", {"name": "Fourth"})) == (403, "founding_closed")


def test_all_that_is_wrong_is_told_at_once(mel):
    wrong = post(signed_in(mel), f"{API}/organizations", {"name": "www.buy.example", "slug": "-", "color": "plaid"})

    assert code(wrong) == (422, "invalid")
    assert [each["field"] for each in wrong.json()["errors"]] == ["name", "color", "slug"]


def test_a_token_does_what_its_permissions_let_through(ada):
    narrow = program(ada, permissions=[MEMBERS_VIEW.name])
    refused = narrow.patch(ACME, {"name": "Fresh"}, content_type="application/json")

    assert (code(refused), refused.json()["missing"]) == ((403, "missing_permission"), ["organization.manage"])
    assert program(ada).patch(ACME, {"name": "Fresh"}, content_type="application/json").json()["name"] == "Fresh"


# --- Its picture ---------------------------------------------------------------------------------------------------


def picture(size=8) -> bytes:
    file = BytesIO()
    Image.new("RGB", (size, size), "teal").save(file, "PNG")
    return file.getvalue()


def put(client, data, name="image", **headers):
    form = encode_multipart(BOUNDARY, {name: SimpleUploadedFile("picture.png", data)})
    return client.put(f"{ACME}/image", form, content_type=MULTIPART_CONTENT, headers=headers)


def test_a_picture_is_set_shown_and_taken_away_once(ada):
    client = signed_in(ada)

    shown = put(client, picture())
    file = client.get(shown.json()["image"].removeprefix("http://127.0.0.1:8000"))
    gone = [client.delete(f"{ACME}/image").status_code for _each in range(2)]

    assert (shown.status_code, file.headers["Content-Type"]) == (200, "image/webp")
    assert gone == [204, 404]
    assert client.get(ACME).json()["image"] is None


def test_what_is_no_picture_is_refused(ada):
    client = signed_in(ada)

    assert code(put(client, b"<svg xmlns='http://www.w3.org/2000/svg'/>")) == (422, "invalid")
    assert put(client, picture(), name="photo").json()["field"] == "photo"
    assert code(client.put(f"{ACME}/image", picture(), content_type="image/png")) == (422, "invalid")
    assert code(client.put(f"{ACME}/image", b"x", content_type=MULTIPART_CONTENT)) == (422, "invalid")
    assert code(client.put(f"{ACME}/image", b"x", content_type="multipart/form-data")) == (400, "malformed")
    assert code(put(client, b"x" * (images.MEGABYTES * 2**20 + 2**17))) == (413, "too_large")
    assert client.get(ACME).json()["image"] is None


def test_a_picture_does_not_overwrite_what_somebody_changed_meanwhile(ada):
    client = signed_in(ada)
    tag = client.get(ACME).headers["ETag"]
    organizations.change(ada, name="Fresh")

    assert code(put(client, picture(), **{"If-Match": tag})) == (412, "changed_meanwhile")


# --- Its end -------------------------------------------------------------------------------------------------------


def test_closing_needs_a_fresh_proof_and_the_version_that_was_seen(ada):
    tag = signed_in(ada).get(ACME).headers["ETag"]
    organizations.change(ada, name="Fresh")
    client = signed_in(ada)

    assert code(signed_in(ada, proved=False).delete(ACME)) == (403, "prove_again")
    assert code(client.delete(ACME, headers={"If-Match": tag})) == (412, "changed_meanwhile")
    assert client.delete(ACME, headers={"If-Match": client.get(ACME).headers["ETag"]}).status_code == 204
    assert code(client.get(ACME)) == code(client.delete(ACME)) == (403, "organization_closed")


def test_a_closed_one_is_among_mine_and_can_be_restored(ada, mel):
    organizations.close(ada, name="Acme")
    client = signed_in(ada)
    [mine] = client.get(f"{API}/me/organizations").json()["items"]

    assert (mine["closed"], mine["organization"]["slug"]) == (True, "acme")
    assert code(post(signed_in(mel), f"{ACME}/restore")) == (403, "organization_closed")
    assert post(client, f"{ACME}/restore").status_code == 200
    assert code(post(client, f"{ACME}/restore")) == (409, "not_closed")


def test_whoever_leaves_is_a_stranger(mel):
    client = signed_in(mel)

    assert post(client, f"{ACME}/leave").json()["slug"] == "acme"
    assert code(post(client, f"{ACME}/leave")) == code(client.get(ACME)) == (404, "not_found")


# --- Handing over --------------------------------------------------------------------------------------------------


def test_a_hand_over_is_offered_and_accepted(ada, mel):
    asked = {"member": str(mel.membership.pk), "step_down": "developer"}
    offered = post(signed_in(ada), f"{ACME}/handover", asked)
    accepted = post(signed_in(mel), f"{ACME}/handover/accept")

    assert (offered.status_code, offered.json()["status"]) == (200, "offered")
    assert accepted.json() == offered.json() | {"status": "accepted"}
    assert {row.name: row.grant.slug for row in ada.organization.memberships.all()} == {
        "Ada": "developer",
        "Mel": "administrator",
    }
    assert code(post(signed_in(mel), f"{ACME}/handover/decline")) == (404, "not_found")


def test_whom_and_which_role_must_be_known_here(ada, mel, eve):
    client = signed_in(ada)
    for member in (str(eve.membership.pk), "nobody", "", str(mel.id)):
        answer = post(client, f"{ACME}/handover", {"member": member})
        assert (code(answer), answer.json()["field"]) == ((422, "invalid"), "member")
    answer = post(client, f"{ACME}/handover", {"member": str(mel.membership.pk), "step_down": "emperor"})
    assert (code(answer), answer.json()["field"]) == ((422, "invalid"), "step_down")
    assert not handovers.Handover.objects.exists()


# --- Me ------------------------------------------------------------------------------------------------------------


def test_i_am_called_differently_everywhere_unless_somebody_was_quicker(mel):
    client = signed_in(mel)
    seen = client.get(f"{API}/me")

    def rename(name, tag="*"):
        headers = {"If-Match": tag}
        return client.patch(f"{API}/me", {"name": name}, content_type="application/json", headers=headers)

    assert rename("Melanie", seen.headers["ETag"]).json()["name"] == "Melanie"
    assert code(rename("Melissa", seen.headers["ETag"])) == (412, "changed_meanwhile")
    mel.membership.refresh_from_db()
    assert mel.membership.name == "Melanie"
    assert rename("", "*").json()["field"] == "name"


def test_by_a_token_one_is_who_its_organization_knows(ada, mel):
    cast.own(mel.membership.user, "mel@work.example.org")
    memberships.known_by(mel, "mel@work.example.org")
    service = Client(headers={"Authorization": f"Bearer {tokens.issue_service(ada, name='Shop').secret}"})

    mine, shop = program(mel).get(f"{API}/me").json(), service.get(f"{API}/me").json()

    assert (mine["id"], mine["email"], mine["token"]["service"]) == (str(mel.id), "mel@work.example.org", False)
    assert "mel@example.org" not in str(mine)
    assert (shop.keys(), shop["token"]["name"], shop["token"]["service"]) == ({"token"}, "Shop", True)


def test_the_invitations_that_wait_for_me_are_those_to_my_verified_addresses(ada, eve, contributor):
    bob = cast.person("Bob")
    cast.own(bob, "bob@work.example.org")
    cast.own(bob, "bob@unproven.example.org", verified=False)
    place = workspaces.create(ada, name="Payments")
    seat = workspaces.SeatOffer(place, "member")
    for email in ("bob@example.org", "bob@unproven.example.org", "other@example.org"):
        cast.invited(ada, email, grant=contributor, seats=[seat])
    cast.invited(eve, "bob@work.example.org", grant=cast.custom(MEMBERS_VIEW), message="Come!")

    first, second = signed_in(bob).get(f"{API}/me/invitations").json()["items"]

    assert (first["organization"]["slug"], first["email"], first["role"]) == ("acme", "bob@example.org", "contributor")
    assert first["workspaces"] == [{"workspace": "Payments", "role": "member"}]
    assert first["sponsor"] == {"name": "Ada", "email": "ada@example.org"}
    assert (second["role"], second["permissions"], second["message"]) == (None, ["members.view"], "Come!")


def test_where_i_belong_is_told_with_my_state_there(ada, mel):
    memberships.change(ada, member=mel.membership, status=memberships.SUSPENDED)
    [mine] = signed_in(mel).get(f"{API}/me/organizations").json()["items"]

    assert (mine["member"], mine["role"], mine["permissions"]) == (
        str(mel.membership.pk),
        "contributor",
        ["members.view"],
    )
    assert (mine["status"], mine["closed"], mine["email"]) == ("suspended", False, "mel@example.org")


def test_what_the_api_did_is_told_with_its_door(mel):
    post(signed_in(mel), f"{API}/organizations", {"name": "Third"})

    third = Organization.objects.get(name="Third")
    event = cast.Event.objects.filter(organization_id=third.pk).first()
    assert (event.door, event.actor_id) == (Via(door="api").door, mel.id)
