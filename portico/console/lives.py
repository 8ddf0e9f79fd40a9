"""What befalls a membership: suspending, reactivating, when it ends; and its whole history."""

from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portico.domain import events, invitations, memberships
from portico.domain.errors import Refusal
from portico.domain.memberships import ACTIVE, SUSPENDED, End, Membership
from portico.domain.permissions import MEMBERS_MANAGE

from . import members, pages, users
from .forms import see_other, status
from .offers import end_of
from .sentences import told

SHOWN = 50  # events on a page of a history


def member_of(request: pages.PageRequest, pk: UUID) -> Membership:
    """A member whom one may see, and change if one manages members."""
    member = memberships.visible_to(request.actor).filter(pk=pk).first()
    if member is None:
        raise Http404
    request.actor.require(MEMBERS_MANAGE)
    return member


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def suspend(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """What will end, and the button that suspends."""
    actor, member = request.actor, member_of(request, pk)
    if request.method != "POST":
        return suspension(request, member)
    try:
        memberships.change(
            actor,
            member=member,
            status=SUSPENDED,
            version=members.whole(request.POST.get("version", "")),
            take_over=bool(request.POST.get("take_over")),
        )
    except Refusal as refusal:
        return suspension(request, members.as_it_stands(request, pk, refusal), refusal)
    said = _("%(name)s is suspended.") % {"name": member.name}
    messages.success(request, f"{said} {users.ended_with(actor)}".strip())
    return see_other("home") if memberships.is_self(actor, member) else see_other("user", actor.organization.slug, pk)


def suspension(request: pages.PageRequest, member: Membership, refusal: Refusal | None = None) -> HttpResponse:
    actor = request.actor
    prefetch_related_objects([actor.membership], "seats")
    context = {
        "place": "users",
        "member": member,
        "myself": memberships.is_self(actor, member),
        "ending": members.ending_of(actor, member, invitations.standing_on([member], None, actor.now)),
        "refusal": refusal,
    }
    return pages.render(request, "console/user_suspend.html", context, status=status(refusal))


@pages.page
@require_POST
def reactivate(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """Let the member do again what they could."""
    member = member_of(request, pk)
    version = members.whole(request.POST.get("version", ""))
    try:
        memberships.change(request.actor, member=member, status=ACTIVE, version=version)
    except Refusal as refusal:
        return members.page_of(request, members.as_it_stands(request, pk, refusal), refusal=refusal)
    messages.success(request, _("%(name)s is active again.") % {"name": member.name})
    return see_other("user", request.actor.organization.slug, pk)


@pages.page
@require_POST
def end(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """Set, move or lift the end of the membership."""
    actor, member = request.actor, member_of(request, pk)
    try:
        until = end_of(request.POST.get("ends_on", ""), field="expires_at")
        if is_shown_as(until, member.expires_at, actor.now):
            until = member.expires_at
        version = members.whole(request.POST.get("version", ""))
        memberships.change(actor, member=member, end=End(until), version=version)
    except Refusal as refusal:
        return members.page_of(request, members.as_it_stands(request, pk, refusal), refusal=refusal)
    messages.success(request, said_of(member, until))
    return see_other("user", actor.organization.slug, pk)


def is_shown_as(until: datetime | None, end: datetime | None, now: datetime) -> bool:
    """Whether a day stands for the end as it is: the page shows no hours, and saving it must not move them."""
    return bool(until and end and end > now and until.date() == end.astimezone(UTC).date())


def said_of(member: Membership, until: datetime | None) -> str:
    if until is None:
        return _("The membership of %(name)s does not end.") % {"name": member.name}
    return _("The membership of %(name)s ends on %(day)s.") % {"name": member.name, "day": f"{until:%Y-%m-%d}"}


@pages.page
@require_safe
def history(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """All that befell a member, also in memberships before this one; the newest first, from an event on."""
    actor, member = request.actor, member_of(request, pk)
    before = key_in(request.GET.get("before", ""))
    lines = events.recent(actor, about=member.user_id, before=before, limit=SHOWN + 1)
    history = told(lines[:SHOWN])
    context = {
        "place": "users",
        "member": member,
        "history": history,
        "pictures": memberships.pictures(actor, [event.key for event in history]),
        "older": lines[SHOWN - 1].event.pk if len(lines) > SHOWN else None,
        "before": before,
    }
    return pages.render(request, "console/user_history.html", context)


def key_in(text: str) -> UUID | None:
    """The event from which a page goes on; nonsense is the beginning."""
    try:
        return UUID(text)
    except ValueError:
        return None
