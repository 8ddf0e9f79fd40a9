"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

from datetime import timedelta

import pytest
import time_machine
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portico.domain import handovers, invitations, memberships, organizations, tokens, words, workspaces
from portico.domain.access import Member
from portico.domain.errors import Forbidden, Invalid, Refused
from portico.domain.events import Event, Label, Origin
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization, OwnedSlug
from portico.domain.outbox import Letter
from portico.domain.people import User
from portico.domain.permissions import ORGANIZATION_MANAGE
from portico.domain.workspaces import SeatOffer
from tests import cast

pytestmark = pytest.mark.django_db

# --- Founding ---------------------------------------------------------------------------------------------------------


def test_whoever_founds_an_organization_administers_it():
    ann = cast.person("Ann")

    membership = organizations.found(
        cast.signed_in(ann), name=" Acme  Ltd ", description="We make things.", color="sky"
    )

    acme = membership.organization
    assert (acme.name, acme.slug, acme.description, acme.color) == ("Acme Ltd", "acme-ltd", "We make things.", "sky")
    assert (membership.user, membership.address, membership.is_administrator) == (ann, "ann@example.org", True)
    assert cast.actions(acme) == ["organization.founded", "member.joined"]
    assert Event.objects.get(action="member.joined").details == {"role": "administrator"}


def test_the_operator_founds_for_an_account_and_trusts_the_organization():
    ann = cast.person("Ann")

    membership = organizations.found_for(cast.operator(None), ann, name="Acme")

    assert membership.user == ann
    assert membership.organization.is_trusted
    assert Event.objects.get(action="organization.founded").actor_kind == "operator"


def test_what_a_person_founds_is_not_trusted(acme):
    assert not acme.is_trusted


def test_where_only_the_operator_founds_nobody_else_does(settings):
    settings.FOUNDING = "operator"
    ann = cast.person("Ann")

    with pytest.raises(Forbidden) as refusal:
        organizations.found(cast.signed_in(ann), name="Acme")
    assert refusal.value.code == "founding_closed"

    assert organizations.found_for(cast.operator(None), ann, name="Acme")


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "evil.com"}, ["name"]),
        ({"name": "Acme\r\nBcc: all@example.org"}, ["name"]),
        ({"name": "Acme", "description": "x" * 201}, ["description"]),
        ({"name": "Acme", "color": "beige"}, ["color"]),
        ({"name": "Acme", "slug": "A"}, ["slug"]),
        (
            {"name": "www.evil", "slug": "admin", "color": "", "description": "\u202e"},
            ["name", "description", "color", "slug"],
        ),
    ],
)
def test_all_that_is_wrong_with_a_new_organization_is_named_at_once(given, fields):
    with pytest.raises(Invalid) as refusal:
        organizations.found(cast.signed_in(cast.person("Ann")), **given)

    assert [error.field for error in refusal.value.errors] == fields
    assert not Organization.objects.exists()


def test_html_in_a_name_is_only_text():
    membership = organizations.found(cast.signed_in(cast.person("Ann")), name="<script>alert(1)</script> & Sons")

    assert membership.organization.name == "<script>alert(1)</script> & Sons"
    assert membership.organization.slug == "scriptalert1script-sons"


# --- Its address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "slug"), [("acme", "acme"), (" Acme-2 ", "acme-2"), ("a1b", "a1b"), ("x" * 40, "x" * 40)]
)
def test_a_slug_that_is_well_formed_is_taken(typed, slug):
    assert words.check_slug(typed) == slug


@pytest.mark.parametrize(
    "typed",
    ["ab", "x" * 41, "a-" * 20 + "b", "-acme", "acme-", "ac--me", "ac_me", "ac me", "ac\nme", "äcme", "acme/x", "акме"],
)
def test_a_slug_has_3_to_40_plain_characters(typed):
    with pytest.raises(Invalid) as refusal:
        words.check_slug(typed)

    assert refusal.value.field == "slug"


@pytest.mark.parametrize("typed", ["admin", "API", "new", "outbox", "account"])
def test_a_slug_that_portico_needs_itself_is_refused(typed):
    with pytest.raises(Invalid, match="kept for Portico"):
        words.check_slug(typed)


@pytest.mark.parametrize("typed", ["0190b5a0-7c8e-7def-8abc-0123456789ab", "0190b5a07c8e7def8abc0123456789ab"])
def test_a_slug_never_looks_like_an_id(typed):
    with pytest.raises(Invalid, match="look like an id"):
        words.check_slug(typed)


