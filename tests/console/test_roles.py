"""Roles: the sets side by side; adding, changing and deleting one, with what that does shown before.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import re

import pytest
from django.test import Client

from portico.domain import roles
from portico.domain.access import Member
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.permissions import BILLING_MANAGE, MEMBERS_MANAGE, MEMBERS_VIEW, catalogue
from portico.domain.roles import Grant, Role
from tests import cast
from tests.cast import actions
from tests.console.browser import beside, section, signed_in, text

ALL, NEW = "/o/acme/roles", "/o/acme/roles/new"
LEAD = "/o/acme/roles/people-lead"
DELETE = f"{LEAD}/delete"
MANAGES = ["members.manage", "members.view"]


@pytest.fixture
def lead(ada) -> Role:
    """A role of Acme's own."""
    return roles.add(ada, name="People lead", permissions=frozenset({MEMBERS_MANAGE}))


@pytest.fixture
def pat(acme, lead) -> Member:
    """Has it."""
    return cast.joined(acme, cast.person("Pat"), Grant(role=lead))


@pytest.fixture
def max_(acme) -> Member:
    """Holds every permission by a custom set, and is no Administrator."""
    return cast.joined(acme, cast.person("Max"), Grant(custom=frozenset(catalogue().of_organization)))


def seen(answer) -> str:
    """What the page has shown, as its form sends it back."""
    [found] = re.findall(r'name="seen" value="([^"]*)"', answer.content.decode())
    return found


def saving(client: Client, path: str = LEAD, **typed):
    return client.post(path, {"do": "save", "name": "People lead", "version": "1", "grant": MANAGES} | typed)


def again(role: Role) -> Role:
    return Role.objects.get(pk=role.pk)


def links(answer) -> list[str]:
    return re.findall(r'href="([^"]*)"', answer.content.decode())


# --- Side by side ---------------------------------------------------------------------------------------------------


def cells(answer) -> dict[str, list[str]]:
    """For each permission, which roles hold it."""
    rows = re.findall(r'<tr><th scope="row"><b>(.*?)</b>(.*?)</tr>', answer.content.decode(), re.DOTALL)
    return {label: re.findall(r'data-role="([^"]*)">', row) for label, row in rows}


def test_the_sets_stand_side_by_side(ada, lead):
    answer = signed_in(ada).get(ALL)

    found = cells(answer)
    assert list(found) == [str(permission.label) for permission in catalogue().of_organization]
    assert found["Manage members"] == ["Administrator", "People lead"]
    assert found["View members of the organization"] == ["Administrator", "Developer", "Contributor", "People lead"]
    assert found["Manage organization"] == ["Administrator"]


def test_how_many_hold_each_is_shown_and_leads_to_them(ada, pat, mel, ivy, lead):
    cast.invite(ada, "bob@example.org", "cy@example.org", grant=Grant(role=lead))

    answer = signed_in(ada).get(ALL)

    assert "People lead 1 person with the role People lead 2 invited as People lead Edit" in text(answer)
    assert "Contributor 1 person" in text(answer)
    assert "Developer 0 people" in text(answer)
    assert "1 more person holds permissions of their own (Custom)." in text(answer)
    assert {"/o/acme/users?role=people-lead", "/o/acme/users?role=Custom"} <= set(links(answer))


def test_who_may_only_see_members_sees_roles_and_nothing_to_press(mel, lead, ada):
    cast.invite(ada, "bob@example.org", grant=Grant(role=lead))

    answer = signed_in(mel).get(ALL)

    assert "People lead" in text(answer)
    assert "invited" not in text(answer)
    assert NEW not in links(answer)
    assert "Edit" not in text(answer)


def test_whoever_holds_every_permission_but_is_no_administrator_shapes_nothing(max_, lead):
    client = signed_in(max_)

    assert NEW not in links(client.get(ALL))
    assert 'name="version"' not in client.get(LEAD).content.decode()
    assert client.get(NEW).status_code == client.get(DELETE).status_code == 403
    assert saving(client).status_code == 403
    assert again(lead).version == 1


