"""Former members: who was removed or left lately, and the button that invites them back."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import prefetch_related_objects
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portico.domain import departures
from portico.domain.departures import Departure
from portico.domain.errors import Refusal
from portico.domain.permissions import MEMBERS_MANAGE, WORKSPACE_VIEW, catalogue

from . import pages
from .forms import see_other, status

SIZE = 50


@pages.page
@require_safe
def index(request: pages.PageRequest) -> HttpResponse:
    """Whom one could bring back."""
    actor = request.actor
    actor.require(MEMBERS_MANAGE)
    part = Paginator(departures.visible_to(actor), SIZE).get_page(request.GET.get("page"))
    context = {
        "place": "users",
        "part": part,
        "rows": departures.read(actor, part.object_list),
        "days": departures.KNOWN_FOR.days,
    }
    return pages.render(request, "console/former.html", context)


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """What would be offered again, and the button that offers it."""
    actor = request.actor
    actor.require(MEMBERS_MANAGE)
    departure = departures.find(actor, pk)
    if request.method != "POST":
        return asked(request, departure)
    try:
        offer = departures.bring_back(actor, departure=pk)
    except Refusal as refusal:
        return asked(request, departure, refusal)
    messages.success(request, _("A letter invites %(address)s back.") % {"address": offer.address})
    return see_other("user", actor.organization.slug, offer.pk)


def asked(request: pages.PageRequest, departure: Departure, refusal: Refusal | None = None) -> HttpResponse:
    actor = request.actor
    prefetch_related_objects([actor.membership], "seats")
    offer = departures.what_of(actor, departure)
    shown = [place for place in offer.left_out if actor.can(WORKSPACE_VIEW, place)]
    given = offer.grant.permissions if offer.grant else frozenset()
    context = {
        "place": "users",
        "departure": departure,
        "offer": offer,
        "permissions": catalogue().granted(given),
        "missing": catalogue().granted(frozenset(offer.missing)),
        "shown": shown,
        "hidden": len(offer.left_out) - len(shown),
        "refusal": refusal,
    }
    return pages.render(request, "console/former_back.html", context, status=status(refusal))
