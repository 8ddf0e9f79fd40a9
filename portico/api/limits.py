"""How often one may ask: each token and person for itself, and each address for all who ask from there."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja.throttling import BaseThrottle

from portico import web
from portico.domain import allowances
from portico.domain.allowances import Allowance

from . import auth, problems


class Limiter(BaseThrottle):
    """Counts every request whose asker is known. `throttle=[]` lets an operation do without."""

    def allow_request(self, request: HttpRequest) -> bool:
        limits, address = settings.API_LIMITS, web.client_address(request)
        asker = str(auth.asker(request).id)
        return not _spend(
            request, {f"asker {asker}": limits["asker"], f"address {address}": limits["address"]}
        ).is_spent

    def wait(self) -> None:
        """It is told by `refusal`, which knows the request."""


def refusal(request: HttpRequest) -> HttpResponse:
    return problems.limited(_allowance(request).resets_in)


def stranger(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """The answer to somebody unknown. Whoever tries too many tokens hears no more whether they are good."""
    address = web.client_address(request)
    spent = _spend(request, {f"stranger {address}": settings.API_LIMITS["stranger"]}).is_spent
    return refusal(request) if spent else answer


def told(request: HttpRequest) -> dict[str, str]:
    """What is left, on every answer that was counted."""
    allowance: Allowance | None = getattr(request, "allowance", None)
    if allowance is None:
        return {}
    return {
        "RateLimit-Limit": str(allowance.limit),
        "RateLimit-Remaining": str(max(0, allowance.left)),
        "RateLimit-Reset": str(allowance.resets_in),
    }


def _spend(request: HttpRequest, limits: dict[str, int]) -> Allowance:
    request.allowance = allowances.spend(limits, timezone.now())  # type: ignore[attr-defined]
    return _allowance(request)


def _allowance(request: HttpRequest) -> Allowance:
    return request.allowance  # type: ignore[attr-defined]
