"""What browsers are told to keep to, on every answer of a production; and what docs/security.md says of it."""

import ast
import re
import subprocess
import sys
import urllib.request
from http.client import HTTPMessage
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.urls import URLPattern, get_resolver

from tests import cast
from tests.cli.conftest import PATIENCE, Server, environment, serve, until, up_to_date  # noqa: F401  # its fixtures

HERE = Path(__file__).parents[1]
PAGE = HERE / "docs" / "security.md"
HOST, ADA, PASSWORD, TOKEN = "portico.example.org", "ada@example.org", "correct horse battery staple", "t" * 20
PRODUCTION = {
    "PORTICO_BASE_URL": f"https://{HOST}",
    "PORTICO_TRUSTED_PROXIES": "1",
    "PORTICO_EMAIL_URL": "smtp://127.0.0.1:1",
    "PORTICO_SECRET_KEY": "k" * 25 + "z" * 25,
    "PORTICO_METRICS_TOKEN": TOKEN,
}
BEGINNING = f"""
import django; django.setup()
from portico.domain import organizations, people, tokens
from portico.domain.access import Operator, Via
operator = Operator(organization=None, via=Via(door="cli"))
ada = people.create("{ADA}", "Ada", "{PASSWORD}", verified=True, via=operator.via)
organizations.found_for(operator, ada, name="Acme")
print(tokens.issue_for_all(operator, name="Product").secret)
"""


class Follow(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        """No answer is passed over."""


class Browser:
    """Behind the proxy, which speaks TLS."""

    def __init__(self, server: Server):
        self.base = f"http://127.0.0.1:{server.port}"
        self.opener = urllib.request.build_opener(Follow)
        self.set_cookie: dict[str, str] = {}  # the last Set-Cookie of each name that did not end it

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, HTTPMessage]:
        sent = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", **headers}
        if self.set_cookie:
            sent["Cookie"] = "; ".join(line.partition(";")[0] for line in self.set_cookie.values())
        asked = urllib.request.Request(self.base + path, body, sent, method=method)
        try:
            answer = self.opener.open(asked, timeout=PATIENCE)
        except HTTPError as error:
            answer = error
        with answer:
            lines = answer.headers.get_all("Set-Cookie") or []
            self.set_cookie |= {line.partition("=")[0]: line for line in lines if "Max-Age=0" not in line}
            return answer.status, answer.headers

    def press(self, path: str, **fields: str) -> int:
        token = self.set_cookie["__Host-csrf"].partition("=")[2].partition(";")[0]
        form = urlencode(fields | {"csrfmiddlewaretoken": token}).encode()
        return self.ask("POST", path, form, Referer=f"https://{HOST}/", Origin=f"https://{HOST}")[0]


def every_path(patterns: list, before: str = "/") -> list[str]:
    """Of every route one address, with something in the place of what varies."""
    paths = []
    for each in patterns:
        route = before + re.sub(r"\(\?P<\w+>[^)]*\)|<(\w+:)?\w+>", "x", str(each.pattern)).strip("^$")
        paths += [route] if isinstance(each, URLPattern) else every_path(each.url_patterns, route)
    return paths


