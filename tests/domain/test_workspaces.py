"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portico.domain import invitations, words, workspaces
from portico.domain.access import Member, Person
from portico.domain.errors import Forbidden, Invalid, Missing, Refused
from portico.domain.events import Event, Label
from portico.domain.invitations import Invitation, OfferedSeat
from portico.domain.memberships import Membership
from portico.domain.organizations import COLORS
from portico.domain.permissions import (
    ADMINISTER,
    MEMBERS_MANAGE,
    MEMBERS_VIEW,
    WORKSPACE_MANAGE,
    WORKSPACE_VIEW,
    WORKSPACES_CREATE,
    WORKSPACES_VIEW_ALL,
)
from portico.domain.workspaces import FormerWorkspaceSlug, Seat, SeatOffer, Workspace
from tests import cast
from tests.model.explained import explain, snapshot


@pytest.fixture
def dev(acme, developer):
    """A Developer: creates workspaces and sees all of them."""
    return cast.joined(acme, cast.person("Dev"), developer)


@pytest.fixture
def web(dev):
    """A workspace that dev made and manages."""
    return workspaces.create(dev, name="Web")


def seat_of(member, workspace):
    return Seat.objects.filter(membership=member.membership, workspace=workspace).values_list("role", flat=True).first()


def again(member: Member) -> Member:
    """With what has become theirs meanwhile."""
    return Member.of(Membership.objects.get(pk=member.membership.pk), cast.VIA)


@contextmanager
def told(*actions: str) -> Iterator[None]:
    """The log tells of all that happens meanwhile, and of nothing else."""
    before = snapshot()
    yield
    assert sorted(event["action"] for event in explain(before, snapshot())) == sorted(actions)


# --- Creating ---------------------------------------------------------------------------------------------------------


def test_whoever_creates_a_workspace_manages_it(dev):
    web = workspaces.create(dev, name=" The  Web ", description="What people see.")

    assert (web.name, web.slug, web.description) == ("The Web", "the-web", "What people see.")
    assert seat_of(dev, web) == "manager"
    assert dev.can(WORKSPACE_MANAGE, web)
    created, given = Event.objects.order_by("-id")[:2][::-1]
    assert (created.action, created.subject_id) == ("workspace.created", web.pk)
    assert (given.action, given.subject_id) == ("seat.given", dev.membership.user_id)
    assert given.details == {"workspace": str(web.pk), "after": "manager"}


def test_the_operator_creates_a_workspace_without_a_seat_in_it(acme):
    web = workspaces.create(cast.operator(acme), name="Web")

    assert not web.seats.exists()


def test_who_may_not_create_workspaces_creates_none(mel):
    with pytest.raises(Forbidden) as refusal:
        workspaces.create(mel, name="Web")

    assert (refusal.value.code, refusal.value.missing) == ("missing_permission", [WORKSPACES_CREATE])
    assert not Workspace.objects.exists()


def test_a_token_creates_a_workspace_only_where_it_allows_to(dev):
    with pytest.raises(Forbidden):
        workspaces.create(Member.of(dev.membership, cast.VIA, limit=frozenset({MEMBERS_VIEW})), name="Web")

    assert workspaces.create(Member.of(dev.membership, cast.VIA, limit=frozenset({WORKSPACES_CREATE})), name="Web")


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"name": " "}, ["name"]),
        ({"name": "Web", "slug": "new"}, ["slug"]),
        ({"name": "Web", "slug": "w"}, ["slug"]),
        ({"name": "www.evil", "slug": "-", "description": "x" * 201}, ["name", "description", "slug"]),
    ],
)
def test_all_that_is_wrong_with_a_new_workspace_is_named_at_once(dev, given, fields):
    with pytest.raises(Invalid) as refusal:
        workspaces.create(dev, **given)

    assert [error.field for error in refusal.value.errors] == fields


def test_an_address_that_is_taken_is_refused(dev, web):
    with pytest.raises(Refused) as refusal:
        workspaces.create(dev, name="Another", slug="web")

    assert (refusal.value.code, refusal.value.field) == ("slug_taken", "slug")


