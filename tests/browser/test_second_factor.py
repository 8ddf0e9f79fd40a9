"""A second factor as people set it up and use it: a passkey on a device that Chromium plays, an app, recovery codes."""

from collections.abc import Callable
from copy import copy

from tests.authenticator import code_of
from tests.browser.installation import PASSWORD, Installation
from tests.browser.looks import flaws
from tests.browser.visitor import Visitor, WithoutScript

Arrive = Callable[..., Visitor]
HERE = "/account/second-factor/"


def at_localhost(installation: Installation) -> Installation:
    """The same by name, because browsers do no passkeys for numbers."""
    there = copy(installation)
    there.base = installation.base.replace("127.0.0.1", "localhost")
    return there


def has_device(somebody: Visitor) -> None:
    """A phone that knows the finger of whoever holds it."""
    phone = somebody.context.new_cdp_session(somebody.page)
    phone.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    phone.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_a_passkey_is_added_and_logs_in_alone(visitor: Arrive, installation: Installation) -> None:
    there = at_localhost(installation)
    installation.account("Pia Passkey", "pia@factor.example.org")
    pia = visitor(at=there)
    has_device(pia)
    pia.open("/account/login/")
    pia.log_in("pia@factor.example.org", PASSWORD)
    pia.open(HERE)
    assert flaws(pia.page) == []
    pia.follow("Add a passkey")
    assert flaws(pia.page) == []
    pia.type("Name", "Pia's phone")
    pia.press("Add the passkey")
    pia.sees_heading("Recovery codes")
    assert flaws(pia.page) == []
    pia.open(HERE)
    pia.sees("Pia's phone", "Logs in alone")
    assert flaws(pia.page) == []

    pia.open("/account/logout/")
    pia.page.get_by_role("main").get_by_role("button", name="Sign out").click()
    pia.sees_heading("Log in")
    assert flaws(pia.page) == []
    pia.press("Log in with a passkey")
    pia.sees_heading("You belong nowhere yet")

    installation.run("tests.browser.unproven")
    pia.open(HERE + "totp/activate/")
    pia.sees_heading("Is it you?")
    pia.follow("Use a passkey")
    assert flaws(pia.page) == []
    pia.press("Use a passkey")
    pia.sees_heading("Set up an app")
    assert len(installation.letters("pia@factor.example.org")) == 1


def test_after_the_password_a_device_or_a_code_is_asked_for(visitor: Arrive, installation: Installation) -> None:
    installation.account("Tom Code", "tom@factor.example.org")
    tom = visitor()
    tom.open("/account/login/")
    tom.log_in("tom@factor.example.org", PASSWORD)
    tom.open(HERE)
    tom.follow("Set up an app")
    assert flaws(tom.page) == []
    tom.page.get_by_text("It cannot see it?").click()
    secret = tom.page.locator("#secret").inner_text()
    tom.type("The code that the app shows now", "000000")
    tom.press("Turn it on")
    tom.sees("This code is not right")
    assert flaws(tom.page) == []
    tom.type("The code that the app shows now", code_of(secret))
    tom.press("Turn it on")
    tom.sees_heading("Recovery codes")
    code = tom.page.locator(".codes li").first.inner_text()

    again = visitor(WithoutScript)
    again.open("/account/login/")
    again.log_in("tom@factor.example.org", PASSWORD)
    again.sees_heading("One more step")
    again.type("Code", code)
    again.press("Log in")
    again.sees_heading("You belong nowhere yet")
    again.open("/account/logout/")
    again.page.get_by_role("main").get_by_role("button", name="Sign out").click()
    again.log_in("tom@factor.example.org", PASSWORD)
    again.type("Code", code)
    again.press("Log in")
    again.sees("This code is not right")
