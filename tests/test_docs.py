"""The generated pages are current, and what the others say is true."""

import re
from pathlib import Path
from typing import Any

import pytest

from docs import permissions
from portico.domain import tokens

HERE = Path(__file__).parent.parent
PAGES = [*HERE.glob("*.md"), *HERE.glob("docs/*.md")]
LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)\"""")


def test_the_page_of_permissions_is_current():
    assert permissions.PAGE.read_text() == permissions.page(), "stale: run `python -m docs.permissions`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_of_a_page_is_there(page: Path):
    for first, second in LINK.findall(page.read_text()):
        file = (first or second).partition("#")[0]
        assert file.startswith("http") or (page.parent / file).exists(), file


# --- docs/programmers.md ---------------------------------------------------------------------------------------------

PROGRAMMERS = permissions.PAGE.with_name("programmers.md").read_text()


def test_the_published_expression_and_checksum_are_those_of_tokens():
    [expression] = re.findall(r"^    (\\bptc_.*)$", PROGRAMMERS, re.MULTILINE)
    [code] = re.findall(r"```python\n(.*?)```", PROGRAMMERS, re.DOTALL)
    said: dict[str, Any] = {}
    exec(code, said)  # the page's own example

    for secret in (tokens.new_secret() for _each in range(100)):
        assert re.search(expression, f'key = "{secret}"\n')
        assert said["is_token"](secret)
        assert not said["is_token"](secret[:-1] + ("0" if secret[-1] != "0" else "1"))
