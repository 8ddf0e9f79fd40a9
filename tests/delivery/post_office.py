"""A mail server that does what a test asks of it, and keeps what it got."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

LINK = re.compile(r"https?://[^\s\"<>]+")


@dataclass(frozen=True)
class Received:
    """One letter, read from the bytes that came over the line."""

    address: str
    content: bytes

    @property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)

    def __getitem__(self, header: str) -> str:
        return str(self.parsed[header])

    def part(self, kind: str) -> str:
        part = self.parsed.get_body((kind,))
        assert part, f"it has no {kind} part"
        return part.get_content().replace("\r\n", "\n")

    @property
    def text(self) -> str:
        return self.part("plain")

    @property
    def html(self) -> str:
        return self.part("html")


def links(part: str) -> list[str]:
    return sorted(set(LINK.findall(part)))


class PostOffice:
    """The handler of aiosmtpd, and the server that can break off."""

    def __init__(self) -> None:
        self.controller = _Line(self, hostname="127.0.0.1", port=0, ready_timeout=30)
        self.port = 0
        self.received: list[Received] = []
        self.connections = 0
        self.refusals: dict[str, str] = {}  # what it answers to RCPT, by address
        self.senders_refusal = ""  # what it answers to MAIL
        self.letters_refusal = ""  # what it answers to a whole letter
        self.hangs_at: set[str] = set()  # addresses at whose letter it says nothing any more
        self.breaks_off_at: set[str] = set()  # addresses at whose letter it closes the connection
        self.between: Callable[[Received], Awaitable[None]] | None = None
        self.silence = asyncio.Event()

    def start(self) -> None:
        self.controller.start()
        self.port = self.controller.port
        self.connections = 0  # without the one that tried whether it listens

    def stop(self) -> None:
        self.controller.loop.call_soon_threadsafe(self.silence.set)
        self.controller.stop()

    @property
    def addresses(self) -> list[str]:
        return [letter.address for letter in self.received]

    @property
    def counted(self) -> Counter[str]:
        return Counter(self.addresses)

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.senders_refusal or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        [address] = envelope.rcpt_tos
        if address in self.hangs_at:
            await self.silence.wait()
        if self.letters_refusal:
            return self.letters_refusal
        assert isinstance(envelope.content, bytes)
        letter = Received(address, envelope.content)
        self.received.append(letter)
        if self.between:
            await self.between(letter)
        return "250 OK"


class _Line(Controller):
    handler: PostOffice

    def _trigger_server(self) -> None:
        """aiosmtpd would connect to the port it was given, which is 0: any free one."""
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def factory(self) -> SMTP:
        return _Clerk(self.handler, **self.SMTP_kwargs)


class _Clerk(SMTP):
    """Counts its lines, and closes one when the words of certain letters are about to come."""

    event_handler: PostOffice

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.connections += 1
        super().connection_made(transport)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        assert self.envelope
        assert self.transport
        if self.event_handler.breaks_off_at & set(self.envelope.rcpt_tos):
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            self.transport.close()
            return
        await super().smtp_DATA(arg)
