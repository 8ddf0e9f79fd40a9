"""Roles, as an Administrator shapes them: one is added, one edited down while somebody's invitation stands on it, one
given to several, and one deleted while in use. Told to a mouse, and to a browser that runs no script.
"""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.browser.installation import PASSWORD
from tests.browser.visitor import HANDS, Visitor

pytestmark = pytest.mark.usefixtures("example")


def arrives(visitor: Callable[..., Visitor], hand: str, who: str) -> Visitor:
    somebody = visitor(HANDS[hand])
    somebody.open(f"/o/harbour-{hand}/")
    somebody.log_in(f"{who}@{hand}.harbour.example", PASSWORD)
    return somebody


def box(hana: Visitor, name: str) -> Locator:
    return hana.page.get_by_role("checkbox", name=name)


@pytest.mark.parametrize("hand", ["mouse", "without-script"])
def test_shaping_roles(visitor: Any, hand: str) -> None:
    hana = arrives(visitor, hand, "hana")
    adds_a_role(hana)
    edits_one_down(hana, hand)
    gives_another_to_several(hana)
    deletes_one_in_use(hana)
    who_only_sees_members_presses_nothing(arrives(visitor, hand, "pia"), hand)


def adds_a_role(hana: Visitor) -> None:
    hana.follow("Roles")
    hana.sees_heading("Roles")
    hana.follow("Add role")
    hana.type("Name", "people LEAD")
    hana.tick("Manage billing information")
    hana.press("Add role")
    hana.sees("There is a role “People lead” already.")
    assert box(hana, "Manage billing information").is_checked()
    hana.type("Name", "Accountant")
    hana.press("Add role")
    hana.sees("Accountant is there.")


def edits_one_down(hana: Visitor, hand: str) -> None:
    """Pia has it, and her invitation stands on it. What that does is seen before it is saved."""
    hana.follow("Edit People lead")
    hana.sees("1 person has it.", "Pia Lund")
    hana.act(box(hana, "Manage members"))
    hana.review()
    hana.sees("What this changes", "Lost", f"1 invitation is revoked: dan@{hand}.harbour.example")
    hana.tick("Take it over")
    hana.review()
    assert box(hana, "Take it over").is_checked()
    hana.press("Save")
    hana.sees("People lead: saved.")
    hana.follow("Organization users")
    assert "Invited" in hana.row(f"dan@{hand}.harbour.example").inner_text()


def gives_another_to_several(hana: Visitor) -> None:
    hana.tick("Select Pia Lund")
    hana.tick("Select Sam Reed")
    hana.press("Change role")
    hana.sees_heading("Change the role of 2 people")
    hana.pick("Accountant")
    hana.review()
    hana.press("Change 2 people")
    hana.sees("2 people now have the role Accountant.")
    assert "Accountant" in hana.row("Sam Reed").inner_text()


def deletes_one_in_use(hana: Visitor) -> None:
    hana.follow("Roles")
    hana.follow("Edit Accountant")
    hana.follow("Delete role")
    hana.press("Delete role")
    hana.sees("Accountant is in use: by Pia Lund, Sam Reed.")
    hana.choose("Move everybody to", "Contributor")
    hana.review()
    hana.sees("Gained", "View members of the organization", "Lost", "Manage billing information")
    hana.press("Delete role")
    hana.sees("Accountant is deleted.")
    hana.follow("Organization users")
    assert "Contributor" in hana.row("Sam Reed").inner_text()


def who_only_sees_members_presses_nothing(pia: Visitor, hand: str) -> None:
    pia.follow("Roles")
    pia.sees_heading("Roles")
    assert not pia.finds("link", "Add role")
    assert not pia.finds("link", "Edit")
    pia.follow("View People lead")
    pia.sees("Nobody has it yet.")
    assert not pia.finds("button", "Save")
    answer = pia.post(f"/o/harbour-{hand}/roles/people-lead", do="save", name="Mine", grant="members.manage")
    assert answer.status == 403
