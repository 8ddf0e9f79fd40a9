"""Workspaces: mine and all, creating one, and who has a seat in it.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import re

import pytest
from django.test import Client

from portico.domain import invitations, workspaces
from portico.domain.access import Member
from portico.domain.invitations import Invitation
from portico.domain.permissions import MANAGER, MEMBER, MEMBERS_VIEW, WORKSPACES_VIEW_ALL
from portico.domain.workspaces import Seat, SeatOffer, Workspace
from tests import cast
from tests.cast import actions
from tests.console.browser import beside, section, signed_in, text

ALL, NEW = "/o/acme/workspaces", "/o/acme/workspaces/new"
PAYMENTS = "/o/acme/workspaces/payments"
SEATS, EDIT = f"{PAYMENTS}/seats", f"{PAYMENTS}/edit"
ARCHIVE, RESTORE, DELETE = f"{PAYMENTS}/archive", f"{PAYMENTS}/restore", f"{PAYMENTS}/delete"


@pytest.fixture
def dev(acme, developer) -> Member:
    """A Developer: creates workspaces, and sees all."""
    return cast.joined(acme, cast.person("Dev"), developer)


def seats(workspace: Workspace) -> dict[str, str]:
    return dict(Seat.objects.filter(workspace=workspace).values_list("membership__name", "role"))


def creating(client: Client, **typed: str):
    return client.post(NEW, {"name": "Ledger", "slug": "", "description": ""} | typed)


# --- The lists ------------------------------------------------------------------------------------------------------


def test_mine_are_those_in_which_i_have_a_seat(ada, dev, payments):
    workspaces.create(dev, name="Ledger")

    page = text(signed_in(dev).get(ALL))

    assert "Ledger Manager" in page
    assert "Payments" not in page


def test_with_the_permission_all_are_shown(dev, payments):
    page = text(signed_in(dev).get(ALL, {"show": "all"}))

    assert "Payments No seat" in page


def test_without_the_permission_all_are_only_mine(ada, mel, payments):
    answer = signed_in(mel).get(ALL, {"show": "all"})

    assert "Payments" not in text(answer)
    assert "?show=all" not in answer.content.decode()


def test_an_empty_list_says_what_to_do_first(ada, mel, dev):
    assert "Create one for a team or a project" in text(signed_in(dev).get(ALL))
    assert "Whoever manages a workspace gives you a seat" in text(signed_in(mel).get(ALL))


def test_who_sees_all_and_has_no_seat_is_led_to_them(dev, payments):
    answer = signed_in(dev).get(ALL)

    assert "There are others" in text(answer)
    assert 'href="/o/acme/workspaces?show=all">Show all' in answer.content.decode()


def test_long_lists_have_pages(ada):
    for n in range(51):
        workspaces.create(ada, name=f"Part {n:02}")
    client = signed_in(ada)

    first, second = client.get(ALL), client.get(ALL, {"page": 2})

    assert "1 to 50 of 51" in text(first)
    assert "Part 50" not in text(first)
    assert "Part 50" in text(second)


def test_archived_ones_are_apart_and_for_administrators(ada, dev, payments):
    workspaces.create(ada, name="Ledger")
    workspaces.archive(ada, workspace=payments)
    client = signed_in(ada)

    for shown in ({}, {"show": "all"}):
        assert "Ledger" in text(client.get(ALL, shown))
        assert "Payments" not in text(client.get(ALL, shown))
    archived = text(client.get(ALL, {"show": "archived"}))
    assert "Payments Archived" in archived
    assert "Ledger" not in archived
    answer = signed_in(dev).get(ALL, {"show": "archived"})
    assert "Payments" not in text(answer)
    assert "show=archived" not in answer.content.decode()


# --- Creating -------------------------------------------------------------------------------------------------------


def test_whoever_creates_a_workspace_manages_it(dev):
    answer = creating(signed_in(dev), name="Ledger & Co", description="Who owes what")

    ledger = Workspace.objects.get()
    assert (answer.status_code, answer.url) == (303, "/o/acme/workspaces/ledger-co")
    assert seats(ledger) == {"Dev": MANAGER}
    assert actions(dev.organization)[-2:] == ["workspace.created", "seat.given"]


def test_a_workspace_called_new_has_an_address_of_its_own(dev):
    client = signed_in(dev)

    assert client.get(creating(client, name="New").url).status_code == 200


def test_without_the_permission_the_page_is_neither_linked_nor_open(mel):
    client = signed_in(mel)

    assert NEW not in client.get(ALL).content.decode()
    assert client.get(NEW).status_code == 403
    assert creating(client).status_code == 403
    assert not Workspace.objects.exists()


def test_all_that_is_wrong_is_said_beside_its_field(dev):
    answer = creating(signed_in(dev), name="http://x", slug="no good", description="x" * 201)

    assert answer.status_code == 422
    assert beside(answer, "name").startswith("A name cannot contain a web address")
    assert beside(answer, "slug").startswith("An address has 3 to 40 characters")
    assert beside(answer, "description") == "Write at most 200 characters."
    assert not Workspace.objects.exists()


def test_an_address_that_is_taken_says_so(dev, payments):
    answer = creating(signed_in(dev), slug="payments")

    assert answer.status_code == 409
    assert beside(answer, "slug") == "There is a workspace “payments” already."


# --- One workspace --------------------------------------------------------------------------------------------------


def test_a_manager_sees_people_and_may_change_their_seats(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MEMBER)

    answer = signed_in(ada).get(PAYMENTS)

    assert "Mel mel@example.org Member Make manager Mel Take seat away Mel" in section(answer, "People")
    assert "Decide" not in text(answer)
    assert "decide who has a seat in it" in section(answer, "What you may do here")


def test_a_members_seat_views_and_changes_nothing(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MEMBER)

    answer = signed_in(mel).get(PAYMENTS)

    assert "Ada ada@example.org Manager" in section(answer, "People")
    assert SEATS not in answer.content.decode()


def test_seeing_all_shows_name_and_managers_and_nothing_else(ada, mel, dev, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MEMBER)

    answer = signed_in(dev).get(PAYMENTS)

    assert section(answer, "Managers") == "Managers Ada ada@example.org Manager"
    assert "You have no seat here" in text(answer)
    assert "Mel" not in text(answer)


def test_without_seat_and_permission_a_workspace_does_not_exist(mel, eve, payments):
    assert signed_in(mel).get(PAYMENTS).status_code == 404
    assert signed_in(eve).get(PAYMENTS).status_code == 404
    assert signed_in(eve).get("/o/elsewhere/workspaces/payments").status_code == 404


def test_who_may_not_see_members_sees_names_of_their_workspace_and_no_address(ada, payments):
    bo = cast.joined(ada.organization, cast.person("Bo"), cast.custom())
    workspaces.give_seat(ada, workspace=payments, member=bo.membership, role=MANAGER)

    answer = signed_in(bo).get(PAYMENTS)

    assert "Ada" in section(answer, "People")
    assert "ada@example.org" not in text(answer)
    assert "Give a seat" not in text(answer)


def test_seeing_all_is_no_seat(ada, payments):
    viewer = cast.joined(ada.organization, cast.person("Vi"), cast.custom(WORKSPACES_VIEW_ALL, MEMBERS_VIEW))

    answer = signed_in(viewer).post(SEATS, {"who": "vi@example.org", "role": MANAGER})

    assert answer.status_code == 403
    assert seats(payments) == {"Ada": MANAGER}


# --- Seats ----------------------------------------------------------------------------------------------------------


def test_a_seat_is_given_to_a_member_by_address(ada, mel, payments):
    answer = signed_in(ada).post(SEATS, {"who": " MEL@Example.org ", "role": MEMBER})

    assert (answer.status_code, answer.url) == (303, PAYMENTS)
    assert seats(payments) == {"Ada": MANAGER, "Mel": MEMBER}


def test_a_name_is_answered_with_a_choice_and_never_guessed(ada, mel, payments):
    client = signed_in(ada)

    answer = client.post(SEATS, {"who": "mel", "role": MANAGER})
    [choice] = re.findall(r'name="member" value="([^"]+)">(?=<span)', answer.content.decode())

    assert answer.status_code == 422
    assert beside(answer, "who") == "Choose whom you mean."
    assert seats(payments) == {"Ada": MANAGER}
    client.post(SEATS, {"who": "mel", "member": choice, "role": MANAGER})
    assert seats(payments) == {"Ada": MANAGER, "Mel": MANAGER}


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        ("", "Write a name or an email address."),
        ("zoe", "Among the members without a seat here nobody is called “zoe”."),
        ("eve@example.org", "Among the members without a seat here nobody is called “eve@example.org”."),
        ("ada@example.org", "Among the members without a seat here nobody is called “ada@example.org”."),
    ],
)
def test_who_cannot_get_a_seat_is_named(ada, eve, payments, who, sentence):
    answer = signed_in(ada).post(SEATS, {"who": who, "role": MEMBER})

    assert answer.status_code == 422
    assert beside(answer, "who") == sentence


def test_a_seat_that_is_none_is_refused(ada, mel, payments):
    answer = signed_in(ada).post(SEATS, {"who": "mel@example.org", "role": "owner"})

    assert answer.status_code == 422
    assert "A seat is that of a manager or of a member." in text(answer)


def test_a_member_becomes_manager(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MEMBER)

    signed_in(ada).post(SEATS, {"do": "change", "member": mel.membership.pk, "shown": MEMBER, "role": MANAGER})

    assert seats(payments)["Mel"] == MANAGER


def test_a_page_that_shows_another_seat_changes_nothing(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MANAGER)

    answer = signed_in(ada).post(SEATS, {"do": "change", "member": mel.membership.pk, "shown": MEMBER, "role": MEMBER})

    assert answer.status_code == 412
    assert "Somebody changed this meanwhile. Here is how it stands now." in text(answer)
    assert seats(payments)["Mel"] == MANAGER


def test_a_seat_that_changed_meanwhile_is_not_taken(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MANAGER)

    answer = signed_in(ada).post(SEATS, {"do": "take", "member": mel.membership.pk, "shown": MEMBER})

    assert answer.status_code == 412
    assert seats(payments)["Mel"] == MANAGER


def test_a_seat_is_taken_away(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MEMBER)

    answer = signed_in(ada).post(SEATS, {"do": "take", "member": mel.membership.pk}, follow=True)

    assert "Mel has no seat in Payments any more." in text(answer)
    assert seats(payments) == {"Ada": MANAGER}


def test_a_manager_who_gives_up_the_only_way_in_lands_on_the_list(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MANAGER)

    answer = signed_in(mel).post(SEATS, {"do": "take", "member": mel.membership.pk})

    assert answer.url == ALL


def test_a_workspaces_manager_needs_no_other_permission(ada, mel, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MANAGER)

    signed_in(mel).post(SEATS, {"who": "ivy@example.org", "role": MANAGER})

    assert seats(payments)["Ivy"] == MANAGER


def test_a_seat_of_somebody_else_or_of_nobody_is_not_there(ada, mel, eve, payments):
    client = signed_in(ada)

    for member in (eve.membership.pk, mel.membership.pk, "nonsense", ""):
        assert client.post(SEATS, {"do": "take", "member": member}).status_code == 404
    assert client.post(SEATS, {"member": eve.membership.pk, "role": MEMBER}).status_code == 404


def test_what_taking_a_managers_seat_ends_is_shown_first(ada, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role=MANAGER)
    cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(payments)])
    client, taking = signed_in(ada), {"do": "take", "member": ivy.membership.pk}

    shown = client.post(SEATS, taking)

    assert "Not done yet: what this ends" in text(shown)
    assert "1 invitation is revoked: bob@example.org" in text(shown)
    assert seats(payments)["Ivy"] == MANAGER
    answer = client.post(SEATS, taking | {"ends": "1"}, follow=True)
    assert "1 invitation is revoked: bob@example.org." in text(answer)
    assert "Ivy" not in seats(payments)


def test_such_offers_may_be_taken_over(ada, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role=MANAGER)
    offer = cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(payments)])
    changing = {"do": "change", "member": ivy.membership.pk, "shown": MANAGER, "role": MEMBER}
    client = signed_in(ada)
    assert "Take it over" in text(client.post(SEATS, changing))

    client.post(SEATS, changing | {"ends": "1", "take_over": "yes"})

    assert seats(payments)["Ivy"] == MEMBER
    assert Invitation.objects.get(pk=offer.pk).sponsor == ada.membership


def test_who_may_not_see_invitations_sees_how_many_end_and_not_whose(ada, ivy, dev, payments):
    for manager in (ivy, dev):
        workspaces.give_seat(ada, workspace=payments, member=manager.membership, role=MANAGER)
    cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(payments)])
    client, taking = signed_in(dev), {"do": "take", "member": ivy.membership.pk}

    answers = [text(client.post(SEATS, taking)), text(client.post(SEATS, taking | {"ends": "1"}, follow=True))]

    assert all("1 invitation is revoked." in answer for answer in answers)
    assert not any("bob@example.org" in answer for answer in answers)


# --- Details --------------------------------------------------------------------------------------------------------


def test_a_manager_edits_and_is_led_to_the_new_address(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MANAGER)
    client = signed_in(mel)
    assert f'href="{EDIT}"' in client.get(PAYMENTS).content.decode()

    answer = client.post(EDIT, {"name": "Money", "slug": "money", "color": "teal", "version": "1"})

    assert (answer.status_code, answer.url) == (303, "/o/acme/workspaces/money")
    row = Workspace.objects.get()
    assert (row.name, row.slug, row.color, row.description) == ("Money", "money", "teal", "")
    assert 'data-color="teal"' in client.get(answer.url).content.decode()


def test_errors_stand_beside_their_fields_and_what_was_typed_stays(ada, payments):
    workspaces.create(ada, name="Ledger")

    answer = signed_in(ada).post(EDIT, {"name": "http://x", "slug": "no good", "color": "infrared", "version": "1"})

    assert answer.status_code == 422
    assert beside(answer, "name").startswith("A name cannot contain a web address")
    assert beside(answer, "slug").startswith("An address has 3 to 40 characters")
    assert beside(answer, "color") == "Choose one of the colours."
    assert 'value="no good"' in answer.content.decode()
    taken = signed_in(ada).post(EDIT, {"slug": "ledger", "version": "1"})
    assert (taken.status_code, beside(taken, "slug")) == (409, "There is a workspace “ledger” already.")


def test_what_somebody_changed_meanwhile_is_shown_and_what_was_typed_is_kept(ada, payments):
    client = signed_in(ada)
    page = client.get(EDIT).content.decode()
    form = dict(re.findall(r'name="((?:was:)?[a-z]+)" value="([^"]*)"', page)) | {"color": payments.color}
    workspaces.change(ada, workspace=payments, name="Money", color="teal")

    answer = client.post(EDIT, form | {"description": "Who owes what"})

    assert answer.status_code == 412
    assert "Somebody changed this meanwhile." in text(answer)
    assert "Changed meanwhile to “Money”." in text(answer)
    assert "Changed meanwhile to “Teal”." in text(answer)
    assert 'name="name" value="Money"' in answer.content.decode()
    assert 'value="Who owes what"' in answer.content.decode()
    assert 'value="teal" checked' in answer.content.decode()
    assert Workspace.objects.get().description == ""


def test_former_addresses_lead_on_with_what_was_asked_and_sent(ada, mel, payments):
    workspaces.change(ada, workspace=payments, slug="money")
    client = signed_in(ada)

    for path in ("", "/edit", "/archive"):
        answer = client.get(f"{PAYMENTS}{path}?page=2")
        assert (answer.status_code, answer.url) == (308, f"/o/acme/workspaces/money{path}?page=2")
    assert "no-store" in client.get(PAYMENTS)["Cache-Control"]  # so that it may lead elsewhere tomorrow
    assert client.get(f"/o/acme/workspaces/{payments.pk}").url == "/o/acme/workspaces/money"
    client.post(SEATS, {"who": "mel@example.org", "role": MEMBER}, follow=True)
    assert seats(payments)["Mel"] == MEMBER


def test_a_former_address_leads_nobody_to_what_they_may_not_see(ada, mel, eve, payments):
    workspaces.change(ada, workspace=payments, slug="money")

    assert [signed_in(who).get(PAYMENTS).status_code for who in (mel, eve)] == [404, 404]


def test_who_only_sees_all_touches_nothing_and_finds_no_way_to(ada, mel, payments):
    viewer = cast.joined(ada.organization, cast.person("Vi"), cast.custom(WORKSPACES_VIEW_ALL))
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MEMBER)
    client = signed_in(viewer)

    page = client.get(PAYMENTS)

    assert "Payments" in text(page)
    assert section(page, "Managers") == "Managers Ada Manager"  # without an address: this is not to see members
    assert "Mel" not in page.content.decode()
    assert not re.findall(r'href="[^"]*/payments/|<form[^>]*/payments', page.content.decode())
    assert "invite?workspace" not in page.content.decode()
    for path in (EDIT, ARCHIVE, RESTORE, DELETE):
        assert client.get(path).status_code == 403
        assert client.post(path, {"name": "Mine", "confirm": "Payments"}).status_code == 403
    assert client.post(SEATS, {"do": "take", "member": mel.membership.pk}).status_code == 403
    assert client.get("/o/acme/users", {"workspace": "payments"}).status_code == 403
    assert seats(payments) == {"Ada": MANAGER, "Mel": MEMBER}
    assert Workspace.objects.get().name == "Payments"


def test_who_sees_members_and_all_workspaces_finds_managers_only(ada, dev, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MEMBER)

    page = text(signed_in(dev).get("/o/acme/users", {"workspace": "payments"}))

    assert "ada@example.org" in page
    assert "mel@example.org" not in page


# --- Inviting straight into it --------------------------------------------------------------------------------------


def test_who_may_hand_out_its_seats_invites_straight_into_it(ada, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role=MANAGER)
    client = signed_in(ivy)
    [way] = re.findall(r'href="([^"]*invite[^"]*)"', client.get(PAYMENTS).content.decode())

    page = client.get(way).content.decode()

    assert way == "/o/acme/users/invite?workspace=payments"
    assert re.search(r'name="seat:payments">.*?value="member" selected', page)


@pytest.mark.parametrize("place", ["ledger", "nothing", "payments%00"])
def test_another_workspace_is_not_chosen_beforehand(ada, ivy, payments, place):
    workspaces.create(ada, name="Ledger")
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role=MANAGER)

    answer = signed_in(ivy).get(f"/o/acme/users/invite?workspace={place}")

    assert answer.status_code == 200
    assert 'value="member" selected' not in answer.content.decode()


def test_who_may_not_invite_or_not_into_it_finds_no_link(ada, dev, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=dev.membership, role=MANAGER)
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role=MEMBER)

    for who in (dev, ivy):
        assert "invite?workspace" not in signed_in(who).get(PAYMENTS).content.decode()


# --- Its end, and its return ----------------------------------------------------------------------------------------


def test_a_manager_archives_after_seeing_what_it_means(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MANAGER)
    cast.invited(ada, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(payments)])
    client = signed_in(mel)
    assert f'href="{ARCHIVE}"' in client.get(EDIT).content.decode()

    shown = text(client.get(ARCHIVE))
    answer = client.post(ARCHIVE, {"version": "1"}, follow=True)

    assert "only an Administrator can restore it" in shown
    assert "2 seats give nothing any more" in shown
    assert "invitation" not in shown  # mel may not know of any
    assert "Payments is archived." in text(answer)
    assert answer.redirect_chain == [(ALL, 303)]
    assert client.get(PAYMENTS).status_code == 404
    assert "1 invitation with a seat here goes on without it" not in text(signed_in(ada).get(PAYMENTS))


def test_an_administrator_sees_that_it_is_archived_and_restores_it(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MEMBER)
    client = signed_in(ada)
    answer = client.post(ARCHIVE, {"version": "2"})
    assert answer.status_code == 412  # giving a seat is no change of the workspace
    assert client.post(ARCHIVE, {"version": "1"}).url == PAYMENTS

    page = client.get(PAYMENTS)
    assert f'href="{RESTORE}"' in page.content.decode()
    assert SEATS not in page.content.decode()
    assert "2 seats give again what they gave" in text(client.get(RESTORE))
    assert client.post(RESTORE, {"version": "2"}).url == PAYMENTS

    assert Workspace.objects.get().is_open
    assert signed_in(mel).get(PAYMENTS).status_code == 200


def test_restoring_shows_first_which_offers_it_ends(ada, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role=MANAGER)
    offer = cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(payments)])
    workspaces.archive(ada, workspace=payments)
    workspaces.take_seat(ada, workspace=payments, member=ivy.membership)
    client = signed_in(ada)

    assert "1 invitation is revoked: bob@example.org" in text(client.get(RESTORE))
    answer = client.post(RESTORE, {"version": "2", "take_over": "yes"}, follow=True)

    assert "Payments is open again." in text(answer)
    assert Invitation.objects.get(pk=offer.pk).sponsor == ada.membership
    assert invitations.visible_to(ada).pending().count() == 1


def test_where_there_is_nothing_to_ask_the_workspace_is_shown(ada, payments):
    client = signed_in(ada)

    assert [client.get(path).url for path in (RESTORE, DELETE)] == [PAYMENTS] * 2
    workspaces.archive(ada, workspace=payments)
    assert client.get(ARCHIVE).url == PAYMENTS


def test_a_workspace_is_deleted_by_whoever_writes_its_name(ada, payments):
    workspaces.archive(ada, workspace=payments)
    cast.invited(ada, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(payments)])
    client = signed_in(ada)
    shown = client.get(DELETE)
    assert "1 seat that an invitation offers" in text(shown)

    for typed in ("", "payment", "PAYMENTS"):
        answer = client.post(DELETE, {"confirm": typed, "version": "2"})
        assert (answer.status_code, beside(answer, "confirm")) == (
            422,
            "Type the name exactly as it is: Payments",
        )
    assert Workspace.objects.exists()
    answer = client.post(DELETE, {"confirm": " Payments ", "version": "2"}, follow=True)

    assert "Payments is deleted." in text(answer)
    assert not Workspace.objects.exists()


def test_only_administrators_open_the_page_that_deletes(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MANAGER)

    assert signed_in(mel).get(DELETE).status_code == 403
    workspaces.archive(ada, workspace=payments)
    for path in (DELETE, RESTORE, EDIT):
        assert signed_in(mel).get(path).status_code == 404


def test_an_archived_workspace_shows_its_state_to_who_may_restore_it(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=MANAGER)
    Workspace.objects.update(archived_at=ada.now)

    assert "Archived" in text(signed_in(ada).get(PAYMENTS))
    assert signed_in(mel).get(PAYMENTS).status_code == 404


# --- Undo ----------------------------------------------------------------------------------------------------------

TOAST = re.compile(r'<div class="toast".*?</div>', re.DOTALL)


def undone(browser, answer):
    """The form of the toast on the page that follows, sent; nothing where none is offered."""
    [toast] = TOAST.findall(browser.get(answer.url).content.decode())
    path = re.search(r'action="([^"]+)"', toast)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', toast))
    return path and browser.post(path[1], fields)


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        ("", {"do": "give", "role": "member"}),
        ("", {"do": "give", "role": "manager"}),
        ("member", {"do": "change", "role": "manager", "shown": "member"}),
        ("manager", {"do": "change", "role": "member", "shown": "manager"}),
        ("member", {"do": "take"}),
        ("manager", {"do": "take"}),
    ],
)
def test_undo_restores_the_seat_that_was_there(ada, mel, payments, before, asked):
    for role in filter(None, [before]):
        workspaces.give_seat(ada, workspace=payments, member=mel.membership, role=role)
    adas = signed_in(ada)
    answer = adas.post(SEATS, asked | {"member": mel.membership.pk})

    assert undone(adas, answer).status_code == 303

    assert list(mel.membership.seats.values_list("role", flat=True)) == ([before] if before else [])
    assert undone(adas, answer) is not None  # and that can be taken back too


def test_undo_that_came_too_late_is_refused_as_any_page_that_shows_what_is_no_longer_true(ada, mel, payments):
    adas = signed_in(ada)
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    answer = adas.post(SEATS, {"do": "change", "member": mel.membership.pk, "role": "manager", "shown": "member"})
    workspaces.take_seat(ada, workspace=payments, member=mel.membership)

    assert undone(adas, answer).status_code in {404, 409, 412}
    assert not mel.membership.seats.exists()


def test_undo_takes_no_seat_that_somebody_has_changed_meanwhile(ada, mel, payments):
    adas = signed_in(ada)
    answer = adas.post(SEATS, {"do": "give", "member": mel.membership.pk, "role": "member"})
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")

    assert undone(adas, answer).status_code == 412
    assert seats(payments)["Mel"] == MANAGER


def test_who_gives_up_the_last_way_in_is_offered_no_undo_that_would_be_refused(mel, ada, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")
    mels = signed_in(mel)
    answer = mels.post(SEATS, {"do": "take", "member": mel.membership.pk})

    assert undone(mels, answer) is None
