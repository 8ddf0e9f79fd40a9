"""What a production must have, one check at a time."""

import pytest

from portico.production import gaps
from portico.settings import Environment

WHOLE = {
    "base_url": "https://portico.example.org",
    "email_url": "smtp://user:password@mail.example.org:587",
    "secret_key": "k" * 50,
}


def missing(**changes: object) -> list[str]:
    return [gap.variable for gap in gaps(Environment(**(WHOLE | changes)))]  # type: ignore[arg-type]


def test_a_whole_production_lacks_nothing() -> None:
    assert missing() == []


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:9000", "http://a.localhost"]
)
def test_on_this_machine_alone_nothing_is_needed(address: str) -> None:
    assert missing(base_url=address, email_url="", secret_key="") == []


@pytest.mark.parametrize(
    ("changes", "variables"),
    [
        ({"email_url": ""}, ["PORTICO_EMAIL_URL"]),
        ({"secret_key": ""}, ["PORTICO_SECRET_KEY"]),
        ({"secret_key": "secret"}, ["PORTICO_SECRET_KEY"]),
        ({"base_url": "http://portico.example.org"}, ["PORTICO_BASE_URL"]),
        ({"base_url": "http://10.0.0.7:8000"}, ["PORTICO_BASE_URL"]),
        ({"base_url": "http://portico.example.org", "trusted_proxies": 1}, []),
        (
            {"base_url": "http://portico.example.org", "email_url": "", "secret_key": ""},
            ["PORTICO_EMAIL_URL", "PORTICO_SECRET_KEY", "PORTICO_BASE_URL"],
        ),
    ],
)
def test_each_thing_that_is_missing_is_named(changes: dict[str, object], variables: list[str]) -> None:
    assert missing(**changes) == variables


def test_a_gap_never_shows_the_key() -> None:
    [gap] = gaps(Environment(**(WHOLE | {"secret_key": "geheim"})))  # type: ignore[arg-type]
    assert "geheim" not in str(gap)
