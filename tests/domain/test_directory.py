"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

from datetime import timedelta
from itertools import pairwise, product

import pytest
from django.utils import timezone

from portico.domain import directory, invitations, workspaces
from portico.domain.directory import SORTS, STATES, Place, Question
from portico.domain.errors import Forbidden, Invalid, Refused
from portico.domain.invitations import Invitation, Terms
from portico.domain.memberships import Membership
from portico.domain.outbox import Letter
from portico.domain.workspaces import SeatOffer
from tests import cast

DAY = timedelta(days=1)


@pytest.fixture(params=[1000, 2], ids=["few rows are gathered", "many rows are walked"])
def few(request, monkeypatch):
    """Both ways to find rows find the same."""
    monkeypatch.setattr(directory, "FEW", request.param)
    return request.param


@pytest.fixture
def people(few, ada, mel, ivy, eve, payments, developer, contributor):
    """Acme with members and offers of every kind; Elsewhere with people of the same names."""
    zed = cast.joined(ada.organization, cast.person("Zed Adams"), developer)
    Membership.objects.filter(pk=zed.membership.pk).update(suspended_at=timezone.now())
    old = cast.joined(ada.organization, cast.person("Élodie Old"), contributor)
    Membership.objects.filter(pk=old.membership.pk).update(expires_at=timezone.now() - DAY)
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    lines = [
        *cast.wanted("bob@example.org", grant=developer, seats=[SeatOffer(payments)]),
        *cast.wanted("cy@example.org", grant=cast.custom()),
        *cast.wanted("dot@example.org elm@example.org fay@example.org"),
    ]
    invitations.send(ada, wanted=lines, terms=Terms(grant=contributor))
    Invitation.objects.filter(address="dot@example.org").update(expires_at=timezone.now() - DAY)
    Invitation.objects.filter(address="fay@example.org").update(state="declined")
    Letter.objects.filter(address="elm@example.org").update(state="given_up")
    cast.joined(eve.organization, cast.person("Mel", "mel@elsewhere.example.org"), cast.custom())
    cast.invite(eve, "bob@example.org", grant=cast.custom())


def named(rows):
    return [row.address.split("@")[0] if isinstance(row, Invitation) else row.name for row in rows]


def found(actor, at=None, size=50, **question):
    return named(directory.read(actor, Question(**question), at, size=size).rows)


OFFERS = ["bob", "cy", "dot", "elm"]
MEMBERS = ["Ada", "Élodie Old", "Ivy", "Mel", "Zed Adams"]

# --- The list ---------------------------------------------------------------------------------------------------------


def test_offers_stand_first_then_members_in_the_order_of_their_names(ada, people):
    assert found(ada) == OFFERS + MEMBERS


def test_who_does_not_manage_members_sees_no_offers(mel, people):
    assert found(mel) == MEMBERS


def test_who_may_not_see_members_sees_no_list(acme, people):
    dan = cast.joined(acme, cast.person("Dan"), cast.custom())

    with pytest.raises(Forbidden):
        directory.read(dan, Question())


def test_offers_joining_and_activity_are_for_those_who_manage_members(mel, ivy, people):
    for question in ({"state": "invited"}, {"state": "undelivered"}, {"sort": "active"}, {"sort": "joined"}):
        with pytest.raises(Forbidden):
            directory.read(mel, Question(**question))

        assert directory.read(ivy, Question(**question))


def test_each_state_shows_its_rows_and_how_many_there_are(ada, people, few):
    for state, rows in {
        "": OFFERS + MEMBERS,
        "active": ["Ada", "Ivy", "Mel"],
        "invited": ["bob", "cy"],
        "undelivered": ["elm"],
        "suspended": ["Zed Adams"],
        "expired": ["dot", "Élodie Old"],
    }.items():
        page = directory.read(ada, Question(state=state))
        assert named(page.rows) == rows, state
        assert page.found == page.counts[state] == min(len(rows), few + 1)


def test_each_state_has_its_number(ada, people, few):
    counts = directory.read(ada, Question()).counts

    numbers = {"": 9, "active": 3, "invited": 2, "undelivered": 1, "suspended": 1, "expired": 2}
    assert counts == {state: min(number, few + 1) for state, number in numbers.items()}


# --- Searching and filtering ------------------------------------------------------------------------------------------


def test_a_search_looks_for_beginnings_of_words_in_name_and_address(ada, people):
    for text, rows in {
        "mel": ["Mel"],
        "MEL": ["Mel"],
        "adams": ["Zed Adams"],
        "ad": ["Ada", "Zed Adams"],
        "elodie": ["Élodie Old"],
        "old élo": ["Élodie Old"],
        "bob": ["bob"],
        "example": OFFERS + MEMBERS,
        "dams": [],
        "%": [],
        "_": [],
        "mel zed": [],
    }.items():
        assert found(ada, text=text) == rows, text


def test_a_role_a_custom_set_and_a_workspace_narrow_the_list(ada, people, payments, developer):
    assert found(ada, role=developer.role) == ["bob", "Zed Adams"]
    assert found(ada, custom=True) == ["cy", "Ivy"]
    assert found(ada, workspace=payments) == ["bob", "Ada", "Mel"]


