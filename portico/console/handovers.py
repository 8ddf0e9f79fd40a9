"""Handing over: the Administrator's offer, and the answer of whom it is made to. Both are one page."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portico.domain import handovers, invitations, memberships, roles
from portico.domain.access import Member
from portico.domain.errors import Invalid, Refusal
from portico.domain.handovers import Handover
from portico.domain.permissions import ADMINISTER
from portico.domain.roles import ADMINISTRATOR, Grant, Role

from . import pages
from .forms import problems, see_other, status
from .seats import few, meant
from .users import Ending


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: pages.PageRequest) -> HttpResponse:
    """The offer that waits, to whom it concerns; and to an Administrator, while none waits, the form to make one."""
    actor = request.actor
    waiting = handovers.visible_to(actor).first()
    if request.method == "POST":
        return act(request, waiting)
    return page_of(request, waiting)


def page_of(request: pages.PageRequest, waiting: Handover | None, refusal: Refusal | None = None) -> HttpResponse:
    actor = request.actor
    if waiting and waiting.receiver and memberships.is_self(actor, waiting.receiver):
        return offered(request, waiting, refusal)
    if not actor.can(ADMINISTER):
        return pages.render(request, "console/handover_gone.html", {"place": "settings"}, status=404)
    facts = refusal.facts if refusal else {}
    named = [*facts.get("matching", ()), *([waiting.receiver] if waiting and waiting.receiver else [])]
    context = {
        "place": "settings",
        "waiting": waiting,
        "pictures": memberships.pictures(actor, [member.user_id for member in named]),
        "suggested": [] if waiting else few(handovers.candidates(actor)),
        "roles": steps(actor),
        "typed": request.POST.get("who", ""),
        "problems": problems(refusal, "who", "step_down") if refusal else {},
        **facts,
    }
    return pages.render(request, "console/handover.html", context, status=status(refusal))


def offered(request: pages.PageRequest, waiting: Handover, refusal: Refusal | None) -> HttpResponse:
    """To whom may accept it: what it gives, and what it ends."""
    context = {"place": "settings", "handover": waiting, "ending": ending(request.actor, waiting), "refusal": refusal}
    return pages.render(request, "console/handover_offer.html", context, status=status(refusal))


def ending(actor: Member, waiting: Handover) -> Ending | None:
    """The invitations that the giver could no longer send, and how many of them a new Administrator could take over."""
    if waiting.giver is None or waiting.role is None:
        return None
    offers = invitations.standing_on([waiting.giver], Grant(role=waiting.role), actor.now)
    raised = copy(actor.membership)
    raised.grant = actor.organization.roles.get(slug=ADMINISTRATOR)
    return Ending(replace(actor, membership=raised), offers)


def steps(actor: Member) -> list[Role]:
    """The roles to which an Administrator can step down."""
    return [role for role in roles.visible_to(actor) if not role.is_administrator]


# --- What one may do -----------------------------------------------------------------------------------------------


def act(request: pages.PageRequest, waiting: Handover | None) -> HttpResponse:
    """Offer it, or withdraw, accept or decline the very one that the page showed."""
    answer = ANSWERS.get(request.POST.get("do", ""))
    if answer is None and waiting is None:
        request.actor.require(ADMINISTER)
    try:
        if answer is None:
            return offer(request)
        if waiting is None or str(waiting.pk) != request.POST.get("handover"):
            return page_of(request, waiting, handovers.closed())
        return answer(request, waiting)
    except Refusal as refusal:
        # What was refused may have changed since the page was shown, so the page is made anew.
        return page_of(request, handovers.visible_to(request.actor).first(), refusal)


def offer(request: pages.PageRequest) -> HttpResponse:
    actor = request.actor
    nobody = _("Among the active members who are no Administrators nobody is called “%(text)s”.")
    member = meant(request, handovers.candidates(actor), nobody)
    handovers.offer(actor, member=member, step_down=chosen(request))
    messages.success(request, _("A letter to %(name)s is on its way.") % {"name": member.name})
    return see_other("handover", actor.organization.slug)


def chosen(request: pages.PageRequest) -> Role | None:
    """The role that the giver then takes; none, who stays an Administrator."""
    slug = request.POST.get("step_down", "")
    role = next((role for role in steps(request.actor) if role.slug == slug), None)
    if slug and role is None:
        raise Invalid(_("There is no role “%(role)s” here.") % {"role": slug[:80]}, field="step_down")
    return role


def withdraw(request: pages.PageRequest, waiting: Handover) -> HttpResponse:
    handovers.withdraw(request.actor, handover=waiting)
    messages.success(request, _("The offer is withdrawn."))
    return see_other("handover", request.actor.organization.slug)


def accept(request: pages.PageRequest, waiting: Handover) -> HttpResponse:
    actor = request.actor
    handovers.accept(actor, waiting, take_over=bool(request.POST.get("take_over")))
    messages.success(request, _("You are an Administrator of %(name)s now.") % {"name": actor.organization.name})
    return see_other("dashboard", actor.organization.slug)


def decline(request: pages.PageRequest, waiting: Handover) -> HttpResponse:
    handovers.decline(request.actor, waiting)
    messages.success(request, _("You declined. Nothing has changed."))
    return see_other("dashboard", request.actor.organization.slug)


ANSWERS: dict[str, Callable[[Any, Handover], HttpResponse]] = {
    "withdraw": withdraw,
    "accept": accept,
    "decline": decline,
}
