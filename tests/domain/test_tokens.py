"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

import re
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from uuid_utils.compat import uuid7

from portico.domain import invitations, memberships, tokens, workspaces
from portico.domain.access import Member, Service
from portico.domain.errors import Forbidden, Invalid, Missing, Refused, Unauthenticated
from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.permissions import (
    ADMINISTER,
    MEMBERS_MANAGE,
    MEMBERS_VIEW,
    NONE,
    READS,
    WORKSPACE_MANAGE,
    WORKSPACE_VIEW,
    WORKSPACES_CREATE,
    WORKSPACES_VIEW_ALL,
    catalogue,
)
from portico.domain.roles import Role
from portico.domain.tokens import Token
from portico.domain.workspaces import SeatOffer
from tests import cast

WAYS = ["expires_at", "suspended_at"]


def acting(issued):
    """Whoever asks by this secret, now."""
    return tokens.authenticate(issued.secret, cast.VIA, timezone.now())


@pytest.fixture
def zoe(acme, administrator):
    """A second Administrator."""
    return cast.joined(acme, cast.person("Zoe"), administrator)


@pytest.fixture
def service(ada):
    return tokens.issue_service(ada, name="Shop")


# --- The secret -------------------------------------------------------------------------------------------------------


def test_a_secret_is_36_letters_and_digits_after_its_mark():
    secrets = {tokens.new_secret() for _each in range(100)}

    assert len(secrets) == 100
    assert all(re.fullmatch("ptc_[0-9A-Za-z]{36}", secret) and tokens.is_well_formed(secret) for secret in secrets)


def test_the_checksum_is_the_crc32_in_base_62():
    assert tokens.checksum("0" * 30) == "2C8GjS"  # 2,011,552,642
    assert tokens.checksum("405".rjust(30, "0")) == "00azb7"  # 8,816,593, with leading zeros


def test_a_mistyped_secret_is_refused_before_anything_is_read(mel):
    secret = tokens.issue(mel, name="Deploy").secret
    wrong = [
        "", "ptc_", secret[:-1], f"{secret}0", f" {secret}", f"{secret}\n", secret.replace("_", "-"), secret.upper(),
        f"{secret[:10]}{'0' if secret[10] != '0' else '1'}{secret[11:]}",
        f"{secret[:-1]}{'0' if secret[-1] != '0' else '1'}",
    ]  # fmt: skip

    with CaptureQueriesContext(
        connection,
    ) as queries:
        for each in wrong:
            with pytest.raises(Unauthenticated):
                tokens.authenticate(each, cast.VIA, timezone.now())

    assert len(queries) == 0


def test_the_secret_is_kept_nowhere(mel):
    issued = tokens.issue(mel, name="Deploy")

    row = Token.objects.values().get()
    assert not any(issued.secret[10:] in str(value) for value in row.values())
    assert row["prefix"] == issued.secret[:10]
    assert issued.secret not in repr(issued)
    assert issued.secret not in str(Event.objects.filter(action="token.issued").values())


# --- Asking by a token ------------------------------------------------------------------------------------------------


def test_a_token_acts_as_its_member(ada, mel):
    actor = acting(tokens.issue(mel, name="Deploy"))

    assert isinstance(actor, Member)
    assert (actor.membership, actor.organization, actor.held()) == (mel.membership, mel.organization, {MEMBERS_VIEW})


def test_one_statement_finds_all_that_a_decision_needs(ada, django_assert_num_queries):
    issued = tokens.issue(ada, name="Deploy", permissions=["members.manage"])

    with django_assert_num_queries(1):
        assert acting(issued).held() == {MEMBERS_MANAGE, MEMBERS_VIEW}


def test_full_access_is_all_that_the_member_holds_also_in_workspaces(ada, payments):
    actor = acting(tokens.issue(ada, name="Deploy"))

    assert actor.held() == actor.held(payments) == catalogue().everything


def test_a_granular_token_is_never_an_administrators(ada, payments):
    everything = [permission.name for permission in catalogue().every]
    actor = acting(tokens.issue(ada, name="Deploy", permissions=everything))

    assert actor.held() == actor.held(payments) == set(catalogue().every)
    assert not actor.can(ADMINISTER)


