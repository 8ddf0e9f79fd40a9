"""What an installation that others can reach must have, before it may serve anybody.

On a loopback address nothing of this is needed, so that trying Portico takes no settings at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from portico.settings import Environment

SHORTEST_KEY = 32


@dataclass(frozen=True)
class Gap:
    """One setting that is missing or unfit, and what to do about it."""

    variable: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.sentence}"


def gaps(environment: "Environment") -> list[Gap]:
    """Everything that is missing, at once, so that nobody mends one thing to be told of the next."""
    if environment.is_loopback:
        return []
    return [gap for check in CHECKS if (gap := check(environment))]


def mail(environment: "Environment") -> Gap | None:
    if environment.email_url:
        return None
    return Gap(
        "PORTICO_EMAIL_URL",
        _(
            "No mail server is named, so letters would reach nobody. For example smtp://user:password@mail.example.org:587"
        ),
    )


def key(environment: "Environment") -> Gap | None:
    if len(environment.secret_key) >= SHORTEST_KEY:
        return None
    if environment.secret_key:
        sentence = _("The key has %(n)d characters; give it 50 random ones.") % {"n": len(environment.secret_key)}
    else:
        sentence = _(
            "Only a generated key is there, in the data folder: whoever copies or loses that folder copies or loses "
            "the key. Give 50 random characters."
        )
    return Gap("PORTICO_SECRET_KEY", sentence)


def encryption(environment: "Environment") -> Gap | None:
    if environment.base_url.startswith("https://") or environment.trusted_proxies:
        return None
    return Gap(
        "PORTICO_BASE_URL",
        _(
            "%(address)s is not encrypted, so passwords could be read on their way. Put a proxy with a certificate in "
            "front and write https://…, or say with PORTICO_TRUSTED_PROXIES how many proxies stand in front."
        )
        % {"address": environment.base_url},
    )


CHECKS: list[Callable[["Environment"], Gap | None]] = [mail, key, encryption]
