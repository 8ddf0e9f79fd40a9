"""A member makes a token, sees its secret once, and revokes it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.installation import PASSWORD, Installation
from tests.browser.looks import flaws
from tests.browser.visitor import HANDS, Mouse, Visitor

Arrive = Callable[..., Visitor]


def founder(came: Visitor, installation: Installation, of: str) -> Visitor:
    """Tova, before the tokens of an organization that she has just founded."""
    email = installation.account("Tova Lind", f"tova@{of}.example")
    came.open("/organizations/new")
    came.log_in(email, PASSWORD)
    came.type("Name", f"Keys of {of}")
    came.press("Create organization")
    came.open(f"{came.path}tokens")
    return came


def made(tova: Visitor) -> str:
    """The secret, as the page shows it."""
    secret = tova.page.get_by_label("Token", exact=True).input_value()
    assert re.fullmatch("ptc_[0-9A-Za-z]{36}", secret)
    return secret


def flaws_of(tova: Visitor) -> list[str]:
    """A page is the same for every hand, so it is looked at once."""
    return flaws(tova.page) if isinstance(tova, Mouse) else []


@pytest.mark.parametrize("hand", HANDS)
def test_from_the_first_token_to_no_token(visitor: Arrive, installation: Installation, hand: str) -> None:
    tova = founder(visitor(HANDS[hand]), installation, hand)
    tova.sees("You have no token yet")
    tova.follow("New token")
    tova.type("Days", "0")
    tova.press("Make token")
    tova.sees("Write a name.", "A token lives for 1 to 3650 days", "Choose at least one permission")
    assert flaws_of(tova) == []

    tova.type("Name", "Nightly build")
    tova.type("Days", "7")
    tova.tick("Manage members")
    tova.press("Make token")
    tova.sees_heading("Nightly build is made")
    secret = made(tova)
    assert tova.finds("button", "Copy") == tova.script
    assert flaws_of(tova) == []

    tova.page.reload()
    tova.sees_heading("Tokens")
    tova.sees("This token was made already.", "Never used")
    assert secret not in tova.page.content()
    assert tova.page.get_by_role("link", name="Nightly build").count() == 1

    tova.follow("Nightly build")
    tova.sees("Manage members", "Programs that use it are refused")
    tova.press("Revoke token")
    tova.sees("Nightly build is revoked.", "You have no token yet")


def test_a_service_token_is_copied_by_one_click(visitor: Arrive, installation: Installation) -> None:
    tova = founder(visitor(permissions=["clipboard-read", "clipboard-write"]), installation, "service")
    tova.follow("Service tokens")
    tova.follow("New service token")
    tova.type("Name", "Shop")
    tova.pick("Perpetual")
    tova.pick("Full access")
    assert not tova.page.get_by_label("Days").is_visible()
    assert not tova.finds("checkbox", "View all workspaces")
    tova.press("Make service token")
    tova.unfold("Copy")

    expect(tova.page.get_by_role("button", name="Copied")).to_be_visible()
    assert tova.page.evaluate("navigator.clipboard.readText()") == made(tova)
    tova.follow("I have copied it")
    tova.sees("Shop", "Reads and checks", "Perpetual")
