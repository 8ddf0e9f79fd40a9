"""Organization users: who sees whom, in which order, and what is done to several at once.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portico.domain import directory, memberships, workspaces
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.outbox import Letter
from portico.domain.permissions import MEMBERS_VIEW, WORKSPACES_VIEW_ALL
from portico.domain.workspaces import SeatOffer
from tests import cast
from tests.cast import actions
from tests.console.browser import beside, section, signed_in, text, words

USERS, SELECTED = "/o/acme/users", "/o/acme/users/selected"
DAY = timedelta(days=1)


def rows(answer) -> list[str]:
    """What each row of the list says."""
    return [words(row) for row in re.findall(r"<tr class=.*?</tr>", answer.content.decode(), re.DOTALL)]


def names(answer) -> list[str]:
    """Whom the list shows, in its order."""
    found = re.findall(r'class="go[^>]*title="([^"]*)"', answer.content.decode())
    return [html.unescape(name) for name in found]


def seen(who, **asked):
    return signed_in(who).get(USERS, asked)


def select(who, do: str, *chosen, **more):
    return signed_in(who).post(SELECTED, {"do": do, "who": [row.pk for row in chosen], **more})


def link(answer, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]*)"', answer.content.decode())
    assert found, f"there is no {rel} page"
    return html.unescape(found[1])


@pytest.fixture
def bob(ada, contributor) -> Invitation:
    """Is invited by ada."""
    return cast.invited(ada, "bob@example.com", grant=contributor)


@pytest.fixture
def cid(ada, administrator) -> Invitation:
    """Is invited to administer, so ivy may not touch it."""
    return cast.invited(ada, "cid@example.com", grant=administrator)


@pytest.fixture
def pages_of_two(monkeypatch):
    monkeypatch.setattr(directory.read, "__kwdefaults__", {"size": 2})


@pytest.fixture
def crowd(acme, contributor) -> list[Membership]:
    return [cast.joined(acme, cast.person(name), contributor).membership for name in ("Ann", "Ben", "Cal", "Dot")]


# --- Who sees what ---------------------------------------------------------------------------------------------------


def test_what_waits_stands_first_then_members_by_name(ada, ivy, mel, bob):
    assert names(seen(ada)) == ["bob@example.com", "Ada", "Ivy", "Mel"]


def test_a_plain_member_sees_members_and_no_invitation(ada, mel, bob):
    page = seen(mel)

    assert names(page) == ["Ada", "Mel"]
    assert "bob@example.com" not in page.content.decode()
    assert "Last active" not in text(page)
    assert "Invite users" not in text(page)
    assert 'type="checkbox"' not in page.content.decode()


def test_without_the_permission_there_is_no_list(ada, acme):
    bare = cast.joined(acme, cast.person("Bo"), cast.custom())

    answer = seen(bare)

    assert answer.status_code == 403
    assert "View members of the organization" in text(answer)


@pytest.mark.parametrize("asked", [{"state": "invited"}, {"sort": "active"}, {"sort": "-joined"}])
def test_what_managers_see_is_not_asked_for_by_others(mel, asked):
    assert seen(mel, **asked).status_code == 403


def test_a_row_says_role_workspaces_and_state(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert rows(seen(ada))[1].startswith("Select Mel Mel mel@example.org Contributor Payments Active")


def test_an_administrator_holds_all_workspaces(ada, mel, payments):
    assert "Administrator All Active" in rows(seen(mel))[0]


def test_custom_permissions_are_counted_for_those_who_manage(ada, mel, ivy):
    assert "Custom 2 permissions" in rows(seen(ada))[1]
    assert "Custom None Active" in rows(seen(mel))[1]


def test_seats_are_shown_in_workspaces_that_one_may_view_oneself(ada, mel, ivy, acme, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    looker = cast.joined(acme, cast.person("Lou"), cast.custom(MEMBERS_VIEW, WORKSPACES_VIEW_ALL))

    assert "Payments" in rows(seen(mel))[-1]
    assert "Payments" not in text(seen(ivy))
    assert "Payments" not in rows(seen(looker))[-1]


def test_who_sees_a_workspace_from_outside_sees_its_managers(ada, mel, acme, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")
    looker = cast.joined(acme, cast.person("Lou"), cast.custom(MEMBERS_VIEW, WORKSPACES_VIEW_ALL))

    assert "Mel mel@example.org Contributor Payments" in rows(seen(looker))[-1]


def test_states_have_words(ada, mel, ivy, acme, bob, cid, contributor):
    now = ada.now
    lost = cast.invited(ada, "lost@example.com", grant=contributor)
    late = cast.invited(ada, "late@example.com", grant=contributor)
    Letter.objects.filter(pk=lost.letter_id).update(state="given_up", detail="550 No such user")
    Invitation.objects.filter(pk=late.pk).update(expires_at=now - DAY)
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=now)
    Membership.objects.filter(pk=ivy.membership.pk).update(expires_at=now - DAY)
    cast.joined(acme, cast.person("Temp"), contributor, expires_at=now + 3 * DAY)

    page = dict(zip(names(seen(ada)), rows(seen(ada)), strict=True))

    assert "Invited 7 days left" in page["bob@example.com"]
    assert "Not delivered 550 No such user" in page["lost@example.com"]
    assert "Expired 1 day ago" in page["late@example.com"]
    assert "Suspended" in page["Mel"]
    assert "Expired" in page["Ivy"]
    assert "Active ends" in page["Temp"]


def test_a_letter_that_was_not_delivered_matters_more_than_that_it_is_late(ada, bob):
    Letter.objects.filter(pk=bob.letter_id).update(state="given_up", detail="550 No such user")
    Invitation.objects.filter(pk=bob.pk).update(expires_at=ada.now - DAY)

    assert "Not delivered" in rows(seen(ada))[0]
    assert names(seen(ada, state="undelivered")) == ["bob@example.com"]
    assert names(seen(ada, state="expired")) == []


def test_a_name_never_becomes_markup(ada, acme, contributor):
    cast.joined(acme, cast.person("<b>Bea</b>", "bea@example.org"), contributor)

    assert "<b>Bea</b>" not in seen(ada).content.decode()


def test_nobody_but_you(ada):
    page = text(seen(ada))

    assert "Nobody here but you" in page
    assert "Upload a CSV file" in page


# --- Asking ---------------------------------------------------------------------------------------------------------


def test_search_looks_at_beginnings_of_words(ada, mel, ivy, bob):
    assert names(seen(ada, q="iv")) == ["Ivy"]
    assert names(seen(ada, q="vy")) == []
    assert names(seen(ada, q="bob com")) == ["bob@example.com"]


def test_a_search_that_finds_nobody_says_what_it_looks_at(ada, mel):
    page = text(seen(ada, q="zzz"))

    assert "Nobody found" in page
    assert "beginnings" in page


def test_tabs_count_each_state(ada, mel, ivy, bob):
    assert "All 4 Active 3 Invited 1 Not delivered 0 Suspended 0 Expired 0" in text(seen(ada))


def test_members_see_the_states_of_members_only(ada, mel, bob):
    assert "All 2 Active 2 Suspended 0 Expired 0" in text(seen(mel))


def test_filters_hold_together(ada, mel, ivy, bob, payments, contributor):
    cast.invited(ada, "kim@example.com", grant=contributor, seats=[SeatOffer(payments)])
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert names(seen(ada, role="contributor")) == ["bob@example.com", "kim@example.com", "Mel"]
    assert names(seen(ada, role="contributor", workspace="payments")) == ["kim@example.com", "Mel"]
    assert names(seen(ada, role="contributor", workspace="payments", state="invited")) == ["kim@example.com"]
    assert names(seen(ada, role="Custom")) == ["Ivy"]


def test_who_may_not_view_a_workspace_does_not_find_who_sits_there(ada, mel, acme, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    looker = cast.joined(acme, cast.person("Lou"), cast.custom(MEMBERS_VIEW, WORKSPACES_VIEW_ALL))

    assert names(seen(looker, workspace="payments")) == ["Ada"]


@pytest.mark.parametrize(
    "asked",
    [
        {"role": "owner"},
        {"workspace": "nowhere"},
        {"state": "gone"},
        {"sort": "height"},
        {"sort": "--name"},
        {"at": "x"},
    ],
)
def test_what_cannot_be_asked_is_said_and_the_list_begins_anew(ada, mel, asked):
    answer = seen(ada, **asked)

    assert answer.status_code == 422
    assert names(answer) == ["Ada", "Mel"]
    assert 'role="alert"' in answer.content.decode()


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("-name", ["Mel", "Ivy", "Ada"]),
        ("email", ["Ada", "Ivy", "Mel"]),
        ("role", ["Ada", "Mel", "Ivy"]),
        ("joined", ["Ada", "Ivy", "Mel"]),
    ],
)
def test_orders(ada, ivy, mel, sort, order):
    for days, each in ((3, ada), (2, ivy), (1, mel)):
        Membership.objects.filter(pk=each.membership.pk).update(joined_at=ada.now - days * DAY)

    assert names(seen(ada, sort=sort)) == order


def test_by_activity_whoever_looks_was_here_last(ada, ivy, mel):
    for days, each in ((3, ada), (2, ivy), (1, mel)):
        Membership.objects.filter(pk=each.membership.pk).update(active_at=ada.now - days * DAY)

    assert names(seen(ada, sort="-active")) == ["Ada", "Mel", "Ivy"]
    assert names(seen(ada, sort="active")) == ["Ivy", "Mel", "Ada"]


def test_pages_lead_forth_and_back(ada, crowd, bob, pages_of_two):
    browser = signed_in(ada)
    first = browser.get(USERS)
    second = browser.get(link(first, "next"))
    third = browser.get(link(second, "next"))
    back = browser.get(link(browser.get(link(third, "prev")), "prev"))

    assert [names(each) for each in (first, second, third)] == [
        ["bob@example.com", "Ada"],
        ["Ann", "Ben"],
        ["Cal", "Dot"],
    ]
    assert names(back) == names(first)
    assert 'rel="next"' not in third.content.decode()
    assert 'rel="prev"' not in first.content.decode()


def test_a_page_keeps_what_was_asked(ada, crowd, pages_of_two):
    following = signed_in(ada).get(link(seen(ada, sort="-name", role="contributor"), "next"))

    assert names(following) == ["Ben", "Ann"]


def test_a_place_of_another_order_is_refused(ada, crowd, pages_of_two):
    at = link(seen(ada), "next").partition("at=")[2]

    assert seen(ada, at=at, sort="-name").status_code == 422


def test_looking_takes_few_statements(ada, crowd, bob, cid, payments):
    workspaces.give_seat(ada, workspace=payments, member=crowd[0], role="member")
    Membership.objects.filter(pk=ada.membership.pk).update(active_at=ada.now - DAY)
    browser = signed_in(ada)

    for asked in ({}, {"role": "contributor"}, {"workspace": "payments", "q": "a"}, {"state": "expired"}):
        Membership.objects.filter(pk=ada.membership.pk).update(active_at=ada.now - DAY)
        with CaptureQueriesContext(connection) as statements:
            browser.get(USERS, asked)
        assert len(statements) <= 12, asked


# --- Several at once -------------------------------------------------------------------------------------------------


def test_resending_several(ada, bob, cid):
    browser = signed_in(ada)

    answer = browser.post(SELECTED, {"do": "resend", "who": [bob.pk, cid.pk]})

    assert (answer.status_code, answer.url) == (303, USERS)
    assert "2 letters are on their way." in text(browser.get(USERS))
    assert Invitation.objects.filter(number=2).count() == 2


def test_what_was_done_is_said_and_the_question_kept(ada, bob):
    browser = signed_in(ada)
    answer = browser.post(SELECTED, {"do": "revoke", "who": [bob.pk], "q": "bob", "state": "invited"})

    assert answer.url == f"{USERS}?q=bob&state=invited"
    assert "1 invitation is revoked." in text(browser.get(answer.url))


def test_rows_refused_stay_selected_each_with_its_sentence(ivy, bob, cid, contributor):
    mine = cast.invited(ivy, "dan@example.com", grant=contributor)

    answer = select(ivy, "revoke", mine, cid)

    assert answer.status_code == 200
    assert names(answer) == ["bob@example.com", "cid@example.com", "Ada", "Ivy"]
    assert "You do not hold" in rows(answer)[1]
    assert re.search(rf'value="{cid.pk}" checked', answer.content.decode())
    assert "1 was left as it is" in text(answer)
    assert "1 invitation is revoked." in text(answer)


def test_where_everything_is_refused_the_answer_is_no(ivy, cid):
    answer = select(ivy, "revoke", cid)

    assert answer.status_code == 403
    assert actions(ivy.organization)[-1] == "invitation.sent"


def test_refused_rows_that_are_on_another_page_are_named(ada, ivy, crowd, cid, administrator, pages_of_two):
    Membership.objects.filter(pk=crowd[-1].pk).update(grant=administrator.role)

    answer = select(ivy, "remove", crowd[0], crowd[-1], confirmed="yes")

    assert "Dot <dot@example.org> : You do not hold" in text(answer)


def test_what_one_may_not_touch_cannot_be_selected_and_says_why(ivy, ada, cid):
    page = seen(ivy).content.decode()

    assert re.search(rf'title="Administrator holds more than you do."[^\n]*value="{ada.membership.pk}" disabled', page)
    assert re.search(rf'value="{cid.pk}" disabled', page)
    assert re.search(rf'value="{ivy.membership.pk}">', page)


def test_removing_asks_first(ada, mel, ivy, payments, contributor):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    cast.invited(ivy, "dan@example.com", grant=contributor)

    page = select(ada, "remove", mel.membership, ivy.membership)

    assert page.status_code == 200
    assert "Remove 2 people from Acme ?" in text(page)
    assert "seat in Payments" in text(page)
    assert "1 invitation is revoked: dan@example.com" in text(page)
    assert "Take it over" in text(page)
    assert Membership.objects.filter(organization=ada.organization).count() == 3


def test_removed_once_confirmed_and_told_which_invitations_ended(ada, mel, ivy, contributor):
    cast.invited(ivy, "dan@example.com", grant=contributor)
    browser = signed_in(ada)

    browser.post(SELECTED, {"do": "remove", "who": [mel.membership.pk, ivy.membership.pk], "confirmed": "yes"})

    assert "2 people are removed. 1 invitation is revoked: dan@example.com." in text(browser.get("/o/acme/users"))


def test_invitations_can_be_taken_over(ada, ivy, contributor):
    offer = cast.invited(ivy, "dan@example.com", grant=contributor)

    select(ada, "remove", ivy.membership, confirmed="yes", take_over="yes")

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)


def test_only_what_one_could_send_is_offered_to_be_taken_over(ada, ivy, acme, contributor, developer):
    ann = cast.joined(acme, cast.person("Ann"), cast.custom(*ivy.membership.grant.permissions))
    cast.invited(ann, "dan@example.com", grant=contributor)
    more = cast.invited(ada, "eli@example.com", grant=developer)
    Invitation.objects.filter(pk=more.pk).update(sponsor=ann.membership)

    assert "Take 1 of them over" in text(select(ivy, "remove", ann.membership))


def test_another_role_for_several_asks_which_first(ada, mel, ivy):
    page = select(ada, "role", mel.membership, ivy.membership)

    assert page.status_code == 200
    assert "Change the role of 2 people" in text(page)
    assert "Ivy Custom" in text(page)
    assert "Mel Contributor" in text(page)
    assert not re.search(r'name="(role|grant)" value="[^"]*"[^>]* checked', page.content.decode())


def test_several_get_another_role_and_the_list_is_asked_as_before(ada, mel, ivy, developer):
    browser = signed_in(ada)
    asked = {"who": [mel.membership.pk, ivy.membership.pk], "do": "role"}
    page = browser.post(SELECTED, asked | {"state": "active", "role": "", "sort": "-name"}).content.decode()
    [kept] = re.findall(r'name="asked" value="([^"]*)"', page)

    answer = browser.post(SELECTED, asked | {"confirmed": "yes", "role": "developer", "asked": html.unescape(kept)})

    assert answer.url == f"{USERS}?state=active&sort=-name"
    assert "2 people now have the role Developer." in text(browser.get(USERS))
    assert {row.grant for row in Membership.objects.exclude(user=ada.id)} == {developer.role}


def test_several_get_permissions_of_their_own(ada, mel, ivy):
    select(ada, "role", mel.membership, ivy.membership, confirmed="yes", role="Custom", grant=["billing.manage"])

    assert {tuple(row.grant.names) for row in Membership.objects.exclude(user=ada.id)} == {("billing.manage",)}


def test_a_role_is_chosen_before_anybody_is_changed(ada, mel):
    answer = select(ada, "role", mel.membership, confirmed="yes")

    assert answer.status_code == 422
    assert "Choose a role" in beside(answer, "role")


def test_what_another_role_ends_is_shown_first_and_may_be_taken_over(ada, mel, ivy, contributor):
    offer = cast.invited(ivy, "dan@example.com", grant=contributor)
    asked = {"confirmed": "yes", "role": "contributor", "grant": ["members.view"]}

    page = select(ada, "role", mel.membership, ivy.membership, **asked)

    assert page.status_code == 200
    assert "1 invitation is revoked: dan@example.com" in section(page, "Whom this changes")
    assert 'name="ends" value="1"' in page.content.decode()
    assert Membership.objects.get(pk=ivy.membership.pk).grant.is_custom

    select(ada, "role", mel.membership, ivy.membership, **asked, ends="1", take_over="yes")

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)
    assert Membership.objects.get(pk=ivy.membership.pk).grant == contributor.role


def test_a_review_of_another_role_changes_nobody(ada, mel):
    answer = select(ada, "role", mel.membership, confirmed="yes", role="Custom", review="yes")

    assert answer.status_code == 200
    assert Membership.objects.get(pk=mel.membership.pk).grant.slug == "contributor"


def test_who_cannot_get_another_role_stays_selected_and_says_why(ada, mel, ivy):
    answer = select(ivy, "role", mel.membership, ada.membership, confirmed="yes", role="Custom")

    assert answer.status_code == 200
    assert "1 person now has the role Custom." in text(answer)
    assert "You do not hold" in text(answer)
    assert re.search(rf'value="{ada.membership.pk}" checked', answer.content.decode())
    assert not re.search(rf'value="{mel.membership.pk}" checked', answer.content.decode())


def test_nobody_gives_several_a_role_that_holds_more_than_they_do(ivy, mel, developer):
    answer = select(ivy, "role", mel.membership, confirmed="yes", role="developer")

    assert answer.status_code == 403
    assert Membership.objects.get(pk=mel.membership.pk).grant.slug == "contributor"


def test_the_last_administrator_gets_no_other_role_and_nobody_does(ada, mel, ivy):
    answer = select(ada, "role", mel.membership, ada.membership, confirmed="yes", role="Custom")

    assert answer.status_code == 409
    assert "Nobody was changed." in text(answer)
    assert Membership.objects.get(pk=mel.membership.pk).grant.slug == "contributor"


def test_who_gives_up_seeing_members_is_led_to_the_overview(ivy, mel):
    answer = select(ivy, "role", ivy.membership, mel.membership, confirmed="yes", role="Custom")

    assert (answer.status_code, answer.url) == (303, "/o/acme/")


def test_the_last_administrator_stays_and_so_does_everybody_else(ada, mel, ivy):
    answer = select(ivy, "remove", mel.membership, confirmed="yes")
    assert answer.status_code == 303

    answer = select(ada, "remove", ivy.membership, ada.membership, confirmed="yes")

    assert answer.status_code == 409
    assert "needs an active administrator" in text(answer)
    assert "Nobody was removed." in text(answer)
    assert Membership.objects.filter(organization=ada.organization).count() == 2


def test_who_removes_themselves_is_out(ada, mel, ivy):
    browser = signed_in(ivy)

    answer = browser.post(SELECTED, {"do": "remove", "who": [ivy.membership.pk, mel.membership.pk], "confirmed": "yes"})

    assert answer.url == "/"
    assert browser.get(USERS).status_code == 404


@pytest.mark.parametrize(
    ("do", "sentence"),
    [
        ("resend", "Choose an invitation to send again."),
        ("revoke", "Choose an invitation to revoke."),
        ("", "Choose what to do."),
        ("shout", "Choose what to do."),
    ],
)
def test_an_act_says_whom_it_is_for(ada, mel, do, sentence):
    answer = select(ada, do, mel.membership)

    assert answer.status_code == 422
    assert sentence in text(answer)


def test_nobody_selected(ada):
    assert select(ada, "revoke").status_code == 422


@pytest.mark.parametrize("who", ["nobody", "0" * 32])
def test_somebody_who_is_not_here_hinders_all(ada, bob, who):
    answer = signed_in(ada).post(SELECTED, {"do": "revoke", "who": [str(bob.pk), who]})

    assert answer.status_code == 422
    assert "no longer here" in text(answer)
    bob.refresh_from_db()
    assert bob.state == "pending"


def test_all_that_the_filter_finds(ada, bob, cid, contributor):
    cast.invited(ada, "dan@example.com", grant=contributor)

    select(ada, "revoke", bob, every="yes", role="contributor")

    assert set(Invitation.objects.filter(state="pending")) == {cid}


def test_all_is_offered_where_it_is_more_than_the_page(ada, crowd, pages_of_two):
    assert 'name="every"' in seen(ada).content.decode()
    assert 'name="every"' not in seen(ada, q="ann").content.decode()


def test_more_than_a_thousand_are_too_many_for_one_act(ada, crowd, monkeypatch):
    monkeypatch.setattr(directory, "FEW", 3)

    by_filter = select(ada, "remove", every="yes")
    by_hand = select(ada, "remove", *crowd)

    assert (by_filter.status_code, by_hand.status_code) == (409, 409)
    assert "These are more than 3, too many for one act. Narrow the list down first." in text(by_filter)


def test_who_only_looks_does_nothing_to_several(mel, bob):
    assert select(mel, "revoke", bob).status_code == 403


def test_links_of_the_answer_to_an_act_lead_to_the_list(ivy, cid, crowd, pages_of_two):
    answer = select(ivy, "revoke", cid)

    assert link(answer, "next").startswith(f"{USERS}?")


def test_members_who_joined_meanwhile_do_not_disturb_a_page(ada, crowd, acme, contributor, pages_of_two):
    first = seen(ada)
    cast.joined(acme, cast.person("Aaa"), contributor)
    memberships.remove(ada, members=[crowd[0]])

    assert names(signed_in(ada).get(link(first, "next"))) == ["Ben", "Cal"]
