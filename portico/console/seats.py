"""One workspace: its people, and who is given a seat."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import models
from django.http import Http404, HttpResponse
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portico.domain import addresses, invitations, memberships, workspaces
from portico.domain.access import Member
from portico.domain.errors import Invalid, Refused
from portico.domain.memberships import Membership
from portico.domain.permissions import MANAGER, MEMBER, MEMBERS_VIEW, NONE, WORKSPACE_MANAGE, WORKSPACE_VIEW, catalogue
from portico.domain.words import fold
from portico.domain.workspaces import SeatOffer, Workspace

from . import pages, undo, users
from .forms import problems, see_other, status
from .workspaces import ON_A_PAGE, place

SUGGESTED = 200  # as many members as a list of suggestions may hold; more are searched for
FOUND = 8
ASKED = ("do", "member", "workspace", "shown", "role")  # what a form about a seat sends


@place
@require_safe
def show(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    """To those with a seat its people, to others no more than its name and its managers."""
    return page_of(request, workspace)


def page_of(
    request: pages.PageRequest, workspace: Workspace, answer: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    actor = request.actor
    seats = workspaces.seats_visible_to(actor, workspace)
    manages = actor.can(WORKSPACE_MANAGE, workspace)
    part = Paginator(seats, ON_A_PAGE).get_page(request.GET.get("page"))
    named = [*(seat.membership for seat in part), *(answer or {}).get("matching", ())]
    own = next((seat for seat in actor.membership.seats.all() if seat.workspace_id == workspace.pk), None)
    context = {
        "place": "workspaces",
        "workspace": workspace,
        "invites": workspace.is_open and invitations.may_offer(actor, NONE, [SeatOffer(workspace)]),
        "part": part,
        "pictures": memberships.pictures(actor, [member.user_id for member in named]),
        "own": own,
        "views": actor.can(WORKSPACE_VIEW, workspace),
        "manages": manages,
        "seats_change": manages and workspace.is_open,
        "held": [permission for permission in catalogue().of_workspace if actor.can(permission, workspace)],
        "suggested": suggested(actor, workspace) if manages and workspace.is_open else [],
        "role": MEMBER,
    }
    return pages.render(request, "console/workspace.html", context | (answer or {}), status=status)


def suggested(actor: Member, workspace: Workspace) -> list[Membership]:
    """Members without a seat here, where they are few enough to be offered as a list."""
    return few(without_seat(actor, workspace))


def few(candidates: models.QuerySet[Membership]) -> list[Membership]:
    rows = list(candidates.order_by("sort_name", "id")[: SUGGESTED + 1])
    return rows if len(rows) <= SUGGESTED else []


def without_seat(actor: Member, workspace: Workspace) -> models.QuerySet[Membership]:
    """Members who may be given a seat: found by those who may see members."""
    if not actor.can(MEMBERS_VIEW):
        return Membership.objects.none()
    return memberships.visible_to(actor).exclude(seats__workspace=workspace)


@place
@require_POST
def act(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    """Give a seat, change it, or take it away. What that would end is shown first."""
    request.actor.require(WORKSPACE_MANAGE, workspace)
    which = {"take": take, "change": change}.get(request.POST.get("do", ""), give)
    try:
        return which(request, workspace)
    except (Invalid, Refused) as refusal:
        answer = {"problems": problems(refusal, "who"), "typed": request.POST.get("who", "")}
        return page_of(request, workspace, answer | refusal.facts, status=status(refusal))


def take(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    member = seated(request, workspace)
    if losing := unseen(request, workspace, member, takes=True):
        return page_of(request, workspace, {"losing": losing})
    before = role_of(workspace, member)
    shown, take_over = request.POST.get("shown"), bool(request.POST.get("take_over"))
    workspaces.take_seat(request.actor, workspace=workspace, member=member, shown=shown, take_over=take_over)
    say = _("%(name)s has no seat in %(workspace)s any more.")
    said = say % {"name": member.name, "workspace": workspace.name}
    return done(request, workspace, said, {"do": "give", "member": str(member.pk), "role": before})


def change(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    member = seated(request, workspace)
    losing = unseen(request, workspace, member) if request.POST.get("role") == MEMBER else None
    if losing:
        return page_of(request, workspace, {"losing": losing})
    return give_to(request, workspace, member, shown=request.POST.get("shown"))


@dataclass(frozen=True)
class Losing:
    """A manager who is about to be none, and the offers that end with that. What was asked is asked again with it."""

    request: pages.PageRequest
    workspace: Workspace
    member: Membership
    ending: users.Ending
    takes: bool

    @property
    def action(self) -> str:
        return self.request.path

    @property
    def back(self) -> str:
        """The page on which it was asked, which posts to an address below its own."""
        return self.request.path.rpartition("/")[0]

    @property
    def asked(self) -> dict[str, str]:
        kept = {name: self.request.POST[name] for name in ASKED if name in self.request.POST}
        return kept | {"ends": str(len(self.ending.offers))}


def unseen(
    request: pages.PageRequest, workspace: Workspace, member: Membership, *, takes: bool = False
) -> Losing | None:
    """What stands on a manager's seat, unless the page has shown how much it is."""
    offers = invitations.standing_on_seat(member, workspace)
    if not offers or request.POST.get("ends") == str(len(offers)):
        return None
    ending = users.Ending(request.actor, offers, memberships.is_self(request.actor, member))
    return Losing(request, workspace, member, ending, takes)


