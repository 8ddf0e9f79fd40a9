"""Where people begin: the first page of an empty instance, my organizations, founding one, and its dashboard."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from portico.domain import events, handovers, invitations, memberships, organizations, people, workspaces
from portico.domain.access import Member
from portico.domain.errors import Invalid, Refused
from portico.domain.memberships import Membership
from portico.domain.organizations import COLORS
from portico.domain.outbox import Letter
from portico.domain.permissions import ADMINISTER, MEMBERS_MANAGE, MEMBERS_VIEW, catalogue
from portico.domain.workspaces import Workspace
from portico.production import Gap, gaps

from . import pages, sentences
from .forms import problems, see_other, status

SHORT = 5  # lines of a list on the dashboard
SOON = timedelta(days=14)
COLOR_NAMES = {
    "violet": gettext_lazy("Violet"),
    "indigo": gettext_lazy("Indigo"),
    "blue": gettext_lazy("Blue"),
    "sky": gettext_lazy("Sky"),
    "teal": gettext_lazy("Teal"),
    "green": gettext_lazy("Green"),
    "lime": gettext_lazy("Lime"),
    "yellow": gettext_lazy("Yellow"),
    "orange": gettext_lazy("Orange"),
    "red": gettext_lazy("Red"),
    "pink": gettext_lazy("Pink"),
    "slate": gettext_lazy("Slate"),
}


@never_cache
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """My organizations; signed out the way in; and where nobody is yet, how to begin."""
    if request.user.is_authenticated:
        return mine(request)
    if people.is_anybody_here():
        return redirect(settings.LOGIN_URL)
    return first(request)


def first(request: HttpRequest) -> HttpResponse:
    context = {
        "unset": unset(),
        "base_url": settings.BASE_URL,
        "signup_is_open": settings.SIGNUP == "open",
        "founding_is_open": organizations.founding_is_open(),
    }
    return pages.render(request, "console/first.html", context)


def unset() -> list[Gap]:
    """The settings that are missing before others can use this server."""
    environment = settings.ENVIRONMENT
    if not environment.is_loopback:
        return gaps(environment)
    sentence = _("Only this machine reaches %(address)s. Say the address that people will type.")
    reachable = environment.model_copy(update={"base_url": "https://portico.example.org"})
    return [Gap("PORTICO_BASE_URL", sentence % {"address": environment.base_url}), *gaps(reachable)]


def mine(request: Any) -> HttpResponse:
    user, now = request.user, pages.person(request).now
    sizes = organizations.sizes(user, now)
    rows = [
        {"membership": row, "state": row.state(now), "size": sizes.get(row.organization_id)}
        for row in organizations.of(user)
    ]
    context = {
        "rows": rows,
        "invitations": invitations.waiting_for(user),
        "handovers": handovers.waiting_for(user),
        "founding_is_open": organizations.founding_is_open(),
    }
    return pages.render(request, "console/home.html", context)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Create an organization."""
    organizations.ensure_founding_is_open()
    typed = {name: request.POST.get(name, "") for name in ("name", "slug", "description")}
    typed["color"] = request.POST.get("color", COLORS[0])
    refusal: Invalid | Refused | None = None
    if request.method == "POST":
        try:
            organization = organizations.found(pages.person(request), **typed).organization
        except (Invalid, Refused) as error:
            refusal = error
        else:
            messages.success(request, _("%(name)s is there. Now invite people.") % {"name": organization.name})
            return see_other("dashboard", organization.slug)
    context = {
        "typed": typed,
        "problems": problems(refusal, *typed) if refusal else {},
        "colors": [(color, COLOR_NAMES[color]) for color in COLORS],
        "prefix": f"{settings.BASE_URL}/o/",
    }
    return pages.render(request, "console/organization_new.html", context, status=status(refusal))


@pages.page
@require_safe
def dashboard(request: pages.PageRequest) -> HttpResponse:
    """Short lists of what is here, as far as one may see it."""
    actor = request.actor
    context: dict[str, Any] = {"place": "dashboard", **places(actor)}
    context["handover"] = handovers.visible_to(actor).filter(receiver=actor.membership).first()
    if actor.can(MEMBERS_VIEW):
        everybody = memberships.visible_to(actor)
        context |= {"people": list(everybody.order_by("-joined_at", "-id")[:SHORT]), "size": everybody.count()}
    if actor.can(MEMBERS_MANAGE):
        context |= {"waiting": waiting(actor), "ending": ending(actor)}
    else:
        context["managers"] = managers(actor)
    if actor.can(ADMINISTER):
        context["events"] = sentences.told(events.recent(actor))
    else:
        context["held"] = [permission for permission in catalogue().of_organization if actor.can(permission)]
    shown = [row.user_id for row in [*context.get("people", ()), *context.get("managers", ())]]
    shown += [event.key for event in context.get("events", ())]
    context["pictures"] = memberships.pictures(actor, shown)
    return pages.render(request, "console/dashboard.html", context)


def places(actor: Member) -> dict[str, Any]:
    """Workspaces: one's own first, with the seat that one has there, then others that one may see."""
    seats = {seat.workspace_id: seat.role for seat in actor.membership.seats.all()}
    visible = workspaces.visible_to(actor).filter(archived_at__isnull=True)
    own_first = models.Case(models.When(pk__in=list(seats), then=0), default=1)
    rows: list[Workspace] = list(visible.order_by(own_first, "name", "id")[:SHORT])
    return {"places": [(row, seats.get(row.pk)) for row in rows], "places_count": visible.count()}


def waiting(actor: Member) -> dict[str, Any]:
    """Invitations that wait for somebody, the most urgent first: letters given up, then expired ones."""
    rows = invitations.visible_to(actor).pending()
    urgency = models.Case(
        models.When(letter__state=Letter.State.GIVEN_UP, then=0),
        models.When(expires_at__lte=actor.now, then=1),
        default=2,
    )
    return {"rows": list(rows.order_by(urgency, "expires_at", "id")[:SHORT]), "count": rows.count()}


def ending(actor: Member) -> list[Membership]:
    """Memberships that end within the next days."""
    rows = memberships.visible_to(actor).filter(suspended_at__isnull=True)
    return list(rows.filter(expires_at__gt=actor.now, expires_at__lte=actor.now + SOON).order_by("expires_at")[:SHORT])


def managers(actor: Member) -> list[Membership]:
    """Whom to ask; by name for those who may see members."""
    return list(memberships.who_manage(actor.organization, actor.now)[:SHORT]) if actor.can(MEMBERS_VIEW) else []


@never_cache
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Nothing here. Signed out, every address of an organization leads to sign-in, whether it exists or not."""
    if request.path.startswith("/o/") and not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
    return pages.render(request, "console/not_found.html", status=404)
