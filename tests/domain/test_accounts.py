"""The end of an account, and its stop, across all organizations of a person.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import json

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.utils import timezone

from portico.domain import accounts, handovers, invitations, memberships, people
from portico.domain.access import Operator, Person, Via
from portico.domain.errors import Forbidden, Missing, Refused
from portico.domain.events import Event, Label, Origin
from portico.domain.handovers import Handover
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.outbox import Letter
from portico.domain.people import User
from tests import cast


def as_person(member) -> Person:
    """A member before their own account, who has just shown who they are."""
    return Person(via=cast.VIA, user=member.membership.user, proved_at=timezone.now())


@pytest.fixture
def shell() -> Operator:
    return cast.operator(None)


@pytest.fixture
def zoe(acme, administrator):
    """A second Administrator of Acme."""
    return cast.joined(acme, cast.person("Zoe"), administrator)


# --- Closing ---------------------------------------------------------------------------------------------------------


def test_who_closes_their_account_belongs_nowhere_and_is_forgotten(ada, mel, acme, eve, developer):
    user = mel.membership.user
    cast.joined(eve.organization, user, cast.role(eve.organization, "developer"))
    cast.own(user, "second@example.org")
    people.rename(as_person(mel), "Melissa")

    accounts.close(as_person(mel))

    assert not User.objects.filter(pk=user.pk).exists()
    assert not Membership.objects.filter(user_id=user.pk).exists()
    assert not EmailAddress.objects.filter(email__in=["mel@example.org", "second@example.org"]).exists()
    assert not Label.objects.filter(about=user.pk).exists()
    assert cast.actions(acme)[-1] == cast.actions(eve.organization)[-1] == "member.left"
    assert Event.objects.filter(action="member.left").last().details["reason"] == "account_closed"
    assert cast.actions()[-1] == "account.closed"
    acts = Event.objects.filter(actor_id=user.pk).values("batch")
    assert not Origin.objects.filter(pk__in=acts).exists()


def test_also_an_account_that_claimed_the_address_and_was_discarded_is_forgotten(mel):
    cast.person("Melissa Elsewhere", "m.m@example.org", verified=False)
    people.add_proven(as_person(mel), "m.m@example.org")
    accounts.close(as_person(mel))

    assert not Label.objects.filter(text__contains="m.m@example.org").exists()


def test_the_last_letter_goes_to_the_primary_address(ada, mel):
    accounts.close(as_person(mel))

    letter = Letter.objects.latest("id")
    assert (letter.kind, letter.address, letter.organization_id) == ("account/closed", "mel@example.org", None)


def test_an_address_is_free_again(ada, mel):
    accounts.close(as_person(mel))
    cast.person("Nina", "mel@example.org")

    assert User.objects.owner_of("mel@example.org").name == "Nina"


def test_offers_end_with_the_account_of_whoever_made_them(ada, ivy):
    offer = cast.invited(ivy, "bob@example.com", grant=cast.custom())
    accounts.close(as_person(ivy))

    offer.refresh_from_db()
    assert offer.state == Invitation.State.REVOKED


@pytest.mark.parametrize("field", ["suspended_at", "expires_at"])
def test_also_a_membership_that_is_asleep_ends(ada, mel, field):
    Membership.objects.filter(pk=mel.membership.pk).update(**{field: timezone.now()})
    accounts.close(as_person(mel))

    assert not Membership.objects.filter(pk=mel.membership.pk).exists()


def test_the_last_administrator_cannot_close_their_account_and_is_told_where(ada, acme):
    beta = cast.founded("Beta", by=ada.membership.user)
    other = cast.joined(beta.organization, cast.person("Bea"), cast.role(beta.organization, "contributor"))
    with pytest.raises(Refused) as refusal:
        accounts.close(as_person(ada))

    assert refusal.value.code == "last_administrator"
    assert "Acme, Beta" in refusal.value.sentence
    assert Membership.objects.filter(user=ada.membership.user).count() == 2
    assert other.membership.read_again()


def test_nothing_has_ended_where_one_organization_refuses(ada, acme, mel, administrator):
    user = mel.membership.user
    cast.founded("Beta", by=user)
    with pytest.raises(Refused):
        accounts.close(as_person(mel))

    assert Membership.objects.filter(user=user).count() == 2


def test_who_has_a_second_administrator_beside_them_may_close(ada, zoe, acme):
    accounts.close(as_person(ada))

    assert [member.name for member in acme.memberships.lasting_administrators()] == ["Zoe"]


def test_to_close_an_account_one_shows_who_one_is(mel):
    with pytest.raises(Forbidden) as refusal:
        accounts.close(cast.signed_in(mel.membership.user))

    assert refusal.value.code == "prove_again"
    assert mel.membership.read_again()


def test_what_was_interrupted_is_done_by_closing_again(ada, mel, eve, monkeypatch):
    user = mel.membership.user
    cast.joined(eve.organization, user, cast.role(eve.organization, "contributor"))
    done = []

    def falls_over(actor, member):
        if done:
            raise ConnectionError
        done.append(memberships_end(actor, member))

    memberships_end = memberships.end_with_account
    with monkeypatch.context() as patch:
        patch.setattr(memberships, "end_with_account", falls_over)
        with pytest.raises(ConnectionError):
            accounts.close(as_person(mel))
    assert user.memberships.count() == 1
    assert User.objects.get(pk=user.pk).is_active

    accounts.close(as_person(mel))
    assert not User.objects.filter(pk=user.pk).exists()


def test_who_joins_something_meanwhile_leaves_that_too(ada, mel, eve, monkeypatch):
    user = mel.membership.user
    forget, joined = accounts._forget, []

    def late(actor, who):
        if not joined:
            joined.append(cast.joined(eve.organization, user, cast.role(eve.organization, "contributor")))
        return forget(actor, who)

    monkeypatch.setattr(accounts, "_forget", late)
    accounts.close(as_person(mel))

    assert not User.objects.filter(pk=user.pk).exists()
    assert cast.actions(eve.organization)[-1] == "member.left"


def test_closing_twice_is_closing_once(mel):
    person = as_person(mel)
    accounts.close(person)
    accounts.close(person)

    assert cast.actions().count("account.closed") == 1


def test_nobody_ends_somebody_elses_membership_this_way(ada, mel):
    with pytest.raises(Missing):
        memberships.end_with_account(ada, mel.membership)

    assert mel.membership.read_again()


def test_the_operator_deletes_an_account(shell, ada, mel, acme):
    accounts.delete(shell, mel.membership.user)

    assert not User.objects.filter(name="Mel").exists()
    assert cast.actions(acme)[-1] == "member.removed"
    event = Event.objects.get(action="account.closed")
    assert (event.actor_kind, event.actor_id) == ("operator", None)


# --- Stopping --------------------------------------------------------------------------------------------------------


def test_a_disabled_account_signs_in_nowhere_and_belongs_where_it_did(shell, ada, mel, client):
    client.force_login(mel.membership.user)
    accounts.disable(shell, mel.membership.user)

    assert client.get("/account/").status_code == 302
    assert Membership.objects.filter(pk=mel.membership.pk).exists()
    assert cast.actions() == ["account.disabled"]

    accounts.enable(shell, mel.membership.user)
    client.force_login(mel.membership.user)
    assert client.get("/account/").status_code == 200
    assert cast.actions() == ["account.disabled", "account.enabled"]


def test_the_last_administrator_is_not_disabled(shell, ada, acme):
    with pytest.raises(Refused) as refusal:
        accounts.disable(shell, ada.membership.user)

    assert refusal.value.code == "last_administrator"
    assert User.objects.get(pk=ada.id).is_active


def test_an_administrator_who_cannot_sign_in_is_none_who_stays(shell, ada, zoe):
    accounts.disable(shell, zoe.membership.user)
    with pytest.raises(Refused):
        accounts.close(as_person(ada))


def test_offers_end_with_the_disabled_account_of_whoever_made_them(shell, ada, zoe, administrator):
    offer = cast.invited(zoe, "accomplice@example.org", grant=administrator)
    accounts.disable(shell, zoe.membership.user)

    offer.refresh_from_db()
    assert offer.state == Invitation.State.REVOKED
    assert Event.objects.get(action="invitation.revoked").details == {"reason": "sponsor_gone"}


def test_nobody_joins_by_an_offer_whose_sponsor_cannot_sign_in(ada, zoe, administrator):
    offer = cast.invited(zoe, "accomplice@example.org", grant=administrator)
    User.objects.filter(pk=zoe.id).update(is_active=False)

    with pytest.raises(Refused) as refusal:
        invitations.accept(cast.signed_in(cast.person("Accomplice")), offer)
    assert refusal.value.code == "sponsor_gone"


@pytest.mark.parametrize("whose", ["zoe", "mel"])
def test_a_hand_over_ends_with_the_disabled_account_of_either(shell, ada, zoe, mel, whose, request):
    handovers.offer(zoe, member=mel.membership)
    accounts.disable(shell, request.getfixturevalue(whose).membership.user)

    assert not Handover.objects.exists()


def test_who_cannot_sign_in_is_offered_no_hand_over(shell, ada, mel):
    accounts.disable(shell, mel.membership.user)

    assert mel.membership not in handovers.candidates(ada)
    with pytest.raises(Refused) as refusal:
        handovers.offer(ada, member=mel.membership)
    assert refusal.value.code == "not_active"


def test_what_was_under_way_when_the_account_was_disabled_changes_nothing(shell, ada, zoe, contributor):
    accounts.disable(shell, zoe.membership.user)

    with pytest.raises(Missing):
        cast.invite(zoe, "bob@example.org", grant=contributor)
    assert not Invitation.objects.exists()


def test_nobody_is_asked_who_cannot_sign_in(shell, ada, ivy, acme):
    accounts.disable(shell, ivy.membership.user)

    assert list(memberships.who_manage(acme, timezone.now())) == [ada.membership]


def test_what_is_so_already_is_said(shell, mel, ada):
    for refused, code in ((accounts.enable, "not_disabled"), (accounts.reset_second_factor, "no_second_factor")):
        with pytest.raises(Refused) as refusal:
            refused(shell, mel.membership.user)
        assert refusal.value.code == code
    accounts.disable(shell, mel.membership.user)
    with pytest.raises(Refused) as refusal:
        accounts.disable(shell, mel.membership.user)
    assert refusal.value.code == "disabled"


def test_the_operator_takes_a_second_factor_off(shell, mel):
    user = mel.membership.user
    Authenticator.objects.create(user=user, type="totp", data={})
    Authenticator.objects.create(user=user, type="recovery_codes", data={})
    accounts.reset_second_factor(shell, user)

    assert not Authenticator.objects.exists()
    assert cast.actions() == ["account.second_factor_reset"]
    assert list(Letter.objects.values_list("kind", "address")) == [("account/second_factor_reset", "mel@example.org")]


# --- The address known here ------------------------------------------------------------------------------------------


def test_one_chooses_by_which_address_an_organization_knows_one(mel, acme):
    cast.own(mel.membership.user, "m.m@example.net")
    member = memberships.known_by(mel, "m.m@example.net")

    assert (member.address, member.search) == ("m.m@example.net", " mel m m example net")
    assert cast.actions(acme)[-1] == "member.known_as"
    assert Event.objects.latest("id").details == {"changed": ["address"]}


def test_the_same_address_again_is_no_change(mel, acme):
    before = cast.actions(acme)
    memberships.known_by(mel, "mel@example.org")

    assert cast.actions(acme) == before


def test_an_address_that_is_not_verified_or_somebody_elses_is_none_of_mine(mel, ada):
    cast.own(mel.membership.user, "claimed@example.org", verified=False)
    for address in ("claimed@example.org", "ada@example.org", "", "nobody@example.org", "mel@example.org\0"):
        with pytest.raises(Refused) as refusal:
            memberships.known_by(mel, address)
        assert refusal.value.code == "not_your_address"

    assert mel.membership.read_again().address == "mel@example.org"


def test_whoever_is_suspended_changes_nothing(mel):
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=timezone.now())
    with pytest.raises(Forbidden) as refusal:
        memberships.known_by(mel, "mel@example.org")

    assert refusal.value.code == "suspended"


# --- All that is kept ------------------------------------------------------------------------------------------------


def test_everything_of_a_person_is_there_and_nothing_that_lets_in(mel, acme, ada, payments):
    user = mel.membership.user
    Authenticator.objects.create(user=user, type="totp", data={"secret": "SECRET"})
    people.rename(as_person(mel), "Melissa")
    memberships.known_by(mel, "mel@example.org")
    cast.invited(ada, "bob@example.com", grant=cast.custom())
    parts = {name: list(rows) for name, rows in accounts.everything_of(user)}

    assert parts["account"][0]["name"] == "Melissa"
    assert parts["addresses"] == [{"email": "mel@example.org", "primary": True, "verified": True}]
    assert parts["memberships"][0]["organization"] == {"name": "Acme", "slug": "acme"}
    assert [event["action"] for event in parts["events"]] == ["account.renamed"]
    assert parts["events"][0]["from"] == {"address": "192.0.2.7", "browser": "Firefox"}
    assert parts["second_factors"][0]["type"] == "totp"
    everything = json.dumps(parts, default=str)
    assert "SECRET" not in everything
    assert user.password not in everything
    assert "bob@example.com" not in everything
    assert "ada@example.org" not in everything


def test_a_picture_is_an_event_and_what_is_none_is_refused(mel):
    person = as_person(mel)
    people.show(person, "0" * 32)
    people.show(person, "0" * 32)
    people.show(person, "")

    assert cast.actions() == ["account.picture_changed", "account.picture_changed"]
    with pytest.raises(Refused.__bases__[0]):
        people.show(person, "../../etc/passwd")


def test_a_door_is_told(mel):
    accounts.delete(Operator(organization=None, via=Via(door="cli")), cast.person("Nobody"))

    assert Event.objects.get(action="account.closed").door == "cli"
