"""Billing information: what the bills of an organization carry. It never holds anything that money could be taken with.

The tax id is checked by the rules of its country, as far as python-stdnum knows them, and kept as that country writes
it. Values are personal, so an event tells which fields changed and nothing of what stands in them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext as _
from django_countries import countries
from stdnum import luhn
from stdnum.eu.vat import MEMBER_STATES
from stdnum.exceptions import ValidationError
from stdnum.util import get_cc_module
from uuid_utils.compat import uuid7

from . import addresses, words
from .access import Actor
from .actions import action
from .errors import Invalid, ensure_current, together
from .events import record
from .organizations import Organization
from .permissions import BILLING_MANAGE

# Those of ISO 4217 that are money: without metals, funds and what is kept for tests.
CURRENCIES = (
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD", "BIF", "BMD", "BND",
    "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE",
    "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
    "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY",
    "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD",
    "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO",
    "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF",
    "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB",
    "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VES", "VND", "VUV",
    "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG",
)  # fmt: skip

# Numbers that businesses are taxed under beside, or instead of, what python-stdnum calls the `vat` of a country.
OTHER_TAX_IDS = {
    "AT": ("tin",),
    "BR": ("cpf",),
    "CH": ("uid",),
    "CR": ("cpf",),
    "DE": ("stnr",),
    "IT": ("codicefiscale",),
    "MD": ("idno",),
    "NO": ("orgnr",),
    "SE": ("orgnr",),
    "TR": ("tckimlik",),
    "UA": ("edrpou", "rntrc"),
    "US": ("ein",),
    "ZA": ("tin",),
}
LENGTHS = {
    "legal_name": 160,
    "line1": 120,
    "line2": 120,
    "city": 80,
    "region": 80,
    "postal_code": 20,
    "tax_id": 40,
    "purchase_order": 80,
}
_TAX_ID = re.compile(r"[^\W_](?:[^\W_]|[ &+./-])*")
_DIGITS = re.compile(r"\d+(?:[ .-]\d+)*")  # also in groups, as they stand on a card
_CARD = range(13, 20)  # digits


class BillingProfile(models.Model):
    """What the bills of one organization carry. No row until somebody writes it; `version` counts how often."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.OneToOneField(Organization, models.CASCADE, related_name="billing_profile")
    legal_name = models.CharField(max_length=LENGTHS["legal_name"], default="")
    email = models.CharField(max_length=254, default="")
    line1 = models.CharField(max_length=LENGTHS["line1"], default="")
    line2 = models.CharField(max_length=LENGTHS["line2"], default="")
    city = models.CharField(max_length=LENGTHS["city"], default="")
    region = models.CharField(max_length=LENGTHS["region"], default="")
    postal_code = models.CharField(max_length=LENGTHS["postal_code"], default="")
    country = models.CharField(max_length=2, default="")
    tax_id = models.CharField(max_length=LENGTHS["tax_id"], default="")
    purchase_order = models.CharField(max_length=LENGTHS["purchase_order"], default="")
    currency = models.CharField(max_length=3, default="")
    version = models.PositiveIntegerField(default=0)

    event_kind = "billing"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "id"], name="billing_of_organization")]

    @property
    def event_id(self) -> UUID:
        return self.organization_id

    @property
    def label(self) -> str:
        return self.organization.name

    @property
    def details(self) -> "Details":
        return Details(**{field: getattr(self, field) for field in FIELDS})


@dataclass(frozen=True)
class Details:
    """All that is written at once. Only the country is needed: what else an address has, each country says itself."""

    legal_name: str = ""
    email: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    tax_id: str = ""
    purchase_order: str = ""
    currency: str = ""

    def checked(self) -> "Details":
        """The same as it will be kept, or all that is wrong with it at once."""
        checks: dict[str, Callable[[], str]] = {field: partial(_line, field, getattr(self, field)) for field in LENGTHS}
        checks |= {
            "email": lambda: _without_card(addresses.one(self.email), "email") if self.email.strip() else "",
            "country": lambda: check_country(self.country),
            "tax_id": lambda: check_tax_id(self.tax_id, self.country.strip().upper()),
            "currency": lambda: check_currency(self.currency),
        }
        return Details(*together(*(checks[field] for field in FIELDS)))


FIELDS = tuple(field.name for field in fields(Details))


def of(actor: Actor) -> BillingProfile:
    """As it stands, or empty; for those who may change it."""
    actor.require(BILLING_MANAGE)
    return _of(actor.organization)


