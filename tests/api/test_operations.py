"""Every operation, with each kind of id in it: whoever may, does; to everybody else it refuses, and changes nothing.

Generated from the table in `operations`. An operation that the table does not know fails here.
"""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from portico.api.app import api
from portico.domain import tokens
from tests.api.operations import API, OPERATIONS, SERVICE, Call
from tests.api.places import Here, asker, program
from tests.changes import changes, told
from tests.console import routes
from tests.console.routes import NOBODY, Things
from tests.model.explained import snapshot

Operation = tuple[str, str]
MEMBERS = {"administrator", "plain", "bare", "seated", "manager"}


def calls(wanted: Callable[[Operation, Call], object]) -> Any:
    """Those of the table, each a test of its own."""
    every = [(operation, n, call) for operation, calls in OPERATIONS.items() for n, call in enumerate(calls)]
    return pytest.mark.parametrize(
        ("operation", "call"),
        [pytest.param(each, call, id=f"{' '.join(each)}-{n}") for each, n, call in every if wanted(each, call)],
    )


def changing(operation: Operation, call: Call) -> bool:
    return bool(call.told)


@pytest.fixture
def places(founded: list[Here], request: pytest.FixtureRequest, db: None) -> list[Here]:
    """Both, with what has to be done before a call."""
    places = deepcopy(founded)
    if "call" in request.fixturenames:
        for place in places:
            request.getfixturevalue("call").first(place)
    return places


@pytest.fixture
def acme(places: list[Here]) -> Here:
    return places[0]


@pytest.fixture
def elsewhere(places: list[Here]) -> Here:
    return places[1]


# --- Asking ---------------------------------------------------------------------------------------------------------


def ask(
    client: Client, operation: Operation, call: Call, path: Things, other: Things | None = None, **more: Any
) -> Any:
    """`other` are the things of query and body, where they are not those of the address."""
    method, template = operation
    things = other or path
    address = API + call.filled(template, path)
    if query := call.asked(things) | more.pop("query", {}):
        address += "?" + "&".join(f"{name}={value}" for name, value in query.items())
    sent, unknown = call.sent(things), more.pop("body", {})
    asked, headers = getattr(client, more.pop("method", method)), more.pop("headers", {})
    ask_by = partial(asked, headers=headers)
    if call.form is not None:
        form = {name: SimpleUploadedFile("picture.png", data) for name, data in call.form.items()}
        return ask_by(address, encode_multipart(BOUNDARY, form | unknown), content_type=MULTIPART_CONTENT)
    if sent is None and method in {"get", "delete"}:
        return ask_by(address)
    if sent is None:
        return ask_by(address, b"", content_type="application/json")
    return ask_by(address, sent | unknown if unknown else sent, content_type="application/json")


def declared(operation: Operation) -> Any:
    """The operation itself, as the framework knows it."""
    method, template = operation
    views = [view for router in api._get_bound_routers() for view in router.path_operations.items()]
    [found] = [
        each for path, view in views if path == template for each in view.operations if method.upper() in each.methods
    ]
    return found


def at_most(operation: Operation) -> int:
    return declared(operation).view_func.at_most


def is_list(operation: Operation) -> bool:
    return "cursor" in declared(operation).view_func.queries


def said(answer: Any, *asked: Things) -> tuple[int, str]:
    """What an answer says, without the things that were asked for."""
    words = answer.content.decode()
    for thing, kind in sorted(((thing, kind) for each in asked for kind, thing in each.items()), key=_longest):
        words = words.replace(thing, f"({kind})")
    return answer.status_code, words


def _longest(pair: tuple[str, str]) -> int:
    return -len(pair[0])


# --- The table is whole --------------------------------------------------------------------------------------------


