"""CSV that a spreadsheet opens, and that comes back in as it left.

Spreadsheets take a cell that begins with one of a few signs for a formula, and run it. Here such a cell gets an
apostrophe in front, which spreadsheets read as "this is text"; who reads the file in again takes it off.
"""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence

# What begins a formula, also in the wide shape that spreadsheets of East Asia know; a tab or a line end may hide one.
# Apostrophes before it count along, so that one of the text's own is not mistaken for ours.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def lines(rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """A file, row by row as it is made: commas, UTF-8, and the mark by which spreadsheets know it."""
    writer = csv.writer(_Echo())
    yield codecs.BOM_UTF8
    for row in rows:
        yield writer.writerow([text(cell) for cell in row]).encode()


def text(cell: str) -> str:
    """The cell as nothing but text."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def untext(cell: str) -> str:
    """The cell as it was before `text`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class _Echo:
    """A file that hands back what is written."""

    def write(self, line: str) -> str:
        return line
