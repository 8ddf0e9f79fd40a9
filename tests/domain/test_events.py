"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

import json
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from portico.delivery import daily
from portico.domain import events, memberships, people, workspaces
from portico.domain.access import Bearer, Person, Via
from portico.domain.events import Event, Label, Origin, Word, record, record_all
from portico.domain.permissions import MEMBERS_MANAGE
from tests import cast

# --- Writing ----------------------------------------------------------------------------------------------------------


def test_an_event_says_who_did_what_to_whom_when_and_through_which_door(ada, mel):
    memberships.remove(ada, members=[mel.membership])

    event = Event.objects.get(action="member.removed")
    assert (event.organization_id, event.door) == (ada.organization.pk, "console")
    assert (event.actor_kind, event.actor_id) == ("member", ada.membership.user_id)
    assert (event.subject_kind, event.subject_id) == ("member", mel.membership.user_id)
    assert (event.batch, event.at) == (ada.batch, ada.now)


def test_an_event_itself_holds_nothing_personal(ada, mel, ivy, payments, developer):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    memberships.change(ada, member=mel.membership, grant=developer)
    cast.invite(ada, "bob@example.org", grant=developer, message="Dear Bob")
    memberships.remove(ada, members=[mel.membership])

    told = json.dumps([list(map(str, row)) for row in Event.objects.values_list()])
    for personal in ("Ada", "Mel", "Ivy", "example.org", "Bob", "Payments", "192.0.2.7", "Firefox"):
        assert personal not in told


def test_the_names_stand_beside_the_event(ada, mel):
    memberships.remove(ada, members=[mel.membership])

    event = Event.objects.get(action="member.removed")
    assert Label.objects.get(pk=event.actor_label).text == "Ada <ada@example.org>"
    assert Label.objects.get(pk=event.subject_label).text == "Mel <mel@example.org>"


def test_the_same_name_of_the_same_person_is_written_once(ada, mel, ivy):
    memberships.remove(ada, members=[mel.membership])
    memberships.remove(ada, members=[ivy.membership])

    assert Label.objects.filter(about=ada.membership.user_id).count() == 1


def test_a_new_name_is_a_new_label_and_the_old_one_stays(ada, payments):
    record(ada, "toy.done", ada.membership)
    ada.membership.name = "Ada Lovelace"
    record(ada, "toy.done", ada.membership)

    texts = Label.objects.filter(about=ada.membership.user_id).order_by("id").values_list("text", flat=True)
    assert list(texts) == ["Ada <ada@example.org>", "Ada Lovelace <ada@example.org>"]


def test_labels_belong_to_one_organization(ada, acme, eve):
    elsewhere = cast.joined(eve.organization, ada.membership.user, cast.custom())
    record(elsewhere, "toy.done", elsewhere.membership)

    about_ada = Label.objects.filter(about=ada.membership.user_id)
    assert set(about_ada.values_list("organization_id", flat=True)) == {acme.pk, eve.organization.pk}


def test_where_an_act_came_from_is_written_once_for_all_its_events(ada, contributor):
    cast.invite(ada, "bob@example.org cy@example.org", grant=contributor)

    origin = Origin.objects.get(pk=ada.batch)
    assert (origin.address, origin.browser) == ("192.0.2.7", "Firefox")
    assert origin.organization_id == ada.organization.pk


def test_a_huge_name_of_a_browser_is_cut(ada):
    ada.via = Via(door="console", address="1" * 100, browser="x" * 1000)

    record(ada, "toy.done", ada.membership)

    origin = Origin.objects.get(pk=ada.batch)
    assert (len(origin.address), len(origin.browser)) == (64, 256)


def test_the_operator_has_no_name_and_no_origin(acme, mel):
    operator = cast.operator(acme)

    memberships.remove(operator, members=[mel.membership])

    event = Event.objects.get(action="member.removed")
    assert (event.actor_kind, event.actor_id, event.actor_label, event.door) == ("operator", None, None, "shell")
    assert not Origin.objects.filter(pk=operator.batch).exists()


