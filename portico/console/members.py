"""One user: what they may do and why, their seats, their history; or an invitation and what became of its letters."""

from dataclasses import dataclass
from datetime import UTC
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portico.domain import directory, events, invitations, memberships, tokens, workspaces
from portico.domain.access import Member
from portico.domain.errors import Refusal
from portico.domain.events import Line
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.permissions import MANAGER, MEMBERS_MANAGE, WORKSPACE_MANAGE, WORKSPACE_VIEW, Permission, catalogue
from portico.domain.workspaces import Workspace

from . import grants, pages, users
from .forms import see_other, status, whole
from .offers import DAYS, number
from .seats import Losing, unseen
from .sentences import told
from .users import Ending

HISTORY = 20
# What gives a membership its next version.
CHANGES = {"member.changed", "member.suspended", "member.reactivated", "member.end_changed"}


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """A member, or an invitation: whichever this id is, as far as one may see it."""
    if member := memberships.visible_to(request.actor).filter(pk=pk).first():
        return save(request, member) if request.method == "POST" else page_of(request, member)
    offer = offer_of(request.actor, pk)
    if offer is None:
        raise Http404
    return act(request, offer) if request.method == "POST" else page_of_offer(request, offer)


# --- A member ------------------------------------------------------------------------------------------------------


def save(request: pages.PageRequest, member: Membership) -> HttpResponse:
    """Give the member what the form asks for. What this would end is shown first."""
    actor = request.actor
    try:
        actor.require(MEMBERS_MANAGE)
        grant = grants.read(actor, request.POST)
        ending = ending_of(actor, member, invitations.standing_on([member], grant, actor.now))
        if ending.offers and request.POST.get("ends") != str(len(ending.offers)):
            return page_of(request, member, ending=ending)
        memberships.change(
            actor,
            member=member,
            grant=grant,
            version=whole(request.POST.get("version", "")),
            take_over=bool(request.POST.get("take_over")),
        )
    except Refusal as refusal:
        return page_of(request, as_it_stands(request, member.pk, refusal), refusal=refusal)
    said = _("%(name)s: saved.") % {"name": member.name}
    messages.success(request, f"{said} {users.ended_with(actor)}".strip())
    return see_other("user", actor.organization.slug, member.pk)


def as_it_stands(request: pages.PageRequest, pk: UUID, refusal: Refusal) -> Membership:
    """The member after a refusal. Whoever may not see them any more, or nobody is there, is told of that alone."""
    found = memberships.visible_to(request.actor).filter(pk=pk).first()
    if found is None:
        raise refusal
    return found


def ending_of(actor: Member, member: Membership, offers: list[Invitation]) -> Ending:
    return Ending(actor, offers, memberships.is_self(actor, member))


def page_of(
    request: pages.PageRequest,
    member: Membership,
    refusal: Refusal | None = None,
    ending: Ending | None = None,
    losing: Losing | None = None,
) -> HttpResponse:
    actor = request.actor
    prefetch_related_objects([actor.membership, member], "seats")
    myself, manages = memberships.is_self(actor, member), actor.can(MEMBERS_MANAGE)
    beyond = manages and not myself and not actor.covers(member.grant.permissions)
    lines = events.recent(actor, about=member.user_id, limit=HISTORY + 1) if manages else []
    stale = refusal is not None and refusal.code == "changed_meanwhile"
    history = told(lines[:HISTORY])
    changes = told(since(lines, member, whole(request.POST.get("version", "")))) if stale else []
    seats, places = seats_of(actor, member)
    context = {
        "place": "users",
        "member": member,
        "pictures": memberships.pictures(actor, [member.user_id, *(event.key for event in [*history, *changes])]),
        "myself": myself,
        "manages": manages,
        "edits": manages and not beyond,
        "grants": offered(
            request, member, closed=beyond or not manages, typed=not stale and "workspace" not in request.POST
        ),
        "held": held(member),
        "ending": ending,
        "losing": losing,
        "changes": changes,
        "seats": seats,
        "places": places,
        "history": history,
        "more_history": len(lines) > HISTORY,
        "ends_on": day_of(member) if stale else request.POST.get("ends_on", day_of(member)),
        "sponsors": Invitation.objects.pending().filter(sponsor=member).count() if manages or myself else 0,
        **blamed(refusal),
    }
    return pages.render(request, "console/user.html", context, status=status(refusal))


def blamed(refusal: Refusal | None) -> dict[str, Refusal | None]:
    """What is wrong with the role, or with the end, stands beside it; all else at the top of the page."""
    of_grant = refusal is not None and refusal.field in {"role", "permissions"}
    of_end = refusal is not None and refusal.field == "expires_at"
    return {
        "wrong": refusal if of_grant else None,
        "wrong_end": refusal if of_end else None,
        "refusal": None if of_grant or of_end else refusal,
    }