def test_a_granular_token_lets_through_what_a_seat_gives(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")
    looks = acting(tokens.issue(mel, name="Looks", permissions=["workspace.view"]))
    manages = acting(tokens.issue(mel, name="Manages", permissions=["workspace.manage"]))

    assert (looks.held(payments), manages.held(payments)) == ({WORKSPACE_VIEW}, {WORKSPACE_MANAGE, WORKSPACE_VIEW})
    assert looks.held() == manages.held() == NONE


def test_what_the_holder_loses_the_token_loses_at_once(ada, mel, developer):
    memberships.change(ada, member=mel.membership, grant=developer)
    mel.refresh()
    issued = tokens.issue(mel, name="Deploy", permissions=["workspaces.create", "members.view"])
    assert acting(issued).held() == {WORKSPACES_CREATE, MEMBERS_VIEW}

    memberships.change(ada, member=mel.membership, grant=cast.custom(WORKSPACES_CREATE))

    assert acting(issued).held() == {WORKSPACES_CREATE}


@pytest.mark.parametrize(("field", "code"), [("suspended_at", "suspended"), ("expires_at", "expired")])
def test_the_token_of_a_suspended_or_expired_member_can_do_nothing_and_is_told_why(mel, field, code):
    issued = tokens.issue(mel, name="Deploy")
    Membership.objects.filter(pk=mel.membership.pk).update(**{field: timezone.now()})

    actor = acting(issued)

    assert actor.held() == NONE
    with pytest.raises(Forbidden) as refusal:
        actor.require(MEMBERS_VIEW)
    assert refusal.value.code == code


def test_in_a_closed_organization_every_token_is_powerless(ada, acme, service):
    issued = tokens.issue(ada, name="Deploy")
    acme.closed_at = timezone.now()
    acme.save()

    for each in (issued, service):
        with pytest.raises(Forbidden) as refusal:
            acting(each).require(MEMBERS_VIEW)
        assert refusal.value.code == "organization_closed"


def test_a_token_is_good_until_the_moment_of_its_end(mel):
    issued = tokens.issue(mel, name="Deploy", days=1)
    end = issued.token.expires_at

    assert tokens.authenticate(issued.secret, cast.VIA, end - timedelta(microseconds=1))
    with pytest.raises(Unauthenticated):
        tokens.authenticate(issued.secret, cast.VIA, end)


def test_a_perpetual_token_has_no_end(mel):
    issued = tokens.issue(mel, name="Deploy", days=None)

    assert issued.token.expires_at is None
    assert tokens.authenticate(issued.secret, cast.VIA, timezone.now() + timedelta(days=9999))


def test_a_secret_that_nobody_made_is_good_for_nothing(mel):
    with pytest.raises(Unauthenticated):
        tokens.authenticate(tokens.new_secret(), cast.VIA, timezone.now())


def test_the_tokens_of_an_account_that_was_disabled_are_good_for_nothing(mel):
    issued = tokens.issue(mel, name="Deploy")
    mel.membership.user.is_active = False
    mel.membership.user.save()

    with pytest.raises(Unauthenticated):
        acting(issued)


def test_whoever_is_removed_loses_their_tokens_and_the_log_says_which(ada, mel):
    issued = tokens.issue(mel, name="Deploy")

    memberships.remove(ada, members=[mel.membership])

    with pytest.raises(Unauthenticated):
        acting(issued)
    assert Event.objects.get(action="member.removed").details["tokens"] == [str(issued.token.pk)]


def test_who_returns_does_not_revive_the_tokens_of_the_old_membership(ada, mel, acme, contributor):
    issued = tokens.issue(mel, name="Deploy")
    memberships.leave(mel)
    cast.joined(acme, mel.membership.user, contributor)

    with pytest.raises(Unauthenticated):
        acting(issued)


def test_a_use_is_noted_at_most_once_a_minute(mel):
    issued = tokens.issue(mel, name="Deploy")
    start = timezone.now()
    noted = []
    for seconds in (0, 59, 60, 61):
        tokens.used(Token.objects.get(), start + timedelta(seconds=seconds))
        noted.append((Token.objects.get().last_used_at - start).total_seconds())

    assert issued.token.last_used_at is None
    assert noted == [0, 0, 60, 60]


def test_a_use_that_another_process_has_noted_meanwhile_is_not_noted_again(mel):
    tokens.issue(mel, name="Deploy")
    start = timezone.now()
    read_before = Token.objects.get()
    tokens.used(Token.objects.get(), start)

    tokens.used(read_before, start + timedelta(seconds=1))

    assert Token.objects.get().last_used_at == start


# --- Under the lock ---------------------------------------------------------------------------------------------------


def test_a_command_reads_the_token_again(ada, contributor):
    issued = tokens.issue(ada, name="Deploy")
    actor = acting(issued)
    tokens.revoke(ada, token=issued.token)

    with pytest.raises(Unauthenticated):
        cast.invite(actor, "bob@example.org", grant=contributor)
    assert not Invitation.objects.exists()


def test_a_command_reads_again_what_the_token_allows(ada, contributor):
    issued = tokens.issue(ada, name="Deploy", permissions=["members.manage"])
    actor = acting(issued)
    Token.objects.update(limit=None)

    actor.refresh()

    assert actor.can(ADMINISTER)


def test_a_command_sees_that_the_token_has_come_to_its_end(ada, contributor):
    actor = acting(tokens.issue(ada, name="Deploy", days=1))

    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1)), pytest.raises(Unauthenticated):
        actor.refresh()