def test_the_same_address_in_another_organization_is_free(web, eve):
    assert workspaces.create(eve, name="Web", slug="web").slug == "web"


def test_without_a_wish_workspaces_of_the_same_name_are_numbered(dev, web):
    assert [workspaces.create(dev, name="Web").slug for _ in range(3)] == ["web-2", "web-3", "web-4"]


@pytest.mark.parametrize("name", ["New", "株式会社", "x" * 80, "x" * 34 + "-- y", "Settings"])
def test_every_name_gets_an_address_that_may_be_used(dev, name):
    for _twice in range(2):
        slug = workspaces.create(dev, name=name).slug
        assert words.check_slug(slug) == slug


def test_a_workspace_has_the_colour_that_was_wished_or_the_next_one(dev):
    first, second = workspaces.create(dev, name="One"), workspaces.create(dev, name="Two")

    assert (first.color, second.color) == COLORS[:2]
    assert workspaces.create(dev, name="Three", color="slate").color == "slate"
    with pytest.raises(Invalid) as refusal:
        workspaces.create(dev, name="Four", color="infrared")
    assert refusal.value.field == "color"


# --- Details ----------------------------------------------------------------------------------------------------------


def test_a_manager_changes_what_the_workspace_is_called_and_how_it_looks(dev, web):
    with told("workspace.changed"):
        workspaces.change(
            dev, workspace=web, name=" Web  2 ", slug="web-2", description="New.", color="teal", version=web.version
        )

    web = Workspace.objects.get(pk=web.pk)
    assert (web.name, web.slug, web.description, web.color) == ("Web 2", "web-2", "New.", "teal")
    assert web.version == 2
    event = Event.objects.order_by("-id").first()
    assert event.details == {
        "changed": ["name", "description", "color", "slug"],
        "before": {"color": COLORS[0], "slug": "web"},
        "after": {"color": "teal", "slug": "web-2"},
    }
    assert Label.objects.get(pk=event.subject_label).text == "Web 2"


def test_what_is_not_given_stays(dev, web):
    workspaces.change(dev, workspace=web, description="New.")

    web = Workspace.objects.get(pk=web.pk)
    assert (web.name, web.slug, web.description) == ("Web", "web", "New.")


def test_the_same_details_again_are_no_change(dev, web):
    with told():
        workspaces.change(dev, workspace=web, name="Web", slug="web", description="", color=web.color)

    assert Workspace.objects.get(pk=web.pk).version == 1


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"slug": ""}, ["slug"]),
        ({"slug": "settings"}, ["slug"]),
        ({"slug": "0192f000-0000-7000-8000-000000000000"}, ["slug"]),
        ({"color": "infrared"}, ["color"]),
        (
            {"name": "www.evil", "slug": "-", "description": "x\u202e", "color": ""},
            ["name", "description", "color", "slug"],
        ),
    ],
)
def test_all_that_is_wrong_with_details_is_named_at_once(dev, web, given, fields):
    with pytest.raises(Invalid) as refusal, told():
        workspaces.change(dev, workspace=web, **given)

    assert [error.field for error in refusal.value.errors] == fields


def test_a_page_that_is_no_longer_true_changes_nothing(ada, dev, web):
    workspaces.change(ada, workspace=web, description="From ada.", version=1)

    for attempt in (
        lambda: workspaces.change(dev, workspace=web, description="From dev.", version=1),
        lambda: workspaces.archive(dev, workspace=web, version=1),
    ):
        with pytest.raises(Refused) as refusal:
            attempt()
        assert refusal.value.code == "changed_meanwhile"
    web = Workspace.objects.get(pk=web.pk)
    assert (web.description, web.is_open) == ("From ada.", True)


def test_an_archived_workspace_is_still_the_administrators_to_change(ada, dev, web):
    workspaces.archive(dev, workspace=web)

    assert workspaces.change(ada, workspace=web, name="Old web").name == "Old web"


# --- Addresses --------------------------------------------------------------------------------------------------------