def test_an_address_that_is_taken_is_refused(acme, eve):
    with pytest.raises(Refused) as refusal:
        organizations.found(cast.signed_in(eve.membership.user), name="Another", slug="acme")

    assert (refusal.value.code, refusal.value.field) == ("slug_taken", "slug")


def test_without_a_wish_two_of_the_same_name_get_different_addresses(acme):
    other = cast.founded("Acme", by=cast.person("Eve")).organization

    assert other.slug.startswith("acme-")
    assert words.check_slug(other.slug) == other.slug


@pytest.mark.parametrize(
    "name", ["Admin", "株式会社", "Ab", "0190b5a0-7c8e-7def-8abc-0123456789ab", "x" * 80, "Settings", "a_-_b" * 10]
)
def test_every_name_gets_an_address_that_may_be_used(name):
    slug = cast.founded(name, by=cast.person("Ann")).organization.slug

    assert words.check_slug(slug) == slug


# --- An Administrator remains -----------------------------------------------------------------------------------------


def test_the_last_administrator_cannot_leave(ada, mel):
    with pytest.raises(Refused) as refusal:
        memberships.leave(ada)

    assert refusal.value.code == "last_administrator"
    assert Membership.objects.filter(pk=ada.membership.pk).exists()


def test_the_last_administrator_cannot_be_removed(ada, acme):
    for actor in (ada, cast.operator(acme)):
        with pytest.raises(Refused) as refusal:
            memberships.remove(actor, members=[ada.membership])
        assert refusal.value.code == "last_administrator"


def test_the_last_administrator_cannot_give_it_up(ada, developer):
    with pytest.raises(Refused) as refusal:
        memberships.change(ada, member=ada.membership, grant=developer)

    assert refusal.value.code == "last_administrator"


def test_with_a_second_one_the_first_may_go(ada, acme, administrator):
    cast.joined(acme, cast.person("Zoe"), administrator)

    memberships.leave(ada)

    assert not Membership.objects.filter(pk=ada.membership.pk).exists()


WEAK = {
    "suspended": lambda zoe: Membership.objects.filter(pk=zoe.pk).update(suspended_at=timezone.now()),
    "expired": lambda zoe: Membership.objects.filter(pk=zoe.pk).update(expires_at=timezone.now()),
    "with an end": lambda zoe: Membership.objects.filter(pk=zoe.pk).update(
        expires_at=timezone.now() + timedelta(days=365)
    ),
    "with a closed account": lambda zoe: User.objects.filter(pk=zoe.user_id).update(is_active=False),
}


@pytest.mark.parametrize("weaken", WEAK.values(), ids=WEAK.keys())
def test_an_administrator_who_may_be_gone_tomorrow_does_not_count(ada, acme, administrator, weaken):
    weaken(cast.joined(acme, cast.person("Zoe"), administrator).membership)

    with pytest.raises(Refused) as refusal:
        memberships.leave(ada)

    assert refusal.value.code == "last_administrator"


def test_a_closed_organization_keeps_an_administrator_who_may_restore_it(ada, acme, mel):
    Organization.objects.filter(pk=acme.pk).update(closed_at=timezone.now())

    with pytest.raises(Refused) as refusal:
        memberships.end_with_account(cast.operator(acme), ada.membership)

    assert refusal.value.code == "last_administrator"


def test_at_the_shell_nothing_is_done_in_a_closed_organization(acme, mel, contributor, administrator):
    """What was offered there would be live again once it is restored."""
    operator = cast.operator(acme)
    Organization.objects.filter(pk=acme.pk).update(closed_at=timezone.now())

    for act in (
        lambda: cast.invite(operator, "ann@example.org", grant=contributor),
        lambda: memberships.change(operator, member=mel.membership, grant=administrator),
        lambda: memberships.remove(operator, members=[mel.membership]),
        lambda: tokens.issue_service(operator, name="Shop"),
    ):
        with pytest.raises(Forbidden) as refusal:
            act()
        assert refusal.value.code == "organization_closed"


def test_another_organizations_administrator_does_not_count(ada, eve):
    with pytest.raises(Refused):
        memberships.leave(ada)


