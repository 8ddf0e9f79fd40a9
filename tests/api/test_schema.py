"""What the schema says is what is answered: schemathesis asks every operation what comes to its mind.

It puts real things into addresses, so that more than "not there" is answered, and all else as it likes.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks

from portico.api.app import api
from portico.wsgi import application
from tests.api.operations import API, OPERATIONS, SERVICE
from tests.api.places import Here, asker, program
from tests.console.routes import NOBODY

checks.load_all_checks()
CHECKS = checks.CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
ASKERS = ("administrator", "plain", SERVICE, NOBODY)
TRIES = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def schema() -> Any:
    found = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema())))
    found.app = application
    return found


@pytest.fixture
def one_connection() -> Iterator[None]:
    """The transaction of the test outlives its requests, as with Django's own client."""
    signals = (request_started, request_finished)
    for each in signals:
        each.disconnect(close_old_connections)
    yield
    for each in signals:
        each.connect(close_old_connections)


def headers_of(place: Here, who: str) -> dict[str, str]:
    client = program(place.secrets[who]) if who in {"administrator", SERVICE} else asker(place, who)
    cookies = "; ".join(f"{name}={each.value}" for name, each in client.cookies.items())
    return {"Cookie": cookies, "Authorization": client.defaults.get("HTTP_AUTHORIZATION", "")}


@pytest.mark.parametrize("who", ASKERS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_every_answer_is_as_declared(schema, founded, one_connection, db, operation, who):
    method, path = operation
    place = deepcopy(founded[0])
    call = OPERATIONS[operation][0]
    call.first(place)
    headers = headers_of(place, who)
    things = {name: kind.format(**place.things) for name, kind in call.path.items()}

    @TRIES
    @given(case=schema[API + path][method.upper()].as_strategy())
    def ask(case: Any) -> None:
        case.path_parameters = things
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)

    ask()
