"""Reading many addresses out of what people paste or upload. Nothing that was typed is dropped."""

import pytest

from portico.domain import addresses
from portico.domain.errors import Invalid


def read(text):
    return [entry.address or f"!{entry.text}" for entry in addresses.read(text)]


def read_csv(text, encoding="utf-8"):
    return [entry.address or f"!{entry.text}" for entry in addresses.read_csv(text.encode(encoding))]


# --- One field --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.org,bob@example.org",
        "ann@example.org, bob@example.org",
        "ann@example.org;bob@example.org",
        "ann@example.org bob@example.org",
        "ann@example.org\nbob@example.org",
        "ann@example.org\r\n\r\n;, bob@example.org\t",
        "Ann Lee <ann@example.org>, Bob <bob@example.org>",
        "Ann Lee <ann@example.org>; Bob <bob@example.org>;",
        "Ann Lee <ann@example.org> bob@example.org",
        "ann@example.org Bob <bob@example.org>",
        '"Lee, Ann" <ann@example.org>, bob@example.org',
        "Lee, Ann <ann@example.org>; Roy, Bob <bob@example.org>",
        "“ann@example.org” 'bob@example.org'",
        "(ann@example.org) [bob@example.org]",
        "<ann@example.org><bob@example.org>",
        "< ann@example.org >\n<\tbob@example.org\t>",
        "ann@example.org <ann@example.org>, Bob@Example.org <bob@example.org>",
    ],
)
def test_addresses_stand_apart_in_every_way_people_write_them(text):
    assert read(text) == ["ann@example.org", "bob@example.org"]


def test_an_empty_field_has_no_entries():
    assert read(" \n,;") == []


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("foo, bar", ["!foo", "!bar"]),
        ("foo\nAnn <ann@example.org>", ["!foo", "ann@example.org"]),
        ("foo; Ann <ann@example.org>", ["!foo", "ann@example.org"]),
        ("Ann <>", ["!<>"]),
        ("Ann <ann@example.org", ["!Ann", "!<ann@example.org"]),
        ("Ann <no address>", ["!no address"]),
    ],
)
def test_what_is_no_address_comes_back(text, entries):
    assert read(text) == entries


def test_duplicates_stay_in_the_order_typed():
    assert read("ann@example.org ANN@Example.org") == ["ann@example.org", "ann@example.org"]


def test_ten_thousand_addresses_are_read_and_one_more_is_refused():
    text = " ".join(f"p{n}@example.org" for n in range(10_000))

    assert len(addresses.read(text)) == 10_000
    with pytest.raises(Invalid, match="At most 10,000") as refusal:
        addresses.read(text + " one@example.org")
    assert refusal.value.field == "emails"


def test_a_field_of_megabytes_is_read_quickly():
    assert len(addresses.read("<" + " " * 2_000_000)) == 1
    assert len(addresses.read("a" * 2_000_000 + "@example.org")) == 1


# --- One address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("ann@example.org", "ann@example.org"),
        (" ANN@Example.ORG ", "ann@example.org"),
        ("ann+tag@example.org", "ann+tag@example.org"),
        ("ann@exämple.org", "ann@xn--exmple-cua.org"),
        ("ann@XN--exmple-cua.org", "ann@xn--exmple-cua.org"),
        ("ａｎｎ@ｅｘａｍｐｌｅ．ｏｒｇ", "ann@example.org"),
        ("o'hara@example.org", "o'hara@example.org"),
    ],
)
def test_the_stored_form_is_one_for_all_ways_to_write_an_address(typed, stored):
    assert addresses.check(typed).address == stored


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("ann", "An address has an @ sign."),
        ("ann@@example.org", "It has more than one @ sign; an address has one."),
        ("@example.org", "An address has something on both sides of the @ sign."),
        ("ann@", "An address has something on both sides of the @ sign."),
        ("a@b", "After the @ sign stands a domain with a dot, such as example.org."),
        ("änn@example.org", "Before the @ sign only plain letters, digits and signs can be mailed to everywhere."),
        ("ann@example.org\u202e", "There is a character in it that cannot be seen (U+202E)."),
        ("ann\u200b@example.org", "There is a character in it that cannot be seen (U+200B)."),
        ("ann@example.org\x00", "There is a character in it that cannot be seen (U+0000)."),
        ("x" * 400 + "@example.org", "This is too long for an address."),
    ],
)
def test_what_is_wrong_with_an_address_is_said_in_a_sentence(typed, problem):
    entry = addresses.check(typed)

    assert (entry.address, entry.problem) == (None, problem)


@pytest.mark.parametrize(
    "typed",
    [
        "ann..lee@example.org",
        "ann@example..org",
        "ann@-example.org",
        "ann@exa_mple.org",
        "ann@[127.0.0.1]",
        '"ann lee"@example.org',
        "x" * 65 + "@example.org",
        "ann@" + "x" * 64 + ".org",
        "ann@example.invalid",
        "ann@example.org>",
        "ann(at)example.org",
    ],
)
def test_whatever_cannot_be_mailed_to_is_no_address(typed):
    entry = addresses.check(typed)

    assert entry.address is None
    assert entry.problem


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ann@@example.org", "ann@example.org"),
        ("ann@example..org", "ann@example.org"),
        ("mailto:ann@example.org", "ann@example.org"),
        ("ann@example.org.", "ann@example.org"),
        ("ann[at]example.org", "ann@example.org"),
        ("ann\u200b@example.org", "ann@example.org"),
        ("nonsense", ""),
    ],
)
def test_a_small_slip_is_mended_as_a_proposal(typed, meant):
    entry = addresses.check(typed)

    assert (entry.address, entry.meant) == (None, meant)


