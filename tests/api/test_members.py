"""Members and roles over the API: who belongs, who can, why; changing and removing one or many.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from portico.domain import memberships, roles, workspaces
from portico.domain.memberships import Membership
from portico.domain.permissions import MEMBERS_MANAGE, MEMBERS_VIEW, WORKSPACES_CREATE, WORKSPACES_VIEW_ALL
from tests import cast
from tests.api.asking import code, program, sent
from tests.cast import actions
from tests.console.browser import signed_in

pytestmark = pytest.mark.django_db
API = "/api/v1/organizations/acme"
MEMBERS = f"{API}/members"


def patch(client, path, body, **headers):
    return sent(client, "patch", path, body, **headers)


def post(client, path, body):
    return sent(client, "post", path, body)


def at(member) -> str:
    return f"{MEMBERS}/{member.membership.pk}"


def emails(answer):
    return [each["user"]["email"] for each in answer.json()["items"]]


# --- Reading -------------------------------------------------------------------------------------------------------


def test_a_member_is_told_as_far_as_the_asker_may_see(ada, mel, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    row = mel.membership

    seen_by_ada = program(ada).get(at(mel)).json()
    seen_by_mel_of_ivy = program(mel).get(at(ivy)).json()
    seen_by_ivy = program(ivy).get(at(mel)).json()

    assert seen_by_ada == {
        "id": str(row.pk),
        "user": {"id": str(row.user_id), "name": "Mel", "email": "mel@example.org"},
        "role": "contributor",
        "permissions": ["members.view"],
        "effective": ["members.view"],
        "status": "active",
        "joined_at": seen_by_ada["joined_at"],
        "expires_at": None,
        "last_active_at": seen_by_ada["last_active_at"],
        "workspaces": [{"slug": "payments", "role": "member"}],
    }
    assert set(seen_by_mel_of_ivy) == {"id", "user", "role", "status", "workspaces"}
    assert seen_by_mel_of_ivy["role"] is None
    assert seen_by_ivy["workspaces"] == []  # she sees no workspace without a seat
    assert program(mel).get(f"{MEMBERS}/me").json()["permissions"] == ["members.view"]


def test_whoever_is_suspended_holds_nothing_now(ada, mel):
    memberships.change(ada, member=mel.membership, status="suspended")

    told = program(ada).get(at(mel)).json()

    assert (told["status"], told["permissions"], told["effective"]) == ("suspended", ["members.view"], [])


def test_the_list_is_searched_filtered_and_sorted_in_parts(ada, mel, ivy):
    client = program(ada)
    memberships.change(ada, member=mel.membership, status="suspended")

    assert emails(client.get(MEMBERS)) == ["ada@example.org", "ivy@example.org", "mel@example.org"]
    assert emails(client.get(f"{MEMBERS}?query=me")) == ["mel@example.org"]
    assert emails(client.get(f"{MEMBERS}?role=contributor")) == ["mel@example.org"]
    assert emails(client.get(f"{MEMBERS}?role=Custom")) == ["ivy@example.org"]
    assert emails(client.get(f"{MEMBERS}?status=suspended")) == ["mel@example.org"]
    for sort in ("name", "email", "joined_at", "last_active_at"):
        first = client.get(f"{MEMBERS}?sort={sort}&limit=2").json()
        second = client.get(f"{MEMBERS}?sort={sort}&limit=2&cursor={first['next']}")
        assert [each["user"]["name"] for each in first["items"] + second.json()["items"]] == sorted(
            ["Ada", "Ivy", "Mel"], key=["Ada", "Mel", "Ivy"].index if "_at" in sort else None
        )
    assert code(client.get(f"{MEMBERS}?sort=role")) == (422, "invalid")
    assert code(client.get(f"{MEMBERS}?role=nobody")) == (422, "invalid")


def test_who_can_are_those_who_hold_it_now(ada, mel, ivy, acme, developer):
    dan = cast.joined(acme, cast.person("Dan"), developer)
    sue = cast.joined(acme, cast.person("Sue"), developer)
    memberships.change(ada, member=sue.membership, status="suspended")
    bea = cast.joined(acme, cast.person("Bea"), cast.custom(WORKSPACES_CREATE))
    client = program(ivy)

    assert emails(client.get(f"{MEMBERS}?permission=workspaces.create")) == [
        ada.membership.address, bea.membership.address, dan.membership.address
    ]  # fmt: skip
    assert emails(client.get(f"{MEMBERS}?permission=members.manage")) == ["ada@example.org", "ivy@example.org"]
    assert emails(client.get(f"{MEMBERS}?permission=workspaces.create&status=suspended")) == []
    assert code(client.get(f"{MEMBERS}?permission=nonsense")) == (422, "invalid")
    assert code(client.get(f"{MEMBERS}?permission=workspace.view")) == (422, "invalid")
    # Whose permissions are whose is known to those who manage members.
    assert code(program(mel).get(f"{MEMBERS}?permission=workspaces.create")) == (403, "missing_permission")
    assert code(program(mel).get(f"{MEMBERS}?sort=joined_at")) == (403, "missing_permission")


def test_whose_account_was_stopped_can_do_nothing(ada, ivy):
    ivy.membership.user.is_active = False
    ivy.membership.user.save()

    assert emails(program(ada).get(f"{MEMBERS}?permission=members.manage")) == ["ada@example.org"]


def test_the_list_takes_as_many_statements_for_many_as_for_few(
    ada, acme, contributor, payments, django_assert_max_num_queries
):
    client = program(ada)
    client.get(MEMBERS)
    for number in range(30):
        one = cast.joined(acme, cast.person(f"P{number}"), contributor)
        workspaces.give_seat(ada, workspace=payments, member=one.membership, role="member")

    with django_assert_max_num_queries(12):
        assert len(client.get(MEMBERS).json()["items"]) == 31


def test_access_says_why(ada, mel, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    told = program(ada).get(f"{at(mel)}/access").json()["items"]
    mine = program(mel).get(f"{MEMBERS}/me/access").json()["items"]

    assert told == mine
    reasons = {(each["permission"], each.get("workspace")): each for each in told}
    assert reasons["members.view", None]["because"] == {"by": "role", "name": "contributor"}
    assert reasons["members.manage", None] == {
        "permission": "members.manage",
        "allowed": False,
        "reason": "not_granted",
    }
    assert reasons["workspace.view", "payments"]["because"] == {"by": "seat", "name": "member"}
    assert reasons["workspace.manage", "payments"]["allowed"] is False
    assert code(program(mel).get(f"{at(ivy)}/access")) == (403, "missing_permission")
    # Whoever sees no workspace learns of no seat in it.
    assert not [each for each in program(ivy).get(f"{at(mel)}/access").json()["items"] if "workspace" in each]


def test_the_export_is_the_file_of_the_console(ada, mel):
    answer = program(ada).get(f"{MEMBERS}/export?role=contributor")

    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert [row["email"] for row in rows] == ["mel@example.org"]


# --- Changing ------------------------------------------------------------------------------------------------------


def test_all_that_one_call_says_is_one_change(ada, mel):
    end = timezone.now() + timedelta(days=30)

    answer = patch(program(ada), at(mel), {"permissions": ["members.manage"], "expires_at": end.isoformat()})

    assert answer.status_code == 200
    assert answer.json()["permissions"] == ["members.manage", "members.view"]
    assert answer.json()["role"] is None
    row = Membership.objects.get(pk=mel.membership.pk)
    assert (row.expires_at, row.version) == (end, 2)
    assert actions(ada.organization)[-2:] == ["member.changed", "member.end_changed"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, None),
        ({"role": "developer", "permissions": []}, "role"),
        ({"role": "nobody"}, "role"),
        ({"role": None}, "role"),
        ({"permissions": ["nonsense"]}, "permissions"),
        ({"permissions": ["workspace.view"]}, "permissions"),
        ({"status": "expired"}, "status"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
    ],
)
def test_what_is_not_well_formed_changes_nothing(ada, mel, body, field):
    answer = patch(program(ada), at(mel), body)

    assert code(answer) == (422, "invalid")
    assert answer.json().get("field") == field
    assert Membership.objects.get(pk=mel.membership.pk).version == 1


def test_nobody_gives_or_touches_more_than_they_hold(ada, mel, ivy):
    client = program(ivy)

    given = patch(client, at(mel), {"role": "developer"})
    touched = patch(client, at(ada), {"status": "suspended"})
    removed = client.delete(at(ada))

    assert code(given) == code(touched) == code(removed) == (403, "exceeds_your_authority")
    assert given.json()["missing"] == ["workspaces.create", "workspaces.view_all"]
    assert patch(client, at(mel), {"expires_at": None}).status_code == 200


def test_the_last_administrator_remains(ada):
    client, herself = program(ada), signed_in(ada)

    for refused in (patch(client, at(ada), {"role": "developer"}), herself.delete(at(ada))):
        assert code(refused) == (409, "last_administrator")


def test_a_program_does_not_leave_for_its_maker(ada):
    narrowed = program(ada, permissions=["members.manage"])

    assert code(narrowed.delete(at(ada))) == (403, "needs_person")
    assert code(patch(narrowed, at(ada), {"status": "suspended"})) == (403, "exceeds_your_authority")
    batch = {"members": [str(ada.membership.pk)], "remove": True}
    assert [each["outcome"] for each in post(program(ada), f"{MEMBERS}/batch", batch).json()["results"]] == [
        "needs_person"
    ]


def test_whoever_manages_nobody_does_not_learn_which_roles_there_are(mel):
    for role in ("developer", "no-such-role"):
        assert code(patch(program(mel), at(mel), {"role": role})) == (403, "missing_permission")
        batch = {"members": [str(mel.membership.pk)], "set": {"role": role}}
        assert code(post(program(mel), f"{MEMBERS}/batch", batch)) == (403, "missing_permission")


def test_what_somebody_can_do_in_a_workspace_that_i_may_not_look_into_is_not_told(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    tess = cast.joined(ada.organization, cast.person("Tess"), cast.custom(MEMBERS_MANAGE, WORKSPACES_VIEW_ALL))

    told = {each.get("workspace") for each in program(tess).get(f"{at(mel)}/access").json()["items"]}

    assert told == {None}
    assert "payments" in {each.get("workspace") for each in program(ada).get(f"{at(mel)}/access").json()["items"]}


def test_a_change_of_what_was_shown_otherwise_is_refused(ada, mel):
    client = program(ada)
    seen = client.get(at(mel)).headers["ETag"]
    changed = patch(client, at(mel), {"role": "developer"}, if_match=seen)

    late = patch(client, at(mel), {"role": "contributor"}, if_match=seen)
    removal = client.delete(at(mel), headers={"if-match": seen})

    assert changed.status_code == 200
    assert code(late) == code(removal) == (412, "changed_meanwhile")
    assert client.delete(at(mel), headers={"if-match": changed.headers["ETag"]}).status_code == 204
    assert code(client.delete(at(mel))) == (404, "not_found")


def test_to_make_an_administrator_by_session_one_proves_who_one_is(ada, mel):
    client = signed_in(ada)
    session = client.session
    session["account_authentication_methods"] = []
    session.save()

    assert code(patch(client, at(mel), {"role": "administrator"})) == (403, "prove_again")


# --- Many ----------------------------------------------------------------------------------------------------------


def test_of_many_each_passes_or_is_refused_by_itself(ada, mel, ivy, eve):
    nobody = "01985c2e-7b1d-7a3c-9f4e-2d6b8a1c0e57"
    asked = [str(each.membership.pk) for each in (ada, mel, mel, eve)] + [nobody, "nonsense"]

    told = post(program(ivy), f"{MEMBERS}/batch", {"members": asked, "set": {"status": "suspended"}}).json()

    assert told["done"] == 1
    assert [each["outcome"] for each in told["results"]] == [
        "exceeds_your_authority", "changed", "duplicate", "not_found", "not_found", "not_found"
    ]  # fmt: skip
    assert [each["id"] for each in told["results"]] == asked
    assert told["results"][1]["member"]["status"] == "suspended"
    assert all(each["detail"] for each in told["results"] if each["outcome"] != "changed")


def test_many_are_removed_or_nobody_if_no_administrator_remained(ada, mel, ivy):
    client, both = signed_in(ada), [str(ada.membership.pk), str(mel.membership.pk)]

    refused = post(client, f"{MEMBERS}/batch", {"members": both, "remove": True})
    assert code(refused) == (409, "last_administrator")
    assert Membership.objects.count() == 3

    told = post(client, f"{MEMBERS}/batch", {"members": both[1:], "remove": True}).json()
    assert told == {"done": 1, "results": [{"id": both[1], "outcome": "removed", "member": None, "detail": None}]}
    assert Membership.objects.count() == 2


@pytest.mark.parametrize(
    "more", [{}, {"remove": True, "set": {"status": "active"}}, {"set": {}}, {"remove": False}, {"set": {"name": "X"}}]
)
def test_one_thing_is_done_to_many(ada, mel, more):
    assert code(post(program(ada), f"{MEMBERS}/batch", {"members": [str(mel.membership.pk)], **more})) == (
        422,
        "invalid",
    )


def test_the_permission_is_asked_before_anything_is_told_of_anybody(mel, ada):
    for body in ({"members": ["nonsense"], "remove": True}, {"members": [str(ada.membership.pk)], "remove": True}):
        assert code(post(program(mel), f"{MEMBERS}/batch", body)) == (403, "missing_permission")


# --- Roles ---------------------------------------------------------------------------------------------------------


def test_roles_are_told_with_how_many_hold_them(ada, mel):
    cast.invited(ada, "bo@example.org", grant=cast.role(ada.organization, "developer"))

    told = {each["slug"]: each for each in program(ada).get(f"{API}/roles").json()["items"]}
    seen = program(mel).get(f"{API}/roles/developer").json()

    assert list(told) == ["administrator", "developer", "contributor"]
    assert (told["administrator"]["administrator"], told["administrator"]["members"]) == (True, 1)
    assert (told["developer"]["members"], told["developer"]["invitations"]) == (0, 1)
    assert told["developer"]["permissions"] == ["members.view", "workspaces.create", "workspaces.view_all"]
    assert "invitations" not in seen  # whom one invited is known to those who manage members


def test_a_role_is_added_changed_and_deleted(ada, mel):
    client = program(ada)

    added = post(client, f"{API}/roles", {"name": "Support Team", "permissions": ["members.manage"]})
    there = added.headers["Location"]
    assert (added.status_code, there) == (201, f"{API}/roles/support-team")
    assert added.json()["permissions"] == ["members.manage", "members.view"]

    renamed = patch(client, there, {"name": "Support"}, if_match=added.headers["ETag"])
    assert (renamed.json()["name"], renamed.json()["slug"]) == ("Support", "support-team")
    assert code(patch(client, there, {"name": "Help"}, if_match=added.headers["ETag"])) == (412, "changed_meanwhile")

    memberships.change(ada, member=mel.membership, grant=roles.Grant(role=roles.Role.objects.get(slug="support-team")))
    assert code(client.delete(there)) == (409, "role_in_use")
    assert code(client.delete(f"{there}?move_to=nobody")) == (422, "invalid")
    assert client.delete(f"{there}?move_to=developer").status_code == 204
    assert Membership.objects.get(pk=mel.membership.pk).grant.slug == "developer"
    assert code(client.get(there)) == (404, "not_found")
    assert code(client.delete(f"{API}/roles/administrator")) == (409, "role_fixed")


def test_the_bound_holds_for_a_narrowed_token_too(ada, mel):
    narrowed = program(ada, permissions=[MEMBERS_MANAGE.name, MEMBERS_VIEW.name])

    assert code(patch(narrowed, at(mel), {"role": "developer"})) == (403, "exceeds_your_authority")
    assert code(post(narrowed, f"{API}/roles", {"name": "X", "permissions": []})) == (403, "missing_permission")
    assert json.loads(patch(narrowed, at(mel), {"permissions": ["members.view"]}).content)["role"] is None
