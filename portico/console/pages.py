"""How every page of an organization begins: who asks, in which organization, and what stands in the frame."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponsePermanentRedirect
from django.shortcuts import render as django_render
from django.views.decorators.cache import never_cache

from portico import web
from portico.domain import memberships, organizations
from portico.domain.access import Member, Person, Via

from . import proof

View = Callable[..., HttpResponseBase]


class PageRequest(HttpRequest):
    """A request that has passed `page`: somebody who may be here."""

    actor: Member


def via(request: HttpRequest) -> Via:
    return web.via(request, "console")


def person(request: HttpRequest, organization: Any = None) -> Person:
    """The signed-in person, not as a member."""
    proved = web.proved_at(request)
    return Person(organization=organization, via=via(request), user=request.user, proved_at=proved)  # type: ignore[arg-type]


def page(view: View) -> View:
    """A page of one organization, for its active members. Others learn nothing, not even that it exists.

    Signed out, every address leads to sign-in. A suspended or expired member, and everybody of a closed organization,
    gets one page that says so. What was refused for want of a proof waits for it.
    """

    @wraps(view)
    @never_cache
    def run(request: Any, slug: str, **kwargs: Any) -> HttpResponseBase:
        if elsewhere := enter(request, slug):
            return elsewhere
        membership, now = request.actor.membership, request.actor.now
        if not membership.is_effective(now):
            asleep = {"state": membership.state(now), "restorable": organizations.may_restore(membership, now)}
            return render(request, "console/asleep.html", asleep, status=403)
        memberships.seen(membership, now)
        answer = view(request, **kwargs)
        return proof.ask(request) if request.actor.lacks_proof else answer

    return run


def page_of_the_closed(view: View) -> View:
    """The same for what can be done in a closed organization too."""

    @wraps(view)
    @never_cache
    def run(request: Any, slug: str, **kwargs: Any) -> HttpResponseBase:
        return enter(request, slug) or view(request, **kwargs)

    return run


def enter(request: Any, slug: str) -> HttpResponse | None:
    """Find out as whom somebody comes to an organization; or where they have to go first."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
    request.memberships = list(organizations.of(request.user))  # my organizations, for the switcher too
    membership = organizations.entered(request.memberships, slug)
    if membership is None:
        return moved(request, slug)
    request.actor = Member.of(membership, via(request), proved_at=web.proved_at(request))
    return None


def moved(request: Any, slug: str) -> HttpResponse:
    """On to the address of today, with the same method; to those who belong."""
    former = organizations.entered_formerly(request.memberships, slug)
    if former is None:
        raise Http404
    path = request.get_full_path().replace(f"/o/{slug}/", f"/o/{former.organization.slug}/", 1)
    return HttpResponsePermanentRedirect(path, preserve_request=True)


def render(request: Any, template: str, context: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    """A whole page. In an organization, the frame's words stand ready."""
    frame: dict[str, Any] = {}
    if actor := getattr(request, "actor", None):
        frame = {"actor": actor, "organization": actor.organization, "membership": actor.membership, "now": actor.now}
    return django_render(request, template, frame | (context or {}), status=status)