def test_where_there_was_none_before_the_operator_can_mend_it(ada, acme, mel, administrator):
    User.objects.filter(pk=ada.membership.user_id).update(is_active=False)

    memberships.remove(cast.operator(acme), members=[ada.membership])
    memberships.change(cast.operator(acme), member=mel.membership, grant=administrator)

    assert acme.has_administrator()


# --- The lock ---------------------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_a_command_locks_its_organization_before_it_reads_anything_else(ada, mel):
    with CaptureQueriesContext(connection) as queries:
        memberships.remove(ada, members=[mel.membership])

    statements = [each["sql"] for each in queries if "SAVEPOINT" not in each["sql"]]
    assert "portico_organization" in statements[0]
    assert statements[0].endswith("FOR NO KEY UPDATE")


# --- Letters a day ----------------------------------------------------------------------------------------------------


def test_how_many_letters_may_leave_depends_on_age_and_trust(acme, settings):
    settings.LETTERS_PER_DAY = {"usual": 500, "new": 50, "trusted": 20_000}
    day = timedelta(days=1)

    assert acme.letters_per_day(acme.created_at) == 50
    assert acme.letters_per_day(acme.created_at + day - timedelta(seconds=1)) == 50
    assert acme.letters_per_day(acme.created_at + day) == 500
    acme.is_trusted = True
    assert acme.letters_per_day(acme.created_at) == 20_000


# --- My organizations -------------------------------------------------------------------------------------------------


def test_my_organizations_are_those_where_i_belong_in_any_state(ada, eve, mel):
    cast.joined(eve.organization, mel.membership.user, cast.custom())
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=timezone.now())

    names = [membership.organization.name for membership in organizations.of(mel.membership.user)]
    assert names == ["Acme", "Elsewhere"]
    assert organizations.of(ada.membership.user).count() == 1


def test_how_many_belong_is_told_where_one_may_see_members(ada, mel, ivy, eve):
    cast.joined(eve.organization, mel.membership.user, cast.custom())

    assert organizations.sizes(mel.membership.user, timezone.now()) == {ada.organization.pk: 3}


@pytest.mark.parametrize("field", ["suspended_at", "expires_at"])
def test_who_is_not_active_is_not_told_how_many_belong(mel, field):
    Membership.objects.filter(pk=mel.membership.pk).update(**{field: timezone.now()})

    assert organizations.sizes(mel.membership.user, timezone.now()) == {}


def test_an_organization_is_entered_through_ones_membership_only(ada, eve):
    assert organizations.entered(organizations.of(ada.membership.user), "acme") == ada.membership
    assert organizations.entered(organizations.of(eve.membership.user), "acme") is None
    assert organizations.entered(organizations.of(ada.membership.user), "nowhere") is None


def test_time_is_read_once_for_each_command(ada, mel):
    with time_machine.travel(timezone.now() + timedelta(days=2), tick=True):
        workspace = workspaces.create(ada, name="Web")

    assert set(Event.objects.filter(batch=ada.batch).values_list("at", flat=True)) == {workspace.created_at}


# --- Its details ------------------------------------------------------------------------------------------------------


@pytest.fixture
def lea(acme):
    """May manage the organization, nothing else."""
    return cast.joined(acme, cast.person("Lea"), cast.custom(ORGANIZATION_MANAGE))


@pytest.fixture
def zoe(acme, administrator):
    """A second Administrator."""
    return cast.joined(acme, cast.person("Zoe"), administrator)


def again(who: Member) -> Member:
    """The same person as another request sees them."""
    membership = Membership.objects.get(pk=who.membership.pk)
    return Member.of(membership, cast.VIA, proved_at=timezone.now())


def closed(ada: Member) -> Organization:
    return organizations.close(ada, name="Acme")


def test_whoever_manages_the_organization_changes_what_it_is_called_and_how_it_looks(lea, acme):
    picture = "0" * 32

    organizations.change(
        lea, name=" Acme  Ltd ", slug="ACME-ltd", description=" We make things. ", color="sky", image=picture, version=1
    )

    acme.refresh_from_db()
    assert (acme.name, acme.slug, acme.description, acme.color, acme.image, acme.version) == (
        "Acme Ltd", "acme-ltd", "We make things.", "sky", picture, 2,
    )  # fmt: skip


def test_the_event_tells_which_fields_changed_and_names_stand_beside_it(lea, acme):
    organizations.change(lea, name="Acme Ltd", slug="acme-ltd", description="We make things.", color="violet")

    event = Event.objects.get(action="organization.changed")
    assert event.details == {
        "changed": ["name", "slug", "description"],
        "before": {"slug": "acme"},
        "after": {"slug": "acme-ltd"},
    }
    assert Label.objects.get(pk=event.subject_label).text == "Acme Ltd"


