"""The ways to say no.

Each refusal has a kind, which decides the status, a stable code for programs, and one sentence for people. Doors
translate them; nothing else may turn a no into something else.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.translation import gettext as _


class Refusal(Exception):  # noqa: N818  # a refusal is an answer, not a mistake
    """Something was not done, and nothing was changed.

    `code` never changes once released. `field` names the input that is to blame, where there is one.
    """

    def __init__(self, code: str, sentence: str, *, field: str | None = None, **facts: Any):
        super().__init__(sentence)
        self.code, self.sentence, self.field, self.facts = code, str(sentence), field, facts


class Invalid(Refusal):
    """Not well-formed: nobody could do this. `errors` holds one refusal for each field that is wrong."""

    def __init__(self, sentence: str, *, field: str | None = None, errors: Iterable["Invalid"] = ()):
        super().__init__("invalid", sentence, field=field)
        self.errors = list(errors) or [self]


def together(*checks: Callable[[], Any]) -> list[Any]:
    """What each check returns, or one Invalid that names all that is wrong at once."""
    results, wrong = [], []
    for check in checks:
        try:
            results.append(check())
        except Invalid as refusal:
            wrong += refusal.errors
    if wrong:
        raise Invalid(wrong[0].sentence, field=wrong[0].field, errors=wrong)
    return results


class Unauthenticated(Refusal):
    """Nobody asks, or somebody with what proves nothing, or no longer. What exactly is wrong with it is not told."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__("unauthenticated", sentence or _("This needs a token that is still good, or a sign-in."))


class Forbidden(Refusal):
    """Well-formed, but not for this actor. `missing` holds the permissions that would have been needed."""

    def __init__(self, code: str, sentence: str, *, missing: Iterable[Any] = (), **facts: Any):
        super().__init__(code, sentence, **facts)
        self.missing = list(missing)


class Refused(Refusal):
    """Allowed in general, but not now: the state of things says no."""


def changed_meanwhile() -> Refused:
    return Refused("changed_meanwhile", _("Somebody changed this meanwhile. Here is how it stands now."))


def ensure_current(version: int, shown: int | None) -> None:
    """A save carries the version that its page showed, where there was a page."""
    if shown is not None and shown != version:
        raise changed_meanwhile()


class Missing(Refusal):
    """Not there, or not this organization's, which is the same to whoever asks."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__("not_found", sentence or _("There is nothing here that you may see."))
