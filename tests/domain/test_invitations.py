"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portico.domain import addresses, invitations, memberships, roles, workspaces
from portico.domain.access import Bearer, Member
from portico.domain.errors import Forbidden, Invalid, Missing, Refused
from portico.domain.events import Event, Label
from portico.domain.invitations import Invitation, Terms, Wanted
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from portico.domain.permissions import BILLING_MANAGE, MEMBERS_MANAGE, WORKSPACE_MANAGE, catalogue
from portico.domain.workspaces import Seat, SeatOffer, Workspace
from tests import cast

DAY = timedelta(days=1)


@pytest.fixture
def bob():
    """Has an account, and belongs nowhere."""
    return cast.person("Bob")


@pytest.fixture
def bea(acme):
    """Manages members and billing."""
    return cast.joined(acme, cast.person("Bea"), cast.custom(MEMBERS_MANAGE, BILLING_MANAGE))


def verdicts(outcomes):
    return [outcome.outcome for outcome in outcomes]


def bearer(offer):
    return Bearer(organization=offer.organization, via=cast.VIA)


def accept(user, offer, **reply):
    return invitations.accept(cast.signed_in(user), offer, **reply)


def tables():
    """How many rows there are of everything that a command may write."""
    return [model.objects.count() for model in (Event, Letter, Invitation, Membership, Seat)]


# --- Sending ----------------------------------------------------------------------------------------------------------


def test_an_invitation_offers_membership_to_an_address(ivy, contributor):
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        [outcome] = cast.invite(ivy, "bob@example.org", grant=contributor, message="Welcome!", days=3)

    offer = Invitation.objects.get()
    assert (outcome.outcome, outcome.invitation, outcome.detail) == ("invited", offer, "")
    assert (offer.address, offer.grant, offer.sponsor) == ("bob@example.org", contributor.role, ivy.membership)
    assert (offer.state, offer.number, offer.message, offer.by_operator) == ("pending", 1, "Welcome!", False)
    assert (offer.created_at, offer.sent_at, offer.expires_at) == (now, now, now + 3 * DAY)


def test_its_letter_waits_in_the_outbox_and_holds_no_secret(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    letter = Letter.objects.get()
    assert (letter.kind, letter.address, letter.about) == ("invitation", "bob@example.org", offer.pk)
    assert (letter.organization_id, letter.facts, offer.letter) == (ivy.organization.pk, {"number": 1}, letter)


def test_its_event_tells_what_was_offered_and_not_to_whom(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    event = Event.objects.get(action="invitation.sent")
    assert (event.subject_kind, event.subject_id) == ("invitation", offer.pk)
    assert event.details == {"role": "contributor", "number": 1, "expires_at": offer.expires_at.isoformat()}


def test_many_are_invited_at_once_each_with_an_event_and_a_letter(ivy, contributor):
    outcomes = cast.invite(ivy, "bob@example.org, cy@example.org dot@example.org", grant=contributor)

    assert verdicts(outcomes) == ["invited"] * 3
    assert Letter.objects.filter(kind="invitation").count() == 3
    assert cast.actions(ivy.organization).count("invitation.sent") == 3


def test_each_line_may_have_a_role_and_seats_of_its_own(ada, developer, contributor, payments):
    bob, cy = cast.wanted("bob@example.org cy@example.org")
    lines = [bob, Wanted(cy.entry, grant=contributor, seats=[])]

    invitations.send(ada, wanted=lines, terms=Terms(grant=developer, seats=[SeatOffer(payments, "manager")]))

    offers = {offer.address: offer for offer in Invitation.objects.all()}
    assert offers["bob@example.org"].grant == developer.role
    assert offers["bob@example.org"].seat_offers == [SeatOffer(payments, "manager")]
    assert offers["cy@example.org"].grant == contributor.role
    assert offers["cy@example.org"].seat_offers == []


def test_every_line_may_have_its_own_role_and_the_page_none(ivy, contributor):
    [bob] = cast.wanted("bob@example.org", grant=contributor)

    assert verdicts(invitations.send(ivy, wanted=[bob], terms=Terms(grant=None))) == ["invited"]


def test_where_neither_line_nor_page_has_a_role_it_is_asked_for(ivy):
    with pytest.raises(Invalid) as refusal:
        invitations.send(ivy, wanted=cast.wanted("bob@example.org"), terms=Terms(grant=None))

    assert refusal.value.field == "role"


def test_an_empty_custom_set_belongs_and_may_do_nothing(ivy, bob):
    offer = cast.invited(ivy, "bob@example.org", grant=cast.custom())

    assert Member.of(accept(bob, offer).membership, cast.VIA).held() == frozenset()


def test_who_does_not_manage_members_invites_nobody(mel, contributor):
    with pytest.raises(Forbidden) as refusal:
        cast.invite(mel, "bob@example.org", grant=contributor)

    assert (refusal.value.code, refusal.value.missing) == ("missing_permission", [MEMBERS_MANAGE])
    assert not Invitation.objects.exists()


def test_a_manager_of_a_workspace_alone_invites_nobody(ada, mel, payments, contributor):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="manager")

    with pytest.raises(Forbidden):
        cast.invite(mel, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])


def test_nobody_offers_more_than_they_hold_and_all_that_is_missing_is_named(ivy, developer):
    [outcome] = cast.invite(ivy, "bob@example.org", grant=developer)

    assert outcome.outcome == "exceeds_your_authority"
    assert [each.name for each in outcome.missing] == ["workspaces.create", "workspaces.view_all"]
    assert outcome.detail == "You do not hold: Create new workspace, View all workspaces."
    assert not Invitation.objects.exists()


def test_only_an_administrator_offers_to_administer(acme, ada, administrator):
    dan = cast.joined(acme, cast.person("Dan"), cast.custom(*catalogue().of_organization))

    assert verdicts(cast.invite(dan, "bob@example.org", grant=administrator)) == ["exceeds_your_authority"]
    assert verdicts(cast.invite(ada, "bob@example.org", grant=administrator)) == ["invited"]


def test_through_a_token_nobody_offers_more_than_it_allows(ada, developer, contributor):
    token = Member.of(ada.membership, cast.VIA, limit=frozenset({MEMBERS_MANAGE}))

    assert verdicts(cast.invite(token, "bob@example.org", grant=developer)) == ["exceeds_your_authority"]
    assert verdicts(cast.invite(token, "bob@example.org", grant=contributor)) == ["invited"]


