"""Whether this installation is well, for whatever watches over it.

`/health/live`  this process answers; touches nothing else
`/health/ready` the database answers and has every migration, and the worker gave a sign of life within a minute

Like every page they answer only requests for the host of PORTICO_BASE_URL, so a probe sends that as its Host.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portico import schema
from portico.delivery import worker
from portico.web import RETRY_AFTER

SILENCE = timedelta(seconds=60)

Part = dict[str, Any]


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"live": True})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    parts = {"database": answer(database), "migrations": answer(migrations), "worker": answer(letters)}
    if all(part["ok"] for part in parts.values()):
        return JsonResponse({"ready": True, **parts})
    response = JsonResponse({"ready": False, **parts}, status=503, headers={"Retry-After": RETRY_AFTER})
    response._has_been_logged = True  # type: ignore[attr-defined]  # an answer, not a failure; and probes ask often
    return response


def answer(ask: Callable[[], Part]) -> Part:
    """What one part says of itself; without a database no part can say anything."""
    try:
        return ask()
    except (DatabaseError, InterfaceError):
        return {"ok": False}


def database() -> Part:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"ok": True}


def migrations() -> Part:
    missing = len(schema.waiting())
    return {"ok": not missing, "waiting": missing}


def letters() -> Part:
    seen: datetime | None = worker.last_seen()
    return {"ok": seen is not None and timezone.now() - seen < SILENCE, "seen": seen and seen.isoformat()}


urlpatterns = [
    path("health/live", live, name="health_live"),
    path("health/ready", ready, name="health_ready"),
]
