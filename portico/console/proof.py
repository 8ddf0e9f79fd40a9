"""Proof when it matters: what cannot be taken back waits until the person has shown again who they are.

A command refuses with `prove_again`. What was asked is kept in the session, django-allauth asks for password, passkey
or code, and then a page holds all that was typed, in a form that goes where the first one went; with script it goes
at once. So what goes on is a request like any other: with its token, at its own address, in a transaction of its own.
"""

import ipaddress
import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRedirect

from portico.domain.access import is_fresh
from portico.settings import is_loopback
from portico.web import proved_at

WAITING = "waiting_for_proof"  # in the session: what waits, by key
AT_ONCE = 5  # as many as one may have open in tabs
LONGEST = 1_000_000  # characters that are kept, some 20,000 addresses


def is_recent(request: HttpRequest) -> bool:
    return is_fresh(proved_at(request), timezone.now())


def passkeys_work(request: HttpRequest) -> bool:
    """Browsers do them for names only, not for numbers, and without TLS on the machine itself only."""
    host = request.get_host().rpartition(":")[0] or request.get_host()
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return request.is_secure() or is_loopback(host)
    return False


def ask(request: HttpRequest) -> HttpResponse:
    """Keep what this request asks for, and ask who it is."""
    key = secrets.token_urlsafe(12)
    others = list(request.session.get(WAITING, {}).items())[1 - AT_ONCE :]
    request.session[WAITING] = dict(others) | {key: _kept(request)}
    query = urlencode({REDIRECT_FIELD_NAME: reverse("go_on", args=[key])})
    where = f"{reverse('account_reauthenticate')}?{query}"
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(where)
    return HttpResponseRedirect(where, status=303)


def _kept(request: HttpRequest) -> dict[str, Any]:
    """Where it goes, what was typed, and the page before. Files are not kept, nor is what is longer than all sense."""
    typed = request.POST.copy()
    typed.pop("csrfmiddlewaretoken", None)
    text = typed.urlencode() if request.method == "POST" and not request.FILES else ""
    path = request.get_full_path()
    before = urlsplit(request.headers.get("Referer", ""))
    from_here = before.netloc == request.get_host() and _is_path(before.path)
    back = urlsplit("")._replace(path=before.path, query=before.query).geturl() if from_here else path
    return {
        "path": path,
        "posted": request.method == "POST",
        "typed": text if len(text) <= LONGEST else "",
        "lost": bool(request.FILES) or len(text) > LONGEST,
        "back": back,
    }


@login_required
@never_cache
@require_safe
def go_on(request: HttpRequest, key: str) -> HttpResponse:
    """What has waited, ready to go on. Shown once, so that the browser's way back does not do it again."""
    waiting = dict(request.session.get(WAITING, {}))
    kept = waiting.pop(key, None)
    if kept is None:
        return HttpResponseRedirect(reverse("home"), status=303)
    request.session[WAITING] = waiting
    if "cancel" in request.GET or not is_recent(request):
        return HttpResponseRedirect(kept["back"], status=303)
    if not kept["posted"]:
        return HttpResponseRedirect(kept["path"], status=303)
    fields = [(name, value) for name, values in QueryDict(kept["typed"]).lists() for value in values]
    return render(request, "console/go_on.html", kept | {"fields": fields})


def way_back(where: str | None) -> str:
    """Where *Cancel* leads from the question who it is: to the page before, never on to the act, never elsewhere."""
    if not where or not _is_path(where):
        return reverse("account")
    if where.startswith(reverse("mfa_index")):  # whose pages would only ask again
        return reverse("mfa_index")
    return f"{where}?cancel" if where.startswith(reverse("go_on", args=["-"]).removesuffix("-")) else where


def _is_path(where: str) -> bool:
    return where.startswith("/") and url_has_allowed_host_and_scheme(where, allowed_hosts=None)
