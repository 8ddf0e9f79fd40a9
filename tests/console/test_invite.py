"""Inviting: the form, its review, a file of addresses, and what becomes of what cannot be sent.

ada administers Acme · ivy may manage members, nothing else · mel is a plain member · payments is a workspace of ada's
"""

import html
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portico.domain.invitations import Invitation
from portico.domain.outbox import Letter
from portico.domain.permissions import MEMBERS_VIEW
from portico.domain.roles import Role
from portico.domain.workspaces import SeatOffer
from tests import cast
from tests.console.browser import beside, section, signed_in, text, words

PAGE, REVIEW, LIST = "/o/acme/users/invite", "/o/acme/users/invite/review", "/o/acme/users"


@pytest.fixture
def adas(ada):
    return signed_in(ada)


def invite(client, emails="", **fields):
    """Press *Invite*."""
    return client.post(PAGE, {"emails": emails, "do": "invite", "role": "contributor"} | fields)


def review(client, emails="", **fields):
    """What the script shows while somebody types."""
    return client.post(REVIEW, {"emails": emails, "role": "contributor"} | fields)


def upload(client, content, name="people.csv", **fields):
    """Choose a file and press *Invite*."""
    data = content if isinstance(content, bytes) else content.encode()
    return invite(client, csv=SimpleUploadedFile(name, data, "text/csv"), **fields)


def reviewed(answer):
    return section(answer, "Review")


def field(answer):
    """What stands in the field of addresses."""
    [found] = re.findall(r'<textarea[^>]* id="emails".*?>\n(.*?)</textarea>', answer.content.decode(), re.DOTALL)
    return html.unescape(found)


def markup(answer, pattern):
    """The one element that begins so."""
    [found] = re.findall(rf"<{pattern}[^>]*>", answer.content.decode())
    return found


def carried(answer):
    """What the page would send with its next button: everything that is written, chosen or ticked."""
    page = answer.content.decode()
    fields = {"emails": field(answer), "do": "invite"}
    for tag in re.findall(r"<input[^>]*>", page):
        named = re.search(r'name="([^"]*)"', tag)
        typed = re.search(r'type="(\w+)"', tag)
        is_off = typed and typed[1] in {"radio", "checkbox", "file"} and " checked" not in tag
        if named and not is_off:
            value = re.search(r'value="([^"]*)"', tag)
            fields[html.unescape(named[1])] = html.unescape(value[1]) if value else ""
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.findall(r'<option value="([^"]*)" selected>', options)
        fields[html.unescape(name)] = html.unescape(chosen[0]) if chosen else ""
    return fields


def grants():
    """Who was invited as what."""
    return {
        offer.address: offer.grant.slug or sorted(offer.grant.names)
        for offer in Invitation.objects.select_related("grant")
    }


# --- The page ------------------------------------------------------------------------------------------------------


def test_it_says_what_the_article_says(adas):
    answer = adas.get(PAGE)
    page = text(answer)

    assert "Invite user to Acme organization" in page
    assert 'placeholder="you@example.com"' in markup(answer, 'textarea class="input" id="emails"')
    assert "Administrator Developer Contributor Custom" in page
    assert "User Permissions (Organization Permissions) Select All select all permissions for organization" in page
    assert "Manage billing information for organization Manage and update billing information" in page
    for label in ("Email", "Message", "Link expires in", "Membership ends on", "Cancel", "Invite"):
        assert label in page


def test_nothing_is_chosen_beforehand(adas):
    page = adas.get(PAGE).content.decode()

    assert " checked" not in page
    assert '<option value="7" selected>7 days</option>' in page


def test_the_organizations_own_roles_can_be_chosen(adas, acme):
    Role.objects.create(organization=acme, slug="lead", name="People lead", names=["members.view"], fingerprint="x")
    invite(adas, "bob@example.org", role="lead")

    assert grants() == {"bob@example.org": "lead"}


