"""Every route, with each kind of id in it: whoever may, does; to everybody else it refuses, and changes nothing.

Generated from the table in `routes`. A route that the table does not know fails here.
"""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django import DjangoDbBlocker

from tests.changes import changes, told
from tests.console import routes
from tests.console.browser import signed_in
from tests.console.routes import KINDS, LOGIN, NOBODY, ROUTES, STRANGER, Act, Place, Things
from tests.model.explained import snapshot
from tests.undone import undone

METHODS = ("get", "head", "post", "put", "patch", "delete")
ALLAUTHS = ("account_", "mfa_", "usersessions_")  # which take GET and POST alike


def requests(wanted: Callable[[Act], object] = bool) -> Any:
    """Those of the table, each a test of its own."""
    every = [(name, n, act) for name, acts in ROUTES.items() for n, act in enumerate(acts)]
    return pytest.mark.parametrize(
        ("route", "act"),
        [pytest.param(name, act, id=f"{name}-{n}-{act.method}") for name, n, act in every if wanted(act)],
    )


def known(resolver: URLResolver) -> Iterator[URLPattern]:
    """Every address, save those of the API, which has a table of its own (tests/api/test_operations.py)."""
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from known(each) if each.namespace != "api" else ()
        else:
            yield each


PATTERNS = {str(pattern.name): pattern for pattern in known(get_resolver())}


@pytest.fixture(scope="module")
def founded(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[list[Place]]:
    """Founded once for all tests here, because that takes longer than what each of them does."""
    acme = {"administrator": "Ada", "plain": "Mel", "bare": "Bo", "seated": "Sid", "manager": "Ivy"}
    elsewhere = {"administrator": "Eve", "plain": "Ned", "bare": "Nan", "seated": "Sue", "manager": "Ian"}
    with django_db_blocker.unblock(), undone():
        yield [
            routes.founded("Acme", **acme, invitee="Bob", stranger="Sam"),
            routes.founded("Elsewhere", **elsewhere, invitee="Fay", stranger="Sol"),
        ]


@pytest.fixture
def places(founded: list[Place], db: None) -> list[Place]:
    return deepcopy(founded)


@pytest.fixture
def acme(places: list[Place]) -> Place:
    return places[0]


@pytest.fixture
def elsewhere(places: list[Place]) -> Place:
    return places[1]


# --- Asking ---------------------------------------------------------------------------------------------------------


def browser(place: Place, who: str) -> Client:
    """Signed in a moment ago, so that nothing asks for the password again."""
    return Client() if who == NOBODY else signed_in(place.people[who])


def ask(client: Client, route: str, act: Act, path: Things, data: Things | None = None, method: str = "") -> Any:
    address = reverse(route, kwargs={name: path[kind] for name, kind in act.path.items()})
    return getattr(client, method or act.method)(address, act.filled(data or path))


def said(answer: Any, *asked: Things) -> tuple[int, str, str]:
    """What an answer says, without the things that were asked for, and without what is new each time."""
    words = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", answer.getvalue().decode())
    words = re.sub(r"(<time[^>]*>)[^<]*", r"\1", words)  # how long ago it was; when it was stays
    where = answer.headers.get("Location", "")
    # The longest first, because one may stand within another.
    for thing, kind in sorted(
        ((things[kind], kind) for things in asked for kind in KINDS), key=lambda each: -len(each[0])
    ):
        words, where = words.replace(thing, f"({kind})"), where.replace(thing, f"({kind})")
    return answer.status_code, where, words


# --- The table is whole --------------------------------------------------------------------------------------------


def test_every_route_is_known_and_every_id_in_it():
    assert ROUTES.keys() == PATTERNS.keys()
    for name, acts in ROUTES.items():
        asked = set(PATTERNS[name].pattern.converters) | set(PATTERNS[name].pattern.regex.groupindex)
        assert all(asked <= set(act.path) for act in acts), name


def test_there_is_such_a_thing_of_every_kind(acme, elsewhere):
    for things in (acme.things, elsewhere.things, routes.nowhere()):
        assert set(KINDS) <= things.keys()
    assert not set(acme.things.values()) & set(elsewhere.things.values())


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.startswith(ALLAUTHS)])
def test_no_route_takes_a_method_that_the_table_does_not_know(route, acme):
    act, taken = ROUTES[route][0], {act.method for act in ROUTES[route]}
    taken |= {"head"} & {"head" for method in taken if method == "get"}
    client = browser(acme, act.by)
    before = snapshot()

    answers = {
        method: ask(client, route, replace(act, data={}), acme.things, method=method).status_code
        for method in METHODS
        if method not in taken
    }

    assert set(answers.values()) == {405}, answers
    assert changes(before) == {}


