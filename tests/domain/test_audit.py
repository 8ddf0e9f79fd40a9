"""The audit log: ada administers Acme · mel is a plain member · ivy may manage members · eve is from elsewhere"""

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from portico.delivery import daily
from portico.domain import audit, events, memberships, people, workspaces
from portico.domain.access import Bearer, Person, Via
from portico.domain.audit import Place, Question
from portico.domain.errors import Forbidden, Invalid, Missing
from portico.domain.events import Event, Label, record
from portico.domain.permissions import catalogue
from portico.domain.words import fold
from tests import cast


def found(reader, /, **asked) -> list[str]:
    """What one page tells, newest first, in short."""
    return [short(line) for line in audit.read(reader, Question(**asked)).lines]


def short(line) -> str:
    return f"{line.actor.split(' <')[0]} {line.event.action} {line.subject.split(' <')[0]}"


@pytest.fixture
def history(ada, mel, ivy, payments, contributor, developer):
    """What these did in Acme, newest last; searchable."""
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    cast.invited(ivy, "bob@example.org", grant=cast.custom())
    memberships.change(ada, member=mel.membership, grant=developer)
    memberships.remove(ada, members=[ivy.membership])
    memberships.leave(mel)
    daily.run_all()


EVERYTHING = [
    "Mel member.left Mel",
    "Ada invitation.revoked bob@example.org",
    "Ada member.removed Ivy",
    "Ada member.changed Mel",
    "Ivy invitation.sent bob@example.org",
    "Ada seat.given Mel",
    "Ada seat.given Ada",
    "Ada workspace.created Payments",
    "Ada member.joined Ada",
    "Ada organization.founded Acme",
]

# --- Who may read -----------------------------------------------------------------------------------------------------


def test_an_administrator_reads_everything_newest_first(ada, history, eve):
    assert found(ada) == EVERYTHING
    assert found(eve) == ["Eve member.joined Eve", "Eve organization.founded Elsewhere"]


@pytest.mark.parametrize("reading", [audit.read, audit.export])
def test_nobody_else_reads_the_log_though_they_hold_every_permission_there_is(acme, mel, ivy, reading):
    almost = cast.joined(acme, cast.person("Al"), cast.custom(*catalogue().of_organization))
    stranger = Person(organization=acme, via=cast.VIA, user=cast.person("Stranger"))
    for actor in (mel, ivy, almost, stranger, Bearer(organization=acme, via=cast.VIA)):
        with pytest.raises(Forbidden) as refusal:
            reading(actor, Question())
        assert refusal.value.code == "missing_permission"
        with pytest.raises(Forbidden):
            audit.one(actor, uuid4())


def test_the_operator_reads_it_too(acme, ada):
    assert found(cast.operator(acme)) == ["Ada member.joined Ada", "Ada organization.founded Acme"]


def test_the_event_of_another_organization_does_not_exist(ada, eve):
    theirs = Event.objects.filter(organization_id=eve.organization.pk).first()

    assert audit.one(eve, theirs.pk).event == theirs
    assert audit.one(ada, theirs.pk) is None


def test_an_event_tells_from_where_somebody_acted(ada, mel):
    memberships.remove(ada, members=[mel.membership])

    [line, *_] = audit.read(ada, Question()).lines
    assert (line.address, line.browser) == ("192.0.2.7", "Firefox")
    assert audit.one(ada, line.event.pk) == line


def test_what_the_operator_does_comes_from_nowhere(acme, mel):
    operator = cast.operator(acme)
    memberships.remove(operator, members=[mel.membership])

    [line, *_] = audit.read(operator, Question()).lines
    assert (line.event.door, line.address, line.browser) == ("shell", "", "")


# --- Filters ----------------------------------------------------------------------------------------------------------


def test_by_who_did_it(ada, mel, history):
    assert found(ada, actor=mel.id) == ["Mel member.left Mel"]


