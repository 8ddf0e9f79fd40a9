"""Letters leave: once, in order, and only while they are true."""

import time
from datetime import timedelta
from threading import Event, Thread

import pytest
import time_machine
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.db import OperationalError, connection
from django.utils import timezone

from portico.delivery import daily, worker
from portico.domain import invitations, memberships, outbox
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from portico.domain.permissions import MEMBERS_MANAGE, MEMBERS_VIEW
from portico.domain.roles import Grant, intern
from tests import cast

SOON = timedelta(milliseconds=1)  # a frozen clock is a float: at the very microsecond a letter may not be due yet

pytestmark = pytest.mark.django_db


def later(**ahead):
    return time_machine.travel(timezone.now() + timedelta(**ahead), tick=False)


# --- What servers answer -------------------------------------------------------------------------------------------


def test_a_letter_leaves_and_says_so(smtp, invite, letter):
    invite("bob@example.org")

    assert worker.run_once() == 1

    assert smtp.addresses == ["bob@example.org"]
    sent = letter("bob@example.org")
    assert (sent.state, sent.detail, sent.leased_until, sent.attempts) == ("sent", "", None, 1)
    assert sent.closed_at


def test_one_line_serves_all_that_is_due(smtp, invite):
    invite(*(f"p{n}@example.org" for n in range(40)))

    worker.run_once()

    assert len(smtp.received) == 40
    assert smtp.connections == 1


def test_of_three_recipients_the_refused_one_is_given_up_at_once_with_the_servers_words(smtp, invite, letter):
    invite("ann@example.org", "bob@example.org", "cem@example.org")
    smtp.refusals["bob@example.org"] = "550 5.1.1 No such person here"

    assert worker.run_once() == 2

    assert smtp.addresses == ["ann@example.org", "cem@example.org"]
    assert smtp.connections == 1
    refused = letter("bob@example.org")
    assert (refused.state, refused.detail) == ("given_up", "550 5.1.1 No such person here")


def test_a_letter_refused_when_it_was_read_is_given_up_too(smtp, invite, letter):
    invite("bob@example.org")
    smtp.letters_refusal = "554 5.7.1 Looks like advertising"

    worker.run_once()

    assert (letter("bob@example.org").state, letter("bob@example.org").detail) == (
        "given_up",
        "554 5.7.1 Looks like advertising",
    )


def test_try_again_later_waits_a_minute_and_then_twice_as_long(smtp, invite, letter):
    invite("ann@example.org", "bob@example.org")
    smtp.refusals["bob@example.org"] = "451 4.7.1 Try again later"

    assert worker.run_once() == 1

    waiting = letter("bob@example.org")
    assert (waiting.state, waiting.detail, waiting.leased_until) == ("waiting", "451 4.7.1 Try again later", None)
    assert 60 <= (waiting.due_at - timezone.now()).total_seconds() + 5 <= 78
    assert worker.run_once() == 0

    with later(minutes=1.3):
        assert worker.run_once() == 0
        again = letter("bob@example.org")
        assert again.attempts == 2
        assert 120 <= (again.due_at - timezone.now()).total_seconds() + 1 <= 146


def test_waiting_letters_do_not_all_come_back_at_the_same_moment(smtp, invite):
    invite(*(f"p{n}@example.org" for n in range(5)))
    smtp.letters_refusal = "451 Later"

    with later(seconds=1):
        worker.run_once()

    assert Letter.objects.values("due_at").distinct().count() == 5


def test_after_a_day_it_is_given_up_with_the_servers_words(smtp, invite, letter):
    [offer] = invite("bob@example.org")
    smtp.refusals["bob@example.org"] = "451 4.7.1 Try again later"
    posted = offer.letter.created_at

    with time_machine.travel(posted + SOON, tick=False) as clock:
        for _attempt in range(20):
            worker.run_once()
            clock.move_to(letter("bob@example.org").due_at + SOON)

    given_up = letter("bob@example.org")
    assert (given_up.state, given_up.detail) == ("given_up", "451 4.7.1 Try again later")
    assert timedelta(hours=24) <= given_up.closed_at - posted < timedelta(hours=24, seconds=1)
    assert 5 < given_up.attempts < 15


def test_a_server_that_falls_silent_lets_the_letter_wait_and_the_others_leave(smtp, settings, invite, letter):
    settings.EMAIL_TIMEOUT = 1
    invite("ann@example.org", "bob@example.org", "cem@example.org", "dan@example.org")
    smtp.hangs_at = {"bob@example.org"}

    assert worker.run_once() == 3

    silent = letter("bob@example.org")
    assert (silent.state, silent.detail) == ("waiting", "The mail server did not answer within 1 seconds.")
    assert smtp.addresses == ["ann@example.org", "cem@example.org", "dan@example.org"]
    assert smtp.connections == 2


