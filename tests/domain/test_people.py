"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as configured
from django.contrib.auth.hashers import check_password, get_hasher, identify_hasher, make_password
from django.core.exceptions import ValidationError

from portico.domain import memberships, people
from portico.domain.errors import Invalid, Refused
from portico.domain.events import Event
from portico.domain.outbox import Letter
from portico.domain.people import NotAboutHere, User
from tests import cast

pytestmark = pytest.mark.django_db

# --- Owning an address ------------------------------------------------------------------------------------------------


def test_a_person_owns_the_addresses_that_they_have_verified():
    ann = cast.person("Ann")
    cast.own(ann, "ann@work.example.org")
    cast.own(ann, "claimed@example.org", verified=False)

    assert ann.addresses == {"ann@example.org", "ann@work.example.org"}
    assert ann.owns("ann@work.example.org")
    assert not ann.owns("claimed@example.org")


def test_an_unverified_address_has_no_owner():
    cast.person("Ann", verified=False)

    assert User.objects.owner_of("ann@example.org") is None


def test_the_owner_of_any_verified_address_is_found():
    ann = cast.person("Ann")
    cast.own(ann, "ann@work.example.org")

    assert User.objects.owner_of("ann@work.example.org") == ann
    assert User.objects.owner_of("bob@example.org") is None


def test_somebody_is_here_once_an_account_could_sign_in():
    cast.person("Ann", verified=False)
    assert not people.is_anybody_here()

    cast.person("Bob")
    assert people.is_anybody_here()


# --- Accounts by the operator -----------------------------------------------------------------------------------------


def test_the_operator_makes_an_account():
    ann = people.create("ann@example.org", " Ann  Lee ", cast.PASSWORD, verified=True, via=cast.VIA)

    assert (ann.name, ann.email, ann.addresses) == ("Ann Lee", "ann@example.org", {"ann@example.org"})
    assert ann.check_password(cast.PASSWORD)
    assert cast.actions() == ["account.created"]


def test_an_account_that_is_not_verified_owns_nothing():
    ann = people.create("ann@example.org", "Ann", cast.PASSWORD, verified=False, via=cast.VIA)

    assert ann.addresses == set()


def test_an_account_without_a_password_cannot_sign_in_with_one():
    ann = people.create("ann@example.org", "Ann", None, verified=True, via=cast.VIA)

    assert not ann.has_usable_password()


def test_the_address_of_an_account_is_stored_in_its_one_form():
    ann = people.create("Ann@Exämple.org", "Ann", cast.PASSWORD, verified=True, via=cast.VIA)

    assert ann.email == "ann@xn--exmple-cua.org"
    assert ann.owns("ann@xn--exmple-cua.org")


def test_an_account_needs_an_address():
    with pytest.raises(Invalid) as refusal:
        people.create("ann", "Ann", cast.PASSWORD, verified=True, via=cast.VIA)

    assert (refusal.value.field, refusal.value.sentence) == ("email", "An address has an @ sign.")
    assert not User.objects.exists()


def test_a_name_and_an_address_that_are_both_wrong_are_both_named():
    with pytest.raises(Invalid) as refusal:
        people.create("ann", "", cast.PASSWORD, verified=True, via=cast.VIA)

    assert {error.field for error in refusal.value.errors} == {"name", "email"}


def test_an_address_has_one_owner():
    cast.person("Ann")

    with pytest.raises(Refused) as refusal:
        people.create("ann@example.org", "Another Ann", cast.PASSWORD, verified=True, via=cast.VIA)

    assert (refusal.value.code, refusal.value.field) == ("address_taken", "email")


# --- Proof frees an address -------------------------------------------------------------------------------------------


def test_who_proves_an_address_gets_it_from_whoever_only_claimed_it():
    squatter = cast.person("Squatter", "ann@example.org", verified=False)

    ann = people.create("ann@example.org", "Ann", cast.PASSWORD, verified=True, via=cast.VIA)

    assert not User.objects.filter(pk=squatter.pk).exists()
    assert User.objects.owner_of("ann@example.org") == ann
    assert cast.actions() == ["account.created", "account.discarded"]


def test_an_account_with_an_address_of_its_own_stays_and_loses_the_claim():
    bob = cast.person("Bob")
    cast.own(bob, "ann@example.org", verified=False)

    people.create("ann@example.org", "Ann", cast.PASSWORD, verified=True, via=cast.VIA)

    assert list(EmailAddress.objects.filter(user=bob).values_list("email", flat=True)) == ["bob@example.org"]
    assert cast.actions() == ["account.created", "account.address_released"]


def test_an_account_that_belongs_somewhere_stays(acme, contributor):
    dan = cast.person("Dan", "ann@example.org", verified=False)
    cast.joined(acme, dan, contributor)

    people.create("ann@example.org", "Ann", cast.PASSWORD, verified=True, via=cast.VIA)

    assert User.objects.filter(pk=dan.pk).exists()


def test_an_unverified_account_takes_nothing_from_anybody():
    squatter = cast.person("Squatter", "ann@example.org", verified=False)

    people.create("ann@example.org", "Ann", cast.PASSWORD, verified=False, via=cast.VIA)

    assert User.objects.filter(pk=squatter.pk).exists()


# --- One more address -------------------------------------------------------------------------------------------------


def test_a_proven_address_is_added_as_a_further_one_and_the_primary_one_is_told():
    ann = cast.person("Ann")

    people.add_proven(cast.signed_in(ann), "ann@work.example.org")

    ann.refresh_from_db()
    assert (ann.email, ann.addresses) == ("ann@example.org", {"ann@example.org", "ann@work.example.org"})
    assert not EmailAddress.objects.get(email="ann@work.example.org").primary
    letter = Letter.objects.get()
    assert (letter.address, letter.priority, letter.secrets["email"]) == ("ann@example.org", 0, "ann@work.example.org")
    assert cast.actions() == ["account.address_added"]


