"""Tokens: one's own, and for Administrators everybody's and the organization's; making one, and revoking it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core import signing
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe
from uuid_utils.compat import uuid7

from portico.domain import events, invitations, memberships, tokens
from portico.domain.access import Member
from portico.domain.errors import Invalid, Refusal
from portico.domain.permissions import ADMINISTER, ORGANIZATION, READS, WORKSPACE, Permission, catalogue
from portico.domain.tokens import Issued, Token, TokenQuerySet

from . import grants, pages
from .forms import problems, see_other, status
from .sentences import told
from .users import Ending, ended_with

ON_A_PAGE = 50
ALL, SERVICE = "all", "service"


@pages.page
@require_safe
def index(request: pages.PageRequest) -> HttpResponse:
    """One's own; for Administrators also everybody's, and those of the organization."""
    actor = request.actor
    sees_all = actor.can(ADMINISTER)
    show = asked if sees_all and (asked := request.GET.get("show", "")) in {ALL, SERVICE} else ""
    part = Paginator(shown(actor, show), ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "place": "tokens",
        "part": part,
        "lines": [Line(token, actor) for token in part],
        "pictures": memberships.pictures(
            actor, [token.membership.user_id for token in part if show == ALL and token.membership]
        ),
        "show": show,
        "sees_all": sees_all,
    }
    return pages.render(request, "console/tokens.html", context)


def shown(actor: Member, show: str) -> TokenQuerySet:
    rows = tokens.visible_to(actor)
    if show == SERVICE:
        return rows.filter(membership__isnull=True)
    return rows.filter(membership__isnull=False) if show == ALL else rows.filter(membership=actor.membership)


@dataclass(frozen=True)
class Line:
    """A token as the list shows it."""

    token: Token
    actor: Member

    @property
    def reach(self) -> str:
        """How far it reaches, shortly."""
        if self.token.limit:
            count = len(self.token.limit.permissions)
            return ngettext("%(n)d permission", "%(n)d permissions", count) % {"n": count}
        if self.token.membership is None:
            return _("Reads and checks")
        return _("Full access as %(role)s") % {"role": self.token.membership.grant.title}

    @property
    def is_expired(self) -> bool:
        return self.token.is_expired(self.actor.now)

    @property
    def sleeps(self) -> bool:
        """Whether its member may do nothing now, so that it may not either."""
        return self.token.membership is not None and not self.token.membership.is_effective(self.actor.now)


# --- One of them ---------------------------------------------------------------------------------------------------


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: pages.PageRequest, pk: UUID) -> HttpResponse:
    """What it may do, and what ends with it; and the button that ends it."""
    token = tokens.visible_to(request.actor).filter(pk=pk).first()
    if token is None:
        raise Http404
    return revoke(request, token) if request.method == "POST" else page_of(request, token)


def revoke(request: pages.PageRequest, token: Token) -> HttpResponse:
    actor = request.actor
    tokens.revoke(actor, token=token, take_over=bool(request.POST.get("take_over")))
    said = _("%(name)s is revoked.") % {"name": token.name}
    messages.success(request, f"{said} {ended_with(actor)}".strip())
    return HttpResponseRedirect(list_of(actor, token), status=303)


def list_of(actor: Member, token: Token) -> str:
    """The list in which a token stands."""
    where = resolve_url("tokens", actor.organization.slug)
    if token.is_service:
        return f"{where}?show={SERVICE}"
    return where if token.membership_id == actor.membership.pk else f"{where}?show={ALL}"


def page_of(request: pages.PageRequest, token: Token) -> HttpResponse:
    actor = request.actor
    history = told(events.recent(actor, about=token.pk))
    context = {
        "place": "tokens",
        "token": token,
        "line": Line(token, actor),
        "list": list_of(actor, token),
        "reach": reach(actor, token),
        "history": history,
        "pictures": memberships.pictures(actor, [event.key for event in history]),
        "ending": Ending(actor, list(invitations.through(token))),
    }
    return pages.render(request, "console/token.html", context)


@dataclass(frozen=True)
class Allowed:
    """A permission that a token lets through: its sentence, or why nothing comes through now."""

    permission: Permission
    held: bool

    @property
    def says(self) -> str:
        if self.held:
            return str(self.permission.sentence)
        if self.comes_through:
            return _("Where its member has a seat that gives it.")
        return _("Not now: its member does not hold it.")

    @property
    def comes_through(self) -> bool:
        return self.held or self.permission.scope == WORKSPACE


def reach(actor: Member, token: Token) -> list[Allowed]:
    """What it lets through, in the order of the catalogue; with full access what is held now."""
    held = tokens.actor_of(token, actor.via, actor.now).held()
    through = held if token.allowed is None else token.allowed
    return [Allowed(each, each in held) for each in catalogue().every if each in through]


# --- Making one ----------------------------------------------------------------------------------------------------


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: pages.PageRequest) -> HttpResponse:
    """A token of one's own."""
    return make(request, tokens.issue, service=False)


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def new_service(request: pages.PageRequest) -> HttpResponse:
    """A token of the organization."""
    request.actor.require(ADMINISTER)
    return make(request, tokens.issue_service, service=True)


