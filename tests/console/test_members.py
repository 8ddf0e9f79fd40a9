"""One user, and one invitation.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portico.domain import invitations, memberships, workspaces
from portico.domain.access import Member
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.outbox import Letter
from portico.domain.permissions import MEMBERS_MANAGE, MEMBERS_VIEW, WORKSPACES_CREATE, WORKSPACES_VIEW_ALL
from portico.domain.workspaces import Seat, SeatOffer
from tests import cast
from tests.cast import actions
from tests.console.browser import beside, section, signed_in, text

DAY = timedelta(days=1)
CONTRIBUTOR = {"role": "contributor", "grant": ["members.view"]}
DEVELOPER = {"role": "developer", "grant": ["members.view", "workspaces.create", "workspaces.view_all"]}


def page(row) -> str:
    return f"/o/acme/users/{row.pk}"


def seen(who, row):
    return signed_in(who).get(page(row))


def save(who, row, **typed):
    return signed_in(who).post(page(row), {"version": getattr(row, "version", ""), **typed})


def checked(answer) -> set[str]:
    """The boxes that are ticked."""
    boxes = re.findall(r'name="grant" value="([^"]*)"([^>]*)>', answer.content.decode())
    return {name for name, more in boxes if " checked" in more}


def role(answer) -> str:
    [found] = re.findall(r'name="role" value="([^"]*)"[^>]* checked', answer.content.decode())
    return found


def set_of(member) -> list[str]:
    return sorted(str(each) for each in Membership.objects.get(pk=member.membership.pk).grant.permissions)


@pytest.fixture
def bob(ada, developer) -> Invitation:
    """Is invited by ada."""
    return cast.invited(ada, "bob@example.com", grant=developer, message="Welcome.")


# --- What a page shows to whom ---------------------------------------------------------------------------------------


def test_an_administrator_sees_role_permissions_and_why(ada, mel):
    answer = seen(ada, mel.membership)

    assert role(answer) == "contributor"
    assert checked(answer) == {"members.view"}
    assert "from the role Contributor" in text(answer)
    assert "Remove user" in text(answer)


def test_what_custom_permissions_bring_with_them_is_said(ada, ivy):
    answer = seen(ada, ivy.membership)

    assert role(answer) == "Custom"
    assert "comes with Manage members" in text(answer)


def test_who_only_views_members_sees_role_state_and_shared_seats(ada, mel, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="member")

    answer = seen(mel, ivy.membership)

    assert "Custom" in section(answer, "Role")
    assert section(answer, "Membership") == "Membership State Active"
    assert "Payments" not in text(answer)
    assert "User Permissions" not in text(answer)
    assert "History" not in text(answer)
    assert "<form class" not in answer.content.decode()


def test_seats_are_seen_by_who_views_the_workspace(ada, mel, ivy, payments):
    for member in (mel, ivy):
        workspaces.give_seat(ada, workspace=payments, member=member.membership, role="member")

    assert "Payments From this seat, inside it only: View this workspace Member" in section(
        seen(mel, ivy.membership), "Seats"
    )


def test_from_outside_only_managers_of_a_workspace_are_seen(ada, mel, ivy, acme, payments):
    looker = cast.joined(acme, cast.person("Lou"), cast.custom(MEMBERS_VIEW, WORKSPACES_VIEW_ALL))
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="manager")

    assert "Payments" not in text(seen(looker, mel.membership))
    assert "Payments" in text(seen(looker, ivy.membership))


def test_ones_own_page_says_what_one_may_do_and_why(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    answer = seen(mel, mel.membership)

    assert "View members of the organization See who belongs to the organization from the role Contributor" in section(
        answer, "What you may do here"
    )
    assert "Payments" in section(answer, "Seats")
    assert "Leave organization" in text(answer)


def test_ones_own_page_opens_without_any_permission(acme):
    bare = cast.joined(acme, cast.person("Bo"), cast.custom())

    answer = seen(bare, bare.membership)

    assert answer.status_code == 200
    assert "Nothing more has been permitted yet." in text(answer)
    assert "Organization users" not in text(answer)


def test_without_the_permission_others_do_not_exist(acme, ada):
    bare = cast.joined(acme, cast.person("Bo"), cast.custom())

    assert seen(bare, ada.membership).status_code == 404


def test_another_organizations_people_do_not_exist(ada, eve, bob):
    browser = signed_in(eve)

    for row in (ada.membership, bob):
        assert browser.get(f"/o/elsewhere/users/{row.pk}").status_code == 404


def test_history_is_for_those_who_manage_members(ada, mel, ivy, contributor, developer):
    memberships.change(ada, member=mel.membership, grant=developer)

    assert "Ada changed the role of Mel from Contributor to Developer" in section(seen(ivy, mel.membership), "History")
    assert "History" not in text(seen(mel, mel.membership))


def test_who_holds_more_than_oneself_is_shown_closed_with_the_reason(ada, ivy):
    answer = seen(ivy, ada.membership)

    assert "Ada holds more than you do." in text(answer)
    assert checked(answer) == {
        "members.manage", "organization.manage", "billing.manage", "members.view", "workspaces.create",
        "workspaces.view_all",
    }  # fmt: skip
    assert answer.content.decode().count('name="grant"') == answer.content.decode().count("data-held checked disabled")
    assert "Save" not in text(answer)
    assert "Remove user" not in text(answer)


def test_editing_oneself_warns(ada):
    assert "You are editing your own permissions" in text(seen(ada, ada.membership))


# --- Saving ----------------------------------------------------------------------------------------------------------


def test_another_role(ada, mel):
    browser = signed_in(ada)

    answer = browser.post(page(mel.membership), {"version": 1, **DEVELOPER})

    assert (answer.status_code, answer.url) == (303, page(mel.membership))
    assert "Mel: saved." in text(browser.get(answer.url))
    assert actions(ada.organization)[-1] == "member.changed"


def test_single_permissions(ada, mel):
    save(ada, mel.membership, role="Custom", grant=["billing.manage"])

    assert set_of(mel) == ["billing.manage"]


def test_select_all_without_a_script(ada, mel):
    save(ada, mel.membership, role="Custom", all="grant")

    assert len(set_of(mel)) == 6


def test_a_role_and_boxes_that_differ_are_both_shown(ada, mel):
    answer = save(ada, mel.membership, role="developer", grant=["billing.manage"])

    assert answer.status_code == 422
    assert "Which of the two do you mean?" in beside(answer, "role")
    assert (role(answer), checked(answer)) == ("developer", {"billing.manage"})
    assert set_of(mel) == ["members.view"]


def test_saying_which_is_meant_saves(ada, mel):
    save(ada, mel.membership, role="developer", grant=["billing.manage"], meant="custom")

    assert set_of(mel) == ["billing.manage"]


def test_nobody_gives_more_than_they_hold(ivy, mel):
    answer = save(ivy, mel.membership, role="Custom", grant=["billing.manage"])

    assert answer.status_code == 403
    assert "You do not hold: Manage billing information for organization." in text(answer)


def test_nobody_changes_somebody_who_holds_more(ivy, ada):
    assert save(ivy, ada.membership, **CONTRIBUTOR).status_code == 403


def test_who_only_views_members_changes_nothing_and_learns_of_no_invitation(mel, ivy, contributor):
    cast.invited(ivy, "dan@example.com", grant=contributor)

    answer = save(mel, ivy.membership, **CONTRIBUTOR)

    assert answer.status_code == 403
    assert "Manage members" in text(answer)
    assert "dan@example.com" not in text(answer)


def test_the_last_administrator_stays(ada):
    answer = save(ada, ada.membership, **CONTRIBUTOR)

    assert answer.status_code == 409
    assert "needs an active administrator" in text(answer)


def test_a_page_that_is_no_longer_true_changes_nothing_and_shows_what_changed(ada, ivy, mel, developer):
    memberships.change(ada, member=mel.membership, grant=developer)

    answer = save(ivy, mel.membership, role="Custom", grant=[])

    assert answer.status_code == 412
    assert "Here is how it stands now." in text(answer)
    assert "Ada changed the role of Mel from Contributor to Developer, now" in text(answer)


def test_after_that_the_page_shows_the_new_state(ada, mel, developer):
    memberships.change(ada, member=mel.membership, grant=developer)

    answer = save(ada, mel.membership, role="Custom", grant=[])

    assert role(answer) == "developer"
    assert 'name="version" value="2"' in answer.content.decode()


def test_what_a_change_would_end_is_shown_before(ada, ivy, contributor):
    offer = cast.invited(ivy, "dan@example.com", grant=contributor)

    answer = save(ada, ivy.membership, **CONTRIBUTOR)

    assert "1 invitation is revoked: dan@example.com" in text(answer)
    assert "Take it over" in text(answer)
    assert role(answer) == "contributor"
    offer.refresh_from_db()
    assert (offer.state, set_of(ivy)) == ("pending", ["members.manage", "members.view"])


def test_once_known_it_ends_and_is_told(ada, ivy, contributor):
    cast.invited(ivy, "dan@example.com", grant=contributor)
    browser = signed_in(ada)

    browser.post(page(ivy.membership), {"version": 1, "ends": 1, **CONTRIBUTOR})

    assert "Ivy: saved. 1 invitation is revoked: dan@example.com." in text(browser.get(page(ivy.membership)))


def test_it_can_be_taken_over(ada, ivy, contributor):
    offer = cast.invited(ivy, "dan@example.com", grant=contributor)

    save(ada, ivy.membership, ends=1, take_over="yes", **CONTRIBUTOR)

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)


def test_a_change_that_ends_nothing_asks_nothing(ada, ivy, contributor):
    cast.invited(ivy, "dan@example.com", grant=contributor)

    answer = save(ada, ivy.membership, role="Custom", grant=["members.manage", "workspaces.create"])

    assert answer.status_code == 303


def test_from_oneself_nothing_can_be_taken_over(ada, ivy, contributor):
    cast.invited(ivy, "dan@example.com", grant=contributor)

    answer = save(ivy, ivy.membership, **CONTRIBUTOR)

    assert "1 invitation is revoked" in text(answer)
    assert "take_over" not in answer.content.decode()


# --- Seats -----------------------------------------------------------------------------------------------------------


def seats(workspace) -> dict[str, str]:
    return dict(Seat.objects.filter(workspace=workspace).values_list("membership__name", "role"))


def test_a_seat_is_given_changed_and_taken(ada, mel, payments):
    browser = signed_in(ada)
    where = f"{page(mel.membership)}/seats"

    for shown, wanted in (("", "member"), ("member", "manager")):
        answer = browser.post(where, {"workspace": "payments", "shown": shown, "role": wanted})
        assert (answer.status_code, answer.url) == (303, page(mel.membership))
        assert seats(payments) == {"Ada": "manager", "Mel": wanted}
    browser.post(where, {"workspace": "payments", "shown": "manager", "role": ""})
    assert seats(payments) == {"Ada": "manager"}


def test_a_seat_that_somebody_changed_meanwhile_is_not_overwritten(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")

    where = f"{page(mel.membership)}/seats"
    answer = signed_in(ada).post(where, {"workspace": "payments", "shown": "", "role": "member"})

    assert answer.status_code == 412
    assert seats(payments)["Mel"] == "manager"


def test_a_seat_that_somebody_changed_meanwhile_is_not_taken(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")

    where = f"{page(mel.membership)}/seats"
    answer = signed_in(ada).post(where, {"workspace": "payments", "shown": "member", "role": ""})

    assert answer.status_code == 412
    assert seats(payments)["Mel"] == "manager"


@pytest.mark.parametrize("wanted", ["member", ""])
def test_what_the_loss_of_a_managers_seat_ends_is_shown_first(ada, ivy, payments, wanted):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="manager")
    offer = cast.invited(ivy, "dan@example.com", grant=cast.custom(), seats=[SeatOffer(payments)])
    client, where = signed_in(ada), f"{page(ivy.membership)}/seats"
    asked = {"workspace": "payments", "shown": "manager", "role": wanted}

    shown = client.post(where, asked)

    assert "1 invitation is revoked: dan@example.com" in text(shown)
    assert checked(shown) == {"members.manage", "members.view"}  # the form of the role stays as it is
    assert seats(payments)["Ivy"] == "manager"
    [form] = re.findall(r'<form class="note amber".*?</form>', shown.content.decode(), re.DOTALL)
    again = dict(re.findall(r'type="hidden" name="([a-z]+)" value="([^"]*)"', form))
    answer = client.post(where, again | {"take_over": "yes"})

    assert (answer.status_code, answer.url) == (303, page(ivy.membership))
    assert seats(payments).get("Ivy", "") == wanted
    assert Invitation.objects.get(pk=offer.pk).sponsor == ada.membership


def test_who_does_not_manage_the_workspace_gives_no_seat_in_it(ada, ivy, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="member")

    answer = signed_in(ivy).post(f"{page(mel.membership)}/seats", {"workspace": "payments", "role": "member"})

    assert answer.status_code == 403
    assert "Mel" not in seats(payments)
    assert "Give a seat" not in text(seen(ivy, mel.membership))


def test_a_workspace_that_one_does_not_see_does_not_exist(ivy, mel, payments):
    answer = signed_in(ivy).post(f"{page(mel.membership)}/seats", {"workspace": "payments", "role": "member"})

    assert answer.status_code == 404


# --- Removing and leaving --------------------------------------------------------------------------------------------


def test_removing_says_what_ends(ada, ivy, payments, contributor):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="member")
    cast.invited(ivy, "dan@example.com", grant=contributor)

    answer = signed_in(ada).get(f"{page(ivy.membership)}/remove")

    assert "1 seat: Payments" in section(answer, "What ends with it")
    assert "1 invitation is revoked: dan@example.com" in section(answer, "What ends with it")
    assert Membership.objects.filter(pk=ivy.membership.pk).exists()


def test_removing(ada, mel):
    browser = signed_in(ada)

    answer = browser.post(f"{page(mel.membership)}/remove")

    assert (answer.status_code, answer.url) == (303, "/o/acme/users")
    assert "Mel is removed." in text(browser.get(answer.url))


def test_taking_over_while_removing(ada, ivy, contributor):
    offer = cast.invited(ivy, "dan@example.com", grant=contributor)

    signed_in(ada).post(f"{page(ivy.membership)}/remove", {"take_over": "yes"})

    offer.refresh_from_db()
    assert offer.sponsor == ada.membership


def test_nobody_removes_somebody_who_holds_more(ivy, ada):
    answer = signed_in(ivy).post(f"{page(ada.membership)}/remove")

    assert answer.status_code == 403
    assert "You do not hold" in text(answer)


def test_who_only_views_members_removes_nobody_but_may_leave(mel, ivy):
    browser = signed_in(mel)

    assert browser.get(f"{page(ivy.membership)}/remove").status_code == 403
    assert "Leave Acme ?" in text(browser.get(f"{page(mel.membership)}/remove"))
    assert browser.post(f"{page(mel.membership)}/remove").url == "/"
    assert actions(mel.organization)[-1] == "member.left"


def test_the_last_administrator_cannot_leave(ada):
    answer = signed_in(ada).post(f"{page(ada.membership)}/remove")

    assert answer.status_code == 409
    assert "needs an active administrator" in text(answer)


# --- An invitation ---------------------------------------------------------------------------------------------------


def test_an_invitation_says_who_offers_what_until_when(ada, bob):
    answer = seen(ada, bob)

    assert "Invited by Ada" in text(answer)
    assert role(answer) == "developer"
    assert "Welcome." in section(answer, "Message")
    assert "Invited 7 days left" in section(answer, "Invitation")
    assert "Ada invited bob@example.com as Developer" in section(answer, "History")


def test_invitations_are_for_those_who_manage_members(mel, bob):
    assert seen(mel, bob).status_code == 404


def test_letters_and_their_fate(ada, bob):
    now = ada.now
    Letter.objects.filter(pk=bob.letter_id).update(state="sent", closed_at=now)
    invitations.resend(ada, invitations=[bob])
    bob.refresh_from_db()
    Letter.objects.filter(pk=bob.letter_id).update(state="given_up", detail="550 No such user", closed_at=now)
    invitations.resend(ada, invitations=[bob])
    bob.refresh_from_db()
    Letter.objects.filter(pk=bob.letter_id).update(attempts=2, detail="421 Try again later")

    letters = section(seen(ada, bob), "Letters")

    assert re.search(r"Letter 3 Tried 2 times, next .* 421 Try again later Waiting", letters)
    assert "Letter 2 550 No such user Given up" in letters
    assert re.search(r"Letter 1 Handed to the mail server .* Sent", letters)
    assert "elivered" not in letters


def test_a_letter_that_was_not_delivered_asks_about_the_address(ada, bob):
    Letter.objects.filter(pk=bob.letter_id).update(state="given_up", detail="550 No such user")

    assert "Is the address right?" in text(seen(ada, bob))


def test_resending(ada, bob):
    browser = signed_in(ada)

    answer = browser.post(page(bob), {"do": "resend", "shown": 1, "days": 14, **DEVELOPER})

    assert (answer.status_code, answer.url) == (303, page(bob))
    assert "A new letter to bob@example.com is on its way." in text(browser.get(page(bob)))
    bob.refresh_from_db()
    assert (bob.number, (bob.expires_at - bob.sent_at).days) == (2, 14)


def test_resending_with_another_role(ada, bob):
    signed_in(ada).post(page(bob), {"do": "resend", "shown": 1, **CONTRIBUTOR})

    bob.refresh_from_db()
    assert bob.grant.slug == "contributor"


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        ({"role": "developer", "grant": ["billing.manage"]}, 422),
        ({"days": "99", **DEVELOPER}, 422),
        ({"days": "soon", **DEVELOPER}, 422),
        ({"shown": "7", **DEVELOPER}, 412),
    ],
)
def test_a_resend_that_makes_no_sense_is_refused(ada, bob, typed, status):
    assert signed_in(ada).post(page(bob), {"do": "resend", **typed}).status_code == status
    bob.refresh_from_db()
    assert bob.number == 1


def test_revoking(ada, bob):
    browser = signed_in(ada)

    answer = browser.post(page(bob), {"do": "revoke", "shown": 1})

    assert answer.url == "/o/acme/users"
    assert "The invitation to bob@example.com is revoked." in text(browser.get(answer.url))


def test_a_mistyped_address_is_revoked_and_written_anew(ada, bob):
    answer = signed_in(ada).post(page(bob), {"do": "again", "shown": 1})

    assert answer.url == "/o/acme/users/invite?email=bob%40example.com"
    bob.refresh_from_db()
    assert bob.state == "revoked"


@pytest.mark.parametrize("do", ["resend", "revoke", "again"])
def test_nobody_touches_an_offer_of_more_than_they_hold(ivy, bob, do):
    answer = signed_in(ivy).post(page(bob), {"do": do})

    assert answer.status_code == 403
    assert "It offers more than you hold." in text(seen(ivy, bob))
    assert "Resend" not in text(seen(ivy, bob))
    bob.refresh_from_db()
    assert (bob.state, bob.number) == ("pending", 1)


@pytest.mark.parametrize(
    ("state", "word"), [("accepted", "Accepted"), ("declined", "Declined"), ("revoked", "Revoked")]
)
def test_a_closed_invitation_says_how_it_ended(ada, bob, state, word):
    Invitation.objects.filter(pk=bob.pk).update(state=state, closed_at=ada.now - DAY, reply="Thank you")

    answer = seen(ada, bob)

    assert f"State {word} 1 day ago" in section(answer, "Invitation")
    assert "Thank you" in section(answer, "Their reply")
    assert "Resend" not in text(answer)
    assert signed_in(ada).post(page(bob), {"do": "revoke"}).status_code == 409


def test_an_accepted_invitation_leads_to_the_member(ada, mel, bob):
    Invitation.objects.filter(pk=bob.pk).update(state="accepted", closed_at=ada.now, membership=mel.membership)

    assert page(mel.membership) in seen(ada, bob).content.decode()


def test_an_offer_whose_sponsor_can_no_longer_make_it_says_so(ada, acme, contributor):
    ann = cast.joined(acme, cast.person("Ann"), cast.custom(MEMBERS_MANAGE, WORKSPACES_CREATE))
    offer = cast.invited(ann, "dan@example.com", grant=contributor)
    Membership.objects.filter(pk=ann.membership.pk).update(expires_at=ada.now - DAY)

    assert "can no longer offer this" in text(seen(ada, offer))


def test_seats_on_offer_are_seen_where_one_may_view_the_workspace(ada, ivy, payments, contributor):
    offer = cast.invited(ada, "dan@example.com", grant=contributor, seats=[SeatOffer(payments)])

    assert "Payments Member" in section(seen(ada, offer), "Seats")
    assert "Payments" not in text(seen(ivy, offer))


# --- Whoever loses their rights between the page and the command -----------------------------------------------------

ACTS = {
    "": CONTRIBUTOR,
    "/seats": {"workspace": "payments", "role": "member"},
    "/suspend": {},
    "/reactivate": {},
    "/end": {"ends_on": ""},
}


@pytest.fixture
def suspended_meanwhile(ada, monkeypatch) -> None:
    """Ada is suspended after her page was asked for, and before its command has the lock."""
    refresh = Member.refresh

    def late(actor: Member) -> None:
        Membership.objects.filter(pk=ada.membership.pk).update(suspended_at=timezone.now())
        refresh(actor)

    monkeypatch.setattr(Member, "refresh", late)


@pytest.mark.parametrize("act", ACTS)
def test_whoever_is_suspended_meanwhile_is_told_so(ada, mel, payments, suspended_meanwhile, act):
    answer = signed_in(ada).post(f"{page(mel.membership)}{act}", ACTS[act])

    assert answer.status_code == 403
    assert "Your membership is suspended." in text(answer)


def test_whoever_may_not_see_an_invitation_any_more_is_told_why(ada, bob, suspended_meanwhile):
    answer = signed_in(ada).post(page(bob), {"do": "revoke"})

    assert answer.status_code == 403
    assert "Your membership is suspended." in text(answer)
