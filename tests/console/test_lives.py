"""Suspending, reactivating and the end of a membership, on the page of one user; former members.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from portico.domain import memberships, roles, workspaces
from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.permissions import BILLING_MANAGE, MEMBERS_MANAGE, MEMBERS_VIEW
from tests import cast
from tests.console.browser import beside, section, signed_in, text

A_DAY = timedelta(days=1)


def page(member, verb="") -> str:
    return f"/o/acme/users/{member.membership.pk}{verb and '/'}{verb}"


def press(who, member, verb, **typed):
    return signed_in(who).post(page(member, verb), typed)


def now(member):
    return Membership.objects.get(pk=member.membership.pk)


def set_row(member, **fields):
    Membership.objects.filter(pk=member.membership.pk).update(**fields)


def said(who, answer) -> str:
    """What the next page says of it."""
    client = signed_in(who)
    client.cookies = answer.client.cookies
    return text(client.get(answer.url))


@pytest.fixture
def bea(acme):
    """Manages members and billing."""
    return cast.joined(acme, cast.person("Bea"), cast.custom(MEMBERS_MANAGE, BILLING_MANAGE))


# --- Suspending and reactivating --------------------------------------------------------------------------------------


def test_before_suspending_one_sees_what_ends(ada, ivy, contributor):
    cast.invited(ivy, "bob@example.org", grant=contributor)

    answer = signed_in(ada).get(page(ivy, "suspend"))

    assert "1 invitation is revoked: bob@example.org" in section(answer, "What ends with it")
    assert "Take it over" in text(answer)
    assert now(ivy).suspended_at is None


def test_suspending_says_so_and_which_invitations_it_ended(ada, ivy, contributor):
    cast.invited(ivy, "bob@example.org", grant=contributor)

    answer = press(ada, ivy, "suspend", version="1")

    assert (answer.status_code, answer.url) == (303, page(ivy))
    assert now(ivy).suspended_at
    assert "Ivy is suspended. 1 invitation is revoked: bob@example.org." in said(ada, answer)


def test_invitations_are_taken_over_in_the_same_act(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    press(ada, ivy, "suspend", take_over="yes")

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)


def test_the_page_of_a_suspended_member_offers_to_reactivate(ada, mel):
    set_row(mel, suspended_at=timezone.now() - timedelta(hours=3))

    answer = signed_in(ada).get(page(mel))

    assert "Suspended 3 hours ago" in section(answer, "Membership")
    assert "Reactivate" in text(answer)
    assert page(mel, "suspend") not in answer.content.decode()


def test_reactivating_says_so(ada, mel):
    set_row(mel, suspended_at=timezone.now())

    answer = press(ada, mel, "reactivate", version="1")

    assert now(mel).suspended_at is None
    assert "Mel is active again." in said(ada, answer)


def test_whose_end_has_come_is_not_reactivated_and_the_page_says_why(ada, mel):
    set_row(mel, suspended_at=timezone.now(), expires_at=timezone.now())

    answer = press(ada, mel, "reactivate")

    assert answer.status_code == 409
    assert "Give it a new end, or none." in text(answer)


def test_the_last_administrator_is_told_why_not(ada):
    answer = press(ada, ada, "suspend")

    assert answer.status_code == 409
    assert "needs an active administrator" in text(answer)
    assert now(ada).suspended_at is None


def test_who_suspends_themselves_goes_home_and_finds_it_asleep(bea):
    assert "You cannot undo this yourself." in text(signed_in(bea).get(page(bea, "suspend")))

    answer = press(bea, bea, "suspend")

    assert answer.url == "/"
    assert signed_in(bea).get("/o/acme/").status_code == 403


def test_on_ones_own_page_nobody_is_led_to_suspend_themselves(bea):
    assert page(bea, "suspend") not in signed_in(bea).get(page(bea)).content.decode()


@pytest.mark.parametrize("verb", ["suspend", "reactivate", "end"])
def test_who_holds_more_is_neither_offered_nor_done(ivy, bea, verb):
    shown = signed_in(ivy).get(page(bea)).content.decode()
    assert page(bea, verb) not in shown

    answer = press(ivy, bea, verb, ends_on="2099-01-01")

    assert answer.status_code == 403
    assert "You do not hold: Manage billing information for organization." in text(answer)
    assert (now(bea).suspended_at, now(bea).expires_at) == (None, None)


@pytest.mark.parametrize("verb", ["suspend", "reactivate", "end"])
def test_a_page_that_shows_what_is_no_longer_so_changes_nothing(ada, mel, developer, verb):
    memberships.change(ada, member=mel.membership, grant=developer)

    answer = press(ada, mel, verb, version="1", ends_on="2099-01-01")

    assert answer.status_code == 412
    assert "Somebody changed this meanwhile." in text(answer)
    assert (now(mel).suspended_at, now(mel).expires_at) == (None, None)


def test_what_was_changed_meanwhile_is_shown(ada, ivy, mel):
    memberships.change(ivy, member=mel.membership, status="suspended")

    answer = press(ada, mel, "end", version="1", ends_on="2099-01-01")

    assert "Ivy suspended Mel" in text(answer)
    assert 'name="ends_on" value=""' in answer.content.decode()


def test_a_suspended_person_finds_one_page_that_says_since_when_and_whom_to_ask(ada, mel):
    set_row(mel, suspended_at=datetime(2026, 5, 4, 10, 30, tzinfo=UTC), invited_by="Ada")

    answer = signed_in(mel).get("/o/acme/users")

    assert answer.status_code == 403
    assert "since 4 May 2026, 10:30 UTC" in text(answer)
    assert "ask Ada , who invited you" in text(answer)


# --- The end of a membership ------------------------------------------------------------------------------------------


def test_the_last_day_counts_to_its_end(ada, mel):
    answer = press(ada, mel, "end", version="1", ends_on="2099-12-31")

    assert (answer.status_code, answer.url) == (303, page(mel))
    assert now(mel).expires_at == datetime.combine(date(2099, 12, 31), time.max, tzinfo=UTC)
    assert "The membership of Mel ends on 2099-12-31." in said(ada, answer)
    shown = signed_in(ada).get(page(mel))
    assert 'name="ends_on" value="2099-12-31"' in shown.content.decode()
    assert "ends 31 December 2099" in section(shown, "Membership")


def test_an_empty_day_lifts_the_end(ada, mel):
    set_row(mel, expires_at=timezone.now() + A_DAY)

    answer = press(ada, mel, "end", ends_on="")

    assert now(mel).expires_at is None
    assert "The membership of Mel does not end." in said(ada, answer)


def test_saving_the_day_that_is_shown_moves_no_hour(ada, mel):
    end = datetime(2099, 12, 31, 9, tzinfo=UTC)
    set_row(mel, expires_at=end)

    press(ada, mel, "end", ends_on="2099-12-31")

    assert (now(mel).expires_at, now(mel).version) == (end, 1)


def test_on_the_day_of_an_end_that_has_come_the_rest_of_it_can_be_given(ada, mel, time_machine):
    time_machine.move_to(datetime(2099, 12, 31, 12, tzinfo=UTC), tick=False)
    set_row(mel, expires_at=datetime(2099, 12, 31, 9, tzinfo=UTC))

    assert press(ada, mel, "end", ends_on="2099-12-31").status_code == 303
    assert now(mel).state(timezone.now()) == "active"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("2001-01-01", "The end of the membership lies in the past."),
        ("31.12.2099", "Write the day as in 2027-01-31."),
    ],
)
def test_a_day_that_is_none_is_refused_beside_the_field_and_kept(ada, mel, typed, sentence):
    answer = press(ada, mel, "end", ends_on=typed)

    assert answer.status_code == 422
    assert beside(answer, "ends_on") == sentence
    assert f'name="ends_on" value="{typed}"' in answer.content.decode()


def test_ones_own_end_is_brought_closer_and_not_put_off(bea):
    set_row(bea, expires_at=datetime(2099, 6, 1, tzinfo=UTC))

    answer = press(bea, bea, "end", ends_on="2099-07-01")
    assert answer.status_code == 403
    assert beside(answer, "ends_on") == "Nobody puts off their own end. Ask another who manages members."

    assert press(bea, bea, "end", ends_on="2099-05-01").status_code == 303


def test_who_may_not_change_the_member_is_offered_no_field(mel, ivy, bea):
    for who in (mel, ivy):
        assert "ends_on" not in signed_in(who).get(page(bea)).content.decode()


# --- History ----------------------------------------------------------------------------------------------------------


def test_a_long_history_goes_on_on_pages_of_its_own(ada, mel, payments):
    for role in ["member", "manager"] * 30:
        workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=role)

    assert "The whole history" in text(signed_in(ada).get(page(mel)))
    first = signed_in(ada).get(page(mel, "history"))
    older = signed_in(ada).get(page(mel, f"history?before={first.context['older']}"))

    told = [event.sentence for answer in (first, older) for event in answer.context["history"]]
    assert len(told) == 60
    assert "a seat in" in told[-1]
    assert older.context["older"] is None
    assert "Nothing lies further back." in text(signed_in(ada).get(page(mel, f"history?before={UUID(int=0)}")))


def test_a_short_history_stands_on_the_page_of_the_member(ada, mel):
    memberships.change(ada, member=mel.membership, status="suspended")

    assert "The whole history" not in text(signed_in(ada).get(page(mel)))
    assert "Ada suspended Mel" in text(signed_in(ada).get(page(mel, "history?before=nonsense")))


# --- Former members ---------------------------------------------------------------------------------------------------


def departed(ada, member) -> str:
    memberships.remove(ada, members=[member.membership])
    key = Event.objects.filter(subject_id=member.id, action="member.removed").latest("id").pk
    return f"/o/acme/users/former/{key}"


def test_who_left_or_was_removed_stands_on_a_list(ada, mel, ivy):
    where = departed(ada, mel)
    memberships.leave(ivy)

    answer = signed_in(ada).get("/o/acme/users/former")

    assert "Ivy ivy@example.org Custom left · now" in text(answer)
    assert "Mel mel@example.org Contributor removed by Ada · now" in text(answer)
    assert f'href="{where}"' in answer.content.decode()
    assert "/o/acme/users/former" in signed_in(ada).get("/o/acme/users").content.decode()


def test_where_nobody_left_the_list_says_what_it_is_for(ada):
    assert "Whoever leaves or is removed stands here for 90 days." in text(signed_in(ada).get("/o/acme/users/former"))


def test_many_are_shown_in_pages(ada, acme, contributor):
    people = [cast.joined(acme, cast.person(f"P{n:02}"), contributor) for n in range(51)]
    memberships.remove(ada, members=[each.membership for each in people])

    assert "51 to 51 of 51" in text(signed_in(ada).get("/o/acme/users/former?page=2"))


def test_among_others_the_list_is_one_of_the_states(ada, mel):
    assert ">Former</a>" in signed_in(ada).get("/o/acme/users").content.decode()


def test_only_those_who_manage_members_are_led_there(mel):
    assert "/o/acme/users/former" not in signed_in(mel).get("/o/acme/users").content.decode()


def test_before_bringing_back_one_sees_what_is_offered(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")

    answer = signed_in(ada).get(departed(ada, mel))

    assert "Ada removed them" in section(answer, "When they left")
    assert "View members of the organization" in section(answer, "What they are offered")
    assert "A seat in Payments , as manager" in section(answer, "What they are offered")
    assert "What stays out" not in text(answer)


def test_bringing_back_sends_an_invitation_and_shows_it(ada, mel):
    where = departed(ada, mel)

    answer = signed_in(ada).post(where)

    offer = Invitation.objects.get()
    assert (answer.status_code, answer.url) == (303, f"/o/acme/users/{offer.pk}")
    assert "A letter invites mel@example.org back." in said(ada, answer)


def test_what_one_cannot_give_is_named(ada, ivy, acme, payments):
    dan = cast.joined(acme, cast.person("Dan"), cast.custom(MEMBERS_VIEW, BILLING_MANAGE))
    workspaces.give_seat(ada, workspace=payments, member=dan.membership, role="member")
    where = departed(ada, dan)

    answer = signed_in(ivy).get(where)

    # Of the workspace, which ivy may not see, she learns no name.
    assert "Manage billing information for organization" in section(answer, "What stays out")
    assert "Payments" not in text(answer)
    assert "1 seat in a workspace of others" in section(answer, "What stays out")


def test_a_role_that_is_gone_leads_to_inviting_with_another(ada, acme):
    role = roles.add(ada, name="Lead", permissions=frozenset({MEMBERS_VIEW}))
    dan = cast.joined(acme, cast.person("Dan"), roles.Grant(role=role))
    where = departed(ada, dan)
    roles.delete(ada, role=role)

    answer = signed_in(ada).get(where)
    assert "The role that they had is gone." in text(answer)
    assert "/o/acme/users/invite?email=dan%40example.org" in answer.content.decode()

    assert signed_in(ada).post(where).status_code == 409


def test_who_was_invited_back_already_is_not_invited_twice(ada, mel):
    where = departed(ada, mel)
    signed_in(ada).post(where)

    answer = signed_in(ada).post(where)

    assert answer.status_code == 409
    assert "mel@example.org has an invitation already." in text(answer)


def test_who_makes_an_administrator_again_is_asked_who_they_are(ada, acme, administrator):
    where = departed(ada, cast.joined(acme, cast.person("Zoe"), administrator))

    answer = signed_in(ada, proved=False).post(where)

    assert answer.status_code == 303
    assert answer.url.startswith("/account/reauthenticate/")
    assert not Invitation.objects.exists()


def test_another_organizations_departure_does_not_exist(ada, eve, mel):
    key = departed(ada, mel).rpartition("/")[2]

    assert signed_in(eve).get(f"/o/elsewhere/users/former/{key}").status_code == 404
