"""What a check reads: who asks, the organization, the person's membership and grant, the workspace and the seats.

All of it is one statement, whether one question is asked or a thousand, and columns instead of rows, because this is
the hottest path of the product. What follows from it is decided in `checks`.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from . import addresses, words
from .errors import Invalid


class Question(NamedTuple):
    """`user` is a person's id or a verified address; `workspace` a slug, a former one or an id, or None."""

    user: str
    permission: str
    workspace: str | None = None


class Asker(NamedTuple):
    """Who asks, as the statement reads it. No `user_id`: a service. No `organization_id`: the operator's service."""

    token_id: UUID
    organization_id: UUID | None
    token_ends: datetime | None
    used_at: datetime | None
    limit: str | None
    user_id: UUID | None
    suspended_at: datetime | None
    expires_at: datetime | None
    can_sign_in: bool | None
    is_administrator: bool | None
    names: str | None


class Found(NamedTuple):
    """What the statement reads for one question."""

    organization_id: UUID | None
    closed_at: datetime | None
    user_id: UUID | None
    suspended_at: datetime | None
    expires_at: datetime | None
    can_sign_in: bool | None
    is_administrator: bool | None
    role: str | None
    names: str | None
    workspace_id: UUID | None
    archived_at: datetime | None
    seat: str | None
    askers_seat: str | None


# --- The statements --------------------------------------------------------------------------------------------------

_ASKER = """
    t.id, t.organization_id, t.expires_at, t.last_used_at, l.names{as_text}, tm.user_id, tm.suspended_at,
    tm.expires_at, tu.is_active, tg.is_administrator, tg.names{as_text}"""
_FOUND = """
    o.id, o.closed_at, m.user_id, m.suspended_at, m.expires_at, u.is_active, g.is_administrator, g.slug,
    g.names{as_text}, w.id, w.archived_at, s.role, ts.role"""
_ORGANIZATION = {
    "id": "CAST(%(org)s AS {uuid})",
    "text": """COALESCE((SELECT y.id FROM portico_organization y WHERE y.slug = %(org)s),
        (SELECT z.owner_id FROM portico_ownedslug z WHERE z.slug = %(org)s))""",
}
_ONE_USER = {
    "id": "CAST(%(user)s AS {uuid}) AS person, CAST(NULL AS varchar(254)) AS address",
    "text": "CAST(NULL AS {uuid}) AS person, CAST(%(user)s AS varchar(254)) AS address",
}
_ONE_WORKSPACE = {
    "id": "CAST(%(workspace)s AS {uuid}) AS place, CAST(NULL AS varchar(40)) AS workspace",
    "text": "CAST(NULL AS {uuid}) AS place, CAST(%(workspace)s AS varchar(40)) AS workspace",
}
_TOKENS = """portico_token t
    LEFT JOIN portico_role l ON l.id = t.limit_id
    LEFT JOIN portico_membership tm ON tm.id = t.membership_id
    LEFT JOIN portico_user tu ON tu.id = tm.user_id
    LEFT JOIN portico_role tg ON tg.id = tm.grant_id
    LEFT JOIN portico_organization o ON o.id = {organization}"""
_MEMBERS = """portico_organization o
    LEFT JOIN portico_membership tm ON tm.organization_id = o.id AND tm.id = %(membership)s"""
_REST = """
    CROSS JOIN {asked}
    LEFT JOIN portico_membership m ON m.organization_id = o.id AND m.user_id = COALESCE(asked.person,
        (SELECT e.user_id FROM account_emailaddress e WHERE e.email = asked.address AND e.verified))
    LEFT JOIN portico_user u ON u.id = m.user_id
    LEFT JOIN portico_role g ON g.id = m.grant_id
    LEFT JOIN portico_workspace w ON w.organization_id = o.id AND w.id = COALESCE(asked.place,
        (SELECT x.id FROM portico_workspace x WHERE x.organization_id = o.id AND x.slug = asked.workspace),
        (SELECT f.workspace_id FROM portico_formerworkspaceslug f
         WHERE f.organization_id = o.id AND f.slug = asked.workspace))
    LEFT JOIN portico_seat s ON s.workspace_id = w.id AND s.membership_id = m.id
    LEFT JOIN portico_seat ts ON ts.workspace_id = w.id AND ts.membership_id = tm.id"""


# Nothing of a user stands in these: what varies is a parameter.
_OF_A_TOKEN = f"SELECT {_ASKER}, {_FOUND} FROM {_TOKENS} {_REST} WHERE t.digest = {{digest}}"  # noqa: S608
_OF_A_MEMBER = f"SELECT {_FOUND} FROM {_MEMBERS} {_REST} WHERE o.id = {{organization}}"  # noqa: S608


class Dialect(NamedTuple):
    """What the two databases spell differently."""

    uuid: str
    as_text: str  # after a column of JSON
    digest: str  # of a token's secret; %(token)s are its bytes
    many: str  # the questions of one call, as rows


POSTGRESQL = Dialect(
    uuid="uuid",
    as_text="::text",
    digest="encode(%(token)s, 'hex')",
    many="""(SELECT CAST(q ->> 'person' AS uuid) AS person, q ->> 'address' AS address,
        CAST(q ->> 'place' AS uuid) AS place, q ->> 'workspace' AS workspace, n
        FROM jsonb_array_elements(CAST(%(questions)s AS jsonb)) WITH ORDINALITY AS each(q, n)) asked""",
)
SQLITE = Dialect(
    uuid="char(32)",
    as_text="",
    digest="lower(hex(%(token)s))",
    many="""(SELECT json_extract(value, '$.person') AS person, json_extract(value, '$.address') AS address,
        json_extract(value, '$.place') AS place, json_extract(value, '$.workspace') AS workspace, key AS n
        FROM json_each(%(questions)s)) asked""",
)