def test_what_is_not_named_stays(lea, acme):
    organizations.change(lea, description="We make things.")

    acme.refresh_from_db()
    assert (acme.name, acme.slug, acme.color) == ("Acme", "acme", "violet")


def test_the_same_again_is_no_change_of_the_organization(lea, acme):
    organizations.change(lea, name="Acme", slug="acme", description="", color="violet", image="", version=1)

    acme.refresh_from_db()
    assert acme.version == 1
    assert "organization.changed" not in cast.actions(acme)


def test_a_picture_is_taken_away(lea, acme):
    organizations.change(lea, image="0" * 32)

    assert organizations.change(lea, image="").image == ""
    assert [event.details["changed"] for event in Event.objects.filter(action="organization.changed")] == [
        ["image"]
    ] * 2


@pytest.mark.parametrize("who", ["mel", "ivy"])
def test_without_the_permission_nothing_of_it_changes(who, acme, request):
    with pytest.raises(Forbidden) as refusal:
        organizations.change(request.getfixturevalue(who), name="Mine")

    assert refusal.value.missing == [ORGANIZATION_MANAGE]
    acme.refresh_from_db()
    assert acme.name == "Acme"


def test_a_change_is_of_ones_own_organization(eve, acme):
    organizations.change(eve, name="Mine")

    acme.refresh_from_db()
    assert acme.name == "Acme"


def test_all_that_is_wrong_with_a_change_is_named_at_once(lea, acme):
    with pytest.raises(Invalid) as refusal:
        organizations.change(lea, name="", slug="-", description="x" * 201, color="beige", image="../secret")

    assert [error.field for error in refusal.value.errors] == ["name", "slug", "description", "color", "image"]


def test_what_somebody_changed_meanwhile_is_not_overwritten(lea, ada, acme):
    organizations.change(ada, name="Acme Ltd", version=1)

    with pytest.raises(Refused) as refusal:
        organizations.change(lea, color="sky", version=1)

    assert refusal.value.code == "changed_meanwhile"
    acme.refresh_from_db()
    assert acme.color == "violet"


# --- Old addresses ----------------------------------------------------------------------------------------------------


def test_an_old_address_leads_on_for_those_who_belong(lea, eve):
    organizations.change(lea, slug="acme-ltd")

    mine = organizations.of(lea.membership.user)
    assert organizations.entered(mine, "acme") is None
    assert organizations.entered_formerly(mine, "acme") == lea.membership
    assert organizations.entered_formerly(organizations.of(eve.membership.user), "acme") is None
    assert organizations.entered_formerly(mine, "nowhere") is None


@pytest.mark.parametrize("taken", ["elsewhere", "once-elsewhere"])
def test_an_address_that_is_or_was_anothers_is_taken(lea, eve, taken):
    organizations.change(eve, slug="once-elsewhere")
    organizations.change(eve, slug="elsewhere")

    with pytest.raises(Refused) as refusal:
        organizations.change(lea, slug=taken)
    assert (refusal.value.code, refusal.value.field) == ("slug_taken", "slug")
    with pytest.raises(Refused) as refusal:
        organizations.found(cast.signed_in(cast.person("Ann")), name="Third", slug=taken)
    assert (refusal.value.code, refusal.value.field) == ("slug_taken", "slug")


def test_a_new_organization_of_the_same_name_gets_another_address(lea):
    organizations.change(lea, slug="acme-ltd")

    assert organizations.found(cast.signed_in(cast.person("Ann")), name="Acme").organization.slug.startswith("acme-")


def test_one_may_return_to_an_old_address_of_ones_own(lea, acme):
    organizations.change(lea, slug="acme-ltd")

    assert organizations.change(lea, slug="acme").slug == "acme"
    assert organizations.entered_formerly(organizations.of(lea.membership.user), "acme-ltd") == lea.membership


@pytest.mark.parametrize("typed", ["admin", "аcme", "acme\u200b", "acme.org", "0190b5a0-7c8e-7def-8abc-0123456789ab"])
def test_an_address_that_could_deceive_is_refused(lea, typed):
    with pytest.raises(Invalid) as refusal:
        organizations.change(lea, slug=typed)

    assert refusal.value.field == "slug"


