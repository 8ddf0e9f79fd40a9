"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from portico.domain import invitations, memberships, tokens, workspaces
from portico.domain.access import Member, Person
from portico.domain.errors import Forbidden, Invalid, Missing, Refused
from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.memberships import End, Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from portico.domain.permissions import BILLING_MANAGE, MEMBERS_MANAGE, MEMBERS_VIEW, catalogue
from portico.domain.workspaces import Seat, SeatOffer
from tests import cast


def again(member):
    """The membership as it is now."""
    return Membership.objects.get(pk=member.membership.pk)


@pytest.fixture
def bea(acme):
    """Manages members and billing."""
    return cast.joined(acme, cast.person("Bea"), cast.custom(MEMBERS_MANAGE, BILLING_MANAGE))


@pytest.fixture
def zoe(acme, administrator):
    """A second Administrator."""
    return cast.joined(acme, cast.person("Zoe"), administrator)


# --- Changing what somebody may do ------------------------------------------------------------------------------------


def test_a_member_gets_another_role(ada, mel, developer):
    memberships.change(ada, member=mel.membership, grant=developer)

    assert again(mel).grant == developer.role
    assert again(mel).version == 2
    event = Event.objects.get(action="member.changed")
    assert event.details == {"before": {"role": "contributor"}, "after": {"role": "developer"}}


def test_a_member_gets_permissions_of_their_own(ada, mel):
    memberships.change(ada, member=mel.membership, grant=cast.custom(BILLING_MANAGE))

    assert again(mel).grant.permissions == {BILLING_MANAGE}
    assert Event.objects.get(action="member.changed").details["after"] == {"permissions": ["billing.manage"]}


def test_the_same_again_is_no_change(ada, mel, contributor):
    memberships.change(ada, member=mel.membership, grant=contributor)

    assert again(mel).version == 1
    assert "member.changed" not in cast.actions(ada.organization)


def test_who_does_not_manage_members_changes_nobody(mel, ivy, contributor):
    with pytest.raises(Forbidden) as refusal:
        memberships.change(mel, member=ivy.membership, grant=contributor)

    assert (refusal.value.code, refusal.value.missing) == ("missing_permission", [MEMBERS_MANAGE])


def test_nobody_gives_more_than_they_hold(ivy, mel, developer):
    with pytest.raises(Forbidden) as refusal:
        memberships.change(ivy, member=mel.membership, grant=developer)

    assert refusal.value.code == "exceeds_your_authority"
    assert [each.name for each in refusal.value.missing] == ["workspaces.create", "workspaces.view_all"]
    assert again(mel).grant.slug == "contributor"


def test_nobody_touches_somebody_whose_grant_is_more_than_they_hold(ivy, bea, contributor):
    with pytest.raises(Forbidden) as refusal:
        memberships.change(ivy, member=bea.membership, grant=contributor)

    assert (refusal.value.code, refusal.value.missing) == ("exceeds_your_authority", [BILLING_MANAGE])


@pytest.mark.parametrize("field", ["suspended_at", "expires_at"])
def test_the_grant_counts_also_while_suspended_or_expired(ivy, bea, contributor, field):
    Membership.objects.filter(pk=bea.membership.pk).update(**{field: timezone.now()})

    with pytest.raises(Forbidden):
        memberships.change(ivy, member=bea.membership, grant=contributor)
    assert not memberships.remove(ivy, members=[bea.membership])[0].done


