"""Billing information: one form, for who manages billing."""

from dataclasses import asdict

from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django_countries import countries

from portico.domain import billing
from portico.domain.billing import CURRENCIES, FIELDS, Details
from portico.domain.errors import Invalid, Refused

from . import pages
from .forms import Draft, problems, see_other, status, whole


@pages.page
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: pages.PageRequest) -> HttpResponse:
    """What the bills of the organization carry."""
    billing.of(request.actor)
    if request.method != "POST":
        return page_of(request)
    typed = Details(**{name: request.POST.get(name, "") for name in FIELDS})
    try:
        row = billing.change(request.actor, details=typed, version=whole(request.POST.get("version", "")))
    except (Invalid, Refused) as refusal:
        return page_of(request, refusal)
    messages.success(request, saved(row.details))
    return see_other("billing", request.actor.organization.slug)


def saved(details: Details) -> str:
    """What was saved, and what nobody could check about it."""
    if details.tax_id and not billing.is_tax_id_checked(details.country):
        say = _("Saved. The tax id was not checked: how those of %(country)s are made is not known here.")
        return say % {"country": countries.name(details.country)}
    return _("Billing information saved.")


def page_of(request: pages.PageRequest, refusal: Invalid | Refused | None = None) -> HttpResponse:
    row = billing.of(request.actor)
    draft = Draft.of(request.POST, asdict(row.details))
    names = dict(countries)
    context = {
        "place": "billing",
        "version": row.version,
        "draft": draft,
        "typed": draft.values,
        "meanwhile": draft.in_words(country=names),
        "problems": problems(refusal, *FIELDS) if refusal else {},
        "countries": names.items(),
        "currencies": [(code, code) for code in CURRENCIES],
        "unchecked": row.tax_id and not billing.is_tax_id_checked(row.country),
    }
    return pages.render(request, "console/billing.html", context, status=status(refusal))
