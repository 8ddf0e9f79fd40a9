"""Accounts, page by page and error by error; every code and every link comes from the bytes of a letter."""

import re
from collections.abc import Callable

from tests.browser.installation import PASSWORD, Installation, links
from tests.browser.looks import flaws
from tests.browser.visitor import Visitor

Arrive = Callable[..., Visitor]


def code_in(letter) -> str:
    """Alone in its line, deeper than the words."""
    [code] = re.findall(r"^    (\S+)$", letter.text, re.MULTILINE)
    return code


def test_log_in_with_something_wrong(visitor: Arrive) -> None:
    stranger = visitor()
    stranger.open("/account/login/")
    stranger.type("Email", "nobody@example.org")
    stranger.type("Password", "whatever it may be")
    stranger.press("Log in")

    stranger.sees("This address and this password do not belong together.")
    assert flaws(stranger.page) == []


def test_from_sign_up_to_another_address(visitor: Arrive, installation: Installation) -> None:
    """Sign up with every mistake, prove the address with a code, and add one more."""
    sam = visitor()
    sam.open("/account/signup/")
    sam.send("/account/signup/", name="www.example.org", email="sam@@example.org", password1="12345678")
    assert sam.page.locator(".wrong").count() == 3
    assert flaws(sam.page) == []

    sam.type("Name", "Sam Vimes")
    sam.type("Email", "sam@accounts.example.org")
    sam.type("Password", PASSWORD)
    sam.press("Create the account")
    sam.sees_heading("Enter the code")
    sam.type("Code", "WRONG1")
    sam.press("Confirm")
    sam.sees("This is not the code of the newest letter.")
    assert flaws(sam.page) == []
    [letter] = installation.letters("sam@accounts.example.org")
    sam.type("Code", code_in(letter))
    sam.press("Confirm")
    sam.sees_heading("You belong nowhere yet")

    sam.open("/account/email/")
    sam.send("/account/email/", email="nonsense", action_add="1")
    assert sam.page.locator(".wrong").count() == 1
    assert flaws(sam.page) == []
    sam.type("Another address", "samuel@accounts.example.org")
    installation.run("tests.browser.unproven")
    sam.press("Add the address")
    sam.sees_heading("Is it you?")
    sam.type("Password", "wrong")
    sam.press("Continue")
    sam.sees("This is not your password.")
    assert flaws(sam.page) == []
    sam.type("Password", PASSWORD)
    sam.press("Continue")
    sam.sees_heading("Enter the code")
    sam.type("Code", code_in(installation.letters("samuel@accounts.example.org")[0]))
    sam.press("Confirm")
    sam.open("/account/email/")
    sam.page.get_by_text("Remove samuel@accounts.example.org").click()
    sam.sees("You can no longer log in with it")
    assert flaws(sam.page) == []


def test_the_name_and_the_password_of_an_account(visitor: Arrive, installation: Installation) -> None:
    installation.account("Cheery Littlebottom", "cheery@accounts.example.org")
    cheery = visitor()
    cheery.open("/account/login/")
    cheery.log_in("cheery@accounts.example.org", PASSWORD)
    cheery.open("/account/")
    cheery.send("/account/", name="")
    assert cheery.page.locator(".wrong").count() == 1
    assert flaws(cheery.page) == []

    cheery.open("/account/password/change/")
    cheery.send("/account/password/change/", oldpassword="wrong", password1="short")
    assert cheery.page.locator(".wrong").count() == 2
    assert flaws(cheery.page) == []


def test_a_forgotten_password(visitor: Arrive, installation: Installation) -> None:
    installation.account("Fred Colon", "fred@accounts.example.org")
    fred = visitor()
    fred.open("/account/password/reset/")
    fred.send("/account/password/reset/", email="fred")
    assert fred.page.locator(".wrong").count() == 1
    assert flaws(fred.page) == []

    fred.type("Email", "fred@accounts.example.org")
    fred.press("Send the letter")
    fred.sees_heading("Look into your mail")
    assert flaws(fred.page) == []

    [letter] = installation.letters("fred@accounts.example.org")
    [link] = links(letter)
    fred.open(link)
    fred.sees_heading("Choose a new password")
    fred.type("New password", "password")
    fred.press("Change the password")
    assert fred.page.locator(".wrong").count() == 1
    assert flaws(fred.page) == []

    fred.type("New password", "another horse battery")
    fred.press("Change the password")
    fred.sees_heading("The password is changed")
    assert flaws(fred.page) == []
    fred.open(link)
    fred.sees_heading("This link no longer works")
    fred.open("/account/login/")
    fred.log_in("fred@accounts.example.org", "another horse battery")
    fred.sees_heading("You belong nowhere yet")
