"""Billing information: what the bills of an organization carry. No card data."""

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Body
from pydantic import Field

from portico.domain import billing
from portico.domain.billing import Details

from . import answers, auth
from .operations import Asked, Router, Shown

router = Router(tags=["Billing"])


class Billing(Shown):
    """What the bills carry; empty until somebody writes it."""

    legal_name: str = Field(examples=["Acme Anvils GmbH"])
    email: str = Field(examples=["billing@acme.example"])
    line1: str = Field(examples=["Schmiedegasse 1"])
    line2: str
    city: str = Field(examples=["Graz"])
    region: str
    postal_code: str = Field(examples=["8010"])
    country: str = Field(description="ISO 3166-1, two letters", examples=["AT"])
    tax_id: str = Field(examples=["ATU13585627"])
    purchase_order: str
    currency: str = Field(description="ISO 4217", examples=["EUR"])


class BillingGiven(Asked):
    """All of it: what is left out is emptied."""

    legal_name: str = Field("", examples=["Acme Anvils GmbH"])
    email: str = Field("", examples=["billing@acme.example"])
    line1: str = Field("", examples=["Schmiedegasse 1"])
    line2: str = ""
    city: str = Field("", examples=["Graz"])
    region: str = ""
    postal_code: str = Field("", examples=["8010"])
    country: str = Field(description="ISO 3166-1, two letters", examples=["AT"])
    tax_id: str = Field("", description="Checked for its country", examples=["ATU13585627"])
    purchase_order: str = ""
    currency: str = Field("", description="ISO 4217", examples=["EUR"])


@router.get("/organizations/{org}/billing", response=Billing)
def show(request: HttpRequest, org: str) -> HttpResponse:
    """What the bills carry

    Needs `billing.manage`.
    """
    return one(request, billing.of(auth.actor_in(request, org)))


@router.put("/organizations/{org}/billing", response=Billing)
def change(request: HttpRequest, org: str, body: Body[BillingGiven]) -> HttpResponse:
    """Write it anew

    All of it at once. Needs `billing.manage`.
    """
    actor = auth.actor_in(request, org)
    version = answers.shown(request, billing.of(actor).version)
    return one(request, billing.change(actor, details=Details(**body.model_dump()), version=version))


def one(request: HttpRequest, profile: billing.BillingProfile) -> HttpResponse:
    return answers.one(request, told(profile), profile.version)


def told(profile: billing.BillingProfile) -> dict[str, Any]:
    return asdict(profile.details)