def test_a_huge_entry_is_quoted_back_in_part_only():
    assert len(addresses.check("x" * 1_000_000).text) == 320


@pytest.mark.parametrize("text", ["ann@example.org", "ann@@example.org", "no address", "a,b", "<x> y", "Ann <>", "x;"])
def test_an_entry_is_written_back_so_that_it_is_read_as_one(text):
    entry = addresses.check(text)

    assert len(addresses.read(addresses.written(entry))) == 1


def test_a_proposal_mends_the_entry_it_is_for_and_no_other():
    text = "joann@@example.org, ann@@example.org.uk; ann@@example.org\nann@@example.org"
    [_joann, _uk, ann, _again] = addresses.read(text)

    mended = addresses.mend(text, ann)
    assert mended == "joann@@example.org, ann@@example.org.uk; ann@example.org\nann@@example.org"


def test_a_proposal_is_no_pattern():
    [entry] = addresses.read("a+b@@example.org")

    assert addresses.mend("a+b@@example.org", entry) == "a+b@example.org"


# --- A file -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_in_every_encoding_and_with_every_separator(separator, encoding):
    text = f"Role{separator} EMAIL \r\nDeveloper{separator}ann@exämple.org\r\n"

    [entry] = addresses.read_csv(text.encode(encoding))

    assert (entry.address, entry.role, entry.workspaces) == ("ann@xn--exmple-cua.org", "Developer", None)


def test_a_row_may_have_a_role_and_workspaces_of_its_own():
    rows = 'email,role,workspaces\nann@example.org,developer,"payments; web"\nbob@example.org,,\ncy@example.org\n'

    ann, bob, cy = addresses.read_csv(rows.encode())

    assert (ann.role, ann.workspaces) == ("developer", ("payments", "web"))
    assert (bob.role, bob.workspaces) == (None, None)
    assert (cy.role, cy.workspaces) == (None, None)


def test_a_file_with_one_column_and_empty_lines():
    assert read_csv("email\n\nann@example.org\n\n , \n") == ["ann@example.org"]


def test_a_quoted_cell_may_have_separators_and_line_breaks():
    assert read_csv('email,role\n"ann@example.org","Head,\nof all"\n') == ["ann@example.org"]


@pytest.mark.parametrize(
    ("heading", "row", "problem"),
    [
        ("email", "ann@example.org,bob@example.org", "This row has more cells than the first line has names."),
        ("email,role", ",developer", "This row has no address."),
        ("email,role", "ann,developer", "An address has an @ sign."),
    ],
)
def test_a_row_that_is_unclear_comes_back(heading, row, problem):
    [entry] = addresses.read_csv(f"{heading}\n{row}\n".encode())

    assert (entry.address, entry.problem) == (None, problem)
    assert entry.text


def test_a_cell_below_a_heading_without_a_name_is_not_dropped():
    assert read_csv("email,\nann@example.org,developer\n") == ["!ann@example.org, developer"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty."),
        (b"name,role\nAnn,developer\n", "one of them is “email”"),
        (b"ann@example.org\nbob@example.org\n", "one of them is “email”"),
        (b"email,rolle\nann@example.org,developer\n", "There is a column “rolle”"),
        (b"email,email\nann@example.org,bob@example.org\n", "twice"),
        ("email,role\nann@example.org,Entwickler für alles\n".encode("latin-1"), "neither UTF-8 nor UTF-16"),
        ("email\nann@example.org\n".encode("utf-16-le"), "not a text file"),
        (b"\xff\xfee\x00m\x00a", "neither UTF-8 nor UTF-16"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "neither UTF-8 nor UTF-16"),
        (b"email\n" + b"x" * 200_000 + b"\n", "Line 2 of the file cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_reason(data, sentence):
    with pytest.raises(Invalid, match=sentence) as refusal:
        addresses.read_csv(data)

    assert refusal.value.field == "csv"


def test_a_file_of_ten_thousand_rows_is_read_and_one_more_is_refused():
    text = "email\n" + "\n".join(f"p{n}@example.org" for n in range(10_000))

    assert len(addresses.read_csv(text.encode())) == 10_000
    with pytest.raises(Invalid, match="At most 10,000") as refusal:
        addresses.read_csv(f"{text}\none@example.org".encode())
    assert refusal.value.field == "csv"


# --- Entries written back into a field -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["ann@example.org", "Ann Lee <ann@example.org>", "ann lee@example.org", "a,b@example.org", "a <b c"]
)
def test_an_entry_that_is_written_back_is_read_as_one_again(text):
    entry = addresses.check(text)
    again = addresses.read(f"x@example.org\n{addresses.written(entry)}\ny@example.org")

    assert len(again) == 3
    assert entry.address is None or again[1].address == entry.address


def test_only_the_entry_that_is_meant_is_mended():
    text = "joann@@example.org, <ann@@example.org>; ann@@example.org.uk"
    [_joann, ann, _uk] = addresses.read(text)

    assert addresses.mend(text, ann) == "joann@@example.org, <ann@example.org>; ann@@example.org.uk"