def test_a_command_sees_that_the_member_was_removed(ada, mel):
    actor = acting(tokens.issue(mel, name="Deploy"))
    memberships.remove(ada, members=[mel.membership])

    with pytest.raises(Unauthenticated):
        actor.refresh()


def test_a_program_is_asked_for_no_proof(ada):
    actor = acting(tokens.issue(ada, name="Deploy"))

    actor.require_proof()


# --- Making one -------------------------------------------------------------------------------------------------------


def test_every_active_member_makes_tokens_of_their_own(mel):
    dan = cast.joined(mel.organization, cast.person("Dan"), cast.custom())
    token = tokens.issue(dan, name="  Nightly   build ").token

    assert (token.name, token.membership) == ("Nightly build", dan.membership)
    assert (token.expires_at - token.created_at, token.limit) == (timedelta(days=30), None)
    event = Event.objects.get(action="token.issued")
    assert (event.subject_id, event.actor_id) == (token.pk, dan.id)
    assert event.details == {"member": str(dan.id), "permissions": None, "expires_at": token.expires_at.isoformat()}


def test_a_granular_token_holds_what_its_permissions_imply(ada):
    token = tokens.issue(ada, name="Deploy", permissions=["members.manage"]).token

    assert token.allowed == {MEMBERS_MANAGE, MEMBERS_VIEW}
    assert Event.objects.get(action="token.issued").details["permissions"] == ["members.manage", "members.view"]


def test_the_same_set_is_one_row_whoever_points_at_it(ada, ivy):
    token = tokens.issue(ada, name="Deploy", permissions=["members.manage"]).token

    assert token.limit == ivy.membership.grant
    assert Role.objects.filter(slug=None).count() == 1


def test_a_token_that_could_do_nothing_is_refused(ada):
    for make in (tokens.issue, tokens.issue_service):
        with pytest.raises(Invalid) as refusal:
            make(ada, name="Deploy", permissions=[])
        assert refusal.value.field == "permissions"


def test_nobody_makes_a_token_that_holds_more_than_they_do(mel):
    with pytest.raises(Forbidden) as refusal:
        tokens.issue(mel, name="Deploy", permissions=["members.manage", "members.view", "billing.manage"])

    assert refusal.value.code == "exceeds_your_authority"
    assert [each.name for each in refusal.value.missing] == ["members.manage", "billing.manage"]
    assert not Token.objects.exists()


def test_a_limit_may_name_what_only_seats_give(mel):
    token = tokens.issue(mel, name="Deploy", permissions=["workspace.manage"]).token

    assert token.allowed == {WORKSPACE_MANAGE, WORKSPACE_VIEW}


