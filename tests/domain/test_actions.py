"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

import pytest
from django.db import OperationalError

from portico.domain import actions, invitations, memberships, workspaces
from portico.domain.access import Person
from portico.domain.actions import action, fresh, repeatable
from portico.domain.errors import Forbidden, Missing, Refused
from portico.domain.events import Event, record
from portico.domain.invitations import Invitation, Terms, Wanted
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from portico.domain.permissions import MEMBERS_VIEW, ORGANIZATION_MANAGE
from portico.domain.roles import Grant
from portico.domain.workspaces import Seat, SeatOffer
from tests import cast

# --- Authority and rows as they are now -------------------------------------------------------------------------------


def test_a_command_asks_for_its_permission_as_of_now(ada, mel, ivy, contributor):
    as_the_page_showed = ivy
    memberships.change(ada, member=ivy.membership, grant=contributor)

    with pytest.raises(Forbidden) as refusal:
        memberships.remove(as_the_page_showed, members=[mel.membership])

    assert refusal.value.code == "missing_permission"


def test_a_command_reads_the_rows_again_that_it_is_handed(ada, mel, ivy, administrator):
    as_the_page_showed = Membership.objects.get(pk=mel.membership.pk)
    memberships.change(ada, member=mel.membership, grant=administrator)

    [result] = memberships.remove(ivy, members=[as_the_page_showed])

    assert result.refusal.code == "exceeds_your_authority"


def test_a_row_that_is_gone_is_missing(ada, mel):
    memberships.remove(ada, members=[mel.membership])

    with pytest.raises(Missing):
        memberships.remove(ada, members=[mel.membership])