def test_there_is_one_language_so_none_is_asked_for(adas, settings):
    assert "Language of the letter" not in text(adas.get(PAGE))

    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    assert "Language of the letter" in text(adas.get(PAGE))


def test_who_may_not_manage_members_is_refused_and_finds_no_link(mel):
    client = signed_in(mel)

    assert client.get(PAGE).status_code == 403
    assert invite(client, "bob@example.org").status_code == 403
    assert review(client, "bob@example.org").status_code == 403
    assert PAGE not in client.get(LIST).content.decode()
    assert not Invitation.objects.exists()


def test_looking_changes_nothing(adas):
    events = cast.actions()

    assert adas.get(PAGE, {"email": "bob@example.org"}).status_code == 200
    assert adas.head(PAGE).status_code == 200
    assert adas.get(REVIEW).status_code == 405
    assert cast.actions() == events
    assert not Invitation.objects.exists()


def test_a_link_may_bring_an_address(adas):
    answer = adas.get(PAGE, {"email": "bob@example.org"})

    assert field(answer) == "bob@example.org"
    assert "1 person can be invited. Choose a role" in reviewed(answer)


def test_the_page_asks_the_database_little_however_many_stand_in_it(adas):
    def asked(emails):
        with CaptureQueriesContext(
            connection,
        ) as statements:
            review(adas, emails)
        return len(statements)

    few = asked("a@example.org, b@example.org")
    assert asked(" ".join(f"p{n}@example.org" for n in range(200))) == few <= 16


# --- Sending -------------------------------------------------------------------------------------------------------


def test_good_addresses_go_out_and_the_list_says_how_many(adas):
    answer = invite(adas, "ann@example.org, Bob Lee <bob@example.org>; cy@example.org\ndee@example.org")

    assert answer.status_code == 303
    assert answer["Location"] == LIST
    assert set(grants()) == {"ann@example.org", "bob@example.org", "cy@example.org", "dee@example.org"}
    assert Letter.objects.filter(kind="invitation").count() == 4
    assert "4 invitations are on their way." in text(adas.get(LIST))


def test_everything_that_was_asked_for_is_in_the_offer(adas, payments):
    until = (timezone.now() + timedelta(days=90)).date()
    invite(adas, "bob@example.org", message="Hi\r\nBob", days="14", until=str(until), **{"seat:payments": "manager"})

    offer = Invitation.objects.get()
    assert (offer.message, (offer.expires_at - offer.sent_at).days) == ("Hi\nBob", 14)
    assert offer.member_until.isoformat() == f"{until}T23:59:59.999999+00:00"
    assert [(seat.workspace, seat.role) for seat in offer.seats.all()] == [(payments, "manager")]


def test_some_go_out_and_the_others_stay_in_the_field_with_their_sentences(adas, mel):
    answer = invite(adas, "ann@example.org mel@example.org bob@@example.org ANN@example.org")

    assert answer.status_code == 200
    assert set(grants()) == {"ann@example.org"}
    assert field(answer).splitlines() == ["mel@example.org", "bob@@example.org", "ANN@example.org"]
    page = text(answer)
    assert "1 invitation is on its way." in page
    assert "3 addresses were not invited" in page
    assert "They stay in the field to be mended. mel@example.org already belongs here." in page
    assert "It has more than one @ sign" in page
    assert "ANN@example.org ann@example.org stands here twice." in page


def test_where_none_goes_out_the_page_says_so_by_its_status_too(adas, mel):
    answer = invite(adas, "mel@example.org")

    assert answer.status_code == 422
    assert "1 address was not invited" in text(answer)
    assert not Invitation.objects.exists()


def test_who_has_been_invited_is_not_invited_again_and_who_let_it_expire_is(adas, ada, contributor):
    cast.invited(ada, "late@example.org", grant=contributor)
    Invitation.objects.update(expires_at=timezone.now())
    cast.invited(ada, "open@example.org", grant=contributor)

    assert "The expired invitation is renewed." in reviewed(review(adas, "late@example.org"))
    answer = invite(adas, "late@example.org open@example.org")

    assert field(answer) == "open@example.org"
    assert "has an invitation already" in text(answer)
    assert Invitation.objects.get(address="late@example.org").number == 2