def test_who_does_not_see_members_sees_no_roles(acme, lead):
    client = signed_in(cast.joined(acme, cast.person("Dan"), cast.custom()))

    assert client.get(ALL).status_code == 403
    assert client.get(LEAD).status_code == 404
    assert ALL not in links(client.get("/o/acme/"))


def test_who_has_only_the_three_from_the_start_is_told_what_others_are_good_for(ada):
    client = signed_in(ada)
    assert "These three are there from the start." in text(client.get(ALL))

    roles.add(ada, name="Guest", permissions=frozenset())
    assert "These three are there from the start." not in text(client.get(ALL))


def test_another_organizations_role_is_not_there(eve, lead):
    client = signed_in(eve)

    assert client.get("/o/elsewhere/roles/people-lead").status_code == 404
    assert saving(client, "/o/elsewhere/roles/people-lead").status_code == 404
    assert client.post("/o/elsewhere/roles/people-lead/delete", {"do": "delete"}).status_code == 404


# --- Adding ---------------------------------------------------------------------------------------------------------


def test_a_role_is_added(ada):
    client = signed_in(ada)

    answer = client.post(NEW, {"name": "Accountant", "grant": ["billing.manage"]}, follow=True)

    assert answer.redirect_chain == [(ALL, 303)]
    assert "Accountant is there." in text(answer)
    assert cells(answer)["Manage billing information for organization"] == ["Administrator", "Accountant"]


def test_what_is_wrong_stands_beside_and_what_was_typed_is_kept(ada, lead):
    answer = signed_in(ada).post(NEW, {"name": "people LEAD", "grant": ["billing.manage"]})

    assert answer.status_code == 409
    assert beside(answer, "name") == "There is a role “People lead” already."
    page = answer.content.decode()
    assert 'value="people LEAD"' in page
    assert re.search(r'value="billing.manage" checked', page)


def test_what_is_no_permission_is_refused(ada):
    answer = signed_in(ada).post(NEW, {"name": "Flyer", "grant": ["members.fly"]})

    assert answer.status_code == 422
    assert "There is no permission “members.fly”." in text(answer)


def test_a_role_is_duplicated_by_adding_one_that_begins_like_it(ada, lead):
    answer = signed_in(ada).get(NEW, {"like": "people-lead"})

    assert re.findall(r'value="([a-z.]+)"[^>]* checked', answer.content.decode()) == MANAGES
    assert "It begins with what People lead permits." in text(answer)


def test_a_copy_of_administrator_says_that_it_is_none(ada):
    assert "Only Administrators also hold what is added tomorrow" in text(
        signed_in(ada).get(NEW, {"like": "administrator"})
    )


# --- Changing -------------------------------------------------------------------------------------------------------


def test_a_role_that_nobody_has_is_changed_at_once(ada, lead):
    answer = saving(signed_in(ada), name="Head of people", grant=["billing.manage"])

    assert (answer.status_code, answer.url) == (303, ALL)
    assert (again(lead).title, again(lead).permissions) == ("Head of people", {BILLING_MANAGE})


def test_a_new_name_alone_touches_nobody_and_is_saved_at_once(ada, pat, lead):
    assert saving(signed_in(ada), name="Head of people").status_code == 303
    assert again(lead).title == "Head of people"


def test_whom_a_change_touches_and_how_is_shown_before(ada, pat, lead):
    cast.invite(ada, "bob@example.org", grant=Grant(role=lead))
    cast.invite(pat, "cy@example.org", grant=cast.custom())
    client = signed_in(ada)

    answer = saving(client, grant=["billing.manage", "members.view"])

    assert answer.status_code == 200
    shown = section(answer, "What this changes")
    assert "1 person has it, 1 invitation offers it. From the next click on:" in shown
    assert "Gained Manage billing information for organization Lost Manage members" in shown
    assert "1 invitation is revoked: cy@example.org" in shown
    assert "Take it over: it goes on in my name" in shown
    assert "Pat" in shown
    assert "bob@example.org" in shown
    assert "Not saved yet" in text(answer)
    assert again(lead).version == 1

    answer = saving(client, grant=["billing.manage", "members.view"], seen=seen(answer))

    assert answer.status_code == 303
    assert again(lead).permissions == {BILLING_MANAGE, MEMBERS_VIEW}
    assert Invitation.objects.get(address="cy@example.org").state == "revoked"
    assert "People lead: saved. 1 invitation is revoked: cy@example.org." in text(client.get(ALL))


