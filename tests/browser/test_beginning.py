"""The first minutes of a newcomer: `portico serve` alone, no mail server, nobody here yet."""

from collections.abc import Callable, Iterator

import pytest

from tests.browser.installation import PASSWORD, Installation
from tests.browser.looks import flaws
from tests.browser.visitor import Visitor


@pytest.fixture
def fresh(tmp_path) -> Iterator[Installation]:
    portico = Installation(tmp_path / "data")
    yield portico
    portico.stop()


def test_from_the_first_page_to_the_first_invitation(fresh: Installation, visitor: Callable[..., Visitor]) -> None:
    ada = visitor(at=fresh)
    ada.open("/")
    ada.sees_heading("Nobody is here yet")
    ada.sees("PORTICO_BASE_URL", "PORTICO_EMAIL_URL")
    assert flaws(ada.page) == []
    ada.open("/outbox")
    ada.sees("No letter yet")
    assert flaws(ada.page) == []

    ada.open("/")
    ada.follow("Create the first account")
    ada.type("Name", "Ada Lovelace")
    ada.type("Email", "ada@example.org")
    ada.type("Password", PASSWORD)
    ada.press("Create the account")
    ada.sees_heading("Enter the code")

    mail = ada.another_tab()
    reads(mail, "Confirm your email address")
    ada.type("Code", mail.page.locator(".letter").inner_text().split("yours.")[1].split()[0])
    ada.press("Confirm")
    ada.follow("Create an organization")
    ada.type("Name", "Acme")
    ada.press("Create organization")
    ada.follow("Invite users")
    ada.type("Email", "gus@example.org")
    ada.pick("Contributor")
    ada.sees("1 person will be invited as Contributor.")
    ada.press("Invite 1 person")
    ada.sees("1 invitation is on its way.")

    reads(mail, "Ada Lovelace invites you to Acme")
    assert flaws(mail.page) == []
    mail.follow(f"{fresh.base}/join/")
    mail.sees_heading("This invitation is for another address")


def reads(mail: Visitor, subject: str) -> None:
    """In the built-in outbox, where letters come a moment later."""
    mail.open("/outbox")
    while not mail.finds("link", subject):
        mail.follow("Look again")
    assert flaws(mail.page) == []
    mail.follow(subject)
    mail.sees_heading(subject)