def test_by_whom_it_was_done_to(ada, mel, history):
    assert found(ada, subject=mel.id) == ["Mel member.left Mel", "Ada member.changed Mel", "Ada seat.given Mel"]


def test_by_a_person_who_did_it_or_had_it_done_to_them(ada, ivy, history):
    assert found(ada, person=ivy.id) == ["Ada member.removed Ivy", "Ivy invitation.sent bob@example.org"]


def test_by_what_was_done(ada, history):
    assert found(ada, action="seat.given") == ["Ada seat.given Mel", "Ada seat.given Ada"]
    assert found(ada, action="seat.taken") == []


def test_by_what_belongs_together(ada, ivy, history):
    removed = Event.objects.get(action="member.removed")

    assert found(ada, batch=removed.batch) == ["Ada invitation.revoked bob@example.org", "Ada member.removed Ivy"]


def at(actor, when: datetime, *, made: datetime | None = None) -> Event:
    """An event of another time."""
    label = Label.objects.create(organization_id=actor.organization.pk, about=actor.id, text=actor.label)
    return Event.objects.create(
        id=UUID(int=events.first_id(made or when).int + 1),
        organization_id=actor.organization.pk,
        batch=uuid4(),
        at=when,
        door="console",
        action="toy.done",
        actor_kind="member",
        actor_id=actor.id,
        actor_label=label.pk,
        subject_kind="member",
        subject_id=actor.id,
        subject_label=label.pk,
    )


def test_by_time_from_the_first_moment_to_before_the_last(ada):
    first = datetime(2026, 3, 1, tzinfo=UTC)
    moments = [first - timedelta(microseconds=1), first, first + timedelta(days=1), first + timedelta(days=2)]
    told = [at(ada, moment).pk for moment in moments]

    def between(**asked):
        return [line.event.pk for line in audit.read(ada, Question(action="toy.done", **asked)).lines]

    assert between(since=first) == told[:0:-1]
    assert between(until=first) == told[:1]
    assert between(since=first, until=first + timedelta(days=2)) == [told[2], told[1]]


def test_what_a_long_command_wrote_after_midnight_belongs_to_when_it_began(ada):
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    at(ada, midnight - timedelta(seconds=1), made=midnight + timedelta(seconds=5))

    assert found(ada, action="toy.done", until=midnight) == ["Ada toy.done Ada"]
    assert found(ada, action="toy.done", since=midnight) == []


def test_filters_hold_together(ada, mel, history):
    assert found(ada, subject=mel.id, actor=ada.id, action="seat.given") == ["Ada seat.given Mel"]
    assert found(ada, person=mel.id, until=timezone.now() - timedelta(days=1)) == []
    assert found(ada, person=mel.id, text="ada") == ["Ada member.changed Mel", "Ada seat.given Mel"]


@pytest.mark.parametrize("action", ["no.such\0", "member", "MEMBER.REMOVED", "a." + "b" * 60, "'; --", "member.*"])
def test_what_cannot_be_an_action_is_refused(action):
    with pytest.raises(Invalid) as refusal:
        Question(action=action)
    assert refusal.value.field == "action"


def test_an_end_before_the_beginning_is_refused():
    now = timezone.now()
    with pytest.raises(Invalid) as refusal:
        Question(since=now, until=now)
    assert refusal.value.field == "until"


# --- Search -----------------------------------------------------------------------------------------------------------


def test_a_search_finds_beginnings_of_words_of_names_and_addresses(ada, history):
    assert found(ada, text="pay") == ["Ada workspace.created Payments"]
    assert found(ada, text="IV") == ["Ada member.removed Ivy", "Ivy invitation.sent bob@example.org"]
    assert found(ada, text="bob@example") == [
        "Ada invitation.revoked bob@example.org",
        "Ivy invitation.sent bob@example.org",
    ]
    assert found(ada, text="ayments") == []
    assert found(ada, text="mel bob") == []


