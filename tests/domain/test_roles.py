"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portico.domain import invitations, memberships, roles, words
from portico.domain.access import Member
from portico.domain.errors import Forbidden, Invalid, Missing, Refused
from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.permissions import (
    ADMINISTER,
    BILLING_MANAGE,
    MEMBERS_MANAGE,
    MEMBERS_VIEW,
    WORKSPACE_MANAGE,
    WORKSPACES_CREATE,
    WORKSPACES_VIEW_ALL,
    Permission,
    catalogue,
)
from portico.domain.roles import Grant, Role, grant_of, intern
from tests import cast

# --- From the start ---------------------------------------------------------------------------------------------------


def test_three_roles_exist_from_the_start(acme):
    found = acme.roles.named().order_by("id")

    assert [(role.slug, role.title, role.is_administrator) for role in found] == [
        ("administrator", "Administrator", True),
        ("developer", "Developer", False),
        ("contributor", "Contributor", False),
    ]


def test_an_administrator_holds_everything_a_developer_some_a_contributor_little(acme):
    assert cast.role(acme, "administrator").permissions == catalogue().everything
    assert cast.role(acme, "developer").permissions == {MEMBERS_VIEW, WORKSPACES_CREATE, WORKSPACES_VIEW_ALL}
    assert cast.role(acme, "contributor").permissions == {MEMBERS_VIEW}


def test_only_the_administrators_role_administers(acme):
    with pytest.raises(IntegrityError), transaction.atomic():
        acme.roles.filter(slug="developer").update(is_administrator=True)


def test_a_role_that_somebody_renamed_keeps_that_name(acme):
    acme.roles.filter(slug="developer").update(name="Engineer")

    assert acme.roles.get(slug="developer").title == "Engineer"


# --- Custom sets ------------------------------------------------------------------------------------------------------


def test_a_custom_set_is_one_row_for_all_who_hold_exactly_it(acme, ada):
    first = intern(acme, cast.custom(MEMBERS_MANAGE))
    completed = intern(acme, cast.custom(MEMBERS_MANAGE, MEMBERS_VIEW))
    other = intern(acme, cast.custom(MEMBERS_VIEW))

    assert first == completed != other
    assert first.names == ["members.manage", "members.view"]
    assert (first.title, first.is_custom) == ("Custom", True)


def test_a_custom_set_equal_to_a_role_is_not_that_role(acme):
    assert intern(acme, cast.custom(MEMBERS_VIEW)) != acme.roles.get(slug="contributor")


def test_custom_sets_are_not_shared_between_organizations(acme, eve):
    assert intern(acme, cast.custom(MEMBERS_VIEW)) != intern(eve.organization, cast.custom(MEMBERS_VIEW))


def test_a_role_stands_for_itself(acme, developer):
    assert intern(acme, developer) == developer.role


def test_an_empty_custom_set_belongs_and_may_do_nothing(acme):
    assert intern(acme, cast.custom()).permissions == frozenset()


def test_a_permission_that_left_the_catalogue_gives_nothing(acme):
    row = intern(acme, cast.custom(MEMBERS_VIEW))
    Role.objects.filter(pk=row.pk).update(names=["members.view", "reports.read"])

    assert Role.objects.get(pk=row.pk).permissions == {MEMBERS_VIEW}


def test_an_event_tells_of_a_role_by_its_name_and_of_a_custom_set_by_what_it_holds(acme, developer):
    assert developer.role.summary == {"role": "developer"}
    assert intern(acme, cast.custom(MEMBERS_VIEW)).summary == {"permissions": ["members.view"]}


# --- What somebody asks to give ---------------------------------------------------------------------------------------


def test_a_grant_is_a_role_or_single_permissions_never_both_nor_neither(developer):
    for wrong in ({}, {"role": developer.role, "custom": frozenset()}):
        with pytest.raises(Invalid, match="not both"):
            Grant(**wrong)


@pytest.mark.parametrize("permission", [WORKSPACE_MANAGE, ADMINISTER, Permission("made.up", "Made up", "…")])
def test_a_custom_set_holds_only_what_can_be_chosen(permission):
    with pytest.raises(Invalid) as refusal:
        Grant(custom=frozenset({permission}))

    assert refusal.value.field == "permissions"


