"""The schema and the reading page: open to everybody, whole, and from here alone."""

import html
import re

import jsonschema_rs
import pytest

from portico.api.app import api

pytestmark = pytest.mark.django_db


def contents(told):
    """Everything in the schema that has a shape and an example."""
    for part in told.values() if isinstance(told, dict) else told if isinstance(told, list) else ():
        if isinstance(part, dict) and {"schema", "example"} <= part.keys():
            yield part
        yield from contents(part)


def test_every_example_is_one():
    schema = api.get_openapi_schema()
    found = list(contents({"paths": schema["paths"], "responses": schema["components"]["responses"]}))

    assert found
    for content in found:
        whole = {**content["schema"], "components": schema["components"]}
        jsonschema_rs.validator_for(whole).validate(content["example"])


def test_the_schema_is_open_to_everybody(client):
    schema = client.get("/api/v1/openapi.json").json()

    assert schema["openapi"].startswith("3.1")
    assert schema["paths"].keys() == api.get_openapi_schema()["paths"].keys()


def test_the_reading_page_tells_every_operation_and_every_refusal(client):
    page = client.get("/api/docs")
    words = html.unescape(re.sub(r"<[^>]*>", "", page.content.decode()))

    assert page.status_code == 200
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in words
            assert operation["summary"] in words
    for code in ("unauthenticated", "changed_meanwhile", "limited", "Idempotency-Key", "If-Match"):
        assert code in words


def test_the_reading_page_loads_nothing_from_elsewhere(client):
    page = client.get("/api/docs").content.decode()

    assert not re.findall(r'(?:src|href|action)="(?!/|#)[^"]*"', page)
