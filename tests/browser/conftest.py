"""A real browser before a real installation: `portico serve` as people start it, and a mail server that keeps it all.

Everything here lives as long as this folder's tests and no longer, because Playwright keeps a loop running in which
the tests of other folders could not use the database.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests import needs
from tests.browser.chromium import launched
from tests.browser.installation import PASSWORD, UNKNOWN_THERE, Installation, links
from tests.browser.visitor import Mouse, Visitor
from tests.delivery.post_office import PostOffice

Desks = dict[tuple[str, type[Visitor]], Visitor]
WIDE: Any = {"width": 1280, "height": 800}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = needs.chromium()
    if chromium is None:
        missing = "The browser tests need Chromium: `python -m tests.needs` says how to get it."
        (pytest.fail if needs.on_a_throwaway_machine() else pytest.skip)(missing)
    with launched(chromium) as browser:
        yield browser


@pytest.fixture(scope="package")
def office() -> Iterator[PostOffice]:
    """A real mail server. At the end it has looked into every letter: both halves carry the same links."""
    office = PostOffice()
    office.start()
    yield office
    office.stop()
    for letter in office.received:
        links(letter)


@pytest.fixture(scope="package")
def installation(office: PostOffice, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    portico = Installation(tmp_path_factory.mktemp("installation") / "data", office)
    yield portico
    portico.stop()


@pytest.fixture(scope="package")
def example(installation: Installation, office: PostOffice) -> dict[str, str]:
    """The organizations of `example.py`, and where each of their people and invitations is found."""
    office.refusals |= UNKNOWN_THERE
    return dict(json.loads(installation.run("tests.browser.example")))


@pytest.fixture(scope="package")
def desks() -> Iterator[Desks]:
    """The browsers of those who have logged in once."""
    desks: Desks = {}
    yield desks
    for each in desks.values():
        each.context.close()


def opened(browser: Browser, at: Installation, hand: type[Visitor] = Mouse, **looks: Any) -> Visitor:
    looks = {"viewport": WIDE, "reduced_motion": "reduce"} | looks
    return hand(browser.new_context(java_script_enabled=hand.script, **looks), at)


@pytest.fixture
def visitor(browser: Browser, installation: Installation) -> Iterator[Callable[..., Visitor]]:
    """A browser of one's own for each person of a story; afterwards nothing strange must have happened in any."""
    visitors: list[Visitor] = []

    def arrive(hand: type[Visitor] = Mouse, at: Installation = installation, **looks: Any) -> Visitor:
        visitors.append(opened(browser, at, hand, **looks))
        return visitors[-1]

    yield arrive
    for each in visitors:
        each.context.close()
    assert [line for each in visitors for line in each.strange] == []


@pytest.fixture
def at(browser: Browser, installation: Installation, desks: Desks) -> Iterator[Callable[..., Visitor]]:
    """Somebody of the example, signed in, before a page; in the browser in which they were before."""
    came: list[Visitor] = []

    def arrive(who: str, path: str, hand: type[Visitor] = Mouse, viewport: Any = WIDE) -> Visitor:
        if (who, hand) not in desks:
            desks[who, hand] = opened(browser, installation, hand)
            desks[who, hand].open("/account/login/")
            desks[who, hand].log_in(who, PASSWORD)
        somebody = desks[who, hand]
        came.append(somebody)
        somebody.page.set_viewport_size(viewport)
        somebody.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        somebody.open(path)
        return somebody

    yield arrive
    strange = [line for each in came for line in each.strange]
    for each in came:
        each.strange.clear()
    assert strange == []
