"""What people may write: names and messages that never become HTML, break a header, or turn into a link.

A name is refused when a mail program would make a link of it, because names stand in letters to strangers. A message
may mention such words; `unlinked` breaks them where it is mailed.
"""

import re
import unicodedata

from django.utils.text import slugify
from django.utils.translation import gettext as _

from .errors import Invalid

NAME_LENGTH = 80
MESSAGE_LENGTH = 1000
# What no slug may be, because an address of Portico itself is called so.
RESERVED = frozenset({
    "account", "admin", "api", "assets", "auth", "health", "help", "invitations", "join", "letters", "login", "me",
    "new", "outbox", "portico", "settings", "signup", "static", "support", "system", "www",
})  # fmt: skip
UUID_SHAPE = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")

# What mail programs turn into links: a scheme, www., or letters-dot-letters as in example.com. The wide dots count,
# because in the name of a host they are dots (IDNA).
_LINK = re.compile(r"://|\bwww[.。．｡]|[^\W_][\w-]*[.。．｡][^\W\d_]{2,}", re.IGNORECASE)
_APART = re.compile(r"[\W_]+")
_BREAK = re.compile(r"(?<=[\w/:])([.。．｡:@])(?=[\w/])")
# Letters of right-to-left languages are welcome; marks that silently reorder the text around them (Cf) are not.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # needed in Persian, in Indic scripts and in emoji


def name(text: str, *, field: str = "name") -> str:
    """A name on one line, trimmed and in NFC, or Invalid."""
    text = unicodedata.normalize("NFC", re.sub(" +", " ", text).strip())
    if not text:
        raise Invalid(_("Write a name."), field=field)
    if len(text) > NAME_LENGTH:
        raise Invalid(_("A name has at most %(n)d characters.") % {"n": NAME_LENGTH}, field=field)
    _refuse_hidden(text, field)
    if _LINK.search(text):
        raise Invalid(
            _("A name cannot contain a web address, because mail programs would make a link of it."), field=field
        )
    return text


def line(text: str, *, field: str, length: int) -> str:
    """Free text on one line, trimmed and in NFC, or Invalid. It may be empty, and may look like a link."""
    text = unicodedata.normalize("NFC", re.sub(" +", " ", text).strip())
    if len(text) > length:
        raise Invalid(_("Write at most %(n)d characters.") % {"n": length}, field=field)
    _refuse_hidden(text, field)
    return text


def message(text: str, *, field: str = "message", length: int = MESSAGE_LENGTH) -> str:
    """Free text of several lines, or Invalid."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").strip())
    if len(text) > length:
        raise Invalid(_("Write at most %(n)d characters.") % {"n": length}, field=field)
    _refuse_hidden(text.replace("\n", " ").replace("\t", " "), field)
    return text


def _refuse_hidden(text: str, field: str) -> None:
    for character in text:
        if unicodedata.category(character) in _INVISIBLE and character not in _JOINERS:
            sentence = _("There is a character that cannot be seen (U+%(code)04X). Delete it and try again.")
            raise Invalid(sentence % {"code": ord(character)}, field=field)


def unlinked(text: str) -> str:
    """The same text, with every word that a mail program would turn into a link broken by a space nobody sees."""
    return _BREAK.sub("\u200b\\1\u200b", text)


def fold(text: str) -> str:
    """Letters and digits only, without case and accents, words apart by one space: what search and sorting compare."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _APART.sub(" ", text.casefold()).strip()


def slug(text: str) -> str:
    """A first idea for an address, 3 to 40 of a to z, 0 to 9 and inner hyphens; empty if the text has none of these."""
    found = re.sub("[-_]+", "-", slugify(text))[:40].strip("-")
    return found if len(found) >= 3 else ""


def check_slug(slug: str) -> str:
    """A slug that is well-formed and not reserved, or Invalid."""
    slug = slug.strip().lower()
    if not re.fullmatch(r"[a-z0-9](-?[a-z0-9]){2,39}", slug) or len(slug) > 40:
        raise Invalid(_("An address has 3 to 40 characters of a to z, 0 to 9 and hyphens inside."), field="slug")
    if UUID_SHAPE.fullmatch(slug):
        raise Invalid(_("An address cannot look like an id."), field="slug")
    if slug in RESERVED:
        raise Invalid(
            _("“%(slug)s” is kept for Portico itself. Choose another address.") % {"slug": slug}, field="slug"
        )
    return slug


def slug_for(name: str, kind: str) -> str:
    """A first idea for an address: from the name as far as that gives one that may be used."""
    base = slug(name) or kind
    return f"{base[: 39 - len(kind)].rstrip('-')}-{kind}" if base in RESERVED or UUID_SHAPE.fullmatch(base) else base