def make(request: pages.PageRequest, issue: Callable[..., Issued], *, service: bool) -> HttpResponse:
    """The form, or the token that it asked for. The secret stands in this one answer and nowhere else.

    So that whoever reloads it makes no second token, the form carries the id of the token that it will make.
    """
    actor, refusal = request.actor, None
    if request.method == "POST":
        try:
            issued = issue(actor, **asked_for(actor, request.POST, service=service))
        except Refusal as error:
            if error.code == "already_done":
                messages.warning(request, _("%(said)s Revoke it and make another.") % {"said": error.sentence})
                return see_other("tokens", actor.organization.slug)
            refusal = error
        else:
            context = {"place": "tokens", "issued": issued, "line": Line(issued.token, actor)}
            context["list"] = list_of(actor, issued.token)
            return pages.render(request, "console/token_made.html", context)
    fields = ("name", "days", "permissions", "ends", "reach")
    context = {
        "place": "tokens",
        "service": service,
        "typed": typed(request),
        "boxes": boxes(request, service=service),
        "problems": problems(refusal, *fields) if refusal else {},
        "once": request.POST.get("once") or signing.dumps(str(uuid7()), salt=salt(actor)),
    }
    return pages.render(request, "console/token_new.html", context, status=status(refusal))


def typed(request: pages.PageRequest) -> dict[str, str]:
    """What the form shows: what was typed, or how it begins."""
    begins = {"name": "", "ends": "ephemeral", "days": str(tokens.DAYS), "reach": "granular"}
    return {name: request.POST.get(name, start) for name, start in begins.items()}


def asked_for(actor: Member, data: Any, *, service: bool) -> dict[str, Any]:
    """What the form asks to make, or Invalid."""
    return {
        "name": data.get("name", ""),
        "days": days(data),
        "permissions": names(actor, data, service=service),
        "once": once(actor, data),
    }


def days(data: Any) -> int | None:
    match data.get("ends"):
        case "perpetual":
            return None
        case "ephemeral":
            text = data.get("days", "").strip()
            return int(text) if text.isdecimal() and len(text) < 10 else 0  # which the command refuses in its words
    raise Invalid(_("Choose whether the token ends."), field="ends")


def names(actor: Member, data: Any, *, service: bool) -> list[str] | None:
    match data.get("reach"):
        case "full":
            return None
        case "granular":
            every = [box.name for box in offered(service=service) if actor_may(actor, box)]
            return every if data.get("all") == "grant" else data.getlist("grant")
    raise Invalid(_("Choose full access, or granular and single permissions."), field="reach")


def once(actor: Member, data: Any) -> UUID | None:
    """The id that the form carries. It was signed for this member's form, so nobody names the row of another."""
    if not data.get("once"):
        return None
    try:
        return UUID(signing.loads(data["once"], salt=salt(actor)))
    except (signing.BadSignature, ValueError) as error:
        raise Invalid(_("Reload the page and try again.")) from error


def salt(actor: Member) -> str:
    return f"portico token {actor.membership.pk}"


def offered(*, service: bool) -> list[Permission]:
    """The permissions that a token can be narrowed to."""
    return [each for each in catalogue().every if not service or each in READS]


def actor_may(actor: Member, permission: Permission) -> bool:
    """What only seats give may be named by everybody: a token lets it through, and gives it nobody."""
    return permission.scope == WORKSPACE or actor.covers(frozenset({permission}))


def boxes(request: pages.PageRequest, *, service: bool) -> list[grants.Box]:
    actor, chosen = request.actor, set(request.POST.getlist("grant"))
    return [
        grants.Box(
            each,
            checked=each.name in chosen,
            disabled=not actor_may(actor, each),
            says=grants.says(actor, each, each.scope != ORGANIZATION),
        )
        for each in offered(service=service)
    ]