def test_nothing_done_leaves_nothing_behind(ada):
    ada.refresh()
    ada.via = Via(door="console", address="192.0.2.99")
    before = Event.objects.count(), Label.objects.count(), Origin.objects.count()

    record_all(ada, "toy.done", [])
    assert (Event.objects.count(), Label.objects.count(), Origin.objects.count()) == before


def test_many_events_take_few_statements(ada, acme, django_assert_max_num_queries, contributor):
    people = [cast.joined(acme, cast.person(f"Person {n}", f"p{n}@example.org"), contributor) for n in range(30)]

    with django_assert_max_num_queries(4):
        record_all(ada, "toy.done", [person.membership for person in people])


# --- Final ------------------------------------------------------------------------------------------------------------


def change_an_event():
    Event.objects.update(action="toy.forged")


def delete_an_event():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM portico_event")


def assert_events_are_final(attempt):
    told = list(Event.objects.values_list("id", "action"))
    with pytest.raises(DatabaseError, match="events are final"), transaction.atomic():
        attempt()
    assert list(Event.objects.values_list("id", "action")) == told
    assert told


@pytest.mark.parametrize("attempt", [change_an_event, delete_an_event])
def test_the_database_refuses_to_change_or_delete_an_event(ada, attempt):
    assert_events_are_final(attempt)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", ["first", "after the flush of the first"])
@pytest.mark.parametrize("attempt", [change_an_event, delete_an_event])
def test_it_refuses_so_in_every_test_with_real_transactions(ada, turn, attempt):
    assert_events_are_final(attempt)


# --- Forgetting -------------------------------------------------------------------------------------------------------


def texts(organization) -> set[str]:
    return set(Label.objects.filter(organization_id=organization.pk).values_list("text", flat=True))


def found_by(word: str) -> set[str]:
    labels = Word.objects.filter(word=word.encode()).values("label_id")
    return set(Label.objects.filter(pk__in=labels).values_list("text", flat=True))


@pytest.fixture
def elsewhere(ada, eve):
    """Ada is also a member of Elsewhere, and did something there and to her account."""
    there = cast.joined(eve.organization, ada.membership.user, cast.custom(MEMBERS_MANAGE))
    cast.invited(there, "dot@example.org", grant=cast.custom())
    people.rename(cast.signed_in(ada.membership.user), "Ada")
    record(cast.signed_in(ada.membership.user), "account.renamed", ada.membership.user)
    return there


def test_a_person_is_erased_everywhere_and_what_they_did_stays(ada, mel, acme, elsewhere, contributor):
    offer = cast.invited(ada, "ada.private@example.org", grant=contributor)
    memberships.remove(ada, members=[mel.membership])
    daily.run_all()
    told = list(Event.objects.order_by("id").values())

    events.erase(ada.id, offer.pk)

    assert list(Event.objects.order_by("id").values()) == told
    assert not Label.objects.filter(text__icontains="ada").exists()
    assert not found_by("ada")
    assert not Word.objects.exclude(label_id__in=Label.objects.values("pk")).exists()
    acts = Event.objects.filter(actor_id=ada.id)
    assert acts.exists()
    assert not Origin.objects.filter(pk__in=acts.values("batch")).exists()


def test_to_erase_one_person_forgets_nobody_else(ada, mel, acme, eve, elsewhere):
    memberships.leave(mel)
    daily.run_all()

    events.erase(ada.id)

    assert {"Mel <mel@example.org>", "Acme"} <= texts(acme)
    assert found_by("mel") == {"Mel <mel@example.org>"}
    assert Origin.objects.filter(pk=mel.batch).exists()
    assert Origin.objects.filter(organization_id=eve.organization.pk).exists()


def test_an_organization_is_forgotten_and_no_other(ada, mel, acme, eve):
    memberships.leave(mel)
    daily.run_all()
    told = list(Event.objects.order_by("id").values())

    events.forget_organization(acme.pk)

    assert list(Event.objects.order_by("id").values()) == told
    assert not texts(acme)
    assert not Word.objects.filter(organization_id=acme.pk).exists()
    assert not Origin.objects.filter(organization_id=acme.pk).exists()
    assert "Elsewhere" in texts(eve.organization)
    assert found_by("elsewhere")
    assert Origin.objects.filter(organization_id=eve.organization.pk).exists()