def test_all_that_is_asked_holds_together(ada, people, payments, developer):
    assert found(ada, role=developer.role, state="suspended") == ["Zed Adams"]
    assert found(ada, text="bob", workspace=payments, role=developer.role, state="invited") == ["bob"]
    assert found(ada, text="mel", custom=True) == []


def test_how_many_are_found_is_told_up_to_a_few(ada, people, few):
    assert directory.read(ada, Question(text="example")).found == min(9, few + 1)


def test_who_may_not_view_a_workspace_does_not_find_who_sits_there(acme, people, payments, developer):
    dev = cast.joined(acme, cast.person("Dev"), developer)

    assert found(dev, workspace=payments) == ["Ada"]  # its manager, whom its page shows too


def test_another_organizations_role_and_workspace_find_nothing(eve, people, payments, developer):
    assert found(eve, role=developer.role) == []
    assert found(eve, workspace=payments) == []


@pytest.mark.parametrize(("question", "field"), [({"sort": "password"}, "sort"), ({"state": "gone"}, "state")])
def test_an_order_or_a_state_that_does_not_exist_is_refused(question, field):
    with pytest.raises(Invalid) as refusal:
        Question(**question)

    assert refusal.value.field == field


# --- Pages ------------------------------------------------------------------------------------------------------------


def walk(actor, question, size):
    """All pages to the end, each address of a place taken through its text."""
    pages = [directory.read(actor, question, size=size)]
    while pages[-1].after:
        assert len(pages) < 20
        at = Place.decode(pages[-1].after.encode(question), question)
        pages.append(directory.read(actor, question, at, size=size))
    return pages


@pytest.mark.parametrize("sort", SORTS)
def test_pages_show_every_row_once_there_and_back(ada, people, sort):
    for descending, size in product([False, True], [1, 4, 9]):
        question = Question(sort=sort, descending=descending)
        whole = directory.read(ada, question).rows

        pages = walk(ada, question, size)

        assert [row for page in pages for row in page.rows] == whole
        assert len(whole) == 9
        assert (pages[0].before, pages[-1].after) == (None, None)
        for earlier, page in pairwise(pages):
            back = Place.decode(page.before.encode(question), question)
            assert directory.read(ada, question, back, size=size).rows == earlier.rows


def test_the_other_way_round_each_section_is_turned(ada, people):
    assert found(ada, descending=True) == OFFERS[::-1] + MEMBERS[::-1]


@pytest.mark.parametrize("question", [{"text": "example"}, {"state": "expired"}, {"custom": True}])
def test_a_narrowed_list_is_walked_the_same(ada, people, question):
    asked = Question(**question)

    rows = [row for page in walk(ada, asked, 1) for row in page.rows]
    assert rows == directory.read(ada, asked).rows


def test_a_place_belongs_to_its_order(ada, people):
    place = directory.read(ada, Question(), size=2).after.encode(Question())

    for other in (Question(sort="email"), Question(descending=True)):
        with pytest.raises(Invalid) as refusal:
            Place.decode(place, other)
        assert refusal.value.field == "at"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "é",
        "W10",  # []
        "bnVsbA",  # null
        "WyJuYW1lIiwwLGZhbHNlXQ",  # ["name",0,false]
        "WyJuYW1lIiwyLGZhbHNlLCJhIiwiYiJd",  # a third section
        "WyJuYW1lIiwwLGZhbHNlLCJhIiwiYiJd",  # an id that is none
        "WyJuYW1lIiwwLDEsImEiLCIwMTkwYjVhMC03YzhlLTdkZWYtOGFiYy0wMTIzNDU2Nzg5YWIiXQ",  # backward is 1
        "W" * 10_000,
    ],
)
def test_an_impossible_place_is_refused(text):
    with pytest.raises(Invalid) as refusal:
        Place.decode(text, Question())

    assert refusal.value.field == "at"


def test_a_page_takes_few_statements(ada, people, django_assert_max_num_queries):
    for state in STATES:
        with django_assert_max_num_queries(5):
            directory.read(ada, Question(state=state))
    with django_assert_max_num_queries(5):
        directory.read(ada, Question(text="example"))


# --- All of them ------------------------------------------------------------------------------------------------------


def test_all_that_a_question_finds_can_be_taken_at_once(ada, people, monkeypatch):
    monkeypatch.setattr(directory, "FEW", 9)

    assert set(named(directory.everybody(ada, Question()))) == {*OFFERS, *MEMBERS}
    assert set(named(directory.everybody(ada, Question(state="expired")))) == {"dot", "Élodie Old"}


def test_more_than_a_few_are_refused(ada, people, monkeypatch):
    monkeypatch.setattr(directory, "FEW", 8)

    with pytest.raises(Refused) as refusal:
        directory.everybody(ada, Question())
    assert refusal.value.code == "too_many"


def test_only_who_manages_members_takes_them_all(mel, people):
    with pytest.raises(Forbidden):
        directory.everybody(mel, Question())


def test_where_each_sits_is_told_as_far_as_one_may_see_it(acme, ada, mel, people, payments, developer):
    dev = cast.joined(acme, cast.person("Dev"), developer)
    rows = directory.read(ada, Question()).rows

    def seats(actor):
        places = directory.seats_of(actor, rows, [payments])
        return [name for name, row in zip(named(rows), rows, strict=True) if places[row.pk]]

    assert seats(ada) == ["bob", "Ada", "Mel"]
    assert seats(dev) == ["Ada"]
