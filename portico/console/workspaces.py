"""Workspaces: mine and others, creating one, its details, and how it is archived, restored and deleted."""

import unicodedata
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponsePermanentRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portico.domain import invitations, workspaces
from portico.domain.access import Member
from portico.domain.errors import Invalid, Refusal, Refused
from portico.domain.permissions import ADMINISTER, WORKSPACE_MANAGE, WORKSPACES_CREATE, WORKSPACES_VIEW_ALL
from portico.domain.workspaces import DETAILS, Workspace

from . import pages, users
from .forms import Draft, problems, see_other, status, whole
from .home import COLOR_NAMES

ON_A_PAGE = 50
MINE, ALL, ARCHIVED = "mine", "all", "archived"

Place = Callable[[pages.PageRequest, Workspace], HttpResponse]


def place(view: Place) -> pages.View:
    """A page of one workspace. Its former addresses lead to that of today, with whatever was sent to them."""

    @pages.page
    @wraps(view)
    def run(request: pages.PageRequest, workspace: str) -> HttpResponse:
        row = workspaces.find(request.actor, workspace)
        if row is None:
            raise Http404
        return view(request, row) if row.slug == workspace else moved(request, row)

    return run


def moved(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    assert request.resolver_match is not None  # noqa: S101  # it has led here
    where = reverse(request.resolver_match.view_name, args=[request.actor.organization.slug, workspace.slug])
    asked = request.META.get("QUERY_STRING", "")
    return HttpResponsePermanentRedirect(f"{where}?{asked}" if asked else where, preserve_request=True)


# --- The lists ------------------------------------------------------------------------------------------------------


@pages.page
@require_safe
def index(request: pages.PageRequest) -> HttpResponse:
    """Those in which one has a seat; with the permission all; and for Administrators those that are archived."""
    actor = request.actor
    tabs = tabs_for(actor)
    shows = request.GET.get("show") if request.GET.get("show") in dict(tabs) else MINE
    visible = workspaces.visible_to(actor).filter(archived_at__isnull=shows != ARCHIVED)
    part = Paginator(workspaces.mine(actor) if shows == MINE else visible, ON_A_PAGE).get_page(request.GET.get("page"))
    seats = {seat.workspace_id: seat.role for seat in actor.membership.seats.all()}
    context = {
        "place": "workspaces",
        "rows": [(row, seats.get(row.pk)) for row in part],
        "part": part,
        "tabs": tabs,
        "shows": shows,
        "others": shows == MINE and len(tabs) > 1 and not part and visible.exists(),
    }
    return pages.render(request, "console/workspaces.html", context)


def tabs_for(actor: Member) -> list[tuple[str, str]]:
    tabs = [(MINE, _("Mine"))]
    if actor.can(WORKSPACES_VIEW_ALL):
        tabs.append((ALL, _("All")))
    if actor.can(ADMINISTER):
        tabs.append((ARCHIVED, _("Archived")))
    return tabs


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: pages.PageRequest) -> HttpResponse:
    """Create a workspace."""
    actor = request.actor
    actor.require(WORKSPACES_CREATE)
    typed = {name: request.POST.get(name, "") for name in DETAILS}
    typed["color"] = typed["color"] or workspaces.next_color(actor.organization)
    refusal: Invalid | Refused | None = None
    if request.method == "POST":
        try:
            workspace = workspaces.create(actor, **typed)
        except (Invalid, Refused) as error:
            refusal = error
        else:
            messages.success(request, _("%(name)s is there, and you manage it.") % {"name": workspace.name})
            return see_other("workspace", actor.organization.slug, workspace.slug)
    context = {
        "place": "workspaces",
        "typed": typed,
        "problems": problems(refusal, *typed) if refusal else {},
        "colors": COLOR_NAMES.items(),
        "prefix": prefix(actor),
    }
    return pages.render(request, "console/workspace_new.html", context, status=status(refusal))


def prefix(actor: Member) -> str:
    """What stands before the address of a workspace."""
    return f"…/o/{actor.organization.slug}/workspaces/"


# --- Its details ----------------------------------------------------------------------------------------------------


@place
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    """What a workspace is called, its address, and how it looks."""
    actor = request.actor
    actor.require(WORKSPACE_MANAGE, workspace)
    if request.method != "POST":
        return editing(request, workspace)
    typed = {name: request.POST[name] for name in DETAILS if name in request.POST}
    try:
        row = workspaces.change(actor, workspace=workspace, version=whole(request.POST.get("version", "")), **typed)
    except (Invalid, Refused) as refusal:
        return editing(request, again(actor, workspace), refusal)
    messages.success(request, _("%(name)s: saved.") % {"name": row.name})
    return see_other("workspace", actor.organization.slug, row.slug)


