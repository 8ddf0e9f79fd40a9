"""What templates may ask: the same questions that commands ask, and small ways to show things."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portico.console import letters, proof, second_factor
from portico.console.undo import read
from portico.domain import organizations
from portico.domain.access import Actor
from portico.domain.images import LARGE, SMALL, file_of
from portico.domain.permissions import ADMINISTER, catalogue

register = template.Library()
HUES = 8


@register.filter
def can(actor: Actor, name: str) -> bool:
    """Whether the actor holds a permission in the organization: `{% if actor|can:"members.manage" %}`."""
    permission = ADMINISTER if name == ADMINISTER.name else catalogue().find(name)
    if permission is None:
        raise template.TemplateSyntaxError(f"there is no permission {name}")
    return actor.can(permission)


@register.filter
def undo(tags: str | None) -> Mapping[str, Any] | None:
    """What the toast of a message offers to take back, if anything."""
    return read(tags)


@register.simple_tag
def founding_is_open() -> bool:
    """Whether people may create organizations here."""
    return organizations.founding_is_open()


@register.simple_tag
def way_back(where: str | None) -> str:
    """Where *Cancel* leads from the question who it is."""
    return proof.way_back(where)


@register.simple_tag(takes_context=True)
def has_outbox(context: Mapping[str, Any]) -> bool:
    """Whether letters land where this request may read them."""
    return letters.is_shown_to(context["request"])


@register.simple_tag(takes_context=True)
def passkeys_work(context: Mapping[str, Any]) -> bool:
    """Whether browsers do passkeys at this address."""
    return proof.passkeys_work(context["request"])


@register.simple_tag(takes_context=True)
def passkeys_are_known(context: Mapping[str, Any]) -> bool:
    """Whether anybody could log in by one."""
    return second_factor.passkeys_are_known(context["request"])


@cache
def _sprite() -> str:
    return static("portico/icons.svg")


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A drawing of the sprite, 16 px, silent to screen readers: its word stands beside it."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {extra}" if extra else "",
        _sprite(),
        name,
    )


BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = {
    "Windows": "Windows", "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Mac OS": "macOS", "Linux": "Linux",
}  # fmt: skip


@register.filter
def browser(agent: str) -> str:
    """A browser as people call it. Each claims to be others as well, so the first that fits is the one."""
    name, system = (next((word for mark, word in known.items() if mark in agent), "") for known in (BROWSERS, SYSTEMS))
    if name and system:
        return _("%(browser)s on %(system)s") % {"browser": name, "system": system}
    return name or system or agent[:60] or _("Unknown browser")


@register.filter
def control(field: BoundField) -> SafeString:
    """The control of a form's field in our look, without a placeholder that only repeats its label."""
    repeats = str(field.field.widget.attrs.get("placeholder")) == str(field.label)
    return field.as_widget(attrs={"class": "input"} | ({"placeholder": False} if repeats else {}))


def initials(name: str) -> str:
    """The first letters of the first and the last word."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in dict.fromkeys([*words[:1], *words[-1:]])).upper()


@register.simple_tag(takes_context=True)
def face(context: Mapping[str, Any], name: str, key: UUID | str, size: str = "", image: str = "") -> SafeString:
    """Somebody's picture, given or among the page's `pictures`; or initials on a colour that stays theirs."""
    if image := image or context.get("pictures", {}).get(key, ""):
        return picture(image, size)
    hue = sum(str(key).encode()) % HUES + 1
    return format_html(
        '<span class="face{}" data-hue="{}" aria-hidden="true">{}</span>',
        f" {size}" if size else "",
        hue,
        initials(name),
    )


def picture(name: str, look: str) -> SafeString:
    """A kept picture in the place of initials. Whose it is stands beside it."""
    file = file_of(name, LARGE if "s56" in look else SMALL)
    return format_html('<img class="face {}" src="{}" alt="">', look, reverse("image", args=[file]))


@register.simple_tag
def organization_face(organization: Any, size: str = "") -> SafeString:
    """An organization's picture, or its initial on its colour."""
    if organization.image:
        return picture(organization.image, f"org {size}".strip())
    return format_html(
        '<span class="face org{}" data-color="{}" aria-hidden="true">{}</span>',
        f" {size}" if size else "",
        organization.color,
        organization.name[:1].upper(),
    )


@register.simple_tag
def workspace_face(workspace: Any, size: str = "") -> SafeString:
    """A workspace's picture: its initial on its colour."""
    return format_html(
        '<span class="face part{}" data-color="{}" aria-hidden="true">{}</span>',
        f" {size}" if size else "",
        workspace.color,
        workspace.name[:1].upper(),
    )


@register.filter
def moment(value: datetime | None, style: str = "near") -> SafeString | str:
    """A time for people, with the exact one in `<time>`: "near" as seen from now, "day", "exact", or "second"."""
    if value is None:
        return "–"
    exact = f"{value:%Y-%m-%d %H:%M} UTC"
    styles = {
        "near": near,
        "day": day,
        "exact": lambda at: f"{day(at)}, {at:%H:%M} UTC",
        "second": lambda at: f"{day(at)}, {at:%H:%M:%S} UTC",
    }
    words = styles[style](value)
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(timespec="minutes"), exact, words)


def day(value: datetime) -> str:
    return date_format(value, "j F Y")


def near(value: datetime) -> str:
    """How long ago or until, in the largest unit that says something.

    Days that lie ahead are rounded: a link for 7 days has 7 days left when it has just been sent.
    """
    now = timezone.now()
    minutes = int(abs((now - value).total_seconds()) // 60)
    if value > now and minutes >= 60 * 24 - 30:
        minutes = round(minutes / (60 * 24)) * 60 * 24
    if minutes < 1:
        return _("now")
    if minutes >= 60 * 24 * 30:
        return day(value)
    if minutes < 60:
        count, ago, left = (
            minutes,
            ngettext("%d min ago", "%d min ago", minutes),
            ngettext("%d min left", "%d min left", minutes),
        )
    elif minutes < 60 * 24:
        count = minutes // 60
        ago, left = ngettext("%d hour ago", "%d hours ago", count), ngettext("%d hour left", "%d hours left", count)
    else:
        count = minutes // (60 * 24)
        ago, left = ngettext("%d day ago", "%d days ago", count), ngettext("%d day left", "%d days left", count)
    return (ago if value <= now else left) % count