def _of(organization: Organization) -> BillingProfile:
    found = BillingProfile.objects.filter(organization=organization).first()
    return found or BillingProfile(organization=organization)


@action(BILLING_MANAGE)
def change(actor: Actor, *, details: Details, version: int | None = None) -> BillingProfile:
    """Say what the bills carry: all of it; what is left empty is emptied."""
    profile = _of(actor.organization)
    ensure_current(profile.version, version)
    before, after = asdict(profile.details), asdict(details.checked())
    if changed := [field for field in FIELDS if before[field] != after[field]]:
        for field in changed:
            setattr(profile, field, after[field])
        profile.version += 1
        profile.save()
        record(actor, "billing.changed", profile, changed=changed)
    return profile


# --- What may stand in a field -------------------------------------------------------------------------------------


def _line(field: str, text: str) -> str:
    return _without_card(words.line(text, field=field, length=LENGTHS[field]), field)


def _without_card(text: str, field: str) -> str:
    if any(luhn.is_valid(number) for number in _long_numbers(text)):
        raise Invalid(
            _("This looks like the number of a payment card. Card data must not be written here."), field=field
        )
    return text


def _long_numbers(text: str) -> Iterator[str]:
    """Every number as long as a card's, also where it begins and ends between groups of a longer one."""
    for run in _DIGITS.findall(text):
        groups = ["".join(str(int(digit)) for digit in group) for group in re.split(r"[ .-]", run)]
        for start in range(len(groups)):
            for end in range(start, len(groups)):
                if len(number := "".join(groups[start : end + 1])) in _CARD:
                    yield number


def check_country(code: str) -> str:
    code = code.strip().upper()
    if code not in countries:
        raise Invalid(_("Choose the country."), field="country")
    return code


def check_currency(code: str) -> str:
    code = code.strip().upper()
    if code and code not in CURRENCIES:
        raise Invalid(_("Choose one of the currencies."), field="currency")
    return code


def is_tax_id_checked(country: str) -> bool:
    """Whether anything is known of how tax ids of this country are made."""
    return bool(_rules(country))


def check_tax_id(text: str, country: str) -> str:
    """A tax id as its country writes it, or Invalid. Where nothing is known of that, any plausible one as typed."""
    text = unicodedata.normalize("NFKC", words.line(text, field="tax_id", length=LENGTHS["tax_id"])).upper()
    if not text or country not in countries:
        return text
    if not _TAX_ID.fullmatch(text):
        raise Invalid(
            _("A tax id has letters and digits, with spaces, hyphens, dots and slashes between them."), field="tax_id"
        )
    if not (rules := _rules(country)):
        return _without_card(text, "tax_id")
    for rule in rules:
        if number := rule(text):
            return number
    raise _no_tax_id(text, country)


def _no_tax_id(text: str, country: str) -> Invalid:
    names = {"country": countries.name(country)}
    sentence = _("This is not a tax id of %(country)s: a digit or letter is wrong, missing or too many.")
    if other := _country_named_by(text, besides=country):
        names["other"] = countries.name(other)
        sentence = _("This is a tax id of %(other)s, and the country of the address is %(country)s. Mend one of them.")
    return Invalid(sentence % names, field="tax_id")


def _country_named_by(text: str, *, besides: str) -> str:
    """The country whose letters stand before the number, if it is one of that country's."""
    letters = text[:2]
    country = {"EL": "GR", "XI": "GB"}.get(letters, letters)
    known = country != besides and country in countries
    return country if known and any(rule(text) for rule in _rules(country)) else ""


def _rules(country: str) -> list[Callable[[str], str]]:
    """What is known of a country's tax ids: each returns the number as it is written there, or nothing."""
    kinds = ("vat", *OTHER_TAX_IDS.get(country, ()))
    modules = [(kind, module) for kind in kinds if (module := get_cc_module(country, kind))]
    return [partial(_written, module, country if kind == "vat" else "") for kind, module in modules]


def _written(module: Any, country: str, text: str) -> str:
    try:
        number = str(module.validate(text))
    except ValidationError:
        return ""
    if country.lower() in MEMBER_STATES or country == "GB":
        letters = "XI" if country == "GB" and text.startswith("XI") else {"GR": "EL"}.get(country, country)
        return letters + number.removeprefix(letters)
    return str(module.format(number)) if hasattr(module, "format") else number
