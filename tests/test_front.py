"""What every request passes before any door: its id, its line in the log, its place in the numbers."""

import json
import logging
from io import StringIO

import pytest
from django.conf import settings as configured
from django.test import RequestFactory

from portico import front, logs, metrics
from portico.domain import invitations, memberships, tokens
from portico.domain.errors import Refused
from portico.domain.invitations import letter_token
from portico.settings import Environment
from portico.wsgi import application
from tests import cast
from tests.api.conftest import Program, one_test, send  # noqa: F401  # the fixture closes the quick way's connection

pytestmark = pytest.mark.django_db(transaction=True)

CHECK = "/api/v1/organizations/acme/check"
TOKEN = "t" * 20
SECRETS = ["geheim", "correct horse", "ptc_", "@example.org"]


@pytest.fixture
def product(ada) -> Program:
    return Program(tokens.issue_service(ada, name="Product").secret)


@pytest.fixture
def lines():
    """What is logged meanwhile, read from the lines that an operator's machine gets."""
    written, wanted = StringIO(), [logging.getLogger(name) for name in ("portico.requests", "portico.watch")]
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.formatter(terminal=False))
    logging.root.addHandler(handler)
    for logger in wanted:
        logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.root.removeHandler(handler)
    for logger in wanted:
        logger.setLevel(logging.WARNING)


def form(path, **fields):
    """A form of a stranger, whose browser has the token of one; the status of what comes back."""
    token, told = "geheim" * 5 + "oh", []
    browser = RequestFactory(SERVER_NAME="127.0.0.1", HTTP_COOKIE=f"{configured.CSRF_COOKIE_NAME}={token}")
    sent = browser.post(path, fields | {"csrfmiddlewaretoken": token})
    application(sent.environ, lambda status, _headers, *_error: told.append(status[:3]))
    return told


def number(answered):
    return answered.headers["X-Request-ID"]


# --- The id -----------------------------------------------------------------------------------------------------------


def test_every_answer_carries_an_id_of_its_own(product, mel):
    answers = [
        send("GET", "/account/login/"),
        send("GET", "/nowhere"),
        send("GET", "/static/console/portico.css"),
        send("GET", "/health/live"),
        send("GET", "/o/acme/"),
        send("POST", CHECK),
        product.post(CHECK, {"user": str(mel.id), "permission": "members.view"}),
    ]

    assert answers[-1].status == 200
    assert len({number(answered) for answered in answers}) == len(answers)


def test_an_id_from_outside_is_kept_only_where_a_proxy_stands_in_front(settings):
    def kept(given):
        told = []
        numbered = front.numbered(lambda _environ, start: start("200 OK", []) or [])
        numbered({"HTTP_X_REQUEST_ID": given}, lambda _status, headers: told.extend(headers))
        [(name, value)] = told
        return (name, value) == ("X-Request-ID", given)

    assert not kept("of-a-stranger")
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert kept("of-our-proxy")
    assert not any(
        kept(malformed) for malformed in ("short", "x" * 65, "with space", "line\nbreak", 'quo"tes', "é" * 9)
    )


# --- The log ----------------------------------------------------------------------------------------------------------


def test_a_request_is_one_line_with_its_id_and_its_route(lines):
    answered = send("GET", "/o/acme/users?query=geheim")

    [line] = [line for line in lines() if line["event"] == "request"]
    assert line.pop("ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "portico.requests",
        "request_id": number(answered),
        "method": "GET",
        "path": "/o/acme/users",
        "route": "users",
        "status": 302,
    }


def test_no_line_holds_a_secret(ada, administrator, product, lines):
    """Signing in, links of letters, tokens, a mistyped link, and what a fault quotes."""
    offer = cast.invited(ada, "bob@example.org", grant=administrator)
    link = letter_token(offer.pk, 1)
    fault = RuntimeError(f"550 <bob@example.org> /join/{link} postgresql://us:geheim@db {product.secret}")

    assert form("/account/login/", login="ada@example.org", password="geheim") == ["422"]
    assert form("/account/login/", login="ada@example.org", password=cast.PASSWORD) == ["302"]
    assert form("/account/password/reset/", email="ada@example.org") == ["302"]
    send("GET", f"/join/{link}")
    send("POST", f"/join/{link}")
    send("GET", f"/Join/{link}")
    send("GET", f"/o/acme/{link}/")
    send("GET", "/account/password/reset/key/1-geheim-geheim/")
    send("GET", "/account/go-on/geheim")
    product.post(CHECK, {"user": "bob@example.org", "permission": "members.view", "geheim": 1})
    product.post("/api/v1/nowhere/" + product.secret, {})
    send("GET", "/o/acme/", cookie="session=geheim")
    logging.getLogger("portico").error("Letter to %s: %s", "bob@example.org", fault, exc_info=fault)

    written = json.dumps(lines(), ensure_ascii=False)
    assert [secret for secret in [*SECRETS, link, link[:20]] if secret in written] == []
    assert "/join/…" in written
    assert "/account/password/reset/key/…" in written
    assert "RuntimeError: 550 <…@…> /join/…" in written


def test_who_signs_in_who_fails_to_and_what_is_refused_is_told(ada, lines):
    form("/account/login/", login="ada@example.org", password="geheim")
    form("/account/login/", login="ada@example.org", password=cast.PASSWORD)
    with pytest.raises(Refused):
        memberships.leave(ada)

    told = [line for line in lines() if line["logger"] == "portico.watch"]
    assert [(line["event"], line["level"]) for line in told] == [
        ("sign-in failed", "warning"),
        ("signed in", "info"),
        ("refused", "info"),
    ]
    assert told[1]["user"] == str(ada.id)
    assert (told[2]["command"], told[2]["code"]) == ("memberships.leave", "last_administrator")


