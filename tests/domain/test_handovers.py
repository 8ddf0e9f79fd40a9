"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portico.domain import handovers, invitations, memberships, roles
from portico.domain.access import Member
from portico.domain.errors import Forbidden, Invalid, Missing, Refused
from portico.domain.events import Event
from portico.domain.handovers import Handover
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.outbox import Letter
from tests import cast

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)


@pytest.fixture
def zoe(acme, administrator):
    """A second Administrator."""
    return cast.joined(acme, cast.person("Zoe"), administrator)


def again(who: Member) -> Member:
    """The same person as another request sees them."""
    return Member.of(Membership.objects.get(pk=who.membership.pk), cast.VIA)


def grant_of(who: Member) -> str | None:
    return again(who).membership.grant.slug


def told(action: str) -> Event:
    return Event.objects.get(action=action)


# --- Offering ---------------------------------------------------------------------------------------------------------


def test_an_administrator_offers_another_member_to_become_one(ada, mel):
    handover = handovers.offer(ada, member=mel.membership)

    assert (handover.giver, handover.receiver) == (ada.membership, mel.membership)
    assert handover.expires_at == ada.now + WEEK
    assert grant_of(mel) == "contributor"
    assert told("handover.offered").subject_id == mel.id
    letter = Letter.objects.get(kind="handover")
    assert (letter.address, letter.about, letter.facts) == ("mel@example.org", handover.pk, {"name": "Ada"})


def test_who_is_no_administrator_hands_nothing_over(ivy, mel):
    with pytest.raises(Forbidden) as refusal:
        handovers.offer(ivy, member=mel.membership)

    assert refusal.value.code == "missing_permission"
    assert not Handover.objects.exists()


def test_whoever_hands_over_has_lately_shown_who_they_are(ada, mel):
    ada.proved_at = None

    with pytest.raises(Forbidden) as refusal:
        handovers.offer(ada, member=mel.membership)

    assert refusal.value.code == "prove_again"
    assert not Handover.objects.exists()


def test_the_operator_hands_nothing_over(acme, mel):
    with pytest.raises(Forbidden) as refusal:
        handovers.offer(cast.operator(acme), member=mel.membership)

    assert refusal.value.code == "needs_person"


def test_another_organizations_member_and_role_do_not_exist(ada, mel, eve):
    elsewhere = cast.role(eve.organization, "developer").role

    with pytest.raises(Missing):
        handovers.offer(ada, member=eve.membership)
    with pytest.raises(Missing):
        handovers.offer(ada, member=mel.membership, step_down=elsewhere)


def test_who_administers_already_is_offered_nothing(ada, zoe):
    for member in (ada.membership, zoe.membership):
        with pytest.raises(Refused) as refusal:
            handovers.offer(ada, member=member)
        assert (refusal.value.code, refusal.value.field) == ("already_administrator", "member")


@pytest.mark.parametrize("field", ["suspended_at", "expires_at"])
def test_who_is_not_active_is_offered_nothing(ada, mel, field):
    Membership.objects.filter(pk=mel.membership.pk).update(**{field: timezone.now()})

    with pytest.raises(Refused) as refusal:
        handovers.offer(ada, member=mel.membership)
    assert (refusal.value.code, refusal.value.field) == ("not_active", "member")


def test_one_steps_down_to_a_role_that_is_less(ada, mel, administrator):
    with pytest.raises(Invalid) as refusal:
        handovers.offer(ada, member=mel.membership, step_down=administrator.role)
    assert refusal.value.field == "step_down"


def test_at_most_one_waits(ada, zoe, mel, ivy):
    handovers.offer(ada, member=mel.membership)

    with pytest.raises(Refused) as refusal:
        handovers.offer(zoe, member=ivy.membership)
    assert refusal.value.code == "handover_waits"


def test_one_that_the_clock_has_ended_is_in_nobodys_way(ada, mel, ivy):
    with time_machine.travel(timezone.now() - WEEK, tick=True):
        ada.proved_at = timezone.now()
        handovers.offer(ada, member=mel.membership)
    ada.proved_at = timezone.now()

    handovers.offer(ada, member=ivy.membership)

    assert Handover.objects.get().receiver == ivy.membership


# --- Accepting --------------------------------------------------------------------------------------------------------


