"""My account beyond what django-allauth keeps of it: picture, organizations, what happened to it, my data, its end."""

from collections.abc import Iterator
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.serializers.json import DjangoJSONEncoder
from django.db.transaction import non_atomic_requests
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portico.domain import accounts, events, images, memberships, organizations, people
from portico.domain.access import Member
from portico.domain.errors import Refusal
from portico.domain.people import User

from . import pages, proof
from .accounts import SessionsAdapter, mine, overview
from .forms import see_other, status
from .sentences import told

A_PAGE = 50  # events


@login_required
@never_cache
@require_POST
def picture(request: HttpRequest) -> HttpResponse:
    """Set my picture, or take it away."""
    me = pages.person(request)
    removes = request.POST.get("do") == "remove"
    try:
        people.show(me, "" if removes else images.keep(images.read(request.FILES.get("image"))))
    except Refusal as refusal:
        return overview(request, me.user.name, refusal)
    messages.success(request, _("The picture is taken away.") if removes else _("The picture is saved."))
    return see_other("account")


# --- Organizations -------------------------------------------------------------------------------------------------


@non_atomic_requests
@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def places(request: HttpRequest) -> HttpResponse:
    """Where I belong, by which of my addresses each knows me, and the way out."""
    me = pages.person(request)
    rows = list(organizations.of(me.user))
    if request.method != "POST":
        return page_of_places(request, rows)
    chosen = organizations.entered(rows, request.POST.get("organization", ""))
    if chosen is None:
        raise Http404
    try:
        memberships.known_by(Member.of(chosen, me.via, proved_at=me.proved_at), request.POST.get("address", ""))
    except Refusal as refusal:
        return page_of_places(request, list(organizations.of(me.user)), refusal, chosen.organization.slug)
    messages.success(request, _("%(name)s knows you by another address now.") % {"name": chosen.organization.name})
    return see_other("my_organizations")


def page_of_places(
    request: HttpRequest, rows: list[memberships.Membership], refusal: Refusal | None = None, blamed: str = ""
) -> HttpResponse:
    me = pages.person(request)
    context = {
        "rows": [(row, row.state(me.now), row.is_effective(me.now)) for row in rows],
        "addresses": [each.email for each in mine(me.user) if each.verified],
        "refusal": refusal,
        "blamed": blamed,
    }
    return pages.render(request, "account/organizations.html", context, status=status(refusal))


# --- What happened, and what is kept -------------------------------------------------------------------------------


@login_required
@never_cache
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """What was done to my account, the newest first."""
    try:
        before = UUID(request.GET["before"]) if "before" in request.GET else None
    except ValueError as error:
        raise Http404 from error
    user: User = request.user  # type: ignore[assignment]
    lines = events.of_account(user.pk, before=before, limit=A_PAGE + 1)
    shown = lines[:A_PAGE]
    context = {
        "events": list(zip(told(shown), shown, strict=True)),
        "pictures": {user.pk: user.image},
        "older": shown[-1].event.pk if len(lines) > A_PAGE else None,
        "newest": before is None,
    }
    return pages.render(request, "account/events.html", context)


@login_required
@never_cache
@require_safe
def data(request: HttpRequest) -> StreamingHttpResponse:
    """All that is kept of me, as a file."""
    user: User = request.user  # type: ignore[assignment]
    headers = {"Content-Disposition": 'attachment; filename="portico.json"'}
    return StreamingHttpResponse(as_json(user), content_type="application/json", headers=headers)


def as_json(user: User) -> Iterator[str]:
    """Part by part and row by row, however much it is."""
    encode = DjangoJSONEncoder(indent=2, ensure_ascii=False).encode
    for number, (name, rows) in enumerate(accounts.everything_of(user)):
        yield "{\n" if number == 0 else ",\n"
        yield f'"{name}": ['
        for place, row in enumerate(rows):
            yield ("," if place else "") + "\n" + encode(row)
        yield "]"
    yield "\n}\n"


# --- Away ----------------------------------------------------------------------------------------------------------


@login_required
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Out of all browsers, this one too."""
    SessionsAdapter().end_sessions(UserSession.objects.purge_and_list(request.user))
    logout(request)
    messages.success(request, _("You are signed out everywhere."))
    return see_other("account_login")


@non_atomic_requests
@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest) -> HttpResponse:
    """What ends with my account, and the button that ends it."""
    me = pages.person(request)
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            accounts.close(me)
        except Refusal as error:
            if me.lacks_proof:
                return proof.ask(request)
            refusal = error
        else:
            logout(request)
            messages.success(request, _("Your account is closed. The last letter about it is on its way."))
            return see_other("account_login")
    context = {
        "rows": organizations.of(me.user),
        "alone": accounts.administered_alone(me.user),
        "refusal": refusal,
    }
    return pages.render(request, "account/close.html", context, status=status(refusal))