@pytest.mark.parametrize("text", ["@", "...", "–", "\0", "\u200d", "x" * 10_000])
def test_a_search_for_no_word_or_an_endless_one_finds_nothing(ada, history, text):
    assert found(ada, text=text) == []


def test_a_search_that_only_has_spaces_asks_for_everything(ada, history):
    assert found(ada, text="  ") == EVERYTHING


def test_what_happened_just_now_is_found_before_the_worker_knows(ada, mel):
    memberships.leave(mel)

    assert found(ada, text="mel") == ["Mel member.left Mel"]


def test_who_has_another_name_now_is_found_by_both(ada, mel):
    record(mel, "toy.done", mel.membership)
    people.rename(cast.signed_in(mel.membership.user), "Melchior")
    memberships.keep_in_step(cast.signed_in(mel.membership.user))
    mel.refresh()
    record(mel, "toy.again", mel.membership)
    daily.run_all()

    for name in ("mel", "melchior"):
        assert {line.event.action for line in audit.read(ada, Question(text=name)).lines} >= {"toy.done", "toy.again"}


def test_a_name_that_was_erased_is_found_no_more(ada, mel):
    memberships.leave(mel)
    daily.run_all()
    events.erase(mel.id)

    assert found(ada, text="mel") == []
    assert found(ada)[0] == " member.left "


def test_a_search_looks_only_at_home(ada, eve, history):
    daily.run_all()

    assert found(eve, text="mel") == []