def policy(headers: HTTPMessage) -> dict[str, str]:
    parts = headers["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (part.partition(" ") for part in parts)}


def lacking(headers: HTTPMessage) -> list[str]:
    """What an answer does not say that every one must."""
    wanted = {
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
    }
    missing = [name for name, value in wanted.items() if headers[name] != value]
    missing += [] if headers["Referrer-Policy"] in {"same-origin", "no-referrer"} else ["Referrer-Policy"]
    told = policy(headers) if headers["Content-Security-Policy"] else {}
    missing += [name for name in ("base-uri", "object-src", "frame-ancestors") if told.get(name) != "'none'"]
    missing += [] if told.get("default-src") in {"'self'", "'none'"} else ["default-src"]
    page = headers.get_content_type() == "text/html"
    missing += ["Cross-Origin-Opener-Policy"] if page and headers["Cross-Origin-Opener-Policy"] != "same-origin" else []
    return missing + (["no Access-Control-Allow-Origin"] if headers["Access-Control-Allow-Origin"] else [])


@pytest.fixture
def production(serve, environment) -> Server:  # noqa: F811
    environment |= PRODUCTION
    server = serve("--no-worker")
    until(lambda: server.out or server.process.poll() is not None)
    return server


def test_every_answer_tells_browsers_what_to_keep_to_and_every_cookie_is_bound_to_this_host(
    production: Server,
    environment,  # noqa: F811
) -> None:
    begun = subprocess.run(
        [sys.executable, "-c", BEGINNING], env=environment, check=True, capture_output=True, text=True
    )
    secret = begun.stdout.strip()
    question = b'{"user": "ada@example.org", "permission": "members.view"}'
    stranger, ada = Browser(production), Browser(production)

    ada.ask("GET", "/account/login/")
    assert ada.press("/account/login/", login=ADA, password=PASSWORD) == 302
    answers = {
        "check": ada.ask("POST", "/api/v1/organizations/acme/check", question, Authorization=f"Bearer {secret}"),
        "metrics": ada.ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}"),
        "no metrics": ada.ask("GET", "/metrics"),
        "static": ada.ask("GET", "/static/portico/portico.css"),
        "nothing": ada.ask("GET", "/nowhere"),
        "another host": ada.ask("GET", "/", Host="elsewhere.example"),
        "no token of the form": ada.ask("POST", "/organizations/new", b""),
    }
    assert [answers[each][0] for each in ("check", "metrics", "static")] == [200, 200, 200]
    assert [answers[each][0] for each in ("no metrics", "another host", "no token of the form")] == [401, 400, 403]
    answers |= {path: stranger.ask("GET", path) for path in every_path(get_resolver().url_patterns)}
    mine = {path: ada.ask("GET", path) for path in ("/", "/o/acme/", "/o/acme/users", "/account/email/")}
    answers |= {f"ada's {path}": answer for path, answer in mine.items()}
    assert ada.press("/account/logout/") == 302

    assert {each: told for each, (_status, headers) in answers.items() if (told := lacking(headers))} == {}
    assert [each for each, (status, _headers) in answers.items() if status == 500] == []
    assert [path for path, (_status, headers) in mine.items() if "no-store" not in headers["Cache-Control"]] == []
    cookies = ada.set_cookie | stranger.set_cookie
    assert {"__Host-session", "__Host-csrf", "__Host-messages"} <= cookies.keys()
    for name, line in cookies.items():
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert name.startswith("__Host-"), line
        assert {"path=/", "secure", "httponly", "samesite=lax"} <= attributes, line
        assert not any(part.startswith("domain") for part in attributes), line


# --- Sessions and passwords -------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_session_has_a_new_secret_after_sign_in_and_is_dead_after_sign_out(client):
    cast.person("Ada")
    client.session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = before = client.session.session_key

    client.post("/account/login/", {"login": ADA, "password": cast.PASSWORD})
    during = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.get("/account/email/").status_code == 200
    client.post("/account/logout/")
    client.cookies[settings.SESSION_COOKIE_NAME] = during

    assert before != during
    assert client.get("/account/email/").url.startswith("/account/login/")
    assert not Session.objects.filter(pk__in=[before, during]).exists()


def test_any_password_that_is_long_enough_will_do_exactly_as_it_was_typed():
    for password in ("only small letters", "УСТАВ БЕЗ ЦИФР", "🐎🔋📎🐎🔋📎🐎🔋📎🐎", " spaces around ", "x7" * 100):
        validate_password(password)
        kept = make_password(password)
        assert check_password(password, kept)
        assert not any(check_password(each, kept) for each in (password.strip()[:-1], password.swapcase() + " "))
    for password in ("123456789", "password123", "1234567890"):
        with pytest.raises(ValidationError):
            validate_password(password)


@pytest.mark.django_db
def test_what_is_typed_as_a_password_is_hidden_and_a_password_manager_knows_it(client):
    for path, which in (("/account/login/", "current-password"), ("/account/signup/", "new-password")):
        [field] = re.findall(r'<input[^>]*type="password"[^>]*>', client.get(path).content.decode())
        assert f'autocomplete="{which}"' in field


# --- docs/security.md -------------------------------------------------------------------------------------------------


def test_every_test_and_file_that_the_page_names_is_there():
    page = PAGE.read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    files = re.findall(r"`((?:portico|docs|deploy|tests|requirements)/[\w./-]+)(?:::\w+)?`", page)

    assert named
    assert [file for file in files if not (HERE / file).exists()] == []
    assert [f"{file}::{name}" for file, name in named if name not in functions_in(file)] == []


def functions_in(file: str) -> set[str]:
    return {node.name for node in ast.parse((HERE / file).read_text()).body if isinstance(node, ast.FunctionDef)}


def test_every_requirement_stands_once():
    numbers = re.findall(r"^\| (\d+\.\d+\.\d+) \|", PAGE.read_text(), re.MULTILINE)

    assert len(numbers) == len(set(numbers)) > 60
