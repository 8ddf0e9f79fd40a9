"""Where Django looks for tables. Each stands in its noun's file."""

from .billing import BillingProfile
from .events import Event, Label, Origin, Word
from .handovers import Handover
from .invitations import Invitation, OfferedSeat
from .memberships import Membership
from .organizations import Organization, OwnedSlug
from .outbox import Letter
from .people import User
from .retries import Attempt
from .roles import Role
from .tokens import Token
from .workspaces import FormerWorkspaceSlug, Seat, Workspace

__all__ = [
    "Attempt", "BillingProfile", "Event", "FormerWorkspaceSlug", "Handover", "Invitation", "Label", "Letter",
    "Membership", "OfferedSeat", "Organization", "Origin", "OwnedSlug", "Role", "Seat", "Token", "User", "Word",
    "Workspace",
]  # fmt: skip