def give(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    """To the member that was chosen, or whose whole address was typed. A part of a name is answered with a choice."""
    nobody = _("Among the members without a seat here nobody is called “%(text)s”.")
    return give_to(request, workspace, meant(request, without_seat(request.actor, workspace), nobody), shown="")


def meant(request: pages.PageRequest, candidates: models.QuerySet[Membership], nobody: str) -> Membership:
    """The one of these members that was chosen, or whose whole address was typed; or Invalid, with a choice."""
    if "member" in request.POST:
        return one(candidates, pk=key(request))
    typed = request.POST.get("who", "").strip()
    if not typed:
        raise Invalid(_("Write a name or an email address."), field="who")
    if member := candidates.filter(address=addresses.normal(typed) or "").first():
        return member
    matching = list(candidates.filter(search__contains=f" {fold(typed)}").order_by("sort_name", "id")[:FOUND])
    if matching:
        refusal = Invalid(_("Choose whom you mean."), field="who")
        refusal.facts["matching"] = matching
        raise refusal
    raise Invalid(nobody % {"text": typed}, field="who")


def give_to(request: pages.PageRequest, workspace: Workspace, member: Membership, *, shown: str | None) -> HttpResponse:
    role, take_over = request.POST.get("role", ""), bool(request.POST.get("take_over"))
    before = role_of(workspace, member)
    workspaces.give_seat(request.actor, workspace=workspace, member=member, role=role, shown=shown, take_over=take_over)
    say = _("%(name)s manages %(workspace)s.") if role == MANAGER else _("%(name)s is a member of %(workspace)s.")
    said = say % {"name": member.name, "workspace": workspace.name}
    inverse = {"do": "change", "role": before, "shown": role} if before else {"do": "take", "shown": role}
    return done(request, workspace, said, {**inverse, "member": str(member.pk)} if before != role else None)


def role_of(workspace: Workspace, member: Membership) -> str:
    """The seat that a member has there; nothing for none."""
    seat = member.seats.filter(workspace=workspace).first()
    return seat.role if seat else ""


def done(
    request: pages.PageRequest, workspace: Workspace, said: str, inverse: dict[str, str] | None = None
) -> HttpResponse:
    """Back to the workspace, or to the list for who has given up the only way in."""
    actor = request.actor
    ended = users.ended_with(actor)
    actor.refresh()
    tags = ""
    restores_all = not ended and not request.POST.get("take_over")
    if inverse and restores_all and actor.can(WORKSPACE_MANAGE, workspace) and actor.can(MEMBERS_VIEW):
        tags = undo.to(resolve_url("workspace_seats", actor.organization.slug, workspace.slug), **inverse)
    messages.success(request, f"{said} {ended}".strip(), extra_tags=tags)
    if workspaces.visible_to(actor).filter(pk=workspace.pk).exists():
        return see_other("workspace", actor.organization.slug, workspace.slug)
    return see_other("workspaces", actor.organization.slug)


def seated(request: pages.PageRequest, workspace: Workspace) -> Membership:
    seats = workspaces.seats_visible_to(request.actor, workspace)
    return one(memberships.Membership.objects.filter(seats__in=seats), pk=key(request))


def one(rows: models.QuerySet[Membership], **which: Any) -> Membership:
    row = rows.filter(**which).first()
    if row is None:
        raise Http404
    return row


def key(request: pages.PageRequest) -> UUID:
    try:
        return UUID(request.POST.get("member", ""))
    except ValueError as error:
        raise Http404 from error
