"""Proof when it matters: what cannot be taken back asks for a proof of who one is that is not older than 15 minutes.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from portico.domain import invitations, memberships
from portico.domain.access import PROOF_LASTS, Member
from portico.domain.errors import Forbidden
from portico.domain.invitations import Invitation, Terms
from tests import cast


@pytest.fixture
def late(ada) -> Member:
    """ada, who showed who she is a moment too long ago."""
    return Member.of(ada.membership, cast.VIA, proved_at=timezone.now() - PROOF_LASTS)


@pytest.fixture
def offer(ada, administrator) -> Invitation:
    """To be an Administrator."""
    return cast.invited(ada, "bob@example.com", grant=administrator)


def test_a_proof_lasts_a_quarter_of_an_hour(ada):
    ada.proved_at = ada.now - timedelta(minutes=15)
    ada.require_proof()
    assert not ada.lacks_proof

    for proved_at in (None, ada.now - timedelta(minutes=15, microseconds=1)):
        ada.proved_at = proved_at
        with pytest.raises(Forbidden) as refusal:
            ada.require_proof()
        assert refusal.value.code == "prove_again"
        assert ada.lacks_proof


def test_the_operator_has_nothing_to_show(acme, mel, administrator):
    memberships.change(cast.operator(acme), member=mel.membership, grant=administrator)

    assert acme.memberships.get(pk=mel.membership.pk).is_administrator


def test_to_make_a_member_an_administrator_one_shows_who_one_is(late, acme, mel, administrator):
    with pytest.raises(Forbidden) as refusal:
        memberships.change(late, member=mel.membership, grant=administrator)

    assert refusal.value.code == "prove_again"
    assert not acme.memberships.get(pk=mel.membership.pk).is_administrator


def test_whoever_is_an_administrator_already_is_not_made_one(late, acme, ada, administrator, developer):
    zoe = cast.joined(acme, cast.person("Zoe"), administrator)

    memberships.change(late, member=zoe.membership, grant=administrator)
    memberships.change(late, member=zoe.membership, grant=developer)
    assert not acme.memberships.get(pk=zoe.membership.pk).is_administrator


def test_to_let_an_administrator_act_again_one_shows_who_one_is(late, acme, ada, administrator):
    asleep, over = (cast.joined(acme, cast.person(name), administrator).membership for name in ("Zoe", "Tom"))
    memberships.change(ada, member=asleep, status=memberships.SUSPENDED)
    acme.memberships.filter(pk=over.pk).update(expires_at=ada.now - timedelta(days=1))

    for member, asked in [(asleep, {"status": memberships.ACTIVE}), (over, {"end": memberships.End()})]:
        with pytest.raises(Forbidden) as refusal:
            memberships.change(late, member=member, **asked)
        assert refusal.value.code == "prove_again"
    memberships.change(late, member=asleep, end=memberships.End(ada.now + timedelta(days=9)))  # and stays suspended


def test_to_invite_an_administrator_one_shows_who_one_is(late, acme, administrator, developer):
    with pytest.raises(Forbidden) as refusal:
        cast.invite(late, "bob@example.com", "dan@example.com", grant=administrator)

    assert refusal.value.code == "prove_again"
    lines = [*cast.wanted("bob@example.com"), *cast.wanted("dan@example.com", grant=administrator)]
    with pytest.raises(Forbidden):  # one line of many is enough
        invitations.send(late, wanted=lines, terms=Terms(grant=developer))
    assert not acme.invitations.exists()


def test_a_dry_run_and_offers_that_do_not_leave_ask_for_nothing(late, acme, offer, ada, administrator):
    [verdict] = invitations.preview(late, wanted=cast.wanted("dan@example.com"), terms=Terms(grant=administrator))
    assert verdict.is_good

    [verdict] = cast.invite(late, "bob@example.com", grant=administrator)
    assert verdict.outcome == "already_invited"


def test_to_send_an_administrators_offer_again_one_shows_who_one_is(late, offer, ada):
    with pytest.raises(Forbidden) as refusal:
        invitations.resend(late, invitations=[offer])

    assert refusal.value.code == "prove_again"
    assert Invitation.objects.get().number == 1


def test_to_turn_an_offer_into_an_administrators_one_shows_who_one_is(late, ada, developer, administrator):
    plain = cast.invited(ada, "dan@example.com", grant=developer)
    with pytest.raises(Forbidden) as refusal:
        invitations.resend(late, invitations=[plain], grant=administrator)

    assert refusal.value.code == "prove_again"
    assert Invitation.objects.get().grant == developer.role


def test_all_other_offers_ask_for_nothing(late, offer, developer):
    [result] = invitations.resend(late, invitations=[offer], grant=developer)
    assert result.done
    [result] = invitations.revoke(late, invitations=[offer])
    assert result.done
