"""No cell runs as a formula, and every cell comes back as it left."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico import spreadsheet

SIGNS = "=+-@\t\r\n＝＋－＠"
# Letters like any others, and those that mean something to a spreadsheet or to a CSV file.
CELLS = st.text(st.sampled_from([*SIGNS, "'", '"', ",", ";", " ", "a", "é", "\u2028"]) | st.characters(codec="utf-8"))


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", ["", "'", "''"])
def test_a_cell_that_could_be_a_formula_becomes_text(sign, before):
    cell = f'{before}{sign}HYPERLINK("https://example.org")'

    assert spreadsheet.text(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Ada", "ada@example.org", "'tis", "1-2", "a=b", "2030-01-01T00:00:00Z"])
def test_other_cells_stay_as_they_are(cell):
    assert spreadsheet.text(cell) == spreadsheet.untext(cell) == cell


@given(CELLS)
def test_nothing_begins_with_what_begins_a_formula(cell):
    assert not spreadsheet.text(cell).startswith(tuple(SIGNS))


@given(st.lists(st.lists(CELLS, min_size=1), min_size=1))
def test_what_is_written_is_read_again_as_it_was(rows):
    file = io.StringIO(b"".join(spreadsheet.lines(rows)).decode("utf-8-sig"), newline="")

    assert [[spreadsheet.untext(cell) for cell in row] for row in csv.reader(file)] == rows


def test_a_file_begins_with_the_mark_of_utf_8_and_is_made_row_by_row():
    asked = []

    def rows():
        for name in ("Zoë", "Ann"):
            asked.append(name)
            yield [name, "a, b"]

    file = spreadsheet.lines(rows())

    assert next(file) == b"\xef\xbb\xbf"
    assert next(file) == 'Zoë,"a, b"\r\n'.encode()
    assert asked == ["Zoë"]