def test_a_seat_is_offered_by_who_may_hand_it_out(ada, ivy, payments, contributor):
    [outcome] = cast.invite(ivy, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])
    assert (outcome.outcome, WORKSPACE_MANAGE in outcome.missing) == ("exceeds_your_authority", True)

    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="member")
    [outcome] = cast.invite(ivy, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])
    assert outcome.missing == [WORKSPACE_MANAGE]

    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="manager")
    [outcome] = cast.invite(ivy, "bob@example.org", grant=contributor, seats=[SeatOffer(payments, "manager")])
    assert outcome.outcome == "invited"


def test_an_offered_seat_covers_what_it_gives(ada, ivy, payments, contributor, operators_permissions):
    operators_permissions(
        '[[permission]]\nname = "web.deploy"\nlabel = "Deploy"\nsentence = "…"\nscope = "workspace"\n'
    )
    token = Member.of(ada.membership, cast.VIA, limit=frozenset({MEMBERS_MANAGE, WORKSPACE_MANAGE}))

    [outcome] = cast.invite(token, "bob@example.org", grant=contributor, seats=[SeatOffer(payments, "manager")])

    assert [each.name for each in outcome.missing] == ["web.deploy"]


def test_one_seat_is_offered_in_each_workspace(ada, payments, contributor):
    both = [SeatOffer(payments, "member"), SeatOffer(payments, "manager")]
    with pytest.raises(Invalid) as refusal:
        cast.invite(ada, "bob@example.org", grant=contributor, seats=both)
    assert refusal.value.field == "workspaces"

    twice = [SeatOffer(payments), SeatOffer(payments)]
    assert cast.invited(ada, "bob@example.org", grant=contributor, seats=twice).seats.count() == 1


def test_another_organizations_role_or_workspace_does_not_exist(eve, developer, payments):
    for terms in ({"grant": developer}, {"grant": cast.custom(), "seats": [SeatOffer(payments)]}):
        with pytest.raises(Missing):
            cast.invite(eve, "bob@example.org", **terms)
        with pytest.raises(Missing):
            invitations.preview(eve, wanted=cast.wanted("bob@example.org"), terms=Terms(**terms))


def test_the_operator_invites_without_a_sponsor_and_says_so(acme, administrator):
    offer = cast.invited(cast.operator(acme), "bob@example.org", grant=administrator)

    assert (offer.sponsor, offer.by_operator) == (None, True)


# --- One verdict for each address -------------------------------------------------------------------------------------


def test_each_address_gets_its_verdict_in_the_order_asked(ivy, mel, bea, contributor):
    cast.invite(ivy, "asked@example.org", grant=contributor)
    cast.invite(ivy, "late@example.org", grant=contributor, days=1)

    with time_machine.travel(timezone.now() + 2 * DAY):
        outcomes = cast.invite(
            ivy,
            "new@example.org mel@example.org asked@example.org nonsense NEW@example.org late@example.org",
            grant=contributor,
        )

    assert verdicts(outcomes) == ["invited", "already_member", "already_invited", "invalid", "duplicate", "renewed"]
    assert [outcome.detail for outcome in outcomes] == [
        "",
        "mel@example.org already belongs here.",
        "asked@example.org has an invitation already.",
        "An address has an @ sign.",
        "new@example.org stands here twice.",
        "",
    ]


def test_an_address_that_is_written_differently_says_how(ivy, contributor):
    [outcome] = cast.invite(ivy, "ANN@Exämple.org", grant=contributor)

    assert (outcome.outcome, outcome.address) == ("invited", "ann@xn--exmple-cua.org")
    assert outcome.detail == "Written as ann@xn--exmple-cua.org."


@pytest.mark.parametrize("field", ["suspended_at", "expires_at"])
def test_suspended_and_expired_members_are_members(ivy, mel, contributor, field):
    Membership.objects.filter(pk=mel.membership.pk).update(**{field: timezone.now()})

    assert verdicts(cast.invite(ivy, "mel@example.org", grant=contributor)) == ["already_member"]


def test_another_organizations_members_and_invitations_do_not_count(ivy, eve, contributor):
    cast.invite(eve, "bob@example.org", grant=cast.custom())

    assert verdicts(cast.invite(ivy, "eve@example.org bob@example.org", grant=contributor)) == ["invited", "invited"]


def test_who_declined_or_was_revoked_can_be_invited_anew(ivy, contributor):
    for state in ("declined", "revoked"):
        offer = cast.invited(ivy, "bob@example.org", grant=contributor)
        Invitation.objects.filter(pk=offer.pk).update(state=state)

    assert cast.invited(ivy, "bob@example.org", grant=contributor).number == 1
    assert Invitation.objects.filter(address="bob@example.org").count() == 3


def test_at_most_one_is_pending_for_an_organization_and_an_address(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    offer.pk = uuid4()

    with pytest.raises(IntegrityError), transaction.atomic():
        offer.save(force_insert=True)


def test_a_lapsed_offer_is_renewed_with_new_terms_and_the_next_number(ivy, ada, payments, contributor, developer):
    old = cast.invited(ivy, "bob@example.org", grant=contributor, days=1, message="Old")
    later = timezone.now() + 2 * DAY

    with time_machine.travel(later, tick=False):
        outcomes = cast.invite(ada, "bob@example.org", grant=developer, seats=[SeatOffer(payments)], message="New")

    offer = Invitation.objects.get()
    assert verdicts(outcomes) == ["renewed"]
    assert (offer.pk, offer.number, offer.grant, offer.message) == (old.pk, 2, developer.role, "New")
    assert (offer.sponsor, offer.seat_offers) == (ada.membership, [SeatOffer(payments)])
    assert offer.expires_at == later + 7 * DAY
    assert Letter.objects.filter(about=offer.pk).count() == 2
    assert cast.actions(ada.organization)[-1] == "invitation.renewed"


def test_renewing_replaces_the_seats(ada, payments, contributor):
    cast.invited(ada, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)], days=1)

    with time_machine.travel(timezone.now() + 2 * DAY):
        cast.invite(ada, "bob@example.org", grant=contributor)

    assert Invitation.objects.get().seat_offers == []


def test_nobody_renews_an_offer_of_more_than_they_hold(ivy, bea, contributor):
    cast.invite(bea, "bob@example.org", grant=cast.custom(BILLING_MANAGE), days=1)

    with time_machine.travel(timezone.now() + 2 * DAY):
        [outcome] = cast.invite(ivy, "bob@example.org", grant=contributor)

    assert (outcome.outcome, outcome.missing) == ("exceeds_your_authority", [BILLING_MANAGE])