def test_a_grant_is_read_from_a_roles_slug_or_id(acme, developer):
    assert grant_of(acme, "developer", None) == developer
    assert grant_of(acme, str(developer.role.pk), None) == developer


def test_a_grant_is_read_from_names_of_permissions(acme):
    assert grant_of(acme, None, ["members.view"]) == Grant(custom=frozenset({MEMBERS_VIEW}))
    assert grant_of(acme, None, []) == Grant(custom=frozenset())


def test_a_custom_set_is_not_offered_as_a_role(acme):
    row = intern(acme, cast.custom(MEMBERS_VIEW))

    with pytest.raises(Invalid):
        grant_of(acme, str(row.pk), None)


@pytest.mark.parametrize(
    ("role", "names", "field", "words"),
    [
        ("owner", None, "role", "no role “owner”"),
        ("", None, "role", "no role “”"),
        ("x" * 1000, None, "role", "no role “" + "x" * 80 + "”"),
        (None, None, "role", "Choose a role"),
        ("developer", ["members.view"], "role", "not both"),
        (None, ["members.view", "members.fly"], "permissions", "no permission “members.fly”"),
        (None, ["workspace.manage"], "permissions", "no permission “workspace.manage”"),
        (None, ["administer"], "permissions", "no permission “administer”"),
    ],
)
def test_an_unknown_role_or_permission_is_refused_and_named(acme, role, names, field, words):
    with pytest.raises(Invalid) as refusal:
        grant_of(acme, role, names)

    assert refusal.value.field == field
    assert words in refusal.value.sentence


def test_another_organizations_role_is_unknown(eve, developer):
    with pytest.raises(Invalid):
        grant_of(eve.organization, str(developer.role.pk), None)


def test_the_operators_permissions_can_be_given(acme, operators_permissions):
    operators_permissions('[[permission]]\nname = "reports.read"\nlabel = "Read"\nsentence = "Read"\n')

    assert intern(acme, grant_of(acme, None, ["reports.read"])).names == ["reports.read"]


# --- Seeing -----------------------------------------------------------------------------------------------------------


def test_who_sees_members_sees_roles_but_no_custom_sets(mel, ivy):
    assert [role.slug for role in roles.visible_to(mel)] == ["administrator", "developer", "contributor"]


def test_who_does_not_see_members_sees_no_roles(acme):
    dan = cast.joined(acme, cast.person("Dan"), cast.custom())

    assert not roles.visible_to(dan)


def test_nobody_sees_another_organizations_roles(eve, acme):
    assert set(roles.visible_to(eve).values_list("organization", flat=True)) == {eve.organization.pk}


# --- Shaping: adding --------------------------------------------------------------------------------------------------

EVERYTHING = frozenset(catalogue().of_organization)


@pytest.fixture
def lead(ada) -> Role:
    """A role of Acme's own."""
    return roles.add(ada, name="People lead", permissions=frozenset({MEMBERS_MANAGE}))


def again(role: Role) -> Role:
    """The role as it is now."""
    return Role.objects.get(pk=role.pk)


def granted(role: Role) -> Grant:
    return Grant(role=again(role))


def test_an_administrator_adds_a_role_with_what_its_permissions_imply(ada, lead):
    assert (lead.slug, lead.title, lead.names) == ("people-lead", "People lead", ["members.manage", "members.view"])
    assert list(roles.visible_to(ada))[-1] == lead
    event = Event.objects.get(action="role.added")
    assert event.details == {"role": "people-lead", "permissions": ["members.manage", "members.view"]}


def test_a_new_role_can_be_given_at_once(ada, mel, lead):
    memberships.change(ada, member=mel.membership, grant=granted(lead))

    assert Membership.objects.get(pk=mel.membership.pk).grant == lead


def test_a_role_may_permit_nothing(ada):
    assert roles.add(ada, name="Guest", permissions=frozenset()).permissions == frozenset()


def test_a_role_equal_to_a_custom_set_is_not_that_set(ada, acme):
    custom = intern(acme, cast.custom(MEMBERS_VIEW))
    viewer = roles.add(ada, name="Viewer", permissions=frozenset({MEMBERS_VIEW}))

    assert viewer != custom == intern(acme, cast.custom(MEMBERS_VIEW))


