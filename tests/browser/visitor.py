"""Somebody before a browser: what they see, and three hands to act with.

    Mouse            points and clicks, with script
    Keyboard         Tab, Enter, Space, arrows and letters, with script; no mouse at all
    WithoutScript    points and clicks in a browser that runs no script

A test tells a story to one of them, and is told again for the others.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import APIResponse, BrowserContext, Locator, Page, Request, expect

from tests.browser.installation import Installation

SEND = """({path, values}) => {
    const form = document.body.appendChild(document.createElement("form"));
    Object.assign(form, {method: "post", action: path, hidden: true});
    for (const [name, value] of values)
        form.append(Object.assign(document.createElement("textarea"), {name, value}));
    HTMLFormElement.prototype.submit.call(form);
}"""
TABS = 200  # as many stops as a page may have
# Which of these has the focus, if any, and whether its ring is to be seen: around it, inside its row, or around the
# choice that it belongs to.
FOCUSED = """them => {
    const which = them.indexOf(document.activeElement), it = them[which];
    const isSeen = it?.matches(":focus-visible") && [
        [it], [it, "::after"], [it.closest("label, .with-icon, tr, li") ?? it]
    ].some(([part, pseudo]) => {
        const look = getComputedStyle(part, pseudo);
        return look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2;
    });
    return [which, isSeen];
}"""


class Visitor:
    script = True

    def __init__(self, context: BrowserContext, installation: Installation):
        self.context, self.installation = context, installation
        self.strange: list[str] = []  # what no page may do
        context.set_default_timeout(20_000)
        context.route(re.compile(f"^(?!{re.escape(installation.base)}/)"), self._elsewhere)
        context.on("page", self._watch)
        self.page = context.new_page()

    # --- What must not happen ----------------------------------------------------------------------------------

    def _elsewhere(self, route: Any, request: Request) -> None:
        self.strange.append(f"asked another host: {request.url}")
        route.abort()

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.strange.append(f"an error in a script: {error}"))
        page.on("console", self._said)
        page.on("requestfailed", self._failed)

    def _said(self, message: Any) -> None:
        """What is no fault: a page that refuses says so by its status, which browsers repeat in the console; and htmx
        tells of a review that was under way when the page was left. (A request that really fails comes to `_failed`.)
        """
        refused = re.search(r"status of 4\d\d", message.text) and "/static/" not in message.location["url"]
        left = message.text.startswith(("htmx:afterRequest", "htmx:sendError", "htmx:sendAbort"))
        if message.type in {"error", "warning"} and not refused and not left:
            self.strange.append(f"the console says: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that was left
            self.strange.append(f"{request.failure}: {request.url}")

    # --- Going about -------------------------------------------------------------------------------------------

    def open(self, path: str) -> None:
        """Type an address, or click on one in a letter."""
        self.page.goto(path if path.startswith("http") else self.installation.base + path)

    def another_tab(self) -> "Visitor":
        """The same browser once more."""
        tab = object.__new__(type(self))
        tab.context, tab.installation, tab.strange = self.context, self.installation, self.strange
        tab.page = self.context.new_page()
        return tab

    @property
    def here(self) -> Page | Locator:
        """What is in reach: the page, or the dialog that is open over it."""
        dialog = self.page.locator("dialog[open]")
        return dialog if dialog.count() else self.page

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def follow(self, name: str) -> None:
        self._go(self.here.get_by_role("link", name=name).first)

    def press(self, name: str) -> None:
        """A button that sends its form."""
        self._go(self.here.get_by_role("button", name=name))

    def _go(self, target: Locator) -> None:
        target.wait_for()
        with self.page.expect_navigation():
            self.act(target)

    def unfold(self, name: str) -> None:
        """A button that opens something on this page."""
        self.act(self.here.get_by_role("button", name=name))

    def type(self, label: str, text: str) -> None:
        self.write(self.here.get_by_label(label), text)

    def pick(self, choice: str) -> None:
        """One of several choices."""
        self.select_radio(self.here.get_by_role("radio", name=choice, exact=True))

    def tick(self, box: str) -> None:
        self.check(self.here.get_by_role("checkbox", name=box))

    def choose(self, label: str, option: str) -> None:
        """From a list that folds out."""
        self.select(self.here.get_by_role("combobox", name=label), option)

    def log_in(self, email: str, password: str) -> None:
        """On the page of log-in, whose address may stand there already."""
        if not self.page.get_by_label("Email").input_value():
            self.type("Email", email)
        self.type("Password", password)
        self.press("Log in")

    # --- What they see -----------------------------------------------------------------------------------------

    def sees(self, *sentences: str) -> None:
        """Words of the page, in any order."""
        for sentence in sentences:
            expect(self.page.locator("body")).to_contain_text(sentence, use_inner_text=True, timeout=20_000)

    def sees_heading(self, name: str) -> None:
        expect(self.here.get_by_role("heading", level=1)).to_have_text(name, timeout=20_000)

    def finds(self, role: Any, name: str) -> bool:
        return self.page.get_by_role(role, name=name).count() > 0

    def words(self, path: str) -> str:
        """A whole page as it is read, times left out, because they go on."""
        self.open(path)
        shown = self.page.locator("main").inner_text()
        return re.sub(r"\b(now|\d+ min (ago|left)|\d+ hours? (ago|left))\b", "…", shown)

    def row(self, name: str) -> Locator:
        """A line of a list, by a word that only it has."""
        return self.page.get_by_role("row").filter(has_text=name)

    # --- Past the page -----------------------------------------------------------------------------------------

    @property
    def csrf(self) -> str:
        [token] = [each["value"] for each in self.context.cookies(self.installation.base) if each["name"] == "csrf"]
        return token

    def post(self, path: str, **form: str) -> APIResponse:
        """The command without the button: what their browser could send, with their session and its token."""
        fields: dict[str, Any] = {**form, "csrfmiddlewaretoken": self.csrf}
        return self.context.request.post(self.installation.base + path, form=fields, max_redirects=0)

    def send(self, path: str, **form: str | list[str]) -> None:
        """The same as a form of the page would, so that the answer is shown: for what no field lets one type."""
        values = [[name, each] for name, text in form.items() for each in ([text] if isinstance(text, str) else text)]
        with self.page.expect_navigation():
            self.page.evaluate(SEND, {"path": path, "values": [*values, ["csrfmiddlewaretoken", self.csrf]]})

    def status(self, path: str) -> int:
        return self.context.request.get(self.installation.base + path, max_redirects=0).status

    # --- The hand ----------------------------------------------------------------------------------------------

    def act(self, target: Locator) -> None:
        target.click()

    def write(self, field: Locator, text: str) -> None:
        field.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def select_radio(self, radio: Locator) -> None:
        radio.check()

    def check(self, box: Locator) -> None:
        box.check()

    def select(self, select: Locator, option: str) -> None:
        select.select_option(option)

    def review(self) -> None:
        """Ask what will be sent. With script the review follows by itself."""


class Mouse(Visitor):
    pass


class WithoutScript(Visitor):
    script = False

    def review(self) -> None:
        self.press("Review")


class Keyboard(Visitor):
    def reach(self, *targets: Locator) -> Locator:
        """Tab until one of them has the focus, and can be seen to have it."""
        targets[0].wait_for()
        handles = [target.element_handle() for target in targets]
        for _stop in range(TABS):
            which, is_seen = self.page.evaluate(FOCUSED, handles)
            if which >= 0:
                assert is_seen, f"nobody sees that {targets[which]} has the focus"
                return targets[which]
            self.page.keyboard.press("Tab")
        raise AssertionError(f"no Tab leads to {targets}")

    def act(self, target: Locator) -> None:
        self.reach(target)
        self.page.keyboard.press("Enter")

    def write(self, field: Locator, text: str) -> None:
        self.reach(field)
        self.page.keyboard.press("Control+a")
        for number, line in enumerate(text.split("\n")):
            if number:
                self.page.keyboard.press("Enter")
            self.page.keyboard.type(line)

    def select_radio(self, radio: Locator) -> None:
        """Into the group with Tab, within it with arrows, as browsers do."""
        radio.wait_for()
        name = radio.get_attribute("name")
        every = self.page.locator(f'input[type=radio][name="{name}"]:not(:disabled)')
        self.reach(*every.all())
        for _choice in range(every.count()):
            if radio.evaluate("it => it === document.activeElement"):
                break
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Space")
        expect(radio).to_be_checked()

    def check(self, box: Locator) -> None:
        self.reach(box)
        self.page.keyboard.press("Space")
        expect(box).to_be_checked()

    def select(self, select: Locator, option: str) -> None:
        self.reach(select)
        self.page.keyboard.type(option)
        expect(select.locator("option:checked")).to_have_text(option)


HANDS: dict[str, type[Visitor]] = {"mouse": Mouse, "keyboard": Keyboard, "without-script": WithoutScript}
