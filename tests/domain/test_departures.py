"""Who was removed or left, and how they are brought back.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from portico.domain import departures, events, invitations, memberships, roles, workspaces
from portico.domain.errors import Forbidden, Missing, Refused
from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.outbox import Letter
from portico.domain.permissions import BILLING_MANAGE, MEMBERS_MANAGE, MEMBERS_VIEW
from portico.domain.workspaces import Workspace
from tests import cast


def gone(actor, member):
    """The departure of a member whom the actor removes."""
    [result] = memberships.remove(actor, members=[member.membership])
    assert result.done
    return Event.objects.filter(subject_id=member.id, action="member.removed").latest("id").pk


def seen_by(actor):
    return [(each.name, each.address) for each in departures.read(actor, departures.visible_to(actor))]


# --- Who is seen ------------------------------------------------------------------------------------------------------


def test_who_was_removed_or_left_is_seen_the_last_first(ada, mel, ivy):
    gone(ada, mel)
    memberships.leave(ivy)

    assert seen_by(ada) == [("Ivy", "ivy@example.org"), ("Mel", "mel@example.org")]
    left, removed = departures.read(ada, departures.visible_to(ada))
    assert (left.left, removed.left, removed.by) == (True, False, "Ada")
    assert removed.title == "Contributor"
    assert left.grant.permissions == {MEMBERS_MANAGE, MEMBERS_VIEW}


def test_only_those_who_manage_members_see_them(ada, ivy, mel, acme, contributor):
    ann = cast.joined(acme, cast.person("Ann"), contributor)
    key = gone(ada, mel)

    assert seen_by(ivy) == [("Mel", "mel@example.org")]
    assert seen_by(ann) == []
    with pytest.raises(Missing):
        departures.find(ann, key)


def test_after_ninety_days_they_are_forgotten_here(ada, mel):
    key = gone(ada, mel)
    at = Event.objects.get(pk=key).at

    for ahead, found in ((timedelta(days=90) - timedelta(seconds=1), 1), (timedelta(days=90), 0)):
        with time_machine.travel(at + ahead, tick=False):
            ada.refresh()
            assert len(seen_by(ada)) == found
    with time_machine.travel(at + timedelta(days=90), tick=False), pytest.raises(Missing):
        departures.bring_back(ada, departure=key)


def test_of_who_was_removed_twice_the_last_time_is_seen(ada, acme, mel, developer):
    gone(ada, mel)
    again = cast.joined(acme, mel.membership.user, developer)
    gone(ada, again)

    [departure] = departures.read(ada, departures.visible_to(ada))
    assert departure.title == "Developer"


def test_who_returned_is_not_seen(ada, acme, mel, contributor):
    gone(ada, mel)
    cast.joined(acme, mel.membership.user, contributor)

    assert seen_by(ada) == []


def test_whose_name_was_erased_is_not_seen(ada, mel):
    key = gone(ada, mel)
    events.erase(mel.id)

    assert seen_by(ada) == []
    with pytest.raises(Missing):
        departures.bring_back(ada, departure=key)


def test_another_organizations_departures_do_not_exist(ada, eve, mel):
    key = gone(ada, mel)

    assert seen_by(eve) == []
    with pytest.raises(Missing):
        departures.bring_back(eve, departure=key)


def test_only_a_departure_is_one(ada, mel):
    for key in (uuid4(), Event.objects.get(action="organization.founded").pk):
        with pytest.raises(Missing):
            departures.bring_back(ada, departure=key)


def test_reading_many_takes_few_queries(ada, acme, contributor, django_assert_num_queries):
    members = [cast.joined(acme, cast.person(f"P{n}", f"p{n}@example.org"), contributor) for n in range(30)]
    memberships.remove(ada, members=[each.membership for each in members])

    with django_assert_num_queries(4):
        assert len(departures.read(ada, departures.visible_to(ada))) == 30


# --- Bringing back ----------------------------------------------------------------------------------------------------


def test_a_new_invitation_offers_what_they_held(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")
    key = gone(ada, mel)

    offer = departures.bring_back(ada, departure=key)

    offer = Invitation.objects.get(pk=offer.pk)
    assert (offer.address, offer.grant.slug, offer.sponsor) == ("mel@example.org", "contributor", ada.membership)
    assert [(seat.workspace, seat.role) for seat in offer.seats.all()] == [(payments, "manager")]
    assert Letter.objects.get(kind="invitation").address == "mel@example.org"
    event = Event.objects.get(action="invitation.sent")
    assert (event.details["role"], event.details["departure"]) == ("contributor", str(key))


def test_nothing_revives_until_they_accept(ada, mel, acme):
    offer = departures.bring_back(ada, departure=gone(ada, mel))
    assert not acme.memberships.filter(user=mel.id).exists()

    back = invitations.accept(cast.signed_in(mel.membership.user), offer).membership

    assert back.pk != mel.membership.pk
    assert back.grant.slug == "contributor"


def test_single_permissions_come_back_too(ada, acme):
    bea = cast.joined(acme, cast.person("Bea"), cast.custom(BILLING_MANAGE))

    offer = departures.bring_back(ada, departure=gone(ada, bea))

    assert offer.grant.permissions == {BILLING_MANAGE}


def test_what_the_actor_does_not_hold_is_named_and_left_out(ada, ivy, acme):
    bea = cast.joined(acme, cast.person("Bea"), cast.custom(MEMBERS_VIEW, BILLING_MANAGE))
    key = gone(ada, bea)

    what = departures.what_of(ivy, departures.find(ivy, key))
    offer = departures.bring_back(ivy, departure=key)

    assert what.missing == [BILLING_MANAGE]
    assert offer.grant.permissions == what.grant.permissions == {MEMBERS_VIEW}


def test_of_a_role_that_is_more_than_the_actor_holds_the_part_is_offered_that_they_hold(ada, ivy, acme, developer):
    dan = cast.joined(acme, cast.person("Dan"), developer)
    key = gone(ada, dan)

    what = departures.what_of(ivy, departures.find(ivy, key))

    assert [permission.name for permission in what.missing] == ["workspaces.create", "workspaces.view_all"]
    assert departures.bring_back(ivy, departure=key).grant.permissions == {MEMBERS_VIEW}


def test_an_administrator_is_brought_back_as_one_only_by_another(ada, ivy, acme, administrator):
    zoe = cast.joined(acme, cast.person("Zoe"), administrator)
    key = gone(ada, zoe)

    offer = departures.bring_back(ivy, departure=key)
    assert not offer.grant.is_administrator
    assert offer.grant.permissions == {MEMBERS_MANAGE, MEMBERS_VIEW}
    invitations.revoke(ada, invitations=[offer])

    assert departures.bring_back(ada, departure=key).grant.is_administrator


def test_who_makes_an_administrator_again_has_lately_shown_who_they_are(ada, acme, administrator):
    key = gone(ada, cast.joined(acme, cast.person("Zoe"), administrator))
    ada.proved_at = None

    with pytest.raises(Forbidden) as refusal:
        departures.bring_back(ada, departure=key)

    assert refusal.value.code == "prove_again"


def test_seats_that_the_actor_may_not_hand_out_are_left_out(ada, ivy, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    key = gone(ada, mel)

    what = departures.what_of(ivy, departures.find(ivy, key))
    offer = departures.bring_back(ivy, departure=key)

    assert (what.seats, what.left_out) == ([], [payments])
    assert not offer.seats.exists()


def test_a_seat_whose_workspace_is_gone_does_not_come_back(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    key = gone(ada, mel)
    Workspace.objects.filter(pk=payments.pk).update(archived_at=timezone.now())

    assert not departures.bring_back(ada, departure=key).seats.exists()


def test_a_role_comes_back_as_it_is_today(ada, acme, developer):
    dan = cast.joined(acme, cast.person("Dan"), developer)
    key = gone(ada, dan)
    roles.change(ada, role=developer.role, permissions=frozenset({BILLING_MANAGE}))

    assert departures.bring_back(ada, departure=key).grant.permissions == {BILLING_MANAGE}


def test_a_role_that_is_gone_does_not_come_back(ada, acme):
    role = roles.add(ada, name="Lead", permissions=frozenset({MEMBERS_VIEW}))
    dan = cast.joined(acme, cast.person("Dan"), roles.Grant(role=role))
    key = gone(ada, dan)
    roles.delete(ada, role=role)

    assert departures.find(ada, key).grant is None
    with pytest.raises(Refused) as refusal:
        departures.bring_back(ada, departure=key)
    assert refusal.value.code == "role_gone"


def test_who_does_not_manage_members_brings_nobody_back(ada, ivy, mel, contributor):
    key = gone(ada, ivy)

    with pytest.raises(Forbidden) as refusal:
        departures.bring_back(mel, departure=key)

    assert refusal.value.code == "missing_permission"


def test_who_belongs_again_is_refused_at_whichever_address(ada, acme, mel, contributor):
    key = gone(ada, mel)
    cast.own(mel.membership.user, "mel@home.example.org")
    back = cast.joined(acme, mel.membership.user, contributor)
    Membership.objects.filter(pk=back.membership.pk).update(address="mel@home.example.org")

    with pytest.raises(Refused) as refusal:
        departures.bring_back(ada, departure=key)

    assert refusal.value.code == "already_member"


def test_who_is_a_member_under_the_address_of_another_is_refused(ada, acme, mel, contributor):
    key = gone(ada, mel)
    mel.membership.user.emailaddress_set.all().delete()
    cast.joined(acme, cast.person("Max", "mel@example.org"), contributor)

    with pytest.raises(Refused) as refusal:
        departures.bring_back(ada, departure=key)

    assert refusal.value.code == "already_member"


def test_who_is_invited_already_is_refused(ada, mel):
    key = gone(ada, mel)
    departures.bring_back(ada, departure=key)

    with pytest.raises(Refused) as refusal:
        departures.bring_back(ada, departure=key)

    assert refusal.value.code == "already_invited"
    assert Invitation.objects.count() == 1


def test_an_invitation_that_expired_is_renewed(ada, mel):
    key = gone(ada, mel)
    offer = departures.bring_back(ada, departure=key)
    Invitation.objects.update(expires_at=timezone.now())

    assert departures.bring_back(ada, departure=key) == offer
    assert Event.objects.get(action="invitation.renewed").details["departure"] == str(key)


def test_bringing_back_counts_as_a_letter(ada, mel, settings):
    settings.LETTERS_PER_DAY = {"usual": 0, "new": 0, "trusted": 0}

    with pytest.raises(Refused) as refusal:
        departures.bring_back(ada, departure=gone(ada, mel))

    assert refusal.value.code == "over_limit"


def test_what_an_expired_offer_held_bounds_who_may_renew_it(ada, ivy, mel, administrator):
    key = gone(ada, mel)
    cast.invite(ada, "mel@example.org", grant=administrator)
    Invitation.objects.update(expires_at=timezone.now())

    with pytest.raises(Forbidden) as refusal:
        departures.bring_back(ivy, departure=key)

    assert refusal.value.code == "exceeds_your_authority"
