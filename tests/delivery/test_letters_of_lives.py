"""What members hear of their membership, and what is no longer said when it is no longer true.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else
"""

from datetime import timedelta
from threading import Event

import pytest
from django.utils import timezone

from portico.delivery import letters, worker
from portico.domain import endings, memberships
from portico.domain.memberships import ACTIVE, SUSPENDED, End, Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from portico.domain.words import unlinked
from tests import cast
from tests.delivery.post_office import links

pytestmark = pytest.mark.django_db


def plain(letter):
    return " ".join(letter.text.split())


def to(office, address):
    [one] = [received for received in office.received if received.address == address]
    return one


def fate(kind):
    letter = Letter.objects.get(kind=kind)
    return letter.state, letter.detail


def ends(*members, days=6):
    end = timezone.now() + timedelta(days=days)
    Membership.objects.filter(pk__in=[member.membership.pk for member in members]).update(expires_at=end)
    return end


def test_who_is_suspended_hears_by_whom(smtp, ada, mel):
    memberships.change(ada, member=mel.membership, status=SUSPENDED)
    worker.run_once()

    letter = to(smtp, "mel@example.org")
    assert letter["Subject"] == "Your membership of Acme is suspended"
    assert "Ada (ada@example.org) suspended your membership of Acme." in plain(letter)
    assert "Nothing is permitted to you there" in plain(letter)
    assert links(letter.html) == []


def test_who_is_reactivated_hears_by_whom_and_finds_back(smtp, ada, mel, acme):
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=timezone.now())
    memberships.change(ada, member=mel.membership, status=ACTIVE)
    worker.run_once()

    letter = to(smtp, "mel@example.org")
    assert letter["Subject"] == "Your membership of Acme is active again"
    assert "reactivated your membership of Acme." in plain(letter)
    assert links(letter.text) == links(letter.html) == [f"https://portico.example/o/{acme.slug}/"]


def test_what_the_operator_does_is_told_without_a_name(smtp, acme, mel):
    memberships.change(cast.operator(acme), member=mel.membership, status=SUSPENDED)
    worker.run_once()

    assert plain(to(smtp, "mel@example.org")).startswith("Your membership of Acme was suspended.")


def test_what_was_taken_back_before_the_letter_left_is_not_told(smtp, ada, mel):
    memberships.change(ada, member=mel.membership, status=SUSPENDED)
    memberships.change(ada, member=mel.membership, status=ACTIVE)
    worker.run_once()

    assert [letter["Subject"] for letter in smtp.received] == ["Your membership of Acme is active again"]
    assert fate("suspended") == ("given_up", "It was taken back before it left.")


def test_who_was_removed_meanwhile_is_not_told_of_a_suspension(smtp, ada, mel):
    memberships.change(ada, member=mel.membership, status=SUSPENDED)
    memberships.remove(ada, members=[mel.membership])
    worker.run_once()

    assert fate("suspended") == ("given_up", "Whom it was for no longer belongs to the organization.")


def test_the_member_hears_when_the_membership_ends(smtp, ada, mel, acme):
    end = ends(mel)
    endings.announce(timezone.now())
    worker.run_once()

    letter = to(smtp, "mel@example.org")
    assert letter["Subject"] == f"Your membership of Acme ends on {end.day} {end:%B %Y}"
    assert f"Your membership of Acme ends on {end.day} {end:%B %Y, %H:%M} UTC." in plain(letter)
    assert links(letter.text) == links(letter.html) == [f"https://portico.example/o/{acme.slug}/"]


def test_those_who_manage_members_hear_whose_and_when(smtp, ada, ivy, mel, acme):
    end = ends(mel, ivy)
    endings.announce(timezone.now())
    worker.run_once()

    letters = {
        letter.address: letter
        for letter in smtp.received
        if letter["Subject"] != to(smtp, "mel@example.org")["Subject"]
    }
    assert letters["ada@example.org"]["Subject"] == "2 memberships of Acme end soon"
    for part in (letters["ada@example.org"].text, letters["ada@example.org"].html):
        assert "Ivy (ivy@example.org)" in part
        assert "Mel (mel@example.org)" in part
        assert f"{end.day} {end:%B %Y, %H:%M} UTC" in part
        assert "Whose, and when" in part
    one = letters["ivy@example.org"]
    assert one["Subject"] == "A membership of Acme ends soon"
    assert "Ivy (ivy@example.org)" not in one.text
    assert links(one.html) == [f"https://portico.example/o/{acme.slug}/users/{mel.membership.pk}"]


def test_of_very_many_the_letter_names_some_and_counts_the_others(smtp, ada, acme, contributor):
    ends(*(cast.joined(acme, cast.person(f"P{n:02}"), contributor) for n in range(23)))
    endings.announce(timezone.now())
    worker.run_once()

    letter = to(smtp, "ada@example.org")
    assert letter["Subject"] == "23 memberships of Acme end soon"
    assert "p19@example.org" in letter.text
    assert "p20@example.org" not in letter.text
    assert "And 3 more." in letter.text


@pytest.mark.parametrize("meanwhile", ["moved", "lifted", "suspended", "removed", "over"])
def test_an_end_that_is_no_longer_so_is_not_announced(smtp, ada, mel, meanwhile, time_machine):
    end = ends(mel)
    endings.announce(timezone.now())
    {
        "moved": lambda: memberships.change(ada, member=mel.membership, end=End(end + timedelta(days=9))),
        "lifted": lambda: memberships.change(ada, member=mel.membership, end=End()),
        "suspended": lambda: memberships.change(ada, member=mel.membership, status=SUSPENDED),
        "removed": lambda: memberships.remove(ada, members=[mel.membership]),
        "over": lambda: time_machine.move_to(end, tick=False),
    }[meanwhile]()
    worker.run_once()

    assert fate("ending")[0] == fate("endings")[0] == "given_up"
    assert not [letter for letter in smtp.received if "ends" in letter["Subject"]]


def test_who_no_longer_manages_members_does_not_hear_whose_membership_ends(smtp, ada, ivy, mel, contributor):
    ends(mel)
    endings.announce(timezone.now())
    memberships.change(ada, member=ivy.membership, grant=contributor)
    worker.run_once()

    assert sorted(letter.address for letter in smtp.received) == ["ada@example.org", "mel@example.org"]


def test_of_a_closed_organization_nothing_is_told(smtp, ada, acme, mel):
    memberships.change(ada, member=mel.membership, status=SUSPENDED)
    Organization.objects.filter(pk=acme.pk).update(closed_at=timezone.now())
    worker.run_once()

    assert fate("suspended") == ("given_up", "The organization was closed before it left.")


def test_the_worker_posts_what_is_due(smtp, ada, mel):
    ends(mel)

    mine = worker.Worker(Event())
    mine.tend()
    while mine.jobs.waiting:
        mine.tend()

    assert set(Letter.objects.values_list("kind", flat=True)) == {"ending", "endings"}


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("Ada <ada@example.org>", "Ada (ada@example.org)"),
        ("Nightly build", "Nightly build"),
        ("Build <www.example.org>", unlinked("Build <www.example.org>")),
    ],
)
def test_whoever_did_it_is_named_with_an_address_that_one_can_write_to_and_no_other_link(acme, label, told):
    assert f"{told} suspended your membership" in plain(letters.suspended(acme, label))
