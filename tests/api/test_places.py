"""Workspaces, their seats, billing, tokens and the audit log over the API.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import pytest
from django.test import Client

from portico.domain import tokens, workspaces
from portico.domain.permissions import WORKSPACES_VIEW_ALL
from portico.domain.tokens import Token
from portico.domain.workspaces import Seat, Workspace
from tests import cast
from tests.api.asking import code, program, sent
from tests.console.browser import signed_in

pytestmark = pytest.mark.django_db
ACME = "/api/v1/organizations/acme"
PAYMENTS = f"{ACME}/workspaces/payments"
TOKENS = f"{ACME}/tokens"


def slugs(answer):
    return [each["slug"] for each in answer.json()["items"]]


# --- Workspaces ----------------------------------------------------------------------------------------------------


def test_one_sees_those_where_one_sits_and_with_the_permission_all(ada, mel, acme, payments):
    workspaces.create(ada, name="Anvils")
    vic = cast.joined(acme, cast.person("Vic"), cast.custom(WORKSPACES_VIEW_ALL))
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert slugs(program(ada).get(f"{ACME}/workspaces")) == ["anvils", "payments"]
    assert slugs(program(mel).get(f"{ACME}/workspaces")) == ["payments"]
    assert slugs(program(vic).get(f"{ACME}/workspaces")) == ["anvils", "payments"]
    assert slugs(program(vic).get(f"{ACME}/workspaces?scope=mine")) == []
    assert program(mel).get(PAYMENTS).json()["seat"] == "member"
    assert program(vic).get(PAYMENTS).json()["seat"] is None
    assert code(program(mel).get(f"{ACME}/workspaces/anvils")) == (404, "not_found")
    # Who only sees it learns of its managers, and of nobody else.
    assert [each["user"]["name"] for each in program(vic).get(f"{PAYMENTS}/seats").json()["items"]] == ["Ada"]
    assert len(program(mel).get(f"{PAYMENTS}/seats").json()["items"]) == 2


def test_from_creating_to_deleting(ada):
    client = program(ada)

    made = sent(client, "post", f"{ACME}/workspaces", {"name": "Pay ments", "color": "teal"})
    assert (made.status_code, made.headers["Location"]) == (201, f"{ACME}/workspaces/pay-ments")
    assert (made.json()["seat"], made.json()["color"]) == ("manager", "teal")

    moved = sent(client, "patch", f"{ACME}/workspaces/pay-ments", {"slug": "payments"}, if_match=made.headers["ETag"])
    assert moved.json()["slug"] == client.get(f"{ACME}/workspaces/pay-ments").json()["slug"] == "payments"
    late = sent(client, "patch", PAYMENTS, {"name": "X"}, if_match=made.headers["ETag"])
    assert code(late) == (412, "changed_meanwhile")

    assert code(client.delete(PAYMENTS)) == (409, "not_archived")
    assert sent(client, "post", f"{PAYMENTS}/archive").json()["archived_at"]
    assert code(sent(client, "post", f"{PAYMENTS}/archive")) == (409, "already_archived")
    assert sent(client, "post", f"{PAYMENTS}/restore").json()["archived_at"] is None
    sent(client, "post", f"{PAYMENTS}/archive")
    assert client.delete(PAYMENTS).status_code == 204
    assert not Workspace.objects.exists()


def test_a_manager_gives_changes_and_takes_seats(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")
    client, seat = program(mel), f"{PAYMENTS}/seats/{ada.membership.pk}"

    changed = sent(client, "put", seat, {"role": "member"})
    assert changed.json() == {
        "member": str(ada.membership.pk),
        "user": {"id": str(ada.membership.user_id), "name": "Ada", "email": "ada@example.org"},
        "role": "member",
    }
    again = sent(client, "put", seat, {"role": "manager"}, if_match=changed.headers["ETag"])
    assert again.status_code == 200
    late = sent(client, "put", seat, {"role": "member"}, if_match=changed.headers["ETag"])
    assert code(late) == (412, "changed_meanwhile")
    assert client.delete(seat).status_code == 204
    assert code(client.delete(seat)) == (404, "not_found")
    assert Seat.objects.get().membership_id == mel.membership.pk


def test_a_manager_who_sees_no_members_still_takes_the_seats_that_they_see(ada, acme, payments):
    max_ = cast.joined(acme, cast.person("Max"), cast.custom())
    workspaces.give_seat(ada, workspace=payments, member=max_.membership, role="manager")
    eva = cast.joined(acme, cast.person("Eva"), cast.custom())
    client = program(max_)

    assert client.delete(f"{PAYMENTS}/seats/{ada.membership.pk}").status_code == 204
    assert code(sent(client, "put", f"{PAYMENTS}/seats/{eva.membership.pk}", {"role": "member"})) == (404, "not_found")


def test_who_only_sits_there_manages_nothing(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    client = program(mel)

    for answer in (
        sent(client, "patch", PAYMENTS, {"name": "Mine"}),
        sent(client, "put", f"{PAYMENTS}/seats/{mel.membership.pk}", {"role": "manager"}),
        client.delete(f"{PAYMENTS}/seats/{ada.membership.pk}"),
    ):
        assert code(answer) == (403, "missing_permission")


# --- Billing -------------------------------------------------------------------------------------------------------


def test_billing_is_written_as_a_whole_and_checked(ada, mel):
    client = program(ada)
    empty = client.get(f"{ACME}/billing")

    told = sent(client, "put", f"{ACME}/billing", {"legal_name": "Acme", "country": "AT", "tax_id": "ATU13585627"})
    wrong = sent(client, "put", f"{ACME}/billing", {"country": "DE", "tax_id": "ATU13585627", "email": "nonsense"})
    late = sent(client, "put", f"{ACME}/billing", {"country": "DE"}, if_match=empty.headers["ETag"])

    assert empty.json()["country"] == ""
    assert (told.json()["legal_name"], told.json()["tax_id"]) == ("Acme", "ATU13585627")
    assert {each["field"] for each in wrong.json()["errors"]} == {"tax_id", "email"}
    assert code(late) == (412, "changed_meanwhile")
    assert sent(client, "put", f"{ACME}/billing", {"country": "AT"}).json()["legal_name"] == ""
    assert code(program(mel).get(f"{ACME}/billing")) == (403, "missing_permission")


# --- Tokens --------------------------------------------------------------------------------------------------------


def test_a_token_is_made_by_the_person_and_shown_once(mel):
    client = signed_in(mel)

    made = sent(client, "post", TOKENS, {"name": "Import", "days": None, "permissions": ["members.view"]})

    assert made.status_code == 201
    assert made.json()["secret"].startswith(made.json()["prefix"])
    assert (made.json()["expires_at"], made.json()["permissions"]) == (None, ["members.view"])
    [listed] = client.get(TOKENS).json()["items"]
    assert "secret" not in listed
    assert listed["id"] == made.json()["id"]
    used = Client(headers={"Authorization": f"Bearer {made.json()['secret']}"})
    assert used.get(ACME).status_code == 200


def test_asked_again_with_the_same_key_the_secret_is_not_told_again(mel):
    client, body = signed_in(mel), {"name": "Import"}

    first, second = (sent(client, "post", TOKENS, body, idempotency_key="one") for _ in range(2))

    assert code(second) == (409, "already_done")
    assert second.json()["id"] == first.json()["id"]
    assert Token.objects.count() == 1


def test_a_token_makes_none_and_ends_only_itself(ada, mel):
    client = program(mel)
    mine, other = Token.objects.get(), tokens.issue(mel, name="Other").token

    assert code(sent(client, "post", TOKENS, {"name": "More"})) == (403, "needs_person")
    assert code(client.delete(f"{TOKENS}/{other.pk}")) == (403, "needs_person")
    assert client.delete(f"{TOKENS}/{mine.pk}").status_code == 204
    assert code(client.get(TOKENS)) == (401, "unauthenticated")


def test_a_service_token_is_for_administrators_and_ends_none(ada, mel):
    body = {"name": "Product", "service": True}

    assert code(sent(signed_in(mel), "post", TOKENS, body)) == (403, "missing_permission")
    made = sent(signed_in(ada), "post", TOKENS, body).json()
    assert (made["service"], made["member"]) == (True, None)
    assert slugs_of_all(signed_in(ada)) == ["Product"]
    assert signed_in(ada).get(TOKENS).json()["items"] == []  # hers alone
    assert code(signed_in(mel).get(f"{TOKENS}?all=true")) == (403, "missing_permission")
    assert code(signed_in(mel).delete(f"{TOKENS}/{made['id']}")) == (404, "not_found")
    service = Client(headers={"Authorization": f"Bearer {made['secret']}"})
    assert service.get(TOKENS).json()["items"] == []
    assert code(service.delete(f"{TOKENS}/{made['id']}")) == (403, "needs_person")  # it reads and checks, nothing else
    assert signed_in(ada).delete(f"{TOKENS}/{made['id']}").status_code == 204


def slugs_of_all(client):
    return [each["name"] for each in client.get(f"{TOKENS}?all=true").json()["items"]]


@pytest.mark.parametrize(
    "wrong",
    [{"days": 0}, {"permissions": []}, {"permissions": ["nonsense"]}, {"name": ""}, {"service": True, "days": 0}],
)
def test_what_is_not_well_formed_makes_no_token(ada, wrong):
    assert code(sent(signed_in(ada), "post", TOKENS, {"name": "X", **wrong})) == (422, "invalid")
    assert not Token.objects.exists()


# --- The audit log -------------------------------------------------------------------------------------------------


def test_the_log_is_read_in_parts_the_newest_first(ada, mel, payments):
    client = program(ada)
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    first = client.get(f"{ACME}/events?limit=2").json()
    second = client.get(f"{ACME}/events?limit=200&cursor={first['next']}").json()

    told = [each["action"] for each in first["items"] + second["items"]]
    assert told[:2] == ["seat.given", "token.issued"]
    assert (told[-1], second["next"]) == ("organization.founded", None)
    assert first["items"][0]["actor"] == "Ada <ada@example.org>"
    assert first["items"][0]["subject_id"] == str(mel.membership.user_id)


def test_the_log_is_filtered(ada, mel, payments):
    client, who = program(ada), mel.membership.user_id
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    def found(query):
        return [each["action"] for each in client.get(f"{ACME}/events?{query}").json()["items"]]

    assert found(f"subject={who}") == ["seat.given"]
    assert found("action=workspace.created") == ["workspace.created"]
    assert found(f"actor={who}") == found("since=2099-01-01T00:00:00Z") == found("until=2020-01-01T00:00:00Z") == []
    for wrong in ("actor=mel", "action=x", "since=yesterday", "since=2026-01-01T00:00:00", "cursor=-" + "0" * 32):
        assert code(client.get(f"{ACME}/events?{wrong}")) == (422, "invalid")


def test_the_export_is_that_of_the_console(ada):
    client = program(ada)

    for kind in ("csv", "jsonl"):
        here = client.get(f"{ACME}/events/export?format={kind}")
        there = signed_in(ada).get(f"/o/acme/events/export?format={kind}")
        assert b"".join(here.streaming_content) == b"".join(there.streaming_content)
        assert here.headers["Content-Type"] == there.headers["Content-Type"]