def test_whoever_accepts_becomes_an_administrator(ada, mel):
    handover = handovers.offer(ada, member=mel.membership)

    handovers.accept(mel, handover)

    assert (grant_of(mel), grant_of(ada)) == ("administrator", "administrator")
    assert not Handover.objects.exists()
    assert cast.actions(ada.organization)[-2:] == ["member.changed", "handover.accepted"]
    assert told("member.changed").details == {"before": {"role": "contributor"}, "after": {"role": "administrator"}}
    letter = Letter.objects.get(kind="handover_accepted")
    assert (letter.address, letter.about, letter.facts) == ("ada@example.org", handover.pk, {"name": "Mel"})


def test_the_giver_steps_down_in_the_same_act(ada, mel, developer):
    handover = handovers.offer(ada, member=mel.membership, step_down=developer.role)

    handovers.accept(mel, handover)

    assert (grant_of(mel), grant_of(ada)) == ("administrator", "developer")
    changed = Event.objects.filter(action="member.changed", batch=mel.batch)
    assert {event.subject_id for event in changed} == {mel.id, ada.id}
    assert again(ada).membership.version == 2


def test_an_administrator_remains_who_stays(ada, acme, contributor, developer):
    """Whose membership ends cannot be the only one."""
    sid = cast.joined(acme, cast.person("Sid"), contributor, expires_at=timezone.now() + WEEK)
    handover = handovers.offer(ada, member=sid.membership, step_down=developer.role)

    with pytest.raises(Refused) as refusal:
        handovers.accept(sid, handover)

    assert refusal.value.code == "last_administrator"
    assert (grant_of(ada), grant_of(sid)) == ("administrator", "contributor")
    assert Handover.objects.exists()


def test_only_whom_it_is_offered_to_accepts_or_declines(ada, mel, ivy, zoe, eve):
    handover = handovers.offer(ada, member=mel.membership)

    for who in (ivy, zoe, ada, eve):
        for answer in (handovers.accept, handovers.decline):
            with pytest.raises(Refused) as refusal:
                answer(again(who), handover)
            assert refusal.value.code == "handover_closed"
    assert grant_of(ivy) is None
    assert Handover.objects.exists()


def test_it_lasts_for_7_days_and_not_a_moment_longer(ada, mel):
    handover = handovers.offer(ada, member=mel.membership)

    with time_machine.travel(handover.expires_at, tick=False), pytest.raises(Refused) as refusal:
        handovers.accept(mel, handover)

    assert refusal.value.code == "handover_closed"
    assert grant_of(mel) == "contributor"


def test_one_answers_once(ada, mel):
    handover = handovers.offer(ada, member=mel.membership)
    handovers.accept(mel, handover)

    for answer in (handovers.accept, handovers.decline):
        with pytest.raises(Refused) as refusal:
            answer(again(mel), handover)
        assert refusal.value.code == "handover_closed"


def test_it_is_worth_what_the_giver_can_give_at_the_moment_of_acceptance(ada, zoe, mel):
    """The clock has ended the giver's membership, and no command has seen that."""
    handover = handovers.offer(ada, member=mel.membership)
    Membership.objects.filter(pk=ada.membership.pk).update(expires_at=timezone.now())

    with pytest.raises(Refused) as refusal:
        handovers.accept(mel, handover)

    assert refusal.value.code == "sponsor_gone"
    assert grant_of(mel) == "contributor"


@pytest.mark.parametrize(("field", "code"), [("suspended_at", "suspended"), ("expires_at", "expired")])
def test_who_is_not_active_accepts_nothing(ada, mel, field, code):
    handover = handovers.offer(ada, member=mel.membership)
    Membership.objects.filter(pk=mel.membership.pk).update(**{field: timezone.now()})

    with pytest.raises(Forbidden) as refusal:
        handovers.accept(mel, handover)
    assert refusal.value.code == code


def test_offers_that_a_giver_who_stepped_down_could_not_send_are_revoked(ada, mel, contributor, developer):
    offer = cast.invited(ada, "bob@example.org", grant=contributor)
    handover = handovers.offer(ada, member=mel.membership, step_down=developer.role)

    handovers.accept(mel, handover)

    assert Invitation.objects.get(pk=offer.pk).state == "revoked"
    assert [row.pk for row in mel.revoked] == [offer.pk]


def test_the_new_administrator_may_take_them_over(ada, mel, contributor, developer):
    offer = cast.invited(ada, "bob@example.org", grant=contributor)
    handover = handovers.offer(ada, member=mel.membership, step_down=developer.role)

    handovers.accept(mel, handover, take_over=True)

    assert Invitation.objects.get(pk=offer.pk).sponsor == mel.membership
    assert invitations.find(offer.pk).is_sponsored(timezone.now())


# --- Declining, withdrawing, and what ends it -------------------------------------------------------------------------


