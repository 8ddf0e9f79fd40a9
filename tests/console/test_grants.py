"""A role or single permissions, as a form.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else
"""

import pytest
from django.http import QueryDict

from portico.console import grants
from portico.domain.errors import Invalid
from portico.domain.permissions import BILLING_MANAGE, MEMBERS_MANAGE, MEMBERS_VIEW, catalogue

DEVELOPERS = "grant=members.view&grant=workspaces.create&grant=workspaces.view_all"


def read(actor, posted, **how):
    return grants.read(actor, QueryDict(posted), **how)


def box(offered, name):
    return next(each for each in offered.boxes if each.permission.name == name)


def choice(offered, slug):
    return next(each for each in offered.choices if each.slug == slug)


# --- Reading --------------------------------------------------------------------------------------------------------


def test_a_role_with_its_own_boxes_is_the_role(ada, developer):
    assert read(ada, f"role=developer&{DEVELOPERS}") == developer


def test_custom_is_what_the_boxes_say(ada):
    assert read(ada, "role=Custom&grant=billing.manage").custom == {BILLING_MANAGE}


def test_an_empty_custom_belongs_and_may_do_nothing(ada):
    assert read(ada, "role=Custom").custom == frozenset()


def test_a_role_together_with_boxes_that_differ_is_never_guessed(ada):
    with pytest.raises(grants.Differs) as refusal:
        read(ada, "role=developer&grant=billing.manage")

    assert refusal.value.field == "role"
    assert "Developer" in refusal.value.sentence
    assert (refusal.value.use_role, refusal.value.use_boxes) == ("The role Developer", "The 1 permission ticked")


@pytest.mark.parametrize("missing", ["grant=members.view", ""])
def test_boxes_that_say_less_than_the_role_differ_too(ada, missing):
    with pytest.raises(grants.Differs):
        read(ada, f"role=developer&{missing}")


def test_whoever_is_asked_says_which_is_meant(ada, developer):
    posted = "role=developer&grant=billing.manage"

    assert read(ada, f"{posted}&meant=role") == developer
    assert read(ada, f"{posted}&meant=custom").custom == {BILLING_MANAGE}


def test_where_no_box_was_ticked_at_first_no_box_says_nothing(ada, developer):
    assert read(ada, "role=developer", blank=True) == developer

    with pytest.raises(grants.Differs):
        read(ada, "role=developer&grant=billing.manage", blank=True)


def test_a_box_that_comes_with_another_need_not_be_ticked(ada, ivy):
    role = ivy.membership.grant
    role.slug, role.name = "people", "People lead"
    role.save()

    assert read(ada, "role=people&grant=members.manage").role == role


def test_an_administrators_boxes_are_all_of_them(ada, administrator):
    every = "&".join(f"grant={permission.name}" for permission in catalogue().of_organization)

    assert read(ada, f"role=administrator&{every}") == administrator


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        ("", "Choose a role, or choose Custom and single permissions."),
        ("grant=members.view", "Choose a role, or choose Custom and single permissions."),
        ("role=owner", "There is no role “owner” here."),
        ("role=custom", "There is no role “custom” here."),
        ("role=Custom&grant=fly", "There is no permission “fly”."),
        ("role=Custom&grant=workspace.view", "There is no permission “workspace.view”."),
    ],
)
def test_what_is_not_there_cannot_be_given(ada, posted, sentence):
    with pytest.raises(Invalid) as refusal:
        read(ada, posted)

    assert refusal.value.sentence == sentence


def test_select_all_stands_for_what_one_may_give(ada, ivy):
    assert read(ada, "role=Custom&all=grant").custom == frozenset(catalogue().of_organization)
    assert read(ivy, "role=Custom&all=grant").custom == {MEMBERS_MANAGE, MEMBERS_VIEW}


# --- Laying out -----------------------------------------------------------------------------------------------------


def test_boxes_that_one_does_not_hold_are_closed_and_say_why(ivy):
    offered = grants.offered(ivy)

    assert not box(offered, "members.manage").disabled
    assert box(offered, "billing.manage").disabled
    assert (
        box(offered, "billing.manage").says == "You cannot give this, because you do not hold it. An administrator can."
    )
    assert offered.left_off == 4


def test_roles_that_hold_more_than_oneself_are_closed_and_say_why(ivy):
    offered = grants.offered(ivy)

    assert not choice(offered, "contributor").disabled
    assert choice(offered, "developer").why == "Developer holds more than you do."
    assert choice(offered, "administrator").disabled


def test_a_role_knows_the_boxes_that_it_ticks(ada):
    assert choice(grants.offered(ada), "contributor").names == "members.view"
    assert len(choice(grants.offered(ada), "administrator").names.split()) == 6


def test_nothing_is_chosen_beforehand(ada):
    offered = grants.offered(ada)

    assert offered.selected == ""
    assert not any(each.checked for each in offered.boxes)


def test_what_was_typed_is_kept(ada):
    offered = grants.typed(ada, QueryDict("role=developer&grant=billing.manage"))

    assert offered.selected == "developer"
    assert [each.permission for each in offered.boxes if each.checked] == [BILLING_MANAGE]


def test_what_is_closed_shows_all_and_says_its_sentences(ivy, ada):
    offered = grants.as_it_is(ivy, ada.membership.grant, closed=True)

    assert offered.selected == "administrator"
    assert all(each.checked and each.disabled for each in offered.boxes)
    assert box(offered, "billing.manage").says == str(BILLING_MANAGE.sentence)


def test_a_box_knows_what_comes_with_it(ada):
    assert box(grants.offered(ada), "members.manage").implies == "members.view"
    assert box(grants.offered(ada), "members.view").implies == ""


# --- Why ------------------------------------------------------------------------------------------------------------


def why(member):
    return {permission.name: text for permission, text in grants.why_held(member.membership.grant).items()}


def test_why_each_permission_is_held(ada, mel, ivy):
    assert why(mel) == {"members.view": "from the role Contributor"}
    assert why(ivy) == {"members.manage": "Custom", "members.view": "comes with Manage members"}
    assert set(why(ada).values()) == {"an Administrator holds everything"}
