"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

from datetime import timedelta

import pytest
from django.utils import timezone

from portico.domain import memberships, workspaces
from portico.domain.access import Actor, Bearer, Member, Person
from portico.domain.errors import Forbidden, Missing
from portico.domain.permissions import (
    ADMINISTER,
    BILLING_MANAGE,
    MEMBERS_MANAGE,
    MEMBERS_VIEW,
    NONE,
    ORGANIZATION_MANAGE,
    WORKSPACE_MANAGE,
    WORKSPACE_VIEW,
    WORKSPACES_CREATE,
    catalogue,
    complete,
)
from tests import cast

# --- What is held -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Actor, Bearer])
def test_whoever_is_no_member_holds_nothing(kind, acme, payments):
    actor = kind(organization=acme, via=cast.VIA)

    assert actor.held() == actor.held(payments) == NONE


def test_a_person_holds_nothing_although_signed_in(acme, payments, ada):
    person = Person(organization=acme, via=cast.VIA, user=ada.membership.user)

    assert person.held() == person.held(payments) == NONE


def test_nobody_holds_what_nobody_granted(acme):
    dan = cast.joined(acme, cast.person("Dan"), cast.custom())

    assert dan.held() == NONE


def test_a_member_holds_what_the_role_gives(mel):
    assert mel.held() == {MEMBERS_VIEW}


def test_a_custom_set_gives_also_what_it_implies(ivy):
    assert ivy.held() == {MEMBERS_MANAGE, MEMBERS_VIEW}


def test_an_administrator_holds_everything_in_every_workspace(ada, payments, eve):
    assert ada.held() == ada.held(payments) == catalogue().everything


def test_everything_is_also_what_is_added_tomorrow(ada, operators_permissions):
    tomorrow = operators_permissions('[[permission]]\nname = "a.b"\nlabel = "A"\nsentence = "B"\n').find("a.b")

    assert ada.can(tomorrow)