@cache
def dialect() -> Dialect:
    return POSTGRESQL if connection.vendor == "postgresql" else SQLITE


@cache
def statement(*, organization: str, user: str, workspace: str) -> str:
    """One question of a token, in one statement. Each argument says by what the thing is named: "id" or "text".

    Parameters: %(token)s the SHA-256 of the secret, %(org)s, %(user)s, %(workspace)s.
    """
    who, where = _ONE_USER[user], _ONE_WORKSPACE[workspace]
    asked = f"(SELECT {who}, {where}) asked".format(uuid=dialect().uuid)
    return _filled(_OF_A_TOKEN, organization, asked)


@cache
def statement_for_many(*, organization: str) -> str:
    """Up to a thousand questions of a token, in one statement. Parameters: as above, and %(questions)s."""
    return _filled(_OF_A_TOKEN + " ORDER BY asked.n", organization, dialect().many)


@cache
def statement_of_member() -> str:
    """The same questions where the asker is known already. Parameters: %(org)s an id, %(membership)s, %(questions)s."""
    return _filled(_OF_A_MEMBER + " ORDER BY asked.n", "id", dialect().many)


def _filled(template: str, organization: str, asked: str) -> str:
    here = dialect()
    return template.format(
        as_text=here.as_text,
        digest=here.digest,
        asked=asked,
        organization=_ORGANIZATION[organization].format(uuid=here.uuid),
    )


# --- What goes into them ----------------------------------------------------------------------------------------------


def _named(text: str) -> tuple[str, str]:
    """Whether an id or a word names it, and the parameter. Databases keep no NUL, so nothing is named with one."""
    if "\0" in text:
        return "text", ""
    if len(text) in {32, 36} and words.UUID_SHAPE.fullmatch(text.lower()):
        return "id", text if dialect() is POSTGRESQL else UUID(text).hex
    return "text", text


def _id(value: UUID) -> str:
    return str(value) if dialect() is POSTGRESQL else value.hex


def _address(text: str) -> str:
    """The form in which addresses are kept. What is none belongs to nobody."""
    plain = text.strip().lower()
    if plain.isascii():
        return plain
    try:
        return addresses.one(plain)
    except Invalid:
        return plain


def parameters(secret: bytes, organization: str, question: Question) -> tuple[str, dict[str, Any]]:
    """The statement for one question, and what goes into it."""
    (by_org, org), (by_user, user) = _named(organization), _named(question.user)
    by_place, place = _named(question.workspace) if question.workspace is not None else ("text", None)
    sql = statement(organization=by_org, user=by_user, workspace=by_place)
    return sql, {
        "token": secret,
        "org": org,
        "user": _address(user) if by_user == "text" else user,
        "workspace": place,
    }


def parameters_for_many(secret: bytes, organization: str, questions: Sequence[Question]) -> tuple[str, dict[str, Any]]:
    by_org, org = _named(organization)
    return statement_for_many(organization=by_org), {"token": secret, "org": org, "questions": as_rows(questions)}


def as_rows(questions: Sequence[Question]) -> str:
    """Questions as JSON, which both databases read as rows."""
    rows = []
    for question in questions:
        row = {}
        by_user, user = _named(question.user)
        row["person" if by_user == "id" else "address"] = user if by_user == "id" else _address(user)
        if question.workspace is not None:
            by_place, place = _named(question.workspace)
            row["place" if by_place == "id" else "workspace"] = place
        rows.append(row)
    return json.dumps(rows)


# --- What comes out --------------------------------------------------------------------------------------------------

ASKER = len(Asker._fields)


def asker_in(row: Sequence[Any]) -> Asker:
    """Of a row of the statements that begin with a token; it is the same in all of them."""
    return Asker._make(row[:ASKER])


def found_in(row: Sequence[Any]) -> Found:
    return Found._make(row[ASKER:])


def of_member(organization_id: UUID, membership_id: UUID | None, questions: Sequence[Question]) -> list[Found]:
    """The same where it is known who asks: a member, or none."""
    membership = _id(membership_id) if membership_id else None
    values = {"org": _id(organization_id), "membership": membership, "questions": as_rows(questions)}
    with connection.cursor() as cursor:
        cursor.execute(statement_of_member(), values)
        return [Found._make(typed(row, _KINDS_OF_FOUND)) for row in cursor.fetchall()]


# --- SQLite, which knows neither ids nor times ---------------------------------------------------------------------

_KINDS_OF_FOUND = tuple(Found.__annotations__.values())
KINDS = (*Asker.__annotations__.values(), *_KINDS_OF_FOUND)


def typed(row: Sequence[Any], kinds: Sequence[Any] = KINDS) -> Sequence[Any]:
    """A row as PostgreSQL gives it."""
    if dialect() is POSTGRESQL:
        return row
    return [value if value is None else _made(kind, value) for kind, value in zip(kinds, row, strict=True)]


def _made(kind: Any, value: Any) -> Any:
    if "UUID" in str(kind):
        return UUID(value)
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
