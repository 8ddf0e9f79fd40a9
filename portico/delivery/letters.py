"""What each kind of letter says: once, for its HTML and its plain half alike.

Names and messages were written by people and go to strangers, so whatever a mail program would turn into a link is
broken on the way (`unlinked`). The only link of a letter is that of its button.
"""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portico.domain.addresses import normal
from portico.domain.handovers import Handover
from portico.domain.images import LARGE, file_of
from portico.domain.invitations import Invitation, letter_token
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization
from portico.domain.permissions import catalogue
from portico.domain.roles import Role
from portico.domain.words import unlinked
from portico.domain.workspaces import SeatOffer
from portico.settings import is_loopback

LINE = 70  # of the plain half
NAMED = 20  # as many people as one letter names
# The stylesheet's colours of organizations as mail programs know them. All carry white at more than 4.5 : 1.
HEX = {
    "violet": "#6547b0",
    "indigo": "#4c55bc",
    "blue": "#0961bb",
    "sky": "#026d91",
    "teal": "#017272",
    "green": "#02773b",
    "lime": "#536f02",
    "yellow": "#766202",
    "orange": "#974c02",
    "red": "#ac3031",
    "pink": "#a13170",
    "slate": "#596475",
}
BOLD = '<b class="ink" style="font-weight:600;color:#1c1a24;">{}</b>'


class Strong(str):
    """A word that stands out where letters can be bold."""

    __slots__ = ()


@dataclass(frozen=True)
class Sentence:
    """Translated words with named places, and what stands in them."""

    words: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.words % self.values if self.values else self.words

    @property
    def html(self) -> SafeString:
        words = conditional_escape(self.words)
        shown = {name: _bold(value) for name, value in self.values.items()}
        return mark_safe(words % shown if shown else words)  # noqa: S308  # words and values are escaped one by one


def _bold(value: str) -> SafeString:
    return format_html(BOLD, str(value)) if isinstance(value, Strong) else conditional_escape(value)


@dataclass(frozen=True)
class Face:
    """The square at the top: a picture, where mail programs can fetch and may show it; else an initial on a colour."""

    initial: str = "P"
    color: str = HEX["violet"]
    image: str = ""


@dataclass(frozen=True)
class Button:
    label: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """One letter in words, before it has a shape."""

    subject: str
    sentences: Sequence[Sentence]
    sender: str
    foot: str
    face: Face = Face()
    glance: str = ""  # what lists of mail show beside the subject
    quote: str = ""
    code: str = ""
    button: Button | None = None
    abilities: Sequence[tuple[str, str]] = ()
    heading: str = ""  # over them, where they are something else
    notes: Sequence[str] = ()

    def said(self) -> "Said":
        return Said(self.subject, self.text, self.html)

    @property
    def html(self) -> str:
        return render_to_string("letters/letter.html", {"letter": self})

    @property
    def text(self) -> str:
        parts = [_wrapped(sentence.text) for sentence in self.sentences]
        if self.quote:
            parts.append("\n".join(_wrapped(line, "    ") for line in self.quote.split("\n")))
        if self.code:
            parts.append(f"    {self.code}")
        if self.button:
            parts += [f"{self.button.label}:", self.button.link]
        if self.abilities:
            parts.append(self.heading or _("You will be able to"))
            parts.append("\n".join(_listed(label, sentence) for label, sentence in self.abilities))
        parts += [_wrapped(note) for note in self.notes]
        parts += [f"--\n{_wrapped(self.foot)}", self.sender]
        return "\n\n".join(parts) + "\n"


# What ten thousand invitations of one command do not share. Nobody can type these characters, so nothing else has them.
ADDRESS, LINK = "\ue000" * 24, "\ue001"


@dataclass(frozen=True)
class Said:
    """A letter in both its shapes, perhaps still without address and link."""

    subject: str
    text: str
    html: str

    def to(self, address: str, link: str) -> "Said":
        return Said(
            self.subject,
            self.text.replace(ADDRESS, address).replace(LINK, link),
            self.html.replace(ADDRESS, escape(address)).replace(LINK, escape(link)),
        )


