"""Where people begin: the first page, my organizations, founding one, the dashboard, and pages that are not there.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import gzip
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portico.domain import invitations, memberships, workspaces
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.organizations import COLORS, Organization
from portico.domain.outbox import Letter
from tests import cast
from tests.cast import actions
from tests.console.browser import beside, section, signed_in, text

NEW = "/organizations/new"


def founding(client: Client, **typed: str):
    return client.post(NEW, {"name": "Acme", "slug": "", "description": "", "color": "violet"} | typed)


# --- The first page -------------------------------------------------------------------------------------------------


def test_an_empty_instance_says_how_to_begin(db):
    page = text(Client().get("/"))

    assert "Create the first account" in page
    assert "built-in outbox" in page
    assert "PORTICO_BASE_URL" in page
    assert "PORTICO_EMAIL_URL" in page


def test_an_account_that_never_proved_its_address_is_nobody_yet(db):
    cast.person("Ann", verified=False)

    assert "Nobody is here yet" in text(Client().get("/"))


def test_with_a_mail_server_nobody_is_sent_to_the_outbox(db, settings):
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"email_url": "smtp://mail.example.org"})

    page = text(Client().get("/"))

    assert "outbox" not in page
    assert "It comes by mail" in page


def test_where_sign_up_is_closed_the_first_page_names_the_command(db, settings):
    settings.SIGNUP, settings.FOUNDING = "invited", "operator"

    page = text(Client().get("/"))

    assert "portico user create" in page
    assert "portico organization found" in page


def test_signed_out_the_beginning_is_the_way_in(ada):
    assert Client().get("/").url == "/account/login/"


# --- My organizations -----------------------------------------------------------------------------------------------


def test_home_shows_where_i_belong_with_my_role_and_how_many_people(mel, ada):
    page = text(signed_in(mel).get("/"))

    assert "Acme Contributor · 2 people" in page


def test_the_number_of_people_is_for_those_who_may_see_them(acme):
    bo = cast.joined(acme, cast.person("Bo"), cast.custom())

    page = section(signed_in(bo).get("/"), "You belong to")

    assert page.endswith("Acme Custom")


def test_the_first_of_an_organization_is_told_so(ada):
    assert "Administrator · Only you so far" in text(signed_in(ada).get("/"))


def test_home_shows_the_invitations_to_any_of_my_verified_addresses(ada, contributor):
    bob = cast.person("Bob")
    cast.own(bob, "robert@example.org")
    cast.own(bob, "claimed@example.org", verified=False)
    one = cast.invited(ada, "robert@example.org", grant=contributor)
    cast.invited(ada, "claimed@example.org", grant=contributor)

    answer = signed_in(bob).get("/")
    page = section(answer, "Invitations waiting for you")

    assert "Ada (ada@example.org) invites robert@example.org as Contributor" in page
    assert "claimed@example.org" not in page
    assert f'action="/invitations/{one.pk}"' in answer.content.decode()


def test_an_invitation_is_accepted_from_home(ada, contributor):
    bob = cast.person("Bob")
    offer = cast.invited(ada, "bob@example.org", grant=contributor)

    answer = signed_in(bob).post(f"/invitations/{offer.pk}", {"do": "accept"}, follow=True)

    assert answer.redirect_chain[-1][0] == "/o/acme/"
    assert "What you may do here" in text(answer)


def test_expired_and_declined_invitations_do_not_wait(ada, contributor):
    bob = cast.person("Bob")
    late = cast.invited(ada, "bob@example.org", grant=contributor)
    Invitation.objects.filter(pk=late.pk).update(expires_at=timezone.now())

    assert "Invitations waiting" not in text(signed_in(bob).get("/"))


def test_who_belongs_nowhere_is_told_what_to_do_first(db):
    page = text(signed_in(cast.person("Bob")).get("/"))

    assert "You belong nowhere yet" in page
    assert "bob@example.org" in page
    assert page.count("Create an organization") == 1 + 1  # the sentence and the button


def test_a_membership_that_is_asleep_says_so(mel):
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=timezone.now())

    assert section(signed_in(mel).get("/"), "You belong to").endswith("Acme Contributor Suspended")


# --- Founding -------------------------------------------------------------------------------------------------------


def test_whoever_creates_an_organization_lands_on_its_dashboard(db):
    answer = founding(signed_in(cast.person("Ann")), name="Acme & Sons", description="Anvils", color="teal")

    acme = Organization.objects.get()
    assert (answer.status_code, answer.url) == (303, "/o/acme-sons/")
    assert (acme.name, acme.slug, acme.description, acme.color) == ("Acme & Sons", "acme-sons", "Anvils", "teal")
    assert actions(acme) == ["organization.founded", "member.joined"]


def test_every_colour_can_be_chosen(db):
    page = signed_in(cast.person("Ann")).get(NEW).content.decode()

    assert all(f'value="{color}"' in page for color in COLORS)


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"name": ""}, "name", "Write a name."),
        ({"name": "Ac\r\nme"}, "name", "There is a character that cannot be seen (U+000D). Delete it and try again."),
        ({"name": "see https://acme.example"}, "name", "A name cannot contain a web address, because mail programs would make a link of it."),  # noqa: E501
        ({"name": "A" * 81}, "name", "A name has at most 80 characters."),
        ({"slug": "асme"}, "slug", "An address has 3 to 40 characters of a to z, 0 to 9 and hyphens inside."),
        ({"slug": "admin"}, "slug", "“admin” is kept for Portico itself. Choose another address."),
        ({"description": "x" * 201}, "description", "Write at most 200 characters."),
        ({"color": "mauve"}, "color", "Choose one of the colours."),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_created(db, typed, field, sentence):
    answer = founding(signed_in(cast.person("Ann")), **typed)

    assert answer.status_code == 422
    assert beside(answer, field) == sentence
    assert not Organization.objects.exists()


def test_all_that_is_wrong_is_said_at_once_and_what_was_typed_is_kept(db):
    answer = founding(signed_in(cast.person("Ann")), name="www.acme", slug="x y", description="Anvils")

    assert beside(answer, "name")
    assert beside(answer, "slug")
    assert 'value="x y"' in answer.content.decode()
    assert 'value="Anvils"' in answer.content.decode()


def test_an_address_that_is_taken_says_so(ada):
    answer = founding(signed_in(cast.person("Ann")), name="Another", slug="acme")

    assert answer.status_code == 409
    assert beside(answer, "slug") == "The address “acme” is taken."


def test_a_name_with_markup_is_shown_as_it_was_typed(db):
    client = signed_in(cast.person("Ann"))

    answer = client.get(founding(client, name="<b>Acme</b> & Sons").url)

    assert "&lt;b&gt;Acme&lt;/b&gt; &amp; Sons" in answer.content.decode()
    assert "<b>Acme</b>" not in answer.content.decode()


def test_where_only_the_operator_founds_the_page_is_neither_linked_nor_open(ada, settings):
    settings.FOUNDING = "operator"
    client = signed_in(ada)

    assert NEW not in client.get("/").content.decode()
    assert NEW not in client.get("/o/acme/").content.decode()
    assert client.get(NEW).status_code == 403
    assert founding(client, name="Second").status_code == 403
    assert Organization.objects.count() == 1


# --- The dashboard --------------------------------------------------------------------------------------------------


def test_the_dashboard_shows_an_administrator_everything_in_short(ada, mel, payments, contributor):
    cast.invited(ada, "bob@example.org", grant=contributor)

    answer = signed_in(ada).get("/o/acme/")

    assert "bob@example.org" in section(answer, "Waiting for somebody")
    assert "Ada invited bob@example.org as Contributor" in section(answer, "Recent events")
    assert "Mel mel@example.org Contributor" in section(answer, "People")
    assert "Payments Manager" in section(answer, "Workspaces")
    assert "What you may do here" not in text(answer)


def test_what_is_most_urgent_stands_first(ada, contributor):
    _fine, late, lost = [
        cast.invited(ada, f"{name}@example.org", grant=contributor) for name in ("fine", "late", "lost")
    ]
    Invitation.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(days=1))
    Letter.objects.filter(pk=lost.letter_id).update(state=Letter.State.GIVEN_UP, detail="550 No such mailbox")

    waiting = section(signed_in(ada).get("/o/acme/"), "Waiting for somebody")

    assert waiting.index("lost@") < waiting.index("late@") < waiting.index("fine@")
    assert "550 No such mailbox" in waiting


def test_an_expired_invitation_whose_letter_was_given_up_reads_the_same_in_both_lists(ada, contributor):
    offer = cast.invited(ada, "lost@example.org", grant=contributor)
    Invitation.objects.filter(pk=offer.pk).update(expires_at=timezone.now() - timedelta(days=1))
    Letter.objects.filter(pk=offer.letter_id).update(state=Letter.State.GIVEN_UP, detail="550 No such mailbox")

    waiting = section(signed_in(ada).get("/o/acme/"), "Waiting for somebody")
    users = text(signed_in(ada).get("/o/acme/users"))

    assert "Contributor · 550 No such mailbox Not delivered" in waiting
    assert "Not delivered 550 No such mailbox" in users
    assert "Expired" not in waiting


def test_a_contributor_sees_seats_permissions_and_whom_to_ask(ada, mel, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    answer = signed_in(mel).get("/o/acme/")

    assert "Payments Member" in section(answer, "Workspaces")
    assert "See who belongs to the organization" in section(answer, "What you may do here")
    assert section(answer, "Whom to ask") == (
        "Whom to ask Ada ada@example.org Administrator Ivy ivy@example.org Custom"
    )
    assert "Recent events" not in text(answer)
    assert "Waiting for somebody" not in text(answer)


def test_who_may_not_see_members_sees_no_name(ada, mel, payments):
    bo = cast.joined(ada.organization, cast.person("Bo"), cast.custom())

    page = text(signed_in(bo).get("/o/acme/"))

    assert "Ask whoever manages members here." in page
    assert "You belong, and may do nothing here yet." in page
    assert "Ada" not in page
    assert "Mel" not in page
    assert "Payments" not in page


def test_the_number_of_questions_does_not_grow_with_people(ada, contributor, django_assert_max_num_queries):
    for n in range(8):
        cast.joined(ada.organization, cast.person(f"P{n}"), contributor)
        workspaces.create(ada, name=f"W{n} place")
        cast.invited(ada, f"i{n}@example.org", grant=contributor)
    client = signed_in(ada)

    with django_assert_max_num_queries(18):
        client.get("/o/acme/")


def test_a_suspended_member_learns_since_when_and_whom_to_ask(mel):
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=timezone.now(), invited_by="Ada")

    answer = signed_in(mel).get("/o/acme/")

    assert answer.status_code == 403
    assert "Your membership is suspended" in text(answer)
    assert "ask Ada , who invited you" in text(answer)
    assert "What you may do here" not in text(answer)


def test_a_membership_past_its_end_says_so(acme, contributor):
    joined = cast.joined(acme, cast.person("Bo"), contributor, expires_at=timezone.now() - timedelta(days=1))

    assert "Your membership has ended" in text(signed_in(joined).get("/o/acme/"))


def test_a_closed_organization_says_so_and_shows_nothing(ada, mel):
    Organization.objects.update(closed_at=timezone.now())

    answer = signed_in(ada).get("/o/acme/workspaces")

    assert answer.status_code == 403
    assert "Acme is closed" in text(answer)


def test_a_membership_that_ends_is_announced_to_its_member(acme, contributor):
    bo = cast.joined(acme, cast.person("Bo"), contributor, expires_at=timezone.now() + timedelta(days=3))

    assert "Your membership ends" in text(signed_in(bo).get("/o/acme/"))


# --- Nothing here ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/o/acme/", "/o/nowhere/", "/o/acme/no/such/page", "/o/acme", "/o/-not a slug-/x"])
def test_signed_out_every_address_of_an_organization_leads_to_sign_in(ada, path):
    answer = Client().get(path, follow=True)

    assert answer.redirect_chain[-1][0].startswith("/account/login/?next=/o/")


def test_another_organization_does_not_exist(ada, eve):
    client = signed_in(eve)

    here, nowhere = client.get("/o/acme/"), client.get("/o/nowhere/")

    assert (here.status_code, nowhere.status_code) == (404, 404)
    assert text(here) == text(nowhere)


def test_a_page_that_is_not_there_says_so(db):
    answer = Client().get("/nothing")

    assert answer.status_code == 404
    assert "Nothing here" in text(answer)


def test_leaving_ends_the_dashboard_at_once(mel):
    client = signed_in(mel)
    memberships.leave(mel)

    assert client.get("/o/acme/").status_code == 404
    assert invitations.Invitation.objects.count() == 0


# --- On the way ------------------------------------------------------------------------------------------------------


def test_pages_travel_compressed_to_whoever_takes_them_so(ada):
    browser = signed_in(ada.membership.user)

    page = browser.get("/o/acme/users", headers={"Accept-Encoding": "gzip"})

    assert page.headers["Content-Encoding"] == "gzip"
    assert "Ada" in gzip.decompress(page.content).decode()
    assert "Content-Encoding" not in browser.get("/o/acme/users").headers


def test_answers_to_programs_keep_their_strong_etag(ada):
    answer = signed_in(ada.membership.user).get("/api/v1/organizations/acme", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers
    assert answer.headers["ETag"].startswith('"')