def test_a_workspace_is_found_by_every_address_that_it_had_and_by_its_id(dev, web):
    for slug in ("www2", "www3"):
        workspaces.change(dev, workspace=web, slug=slug)

    for named in ("web", "www2", "www3", str(web.pk), web.pk.hex):
        assert workspaces.find(dev, named) == web
    for named in ("www4", "", "\0", "web\0", str(dev.organization.pk)):
        assert workspaces.find(dev, named) is None


def test_an_address_finds_nothing_that_one_may_not_see(dev, web, mel, eve):
    workspaces.change(dev, workspace=web, slug="www2")

    for who in (mel, eve):
        assert [workspaces.find(who, named) for named in ("web", "www2", str(web.pk))] == [None] * 3


def test_a_former_address_stays_its_owners(dev, web):
    workspaces.change(dev, workspace=web, slug="www2")

    with pytest.raises(Refused) as refusal:
        workspaces.create(dev, name="Other", slug="web")
    assert (refusal.value.code, refusal.value.field) == ("slug_taken", "slug")
    other = workspaces.create(dev, name="Web")
    assert other.slug == "web-2"
    for taken in ("web", "www2"):
        with pytest.raises(Refused):
            workspaces.change(dev, workspace=other, slug=taken)


def test_a_workspace_may_go_back_to_an_address_of_its_own(dev, web):
    with told("workspace.changed"):
        workspaces.change(dev, workspace=web, slug="www2")
    with told("workspace.changed"):
        workspaces.change(dev, workspace=web, slug="web")

    assert list(web.former_slugs.values_list("slug", flat=True)) == ["www2"]
    assert workspaces.find(dev, "www2").slug == "web"


def test_a_former_address_is_kept_in_its_organization_only(dev, web, eve):
    workspaces.change(dev, workspace=web, slug="www2")

    assert workspaces.create(eve, name="Web", slug="web").slug == "web"


# --- Archiving --------------------------------------------------------------------------------------------------------


def test_a_manager_archives_and_from_then_on_holds_nothing_there(dev, web, mel):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")

    with told("workspace.archived"):
        workspaces.archive(dev, workspace=web, version=1)

    web = Workspace.objects.get(pk=web.pk)
    assert web.archived_at == dev.now
    assert not again(dev).held(web) & {WORKSPACE_MANAGE, WORKSPACE_VIEW}
    assert WORKSPACE_VIEW not in again(mel).held(web)
    assert seat_of(mel, web) == "member"


def test_who_archived_a_workspace_cannot_restore_it(dev, web):
    workspaces.archive(dev, workspace=web)

    with pytest.raises(Forbidden) as refusal:
        workspaces.restore(dev, workspace=web)

    assert refusal.value.missing == [WORKSPACE_MANAGE]


def test_an_administrator_restores_it_with_the_seats_it_has(ada, dev, web, mel):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")
    workspaces.archive(dev, workspace=web)

    with told("workspace.restored"):
        workspaces.restore(ada, workspace=web, version=2)

    web = Workspace.objects.get(pk=web.pk)
    assert web.is_open
    assert WORKSPACE_MANAGE in again(dev).held(web)
    assert WORKSPACE_VIEW in again(mel).held(web)


def test_what_is_archived_is_not_archived_twice_nor_what_is_open_restored_or_deleted(ada, web):
    for attempt, code in ((workspaces.restore, "not_archived"), (workspaces.delete, "not_archived")):
        with pytest.raises(Refused) as refusal:
            attempt(ada, workspace=web)
        assert refusal.value.code == code
    workspaces.archive(ada, workspace=web)
    with pytest.raises(Refused) as refusal:
        workspaces.archive(ada, workspace=web)
    assert refusal.value.code == "already_archived"


def test_archiving_revokes_no_offer_and_a_seat_there_is_left_out_at_acceptance(ada, ivy, web, contributor):
    workspaces.give_seat(ada, workspace=web, member=ivy.membership, role="manager")
    offer = cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(web)])

    with told("workspace.archived"):
        workspaces.archive(ivy, workspace=web)

    admission = invitations.accept(cast.signed_in(cast.person("Bob")), offer)
    assert admission.left_out == [web]
    assert not admission.membership.seats.exists()