def day_of(member: Membership) -> str:
    """The last day of the membership, as the field for it wants it."""
    return f"{member.expires_at.astimezone(UTC):%Y-%m-%d}" if member.expires_at else ""


def since(lines: list[Line], member: Membership, shown: int | None) -> list[Line]:
    """What changed after the version that a page showed."""
    batches = dict.fromkeys(line.event.batch for line in lines if line.event.action in CHANGES)
    newer = list(batches)[: max(1, member.version - (shown or 0))]
    return [line for line in lines if line.event.batch in newer and line.event.action in CHANGES]


def offered(request: pages.PageRequest, member: Membership, *, closed: bool, typed: bool) -> grants.Offered:
    """Role and boxes as the member has them, or as somebody has just tried to set them."""
    why = grants.why_held(member.grant)
    if request.method == "POST" and "role" in request.POST and typed and not closed:
        return grants.typed(request.actor, request.POST, why)
    return grants.as_it_is(request.actor, member.grant, why, closed=closed)


def held(member: Membership) -> list[tuple[Permission, str]]:
    """What a member may do in the organization, and why."""
    return list(grants.why_held(member.grant).items())


@dataclass(frozen=True)
class Sits:
    """A seat in a workspace that one may see, what it adds there, and whether one decides about it."""

    workspace: Workspace
    role: str
    adds: list[Permission]
    decides: bool


def seats_of(actor: Member, member: Membership) -> tuple[list[Sits], list[Workspace]]:
    """The member's seats as far as one may see them, and the workspaces in which one could give a first one.

    Who may not view a workspace sees no more than its managers.
    """
    roles = {seat.workspace_id: seat.role for seat in member.seats.all()}
    seats, free = [], []
    for place in workspaces.visible_to(actor).filter(archived_at__isnull=True):
        role, decides = roles.get(place.pk), actor.can(WORKSPACE_MANAGE, place)
        if role and (role == MANAGER or actor.can(WORKSPACE_VIEW, place)):
            given = catalogue().given_by_seat(role)
            adds = [permission for permission in catalogue().of_workspace if permission in given]
            seats.append(Sits(place, role, adds, decides))
        elif decides and not role:
            free.append(place)
    return seats, free


