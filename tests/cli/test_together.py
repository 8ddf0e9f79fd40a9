"""Two servers and two workers on one PostgreSQL: what one has answered the other knows, and letters leave once."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection

from portico.domain import memberships, roles, tokens
from portico.domain.access import Member
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from tests import cast
from tests.cli.conftest import Server, until
from tests.cli.test_kill import Serve, office  # noqa: F401  # the mail server
from tests.console.browser import signed_in
from tests.delivery.post_office import PostOffice
from tests.postgres import free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

ROUNDS = 5  # a thousand were seen to pass
PEOPLE = 100


@pytest.fixture
def servers(serve: Serve, office: PostOffice) -> list[Server]:  # noqa: F811
    """On the database of the test, which this process fills. Each brings its worker."""
    how = connection.settings_dict
    shared = {
        "PORTICO_DATABASE_URL": f"postgresql://{how['USER']}:{how['PASSWORD']}@{how['HOST']}:{how['PORT']}/{how['NAME']}",
        "PORTICO_SECRET_KEY": settings.SECRET_KEY,
        "PORTICO_EMAIL_URL": f"smtp://127.0.0.1:{office.port}",
    }
    both = [serve(**shared, PORTICO_PORT=str(free_port())) for _each in range(2)]
    for server in both:
        server.up()
    until(lambda: all(server.worker() for server in both))
    return both


class Line:
    """A kept connection to one server, for ada's browser and for the company's product."""

    def __init__(self, server: Server, ada: Member, secret: str):
        self.line = HTTPConnection("127.0.0.1", server.port, timeout=60)
        session = signed_in(ada).cookies[settings.SESSION_COOKIE_NAME].value
        self.csrf = "c" * 32
        self.cookies = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={self.csrf}"
        self.secret = secret

    def press(self, path: str, **form: str) -> int:
        headers = {"Cookie": self.cookies, "Content-Type": "application/x-www-form-urlencoded"}
        return self._ask(path, urlencode(form | {"csrfmiddlewaretoken": self.csrf}), headers)[0]

    def allowed(self, user: object) -> bool:
        question = {"user": str(user), "permission": "members.view"}
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        status, told = self._ask("/api/v1/organizations/acme/check", json.dumps(question), headers)
        assert status == 200, told
        return bool(json.loads(told)["allowed"])

    def _ask(self, path: str, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
        self.line.request("POST", path, body, headers)
        answer = self.line.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def lines(servers: list[Server], ada) -> Iterator[list[Line]]:
    secret = tokens.issue_service(ada, name="Product").secret
    both = [Line(server, ada, secret) for server in servers]
    yield both
    for each in both:
        each.line.close()


def test_what_one_answered_the_other_knows_and_letters_leave_once(
    lines: list[Line],
    ada,
    contributor,
    office: PostOffice,  # noqa: F811
) -> None:
    """Somebody is removed by one; the other, asked at once, lets them do nothing. Letters leave meanwhile."""
    Organization.objects.update(is_trusted=True)
    emails = [f"p{number}@example.org" for number in range(PEOPLE)]
    ann = cast.person("Ann")
    row, seen = roles.intern(ada.organization, contributor), []

    for line, some in zip(lines, (emails[::2], emails[1::2]), strict=True):
        assert line.press("/o/acme/users/invite", do="invite", emails="\n".join(some), role="developer") == 303
    for number in range(ROUNDS):
        one, other = lines[number % 2], lines[1 - number % 2]
        member = memberships.admit(ada.organization, ann, row, address=ann.email, now=ada.now, expires_at=None)
        before = other.allowed(ann.pk)
        status = one.press(f"/o/acme/users/{member.pk}/remove")
        seen.append((before, status, other.allowed(ann.pk)))
    until(lambda: not Letter.objects.filter(state="waiting").exists())

    assert seen == [(True, 303, False)] * ROUNDS
    counts: Any = office.counted
    assert {email: counts[email] for email in emails} == dict.fromkeys(emails, 1)
    assert Letter.objects.filter(state="sent").count() == len(office.received)
