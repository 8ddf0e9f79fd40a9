"""What a command changed, explained by the events that it wrote.

A snapshot holds every column of every row of every table. The difference of two is a set of units: a row that came, a
row that went, one column of a row that stayed. Each event claims the units that it tells of and compares them with its
details. What nobody claims was changed in silence; an event whose own unit is missing, or claimed by another event as
well, tells of something that did not happen.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import Model

CAME, WENT = "came", "went"

Row = dict[str, Any]
Snapshot = dict[str, dict[Any, Row]]
Unit = tuple[str, Any, str]  # table, key, and CAME, WENT or a column
Difference = dict[Unit, tuple[Any, Any]]

# An event stands in `Event`; these two stand beside it.
BESIDE_EVENTS = {"Label", "Origin"}


def snapshot() -> Snapshot:
    return {table: read() for table, read in _tables().items()}


@cache
def _tables() -> dict[str, Callable[[], dict[Any, Row]]]:
    return {model.__name__: _reader(model) for model in apps.get_models(include_auto_created=True)}


def _reader(model: type[Model]) -> Callable[[], dict[Any, Row]]:
    """The statement is put together once, and a row that stayed as it was is the same object as before."""
    compiler = model._base_manager.select_related(None).order_by().query.get_compiler(connection=connection)
    statement, _parameters = compiler.as_sql()
    fields = [column.target for column, _sql, _alias in compiler.select or ()]
    converters = compiler.get_converters([column for column, _sql, _alias in compiler.select or ()])
    names = [each.attname for each in fields]
    key = model._meta.pk.attname
    known: dict[tuple[Any, ...], Row] = {}

    def read() -> dict[Any, Row]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            raw = cursor.fetchall()
        new = [row for row in raw if row not in known]
        for row, values in zip(new, compiler.apply_converters(new, converters), strict=True):
            known[row] = dict(zip(names, values, strict=True))
        return {known[row][key]: known[row] for row in raw}

    return read


def difference(before: Snapshot, after: Snapshot) -> Difference:
    found: Difference = {}
    for table, rows in after.items():
        old = before[table]
        found.update({(table, key, CAME): (None, rows[key]) for key in rows.keys() - old.keys()})
        found.update({(table, key, WENT): (old[key], None) for key in old.keys() - rows.keys()})
        for key in rows.keys() & old.keys():
            if rows[key] is not old[key]:
                found.update(_columns(table, key, old[key], rows[key]))
    return found


def _columns(table: str, key: Any, old: Row, new: Row) -> Difference:
    return {(table, key, column): (old[column], new[column]) for column in new if old[column] != new[column]}


class Unexplained(AssertionError):  # noqa: N818  # what is found, not what went wrong here
    """The log and the tables tell two stories."""


def explain(before: Snapshot, after: Snapshot) -> list[Row]:
    """The events of one command, whose difference they explain."""
    changes = difference(before, after)
    events = [new for (table, _key, what), (_old, new) in changes.items() if (table, what) == ("Event", CAME)]
    story = Story(before, after, changes)
    story.claim_what_stands_beside(events)
    for event in events:
        story.hear(event)
    if left := story.changes.keys() - story.claimed:
        raise Unexplained(f"Changed in silence: {sorted(left, key=str)}")
    return events


@dataclass
class Story:
    before: Snapshot
    after: Snapshot
    changes: Difference
    claimed: set[Unit] = field(default_factory=set)
    told: dict[Unit, str] = field(default_factory=dict)

    # ── Claiming ─────────────────────────────────────────────────────────────

    def claim_what_stands_beside(self, events: list[Row]) -> None:
        """Events only come, of one command in each organization; labels and origin come with them, or were there."""
        batches = {(event["batch"], event["organization_id"], event["at"]) for event in events}
        self.ensure(len(batches) == len({place for _batch, place, _at in batches}), f"Several in one: {batches}")
        labels = {event[name] for event in events for name in ("actor_label", "subject_label")}
        origins = {event["batch"] for event in events}
        for table, known in (("Event", {event["id"] for event in events}), ("Label", labels), ("Origin", origins)):
            came = {unit for unit in self.changes if unit[0] == table and unit[2] == CAME}
            self.ensure({key for _table, key, _what in came} <= known, f"{table} without an event")
            self.claimed |= came

    def hear(self, event: Row) -> None:
        told = EVENTS.get(event["action"])
        self.ensure(told is not None, f"Nothing is known of {event['action']}")
        assert told is not None
        unit = told(self, event)
        self.ensure(unit in self.changes, f"{event['action']} without a change: {unit}")
        self.ensure(unit not in self.told, f"{event['action']} tells of {unit}, and {self.told.get(unit)} as well")
        self.told[unit] = event["action"]
        self.claimed.add(unit)

    def also(self, *units: Unit) -> None:
        """What may come along with the event's own unit."""
        self.claimed |= {unit for unit in units if unit in self.changes}

    def ensure(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise Unexplained(otherwise)

    def agree(self, event: Row, **expected: Any) -> None:
        """The details say what the rows say."""
        told = {name: event["details"].get(name) for name in expected}
        self.ensure(told == expected, f"{event['action']} tells {told}, the rows {expected}")

    # ── Finding ──────────────────────────────────────────────────────────────

    def moved(self, unit: Unit) -> tuple[Any, Any]:
        self.ensure(unit in self.changes, f"No such change: {unit}")
        return self.changes[unit]

    def came(self, table: str, **having: Any) -> list[Unit]:
        return list(self._rows(table, CAME, 1, having))

    def went(self, table: str, **having: Any) -> list[Unit]:
        return list(self._rows(table, WENT, 0, having))

    def _rows(self, table: str, what: str, side: int, having: Row) -> Iterator[Unit]:
        for unit, pair in self.changes.items():
            if unit[0] == table and unit[2] == what and having.items() <= pair[side].items():
                yield unit

    def one(self, units: list[Unit], event: Row) -> Unit:
        self.ensure(len(units) == 1, f"{event['action']}: {len(units)} such changes")
        return units[0]

    def row(self, table: str, key: Any) -> Row:
        """A row as it is, or was."""
        found = self.after[table].get(key) or self.before[table].get(key)
        self.ensure(found is not None, f"{table} {key} never was")
        assert found is not None
        return found

    def member(self, event: Row, user: Any) -> Any:
        """The membership of a person here: as it was, else as it is."""
        for side in (self.before, self.after):
            for key, row in side["Membership"].items():
                if (row["user_id"], row["organization_id"]) == (user, event["organization_id"]):
                    return key
        return None

    def summary(self, grant: Any, side: Snapshot | None = None) -> Row:
        """As it is, or as it was on one `side`: a role that is deleted loses its slug."""
        role = (side or self.after)["Role"].get(grant) or self.row("Role", grant)
        return {"role": role["slug"]} if role["slug"] else {"permissions": role["names"]}

    def grant(self, grant: Any) -> None:
        """A custom set is written when it is first given."""
        self.also(("Role", grant, CAME))

    def letters(self, event: Row, kind: str, **having: Any) -> None:
        self.also(*self.came("Letter", kind=kind, organization_id=event["organization_id"], **having))


# --- What each event tells -------------------------------------------------------------------------------------------


def organization_founded(story: Story, event: Row) -> Unit:
    story.also(*story.came("Role", organization_id=event["subject_id"]))
    story.also(*story.came("OwnedSlug", owner_id=event["subject_id"]))
    return ("Organization", event["subject_id"], CAME)


def organization_changed(story: Story, event: Row) -> Unit:
    """Its version tells of it; a slug that it never had comes to be its own."""
    key = event["subject_id"]
    names = ("name", "slug", "description", "color", "image")
    moved = {name: story.changes[unit] for name in names if (unit := ("Organization", key, name)) in story.changes}
    story.ensure(sorted(event["details"]["changed"]) == sorted(moved), f"Told {event['details']}: {list(moved)}")
    story.agree(
        event,
        before={name: old for name, (old, _new) in moved.items() if name in ("slug", "color")},
        after={name: new for name, (_old, new) in moved.items() if name in ("slug", "color")},
    )
    if "slug" in moved:
        story.also(*story.came("OwnedSlug", owner_id=key, slug=moved["slug"][1]))
    story.also(*(("Organization", key, name) for name in moved))
    return _next_version(story, "Organization", key)


def organization_closed(story: Story, event: Row) -> Unit:
    key = event["subject_id"]
    unit = ("Organization", key, "closed_at")
    story.ensure(story.moved(unit) == (None, event["at"]), f"Closed: {story.moved(unit)}")
    story.letters(event, "closed")
    story.also(_next_version(story, "Organization", key))
    return unit


def organization_restored(story: Story, event: Row) -> Unit:
    key = event["subject_id"]
    unit = ("Organization", key, "closed_at")
    story.ensure(story.moved(unit)[1] is None, "Restored, and closed still")
    story.also(_next_version(story, "Organization", key))
    return unit


def organization_purged(story: Story, event: Row) -> Unit:
    """All of its rows go, but for its events and its slugs; and those of nobody else."""
    key = event["subject_id"]
    for table, rows in story.after.items():
        if table not in {"Event", "Organization"}:
            left = [row for row in rows.values() if row.get("organization_id") == key]
            story.ensure(not left, f"{table} outlives its organization")
            story.also(*story.went(table, organization_id=key))
    return ("Organization", key, WENT)


def handover_offered(story: Story, event: Row) -> Unit:
    """Instead of one that the clock has ended, if there is one."""
    here = {"organization_id": event["organization_id"]}
    unit = story.one(story.came("Handover", **here), event)
    _old, new = story.moved(unit)
    receiver, role = story.row("Membership", new["receiver_id"]), new["role_id"]
    story.ensure(receiver["user_id"] == event["subject_id"], "Offered to somebody else")
    story.agree(event, step_down=story.row("Role", role)["slug"] if role else None)
    older = story.went("Handover", **here)
    story.ensure(all(story.changes[each][0]["expires_at"] <= event["at"] for each in older), "Another one waited")
    story.also(*older)
    story.letters(event, "handover", about=new["id"])
    return unit


def handover_over(story: Story, event: Row) -> Unit:
    """Accepted, declined, withdrawn or ended, it is gone."""
    unit = story.one(story.went("Handover", organization_id=event["organization_id"]), event)
    old, _new = story.moved(unit)
    parties = {story.row("Membership", key)["user_id"] for key in (old["giver_id"], old["receiver_id"])}
    story.ensure(event["subject_id"] in parties | {event["organization_id"]}, "The hand-over of others")
    story.letters(event, event["action"].replace(".", "_"), about=old["id"])
    return unit


def member_joined(story: Story, event: Row) -> Unit:
    unit = story.one(
        story.came("Membership", user_id=event["subject_id"], organization_id=event["organization_id"]), event
    )
    _old, new = story.moved(unit)
    story.agree(event, **story.summary(new["grant_id"]))
    return unit


def member_changed(story: Story, event: Row) -> Unit:
    key = story.member(event, event["subject_id"])
    unit = ("Membership", key, "grant_id")
    old, new = story.moved(unit)
    story.agree(event, before=story.summary(old, story.before), after=story.summary(new))
    story.also(_next_version(story, "Membership", key))
    story.grant(new)
    return unit


def member_suspended(story: Story, event: Row) -> Unit:
    return _moved_to(story, event, event["at"], "suspended")


def member_reactivated(story: Story, event: Row) -> Unit:
    return _moved_to(story, event, None, "reactivated")


def _moved_to(story: Story, event: Row, since: datetime | None, letter: str) -> Unit:
    key = story.member(event, event["subject_id"])
    unit = ("Membership", key, "suspended_at")
    old, new = story.moved(unit)
    story.ensure((old is None, new) == (since is not None, since), f"{event['action']}: from {old} to {new}")
    story.also(_next_version(story, "Membership", key))
    story.letters(event, letter, about=event["subject_id"], address=story.row("Membership", key)["address"])
    return unit


def member_end_changed(story: Story, event: Row) -> Unit:
    key = story.member(event, event["subject_id"])
    unit = ("Membership", key, "expires_at")
    old, new = story.moved(unit)
    story.agree(event, before=old and old.isoformat(), after=new and new.isoformat())
    story.also(_next_version(story, "Membership", key))
    story.also(("Membership", key, "reminded"))
    return unit


def member_known_as(story: Story, event: Row) -> Unit:
    """Only which of both changed is told."""
    key = story.member(event, event["subject_id"])
    changed = [name for name in ("name", "address") if ("Membership", key, name) in story.changes]
    story.agree(event, changed=changed)
    story.ensure(bool(changed), "Known as before")
    story.also(*(("Membership", key, name) for name in ("name", "address", "sort_name", "search")))
    return ("Membership", key, changed[0])


def member_gone(story: Story, event: Row) -> Unit:
    unit = story.one(
        story.went("Membership", user_id=event["subject_id"], organization_id=event["organization_id"]), event
    )
    old, _new = story.moved(unit)
    seats = story.went("Seat", membership_id=old["id"])
    rows = [story.changes[seat][0] for seat in seats]
    held = [{"workspace": str(row["workspace_id"]), "role": row["role"]} for row in rows]
    told = event["details"].get("seats", [])
    story.ensure(_alike(told) == _alike(held), f"Seats told {told}, gone {held}")
    tokens = story.went("Token", membership_id=old["id"])
    ended = sorted(str(key) for _table, key, _what in tokens)
    story.agree(event, tokens=ended, **story.summary(old["grant_id"]))
    story.also(*seats, *tokens, *_forgotten(story, old["id"]))
    for _table, key, _what in tokens:
        story.also(*_untied(story, key))
    story.letters(event, "removed", about=event["subject_id"], address=old["address"])
    return unit


def _alike(seats: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
    """In one order, whatever order the database keeps a JSON object's keys in."""
    return sorted(sorted(seat.items()) for seat in seats)


def _forgotten(story: Story, membership: Any) -> list[Unit]:
    """Offers that pointed at a membership which is gone point at none."""
    return [
        unit
        for unit, pair in story.changes.items()
        if unit[0] == "Invitation" and unit[2] in {"sponsor_id", "membership_id"} and pair[0] == membership
    ]


def _untied(story: Story, token: Any) -> list[Unit]:
    """Offers that came through a token which is gone came through none."""
    return [
        unit for unit, pair in story.changes.items() if unit[::2] == ("Invitation", "token_id") and pair[0] == token
    ]


def invitation_sent(story: Story, event: Row) -> Unit:
    unit = ("Invitation", event["subject_id"], CAME)
    _old, new = story.moved(unit)
    story.ensure((new["state"], new["number"]) == ("pending", 1), "Sent, and not the first of a pending one")
    _offered(story, event, new)
    story.also(*story.came("OfferedSeat", invitation_id=new["id"]))
    return unit


def invitation_renewed(story: Story, event: Row) -> Unit:
    seats = {"invitation_id": event["subject_id"]}
    story.also(*story.came("OfferedSeat", **seats), *story.went("OfferedSeat", **seats))
    return invitation_resent(story, event)


def invitation_resent(story: Story, event: Row) -> Unit:
    key = event["subject_id"]
    unit = ("Invitation", key, "number")
    old, new = story.moved(unit)
    story.ensure(new == old + 1, f"From number {old} to {new}")
    _offered(story, event, story.row("Invitation", key))
    offered = (
        "grant_id",
        "message",
        "locale",
        "sent_at",
        "expires_at",
        "member_until",
        "sponsor_id",
        "by_operator",
        "token_id",
    )
    story.also(*(("Invitation", key, column) for column in (*offered, "letter_id")))
    return unit


def _offered(story: Story, event: Row, offer: Row) -> None:
    told = datetime.fromisoformat(event["details"]["expires_at"])
    story.ensure(told == offer["expires_at"], f"Expires {offer['expires_at']}, told {told}")
    story.agree(event, number=offer["number"], **story.summary(offer["grant_id"]))
    story.grant(offer["grant_id"])
    letter = story.one(story.came("Letter", kind="invitation", about=offer["id"], address=offer["address"]), event)
    story.ensure(offer["letter_id"] == letter[1], "The newest letter is another one")
    story.ensure(story.changes[letter][1]["facts"] == {"number": offer["number"]}, "The letter has another number")
    story.also(letter)


def invitation_changed(story: Story, event: Row) -> Unit:
    unit = ("Invitation", event["subject_id"], "grant_id")
    old, new = story.moved(unit)
    story.agree(event, before=story.summary(old, story.before), after=story.summary(new))
    return unit


def invitation_taken_over(story: Story, event: Row) -> Unit:
    key = event["subject_id"]
    offer = story.row("Invitation", key)
    mine = story.member(event, event["actor_id"])
    story.ensure(offer["sponsor_id"] == mine, "Taken over by somebody else")
    story.ensure(offer["by_operator"] == (event["actor_kind"] == "operator"), "The operator's, or not")
    if ("Invitation", key, "sponsor_id") not in story.changes:  # one's own offer, whose token is gone
        return ("Invitation", key, "token_id")
    story.also(("Invitation", key, "by_operator"), ("Invitation", key, "token_id"))
    return ("Invitation", key, "sponsor_id")


def closed(state: str) -> Callable[[Story, Row], Unit]:
    def tell(story: Story, event: Row) -> Unit:
        key = event["subject_id"]
        unit = ("Invitation", key, "state")
        story.ensure(story.moved(unit) == ("pending", state), f"{event['action']}: {story.moved(unit)}")
        story.ensure(story.row("Invitation", key)["closed_at"] == event["at"], "Closed at another time")
        story.also(("Invitation", key, "closed_at"), ("Invitation", key, "reply"))
        story.letters(event, state, about=key)
        return unit

    return tell


def invitation_accepted(story: Story, event: Row) -> Unit:
    key = event["subject_id"]
    became = story.row("Invitation", key)["membership_id"]
    seats = {story.changes[unit][1]["workspace_id"] for unit in story.came("Seat", membership_id=became)}
    offered = {row["workspace_id"] for row in story.before["OfferedSeat"].values() if row["invitation_id"] == key}
    left_out = event["details"].get("left_out", [])
    story.ensure({str(each) for each in offered - seats} == set(left_out), f"Left out {left_out}")
    story.also(("Invitation", key, "membership_id"))
    return closed("accepted")(story, event)


def invitation_asked(story: Story, event: Row) -> Unit:
    unit = ("Invitation", event["subject_id"], "asked_at")
    story.ensure(story.moved(unit)[1] == event["at"], "Asked at another time")
    story.letters(event, "asked", about=event["subject_id"])
    return unit


def invitation_link_made(story: Story, event: Row) -> Unit:
    unit = ("Invitation", event["subject_id"], "hand_number")
    old, new = story.moved(unit)
    story.ensure(new == old + 1, f"From link {old} to {new}")
    story.agree(event, number=new)
    return unit


def role_added(story: Story, event: Row) -> Unit:
    unit = ("Role", event["subject_id"], CAME)
    _old, new = story.moved(unit)
    story.agree(event, role=new["slug"], permissions=new["names"])
    return unit


def role_changed(story: Story, event: Row) -> Unit:
    key = event["subject_id"]
    old, new = story.before["Role"][key], story.after["Role"][key]
    sets = [{"permissions": side["names"]} if old["names"] != new["names"] else None for side in (old, new)]
    changed = [field for field, column in (("name", "name"), ("permissions", "names")) if old[column] != new[column]]
    story.agree(event, changed=changed, before=sets[0], after=sets[1])
    story.ensure(new["version"] == old["version"] + 1, "A change without the next version")
    story.also(*(("Role", key, column) for column in ("name", "names", "fingerprint")))
    return ("Role", key, "version")


def role_deleted(story: Story, event: Row) -> Unit:
    key = event["subject_id"]
    old, new = story.before["Role"][key], story.after["Role"][key]
    story.agree(event, role=old["slug"], permissions=old["names"])
    story.ensure(new["slug"] is None, "Deleted, and can still be named")
    story.also(*(("Role", key, column) for column in ("name", "fingerprint", "version")))
    return ("Role", key, "slug")


def workspace_created(story: Story, event: Row) -> Unit:
    story.moved(("Workspace", event["subject_id"], CAME))
    return ("Workspace", event["subject_id"], CAME)


def workspace_changed(story: Story, event: Row) -> Unit:
    """Its version tells of it; a change of address leaves the former one behind, unless it goes back to that."""
    key = event["subject_id"]
    columns = [name for name in ("name", "slug", "description", "color") if ("Workspace", key, name) in story.changes]
    story.ensure(sorted(event["details"].get("changed", [])) == sorted(columns), f"Told {event['details']}: {columns}")
    moved = {name: story.moved(("Workspace", key, name)) for name in columns if name in ("color", "slug")}
    story.agree(
        event,
        before={name: old for name, (old, _new) in moved.items()},
        after={name: new for name, (_old, new) in moved.items()},
    )
    if "slug" in columns:
        old, new = moved["slug"]
        left = story.one(story.came("FormerWorkspaceSlug", workspace_id=key), event)
        story.ensure(story.changes[left][1]["slug"] == old, "Another address was left behind")
        story.also(left, *story.went("FormerWorkspaceSlug", workspace_id=key, slug=new))
    story.also(*(("Workspace", key, name) for name in columns))
    return _next_version(story, "Workspace", key)


def workspace_archived(story: Story, event: Row) -> Unit:
    key = event["subject_id"]
    old, new = story.moved(("Workspace", key, "archived_at"))
    story.ensure((old, new) == (None, event["at"]), f"Archived from {old} to {new}")
    story.also(("Workspace", key, "archived_at"))
    return _next_version(story, "Workspace", key)


def workspace_restored(story: Story, event: Row) -> Unit:
    key = event["subject_id"]
    story.ensure(story.moved(("Workspace", key, "archived_at"))[1] is None, "Restored, and archived still")
    story.also(("Workspace", key, "archived_at"))
    return _next_version(story, "Workspace", key)


def workspace_deleted(story: Story, event: Row) -> Unit:
    """With its former addresses, and with what closed invitations once offered there."""
    key = event["subject_id"]
    offered = story.went("OfferedSeat", workspace_id=key)
    closed = [
        unit
        for unit in offered
        if story.row("Invitation", story.changes[unit][0]["invitation_id"])["state"] != "pending"
    ]
    story.also(*story.went("FormerWorkspaceSlug", workspace_id=key), *closed)
    return ("Workspace", key, WENT)


def seat_withdrawn(story: Story, event: Row) -> Unit:
    key, place = event["subject_id"], event["details"].get("workspace")
    story.ensure(story.row("Invitation", key)["state"] == "pending", "Withdrawn from an invitation that is closed")
    seats = story.went("OfferedSeat", invitation_id=key)
    return story.one([unit for unit in seats if str(story.changes[unit][0]["workspace_id"]) == place], event)


def billing_changed(story: Story, event: Row) -> Unit:
    """Which fields, and nothing of what stands in them."""
    [row] = [
        row for row in story.after["BillingProfile"].values() if row["organization_id"] == event["organization_id"]
    ]
    key, told = row["id"], event["details"]
    came = ("BillingProfile", key, CAME)
    columns = {name for name in row if ("BillingProfile", key, name) in story.changes} - {"version"}
    if came in story.changes:
        columns = {name for name, text in row.items() if text} - {"id", "organization_id", "version"}
    story.ensure(event["subject_id"] == event["organization_id"], "The billing of another organization")
    story.ensure(set(told) == {"changed"} and set(told["changed"]) == columns, f"Told {told}, changed {columns}")
    story.also(*(("BillingProfile", key, name) for name in columns))
    return came if came in story.changes else _next_version(story, "BillingProfile", key)


def _next_version(story: Story, table: str, key: Any) -> Unit:
    unit = (table, key, "version")
    old, new = story.moved(unit)
    story.ensure(new == old + 1, f"From version {old} to {new}")
    return unit


def seat_given(story: Story, event: Row) -> Unit:
    here = _seat(story, event, story.after)
    story.agree(event, after=here["role"])
    before = event["details"].get("before")
    if before is None:
        return ("Seat", here["id"], CAME)
    unit = ("Seat", here["id"], "role")
    story.ensure(story.moved(unit)[0] == before, f"Before {story.moved(unit)[0]}, told {before}")
    return unit


def seat_taken(story: Story, event: Row) -> Unit:
    there = _seat(story, event, story.before)
    story.agree(event, before=there["role"])
    return ("Seat", there["id"], WENT)


def _seat(story: Story, event: Row, side: Snapshot) -> Row:
    member = story.member(event, event["subject_id"])
    place = event["details"]["workspace"]
    seats = [
        row for row in side["Seat"].values() if row["membership_id"] == member and str(row["workspace_id"]) == place
    ]
    story.ensure(len(seats) == 1, f"{event['action']}: {len(seats)} such seats")
    return seats[0]


def token_issued(story: Story, event: Row) -> Unit:
    unit = ("Token", event["subject_id"], CAME)
    _old, new = story.moved(unit)
    story.ensure(len(new["digest"]) == 64 and new["prefix"].startswith("ptc_"), "Not the digest of a secret")
    story.agree(event, **_told_of_token(story, new))
    if new["limit_id"]:
        story.grant(new["limit_id"])
    return unit


def token_revoked(story: Story, event: Row) -> Unit:
    unit = ("Token", event["subject_id"], WENT)
    old, _new = story.moved(unit)
    story.agree(event, **_told_of_token(story, old))
    story.also(*_untied(story, old["id"]))
    return unit


def _told_of_token(story: Story, token: Row) -> Row:
    holder = story.row("Membership", token["membership_id"]) if token["membership_id"] else None
    return {
        "member": str(holder["user_id"]) if holder else None,
        "permissions": story.row("Role", token["limit_id"])["names"] if token["limit_id"] else None,
        "expires_at": token["expires_at"].isoformat() if token["expires_at"] else None,
    }


def account_address_added(story: Story, event: Row) -> Unit:
    story.letters(event, "account/address_added", about=event["subject_id"])
    return story.one(story.came("EmailAddress", user_id=event["subject_id"], verified=True), event)


def account_address_removed(story: Story, event: Row) -> Unit:
    return story.one(story.went("EmailAddress", user_id=event["subject_id"]), event)


def account_closed(story: Story, event: Row) -> Unit:
    """What names the person goes, and so does where they acted from; what others are called stays."""
    key = event["subject_id"]
    owned = {story.changes[unit][0]["email"] for unit in story.went("EmailAddress", user_id=key)}
    offers = {row["id"] for row in story.after["Invitation"].values() if row["address"] in owned}
    labels = story.went("Label")
    story.ensure({story.changes[unit][0]["about"] for unit in labels} <= {key, *offers}, "Forgot somebody else")
    left = [row for row in story.after["Label"].values() if row["about"] in {key, *offers}]
    story.ensure(not left, "Closed, and not forgotten")
    acts = {row["batch"] for row in story.after["Event"].values() if row["actor_id"] == key}
    origins = story.went("Origin")
    story.ensure({unit[1] for unit in origins} <= acts, "Forgot where others acted from")
    story.also(*labels, *origins, *story.went("Word"), *story.went("EmailAddress", user_id=key))
    story.also(*_signed_out(story, key))
    story.letters(event, "account/closed", about=key)
    return ("User", key, WENT)


def _signed_out(story: Story, user: Any) -> list[Unit]:
    theirs = story.went("UserSession", user_id=user)
    keys = {story.changes[session][0]["session_key"] for session in theirs}
    return [*theirs, *(unit for unit in story.went("Session") if unit[1] in keys)]


def account_stopped(active: bool) -> Callable[[Story, Row], Unit]:
    def tell(story: Story, event: Row) -> Unit:
        """Whoever is signed in is so no longer."""
        unit = ("User", event["subject_id"], "is_active")
        story.ensure(story.moved(unit) == (not active, active), f"{event['action']}: {story.moved(unit)}")
        story.also(*_signed_out(story, event["subject_id"]))
        return unit

    return tell


EVENTS: dict[str, Callable[[Story, Row], Unit]] = {
    "organization.founded": organization_founded,
    "organization.changed": organization_changed,
    "organization.closed": organization_closed,
    "organization.restored": organization_restored,
    "organization.purged": organization_purged,
    "handover.offered": handover_offered,
    "handover.accepted": handover_over,
    "handover.declined": handover_over,
    "handover.withdrawn": handover_over,
    "handover.ended": handover_over,
    "member.joined": member_joined,
    "member.known_as": member_known_as,
    "member.changed": member_changed,
    "member.suspended": member_suspended,
    "member.reactivated": member_reactivated,
    "member.end_changed": member_end_changed,
    "member.removed": member_gone,
    "member.left": member_gone,
    "invitation.sent": invitation_sent,
    "invitation.renewed": invitation_renewed,
    "invitation.resent": invitation_resent,
    "invitation.changed": invitation_changed,
    "invitation.taken_over": invitation_taken_over,
    "invitation.revoked": closed("revoked"),
    "invitation.declined": closed("declined"),
    "invitation.accepted": invitation_accepted,
    "invitation.asked": invitation_asked,
    "invitation.link_made": invitation_link_made,
    "role.added": role_added,
    "role.changed": role_changed,
    "role.deleted": role_deleted,
    "workspace.created": workspace_created,
    "workspace.changed": workspace_changed,
    "workspace.archived": workspace_archived,
    "workspace.restored": workspace_restored,
    "workspace.deleted": workspace_deleted,
    "seat.given": seat_given,
    "seat.taken": seat_taken,
    "token.issued": token_issued,
    "token.revoked": token_revoked,
    "seat.withdrawn": seat_withdrawn,
    "billing.changed": billing_changed,
    "account.address_added": account_address_added,
    "account.address_removed": account_address_removed,
    "account.closed": account_closed,
    "account.disabled": account_stopped(active=False),
    "account.enabled": account_stopped(active=True),
}
