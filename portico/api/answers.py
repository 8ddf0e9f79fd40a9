"""What an operation answers: one thing with its version, one that was just made, or a part of a list.

A view returns one of these, or a dict for a plain 200, or None for 204.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase

PREFIX = "/api/v1"
encode = msgspec.json.Encoder().encode
# A proxy that compresses marks a tag as weak (W/). It still says the same version, so it is believed.
TAG = re.compile(r'(?:W/)?"(?:(\d{1,9})-)?[0-9a-f]{16}"')


class Secret(HttpResponse):
    """Says what is shown this once, and is kept nowhere."""


def of(told: Any) -> Any:
    if isinstance(told, HttpResponseBase):
        return told
    return HttpResponse(status=204) if told is None else plain(told)


def plain(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(encode(body), status=status, content_type="application/json", headers=headers)


def one(request: HttpRequest, body: Mapping[str, Any], version: int | None = None) -> HttpResponse:
    """One thing, with the tag by which its asker may save traffic (If-None-Match) and lost updates (If-Match)."""
    tag = tag_of(body, version)
    if request.method in {"GET", "HEAD"} and tag in _tags(request, "If-None-Match"):
        return HttpResponse(status=304, headers={"ETag": tag})
    return plain(body, headers={"ETag": tag})


def made(body: Mapping[str, Any], path: str, version: int | None = None, *, secret: bool = False) -> HttpResponse:
    """One thing that is there now, and where: a path below the prefix. `secret` says that it tells one."""
    kind = Secret if secret else HttpResponse
    headers = {"Location": PREFIX + path, "ETag": tag_of(body, version)}
    return kind(encode(body), status=201, content_type="application/json", headers=headers)


def secret(body: Mapping[str, Any]) -> HttpResponse:
    """What is told this once."""
    return Secret(encode(body), content_type="application/json")


def tag_of(body: Mapping[str, Any], version: int | None = None) -> str:
    """The version, for commands, and what stands in the body, which may change without it."""
    seen = hashlib.sha256(encode(body)).hexdigest()[:16]
    return f'"{seen}"' if version is None else f'"{version}-{seen}"'


def shown(request: HttpRequest, current: int) -> int | None:
    """The version that whoever asks has seen (If-Match), for the command to compare under its lock; None for any.

    Of several the current one is meant, and what is no tag of ours was never current.
    """
    if request.headers.get("If-Match", "*").strip() == "*":
        return None
    found = [match[1] for tag in _tags(request, "If-Match") if (match := TAG.fullmatch(tag))]
    return current if str(current) in found else -1


def is_shown(request: HttpRequest, body: Mapping[str, Any]) -> bool | None:
    """The same of what has no version: whether whoever asks has seen it as it is; None for any."""
    if request.headers.get("If-Match", "*").strip() == "*":
        return None
    return tag_of(body) in _tags(request, "If-Match")


def _tags(request: HttpRequest, header: str) -> list[str]:
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get(header, "").split(",")]
    return [tag for tag in tags if tag]
