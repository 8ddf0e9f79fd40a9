"""What is wrong with a page as it stands, at both widths and in both schemes."""

from collections.abc import Sequence
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

WIDTHS = (1280, 320)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# What depends on colours is asked in both schemes; the rest is the same in the other.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
ASK = """async ([scheme, ofColours]) => {
    const others = scheme === "light" && {rules: Object.fromEntries(ofColours.map(rule => [rule, {enabled: false}]))};
    const asked = [], coloured = inNewColours(scheme);
    if (others) asked.push(await axe.run({resultTypes: ["violations"], ...others}));
    if (coloured.length) asked.push(await axe.run({include: coloured}, {
        resultTypes: ["violations"], runOnly: {type: "rule", values: ofColours}
    }));
    return asked.flatMap(({violations}) => violations).flatMap(({id, nodes}) =>
        nodes.map(node => `${id}: ${node.target} ${node.failureSummary}`));
}"""
# Whether colours go together takes nine tenths of the time. A text that has at the second width the colours that it
# had at the first has its contrast too, so it is asked again only if they differ, or if it counts as large no more.
COLOURS = """() => {
    const known = {light: new Map(), dark: new Map()};
    window.inNewColours = scheme => {
        const ground = new Map(), under = it => {
            if (!it) return "";
            if (!ground.has(it)) {
                const {backgroundColor, backgroundImage, opacity} = getComputedStyle(it);
                ground.set(it, `${backgroundColor} ${backgroundImage} ${opacity} ${under(it.parentElement)}`);
            }
            return ground.get(it);
        };
        return [...document.querySelectorAll("body *")].filter(it => {
            if (!it.checkVisibility() || ![...it.childNodes].some(({nodeType}) => nodeType === Node.TEXT_NODE)) return;
            const {color, fontSize, fontWeight, textDecorationLine} = getComputedStyle(it);
            const isLarge = parseFloat(fontSize) >= (fontWeight >= 700 ? 18.66 : 24);
            const now = [color, isLarge, textDecorationLine, under(it)].join(" ");
            return known[scheme].get(it) !== now && known[scheme].set(it, now);
        });
    };
}"""
TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
    [...document.querySelectorAll("body *")].filter(it => it.getBoundingClientRect().right > innerWidth + 1)
        .map(it => `too wide: ${it.outerHTML.slice(0, 120)}`)"""


def flaws(page: Page, widths: Sequence[int] = WIDTHS) -> list[str]:
    """Everything that axe finds, and whatever makes the page scroll sideways; empty when there is nothing."""
    page.evaluate(AXE_SCRIPT)
    page.evaluate(COLOURS)
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            lines = page.evaluate(ASK, [scheme, OF_COLOURS])
            lines += page.evaluate(TOO_WIDE)
            found += [f"{width} px, {scheme}: {line}" for line in lines]
    return found
