"""What every request passes: refusals become pages, a lost database a sentence, and an account changes whole."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from portico import uploads
from portico.domain.errors import Refusal
from portico.web import RETRY_AFTER, status_of

from . import proof

GetResponse = Callable[[HttpRequest], HttpResponse]


class unavailable:  # noqa: N801  # named as Django's list of middleware reads
    """A database that is away or locked: 503, and nothing half-done, because every command is one transaction."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        except (OperationalError, InterfaceError):
            return away()

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return away() if isinstance(error, (OperationalError, InterfaceError)) else None


class compressed(GZipMiddleware):  # noqa: N801  # as above
    """Pages travel compressed, to whoever takes them so: a list of fifty people is a tenth of its size.

    Their lengths tell a listener little of what is secret in them: Django adds bytes at random, form tokens are masked
    anew each time, and cookies are SameSite, so no other site can make a browser ask again and again. Answers to
    programs stay as they are, because a compressed one would lose its strong ETag.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        return super().process_response(request, response) if is_page else response


def kept_nowhere(get_response: GetResponse) -> GetResponse:
    """What says nothing else is kept by no browser: pages show who is signed in, also those that are not ours."""

    def run(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.setdefault("Cache-Control", "no-store")
        return response

    return run


def away() -> HttpResponse:
    """The account and the messages of a request would be asked of the database, so the page is made without it."""
    sentence = _("Portico cannot reach its database just now. Nothing was changed. Try again in a few seconds.")
    return alone(_("One moment"), sentence, status=503, **{"Retry-After": RETRY_AFTER})


def alone(heading: str, sentence: str, status: int, **headers: str) -> HttpResponse:
    """A page that asks nothing of anybody, for what goes wrong before it is known who is there."""
    page = render_to_string("console/refusal.html", {"heading": heading, "sentence": sentence})
    return HttpResponse(page, status=status, headers={"Cache-Control": "no-store"} | headers)


class refusals:  # noqa: N801
    """A refusal that no page has caught gets a page of its own; what lacks a proof waits until there is one."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, Refusal):
            return None
        if error.code == "prove_again":
            return proof.ask(request)
        status = status_of(error)
        headings = {
            401: _("Not signed in"),
            403: _("Not allowed"),
            404: _("Nothing here"),
            409: _("Not now"),
            412: _("Changed meanwhile"),
            422: _("Something is wrong"),
        }
        context = {"heading": headings[status], "sentence": error.sentence, "code": error.code}
        return render(request, "console/refusal.html", context, status=status)


def stale(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: mostly a page that was open while somebody signed in or out in another tab."""
    sentence = _("This page is older than your sign-in. Nothing was changed. Go back, reload the page and try again.")
    context = {"heading": _("Reload the page"), "sentence": sentence, "code": reason}
    return render(request, "console/refusal.html", context, status=403)


def malformed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What no page was asked about, because it could not be read or was too long to be."""
    if isinstance(exception, RequestDataTooBig):
        files = isinstance(exception, uploads.FilesTooBig)
        most = uploads.AT_MOST if files else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        sentence = _("At most %(n)d MB can be sent at once. Nothing was changed.") % {"n": most // 2**20}
        context = {"heading": _("That is too much"), "sentence": sentence}
        return render(request, "console/refusal.html", context, status=413)
    return alone(_("Something is wrong"), _("Portico cannot read what was sent. Nothing was changed."), status=400)


def commits_itself(request: HttpRequest) -> bool:
    """Whether the page of this request calls commands, each of which is a transaction of its own."""
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return False
    return hasattr(view, "_non_atomic_requests")


def account_changes_are_one(get_response: GetResponse) -> GetResponse:
    """What a person changes in their account commits with its event and its letters, or not at all."""

    def run(request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and request.path.startswith("/account/") and not commits_itself(request):
            with transaction.atomic():
                response = get_response(request)
                form = (getattr(response, "context_data", None) or {}).get("form")
                if form is not None and form.errors:
                    response.status_code = 422
                # A refusal has become a page by now, so the transaction must be told. A wrong password, or too many of
                # them, changed nothing but what is counted, which is kept.
                transaction.set_rollback(response.status_code >= 400 and response.status_code not in {422, 429})
                return response
        return get_response(request)

    return run
