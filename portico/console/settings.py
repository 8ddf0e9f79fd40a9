"""Settings: what the organization is called and how it looks; the ways to hand over, to leave and to delete it."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portico.domain import handovers, images, organizations
from portico.domain.access import Member
from portico.domain.errors import Refusal
from portico.domain.organizations import COLORS
from portico.domain.permissions import ADMINISTER, ORGANIZATION_MANAGE

from . import pages
from .forms import problems, see_other, status
from .home import COLOR_NAMES
from .members import whole

DETAILS = ("name", "slug", "description", "color")


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: pages.PageRequest) -> HttpResponse:
    """What one may change here. Leaving may everybody."""
    actor = request.actor
    if request.method != "POST":
        return page_of(request)
    actor.require(ORGANIZATION_MANAGE)
    typed = {field: request.POST[field] for field in DETAILS if field in request.POST}
    try:
        organizations.change(actor, **typed, version=whole(request.POST.get("version", "")))
    except Refusal as refusal:
        return page_of(request, typed, refusal)
    messages.success(request, _("Saved."))
    return see_other("settings", actor.organization.slug)


def page_of(
    request: pages.PageRequest, typed: dict[str, str] | None = None, refusal: Refusal | None = None
) -> HttpResponse:
    actor = request.actor
    organization = actor.organization
    if refusal:  # as it stands now
        organization.refresh_from_db()
    stale = refusal is not None and refusal.code == "changed_meanwhile"
    as_it_is = {field: getattr(organization, field) for field in DETAILS}
    context = {
        "place": "settings",
        "organization": organization,
        "manages": actor.can(ORGANIZATION_MANAGE),
        "typed": as_it_is | (typed or {}),
        "problems": problems(refusal, *DETAILS, "image") if refusal else {},
        "changed": changed(as_it_is, typed or {}) if stale else [],
        "colors": [(color, COLOR_NAMES[color]) for color in COLORS],
        "prefix": f"{settings.BASE_URL}/o/",
        "megabytes": images.MEGABYTES,
        "handover": handovers.visible_to(actor).first() if actor.can(ADMINISTER) else None,
    }
    return pages.render(request, "console/settings.html", context, status=status(refusal))


def changed(as_it_is: dict[str, str], typed: dict[str, str]) -> list[str]:
    """What stands otherwise now than in the form that somebody wanted to save."""
    called = {
        "name": _("The name is now “%(now)s”."),
        "slug": _("The address is now “%(now)s”."),
        "description": _("The description is now “%(now)s”."),
        "color": _("The colour is now %(now)s."),
    }
    if not as_it_is["description"]:
        called["description"] = _("The description is empty now.")
    shown = as_it_is | {"color": str(COLOR_NAMES[as_it_is["color"]])}
    return [called[field] % {"now": shown[field]} for field, text in typed.items() if as_it_is[field] != text]


@pages.page
@require_POST
def image(request: pages.PageRequest) -> HttpResponse:
    """Set the picture, or take it away. It is read and kept before the command, because that takes its time."""
    actor = request.actor
    actor.require(ORGANIZATION_MANAGE)
    removes = request.POST.get("do") == "remove"
    try:
        name = "" if removes else images.keep(images.read(request.FILES.get("image")))
        organizations.change(actor, image=name, version=whole(request.POST.get("version", "")))
    except Refusal as refusal:
        return page_of(request, refusal=refusal)
    messages.success(request, _("The picture is taken away.") if removes else _("The picture is saved."))
    return see_other("settings", actor.organization.slug)


# --- The end of it -------------------------------------------------------------------------------------------------


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: pages.PageRequest) -> HttpResponse:
    """What ends, and the button that ends it, for whoever types the name."""
    actor = request.actor
    actor.require(ADMINISTER)
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            organizations.close(actor, name=request.POST.get("name", ""))
        except Refusal as error:
            refusal = error
        else:
            messages.success(request, _("%(name)s is closed.") % {"name": actor.organization.name})
            return see_other("dashboard", actor.organization.slug)
    context = {
        "place": "settings",
        "typed": request.POST.get("name", ""),
        "problems": problems(refusal, "name") if refusal else {},
        "ends": what_ends(actor),
        "days": organizations.RESTORABLE_FOR.days,
    }
    return pages.render(request, "console/settings_delete.html", context, status=status(refusal))


def what_ends(actor: Member) -> dict[str, Any]:
    organization = actor.organization
    return {
        "members": organization.memberships.count(),
        "invitations": organization.invitations.pending().count(),
        "workspaces": organization.workspaces.count(),
    }


@pages.page_of_the_closed
@require_POST
def restore(request: pages.PageRequest) -> HttpResponse:
    """Open it again. Who cannot, is told so by the page that says that it is closed."""
    actor = request.actor
    organization = organizations.restore(actor)
    messages.success(request, _("%(name)s is open again.") % {"name": organization.name})
    return see_other("dashboard", organization.slug)
