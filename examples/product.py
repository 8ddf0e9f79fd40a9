"""A product that asks Portico before it acts, and lets nobody do anything while it cannot ask."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterable
from http.client import HTTPException
from typing import Any
from wsgiref.simple_server import make_server

# What each act needs, in which workspace of the organization: the first part of its address.
ACTS = {"pay": "workspace.manage", "look": "workspace.view"}


def may(user: str, permission: str, workspace: str) -> tuple[bool, str]:
    """Portico's answer, and why."""
    asked = json.dumps({"user": user, "permission": permission, "workspace": workspace}).encode()
    headers = {"Authorization": f"Bearer {os.environ['PORTICO_TOKEN']}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{os.environ['PORTICO_URL']}/check", asked, headers)  # noqa: S310  # ours
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310
            told = json.load(answer)
        return told["allowed"] is True, told.get("reason", "")
    except (OSError, HTTPException, ValueError, LookupError, TypeError, AttributeError):
        return False, "cannot ask"


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """POST /<workspace>/<act>, by the person whom the proxy has signed in."""
    user = environ.get("HTTP_X_USER", "")
    workspace, _slash, act = environ["PATH_INFO"].strip("/").partition("/")
    if act not in ACTS:
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"There is no such act.\n"]
    allowed, reason = may(user, ACTS[act], workspace)
    start("200 OK" if allowed else "403 Forbidden", [("Content-Type", "text/plain")])
    return [f"{user} did: {act}\n".encode() if allowed else f"{user} may not {act}: {reason}\n".encode()]


if __name__ == "__main__":
    make_server("127.0.0.1", 9000, application).serve_forever()