def test_an_organization_from_before_there_were_owned_slugs_keeps_both(lea):
    OwnedSlug.objects.all().delete()

    organizations.change(lea, slug="acme-ltd")

    assert set(OwnedSlug.objects.values_list("slug", flat=True)) == {"acme", "acme-ltd"}


# --- Its end ----------------------------------------------------------------------------------------------------------


def test_a_closed_organization_is_closed_for_everybody_at_once(ada, mel, ivy):
    closed(ada)

    for who in (ada, mel, ivy):
        assert again(who).held() == frozenset()
    with pytest.raises(Forbidden) as refusal:
        workspaces.create(ada, name="Late")
    assert refusal.value.code == "organization_closed"
    assert cast.actions(ada.organization)[-1] == "organization.closed"


def test_every_active_administrator_gets_a_letter(ada, zoe, acme, administrator, mel):
    asleep = cast.joined(acme, cast.person("Sue"), administrator)
    Membership.objects.filter(pk=asleep.membership.pk).update(suspended_at=timezone.now())

    closed(ada)

    letters = Letter.objects.filter(kind="closed", organization_id=acme.pk)
    assert {letter.address for letter in letters} == {"ada@example.org", "zoe@example.org"}
    assert letters[0].facts == {"by": "Ada <ada@example.org>"}


def test_what_was_offered_ends_in_the_same_change(ada, ivy, mel, acme, contributor):
    of_ivy = cast.invited(ivy, "bob@example.org", grant=contributor)
    of_the_operator = cast.invited(cast.operator(acme), "cy@example.org", grant=contributor)
    handovers.offer(ada, member=mel.membership)

    closed(ada)

    revoked = Event.objects.filter(action="invitation.revoked", batch=ada.batch)
    assert {event.subject_id for event in revoked} == {of_ivy.pk, of_the_operator.pk}
    assert {event.details["reason"] for event in revoked} == {"organization_closed"}
    assert set(Invitation.objects.values_list("state", flat=True)) == {"revoked"}
    assert not acme.handovers.exists()
    assert Event.objects.filter(action="handover.ended", batch=ada.batch).count() == 1


def test_who_is_no_administrator_closes_nothing(lea, mel, ivy, acme):
    for who in (lea, mel, ivy):
        with pytest.raises(Forbidden) as refusal:
            organizations.close(who, name="Acme")
        assert refusal.value.code == "missing_permission"
    acme.refresh_from_db()
    assert acme.closed_at is None


@pytest.mark.parametrize("typed", ["", "acme", "Acme Ltd", "Elsewhere"])
def test_whoever_closes_it_types_its_name(ada, acme, typed):
    with pytest.raises(Invalid) as refusal:
        organizations.close(ada, name=typed)

    assert refusal.value.field == "name"
    acme.refresh_from_db()
    assert acme.closed_at is None


def test_a_name_is_typed_however_a_keyboard_writes_it(ada):
    organizations.change(ada, name="Café")

    assert organizations.close(ada, name=" Cafe\u0301 ").closed_at


def test_whoever_closes_it_has_lately_shown_who_they_are(ada, acme):
    ada.proved_at = timezone.now() - timedelta(minutes=16)

    with pytest.raises(Forbidden) as refusal:
        closed(ada)

    assert refusal.value.code == "prove_again"
    acme.refresh_from_db()
    assert acme.closed_at is None


def test_it_is_closed_once(ada, acme):
    operator = cast.operator(acme)
    closed(ada)

    with pytest.raises(Forbidden) as refusal:
        organizations.close(operator, name="Acme")
    assert refusal.value.code == "organization_closed"


@pytest.mark.parametrize("who", ["ada", "zoe"])
def test_an_administrator_restores_it_and_everybody_is_back(who, ada, zoe, mel, acme, request):
    before = again(mel).held()
    closed(ada)

    organizations.restore(again(request.getfixturevalue(who)))

    acme.refresh_from_db()
    assert acme.closed_at is None
    assert again(mel).held() == before
    assert cast.actions(acme)[-1] == "organization.restored"


def test_what_ended_with_it_stays_so(ada, ivy, contributor):
    cast.invited(ivy, "bob@example.org", grant=contributor)
    closed(ada)

    organizations.restore(again(ada))

    assert Invitation.objects.get().state == "revoked"


def test_the_operator_restores_it_too(ada, acme):
    closed(ada)

    assert organizations.restore(cast.operator(acme)).closed_at is None


