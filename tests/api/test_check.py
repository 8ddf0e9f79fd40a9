"""Checks over HTTP: the quick way and the long way answer the same, and refuse as everybody else is refused."""

from types import SimpleNamespace

import pytest

from portico.api import quick
from portico.domain import checks, memberships, tokens
from portico.domain.tokens import Token
from tests import cast

from .conftest import Program, send

pytestmark = pytest.mark.django_db(transaction=True)
CHECK = "/api/v1/organizations/acme/check"


@pytest.fixture
def ways(monkeypatch):
    """Which way each request took."""
    taken = []
    answer = quick.answer_to

    def spy(*args):
        result = answer(*args)
        taken.append("long" if result is None else "quick")
        return result

    monkeypatch.setattr(quick, "answer_to", spy)
    return taken


def test_a_yes_says_because_of_what(product, mel, ways):
    answered = product.post(CHECK, {"user": str(mel.id), "permission": "members.view"})

    assert (answered.status, answered.json) == (
        200,
        {"allowed": True, "because": {"by": "role", "name": "contributor"}},
    )
    assert answered.headers["Content-Type"] == "application/json"
    assert ways == ["quick"]


def test_a_no_says_why(product, mel, ways):
    answered = product.post(CHECK, {"user": "mel@example.org", "permission": "billing.manage", "workspace": None})

    assert (answered.status, answered.json) == (200, {"allowed": False, "reason": "not_granted"})
    assert ways == ["quick"]


def test_many_at_once_are_answered_in_the_order_asked(product, ada, mel, payments, ways):
    asked = [
        {"user": "mel@example.org", "permission": "members.view"},
        {"user": "nobody@example.org", "permission": "members.view"},
        {"user": str(ada.id), "permission": "workspace.manage", "workspace": "payments"},
    ]

    answered = product.post(CHECK, {"checks": asked})

    assert [each["allowed"] for each in answered.json["results"]] == [True, False, True]
    assert ways == ["quick"]


def test_the_long_way_answers_the_same(product, mel, payments, monkeypatch):
    asked = [
        {"user": user, "permission": permission, "workspace": place}
        for user in (str(mel.id), "mel@example.org", "nobody@example.org")
        for permission in ("members.view", "billing.manage", "workspace.view", "fly.away")
        for place in (None, "payments", "nowhere")
    ]
    quickly = [product.post(CHECK, each).body for each in asked]
    together = product.post(CHECK, {"checks": asked}).body
    monkeypatch.setattr(quick, "answer_to", lambda *_args: None)

    assert [product.post(CHECK, each).body for each in asked] == quickly
    assert product.post(CHECK, {"checks": asked}).body == together


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"{", 400, "malformed", None),
        ({}, 422, "invalid", "user"),
        ({"user": "a@b.example", "permission": "members.view", "more": 1}, 422, "invalid", "more"),
        ({"user": "", "permission": "members.view"}, 422, "invalid", "user"),
        ({"user": "a\0b", "permission": "members.view"}, 200, None, None),
        ({"user": 7, "permission": "members.view"}, 422, "invalid", "user"),
        ({"checks": []}, 422, "invalid", "checks"),
        ({"checks": [{"user": "a@b.example", "permission": "members.view"}] * 1001}, 422, "invalid", "checks"),
        ({"checks": [{"user": "a@b.example"}]}, 422, "invalid", "checks.0.permission"),
    ],
)
def test_what_is_not_well_formed_is_refused_with_a_sentence(product, body, status, code, field):
    answered = product.post(CHECK, body)

    assert answered.status == status
    if code:
        assert answered.headers["Content-Type"] == "application/problem+json"
        assert answered.json["code"] == code
        assert answered.json["detail"]
        assert field in {None, *(each["field"] for each in answered.json.get("errors", []))}


@pytest.mark.parametrize("secret", ["", "nonsense", "ptc_" + "0" * 36])
def test_without_a_good_token_nobody_asks(acme, secret):
    answered = Program(secret).post(CHECK, {"user": "a@b.example", "permission": "members.view"})

    assert (answered.status, answered.json["code"]) == (401, "unauthenticated")
    assert answered.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_token_is_nobodys(ada, product, mel):
    tokens.revoke(ada, token=Token.objects.get())

    assert product.post(CHECK, {"user": str(mel.id), "permission": "members.view"}).status == 401


def test_another_organization_does_not_exist(product, eve):
    for name in ("elsewhere", str(eve.organization.pk), "nowhere"):
        answered = product.post(
            f"/api/v1/organizations/{name}/check", {"user": str(eve.id), "permission": "members.view"}
        )
        assert (answered.status, answered.json["code"]) == (404, "not_found")


def test_to_ask_about_others_one_needs_to_see_members(acme, mel):
    nobody = cast.joined(acme, cast.person("Nobody"), cast.custom())
    program = Program(tokens.issue(nobody, name="Mine").secret)

    about_me = program.post(CHECK, {"user": str(nobody.id), "permission": "members.view"})
    about_mel = program.post(CHECK, {"user": str(mel.id), "permission": "members.view"})

    assert about_me.json == {"allowed": False, "reason": "not_granted"}
    assert (about_mel.status, about_mel.json["code"]) == (403, "missing_permission")
    assert about_mel.json["missing"] == ["members.view"]


def test_the_next_check_sees_a_removal(ada, product, mel):
    question = {"user": str(mel.id), "permission": "members.view"}
    assert product.post(CHECK, question).json["allowed"]
    memberships.remove(ada, members=[mel.membership])

    assert product.post(CHECK, question).json == {"allowed": False, "reason": "not_a_member"}


def test_another_host_is_refused(product, mel):
    answered = product.post(CHECK, {"user": str(mel.id), "permission": "members.view"}, host="evil.example")

    assert answered.status == 400


def test_a_session_asks_with_its_csrf_token(ada, mel, client):
    client.force_login(ada.membership.user)
    asked = {"user": str(mel.id), "permission": "members.view"}

    answered = client.post(CHECK, asked, content_type="application/json")

    assert answered.status_code == 200
    assert answered.json()["allowed"]


def test_signed_out_nobody_asks(acme):
    assert send("POST", CHECK, b"{}").status == 401


def test_a_check_leaves_nothing_but_when_its_token_was_used(ada, product, mel):
    before = cast.actions(ada.organization)
    product.post(CHECK, {"user": str(mel.id), "permission": "members.view"})
    quick.marks.write()

    assert cast.actions(ada.organization) == before
    assert Token.objects.get().last_used_at is not None


def test_a_database_that_is_away_is_said_so(product, mel, monkeypatch):
    def away(*_args):
        raise ConnectionError

    monkeypatch.setattr(quick, "fetch", away)

    assert product.post(CHECK, {"user": str(mel.id), "permission": "members.view"}).json["allowed"]


def test_a_call_has_room_for_a_thousand(product, mel):
    asked = {"user": "m" * 64 + "@" + "d" * 60 + ".example.org", "permission": "members.view", "workspace": "w" * 40}

    answered = product.post(CHECK, {"checks": [asked] * checks.MANY})

    assert len(answered.json["results"]) == checks.MANY


@pytest.mark.postgres
def test_what_the_database_does_not_like_goes_the_long_way(monkeypatch):
    import psycopg  # SQLite does without it

    class Cursor:
        connection = SimpleNamespace(close=lambda: None)

        def execute(self, *_given):
            raise psycopg.DataError("timestamp too large")

    monkeypatch.setattr(quick._line, "cursor", Cursor())

    with pytest.raises(ConnectionError):
        quick.fetch("SELECT 1", {})
