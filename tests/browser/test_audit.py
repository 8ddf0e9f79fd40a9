"""An administrator finds in the audit log who removed whom, from where, and takes it along as a file."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.installation import PASSWORD, Installation
from tests.browser.looks import flaws
from tests.browser.visitor import Mouse, Visitor, WithoutScript


@pytest.fixture(scope="module")
def quills(installation: Installation) -> str:
    """An organization whose Ada has removed Bob."""
    ada, bob = installation.account("Ada Quill", "ada@quills.example"), "bob@quills.example"
    installation.account("Bob Stone", bob)
    installation.shell("organization", "found", "--name", "Quills", "--administrator", ada)
    return ada


def removes_bob(ada: Visitor, bob: Visitor) -> None:
    ada.open("/o/quills/users/invite")
    ada.type("Email", "bob@quills.example")
    ada.pick("Contributor")
    ada.press("Invite 1 person")
    bob.open(bob.installation.link("bob@quills.example"))
    bob.press("Log in")
    bob.log_in("bob@quills.example", PASSWORD)
    bob.press("Accept")
    ada.open("/o/quills/users")
    ada.follow("Bob Stone")
    ada.follow("Remove user")
    ada.press("Remove user")


def test_who_removed_whom(quills: str, visitor: Callable[..., Visitor]) -> None:
    ada, bob = visitor(), visitor()
    ada.open("/account/login/")
    ada.log_in(quills, PASSWORD)
    removes_bob(ada, bob)

    ada.follow("Audit log")
    ada.sees_heading("Audit log")
    ada.type("Search by the name", "bob")
    expect(ada.page.locator(".log")).not_to_contain_text("The operator created")
    ada.choose("What was done", "Member removed")
    expect(ada.row("Bob Stone")).to_have_count(1)
    expect(ada.row("Bob Stone")).to_contain_text("Console")
    assert flaws(ada.page) == []
    csv_lines, json_lines = downloads(ada)
    [row] = csv.DictReader(io.StringIO(csv_lines, newline=""))
    [same] = [json.loads(line) for line in json_lines.splitlines()]
    assert (row["actor"], row["subject"]) == (f"Ada Quill <{quills}>", "Bob Stone <bob@quills.example>")
    assert (same["id"], same["address"]) == (row["id"], "127.0.0.1")

    ada.follow("Ada Quill removed Bob Stone")
    ada.sees_heading("Ada Quill removed Bob Stone")
    ada.sees("Contributor", "127.0.0.1", "Console", "bob@quills.example")
    assert flaws(ada.page) == []
    ada.page.get_by_role("link", name="All by and about them").last.click()
    ada.sees("By or about Bob Stone", "Bob Stone joined as Contributor")
    ada.follow("By or about Bob Stone")
    ada.sees("The operator created the organization Quills")


def downloads(ada: Visitor) -> list[str]:
    """Both files, as they arrive."""
    found = []
    for name in ("CSV", "JSON lines"):
        with ada.page.expect_download() as download:
            ada.page.get_by_role("link", name=name).click()
        found.append(Path(download.value.path()).read_text("utf-8-sig"))
    return found


@pytest.mark.parametrize("hand", [Mouse, WithoutScript])
def test_days_from_and_to(quills: str, visitor: Callable[..., Visitor], hand: type[Visitor]) -> None:
    ada = visitor(hand)
    ada.open("/account/login/")
    ada.log_in(quills, PASSWORD)
    ada.open("/o/quills/events")

    days(ada, "2020-01-01", "2020-12-31")
    ada.sees("Nothing found")
    days(ada, "2020-01-01", "2999-12-31")
    ada.sees("The operator created the organization Quills")
    days(ada, "2999-12-31", "2020-01-01")
    ada.sees("The end comes before the beginning.")


def days(ada: Visitor, since: str, until: str) -> None:
    """With script each change is followed at once; without it a button asks."""
    ada.page.get_by_label("From").fill(since)
    ada.page.get_by_label("to", exact=True).fill(until)
    if not ada.script:
        ada.press("Search")


def test_what_was_done_can_be_read_and_chosen_on_a_phone(quills: str, visitor: Callable[..., Visitor]) -> None:
    ada = visitor(viewport={"width": 360, "height": 740})
    ada.open("/account/login/")
    ada.log_in(quills, PASSWORD)
    ada.open("/o/quills/events")

    box = ada.page.get_by_role("combobox", name="What was done").bounding_box()
    assert box is not None
    assert box["width"] > 300