@pytest.mark.parametrize("name", ["administer", "no.such", ""])
def test_a_permission_that_is_not_in_the_catalogue_is_refused(ada, name):
    with pytest.raises(Invalid) as refusal:
        tokens.issue(ada, name="Deploy", permissions=[name])

    assert refusal.value.field == "permissions"


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_token_lives_for_a_day_to_ten_years(mel, days):
    with pytest.raises(Invalid) as refusal:
        tokens.issue(mel, name="Deploy", days=days)

    assert refusal.value.field == "days"


def test_all_that_is_wrong_is_said_at_once(mel):
    with pytest.raises(Invalid) as refusal:
        tokens.issue(mel, name=" ", days=0, permissions=["no.such"])

    assert [error.field for error in refusal.value.errors] == ["name", "days", "permissions"]


def test_asked_twice_one_token_is_made(mel):
    once = uuid7()
    assert tokens.issue(mel, name="Deploy", once=once).token.pk == once

    with pytest.raises(Refused) as refusal:
        tokens.issue(mel, name="Deploy", once=once)

    assert (refusal.value.code, refusal.value.facts) == ("already_done", {"id": once})
    assert Token.objects.count() == 1


def test_asked_again_after_it_was_revoked_none_is_made(mel):
    once = uuid7()
    tokens.revoke(mel, token=tokens.issue(mel, name="Deploy", once=once).token)

    with pytest.raises(Refused):
        tokens.issue(mel, name="Deploy", once=once)


@pytest.mark.parametrize("field", WAYS)
def test_who_is_not_active_makes_none(mel, field):
    Membership.objects.filter(pk=mel.membership.pk).update(**{field: timezone.now()})

    with pytest.raises(Forbidden):
        tokens.issue(mel, name="Deploy")


def test_a_token_makes_no_token(ada):
    actor = acting(tokens.issue(ada, name="Deploy"))

    for make in (tokens.issue, tokens.issue_service):
        with pytest.raises(Forbidden) as refusal:
            make(actor, name="Another")
        assert refusal.value.code == "needs_person"
    assert Token.objects.count() == 1


def test_a_token_that_may_not_even_administer_is_told_that_a_person_is_needed(ada):
    actor = acting(tokens.issue(ada, name="Deploy", permissions=["members.view"]))

    with pytest.raises(Forbidden) as refusal:
        tokens.issue_service(actor, name="Another")

    assert refusal.value.code == "needs_person"


def test_a_token_does_not_leave(mel):
    actor = acting(tokens.issue(mel, name="Deploy"))

    with pytest.raises(Forbidden) as refusal:
        memberships.leave(actor)

    assert refusal.value.code == "needs_person"
    assert Membership.objects.filter(pk=mel.membership.pk).exists()


# --- Service tokens ---------------------------------------------------------------------------------------------------


def test_a_service_token_is_of_the_organization_and_reads(ada, mel, service, payments):
    actor = acting(service)

    assert isinstance(actor, Service)
    assert (actor.organization, actor.id, actor.label) == (ada.organization, None, "Shop")
    assert actor.held() == actor.held(payments) == READS == {MEMBERS_VIEW, WORKSPACES_VIEW_ALL}
    assert set(memberships.visible_to(actor)) == {ada.membership, mel.membership}
    assert list(workspaces.visible_to(actor)) == [payments]


def test_a_service_token_can_be_narrowed(ada):
    assert acting(tokens.issue_service(ada, name="Shop", permissions=["members.view"])).held() == {MEMBERS_VIEW}


@pytest.mark.parametrize("name", ["members.manage", "workspace.view"])
def test_a_service_token_never_manages(ada, name):
    with pytest.raises(Invalid) as refusal:
        tokens.issue_service(ada, name="Shop", permissions=["members.view", name])

    assert refusal.value.field == "permissions"


def test_a_service_token_changes_nothing(ada, mel, service, contributor, payments):
    actor = acting(service)

    for act in (
        lambda: memberships.remove(actor, members=[mel.membership]),
        lambda: memberships.change(actor, member=mel.membership, grant=contributor),
        lambda: cast.invite(actor, "bob@example.org", grant=contributor),
        lambda: workspaces.create(actor, name="Web"),
        lambda: workspaces.give_seat(actor, workspace=payments, member=mel.membership, role="member"),
    ):
        with pytest.raises(Forbidden) as refusal:
            act()
        assert refusal.value.code == "missing_permission"


