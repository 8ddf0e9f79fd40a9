"""Suspending, reactivating, and the end of a membership.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portico.domain import invitations, memberships
from portico.domain.access import Member
from portico.domain.errors import Forbidden, Invalid, Missing, Refused
from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.memberships import ACTIVE, SUSPENDED, End, Membership
from portico.domain.outbox import Letter
from portico.domain.permissions import BILLING_MANAGE, MEMBERS_MANAGE
from tests import cast

A_WEEK = timedelta(days=7)


def again(member):
    """The membership as it is now."""
    return Membership.objects.get(pk=member.membership.pk)


def asleep(member, **fields):
    """As only the clock, or an earlier act, has left it."""
    Membership.objects.filter(pk=member.membership.pk).update(**fields)


@pytest.fixture
def bea(acme):
    """Manages members and billing."""
    return cast.joined(acme, cast.person("Bea"), cast.custom(MEMBERS_MANAGE, BILLING_MANAGE))


@pytest.fixture
def zoe(acme, administrator):
    """A second Administrator."""
    return cast.joined(acme, cast.person("Zoe"), administrator)


@pytest.fixture
def soon():
    return timezone.now() + A_WEEK


# --- Suspending and reactivating --------------------------------------------------------------------------------------


def test_a_suspended_member_holds_nothing_from_that_moment(ada, mel):
    memberships.change(ada, member=mel.membership, status=SUSPENDED)

    row = again(mel)
    assert (row.suspended_at, row.version) == (ada.now, 2)
    assert Member.of(row, cast.VIA).held() == frozenset()
    event = Event.objects.get(action="member.suspended")
    assert (event.actor_id, event.subject_id, event.details) == (ada.id, mel.id, {})


def test_a_reactivated_member_holds_what_they_held(ada, mel):
    memberships.change(ada, member=mel.membership, status=SUSPENDED)
    memberships.change(ada, member=mel.membership, status=ACTIVE)

    row = again(mel)
    assert (row.suspended_at, row.version) == (None, 3)
    assert Member.of(row, cast.VIA).held() == mel.held()
    assert cast.actions(ada.organization)[-2:] == ["member.suspended", "member.reactivated"]


def test_the_member_is_told_of_both_by_letter(ada, mel):
    memberships.change(ada, member=mel.membership, status=SUSPENDED)
    memberships.change(ada, member=mel.membership, status=ACTIVE)

    told = Letter.objects.order_by("id").values_list("kind", "address", "about", "facts")
    facts = ("mel@example.org", mel.id, {"by": "Ada <ada@example.org>"})
    assert list(told) == [("suspended", *facts), ("reactivated", *facts)]


@pytest.mark.parametrize("status", [ACTIVE, SUSPENDED])
def test_the_same_state_again_is_no_change(ada, mel, status):
    since = timezone.now() - A_WEEK if status == SUSPENDED else None
    asleep(mel, suspended_at=since)

    memberships.change(ada, member=mel.membership, status=status)

    assert (again(mel).suspended_at, again(mel).version) == (since, 1)
    assert not Letter.objects.exists()
    assert cast.actions(ada.organization)[-1] == "member.joined"


def test_nobody_suspends_without_managing_members(mel, ivy):
    with pytest.raises(Forbidden) as refusal:
        memberships.change(mel, member=ivy.membership, status=SUSPENDED)

    assert refusal.value.code == "missing_permission"


@pytest.mark.parametrize("status", [ACTIVE, SUSPENDED])
@pytest.mark.parametrize("asleep_since", [None, "suspended_at", "expires_at"])
def test_nobody_suspends_or_reactivates_somebody_whose_grant_is_more_than_they_hold(ivy, bea, status, asleep_since):
    if asleep_since:
        asleep(bea, **{asleep_since: timezone.now()})
    before = again(bea)

    with pytest.raises(Forbidden) as refusal:
        memberships.change(ivy, member=bea.membership, status=status)

    assert (refusal.value.code, refusal.value.missing) == ("exceeds_your_authority", [BILLING_MANAGE])
    assert again(bea).suspended_at == before.suspended_at


def test_only_an_administrator_suspends_one(ivy, zoe, ada):
    with pytest.raises(Forbidden):
        memberships.change(ivy, member=zoe.membership, status=SUSPENDED)

    memberships.change(ada, member=zoe.membership, status=SUSPENDED)
    assert again(zoe).suspended_at


def test_the_last_administrator_cannot_be_suspended(ada, acme, zoe):
    memberships.change(ada, member=zoe.membership, status=SUSPENDED)

    with pytest.raises(Refused) as refusal:
        memberships.change(cast.operator(acme), member=ada.membership, status=SUSPENDED)

    assert refusal.value.code == "last_administrator"
    assert again(ada).suspended_at is None


def test_one_may_suspend_oneself_and_gets_no_letter(bea):
    memberships.change(bea, member=bea.membership, status=SUSPENDED)

    assert again(bea).suspended_at
    assert not Letter.objects.exists()


def test_nobody_reactivates_themselves(bea):
    asleep(bea, suspended_at=timezone.now())

    with pytest.raises(Forbidden) as refusal:
        memberships.change(bea, member=bea.membership, status=ACTIVE)

    assert refusal.value.code == "suspended"


def test_whose_end_has_come_is_not_made_active_without_another_end(ada, mel, soon):
    asleep(mel, suspended_at=timezone.now(), expires_at=timezone.now())

    with pytest.raises(Refused) as refusal:
        memberships.change(ada, member=mel.membership, status=ACTIVE)
    assert refusal.value.code == "membership_over"
    assert again(mel).suspended_at

    memberships.change(ada, member=mel.membership, status=ACTIVE, end=End(soon))
    assert again(mel).state(timezone.now()) == "active"


def test_a_state_is_active_or_suspended(ada, mel):
    with pytest.raises(Invalid) as refusal:
        memberships.change(ada, member=mel.membership, status="expired")

    assert refusal.value.field == "status"


def test_another_organizations_member_does_not_exist(eve, mel):
    with pytest.raises(Missing):
        memberships.change(eve, member=mel.membership, status=SUSPENDED)


# --- What ends with a sponsor -----------------------------------------------------------------------------------------


def state(offer):
    return Invitation.objects.get(pk=offer.pk).state


def test_a_suspended_members_offers_are_revoked_in_the_same_change(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    memberships.change(ada, member=ivy.membership, status=SUSPENDED)

    assert state(offer) == "revoked"
    assert ada.revoked == [offer]


def test_reactivating_revives_no_offer(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    memberships.change(ada, member=ivy.membership, status=SUSPENDED)
    memberships.change(ada, member=ivy.membership, status=ACTIVE)

    assert state(offer) == "revoked"


def test_who_suspends_a_sponsor_may_take_their_offers_over(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    memberships.change(ada, member=ivy.membership, status=SUSPENDED, take_over=True)

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)


def test_who_suspends_themselves_takes_nothing_over(bea, contributor):
    offer = cast.invited(bea, "bob@example.org", grant=contributor)

    memberships.change(bea, member=bea.membership, status=SUSPENDED, take_over=True)

    assert state(offer) == "revoked"


def test_an_end_revokes_nothing_and_when_it_comes_acceptance_refuses(ada, ivy, contributor, soon):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, days=30)

    memberships.change(ada, member=ivy.membership, end=End(soon))

    assert state(offer) == "pending"
    with time_machine.travel(soon, tick=False), pytest.raises(Refused) as refusal:
        invitations.accept(cast.signed_in(cast.person("Bob")), offer)
    assert refusal.value.code == "sponsor_gone"


# --- The end of a membership ------------------------------------------------------------------------------------------


def test_an_end_is_set_moved_and_lifted(ada, mel, soon):
    for end in (soon, soon + A_WEEK, soon - timedelta(days=1), None):
        memberships.change(ada, member=mel.membership, end=End(end))
        assert again(mel).expires_at == end

    ends = [event.details for event in Event.objects.filter(action="member.end_changed").order_by("id")]
    assert [each["after"] for each in ends] == [
        soon.isoformat(),
        (soon + A_WEEK).isoformat(),
        (soon - timedelta(days=1)).isoformat(),
        None,
    ]
    assert [each["before"] for each in ends] == [None, *(each["after"] for each in ends[:-1])]
    assert again(mel).version == 5


def test_at_the_instant_of_the_end_no_permission_is_left(ada, mel, soon):
    memberships.change(ada, member=mel.membership, end=End(soon))

    with time_machine.travel(soon - timedelta(microseconds=1), tick=False):
        assert Member.of(again(mel), cast.VIA).held() == mel.held() != frozenset()
    with time_machine.travel(soon, tick=False):
        assert Member.of(again(mel), cast.VIA).held() == frozenset()


def test_an_end_in_the_past_is_refused(ada, mel):
    with pytest.raises(Invalid) as refusal:
        memberships.change(ada, member=mel.membership, end=End(timezone.now()))

    assert refusal.value.field == "expires_at"
    assert again(mel).expires_at is None


def test_an_expired_member_is_brought_back_to_life_by_another_end(ada, mel, soon):
    asleep(mel, expires_at=timezone.now() - A_WEEK)

    memberships.change(ada, member=mel.membership, end=End(soon))

    assert again(mel).state(timezone.now()) == "active"


@pytest.mark.parametrize("days", [1, 30, None])
def test_nobody_moves_the_end_of_somebody_whose_grant_is_more_than_they_hold(ivy, bea, soon, days):
    asleep(bea, expires_at=soon)
    end = End(days and timezone.now() + timedelta(days=days))

    with pytest.raises(Forbidden) as refusal:
        memberships.change(ivy, member=bea.membership, end=end)

    assert (refusal.value.code, refusal.value.missing) == ("exceeds_your_authority", [BILLING_MANAGE])


def test_through_a_token_nobody_extends_more_than_it_allows(ada, bea, soon):
    asleep(bea, expires_at=soon)
    token = Member.of(ada.membership, cast.VIA, limit=frozenset({MEMBERS_MANAGE}))

    with pytest.raises(Forbidden) as refusal:
        memberships.change(token, member=bea.membership, end=End())

    assert refusal.value.missing == [BILLING_MANAGE]


def test_on_oneself_one_shortens(bea, soon):
    memberships.change(bea, member=bea.membership, end=End(soon))
    memberships.change(bea, member=bea.membership, end=End(soon - timedelta(days=1)))

    assert again(bea).expires_at == soon - timedelta(days=1)


@pytest.mark.parametrize("later", [timedelta(microseconds=1), None])
def test_on_oneself_one_puts_off_no_end(ada, bea, zoe, soon, later):
    for member in (bea, zoe):
        asleep(member, expires_at=soon)

        with pytest.raises(Forbidden) as refusal:
            memberships.change(member, member=member.membership, end=End(later and soon + later))

        assert refusal.value.code == "exceeds_your_authority"
        assert again(member).expires_at == soon


def test_the_last_lasting_administrator_gets_no_end(ada, zoe, soon):
    memberships.change(ada, member=zoe.membership, end=End(soon))

    with pytest.raises(Refused) as refusal:
        memberships.change(zoe, member=ada.membership, end=End(soon))

    assert refusal.value.code == "last_administrator"
    assert again(ada).expires_at is None


def test_another_end_is_announced_anew_and_the_same_one_is_not(ada, mel, soon):
    memberships.change(ada, member=mel.membership, end=End(soon))
    asleep(mel, reminded=7)

    memberships.change(ada, member=mel.membership, end=End(soon))
    assert again(mel).reminded == 7

    memberships.change(ada, member=mel.membership, end=End(soon + A_WEEK))
    assert again(mel).reminded is None


# --- Several things in one change -------------------------------------------------------------------------------------


def test_what_one_call_changes_is_one_change_with_an_event_for_each_thing(ada, mel, developer, soon):
    memberships.change(ada, member=mel.membership, grant=developer, status=SUSPENDED, end=End(soon), version=1)

    row = again(mel)
    assert (row.grant, row.suspended_at, row.expires_at, row.version) == (developer.role, ada.now, soon, 2)
    events = Event.objects.filter(batch=ada.batch).order_by("id")
    assert [event.action for event in events] == ["member.changed", "member.suspended", "member.end_changed"]


def test_of_several_things_either_all_are_changed_or_none(ivy, mel, developer, soon):
    with pytest.raises(Forbidden):
        memberships.change(ivy, member=mel.membership, grant=developer, status=SUSPENDED, end=End(soon))

    row = again(mel)
    assert (row.grant.slug, row.suspended_at, row.expires_at, row.version) == ("contributor", None, None, 1)


def test_a_save_of_what_changed_meanwhile_is_refused(ada, ivy, mel, soon):
    memberships.change(ivy, member=mel.membership, end=End(soon), version=1)

    with pytest.raises(Refused) as refusal:
        memberships.change(ada, member=mel.membership, status=SUSPENDED, version=1)

    assert refusal.value.code == "changed_meanwhile"
    assert again(mel).suspended_at is None


def test_nothing_asked_changes_nothing(ada, mel):
    memberships.change(ada, member=mel.membership)

    assert again(mel).version == 1


# --- Many at once -----------------------------------------------------------------------------------------------------


def test_of_many_each_is_changed_or_refused_by_itself(ivy, mel, bea, ada, soon):
    asleep(mel, suspended_at=timezone.now())
    members = [bea.membership, mel.membership, ada.membership]

    results = memberships.change_all(ivy, members=members, status=ACTIVE, end=End(soon))

    assert [(result.row.name, result.done) for result in results] == [("Bea", False), ("Mel", True), ("Ada", False)]
    assert results[0].refusal.code == "exceeds_your_authority"
    assert (again(mel).suspended_at, again(mel).expires_at) == (None, soon)
    assert again(bea).expires_at is None
    batch = Event.objects.filter(batch=ivy.batch).order_by("id").values_list("action", "subject_id")
    assert list(batch) == [("member.reactivated", mel.id), ("member.end_changed", mel.id)]


def test_many_get_one_grant(ada, mel, ivy, bea, developer):
    memberships.change_all(ada, members=[mel.membership, ivy.membership, bea.membership], grant=developer)

    assert {again(each).grant for each in (mel, ivy, bea)} == {developer.role}
    assert cast.actions(ada.organization).count("member.changed") == 3


def test_if_no_administrator_would_remain_nothing_of_it_happens(ada, zoe, mel):
    with pytest.raises(Refused) as refusal:
        memberships.change_all(ada, members=[mel.membership, zoe.membership, ada.membership], status=SUSPENDED)

    assert refusal.value.code == "last_administrator"
    assert not Membership.objects.suspended().exists()


def test_of_many_another_organizations_member_refuses_all(eve, ada, mel):
    with pytest.raises(Missing):
        memberships.change_all(ada, members=[mel.membership, eve.membership], status=SUSPENDED)

    assert not Membership.objects.suspended().exists()


def test_who_is_among_those_they_suspend_takes_nothing_over(ada, bea, mel, contributor):
    offer = cast.invited(bea, "bob@example.org", grant=contributor)

    memberships.change_all(bea, members=[mel.membership, bea.membership], status=SUSPENDED, take_over=True)

    assert state(offer) == "revoked"


def test_changing_many_takes_few_statements(ada, acme, contributor, soon, django_assert_max_num_queries):
    members = [cast.joined(acme, cast.person(f"P{n}", f"p{n}@example.org"), contributor) for n in range(60)]

    with django_assert_max_num_queries(25):
        memberships.change_all(
            ada, members=[each.membership for each in members], status=SUSPENDED, end=End(soon), grant=cast.custom()
        )
