"""Events in words: one sentence for each thing that happened, with the names that stand beside it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portico.domain.events import Line
from portico.domain.permissions import catalogue

from .templatetags.portico import day

# What a `changed` event calls its fields, in the words of the pages.
FIELDS = {
    "name": gettext_lazy("name"),
    "slug": gettext_lazy("address"),
    "description": gettext_lazy("description"),
    "color": gettext_lazy("colour"),
    "image": gettext_lazy("picture"),
    "legal_name": gettext_lazy("legal name"),
    "email": gettext_lazy("billing email"),
    "line1": gettext_lazy("street"),
    "line2": gettext_lazy("second line of the address"),
    "city": gettext_lazy("city"),
    "region": gettext_lazy("region"),
    "postal_code": gettext_lazy("postal code"),
    "country": gettext_lazy("country"),
    "tax_id": gettext_lazy("tax id"),
    "purchase_order": gettext_lazy("purchase order reference"),
    "currency": gettext_lazy("currency"),
}


@dataclass(frozen=True)
class Told:
    """A line of a history, as `console/history.html` shows it."""

    sentence: SafeString
    at: datetime
    name: str
    key: UUID | str


def told(lines: Iterable[Line]) -> list[Told]:
    return [
        Told(sentence(line), line.event.at, name_in(line.actor), line.event.actor_id or line.event.actor_kind)
        for line in lines
    ]


def sentence(line: Line) -> SafeString:
    """Who did what, to whom. An action that is not known here is shown by its name, so that nothing is hidden."""
    words = SENTENCES.get(line.event.action, lambda _line: "{who}: {action}")(line)
    return format_html(
        words,
        who=who(line),
        whom=whom(line),
        action=line.event.action,
        role=grant(line, line.event.details),
        before=grant(line, line.event.details.get("before")),
        after=grant(line, line.event.details.get("after")),
        fields=fields(line),
        until=until(line),
        workspace=bold(line.names.get(line.event.details.get("workspace", ""), _("a workspace"))),
        gained=", ".join(labels(permissions_in(line, "after") - permissions_in(line, "before"))),
        lost=", ".join(labels(permissions_in(line, "before") - permissions_in(line, "after"))),
    )


def name_in(label: str) -> str:
    """The name of a label `Name <address>`: sentences show no address but that of somebody invited."""
    return label.rpartition(" <")[0] if label.endswith(">") else label


def bold(name: str) -> SafeString:
    return format_html("<b><bdi>{}</bdi></b>", name)


def who(line: Line) -> SafeString:
    """Whoever acted. Names can be erased; the fact stays."""
    kinds = {"operator": _("The operator"), "bearer": _("Whoever holds the link")}
    return bold(name_in(line.actor) or kinds.get(line.event.actor_kind, _("Somebody")))


def whom(line: Line) -> SafeString:
    first = bold(name_in(line.subject) or _("somebody"))
    if not line.others:
        return first
    words = ngettext("{first} and {count} other", "{first} and {count} others", line.others)
    return format_html(words, first=first, count=f"{line.others:,}")


def grant(line: Line, summary: Any) -> str:
    """A role by its name; a set of permissions of one's own as Custom. Seats say their kind."""
    if isinstance(summary, str):
        return {"manager": _("manager"), "member": _("member")}.get(summary, summary)
    if not summary:
        return ""
    return line.names.get(summary["role"], summary["role"]) if "role" in summary else _("Custom")


def fields(line: Line) -> str:
    """What was changed, by name. The values are not the log's to tell."""
    return ", ".join(str(FIELDS.get(name, name)) for name in line.event.details.get("changed", ()))


def permissions_in(line: Line, side: str) -> set[str]:
    """The names of a set of permissions "before" or "after"."""
    summary = line.event.details.get(side)
    return set(summary.get("permissions", ())) if isinstance(summary, dict) else set()


def labels(names: set[str]) -> list[str]:
    """Permissions as pages call them, in the order of the catalogue; by name those that are no longer in it."""
    known = [permission for permission in catalogue().every if permission.name in names]
    return [*(str(each.label) for each in known), *sorted(names - {each.name for each in known})]