def test_an_address_that_is_written_differently_is_told(adas):
    page = reviewed(review(adas, "ANN@Example.ORG, bob@exämple.org"))

    assert "Written as ann@example.org." in page
    assert "Written as bob@xn--exmple-cua.org." in page


@pytest.mark.parametrize(
    ("emails", "sentence"),
    [
        ("a@b", "After the @ sign stands a domain with a dot"),
        ("änn@example.org", "only plain letters, digits and signs"),
        ("a\u202eb@example.org", "a character in it that cannot be seen (U+202E)"),
        ("example.org", "An address has an @ sign."),
        (f"{'a' * 400}@example.org", "This is too long for an address."),
        ("a@example.org\x00", "cannot be seen (U+0000)"),
    ],
)
def test_what_is_no_address_stays_and_says_why(adas, emails, sentence):
    answer = invite(adas, emails)

    assert answer.status_code == 422
    assert sentence in text(answer)
    assert field(answer)
    assert not Invitation.objects.exists()


def test_a_button_writes_an_address_as_it_was_meant(adas):
    answer = invite(adas, "ann@@example.org, joann@@example.org")
    assert "Use ann@example.org" in text(answer)

    answer = adas.post(
        PAGE, {"emails": "joann@@example.org, ann@@example.org", "role": "developer", "mend": "ann@example.org"}
    )
    assert field(answer) == "joann@@example.org, ann@example.org"


def test_more_than_ten_thousand_addresses_are_refused_and_kept(adas):
    emails = "\n".join(f"p{n}@example.org" for n in range(10_001))
    answer = invite(adas, emails)

    assert answer.status_code == 422
    assert "At most 10,000 addresses at once. Send them in parts." in text(answer)
    assert field(answer) == emails


def test_limits_are_told_line_by_line(adas, settings):
    settings.LETTERS_PER_DAY = {"trusted": 1, "usual": 1, "new": 1}
    answer = invite(adas, "ann@example.org bob@example.org")

    assert set(grants()) == {"ann@example.org"}
    assert field(answer) == "bob@example.org"
    assert "may send 1 invitations in 24 hours" in text(answer)


def test_all_that_is_wrong_is_said_at_once_and_kept(adas):
    answer = invite(adas, "", role="", days="soon", until="2001-02-30", message="<b>Hi</b>")

    assert answer.status_code == 422
    assert "Choose a role" in beside(answer, "role")
    assert "Choose for how many days" in beside(answer, "days")
    assert "Write the day as in 2027-01-31." in beside(answer, "until")
    assert "Write at least one address." in text(answer)
    assert "&lt;b&gt;Hi&lt;/b&gt;" in answer.content.decode()


def test_what_is_no_address_is_told_together_with_all_else(adas):
    answer = invite(adas, "ann@example.org bob@@example.org", role="", until="2001-01-01", message="a\u202eb")

    assert "bob@@example.org It has more than one @ sign" in text(answer)
    assert "Choose a role" in beside(answer, "role")
    assert "lies in the past" in beside(answer, "until")
    assert "cannot be seen" in beside(answer, "message")


