"""The built-in outbox: without a mail server each letter becomes a file in a folder, to be read there.

The files hold links and codes that open accounts, so only the owner of the folder may read them.
"""

import html
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage as Parsed
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

SHOWN = 50
_ADDRESS = re.compile(r"https?://[^\s<>\"]+")
_HREF = re.compile(r"href=\"(https?://[^\"]+)\"")


class FolderBackend(BaseEmailBackend):
    """Django's mail API, with a folder in place of a server."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for message in email_messages:
            _write(folder / f"{_name(timezone.now())}.eml", message.message().as_bytes())
        return len(email_messages)


def _name(now: datetime) -> str:
    """Names sort as the letters were written, and are not to be guessed."""
    return f"{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, whenever somebody looks."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.rename(path)


def _folder() -> Path:
    return Path(settings.OUTBOX_FOLDER)


@dataclass(frozen=True)
class Message:
    """One letter of the folder. `name` is that of its file."""

    name: str
    to: str
    sender: str
    subject: str
    date: datetime | None
    text: str
    html: str
    links: list[str]  # of both halves, each once


def messages(limit: int = SHOWN) -> list[Message]:
    """The newest letters, newest first."""
    names = sorted((path.name for path in _folder().glob("*.eml")), reverse=True)
    return [_read(_folder() / name) for name in names[:limit]]


def message(name: str) -> Message | None:
    """One letter by the name of its file, or None where there is no such file."""
    path = _path(name)
    return _read(path) if path else None


def raw(name: str) -> bytes | None:
    """The same as it would have gone over the wire."""
    path = _path(name)
    return path.read_bytes() if path else None


def count() -> int:
    return sum(1 for _ in _folder().glob("*.eml"))


def forget(before: datetime) -> int:
    """Delete the letters written before this moment; how many there were."""
    old = [path for path in _folder().glob("*.eml") if path.name < _name(before)]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _path(name: str) -> Path | None:
    """Only what is in the folder: asked by what is there, so no name can lead out of it."""
    return next((path for path in _folder().glob("*.eml") if path.name == name), None)


def _read(path: Path) -> Message:
    parsed = message_from_bytes(path.read_bytes(), policy=policy.default)
    date = parsed["Date"].datetime if parsed["Date"] else None
    if date and date.tzinfo is None:  # "-0000": UTC, from a machine that does not say where it is
        date = date.replace(tzinfo=UTC)
    text, markup = _part(parsed, "plain"), _part(parsed, "html")
    links = [*_ADDRESS.findall(text), *map(html.unescape, _HREF.findall(markup))]
    return Message(
        name=path.name,
        to=str(parsed["To"] or ""),
        sender=str(parsed["From"] or ""),
        subject=str(parsed["Subject"] or ""),
        date=date,
        text=text,
        html=markup,
        links=list(dict.fromkeys(links)),
    )


def _part(parsed: Parsed, kind: str) -> str:
    part = parsed.get_body((kind,))
    return str(part.get_content()) if part else ""
