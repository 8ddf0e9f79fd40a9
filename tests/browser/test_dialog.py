"""*Invite users* opens its page over the one where it was pressed, and leaves it without a trace."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.looks import flaws
from tests.browser.visitor import HANDS, Visitor

pytestmark = pytest.mark.usefixtures("example")
AMARA = "amara.okafor@meroorg.example"
USERS, INVITE = "/o/meroorg/users", "/o/meroorg/users/invite"
At = Callable[..., Visitor]


@pytest.fixture
def amara(at: At) -> Visitor:
    """Before the list, which she has searched and in which she has ticked somebody."""
    amara = at(AMARA, USERS)
    amara.type("Search by name or email", "hiroshi")
    amara.page.wait_for_url(lambda url: "q=hiroshi" in url)
    amara.tick("Select Hiroshi Tanaka")
    return amara


def nothing_happened(amara: Visitor) -> None:
    """The page behind is as it was: its address, its title, what was ticked, and where the focus is."""
    expect(amara.page.locator("dialog[open]")).to_have_count(0)
    expect(amara.page).to_have_url(re.compile("users.*q=hiroshi"))
    expect(amara.page).to_have_title(re.compile("^Organization users"))
    assert amara.page.get_by_role("checkbox", name="Select Hiroshi Tanaka").is_checked()
    assert amara.page.locator("#over > *").count() == 0


def test_it_opens_over_the_page_under_its_own_address(amara):
    amara.follow("Invite users")

    amara.sees_heading("Invite user to Meroorg organization")
    assert amara.path == INVITE
    assert amara.page.title().startswith("Invite users")
    assert amara.page.get_by_role("dialog", name="Invite user to Meroorg organization").is_visible()
    assert amara.here.get_by_label("Email").evaluate("it => it === document.activeElement")


def test_escape_cancel_and_back_leave_without_a_trace(amara):
    beginning = amara.page.evaluate("performance.timeOrigin")
    for leave in (
        lambda: amara.page.keyboard.press("Escape"),
        lambda: amara.here.get_by_role("link", name="Close").click(),
        lambda: amara.here.get_by_role("link", name="Cancel").click(),
        amara.page.go_back,
    ):
        amara.follow("Invite users")
        amara.type("Email", "somebody@example.org")
        leave()
        nothing_happened(amara)
    assert amara.page.evaluate("performance.timeOrigin") == beginning, "the page was loaded anew"


def test_reloaded_it_is_the_page_and_back_leads_to_the_list(amara):
    amara.follow("Invite users")
    amara.page.reload()
    amara.sees_heading("Invite user to Meroorg organization")
    assert amara.page.locator("dialog[open]").count() == 0

    amara.page.go_back()
    amara.sees_heading("Organization users")
    amara.page.wait_for_load_state("networkidle")  # a page that still loads has nowhere to go forward to
    amara.page.go_forward()
    amara.sees_heading("Invite user to Meroorg organization")


def test_with_a_key_held_down_it_opens_in_a_tab_of_its_own(amara):
    with amara.context.expect_page() as tab:
        amara.page.get_by_role("link", name="Invite users").click(modifiers=["ControlOrMeta"])

    tab.value.wait_for_url(f"**{INVITE}")
    assert amara.page.locator("dialog[open]").count() == 0


def test_the_dashboard_opens_it_too_and_a_session_that_has_ended_leads_to_the_log_in(at):
    amara = at(AMARA, "/o/meroorg/")
    amara.follow("Invite users")
    assert amara.path == INVITE
    amara.page.keyboard.press("Escape")
    expect(amara.page).to_have_url(f"{amara.installation.base}/o/meroorg/")

    kept = amara.context.cookies()
    amara.context.clear_cookies()
    amara.page.get_by_role("link", name="Invite users").click()
    amara.sees_heading("Log in")
    amara.context.add_cookies(kept)


def test_nothing_is_wrong_with_it_empty_and_with_every_verdict(amara):
    amara.follow("Invite users")
    assert flaws(amara.page) == []

    amara.type("Email", f"ann@example.org, kofi@@example.org, {AMARA}, sofia.reyes@meroorg.example, ann@example.org")
    amara.pick("Custom")
    amara.sees("1 person will be invited as Custom.", "4 addresses will not be invited")
    assert flaws(amara.page) == []


@pytest.mark.parametrize("hand", ["mouse", "keyboard"])
def test_a_file_is_taken_and_an_invitation_sent_from_it(visitor, at, tmp_path, hand):
    session = at(AMARA, USERS).context.storage_state()
    amara = visitor(HANDS[hand], storage_state=session)
    amara.open(USERS)
    file = tmp_path / "people.csv"
    file.write_text(f"email,role\nof.{hand}@example.org,contributor\n")
    amara.follow("Invite users")
    amara.here.get_by_label("CSV").set_input_files(file)
    amara.sees("1 row of the file stands in the field now.")
    amara.pick("Developer")
    amara.sees("1 person will be invited as Contributor.")
    amara.press("Invite 1 person")

    amara.sees_heading("Organization users")
    amara.sees("1 invitation is on its way.")