def editing(request: pages.PageRequest, workspace: Workspace, refusal: Invalid | Refused | None = None) -> HttpResponse:
    draft = Draft.of(request.POST, {name: getattr(workspace, name) for name in DETAILS})
    context = {
        "place": "workspaces",
        "workspace": workspace,
        "draft": draft,
        "typed": draft.values,
        "meanwhile": draft.in_words(color=COLOR_NAMES),
        "problems": problems(refusal, *DETAILS) if refusal else {},
        "colors": COLOR_NAMES.items(),
        "prefix": prefix(request.actor),
    }
    return pages.render(request, "console/workspace_edit.html", context, status=status(refusal))


def again(actor: Member, workspace: Workspace) -> Workspace:
    """As it stands now, where the actor may still see it."""
    row = workspaces.find(actor, str(workspace.pk))
    if row is None:
        raise Http404
    return row


# --- Its end, and its return ----------------------------------------------------------------------------------------


@place
@require_http_methods(["GET", "HEAD", "POST"])
def archive(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    """What archiving ends, and the button that does it."""
    actor = request.actor
    actor.require(WORKSPACE_MANAGE, workspace)
    if request.method != "POST":
        return archiving(request, workspace)
    try:
        workspaces.archive(actor, workspace=workspace, version=whole(request.POST.get("version", "")))
    except Refusal as refusal:
        return archiving(request, again(actor, workspace), refusal)
    messages.success(request, _("%(name)s is archived.") % {"name": workspace.name})
    if actor.can(ADMINISTER):
        return see_other("workspace", actor.organization.slug, workspace.slug)
    return see_other("workspaces", actor.organization.slug)


def archiving(request: pages.PageRequest, workspace: Workspace, refusal: Refusal | None = None) -> HttpResponse:
    return asking(request, "archive", workspace, refusal, offers=workspace.offered_seats.pending().count())


@place
@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    """What comes back, which offers that ends, and the button that does it."""
    actor = request.actor
    actor.require(WORKSPACE_MANAGE, workspace)
    ending = users.Ending(actor, invitations.ended_by_restoring(workspace, actor.now))
    if request.method != "POST":
        return asking(request, "restore", workspace, ending=ending)
    version, take_over = whole(request.POST.get("version", "")), bool(request.POST.get("take_over"))
    try:
        workspaces.restore(actor, workspace=workspace, version=version, take_over=take_over)
    except Refusal as refusal:
        return asking(request, "restore", again(actor, workspace), refusal, ending=ending)
    said = _("%(name)s is open again.") % {"name": workspace.name}
    messages.success(request, f"{said} {users.ended_with(actor)}".strip())
    return see_other("workspace", actor.organization.slug, workspace.slug)


@place
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: pages.PageRequest, workspace: Workspace) -> HttpResponse:
    """What goes for ever, a field for the name of it, and the button that does it."""
    actor = request.actor
    actor.require(ADMINISTER)
    if request.method != "POST":
        return deleting(request, workspace)
    try:
        ensure_meant(workspace, request.POST.get("confirm", ""))
        workspaces.delete(actor, workspace=workspace, version=whole(request.POST.get("version", "")))
    except Refusal as refusal:
        return deleting(request, again(actor, workspace), refusal)
    messages.success(request, _("%(name)s is deleted.") % {"name": workspace.name})
    return see_other("workspaces", actor.organization.slug)


def deleting(request: pages.PageRequest, workspace: Workspace, refusal: Refusal | None = None) -> HttpResponse:
    return asking(request, "delete", workspace, refusal, offers=workspace.offered_seats.pending().count())


def ensure_meant(workspace: Workspace, typed: str) -> None:
    """Whoever deletes something has written what it is called."""
    if unicodedata.normalize("NFC", typed.strip()) != workspace.name:
        raise Invalid(_("Type the name exactly as it is: %(name)s") % {"name": workspace.name}, field="confirm")


def asking(
    request: pages.PageRequest, act: str, workspace: Workspace, refusal: Refusal | None = None, **more: Any
) -> HttpResponse:
    """A page that says what an act means before it happens. Where it cannot, there is nothing to ask."""
    if refusal is None and workspace.is_open != (act == "archive"):
        return see_other("workspace", request.actor.organization.slug, workspace.slug)
    context = {
        "place": "workspaces",
        "workspace": workspace,
        "seats": workspace.seats.count(),
        "problems": problems(refusal, "confirm") if refusal else {},
        "typed": request.POST.get("confirm", ""),
        **more,
    }
    return pages.render(request, f"console/workspace_{act}.html", context, status=status(refusal))
