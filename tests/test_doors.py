"""What one door refuses, every door refuses, with the same code and sentence.

ada administers Acme, alone · mel is a plain member
"""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from portico.domain.access import Member
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization
from tests.api.asking import sent
from tests.cli.conftest import answer, portico  # noqa: F401  # the fixture
from tests.console.browser import signed_in

API = "/api/v1"
LONG = "www.evil.example"
# What each door is asked: a form posted to a page, a call of the API, a command. {ada} and {mel} are memberships.
ASKED = {
    "the last Administrator is removed": (
        ("/o/acme/users/{ada}/remove", {"confirmed": "yes"}),
        ("delete", "/organizations/acme/members/{ada}", {}),
        ("member", "remove", "--organization", "acme", "--member", "ada@example.org"),
    ),
    "the last Administrator gets another role": (
        ("/o/acme/users/{ada}", {"role": "contributor", "grant": ["members.view"], "version": "1", "ends": "0"}),
        ("patch", "/organizations/acme/members/{ada}", {"role": "contributor"}),
        ("member", "set", "--organization", "acme", "--member", "ada@example.org", "--role", "contributor"),
    ),
    "a role that is not there": (
        ("/o/acme/users/{mel}", {"role": "nobody", "version": "1"}),
        ("patch", "/organizations/acme/members/{mel}", {"role": "nobody"}),
        ("member", "set", "--organization", "acme", "--member", "mel@example.org", "--role", "nobody"),
    ),
    "a permission that is not there": (
        ("/o/acme/users/{mel}", {"role": "Custom", "grant": ["nonsense"], "version": "1"}),
        ("patch", "/organizations/acme/members/{mel}", {"permissions": ["nonsense"]}),
        ("member", "set", "--organization", "acme", "--member", "mel@example.org", "--permission", "nonsense"),
    ),
    "an address that another organization has": (
        ("/organizations/new", {"name": "Acme Two", "slug": "acme", "color": "teal"}),
        ("post", "/organizations", {"name": "Acme Two", "slug": "acme"}),
        ("organization", "found", "--name", "Acme Two", "--slug", "acme", "--administrator", "ada@example.org"),
    ),
    "a name that mail programs would make a link of": (
        ("/organizations/new", {"name": LONG, "color": "teal"}),
        ("post", "/organizations", {"name": LONG}),
        ("organization", "found", "--name", LONG, "--administrator", "ada@example.org"),
    ),
    "an organization that is not closed": (
        ("/o/acme/restore", {}),
        ("post", "/organizations/acme/restore", {}),
        ("organization", "restore", "acme"),
    ),
    "a token for no day": (
        ("/o/acme/tokens/new/service", {"name": "X", "ends": "ephemeral", "days": "0", "reach": "full"}),
        ("post", "/organizations/acme/tokens", {"name": "X", "days": 0, "service": True}),
        ("token", "create", "--service", "--organization", "acme", "--name", "X", "--days", "0"),
    ),
    "a link for too many days": (
        ("/o/acme/users/invite", {"emails": "x@example.org", "role": "contributor", "days": "31", "do": "invite"}),
        (
            "post",
            "/organizations/acme/invitations",
            {"emails": ["x@example.org"], "role": "contributor", "expires_in_days": 31},
        ),
        ("invite", "x@example.org", "--organization", "acme", "--role", "contributor", "--days", "31"),
    ),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=list(ASKED))
def test_every_door_says_the_same_no(asked, ada: Member, mel: Member, portico: Callable, db) -> None:  # noqa: F811
    (page, form), (method, path, body), words = asked
    known = {"ada": ada.membership.pk, "mel": mel.membership.pk}
    client = signed_in(ada)

    by_page = client.post(page.format(**known), form)
    by_call = sent(client, method, API + path.format(**known), body)
    by_command = portico(*words, "--json")

    told = answer(by_command)
    assert (by_call.json()["code"], by_call.json()["detail"]) == (told["code"], told["detail"])
    assert told["detail"] in said(by_page)
    assert by_page.status_code == by_call.status_code
    assert by_command.exit_code == 1
    assert (Membership.objects.count(), Organization.objects.count()) == (2, 1)


def said(page) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page.content.decode())).split())


def test_signed_out_no_door_is_open(db) -> None:
    assert Client().post("/o/acme/restore").status_code == 302
    assert Client().post(f"{API}/organizations/acme/restore").status_code == 401
