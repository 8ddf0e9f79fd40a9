"""What pages and programs have in common, because both come over HTTP: which status says which no, and where from."""

from datetime import UTC, datetime

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.http import HttpRequest

from portico.domain.access import Via
from portico.domain.errors import Forbidden, Invalid, Missing, Refusal, Refused, Unauthenticated

STATUS: dict[type[Refusal], int] = {Invalid: 422, Unauthenticated: 401, Forbidden: 403, Missing: 404, Refused: 409}
RETRY_AFTER = "5"  # seconds, when the database is away
# What Django's middleware adds to its answers, for those that are given in front of it: they hold nothing to be run.
BARE_HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", settings.SECURE_REFERRER_POLICY),
    *([("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains")] * settings.SECURE),
]
PROOFS = frozenset({"password", "mfa"})  # of the ways in that allauth notes; a code by letter proves an address only


def status_of(refusal: Refusal) -> int:
    """Which HTTP status says it: one table, and one code that has a status of its own."""
    if refusal.code == "changed_meanwhile":
        return 412
    return next(status for kind, status in STATUS.items() if isinstance(refusal, kind))


def via(request: HttpRequest, door: str) -> Via:
    """Where a request comes from, as events note it."""
    return Via(door=door, address=client_address(request), browser=request.headers.get("User-Agent", "")[:256])


def client_address(request: HttpRequest) -> str:
    """The address of the browser, believing exactly as many proxies as the operator named."""
    proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return str(request.META.get("REMOTE_ADDR", ""))


def proved_at(request: HttpRequest) -> datetime | None:
    """When this session last saw the password or passkey of whoever is signed in. To log in or sign up counts."""
    records = get_authentication_records(request, request.user)
    last = max((record["at"] for record in records if record["method"] in PROOFS), default=None)
    return datetime.fromtimestamp(last, tz=UTC) if last else None