def test_the_offers_that_would_end_are_taken_over(ada, pat, lead):
    offer = cast.invited(pat, "cy@example.org", grant=cast.custom())
    client = signed_in(ada)
    shown = seen(saving(client, grant=[]))

    saving(client, grant=[], seen=shown, take_over="yes")

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)


def test_what_was_not_shown_is_shown_first(ada, acme, pat, lead):
    """One more has it by now; or other boxes were ticked after the review."""
    client = signed_in(ada)
    shown = seen(saving(client, grant=["billing.manage"]))
    assert saving(client, grant=[], seen=shown).status_code == 200

    cast.joined(acme, cast.person("Pia"), Grant(role=lead))
    answer = saving(client, grant=["billing.manage"], seen=shown)

    assert answer.status_code == 200
    assert "2 people have it" in section(answer, "What this changes")
    assert again(lead).version == 1


def test_a_review_changes_nothing_even_if_it_was_seen(ada, lead):
    answer = saving(signed_in(ada), do="review", name="Head", grant=[])

    assert answer.status_code == 200
    assert again(lead).version == 1
    assert 'value="Head"' in answer.content.decode()


def test_ten_are_named_and_the_others_counted(ada, acme, lead):
    for n in range(12):
        cast.joined(acme, cast.person(f"P{n:02}"), Grant(role=lead))
    cast.invite(ada, "bob@example.org", grant=Grant(role=lead))

    answer = signed_in(ada).get(LEAD)

    shown = section(answer, "Who has this role")
    assert ("P09" in shown, "P10" in shown) == (True, False)
    assert "and 3 more" in shown
    assert "/o/acme/users?role=people-lead" in links(answer)


def test_somebody_changed_it_meanwhile_and_how_it_stands_now_is_shown(ada, pat, lead):
    roles.change(ada, role=lead, name="Lead", permissions=frozenset({MEMBERS_VIEW}))

    answer = saving(signed_in(ada), name="Head", grant=["billing.manage"])

    assert answer.status_code == 412
    page = answer.content.decode()
    assert "Ada took from the role Lead : Manage members" in text(answer).partition("History")[0]
    assert 'name="version" value="2"' in page
    assert 'value="Lead"' in page
    assert re.findall(r'value="([a-z.]+)"[^>]* checked', page) == ["members.view"]


def test_a_review_keeps_the_version_that_was_shown_first(ada, lead):
    roles.change(ada, role=lead, name="Lead")

    answer = saving(signed_in(ada), do="review")

    assert 'name="version" value="1"' in answer.content.decode()


def test_a_name_that_is_taken_is_refused_beside_it(ada, lead):
    answer = saving(signed_in(ada), name="Developer", grant=["billing.manage"])

    assert answer.status_code == 409
    assert beside(answer, "name") == "There is a role “Developer” already."
    assert re.search(r'value="billing.manage"[^>]* checked', answer.content.decode())


def test_administrator_is_shown_and_cannot_be_changed(ada, administrator):
    client = signed_in(ada)
    page = client.get(f"{ALL}/administrator")
    assert "This role cannot be changed." in text(page)
    assert 'name="version"' not in page.content.decode()

    answer = saving(client, f"{ALL}/administrator", name="Boss", grant=["members.view"])

    assert answer.status_code == 409
    assert "Administrator always holds everything." in text(answer)


def test_its_history_is_for_administrators(ada, ivy, lead):
    assert "Ada added the role People lead" in section(signed_in(ada).get(LEAD), "History")
    assert "added the role" not in text(signed_in(ivy).get(LEAD))


def test_who_manages_members_sees_who_is_offered_a_role_and_others_do_not(ada, ivy, mel, lead):
    cast.invite(ada, "bob@example.org", grant=Grant(role=lead))

    assert "1 invitation offers it" in text(signed_in(ivy).get(LEAD))
    assert "bob@example.org" not in text(signed_in(mel).get(LEAD))


# --- Deleting -------------------------------------------------------------------------------------------------------


