"""What holds for every operation: versions, lists in parts, and problems for whatever is not there."""

import json
from base64 import urlsafe_b64encode

import pytest
from django.test import Client

from portico.api import lists
from portico.api.app import api
from portico.api.lists import Part
from portico.domain import memberships, organizations
from portico.domain.errors import Invalid
from portico.domain.memberships import Membership
from tests import cast
from tests.console.browser import signed_in

ACME = "/api/v1/organizations/acme"


@pytest.fixture
def browser(ada) -> Client:
    return signed_in(ada)


def patch(client, body, **headers):
    return client.patch(ACME, body, content_type="application/json", headers=headers)


# --- Versions ------------------------------------------------------------------------------------------------------


def test_what_has_not_changed_is_not_sent_again(browser, ada):
    tag = browser.get(ACME).headers["ETag"]

    same = browser.get(ACME, headers={"If-None-Match": f'"other", W/{tag}'})
    organizations.change(ada, name="Acme & Sons")
    other = browser.get(ACME, headers={"If-None-Match": tag})
    changed = patch(browser, {}, **{"If-None-Match": other.headers["ETag"]})

    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert (other.status_code, other.json()["name"]) == (200, "Acme & Sons")
    assert changed.status_code == 200  # only who reads saves traffic


def test_what_somebody_changed_meanwhile_is_not_overwritten(browser, ada):
    tag = browser.get(ACME).headers["ETag"]
    organizations.change(ada, name="Acme & Sons")

    lost = patch(browser, {"color": "teal"}, **{"If-Match": tag})
    now = browser.get(ACME).headers["ETag"]
    saved = patch(browser, {"color": "teal"}, **{"If-Match": f"{tag}, W/{now}"})

    assert (lost.status_code, lost.json()["code"]) == (412, "changed_meanwhile")
    assert (saved.status_code, saved.json()["color"]) == (200, "teal")
    assert saved.headers["ETag"] == browser.get(ACME).headers["ETag"] != now


@pytest.mark.parametrize(("tag", "status"), [("*", 200), ('"nonsense"', 412), ("1-0123456789abcdef", 412), ("", 412)])
def test_a_tag_that_is_none_was_never_shown(browser, tag, status):
    assert patch(browser, {"color": "teal"}, **{"If-Match": tag}).status_code == status


def test_what_is_left_out_of_a_change_stays_and_null_is_no_value(browser):
    patch(browser, {"description": "Anvils"})

    nothing = patch(browser, {"description": None})

    assert (nothing.status_code, nothing.json()["field"]) == (422, "description")
    assert patch(browser, {"color": "teal"}).json()["description"] == "Anvils"


# --- Lists ---------------------------------------------------------------------------------------------------------


def told(member):
    return {"name": member.name}


def walked(rows, order, limit=2):
    names, cursor = [], ""
    while cursor is not None:
        answer = lists.part(rows, Part(limit=limit, cursor=cursor), told, order=order)
        names += [item["name"] for item in answer["items"]]
        cursor = answer["next"]
    return names


def test_a_list_is_walked_part_by_part_in_its_order(acme):
    for name in ("Zoe", "Bo", "Cy", "Al"):
        cast.joined(acme, cast.person(name), cast.custom())
    rows = Membership.objects.filter(organization=acme)

    assert walked(rows, ("sort_name", "id")) == ["Ada", "Al", "Bo", "Cy", "Zoe"]
    assert walked(rows, ("-joined_at", "-id")) == ["Al", "Cy", "Bo", "Zoe", "Ada"]
    assert walked(rows, ("user__name", "id"), limit=5) == ["Ada", "Al", "Bo", "Cy", "Zoe"]