# --- Who may, and who may not --------------------------------------------------------------------------------------


@requests(lambda act: act.method != "get")
def test_whoever_may_does_and_the_log_tells_of_it(route, act, acme):
    client = browser(acme, act.by)
    before = snapshot()

    answer = ask(client, route, act, acme.things)

    assert answer.status_code == act.status
    assert told(changes(before)) == sorted(act.told)


@requests(lambda act: act.method == "get")
def test_whoever_may_looks_and_changes_nothing(route, act, acme):
    client = browser(acme, act.by)
    before = snapshot()

    seen = ask(client, route, act, acme.things)
    asked = ask(client, route, act, acme.things, method="head")

    assert (seen.status_code, asked.status_code) == (act.status, act.status)
    assert asked.getvalue() == b""
    assert changes(before) == {}


@requests(lambda act: act.refused)
def test_whoever_may_not_is_refused_and_changes_nothing(route, act, acme):
    clients = {who: browser(acme, who) for who in act.refused}
    before = snapshot()

    answers = {who: ask(client, route, act, acme.things) for who, client in clients.items()}

    assert {who: answer.status_code for who, answer in answers.items()} == act.refused
    assert all(answer.url.startswith("/account/login/") for answer in answers.values() if answer.status_code == LOGIN)
    assert changes(before) == {}


@requests(lambda act: "slug" in act.path)
def test_outside_an_organization_none_is_to_be_told_from_one_that_is_not_there(route, act, acme):
    nothing = routes.nowhere()

    for who in (NOBODY, STRANGER):
        here = ask(browser(acme, who), route, act, acme.things)
        nowhere = ask(browser(acme, who), route, act, nothing)
        assert said(here, acme.things) == said(nowhere, nothing)


# --- Other organizations' things -----------------------------------------------------------------------------------


def crossings(act: Act, mine: Things, theirs: Things) -> Iterator[tuple[Things, Things]]:
    """The request with each single thing of mine replaced by theirs, in the address or in the form; and all at once."""
    for kind in act.path.values():
        yield {**mine, kind: theirs[kind]}, mine
    for kind in act.crossable:
        yield mine, {**mine, kind: theirs[kind]}
    if len(act.path) + len(act.crossable) > 1:
        yield theirs, theirs


@requests(lambda act: act.by != NOBODY and (act.path or act.crossable))
def test_another_organizations_things_do_not_exist_and_stay_as_they_are(route, act, acme, elsewhere):
    mine, nothing = elsewhere.things, routes.nowhere()
    clients = [browser(elsewhere, act.by) for _crossing in crossings(act, mine, mine)]
    before = snapshot()

    for client, theirs, none in zip(
        clients, crossings(act, mine, acme.things), crossings(act, mine, nothing), strict=True
    ):
        answer = said(ask(client, route, act, *theirs), acme.things, mine)
        client.get("/")  # what was said in passing is said
        assert answer == said(ask(client, route, act, *none), nothing, mine)
        assert answer[0] in {LOGIN, 404, 409, 422} or not act.told  # who only looks may be shown an empty list
    assert changes(before) == {}
