"""What forms have in common: a refusal beside the fields it is about, what others changed meanwhile, and the way on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _

from portico.domain.errors import Invalid, Refusal
from portico.web import status_of


def problems(refusal: Refusal, *fields: str) -> dict[str, str]:
    """The sentences of a refusal by field. What none of the page's fields is to blame for stands under `page`."""
    errors = refusal.errors if isinstance(refusal, Invalid) else [refusal]
    return {error.field if error.field in fields else "page": error.sentence for error in errors}


def status(refusal: Refusal | None) -> int:
    return status_of(refusal) if refusal else 200


def see_other(name: str, *args: object) -> HttpResponse:
    """On to another page after a change, so that reloading does not change again."""
    return HttpResponseRedirect(resolve_url(name, *args), status=303)


def question_in(asked: QueryDict, names: Iterable[str]) -> QueryDict:
    """The question of a list alone, to be asked again: what it says under these names."""
    found = QueryDict(mutable=True)
    found.update({name: value for name in names if (value := asked.get(name))})
    return found


def whole(text: str) -> int | None:
    """The version that a page showed."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


SHOWN = "was:"


@dataclass(frozen=True)
class Draft:
    """A form over what others may change too: each field as it is now, as the page showed it, and as it was typed."""

    now: Mapping[str, str]
    shown: Mapping[str, str]
    typed: Mapping[str, str]

    @classmethod
    def of(cls, data: QueryDict, now: Mapping[str, str]) -> "Draft":
        shown = {name: data.get(f"{SHOWN}{name}", value) for name, value in now.items()}
        return cls(now, shown, {name: data.get(name, value) for name, value in now.items()})

    @property
    def values(self) -> dict[str, str]:
        """What somebody typed is kept; what they left alone is as it is now."""
        return {name: text if text != self.shown[name] else self.now[name] for name, text in self.typed.items()}

    def in_words(self, **choices: Mapping[str, Any]) -> dict[str, str]:
        """What others have made of the fields that they changed since the page was shown; `choices` name values."""
        changed = {name: value for name, value in self.now.items() if value != self.shown[name]}
        return {name: _meanwhile(str(choices.get(name, {}).get(value, value))) for name, value in changed.items()}


def _meanwhile(value: str) -> str:
    return _("Changed meanwhile to “%(value)s”.") % {"value": value} if value else _("Emptied meanwhile.")
