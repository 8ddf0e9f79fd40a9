"""What a request has changed, but for what looking may change; and what the log tells of it."""

from portico.domain.events import Event
from tests.model.explained import CAME, WENT, Difference, Snapshot, difference, snapshot

# Last seen, sessions and counters: all that looking may change. That a session went is told.
OF_LOOKING = {("Membership", "active_at"), ("User", "last_login"), ("Token", "last_used_at")}
SESSIONS = {"Session", "UserSession"}


def changes(before: Snapshot) -> Difference:
    """What is different now."""
    return {
        (table, key, what): pair
        for (table, key, what), pair in difference(before, snapshot()).items()
        if (table, what) not in OF_LOOKING and not (table in SESSIONS and what != WENT)
    }


def told(found: Difference) -> list[str]:
    events = [key for table, key, what in found if (table, what) == ("Event", CAME)]
    return sorted(Event.objects.filter(pk__in=events).values_list("action", flat=True))