def test_a_service_token_ends_no_token_not_even_itself(ada, service):
    own = tokens.issue(ada, name="Deploy").token

    for token in (own, service.token):
        with pytest.raises(Forbidden) as refusal:
            tokens.revoke(acting(service), token=token)
        assert refusal.value.code == "needs_person"


def test_a_service_token_has_no_seat_and_no_history(service, payments):
    assert not workspaces.mine(acting(service)).exists()
    assert not tokens.visible_to(acting(service)).exists()


def test_a_service_token_reads_nothing_elsewhere(ada, eve, service):
    theirs = workspaces.create(eve, name="Elsewhere's")
    actor = acting(service)

    assert actor.held(theirs) == NONE
    actor.organization = eve.organization
    assert actor.held() == NONE


def test_a_service_token_stays_when_its_maker_goes(ada, zoe):
    made = tokens.issue_service(zoe, name="Shop")

    memberships.leave(zoe)

    assert acting(made).held() == READS


def test_only_administrators_make_service_tokens(ivy):
    with pytest.raises(Forbidden) as refusal:
        tokens.issue_service(ivy, name="Shop")

    assert refusal.value.missing == [ADMINISTER]


def test_service_tokens_ask_for_a_fresh_proof(ada, service):
    ada.proved_at = timezone.now() - timedelta(minutes=16)

    for act in (lambda: tokens.issue_service(ada, name="Other"), lambda: tokens.revoke(ada, token=service.token)):
        with pytest.raises(Forbidden) as refusal:
            act()
        assert refusal.value.code == "prove_again"
    assert Token.objects.count() == 1


def test_ones_own_token_asks_for_no_proof(ada):
    ada.proved_at = None

    tokens.revoke(ada, token=tokens.issue(ada, name="Deploy").token)


def test_a_service_token_is_read_again_under_the_lock(ada, service):
    actor = acting(service)
    tokens.revoke(ada, token=service.token)

    with pytest.raises(Unauthenticated):
        actor.refresh()


def test_the_log_says_that_no_members_token_was_made(ada, service):
    assert Event.objects.get(action="token.issued").details["member"] is None


# --- The operator's ---------------------------------------------------------------------------------------------------


def test_the_operators_token_reads_in_every_organization(ada, eve, payments):
    made = tokens.issue_for_all(cast.operator(None), name="Single sign-on", days=None)
    actor = acting(made)

    assert actor.held() == NONE  # until the door has said where
    for organization in (ada.organization, eve.organization):
        actor.organization = organization
        assert actor.held() == READS
    assert actor.held(payments) == NONE
    assert cast.actions() == ["token.issued"]


def test_an_operators_token_that_enters_a_command_is_refused_there(acme, mel):
    actor = acting(tokens.issue_for_all(cast.operator(None), name="All"))
    actor.organization = acme

    with pytest.raises(Forbidden) as refusal:
        memberships.remove(actor, members=[mel.membership])

    assert refusal.value.code == "missing_permission"


def test_no_administrator_sees_or_ends_the_operators_token(ada):
    token = tokens.issue_for_all(cast.operator(None), name="All").token

    assert not tokens.visible_to(ada).exists()
    with pytest.raises(Missing):
        tokens.revoke(ada, token=token)


def test_the_operator_ends_it(ada, service):
    token = tokens.issue_for_all(cast.operator(None), name="All").token
    assert list(tokens.of_operator()) == [token]

    tokens.revoke_for_all(cast.operator(None), token)

    assert list(Token.objects.all()) == [service.token]
    assert cast.actions() == ["token.issued", "token.revoked"]
    for gone_or_not_theirs in (token, service.token):
        with pytest.raises(Missing):
            tokens.revoke_for_all(cast.operator(None), gone_or_not_theirs)


def test_the_operator_makes_and_ends_service_tokens_of_an_organization(acme):
    made = tokens.issue_service(cast.operator(acme), name="Shop")
    assert acting(made).held() == READS

    tokens.revoke(cast.operator(acme), token=made.token)

    assert not Token.objects.exists()


