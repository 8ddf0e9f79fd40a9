"""Invite: who, what each may do, a review of it, and the button that sends.

The page is one form. Its review is what `invitations.preview` answers; with script it follows the typing, without it
stands behind a button. What was typed is never lost: good addresses leave, the others stay in the field.

What a line asks for itself, its role or its workspaces, travels beside the field under the address of that line: as a
choice where the review shows the line, else hidden.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import prefetch_related_objects
from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from portico.domain import addresses, invitations, roles, workspaces
from portico.domain.access import Member
from portico.domain.addresses import Typed
from portico.domain.errors import Invalid, Refusal, together
from portico.domain.invitations import ALREADY_MEMBER, EXCEEDS, INVALID, Outcome, Terms, Wanted
from portico.domain.permissions import MEMBER, MEMBERS_MANAGE, NONE, WORKSPACE_MANAGE, Permission, catalogue
from portico.domain.roles import Grant
from portico.domain.workspaces import SeatOffer, Workspace

from . import grants, pages
from .forms import problems, see_other, status

DAYS = (1, 7, 14, 30)
SHOWN = 100  # lines of a review, and as many of those that have a problem; all are counted
FIELDS = ("emails", "csv", "role", "permissions", "workspaces", "message", "locale", "expires_in_days", "member_until")
ROLE_OF, PLACES_OF, SEAT_IN = "role:", "workspaces:", "seat:"


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: pages.PageRequest) -> HttpResponse:
    """Invite users to the organization."""
    request.actor.require(MEMBERS_MANAGE)
    form = Form.of(request)
    if request.POST.get("do") != "invite" or form.refusal or form.uploaded:
        return form.page(request)
    return send(request, form)


@pages.page
@require_POST
def review(request: pages.PageRequest) -> HttpResponse:
    """The same page, of which the script takes the review. Nothing is sent, so nothing is refused either."""
    request.actor.require(MEMBERS_MANAGE)
    return Form.of(request, is_draft=True).page(request)


def send(request: pages.PageRequest, form: "Form") -> HttpResponse:
    """Good ones leave; the others stay in the field with their sentences."""
    try:
        wanted, terms = form.asked
        outcomes = invitations.send(request.actor, wanted=wanted, terms=terms)
    except Refusal as refusal:
        return replace(form, refusal=refusal).page(request)
    sent = sum(outcome.is_good for outcome in outcomes)
    if sent:
        say = ngettext("%s invitation is on its way.", "%s invitations are on their way.", sent) % f"{sent:,}"
        messages.success(request, say)
    if sent == len(outcomes):
        return see_other("users", request.actor.organization.slug)
    return form.left_with(outcomes).page(request, sent=sent)


@dataclass(frozen=True)
class Place:
    """A workspace in which the actor may hand out seats, and what is chosen there."""

    workspace: Workspace
    role: str


@dataclass(frozen=True)
class Line:
    """One entry in the review: its verdict, and what it asks for itself, under `key`."""

    key: str
    outcome: Outcome
    own_role: str
    own_places: str

    @property
    def shows_role(self) -> bool:
        """Of all that will be sent, and where the role may be to blame; never of a member, whom it would not change."""
        if self.outcome.outcome == ALREADY_MEMBER:
            return False
        return self.outcome.is_good or bool(self.own_role) or self.outcome.outcome == EXCEEDS

    @property
    def names_itself(self) -> bool:
        """Whether the sentence begins with the entry as it was typed."""
        return self.outcome.detail.startswith(self.outcome.entry.text)

    @property
    def role(self) -> str:
        """The role of its own, by slug where it is one. What is none, or is not on offer, is shown all the same."""
        granted = self.outcome.grant.role if self.outcome.grant and self.outcome.address else None
        return granted.slug or "" if self.own_role and granted else self.own_role


@dataclass
class Form:
    """What stands in the form: read once, whatever button was pressed. A draft is judged as far as it goes."""

    actor: Member
    data: QueryDict
    text: str
    is_draft: bool
    own_roles: dict[str, str] = field(default_factory=dict)
    own_places: dict[str, str] = field(default_factory=dict)
    refusal: Refusal | None = None
    uploaded: int = 0
    remaining: Sequence[Line] = ()

    @classmethod
    def of(cls, request: pages.PageRequest, *, is_draft: bool = False) -> "Form":
        prefetch_related_objects([request.actor.membership], "seats")
        data = request.POST.copy()
        text = data.get("emails", request.GET.get("email", ""))
        if place := request.GET.get("workspace"):  # invited straight into it
            data.setdefault(f"{SEAT_IN}{place}", MEMBER)
        form = cls(request.actor, data, text, is_draft=is_draft or request.method != "POST")
        form.own_roles, form.own_places = under(ROLE_OF, data), under(PLACES_OF, data)
        if meant := data.get("mend"):
            form.mend(meant)
        if data.get("meant"):
            form.settle()
        if upload := request.FILES.get("csv"):
            form.take_in(upload)
        return form

    def mend(self, meant: str) -> None:
        """Write an entry as it was meant; what it asks for itself goes with it."""
        for entry in addresses.read(self.text):
            if entry.meant == meant:
                self.text = addresses.mend(self.text, entry)
                for own in (self.own_roles, self.own_places):
                    if entry.text in own:
                        own[key_of(addresses.check(meant))] = own.pop(entry.text)
                return

    def settle(self) -> None:
        """Role or boxes: from now on the form says what was answered."""
        grant = grants.read(self.actor, self.data)
        self.data["role"] = grants.CUSTOM if grant.role is None else grant.role.slug or ""
        self.data.setlist("grant", [permission.name for permission in boxes_of(grant)])
        self.data.pop("all", None)

    def take_in(self, upload: UploadedFile) -> None:
        """Put the rows of a file into the field, and what they ask for themselves beside them."""
        try:
            entries = read_csv(upload)
        except Invalid as refusal:
            self.refusal = refusal
            return
        self.uploaded = len(entries)
        self.text = "\n".join(filter(None, [self.text.strip(), *map(addresses.written, entries)]))
        for entry in entries:
            if entry.role:
                self.own_roles.setdefault(key_of(entry), entry.role)
            if entry.workspaces:
                self.own_places.setdefault(key_of(entry), ";".join(entry.workspaces))

    def left_with(self, outcomes: Sequence[Outcome]) -> "Form":
        """The same form with only those in the field that were not sent."""
        lines = [line for line in self.lines(outcomes) if not line.outcome.is_good]
        text = "\n".join(addresses.written(line.outcome.entry) for line in lines)
        return replace(self, text=text, remaining=lines)

    @cached_property
    def entries(self) -> list[Typed]:
        return [
            replace(entry, role=self.own_roles.get(key_of(entry)), workspaces=slugs(self.own_places.get(key_of(entry))))
            for entry in addresses.read(self.text)
        ]

    @cached_property
    def asked(self) -> tuple[list[Wanted], Terms]:
        """What the form asks to send, or all that is wrong with it at once."""
        wanted, grant, terms = together(
            lambda: invitations.wanted_from(self.actor, self.entries), self._grant, self._terms_without_grant
        )
        return wanted, replace(terms, grant=grant)

    def _terms_without_grant(self) -> Terms:
        seats, days, until = together(
            self._seats,
            lambda: number(self.data.get("days", str(invitations.DAYS))),
            lambda: end_of(self.data.get("until", "")),
        )
        message, locale = self.data.get("message", ""), self.data.get("locale", settings.LANGUAGE_CODE)
        return Terms(None, seats, message, locale, days, until).ensure_well_formed(self.actor.now)

    @property
    def is_undecided(self) -> bool:
        """A draft before a role was chosen: its addresses can be judged already."""
        return self.is_draft and not self.data.get("role")

    def _grant(self) -> Grant:
        return Grant(custom=NONE) if self.is_undecided else grants.read(self.actor, self.data, blank=True)

    @cached_property
    def places(self) -> list[Place]:
        rows = workspaces.visible_to(self.actor).filter(archived_at__isnull=True)
        mine = [row for row in rows if self.actor.can(WORKSPACE_MANAGE, row)]
        return [Place(row, self.data.get(f"{SEAT_IN}{row.slug}", "")) for row in mine]

    def _seats(self) -> list[SeatOffer]:
        """The seats that were chosen. One whose workspace is gone since the page was shown is refused, not left out."""
        if gone := sorted(under(SEAT_IN, self.data).keys() - {place.workspace.slug for place in self.places}):
            sentence = _("There is no workspace “%(slug)s” in which you could give seats.")
            raise Invalid(sentence % {"slug": gone[0][:80]}, field="workspaces")
        return [SeatOffer(place.workspace, place.role) for place in self.places if place.role]

    def lines(self, outcomes: Sequence[Outcome]) -> list[Line]:
        keys = [key_of(entry) for entry in self.entries]
        return [
            Line(key, outcome, self.own_roles.get(key, ""), self.own_places.get(key, ""))
            for key, outcome in zip(keys, outcomes, strict=True)
        ]

    def judged(self) -> tuple[list[Line], Refusal | None]:
        """The verdict on each entry as things stand, or what keeps the whole form from being judged."""
        if self.remaining or not self.text.strip():
            return list(self.remaining), self.refusal
        if self.refusal:
            return self._no_addresses(), self.refusal
        try:
            wanted, terms = self.asked
            return self.lines(invitations.preview(self.actor, wanted=wanted, terms=terms)), None
        except Refusal as refusal:
            return self._no_addresses(), refusal

    def _no_addresses(self) -> list[Line]:
        """What can be told of the entries while something else keeps the form from being judged."""
        entries = [] if self._is_unreadable else self.entries
        bad = [entry for entry in entries if entry.address is None]
        return [Line(key_of(entry), Outcome(entry, INVALID, entry.problem), "", "") for entry in bad]

    @property
    def _is_unreadable(self) -> bool:
        try:
            return not self.entries
        except Invalid:
            return True

    def page(self, request: pages.PageRequest, *, sent: int = 0) -> HttpResponse:
        lines, refusal = self.judged()
        good = [line for line in lines if line.outcome.is_good]
        bad = [line for line in lines if not line.outcome.is_good]
        found = problems(refusal, *FIELDS) if refusal else {}
        on_offer = [role for role in roles.visible_to(self.actor) if self.actor.covers(role.permissions)]
        context = {
            "place": "users",
            "form": self,
            "grants": grants.typed(self.actor, self.data),
            "wrong": blames_role(refusal),
            "problems": found,
            "wrong_emails": "emails" in found or (bad and not self.is_draft),
            "typed": self.data,
            "days": [(days, days == number_or(self.data.get("days"), invitations.DAYS)) for days in DAYS],
            "languages": settings.LANGUAGES,
            "groups": groups(good),
            "good": good[:SHOWN],
            "good_count": len(good),
            "good_more": len(good[SHOWN:]),
            "bad": bad[:SHOWN],
            "bad_count": len(bad),
            "bad_more": len(bad[SHOWN:]),
            "kept": self._kept([*good[:SHOWN], *bad[:SHOWN]]),
            "roles": on_offer,
            "offered": {role.slug for role in on_offer},
            "links_end": self.asked[1].link_ends(self.actor.now) if good else None,
        }
        answer = 422 if self.remaining and not sent else 200
        if refusal and not self.is_draft:
            answer = status(refusal)
        return pages.render(request, "console/invite.html", context, status=answer)

    def _kept(self, shown: Sequence[Line]) -> list[tuple[str, str]]:
        """What lines ask for themselves and no choice in the review carries, as hidden fields."""
        there = {*self.own_roles, *self.own_places} if self._is_unreadable else set(map(key_of, self.entries))
        roles_left = there - {line.key for line in shown if line.shows_role}
        places_left = there - {line.key for line in shown if not line.outcome.is_good}
        return [
            *((ROLE_OF + key, role) for key, role in self.own_roles.items() if key in roles_left),
            *((PLACES_OF + key, places) for key, places in self.own_places.items() if key in places_left),
        ]


def groups(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Lines that get the same: how many, as what, and what they will be able to do."""
    found: dict[tuple[Grant, tuple[SeatOffer, ...]], int] = {}
    for line in lines:
        assert line.outcome.grant is not None  # noqa: S101  # a good verdict has one
        kind = (line.outcome.grant, tuple(line.outcome.seats))
        found[kind] = found.get(kind, 0) + 1
    return [
        {
            "count": count,
            "title": grant.role.title if grant.role else _("Custom"),
            "permissions": boxes_of(grant),
            "seats": seats,
        }
        for (grant, seats), count in found.items()
    ]


