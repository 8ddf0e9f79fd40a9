"""What people do with their own account, as others see it; and an act that waits until they have shown who they are."""

from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from tests.browser.installation import PASSWORD, Installation
from tests.browser.looks import flaws
from tests.browser.test_accounts import code_in
from tests.browser.visitor import Visitor

Arrive = Callable[..., Visitor]
ADA, MEL, WORK = "ada@boathouse.example", "mel@boathouse.example", "mel@work.boathouse.example"
USERS = "/o/boathouse/users"


@pytest.fixture(scope="module")
def boathouse(installation: Installation) -> Installation:
    """Boathouse, which ada administers."""
    installation.account("Ada Lovelace", ADA)
    installation.shell("organization", "found", "--name", "Boathouse", "--administrator", ADA)
    return installation


def come(visitor: Arrive, who: str, path: str) -> Visitor:
    came = visitor()
    came.open(path)
    came.log_in(who, PASSWORD)
    return came


def joins(ada: Visitor, visitor: Arrive, name: str, email: str) -> Visitor:
    """Somebody with an account, whom ada invites."""
    ada.installation.account(name, email)
    ada.open(f"{USERS}/invite")
    ada.type("Email", email)
    ada.pick("Contributor")
    ada.press("Invite 1 person")
    ada.sees("1 invitation is on its way.")
    came = come(visitor, email, "/account/login/")
    came.open(ada.installation.link(email))
    came.press("Accept")
    return came


def photo() -> bytes:
    file = BytesIO()
    Image.new("RGB", (600, 800), (160, 60, 40)).save(file, "JPEG")
    return file.getvalue()


def test_from_a_picture_to_the_end_of_an_account(boathouse: Installation, visitor: Arrive) -> None:
    ada = come(visitor, ADA, "/account/login/")
    mel = joins(ada, visitor, "Mel Oar", MEL)

    mel.open("/account/")
    mel.page.get_by_label("Picture").set_input_files({"name": "me.jpg", "mimeType": "image/jpeg", "buffer": photo()})
    mel.press("Use this picture")
    mel.sees("The picture is saved.")
    ada.open(USERS)
    picture = ada.row("Mel Oar").locator("img.face")
    assert picture.evaluate("it => it.decode().then(() => it.naturalWidth)") == 64
    assert ada.row("Ada Lovelace").locator("img").count() == 0
    assert flaws(ada.page) == []

    is_known_by_another_address(mel)
    ada.open(USERS)
    assert WORK in ada.row("Mel Oar").inner_text()

    elsewhere = come(visitor, MEL, "/account/sessions/")
    elsewhere.press("Sign out everywhere, here too")
    elsewhere.sees("You are signed out everywhere.")
    mel.open("/account/")
    mel.sees_heading("Log in")

    closes(ada, mel)


def is_known_by_another_address(mel: Visitor) -> None:
    """One more address, proven by the code of a letter, and chosen in the place of the first."""
    mel.open("/account/email/")
    mel.type("Another address", WORK)
    mel.press("Add the address")
    mel.sees_heading("Enter the code")
    mel.type("Code", code_in(mel.installation.letters(WORK)[0]))
    mel.press("Confirm")
    mel.open("/account/")
    mel.follow("My organizations")
    mel.sees(f"knows you as {MEL}")
    mel.page.get_by_text("Another address").click()
    assert flaws(mel.page) == []
    mel.choose("Address known there", WORK)
    mel.press("Use this address")
    mel.sees("Boathouse knows you by another address now.", f"knows you as {WORK}")


def closes(ada: Visitor, mel: Visitor) -> None:
    """The last Administrator must not; whoever may is forgotten where others look."""
    ada.open("/account/close")
    ada.sees("Not yet", "Boathouse")
    assert not ada.finds("button", "Close my account")
    ada.send("/account/close")
    assert ada.page.get_by_role("alert").is_visible()
    assert flaws(ada.page) == []

    mel.log_in(WORK, PASSWORD)
    mel.open("/account/")
    assert mel.status("/account/data") == 200
    mel.follow("Close the account")
    mel.sees("You leave", "Boathouse")
    mel.press("Close my account")
    mel.sees("Your account is closed.")
    ada.open(USERS)
    ada.sees("Nobody here but you")


def test_an_act_waits_for_the_password_and_goes_on(boathouse: Installation, visitor: Arrive) -> None:
    ada = come(visitor, ADA, "/account/login/")
    joins(ada, visitor, "Nia Rudder", "nia@boathouse.example")
    ada.open(USERS)
    ada.follow("Nia Rudder")
    hers = ada.path
    boathouse.run("tests.browser.unproven")

    ada.pick("Administrator")
    ada.page.get_by_role("button", name="Save", exact=True).click()
    ada.sees_heading("Is it you?")
    another = ada.another_tab()
    another.open(USERS)
    assert "Contributor" in another.row("Nia Rudder").inner_text()
    ada.type("Password", "wrong")
    ada.press("Continue")
    ada.sees("This is not your password.")
    ada.type("Password", PASSWORD)
    ada.press("Continue")
    ada.sees("Nia Rudder: saved.")
    assert ada.path == hers
    another.open(USERS)
    assert "Administrator" in another.row("Nia Rudder").inner_text()
