"""A no, as programs read it: problem+json (RFC 9457), from the one table of statuses."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import HttpResponse
from django.utils.translation import gettext as _
from ninja.errors import ValidationError

from portico.domain.errors import Forbidden, Invalid, Refusal
from portico.web import RETRY_AFTER, status_of

KIND = "application/problem+json"
TITLES = {
    400: "Malformed",
    401: "Nobody asks",
    403: "Not allowed",
    404: "Not there",
    405: "Not like this",
    409: "Not now",
    412: "Changed meanwhile",
    413: "Too large",
    422: "Not well-formed",
    429: "Too many",
    500: "Broken",
    503: "Unavailable",
}
encode = msgspec.json.Encoder().encode


def body(status: int, code: str, detail: str, **members: Any) -> dict[str, Any]:
    """The members of a problem. `code` is what programs read; `type` stays about:blank, because the code says it."""
    return {"type": "about:blank", "title": TITLES[status], "status": status, "detail": detail, "code": code} | members


def answer(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> HttpResponse:
    content = encode(body(status, code, detail, **more))
    every = {"Cache-Control": "no-store", **(headers or {})}
    return HttpResponse(content, status=status, content_type=KIND, headers=every)


def of_refusal(refusal: Refusal) -> HttpResponse:
    status = status_of(refusal)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return answer(status, refusal.code, refusal.sentence, headers, **members(refusal))


def members(refusal: Refusal) -> dict[str, Any]:
    """What a refusal tells besides its code and sentence."""
    told: dict[str, Any] = {}
    if refusal.field:
        told["field"] = refusal.field
    if isinstance(refusal, Forbidden) and refusal.missing:
        told["missing"] = [str(permission) for permission in refusal.missing]
    if isinstance(refusal, Invalid):
        told["errors"] = [{"field": each.field, "detail": each.sentence} for each in refusal.errors]
    if "id" in refusal.facts:
        told["id"] = str(refusal.facts["id"])
    return told


def of_shape(error: ValidationError) -> HttpResponse:
    """A body or query that does not have the shape that the schema says."""
    errors = [{"field": _field(each["loc"]), "detail": each["msg"]} for each in error.errors]
    first = errors[0]
    detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
    return answer(422, "invalid", detail, field=first["field"], errors=errors)


def _field(location: tuple[Any, ...]) -> str:
    """Where it is wrong, without the names by which the framework calls body, query and kinds of body."""
    parts = [str(part) for part in location[2 if location[0] == "body" else 1 :]]
    return ".".join(part for part in parts if not part.startswith("["))


def malformed() -> HttpResponse:
    return answer(400, "malformed", _("This is not JSON."))


def in_pieces() -> HttpResponse:
    return answer(400, "malformed", _("Say how long the body is (Content-Length) instead of sending it in pieces."))


def unreadable() -> HttpResponse:
    """Not only its body: its host, its cookies, its length."""
    return answer(400, "malformed", _("Portico cannot read what was sent. Nothing was changed."))


def not_like_this(allowed: str) -> HttpResponse:
    sentence = _("This address takes: %(methods)s.") % {"methods": allowed}
    return answer(405, "method_not_allowed", sentence, {"Allow": allowed})


def too_large(most: int) -> HttpResponse:
    size = f"{most // 2**20} MB" if most >= 2**20 else f"{most // 2**10} KiB"
    return answer(413, "too_large", _("At most %(size)s can be sent here.") % {"size": size})


def limited(seconds: int) -> HttpResponse:
    sentence = _("You ask too often. Wait %(n)d seconds.") % {"n": seconds}
    return answer(429, "limited", sentence, {"Retry-After": str(seconds)})


def broken() -> HttpResponse:
    return answer(500, "broken", _("Something went wrong in Portico. Whoever runs this server finds it in the log."))


def away() -> HttpResponse:
    sentence = _("Portico cannot reach its database just now. Nothing was changed. Try again in a few seconds.")
    return answer(503, "unavailable", sentence, {"Retry-After": RETRY_AFTER})