def test_an_offer_whose_sponsor_manages_the_workspace_no_more_ends_when_it_is_restored(ada, ivy, web):
    workspaces.give_seat(ada, workspace=web, member=ivy.membership, role="manager")
    offer = cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(web)])
    kept = cast.invited(ada, "cy@example.org", grant=cast.custom(), seats=[SeatOffer(web)])
    workspaces.archive(ada, workspace=web)
    assert invitations.ended_by_restoring(web, ada.now) == []
    workspaces.take_seat(ada, workspace=web, member=ivy.membership)
    assert ada.revoked == []

    web = Workspace.objects.get(pk=web.pk)
    assert invitations.ended_by_restoring(web, ada.now) == [offer]
    with told("workspace.restored", "invitation.revoked"):
        workspaces.restore(ada, workspace=web)

    assert ada.revoked == [offer]
    kept.refresh_from_db()
    assert kept.state == "pending"


def test_whoever_restores_may_go_on_with_such_offers(ada, ivy, web):
    workspaces.give_seat(ada, workspace=web, member=ivy.membership, role="manager")
    offer = cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(web)])
    workspaces.archive(ada, workspace=web)
    workspaces.take_seat(ada, workspace=web, member=ivy.membership)

    with told("workspace.restored", "invitation.taken_over"):
        workspaces.restore(ada, workspace=web, take_over=True)

    offer.refresh_from_db()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)


@pytest.mark.parametrize("who", ["mel", "seated", "ivy", "viewer"])
def test_nobody_but_its_managers_and_administrators_touches_a_workspace(request, acme, dev, web, mel, who):
    if who == "seated":
        workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")
    viewer = cast.joined(acme, cast.person("Vi"), cast.custom(WORKSPACES_VIEW_ALL))
    actor = {"seated": mel, "viewer": viewer}.get(who) or request.getfixturevalue(who)

    with told():
        for attempt in (
            lambda: workspaces.change(actor, workspace=web, name="Mine"),
            lambda: workspaces.archive(actor, workspace=web),
            lambda: workspaces.restore(actor, workspace=web),
        ):
            with pytest.raises(Forbidden) as refusal:
                attempt()
            assert refusal.value.missing == [WORKSPACE_MANAGE]


def test_the_last_manager_may_go_and_an_administrator_mends_it(ada, dev, web, mel):
    with told("seat.taken"):
        workspaces.take_seat(dev, workspace=web, member=dev.membership)

    assert not web.seats.exists()
    workspaces.give_seat(ada, workspace=web, member=mel.membership, role="manager")
    assert WORKSPACE_MANAGE in again(mel).held(web)


# --- Deleting ---------------------------------------------------------------------------------------------------------


def test_an_administrator_deletes_an_archived_workspace_with_all_that_stands_in_it(ada, dev, web, payments, mel):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")
    workspaces.change(dev, workspace=web, slug="www2")
    offer = cast.invited(ada, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(web), SeatOffer(payments)])
    closed = cast.invited(ada, "cy@example.org", grant=cast.custom(), seats=[SeatOffer(web)])
    invitations.revoke(ada, invitations=[closed])
    workspaces.archive(dev, workspace=web)

    with told("seat.taken", "seat.taken", "seat.withdrawn", "workspace.deleted"):
        workspaces.delete(ada, workspace=web, version=3)

    assert not Workspace.objects.filter(pk=web.pk).exists()
    assert not FormerWorkspaceSlug.objects.exists()
    assert [each.workspace for each in OfferedSeat.objects.all()] == [payments]
    offer.refresh_from_db()
    assert offer.state == "pending"
    admission = invitations.accept(cast.signed_in(cast.person("Bob")), offer)
    assert [seat.workspace for seat in admission.membership.seats.all()] == [payments]


