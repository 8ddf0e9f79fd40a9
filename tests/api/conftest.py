"""A program that asks: over the whole application as the server runs it, with a token or with a session."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from portico.api import quick
from portico.domain import tokens
from portico.wsgi import application
from tests.api import places
from tests.api.places import Here
from tests.undone import undone


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(method: str, path: str, body: bytes = b"", **headers: str) -> Answered:
    """One request, as the server hands it over."""
    query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": query[0],
        "QUERY_STRING": query[2],
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_HOST": settings.ALLOWED_HOSTS[0],
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    told: dict[str, Any] = {}

    def start(status: str, given: list[tuple[str, str]], *_error: Any) -> None:
        told.update(status=int(status.split(maxsplit=1)[0]), headers=dict(given))

    parts = application(environ, start)
    content = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    return Answered(told["status"], told["headers"], content)


@dataclass
class Program:
    """Whoever asks with a token."""

    secret: str

    def post(self, path: str, body: Any, **headers: str) -> Answered:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return send("POST", path, content, authorization=f"Bearer {self.secret}", **headers)


@pytest.fixture(autouse=True)
def one_test(monkeypatch):
    """The quick way's connection goes with the database of the test, and nothing is written after it."""
    monkeypatch.setattr(quick, "marks", quick.Marks())
    monkeypatch.setattr(quick.Marks, "EVERY", 3600)
    yield
    quick.hang_up()


@pytest.fixture
def product(ada) -> Program:
    """The company's product, with a service token of Acme."""
    return Program(tokens.issue_service(ada, name="Product").secret)


@pytest.fixture(scope="module")
def founded(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[list[Here]]:
    """Founded once for all tests of a file, because that takes longer than what each of them does."""
    with django_db_blocker.unblock(), undone():
        yield places.both()