COMMANDS = {
    "add": lambda actor, role: roles.add(actor, name="New", permissions=frozenset()),
    "change": lambda actor, role: roles.change(actor, role=role, name="New"),
    "delete": lambda actor, role: roles.delete(actor, role=role),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_only_administrators_shape_roles(acme, ivy, lead, what):
    with pytest.raises(Forbidden) as refusal:
        COMMANDS[what](ivy, lead)

    assert (refusal.value.code, refusal.value.missing) == ("missing_permission", [ADMINISTER])


@pytest.mark.parametrize("what", COMMANDS)
def test_whoever_holds_every_permission_by_a_custom_set_is_no_administrator(acme, lead, what):
    max_ = cast.joined(acme, cast.person("Max"), Grant(custom=EVERYTHING))

    with pytest.raises(Forbidden) as refusal:
        COMMANDS[what](max_, lead)

    assert refusal.value.missing == [ADMINISTER]


def narrowed(ada, *permissions) -> Member:
    """Ada through something that allows these alone."""
    return Member.of(ada.membership, cast.VIA, limit=frozenset({ADMINISTER, *permissions}))


def test_nobody_adds_a_role_that_holds_more_than_they_do(ada):
    with pytest.raises(Forbidden) as refusal:
        roles.add(narrowed(ada, MEMBERS_VIEW), name="New", permissions=frozenset({MEMBERS_MANAGE}))

    assert (refusal.value.code, refusal.value.missing) == ("exceeds_your_authority", [MEMBERS_MANAGE])


@pytest.mark.parametrize("permission", [WORKSPACE_MANAGE, ADMINISTER, Permission("made.up", "Made up", "…")])
def test_a_role_holds_only_what_can_be_chosen(ada, lead, permission):
    for command in (
        lambda: roles.add(ada, name="New", permissions=frozenset({permission})),
        lambda: roles.change(ada, role=lead, permissions=frozenset({permission})),
    ):
        with pytest.raises(Invalid) as refusal:
            command()
        assert refusal.value.field == "permissions"


def test_all_that_is_wrong_with_a_new_role_is_told_at_once(ada):
    with pytest.raises(Invalid) as refusal:
        roles.add(ada, name="", permissions=frozenset({WORKSPACE_MANAGE}))

    assert [each.field for each in refusal.value.errors] == ["name", "permissions"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Équipe d'été", "equipe-dete"),
        ("New", "new-role"),
        ("人事", "role"),
        ("x" * 80, "x" * 40),
        ("01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcde-role"),
    ],
)
def test_the_slug_is_made_from_the_name(ada, name, slug):
    role = roles.add(ada, name=name, permissions=frozenset())

    assert role.slug == words.check_slug(role.slug) == slug


def test_two_names_of_one_slug_get_two_slugs(ada):
    slugs = [roles.add(ada, name=name, permissions=frozenset()).slug for name in ("人事", "総務", "x" * 80, "x" * 79)]

    assert slugs == ["role", "role-2", "x" * 40, "x" * 36 + "-2"]


@pytest.mark.parametrize("name", ["Developer", "Dévéloper", "PEOPLE  lead", "people-lead", "Administrator"])
def test_a_name_is_taken_once_whatever_its_case_and_accents(ada, lead, name):
    with pytest.raises(Refused) as refusal:
        roles.add(ada, name=name, permissions=frozenset())

    assert (refusal.value.code, refusal.value.field) == ("name_taken", "name")


def test_a_name_that_programs_use_for_another_role_is_taken(ada, lead):
    roles.change(ada, role=lead, name="Head of people")

    with pytest.raises(Refused, match="what programs call the role “Head of people”"):
        roles.add(ada, name="People lead", permissions=frozenset())


def test_names_without_letters_are_compared_as_they_are(ada):
    roles.add(ada, name="★", permissions=frozenset())

    assert roles.add(ada, name="★★", permissions=frozenset()).slug == "role-2"


@pytest.mark.parametrize("name", ["Custom", "custom", "CUSTOM"])
def test_no_role_is_called_custom(ada, name):
    with pytest.raises(Invalid, match="without a role") as refusal:
        roles.add(ada, name=name, permissions=frozenset())

    assert refusal.value.field == "name"