def test_who_comes_and_goes_meanwhile_moves_nobody_else(acme, ada):
    rest = [cast.joined(acme, cast.person(name), cast.custom()) for name in ("Bo", "Cy", "Di")]
    rows = Membership.objects.filter(organization=acme)
    first = lists.part(rows, Part(limit=2), told, order=("sort_name", "id"))

    memberships.remove(ada, members=[rest[0].membership])
    second = lists.part(rows, Part(limit=2, cursor=first["next"]), told, order=("sort_name", "id"))

    assert [item["name"] for item in second["items"]] == ["Cy", "Di"]
    assert second["next"] is None


def forged(*keys):
    return urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense", "é", "%00", "A", forged(), forged("id"), forged("id", "x"), forged("id", 7), forged("id", None),
        forged("joined_at,id", "2026-01-01", "0190a0a0-0000-7000-8000-000000000000"),
        forged("sort_name,id", "a\0b", "0190a0a0-0000-7000-8000-000000000000"), "W" * 2000,
        urlsafe_b64encode(b"[" * 1400).decode(),
    ],
)  # fmt: skip
def test_a_cursor_that_no_list_handed_out_is_refused(acme, cursor):
    for order in (("id",), ("sort_name", "id"), ("joined_at", "id")):
        with pytest.raises(Invalid) as refusal:
            lists.part(Membership.objects.all(), Part(cursor=cursor), told, order=order)
        assert refusal.value.field == "cursor"


def test_a_list_has_fifty_at_once_and_two_hundred_at_most(browser):
    assert browser.get("/api/v1/permissions").json()["next"] is None
    assert browser.get("/api/v1/permissions?limit=200").status_code == 200
    for limit in ("0", "201", "many", ""):
        assert browser.get(f"/api/v1/permissions?limit={limit}").json()["field"] == "limit"


def test_the_catalogue_is_walked_too(browser):
    whole = browser.get("/api/v1/permissions").json()["items"]
    first = browser.get("/api/v1/permissions?limit=3").json()
    rest = browser.get(f"/api/v1/permissions?cursor={first['next']}").json()

    assert first["items"] + rest["items"] == whole
    assert browser.get("/api/v1/permissions?cursor=x").json()["field"] == "cursor"


# --- What is not there ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "v1/", "v1/nothing", "v1/permissions/", "v2/permissions"])
def test_what_is_nowhere_is_a_problem_too(client, path):
    for method in (client.get, client.post, client.delete):
        answer = method(f"/api/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_what_breaks_says_so_and_no_more(browser, monkeypatch):
    def broken(*_given, **_named):
        raise RuntimeError("secret")

    monkeypatch.setattr(organizations, "mine_named", broken)
    answer = browser.get(ACME)

    assert (answer.status_code, answer.json()["code"]) == (500, "broken")
    assert "secret" not in answer.content.decode()


# --- The schema ----------------------------------------------------------------------------------------------------


def test_every_operation_names_every_refusal_with_an_example():
    schema = api.get_openapi_schema()

    assert schema["openapi"].startswith("3.1")
    for methods in schema["paths"].values():
        for operation in methods.values():
            for status in ("401", "403", "404", "409", "412", "413", "422", "429"):
                name = operation["responses"][status]["$ref"].rpartition("/")[2]
                [content] = schema["components"]["responses"][name]["content"].values()
                assert content["example"]["status"] == int(status)
            assert operation["summary"]


def test_no_two_shapes_have_the_same_name():
    """The schema would keep one of them, and say it of both."""
    shapes: dict[str, set[type]] = {}
    for router in api._get_bound_routers():
        for view in router.path_operations.values():
            for operation in view.operations:
                for model in [*operation.models, *operation.response_models.values()]:
                    _collect(model, shapes)

    assert {name: found for name, found in shapes.items() if len(found) > 1} == {}


def _collect(model, shapes):
    for field in getattr(model, "model_fields", {}).values():
        _look_into(field.annotation, shapes)


def _look_into(annotation, shapes):
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        shapes.setdefault(annotation.__name__, set()).add(annotation)
        _collect(annotation, shapes)
    for inner in getattr(annotation, "__args__", ()):
        _look_into(inner, shapes)