def until(line: Line) -> str:
    """The day on which a membership ends, where an event sets one."""
    after = line.event.details.get("after") if line.event.action == "member.end_changed" else None
    return day(datetime.fromisoformat(after)) if after else ""


def is_own(line: Line) -> bool:
    """Whether somebody did it to themselves."""
    return line.event.actor_id is not None and line.event.actor_id == line.event.subject_id


def joined(line: Line) -> str:
    return _("{who} joined as {role}") if is_own(line) else _("{who} made {whom} a member, as {role}")


def changed(line: Line) -> str:
    if line.others:  # one command may give them different roles, and takes different ones from them
        return _("{who} changed the role of {whom}")
    if is_own(line):
        return _("{who} changed their own role from {before} to {after}")
    return _("{who} changed the role of {whom} from {before} to {after}")


def suspended(line: Line) -> str:
    return _("{who} suspended themselves") if is_own(line) and not line.others else _("{who} suspended {whom}")


def end_changed(line: Line) -> str:
    if not line.event.details.get("after"):
        return _("{who} lifted the end of the membership of {whom}")
    if is_own(line) and not line.others:
        return _("{who} set their own membership to end on {until}")
    return _("{who} set the membership of {whom} to end on {until}")


def removed(line: Line) -> str:
    return _("{who} removed themselves") if is_own(line) and not line.others else _("{who} removed {whom}")


def invited(line: Line) -> str:
    if "departure" in line.event.details:
        return _("{who} invited {whom} back, as {role}")
    return _("{who} invited {whom}") if line.others else _("{who} invited {whom} as {role}")


def revoked(line: Line) -> str:
    if line.event.details.get("reason") == "organization_closed":
        return _("The invitation to {whom} was revoked, because the organization was closed")
    if line.event.details.get("reason") == "sponsor_gone":
        return _("The invitation to {whom} was revoked, because whoever sent it can no longer offer it")
    if line.event.details.get("reason") == "token_revoked":
        return _("The invitation to {whom} was revoked with the token that it came through")
    return _("{who} revoked the invitation to {whom}")


def handed_over(line: Line) -> str:
    if line.event.details.get("step_down"):
        return _("{who} offered {whom} to become Administrator in their place")
    return _("{who} offered {whom} to become Administrator")


def seat_given(line: Line) -> str:
    if line.event.details.get("before"):
        if is_own(line):
            return _("{who} changed their own seat in {workspace} to {after}")
        return _("{who} changed the seat of {whom} in {workspace} to {after}")
    if is_own(line):
        return _("{who} took a seat in {workspace}, as {after}")
    return _("{who} gave {whom} a seat in {workspace}, as {after}")


def seat_taken(line: Line) -> str:
    if is_own(line):
        return _("{who} gave up their seat in {workspace}")
    return _("{who} took the seat of {whom} in {workspace} away")


def token_issued(line: Line) -> str:
    if line.event.details.get("member"):
        return _("{who} made the token {whom}")
    return _("{who} made the service token {whom}")


def token_revoked(line: Line) -> str:
    if line.event.details.get("member"):
        return _("{who} revoked the token {whom}")
    return _("{who} revoked the service token {whom}")


def role_changed(line: Line) -> str:
    """What was added and what was taken away; a new name alone is the name that it now has."""
    before, after = permissions_in(line, "before"), permissions_in(line, "after")
    if after - before and before - after:
        return _("{who} changed the role {whom}: added {gained}, took away {lost}")
    if after != before:
        return (
            _("{who} added to the role {whom}: {gained}")
            if after - before
            else _("{who} took from the role {whom}: {lost}")
        )
    return _("{who} renamed a role, which is now called {whom}")


def role_deleted(line: Line) -> str:
    if "after" in line.event.details:
        return _("{who} deleted the role {whom}; who had it now has {after}")
    return _("{who} deleted the role {whom}")


