"""How tests ask the API by a member's token, and what they read of a refusal."""

from typing import Any

from django.test import Client

from portico.domain import tokens
from portico.domain.access import Member


def program(member: Member, **limits: Any) -> Client:
    """A program of theirs, with a token of full access or a narrowed one."""
    return Client(headers={"Authorization": f"Bearer {tokens.issue(member, name='Program', **limits).secret}"})


def sent(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """The answer to a body of JSON."""
    return getattr(client, method)(path, body or {}, content_type="application/json", headers=headers)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