# --- Pages ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(ada, acme, mel, ivy, contributor, monkeypatch):
    """Sixty events by three people about six, in no order; and small bounds, so that every way is taken."""
    monkeypatch.setattr(audit, "NAMES", 3)
    monkeypatch.setattr(audit, "WINDOW", 4)
    monkeypatch.setattr(audit, "FAR", 12)
    monkeypatch.setattr(audit, "EXPORTED", 7)
    others = [cast.joined(acme, cast.person(f"Person {n}", f"p{n}@example.net"), contributor) for n in range(3)]
    everybody = [ada, mel, ivy, *others]
    for n in range(60):
        who, whom = everybody[n * n % 3], everybody[(n * 7 + n // 5) % 6]
        who.refresh()
        record(who, ("toy.done", "toy.broken")[n % 4 == 0], whom.membership)
    daily.run_all()
    return everybody


QUESTIONS = [
    {},
    {"action": "toy.broken"},
    {"person": "mel"},
    {"actor": "ivy"},
    {"subject": "ada", "action": "toy.done"},
    {"text": "mel"},
    {"text": "ivy mel"},
    {"text": "person 1"},
    {"text": "exam"},
    {"text": "p"},
    {"text": "example net", "person": "ivy"},
    {"text": "mel", "person": "ada"},
    {"text": "net", "action": "toy.broken"},
]


def naive(actor, asked: dict) -> list[UUID]:
    """The same question, asked of every event."""
    labels: dict[UUID, list[str]] = {}
    for label in Label.objects.filter(organization_id=actor.organization.pk):
        labels.setdefault(label.about, []).append(f" {fold(label.text)}")

    def fits(event: Event) -> bool:
        concerned = {event.actor_id, event.subject_id}
        terms = fold(asked.get("text", "")).split()
        called = [text for key in concerned if key for text in labels.get(key, [])]
        return all(
            [
                event.action == asked.get("action", event.action),
                event.actor_id == asked.get("actor", event.actor_id),
                event.subject_id == asked.get("subject", event.subject_id),
                asked.get("person", event.actor_id) in concerned,
                not terms or any(all(f" {term}" in text for term in terms) for text in called),
            ]
        )

    every = Event.objects.filter(organization_id=actor.organization.pk).order_by("-id")
    return [event.pk for event in every if fits(event)]


def walked(actor, question, size, start=None, turn="after"):
    place, pages = start, []
    for _ in range(100):
        page = audit.read(actor, question, place, size=size)
        pages.append(page)
        place = getattr(page, turn)
        if place is None:
            return pages
    raise AssertionError("it has no end")


@pytest.mark.parametrize("asked", QUESTIONS, ids=str)
@pytest.mark.parametrize("size", [1, 7, 500])
def test_page_by_page_one_sees_everything_once_there_and_back(ada, mel, ivy, crowd, asked, size):
    ids = {"ada": ada.id, "mel": mel.id, "ivy": ivy.id}
    asked = {name: ids.get(value, value) if name != "text" else value for name, value in asked.items()}
    question, expected = Question(**asked), naive(ada, asked)

    there = walked(ada, question, size)
    assert [line.event.pk for page in there for line in page.lines] == expected
    assert all(len(page.lines) <= size for page in there)

    last = there[-1].lines
    back = walked(ada, question, size, Place(last[0].event.pk, backward=True), turn="before") if last else []
    assert [line.event.pk for page in back for line in reversed(page.lines)] == expected[: -len(last) or None][::-1]
    assert [line.event.pk for line in audit.export(ada, question)] == expected


def test_a_walk_that_is_not_done_says_how_far_it_came(ada, crowd):
    looked_at = list(events.visible_to(ada)[: audit.FAR])

    page = audit.read(ada, Question(text="example", person=uuid4()))

    assert (page.lines, page.after) == ([], Place(looked_at[-1].pk))
    assert page.reached == looked_at[-1].at


@pytest.mark.parametrize("text", ["", "x", "-", "0" * 31, "--" + "0" * 32, "G" * 32, "0" * 33, "a" * 5000, "\0" * 32])
def test_a_place_that_no_page_handed_out_is_refused(text):
    with pytest.raises(Invalid) as refusal:
        Place.decode(text)
    assert refusal.value.field == "at"


@pytest.mark.parametrize("backward", [True, False])
def test_a_place_is_read_as_it_was_written(backward):
    place = Place(uuid4(), backward=backward)

    assert Place.decode(place.encode()) == place


@pytest.mark.parametrize("asked", [{}, {"text": "mel"}, {"text": "person"}, {"action": "toy.done"}], ids=str)
def test_a_page_takes_as_many_statements_whatever_is_on_it(ada, crowd, asked, django_assert_max_num_queries):
    with django_assert_max_num_queries(16):
        audit.read(ada, Question(**asked))


# --- Export -----------------------------------------------------------------------------------------------------------


def test_an_export_goes_on_where_it_was_though_more_happens_meanwhile(ada, mel, crowd):
    exported = audit.export(ada, Question(action="toy.done"))
    begun = list(itertools.islice(exported, 3))
    record(ada, "toy.done", mel.membership)

    keys = [line.event.pk for line in [*begun, *exported]]
    assert len(keys) == len(set(keys)) == 45


def test_an_export_ends_when_whoever_asked_may_no_longer_read(ada, crowd, acme, administrator):
    other = cast.joined(acme, cast.person("Other"), administrator)
    exported = audit.export(other, Question())
    assert len(list(itertools.islice(exported, 7))) == 7

    memberships.remove(ada, members=[other.membership])

    with pytest.raises(Missing):
        list(exported)


def test_the_door_and_the_browser_of_every_command_are_in_the_export(ada, mel):
    mel.via = Via(door="console", address="192.0.2.99", browser="Safari")
    memberships.leave(mel)

    [line, *_] = audit.export(ada, Question())
    assert (line.event.door, line.address, line.browser) == ("console", "192.0.2.99", "Safari")


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59+00:00", "1970-01-01T00:00:00+14:00"]
)
@pytest.mark.parametrize("field", ["since", "until"])
def test_no_moment_is_asked_for_that_no_calendar_has_in_utc(field, moment):
    with pytest.raises(Invalid) as refusal:
        Question(**{field: datetime.fromisoformat(moment)})

    assert refusal.value.field == field
