"""Inviting over the API: one verdict for each address, sending again, revoking; and answering one's own.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import json
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from portico.domain import memberships, workspaces
from portico.domain.invitations import Invitation
from portico.domain.outbox import Letter
from tests import cast
from tests.api.asking import code, program, sent
from tests.console.browser import signed_in

pytestmark = pytest.mark.django_db
ACME = "/api/v1/organizations/acme"
OFFERS = f"{ACME}/invitations"
ATLAS = {"workspace": "atlas"}


def post(client, path, body=None, **headers):
    return sent(client, "post", path, body, **headers)


def outcomes(answer):
    return [(each["email"], each["outcome"]) for each in answer.json()["results"]]


# --- Inviting ------------------------------------------------------------------------------------------------------


def test_one_verdict_for_each_address_in_the_order_asked(ada, mel, payments):
    cast.invited(ada, "old@example.org", grant=cast.role(ada.organization, "contributor"))

    answer = post(
        program(ada),
        OFFERS,
        {
            "emails": [
                "ann@example.org",
                "Bo Lee <BO@Example.org>",
                {"email": "cy@example.org", "role": "contributor", "workspaces": []},
                "mel@example.org",
                "old@example.org",
                "nonsense",
                "ann@example.org",
                "two@example.org, three@example.org",
                {"email": "di@example.org", "role": "nobody"},
                {"email": "ed@example.org", "permissions": ["members.view"]},
            ],
            "role": "developer",
            "workspaces": [{"workspace": "payments", "role": "manager"}],
            "message": "Welcome!",
            "expires_in_days": 3,
        },
    )

    assert answer.status_code == 200
    assert answer.json()["invited"] == 4
    assert outcomes(answer) == [
        ("ann@example.org", "invited"),
        ("bo@example.org", "invited"),
        ("cy@example.org", "invited"),
        ("mel@example.org", "already_member"),
        ("old@example.org", "already_invited"),
        ("nonsense", "invalid"),
        ("ann@example.org", "duplicate"),
        ("two@example.org, three@example.org", "invalid"),
        ("di@example.org", "invalid"),
        ("ed@example.org", "invited"),
    ]
    ann, bo, cy, *_rest, ed = [each["invitation"] for each in answer.json()["results"]]
    assert ann["workspaces"] == [{"workspace": "payments", "role": "manager"}]
    assert (ann["role"], ann["status"], ann["delivery"], ann["number"]) == ("developer", "pending", "waiting", 1)
    assert (ann["message"], ann["sponsor"]["name"], ann["closed_at"]) == ("Welcome!", "Ada", None)
    assert bo["email"] == "bo@example.org"
    assert (cy["role"], cy["workspaces"]) == ("contributor", [])
    assert (ed["role"], ed["permissions"]) == (None, ["members.view"])
    assert answer.json()["results"][5]["detail"]
    assert Letter.objects.filter(kind="invitation").count() == 5  # the four, and the old one's


def test_a_dry_run_says_the_same_and_leaves_nothing(ada, mel):
    answer = post(
        program(ada),
        OFFERS,
        {"emails": ["ann@example.org", "mel@example.org"], "permissions": [], "dry_run": True},
    )

    assert outcomes(answer) == [("ann@example.org", "invited"), ("mel@example.org", "already_member")]
    assert [each["invitation"] for each in answer.json()["results"]] == [None, None]
    assert not Invitation.objects.exists()


def test_the_bound_is_asked_of_each(ivy):
    answer = post(
        program(ivy),
        OFFERS,
        {"emails": ["ann@example.org", {"email": "bo@example.org", "role": "administrator"}], "role": "contributor"},
    )

    assert outcomes(answer) == [("ann@example.org", "invited"), ("bo@example.org", "exceeds_your_authority")]


def test_what_is_wrong_with_one_line_is_told_of_that_line_also_where_each_has_its_own_role(ada, payments):
    workspaces.archive(ada, workspace=payments)
    workspaces.create(ada, name="Atlas")
    lines = [
        {"email": "ann@example.org", "role": "developer"},
        {"email": "bea@example.org", "role": "developer", "workspaces": [{"workspace": "payments"}]},
        {"email": "nobody", "permissions": []},
        {"email": "cat@example.org", "role": "developer", "workspaces": [ATLAS, ATLAS | {"role": "manager"}]},
    ]

    answer = post(program(ada), OFFERS, {"emails": lines})

    assert outcomes(answer) == [
        ("ann@example.org", "invited"),
        ("bea@example.org", "invalid"),
        ("nobody", "invalid"),
        ("cat@example.org", "invalid"),
    ]
    assert answer.json()["results"][1]["detail"] == "There is no workspace “payments” here."


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({}, "role"),
        ({"role": "developer", "permissions": []}, "role"),
        ({"role": "nobody"}, "role"),
        ({"permissions": ["nonsense"]}, "permissions"),
        ({"role": "developer", "workspaces": [{"workspace": "nowhere"}]}, "workspaces"),
        ({"role": "developer", "expires_in_days": 31}, "expires_in_days"),
        ({"role": "developer", "member_until": "2020-01-01T00:00:00Z"}, "member_until"),
        ({"role": "developer", "member_until": "2099-01-01T00:00:00"}, "member_until"),
        ({"role": "developer", "locale": "tlh"}, "locale"),
        ({"role": "developer", "message": "x" * 1001}, "message"),
        ({"role": "developer", "emails": []}, "emails"),
        ({"role": "developer", "emails": ["a@example.org"] * 10_001}, "emails"),
        ({"role": "developer", "roles": "developer"}, "roles"),
    ],
)
def test_what_is_wrong_for_all_invites_nobody(ada, more, field):
    answer = post(program(ada), OFFERS, {"emails": ["ann@example.org"], **more})

    assert (code(answer), answer.json()["field"]) == ((422, "invalid"), field)
    assert not Invitation.objects.exists()


def test_to_offer_administrator_by_session_one_proves_who_one_is(ada):
    client = signed_in(ada)
    session = client.session
    session["account_authentication_methods"] = []
    session.save()

    assert code(post(client, OFFERS, {"emails": ["a@example.org"], "role": "administrator"})) == (403, "prove_again")


def test_statements_grow_with_thousands_of_addresses_and_not_with_each(ada, django_assert_max_num_queries):
    client = program(ada)
    ada.organization.is_trusted = True
    ada.organization.save()
    client.get(OFFERS)

    with django_assert_max_num_queries(60):
        answer = post(client, OFFERS, {"emails": [f"p{n}@example.org" for n in range(300)], "role": "developer"})
    with django_assert_max_num_queries(60):
        own = [{"email": f"q{n}@example.org", "role": "contributor", "workspaces": []} for n in range(300)]
        lost = [{"email": f"r{n}@example.org", "workspaces": [{"workspace": "nowhere"}]} for n in range(300)]
        mixed = post(client, OFFERS, {"emails": own + lost, "role": "developer"})

    assert answer.json()["invited"] == 300
    assert mixed.json()["invited"] == 300


def test_asked_again_with_the_same_key_one_letter_leaves(ada):
    client, body = program(ada), {"emails": ["ann@example.org"], "role": "developer"}

    first, second = (post(client, OFFERS, body, idempotency_key="one") for _ in range(2))

    assert first.json() == second.json()
    assert Letter.objects.filter(kind="invitation").count() == 1


def test_whoever_sees_no_workspace_sees_no_seat_on_offer(ada, ivy, payments):
    seat = workspaces.SeatOffer(payments, "member")
    offer = cast.invited(ada, "ann@example.org", grant=cast.custom(), seats=[seat])

    assert program(ada).get(f"{OFFERS}/{offer.pk}").json()["workspaces"]
    assert program(ivy).get(f"{OFFERS}/{offer.pk}").json()["workspaces"] == []


# --- What became of them -------------------------------------------------------------------------------------------


def test_the_list_is_filtered_by_status_delivery_and_address(ada, mel):
    contributor = cast.role(ada.organization, "contributor")
    client = program(ada)
    kept, revoked = (cast.invited(ada, f"{name}@example.org", grant=contributor) for name in ("ann", "bo"))
    client.delete(f"{OFFERS}/{revoked.pk}")
    Letter.objects.filter(about=kept.pk).update(state="given_up", detail="550 No such user")

    def found(query):
        return [each["email"] for each in client.get(f"{OFFERS}?{query}").json()["items"]]

    assert found("") == ["bo@example.org", "ann@example.org"]
    assert found("limit=1") == ["bo@example.org"]
    assert (
        found("status=pending") == found("delivery=given_up") == found("email=ANN@example.org") == ["ann@example.org"]
    )
    assert found("status=revoked") == ["bo@example.org"]
    assert found("status=expired") == found("email=nonsense") == []
    assert client.get(f"{OFFERS}?delivery=given_up").json()["items"][0]["delivery_detail"] == "550 No such user"
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert [each["status"] for each in client.get(f"{OFFERS}?status=expired").json()["items"]] == ["expired"]
        assert found("status=pending") == []
    assert code(program(mel).get(OFFERS)) == (403, "missing_permission")


def test_it_is_sent_again_with_another_grant_and_revoked_once(ada):
    client = program(ada)
    offer = cast.invited(ada, "ann@example.org", grant=cast.role(ada.organization, "contributor"))
    seen = client.get(f"{OFFERS}/{offer.pk}").headers["ETag"]

    again = post(client, f"{OFFERS}/{offer.pk}/resend", {"permissions": ["billing.manage"], "expires_in_days": 1})

    assert (again.status_code, again.json()["number"], again.json()["permissions"]) == (200, 2, ["billing.manage"])
    assert code(client.delete(f"{OFFERS}/{offer.pk}", headers={"if-match": seen})) == (412, "changed_meanwhile")
    assert client.delete(f"{OFFERS}/{offer.pk}", headers={"if-match": again.headers["ETag"]}).status_code == 204
    assert code(client.delete(f"{OFFERS}/{offer.pk}")) == (409, "invitation_closed")
    assert code(post(client, f"{OFFERS}/{offer.pk}/resend")) == (409, "invitation_closed")


def test_many_are_sent_again_or_revoked_each_by_itself(ada, ivy):
    contributor, administrator = (cast.role(ada.organization, name) for name in ("contributor", "administrator"))
    mine = cast.invited(ada, "ann@example.org", grant=contributor)
    above = cast.invited(ada, "bo@example.org", grant=administrator)
    asked = [str(mine.pk), str(above.pk), str(mine.pk).upper(), "nonsense"]

    told = post(program(ivy), f"{OFFERS}/batch", {"invitations": asked, "do": "resend"}).json()

    assert told["done"] == 1
    assert [each["outcome"] for each in told["results"]] == [
        "resent", "exceeds_your_authority", "duplicate", "not_found"
    ]  # fmt: skip
    assert told["results"][0]["invitation"]["number"] == 2
    revoked = post(program(ada), f"{OFFERS}/batch", {"invitations": asked[:2], "do": "revoke"}).json()
    assert [each["invitation"]["status"] for each in revoked["results"]] == ["revoked", "revoked"]


# --- Mine ----------------------------------------------------------------------------------------------------------


def test_the_invited_accepts_once_and_hears_the_same_again(ada):
    ann = cast.person("Ann")
    offer = cast.invited(ada, "ann@example.org", grant=cast.role(ada.organization, "developer"))
    client, path = signed_in(ann), f"/api/v1/invitations/{offer.pk}/accept"

    first, second = post(client, path, {"message": "Thank you!"}), post(client, path)

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert (first.json()["organization"]["slug"], first.json()["role"]) == ("acme", "developer")
    assert Invitation.objects.get().reply == "Thank you!"
    assert ann.memberships.count() == 1


def test_to_everybody_else_it_does_not_exist_whatever_became_of_it(ada, mel):
    offer = cast.invited(ada, "ann@example.org", grant=cast.role(ada.organization, "developer"))
    path = f"/api/v1/invitations/{offer.pk}"
    unproven = cast.person("Ann", verified=False)

    for state in (offer.state, Invitation.State.REVOKED, Invitation.State.ACCEPTED):
        Invitation.objects.update(state=state)
        for who in (mel.membership.user, unproven):
            for act in ("accept", "decline"):
                assert code(post(signed_in(who), f"{path}/{act}")) == (404, "not_found")
    assert code(post(program(mel), f"{path}/accept")) == (403, "needs_person")


def test_declining_tells_the_sponsor_why_and_ends_it(ada):
    ann = cast.person("Ann")
    offer = cast.invited(ada, "ann@example.org", grant=cast.role(ada.organization, "developer"))
    client, path = signed_in(ann), f"/api/v1/invitations/{offer.pk}"

    assert post(client, f"{path}/decline", {"message": "Not now"}).json() == {
        "id": str(offer.pk),
        "status": "declined",
    }
    assert code(post(client, f"{path}/accept")) == (409, "invitation_closed")
    assert program(ada).get(f"{OFFERS}/{offer.pk}").json()["reply"] == "Not now"


def test_an_offer_is_worth_what_its_sponsor_can_give_at_that_moment(ada, ivy):
    memberships.change(ada, member=ivy.membership, grant=cast.role(ada.organization, "administrator"))
    ivy.refresh()
    ann = cast.person("Ann")
    offer = cast.invited(ivy, "ann@example.org", grant=cast.role(ada.organization, "developer"))

    client = program(ada)
    at_ivy = f"{ACME}/members/{ivy.membership.pk}"
    client.patch(at_ivy, json.dumps({"permissions": ["members.manage"]}), content_type="application/json")

    assert client.get(f"{OFFERS}/{offer.pk}").json()["status"] == "revoked"
    assert code(post(signed_in(ann), f"/api/v1/invitations/{offer.pk}/accept")) == (409, "invitation_closed")


def test_a_link_to_hand_over_is_told_once(ada, ivy):
    client = program(ada)
    offer = cast.invited(ada, "ann@example.org", grant=cast.role(ada.organization, "administrator"))
    path = f"{OFFERS}/{offer.pk}/link"

    first, again = (post(client, path, idempotency_key="one") for _ in range(2))

    assert Client().get(first.json()["link"].partition("8000")[2]).status_code == 303
    assert code(again) == (409, "already_done")
    assert again.json()["id"] == str(offer.pk)
    assert "/join/" not in client.get(f"{OFFERS}/{offer.pk}").content.decode()
    assert code(post(program(ivy), path)) == (403, "exceeds_your_authority")