def test_a_line_cannot_be_made_to_look_like_two(lines):
    logging.getLogger("portico").warning("asked for %s", 'x\n{"event": "signed in"}')

    [line] = lines()
    assert line["event"] == 'asked for x\n{"event": "signed in"}'


def test_a_part_of_an_address_that_nobody_declared_harmless_is_not_shown(rf):
    request = rf.get("/new/geheim/of/acme")
    request.resolver_match = None

    front.knows_route(lambda _request: None).process_view(request, None, (), {"code": "geheim", "slug": "acme"})

    assert request.META[front.PATH] == "/new/…/of/acme"


def test_a_check_in_front_of_django_leaves_no_line(product, mel, lines):
    product.post(CHECK, {"user": str(mel.id), "permission": "members.view"})

    assert lines() == []


def test_lines_on_a_terminal_are_for_eyes_and_as_free_of_secrets():
    record = logging.makeLogRecord({"msg": "No mail for %s", "args": ("bob@example.org",), "levelname": "WARNING"})

    told = logs.formatter(terminal=True).format(record)

    assert "No mail for …@…" in told
    assert not told.startswith("{")


# --- The numbers ------------------------------------------------------------------------------------------------------


@pytest.fixture
def scrape(settings):
    settings.METRICS_TOKEN = TOKEN

    def run():
        answered = send("GET", "/metrics", authorization=f"Bearer {TOKEN}", host="10.0.0.7:8000")
        assert answered.status == 200
        return dict(line.rsplit(" ", 1) for line in answered.body.decode().splitlines() if not line.startswith("#"))

    return run


def test_without_a_token_of_the_operators_there_is_no_such_page():
    assert send("GET", "/metrics").status == 404
    assert send("GET", "/metrics", authorization="Bearer ").status == 404
    with pytest.raises(ValueError, match="20 random characters"):
        Environment(metrics_token="t" * 19)


def test_numbers_are_told_only_to_whoever_shows_the_token(settings, product):
    settings.METRICS_TOKEN = TOKEN

    for shown in ("", "Bearer ", TOKEN, f"Bearer {TOKEN}x", f"Bearer {product.secret}", "Bearer é"):
        answered = send("GET", "/metrics", authorization=shown)
        assert (answered.status, answered.body) == (401, b"")
    assert send("GET", "/metrics", authorization=f"Bearer {TOKEN}").status == 200


def test_requests_are_counted_by_method_route_and_status(scrape):
    before = scrape()
    send("GET", "/o/acme/users")
    send("GET", "/o/elsewhere/users")
    send("BREW", "/o/acme/users")

    after = scrape()
    label = 'portico_requests_total{method="GET",route="users",status="302"}'
    assert float(after[label]) - float(before.get(label, 0)) == 2
    assert 'portico_requests_total{method="other",route="users",status="403"}' in after
    assert float(after['portico_request_seconds_count{route="users"}']) >= 3


def test_checks_are_counted_by_answer_whichever_way_they_take(scrape, product, mel):
    question = {"user": str(mel.id), "permission": "members.view"}
    before = scrape()
    product.post(CHECK, question)
    product.post(CHECK, question | {"permission": "billing.manage"})
    product.post(CHECK, {"checks": [question] * 3})

    after = scrape()
    yes, no = 'portico_checks_total{allowed="yes"}', 'portico_checks_total{allowed="no"}'
    assert (float(after[yes]) - float(before[yes]), float(after[no]) - float(before[no])) == (4, 1)
    assert [name for name in after if "portico_requests" in name and after[name] != before.get(name)] == []


def test_commands_and_refusals_are_counted_by_name_and_code(scrape, ada, mel):
    memberships.remove(ada, members=[mel.membership])
    with pytest.raises(Refused):
        memberships.leave(ada)

    told = scrape()
    assert float(told['portico_commands_total{command="memberships.remove"}']) >= 1
    assert float(told['portico_refusals_total{code="last_administrator",command="memberships.leave"}']) >= 1


def test_letters_are_told_by_state_with_the_age_of_the_oldest(scrape, ada, developer):
    empty = scrape()
    offer = cast.invited(ada, "bob@example.org", grant=developer)
    invitations.resend(ada, invitations=[offer])

    told = scrape()
    assert (empty['portico_letters{state="waiting"}'], empty["portico_letters_oldest_seconds"]) == ("0.0", "0.0")
    assert float(told['portico_letters{state="waiting"}']) == 2
    assert (told['portico_letters{state="sent"}'], told["portico_database_up"]) == ("0.0", "1.0")
    assert 0 < float(told["portico_letters_oldest_seconds"]) < 60


def test_without_a_database_the_rest_is_told(scrape, monkeypatch):
    from django.db import OperationalError

    def away():
        raise OperationalError

    monkeypatch.setattr(metrics.outbox, "counts", away)

    told = scrape()
    assert told["portico_database_up"] == "0.0"
    assert 'portico_checks_total{allowed="yes"}' in told


def test_no_label_names_anybody_or_anything(scrape, ada, mel, product):
    for path in ("/o/acme/users", f"/o/acme/users/{mel.membership.pk}", "/acme", "/static/acme.css"):
        send("GET", path)
    product.post(CHECK, {"user": "mel@example.org", "permission": "members.view"})

    told = "\n".join(scrape())
    assert [word for word in ("acme", "mel@", str(mel.membership.pk), str(ada.organization.pk)) if word in told] == []
