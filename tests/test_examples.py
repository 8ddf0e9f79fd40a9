"""The example product against a real server: it asks before it acts, and denies when it cannot ask.

ada administers Acme · mel is a plain member
"""

import importlib.util
import io
from pathlib import Path
from types import ModuleType
from wsgiref.util import setup_testing_defaults

import pytest

from portico.domain import memberships, tokens, workspaces

FILE = Path(__file__).parents[1] / "examples" / "product.py"


@pytest.fixture
def product() -> ModuleType:
    spec = importlib.util.spec_from_file_location("product", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ask(product: ModuleType, user: str, path: str) -> tuple[str, str]:
    environ: dict[str, str] = {"PATH_INFO": path, "HTTP_X_USER": user}
    setup_testing_defaults(environ)
    status = []
    body = product.application(environ, lambda told, _headers: status.append(told))
    return status[0][:3], b"".join(body).decode()


@pytest.mark.django_db(transaction=True)
def test_it_does_what_portico_allows_and_nothing_else(product, ada, mel, payments, live_server, monkeypatch):
    monkeypatch.setenv("PORTICO_URL", f"{live_server.url}/api/v1/organizations/acme")
    monkeypatch.setenv("PORTICO_TOKEN", tokens.issue_service(ada, name="Product").secret)
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert ask(product, "ada@example.org", "/payments/pay") == ("200", "ada@example.org did: pay\n")
    assert ask(product, "mel@example.org", "/payments/look")[0] == "200"
    assert ask(product, "mel@example.org", "/payments/pay") == ("403", "mel@example.org may not pay: not_granted\n")
    assert ask(product, "nobody@example.org", "/payments/look")[0] == "403"
    assert ask(product, "ada@example.org", "/payments/burn")[0] == "404"

    memberships.change(ada, member=mel.membership, status="suspended")
    assert ask(product, "mel@example.org", "/payments/look") == ("403", "mel@example.org may not look: suspended\n")


def test_while_it_cannot_ask_nobody_may_do_anything(product, monkeypatch):
    monkeypatch.setenv("PORTICO_URL", "http://127.0.0.1:9/api/v1/organizations/acme")
    monkeypatch.setenv("PORTICO_TOKEN", "ptc_x")

    assert ask(product, "ada@example.org", "/payments/look") == ("403", "ada@example.org may not look: cannot ask\n")


@pytest.mark.parametrize("told", [b"nonsense", b"[]", b"{}", b'{"allowed": "true"}', b'{"allowed": 1}'])
def test_an_answer_that_is_none_allows_nothing(product, monkeypatch, told):
    monkeypatch.setenv("PORTICO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PORTICO_TOKEN", "ptc_x")
    monkeypatch.setattr(product.urllib.request, "urlopen", lambda *_asked, **_more: io.BytesIO(told))

    assert ask(product, "ada@example.org", "/payments/look")[0] == "403"