def test_an_address_that_was_claimed_before_becomes_proven():
    ann = cast.person("Ann")
    cast.own(ann, "ann@work.example.org", verified=False)

    people.add_proven(cast.signed_in(ann), "ann@work.example.org")

    assert ann.owns("ann@work.example.org")


def test_adding_a_proven_address_takes_it_from_whoever_only_claimed_it():
    squatter = cast.person("Squatter", "ann@work.example.org", verified=False)
    ann = cast.person("Ann")

    people.add_proven(cast.signed_in(ann), "ann@work.example.org")

    assert ann.owns("ann@work.example.org")
    assert not User.objects.filter(pk=squatter.pk).exists()


def test_adding_ones_own_address_again_changes_nothing():
    ann = cast.person("Ann")

    people.add_proven(cast.signed_in(ann), "ann@example.org")

    assert not Letter.objects.exists()
    assert cast.actions() == []


def test_somebody_elses_address_cannot_be_added():
    cast.person("Bob")
    ann = cast.person("Ann")

    with pytest.raises(Refused) as refusal:
        people.add_proven(cast.signed_in(ann), "bob@example.org")

    assert refusal.value.code == "address_taken"
    assert not Letter.objects.exists()


def test_an_account_has_only_so_many_addresses():
    ann = cast.person("Ann")
    for n in range(configured.ACCOUNT_MAX_EMAIL_ADDRESSES - 1):
        cast.own(ann, f"ann{n}@example.org")

    with pytest.raises(Refused) as refusal:
        people.add_proven(cast.signed_in(ann), "ann@work.example.org")

    assert refusal.value.code == "too_many_addresses"


# --- A name -----------------------------------------------------------------------------------------------------------


def test_a_new_name_is_an_event_of_the_person_and_their_organizations_learn_it(mel, acme):
    person = cast.signed_in(mel.membership.user)

    people.rename(person, "Mélanie")
    memberships.keep_in_step(person)

    mel.membership.refresh_from_db()
    assert (mel.membership.name, mel.membership.sort_name) == ("Mélanie", "melanie")
    assert " melanie " in mel.membership.search
    assert cast.actions() == ["account.renamed"]
    assert Event.objects.get(action="member.known_as").details == {"changed": ["name"]}


def test_the_same_name_is_no_change(mel):
    people.rename(cast.signed_in(mel.membership.user), "Mel")
    memberships.keep_in_step(cast.signed_in(mel.membership.user))

    assert cast.actions() == []
    assert not Event.objects.filter(action="member.known_as").exists()


@pytest.mark.parametrize("name", ["", "evil.com", "Mel\r\nBcc: x"])
def test_a_name_that_cannot_be_written_in_letters_is_refused(mel, name):
    with pytest.raises(Invalid):
        people.rename(cast.signed_in(mel.membership.user), name)


def test_when_the_address_known_in_an_organization_goes_it_learns_the_primary_one(mel):
    user = mel.membership.user
    cast.own(user, "mel@home.example.org")
    EmailAddress.objects.filter(email="mel@example.org").delete()
    EmailAddress.objects.filter(user=user).update(primary=True)
    User.objects.filter(pk=user.pk).update(email="mel@home.example.org")

    memberships.keep_in_step(cast.signed_in(user))

    mel.membership.refresh_from_db()
    assert mel.membership.address == "mel@home.example.org"
    assert Event.objects.get(action="member.known_as").details == {"changed": ["address"]}


def test_a_new_primary_address_is_not_told_to_an_organization_that_knows_another(mel):
    user = mel.membership.user
    cast.own(user, "mel@home.example.org")
    User.objects.filter(pk=user.pk).update(email="mel@home.example.org")

    memberships.keep_in_step(cast.signed_in(user))

    mel.membership.refresh_from_db()
    assert mel.membership.address == "mel@example.org"


# --- Passwords --------------------------------------------------------------------------------------------------------


def test_passwords_are_kept_by_argon2_with_little_memory(settings):
    settings.PASSWORD_HASHERS = ["portico.domain.people.LeanArgon2Hasher"]

    stored = make_password(cast.PASSWORD)

    assert stored.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert identify_hasher(stored) is get_hasher()
    assert check_password(cast.PASSWORD, stored)


def test_a_password_does_not_live_on_what_everybody_here_knows(settings):
    settings.BASE_HOST = "members.acme.org"
    about_here = NotAboutHere(at_least=10)

    for known in ("Portico2026!", "acme-members-1", "PORTICOportico"):
        with pytest.raises(ValidationError, match="needs 10 more characters"):
            about_here.validate(known)
    for good in ("portico is my horse", "correct horse", "short"):  # others see to what is short
        about_here.validate(good)


# --- Said to be theirs ------------------------------------------------------------------------------------------------


def test_what_the_operator_says_is_theirs_frees_it_from_who_only_claimed_it(db):
    bo, other = cast.person("Bo", verified=False), cast.person("Other")
    cast.own(other, "bo@example.org", verified=False)

    people.verify(cast.operator(None), bo, "bo@example.org")

    assert bo.owns("bo@example.org")
    assert not other.emailaddress_set.filter(email="bo@example.org").exists()


def test_an_address_that_another_has_proven_stays_theirs(db):
    ann, bo = cast.person("Ann"), cast.person("Bo")
    cast.own(bo, "ann@example.org", verified=False)

    with pytest.raises(Refused) as refusal:
        people.verify(cast.operator(None), bo, "ann@example.org")

    assert refusal.value.code == "address_taken"
    assert ann.owns("ann@example.org")
    assert not bo.owns("ann@example.org")