def boxes_of(grant: Grant) -> list[Permission]:
    return [permission for permission in catalogue().of_organization if permission in grant.permissions]


def blames_role(refusal: Refusal | None) -> Refusal | None:
    """The refusal of a role or of boxes; a `grants.Differs` asks which is meant."""
    errors = refusal.errors if isinstance(refusal, Invalid) else []
    return next((error for error in errors if error.field in {"role", "permissions"}), None)


def key_of(entry: Typed) -> str:
    return entry.address or entry.text


def under(prefix: str, data: Mapping[str, Any]) -> dict[str, str]:
    return {name.removeprefix(prefix): data[name] for name in data if name.startswith(prefix) and data[name]}


def slugs(text: str | None) -> tuple[str, ...] | None:
    return tuple(re.split(r"[\s,;]+", text.strip(" ,;"))) if text else None


def read_csv(upload: UploadedFile) -> list[Typed]:
    if (upload.size or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2
        raise Invalid(_("A file may have at most %(n)d MB. Send it in parts.") % {"n": limit}, field="csv")
    entries = addresses.read_csv(upload.read())
    if not entries:
        raise Invalid(_("There is no row below the first line of the file."), field="csv")
    return entries


def number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Invalid(_("Choose for how many days the link works."), field="expires_in_days") from error


def number_or(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 4 else otherwise


def end_of(day: str, *, field: str = "member_until") -> datetime | None:
    """The last moment of a day, UTC; nothing for no day."""
    if not day.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(day.strip()), time.max, tzinfo=UTC)
    except ValueError as error:
        raise Invalid(_("Write the day as in 2027-01-31."), field=field) from error