def test_another_organization_may_have_a_role_of_the_same_name(eve, lead):
    assert roles.add(eve, name="People lead", permissions=frozenset()).slug == "people-lead"


def test_there_can_be_so_many_roles_and_no_more(ada, monkeypatch):
    monkeypatch.setattr(roles, "MOST", 4)
    roles.add(ada, name="Fourth", permissions=frozenset())

    with pytest.raises(Refused) as refusal:
        roles.add(ada, name="Fifth", permissions=frozenset())

    assert refusal.value.code == "too_many"


# --- Shaping: changing ------------------------------------------------------------------------------------------------


def test_who_has_a_role_holds_its_new_set_at_once(ada, mel, contributor):
    roles.change(ada, role=contributor.role, permissions=frozenset({BILLING_MANAGE}))

    mel.refresh()
    assert mel.held() == {BILLING_MANAGE}
    event = Event.objects.get(action="role.changed")
    assert event.details == {
        "changed": ["permissions"],
        "before": {"permissions": ["members.view"]},
        "after": {"permissions": ["billing.manage"]},
    }


def test_a_renamed_role_keeps_its_slug_and_its_set(ada, lead):
    roles.change(ada, role=lead, name="Head of people")

    assert (again(lead).title, again(lead).slug, again(lead).names) == ("Head of people", lead.slug, lead.names)
    assert again(lead).version == 2
    event = Event.objects.get(action="role.changed")
    assert event.details == {"changed": ["name"]}


def test_developer_and_contributor_can_be_changed(ada, developer):
    roles.change(ada, role=developer.role, name="Engineer", permissions=EVERYTHING)

    role = again(developer.role)
    assert (role.title, role.slug, role.permissions) == ("Engineer", "developer", EVERYTHING)
    assert ADMINISTER not in role.permissions


def test_the_same_again_is_no_change_of_a_role(ada, lead):
    roles.change(ada, role=lead, name="People lead", permissions=frozenset({MEMBERS_MANAGE}), version=1)

    assert again(lead).version == 1
    assert "role.changed" not in cast.actions(ada.organization)


def test_a_permission_that_left_the_catalogue_stays_until_the_set_is_changed(ada, lead):
    Role.objects.filter(pk=lead.pk).update(names=["members.manage", "members.view", "reports.read"])

    roles.change(ada, role=lead, name="Lead", permissions=frozenset({MEMBERS_MANAGE}))
    assert "reports.read" in again(lead).names

    roles.change(ada, role=lead, permissions=frozenset({MEMBERS_VIEW}))
    assert again(lead).names == ["members.view"]


def test_administrator_can_neither_be_changed_nor_deleted(ada, administrator):
    for command in (
        lambda: roles.change(ada, role=administrator.role, name="Boss"),
        lambda: roles.change(ada, role=administrator.role, permissions=frozenset()),
        lambda: roles.delete(ada, role=administrator.role),
    ):
        with pytest.raises(Refused) as refusal:
            command()
        assert refusal.value.code == "role_fixed"


def test_what_somebody_changed_meanwhile_is_not_overwritten(ada, lead):
    roles.change(ada, role=lead, name="Lead", version=1)

    for command in (
        lambda: roles.change(ada, role=lead, name="Head", version=1),
        lambda: roles.delete(ada, role=lead, version=1),
    ):
        with pytest.raises(Refused) as refusal:
            command()
        assert refusal.value.code == "changed_meanwhile"


def test_a_name_of_another_role_is_refused_for_a_role_that_is_there(ada, lead):
    with pytest.raises(Refused) as refusal:
        roles.change(ada, role=lead, name="developer")

    assert refusal.value.code == "name_taken"


def test_nobody_changes_a_role_that_holds_more_than_they_do_or_would(ada, lead, contributor):
    weak = narrowed(ada, MEMBERS_VIEW)

    for role, permissions in ((lead, frozenset()), (contributor.role, frozenset({BILLING_MANAGE}))):
        with pytest.raises(Forbidden) as refusal:
            roles.change(weak, role=role, permissions=permissions)
        assert refusal.value.code == "exceeds_your_authority"