# --- Terms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"days": 0}, "expires_in_days"),
        ({"days": 31}, "expires_in_days"),
        ({"days": -1}, "expires_in_days"),
        ({"member_until": timezone.now() - DAY}, "member_until"),
        ({"locale": "tlh"}, "locale"),
        ({"message": "x" * 1001}, "message"),
        ({"message": "Hi\u202e"}, "message"),
    ],
)
def test_terms_that_make_no_sense_are_refused(ivy, contributor, terms, field):
    with pytest.raises(Invalid) as refusal:
        cast.invite(ivy, "bob@example.org", grant=contributor, **terms)

    assert refusal.value.field == field
    assert not Invitation.objects.exists()


def test_all_that_is_wrong_with_the_terms_is_named_at_once(ivy, contributor):
    wrong = {"days": 0, "member_until": timezone.now() - DAY, "locale": "tlh", "message": "x" * 1001}

    with pytest.raises(Invalid) as refusal:
        cast.invite(ivy, "bob@example.org", grant=contributor, **wrong)

    fields = [error.field for error in refusal.value.errors]
    assert fields == ["expires_in_days", "member_until", "locale", "message"]


@pytest.mark.parametrize("days", [1, 30])
def test_a_link_lives_for_1_to_30_days(ivy, contributor, days):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, days=days)

    assert offer.expires_at - offer.sent_at == days * DAY


def test_the_end_of_a_membership_is_not_now(ivy, contributor):
    now = timezone.now()

    with time_machine.travel(now, tick=False), pytest.raises(Invalid):
        cast.invite(ivy, "bob@example.org", grant=contributor, member_until=now)


def test_an_offer_does_not_outlive_the_membership_that_it_offers(ivy, contributor):
    until = timezone.now() + 2 * DAY

    assert cast.invited(ivy, "bob@example.org", grant=contributor, member_until=until).expires_at == until


def test_nobody_is_nobody(ivy, contributor):
    with pytest.raises(Invalid) as refusal:
        invitations.send(ivy, wanted=[], terms=Terms(grant=contributor))

    assert refusal.value.field == "emails"


def test_ten_thousand_and_one_are_too_many(ivy, contributor):
    lines = [Wanted(addresses.Typed(f"p{n}@x.org", f"p{n}@x.org")) for n in range(10_001)]

    with pytest.raises(Invalid, match="At most 10,000"):
        invitations.send(ivy, wanted=lines, terms=Terms(grant=contributor))


# --- What a file asks for in each row ---------------------------------------------------------------------------------


def asked(actor, *rows):
    return invitations.wanted_from(actor, addresses.read_csv("\n".join(["email,role,workspaces", *rows]).encode()))


def test_a_row_names_its_role_by_slug_or_title_and_its_workspaces_by_slug(ada, payments, developer, contributor):
    bob, cy, dot = asked(
        ada, "bob@example.org,Developer,payments", "cy@example.org,contributor,", "dot@example.org,,payments;payments"
    )

    assert (bob.grant, bob.seats) == (developer, [SeatOffer(payments)])
    assert (cy.grant, cy.seats) == (contributor, None)
    assert dot.grant is None
    assert verdicts(invitations.send(ada, wanted=[bob, cy, dot], terms=Terms(grant=contributor))) == ["invited"] * 3


def test_what_a_row_names_and_is_not_there_is_that_rows_problem(ada, payments, contributor):
    rows = asked(ada, "a@example.org,owner,", "b@example.org,,web", "c@example.org,,", "nonsense,owner,web")

    assert [row.entry.problem for row in rows] == [
        "There is no role “owner” here.",
        "There is no workspace “web” here.",
        "",
        "An address has an @ sign.",
    ]
    outcomes = invitations.send(ada, wanted=rows, terms=Terms(grant=contributor))
    assert verdicts(outcomes) == ["invalid", "invalid", "invited", "invalid"]


def test_a_row_names_no_workspace_that_one_may_not_see_or_that_is_archived(ada, ivy, eve, payments):
    workspaces.create(eve, name="Theirs")
    assert [bool(row.entry.problem) for row in asked(ivy, "a@example.org,,payments", "b@example.org,,theirs")] == [
        True
    ] * 2

    Workspace.objects.update(archived_at=timezone.now())
    assert [bool(row.entry.problem) for row in asked(ada, "a@example.org,,payments")] == [True]


def test_a_file_without_rows_is_nobody(ada):
    with pytest.raises(Invalid):
        asked(ada)


# --- A dry run --------------------------------------------------------------------------------------------------------


def test_a_dry_run_judges_as_sending_would_and_writes_nothing(ivy, mel, contributor, developer):
    lines = [*cast.wanted("bob@example.org mel@example.org nonsense"), *cast.wanted("cy@example.org", grant=developer)]
    before = tables()

    judged = invitations.preview(ivy, wanted=lines, terms=Terms(grant=contributor))

    assert tables() == before
    sent = invitations.send(ivy, wanted=lines, terms=Terms(grant=contributor))
    assert [(each.outcome, each.detail) for each in judged] == [(each.outcome, each.detail) for each in sent]


def test_a_dry_run_is_for_those_who_may_invite(mel, contributor):
    with pytest.raises(Forbidden) as refusal:
        invitations.preview(mel, wanted=cast.wanted("bob@example.org"), terms=Terms(grant=contributor))

    assert refusal.value.code == "missing_permission"


def test_a_dry_run_takes_no_lock(ada, contributor, django_assert_max_num_queries):
    with django_assert_max_num_queries(10) as queries:
        invitations.preview(ada, wanted=cast.wanted("bob@example.org"), terms=Terms(grant=contributor))

    assert not [each for each in queries if "UPDATE" in each["sql"] or "SAVEPOINT" in each["sql"]]


@pytest.mark.parametrize("terms", [{"days": 99}, {"message": "x" * 1001}])
def test_a_dry_run_refuses_what_sending_would(ivy, contributor, terms):
    with pytest.raises(Invalid):
        invitations.preview(ivy, wanted=cast.wanted("bob@example.org"), terms=Terms(grant=contributor, **terms))


# --- Limits -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def few_letters(settings):
    settings.LETTERS_PER_DAY = {"usual": 3, "new": 2, "trusted": 4}


