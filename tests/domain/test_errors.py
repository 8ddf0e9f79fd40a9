"""The ways to say no: a kind, a stable code, one sentence."""

import pytest
from django.utils.translation import gettext_lazy

from portico.domain.errors import Forbidden, Invalid, Missing, Refusal, Refused, Unauthenticated, together
from portico.domain.permissions import MEMBERS_VIEW


def test_a_refusal_has_a_code_for_programs_and_a_sentence_for_people():
    refusal = Refused("slug_taken", gettext_lazy("The address is taken."), field="slug", slug="acme")

    assert (refusal.code, refusal.sentence, refusal.field) == ("slug_taken", "The address is taken.", "slug")
    assert refusal.facts == {"slug": "acme"}
    assert str(refusal) == "The address is taken."
    assert type(refusal.sentence) is str


def test_what_is_not_well_formed_names_its_field_and_stands_for_itself():
    invalid = Invalid("Write a name.", field="name")

    assert (invalid.code, invalid.field) == ("invalid", "name")
    assert invalid.errors == [invalid]


def test_forbidden_names_what_would_have_been_needed():
    assert Forbidden("missing_permission", "No.", missing=[MEMBERS_VIEW]).missing == [MEMBERS_VIEW]


def test_what_is_missing_says_the_same_to_everybody():
    assert Missing().code == "not_found"
    assert Missing().sentence == Missing().sentence


def test_what_proves_nothing_says_not_what_is_wrong_with_it():
    assert Unauthenticated().code == "unauthenticated"
    assert Unauthenticated().sentence == Unauthenticated().sentence


@pytest.mark.parametrize("kind", [Invalid, Unauthenticated, Forbidden, Refused, Missing])
def test_every_no_is_a_refusal(kind):
    assert issubclass(kind, Refusal)


def wrong(field):
    raise Invalid(f"{field} is wrong.", field=field)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(Invalid) as refusal:
        together(lambda: wrong("name"), lambda: 2, lambda: wrong("slug"))

    assert [error.field for error in refusal.value.errors] == ["name", "slug"]
    assert (refusal.value.sentence, refusal.value.field) == ("name is wrong.", "name")


def test_what_is_right_comes_back_in_order():
    assert together(lambda: 1, lambda: 2) == [1, 2]


def test_another_refusal_is_not_collected_but_ends_it():
    def refuse():
        raise Refused("slug_taken", "Taken.")

    with pytest.raises(Refused):
        together(lambda: wrong("name"), refuse)
