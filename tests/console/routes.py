"""What each route takes: the requests that it knows, who may make them, and what they tell the log.

A name in braces stands for one thing of a `Place`: `{member}` is a member of the organization in which the request
acts. The generator puts another organization's thing there, and asks that nothing comes of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.utils import timezone

from portico.domain import departures, handovers, images, memberships, roles, tokens, workspaces
from portico.domain.access import Member
from portico.domain.events import Event
from portico.domain.images import SMALL, file_of
from portico.domain.invitations import letter_token
from portico.domain.people import User
from portico.domain.permissions import MEMBER, MEMBERS_MANAGE
from portico.domain.roles import CONTRIBUTOR
from tests import cast
from tests.console.passkey import Device

LOGIN = 302  # to sign-in
NOBODY, STRANGER = "nobody", "stranger"

Things = Mapping[str, str]


@dataclass(frozen=True)
class Act:
    """One request of a route. Each of `refused` makes the same one and gets that status; nothing changes then."""

    method: str = "get"
    path: Things = field(default_factory=dict)  # what stands in the address
    data: Mapping[str, str | list[str]] = field(default_factory=dict)  # the query of a GET, the form of a POST
    by: str = "administrator"
    told: tuple[str, ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    status: int = 200  # of what the rightful one gets: after a POST 303, unless it says otherwise

    def filled(self, things: Things) -> dict[str, str | list[str]]:
        return {
            name.format(**things): [each.format(**things) for each in value]
            if isinstance(value, list)
            else value.format(**things)
            for name, value in self.data.items()
        }

    @property
    def crossable(self) -> list[str]:
        """The things that stand in the form or the query."""
        written = str(self.data)
        return [name for name in KINDS if f"{{{name}}}" in written]


def within(*acts: Act) -> list[Act]:
    """Requests within an organization: signed out they lead to sign-in, and to strangers nothing exists."""
    return [
        replace(act, path={"slug": "slug", **act.path}, refused={NOBODY: LOGIN, STRANGER: 404, **act.refused})
        for act in acts
    ]


def signed_in(*acts: Act) -> list[Act]:
    """Requests of anybody with an account."""
    return [replace(act, refused={NOBODY: LOGIN, **act.refused}) for act in acts]


# --- The things ----------------------------------------------------------------------------------------------------

NEW_PASSWORD = "battery horse staple correct"
NEWCOMER = {"name": "Nia", "email": "nia@example.org", "password1": NEW_PASSWORD}
# What a request can name, and a shape in which there is no such thing anywhere.
KINDS = (
    "slug", "member", "member_address", "seated", "manager", "asleep", "ending", "invitation", "departure",
    "workspace", "workspace_id", "archived", "role_id", "role", "token", "address", "uid", "key", "image",
    "handover",
    "own_token", "service_token", "event", "passkey",
)  # fmt: skip


@dataclass
class Place:
    """An organization with one of everything that a request can name, and with everybody who can ask."""

    administrator: Member
    people: dict[str, User]
    things: dict[str, str]


def founded(
    name: str, *, administrator: str, plain: str, bare: str, seated: str, manager: str, invitee: str, stranger: str
) -> Place:
    """`plain` is a Contributor, `bare` holds nothing, `seated` sits in the workspace, `manager` manages members."""
    boss = cast.founded(name, by=cast.person(administrator))
    organization = boss.organization
    contributor = cast.role(organization, CONTRIBUTOR)
    member = cast.joined(organization, cast.person(plain), contributor)
    sits = cast.joined(organization, cast.person(seated), contributor)
    empty = cast.joined(organization, cast.person(bare), cast.custom())
    ivy = cast.joined(organization, cast.person(manager), cast.custom(MEMBERS_MANAGE))
    workspace = workspaces.create(boss, name=f"Payments of {name}")
    workspaces.give_seat(boss, workspace=workspace, member=sits.membership, role=MEMBER)
    lead = roles.add(boss, name=f"Lead of {name}", permissions=frozenset())
    archived = workspaces.create(boss, name=f"old-{organization.slug}")  # called like its address
    workspaces.archive(boss, workspace=archived)
    invited = cast.person(invitee)
    offer = cast.invited(boss, invited.email, grant=contributor)
    asleep = cast.joined(organization, cast.person(f"Asleep{administrator}"), contributor)
    memberships.change(boss, member=asleep.membership, status=memberships.SUSPENDED)
    ends = timezone.now() + timedelta(days=90)
    ending = cast.joined(organization, cast.person(f"Ending{administrator}"), contributor, expires_at=ends)
    former = cast.joined(organization, cast.person(f"Former{administrator}"), contributor)
    memberships.remove(boss, members=[former.membership])
    cast.own(boss.membership.user, f"second.{administrator.lower()}@example.org")
    return Place(
        boss,
        {
            "administrator": boss.membership.user,
            "plain": member.membership.user,
            "bare": empty.membership.user,
            "seated": sits.membership.user,
            "manager": ivy.membership.user,
            "invitee": invited,
            STRANGER: cast.person(stranger),
        },
        {
            "slug": organization.slug,
            "member": str(member.membership.pk),
            "member_address": member.membership.address,
            "seated": str(sits.membership.pk),
            "manager": str(ivy.membership.pk),
            "invitation": str(offer.pk),
            "asleep": str(asleep.membership.pk),
            "ending": str(ending.membership.pk),
            "departure": str(departures.visible_to(boss).get().pk),
            "workspace": workspace.slug,
            "workspace_id": str(workspace.pk),
            "archived": archived.slug,
            "role_id": str(contributor.role.pk if contributor.role else ""),
            "role": lead.slug or "",
            "token": letter_token(offer.pk, offer.number),
            "address": f"second.{administrator.lower()}@example.org",
            "uid": user_pk_to_url_str(boss.membership.user),
            "key": default_token_generator.make_token(boss.membership.user),
            "handover": str(handovers.offer(boss, member=empty.membership).pk),
            "own_token": str(tokens.issue(member, name=f"{plain}’s").token.pk),
            "service_token": str(tokens.issue_service(boss, name=f"Shop of {name}").token.pk),
            "event": str(Event.objects.get(action="organization.founded", organization_id=organization.pk).pk),
            "passkey": second_factor(member.membership.user),
            "image": file_of(images.keep(images.Picture(name.encode(), b"small")), SMALL),
        },
    )


def second_factor(user: User) -> str:
    """An app, a passkey and recovery codes; which passkey it is."""
    TOTP.activate(user, "ABCDEFGH")
    RecoveryCodes.activate(user)
    pk = 1_900_000_000 + user.pk.int % 10**8  # which no page shows by chance
    data = {"name": "Phone", "credential": json.loads(Device().made("eA"))}
    return str(Authenticator.objects.create(pk=pk, user=user, type=Authenticator.Type.WEBAUTHN, data=data).pk)


def nowhere() -> Things:
    """One of everything that does not exist."""
    pk = uuid4()
    return {
        "slug": "no-such-place",
        "member": str(uuid4()),
        "member_address": "nobody.at.all@example.org",
        "seated": str(uuid4()),
        "manager": str(uuid4()),
        "invitation": str(pk),
        "asleep": str(uuid4()),
        "ending": str(uuid4()),
        "departure": str(uuid4()),
        "workspace": "no-such-workspace",
        "workspace_id": str(uuid4()),
        "archived": "no-old-workspace",
        "role_id": str(uuid4()),
        "role": "no-such-role",
        "token": letter_token(pk, 1),
        "address": "nobody.at.all@example.org",
        "uid": "nosuchuid",
        "key": "no-such-key",
        "handover": str(uuid4()),
        "own_token": str(uuid4()),
        "service_token": str(uuid4()),
        "passkey": "1700000000",
        "image": file_of("0" * 32, SMALL),
        "event": str(uuid4()),
    }


# --- The table -----------------------------------------------------------------------------------------------------

OF_WORKSPACE, OF_INVITATION = {"workspace": "workspace"}, {"pk": "invitation"}
NOT_INVITED = {NOBODY: 404, STRANGER: 404, "administrator": 404}
FOUND = {"name": "Third", "color": "teal"}


def answer(do: str, *told: str) -> Act:
    """What the invited may do."""
    return Act("post", OF_INVITATION, {"do": do}, by="invitee", told=told, refused=NOT_INVITED, status=303)


def seat(told: str, **data: str) -> Act:
    """What a manager of the workspace may do: others do not know it, or know that they may not."""
    return Act("post", OF_WORKSPACE, data, told=(told,), refused={"plain": 404, "seated": 403}, status=303)


def of_workspace(*told: str, archived: bool = False, **data: str) -> list[Act]:
    """A page about a workspace and what its button does: for its managers, once it is archived for Administrators."""
    path = {"workspace": "archived" if archived else "workspace"}
    refused = {"plain": 404, "seated": 404 if archived else 403}
    return within(Act(path=path, refused=refused), Act("post", path, data, told=told, refused=refused, status=303))


def selected(told: str, status: int = 303, /, **data: str | list[str]) -> Act:
    """What is done to several at once."""
    return Act("post", data=data, told=tuple(told.split()), refused=NOT_A_MANAGER, status=status)


NOT_A_MANAGER = {"plain": 403, "bare": 403}
NOT_AN_ADMINISTRATOR = {**NOT_A_MANAGER, "manager": 403}
NOT_A_BILLER = {"manager": 403, "plain": 403, "bare": 403}
OF_MEMBER, OF_PASSKEY = {"pk": "member"}, {"pk": "passkey"}


def changed(whom: str, **data: str | list[str]) -> Act:
    """Another role or other permissions, for a member."""
    return Act("post", {"pk": whom}, data, told=("member.changed",), refused={"plain": 403, "bare": 404}, status=303)


def changes(whom: str, told: str, **data: str) -> Act:
    """What befalls a member."""
    return Act("post", {"pk": whom}, data, told=(told,), refused={"plain": 403, "bare": 404}, status=303)


def offered(told: str, **data: str | list[str]) -> Act:
    """What is done to an invitation, which only those know who manage members."""
    return Act("post", OF_INVITATION, data, told=(told,), refused={"plain": 404, "bare": 404}, status=303)


def seat_of(whom: str, told: str, **data: str) -> Act:
    """A member's seat, changed on the member's page."""
    return Act(
        "post",
        {"pk": whom},
        data | {"workspace": "{workspace}"},
        told=(told,),
        refused={"plain": 404, "seated": 403},
        status=303,
    )


OF_ROLE = {"role": "role"}
NO_ADMINISTRATOR = {"plain": 403, "bare": 403, "manager": 403}


def shaped(told: str, status: int = 303, /, **data: str | list[str]) -> Act:
    """What an Administrator does to a role."""
    refused = NO_ADMINISTRATOR | {"bare": 404}
    return Act("post", OF_ROLE, data, told=tuple(told.split()), refused=refused, status=status)


def to_the_receiver(do: str, *told: str) -> Act:
    """What only that member may do to whom a hand-over is offered."""
    data = {"do": do, "handover": "{handover}"}
    return Act("post", data=data, by="bare", told=told, refused={"plain": 404, "administrator": 409}, status=303)


DETAILS = {"name": "Fresh", "slug": "fresh", "description": "We make things.", "color": "teal", "version": "1"}
TOKEN = {"name": "Deploy", "ends": "ephemeral", "days": "30"}
NOT_MINE = {"bare": 404, "manager": 404, "seated": 404}
OFFER = {"emails": "new@example.org", "role": "{role_id}"}

ROUTES: dict[str, list[Act]] = {
    "health_live": [Act(by=NOBODY)],
    "health_ready": [Act(by=NOBODY, status=503)],  # no worker runs beside the tests
    "home": signed_in(Act(by=STRANGER)),
    "organization_new": signed_in(
        Act(by=STRANGER),
        Act("post", data=FOUND, by=STRANGER, told=("organization.founded", "member.joined"), status=303),
    ),
    "join": [Act(path={"token": "token"}, by=NOBODY, status=303)],
    "invitation": [
        Act(path=OF_INVITATION, by="invitee", refused=NOT_INVITED),
        answer("accept", "invitation.accepted", "member.joined"),
        answer("decline", "invitation.declined"),
    ],
    "image": [Act(path={"file": "image"}, by=NOBODY)],
    "outbox": [Act(by=NOBODY)],
    "dashboard": within(Act()),
    "users": within(
        Act(refused={"bare": 403}),
        Act(data={"q": "Sid", "role": CONTRIBUTOR, "state": "active"}, refused={"bare": 403}),
        Act(data={"workspace": "{workspace}"}, refused={"bare": 403}),
        Act(data={"state": "invited", "sort": "-active"}, refused=NOT_A_MANAGER),
    ),
    "users_selected": within(
        selected("invitation.resent", do="resend", who=["{invitation}"]),
        selected("invitation.revoked", do="revoke", who=["{invitation}"]),
        selected("", 200, do="role", who=["{member}", "{seated}"]),
        selected("", 200, do="role", who=["{manager}"], confirmed="yes", role="Custom", review="yes"),
        selected(
            "member.changed member.changed", do="role", who=["{member}", "{seated}"], confirmed="yes", role="Custom"
        ),
        selected("member.changed", do="role", who=["{manager}"], confirmed="yes", role="{role_id}", take_over="yes"),
        selected("", 200, do="remove", who=["{member}", "{seated}"]),
        selected("member.removed member.removed", do="remove", who=["{member}", "{seated}"], confirmed="yes"),
        selected("member.removed", do="remove", who=["{manager}"], confirmed="yes", take_over="yes"),
        selected("member.removed", do="remove", every="yes", q="Sid", workspace="{workspace}", confirmed="yes"),
    ),
    "users_export": within(
        Act(refused=NOT_A_MANAGER),
        Act(data={"q": "Sid", "role": CONTRIBUTOR, "workspace": "{workspace}"}, refused=NOT_A_MANAGER),
    ),
    "users_former": within(Act(refused=NOT_A_MANAGER)),
    "user_former": within(
        Act(path={"pk": "departure"}, refused=NOT_A_MANAGER),
        Act("post", {"pk": "departure"}, told=("invitation.sent",), refused=NOT_A_MANAGER, status=303),
    ),
    "invite": within(
        Act(refused=NOT_A_MANAGER),
        Act("post", data=OFFER, refused=NOT_A_MANAGER),
        Act("post", data=OFFER | {"do": "invite"}, told=("invitation.sent",), refused=NOT_A_MANAGER, status=303),
        Act(
            "post",
            data=OFFER | {"do": "invite", "role:new@example.org": CONTRIBUTOR, "seat:{workspace}": "member"},
            told=("invitation.sent",),
            refused=NOT_A_MANAGER,
            status=303,
        ),
    ),
    "invite_review": within(
        Act("post", data=OFFER, refused=NOT_A_MANAGER),
        Act(
            "post",
            data=OFFER | {"role:new@example.org": "developer", "seat:{workspace}": "member"},
            refused=NOT_A_MANAGER,
        ),
    ),
    "user": within(
        Act(path=OF_MEMBER, refused={"bare": 404}),
        Act(path=OF_INVITATION, refused={"plain": 404, "bare": 404}),
        changed("member", role="Custom", grant=["billing.manage"], version="1"),
        changed("manager", role="{role_id}", grant=["members.view"], version="1"),
        offered("invitation.resent", do="resend", role="{role_id}", grant=["members.view"]),
        offered("invitation.revoked", do="revoke"),
        offered("invitation.revoked", do="again"),
        replace(offered("invitation.link_made", do="link"), status=200),
    ),
    "user_remove": within(
        Act(path={"pk": "seated"}, refused={"plain": 403, "bare": 404}),
        Act("post", {"pk": "seated"}, told=("member.removed",), refused={"plain": 403, "bare": 404}, status=303),
        Act("post", OF_MEMBER, by="plain", told=("member.left",), refused={"bare": 404}, status=303),
    ),
    "user_suspend": within(
        Act(path={"pk": "seated"}, refused={"plain": 403, "bare": 404}),
        changes("seated", "member.suspended", version="1"),
        changes("manager", "member.suspended", take_over="yes"),
    ),
    "user_history": within(
        Act(path=OF_MEMBER, refused={"plain": 403, "bare": 404}),
        Act(path=OF_MEMBER, data={"before": "{departure}"}, refused={"plain": 403, "bare": 404}),
    ),
    "user_reactivate": within(changes("asleep", "member.reactivated", version="2")),
    "user_end": within(
        changes("seated", "member.end_changed", version="1", ends_on="2099-12-31"),
        changes("ending", "member.end_changed", ends_on=""),
    ),
    "user_seats": within(
        seat_of("member", "seat.given", role="manager", shown=""),
        seat_of("seated", "seat.given", role="manager", shown="member"),
        seat_of("seated", "seat.taken", role="", shown="member"),
    ),
    "roles": within(Act(refused={"bare": 403})),
    "role_new": within(
        Act(refused=NO_ADMINISTRATOR),
        Act(data={"like": "{role}"}, refused=NO_ADMINISTRATOR),
        Act(
            "post",
            data={"name": "Fresh", "grant": ["billing.manage"]},
            told=("role.added",),
            refused=NO_ADMINISTRATOR,
            status=303,
        ),
    ),
    "role": within(
        Act(path=OF_ROLE, refused={"bare": 404}),
        shaped("", 200, do="review", name="Renamed", grant=["billing.manage"]),
        shaped("role.changed", do="save", name="Renamed", grant=["billing.manage"], version="1"),
    ),
    "role_delete": within(
        Act(path=OF_ROLE, refused=NO_ADMINISTRATOR | {"bare": 404}),
        shaped("", 200, do="review", move_to=CONTRIBUTOR),
        shaped("role.deleted", do="delete", version="1"),
    ),
    "settings": within(
        Act(),
        Act(by="plain"),
        Act("post", data=DETAILS, told=("organization.changed",), refused=NOT_A_MANAGER, status=303),
    ),
    "settings_image": within(Act("post", data={"do": "remove"}, refused=NOT_A_MANAGER, status=303)),
    "settings_delete": within(
        Act(refused=NOT_A_MANAGER),
        Act(
            "post",
            data={"name": "Acme"},
            told=("organization.closed", "invitation.revoked", "handover.ended"),
            refused=NOT_A_MANAGER,
            status=303,
        ),
    ),
    "restore": within(Act("post", status=409)),  # what is open; tests/console/test_settings.py closes it first
    "handover": within(
        Act(refused={"plain": 404}),
        Act(by="bare", refused={"plain": 404}),
        Act("post", data={"who": "{member_address}"}, refused={"plain": 403, "bare": 403}, status=409),  # one waits
        to_the_receiver("accept", "handover.accepted", "member.changed"),
        to_the_receiver("decline", "handover.declined"),
        Act(
            "post",
            data={"do": "withdraw", "handover": "{handover}"},
            told=("handover.withdrawn",),
            refused={"plain": 404, "bare": 403},
            status=303,
        ),
    ),
    "workspaces": within(Act(), Act(data={"show": "all"})),
    "workspace_new": within(
        Act(refused={"plain": 403}),
        Act(
            "post",
            data={"name": "Fresh"},
            told=("workspace.created", "seat.given"),
            refused={"plain": 403},
            status=303,
        ),
    ),
    "workspace": within(Act(path=OF_WORKSPACE, refused={"plain": 404})),
    "workspace_seats": within(
        seat("seat.given", member="{member}", role="member"),
        seat("seat.given", who="{member_address}", role="member"),
        seat("seat.given", do="change", member="{seated}", shown="member", role="manager"),
        seat("seat.taken", do="take", member="{seated}"),
    ),
    "tokens": within(Act(), Act(data={"show": "all"}), Act(by="bare"), Act(data={"show": "service"})),
    "token_new": within(
        Act(by="bare"),
        Act("post", data=TOKEN | {"reach": "full"}, by="bare", told=("token.issued",)),
        Act("post", data=TOKEN | {"reach": "granular", "grant": ["members.view"]}, told=("token.issued",)),
    ),
    "service_token_new": within(
        Act(refused=NOT_A_MANAGER),
        Act("post", data=TOKEN | {"reach": "full"}, told=("token.issued",), refused=NOT_A_MANAGER | {"manager": 403}),
    ),
    "token": within(
        Act(path={"pk": "own_token"}, by="plain", refused=NOT_MINE),
        Act("post", {"pk": "own_token"}, by="plain", told=("token.revoked",), refused=NOT_MINE, status=303),
        Act("post", {"pk": "own_token"}, told=("token.revoked",), refused=NOT_MINE, status=303),
        Act(path={"pk": "service_token"}, refused=NOT_MINE | {"plain": 404}),
        Act("post", {"pk": "service_token"}, told=("token.revoked",), refused=NOT_MINE | {"plain": 404}, status=303),
    ),
    "events": within(
        Act(refused=NOT_AN_ADMINISTRATOR),
        Act(
            data={"q": "Sid", "action": "seat.given", "since": "2026-01-31", "until": "2999-01-31"},
            refused=NOT_AN_ADMINISTRATOR,
        ),
        Act(data={"person": "{workspace_id}", "batch": "{event}"}, refused=NOT_AN_ADMINISTRATOR),
    ),
    "events_export": within(
        Act(data={"format": "csv", "subject": "{workspace_id}"}, refused=NOT_AN_ADMINISTRATOR),
        Act(data={"format": "jsonl", "actor": "{member}"}, refused=NOT_AN_ADMINISTRATOR),
    ),
    "event": within(Act(path={"pk": "event"}, refused=NOT_AN_ADMINISTRATOR)),
    "workspace_edit": of_workspace("workspace.changed", name="Money", slug="money", version="1"),
    "workspace_archive": of_workspace("workspace.archived", version="1"),
    "workspace_restore": of_workspace("workspace.restored", archived=True, version="2"),
    "workspace_delete": of_workspace(
        "seat.taken", "workspace.deleted", archived=True, confirm="{archived}", version="2"
    ),
    "billing": within(
        Act(refused=NOT_A_BILLER),
        Act(
            "post", data={"country": "DE", "version": "0"}, told=("billing.changed",), refused=NOT_A_BILLER, status=303
        ),
    ),
    # An account is one's own: what stands in a form can only be one's own too.
    "account": signed_in(
        Act(by="plain"),
        Act("post", data={"name": "Melissa"}, by="plain", told=("account.renamed", "member.known_as"), status=303),
    ),
    "my_picture": signed_in(Act("post", data={"do": "remove"}, by="plain", status=303)),
    "my_organizations": signed_in(
        Act(by="plain"),
        Act(
            "post",
            data={"organization": "{slug}", "address": "{address}"},
            told=("member.known_as",),
            refused={STRANGER: 404},
            status=303,
        ),
    ),
    "my_events": signed_in(Act(by="plain")),
    "my_data": signed_in(Act(by="plain")),
    "my_account_close": signed_in(
        Act(by="plain"),
        Act("post", by="plain", told=("account.closed", "member.left"), refused={"administrator": 409}, status=303),
    ),
    "sign_out_everywhere": signed_in(Act("post", by="plain", status=303)),  # tests sign in without a row for it
    "go_on": signed_in(Act(path={"key": "key"}, status=303)),
    "account_login": [
        Act(by=NOBODY),
        Act("post", data={"login": "{address}", "password": cast.PASSWORD}, by=NOBODY, status=302),
    ],
    "account_logout": [Act(), Act("post", status=302)],
    "account_inactive": [Act(by=NOBODY)],
    "account_signup": [
        Act(by=NOBODY),
        Act("post", data=NEWCOMER, by=NOBODY, told=("account.created",), status=302),
    ],
    "account_reauthenticate": signed_in(Act(), Act("post", data={"password": cast.PASSWORD}, status=302)),
    "account_email": signed_in(
        Act(),
        Act("post", data={"action_add": "1", "email": "third@example.org"}, status=302),
        Act(
            "post",
            data={"action_primary": "1", "email": "{address}"},
            told=("account.primary_changed",),
            status=302,
        ),
        Act(
            "post",
            data={"action_remove": "1", "email": "{address}"},
            told=("account.address_removed",),
            status=302,
        ),
    ),
    "account_email_verification_sent": [Act(by=NOBODY, status=302)],
    "account_change_password": signed_in(
        Act(),
        Act(
            "post",
            data={"oldpassword": cast.PASSWORD, "password1": NEW_PASSWORD},
            told=("account.password_changed",),
            status=302,
        ),
    ),
    "account_set_password": signed_in(Act(status=302)),
    "account_reset_password": [Act(by=NOBODY), Act("post", data={"email": "{address}"}, by=NOBODY, status=302)],
    "account_confirm_login_code": [Act(by=NOBODY, status=302)],
    "account_reset_password_from_key_done": [Act(by=NOBODY)],
    "account_reset_password_from_key": [Act(path={"uidb36": "uid", "key": "key"}, by=NOBODY, status=302)],
    "account_reset_password_done": [Act(by=NOBODY)],
    "mfa_index": signed_in(Act(by="plain")),
    "mfa_authenticate": [Act(by=NOBODY, status=302)],
    "mfa_reauthenticate": signed_in(Act(by="plain"), Act("post", data={"code": "0"}, by="plain", status=422)),
    "mfa_activate_totp": signed_in(Act(), Act("post", data={"code": "0"}, status=422)),
    "mfa_deactivate_totp": signed_in(
        Act(by="plain"), Act("post", by="plain", told=("account.app_removed",), status=302)
    ),
    "mfa_view_recovery_codes": signed_in(Act(by="plain")),
    "mfa_generate_recovery_codes": signed_in(
        Act(by="plain"), Act("post", by="plain", told=("account.recovery_codes_made",), status=302)
    ),
    "mfa_download_recovery_codes": signed_in(Act(by="plain")),
    "mfa_list_webauthn": signed_in(Act(by="plain")),
    "mfa_add_webauthn": signed_in(
        Act(by="plain"), Act("post", data={"name": "Key", "credential": "nothing"}, by="plain", status=422)
    ),
    "mfa_reauthenticate_webauthn": signed_in(  # which browsers do not do here
        Act(by="plain", status=302), Act("post", data={"credential": "nothing"}, by="plain", status=302)
    ),
    "mfa_edit_webauthn": signed_in(
        Act(path=OF_PASSKEY, by="plain", refused={STRANGER: 404}),
        Act(
            "post",
            OF_PASSKEY,
            {"name": "Blue key"},
            by="plain",
            told=("account.passkey_renamed",),
            refused={STRANGER: 404},
            status=302,
        ),
    ),
    "mfa_remove_webauthn": signed_in(
        Act(path=OF_PASSKEY, by="plain", refused={STRANGER: 404}),
        Act(
            "post",
            OF_PASSKEY,
            by="plain",
            told=("account.passkey_removed",),
            refused={STRANGER: 404},
            status=302,
        ),
    ),
    "mfa_login_webauthn": [
        Act(by=NOBODY, status=302),
        Act("post", data={"credential": "nothing"}, by=NOBODY, status=302),
    ],
    "usersessions_list": signed_in(Act(), Act("post", status=302)),
}
