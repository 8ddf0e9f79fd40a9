"""Reading many email addresses out of what people paste or upload.

One field takes many, separated by comma, semicolon, space or newline, also as `Ann Lee <ann@x.org>`; or a CSV file
with a heading line. Nothing that was typed is dropped: what is no address comes back with a sentence.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest

from django.utils.translation import gettext as _
from email_validator import EmailNotValidError, validate_email

from portico.spreadsheet import untext

from .errors import Invalid

AT_ONCE = 10_000
COLUMNS = frozenset({"email", "role", "workspaces"})
# What an export of members tells besides. Of it an invitation takes the permissions of whoever has no role.
ALSO_EXPORTED = frozenset({"name", "permissions", "status", "joined_at", "expires_at", "last_active_at"})
LONGEST = 320  # of what is quoted back
CUSTOM = "custom"  # in the place of a role, as an export writes it for permissions that are no role's


@dataclass(frozen=True)
class Typed:
    """One entry: what was typed, and the address it stands for, or why it is none and what may have been meant."""

    text: str
    address: str | None
    problem: str = ""
    meant: str = ""
    role: str | None = None  # from a CSV file; None takes the page's choice
    workspaces: tuple[str, ...] | None = None


_ANGLE = re.compile(r"<([^<>]*)>")
_BETWEEN = re.compile(r"[\s,;]+")
_MARKS = " \t\r\n,;\"'“”„‘’()[]"


def read(text: str) -> list[Typed]:
    """Every entry of a field, in the order typed."""
    entries = list(_split(text))
    refuse_too_many(len(entries))
    return [check(entry) for entry in entries]


def _split(text: str) -> Iterator[str]:
    """`Ann Lee <ann@x.org>` is one entry; everything between such entries is apart at commas, semicolons and spaces."""
    position = 0
    for match in _ANGLE.finditer(text):
        address = match[1].strip()
        yield from _before(text[position : match.start()], address)
        yield address or match[0]
        position = match.end()
    yield from _bare(text[position:])


def _bare(text: str) -> Iterator[str]:
    yield from (part for raw in _BETWEEN.split(text) if (part := raw.strip(_MARKS)))


def _before(text: str, address: str) -> Iterator[str]:
    """What stands before `<address>`: other entries, then the name of the one in brackets, which is dropped.

    A name may hold a comma itself, as in Lee, Ann <ann@x.org>, so after the last semicolon or line break only what
    could be an address is an entry. Many programs write the address itself as the name.
    """
    *others, last = re.split(r"[;\r\n]", text)
    for line in others:
        yield from _bare(line)
    yield from (entry for entry in _bare(last) if "@" in entry and entry.lower() != address.lower())


def written(entry: Typed) -> str:
    """How an entry is written into a field so that it is read again as this one."""
    again = list(_split(entry.text))
    is_one = len(again) == 1 and (again[0] == entry.text or entry.address in {None, check(again[0]).address})
    return entry.text if is_one else f"<{re.sub('[<>]', '', entry.text)}>"


def mend(text: str, entry: Typed) -> str:
    """The text of a field, with one entry written as it was meant."""
    edge = f"[^\\s<>{re.escape(_MARKS)}]"
    return re.sub(f"(?<!{edge}){re.escape(entry.text)}(?!{edge})", lambda _match: entry.meant, text, count=1)


def one(text: str, *, field: str = "email") -> str:
    """The one address that is meant, or Invalid."""
    entry = check(text)
    if entry.address is None:
        raise Invalid(entry.problem, field=field)
    return entry.address


def check(text: str) -> Typed:
    """The address that an entry stands for, in the one form that is stored, shown, compared and mailed."""
    text = text.strip()
    shown = text[:LONGEST]
    if len(text) > LONGEST:
        return Typed(shown, None, _("This is too long for an address."))
    if hidden := next((c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"}), None):
        clean = "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
        return Typed(
            shown,
            None,
            _("There is a character in it that cannot be seen (U+%(code)04X).") % {"code": ord(hidden)},
            clean[:LONGEST] if normal(clean) else "",
        )
    if address := normal(text):
        return Typed(shown, address)
    return Typed(shown, None, why_not(text), _mended(text))


@lru_cache(maxsize=2 * AT_ONCE)  # a list is read again for its review and when it is sent
def normal(text: str) -> str | None:
    """The stored form: NFKC, the domain as IDNA, without case. None if it is not an address (RFC 5321, 5322)."""
    try:
        found = validate_email(
            unicodedata.normalize("NFKC", text), check_deliverability=False, allow_smtputf8=False, strict=True
        )
    except EmailNotValidError:
        return None
    return (found.ascii_email or found.normalized).lower()


def why_not(text: str) -> str:
    """One sentence about what is wrong with an address."""
    if "@" not in text:
        return _("An address has an @ sign.")
    if text.count("@") > 1:
        return _("It has more than one @ sign; an address has one.")
    local, _at, domain = text.partition("@")
    if not local or not domain:
        return _("An address has something on both sides of the @ sign.")
    if "." not in domain:
        return _("After the @ sign stands a domain with a dot, such as example.org.")
    if not local.isascii():
        return _("Before the @ sign only plain letters, digits and signs can be mailed to everywhere.")
    try:
        validate_email(
            unicodedata.normalize("NFKC", text), check_deliverability=False, allow_smtputf8=False, strict=True
        )
    except EmailNotValidError as error:
        return str(error)
    return _("This is not an address.")


def _mended(text: str) -> str:
    """What was probably meant, if a small change makes an address of it."""
    for guess in (
        re.sub(r"@+", "@", text),
        re.sub(r"\.{2,}", ".", text),
        re.sub(r"(?i)^mailto:", "", text),
        text.replace("..", ".").strip("."),
        re.sub(r"\s*(\(at\)|\[at\])\s*", "@", text),
    ):
        if guess != text and normal(guess):
            return guess
    return ""


def read_csv(data: bytes) -> list[Typed]:
    """Every row of a CSV file with a column `email`, and perhaps `role` and `workspaces`; also of an export."""
    columns, *rows = _rows(_decoded(data))
    columns = [heading.strip().lower() for heading in columns]
    _refuse_strange(columns)
    filled = [[untext(cell.strip()) for cell in row] for row in rows if any(cell.strip() for cell in row)]
    refuse_too_many(len(filled), field="csv")
    return [_typed(columns, cells) for cells in filled]


def _rows(text: str) -> list[list[str]]:
    lines = text.lstrip("\ufeff").splitlines()
    if not text.strip("\ufeff\r\n"):
        raise Invalid(_("The file is empty."), field="csv")
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=max(",;\t", key=lines[0].count))
    try:
        return list(reader)
    except csv.Error as error:
        sentence = _("Line %(n)d of the file cannot be read: %(why)s.") % {"n": reader.line_num, "why": error}
        raise Invalid(sentence, field="csv") from error


def _refuse_strange(columns: list[str]) -> None:
    if "email" not in columns:
        raise Invalid(_("The first line of the file names its columns; one of them is “email”."), field="csv")
    named = [name for name in columns if name]
    if stray := [name for name in named if name not in COLUMNS | ALSO_EXPORTED]:
        sentence = _("There is a column “%(name)s”; a file has the columns email, role and workspaces.")
        raise Invalid(sentence % {"name": stray[0][:80]}, field="csv")
    if len(set(named)) < len(named):
        raise Invalid(_("A column stands in the first line twice."), field="csv")


def _typed(columns: list[str], cells: list[str]) -> Typed:
    """One row; the whole of it is quoted back where it is not clear which address it means."""
    row = dict(zip(columns, cells, strict=False))
    whole = ", ".join(filter(None, cells))[:LONGEST]
    if any(cell and not name for cell, name in zip_longest(cells, columns)):
        return Typed(whole, None, _("This row has more cells than the first line has names."))
    if not row.get("email"):
        return Typed(whole, None, _("This row has no address."))
    found = check(_bracketed(row["email"]))
    places = tuple(slug for slug in re.split(r"[;\s]+", row.get("workspaces", "")) if slug)
    return replace(found, role=_role_in(row) or None, workspaces=places or None)


def _role_in(row: Mapping[str, str]) -> str:
    """The role that a row asks for; single permissions as `Custom: members.view;billing.manage`."""
    role = row.get("role", "")
    return f"{role}: {row['permissions']}" if role.casefold() == CUSTOM and "permissions" in row else role


def _bracketed(cell: str) -> str:
    """The address of `Ann Lee <ann@x.org>`, by which its row is known from then on; any other cell as it is."""
    entries = list(_split(cell))
    return entries[0] if len(entries) == 1 and cell.endswith(f"<{entries[0]}>") else cell


def _decoded(data: bytes) -> str:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        sentence = _("The file is neither UTF-8 nor UTF-16. Save it as “CSV UTF-8” and upload it again.")
        raise Invalid(sentence, field="csv") from error
    if "\x00" in text:
        raise Invalid(_("This is not a text file."), field="csv")
    return text


def refuse_too_many(count: int, *, field: str = "emails") -> None:
    if count > AT_ONCE:
        sentence = _("At most %(n)s addresses at once. Send them in parts.") % {"n": f"{AT_ONCE:,}"}
        raise Invalid(sentence, field=field)
