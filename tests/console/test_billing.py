"""Billing information: one form, for who manages billing.

ada administers Acme · mel is a plain member · eve is from elsewhere · bea manages billing, nothing else
"""

import re

import pytest

from portico.domain import billing
from portico.domain.access import Member
from portico.domain.billing import Details
from portico.domain.permissions import BILLING_MANAGE
from tests import cast
from tests.console.browser import beside, signed_in, text

BILLING = "/o/acme/billing"
DETAILS = {"legal_name": "Acme GmbH", "country": "DE", "tax_id": "136695976", "currency": "EUR"}


@pytest.fixture
def bea(acme) -> Member:
    return cast.joined(acme, cast.person("Bea"), cast.custom(BILLING_MANAGE))


def typed(answer, name: str) -> str:
    """What stands in a field."""
    return re.findall(rf'name="{name}" value="([^"]*)"', answer.content.decode())[0]


def chosen(answer, name: str) -> list[str]:
    [options] = re.findall(rf'<select[^>]* name="{name}".*?</select>', answer.content.decode())
    return re.findall(r'value="([^"]*)" selected', options)


def test_who_manages_billing_finds_the_page_and_the_others_do_not(bea, mel):
    assert f'href="{BILLING}"' in signed_in(bea).get("/o/acme/").content.decode()
    assert BILLING not in signed_in(mel).get("/o/acme/").content.decode()
    assert "No card data is kept here" in text(signed_in(bea).get(BILLING))
    assert signed_in(mel).get(BILLING).status_code == 403
    assert signed_in(mel).post(BILLING, DETAILS).status_code == 403
    assert billing.of(bea).details == Details()


def test_it_is_saved_and_shown_as_it_is_kept(bea):
    client = signed_in(bea)

    answer = client.post(BILLING, DETAILS | {"version": "0"})

    assert (answer.status_code, answer.url) == (303, BILLING)
    page = client.get(BILLING)
    assert "Billing information saved." in text(page)
    assert (typed(page, "tax_id"), typed(page, "legal_name")) == ("DE136695976", "Acme GmbH")
    assert (chosen(page, "country"), chosen(page, "currency")) == (["DE"], ["EUR"])


def test_a_tax_id_that_nobody_could_check_is_said_to_be_unchecked(bea):
    answer = signed_in(bea).post(BILLING, {"country": "PA", "tax_id": "8-442-1"}, follow=True)

    assert "The tax id was not checked: how those of Panama are made is not known here." in text(answer)
    assert "This tax id was not checked" in text(answer)


def test_every_error_stands_beside_its_field_and_what_was_typed_stays(bea):
    wrong = {"legal_name": "4242 4242 4242 4242", "email": "x", "country": "DE", "tax_id": "FR40303265045", "city": "B"}

    answer = signed_in(bea).post(BILLING, wrong | {"currency": "BTC", "version": "0"})

    assert answer.status_code == 422
    assert beside(answer, "legal_name").startswith("This looks like the number of a payment card.")
    assert beside(answer, "email") == "An address has an @ sign."
    assert beside(answer, "tax_id").startswith("This is a tax id of France")
    assert beside(answer, "currency") == "Choose one of the currencies."
    assert [typed(answer, name) for name in ("email", "tax_id", "city")] == ["x", "FR40303265045", "B"]
    assert billing.of(bea).details == Details()


def test_without_a_country_nothing_is_saved(bea):
    assert beside(signed_in(bea).post(BILLING, {"city": "Berlin"}), "country") == "Choose the country."


def test_what_somebody_changed_meanwhile_is_shown_and_what_was_typed_is_kept(ada, bea):
    billing.change(ada, details=Details(country="DE", city="Berlin", legal_name="Acme GmbH", line1="Lange Straße 1"))
    client = signed_in(bea)
    page = client.get(BILLING).content.decode()
    form = dict(re.findall(r'name="((?:was:)?[a-z0-9_]+)" value="([^"]*)"', page)) | {"country": "DE"}
    billing.change(ada, details=Details(country="AT", city="Wien", legal_name="Acme GmbH"))

    answer = client.post(BILLING, form | {"city": "Bonn", "legal_name": "Acme AG"})

    assert answer.status_code == 412
    assert "Somebody changed this meanwhile." in text(answer)
    for said in ("Changed meanwhile to “Wien”.", "Changed meanwhile to “Austria”.", "Emptied meanwhile."):
        assert said in text(answer)
    assert typed(answer, "city") == "Bonn"  # typed by both: kept, with the other beside it
    assert typed(answer, "legal_name") == "Acme AG"
    assert (typed(answer, "line1"), chosen(answer, "country")) == ("", ["AT"])  # left alone: as it is now
    assert billing.of(ada).details.city == "Wien"
    again = dict(re.findall(r'name="((?:was:)?[a-z0-9_]+)" value="([^"]*)"', answer.content.decode()))
    assert client.post(BILLING, again | {"country": "AT"}).status_code == 303
    assert billing.of(ada).details == Details(country="AT", city="Bonn", legal_name="Acme AG")


def test_nothing_that_is_written_becomes_markup(bea):
    billing.change(bea, details=Details(country="DE", legal_name='"><script>alert(1)</script>'))

    assert "<script>alert" not in signed_in(bea).get(BILLING).content.decode()