def test_only_a_service_token_can_be_of_no_organization(mel):
    token = tokens.issue(mel, name="Deploy").token

    with pytest.raises(IntegrityError), transaction.atomic():
        Token.objects.filter(pk=token.pk).update(organization=None)


def test_how_many_end_with_a_membership_is_known_before(mel, ivy, ada):
    for actor in (mel, mel, ivy, ada):
        tokens.issue(actor, name="Deploy")

    assert tokens.count_of([mel.membership, ivy.membership]) == 3


# --- Seeing and revoking ----------------------------------------------------------------------------------------------


def test_one_sees_ones_own_tokens_and_administrators_see_all(ada, mel, ivy, eve, service):
    tokens.issue(eve, name="Elsewhere")
    own = [tokens.issue(actor, name="Deploy").token for actor in (mel, ivy, ada)]

    assert list(tokens.visible_to(mel)) == own[:1]
    assert list(tokens.visible_to(ivy)) == own[1:2]
    assert list(tokens.visible_to(ada)) == [*reversed(own), service.token]


@pytest.mark.parametrize("field", WAYS)
def test_who_is_not_active_sees_none(mel, field):
    tokens.issue(mel, name="Deploy")
    setattr(mel.membership, field, mel.now)

    assert not tokens.visible_to(mel).exists()


def test_a_revoked_token_is_gone_at_once(mel):
    issued = tokens.issue(mel, name="Deploy", permissions=["members.view"])

    tokens.revoke(mel, token=issued.token)

    with pytest.raises(Unauthenticated):
        acting(issued)
    event = Event.objects.get(action="token.revoked")
    assert (event.subject_id, event.details["permissions"]) == (issued.token.pk, ["members.view"])
    with pytest.raises(Missing):
        tokens.revoke(mel, token=issued.token)


def test_an_administrator_revokes_everybodys(ada, mel, service):
    tokens.revoke(ada, token=tokens.issue(mel, name="Deploy").token)
    tokens.revoke(ada, token=service.token)

    assert not Token.objects.exists()


def test_nobody_else_revokes_what_is_not_theirs(ada, ivy, mel, eve, service):
    own = tokens.issue(mel, name="Deploy").token

    for actor, token in ((ivy, own), (ivy, service.token), (eve, own), (eve, service.token)):
        with pytest.raises(Missing):
            tokens.revoke(actor, token=token)
    assert Token.objects.count() == 2


def test_who_is_suspended_is_told_so(ivy, mel):
    own = tokens.issue(mel, name="Deploy").token
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=timezone.now())

    with pytest.raises(Forbidden) as refusal:
        tokens.revoke(mel, token=own)

    assert refusal.value.code == "suspended"


def test_a_token_may_end_itself_and_no_other(ada):
    one, other = (tokens.issue(ada, name=name) for name in ("One", "Other"))
    actor = acting(one)

    with pytest.raises(Forbidden) as refusal:
        tokens.revoke(actor, token=other.token)
    assert refusal.value.code == "needs_person"
    tokens.revoke(actor, token=one.token)

    assert list(Token.objects.all()) == [other.token]


# --- Offers that came through a token ---------------------------------------------------------------------------------


def states():
    return {offer.address.partition("@")[0]: offer.state for offer in Invitation.objects.all()}


def test_revoking_a_token_revokes_its_open_offers_and_no_others(ada, ivy, contributor):
    issued, other = tokens.issue(ivy, name="Onboarding"), tokens.issue(ivy, name="Other")
    cast.invite(acting(issued), "ann@example.org", "bob@example.org", grant=contributor)
    cast.invite(acting(other), "cy@example.org", grant=contributor)
    cast.invite(ivy, "dee@example.org", grant=contributor)
    assert [offer.address for offer in invitations.through(issued.token)] == ["ann@example.org", "bob@example.org"]

    tokens.revoke(ada, token=issued.token)

    assert states() == {"ann": "revoked", "bob": "revoked", "cy": "pending", "dee": "pending"}
    assert {offer.address for offer in ada.revoked} == {"ann@example.org", "bob@example.org"}
    reasons = {event.details["reason"] for event in Event.objects.filter(action="invitation.revoked")}
    assert reasons == {"token_revoked"}