def deleting(client: Client, **typed):
    return client.post(DELETE, {"do": "delete", "version": "1"} | typed)


def test_a_role_that_nobody_has_is_deleted(ada, lead):
    client = signed_in(ada)
    assert "Nobody has it, so nobody loses anything." in text(client.get(DELETE))

    answer = deleting(client)

    assert (answer.status_code, answer.url) == (303, ALL)
    assert "People lead is deleted." in text(client.get(ALL))
    assert client.get(LEAD).status_code == 404


def test_a_role_in_use_is_refused_and_says_by_whom(ada, pat, lead):
    answer = deleting(signed_in(ada))

    assert answer.status_code == 409
    assert "People lead is in use: by Pat. Move them to another role." in text(answer)
    assert lead in roles.visible_to(ada)


def test_what_moving_does_is_shown_before_and_then_happens(ada, pat, lead, contributor):
    cast.invite(pat, "cy@example.org", grant=cast.custom())
    client = signed_in(ada)

    answer = deleting(client, move_to="contributor")

    assert answer.status_code == 200
    shown = section(answer, "What this changes")
    assert "Lost Manage members" in shown
    assert "1 invitation is revoked: cy@example.org" in shown
    assert '<option value="contributor" selected>' in answer.content.decode()

    answer = deleting(client, move_to="contributor", seen=seen(answer))

    assert answer.status_code == 303
    assert Membership.objects.get(pk=pat.membership.pk).grant == contributor.role
    assert "member.changed" in actions(ada.organization)
    assert "People lead is deleted. 1 invitation is revoked: cy@example.org." in text(client.get(ALL))


def test_a_role_of_the_same_permissions_is_shown_as_such(ada, acme, pat, lead):
    roles.add(ada, name="Other", permissions=frozenset({MEMBERS_MANAGE}))

    answer = deleting(signed_in(ada), do="review", move_to="other")

    assert "They may do the same as before." in section(answer, "What this changes")


def test_all_become_administrators_only_with_a_proof_and_that_is_said(ada, pat, lead, administrator):
    answer = deleting(signed_in(ada), move_to="administrator")
    assert "All of them become Administrators." in section(answer, "What this changes")


def test_a_role_that_somebody_got_meanwhile_is_not_deleted_unseen(ada, acme, pat, lead):
    client = signed_in(ada)
    shown = seen(deleting(client, move_to="contributor"))
    cast.joined(acme, cast.person("Pia"), Grant(role=lead))

    answer = deleting(client, move_to="contributor", seen=shown)

    assert answer.status_code == 200
    assert lead in roles.visible_to(ada)


def test_a_role_that_was_changed_meanwhile_is_not_deleted(ada, lead):
    roles.change(ada, role=lead, name="Lead")

    answer = deleting(signed_in(ada))

    assert answer.status_code == 412
    assert "Somebody changed this meanwhile." in text(answer)


def test_a_role_from_the_start_offers_no_deletion_and_refuses_it(ada):
    client = signed_in(ada)
    assert "/o/acme/roles/developer/delete" not in links(client.get(f"{ALL}/developer"))

    answer = client.post(f"{ALL}/developer/delete", {"do": "delete"})

    assert answer.status_code == 409
    assert "It can be changed, not deleted." in text(answer)


# --- Elsewhere in the console ---------------------------------------------------------------------------------------


def test_a_role_of_ones_own_can_be_chosen_filtered_by_and_named_in_a_file(ada, pat, lead):
    client = signed_in(ada)

    assert (
        'value="people-lead" data-grants="members.manage members.view"'
        in client.get("/o/acme/users/invite").content.decode()
    )
    found = text(client.get("/o/acme/users", {"role": "people-lead"}))
    assert ("Pat" in found, "Ada <" in found) == (True, False)


def test_the_list_of_users_is_sorted_by_role_in_the_order_of_the_roles(ada, pat, mel, lead):
    page = signed_in(ada).get("/o/acme/users", {"sort": "role"}).content.decode()

    assert re.findall(r'<td class="role"><span class="over"><bdi>(.*?)</bdi>', page) == [
        "Administrator",
        "Contributor",
        "People lead",
    ]
