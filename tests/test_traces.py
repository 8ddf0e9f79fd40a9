"""Traces: a span for each request, which tells the route and no address; none unless the operator wants them."""

import logging
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from portico import traces, wsgi
from portico.domain import tokens
from portico.domain.invitations import letter_token
from tests import cast
from tests.api import conftest as programs
from tests.api.conftest import Program, one_test, send  # noqa: F401  # the fixture closes the quick way's connection

pytestmark = pytest.mark.django_db(transaction=True)
THEIRS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def spans(monkeypatch):
    """What leaves for wherever the operator sends it."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(programs, "application", traces.spanned(wsgi.application, provider))
    yield kept.get_finished_spans
    provider.shutdown()


def test_a_span_tells_the_route_and_the_request_and_no_address(spans, ada, mel, developer):
    link = letter_token(cast.invited(ada, "bob@example.org", grant=developer).pk, 1)
    check = {"user": "mel@example.org", "permission": "members.view"}
    product = Program(tokens.issue_service(ada, name="Product").secret)

    opened = send("GET", f"/join/{link}?for=bob@example.org", traceparent=THEIRS)
    product.post("/api/v1/organizations/acme/check", check)
    product.post("/api/v1/organizations/acme/check", check | {"more": 1})
    send("BREW", "/nowhere/acme")

    first, *_rest = told = spans()
    assert [span.name for span in told] == [
        "GET join",
        "POST api:v1:check_check",
        "POST api:v1:check_check",
        "other none",
    ]
    assert first.attributes == {
        "http.request.method": "GET",
        "http.route": "join",
        "http.response.status_code": 303,
        "portico.request_id": opened.headers["X-Request-ID"],
    }
    assert first.parent is None
    written = "".join(span.to_json() for span in told)
    assert [secret for secret in (link, "bob@", "mel@", "acme", product.secret) if secret in written] == []


def test_a_trace_goes_on_where_a_proxy_of_ours_began_it(settings, monkeypatch, spans):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(programs, "application", traces.spanned(wsgi.application, provider))

    send("GET", "/health/live", traceparent=THEIRS)

    [span] = kept.get_finished_spans()
    assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" == THEIRS[3:-3]
    provider.shutdown()


def test_without_a_place_to_send_them_there_are_none():
    assert traces.traced(wsgi.application) is wsgi.application


def test_wanted_and_not_installed_is_said(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with caplog.at_level(logging.WARNING):
        assert traces.traced(wsgi.application) is wsgi.application

    assert "pip install 'portico[otel]'" in caplog.text