def test_a_server_that_closes_in_the_middle_of_a_letter_gets_it_again(smtp, invite, letter):
    invite("ann@example.org", "bob@example.org", "cem@example.org", "dan@example.org")
    smtp.breaks_off_at = {"bob@example.org"}

    assert worker.run_once() == 3

    broken = letter("bob@example.org")
    assert (broken.state, broken.detail) == ("waiting", "The mail server closed the connection.")
    assert smtp.connections == 2
    smtp.breaks_off_at = set()
    with later(minutes=2):
        assert worker.run_once() == 1
    assert sorted(smtp.addresses) == ["ann@example.org", "bob@example.org", "cem@example.org", "dan@example.org"]


def test_while_nobody_listens_all_letters_wait(nobody_listens, invite, django_assert_max_num_queries):
    invite(*(f"p{n}@example.org" for n in range(40)))

    with django_assert_max_num_queries(20):
        assert worker.run_once() == 0

    assert set(Letter.objects.values_list("state", "detail", "attempts")) == {
        ("waiting", "The mail server is not there: connection refused.", 1)
    }
    assert Letter.objects.filter(due_at__lte=timezone.now()).count() == 0


def test_when_somebody_listens_again_they_leave(settings, nobody_listens, office, invite):
    invite("ann@example.org", "bob@example.org")
    worker.run_once()

    settings.EMAIL_PORT = office.port
    with later(minutes=2):
        assert worker.run_once() == 2


def test_nothing_is_given_up_because_the_server_wants_another_password(smtp, invite, letter):
    invite("bob@example.org")
    smtp.senders_refusal = "530 5.7.0 Authentication required"

    worker.run_once()

    assert letter("bob@example.org").state == "waiting"


def test_a_letter_that_cannot_be_written_waits_and_does_not_stop_the_others(smtp, invite, letter, monkeypatch):
    invite("ann@example.org", "bob@example.org")
    write = worker.mail.compose

    def broken_for_ann(row, subjects):
        if row.address == "ann@example.org":
            raise KeyError("a mistake of ours")
        return write(row, subjects)

    monkeypatch.setattr(worker.mail, "compose", broken_for_ann)

    assert worker.run_once() == 1

    assert letter("ann@example.org").state == "waiting"
    assert "a mistake of ours" in letter("ann@example.org").detail


# --- Is it still true? ---------------------------------------------------------------------------------------------


def fate(letter_of):
    worker.run_once()
    row = letter_of("bob@example.org")
    return row.state, row.detail


def test_a_revoked_invitation_is_not_sent(smtp, ada, invite, letter):
    invitations.revoke(ada, invitations=invite("bob@example.org"))

    assert fate(letter) == ("given_up", "The invitation was closed before it left.")
    assert smtp.received == []


def test_of_two_letters_of_one_invitation_only_the_newer_leaves(smtp, ada, invite):
    invitations.resend(ada, invitations=invite("bob@example.org"))

    worker.run_once()

    assert len(smtp.received) == 1
    assert set(Letter.objects.values_list("state", "detail")) == {
        ("sent", ""),
        ("given_up", "A newer letter was sent in its place."),
    }


def test_an_expired_invitation_is_not_sent(smtp, invite, letter):
    invite("bob@example.org", days=1)

    with later(days=2):
        assert fate(letter) == ("given_up", "The invitation expired before it left.")
    assert smtp.received == []


def test_an_offer_whose_sponsor_is_gone_by_the_clock_is_not_sent(smtp, ada, acme, letter, developer):
    grant = cast.custom(MEMBERS_MANAGE, *developer.permissions)
    ivan = cast.joined(acme, cast.person("Ivan"), grant, expires_at=timezone.now() + timedelta(hours=1))
    cast.invited(ivan, "bob@example.org", grant=developer)

    with later(hours=2):
        assert fate(letter) == ("given_up", "Whoever invited can no longer offer this.")
    assert smtp.received == []


def test_a_seat_that_the_sponsor_may_not_hand_out_stops_the_letter(smtp, ada, acme, letter, developer, payments):
    grant = cast.custom(MEMBERS_MANAGE, *developer.permissions)
    ivan = cast.joined(acme, cast.person("Ivan"), grant)
    offer = cast.invited(ivan, "bob@example.org", grant=developer)
    offer.seats.create(organization=acme, workspace=payments, role="member")

    assert fate(letter) == ("given_up", "Whoever invited can no longer offer this.")


