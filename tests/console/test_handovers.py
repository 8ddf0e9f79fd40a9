"""Handing over, from the form to the answer."""

import pytest

from portico.domain import handovers
from portico.domain.handovers import Handover
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from tests import cast
from tests.console.browser import beside, signed_in, text

PAGE = "/o/acme/handover"


@pytest.fixture
def zoe(acme, administrator):
    """A second Administrator."""
    return cast.joined(acme, cast.person("Zoe"), administrator)


def role_of(who) -> str | None:
    return Membership.objects.get(pk=who.membership.pk).grant.slug


def answered(who, do: str, **more: str):
    """What pressing a button of the page that they see would send."""
    return signed_in(who).post(PAGE, {"do": do, "handover": str(Handover.objects.get().pk), **more})


def test_it_is_offered_to_a_member_by_address(ada, mel):
    client = signed_in(ada)

    answer = client.post(PAGE, {"who": "mel@example.org", "step_down": "developer"})

    assert (answer.status_code, answer.url) == (303, PAGE)
    handover = Handover.objects.get()
    assert (handover.receiver, handover.role.slug) == (mel.membership, "developer")
    page = text(client.get(PAGE))
    assert "Ada then becomes Developer ." in page
    assert "Withdraw" in page
    assert "Waiting for Mel" in text(client.get("/o/acme/settings"))


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        ("", "Write a name or an email address."),
        ("nobody", "Among the active members who are no Administrators nobody is called “nobody”."),
        ("zoe@example.org", "nobody is called “zoe@example.org”"),
        ("me", "Choose whom you mean."),
    ],
)
def test_whom_it_cannot_be_offered_to_is_said_beside_the_field(ada, mel, zoe, who, sentence):
    answer = signed_in(ada).post(PAGE, {"who": who})

    assert answer.status_code == 422
    assert sentence in beside(answer, "who")


def test_among_several_one_is_chosen(ada, mel):
    client = signed_in(ada)
    assert str(mel.membership.pk) in client.post(PAGE, {"who": "me"}).content.decode()

    client.post(PAGE, {"who": "me", "member": str(mel.membership.pk)})

    assert Handover.objects.get().receiver == mel.membership


def test_a_role_that_is_not_there_is_refused(ada, mel):
    answer = signed_in(ada).post(PAGE, {"who": "mel@example.org", "step_down": "administrator"})

    assert answer.status_code == 422
    assert beside(answer, "step_down") == "There is no role “administrator” here."
    assert not Handover.objects.exists()


def test_offering_asks_again_who_one_is(ada, mel):
    answer = signed_in(ada, proved=False).post(PAGE, {"who": "mel@example.org"})

    assert (answer.status_code, answer.url.partition("?")[0]) == (303, "/account/reauthenticate/")
    assert not Handover.objects.exists()


def test_whom_it_is_offered_to_finds_it_on_every_first_page(ada, mel, ivy):
    handovers.offer(ada, member=mel.membership)

    for path in ("/", "/o/acme/"):
        assert "Ada asks you to become an Administrator of Acme ." in text(signed_in(mel).get(path))
        assert "asks you to become" not in text(signed_in(ivy).get(path))
        assert "asks you to become" not in text(signed_in(ada).get(path))


def test_it_is_accepted(ada, mel, developer):
    handovers.offer(ada, member=mel.membership, step_down=developer.role)
    page = text(signed_in(mel).get(PAGE))
    assert "Become an Administrator of Acme ?" in page
    assert "Ada becomes Developer ." in page

    answer = answered(mel, "accept")

    assert (answer.status_code, answer.url) == (303, "/o/acme/")
    assert (role_of(mel), role_of(ada)) == ("administrator", "developer")


def test_what_the_givers_step_ends_is_counted_before_and_can_be_taken_over(ada, mel, developer, contributor):
    offer = cast.invited(ada, "bob@example.org", grant=contributor)
    handovers.offer(ada, member=mel.membership, step_down=developer.role)
    page = text(signed_in(mel).get(PAGE))
    assert "1 invitation that Ada sent is revoked, unless you take it over." in page
    assert "bob@example.org" not in page  # who is invited, a Contributor does not see yet

    answered(mel, "accept", take_over="yes")

    assert Invitation.objects.get(pk=offer.pk).sponsor == mel.membership


def test_it_is_declined_or_withdrawn(ada, mel):
    handovers.offer(ada, member=mel.membership)
    assert answered(mel, "decline").status_code == 303
    assert role_of(mel) == "contributor"

    handovers.offer(ada, member=mel.membership)
    assert answered(ada, "withdraw").status_code == 303
    assert not Handover.objects.exists()


def test_what_no_longer_stands_says_so(ada, mel, ivy):
    first = handovers.offer(ada, member=mel.membership)
    shown = {"do": "accept", "handover": str(first.pk)}
    handovers.withdraw(ada, handover=first)

    gone = signed_in(mel).post(PAGE, shown)
    assert gone.status_code == 404
    assert "No offer waits for you" in text(gone)

    handovers.offer(ada, member=mel.membership)
    another = signed_in(mel).post(PAGE, shown)  # pressed on the page of the first
    assert another.status_code == 409
    assert "This offer no longer stands." in text(another)
    assert role_of(mel) == "contributor"


def test_who_is_not_asked_finds_nothing(ada, mel, ivy):
    handovers.offer(ada, member=mel.membership)

    assert signed_in(ivy).get(PAGE).status_code == 404
    assert signed_in(ivy).post(PAGE, {"who": "mel@example.org"}).status_code == 403
