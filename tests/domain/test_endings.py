"""Who hears beforehand that a membership ends, and when.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from portico.domain import endings, invitations, memberships
from portico.domain.memberships import End, Membership
from portico.domain.organizations import Organization
from portico.domain.outbox import Letter
from tests import cast

A_DAY, A_MOMENT = timedelta(days=1), timedelta(microseconds=1)


def posted(kind):
    return sorted(Letter.objects.filter(kind=kind).values_list("address", flat=True))


def ends(member, **after):
    """The membership ends after so long; where nothing is said, in 10 days."""
    end = timezone.now() + timedelta(**(after or {"days": 10}))
    Membership.objects.filter(pk=member.membership.pk).update(expires_at=end)
    return end


def test_a_letter_leaves_seven_days_before_and_one_day_before(ada, mel):
    end = ends(mel)

    due = {}
    for days in (7, 1):
        moment = end - timedelta(days=days)
        due[days] = [endings.announce(moment - A_MOMENT), endings.announce(moment), endings.announce(moment)]

    assert due == {7: [0, 1, 0], 1: [0, 1, 0]}
    letters = Letter.objects.filter(kind="ending").values_list("address", "about", "facts")
    assert list(letters) == [("mel@example.org", mel.id, {"ends": [end.isoformat()]})] * 2
    assert posted("endings") == ["ada@example.org"] * 2


def test_at_the_end_and_afterwards_nobody_is_told(ada, mel):
    end = ends(mel)

    assert endings.announce(end) == endings.announce(end + A_DAY) == 0


def test_an_end_that_is_set_late_is_announced_once_for_what_is_left(ada, mel):
    ends(mel, hours=20)

    assert endings.announce(timezone.now()) == 1
    assert endings.announce(timezone.now()) == 0


def test_a_moved_end_is_announced_anew(ada, mel):
    end = ends(mel, days=6)
    assert endings.announce(timezone.now()) == 1

    memberships.change(ada, member=mel.membership, end=End(end - A_DAY))

    assert endings.announce(timezone.now()) == 1


def test_nobody_is_told_of_what_does_not_end(ada, mel, ivy):
    ends(mel, days=6)
    ends(ivy, days=6)
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=timezone.now())
    Membership.objects.filter(pk=ivy.membership.pk).update(expires_at=None)

    assert endings.announce(timezone.now()) == 0


def test_in_a_closed_organization_nobody_is_told(acme, ada, mel):
    ends(mel, days=6)
    Organization.objects.filter(pk=acme.pk).update(closed_at=timezone.now())

    assert endings.announce(timezone.now()) == 0


def test_those_who_manage_members_get_one_letter_for_all(ada, ivy, mel, acme, contributor):
    end = ends(mel, days=6)
    ends(cast.joined(acme, cast.person("Ann"), contributor), days=5)
    other = Membership.objects.get(name="Ann").expires_at

    assert endings.announce(timezone.now()) == 2

    assert posted("ending") == ["ann@example.org", "mel@example.org"]
    assert posted("endings") == ["ada@example.org", "ivy@example.org"]
    assert Letter.objects.filter(kind="endings").first().facts == {"ends": [other.isoformat(), end.isoformat()]}


def test_whose_own_membership_ends_gets_no_second_letter_of_it(ada, ivy):
    ends(ivy, days=6)

    endings.announce(timezone.now())

    assert (posted("ending"), posted("endings")) == (["ivy@example.org"], ["ada@example.org"])


def test_each_organization_hears_of_its_own(ada, mel, eve, contributor):
    ned = cast.joined(eve.organization, cast.person("Ned"), cast.role(eve.organization, "contributor"))
    ends(mel, days=6)
    ends(ned, days=6)

    assert [endings.announce(timezone.now()) for _each in range(3)] == [1, 1, 0]

    told = Letter.objects.filter(kind="endings").values_list("organization_id", "address")
    assert set(told) == {(ada.organization.pk, "ada@example.org"), (eve.organization.pk, "eve@example.org")}


def test_announcing_takes_no_statement_for_each(ada, acme, contributor, django_assert_max_num_queries):
    for n in range(40):
        ends(cast.joined(acme, cast.person(f"P{n}", f"p{n}@example.org"), contributor), days=6)

    with django_assert_max_num_queries(15):
        assert endings.announce(timezone.now()) == 40


def test_of_very_many_some_are_announced_at_a_time(ada, acme, contributor):
    for n in range(5):
        ends(cast.joined(acme, cast.person(f"P{n}", f"p{n}@example.org"), contributor), days=6)

    assert [endings.announce(timezone.now(), most=2) for _each in range(4)] == [2, 2, 1, 0]
    assert len(posted("ending")) == 5


def test_which_memberships_end_at_a_moment_is_asked_of_now(acme, ada, mel, ivy):
    end = ends(mel, days=6)
    Membership.objects.filter(pk=ivy.membership.pk).update(expires_at=end)

    now = timezone.now()
    assert list(endings.ending_at(acme, [end], now)) == [ivy.membership, mel.membership]
    assert not endings.ending_at(acme, [end + A_DAY], now)
    assert not endings.ending_at(acme, [end], end)


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_one_posts(ada, mel):
    ends(mel, days=6)
    now = timezone.now()
    counts = []

    def work():
        try:
            counts.append(endings.announce(now))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _each in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()

    assert sorted(counts) == [0, 0, 0, 1]
    assert posted("ending") == ["mel@example.org"]


def test_accepting_an_offer_that_carries_an_end_sets_it(ada, contributor):
    end = timezone.now() + timedelta(days=30)
    offer = cast.invited(ada, "bob@example.org", grant=contributor, member_until=end)

    member = invitations.accept(cast.signed_in(cast.person("Bob")), offer).membership

    assert member.expires_at == end
    with time_machine.travel(end - A_DAY, tick=False):
        assert endings.announce(timezone.now()) == 1
