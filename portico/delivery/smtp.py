"""Django's SMTP backend, with letters written by us: Python's email package takes longer to write one than a server to
take it, which would halve how many leave in a minute.
"""

import secrets
from binascii import b2a_qp
from email.header import Header
from email.utils import parseaddr
from functools import lru_cache
from smtplib import SMTP

from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import BadHeaderError, sanitize_address

LONGEST_LINE = 900  # servers take 998 bytes


class LetterBackend(EmailBackend):
    """One connection for as long as it is open; what the server answers is raised."""

    connection: SMTP

    def _send(self, email_message: EmailMultiAlternatives) -> bool:
        recipients = [_address(address) for address in email_message.to]
        self.connection.sendmail(_bare(email_message.from_email), recipients, written(email_message))
        return True


def written(message: EmailMultiAlternatives) -> bytes:
    """The letter as it goes over the line: in seven bits and lines that every server takes."""
    boundary = f"=_{secrets.token_hex(12)}"  # nobody who writes a message can know it
    headers = {
        "Subject": message.subject,
        "From": message.from_email,
        "To": ", ".join(_address(address) for address in message.to),
        **message.extra_headers,
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    head = "\n".join(_header(name, value) for name, value in headers.items())
    parts = [(message.body, "text/plain"), *message.alternatives]
    bodies = b"".join(b"\n--%s\n%s" % (boundary.encode(), _part(str(content), kind)) for content, kind in parts)
    whole = b"%s\n%s\n--%s--\n" % (head.encode(), bodies, boundary.encode())
    return whole.replace(b"\n", b"\r\n")


def _part(content: str, kind: str) -> bytes:
    content = content.replace("\r\n", "\n").replace("\r", "\n")
    plain = content.isascii() and max(map(len, content.split("\n"))) <= LONGEST_LINE
    encoding, body = (
        ("7bit", content.encode()) if plain else ("quoted-printable", b2a_qp(content.encode(), istext=True))
    )
    return f"Content-Type: {kind}; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n".encode() + body


@lru_cache(maxsize=256)
def _header(name: str, value: str) -> str:
    if "\n" in value or "\r" in value:
        raise BadHeaderError(f"{name} has more than one line")
    if name == "Subject":
        value = Header(value, header_name=name).encode()
    return f"{name}: {value}"


@lru_cache(maxsize=1)
def _bare(sender: str) -> str:
    _name, address = parseaddr(sender)
    return _address(address)


def _address(address: str) -> str:
    return address if address.isascii() else sanitize_address(address, "utf-8")
