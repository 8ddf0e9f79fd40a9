"""A browser without a screen: somebody signed in, and what a page says."""

import html
import re
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest
from django.test import Client

from portico.domain.access import Member
from portico.domain.people import User


def signed_in(who: Member | User, *, proved: bool = True) -> Client:
    """Signed in a moment ago; or, not `proved`, so long ago that it counts no more."""
    user = who.membership.user if isinstance(who, Member) else who
    client = Client()
    client.force_login(user)
    if proved:
        prove(client, user)
    return client


def prove(client: Client, user: User) -> None:
    """As if the password had just been typed."""
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, user, method="password")
    request.session.save()


def text(answer: Any) -> str:
    """The words of a page, as somebody reads them."""
    return words(answer.content.decode().partition("<body>")[2])


def section(answer: Any, heading: str) -> str:
    """The words under one heading."""
    [found] = [part for part in re.split(r"<section", answer.content.decode()) if f">{heading}</h2>" in part]
    return words(found.partition("</section>")[0].partition(">")[2])


def words(markup: str) -> str:
    """Without the initials of pictures, which nobody reads."""
    markup = re.sub(r'<span[^>]*aria-hidden="true"[^>]*>[^<]*</span>', "", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def beside(answer: Any, field: str) -> str:
    """The sentence beside a field that is wrong."""
    found = re.search(rf'<p class="wrong" id="{field}-wrong">.*?<span>(.*?)</span>', answer.content.decode(), re.DOTALL)
    assert found, f"nothing is said beside {field}"
    assert f'aria-describedby="{field}-wrong' in answer.content.decode()
    return html.unescape(found[1])