@pytest.mark.parametrize("what", ["change", "delete"])
def test_a_custom_set_is_not_shaped_and_neither_is_another_organizations_role(acme, ada, eve, lead, what):
    custom = intern(acme, cast.custom(MEMBERS_VIEW))

    for actor, role in ((ada, custom), (eve, lead)):
        with pytest.raises(Missing):
            COMMANDS[what](actor, role)


# --- Shaping: the offers that stand on a role -------------------------------------------------------------------------


@pytest.fixture
def pat(ada, acme, lead) -> Member:
    """Manages members by a role."""
    return cast.joined(acme, cast.person("Pat"), granted(lead))


def reasons() -> list[tuple[str, str]]:
    """Who was offered something that was revoked, and why."""
    found = Event.objects.filter(action="invitation.revoked").order_by("id")
    addresses = dict(Invitation.objects.values_list("pk", "address"))
    return [(addresses[event.subject_id], event.details["reason"]) for event in found]


def ends(ada, role, permissions) -> list[str]:
    """The offers of which the page says before that they would end."""
    then = {role.pk: again(role).with_permissions(permissions)}
    return [offer.address for offer in invitations.ending_with(ada, then)]


def test_offers_end_whose_sponsor_may_no_longer_send_them(ada, pat, lead):
    cast.invited(pat, "bob@example.org", grant=cast.custom())
    assert ends(ada, lead, frozenset({MEMBERS_VIEW})) == ["bob@example.org"]

    roles.change(ada, role=lead, permissions=frozenset({MEMBERS_VIEW}))

    assert [offer.address for offer in ada.revoked] == ["bob@example.org"]
    assert reasons() == [("bob@example.org", "sponsor_gone")]


def test_offers_of_a_role_end_that_now_gives_more_than_their_sponsor_holds(ada, ivy, contributor):
    cast.invited(ivy, "bob@example.org", grant=contributor)
    cast.invited(ada, "cy@example.org", grant=contributor)
    assert ends(ada, contributor.role, frozenset({BILLING_MANAGE})) == ["bob@example.org"]

    roles.change(ada, role=contributor.role, permissions=frozenset({BILLING_MANAGE}))

    assert reasons() == [("bob@example.org", "sponsor_gone")]
    assert Invitation.objects.get(address="cy@example.org").grant.permissions == {BILLING_MANAGE}


def test_offers_stay_that_their_sponsor_can_still_send(ada, pat, lead):
    cast.invited(pat, "bob@example.org", grant=cast.custom(MEMBERS_VIEW))
    assert ends(ada, lead, frozenset({MEMBERS_MANAGE, BILLING_MANAGE})) == []

    roles.change(ada, role=lead, permissions=frozenset({MEMBERS_MANAGE, BILLING_MANAGE}))

    assert reasons() == []


def test_offers_of_a_role_stay_whose_sponsor_has_that_role_too(ada, pat, lead):
    cast.invited(pat, "bob@example.org", grant=granted(lead))
    assert ends(ada, lead, EVERYTHING) == []

    roles.change(ada, role=lead, permissions=EVERYTHING)

    assert reasons() == []


def test_who_changes_a_role_may_take_over_the_offers_that_this_would_end(ada, pat, lead):
    offer = cast.invited(pat, "bob@example.org", grant=cast.custom())

    roles.change(ada, role=lead, permissions=frozenset(), take_over=True)

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor, ada.revoked) == ("pending", ada.membership, [])
    assert cast.actions(ada.organization)[-1] == "invitation.taken_over"


def test_only_administrators_ask_what_would_end(ivy, lead):
    with pytest.raises(Forbidden):
        invitations.ending_with(ivy, {})


# --- Shaping: deleting ------------------------------------------------------------------------------------------------


def test_a_role_that_nobody_has_is_deleted(ada, acme, lead):
    roles.delete(ada, role=lead)

    assert lead not in roles.visible_to(ada)
    assert Event.objects.get(action="role.deleted").details == {"role": "people-lead", "permissions": lead.names}
    for reference in ("people-lead", str(lead.pk)):
        with pytest.raises(Invalid):
            grant_of(acme, reference, None)


def test_a_deleted_role_is_given_to_nobody_and_not_deleted_again(ada, mel, lead):
    stale = granted(lead)
    roles.delete(ada, role=lead)

    for command in (
        lambda: memberships.change(ada, member=mel.membership, grant=stale),
        lambda: cast.invite(ada, "bob@example.org", grant=stale),
        lambda: roles.change(ada, role=lead, name="Again"),
        lambda: roles.delete(ada, role=lead),
    ):
        with pytest.raises(Missing):
            command()