@pytest.mark.parametrize(
    ("name", "value", "place", "sentence"),
    [
        ("until", "2001-01-31", "until", "The end of the membership lies in the past."),
        ("until", "31.1.2030", "until", "Write the day as in 2027-01-31."),
        ("days", "31", "days", "A link works for 1 to 30 days."),
        ("days", "0", "days", "A link works for 1 to 30 days."),
        ("message", "a\u202eb", "message", "cannot be seen (U+202E)"),
        ("message", "x" * 1001, "message", "Write at most 1000 characters."),
        ("role", "king", "role", "There is no role “king” here."),
        ("grant", "all.of.it", "role", "There is no permission “all.of.it”."),
        ("seat:gone", "member", "workspaces", "There is no workspace “gone”"),
        ("seat:payments", "boss", "workspaces", "A seat is that of a manager or of a member."),
    ],
)
def test_each_mistake_is_told_beside_its_field_and_everything_is_kept(adas, payments, name, value, place, sentence):
    answer = invite(adas, "ann@example.org", **{name: value})

    assert answer.status_code == 422
    assert sentence in beside(answer, place)
    assert field(answer) == "ann@example.org"
    assert not Invitation.objects.exists()


def test_the_link_ends_with_the_membership(adas):
    today = timezone.now().date()
    page = reviewed(review(adas, "ann@example.org", days="30", until=str(today)))

    assert "The link works until" in page
    assert "23:59 UTC" in page


# --- Role or permissions -------------------------------------------------------------------------------------------


def test_single_permissions_are_custom(adas):
    invite(adas, "ann@example.org", role="Custom", grant=["members.manage"])

    assert grants() == {"ann@example.org": ["members.manage", "members.view"]}


def test_an_empty_custom_belongs_and_may_do_nothing(adas):
    assert "They will belong, and may do nothing yet." in reviewed(review(adas, "ann@example.org", role="Custom"))
    invite(adas, "ann@example.org", role="Custom")

    assert grants() == {"ann@example.org": []}


def test_select_all_is_a_custom_set_and_no_administrator(adas):
    invite(adas, "ann@example.org", role="Custom", all="grant")

    [offer] = Invitation.objects.select_related("grant")
    assert len(offer.grant.names) == 6
    assert not offer.grant.is_administrator


def test_select_all_gives_what_one_may_give_and_says_how_many_stay_off(ivy):
    client = signed_in(ivy)
    answer = client.get(PAGE)

    assert "4 stay off: you do not hold them" in text(answer)
    assert "Create new workspace You cannot give this, because you do not hold it." in text(answer)
    assert " disabled" in markup(answer, 'input type="checkbox" name="grant" value="workspaces.create"')
    assert " disabled" in markup(answer, 'input type="radio" name="role" value="administrator"')
    assert "Administrator holds more than you do." in text(answer)
    invite(client, "ann@example.org", role="Custom", all="grant")
    assert grants() == {"ann@example.org": ["members.manage", "members.view"]}


@pytest.mark.parametrize("fields", [{"role": "administrator"}, {"role": "Custom", "grant": "billing.manage"}])
def test_nobody_gives_more_than_they_hold_whatever_the_page_offered(ivy, fields):
    answer = invite(signed_in(ivy), "ann@example.org", **fields)

    assert answer.status_code == 422
    assert "You do not hold: " in text(answer)
    assert not Invitation.objects.exists()


def test_a_role_with_boxes_that_differ_is_refused_with_both_shown(adas):
    answer = invite(adas, "ann@example.org", role="developer", grant=["billing.manage"])

    assert answer.status_code == 422
    assert "The boxes do not say what Developer gives." in beside(answer, "role")
    assert " checked" in markup(answer, 'input type="radio" name="role" value="developer"')
    assert " checked" in markup(answer, 'input type="checkbox" name="grant" value="billing.manage"')
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(("meant", "granted"), [("role", "developer"), ("custom", ["billing.manage"])])
def test_what_was_meant_holds_from_then_on(adas, meant, granted):
    typed = {"emails": "ann@example.org", "role": "developer", "grant": ["billing.manage"]}
    answer = adas.post(PAGE, typed | {"meant": meant})
    assert answer.status_code == 200

    boxes = re.findall(r'name="grant" value="([\w.]+)"[^>]* checked', answer.content.decode())
    [role] = re.findall(r'name="role" value="(\w+)"[^>]* checked', answer.content.decode())
    invite(adas, "ann@example.org", role=role, grant=boxes)
    assert grants() == {"ann@example.org": granted}