def test_a_seat_shields_nobody(ada, ivy, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")

    assert memberships.remove(ivy, members=[mel.membership])[0].done


@pytest.mark.parametrize("give", ["administrator", "select all"])
def test_only_an_administrator_makes_one_or_touches_one(acme, ada, mel, administrator, give):
    everything_to_choose = cast.custom(*catalogue().of_organization)
    dan = cast.joined(acme, cast.person("Dan"), everything_to_choose)

    with pytest.raises(Forbidden):
        memberships.change(dan, member=mel.membership, grant=administrator)
    with pytest.raises(Forbidden):
        memberships.change(dan, member=ada.membership, grant=everything_to_choose)
    assert not memberships.remove(dan, members=[ada.membership])[0].done


def test_on_oneself_one_gives_up(bea):
    memberships.change(bea, member=bea.membership, grant=cast.custom(MEMBERS_MANAGE))

    assert again(bea).grant.permissions == {MEMBERS_MANAGE, MEMBERS_VIEW}


def test_on_oneself_one_gains_nothing(ivy, developer):
    with pytest.raises(Forbidden) as refusal:
        memberships.change(ivy, member=ivy.membership, grant=developer)

    assert refusal.value.code == "exceeds_your_authority"


def test_a_program_is_not_oneself_so_it_touches_its_maker_only_as_far_as_it_covers_them(ada, zoe):
    narrowed, full = (program(ada, permissions=names) for names in (["members.manage"], None))

    with pytest.raises(Forbidden) as refusal:
        memberships.change(narrowed, member=ada.membership, status=memberships.SUSPENDED)

    assert refusal.value.code == "exceeds_your_authority"
    memberships.change(full, member=ada.membership, grant=cast.custom(MEMBERS_MANAGE))
    assert again(ada).grant.permissions == {MEMBERS_MANAGE, MEMBERS_VIEW}


@pytest.mark.parametrize("permissions", [["members.manage"], None])
def test_to_remove_oneself_is_to_leave_and_no_program_does_it(ada, zoe, permissions):
    [result] = memberships.remove(program(ada, permissions=permissions), members=[ada.membership])

    assert result.refusal.code == "needs_person"
    assert again(ada).grant.is_administrator


def program(member: Member, **limits: Any) -> Any:
    """The actor of a program of theirs."""
    token = tokens.issue(member, name="Program", **limits).token
    return tokens.actor_of(token, cast.VIA, timezone.now())


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59-14:00", "3000-01-01T00:00:00+00:00"])
def test_no_membership_ends_in_a_year_that_no_database_reads(ada, mel, contributor, end):
    """PostgreSQL keeps such a moment and nobody could read the row any more."""
    moment = datetime.fromisoformat(end)

    with pytest.raises(Invalid, match="before the year 3000"):
        memberships.change(ada, member=mel.membership, end=End(moment))
    with pytest.raises(Invalid, match="before the year 3000"):
        cast.invite(ada, "ann@example.org", grant=contributor, member_until=moment)


def test_a_token_gives_and_touches_no_more_than_it_allows(ada, mel, developer, bea):
    token = Member.of(ada.membership, cast.VIA, limit=frozenset({MEMBERS_MANAGE}))

    with pytest.raises(Forbidden):
        memberships.change(token, member=mel.membership, grant=developer)
    with pytest.raises(Forbidden):
        memberships.change(token, member=bea.membership, grant=cast.custom())


def test_a_save_of_what_changed_meanwhile_is_refused(ada, mel, developer, contributor):
    memberships.change(ada, member=mel.membership, grant=developer, version=1)

    with pytest.raises(Refused) as refusal:
        memberships.change(ada, member=mel.membership, grant=contributor, version=1)

    assert refusal.value.code == "changed_meanwhile"
    assert again(mel).grant == developer.role


def test_another_organizations_member_does_not_exist(eve, mel, acme):
    with pytest.raises(Missing):
        memberships.change(eve, member=mel.membership, grant=cast.custom())


def test_another_organizations_role_does_not_exist(eve, ada, mel):
    with pytest.raises(Missing):
        memberships.change(ada, member=mel.membership, grant=cast.role(eve.organization, "developer"))


@pytest.mark.parametrize(("field", "code"), [("suspended_at", "suspended"), ("expires_at", "expired")])
def test_whoever_is_not_active_does_nothing_and_is_told_why(ivy, mel, field, code):
    Membership.objects.filter(pk=ivy.membership.pk).update(**{field: timezone.now()})

    with pytest.raises(Forbidden) as refusal:
        memberships.remove(ivy, members=[mel.membership])

    assert refusal.value.code == code


def test_in_a_closed_organization_nobody_does_anything(ada, mel, acme):
    type(acme).objects.update(closed_at=timezone.now())

    with pytest.raises(Forbidden) as refusal:
        memberships.remove(ada, members=[mel.membership])

    assert refusal.value.code == "organization_closed"


# --- Removing ---------------------------------------------------------------------------------------------------------


def test_a_removed_member_is_gone_with_their_seats_and_is_told(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    [result] = memberships.remove(ada, members=[mel.membership])

    assert result.done
    assert not Membership.objects.filter(pk=mel.membership.pk).exists()
    assert not Seat.objects.filter(membership=mel.membership.pk).exists()
    letter = Letter.objects.get(kind="removed")
    assert (letter.address, letter.about, letter.facts) == (
        "mel@example.org",
        mel.membership.user_id,
        {"by": "Ada <ada@example.org>"},
    )


def test_the_event_of_a_removal_tells_what_ended(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    memberships.remove(ada, members=[mel.membership])

    assert Event.objects.get(action="member.removed").details == {
        "role": "contributor",
        "seats": [{"workspace": str(payments.pk), "role": "member"}],
        "tokens": [],
    }


def test_who_does_not_manage_members_removes_nobody(mel, ivy):
    with pytest.raises(Forbidden) as refusal:
        memberships.remove(mel, members=[ivy.membership])

    assert refusal.value.code == "missing_permission"


def test_of_many_each_is_removed_or_refused_by_itself(ivy, mel, bea, ada):
    results = memberships.remove(ivy, members=[bea.membership, mel.membership, ada.membership])

    assert [(result.row.name, result.done) for result in results] == [("Bea", False), ("Mel", True), ("Ada", False)]
    assert results[0].refusal.code == "exceeds_your_authority"
    assert results[0].refusal.sentence == "You do not hold: Manage billing information for organization."
    assert cast.actions(ivy.organization).count("member.removed") == 1
    assert Letter.objects.filter(kind="removed").count() == 1


def test_another_organizations_member_cannot_be_removed_nor_seen(eve, mel, ada):
    with pytest.raises(Missing):
        memberships.remove(eve, members=[eve.membership, mel.membership])

    assert again(mel)
    assert again(eve)


def test_the_operator_removes_and_the_letter_names_nobody(acme, mel):
    memberships.remove(cast.operator(acme), members=[mel.membership])

    assert Letter.objects.get(kind="removed").facts == {}


def test_on_removing_oneself_no_letter_leaves(ada, zoe):
    memberships.remove(zoe, members=[zoe.membership])

    assert not Membership.objects.filter(pk=zoe.membership.pk).exists()
    assert not Letter.objects.filter(kind="removed").exists()


def test_who_manages_members_may_remove_themselves_through_less_than_they_are(bea):
    token = Member.of(bea.membership, cast.VIA, limit=frozenset({MEMBERS_MANAGE}))

    assert memberships.remove(token, members=[bea.membership])[0].done


def test_who_returns_gets_a_new_membership_and_nothing_of_the_old_one(ada, mel, payments, acme, contributor):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")
    memberships.remove(ada, members=[mel.membership])

    returned = cast.joined(acme, mel.membership.user, contributor)

    assert returned.membership.pk != mel.membership.pk
    assert returned.held(payments) == {MEMBERS_VIEW}


def test_removing_many_takes_few_statements(ada, acme, contributor, django_assert_max_num_queries):
    members = [cast.joined(acme, cast.person(f"P{n}", f"p{n}@example.org"), contributor) for n in range(60)]

    with django_assert_max_num_queries(25):
        memberships.remove(ada, members=[member.membership for member in members])


# --- What ends with a sponsor -----------------------------------------------------------------------------------------


def state(offer):
    return Invitation.objects.get(pk=offer.pk).state


def test_a_removed_members_offers_are_revoked_in_the_same_change_and_named(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    memberships.remove(ada, members=[ivy.membership])

    assert state(offer) == "revoked"
    assert ada.revoked == [offer]
    event = Event.objects.get(action="invitation.revoked")
    assert (event.subject_id, event.details, event.batch) == (offer.pk, {"reason": "sponsor_gone"}, ada.batch)


def test_whoever_leaves_takes_their_offers_along(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    memberships.leave(ivy)

    assert state(offer) == "revoked"


ASLEEP = {
    "suspended": lambda member: Membership.objects.filter(pk=member.pk).update(suspended_at=timezone.now()),
    "expired": lambda member: Membership.objects.filter(pk=member.pk).update(expires_at=timezone.now()),
    "organization_closed": lambda member: Organization.objects.update(closed_at=timezone.now()),
}


@pytest.mark.parametrize(("code", "put_asleep"), ASLEEP.items())
def test_only_an_active_member_leaves(ada, mel, code, put_asleep):
    put_asleep(mel.membership)

    with pytest.raises(Forbidden) as refusal:
        memberships.leave(mel)

    assert refusal.value.code == code
    assert again(mel)


def test_a_demoted_members_offers_that_they_could_no_longer_send_are_revoked(ada, bea, contributor):
    billing = cast.invited(bea, "bob@example.org", grant=cast.custom(BILLING_MANAGE))
    plain = cast.invited(bea, "cy@example.org", grant=contributor)

    memberships.change(ada, member=bea.membership, grant=cast.custom(MEMBERS_MANAGE))

    assert (state(billing), state(plain)) == ("revoked", "pending")
    assert ada.revoked == [billing]


def test_who_may_no_longer_manage_members_backs_no_offer(ada, bea, contributor):
    offer = cast.invited(bea, "bob@example.org", grant=contributor)

    memberships.change(ada, member=bea.membership, grant=contributor)

    assert state(offer) == "revoked"


def test_other_sponsors_offers_stay(ada, ivy, contributor):
    mine = cast.invited(ada, "bob@example.org", grant=contributor)
    cast.invited(ivy, "cy@example.org", grant=contributor)

    memberships.remove(ada, members=[ivy.membership])

    assert state(mine) == "pending"


def test_the_operators_offers_need_no_sponsor(acme, ada, mel, contributor):
    offer = cast.invited(cast.operator(acme), "bob@example.org", grant=contributor)

    memberships.remove(ada, members=[mel.membership])

    assert state(offer) == "pending"


def test_an_offer_that_ended_by_the_clock_is_revoked_by_nobodys_other_change(ada, ivy, mel, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    Membership.objects.filter(pk=ivy.membership.pk).update(expires_at=timezone.now() - timedelta(hours=1))

    memberships.remove(ada, members=[mel.membership])

    assert state(offer) == "pending"


def test_another_organizations_offers_are_not_looked_at(ada, eve, mel):
    offer = cast.invited(eve, "bob@example.org", grant=cast.custom())
    Invitation.objects.filter(pk=offer.pk).update(sponsor=None)

    memberships.remove(ada, members=[mel.membership])

    assert state(offer) == "pending"


def test_offers_that_the_actor_could_send_are_taken_over_in_the_same_act(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    memberships.remove(ada, members=[ivy.membership], take_over=True)

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)
    assert Event.objects.get(action="invitation.taken_over").subject_id == offer.pk


def test_offers_that_the_actor_could_not_send_are_revoked_although_taking_over(ada, ivy, acme, contributor, developer):
    ann = cast.joined(acme, cast.person("Ann"), cast.custom(MEMBERS_MANAGE))
    plain = cast.invited(ann, "bob@example.org", grant=contributor)
    more = cast.invited(ada, "cy@example.org", grant=developer)
    Invitation.objects.filter(pk=more.pk).update(sponsor=ann.membership)
    Invitation.objects.filter(pk=more.pk).update(grant=developer.role)

    memberships.remove(ivy, members=[ann.membership], take_over=True)

    assert (state(plain), state(more)) == ("pending", "revoked")


def test_closed_offers_and_those_of_others_are_not_taken_over(ada, ivy, mel, acme, contributor):
    closed = cast.invited(ivy, "bob@example.org", grant=contributor)
    Invitation.objects.filter(pk=closed.pk).update(state="declined")
    others = cast.invited(ivy, "cy@example.org", grant=contributor)

    memberships.remove(ada, members=[mel.membership], take_over=True)

    assert Invitation.objects.get(pk=others.pk).sponsor == ivy.membership
    assert Invitation.objects.get(pk=closed.pk).sponsor == ivy.membership


def test_who_changes_themselves_along_takes_over_what_they_can_send_afterwards(
    ada, acme, zoe, administrator, contributor
):
    bob = cast.joined(acme, cast.person("Bob"), administrator)
    north, south = (workspaces.create(actor, name=name) for actor, name in ((ada, "North"), (bob, "South")))
    offers = [
        cast.invited(zoe, f"{place.slug}@example.org", grant=contributor, seats=[SeatOffer(place)])
        for place in (north, south)
    ]
    managing = cast.custom(MEMBERS_MANAGE)

    memberships.change_all(ada, members=[zoe.membership, ada.membership], grant=managing, take_over=True)

    mine, other = (Invitation.objects.get(pk=offer.pk) for offer in offers)
    assert (mine.state, mine.sponsor) == ("pending", ada.membership)
    assert other.state == "revoked"


def test_who_demotes_a_sponsor_may_take_over_what_the_sponsor_could_no_longer_send(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    memberships.change(ada, member=ivy.membership, grant=contributor, take_over=True)

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)
    assert ada.revoked == []


def test_who_gives_up_a_role_takes_nothing_over_from_themselves(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    memberships.change(ivy, member=ivy.membership, grant=contributor, take_over=True)
    assert state(offer) == "revoked"


def test_taking_over_holds_for_one_command_only(ada, ivy, mel, contributor):
    memberships.remove(ada, members=[mel.membership], take_over=True)
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    memberships.remove(ada, members=[ivy.membership])

    assert state(offer) == "revoked"


def test_a_later_command_of_the_same_actor_takes_nothing_over(ada, ivy, mel, payments, contributor):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="manager")
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])
    memberships.remove(ada, members=[mel.membership], take_over=True)

    workspaces.take_seat(ada, workspace=payments, member=ivy.membership)

    assert state(offer) == "revoked"


def test_who_removes_themselves_takes_nothing_over(ada, zoe, contributor):
    offer = cast.invited(zoe, "bob@example.org", grant=contributor)

    memberships.remove(zoe, members=[zoe.membership], take_over=True)

    assert state(offer) == "revoked"


def test_what_is_closed_stands_on_nobody(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    invitations.revoke(ada, invitations=[offer])

    assert invitations.standing_on([ivy.membership], None, ada.now) == []


def test_what_stands_on_a_member_is_known_beforehand(ada, ivy, acme, contributor, developer):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    assert invitations.standing_on([ivy.membership], None, ada.now) == [offer]
    assert invitations.standing_on([ivy.membership], contributor, ada.now) == [offer]
    assert invitations.standing_on([ivy.membership], cast.custom(MEMBERS_MANAGE), ada.now) == []
    assert invitations.standing_on([ivy.membership], cast.role(acme, "administrator"), ada.now) == []
    assert invitations.standing_on([ada.membership], None, ada.now) == []


# --- Leaving ----------------------------------------------------------------------------------------------------------


def test_everybody_may_leave(mel, payments, ada):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    memberships.leave(mel)

    assert not Membership.objects.filter(pk=mel.membership.pk).exists()
    event = Event.objects.get(action="member.left")
    assert (event.actor_id, event.subject_id) == (mel.membership.user_id, mel.membership.user_id)
    assert event.details["seats"] == [{"workspace": str(payments.pk), "role": "member"}]


def test_one_leaves_once(mel):
    memberships.leave(mel)

    with pytest.raises(Missing):
        memberships.leave(mel)


# --- Seeing -----------------------------------------------------------------------------------------------------------


def test_who_may_see_members_sees_all_of_their_own_organization(mel, ivy, ada, eve):
    assert set(memberships.visible_to(mel)) == {ada.membership, ivy.membership, mel.membership}


def test_who_may_not_sees_oneself(acme, ada):
    dan = cast.joined(acme, cast.person("Dan"), cast.custom())

    assert list(memberships.visible_to(dan)) == [dan.membership]


def test_a_suspended_member_sees_oneself_only(mel):
    mel.membership.suspended_at = timezone.now()

    assert list(memberships.visible_to(mel)) == [mel.membership]


def test_in_a_closed_organization_nobody_sees_anybody(mel, acme):
    type(acme).objects.update(closed_at=timezone.now())
    mel.membership = again(mel)

    assert not memberships.visible_to(mel)


def test_a_person_from_elsewhere_sees_nobody(eve, acme, ada):
    stranger = Person(organization=acme, via=cast.VIA, user=eve.membership.user)

    assert not memberships.visible_to(stranger)


def test_whom_to_ask_are_the_effective_members_who_manage_members(ada, ivy, mel, bea, acme, eve):
    Membership.objects.filter(pk=bea.membership.pk).update(suspended_at=timezone.now())

    assert list(memberships.who_manage(acme, timezone.now())) == [ada.membership, ivy.membership]


# --- States -----------------------------------------------------------------------------------------------------------


def test_a_membership_is_active_suspended_or_expired(mel):
    now = timezone.now()
    member = mel.membership

    assert member.state(now) == "active"
    member.expires_at = now
    assert member.state(now) == "expired"
    member.suspended_at = now
    assert member.state(now) == "suspended"


def test_the_database_finds_the_same_states(ada, mel, ivy, bea):
    now = timezone.now()
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=now, expires_at=now)
    Membership.objects.filter(pk=ivy.membership.pk).update(expires_at=now)
    Membership.objects.filter(pk=bea.membership.pk).update(expires_at=now + timedelta(seconds=1))

    assert list(Membership.objects.suspended()) == [mel.membership]
    assert list(Membership.objects.expired(now)) == [ivy.membership]
    assert set(Membership.objects.effective(now)) == {ada.membership, bea.membership}


def test_in_a_closed_organization_nobody_is_effective(ada, acme):
    type(acme).objects.update(closed_at=timezone.now())

    assert not again(ada).is_effective(timezone.now())
    assert not Membership.objects.effective(timezone.now())
    assert list(Membership.objects.active(timezone.now())) == [ada.membership]


def test_one_person_has_one_membership(mel, acme, contributor):
    with pytest.raises(IntegrityError), transaction.atomic():
        cast.joined(acme, mel.membership.user, contributor)


def test_being_here_is_noted_at_most_every_five_minutes(mel):
    joined = mel.membership.active_at

    memberships.seen(mel.membership, joined + timedelta(minutes=5))
    assert again(mel).active_at == joined

    memberships.seen(mel.membership, joined + timedelta(minutes=5, seconds=1))
    assert again(mel).active_at > joined


def test_an_expired_member_can_do_nothing_from_that_moment(ivy, mel):
    end = timezone.now() + timedelta(hours=1)
    Membership.objects.filter(pk=ivy.membership.pk).update(expires_at=end)

    with time_machine.travel(end, tick=False), pytest.raises(Forbidden) as refusal:
        memberships.remove(ivy, members=[mel.membership])

    assert refusal.value.code == "expired"
