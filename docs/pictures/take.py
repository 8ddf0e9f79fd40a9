"""Takes the pictures of README and administrators.md: `python -m docs.pictures.take`.

A server of its own with the people of tests/browser/example.py, their letters delivered, seen by Amara, who
administers them; and by somebody whom she invites.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize

from tests import environment, needs  # noqa: F401  # the environment first: no setting of this machine counts
from tests.browser.chromium import launched
from tests.browser.installation import PASSWORD, UNKNOWN_THERE, Installation
from tests.browser.visitor import Mouse
from tests.delivery.post_office import PostOffice

HERE = Path(__file__).parent
SIZE: ViewportSize = {"width": 1280, "height": 852}
STEP: ViewportSize = {"width": 1120, "height": 800}
AMARA = "amara.okafor@meroorg.example"


def main() -> None:
    office = PostOffice()
    office.refusals |= UNKNOWN_THERE
    office.start()
    with tempfile.TemporaryDirectory() as folder, launched(needs.chromium() or "chromium") as browser:
        portico = Installation(Path(folder) / "data", office)
        try:
            portico.run("tests.browser.example", "--picture")
            of_the_readme(browser, portico)
            of_the_article(browser, portico)
        finally:
            portico.stop()
            office.stop()


def of_the_readme(browser: Browser, portico: Installation) -> None:
    amara = signed_in(browser, portico, "/o/meroorg/users", SIZE)
    amara.sees_heading("Organization users")
    for scheme in ("light", "dark"):
        amara.page.emulate_media(color_scheme=scheme)
        amara.page.screenshot(path=HERE / f"users-{scheme}.png")


def of_the_article(browser: Browser, portico: Installation) -> None:
    """Add users to your organization, from the settings icon to the page that an invited person sees."""
    amara = signed_in(browser, portico, "/", STEP)
    amara.follow("Meroorg")
    amara.sees_heading("Meroorg")
    take(amara, "add-1-dashboard")
    amara.follow("Organization users")
    amara.sees_heading("Organization users")
    take(amara, "add-2-users")
    amara.follow("Invite users")
    amara.type("Email", "tane.walker@meroorg.example, zeynep.aydin@harbour.example\nkofi.mensah@@meroorg.example")
    amara.pick("Developer")
    amara.sees("2 people will be invited as Developer.")
    amara.choose("zeynep.aydin@harbour.example", "Contributor")
    amara.sees("1 person will be invited as Contributor.")
    take(amara, "add-3-invite")
    sofia = Mouse(browser.new_context(viewport=STEP, reduced_motion="reduce"), portico)
    sofia.open(portico.link("sofia.reyes@meroorg.example"))
    sofia.sees_heading("Join Meroorg")
    take(sofia, "add-4-join")


def signed_in(browser: Browser, portico: Installation, path: str, size: ViewportSize) -> Mouse:
    amara = Mouse(browser.new_context(viewport=size, reduced_motion="reduce"), portico)
    amara.open(path)
    amara.log_in(AMARA, PASSWORD)
    return amara


def take(who: Mouse, name: str) -> None:
    who.page.screenshot(path=HERE / f"{name}.png")


if __name__ == "__main__":
    main()