def test_deleting_takes_as_many_statements_for_many_seats_as_for_one(ada, acme, dev, web):
    other = workspaces.create(dev, name="Small")
    for n in range(20):
        person = cast.joined(acme, cast.person(f"P{n}"), cast.custom())
        workspaces.seat(web if n else other, person.membership, "member")
    workspaces.archive(ada, workspace=other)
    workspaces.archive(ada, workspace=web)
    counted = []
    for workspace in (other, web):
        with CaptureQueriesContext(connection) as queries:
            workspaces.delete(ada, workspace=workspace)
        counted.append(len(queries))

    assert counted[0] == counted[1]


@pytest.mark.parametrize("who", ["dev", "mel", "ivy"])
def test_nobody_else_deletes_a_workspace(request, dev, web, who):
    workspaces.archive(dev, workspace=web)

    with pytest.raises(Forbidden) as refusal:
        workspaces.delete(request.getfixturevalue(who), workspace=web)

    assert refusal.value.missing == [ADMINISTER]
    assert Workspace.objects.filter(pk=web.pk).exists()


def test_a_page_that_is_no_longer_true_deletes_nothing(ada, dev, web):
    workspaces.archive(dev, workspace=web)

    for attempt in (workspaces.delete, workspaces.restore):
        with pytest.raises(Refused) as refusal:
            attempt(ada, workspace=web, version=1)
        assert refusal.value.code == "changed_meanwhile"


# --- Seats ------------------------------------------------------------------------------------------------------------


def test_a_manager_gives_a_seat_to_a_member(dev, web, mel):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")

    assert seat_of(mel, web) == "member"
    event = Event.objects.order_by("-id").first()
    assert (event.action, event.subject_id) == ("seat.given", mel.membership.user_id)
    assert event.details == {"workspace": str(web.pk), "before": None, "after": "member"}


def test_a_seat_is_changed_and_the_event_tells_from_what(dev, web, mel):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="manager")

    assert seat_of(mel, web) == "manager"
    assert Event.objects.order_by("-id").first().details["before"] == "member"


def test_the_same_seat_again_is_no_change(dev, web, mel):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")
    before = Event.objects.count()

    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")

    assert Event.objects.count() == before


def test_a_manager_takes_a_seat(dev, web, mel):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")

    workspaces.take_seat(dev, workspace=web, member=mel.membership)

    assert seat_of(mel, web) is None
    event = Event.objects.order_by("-id").first()
    assert (event.action, event.details) == ("seat.taken", {"workspace": str(web.pk), "before": "member"})


def test_who_has_no_seat_loses_none(dev, web, mel):
    with pytest.raises(Missing, match="Mel has no seat here"):
        workspaces.take_seat(dev, workspace=web, member=mel.membership)


@pytest.mark.parametrize("seat", [None, "member"])
def test_only_a_manager_of_the_workspace_gives_and_takes_its_seats(ada, dev, web, mel, ivy, seat):
    Seat.objects.bulk_create(
        Seat(organization=ada.organization, workspace=web, membership=mel.membership, role=role)
        for role in filter(None, [seat])
    )

    for attempt in (
        lambda: workspaces.give_seat(mel, workspace=web, member=ivy.membership, role="member"),
        lambda: workspaces.take_seat(mel, workspace=web, member=dev.membership),
    ):
        with pytest.raises(Forbidden) as refusal:
            attempt()
        assert (refusal.value.code, refusal.value.missing) == ("missing_permission", [WORKSPACE_MANAGE])


def test_who_manages_members_manages_no_workspace(ivy, mel, web):
    with pytest.raises(Forbidden):
        workspaces.give_seat(ivy, workspace=web, member=mel.membership, role="member")


def test_an_administrator_decides_in_every_workspace(ada, web, mel):
    workspaces.give_seat(ada, workspace=web, member=mel.membership, role="manager")

    assert seat_of(mel, web) == "manager"


def test_a_manager_of_one_workspace_decides_nothing_in_another(dev, web, payments, mel):
    with pytest.raises(Forbidden):
        workspaces.give_seat(dev, workspace=payments, member=mel.membership, role="member")


