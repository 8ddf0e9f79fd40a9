"""One real installation: `portico serve` with data of its own, a mail server that keeps every byte, and the shell."""

import json
import os
import signal
import subprocess
import sys
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.cli.conftest import Server, processes
from tests.delivery.post_office import LINK, PostOffice, Received
from tests.postgres import free_port

PASSWORD = "correct horse battery staple"
# What the mail server of `example.py` answers.
UNKNOWN_THERE = {"j.whitfield@harrow-joinery.example": "550 No such mailbox"}
PATIENCE = 60  # seconds; machines under load are slow, and a pass never waits


class Installation:
    """Portico on a free port of this machine, on SQLite. Without an office, letters stay in the built-in outbox."""

    def __init__(self, data: Path, office: PostOffice | None = None):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
        port = free_port()
        self.office = office
        self.base = f"http://127.0.0.1:{port}"
        self.environment = kept | {"PORTICO_DATA": str(data), "PORTICO_PORT": str(port)}
        if office:
            self.environment["PORTICO_EMAIL_URL"] = f"smtp://127.0.0.1:{office.port}"
        self.server = Server(self.environment)
        self.server.up()
        self.beside = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.shell"],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> None:
        self.beside.communicate()
        children = self.server.children()
        code = self.server.end(signal.SIGINT)
        assert code == 0, self.server.said()
        assert not children.keys() & processes().keys()
        assert "Traceback" not in self.server.said(), self.server.said()

    def shell(self, *arguments: str) -> dict[str, Any]:
        """`portico …`, and what it answered."""
        return dict(json.loads(self.run("portico.cli", *arguments, "--json")))

    def run(self, module: str, *arguments: str) -> str:
        """A module of Python as an operator runs it, beside the server."""
        assert self.beside.stdin
        assert self.beside.stdout
        print(json.dumps([module, *arguments]), file=self.beside.stdin, flush=True)
        done = json.loads(self.beside.stdout.readline())
        assert done["code"] == 0, done["out"]
        return str(done["out"])

    def account(self, name: str, email: str) -> str:
        """Somebody who has an account, from the shell."""
        self.shell("user", "create", "--email", email, "--name", name, "--password", PASSWORD, "--verified")
        return email

    def letters(self, email: str, *, count: int = 1) -> list[Received]:
        """What has arrived for an address, once there are so many."""
        deadline = time.monotonic() + PATIENCE
        while len(found := self.received(email)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} letters to {email} arrived"
            time.sleep(0.02)
        return found

    def received(self, of: str) -> list[Received]:
        """What has arrived by now for an address, or for all addresses that have this in them."""
        assert self.office
        return [letter for letter in self.office.received if of in letter.address]

    def link(self, email: str) -> str:
        """The one link of the first letter to an address."""
        [found] = links(self.letters(email)[0])
        return found


def links(letter: Received) -> list[str]:
    """The links of a letter, read from the bytes that came over the line. Both halves must have the same."""
    in_text, in_html = set(LINK.findall(letter.text)), Links.of(letter.html)
    assert in_text == in_html, f"the halves of “{letter['Subject']}” differ: {in_text} and {in_html}"
    return sorted(in_text)


class Links(HTMLParser):
    """Every link of HTML, wherever it stands: in an attribute that is followed or loaded, or in the words."""

    FOLLOWED = ("href", "src", "action", "background", "srcset", "poster")

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    @classmethod
    def of(cls, html: str) -> set[str]:
        parser = cls()
        parser.feed(html)
        return parser.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attrs if name in self.FOLLOWED and value}

    def handle_data(self, data: str) -> None:
        self.found |= set(LINK.findall(unescape(data)))
