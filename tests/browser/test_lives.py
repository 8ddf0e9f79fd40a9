"""What befalls a member from joining to coming back: suspended, reactivated, given an end, removed, brought back."""

from collections.abc import Callable

import pytest

from tests.browser.installation import PASSWORD, Installation, links
from tests.browser.visitor import Visitor

ADA, MEL = "ada@lakeside.example", "mel@lakeside.example"
USERS = "/o/lakeside/users"


@pytest.fixture
def lakeside(installation: Installation) -> Installation:
    """Lakeside, which ada administers; mel has an account."""
    installation.account("Ada Lovelace", ADA)
    installation.account("Mel Shore", MEL)
    installation.shell("organization", "found", "--name", "Lakeside", "--administrator", ADA)
    return installation


def come(visitor: Callable[..., Visitor], who: str, path: str) -> Visitor:
    came = visitor()
    came.open(path)
    came.log_in(who, PASSWORD)
    return came


def test_from_joining_to_coming_back(lakeside: Installation, visitor: Callable[..., Visitor]) -> None:
    ada, mel = come(visitor, ADA, f"{USERS}/invite"), come(visitor, MEL, "/")
    invites(ada)
    accepts(mel, lakeside, letter=0)
    ada.open(USERS)
    ada.follow("Mel Shore")
    hers = ada.path

    ada.follow("Suspend user")
    ada.sees_heading("Suspend Mel Shore?")
    ada.press("Suspend user")
    ada.sees("Mel Shore is suspended.")
    mel.open("/o/lakeside/workspaces")
    mel.sees_heading("Your membership is suspended")
    assert lakeside.letters(MEL, count=2)[1]["Subject"] == "Your membership of Lakeside is suspended"
    ada.press("Reactivate")
    ada.sees("Mel Shore is active again.")
    mel.open("/o/lakeside/workspaces")
    mel.sees_heading("Workspaces")

    sets_an_end(ada)
    exports(ada)

    ada.open(hers)
    ada.follow("Remove user")
    ada.press("Remove user")
    ada.sees("Mel Shore is removed.")
    ada.follow("Former members")
    ada.follow("Mel Shore")
    ada.sees("View members of the organization")
    ada.press("Bring back")
    ada.sees(f"A letter invites {MEL} back.")
    accepts(mel, lakeside, letter=4)


def invites(ada: Visitor) -> None:
    ada.type("Email", MEL)
    ada.pick("Contributor")
    ada.press("Invite 1 person")
    ada.sees("1 invitation is on its way.")


def accepts(mel: Visitor, lakeside: Installation, *, letter: int) -> None:
    """A membership of her own each time."""
    [link] = links(lakeside.letters(MEL, count=letter + 1)[letter])
    mel.open(link)
    mel.press("Accept")
    mel.open("/o/lakeside/")
    mel.sees_heading("Lakeside")


def sets_an_end(ada: Visitor) -> None:
    day = ada.page.get_by_label("Last day")
    day.fill("2001-01-01")
    ada.press("Set the end")
    ada.sees("The end of the membership lies in the past.")
    assert day.input_value() == "2001-01-01"
    day.fill("2099-12-31")
    ada.press("Set the end")
    ada.sees("The membership of Mel Shore ends on 2099-12-31.", "ends 31 December 2099")
    day.fill("")
    ada.press("Set the end")
    ada.sees("The membership of Mel Shore does not end.")


def exports(ada: Visitor) -> None:
    """A file for a spreadsheet, which the Invite page knows again."""
    ada.open(f"{USERS}?q=mel")
    with ada.page.expect_download() as download:
        ada.page.get_by_role("link", name="Export CSV").click()
    file = download.value.path()
    assert file.read_text("utf-8-sig").splitlines()[1].startswith(f"{MEL},Mel Shore,contributor,members.view,active,")
    ada.open(f"{USERS}/invite")
    ada.page.get_by_label("CSV").set_input_files({"name": "m.csv", "mimeType": "text/csv", "buffer": file.read_bytes()})
    ada.sees(f"{MEL} already belongs here.")
