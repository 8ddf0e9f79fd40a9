"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere"""

import pytest
from stdnum import luhn

from portico.domain import billing
from portico.domain.access import Member
from portico.domain.billing import CURRENCIES, FIELDS, LENGTHS, BillingProfile, Details
from portico.domain.errors import Forbidden, Invalid, Refused
from portico.domain.events import Event, Label
from portico.domain.permissions import BILLING_MANAGE, MEMBERS_VIEW, ORGANIZATION_MANAGE
from tests import cast
from tests.model.explained import explain, snapshot

WHOLE = Details(
    legal_name="Acme Maps GmbH",
    email="bills@acme.example",
    line1="Lange Straße 1",
    line2="Hinterhaus",
    city="Berlin",
    region="Berlin",
    postal_code="10115",
    country="DE",
    tax_id="DE136695976",
    purchase_order="PO-2026-7",
    currency="EUR",
)
CARD = "4242 4242 4242 4242"


@pytest.fixture
def bea(acme) -> Member:
    """Manages billing, nothing else."""
    return cast.joined(acme, cast.person("Bea"), cast.custom(BILLING_MANAGE))


def wrong(**given: str) -> dict[str | None, str]:
    """What is wrong with these details, by field."""
    with pytest.raises(Invalid) as refusal:
        Details(**{"country": "DE"} | given).checked()
    return {error.field: error.sentence for error in refusal.value.errors}


def kept(**given: str) -> Details:
    return Details(**{"country": "DE"} | given).checked()


# --- Seeing and changing ----------------------------------------------------------------------------------------------


def test_nothing_is_there_until_somebody_writes_it(bea):
    profile = billing.of(bea)

    assert (profile.details, profile.version) == (Details(), 0)
    assert not BillingProfile.objects.exists()


def test_who_manages_billing_writes_it(bea):
    billing.change(bea, details=WHOLE, version=0)

    assert billing.of(bea).details == WHOLE
    assert billing.of(bea).version == 1


def test_the_event_names_the_fields_and_tells_nothing_of_what_stands_in_them(bea):
    billing.change(bea, details=WHOLE)
    billing.change(bea, details=Details(**vars(WHOLE) | {"city": "Potsdam", "line2": ""}))

    first, second = Event.objects.filter(action="billing.changed").order_by("id")
    assert first.details == {"changed": list(FIELDS)}
    assert second.details == {"changed": ["line2", "city"]}
    assert (second.subject_kind, second.subject_id) == ("billing", bea.organization.pk)
    assert Label.objects.get(pk=second.subject_label).text == "Acme"


def test_the_log_tells_all_that_changed(bea):
    for details in (WHOLE, Details(country="FR"), Details(country="FR", currency="EUR")):
        before = snapshot()
        billing.change(bea, details=details)
        assert [event["action"] for event in explain(before, snapshot())] == ["billing.changed"]


def test_the_same_again_is_no_change(bea):
    billing.change(bea, details=WHOLE)
    billing.change(bea, details=WHOLE, version=1)

    assert billing.of(bea).version == 1
    assert cast.actions(bea.organization).count("billing.changed") == 1


def test_what_is_left_out_is_emptied(bea):
    billing.change(bea, details=WHOLE)
    billing.change(bea, details=Details(country="DE"))

    assert billing.of(bea).details == Details(country="DE")


def test_a_page_that_is_no_longer_true_changes_nothing(ada, bea):
    billing.change(ada, details=WHOLE, version=0)

    with pytest.raises(Refused) as refusal:
        billing.change(bea, details=Details(country="FR"), version=0)

    assert refusal.value.code == "changed_meanwhile"
    assert billing.of(bea).details == WHOLE


@pytest.mark.parametrize("permission", [ORGANIZATION_MANAGE, MEMBERS_VIEW])
def test_nobody_else_sees_or_changes_it(acme, permission):
    other = cast.joined(acme, cast.person("Ola"), cast.custom(permission))

    for attempt in (lambda: billing.of(other), lambda: billing.change(other, details=WHOLE)):
        with pytest.raises(Forbidden) as refusal:
            attempt()
        assert (refusal.value.code, refusal.value.missing) == ("missing_permission", [BILLING_MANAGE])
    assert not BillingProfile.objects.exists()


def test_a_token_that_does_not_allow_it_neither_sees_nor_changes_it(ada):
    token = Member.of(ada.membership, cast.VIA, limit=frozenset({MEMBERS_VIEW}))

    for attempt in (lambda: billing.of(token), lambda: billing.change(token, details=WHOLE)):
        with pytest.raises(Forbidden):
            attempt()


