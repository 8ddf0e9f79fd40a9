"""From the link of a letter to a pressed button: `/join/<token>` and `/invitations/<id>`.

Opening a link writes nothing on the server, because mail scanners open links. It leaves a signed cookie, so that the
secret is gone from the address bar, and that cookie, not the session, carries the invitation through switching
accounts, sign-up and codes. Only a pressed button changes anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, wraps
from typing import Any
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.stagekit import clear_login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from portico.domain import invitations, people
from portico.domain.access import Bearer, Person
from portico.domain.errors import Invalid, Refusal
from portico.domain.invitations import A_DAY, HAND, LETTER, Invitation, Link
from portico.domain.people import User
from portico.domain.permissions import MANAGER, catalogue
from portico.domain.roles import Role
from portico.domain.workspaces import SeatOffer

from . import pages
from .forms import see_other, status

COOKIE = "__Host-invitations" if settings.SECURE else "invitations"
SALT = "portico.join"
LIVES = timedelta(hours=2)
AT_ONCE = 5
PRESSED = "signing_up_for"  # in the session: the invitations whose *Create an account* was pressed

View = Callable[..., HttpResponse]


# --- What a browser bears ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Borne:
    """A link that this browser has opened."""

    invitation_id: UUID
    number: int
    purpose: str


def borne(request: HttpRequest) -> list[Borne]:
    """The links that the browser's cookie speaks of, the newest last; none if somebody touched it or it is too old."""
    try:
        entries = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=LIVES)
    except signing.BadSignature:
        return []
    return [Borne(UUID(pk), number, purpose) for pk, number, purpose in entries]


def bear(response: HttpResponse, links: Sequence[Borne]) -> None:
    entries = [(link.invitation_id.hex, link.number, link.purpose) for link in links[-AT_ONCE:]]
    response.set_cookie(
        COOKIE,
        signing.dumps(entries, salt=SALT),
        max_age=LIVES,
        httponly=True,
        samesite="Lax",
        secure=settings.SECURE,
    )


def discreet(referrer: str) -> Callable[[View], View]:
    """No search engine keeps the page, and no other site learns its address."""

    def around(view: View) -> View:
        @wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            response = view(request, *args, **kwargs)
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
            response.headers["Referrer-Policy"] = referrer
            return response

        return run

    return around


# --- The link ------------------------------------------------------------------------------------------------------


@require_safe
@never_cache
@discreet(referrer="no-referrer")
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Open the link of a letter, or one that somebody handed over."""
    link = invitations.read_token(token)
    invitation = invitations.find(link.invitation_id) if link else None
    if link is None or invitation is None or link.number > newest(invitation, link.purpose):
        return unknown(request)
    if link.number < newest(invitation, link.purpose):
        return outdated(request, invitation, link.purpose)
    response = see_other("invitation", invitation.pk)
    bear(response, with_link(borne(request), link, invitation))
    return response


def newest(invitation: Invitation, purpose: str) -> int:
    return invitation.hand_number if purpose == HAND else invitation.number


def with_link(links: Sequence[Borne], link: Link, invitation: Invitation) -> list[Borne]:
    """One link for each invitation. What was handed over takes no place of a letter's that is still good."""
    others = [each for each in links if each.invitation_id != invitation.pk]
    proof = Borne(invitation.pk, invitation.number, LETTER)
    if link.purpose == HAND and proof in links:
        return [*others, proof]
    return [*others, Borne(invitation.pk, link.number, link.purpose)]


def outdated(request: HttpRequest, invitation: Invitation, purpose: str) -> HttpResponse:
    """A newer letter was sent; but of a link that somebody handed over nothing is told once there is another."""
    return newer(request, invitation) if purpose == LETTER else unknown(request)


def unknown(request: HttpRequest, on_to: str = "") -> HttpResponse:
    return pages.render(request, "console/join/unknown.html", {"on_to": on_to}, status=404)


