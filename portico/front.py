"""What every request passes before any door: it gets an id, and is counted and logged once it is answered.

    numbered ─► quick (checks) ─► metrics ─► observed ─► Django (pages and API)

The id is in every line that is logged on behalf of the request, and goes back as X-Request-ID. One that came with the
request is kept only where a proxy of the operator's stands in front, for anybody may write anything.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portico import logs, metrics

log = logging.getLogger("portico.requests")

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]

ROUTE, PATH = "portico.route", "portico.path"  # what is known of a request once Django has found its route
# What may stand in a line of the log. Every other part of an address may be a secret.
SHOWN = frozenset({"slug", "pk", "role", "workspace", "file", "org", "member", "invitation", "id"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_an_id = re.compile(r"[A-Za-z0-9._-]{8,64}").fullmatch


def numbered(application: Application) -> Application:
    """The application whose every answer carries the id of its request."""
    believed = settings.ALLAUTH_TRUSTED_PROXY_COUNT > 0

    def run(environ: Environ, start: Start) -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID") if believed else None
        number = given if given and _an_id(given) else os.urandom(8).hex()
        logs.request_id.set(number)

        def with_number(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start(status, [*headers, ("X-Request-ID", number)], *more)

        return application(environ, with_number)

    return run


def observed(application: Application) -> Application:
    """The application whose every answer is counted, and logged where the settings want it."""

    def run(environ: Environ, start: Start) -> Iterable[bytes]:
        begin, answer = time.perf_counter(), "500"

        def noted(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            nonlocal answer
            answer = status[:3]
            return start(status, headers, *more)

        try:
            return application(environ, noted)
        finally:
            seconds, method, route = time.perf_counter() - begin, method_of(environ), route_of(environ)
            metrics.answered(method, route, answer, seconds)
            facts = {"method": method, "path": environ.get(PATH, ""), "route": route, "status": int(answer)}
            log.info("request", extra=facts | {"ms": round(seconds * 1000, 1)})

    return run


def method_of(environ: Environ) -> str:
    """Strangers write what they like for a method, and each would be a label for ever."""
    method: str = environ["REQUEST_METHOD"]
    return method if method in METHODS else "other"


def route_of(environ: Environ) -> str:
    """The name of the route; what led nowhere has one name for all."""
    return environ.get(ROUTE) or ("static" if environ["PATH_INFO"].startswith(settings.STATIC_URL) else "none")


class knows_route:  # noqa: N801  # named as Django's list of middleware reads
    """Notes which route a request took, and its path without what may be secret in it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        match, path = request.resolver_match, request.path
        for name, value in kwargs.items():
            if name not in SHOWN:
                path = path.replace(str(value), "…")
        request.META.update({ROUTE: match.view_name if match else "", PATH: path})