def test_nothing_leaves_from_a_closed_organization(smtp, ada, acme, mel, developer, letter):
    cast.invited(cast.operator(acme), "bob@example.org", grant=developer)
    memberships.remove(ada, members=[mel.membership])
    Organization.objects.update(closed_at=timezone.now())

    assert fate(letter) == ("given_up", "The organization was closed before it left.")
    assert letter("mel@example.org").detail == "The organization was closed before it left."
    assert smtp.received == []


def test_who_no_longer_manages_members_is_not_told_what_became_of_an_invitation(smtp, ada, acme, letter, contributor):
    ivy = cast.joined(acme, cast.person("Ivy"), cast.custom(MEMBERS_MANAGE))
    offer = cast.invited(ivy, "eva@example.org", grant=cast.custom(MEMBERS_VIEW))
    invitations.decline(cast.signed_in(cast.person("Eva")), offer)
    memberships.change(ada, member=Membership.objects.get(pk=ivy.membership.pk), grant=contributor)

    worker.run_once()

    assert "ivy@example.org" not in smtp.addresses
    assert letter("ivy@example.org").detail == "Whom it was for no longer manages members."


def test_the_sponsor_is_not_told_of_a_member_who_is_gone_already(smtp, ada, invite, letter):
    [invitation] = invite("bob@example.org")
    joined = invitations.accept(cast.signed_in(cast.person("Bob")), invitation).membership
    memberships.remove(ada, members=[joined])

    worker.run_once()

    assert smtp.addresses == ["bob@example.org"]
    assert letter("ada@example.org").detail == "Whoever accepted no longer belongs to the organization."


def test_who_asked_for_a_new_link_and_got_it_meanwhile_is_not_announced(smtp, ada, invite, letter):
    [invitation] = invite("bob@example.org")
    invitations.ask_again(cast.signed_in(cast.person("Bob")), invitation)
    invitations.resend(ada, invitations=[invitation])

    worker.run_once()

    assert smtp.addresses == ["bob@example.org"]
    assert letter("ada@example.org").detail == "The invitation was answered, withdrawn or sent again meanwhile."


def test_what_is_read_of_a_letter_is_read_again_when_the_server_is_slow(smtp, invite, monkeypatch):
    """Of those that were claimed together, only the first is as fresh as its reading."""
    monkeypatch.setattr(worker, "HOLD", 0)
    invite("ann@example.org", "bob@example.org")
    send = worker.Worker.send

    def revoke_bob_then_send(self, row, subjects, line):
        Invitation.objects.filter(address="bob@example.org").update(state="revoked")
        return send(self, row, subjects, line)

    monkeypatch.setattr(worker.Worker, "send", revoke_bob_then_send)

    worker.run_once()

    assert smtp.addresses == ["ann@example.org"]


# --- Letters about people's own accounts ---------------------------------------------------------------------------


def post_code(address="ada@example.org"):
    return outbox.post_account("account/login_code", address, about=None, secrets={"code": "123456"})


def test_a_code_leaves_before_all_invitations(smtp, invite):
    invite(*(f"p{n}@example.org" for n in range(30)))
    post_code()

    worker.run_once()

    assert smtp.addresses[0] == "ada@example.org"
    assert len(smtp.received) == 31


@pytest.mark.django_db(transaction=True)
def test_a_code_overtakes_a_bulk_send_that_is_under_way(smtp, invite):
    invite(*(f"p{n}@example.org" for n in range(12)))

    async def slowly(received):
        time.sleep(0.15)  # noqa: ASYNC251  # the whole server is slow
        if len(smtp.received) == 1:
            await sync_to_async(post_code_and_close)()

    def post_code_and_close():
        post_code()
        connection.close()

    smtp.between = slowly

    worker.run_once()

    assert smtp.addresses.index("ada@example.org") <= 3
    assert len(smtp.received) == 13


def test_the_secret_is_wiped_when_the_letter_is_sent(smtp, letter):
    post_code()

    worker.run_once()

    assert "123456" in smtp.received[0].text
    assert letter("ada@example.org").secret is None


def test_the_secret_is_wiped_when_the_letter_is_given_up(smtp, letter):
    post_code()
    smtp.refusals["ada@example.org"] = "550 Who?"

    worker.run_once()

    assert (letter("ada@example.org").state, letter("ada@example.org").secret) == ("given_up", None)