def test_an_organization_writes_only_so_many_letters_a_day_and_the_rest_is_told_when(ivy, contributor, few_letters):
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        cast.invite(ivy, "a@example.org", grant=contributor)
        outcomes = cast.invite(ivy, "b@example.org c@example.org d@example.org", grant=contributor)

    assert verdicts(outcomes) == ["invited", "over_limit", "over_limit"]
    assert f"{now + DAY:%Y-%m-%d %H:%M} UTC" in outcomes[1].detail
    assert "may send 2 invitations" in outcomes[1].detail
    assert Letter.objects.count() == 2


def test_after_a_day_letters_count_no_more(ivy, contributor, few_letters):
    cast.invite(ivy, "a@example.org b@example.org", grant=contributor)

    with time_machine.travel(timezone.now() + DAY + timedelta(minutes=1)):
        outcomes = cast.invite(ivy, "c@example.org d@example.org e@example.org f@example.org", grant=contributor)

    assert verdicts(outcomes) == ["invited", "invited", "invited", "over_limit"]


def test_letters_of_others_and_of_other_kinds_do_not_count(ivy, mel, eve, ada, contributor, few_letters):
    cast.invite(eve, "a@example.org b@example.org", grant=cast.custom())
    memberships.remove(ada, members=[mel.membership])

    assert verdicts(cast.invite(ivy, "c@example.org d@example.org", grant=contributor)) == ["invited", "invited"]


def test_what_is_refused_takes_no_letter(ivy, mel, contributor, few_letters):
    outcomes = cast.invite(ivy, "mel@example.org nonsense a@example.org b@example.org", grant=contributor)

    assert verdicts(outcomes)[2:] == ["invited", "invited"]


def test_resends_count(ivy, contributor, few_letters):
    offer = cast.invited(ivy, "a@example.org", grant=contributor)
    invitations.resend(ivy, invitations=[offer])

    [result] = invitations.resend(ivy, invitations=[offer])
    assert result.refusal.code == "over_limit"
    assert verdicts(cast.invite(ivy, "b@example.org", grant=contributor)) == ["over_limit"]


def test_one_address_gets_only_so_many_letters_from_one_organization(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    results = [invitations.resend(ivy, invitations=[offer])[0].done for _ in range(3)]

    assert results == [True, True, False]


def test_one_address_gets_only_so_many_letters_from_all_together(ivy, eve, contributor, settings):
    settings.LETTERS_PER_ADDRESS_FROM_ALL = 2
    offer = cast.invited(eve, "bob@example.org", grant=cast.custom())
    invitations.resend(eve, invitations=[offer])

    assert verdicts(cast.invite(ivy, "bob@example.org", grant=contributor)) == ["over_limit"]


def test_over_the_limit_is_no_other_address(ivy, eve, contributor, settings):
    settings.LETTERS_PER_ADDRESS = 1
    revoked = cast.invited(ivy, "bob@example.org", grant=contributor)
    invitations.revoke(ivy, invitations=[revoked])

    outcomes = cast.invite(ivy, "bob@example.org cy@example.org", grant=contributor)
    assert verdicts(outcomes) == ["over_limit", "invited"]


# --- Resending --------------------------------------------------------------------------------------------------------


def test_a_resent_offer_has_the_next_number_a_new_end_a_new_letter_and_a_new_sponsor(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, message="Welcome!")
    later = timezone.now() + 5 * DAY

    with time_machine.travel(later, tick=False):
        [result] = invitations.resend(ada, invitations=[offer], days=2)

    offer.refresh_from_db()
    assert result.done
    assert (offer.number, offer.sent_at, offer.expires_at) == (2, later, later + 2 * DAY)
    assert (offer.sponsor, offer.message, offer.grant) == (ada.membership, "Welcome!", contributor.role)
    assert (offer.letter.facts, offer.letter.created_at) == ({"number": 2}, later)
    assert Event.objects.get(action="invitation.resent").details["number"] == 2


def test_an_expired_offer_can_be_resent(ivy, contributor, bob):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, days=1)

    with time_machine.travel(timezone.now() + 2 * DAY):
        assert invitations.resend(ivy, invitations=[offer])[0].done
        assert accept(bob, offer).membership


def test_a_changed_role_is_applied_on_resending(ada, contributor, developer):
    offer = cast.invited(ada, "bob@example.org", grant=contributor)

    invitations.resend(ada, invitations=[offer], grant=developer)

    offer.refresh_from_db()
    assert offer.grant == developer.role
    assert Event.objects.get(action="invitation.resent").details["role"] == "developer"


def test_seats_stay_on_resending(ada, payments, contributor):
    offer = cast.invited(ada, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])

    invitations.resend(ada, invitations=[offer])

    assert offer.seats.count() == 1


def test_who_does_not_manage_members_resends_and_revokes_nothing(ivy, mel, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    for command in (invitations.resend, invitations.revoke):
        with pytest.raises(Forbidden) as refusal:
            command(mel, invitations=[offer])
        assert refusal.value.code == "missing_permission"


def test_nobody_resends_or_revokes_an_offer_of_more_than_they_hold(ivy, bea):
    offer = cast.invited(bea, "bob@example.org", grant=cast.custom(BILLING_MANAGE))

    for command in (invitations.resend, invitations.revoke):
        [result] = command(ivy, invitations=[offer])
        assert (result.refusal.code, result.refusal.missing) == ("exceeds_your_authority", [BILLING_MANAGE])
    offer.refresh_from_db()
    assert (offer.state, offer.number) == ("pending", 1)


def test_nobody_touches_an_offer_of_more_than_they_hold_by_making_it_less(ivy, bea, contributor):
    offer = cast.invited(bea, "bob@example.org", grant=cast.custom(BILLING_MANAGE))

    assert not invitations.resend(ivy, invitations=[offer], grant=contributor)[0].done


def test_nobody_makes_an_offer_more_than_they_hold_by_resending(ivy, contributor, developer):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    [result] = invitations.resend(ivy, invitations=[offer], grant=developer)

    assert result.refusal.code == "exceeds_your_authority"


def test_nobody_resends_seats_that_they_may_not_hand_out(ada, ivy, payments, contributor):
    offer = cast.invited(ada, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])

    assert invitations.resend(ivy, invitations=[offer])[0].refusal.code == "exceeds_your_authority"