# --- The review ----------------------------------------------------------------------------------------------------


def test_before_anything_is_typed_it_says_what_will_stand_there(adas):
    assert "Write addresses and choose a role" in reviewed(adas.get(PAGE))


def test_it_says_how_many_as_what_and_what_they_will_be_able_to_do(adas, payments):
    page = reviewed(review(adas, "ann@example.org bob@example.org", role="developer", **{"seat:payments": "member"}))

    assert "2 people will be invited as Developer . They will be able to" in page
    assert "View members of the organization Create new workspace View all workspaces Work in Payments" in page
    assert "Their links work until" in page


def test_the_button_counts(adas, mel):
    assert "Invite 2 people" in text(review(adas, "ann@example.org bob@example.org mel@example.org"))
    assert "Invite 1 person" in text(review(adas, "ann@example.org"))


def test_addresses_are_judged_before_a_role_is_chosen(adas):
    page = review(adas, "ann@example.org bob@@example.org", role="")

    assert page.status_code == 200
    assert "1 person can be invited. Choose a role to see what they will be able to do." in reviewed(page)
    assert "1 address will not be invited" in reviewed(page)
    assert "Choose a role, or" not in text(page)


def test_a_draft_is_never_an_error(adas):
    answer = review(adas, "ann@example.org", until="2001-01-01")

    assert answer.status_code == 200
    assert "The end of the membership lies in the past." in reviewed(answer)


def test_without_script_a_button_asks_for_it(adas):
    answer = invite(adas, "ann@example.org bob@@example.org", do="review")

    assert answer.status_code == 200
    assert "1 person will be invited as Contributor" in reviewed(answer)
    assert "1 address will not be invited" in reviewed(answer)
    assert not Invitation.objects.exists()


def test_enter_shows_the_review_and_neither_sends_nor_answers(adas):
    page = invite(adas, "bob@@example.org").content.decode()
    form = page[page.index('<form class="invite"') :]

    assert re.findall(r"<button[^>]*>", form)[0] == '<button hidden name="do" value="review">'


def test_each_line_has_a_role_of_its_own(adas):
    roles = {"role:ann@example.org": "administrator", "role:bob@example.org": ""}
    answer = review(adas, "ann@example.org bob@example.org", **roles)

    assert "1 person will be invited as Administrator" in reviewed(answer)
    assert "1 person will be invited as Contributor" in reviewed(answer)
    adas.post(PAGE, carried(answer) | {"role": "contributor"})
    assert grants() == {"ann@example.org": "administrator", "bob@example.org": "contributor"}


def test_a_line_offers_only_what_its_sponsor_may_give(ivy):
    answer = review(signed_in(ivy), "ann@example.org")

    page = answer.content.decode()
    assert '<option value="contributor">' in page
    assert '<option value="administrator">' not in page


def test_a_line_with_more_than_one_may_give_shows_what_was_asked(ivy):
    answer = review(signed_in(ivy), "ann@example.org", **{"role:ann@example.org": "administrator"})

    assert "1 address will not be invited" in reviewed(answer)
    assert '<option value="administrator" selected>administrator</option>' in answer.content.decode()


def test_a_member_among_the_lines_has_no_choice_of_role_because_none_would_change(adas, mel):
    answer = review(adas, "mel@example.org", **{"role:mel@example.org": "developer"})

    assert "mel@example.org already belongs here." in reviewed(answer)
    assert "Role of mel@example.org" not in reviewed(answer)
    assert '<input type="hidden" name="role:mel@example.org" value="developer">' in answer.content.decode()