def test_nobody_hands_out_a_seat_that_gives_more_than_they_hold(dev, web, mel, operators_permissions):
    operators_permissions(
        '[[permission]]\nname = "web.deploy"\nlabel = "Deploy"\nsentence = "…"\nscope = "workspace"\n'
    )
    token = Member.of(dev.membership, cast.VIA, limit=frozenset({WORKSPACE_MANAGE}))

    with pytest.raises(Forbidden) as refusal:
        workspaces.give_seat(token, workspace=web, member=mel.membership, role="manager")
    assert [each.name for each in refusal.value.missing] == ["web.deploy"]

    workspaces.give_seat(token, workspace=web, member=mel.membership, role="member")


def test_in_an_archived_workspace_a_managers_seat_decides_nothing(dev, web, mel):
    Workspace.objects.update(archived_at=timezone.now())

    with pytest.raises(Forbidden):
        workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")


def test_a_seat_is_that_of_a_manager_or_a_member(dev, web, mel):
    with pytest.raises(Invalid) as refusal:
        workspaces.give_seat(dev, workspace=web, member=mel.membership, role="owner")

    assert refusal.value.field == "workspaces"


@pytest.mark.parametrize(("shown", "role"), [("", "manager"), ("manager", "member")])
def test_a_seat_that_changed_meanwhile_is_not_overwritten(dev, web, mel, shown, role):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member", shown="")

    with pytest.raises(Refused) as refusal:
        workspaces.give_seat(dev, workspace=web, member=mel.membership, role=role, shown=shown)

    assert refusal.value.code == "changed_meanwhile"
    assert seat_of(mel, web) == "member"


def test_a_seat_that_changed_meanwhile_is_not_taken(dev, web, mel):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="manager")

    with pytest.raises(Refused) as refusal:
        workspaces.take_seat(dev, workspace=web, member=mel.membership, shown="member")

    assert refusal.value.code == "changed_meanwhile"
    assert seat_of(mel, web) == "manager"


def test_another_organizations_workspace_does_not_exist(eve, web, mel, ada):
    theirs = workspaces.create(eve, name="Theirs")

    for attempt in (
        lambda: workspaces.give_seat(eve, workspace=web, member=eve.membership, role="member"),
        lambda: workspaces.give_seat(eve, workspace=theirs, member=mel.membership, role="member"),
        lambda: workspaces.take_seat(eve, workspace=web, member=mel.membership),
        lambda: workspaces.take_seat(ada, workspace=web, member=eve.membership),
        lambda: workspaces.change(eve, workspace=web, name="Mine"),
        lambda: workspaces.archive(eve, workspace=web),
        lambda: workspaces.restore(eve, workspace=web),
        lambda: workspaces.delete(eve, workspace=web),
    ):
        with pytest.raises(Missing):
            attempt()


def test_one_member_has_one_seat_in_a_workspace(dev, web, acme):
    with pytest.raises(IntegrityError), transaction.atomic():
        Seat.objects.create(organization=acme, workspace=web, membership=dev.membership, role="member")


def test_who_loses_the_managers_seat_backs_no_offer_of_seats_there(ada, ivy, web, contributor):
    workspaces.give_seat(ada, workspace=web, member=ivy.membership, role="manager")
    with_seat = cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(web)])
    without = cast.invited(ivy, "cy@example.org", grant=contributor)

    workspaces.give_seat(ada, workspace=web, member=ivy.membership, role="member")

    states = dict(Invitation.objects.values_list("pk", "state"))
    assert states == {with_seat.pk: "revoked", without.pk: "pending"}
    assert ada.revoked == [with_seat]


@pytest.mark.parametrize("take_over", [False, True])
@pytest.mark.parametrize("role", ["member", ""])
def test_whoever_takes_a_managers_seat_may_go_on_with_its_offers(ada, ivy, web, role, take_over):
    workspaces.give_seat(ada, workspace=web, member=ivy.membership, role="manager")
    offer = cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(web)])
    assert invitations.standing_on_seat(ivy.membership, web) == [offer]

    with told("seat.given" if role else "seat.taken", "invitation.taken_over" if take_over else "invitation.revoked"):
        if role:
            workspaces.give_seat(ada, workspace=web, member=ivy.membership, role=role, take_over=take_over)
        else:
            workspaces.take_seat(ada, workspace=web, member=ivy.membership, take_over=take_over)

    assert ada.revoked == ([] if take_over else [offer])