def test_a_seat_in_an_archived_workspace_hinders_nobody_from_resending(ada, ivy, payments, contributor):
    offer = cast.invited(ada, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])
    Workspace.objects.update(archived_at=timezone.now())

    assert invitations.resend(ivy, invitations=[offer])[0].done


@pytest.mark.parametrize("state", ["accepted", "declined", "revoked"])
def test_a_closed_invitation_is_neither_resent_nor_revoked(ivy, contributor, state):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    Invitation.objects.filter(pk=offer.pk).update(state=state)

    for command in (invitations.resend, invitations.revoke):
        assert command(ivy, invitations=[offer])[0].refusal.code == "invitation_closed"


def test_an_offer_of_a_membership_that_has_ended_is_not_resent(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, member_until=timezone.now() + DAY)

    with time_machine.travel(timezone.now() + 2 * DAY):
        [result] = invitations.resend(ivy, invitations=[offer])

    assert result.refusal.code == "membership_over"


def test_another_organizations_invitation_does_not_exist(eve, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    for command in (invitations.resend, invitations.revoke):
        with pytest.raises(Missing):
            command(eve, invitations=[offer])


def test_a_page_with_an_older_letter_neither_resends_nor_revokes(ada, contributor):
    offer = cast.invited(ada, "bob@example.org", grant=contributor)
    invitations.resend(ada, invitations=[offer], shown=1)

    for command in (invitations.resend, invitations.revoke):
        with pytest.raises(Refused) as refusal:
            command(ada, invitations=[offer], shown=1)
        assert refusal.value.code == "changed_meanwhile"

    offer.refresh_from_db()
    assert (offer.number, offer.state) == (2, "pending")


def test_a_resend_makes_no_sense_for_99_days(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    with pytest.raises(Invalid):
        invitations.resend(ivy, invitations=[offer], days=99)


# --- Revoking ---------------------------------------------------------------------------------------------------------


def test_a_revoked_offer_is_closed(ada, ivy, contributor, bob):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    [result] = invitations.revoke(ada, invitations=[offer])

    offer.refresh_from_db()
    assert (result.done, offer.state, offer.closed_at) == (True, "revoked", ada.now)
    assert Event.objects.get(action="invitation.revoked").details == {}
    with pytest.raises(Refused) as refusal:
        accept(bob, offer)
    assert (refusal.value.code, refusal.value.sentence) == ("invitation_closed", "This invitation has been withdrawn.")


def test_an_expired_offer_can_be_revoked(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, days=1)

    with time_machine.travel(timezone.now() + 2 * DAY):
        assert invitations.revoke(ivy, invitations=[offer])[0].done


def test_of_many_each_is_done_or_refused_by_itself(ivy, bea, contributor):
    plain = cast.invited(ivy, "bob@example.org", grant=contributor)
    more = cast.invited(bea, "cy@example.org", grant=cast.custom(BILLING_MANAGE))

    for command, event in ((invitations.resend, "invitation.resent"), (invitations.revoke, "invitation.revoked")):
        results = command(ivy, invitations=[more, plain])
        assert [(result.row, result.done) for result in results] == [(more, False), (plain, True)]
        assert cast.actions(ivy.organization).count(event) == 1


# --- Accepting --------------------------------------------------------------------------------------------------------


def test_who_accepts_belongs_and_holds_what_was_offered(ada, bob, developer, payments):
    until = timezone.now() + 30 * DAY
    offer = cast.invited(
        ada, "bob@example.org", grant=developer, seats=[SeatOffer(payments, "manager")], member_until=until
    )

    admission = accept(bob, offer, reply="Glad to!")

    membership = admission.membership
    assert (membership.user, membership.name, membership.address) == (bob, "Bob", "bob@example.org")
    assert (membership.grant, membership.expires_at, membership.invited_by) == (developer.role, until, "Ada")
    assert Member.of(membership, cast.VIA).can(WORKSPACE_MANAGE, payments)
    assert admission.left_out == []
    offer.refresh_from_db()
    assert (offer.state, offer.membership, offer.reply) == ("accepted", membership, "Glad to!")


def test_an_acceptance_is_told_in_events_one_for_each_thing_changed(ada, bob, developer, payments, acme):
    offer = cast.invited(ada, "bob@example.org", grant=developer, seats=[SeatOffer(payments)])

    accept(bob, offer)

    assert cast.actions(acme)[-3:] == ["invitation.accepted", "member.joined", "seat.given"]
    accepted, joined, seat = Event.objects.order_by("id")[Event.objects.count() - 3 :]
    assert {accepted.actor_id, joined.actor_id, seat.actor_id} == {bob.pk}
    assert (accepted.subject_id, accepted.details) == (offer.pk, {"left_out": []})
    assert (joined.subject_id, joined.details) == (bob.pk, {"role": "developer"})
    assert (seat.subject_id, seat.details) == (bob.pk, {"workspace": str(payments.pk), "after": "member"})


def test_the_sponsor_gets_a_letter(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    accept(bob, offer)

    letter = Letter.objects.get(kind="accepted")
    assert (letter.address, letter.about, letter.facts) == ("ivy@example.org", offer.pk, {"to": "Ivy"})


def test_accepting_twice_is_one_acceptance(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    first = accept(bob, offer)
    before = tables()

    assert accept(bob, offer).membership == first.membership
    assert tables() == before


def test_somebody_else_does_not_accept_what_was_accepted(ivy, bob, mel, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    accept(bob, offer)

    with pytest.raises(Refused) as refusal:
        accept(mel.membership.user, offer)

    assert refusal.value.sentence == "This invitation has been accepted already."


def test_only_the_owner_of_the_address_accepts(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    cy = cast.person("Cy")
    cast.own(cy, "bob@example.org", verified=False)
    person = cast.signed_in(cy)
    before = tables()

    with pytest.raises(Refused) as refusal:
        invitations.accept(person, offer)

    assert refusal.value.code == "wrong_account"
    assert tables() == before
    assert person.label == "Cy <cy@example.org>"


def test_any_verified_address_is_as_good_as_the_primary_one(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    cy = cast.person("Cy")
    cast.own(cy, "bob@example.org")

    assert accept(cy, offer).membership.address == "bob@example.org"


def test_the_organization_learns_of_no_other_address(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    cy = cast.person("Cy", "private@example.org")
    cast.own(cy, "bob@example.org")

    accept(cy, offer)

    assert not Label.objects.filter(organization_id=ivy.organization.pk, text__contains="private").exists()


def test_a_member_does_not_join_again_at_another_address(ivy, mel, contributor):
    user = mel.membership.user
    cast.own(user, "mel@home.example.org")
    offer = cast.invited(ivy, "mel@home.example.org", grant=cast.custom(MEMBERS_MANAGE))

    for field in ("suspended_at", "expires_at", None):
        Membership.objects.filter(pk=mel.membership.pk).update(**{f: timezone.now() for f in [field] if f})
        before = tables()
        with pytest.raises(Refused) as refusal:
            accept(user, offer)
        assert refusal.value.code == "already_member"
        assert tables() == before


def test_until_its_end_an_offer_is_open_and_from_then_on_it_is_not(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    with time_machine.travel(offer.expires_at, tick=False), pytest.raises(Refused) as refusal:
        accept(bob, offer)
    assert (refusal.value.code, refusal.value.sentence) == (
        "invitation_closed",
        "This invitation has expired. Ask for a new one.",
    )

    with time_machine.travel(offer.expires_at - timedelta(microseconds=1), tick=False):
        assert accept(bob, offer)


def test_what_was_declined_is_not_accepted(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    invitations.decline(cast.signed_in(bob), offer)

    with pytest.raises(Refused) as refusal:
        accept(bob, offer)
    assert refusal.value.sentence == "This invitation has been declined."


def test_nobody_joins_a_closed_organization(ada, bob, contributor, acme):
    offer = cast.invited(ada, "bob@example.org", grant=contributor)
    Organization.objects.filter(pk=acme.pk).update(closed_at=timezone.now())

    with pytest.raises(Forbidden) as refusal:
        accept(bob, offer)
    assert refusal.value.code == "organization_closed"


def test_a_reply_is_checked_like_a_message(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    for command in (invitations.accept, invitations.decline):
        with pytest.raises(Invalid) as refusal:
            command(cast.signed_in(bob), offer, reply="x" * 1001)
        assert refusal.value.field == "reply"


def test_a_seat_whose_workspace_is_gone_is_left_out_and_the_event_says_so(ada, bob, payments, contributor):
    web = workspaces.create(ada, name="Web")
    offer = cast.invited(ada, "bob@example.org", grant=contributor, seats=[SeatOffer(payments), SeatOffer(web)])
    Workspace.objects.filter(pk=payments.pk).update(archived_at=timezone.now())

    admission = accept(bob, offer)

    assert admission.left_out == [payments]
    assert [seat.workspace for seat in admission.membership.seats.all()] == [web]
    assert Event.objects.get(action="invitation.accepted").details == {"left_out": [str(payments.pk)]}


# --- An offer is worth what its sponsor can give ----------------------------------------------------------------------

ENDS = {
    "suspended": lambda sponsor: Membership.objects.filter(pk=sponsor.pk).update(suspended_at=timezone.now()),
    "expired": lambda sponsor: Membership.objects.filter(pk=sponsor.pk).update(expires_at=timezone.now()),
    "without the permission": lambda sponsor: Membership.objects.filter(pk=sponsor.pk).update(
        grant=roles.intern(sponsor.organization, cast.custom(BILLING_MANAGE))
    ),
    "holding less": lambda sponsor: Membership.objects.filter(pk=sponsor.pk).update(
        grant=roles.intern(sponsor.organization, cast.custom(MEMBERS_MANAGE))
    ),
    "gone": lambda sponsor: Invitation.objects.update(sponsor=None),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_without_a_sponsor_who_could_send_it_now_nothing_is_accepted(bea, bob, end):
    offer = cast.invited(bea, "bob@example.org", grant=cast.custom(BILLING_MANAGE))
    end(bea.membership)
    before = tables()

    with pytest.raises(Refused) as refusal:
        accept(bob, offer)

    assert refusal.value.code == "sponsor_gone"
    assert tables() == before


def test_the_grant_counts_as_it_is_at_the_moment_of_acceptance(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    contributor.role.names = ["billing.manage", "members.view"]
    contributor.role.save()

    with pytest.raises(Refused) as refusal:
        accept(bob, offer)
    assert refusal.value.code == "sponsor_gone"


def test_a_sponsor_who_may_no_longer_hand_out_the_seat_backs_nothing(ada, ivy, bob, payments, contributor):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="manager")
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])
    Seat.objects.filter(membership=ivy.membership).update(role="member")

    with pytest.raises(Refused) as refusal:
        accept(bob, offer)
    assert refusal.value.code == "sponsor_gone"


def test_a_seat_that_is_left_out_needs_no_sponsor(ada, ivy, bob, payments, contributor):
    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="manager")
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, seats=[SeatOffer(payments)])
    Workspace.objects.update(archived_at=timezone.now())

    assert accept(bob, offer).left_out == [payments]


def test_the_operators_offer_needs_no_sponsor(acme, bob, administrator):
    offer = cast.invited(cast.operator(acme), "bob@example.org", grant=administrator)

    assert accept(bob, offer).membership.is_administrator
    assert not Letter.objects.filter(kind="accepted").exists()


def test_whoever_resends_becomes_the_sponsor_and_the_offer_is_worth_something_again(ada, bea, bob):
    offer = cast.invited(bea, "bob@example.org", grant=cast.custom(BILLING_MANAGE))
    ENDS["expired"](bea.membership)

    invitations.resend(ada, invitations=[offer])

    assert accept(bob, offer).membership.invited_by == "Ada"


# --- Declining --------------------------------------------------------------------------------------------------------


def test_the_invited_declines_and_the_sponsor_is_told(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    invitations.decline(cast.signed_in(bob), offer, reply="No time.")

    offer.refresh_from_db()
    assert (offer.state, offer.reply) == ("declined", "No time.")
    assert Event.objects.get(action="invitation.declined").actor_id == bob.pk
    assert Letter.objects.get(kind="declined").address == "ivy@example.org"


def test_whoever_holds_the_link_declines_without_an_account(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    invitations.decline(bearer(offer), offer)

    event = Event.objects.get(action="invitation.declined")
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("bearer", None, None)


def test_somebody_else_declines_nothing_and_asks_for_nothing(ivy, mel, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    for command in (invitations.decline, invitations.ask_again):
        with pytest.raises(Refused) as refusal:
            command(cast.signed_in(mel.membership.user), offer)
        assert refusal.value.code == "wrong_account"


def test_an_expired_offer_can_be_declined(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    with time_machine.travel(offer.expires_at + DAY):
        assert invitations.decline(cast.signed_in(bob), offer).state == "declined"


@pytest.mark.parametrize("state", ["accepted", "declined", "revoked"])
def test_what_is_closed_is_neither_declined_nor_asked_for(ivy, bob, contributor, state):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    Invitation.objects.filter(pk=offer.pk).update(state=state)

    for command in (invitations.decline, invitations.ask_again):
        with pytest.raises(Refused) as refusal:
            command(cast.signed_in(bob), offer)
        assert refusal.value.code == "invitation_closed"


@pytest.mark.parametrize("end", ["suspended", "expired"])
def test_a_sponsor_who_is_no_longer_active_is_told_nothing(bea, contributor, end):
    offer = cast.invited(bea, "bob@example.org", grant=cast.custom(BILLING_MANAGE))
    Membership.objects.filter(pk=bea.membership.pk).update(expires_at=timezone.now())

    invitations.decline(bearer(offer), offer)

    assert not Letter.objects.filter(kind="declined").exists()


# --- Asking again -----------------------------------------------------------------------------------------------------


def told():
    """Whom a letter asks for a new link."""
    return sorted(Letter.objects.filter(kind="asked").values_list("address", flat=True))


def test_whoever_holds_the_link_asks_the_sponsor_for_a_new_one(ada, ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor, days=1)

    with time_machine.travel(offer.expires_at + DAY):
        invitations.ask_again(bearer(offer), offer)

    assert told() == ["ivy@example.org"]
    assert cast.actions(ivy.organization)[-1] == "invitation.asked"


def test_with_the_sponsor_gone_those_who_manage_members_are_asked(ada, ivy, mel, bea):
    offer = cast.invited(bea, "bob@example.org", grant=cast.custom(BILLING_MANAGE))
    Membership.objects.filter(pk=bea.membership.pk).update(expires_at=timezone.now())

    invitations.ask_again(bearer(offer), offer)

    assert told() == ["ada@example.org", "ivy@example.org"]


def test_for_the_operators_offer_those_who_manage_members_are_asked(acme, ada, ivy, mel, contributor):
    offer = cast.invited(cast.operator(acme), "bob@example.org", grant=contributor)

    invitations.ask_again(bearer(offer), offer)

    assert told() == ["ada@example.org", "ivy@example.org"]


def test_at_most_twenty_are_asked(acme, ada, contributor):
    for n in range(25):
        cast.joined(acme, cast.person(f"P{n}", f"p{n}@example.org"), cast.custom(MEMBERS_MANAGE))
    offer = cast.invited(cast.operator(acme), "bob@example.org", grant=contributor)

    invitations.ask_again(bearer(offer), offer)

    assert len(told()) == 20


def test_one_asks_once_a_day(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    invitations.ask_again(cast.signed_in(bob), offer)

    with pytest.raises(Refused) as refusal:
        invitations.ask_again(bearer(offer), offer)
    assert refusal.value.code == "asked_already"

    with time_machine.travel(timezone.now() + DAY):
        invitations.ask_again(bearer(offer), offer)
    assert told() == ["ivy@example.org", "ivy@example.org"]


def test_an_invitation_that_is_not_there_is_missing(ivy, bob, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)
    offer.pk = uuid4()

    for command in (invitations.accept, invitations.decline, invitations.ask_again):
        with pytest.raises(Missing):
            command(cast.signed_in(bob), offer)


# --- The link ---------------------------------------------------------------------------------------------------------


def test_a_letters_link_says_which_invitation_and_which_letter():
    invitation = uuid4()

    link = invitations.read_token(invitations.letter_token(invitation, 3))

    assert (link.invitation_id, link.number) == (invitation, 3)


def test_a_link_fits_into_an_address():
    token = invitations.letter_token(uuid4(), 2**31 - 1)

    assert len(token) == 48
    assert token.replace("-", "").replace("_", "").isalnum()


def test_each_number_and_each_invitation_has_a_link_of_its_own():
    one, other = uuid4(), uuid4()

    assert len({invitations.letter_token(each, number) for each in (one, other) for number in (1, 2)}) == 4


def flipped(token, place):
    raw = bytearray(urlsafe_b64decode(token))
    raw[place] ^= 1
    return urlsafe_b64encode(bytes(raw)).decode()


@pytest.mark.parametrize("place", range(36))
def test_a_link_with_any_bit_changed_is_unknown(place):
    assert invitations.read_token(flipped(invitations.letter_token(uuid4(), 1), place)) is None


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: "",
        lambda token: "x",
        lambda token: token[:-1],
        lambda token: token[:-4],
        lambda token: token + "A",
        lambda token: token + "AAAA",
        lambda token: token + "=",
        lambda token: token[:10] + "!" + token[10:],
        lambda token: token + "\n",
        lambda token: token.replace(token[0], "é", 1),
        lambda token: urlsafe_b64encode(urlsafe_b64decode(token)[:20]).decode(),
        lambda token: urlsafe_b64encode(urlsafe_b64decode(token)[:20] + bytes(16)).decode(),
        lambda token: "A" * 100_000,
    ],
)
def test_a_forged_or_truncated_link_is_unknown(forge):
    assert invitations.read_token(forge(invitations.letter_token(uuid4(), 1))) is None


def test_the_mac_has_128_bits_under_a_key_for_this_alone(settings):
    invitation = uuid4()
    body = invitation.bytes + (1).to_bytes(4, "big")

    mac = urlsafe_b64decode(invitations.letter_token(invitation, 1))[20:]

    assert len(mac) == 16
    assert mac[:8] != mac[8:]
    assert mac != invitations.hmac.digest(settings.SECRET_KEY.encode(), b"letter" + body, "sha256")[:16]
    assert (
        mac
        != invitations.hmac.digest(
            invitations.derive(settings.SECRET_KEY, b"portico letters", 32), b"letter" + body, "sha256"
        )[:16]
    )


def test_a_link_made_under_a_former_key_is_believed(settings):
    token = invitations.letter_token(uuid4(), 1)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", [settings.SECRET_KEY]

    assert invitations.read_token(token)


def test_a_link_made_under_an_unknown_key_is_not(settings):
    token = invitations.letter_token(uuid4(), 1)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", []

    assert invitations.read_token(token) is None


def test_the_invitation_of_a_link_is_found(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    assert invitations.find(offer.pk) == offer
    assert invitations.find(uuid4()) is None


# --- Seeing -----------------------------------------------------------------------------------------------------------


def test_invitations_are_seen_by_those_who_manage_members(ivy, mel, eve, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    assert list(invitations.visible_to(ivy)) == [offer]
    assert not invitations.visible_to(mel)
    assert not invitations.visible_to(eve)


def test_open_offers_to_any_of_my_verified_addresses_wait_for_me(ivy, eve, bob, contributor):
    cast.own(bob, "bob@work.example.org")
    cast.own(bob, "claimed@example.org", verified=False)
    here = cast.invited(ivy, "bob@example.org", grant=contributor)
    there = cast.invited(eve, "bob@work.example.org", grant=cast.custom())
    cast.invite(ivy, "claimed@example.org cy@example.org", grant=contributor)

    assert list(invitations.waiting_for(bob)) == [here, there]


NOT_WAITING = {
    "closed": lambda offer: Invitation.objects.update(state="revoked"),
    "expired": lambda offer: Invitation.objects.update(expires_at=timezone.now()),
    "of a closed organization": lambda offer: Organization.objects.update(closed_at=timezone.now()),
}


@pytest.mark.parametrize("end", NOT_WAITING.values(), ids=NOT_WAITING.keys())
def test_what_is_not_open_does_not_wait(ivy, bob, contributor, end):
    end(cast.invited(ivy, "bob@example.org", grant=contributor))

    assert not invitations.waiting_for(bob)


# --- Many at once -----------------------------------------------------------------------------------------------------


def crowd(first, count):
    emails = [f"p{n}@example.org" for n in range(first, first + count)]
    return [Wanted(addresses.Typed(email, email)) for email in emails]


def statements(run):
    with CaptureQueriesContext(connection) as queries:
        run()
    return len(queries)


def pending():
    return list(Invitation.objects.filter(state="pending"))


@pytest.fixture
def invite_many(ada, payments, developer, settings):
    """Invites as many with a seat; nothing limits how many."""
    settings.LETTERS_PER_DAY = dict.fromkeys(("usual", "new", "trusted"), 10**6)
    terms = Terms(grant=developer, seats=[SeatOffer(payments)])
    return lambda first, count: invitations.send(ada, wanted=crowd(first, count), terms=terms)


def test_inviting_takes_statements_for_each_thousand_and_not_for_each(invite_many):
    a_thousand = statements(lambda: invite_many(0, 1000))
    five_thousand = statements(lambda: invite_many(1000, 5000))

    assert a_thousand <= 40
    assert five_thousand <= a_thousand + 4 * 10


def test_resending_and_revoking_take_statements_for_each_thousand_too(ada, invite_many):
    def act():
        return (
            statements(lambda: invitations.resend(ada, invitations=pending())),
            statements(lambda: invitations.revoke(ada, invitations=pending())),
        )

    invite_many(0, 100)
    resent, revoked = act()
    invite_many(1000, 1500)
    more_resent, more_revoked = act()

    assert more_resent <= resent + 2 * 10
    assert more_revoked <= revoked + 2 * 10


def test_taking_over_takes_statements_for_each_thousand_too(ada, ivy, payments, invite_many):
    def act(member):
        Invitation.objects.filter(state="pending").update(sponsor=member.membership)
        return statements(lambda: memberships.remove(ada, members=[member.membership], take_over=True))

    invite_many(0, 100)
    ann = cast.joined(ada.organization, cast.person("Ann"), cast.custom(MEMBERS_MANAGE))
    hundred = act(ann)
    invite_many(1000, 1500)

    more = act(ivy)
    assert more <= hundred + 2 * 10


# --- A link to hand over ----------------------------------------------------------------------------------------------


def test_a_hand_link_is_of_its_own_purpose_and_number():
    invitation = uuid4()

    by_hand, by_letter = (make(invitation, 1) for make in (invitations.hand_token, invitations.letter_token))

    assert by_hand != by_letter
    assert invitations.read_token(by_hand).purpose == invitations.HAND
    assert invitations.read_token(by_letter).purpose == invitations.LETTER


def test_a_hand_link_is_on_the_record_and_leaves_the_letters_number(ivy, contributor):
    offer = cast.invited(ivy, "bob@example.org", grant=contributor)

    links = [invitations.read_token(invitations.make_link(ivy, invitation=offer)) for _each in range(2)]

    assert [link.number for link in links] == [1, 2]
    row = Invitation.objects.get()
    assert (row.number, row.hand_number) == (1, 2)
    assert cast.actions(ivy.organization)[-2:] == ["invitation.link_made"] * 2
    assert Letter.objects.filter(kind="invitation").count() == 1


def test_making_a_link_needs_what_sending_again_needs(ada, ivy, mel, administrator, contributor):
    above = cast.invited(ada, "bob@example.org", grant=administrator)
    closed = cast.invited(ada, "cid@example.org", grant=contributor)
    invitations.revoke(ada, invitations=[closed])
    mine = cast.invited(ada, "dan@example.org", grant=contributor)

    for actor, offer, code in (
        (ivy, above, "exceeds_your_authority"),
        (ada, closed, "invitation_closed"),
        (mel, mine, "missing_permission"),
    ):
        with pytest.raises((Forbidden, Refused)) as refusal:
            invitations.make_link(actor, invitation=offer)
        assert refusal.value.code == code
    ada.proved_at = None
    with pytest.raises(Forbidden) as refusal:
        invitations.make_link(ada, invitation=above)
    assert refusal.value.code == "prove_again"
    assert not Invitation.objects.exclude(hand_number=0).exists()


def test_no_link_is_made_of_what_has_expired_or_was_shown_otherwise(ada, contributor):
    offer = cast.invited(ada, "bob@example.org", grant=contributor)

    with pytest.raises(Refused) as refusal:
        invitations.make_link(ada, invitation=offer, shown=7)
    assert refusal.value.code == "changed_meanwhile"
    with time_machine.travel(timezone.now() + timedelta(days=8)), pytest.raises(Refused) as refusal:
        invitations.make_link(ada, invitation=offer)
    assert refusal.value.code == "invitation_closed"


def test_who_holds_a_hand_link_alone_answers_nothing(ada, contributor):
    offer = cast.invited(ada, "bob@example.org", grant=contributor)
    holder = Bearer(organization=offer.organization, via=cast.VIA, proves=False)

    for answer in (invitations.decline, invitations.ask_again):
        with pytest.raises(Refused) as refusal:
            answer(holder, offer)
        assert refusal.value.code == "wrong_account"
    assert Invitation.objects.get().state == "pending"