def test_roles_of_lines_that_are_not_shown_travel_along(adas, settings):
    settings.LETTERS_PER_DAY = {"trusted": 150, "usual": 150, "new": 150}
    emails = " ".join(f"p{n}@example.org" for n in range(150))
    answer = review(adas, emails, **{"role:p3@example.org": "developer", "role:p140@example.org": "developer"})

    assert "148 people will be invited as Contributor" in reviewed(answer)
    assert "and 50 more" in reviewed(answer)
    assert '<input type="hidden" name="role:p140@example.org" value="developer">' in answer.content.decode()
    assert 'type="hidden" name="role:p3@' not in answer.content.decode()
    adas.post(PAGE, carried(answer) | {"role": "contributor"})
    assert sorted(address for address, role in grants().items() if role == "developer") == [
        "p140@example.org",
        "p3@example.org",
    ]


def test_what_was_typed_is_never_markup(adas):
    page = review(adas, '<script>alert("x")</script>@example.org').content.decode()

    assert "<script>alert" not in page


# --- A file --------------------------------------------------------------------------------------------------------


def test_its_rows_are_put_into_the_field_to_be_reviewed_and_nothing_is_sent_yet(adas):
    answer = upload(adas, "email,role\nann@example.org,Administrator\nbob@example.org,\n", emails="cy@example.org")

    assert answer.status_code == 200
    assert field(answer).splitlines() == ["cy@example.org", "ann@example.org", "bob@example.org"]
    assert "2 rows of the file stand in the field now." in text(answer)
    assert not Invitation.objects.exists()
    adas.post(PAGE, carried(answer) | {"role": "contributor"})
    assert grants() == {
        "ann@example.org": "administrator",
        "bob@example.org": "contributor",
        "cy@example.org": "contributor",
    }


@pytest.mark.parametrize("role", ["developer", "Developer", "DEVELOPER"])
def test_a_role_is_named_by_slug_or_title(adas, role):
    answer = upload(adas, f"email;role\nann@example.org;{role}\n")

    assert '<option value="developer" selected>Developer</option>' in answer.content.decode()


def test_workspaces_of_a_row_are_its_seats(adas, payments):
    answer = upload(adas, "email,workspaces\nann@example.org,payments\nbob@example.org,\n")
    assert "Workspaces: payments" in reviewed(answer)

    adas.post(PAGE, carried(answer) | {"role": "contributor"})
    offer = Invitation.objects.get(address="ann@example.org")
    assert [(seat.workspace, seat.role) for seat in offer.seats.all()] == [(payments, "member")]
    assert not Invitation.objects.get(address="bob@example.org").seats.exists()


def test_an_unknown_role_or_workspace_is_that_rows_problem_alone(adas):
    rows = "email,role,workspaces\nann@example.org,King,\nbob@example.org,,nowhere\ncy@example.org,developer,\n"
    answer = upload(adas, rows)

    assert "There is no role “King” here." in reviewed(answer)
    assert "There is no workspace “nowhere” here." in reviewed(answer)
    assert "1 person will be invited as Developer" in reviewed(answer)
    answer = adas.post(PAGE, carried(answer) | {"role": "contributor"})
    assert grants() == {"cy@example.org": "developer"}
    assert field(answer).splitlines() == ["ann@example.org", "bob@example.org"]

    mended = {"role:ann@example.org": "developer", "workspaces:bob@example.org": ""}
    adas.post(PAGE, carried(answer) | {"role": "contributor"} | mended)
    assert grants() == {
        "ann@example.org": "developer",
        "bob@example.org": "contributor",
        "cy@example.org": "developer",
    }


def test_a_row_with_a_mistyped_address_keeps_its_role_when_it_is_mended(adas):
    answer = upload(adas, "email,role\nann@@example.org,developer\n")
    answer = adas.post(PAGE, carried(answer) | {"role": "contributor", "do": "", "mend": "ann@example.org"})
    adas.post(PAGE, carried(answer) | {"role": "contributor"})

    assert grants() == {"ann@example.org": "developer"}