def test_a_token_that_ends_itself_revokes_its_offers_too(ivy, contributor):
    issued = tokens.issue(ivy, name="Onboarding")
    actor = acting(issued)
    cast.invite(actor, "ann@example.org", grant=contributor)

    tokens.revoke(actor, token=issued.token, take_over=True)  # in whose name should they go on?

    assert states() == {"ann": "revoked"}


def test_whoever_could_send_them_may_take_them_over(ada, ivy, contributor, developer):
    issued = tokens.issue(ada, name="Onboarding")
    cast.invite(acting(issued), "ann@example.org", grant=contributor)

    tokens.revoke(ada, token=issued.token, take_over=True)

    offer = Invitation.objects.get()
    assert (offer.state, offer.sponsor, offer.token) == ("pending", ada.membership, None)
    assert ada.revoked == []
    assert "invitation.taken_over" in cast.actions(ada.organization)


def test_an_administrator_takes_over_what_came_through_anothers_token(ada, ivy, contributor):
    issued = tokens.issue(ivy, name="Onboarding")
    cast.invite(acting(issued), "ann@example.org", grant=contributor)

    tokens.revoke(ada, token=issued.token, take_over=True)

    offer = Invitation.objects.get()
    assert (offer.state, offer.sponsor, offer.token) == ("pending", ada.membership, None)


def test_whoever_takes_an_offer_over_unties_it_from_the_token_of_another(ada, ivy, contributor):
    issued = tokens.issue(ivy, name="Onboarding")
    cast.invite(acting(issued), "ann@example.org", grant=contributor)
    memberships.change(ada, member=ivy.membership, grant=contributor, take_over=True)

    tokens.revoke(ada, token=issued.token)

    offer = Invitation.objects.get()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)


def test_who_sends_a_newer_letter_without_the_token_unties_the_offer_from_it(ada, ivy, contributor):
    issued = tokens.issue(ivy, name="Onboarding")
    offer = cast.invited(acting(issued), "ann@example.org", grant=contributor)
    assert Invitation.objects.get().token == issued.token

    invitations.resend(ivy, invitations=[offer])
    tokens.revoke(ivy, token=issued.token)

    assert states() == {"ann": "pending"}


def test_a_token_that_sends_a_newer_letter_ties_the_offer_to_itself(ada, ivy, contributor):
    issued = tokens.issue(ivy, name="Onboarding")
    offer = cast.invited(ada, "ann@example.org", grant=contributor)

    invitations.resend(acting(issued), invitations=[offer])
    tokens.revoke(ivy, token=issued.token)

    assert states() == {"ann": "revoked"}


def test_the_clock_ends_a_token_and_not_its_offers(ada, ivy, contributor):
    """Its member stands behind them still."""
    issued = tokens.issue(ivy, name="Onboarding", days=1)
    offer = cast.invited(acting(issued), "ann@example.org", grant=contributor)

    with time_machine.travel(timezone.now() + timedelta(days=2)):
        admission = invitations.accept(cast.signed_in(cast.person("Ann")), offer)

    assert admission.membership.name == "Ann"


def test_whose_token_it_was_may_be_removed_and_the_offers_go_with_them(ada, ivy, contributor):
    cast.invite(acting(tokens.issue(ivy, name="Onboarding")), "ann@example.org", grant=contributor)

    memberships.remove(ada, members=[ivy.membership])

    assert states() == {"ann": "revoked"}
    assert Event.objects.get(action="invitation.revoked").details["reason"] == "sponsor_gone"


def test_a_narrowed_token_offers_only_what_it_holds(ada, contributor, developer, payments):
    actor = acting(tokens.issue(ada, name="Onboarding", permissions=["members.manage"]))

    assert [each.outcome for each in cast.invite(actor, "ann@example.org", grant=contributor)] == ["invited"]
    assert [each.outcome for each in cast.invite(actor, "bob@example.org", grant=developer)] == [
        "exceeds_your_authority"
    ]
    seats = [SeatOffer(payments)]
    [outcome] = cast.invite(actor, "cy@example.org", grant=contributor, seats=seats)
    assert outcome.outcome == "exceeds_your_authority"