def test_a_seat_adds_inside_its_workspace_only(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")
    other = workspaces.create(ada, name="Web")

    assert mel.held(payments) == {MEMBERS_VIEW, WORKSPACE_VIEW, WORKSPACE_MANAGE}
    assert mel.held() == mel.held(other) == {MEMBERS_VIEW}


def test_a_members_seat_lets_view_and_not_manage(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert mel.can(WORKSPACE_VIEW, payments)
    assert not mel.can(WORKSPACE_MANAGE, payments)


def test_a_seat_in_an_archived_workspace_gives_nothing(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")
    payments.archived_at = timezone.now()

    assert mel.held(payments) == {MEMBERS_VIEW}


def test_nobody_holds_anything_in_another_organizations_workspace(eve, mel, payments):
    theirs = workspaces.create(eve, name="Elsewhere's")

    assert eve.held(payments) == mel.held(theirs) == NONE


@pytest.mark.parametrize("workspace", [None, "payments"])
@pytest.mark.parametrize(
    ("limit", "held"),
    [
        (frozenset({MEMBERS_VIEW}), {MEMBERS_VIEW}),
        (frozenset({MEMBERS_MANAGE}), {MEMBERS_MANAGE, MEMBERS_VIEW}),  # the limit too is completed
        (NONE, set()),
    ],
)
def test_a_token_narrows_what_is_held(ada, payments, limit, held, workspace):
    token = Member.of(ada.membership, cast.VIA, limit=limit)

    assert token.held({"payments": payments}.get(workspace)) == held


def test_a_token_gives_nothing_that_its_member_does_not_hold(mel):
    token = Member.of(mel.membership, cast.VIA, limit=frozenset({MEMBERS_MANAGE, BILLING_MANAGE}))

    assert token.held() == {MEMBERS_VIEW}


def test_a_token_narrows_a_seat(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")
    token = Member.of(mel.membership, cast.VIA, limit=frozenset({WORKSPACE_VIEW}))

    assert token.held(payments) == {WORKSPACE_VIEW}


def test_suspended_nothing_is_held(ada, payments):
    ada.membership.suspended_at = timezone.now()

    assert ada.held() == ada.held(payments) == NONE


def test_from_the_moment_of_its_end_a_membership_holds_nothing(ada):
    ada.membership.expires_at = ada.now

    assert ada.held() == NONE


def test_until_the_moment_of_its_end_a_membership_holds(ada):
    ada.membership.expires_at = ada.now + timedelta(microseconds=1)

    assert ada.can(ADMINISTER)


def test_in_a_closed_organization_nothing_is_held(ada):
    ada.membership.organization.closed_at = timezone.now()

    assert ada.held() == NONE


def test_the_operator_holds_everything_everywhere(acme, payments):
    assert cast.operator(acme).held() == cast.operator(acme).held(payments) == catalogue().everything


# --- Requiring --------------------------------------------------------------------------------------------------------


def test_what_is_not_held_is_refused_and_named(mel):
    with pytest.raises(Forbidden) as refusal:
        mel.require(MEMBERS_MANAGE)

    assert (refusal.value.code, refusal.value.missing) == ("missing_permission", [MEMBERS_MANAGE])
    assert "“Manage members”" in refusal.value.sentence


def test_what_is_held_passes(ivy):
    ivy.require(MEMBERS_MANAGE)
    ivy.require(MEMBERS_VIEW)


@pytest.mark.parametrize(
    ("field", "code"), [("suspended_at", "suspended"), ("expires_at", "expired"), ("closed_at", "organization_closed")]
)
def test_whoever_holds_nothing_is_told_why(ada, acme, field, code):
    setattr(acme if field == "closed_at" else ada.membership, field, ada.now)

    with pytest.raises(Forbidden) as refusal:
        ada.require(MEMBERS_VIEW)

    assert refusal.value.code == code


def test_all_that_is_missing_is_named_in_the_order_of_the_catalogue(ivy):
    with pytest.raises(Forbidden) as refusal:
        ivy.require_covers(frozenset({ADMINISTER, WORKSPACES_CREATE, MEMBERS_MANAGE, ORGANIZATION_MANAGE}))

    assert refusal.value.code == "exceeds_your_authority"
    assert refusal.value.missing == [ORGANIZATION_MANAGE, WORKSPACES_CREATE, ADMINISTER]
    assert refusal.value.sentence == (
        "You do not hold: Manage organization, Create new workspace, Administer the organization."
    )


def test_what_no_checkbox_gives_is_refused_by_who_may_do_it(ivy):
    with pytest.raises(Forbidden) as refusal:
        ivy.require(ADMINISTER)

    assert (refusal.value.code, refusal.value.missing) == ("missing_permission", [ADMINISTER])
    assert refusal.value.sentence == "Only an Administrator may do this."


def test_to_cover_a_permission_one_holds_what_it_implies(ada):
    token = Member.of(ada.membership, cast.VIA, limit=frozenset({WORKSPACE_MANAGE}))

    assert token.covers(frozenset({WORKSPACE_MANAGE}))
    assert not token.covers(frozenset({MEMBERS_MANAGE}))


def test_selecting_all_covers_no_administrator(acme, administrator):
    dan = cast.joined(acme, cast.person("Dan"), cast.custom(*catalogue().of_organization))

    assert not dan.covers(administrator.permissions)
    assert dan.missing(complete({ADMINISTER})) == [ADMINISTER]


# --- Reading again ----------------------------------------------------------------------------------------------------


def test_a_refreshed_member_holds_what_is_true_now(ada, mel, administrator):
    seen_on_a_page = Member.of(mel.membership, cast.VIA)
    memberships.change(ada, member=mel.membership, grant=administrator)

    assert not seen_on_a_page.can(ADMINISTER)
    seen_on_a_page.refresh()
    assert seen_on_a_page.can(ADMINISTER)


def test_a_refresh_keeps_what_the_token_allows(ada):
    token = Member.of(ada.membership, cast.VIA, limit=frozenset({MEMBERS_VIEW}))

    token.refresh()

    assert token.held() == {MEMBERS_VIEW}


def test_each_refresh_is_a_new_act_with_a_time_of_its_own(ada):
    batch, now = ada.batch, ada.now

    ada.refresh()

    assert ada.batch != batch
    assert ada.now > now


def test_whoever_was_removed_is_not_there(ada, mel):
    memberships.remove(ada, members=[mel.membership])

    with pytest.raises(Missing):
        mel.refresh()


def test_who_returns_does_not_revive_what_the_old_membership_was(ada, mel, acme, administrator):
    memberships.remove(ada, members=[mel.membership])
    cast.joined(acme, mel.membership.user, administrator)

    with pytest.raises(Missing):
        mel.refresh()


def test_an_operator_sees_the_organization_as_it_is_now(acme):
    operator = cast.operator(acme)
    type(acme).objects.update(name="Acme Ltd")

    operator.refresh()

    assert operator.organization.name == "Acme Ltd"