@lru_cache(maxsize=1024)
def _wrapped(text: str, indent: str = "", first: str | None = None) -> str:
    return textwrap.fill(
        text,
        LINE,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _listed(label: str, sentence: str) -> str:
    return f"{_wrapped(label, '    ', '  - ')}\n{_wrapped(sentence, '    ')}"


# --- Of organizations ----------------------------------------------------------------------------------------------


def invitation(offer: Invitation) -> Written:
    """To the invited: for all whom one command invites, with ADDRESS and LINK in the place of each one's own."""
    organization, sponsor = unlinked(offer.organization.name), offer.sponsor
    if sponsor:
        subject = _("%(name)s invites you to %(organization)s")
        subject %= {"name": unlinked(sponsor.name), "organization": organization}
    else:
        subject = _("You are invited to %(organization)s") % {"organization": organization}
    until = offer.expires_at.astimezone(UTC)
    glance = _("The offer stands until %(day)s.") % {"day": _day(until)}
    return Written(
        subject=subject,
        glance=glance if offer.grant.is_custom else f"{_('Join as %(role)s.') % {'role': _role(offer.grant)}} {glance}",
        sentences=[_offer_of(sponsor, organization, offer.grant)],
        face=_face(offer.organization),
        quote=unlinked(offer.message),
        button=Button(_("See the invitation"), LINK),
        abilities=[*_permissions(offer.grant), *(_seat(seat) for seat in offer.seat_offers if seat.workspace.is_open)],
        notes=_terms(offer, until),
        foot=_("Not expecting this? You can ignore it."),
        sender=_sender(organization),
    )


def _offer_of(sponsor: Membership | None, organization: str, grant: Role) -> Sentence:
    values: dict[str, str] = {"organization": Strong(organization), "role": Strong(_role(grant))}
    if sponsor is None and grant.is_custom:
        return Sentence(
            _("Whoever runs this Portico would like you to join the organization %(organization)s."), values
        )
    if sponsor is None:
        return Sentence(
            _("Whoever runs this Portico would like you to join the organization %(organization)s as %(role)s."), values
        )
    values |= {"name": unlinked(sponsor.name), "address": sponsor.address}
    if grant.is_custom:
        return Sentence(_("%(name)s (%(address)s) would like you to join the organization %(organization)s."), values)
    return Sentence(
        _("%(name)s (%(address)s) would like you to join the organization %(organization)s as %(role)s."), values
    )


def _terms(offer: Invitation, until: datetime) -> list[str]:
    notes = [
        _(
            "The offer stands until %(moment)s UTC. It is for %(address)s alone. Opening the address changes nothing; "
            "you accept or decline on the page."
        )
        % {"moment": date_format(until, "l j F Y, H:i"), "address": ADDRESS}
    ]
    if offer.member_until:
        notes.append(_("The membership would end on %(day)s.") % {"day": _day(offer.member_until.astimezone(UTC))})
    return notes


def _permissions(grant: Role) -> list[tuple[str, str]]:
    return [(str(each.label), str(each.sentence)) for each in catalogue().granted(grant.permissions)]


def _seat(offer: SeatOffer) -> tuple[str, str]:
    name = {"name": unlinked(offer.workspace.name)}
    if offer.role == "manager":
        return _("Manage %(name)s") % name, _("A seat as manager of this workspace")
    return _("Work in %(name)s") % name, _("A seat as member of this workspace")


def link_of(offer: Invitation) -> str:
    """Derived when the letter leaves, and stored nowhere."""
    return _joining(settings.BASE_URL) + letter_token(offer.pk, offer.number)


@lru_cache(maxsize=1)
def _joining(base: str) -> str:
    return base + reverse("join", args=["-"]).removesuffix("-")


def accepted(offer: Invitation) -> Written:
    """To the sponsor."""
    name = unlinked(offer.membership.name) if offer.membership else offer.address
    return _of_invitation(
        offer,
        subject=_("%(name)s accepted your invitation"),
        sentence=_("%(name)s (%(address)s) belongs to %(organization)s now."),
        name=name,
        button=Button(_("See the member"), _link("user", offer.organization.slug, offer.membership_id)),
    )


def declined(offer: Invitation) -> Written:
    """To the sponsor."""
    return _of_invitation(
        offer,
        subject=_("%(name)s declined your invitation"),
        sentence=_("%(name)s will not join %(organization)s. The invitation is closed."),
        name=offer.address,
    )


def asked(offer: Invitation) -> Written:
    """To the sponsor, or if that one is gone to those who manage members: somebody needs a new link."""
    return _of_invitation(
        offer,
        subject=_("%(name)s asks for a new invitation"),
        sentence=_("The link that %(name)s got to join %(organization)s no longer works. Send a new one, or leave it."),
        name=offer.address,
        foot=_("You get this because you manage the members of %(organization)s."),
    )


def _of_invitation(
    offer: Invitation, *, subject: str, sentence: str, name: str, button: Button | None = None, foot: str = ""
) -> Written:
    organization = unlinked(offer.organization.name)
    values = {"name": name, "address": offer.address, "organization": organization}
    return Written(
        subject=subject % values,
        sentences=[Sentence(sentence, values | {"organization": Strong(organization)})],
        face=_face(offer.organization),
        quote=unlinked(offer.reply),
        button=button or Button(_("See the invitation"), _link("user", offer.organization.slug, offer.pk)),
        foot=(foot or _("You get this because you invited %(address)s.")) % values,
        sender=_sender(organization),
    )


def removed(organization: Organization, by: str) -> Written:
    """To somebody who was a member. `by` is who did it, as the event names them."""
    return _of_membership(
        organization,
        by,
        subject=_("You no longer belong to %(organization)s"),
        told=_("%(by)s removed you from %(organization)s.") if by else _("You were removed from %(organization)s."),
        then=_("What you could do there you can do no longer. Your account stays as it is."),
        foot=_("You get this because you were a member of %(organization)s."),
    )


def suspended(organization: Organization, by: str) -> Written:
    """To the member."""
    told = _("%(by)s suspended your membership of %(organization)s.")
    return _of_membership(
        organization,
        by,
        subject=_("Your membership of %(organization)s is suspended"),
        told=told if by else _("Your membership of %(organization)s was suspended."),
        then=_("Nothing is permitted to you there until somebody reactivates it. Your account stays as it is."),
    )


def reactivated(organization: Organization, by: str) -> Written:
    """To the member."""
    told = _("%(by)s reactivated your membership of %(organization)s.")
    return _of_membership(
        organization,
        by,
        subject=_("Your membership of %(organization)s is active again"),
        told=told if by else _("Your membership of %(organization)s was reactivated."),
        then=_("What you could do there before, you can do again. Invitations that were withdrawn stay so."),
        button=_open(organization),
    )


def ending(member: Membership) -> Written:
    """To the member, some days before the membership ends."""
    return _of_membership(
        member.organization,
        "",
        subject=_("Your membership of %(organization)s ends on %(day)s"),
        told=_("Your membership of %(organization)s ends on %(moment)s."),
        then=_("From then on nothing is permitted to you there. If it should go on, ask whoever manages members."),
        button=_open(member.organization),
        day=_day(_end(member)),
        moment=Strong(_moment(_end(member))),
    )


def endings(organization: Organization, members: Sequence[Membership]) -> Written:
    """To those who manage members: whose membership ends soon."""
    name = unlinked(organization.name)
    one = members[0] if len(members) == 1 else None
    subject = ngettext(
        "A membership of %(organization)s ends soon", "%(n)d memberships of %(organization)s end soon", len(members)
    )
    told = ngettext(
        "One membership of %(organization)s ends soon. From then on nothing is permitted to them there.",
        "%(n)s memberships of %(organization)s end soon. From then on nothing is permitted to them there.",
        len(members),
    )
    more = len(members) - NAMED
    return Written(
        subject=subject % {"organization": name, "n": len(members)},
        sentences=[Sentence(told, {"organization": Strong(name), "n": f"{len(members):,}"})],
        face=_face(organization),
        heading=_("Whose, and when"),
        abilities=[(f"{unlinked(each.name)} ({each.address})", _moment(_end(each))) for each in members[:NAMED]],
        notes=[ngettext("And %d more.", "And %d more.", more) % more] if more > 0 else [],
        button=Button(_("See the member"), _link("user", organization.slug, one.pk)) if one else _open(organization),
        foot=_("You get this because you manage the members of %(organization)s.") % {"organization": name},
        sender=_sender(name),
    )


def _of_membership(
    organization: Organization,
    by: str,
    *,
    subject: str,
    told: str,
    then: str,
    foot: str = "",
    button: Button | None = None,
    **values: str,
) -> Written:
    name = unlinked(organization.name)
    values |= {"organization": name}
    return Written(
        subject=subject % values,
        sentences=[Sentence(told, values | {"organization": Strong(name), "by": _named(by)}), Sentence(then)],
        face=_face(organization),
        button=button,
        foot=(foot or _("You get this because you are a member of %(organization)s.")) % values,
        sender=_sender(name),
    )


def _open(organization: Organization) -> Button:
    return Button(_("Open %(name)s") % {"name": unlinked(organization.name)}, _link("dashboard", organization.slug))


def _end(member: Membership) -> datetime:
    assert member.expires_at is not None  # noqa: S101  # `why_not` has asked
    return member.expires_at.astimezone(UTC)


def _moment(at: datetime) -> str:
    return _("%(moment)s UTC") % {"moment": date_format(at, "j F Y, H:i")}


def closed(organization: Organization, by: str) -> Written:
    """To its administrators: how to restore it, and until when. `by` is who did it, as the event names them."""
    name = unlinked(organization.name)
    values = {"organization": Strong(name), "by": _named(by)}
    told = _("%(by)s closed %(organization)s.") if by else _("%(organization)s was closed.")
    until = {"moment": Strong(_until(organization.restorable_until))}
    return Written(
        subject=_("%(organization)s is closed") % {"organization": name},
        sentences=[
            Sentence(f"{told} {_('Nobody can use it any more, and every invitation was withdrawn.')}", values),
            Sentence(_("Until %(moment)s you can restore it. Then all of it is deleted for good."), until),
        ],
        face=_face(organization),
        button=Button(_("Restore it"), _link("dashboard", organization.slug)),
        foot=_("You get this because you administered %(organization)s.") % {"organization": name},
        sender=_sender(name),
    )


def handover(offer: Handover) -> Written:
    """To the member who is to become an Administrator."""
    name, giver = unlinked(offer.organization.name), unlinked(offer.giver.name) if offer.giver else ""
    values = {"organization": Strong(name), "name": giver}
    then = _("You could then do everything there, now and in the future. %(name)s stays an Administrator too.")
    if offer.role:
        values["role"] = Strong(_role(offer.role))
        then = _("You could then do everything there, now and in the future. %(name)s becomes %(role)s.")
    until = {"moment": Strong(_until(offer.expires_at))}
    return Written(
        subject=_("%(name)s asks you to administer %(organization)s") % {"name": giver, "organization": name},
        sentences=[
            Sentence(_("%(name)s would like you to become an Administrator of %(organization)s."), values),
            Sentence(then, values),
            Sentence(_("The offer stands until %(moment)s. Nothing changes before you accept."), until),
        ],
        face=_face(offer.organization),
        button=Button(_("See the offer"), _link("handover", offer.organization.slug)),
        foot=_("You get this because you are a member of %(organization)s.") % {"organization": name},
        sender=_sender(name),
    )


def handover_accepted(organization: Organization, name: str) -> Written:
    """To the one who offered it."""
    return _of_handover(
        organization,
        name,
        subject=_("%(name)s administers %(organization)s now"),
        sentence=_("%(name)s accepted, and is an Administrator of %(organization)s from now on."),
    )


def handover_declined(organization: Organization, name: str) -> Written:
    """To the one who offered it."""
    return _of_handover(
        organization,
        name,
        subject=_("%(name)s does not want to administer %(organization)s"),
        sentence=_("%(name)s declined to become an Administrator of %(organization)s. Nothing has changed."),
    )


def _until(moment: datetime | None) -> str:
    return _moment(moment.astimezone(UTC)) if moment else ""


def _of_handover(organization: Organization, name: str, *, subject: str, sentence: str) -> Written:
    here = unlinked(organization.name)
    values = {"name": unlinked(name), "organization": here}
    return Written(
        subject=subject % values,
        sentences=[Sentence(sentence, values | {"organization": Strong(here)})],
        face=_face(organization),
        button=_open(organization),
        foot=_("You get this because you offered it.") % values,
        sender=_sender(here),
    )


def _named(label: str) -> str:
    """Who did it, from the label `Name <address>` of an event. The address stays whole, so that one can write to it."""
    name, _between, rest = label.rpartition(" <")
    address = rest.removesuffix(">")
    return f"{unlinked(name)} ({address})" if name and normal(address) == address else unlinked(label)


def _role(grant: Role) -> str:
    return unlinked(grant.title)


def _face(organization: Organization) -> Face:
    return Face(organization.name[:1].upper(), HEX.get(organization.color, HEX["violet"]), _image(organization.image))


def _image(name: str) -> str:
    """The address of a picture, if it can be fetched from elsewhere, and without telling who reads what."""
    base = urlsplit(settings.BASE_URL)
    if not name or base.scheme != "https" or is_loopback(base.hostname or ""):
        return ""
    return _link("image", file_of(name, LARGE))


def _sender(organization: str) -> str:
    return _("Sent by Portico for %(organization)s") % {"organization": organization}


def _day(moment: datetime) -> str:
    return date_format(moment, "j F Y")


# --- Of a person's own account -------------------------------------------------------------------------------------

Secrets = Mapping[str, str]


def account(kind: str, address: str, secrets: Secrets) -> Written:
    """To a person about their own account. Kinds are the names that django-allauth gives its letters."""
    return ACCOUNT[kind](address, secrets)


def _account(
    subject: str,
    *sentences: str,
    secrets: Secrets,
    foot: str,
    button: Button | None = None,
    **values: str,
) -> Written:
    strong = {name: Strong(value) for name, value in values.items()}
    return Written(
        subject=subject,
        sentences=[Sentence(sentence, strong) for sentence in sentences],
        code=secrets.get("code") or "",
        button=button,
        foot=foot,
        sender=_("Sent by Portico"),
    )


def _confirm(address: str, secrets: Secrets) -> Written:
    by_code = _("Type this code into the window that you have open, to show that %(address)s is yours.")
    by_link = _("Press the button to show that %(address)s is yours.")
    return _account(
        _("Confirm your email address"),
        by_code if secrets.get("code") else by_link,
        secrets=secrets,
        address=address,
        button=_given(secrets, _("Confirm this address")),
        foot=_("Not expecting this? Somebody typed your address by mistake. You can ignore it."),
    )


def _log_in(address: str, secrets: Secrets) -> Written:
    return _account(
        _("Your code to log in"),
        _("Type this code into the window that you have open, to log in as %(address)s."),
        secrets=secrets,
        address=address,
        foot=_("Not expecting this? You can ignore it. Give the code to nobody: whoever has it can log in as you."),
    )


def _reset(address: str, secrets: Secrets) -> Written:
    by_code = _("Type this code into the window that you have open, to choose a new password for %(address)s.")
    by_link = _("Somebody, probably you, asked to choose a new password for %(address)s.")
    return _account(
        _("Choose a new password"),
        by_code if secrets.get("code") else by_link,
        secrets=secrets,
        address=address,
        button=_given(secrets, _("Choose a new password")),
        foot=_("Not expecting this? You can ignore it: your password stays as it is."),
    )


def _unknown(address: str, secrets: Secrets) -> Written:
    may_sign_up = settings.SIGNUP == "open"
    return _account(
        _("There is no account with this address"),
        _("Somebody, probably you, tried to get into an account with %(address)s. There is none."),
        _("Did you use another address? Then try it with that one.")
        if may_sign_up
        else _("Did you use another address? Then try it with that one. New accounts need an invitation here."),
        secrets=secrets,
        address=address,
        button=Button(_("Create an account"), _link("account_signup")) if may_sign_up else None,
        foot=_("Not expecting this? You can ignore it."),
    )


def _exists(address: str, secrets: Secrets) -> Written:
    return _account(
        _("You have an account already"),
        _("Somebody, probably you, tried to create an account with %(address)s. There is one already: log in with it."),
        _("If you forgot the password, choose a new one."),
        secrets=secrets,
        address=address,
        button=Button(_("Choose a new password"), _link("account_reset_password")),
        foot=_("Not expecting this? You can ignore it: nothing was changed."),
    )


def _password_changed(address: str, secrets: Secrets) -> Written:
    return _notice(address, secrets, _("Your password was changed"), _("The password of your account was changed."))


def _password_set(address: str, secrets: Secrets) -> Written:
    return _notice(address, secrets, _("Your account has a password now"), _("Your account has a password now."))


def _email_changed(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("Your primary address was changed"),
        _("Letters about your account go to %(email)s from now on.")
        if secrets.get("email")
        else _("Letters about your account go to another of your addresses from now on."),
    )


def _email_confirmed(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("An address was confirmed"),
        _("%(email)s was confirmed and belongs to your account now."),
        email=secrets.get("email") or address,
    )


def _email_deleted(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("An address was removed from your account"),
        _("%(email)s no longer belongs to your account.")
        if secrets.get("email")
        else _("One of your addresses no longer belongs to your account."),
    )


def _address_added(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("An address was added to your account"),
        _("%(email)s was added to your account through the link of an invitation. Your primary address stays the same.")
        if secrets.get("email")
        else _("An address was added to your account through the link of an invitation."),
    )


def _notice(address: str, secrets: Secrets, subject: str, sentence: str, email: str = "") -> Written:
    """Of something that was done. Whoever did not do it gets the way to their account back."""
    return _account(
        subject,
        sentence,
        _("Was this not you? Choose a new password now."),
        secrets={},
        email=email or secrets.get("email") or "",
        button=Button(_("Choose a new password"), _link("account_reset_password")),
        foot=_("You get this because %(address)s belongs to your account.") % {"address": address},
    )


def _app_added(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("An app was set up as your second factor"),
        _("From now on a code from an app is asked for after your password."),
    )


def _app_removed(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("The app is no longer your second factor"),
        _("Codes from the app are no longer asked for, nor believed."),
    )


def _passkey_added(address: str, secrets: Secrets) -> Written:
    return _notice(
        address, secrets, _("A passkey was added to your account"), _("From now on a passkey lets into your account.")
    )


def _passkey_removed(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("A passkey was removed from your account"),
        _("A passkey that let into your account does so no longer."),
    )


def _recovery_codes_made(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("You have new recovery codes"),
        _("New recovery codes were made for your account. The ones before no longer work."),
    )


def _recovery_code_used(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("A recovery code was used"),
        _("Somebody, probably you, used a recovery code in place of your app or passkey. It works no more."),
    )


def _second_factor_reset(address: str, secrets: Secrets) -> Written:
    return _notice(
        address,
        secrets,
        _("Your second factor was taken off"),
        _("Whoever runs this Portico took app, passkeys and recovery codes off your account. Set them up again."),
    )


def _closed(address: str, secrets: Secrets) -> Written:
    return _account(
        _("Your account is closed"),
        _("You belong to no organization here any more, and your name and addresses are forgotten."),
        _("This is the last letter about it."),
        secrets={},
        foot=_("You get this because %(address)s belonged to the account.") % {"address": address},
    )


ACCOUNT: dict[str, Callable[[str, Secrets], Written]] = {
    "account/email_confirmation": _confirm,
    "account/email_confirmation_signup": _confirm,
    "account/login_code": _log_in,
    "account/password_reset_key": _reset,
    "account/unknown_account": _unknown,
    "account/account_already_exists": _exists,
    "account/password_changed": _password_changed,
    "account/password_reset": _password_changed,
    "account/password_set": _password_set,
    "account/email_changed": _email_changed,
    "account/email_confirm": _email_confirmed,
    "account/email_deleted": _email_deleted,
    "account/address_added": _address_added,
    "account/app_added": _app_added,
    "account/closed": _closed,
    "account/second_factor_reset": _second_factor_reset,
    "account/app_removed": _app_removed,
    "account/passkey_added": _passkey_added,
    "account/passkey_removed": _passkey_removed,
    "account/recovery_codes_made": _recovery_codes_made,
    "account/recovery_code_used": _recovery_code_used,
}
# Without their secret there is nothing in them.
NEED_SECRETS = frozenset(kind for kind, writer in ACCOUNT.items() if writer in {_confirm, _log_in, _reset})


def _given(secrets: Secrets, label: str) -> Button | None:
    """The button of an address that came with the letter: its path only, because a request may name a false host."""
    if not secrets.get("url"):
        return None
    parts = urlsplit(secrets["url"])
    query = f"?{parts.query}" if parts.query else ""
    return Button(label, f"{settings.BASE_URL}/{parts.path.lstrip('/')}{query}")


def _link(page: str, *which: object) -> str:
    return settings.BASE_URL + reverse(page, args=which)