def newer(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    return pages.render(request, "console/join/newer.html", {"sent_at": invitation.sent_at}, status=410)


# --- The invitation ------------------------------------------------------------------------------------------------


@dataclass
class Visit:
    """Somebody before an invitation: who they are, what their browser bears, and how things stand between the two."""

    request: HttpRequest
    invitation: Invitation
    link: Borne | None
    now: datetime

    @classmethod
    def to(cls, request: HttpRequest, pk: UUID) -> "Visit | None":
        """None where the invitation does not exist, for this visitor."""
        invitation = invitations.find(pk)
        link = next((each for each in borne(request) if each.invitation_id == pk), None)
        visit = cls(request, invitation, link, timezone.now()) if invitation else None
        return visit if visit and (link or visit.owns) else None

    @cached_property
    def user(self) -> User | None:
        user = self.request.user
        return user if isinstance(user, User) else None

    @cached_property
    def owns(self) -> bool:
        """Signed in, and the invited address is verified for this account."""
        return self.user is not None and self.user.owns(self.invitation.address)

    @property
    def bears_newest(self) -> bool:
        return self.link is not None and self.link.number == newest(self.invitation, self.link.purpose)

    @property
    def is_proven(self) -> bool:
        """The browser bears a link that went to the address and nowhere else."""
        return self.link is not None and self.link.purpose == LETTER and self.bears_newest

    @cached_property
    def belongs(self) -> bool:
        return self.user is not None and self.invitation.organization.memberships.filter(user=self.user).exists()

    @property
    def actor(self) -> Person | Bearer:
        """Who answers: the owner of the address, or whoever holds its link."""
        if self.owns:
            return pages.person(self.request)
        via = pages.via(self.request)
        return Bearer(organization=self.invitation.organization, via=via, proves=self.is_proven)

    @property
    def may_add(self) -> bool:
        """Whether to offer that it is an address of theirs too.

        Whoever has proven nothing is offered it always, or would learn here whether the address has an account.
        """
        return not self.belongs and not (self.is_proven and User.objects.owner_of(self.invitation.address))

    @property
    def may_answer(self) -> bool:
        """Whether to offer to decline, or to ask for a new link."""
        return self.owns or self.is_proven

    @cached_property
    def situation(self) -> str:
        """How things stand; each is a page of its own, with the template of this name."""
        invitation = self.invitation
        if invitation.state == Invitation.State.ACCEPTED:
            membership = invitation.membership
            return "joined" if self.user and membership and membership.user_id == self.user.pk else "accepted"
        if invitation.state != Invitation.State.PENDING:
            return str(invitation.state)
        if invitation.organization.closed_at:
            return "closed"
        if self.owns and self.belongs:
            return "member"
        if invitation.is_expired(self.now):
            return "expired"
        if not invitation.is_sponsored(self.now):
            return "sponsor_gone"
        if self.user is None:
            return "open"
        return "yours" if self.owns else "other"

    def page(self, refusal: Refusal | None = None) -> HttpResponse:
        invitation = self.invitation
        context = {
            "visit": self,
            "invitation": invitation,
            "organization": invitation.organization,
            "sponsor": invitation.sponsor,
            "abilities": abilities(invitation.grant),
            "seats": [seat_words(seat) for seat in invitation.seat_offers if seat.workspace.is_open],
            "may_add": self.may_add,
            "asked_today": bool(invitation.asked_at and self.now - invitation.asked_at < A_DAY),
            "reply": self.request.POST.get("reply", ""),
            "wrong": refusal,
        }
        return pages.render(self.request, f"console/join/{self.situation}.html", context, status=status(refusal))


def abilities(grant: Role) -> list[tuple[str, str]]:
    """What a grant allows, in the catalogue's words."""
    return [(str(each.label), str(each.sentence)) for each in catalogue().granted(grant.permissions)]


def seat_words(seat: SeatOffer) -> tuple[str, str]:
    name = {"name": seat.workspace.name}
    if seat.role == MANAGER:
        return _("Manage %(name)s") % name, _("A seat as manager of this workspace")
    return _("Work in %(name)s") % name, _("A seat as member of this workspace")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@discreet(referrer="same-origin")  # with "no-referrer" browsers hide the origin of the form too, and it is refused
def show(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The invitation, to whoever bears its link and to the signed-in owner of its address. To others it is unknown."""
    visit = Visit.to(request, pk)
    if visit is None:
        return unknown(request, on_to=request.path)
    if not visit.owns and visit.link and not visit.bears_newest:
        return outdated(request, visit.invitation, visit.link.purpose)
    if request.method == "POST":
        return act(request, visit)
    return visit.page()


def act(request: HttpRequest, visit: Visit) -> HttpResponse:
    answer = ANSWERS.get(request.POST.get("do", ""))
    if answer is None:
        raise Invalid(_("Press one of the buttons of the invitation."))
    try:
        return answer(request, visit)
    except Refusal as refusal:
        # What was refused may have changed since the page was shown, so the page is made anew.
        again = Visit.to(request, visit.invitation.pk)
        return again.page(refusal) if again else unknown(request)


def accept(request: HttpRequest, visit: Visit) -> HttpResponse:
    if visit.user is None:
        return login(request, visit)
    admission = invitations.accept(pages.person(request), visit.invitation, reply=request.POST.get("reply", ""))
    organization = admission.membership.organization
    told = _("You belong to %(name)s now.") % {"name": organization.name}
    if admission.left_out:
        sentence = ngettext(
            "The seat in %(names)s was left out: the workspace is archived.",
            "The seats in %(names)s were left out: the workspaces are archived.",
            len(admission.left_out),
        )
        told += " " + sentence % {"names": ", ".join(workspace.name for workspace in admission.left_out)}
    messages.success(request, told)
    return see_other("dashboard", organization.slug)


def decline(request: HttpRequest, visit: Visit) -> HttpResponse:
    invitations.decline(visit.actor, visit.invitation, reply=request.POST.get("reply", ""))
    return back_to(visit)


def ask(request: HttpRequest, visit: Visit) -> HttpResponse:  # as all answers
    invitations.ask_again(visit.actor, visit.invitation)
    return back_to(visit)


def switch(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Out of this account; the cookie keeps the invitation."""
    logout(request)
    return back_to(visit)


@reauthentication_required
def add(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The invited address becomes a further one of this account, because the letter's link has proven it."""
    if visit.situation == "other" and visit.is_proven:
        people.add_proven(pages.person(request), visit.invitation.address)
        sentence = _("%(address)s is one of your addresses now.")
        messages.success(request, sentence % {"address": visit.invitation.address})
    return back_to(visit)


def login(request: HttpRequest, visit: Visit) -> HttpResponse:
    clear_login(request)  # of somebody else who has begun to log in here
    return onward("account_login", visit)


def sign_up(request: HttpRequest, visit: Visit) -> HttpResponse:
    """To sign-up with the address that the letter's link has proven; to log-in where it has an account."""
    if visit.situation != "open":
        return back_to(visit)
    address = visit.invitation.address
    if visit.is_proven and User.objects.owner_of(address):  # others do not learn who has an account
        messages.info(request, _("There is an account with %(address)s already. Log in.") % {"address": address})
        return login(request, visit)
    clear_login(request)
    if visit.is_proven:
        pressed = [each for each in request.session.get(PRESSED, []) if each != str(visit.invitation.pk)]
        request.session[PRESSED] = [*pressed, str(visit.invitation.pk)][-AT_ONCE:]
        get_adapter().stash_verified_email(request, address)
    return onward("account_signup", visit)


ANSWERS: dict[str, Callable[[HttpRequest, Visit], HttpResponse]] = {
    "accept": accept,
    "decline": decline,
    "ask": ask,
    "switch": switch,
    "add": add,
    "login": login,
    "signup": sign_up,
}


def back_to(visit: Visit) -> HttpResponse:
    return see_other("invitation", visit.invitation.pk)


def onward(page: str, visit: Visit) -> HttpResponse:
    query = urlencode({"next": resolve_url("invitation", visit.invitation.pk)})
    return HttpResponseRedirect(f"{resolve_url(page)}?{query}", status=303)


# --- What log-in and sign-up ask -----------------------------------------------------------------------------------


def on_the_way_to(request: HttpRequest) -> Visit | None:
    """The invitation to which this request leads back once its log-in or sign-up is done."""
    try:
        match = resolve(request.POST.get("next") or request.GET.get("next") or "")
    except Resolver404:
        return None
    return Visit.to(request, match.kwargs["pk"]) if match.url_name == "invitation" else None


def signing_up(request: HttpRequest) -> Invitation | None:
    """The invitation whose address this sign-up need not prove again.

    Its *Create an account* was pressed here, this very way leads back to it, and the letter's link is still good.
    """
    visit = on_the_way_to(request)
    if visit is None or not visit.is_proven or visit.situation != "open":
        return None
    return visit.invitation if str(visit.invitation.pk) in request.session.get(PRESSED, []) else None