def test_every_operation_is_known_and_every_id_in_it():
    paths = api.get_openapi_schema()["paths"]

    assert {(method, path.removeprefix(API)) for path, methods in paths.items() for method in methods} == set(
        OPERATIONS
    )
    for (_method, path), known in OPERATIONS.items():
        assert all(set(re.findall(r"{(\w+)}", path)) == set(call.path) for call in known), path


@pytest.mark.parametrize("path", sorted({path for _method, path in OPERATIONS}))
def test_no_address_takes_another_method(path, acme):
    call = next(calls[0] for (_method, each), calls in OPERATIONS.items() if each == path)
    taken = {method for method, each in OPERATIONS if each == path}
    client, before = asker(acme, call.by), snapshot()

    for method in {"get", "post", "put", "patch", "delete"} - taken:
        answer = ask(client, (method, path), replace(call, query={}, body=None, form=None), acme.things)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert {each.lower() for each in answer.headers["Allow"].split(", ")} == taken
    assert changes(before) == {}


# --- Who may, and who may not --------------------------------------------------------------------------------------


@calls(lambda operation, call: True)
def test_whoever_may_does_and_the_log_tells_of_it(operation, call, acme):
    client, before = asker(acme, call.by), snapshot()

    answer = ask(client, operation, call, acme.things)

    assert answer.status_code == call.status, answer.content
    found = changes(before)
    assert told(found) == sorted(call.told)
    assert call.told or found == {}


@calls(lambda operation, call: operation[0] == "get")
def test_head_is_get(operation, call, acme):
    client = asker(acme, call.by)

    seen = ask(client, operation, call, acme.things)
    asked = ask(client, operation, call, acme.things, method="head")

    assert asked.status_code == seen.status_code
    assert asked.streaming or asked.content == b""  # of a stream the server leaves the body out


@calls(lambda operation, call: call.by in MEMBERS)
def test_a_token_may_the_same_save_what_needs_the_person(operation, call, acme):
    client, before = program(acme.secrets[call.by]), snapshot()

    answer = ask(client, operation, call, acme.things)

    if call.needs_person:
        assert (answer.status_code, answer.json()["code"]) == (403, "needs_person")
    else:
        assert answer.status_code == call.status, answer.content
    assert told(changes(before)) == ([] if call.needs_person else sorted(call.told))


@calls(changing)
def test_a_service_token_changes_nothing(operation, call, acme):
    client, before = asker(acme, SERVICE), snapshot()

    answer = ask(client, operation, call, acme.things)

    assert answer.status_code in {403, 404}
    assert changes(before) == {}


@calls(lambda operation, call: call.refused)
def test_whoever_may_not_is_refused_and_changes_nothing(operation, call, acme):
    clients = {who: asker(acme, who) for who in call.refused}
    before = snapshot()

    answers = {who: ask(client, operation, call, acme.things) for who, client in clients.items()}

    assert {who: answer.status_code for who, answer in answers.items()} == call.refused
    assert {answer.headers["Content-Type"] for answer in answers.values()} == {"application/problem+json"}
    assert changes(before) == {}


@calls(lambda operation, call: True)
def test_signed_out_nobody_asks(operation, call, acme):
    before = snapshot()

    for client in (Client(), program("ptc_nonsense"), program(tokens.new_secret())):
        answer = ask(client, operation, call, acme.things)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert changes(before) == {}


@calls(changing)
def test_a_session_needs_its_csrf_token(operation, call, acme):
    client, before = asker(acme, call.by), snapshot()
    client.handler.enforce_csrf_checks = True

    assert ask(client, operation, call, acme.things).status_code == 401
    assert changes(before) == {}


# --- Versions, and parts of lists ----------------------------------------------------------------------------------