def test_a_cell_is_one_entry_whatever_stands_in_it(adas):
    answer = upload(adas, "email,role\nann bob@example.org,\nCy Lee <cy@example.org>,developer\n")

    assert field(answer).splitlines() == ["<ann bob@example.org>", "cy@example.org"]
    assert "1 person will be invited as Developer" in reviewed(answer)
    assert "1 address will not be invited" in reviewed(answer)


def test_the_first_of_two_rows_for_one_address_holds_and_the_other_is_told(adas):
    answer = upload(adas, "email,role\nann@example.org,developer\nann@example.org,administrator\n")

    assert "1 person will be invited as Developer" in reviewed(answer)
    assert "ann@example.org stands here twice." in reviewed(answer)


def test_a_file_in_utf_16_is_read(adas):
    answer = upload(adas, "email\tworkspaces\nann@example.org\t\n".encode("utf-16"))

    assert field(answer) == "ann@example.org"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("email\n" + "".join(f"p{n}@example.org\n" for n in range(10_001)), "At most 10,000 addresses at once."),
        ("email\nänn@example.org\n".encode("latin-1"), "neither UTF-8 nor UTF-16"),
        ("name,mail\nAnn,ann@example.org\n", "one of them is “email”"),
        ("email,age\nann@example.org,7\n", "There is a column “age”"),
        ("", "The file is empty."),
        ("\r\n", "The file is empty."),
        ("email\n", "There is no row below the first line"),
        (b"email\n\x00\x01", "This is not a text file."),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "neither UTF-8 nor UTF-16"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_beside_its_field_and_everything_is_kept(adas, content, sentence):
    answer = upload(adas, content, emails="cy@example.org", message="Hello", role="developer")

    assert answer.status_code == 422
    assert sentence in beside(answer, "csv")
    assert field(answer) == "cy@example.org"
    assert "Hello</textarea>" in answer.content.decode()
    assert " checked" in markup(answer, 'input type="radio" name="role" value="developer"')
    assert not Invitation.objects.exists()


def test_a_file_that_is_too_large_is_not_read(adas, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
    answer = upload(adas, b"email\n" + b"a" * 2 * 1024 * 1024)

    assert answer.status_code == 422
    assert "A file may have at most 2 MB." in beside(answer, "csv")


def test_a_file_of_ten_thousand_with_roles_goes_through_review_and_out(adas, acme):
    acme.is_trusted = True
    acme.save(update_fields=["is_trusted"])
    rows = "".join(f"p{n}@example.org,developer\n" for n in range(10_000))
    answer = upload(adas, f"email,role\n{rows}")
    assert "10,000 people will be invited as Developer" in reviewed(answer)

    answer = adas.post(PAGE, carried(answer) | {"role": "contributor"})
    assert answer.status_code == 303
    assert Invitation.objects.filter(grant__slug="developer").count() == 10_000
    assert "10,000 invitations are on their way." in words(adas.get(LIST).content.decode())


# --- Workspaces ----------------------------------------------------------------------------------------------------


def test_only_workspaces_whose_seats_one_gives_are_offered(ivy, payments):
    answer = signed_in(ivy).get(PAGE)

    assert "Payments" not in text(answer)


def test_whoever_manages_a_workspace_and_members_offers_its_seats(ada, ivy, payments):
    from portico.domain import workspaces

    workspaces.give_seat(ada, workspace=payments, member=ivy.membership, role="manager")
    invite(signed_in(ivy), "ann@example.org", role="Custom", grant=[MEMBERS_VIEW.name], **{"seat:payments": "member"})

    [offer] = Invitation.objects.all()
    assert offer.seat_offers == [SeatOffer(payments, "member")]


def test_an_archived_workspace_is_not_offered_nor_taken_from_a_file(adas, payments):
    payments.archived_at = timezone.now()
    payments.save(update_fields=["archived_at"])

    assert "Payments" not in text(adas.get(PAGE))
    answer = upload(adas, "email,workspaces\nann@example.org,payments\n")
    assert "There is no workspace “payments” here." in reviewed(answer)