def test_each_organization_has_its_own(ada, eve):
    billing.change(ada, details=WHOLE)

    assert billing.of(eve).details == Details()
    billing.change(eve, details=Details(country="FR"))
    assert billing.of(ada).details == WHOLE


# --- Text -------------------------------------------------------------------------------------------------------------


def test_text_is_trimmed_and_otherwise_left_as_it_is():
    details = kept(legal_name="  Booking.com   B.V. ", city="Zu\u0308rich", region="<b>", email=" Bills@ACME.Example ")

    assert details.legal_name == "Booking.com B.V."  # a company may be called like a web address
    assert (details.city, details.region, details.email) == ("Zürich", "<b>", "bills@acme.example")


@pytest.mark.parametrize("field", [*LENGTHS])
@pytest.mark.parametrize("character", ["\u0000", "\n", "\t", "\u202e", "\u200b", "\u2066", "\ufeff"])
def test_no_field_hides_or_reorders_anything(field, character):
    assert f"U+{ord(character):04X}" in wrong(**{field: f"ab{character}cd"})[field]


@pytest.mark.parametrize(("field", "length"), [*LENGTHS.items()])
def test_every_field_has_its_length(field, length):
    assert wrong(**{field: "x" * (length + 1)}) == {field: f"Write at most {length} characters."}
    if field != "tax_id":
        assert getattr(kept(**{field: "x" * length}), field) == "x" * length


def test_the_table_has_room_for_what_the_rules_let_through():
    assert {name: BillingProfile._meta.get_field(name).max_length for name in LENGTHS} == LENGTHS


def test_all_that_is_wrong_is_named_at_once():
    found = wrong(legal_name="x" * 161, email="bills", country="XX", currency="BTC", tax_id="…")

    assert list(found) == ["legal_name", "email", "country", "currency"]  # whose tax id it would be, nobody knows
    assert found["email"] == "An address has an @ sign."


@pytest.mark.parametrize("country", ["", "XX", "Germany", "DEU", "\u0000"])
def test_a_country_is_needed_and_is_one(country):
    assert wrong(country=country) == {"country": "Choose the country."}


def test_countries_and_currencies_are_read_without_case():
    assert (kept(country=" de ", currency="eur").country, kept(currency="eur ").currency) == ("DE", "EUR")


@pytest.mark.parametrize("currency", ["XXX", "XAU", "DEM", "EURO", "€"])
def test_a_currency_is_one_that_is_in_use(currency):
    assert wrong(currency=currency) == {"currency": "Choose one of the currencies."}


def test_the_currencies_are_codes_in_order_and_each_once():
    assert list(CURRENCIES) == sorted(set(CURRENCIES))
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)
    assert {"EUR", "USD", "JPY", "GBP", "CHF", "CNY", "INR", "BRL", "ZAR", "XOF"} <= set(CURRENCIES)


# --- No card ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [*LENGTHS])
def test_a_card_is_refused_in_every_field(field):
    country = "PA"  # of whose tax ids nothing is known

    assert wrong(**{field: CARD, "country": country})[field].startswith("This looks like the number of a payment card.")


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "4242-4242-4242-4242",
        "378282246310005",
        "6011 1111 1111 1117",
        "4222222222222",
        "6304000000000000000",
        "card 4242.4242.4242.4242 12/28 123",
        "PO 7 4242 4242 4242 4242 1",
        "４２４２ ４２４２ ４２４２ ４２４２",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
    ],
)
def test_a_card_is_found_however_it_is_written(text):
    assert "purchase_order" in wrong(purchase_order=text)


def test_an_address_that_is_a_card_is_refused():
    assert "email" in wrong(email="4242424242424242@acme.example")


@pytest.mark.parametrize("text", ["4242 4242 4242 4241", "PO-2026-000417", "424242424242", "42" * 10, "1234567890123"])
def test_other_numbers_are_let_through(text):
    assert kept(purchase_order=text).purchase_order == text


def test_a_tax_id_that_its_country_knows_is_no_card():
    number = next(n for n in map("16727230{:04d}".format, range(10000)) if luhn.is_valid(valid := _cnpj(n)) and valid)

    assert luhn.is_valid(_cnpj(number))
    assert kept(country="BR", tax_id=_cnpj(number)).tax_id.startswith("16.727.230/")


def _cnpj(number: str) -> str:
    """Twelve digits with the two that check them."""
    for first in (5, 6):
        weights = [*range(first, 1, -1), *range(9, 1, -1)]
        rest = sum(int(digit) * weight for digit, weight in zip(number, weights, strict=True)) % 11
        number += str(11 - rest if rest > 1 else 0)
    return number