SENTENCES: dict[str, Callable[[Line], str]] = {
    "organization.founded": lambda _line: _("{who} created the organization {whom}"),
    "organization.changed": lambda _line: _("{who} changed the details of the organization: {fields}"),
    "organization.closed": lambda _line: _("{who} closed the organization"),
    "organization.restored": lambda _line: _("{who} restored the organization"),
    "organization.trusted": lambda _line: _("{who} lets the organization send more letters"),
    "organization.untrusted": lambda _line: _("{who} lets the organization send as many letters as others"),
    "organization.purged": lambda _line: _("The organization was deleted for good"),
    "handover.offered": handed_over,
    "handover.withdrawn": lambda _line: _("{who} withdrew the offer to {whom} to become Administrator"),
    "handover.accepted": lambda _line: _("{who} accepted to become Administrator"),
    "handover.declined": lambda _line: _("{who} declined to become Administrator"),
    "handover.ended": lambda _line: _(
        "The offer to become Administrator ended, because it could no longer be given or taken ({whom})"
    ),
    "member.joined": joined,
    "member.changed": changed,
    "member.suspended": suspended,
    "member.reactivated": lambda _line: _("{who} reactivated {whom}"),
    "member.end_changed": end_changed,
    "member.removed": removed,
    "member.known_as": lambda _line: _("{who} changed the name or address that is shown here"),
    "member.left": lambda _line: _("{who} left"),
    "invitation.sent": invited,
    "invitation.renewed": lambda line: (
        _("{who} invited {whom} again") if line.others else _("{who} invited {whom} again, as {role}")
    ),
    "invitation.resent": lambda line: (
        _("{who} sent {whom} a new letter") if line.others else _("{who} sent {whom} a new letter, as {role}")
    ),
    "invitation.changed": lambda _line: _(
        "{who} changed what the invitation to {whom} offers, from {before} to {after}"
    ),
    "invitation.link_made": lambda _line: _("{who} made a link to the invitation of {whom}, to hand over"),
    "invitation.revoked": revoked,
    "invitation.taken_over": lambda _line: _("{who} took over the invitation to {whom}"),
    "invitation.accepted": lambda _line: _("{who} accepted the invitation to {whom}"),
    "invitation.declined": lambda _line: _("{who} declined the invitation to {whom}"),
    "invitation.asked": lambda _line: _("{who} asked for a new letter to {whom}"),
    "role.added": lambda _line: _("{who} added the role {whom}"),
    "role.changed": role_changed,
    "role.deleted": role_deleted,
    "workspace.created": lambda _line: _("{who} created the workspace {whom}"),
    "workspace.changed": lambda _line: _("{who} changed the workspace {whom}: {fields}"),
    "workspace.archived": lambda _line: _("{who} archived the workspace {whom}"),
    "workspace.restored": lambda _line: _("{who} restored the workspace {whom}"),
    "workspace.deleted": lambda _line: _("{who} deleted the workspace {whom}"),
    "seat.given": seat_given,
    "seat.taken": seat_taken,
    "seat.withdrawn": lambda _line: _("{who} took the seat in {workspace} out of the invitation to {whom}"),
    "token.issued": token_issued,
    "token.revoked": token_revoked,
    "billing.changed": lambda _line: _("{who} changed the billing information: {fields}"),
    "account.created": lambda _line: _("{who} created the account {whom}"),
    "account.renamed": lambda _line: _("{who} changed their name"),
    "account.address_added": lambda _line: _("{who} added an address to their account"),
    "account.address_verified": lambda _line: _("{who} verified an address"),
    "account.address_removed": lambda _line: _("{who} removed an address from their account"),
    "account.address_released": lambda _line: _(
        "An address was taken off the account {whom}, because {who} proved that it is theirs"
    ),
    "account.discarded": lambda _line: _(
        "The account {whom}, which never proved an address, was discarded: {who} proved that the address is theirs"
    ),
    "account.primary_changed": lambda _line: _("{who} chose another primary address"),
    "account.password_changed": lambda _line: _("{who} changed their password"),
    "account.password_set": lambda _line: _("{who} set a password"),
    "account.password_reset": lambda _line: _("{who} set a new password by a link in a letter"),
    "account.sessions_ended": lambda _line: _("{who} ended other sessions"),
    "account.picture_changed": lambda _line: _("{who} changed their picture"),
    "account.closed": lambda _line: _("{who} closed the account"),
    "account.verified": lambda _line: _("{who} said that an address of {whom} is theirs"),
    "account.disabled": lambda _line: _("{who} disabled the account of {whom}"),
    "account.enabled": lambda _line: _("{who} enabled the account of {whom}"),
    "account.second_factor_reset": lambda _line: _("{who} took the second factor of {whom} off"),
    "account.app_added": lambda _line: _("{who} set up an app as second factor"),
    "account.app_removed": lambda _line: _("{who} took the app off as second factor"),
    "account.passkey_added": lambda _line: _("{who} added a passkey"),
    "account.passkey_renamed": lambda _line: _("{who} renamed a passkey"),
    "account.passkey_removed": lambda _line: _("{who} removed a passkey"),
    "account.recovery_codes_made": lambda _line: _("{who} got new recovery codes"),
    "account.recovery_code_used": lambda _line: _("{who} used a recovery code"),
}