@pytest.mark.parametrize("who", ["mel", "ivy"])
def test_who_was_no_administrator_restores_nothing(who, ada, acme, request):
    member = request.getfixturevalue(who)
    closed(ada)

    with pytest.raises(Forbidden):
        organizations.restore(again(member))
    acme.refresh_from_db()
    assert acme.closed_at


@pytest.mark.parametrize("field", ["suspended_at", "expires_at"])
def test_an_administrator_who_is_not_active_restores_nothing(ada, zoe, field):
    Membership.objects.filter(pk=zoe.membership.pk).update(**{field: timezone.now()})
    closed(ada)

    with pytest.raises(Forbidden):
        organizations.restore(again(zoe))
    assert not organizations.may_restore(again(zoe).membership, timezone.now())


def test_it_can_be_restored_for_14_days_and_not_a_moment_longer(ada):
    end = closed(ada).closed_at + timedelta(days=14)

    assert organizations.may_restore(again(ada).membership, end - timedelta(seconds=1))
    assert not organizations.may_restore(again(ada).membership, end)
    with time_machine.travel(end, tick=False), pytest.raises(Refused) as refusal:
        organizations.restore(again(ada))
    assert refusal.value.code == "too_late"


def test_what_is_open_is_not_restored(ada):
    with pytest.raises(Refused) as refusal:
        organizations.restore(ada)

    assert refusal.value.code == "not_closed"
    assert not organizations.may_restore(ada.membership, timezone.now())


# --- What is left of it -----------------------------------------------------------------------------------------------


def rows_of(organization_id) -> dict[str, int]:
    """How many rows each table has of an organization."""
    return {
        model.__name__: model._base_manager.filter(organization_id=organization_id).count()
        for model in apps.get_app_config("portico").get_models()
        if any(field.attname == "organization_id" for field in model._meta.concrete_fields)
    }


def with_some_of_everything(ada, ivy, contributor, payments):
    offer = cast.invited(ada, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])
    invitations.accept(cast.signed_in(cast.person("Bob")), offer)
    cast.invited(ada, "cy@example.org", grant=contributor, seats=[SeatOffer(payments)])
    handovers.offer(ada, member=ivy.membership)


def test_after_14_days_every_row_is_gone_but_the_events_and_the_slug(ada, ivy, contributor, payments, eve):
    with_some_of_everything(ada, ivy, contributor, payments)
    here, there = ada.organization.pk, eve.organization.pk
    elsewhere, told = rows_of(there), Event.objects.filter(organization_id=here).count()
    over = closed(ada).closed_at + timedelta(days=14)

    assert not organizations.purge_next(over - timedelta(seconds=1))
    assert organizations.purge_next(over)
    assert not organizations.purge_next(over)

    left = rows_of(here)
    assert {table for table, count in left.items() if count} == {"Event"}
    assert left["Event"] > told
    assert not Organization.objects.filter(pk=here).exists()
    assert rows_of(there) == elsewhere
    assert OwnedSlug.objects.filter(slug="acme", owner_id=here).exists()


def test_the_events_that_are_left_name_nobody(ada, ivy, contributor, payments, eve):
    with_some_of_everything(ada, ivy, contributor, payments)
    here = ada.organization.pk
    organizations.purge_next(closed(ada).closed_at + timedelta(days=14))

    assert not Label.objects.filter(organization_id=here).exists()
    assert not Origin.objects.filter(organization_id=here).exists()
    assert cast.actions(Organization(pk=here))[-1] == "organization.purged"
    assert Label.objects.filter(organization_id=eve.organization.pk).exists()


def test_nobody_gets_the_slug_of_what_was_purged(ada):
    organizations.purge_next(closed(ada).closed_at + timedelta(days=14))

    with pytest.raises(Refused) as refusal:
        organizations.found(cast.signed_in(cast.person("Ann")), name="Acme", slug="acme")
    assert refusal.value.code == "slug_taken"


def test_what_was_restored_meanwhile_is_not_purged(ada, monkeypatch):
    """The worker has chosen it, and somebody restores it before the worker has the lock."""
    over = closed(ada).closed_at + timedelta(days=14)
    purge = organizations._purge
    monkeypatch.setattr(
        organizations, "_purge", lambda *given: (Organization.objects.update(closed_at=None), purge(*given))
    )

    organizations.purge_next(over)

    assert Organization.objects.filter(slug="acme").exists()