def test_the_secret_is_wiped_after_an_hour_and_a_code_without_it_does_not_leave(smtp, letter):
    post_code()
    smtp.refusals["ada@example.org"] = "451 Later"
    worker.run_once()
    smtp.refusals.clear()

    with later(minutes=59):
        worker.forget_secrets()
        assert letter("ada@example.org").secret
    with later(minutes=61):
        worker.forget_secrets()
        assert letter("ada@example.org").secret is None
        worker.run_once()

    assert smtp.received == []
    assert letter("ada@example.org").detail == "It waited for so long that its code or link was forgotten."


def test_a_notice_leaves_although_its_secret_is_forgotten(smtp):
    outbox.post_account("account/email_deleted", "ada@example.org", about=None, secrets={"email": "old@example.org"})

    with later(minutes=61):
        worker.forget_secrets()
        worker.run_once()

    assert smtp.addresses == ["ada@example.org"]
    assert "old@example.org" not in smtp.received[0].text


# --- Leases --------------------------------------------------------------------------------------------------------


def test_what_one_worker_holds_no_other_takes_until_the_lease_ends(smtp, invite):
    invite("ann@example.org", "bob@example.org")

    held = worker.claim()

    assert len(held) == 2
    assert worker.claim() == []
    assert not worker.anything_due()
    with later(minutes=3.1):
        assert worker.run_once() == 2


def test_a_lease_is_longer_than_a_silent_server_can_hold_a_letter(settings):
    connected_steps = 5  # MAIL, RCPT, DATA, the words, RSET
    mail_timeout = 20

    assert worker.LEASE.total_seconds() > connected_steps * mail_timeout + worker.HOLD


def test_letters_that_were_claimed_and_not_sent_are_let_go_when_the_worker_stops(smtp, invite):
    invite(*(f"p{n}@example.org" for n in range(10)))
    stop = Event()

    async def stop_at_third(received):
        if len(smtp.received) == 3:
            stop.set()

    smtp.between = stop_at_third

    worker.run(stop)

    assert len(smtp.received) == 3
    assert Letter.objects.filter(state="sent").count() == 3
    assert Letter.objects.filter(leased_until__isnull=False).count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_two_workers_never_send_the_same_letter(smtp, ada, developer):
    Organization.objects.update(is_trusted=True)
    cast.invite(ada, *(f"p{n}@example.org" for n in range(120)), grant=developer)

    def work():
        worker.run_once()
        connection.close()

    both = [Thread(target=work) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()

    assert len(smtp.received) == 120
    assert set(smtp.counted.values()) == {1}
    assert smtp.connections == 2


# --- The loop ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_running_worker_finds_new_letters_and_gives_signs_of_life(smtp, invite):
    stop = Event()

    def work():
        worker.run(stop)
        connection.close()

    thread = Thread(target=work)
    thread.start()
    try:
        invite("bob@example.org")
        deadline = time.monotonic() + 10
        while not smtp.received and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(10)

    assert smtp.addresses == ["bob@example.org"]
    assert not thread.is_alive()
    assert timezone.now() - worker.last_seen() < timedelta(seconds=60)


def test_nobody_was_seen_before_a_worker_ran():
    cache.clear()

    assert worker.last_seen() is None


def test_an_idle_worker_writes_nothing_and_asks_little(smtp, django_assert_num_queries):
    idle = worker.Worker(Event())
    while idle.jobs.step():
        pass
    idle.tend()

    with django_assert_num_queries(2) as asked:
        idle.tend()
        assert idle.deliver() == 0

    assert all(query["sql"].startswith("SELECT") for query in asked)
    assert smtp.connections == 0


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_take_the_mark_is_told_again(smtp, invite, letter, monkeypatch):
    """Else the letter would leave twice."""
    invite("bob@example.org")
    monkeypatch.setattr(worker, "PATIENCE", (0, 0))
    mark, told = worker.mark_sent, []

    def locked_at_first(row):
        told.append(row)
        if len(told) < 3:
            raise OperationalError("database is locked")
        mark(row)

    monkeypatch.setattr(worker, "mark_sent", locked_at_first)

    worker.run_once()

    assert len(smtp.received) == 1
    assert letter("bob@example.org").state == "sent"


def test_the_number_of_statements_grows_by_one_for_each_letter(
    smtp, invite, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(worker, "HOLD", 60)
    invite(*(f"p{n}@example.org" for n in range(50)))
    daily.run_all()

    with django_assert_max_num_queries(50 + 2 * 12 + 15):
        worker.run_once()


def test_a_role_that_changed_meanwhile_is_written_as_it_is_now(smtp, ada, acme, invite, contributor):
    [offer] = invite("bob@example.org")
    Invitation.objects.filter(pk=offer.pk).update(grant=intern(acme, Grant(role=contributor.role)))

    worker.run_once()

    assert "Contributor" in smtp.received[0].text
