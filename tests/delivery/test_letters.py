"""What letters say, read from the bytes that arrived."""

import re
from uuid import uuid4

import pytest
from django.utils import timezone

from portico.delivery import letters, mail, worker
from portico.domain import handovers, invitations, memberships, organizations, outbox
from portico.domain.invitations import Invitation, Terms
from portico.domain.memberships import Membership
from portico.domain.organizations import COLORS, Organization
from portico.domain.outbox import Letter
from portico.domain.people import User
from portico.domain.workspaces import SeatOffer
from tests import cast
from tests.delivery.post_office import links

pytestmark = pytest.mark.django_db


@pytest.fixture
def zoe(acme, administrator):
    """A second Administrator."""
    return cast.joined(acme, cast.person("Zoe"), administrator)


def arrived(office, address="bob@example.org"):
    """The letter to an address, as the server got it."""
    worker.run_once()
    [one] = [received for received in office.received if received.address == address]
    return one


# --- The invitation ------------------------------------------------------------------------------------------------


def test_an_invitation_says_who_where_what_and_until_when(smtp, ada, developer, payments, invite):
    [offer] = invite("bob@example.org", seats=[SeatOffer(payments)], message="See you on Tuesday.\nBring a pen.")

    letter = arrived(smtp)

    assert letter["Subject"] == "Ada invites you to Acme"
    assert letter["To"] == "bob@example.org"
    for part in (letter.text, letter.html):
        plain = " ".join(re.sub(r"<[^>]+>", "", part).split())
        assert "Ada (ada@example.org) would like you to join the organization Acme as Developer." in plain
        assert "See you on Tuesday." in plain
        assert "Bring a pen." in plain
        assert "View all workspaces" in plain
        assert "See other workspaces of the organization which they are not a member of" in plain
        assert "Work in Payments" in plain
        assert f"{offer.expires_at:%H:%M} UTC. It is for bob@example.org alone." in plain
        assert "Not expecting this? You can ignore it." in plain
        assert "Sent by Portico for Acme" in plain


def test_its_link_is_the_only_one_and_genuine(smtp, invite):
    [offer] = invite("bob@example.org")

    letter = arrived(smtp)

    assert links(letter.text) == links(letter.html)
    [link] = links(letter.text)
    assert link.startswith("https://portico.example/join/")
    found = invitations.read_token(link.rpartition("/")[2])
    assert (found.invitation_id, found.number) == (offer.pk, 1)


def test_each_of_many_gets_a_link_and_an_address_of_their_own(smtp, invite):
    offers = invite(*(f"p{n}@example.org" for n in range(5)))

    worker.run_once()

    for letter, offer in zip(smtp.received, offers, strict=True):
        assert letter.address == offer.address
        assert f"It is for {offer.address} alone." in " ".join(letter.text.split())
        for part in (letter.text, letter.html):
            assert links(part) == [f"https://portico.example/join/{invitations.letter_token(offer.pk, 1)}"]


def test_invitations_of_one_command_that_differ_do_not_get_each_others_words(
    smtp, ada, developer, contributor, administrator, payments
):
    wanted = [
        *cast.wanted("dev@example.org", grant=developer),
        *cast.wanted("con@example.org", grant=contributor),
        *cast.wanted("seat@example.org", grant=contributor, seats=[SeatOffer(payments, "manager")]),
        *cast.wanted("adm@example.org", grant=administrator),
    ]
    invitations.send(ada, wanted=wanted, terms=Terms(grant=None))
    cast.invited(ada, "msg@example.org", grant=contributor, message="Two")

    worker.run_once()

    dev, con, seat, adm, msg = (letter.text for letter in smtp.received)
    assert "View all workspaces" in dev
    assert "View all workspaces" not in con
    assert "Manage Payments" in seat
    assert "Manage Payments" not in con
    assert "Do everything, now and in the future" in adm
    assert "Two" in msg
    assert "Two" not in con


def test_the_link_of_a_letter_is_nowhere_in_the_database(smtp, invite):
    invite("bob@example.org")

    token = links(arrived(smtp).text)[0].rpartition("/")[2]

    for row in [*Letter.objects.values(), *Invitation.objects.values()]:
        assert token not in str(row)