def test_the_oldest_origins_are_forgotten_first(ada, mel, ivy):
    memberships.leave(mel)
    memberships.leave(ivy)

    assert events.forget_origins(timezone.now() + timedelta(seconds=1), most=Origin.objects.count() - 1) > 0

    assert [origin.pk for origin in Origin.objects.all()] == [ivy.batch]


# --- Finding by name --------------------------------------------------------------------------------------------------


def test_words_are_folded_and_stand_once():
    assert events.words_of("Zoë Zoe <zoe@example.org>") == [b"zoe", b"example", b"org"]
    assert events.words_of("") == []
    assert events.words_of("x" * 99) == [b"x" * 40]


def test_the_words_of_new_labels_are_written_a_few_labels_at_a_time(ada, mel, ivy):
    new = Label.objects.filter(is_searchable=False).count()
    assert not Word.objects.exists()

    assert events.make_searchable(most=new - 1) == new - 1
    assert events.make_searchable(most=new) == 1
    assert events.make_searchable(most=new) == 0

    assert found_by("ada") == {"Ada <ada@example.org>"}
    assert found_by("acme") == {"Acme"}


def test_labels_may_be_hundreds_of_words_each(acme):
    text = " ".join(chr(0x4E00 + number) for number in range(200))
    Label.objects.bulk_create(Label(organization_id=acme.pk, about=uuid7(), text=text) for _ in range(150))

    events.make_searchable(most=1_000)

    assert Word.objects.filter(word="\u4e00".encode()).count() == 150


def test_nobody_searches_what_people_did_to_their_accounts(db):
    user = cast.person("Ann")
    record(cast.signed_in(user), "account.renamed", user)

    daily.run_all()

    assert not Word.objects.exists()


# --- Reading ----------------------------------------------------------------------------------------------------------


def kinds(actor):
    return set(events.visible_to(actor).values_list("subject_kind", flat=True))


@pytest.fixture
def history(ada, mel, ivy, payments, contributor):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    cast.invite(ada, "bob@example.org", grant=contributor)


def test_an_administrator_reads_everything_of_the_organization(ada, history, eve):
    assert kinds(ada) == {"organization", "member", "workspace", "invitation"}
    assert set(events.visible_to(ada).values_list("organization_id", flat=True)) == {ada.organization.pk}


def test_who_manages_members_reads_what_members_and_offers_went_through(ivy, history):
    assert kinds(ivy) == {"member", "invitation"}


def test_a_member_reads_what_concerns_them(mel, history):
    assert set(events.visible_to(mel).values_list("subject_id", flat=True)) == {mel.membership.user_id}


def test_who_holds_nothing_reads_nothing(mel, acme, history):
    mel.membership.suspended_at = timezone.now()
    stranger = Person(organization=acme, via=cast.VIA, user=mel.membership.user)

    assert not events.visible_to(mel)
    assert not events.visible_to(stranger)
    assert not events.visible_to(Bearer(organization=acme, via=cast.VIA))


def test_the_newest_come_first_with_the_names_of_then(ada, mel, history):
    [line, *_others] = events.recent(ada, about=mel.membership.user_id)

    assert (line.event.action, line.actor, line.subject) == (
        "seat.given",
        "Ada <ada@example.org>",
        "Mel <mel@example.org>",
    )
    assert line.names[line.event.details["workspace"]] == "Payments"
    assert line.names["developer"] == "Developer"


def test_who_manages_members_does_not_learn_where_somebody_sits_that_they_may_not_see(ada, ivy, mel, history, payments):
    mels = mel.membership.user_id
    assert not any("Payments" in line.names.values() for line in events.recent(ivy, about=mels))
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="member")
    ivy.refresh()

    assert any("Payments" in line.names.values() for line in events.recent(ivy, about=mels))


def test_what_one_command_did_to_many_is_one_line(ada, history, contributor):
    cast.invite(ada, " ".join(f"p{n}@example.org" for n in range(40)), grant=contributor)

    [line, *_others] = events.recent(ada)
    assert (line.event.action, line.others) == ("invitation.sent", 39)


def test_recent_events_are_those_that_one_may_see(mel, history):
    assert {line.event.subject_id for line in events.recent(mel)} == {mel.membership.user_id}