def test_the_name_of_a_deleted_role_is_free_again(ada, lead):
    roles.delete(ada, role=lead)

    assert roles.add(ada, name="People lead", permissions=frozenset()).slug == "people-lead"


def test_a_deleted_role_is_no_custom_set_that_somebody_could_get(ada, acme, mel, lead):
    roles.delete(ada, role=lead)

    memberships.change(ada, member=mel.membership, grant=cast.custom(MEMBERS_MANAGE))
    assert Membership.objects.get(pk=mel.membership.pk).grant != lead


def test_a_closed_invitation_still_says_which_role_it_offered(ada, lead):
    offer = cast.invited(ada, "bob@example.org", grant=granted(lead))
    invitations.revoke(ada, invitations=[offer])
    roles.delete(ada, role=lead)

    offer = Invitation.objects.get(pk=offer.pk)
    assert (offer.grant.title, offer.grant.permissions) == ("People lead", {MEMBERS_MANAGE, MEMBERS_VIEW})


@pytest.mark.parametrize("slug", ["developer", "contributor"])
def test_a_role_from_the_start_is_not_deleted(ada, acme, slug):
    with pytest.raises(Refused) as refusal:
        roles.delete(ada, role=acme.roles.get(slug=slug))

    assert refusal.value.code == "role_fixed"


def test_a_role_in_use_is_not_deleted_and_the_refusal_says_by_whom(ada, acme, lead):
    for name in ("Pia", "Pat"):
        cast.joined(acme, cast.person(name), granted(lead))
    for email in ("bob@example.org", "cy@example.org"):
        cast.invited(ada, email, grant=granted(lead))

    with pytest.raises(Refused) as refusal:
        roles.delete(ada, role=lead)

    assert refusal.value.code == "role_in_use"
    assert refusal.value.sentence.startswith("People lead is in use: by Pat, Pia, bob@example.org and 1 more.")
    assert refusal.value.facts == {"members": 2, "invitations": 2}
    assert lead in roles.visible_to(ada)


def suspend(member: Member) -> None:
    Membership.objects.filter(pk=member.membership.pk).update(suspended_at=timezone.now())


def expire(member: Member) -> None:
    Membership.objects.filter(pk=member.membership.pk).update(expires_at=timezone.now() - timedelta(days=1))


@pytest.mark.parametrize("asleep", [suspend, expire])
def test_a_member_who_is_asleep_still_uses_a_role(ada, pat, lead, asleep):
    asleep(pat)

    with pytest.raises(Refused, match="by Pat"):
        roles.delete(ada, role=lead)


def test_an_expired_invitation_still_uses_a_role(ada, lead):
    cast.invited(ada, "bob@example.org", grant=granted(lead))

    with time_machine.travel(timezone.now() + timedelta(days=8)), pytest.raises(Refused, match="by bob@"):
        roles.delete(ada, role=lead)


def test_a_role_is_deleted_and_its_holders_get_another(ada, pat, lead, developer):
    offer = cast.invited(ada, "bob@example.org", grant=granted(lead))
    before = Membership.objects.get(pk=pat.membership.pk).version

    roles.delete(ada, role=lead, move_to=developer.role)

    member = Membership.objects.get(pk=pat.membership.pk)
    offer.refresh_from_db()
    assert (member.grant, offer.grant) == (developer.role, developer.role)
    assert member.version == before + 1
    assert cast.actions(ada.organization)[-3:] == ["member.changed", "invitation.changed", "role.deleted"]
    moved = {"before": {"role": "people-lead"}, "after": {"role": "developer"}}
    assert Event.objects.get(action="member.changed").details == moved
    assert Event.objects.get(action="invitation.changed").details == moved
    assert Event.objects.get(action="role.deleted").details["after"] == {"role": "developer"}
    assert Event.objects.filter(batch=Event.objects.get(action="role.deleted").batch).count() == 3