# --- Tax ids ----------------------------------------------------------------------------------------------------------

VALID = [
    ("AT", "ATU13585627", "ATU13585627"),
    ("AU", "83914571673", "83 914 571 673"),
    ("BE", "0428.759.497", "BE0428759497"),
    ("BR", "16727230000197", "16.727.230/0001-97"),
    ("BR", "39053344705", "390.533.447-05"),
    ("CA", "123026635 RC 0001", "123026635RC0001"),
    ("CH", "CHE-107.787.577 mwst", "CHE-107.787.577 MWST"),
    ("DE", "de 136 695 976", "DE136695976"),
    ("DE", "136695976", "DE136695976"),
    ("ES", "ES B-58378431", "ESB58378431"),
    ("FR", "Fr 40 303 265 045", "FR40303265045"),
    ("GB", "980 7806 84", "GB980780684"),
    ("GB", "XI432525179", "XI432525179"),
    ("GR", "EL 094259216", "EL094259216"),
    ("GR", "GR094259216", "EL094259216"),
    ("IE", "6433435F", "IE6433435F"),
    ("IN", "27aapfu0939f1zv", "27AAPFU0939F1ZV"),
    ("IT", "IT 00743110157", "IT00743110157"),
    ("JP", "5835678256246", "5-8356-7825-6246"),
    ("MC", "53000004605", "FR53000004605"),
    ("MX", "GODE561231GR8", "GODE 561231 GR8"),
    ("NL", "NL4495445B01", "NL004495445B01"),
    ("NO", "995525828 MVA", "NO 995 525 828 MVA"),
    ("NZ", "49091850", "49-091-850"),
    ("SE", "SE556188840401", "SE556188840401"),
    ("UA", "32855961", "32855961"),
    ("US", "911144442", "91-1144442"),
    ("US", "９１-1144442", "91-1144442"),
]


@pytest.mark.parametrize(("country", "typed", "written"), VALID)
def test_a_tax_id_is_kept_as_its_country_writes_it(country, typed, written):
    assert kept(country=country, tax_id=typed).tax_id == written
    assert kept(country=country, tax_id=written).tax_id == written  # what stands there may be saved again


@pytest.mark.parametrize(
    ("country", "typed"),
    [
        ("DE", "DE136695977"),
        ("DE", "13669597"),
        ("FR", "FR40303265046"),
        ("IT", "IT00743110158"),
        ("US", "07-1144442"),
        ("US", "91-114444"),
        ("AU", "83914571674"),
        ("BR", "16727230000198"),
        ("IN", "27AAPFU0939F1ZX"),
        ("CH", "CHE-107.787.578 MWST"),
        ("DE", "FR40303265046"),
    ],
)
def test_a_tax_id_with_a_digit_too_few_or_a_wrong_one_is_refused(country, typed):
    assert wrong(country=country, tax_id=typed)["tax_id"].startswith("This is not a tax id of ")


@pytest.mark.parametrize(
    ("country", "typed", "other"),
    [("DE", "FR40303265045", "France"), ("FR", "DE136695976", "Germany"), ("US", "EL094259216", "Greece")],
)
def test_a_tax_id_of_another_country_is_refused_and_says_of_which(country, typed, other):
    assert wrong(country=country, tax_id=typed)["tax_id"].startswith(f"This is a tax id of {other}, and ")


@pytest.mark.parametrize("typed", ["155596713-2-2015 DV 59", "RUC 8/442", "ÅÄ 12"])
def test_where_nothing_is_known_of_tax_ids_a_plausible_one_is_taken(typed):
    assert not billing.is_tax_id_checked("PA")
    assert kept(country="PA", tax_id=typed).tax_id == typed


@pytest.mark.parametrize("typed", ["-", "12;34", "a_b", "<b>", "none?"])
def test_what_is_no_number_at_all_is_refused_everywhere(typed):
    for country in ("PA", "DE"):
        assert wrong(country=country, tax_id=typed)["tax_id"].startswith("A tax id has letters and digits")


def test_a_tax_id_may_be_left_out():
    assert kept(country="DE", tax_id="  ").tax_id == ""


@pytest.mark.parametrize("country", ["DE", "US", "GB", "ZA", "UA", "MD", "CH", "NO", "JP", "BR", "IN"])
def test_of_these_countries_something_is_known(country):
    assert billing.is_tax_id_checked(country)