@pages.page
@require_POST
def seats(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """Give the member a seat, change it, or take it away. What that would end is shown first."""
    actor = request.actor
    member = memberships.visible_to(actor).filter(pk=pk).first()
    slug = request.POST.get("workspace", "").replace("\0", "")
    place = workspaces.visible_to(actor).filter(slug=slug).first()
    if member is None or place is None:
        raise Http404
    role, shown = request.POST.get("role", ""), request.POST.get("shown")
    take_over = bool(request.POST.get("take_over"))
    try:
        actor.require(WORKSPACE_MANAGE, place)
        if role != MANAGER and (losing := unseen(request, place, member, takes=not role)):
            return page_of(request, member, losing=losing)
        if role:
            workspaces.give_seat(actor, workspace=place, member=member, role=role, shown=shown, take_over=take_over)
            say = (
                _("%(name)s manages %(workspace)s.") if role == MANAGER else _("%(name)s is a member of %(workspace)s.")
            )
        else:
            workspaces.take_seat(actor, workspace=place, member=member, shown=shown, take_over=take_over)
            say = _("%(name)s has no seat in %(workspace)s any more.")
    except Refusal as refusal:
        return page_of(request, as_it_stands(request, pk, refusal), refusal=refusal)
    said = say % {"name": member.name, "workspace": place.name}
    messages.success(request, f"{said} {users.ended_with(actor)}".strip())
    return see_other("user", actor.organization.slug, member.pk)


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """What will end, and the button that ends it. To leave oneself needs no permission."""
    actor = request.actor
    member = memberships.visible_to(actor).filter(pk=pk).first()
    if member is None:
        raise Http404
    if memberships.is_self(actor, member):
        return leave(request, member)
    actor.require(MEMBERS_MANAGE)
    if request.method != "POST":
        return removal(request, member)
    try:
        [result] = memberships.remove(actor, members=[member], take_over=bool(request.POST.get("take_over")))
    except Refusal as refusal:
        return removal(request, member, refusal)
    if result.refusal:
        return removal(request, member, result.refusal)
    said = _("%(name)s is removed.") % {"name": member.name}
    messages.success(request, f"{said} {users.ended_with(actor)}".strip())
    return see_other("users", actor.organization.slug)


def leave(request: pages.PageRequest, member: Membership) -> HttpResponse:
    if request.method != "POST":
        return removal(request, member)
    try:
        memberships.leave(request.actor)
    except Refusal as refusal:
        return removal(request, member, refusal)
    messages.success(request, _("You have left %(name)s.") % {"name": member.organization.name})
    return see_other("home")


def removal(request: pages.PageRequest, member: Membership, refusal: Refusal | None = None) -> HttpResponse:
    actor = request.actor
    prefetch_related_objects([actor.membership], "seats")
    places = directory.seats_of(actor, [member], workspaces.visible_to(actor))[member.pk]
    context = {
        "place": "users",
        "member": member,
        "myself": memberships.is_self(actor, member),
        "places": places,
        "tokens": tokens.count_of([member]),
        "ending": ending_of(actor, member, invitations.standing_on([member], None, actor.now)),
        "refusal": refusal,
    }
    return pages.render(request, "console/user_remove.html", context, status=status(refusal))


# --- An invitation -------------------------------------------------------------------------------------------------


def offer_of(actor: Member, pk: UUID) -> Invitation | None:
    return invitations.visible_to(actor).prefetch_related("seats__workspace").filter(pk=pk).first()


def act(request: pages.PageRequest, offer: Invitation) -> HttpResponse:
    """Send it again, perhaps with something else; revoke it; or revoke it and begin anew with another address."""
    done = {"revoke": revoke, "again": again, "link": link}.get(request.POST.get("do", ""), resend)
    try:
        return done(request, offer)
    except Refusal as refusal:
        return page_of_offer(request, offer, refusal)


def resend(request: pages.PageRequest, offer: Invitation) -> HttpResponse:
    grant = grants.read(request.actor, request.POST) if request.POST.get("role") else None
    days = number(request.POST.get("days", str(invitations.DAYS)))
    shown = whole(request.POST.get("shown", ""))
    [result] = invitations.resend(request.actor, invitations=[offer], grant=grant, days=days, shown=shown)
    if result.refusal:
        raise result.refusal
    messages.success(request, _("A new letter to %(address)s is on its way.") % {"address": offer.address})
    return see_other("user", request.actor.organization.slug, offer.pk)


def revoke(request: pages.PageRequest, offer: Invitation) -> HttpResponse:
    [result] = invitations.revoke(request.actor, invitations=[offer], shown=whole(request.POST.get("shown", "")))
    if result.refusal:
        raise result.refusal
    messages.success(request, _("The invitation to %(address)s is revoked.") % {"address": offer.address})
    return see_other("users", request.actor.organization.slug)


def link(request: pages.PageRequest, offer: Invitation) -> HttpResponse:
    """A link to hand over, on this page and never again."""
    token = invitations.make_link(request.actor, invitation=offer, shown=whole(request.POST.get("shown", "")))
    return page_of_offer(request, offer, link=settings.BASE_URL + resolve_url("join", token))


def again(request: pages.PageRequest, offer: Invitation) -> HttpResponse:
    revoke(request, offer)
    where = resolve_url("invite", request.actor.organization.slug)
    return HttpResponseRedirect(f"{where}?{urlencode({'email': offer.address})}", status=303)


def page_of_offer(
    request: pages.PageRequest, offer: Invitation, refusal: Refusal | None = None, link: str = ""
) -> HttpResponse:
    actor = request.actor
    prefetch_related_objects([actor.membership], "seats")
    if refusal:  # as it stands now, for who may still see it
        found = offer_of(actor, offer.pk)
        if found is None:
            raise refusal
        offer = found
    pending = offer.state == Invitation.State.PENDING
    beyond = pending and not actor.covers(offer.grant.permissions)
    history = told(events.recent(actor, about=offer.pk, limit=HISTORY))
    context = {
        "place": "users",
        "offer": offer,
        "pending": pending,
        "beyond": beyond,
        "may_act": pending and not beyond,
        "expired": offer.is_expired(actor.now),
        "link": link,
        "backed": not pending or offer.is_sponsored(actor.now),
        "grants": offered_as(request, offer, refusal),
        "held": grants.ticks(offer.grant),
        "seats": offered_seats(actor, offer),
        "letters": invitations.letters_of(offer),
        "days": [(days, str(days) == request.POST.get("days", str(invitations.DAYS))) for days in DAYS],
        "history": history,
        "pictures": memberships.pictures(actor, [event.key for event in history]),
        **blamed(refusal),
    }
    return pages.render(request, "console/user_offer.html", context, status=status(refusal))


def offered_as(request: pages.PageRequest, offer: Invitation, refusal: Refusal | None) -> grants.Offered:
    if refusal and refusal.code != "changed_meanwhile" and "role" in request.POST:
        return grants.typed(request.actor, request.POST)
    return grants.as_it_is(request.actor, offer.grant)


def offered_seats(actor: Member, offer: Invitation) -> list[invitations.OfferedSeat]:
    """As far as one may see them: who may not view a workspace sees no more than its managers."""
    shown = directory.seats_of(actor, [offer], workspaces.visible_to(actor))[offer.pk]
    return [seat for seat in offer.seats.all() if seat.workspace in shown]