SHAPES = {
    "a row": lambda row: {"row": row},
    "a list": lambda row: {"rows": [row]},
    "a tuple": lambda row: {"rows": (row,)},
    "a mapping": lambda row: {"rows": {"this": row}},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_another_organizations_row_does_not_exist_in_whatever_shape_it_comes(eve, mel, shape):
    with pytest.raises(Missing):
        fresh(eve.organization, shape(mel.membership))


def test_another_organizations_row_does_not_exist_inside_a_grant_a_seat_or_a_line(eve, developer, payments):
    [entry] = cast.wanted("bob@example.org")
    own = Grant(custom=frozenset())

    for given in (
        developer,
        SeatOffer(payments),
        Terms(grant=developer),
        Terms(grant=own, seats=[SeatOffer(payments)]),
        [Wanted(entry.entry, grant=developer)],
        [Wanted(entry.entry, seats=[SeatOffer(payments)])],
    ):
        with pytest.raises(Missing):
            fresh(eve.organization, given)


def test_each_kind_of_row_is_read_once_however_many_there_are(ada, mel, ivy, payments, django_assert_num_queries):
    given = {"members": [ada.membership, mel.membership, ivy.membership], "offer": SeatOffer(payments), "role": "x"}

    with django_assert_num_queries(2):
        again = fresh(ada.organization, given)

    assert again["members"] == given["members"]
    assert again["members"][0] is not ada.membership
    assert again["offer"].workspace is not payments
    assert again["role"] == "x"


def test_the_same_row_twice_is_one(ada, mel, ivy):
    results = memberships.remove(ada, members=[mel.membership, ivy.membership, mel.membership])

    assert [result.row.name for result in results] == ["Mel", "Ivy"]
    assert cast.actions(ada.organization).count("member.removed") == 2


def test_what_holds_no_rows_stays_as_it_is(acme):
    given = {"name": "Web", "roles": ["manager", "manager"], "nothing": None, "empty": []}

    assert fresh(acme, given) == given


# --- All or nothing ---------------------------------------------------------------------------------------------------


@action(ORGANIZATION_MANAGE)
def rename_and_refuse(actor, *, member):
    Membership.objects.filter(pk=member.pk).update(name="Melanie")
    record(actor, "member.changed", member)
    raise Refused("toy", "Not today.")


def test_what_is_refused_leaves_nothing_behind(ada, mel):
    before = Event.objects.count()

    with pytest.raises(Refused):
        rename_and_refuse(ada, member=mel.membership)

    assert Membership.objects.get(pk=mel.membership.pk).name == "Mel"
    assert Event.objects.count() == before


def test_what_breaks_a_promise_leaves_nothing_behind_and_no_letter_leaves(ada, mel, payments, contributor):
    offer = cast.invited(ada, "bob@example.org", grant=contributor)
    before = Event.objects.count(), Letter.objects.count(), Membership.objects.count(), Seat.objects.count()

    with pytest.raises(Refused) as refusal:
        memberships.remove(ada, members=[mel.membership, ada.membership])

    assert refusal.value.code == "last_administrator"
    assert (Event.objects.count(), Letter.objects.count(), Membership.objects.count(), Seat.objects.count()) == before
    assert Invitation.objects.get(pk=offer.pk).state == "pending"


@action(ORGANIZATION_MANAGE)
def call_another(actor, *, members):
    memberships.remove(actor, members=members)


def test_a_command_never_calls_another(ada, mel):
    with pytest.raises(RuntimeError, match="durable"):
        call_another(ada, members=[mel.membership])


@pytest.mark.django_db
def test_a_command_in_an_organization_that_is_gone_is_missing():
    gone = Organization(name="Gone", slug="gone")

    with pytest.raises(Missing):
        workspaces.create(cast.operator(gone), name="Web")


def test_all_that_a_command_does_has_one_batch_and_one_time(ada, contributor):
    cast.invite(ada, "bob@example.org cy@example.org", grant=contributor)

    bob, cy = Event.objects.filter(action="invitation.sent")
    assert (bob.batch, bob.at) == (cy.batch, cy.at)
    assert set(Letter.objects.values_list("created_at", flat=True)) == {bob.at}


def test_two_commands_have_two_batches(ada, contributor):
    cast.invite(ada, "bob@example.org", grant=contributor)
    cast.invite(ada, "cy@example.org", grant=contributor)

    assert len(set(Event.objects.filter(action="invitation.sent").values_list("batch", flat=True))) == 2


def test_a_person_acts_where_the_offer_is_whatever_the_door_says(ada, acme, eve, contributor):
    bob = cast.person("Bob")
    offer = cast.invited(ada, "bob@example.org", grant=contributor)

    invitations.accept(Person(organization=eve.organization, via=cast.VIA, user=bob), offer)

    assert cast.actions(acme)[-2:] == ["invitation.accepted", "member.joined"]
    assert "invitation.accepted" not in cast.actions(eve.organization)


def test_a_command_says_which_permission_it_needs():
    assert rename_and_refuse.permission is ORGANIZATION_MANAGE
    assert memberships.leave.__doc__
    assert rename_and_refuse.__name__ == "rename_and_refuse"


@action(MEMBERS_VIEW)
def see(actor, members=()):
    return list(members)


def test_arguments_may_come_by_position(ada, mel):
    assert see(ada, [mel.membership]) == [mel.membership]


# --- Running again ----------------------------------------------------------------------------------------------------


class NotInOrderError(Exception):
    sqlstate = "40001"


class DeadlockError(Exception):
    sqlstate = "40P01"


def failing(times, cause):
    """A function that fails that many times and tells how often it ran."""
    runs = []

    @repeatable
    def run():
        runs.append(len(runs) + 1)
        if len(runs) <= times:
            raise OperationalError("again") from cause
        return runs[-1]

    return run, runs


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(actions.time, "sleep", lambda _seconds: None)


def test_what_the_database_could_not_put_in_order_runs_again(at_once):
    run, runs = failing(3, NotInOrderError())

    assert run() == 4
    assert runs == [1, 2, 3, 4]


def test_it_is_given_up_after_four_times(at_once):
    run, runs = failing(9, NotInOrderError())

    with pytest.raises(OperationalError):
        run()

    assert len(runs) == 4


@pytest.mark.parametrize("cause", [DeadlockError(), None])
def test_another_failure_of_the_database_is_not_repeated(at_once, cause):
    run, runs = failing(1, cause)

    with pytest.raises(OperationalError):
        run()

    assert runs == [1]