def test_whoever_declines_stays_what_they_are(ada, mel):
    handover = handovers.offer(ada, member=mel.membership)

    handovers.decline(mel, handover)

    assert grant_of(mel) == "contributor"
    assert not Handover.objects.exists()
    assert told("handover.declined").actor_id == mel.id
    letter = Letter.objects.get(kind="handover_declined")
    assert (letter.address, letter.about, letter.facts) == ("ada@example.org", handover.pk, {"name": "Mel"})


def test_an_administrator_withdraws_it(ada, mel):
    handover = handovers.offer(ada, member=mel.membership)

    handovers.withdraw(ada, handover=handover)

    assert told("handover.withdrawn").subject_id == mel.id
    with pytest.raises(Refused) as refusal:
        handovers.accept(mel, handover)
    assert refusal.value.code == "handover_closed"


def test_who_is_no_administrator_withdraws_nothing(ada, mel, ivy):
    handover = handovers.offer(ada, member=mel.membership)

    with pytest.raises(Forbidden):
        handovers.withdraw(ivy, handover=handover)
    assert Handover.objects.exists()


def test_another_organizations_hand_over_does_not_exist(ada, mel, eve):
    handover = handovers.offer(ada, member=mel.membership)

    with pytest.raises(Missing):
        handovers.withdraw(eve, handover=handover)


def removed(zoe, member):
    memberships.remove(zoe, members=[member.membership])


def demoted(zoe, member):
    memberships.change(zoe, member=member.membership, grant=cast.custom())


@pytest.mark.parametrize(("ends", "whose"), [(removed, "ada"), (removed, "mel"), (demoted, "ada")])
def test_it_ends_in_the_change_after_which_it_could_not_be_offered_or_accepted(ends, whose, ada, mel, zoe, request):
    handover = handovers.offer(ada, member=mel.membership)

    ends(zoe, request.getfixturevalue(whose))

    assert not Handover.objects.exists()
    event = told("handover.ended")
    assert event.batch == zoe.batch
    assert event.subject_id == (ada.id if whose == "mel" else mel.id)
    if whose == "ada":
        with pytest.raises(Refused) as refusal:
            handovers.accept(again(mel), handover)
        assert refusal.value.code == "handover_closed"


def test_it_ends_when_the_receiver_becomes_administrator_by_another_way(ada, mel, zoe, administrator):
    handovers.offer(ada, member=mel.membership)

    memberships.change(zoe, member=mel.membership, grant=administrator)

    assert not Handover.objects.exists()
    assert told("handover.ended").subject_id == mel.id


@pytest.mark.parametrize("whose", ["ada", "mel"])
def test_it_ends_with_the_suspension_of_either(whose, ada, mel, zoe, ivy, request):
    handovers.offer(ada, member=mel.membership)
    Membership.objects.filter(pk=request.getfixturevalue(whose).membership.pk).update(suspended_at=timezone.now())

    removed(zoe, ivy)  # whatever the command is

    assert not Handover.objects.exists()


def test_it_ends_when_both_are_removed_at_once(ada, mel, zoe):
    handovers.offer(ada, member=mel.membership)

    memberships.remove(zoe, members=[ada.membership, mel.membership])

    assert told("handover.ended").subject_id == ada.organization.pk


def test_it_ends_when_the_role_to_step_down_to_is_deleted(ada, mel, zoe):
    guest = roles.add(ada, name="Guest", permissions=frozenset())
    handovers.offer(ada, member=mel.membership, step_down=guest)

    roles.delete(zoe, role=guest)

    assert not Handover.objects.exists()
    assert told("handover.ended").subject_id == mel.id


def test_what_the_clock_ended_is_ended_by_nobodys_other_change(ada, mel, zoe, ivy):
    handovers.offer(ada, member=mel.membership)
    Membership.objects.filter(pk=ada.membership.pk).update(expires_at=timezone.now())

    removed(zoe, ivy)

    assert Handover.objects.exists()


# --- Who sees it ------------------------------------------------------------------------------------------------------


def test_administrators_see_it_and_whom_it_is_offered_to(ada, zoe, mel, ivy, eve):
    handovers.offer(ada, member=mel.membership)

    for who, sees in ((ada, True), (zoe, True), (mel, True), (ivy, False), (eve, False)):
        assert handovers.visible_to(again(who)).exists() == sees


def test_nobody_sees_one_that_the_clock_has_ended(ada, mel):
    Handover.objects.filter(pk=handovers.offer(ada, member=mel.membership).pk).update(expires_at=timezone.now())

    assert not handovers.visible_to(again(ada)).exists()
    assert not handovers.visible_to(again(mel)).exists()