def test_only_those_move_who_have_the_role(ada, pat, mel, lead, developer, contributor):
    cast.invited(ada, "cy@example.org", grant=contributor)

    roles.delete(ada, role=lead, move_to=developer.role)

    assert Membership.objects.get(pk=mel.membership.pk).grant == contributor.role
    assert Invitation.objects.get(address="cy@example.org").grant == contributor.role


def test_offers_end_whose_sponsor_was_moved_away_from_what_they_need(ada, pat, lead, developer):
    cast.invited(pat, "bob@example.org", grant=cast.custom())
    assert [each.address for each in invitations.ending_with(ada, {lead.pk: developer.role})] == ["bob@example.org"]

    roles.delete(ada, role=lead, move_to=developer.role)

    assert reasons() == [("bob@example.org", "sponsor_gone")]


def test_who_deletes_a_role_may_take_over_the_offers_that_this_would_end(ada, pat, lead, developer):
    offer = cast.invited(pat, "bob@example.org", grant=cast.custom())

    roles.delete(ada, role=lead, move_to=developer.role, take_over=True)

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)


def test_nobody_is_moved_to_the_role_that_is_deleted(ada, pat, lead):
    with pytest.raises(Invalid) as refusal:
        roles.delete(ada, role=lead, move_to=lead)

    assert refusal.value.field == "move_to"


def test_nobody_is_moved_to_another_organizations_role(ada, eve, pat, lead):
    with pytest.raises(Missing):
        roles.delete(ada, role=lead, move_to=eve.organization.roles.get(slug="developer"))


def test_nobody_moves_those_who_hold_more_or_to_more_than_they_hold(ada, pat, lead, contributor, developer):
    with pytest.raises(Forbidden) as refusal:
        roles.delete(narrowed(ada, MEMBERS_VIEW), role=lead, move_to=contributor.role)
    assert refusal.value.missing == [MEMBERS_MANAGE]

    with pytest.raises(Forbidden) as refusal:
        roles.delete(narrowed(ada, MEMBERS_MANAGE), role=lead, move_to=developer.role)
    assert refusal.value.missing == [WORKSPACES_CREATE, WORKSPACES_VIEW_ALL]


def test_to_make_administrators_of_all_who_have_a_role_one_proves_who_one_is(ada, pat, lead, administrator):
    long_ago = replace(ada, proved_at=timezone.now() - timedelta(minutes=16))

    with pytest.raises(Forbidden) as refusal:
        roles.delete(long_ago, role=lead, move_to=administrator.role)
    assert refusal.value.code == "prove_again"

    roles.delete(ada, role=lead, move_to=administrator.role)
    assert Membership.objects.get(pk=pat.membership.pk).is_administrator


def test_statements_do_not_grow_with_those_who_are_moved(ada, acme, contributor):
    for n, name in enumerate(("First", "Second")):
        role = roles.add(ada, name=name, permissions=frozenset())
        for k in range(1 + 9 * n):
            cast.joined(acme, cast.person(f"P{n}x{k}"), granted(role))
            cast.invited(ada, f"q{n}x{k}@example.org", grant=granted(role))
    counts = []
    for name in ("first", "second"):
        with CaptureQueriesContext(connection) as queries:
            roles.delete(ada, role=acme.roles.get(slug=name), move_to=contributor.role)
        counts.append(len(queries))

    assert counts[0] == counts[1]


# --- Who has a role ---------------------------------------------------------------------------------------------------


def test_holders_are_counted_in_every_state(ada, pat, ivy, mel, lead, contributor):
    suspend(mel)
    cast.invited(ada, "bob@example.org", grant=granted(lead))
    declined = cast.invited(ada, "cy@example.org", grant=granted(lead))
    invitations.revoke(ada, invitations=[declined])

    found = roles.holders(ada)

    assert (found.members[lead.pk], found.members[contributor.role.pk], found.custom) == (1, 1, 1)
    assert found.offers == {lead.pk: 1}


def test_offers_are_counted_for_those_who_manage_members(ada, mel, contributor):
    cast.invited(ada, "bob@example.org", grant=contributor)

    assert roles.holders(mel).offers == {}
    assert roles.holders(mel).members[contributor.role.pk] == 1


def test_who_does_not_see_members_counts_nobody(acme):
    with pytest.raises(Forbidden):
        roles.holders(cast.joined(acme, cast.person("Dan"), cast.custom()))
