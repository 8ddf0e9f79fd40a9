"""What people may write."""

import pytest

from portico.domain import words
from portico.domain.errors import Invalid


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Acme", "Acme"),
        ("  Acme   Ltd ", "Acme Ltd"),
        ("Acme\r\n", "Acme"),
        ("<b>Acme</b> & “Sons”", "<b>Acme</b> & “Sons”"),  # escaped where it is shown, never refused
        ("Cafe\u0301", "Café"),
        ("Acme Inc.", "Acme Inc."),
        ("J. R. R. Tolkien", "J. R. R. Tolkien"),
        ("Version 2.0", "Version 2.0"),
        ("שלום", "שלום"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻 Team", "👩\u200d💻 Team"),
        ("x" * 80, "x" * 80),
    ],
)
def test_a_name_is_trimmed_and_otherwise_left_as_it_is(typed, kept):
    assert words.name(typed) == kept


@pytest.mark.parametrize("typed", ["", "   ", "\t\n"])
def test_a_name_is_not_empty(typed):
    with pytest.raises(Invalid) as refusal:
        words.name(typed, field="organization")

    assert (refusal.value.sentence, refusal.value.field) == ("Write a name.", "organization")


def test_a_name_has_at_most_80_characters():
    with pytest.raises(Invalid, match="at most 80"):
        words.name("x" * 81)


@pytest.mark.parametrize(
    "typed", ["Acme\r\nBcc: all@example.org", "Acme\nLtd", "Ac\u0000me", "Ac\tme", "Acme\u2028Ltd"]
)
def test_a_name_breaks_no_header(typed):
    with pytest.raises(Invalid, match="cannot be seen"):
        words.name(typed)


@pytest.mark.parametrize(
    "character",
    ["\u202e", "\u202d", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c", "\u200b", "\u00ad", "\ufeff", "\ue000"],
)
def test_a_name_hides_nothing_and_reorders_nothing(character):
    with pytest.raises(Invalid) as refusal:
        words.name(f"Ac{character}me")

    assert f"U+{ord(character):04X}" in refusal.value.sentence


@pytest.mark.parametrize(
    "typed",
    [
        "https://evil.example",
        "call ftp://x",
        "www.evil",
        "WWW.evil",
        "www.4chan",
        "evil.com",
        "Acme evil.com Ltd",
        "EVIL.COM",
        "xn--80ak6aa92e.com",
        "evil。com",
        "evil．com",
        "пример.рф",
        "bob@evil.com",
    ],
)
def test_a_name_is_nothing_that_mail_programs_make_a_link_of(typed):
    with pytest.raises(Invalid, match="web address"):
        words.name(typed)


def test_a_message_keeps_its_lines():
    assert words.message(" Hi!\r\nSee you,\rAda\n") == "Hi!\nSee you,\nAda"


def test_a_message_may_be_empty():
    assert words.message("  ") == ""


def test_a_message_has_at_most_1000_characters():
    assert len(words.message("x" * 1000)) == 1000
    with pytest.raises(Invalid, match="at most 1000"):
        words.message("x" * 1001)


@pytest.mark.parametrize("character", ["\u202e", "\u0000", "\u200b", "\u001b"])
def test_a_message_hides_nothing(character):
    with pytest.raises(Invalid, match="cannot be seen") as refusal:
        words.message(f"Hi{character}!", field="reply")

    assert refusal.value.field == "reply"


@pytest.mark.parametrize("text", ["see https://evil.com/x", "www.evil.com", "bob@evil.com", "evil.com", "evil。com"])
def test_in_a_letter_no_word_of_a_message_becomes_a_link(text):
    broken = words.unlinked(text)

    assert broken.replace("\u200b", "") == text
    assert words._LINK.search(broken.replace("://", "")) is None


def test_a_message_without_links_is_mailed_as_it_is():
    text = "Hi! Two things: lunch at 12.30, then the talk... Ada"

    assert words.unlinked("Hello, Ann. See you.") == "Hello, Ann. See you."
    assert words.unlinked(text).replace("\u200b", "") == text


def test_folding_makes_comparable():
    assert words.fold("  Ärger, Über—Straße_7 ") == "arger uber strasse 7"
    assert words.fold("ann.lee@example.org") == "ann lee example org"


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Acme Ltd.", "acme-ltd"),
        ("Über Straße", "uber-strae"),
        ("a_-_b_c", "a-b-c"),
        ("--acme--", "acme"),
        ("x" * 39 + " y", "x" * 39),
        ("株式会社", ""),
        ("AB", ""),
    ],
)
def test_the_first_idea_for_an_address_is_a_well_formed_one_or_none(text, slug):
    assert words.slug(text) == slug