def test_who_gives_up_their_own_seat_goes_on_with_nothing(ada, ivy, web):
    workspaces.give_seat(ada, workspace=web, member=ivy.membership, role="manager")
    offer = cast.invited(ivy, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(web)])

    workspaces.take_seat(ivy, workspace=web, member=ivy.membership, take_over=True)

    assert ivy.revoked == [offer]


def test_on_the_seat_of_an_administrator_or_in_another_workspace_no_offer_stands(ada, ivy, dev, web, payments):
    workspaces.give_seat(ada, workspace=web, member=ivy.membership, role="manager")
    cast.invited(ada, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(payments)])
    cast.invited(ivy, "cy@example.org", grant=cast.custom(), seats=[SeatOffer(web)])

    assert invitations.standing_on_seat(ada.membership, payments) == []
    assert invitations.standing_on_seat(ivy.membership, payments) == []


def test_a_manager_without_the_permission_invites_nobody_into_their_workspace(dev, web):
    with pytest.raises(Forbidden) as refusal:
        cast.invite(dev, "bob@example.org", grant=cast.custom(), seats=[SeatOffer(web)])

    assert refusal.value.missing == [MEMBERS_MANAGE]


# --- Seeing -----------------------------------------------------------------------------------------------------------


def test_one_sees_the_workspaces_in_which_one_has_a_seat(dev, web, payments, mel):
    workspaces.give_seat(dev, workspace=web, member=mel.membership, role="member")

    assert list(workspaces.visible_to(mel)) == [web]
    assert list(workspaces.mine(mel)) == [web]


def test_who_may_view_all_sees_all_in_the_order_of_their_names(dev, web, payments):
    assert list(workspaces.visible_to(dev)) == [payments, web]
    assert list(workspaces.mine(dev)) == [web]


def test_a_token_sees_no_workspace_that_it_may_not_view(dev, web):
    def narrowed(*limit):
        return Member.of(dev.membership, cast.VIA, limit=frozenset(limit))

    assert not workspaces.visible_to(narrowed(MEMBERS_VIEW))
    assert not workspaces.mine(narrowed(MEMBERS_VIEW))
    assert list(workspaces.mine(narrowed(WORKSPACE_MANAGE))) == [web]


def test_an_archived_workspace_is_seen_by_administrators_only(ada, dev, web, payments):
    Workspace.objects.filter(pk=web.pk).update(archived_at=timezone.now())

    assert web in workspaces.visible_to(ada)
    assert list(workspaces.visible_to(dev)) == [payments]
    assert list(workspaces.mine(dev)) == []


def test_who_is_not_active_or_no_member_sees_no_workspace(dev, web, acme):
    Membership.objects.filter(pk=dev.membership.pk).update(suspended_at=timezone.now())
    dev.refresh()

    assert not workspaces.visible_to(dev)
    assert not workspaces.mine(dev)
    assert not workspaces.visible_to(Person(organization=acme, via=cast.VIA, user=dev.membership.user))


def test_nobody_sees_another_organizations_workspaces(eve, web):
    assert not workspaces.visible_to(eve)


def test_who_views_a_workspace_sees_who_sits_there(dev, web, mel, ivy):
    for member in (mel, ivy):
        workspaces.give_seat(dev, workspace=web, member=member.membership, role="member")

    assert [seat.membership.name for seat in workspaces.seats_visible_to(mel, web)] == ["Dev", "Ivy", "Mel"]


def test_who_sees_a_workspace_without_a_seat_sees_its_managers_only(ada, dev, web, payments, mel):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert WORKSPACES_VIEW_ALL in dev.held()
    assert not dev.can(WORKSPACE_VIEW, payments)
    assert [seat.membership.name for seat in workspaces.seats_visible_to(dev, payments)] == ["Ada"]