@calls(lambda operation, call: operation[0] == "get")
def test_one_thing_has_a_version_and_a_list_has_parts(operation, call, acme):
    client = asker(acme, call.by)
    told = ask(client, operation, call, acme.things)

    if told.streaming:
        return
    if is_list(operation):
        assert set(told.json()) == {"items", "next"}
        assert len(ask(client, operation, call, acme.things, query={"limit": "1"}).json()["items"]) <= 1
        lost = ask(client, operation, call, acme.things, query={"cursor": "nonsense"})
        assert (lost.status_code, lost.json()["field"]) == (422, "cursor")
    else:
        same = ask(client, operation, call, acme.things, headers={"If-None-Match": told.headers["ETag"]})
        assert (same.status_code, same.content) == (304, b"")


@calls(lambda operation, call: operation[0] in {"patch", "put", "delete"})
def test_what_was_shown_otherwise_is_not_overwritten(operation, call, acme):
    client, before = asker(acme, call.by), snapshot()

    answer = ask(client, operation, call, acme.things, headers={"If-Match": '"999-0123456789abcde0", "nonsense"'})

    assert (answer.status_code, answer.json()["code"]) == (412, "changed_meanwhile")
    assert changes(before) == {}


# --- What is not well-formed ---------------------------------------------------------------------------------------


@calls(lambda operation, call: isinstance(call.body, dict) or call.form)
def test_a_field_that_it_does_not_know_is_refused(operation, call, acme):
    client, before = asker(acme, call.by), snapshot()

    answer = ask(client, operation, call, acme.things, body={"surprise": 1})

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid", "surprise")
    assert changes(before) == {}


@calls(lambda operation, call: True)
def test_a_parameter_that_it_does_not_know_is_refused(operation, call, acme):
    client, before = asker(acme, call.by), snapshot()

    answer = ask(client, operation, call, acme.things, query={"surprise": 1})

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid", "surprise")
    assert changes(before) == {}


@calls(lambda operation, call: isinstance(call.body, dict))
def test_what_is_no_json_or_too_long_is_refused(operation, call, acme):
    client, before = asker(acme, call.by), snapshot()
    method, address = operation[0], API + call.filled(operation[1], acme.things)

    broken = getattr(client, method)(address, data=b"{", content_type="application/json")
    too_long = getattr(client, method)(address, data=b" " * (at_most(operation) + 1), content_type="application/json")

    assert (broken.status_code, broken.json()["code"]) == (400, "malformed")
    assert (too_long.status_code, too_long.json()["code"]) == (413, "too_large")
    assert changes(before) == {}


# --- Other organizations' things -----------------------------------------------------------------------------------


def crossings(call: Call, mine: Things, theirs: Things) -> Iterator[tuple[Things, Things]]:
    """The call with each single thing of mine replaced by theirs, wherever it stands; and all at once."""
    for kind in call.named:
        yield {**mine, kind: theirs[kind]}, {**mine, kind: theirs[kind]}
    if len(call.named) > 1:
        yield theirs, theirs


@calls(lambda operation, call: call.by != NOBODY and call.named)
def test_another_organizations_things_do_not_exist_and_stay_as_they_are(operation, call, acme, elsewhere):
    mine, nothing = elsewhere.things, routes.nowhere()
    client, by_token, before = asker(elsewhere, call.by), program(elsewhere.secrets["administrator"]), snapshot()

    for theirs, none in zip(crossings(call, mine, acme.things), crossings(call, mine, nothing), strict=True):
        for each in (client, by_token):
            answer = said(ask(each, operation, call, *theirs), acme.things, mine)
            assert answer == said(ask(each, operation, call, *none), nothing, mine)
            assert answer[0] in {403, 404, 409, 422} or call.each_by_itself or not call.told
    assert changes(before) == {}


@calls(lambda operation, call: "slug" in call.named)
def test_an_administrator_of_another_organization_finds_nothing(operation, call, acme, elsewhere):
    clients = [asker(elsewhere, "administrator"), program(elsewhere.secrets["administrator"])]
    before = snapshot()

    statuses = {ask(client, operation, call, acme.things).status_code for client in clients}

    assert statuses == {404} or (call.needs_person and statuses == {404, 403})
    assert changes(before) == {}