def test_an_offer_of_the_operator_has_no_sponsor_and_says_so(smtp, acme, developer):
    cast.invited(cast.operator(acme), "bob@example.org", grant=developer)

    letter = arrived(smtp)

    assert letter["Subject"] == "You are invited to Acme"
    assert "Whoever runs this Portico would like you to join" in " ".join(letter.text.split())


def test_custom_permissions_have_no_name_and_none_promise_nothing(smtp, ada):
    cast.invited(ada, "bob@example.org", grant=cast.custom())

    letter = arrived(smtp)

    assert "to join the organization Acme." in " ".join(letter.text.split())
    assert "You will be able to" not in letter.text
    assert "Custom" not in letter.text


def test_the_end_of_the_membership_is_told(smtp, ada, developer):
    until = timezone.now() + timezone.timedelta(days=90)
    cast.invited(ada, "bob@example.org", grant=developer, member_until=until)

    assert f"The membership would end on {until.day} {until:%B %Y}." in arrived(smtp).text


def test_every_colour_of_an_organization_is_known_to_letters():
    assert set(letters.HEX) == set(COLORS)


def test_the_organizations_initial_stands_on_its_colour(smtp, acme, invite):
    acme.color = "teal"
    acme.save()
    invite("bob@example.org")

    assert 'background:#017272;color:#ffffff;font-size:20px;font-weight:600;line-height:48px;">A</td>' in (
        arrived(smtp).html
    )


# --- What people wrote ---------------------------------------------------------------------------------------------


def test_what_a_mail_program_would_link_is_broken_in_a_message(smtp, invite):
    invite("bob@example.org", message="Go to https://evil.example/x or example.com or mail@evil.example")

    letter = arrived(smtp)

    for part in (letter.text, letter.html):
        assert len(links(part)) == 1
        assert "example.com" not in part
        assert "evil.example" not in part
        assert "example\u200b.\u200bcom" in part


def test_names_that_came_from_elsewhere_are_broken_too(smtp, ada, acme, invite):
    """Portico refuses such names; a letter does not rely on it."""
    invite("bob@example.org")
    Organization.objects.update(name="www.evil.example")
    Membership.objects.update(name="evil.example")

    letter = arrived(smtp)

    for part in (letter.text, letter.html, letter["Subject"]):
        assert "evil.example" not in part
        assert "evil\u200b.\u200bexample" in part


def test_names_are_never_html(smtp, invite):
    invite("bob@example.org", message="<script>alert(1)</script> %(name)s {{ letter }}")
    Organization.objects.update(name="<b>Acme</b> & %(name)s")

    letter = arrived(smtp)

    assert "<script>" not in letter.html
    assert "<b>Acme" not in letter.html
    assert "&lt;b&gt;Acme&lt;/b&gt; &amp; %(name)s" in letter.html
    assert "<b>Acme</b> & %(name)s" in letter.text


def test_no_name_breaks_a_header(smtp, invite):
    invite("bob@example.org")
    Organization.objects.update(name="Acme\r\nBcc: eve@example.org\r\n\r\nHello")
    Membership.objects.update(name="Ada\nX-Evil: yes")

    letter = arrived(smtp)

    assert letter.parsed["Bcc"] is None
    assert letter.parsed["X-Evil"] is None
    assert smtp.addresses == ["bob@example.org"]
    assert letter["Subject"].startswith("Ada X-Evil")


def test_a_name_in_any_script_arrives_as_written(smtp, acme, invite):
    Organization.objects.update(name="Αθήνα und Zürich, 東京の会社 " + "ж" * 50)
    invite("bob@example.org")

    letter = arrived(smtp)

    assert "東京の会社" in letter["Subject"]
    assert "東京の会社" in letter.text
    assert "ж" * 50 in letter.html
    assert letter.content.isascii()


def test_what_people_wrote_never_ends_a_part_or_the_letter(smtp, invite):
    invite("ann@example.org")
    boundary = arrived(smtp, "ann@example.org").parsed.get_boundary()
    invite("bob@example.org", message=f"Hello\n--{boundary}--\n.\nX-Still: here")
    Organization.objects.update(name="Acme\r\n.\r\nMAIL FROM:<eve@example.org>")

    letter = arrived(smtp)

    for part in (letter.text, letter.html):
        assert "X-Still: here" in part
        assert "Sent by Portico for Acme" in part
    assert smtp.addresses == ["ann@example.org", "bob@example.org"]
    assert b"\r" not in letter.content.replace(b"\r\n", b"")


