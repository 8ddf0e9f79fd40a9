"""What an event knows besides its sentence, in words: before and after, and all else that its details hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portico.domain.events import Line

from .sentences import FIELDS, grant, labels
from .templatetags.portico import day

TITLES = {
    "role": gettext_lazy("Role"),
    "permissions": gettext_lazy("Permissions"),
    "changed": gettext_lazy("Changed"),
    "workspace": gettext_lazy("Workspace"),
    "seats": gettext_lazy("Seats that ended"),
    "tokens": gettext_lazy("Tokens that ended"),
    "left_out": gettext_lazy("Seats left out"),
    "reason": gettext_lazy("Because"),
    "count": gettext_lazy("How many"),
    "number": gettext_lazy("Letter"),
    "expires_at": gettext_lazy("Until"),
    "member": gettext_lazy("Holder"),
    "step_down": gettext_lazy("Whoever gives becomes"),
}
REASONS = {
    "sponsor_gone": gettext_lazy("whoever sent it can no longer offer it"),
    "token_revoked": gettext_lazy("the token that it came through was revoked"),
    "organization_closed": gettext_lazy("the organization was closed"),
}
# What `before` and `after` are, where they are no set of permissions.
CHANGED = {"member.end_changed": gettext_lazy("End of membership"), "seat": gettext_lazy("Seat")}


@dataclass(frozen=True)
class Change:
    """One thing that is not what it was."""

    title: str
    before: str
    after: str


@dataclass(frozen=True)
class Fact:
    """One thing that an event tells besides."""

    title: str
    text: str


def changes(line: Line) -> list[Change]:
    """What it was before, and what it is now."""
    details = line.event.details
    if "before" not in details and "after" not in details:
        return []
    before, after = details.get("before"), details.get("after")
    if _is_set(before) or _is_set(after):
        return [_change_of_set(line, before, after)]
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            Change(field(name), words(line, name, before.get(name)), words(line, name, new))
            for name, new in after.items()
        ]
    action = line.event.action
    title = CHANGED.get(action) or CHANGED.get(action.partition(".")[0]) or _("State")
    return [Change(str(title), words(line, "before", before), words(line, "after", after))]


def _is_set(summary: Any) -> bool:
    """Whether it says a role or a set of permissions."""
    return isinstance(summary, dict) and bool(summary.keys() & {"role", "permissions"})


def _change_of_set(line: Line, before: Any, after: Any) -> Change:
    only_sets = all(isinstance(each, dict) and "role" not in each for each in (before, after) if each)
    title = _("Permissions") if only_sets else _("Role")
    return Change(title, _set_in_words(line, before), _set_in_words(line, after))


def _set_in_words(line: Line, summary: Any) -> str:
    """A role by its name; else each permission."""
    if not summary:
        return _("none")
    return grant(line, summary) if "role" in summary else words(line, "permissions", summary["permissions"])


def facts(line: Line) -> list[Fact]:
    """All else that the details hold. What is not known here is shown as it is, so that nothing is hidden."""
    told = {name: value for name, value in line.event.details.items() if name not in {"before", "after"}}
    return [
        Fact(str(TITLES.get(name, name)), words(line, name, value))
        for name, value in told.items()
        if value not in (None, [], "", {})
    ]


def field(name: str) -> str:
    title = str(FIELDS.get(name, name))
    return title[:1].upper() + title[1:]


def words(line: Line, name: str, value: Any) -> str:
    """A value for people: names instead of ids, labels instead of permissions, days instead of moments."""
    if value is None or value in ("", [], {}):
        return _("none")
    if isinstance(value, list):
        return ", ".join(_each(line, name, value))
    if isinstance(value, dict):
        return _seat(line, value) if "workspace" in value else _set_in_words(line, value)
    text = str(value)
    if text in line.names:
        return line.names[text]
    if name == "reason":
        return str(REASONS.get(text, text))
    return _moment(text) or grant(line, text)


def _each(line: Line, name: str, values: list[Any]) -> Iterator[str]:
    if name == "permissions":
        yield from labels(set(values))
    elif name == "changed":
        yield from (str(FIELDS.get(each, each)) for each in values)
    else:
        yield from (words(line, name, each) for each in values)


def _seat(line: Line, seat: dict[str, Any]) -> str:
    place = line.names.get(seat["workspace"], _("a workspace"))
    return _("%(workspace)s, as %(role)s") % {"workspace": place, "role": grant(line, seat.get("role"))}


def _moment(text: str) -> str:
    """A day with its time, where the text is one."""
    try:
        at = datetime.fromisoformat(text) if text[4:5] == "-" and "T" in text else None
    except ValueError:
        at = None
    return f"{day(at)}, {at:%H:%M} UTC" if at else ""
