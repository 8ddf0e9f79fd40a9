"""What happens between pages: scanners and prefetching, several tabs, a log-out at the wrong moment, a slow answer."""

from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import Route

from tests.browser.installation import PASSWORD, Installation
from tests.browser.visitor import Visitor

Arrive = Callable[..., Visitor]
numbers = count(1)


class Inviter:
    """Somebody with an organization of their own, who invites."""

    def __init__(self, installation: Installation, visitor: Visitor, name: str):
        self.installation, self.visitor, self.name, self.slug = installation, visitor, name, name.lower()
        email = installation.account("Olive Moor", f"olive@{self.slug}.example.org")
        installation.shell("organization", "found", "--name", name, "--administrator", email)
        visitor.open("/account/login/")
        visitor.log_in(email, PASSWORD)

    def invites(self, email: str) -> str:
        """The link of the letter."""
        self.visitor.open(f"/o/{self.slug}/users/invite")
        self.visitor.type("Email", email)
        self.visitor.pick("Contributor")
        self.visitor.press("Invite")
        self.visitor.sees("1 invitation is on its way.")
        return self.installation.link(email)

    def sees_of(self, email: str) -> str:
        """The whole page of an invitation: its state, its letters, its history."""
        self.visitor.open(f"/o/{self.slug}/users")
        self.visitor.follow(email)
        return self.visitor.words(self.visitor.path)


@pytest.fixture
def olive(installation: Installation, visitor: Arrive) -> Inviter:
    return Inviter(installation, visitor(), f"Olive{next(numbers)}")


@pytest.fixture
def oscar(installation: Installation, visitor: Arrive) -> Inviter:
    return Inviter(installation, visitor(), f"Oscar{next(numbers)}")


def test_looking_at_a_link_answers_nothing(olive: Inviter, visitor: Arrive) -> None:
    link = olive.invites("pia@example.org")
    before = olive.sees_of("pia@example.org")

    scanner = visitor()
    asked = scanner.context.request
    assert asked.head(link).status == 200
    assert asked.get(link, headers={"Sec-Purpose": "prefetch"}).status == 200
    scanner.open("/account/login/")
    with scanner.page.expect_response(link):
        scanner.page.evaluate("href => document.head.append(Object.assign(document.createElement('link'),"
                              " {rel: 'prefetch', href}))", link)  # fmt: skip
    scanner.open(link)
    scanner.page.reload()

    assert olive.sees_of("pia@example.org") == before
    scanner.press("Create an account")
    scanner.sees_heading("Create an account")


def test_two_invitations_in_two_tabs_do_not_mix(
    olive: Inviter, oscar: Inviter, installation: Installation, visitor: Arrive
) -> None:
    """One person, two addresses: the first tab creates the account, the second adds its address to it."""
    first, second = olive.invites("quinn@example.org"), oscar.invites("quinn@work.example.org")
    one = visitor()
    other = one.another_tab()
    one.open(first)
    other.open(second)
    one.press("Create an account")
    assert one.page.get_by_label("Email").input_value() == "quinn@example.org"
    one.type("Name", "Quinn Ash")
    one.type("Password", PASSWORD)
    one.press("Create the account")
    one.press("Accept and join")
    one.sees(f"You belong to {olive.name} now.")

    other.press("Create an account")  # of the page as it was before the account was there
    other.sees_heading("Reload the page")
    other.open(second)
    other.sees_heading("This invitation is for another address")
    other.sees("quinn@work.example.org", "quinn@example.org")
    other.press("Add this address")
    other.type("Password", PASSWORD)
    other.press("Continue")
    other.press("Accept and join")
    other.sees(f"You belong to {oscar.name} now.")

    assert [each["Subject"] for each in installation.received("quinn@work.example.org")] == [
        f"Olive Moor invites you to {oscar.name}"
    ]


def test_a_log_out_between_opening_and_accepting(olive: Inviter, installation: Installation, visitor: Arrive) -> None:
    email = installation.account("Rana Salt", "rana@example.org")
    link = olive.invites(email)
    rana = visitor()
    rana.open("/account/login/")
    rana.log_in(email, PASSWORD)
    rana.open(link)
    rana.sees_heading(f"Join {olive.name}")
    elsewhere = rana.another_tab()
    elsewhere.open("/")
    elsewhere.unfold("Account of Rana Salt")
    elsewhere.press("Sign out")
    elsewhere.sees_heading("Log in")

    rana.press("Accept and join")
    rana.sees_heading("Log in")
    assert "Invited" in olive.sees_of(email)
    rana.log_in(email, PASSWORD)
    rana.sees_heading(f"Join {olive.name}")
    rana.press("Accept and join")
    rana.sees(f"You belong to {olive.name} now.")


def test_accepting_twice_is_one_acceptance(olive: Inviter, installation: Installation, visitor: Arrive) -> None:
    email = installation.account("Sol Reed", "sol@example.org")
    link = olive.invites(email)
    one = visitor()
    one.open("/account/login/")
    one.log_in(email, PASSWORD)
    other = one.another_tab()
    one.open(link)
    other.open(link)
    one.press("Accept and join")
    one.sees(f"You belong to {olive.name} now.")

    other.press("Accept and join")

    other.sees_heading(olive.name)
    one.page.go_back()
    one.page.reload()
    one.sees_heading(f"You belong to {olive.name}")
    olive.visitor.open(f"/o/{olive.slug}/users")
    assert olive.visitor.row(email).count() == 1


def test_a_review_that_comes_late_takes_no_choice_back(olive: Inviter, visitor: Arrive) -> None:
    """Two roles are chosen one right after the other, while the server is slow."""
    page = olive.visitor.page
    olive.visitor.open(f"/o/{olive.slug}/users/invite")
    olive.visitor.type("Email", "tia@example.org uma@example.org")
    olive.visitor.pick("Contributor")
    olive.visitor.sees("2 people will be invited as Contributor.")
    held: list[Route] = []
    page.route("**/invite/review", lambda route: held.append(route), times=1)  # noqa: PLW0108  # Playwright wants one

    olive.visitor.choose("tia@example.org", "Developer")
    while not held:
        page.wait_for_timeout(20)
    answer = held[0].fetch()
    olive.visitor.choose("uma@example.org", "Administrator")
    held[0].fulfill(response=answer)

    olive.visitor.sees("1 person will be invited as Developer.", "1 person will be invited as Administrator.")


def test_a_double_click_invites_once(olive: Inviter, installation: Installation) -> None:
    visitor = olive.visitor
    visitor.open(f"/o/{olive.slug}/users/invite")
    visitor.type("Email", "vic@example.org")
    visitor.pick("Contributor")
    visitor.sees("1 person will be invited as Contributor.")
    visitor.page.get_by_role("button", name="Invite 1 person").dblclick()

    visitor.page.wait_for_url("**/users")
    assert len(installation.letters("vic@example.org")) == 1