def test_every_line_is_short_enough_for_every_server(smtp, invite):
    invite("bob@example.org", message="x" * 1000)
    Organization.objects.update(name="A" * 80)
    Membership.objects.update(name="B" * 80)

    letter = arrived(smtp)

    assert max(map(len, letter.content.split(b"\r\n"))) <= 200
    assert max(map(len, letter.content.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 78
    assert "x" * 1000 in letter.text
    assert b"\n" not in letter.content.replace(b"\r\n", b"")


# --- Headers -------------------------------------------------------------------------------------------------------


def test_a_letter_says_that_a_program_wrote_it_and_which_one_it_is(smtp, settings, invite):
    settings.DEFAULT_FROM_EMAIL = "Portico <portico@portico.example>"
    [offer] = invite("bob@example.org")

    letter = arrived(smtp)

    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"] == f"<{offer.letter_id}@portico.example>"
    assert letter["From"] == "Portico <portico@portico.example>"
    assert letter.parsed["Reply-To"] is None
    assert abs(letter.parsed["Date"].datetime - timezone.now()).total_seconds() < 5


def test_a_repeated_letter_has_the_same_name(smtp, invite):
    invite("bob@example.org")
    worker.run_once()
    Letter.objects.update(state="waiting")
    worker.run_once()

    first, second = smtp.received
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize("configured", ['"Portico\r\nBcc: eve" <p@example.org>', "Pörtico <p@example.org>"])
def test_the_senders_name_stays_on_one_line_and_in_ascii(configured):
    sender = mail.sender(configured)

    assert sender.isascii()
    assert "\n" not in sender
    assert sender.endswith("<p@example.org>")


# --- To those who invited ------------------------------------------------------------------------------------------


def test_the_sponsor_hears_who_accepted(smtp, acme, invite):
    [offer] = invite("bob@example.org")
    admission = invitations.accept(cast.signed_in(cast.person("Bob")), offer, reply="See example.com!")

    letter = arrived(smtp, "ada@example.org")

    assert letter["Subject"] == "Bob accepted your invitation"
    assert "Bob (bob@example.org) belongs to Acme now." in letter.text
    assert "example\u200b.\u200bcom" in letter.text
    assert links(letter.text) == links(letter.html)
    assert links(letter.html) == [f"https://portico.example/o/{acme.slug}/users/{admission.membership.pk}"]


def test_the_sponsor_hears_who_declined(smtp, acme, invite):
    [offer] = invite("bob@example.org")
    invitations.decline(cast.signed_in(cast.person("Bob")), offer, reply="No, thanks")

    letter = arrived(smtp, "ada@example.org")

    assert letter["Subject"] == "bob@example.org declined your invitation"
    assert "    No, thanks" in letter.text
    assert links(letter.html) == [f"https://portico.example/o/{acme.slug}/users/{offer.pk}"]


def test_the_sponsor_hears_who_asks_for_a_new_link(smtp, acme, invite):
    [offer] = invite("bob@example.org")
    invitations.ask_again(cast.signed_in(cast.person("Bob")), offer)

    letter = arrived(smtp, "ada@example.org")

    assert letter["Subject"] == "bob@example.org asks for a new invitation"
    assert links(letter.html) == [f"https://portico.example/o/{acme.slug}/users/{offer.pk}"]


def test_who_was_removed_hears_by_whom(smtp, ada, mel):
    memberships.remove(ada, members=[mel.membership])

    letter = arrived(smtp, "mel@example.org")

    assert letter["Subject"] == "You no longer belong to Acme"
    assert "removed you from Acme." in " ".join(letter.text.split())
    assert links(letter.html) == []


def test_letters_of_all_kinds_that_leave_together_say_each_their_own(smtp, ada, mel, invite):
    bob, eva = invite("bob@example.org", "eva@example.org")
    invitations.accept(cast.signed_in(cast.person("Bob")), bob)
    invitations.decline(cast.signed_in(cast.person("Eva")), eva)
    memberships.remove(ada, members=[mel.membership])
    invite("new@example.org")
    post("account/login_code", code="1")

    worker.run_once()

    assert sorted((letter.address, letter["Subject"]) for letter in smtp.received) == [
        ("ada@example.org", "Bob accepted your invitation"),
        ("ada@example.org", "eva@example.org declined your invitation"),
        ("bob@example.org", "Your code to log in"),
        ("mel@example.org", "You no longer belong to Acme"),
        ("new@example.org", "Ada invites you to Acme"),
    ]


def test_who_was_removed_by_the_operator_hears_that_too(smtp, acme, mel):
    memberships.remove(cast.operator(acme), members=[mel.membership])

    assert "You were removed from Acme." in arrived(smtp, "mel@example.org").text


# --- Of a hand-over, and of the end --------------------------------------------------------------------------------


def read(part: str) -> str:
    """The words of one half, without markup and line ends."""
    return " ".join(re.sub(r"<[^>]+>", "", part.partition("<body")[2] or part).split())


@pytest.mark.parametrize("steps_down", [False, True])
def test_whoever_is_to_become_administrator_is_asked(smtp, ada, mel, developer, steps_down):
    handover = handovers.offer(ada, member=mel.membership, step_down=developer.role if steps_down else None)

    letter = arrived(smtp, "mel@example.org")

    assert letter["Subject"] == "Ada asks you to administer Acme"
    for part in map(read, (letter.text, letter.html)):
        assert "Ada would like you to become an Administrator of Acme." in part
        assert ("Ada becomes Developer." in part) == steps_down
        assert ("Ada stays an Administrator too." in part) != steps_down
        assert f"until {handover.expires_at.day} " in part
    assert links(letter.text) == links(letter.html) == ["https://portico.example/o/acme/handover"]


@pytest.mark.parametrize(
    ("answer", "subject"),
    [
        (handovers.accept, "Mel administers Acme now"),
        (handovers.decline, "Mel does not want to administer Acme"),
    ],
)
def test_whoever_offered_learns_the_answer(smtp, ada, mel, answer, subject):
    answer(mel, handovers.offer(ada, member=mel.membership))

    letter = arrived(smtp, "ada@example.org")

    assert letter["Subject"] == subject
    assert links(letter.text) == ["https://portico.example/o/acme/"]


def test_an_offer_that_was_withdrawn_before_its_letter_left_is_not_mailed(smtp, ada, mel, letter):
    handovers.withdraw(ada, handover=handovers.offer(ada, member=mel.membership))

    worker.run_once()

    assert smtp.received == []
    assert letter("mel@example.org").detail == "The offer ended before it left."


def test_whoever_left_meanwhile_learns_no_answer(smtp, ada, mel, zoe, letter):
    handovers.accept(mel, handovers.offer(ada, member=mel.membership))
    memberships.leave(ada)

    worker.run_once()

    assert smtp.received == []
    assert letter("ada@example.org").detail == "Whom it was for is no active member any more."


def test_administrators_of_what_was_closed_learn_how_to_restore_it(smtp, ada, zoe):
    until = organizations.close(ada, name="Acme").restorable_until

    letter = arrived(smtp, "zoe@example.org")

    assert letter["Subject"] == "Acme is closed"
    assert letter.text.startswith("Ada (ada@example.org) closed Acme.")
    for part in map(read, (letter.text, letter.html)):
        assert "closed Acme. Nobody can use it any more" in part
        assert f"{until:%H:%M} UTC you can restore it." in part
    assert links(letter.text) == links(letter.html) == ["https://portico.example/o/acme/"]


def test_of_what_is_open_again_no_letter_says_that_it_is_closed(smtp, ada, zoe, letter):
    organizations.close(ada, name="Acme")
    organizations.restore(ada)

    worker.run_once()

    assert smtp.received == []
    assert letter("zoe@example.org").detail.startswith("The organization is open again")


# --- Its picture ---------------------------------------------------------------------------------------------------


def test_a_picture_is_fetched_from_here_and_the_initial_stands_in_for_it(smtp, ada, invite):
    organizations.change(ada, image="0" * 32, color="teal")
    invite("bob@example.org")

    letter = arrived(smtp)

    [image] = re.findall("<img[^>]*>", letter.html)
    assert f'src="https://portico.example/images/{"0" * 32}-512.webp"' in image
    assert 'alt="A"' in image
    assert letters.HEX["teal"] in letter.html
    assert "webp" not in letter.text


@pytest.mark.parametrize("base", ["http://portico.example", "https://localhost:8000", "http://127.0.0.1:8000"])
def test_a_picture_that_could_not_be_fetched_from_elsewhere_is_not_there(smtp, ada, invite, settings, base):
    settings.BASE_URL = base
    organizations.change(ada, image="0" * 32)
    invite("bob@example.org")

    assert "<img" not in arrived(smtp).html


# --- To people about their own account -----------------------------------------------------------------------------

SECRETS = {
    "code": "ABC-123",
    "url": "https://portico.example/account/password/reset/key/x-y/?a=1&b=2",
    "email": "other@example.org",
    "name": "<b>Bob</b>",
}


def post(kind, **secrets):
    outbox.post_account(kind, "bob@example.org", about=uuid4(), secrets=secrets)


@pytest.mark.parametrize("kind", letters.ACCOUNT)
def test_every_account_letter_can_be_written_and_links_only_here(smtp, kind):
    post(kind, **SECRETS)

    letter = arrived(smtp)

    assert letter["Subject"]
    assert links(letter.text) == [link.replace("&amp;", "&") for link in links(letter.html)]
    assert all(link.startswith("https://portico.example/") for link in links(letter.text))
    assert "Sent by Portico" in letter.text
    assert "%(" not in letter.text + letter.html


@pytest.mark.parametrize("kind", sorted(set(letters.ACCOUNT) - letters.NEED_SECRETS))
def test_a_notice_can_be_written_without_any_secret(smtp, kind):
    post(kind)

    assert "None" not in arrived(smtp).text


@pytest.mark.parametrize(
    "kind", ["email_confirmation", "email_confirmation_signup", "login_code", "password_reset_key"]
)
def test_a_code_stands_in_both_halves(smtp, kind):
    post(f"account/{kind}", code="ABC-123")

    letter = arrived(smtp)

    assert "    ABC-123\n" in letter.text
    assert ">ABC-123</p>" in letter.html


def test_a_reset_carries_its_link_to_our_own_host_only(smtp):
    """Django builds the address from the request, whose host somebody may have forged."""
    post("account/password_reset_key", url="https://evil.example/account/password/reset/key/x-y/?a=1&b=2")

    letter = arrived(smtp)

    assert links(letter.text) == ["https://portico.example/account/password/reset/key/x-y/?a=1&b=2"]
    assert "evil" not in letter.html


def test_the_primary_address_hears_which_address_was_added(smtp):
    post("account/address_added", email="other@example.org", name="Bob")

    letter = arrived(smtp)

    assert letter["Subject"] == "An address was added to your account"
    assert "other@example.org was added to your account" in letter.text


def test_where_accounts_need_an_invitation_nobody_is_sent_to_sign_up(smtp, settings):
    settings.SIGNUP = "invited"
    post("account/unknown_account")

    assert "/account/signup/" not in arrived(smtp).text


def test_a_kind_that_nobody_knows_is_given_up(smtp):
    post("account/surprise", code="1")

    worker.run_once()

    assert smtp.received == []
    assert Letter.objects.get().state == "given_up"


def test_an_address_with_a_domain_in_any_script_is_reached(smtp):
    outbox.post_account("account/login_code", "bob@exämple.org", about=None, secrets={"code": "1"})

    worker.run_once()

    assert smtp.addresses == ["bob@xn--exmple-cua.org"]
    assert smtp.received[0]["To"] == "bob@xn--exmple-cua.org"


def test_letters_speak_the_language_of_the_letter(smtp, ada):
    """There is one language yet; a letter in another that was dropped is still written."""
    User.objects.update(locale="de")
    outbox.post_account("account/login_code", "ada@example.org", about=None, secrets={"code": "1"}, locale="de")

    assert 'lang="de"' in arrived(smtp, "ada@example.org").html
