"""Who asks, and what they hold: the one decision, and the one bound on giving.

    held = (grant ∪ what a seat adds inside its workspace) ∩ what the token allows

each side completed by what it implies. Suspended, expired, removed, or the organization closed: nothing is held.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from .errors import Forbidden, Missing
from .permissions import ADMINISTER, NONE, READS, Permission, Permissions, catalogue, complete

if TYPE_CHECKING:
    from .invitations import Invitation
    from .memberships import Membership
    from .organizations import Organization
    from .people import User
    from .retries import Attempt
    from .tokens import Token
    from .workspaces import Workspace


# What cannot be taken back asks for a proof of who one is that is not older than this (PRODUCT: proof when it matters).
PROOF_LASTS = timedelta(minutes=15)


def held(
    given: Permissions, *, seat: Permissions = NONE, limit: Permissions | None = None, effective: bool = True
) -> Permissions:
    """What one holds: what the grant gives, and inside a workspace the seat, as far as the token allows.

    Commands and pages ask it through an actor, checks with the columns that they have read. `given` and `seat` are
    complete already. Whoever is suspended, past the end, or of a closed organization is not effective.
    """
    if not effective:
        return NONE
    given = given | seat
    return given if limit is None else given & complete(limit)


@dataclass(frozen=True)
class Via:
    """Where an act came from: through which door, and for people from which address and browser."""

    door: str
    address: str = ""
    browser: str = ""


@dataclass(kw_only=True)
class Actor:
    """Whoever acts in one organization. `batch` and `now` are those of the command that runs."""

    kind = "nobody"
    organization: "Organization"
    via: Via
    batch: UUID = field(default_factory=uuid7)
    now: datetime = field(default_factory=timezone.now)
    revoked: "list[Invitation]" = field(default_factory=list)  # offers that ended because of what the command did
    takes_over: bool = False  # those of them that the actor could send go on in the actor's name
    attempt: "Attempt | None" = None  # where a program named a key, so that what it asks is done once
    lacks_proof: bool = False  # a command refused, because nobody has lately shown who they are

    @property
    def id(self) -> UUID | None:
        """Of the person, as events name them."""
        return None

    @property
    def label(self) -> str:
        return ""

    def held(self, workspace: "Workspace | None" = None) -> Permissions:
        """What the actor may do: in the organization, or inside one workspace."""
        return NONE

    def refresh(self) -> None:
        """Read the authority again, as of now. A command calls this once it has the lock."""
        self.batch, self.now, self.takes_over, self.revoked = uuid7(), timezone.now(), False, []

    def can(self, permission: Permission, workspace: "Workspace | None" = None) -> bool:
        return permission in self.held(workspace)

    def require(self, permission: Permission, workspace: "Workspace | None" = None) -> None:
        if not self.can(permission, workspace):
            self.explain_why_nothing_is_held()
            if permission == ADMINISTER:  # no checkbox gives it, so its label would name what nobody finds
                sentence = _("Only an Administrator may do this.")
            else:
                sentence = _("You need the permission “%(label)s” for this.") % {"label": permission.label}
            raise Forbidden("missing_permission", sentence, missing=[permission])

    def explain_why_nothing_is_held(self) -> None:
        """Raise the reason, where it is another than a permission that nobody gave."""

    def missing(self, permissions: Permissions, workspace: "Workspace | None" = None) -> list[Permission]:
        """Those the actor does not hold, in the order of the catalogue."""
        gap = permissions - self.held(workspace)
        return [permission for permission in (*catalogue().every, ADMINISTER) if permission in gap]

    def require_proof(self) -> None:
        """For what cannot be taken back: a person has lately shown who they are. Others have nothing to show."""

    def require_person(self) -> None:
        """For acts that need the person and not a permission, and for those that outlive a token."""

    def covers(self, permissions: Permissions, workspace: "Workspace | None" = None) -> bool:
        return not self.missing(permissions, workspace)

    def require_covers(self, permissions: Permissions, workspace: "Workspace | None" = None) -> None:
        """Nobody gives, takes or touches more than they hold. All that is missing is named."""
        if missing := self.missing(permissions, workspace):
            raise exceeds(missing)


def is_fresh(proved_at: datetime | None, now: datetime) -> bool:
    """Whether a proof of who somebody is still counts."""
    return proved_at is not None and now - proved_at <= PROOF_LASTS


def unproven() -> Forbidden:
    return Forbidden("prove_again", _("Confirm that it is you, with your password or passkey, and try again."))


def exceeds(missing: Iterable[Permission]) -> Forbidden:
    """The refusal of whoever would give or touch more than they hold."""
    missing = list(missing)
    names = ", ".join(str(permission.label) for permission in missing)
    return Forbidden("exceeds_your_authority", _("You do not hold: %(names)s.") % {"names": names}, missing=missing)


@dataclass(kw_only=True)
class Member(Actor):
    """A person, as a member of the organization; or a program of theirs, by a `token`.

    `limit` is what the token allows; None allows everything. A program has no proof to show, so it is asked for none:
    what needs the person is refused to it, whatever it holds.
    `proved_at` is when the person last gave the password or passkey in this session; None: never, or unknown.
    """

    kind = "member"
    membership: "Membership"
    limit: Permissions | None = None
    proved_at: datetime | None = None
    token: "Token | None" = None

    @classmethod
    def of(
        cls,
        membership: "Membership",
        via: Via,
        limit: Permissions | None = None,
        proved_at: datetime | None = None,
    ) -> "Member":
        organization = membership.organization
        return cls(organization=organization, membership=membership, via=via, limit=limit, proved_at=proved_at)

    @property
    def id(self) -> UUID:
        return self.membership.user_id

    @property
    def label(self) -> str:
        return self.membership.label

    def held(self, workspace: "Workspace | None" = None) -> Permissions:
        seat = NONE
        if workspace is not None:
            if workspace.organization_id != self.membership.organization_id:
                return NONE
            seat = workspace.permissions_of(self.membership)
        return self.narrowed(self.membership.grant.permissions, seat)

    def narrowed(self, given: Permissions, seat: Permissions = NONE) -> Permissions:
        """What is left of this for somebody in the state of this member, who asks by this token."""
        return held(given, seat=seat, limit=self.limit, effective=self.membership.is_effective(self.now))

    def refresh(self) -> None:
        super().refresh()
        membership = self.membership.read_again() if self.token is None else self._refresh_token(self.token)
        if membership is None:
            raise Missing
        self.membership, self.organization = membership, membership.organization

    def _refresh_token(self, token: "Token") -> "Membership | None":
        self.token = token.read_again(self.now)
        self.limit = self.token.allowed
        return self.token.membership

    def require_person(self) -> None:
        if self.token is not None:
            raise needs_person()

    def require_proof(self) -> None:
        if self.token is not None:
            return
        self.lacks_proof = not is_fresh(self.proved_at, self.now)
        if self.lacks_proof:
            raise unproven()

    def explain_why_nothing_is_held(self) -> None:
        membership = self.membership
        if self.organization.closed_at:
            raise Forbidden("organization_closed", _("This organization is closed."))
        if membership.suspended_at:
            raise Forbidden("suspended", _("Your membership is suspended. Ask whoever manages members."))
        if not membership.is_effective(self.now):
            raise Forbidden("expired", _("Your membership has ended. Ask whoever manages members."))


@dataclass(kw_only=True)
class Service(Actor):
    """A program of the organization, by a token that is no member's: it reads and checks, nothing else.

    The operator's token is of no organization; the door says which one it asks about.
    """

    kind = "service"
    organization: "Organization | None" = None  # type: ignore[assignment]
    token: "Token"

    @property
    def label(self) -> str:
        return self.token.name

    def held(self, workspace: "Workspace | None" = None) -> Permissions:
        here = self.organization
        if here is None or here.closed_at or self.token.organization_id not in {None, here.pk}:
            return NONE
        if workspace is not None and workspace.organization_id != here.pk:
            return NONE
        return READS if self.token.allowed is None else READS & self.token.allowed

    def refresh(self) -> None:
        super().refresh()
        self.token = self.token.read_again(self.now)
        if self.organization is not None:
            self.organization.refresh_from_db()

    def require_person(self) -> None:
        raise needs_person()

    def require_proof(self) -> None:
        self.require_person()

    def explain_why_nothing_is_held(self) -> None:
        if self.organization is not None and self.organization.closed_at:
            raise Forbidden("organization_closed", _("This organization is closed."))


def needs_person() -> Forbidden:
    """The refusal of a token where a person is needed."""
    return Forbidden("needs_person", _("A token cannot do this. Sign in and do it yourself."))


@dataclass(kw_only=True)
class Operator(Actor):
    """Whoever runs the installation, at its command line. Holds everything that is open, and is on the record."""

    kind = "operator"

    def held(self, workspace: "Workspace | None" = None) -> Permissions:
        return NONE if self._is_at_a_closed_door() else catalogue().everything

    def _is_at_a_closed_door(self) -> bool:
        # What concerns accounts is done in no organization.
        return self.organization is not None and self.organization.closed_at is not None  # type: ignore[redundant-expr]

    def refresh(self) -> None:
        super().refresh()
        self.organization.refresh_from_db()

    def explain_why_nothing_is_held(self) -> None:
        if self._is_at_a_closed_door():
            raise Forbidden("organization_closed", _("This organization is closed."))


@dataclass(kw_only=True)
class Person(Actor):
    """A signed-in person who is not, or not yet, a member: founds, accepts, declines. Holds nothing."""

    kind = "person"
    # Founding, and what a person does to their own account, belongs to no organization yet.
    organization: "Organization | None" = None  # type: ignore[assignment]
    user: "User"
    address: str = ""  # the one that an organization invited, and the only one that it may learn of
    proved_at: datetime | None = None  # as of members

    def require_proof(self) -> None:
        self.lacks_proof = not is_fresh(self.proved_at, self.now)
        if self.lacks_proof:
            raise unproven()

    @property
    def id(self) -> UUID:
        return self.user.pk

    @property
    def label(self) -> str:
        return f"{self.user.name} <{self.address or self.user.email}>"


@dataclass(kw_only=True)
class Bearer(Actor):
    """Whoever holds the link of a letter without being signed in: may decline, or ask for a new one.

    A link that somebody handed over went to no address, so it proves nothing: `proves` is False then.
    """

    kind = "bearer"
    proves: bool = True
