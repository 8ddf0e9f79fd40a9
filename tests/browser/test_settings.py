"""Settings from the first to the last of them: details, picture, hand-over, deletion and what undoes it."""

from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from tests.browser.installation import PASSWORD, Installation, links
from tests.browser.visitor import Visitor

ADA, MEL = "ada@harbour.example", "mel@harbour.example"
SETTINGS = "/o/harbour/settings"


@pytest.fixture
def harbour(installation: Installation) -> Installation:
    """Harbour, which ada administers; mel has an account and is invited."""
    installation.account("Ada Lovelace", ADA)
    installation.account("Mel Tide", MEL)
    installation.shell("organization", "found", "--name", "Harbour", "--administrator", ADA)
    return installation


def photo() -> bytes:
    file = BytesIO()
    Image.new("RGB", (800, 600), (20, 120, 110)).save(file, "JPEG")
    return file.getvalue()


def come(visitor: Callable[..., Visitor], who: str, path: str) -> Visitor:
    came = visitor()
    came.open(path)
    came.log_in(who, PASSWORD)
    return came


def test_from_a_new_name_to_the_end_and_back(harbour: Installation, visitor: Callable[..., Visitor]) -> None:
    ada = come(visitor, ADA, "/o/harbour/")
    ada.follow("Settings")
    looks_anew(ada)
    mel = joins(ada, visitor, harbour)

    ada.open("/o/harbour-ltd/settings")
    ada.follow("Hand over")
    ada.type("To whom", MEL)
    ada.choose("And you", "Step down to Developer")
    ada.press("Send the offer")
    ada.sees("Waiting for an answer", "Ada Lovelace then becomes Developer.")
    [link] = links(harbour.letters(MEL, count=2)[-1])
    mel.open(link)
    mel.sees_heading("Become an Administrator of Harbour Ltd?")
    mel.press("Accept")
    mel.sees("You are an Administrator of Harbour Ltd now.")
    ada.open("/o/harbour-ltd/settings")
    ada.sees("Leave organization")
    assert not ada.finds("link", "Delete organization")
    assert ada.status("/o/harbour-ltd/settings/delete") == 403

    mel.open("/o/harbour-ltd/settings")
    mel.follow("Delete organization")
    mel.type("To go on", "Harbour Ltd")
    mel.press("Delete organization")
    mel.sees_heading("Harbour Ltd is closed")
    ada.open("/o/harbour-ltd/users")
    ada.sees_heading("Harbour Ltd is closed")
    assert not ada.finds("button", "Restore")
    [link] = links(harbour.letters(MEL, count=3)[-1])
    mel.open(link)
    mel.press("Restore")
    mel.sees("Harbour Ltd is open again.")
    ada.open("/o/harbour-ltd/")
    ada.sees_heading("Harbour Ltd")


def looks_anew(ada: Visitor) -> None:
    """Another name, address, colour and a picture; the old address leads on."""
    ada.type("Name", "Harbour Ltd")
    ada.type("Address", "harbour-ltd")
    ada.pick("Teal")
    ada.press("Save")
    ada.sees("Saved.")
    ada.page.get_by_label("Picture").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photo()})
    ada.press("Use this picture")
    ada.sees("The picture is saved.")
    shown = ada.page.locator(".top button img")
    assert shown.evaluate("image => [image.complete, image.naturalWidth]") == [True, 64]
    ada.open(SETTINGS)
    assert ada.path == "/o/harbour-ltd/settings"


def joins(ada: Visitor, visitor: Callable[..., Visitor], harbour: Installation) -> Visitor:
    """Mel, by the link of the letter, whose page has the picture too."""
    ada.open("/o/harbour-ltd/users/invite")
    ada.type("Email", MEL)
    ada.pick("Contributor")
    ada.sees("1 person will be invited as Contributor.")
    ada.press("Invite 1 person")
    mel = visitor()
    mel.open(harbour.link(MEL))
    assert mel.page.locator("main img").evaluate("image => image.naturalWidth") == 512
    mel.press("Log in")
    mel.log_in(MEL, PASSWORD)
    mel.press("Accept")
    mel.sees("You belong to Harbour Ltd now.")
    return mel