# What actions are called where one chooses among them, by what they are about.
ACTIONS = {
    gettext_lazy("Organization"): {
        "organization.founded": gettext_lazy("Organization created"),
        "organization.changed": gettext_lazy("Details changed"),
        "organization.closed": gettext_lazy("Organization closed"),
        "organization.restored": gettext_lazy("Organization restored"),
        "organization.trusted": gettext_lazy("Organization trusted by the operator"),
        "organization.untrusted": gettext_lazy("Organization not trusted any more"),
        "organization.purged": gettext_lazy("Organization deleted for good"),
        "billing.changed": gettext_lazy("Billing information changed"),
        "handover.offered": gettext_lazy("Hand-over offered"),
        "handover.withdrawn": gettext_lazy("Hand-over withdrawn"),
        "handover.accepted": gettext_lazy("Hand-over accepted"),
        "handover.declined": gettext_lazy("Hand-over declined"),
        "handover.ended": gettext_lazy("Hand-over ended"),
    },
    gettext_lazy("Members"): {
        "member.joined": gettext_lazy("Member joined"),
        "member.changed": gettext_lazy("Role changed"),
        "member.suspended": gettext_lazy("Member suspended"),
        "member.reactivated": gettext_lazy("Member reactivated"),
        "member.end_changed": gettext_lazy("End of membership changed"),
        "member.removed": gettext_lazy("Member removed"),
        "member.left": gettext_lazy("Member left"),
        "member.known_as": gettext_lazy("Name or address changed"),
    },
    gettext_lazy("Invitations"): {
        "invitation.sent": gettext_lazy("Invited"),
        "invitation.renewed": gettext_lazy("Invited again"),
        "invitation.resent": gettext_lazy("Letter sent again"),
        "invitation.link_made": gettext_lazy("Link to an invitation made"),
        "invitation.changed": gettext_lazy("Invitation changed"),
        "invitation.revoked": gettext_lazy("Invitation revoked"),
        "invitation.taken_over": gettext_lazy("Invitation taken over"),
        "invitation.accepted": gettext_lazy("Invitation accepted"),
        "invitation.declined": gettext_lazy("Invitation declined"),
        "invitation.asked": gettext_lazy("New letter asked for"),
    },
    gettext_lazy("Roles"): {
        "role.added": gettext_lazy("Role added"),
        "role.changed": gettext_lazy("Role edited"),
        "role.deleted": gettext_lazy("Role deleted"),
    },
    gettext_lazy("Workspaces"): {
        "workspace.created": gettext_lazy("Workspace created"),
        "workspace.changed": gettext_lazy("Workspace changed"),
        "workspace.archived": gettext_lazy("Workspace archived"),
        "workspace.restored": gettext_lazy("Workspace restored"),
        "workspace.deleted": gettext_lazy("Workspace deleted"),
        "seat.given": gettext_lazy("Seat given"),
        "seat.taken": gettext_lazy("Seat taken away"),
        "seat.withdrawn": gettext_lazy("Seat withdrawn"),
    },
    gettext_lazy("Tokens"): {
        "token.issued": gettext_lazy("Token made"),
        "token.revoked": gettext_lazy("Token revoked"),
    },
}
