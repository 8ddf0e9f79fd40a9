"""How operations are declared: shapes that refuse what they do not know, and a router that knows the manners of all.

    router = Router(tags=["Organizations"])

    @router.patch("/organizations/{org}", response=Organization)
    def change(request: HttpRequest, org: str, body: Body[Details]) -> HttpResponse:
        '''Change what it is called, or how it looks.'''
        actor = auth.actor_in(request, org)
        …

The first line of its docstring is the operation's title. `response` is for the schema alone: what is answered is made
of plain dicts (`answers`), which takes a fifth of the time.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import ninja
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja.decorators import decorate_view
from pydantic import BaseModel, ConfigDict, Field

from portico.domain.errors import Invalid

from . import answers, problems, retries

View = Callable[..., Any]
KIB, MB = 2**10, 2**20
USUAL = 64 * KIB  # bytes of a body


def left_out(**said: Any) -> Any:
    """A field that may be left out, and then is `None`; null may be sent only where its type says so."""
    return Field(None, **said)


def _hide_none(schema: dict[str, Any]) -> None:
    for each in schema.get("properties", {}).values():
        if "default" in each and each["default"] is None and not _takes_null(each):
            del each["default"]


def _takes_null(schema: dict[str, Any]) -> bool:
    return any(each.get("type") == "null" for each in schema.get("anyOf", ()))


class Asked(BaseModel):
    """What is sent. A field that it does not know is refused, so that nobody believes it had done something."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_hide_none)

    @property
    def given(self) -> dict[str, Any]:
        """Without what was left out, which in a PATCH stays as it is."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Shown(BaseModel):
    """What is answered, for the schema alone. Names stand once in the schema, so no two shapes have the same."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_hide_none)


class Router(ninja.Router):
    """Ninja's, with what holds for all operations."""

    def add_api_operation(self, path: str, methods: list[str], view_func: View, **declared: Any) -> None:
        title, _line, rest = (view_func.__doc__ or "").strip().partition("\n")
        declared["summary"] = declared.get("summary") or title.rstrip(".")
        declared["description"] = declared.get("description") or inspect.cleandoc(rest) or None
        noun = view_func.__module__.rpartition(".")[2]
        declared["operation_id"] = declared["url_name"] = f"{noun}_{view_func.__name__}"  # the second for the metrics
        size = getattr(view_func, "at_most", USUAL)
        keyed = methods == ["POST"] and not getattr(view_func, "only_reads", False)
        if keyed:
            key = {"parameters": [{"$ref": "#/components/parameters/idempotency_key"}]}
            declared["openapi_extra"] = (declared.get("openapi_extra") or {}) | key
        run: Any = decorate_view(bounded(size))(answered(view_func))
        super().add_api_operation(path, methods, run, **declared)
        run.keyed, run.at_most, run.queries = keyed, size, self._queries(path, run)

    def _queries(self, path: str, run: View) -> set[str]:
        """The parameters that an operation knows."""
        [operation] = [each for each in self.path_operations[path].operations if each.view_func is run]
        queries = [model for model in operation.models if model.__ninja_param_source__ == "query"]
        return {name for model in queries for name in model.__ninja_flatten_map__}


def at_most(size: int) -> Callable[[View], View]:
    """How many bytes the body of an operation may have, where it is not the usual."""

    def mark(view: View) -> View:
        view.at_most = size  # type: ignore[attr-defined]
        return view

    return mark


def only_reads(view: View) -> View:
    """A POST that changes nothing takes no key, because it may be asked as often as one likes."""
    view.only_reads = True  # type: ignore[attr-defined]
    return view


def bounded(size: int) -> Callable[[View], View]:
    """Refuses a longer body before any of it is read, and one that says no length, of which nothing would be read."""

    def around(run: View) -> View:
        @wraps(run)
        def ensure_small(request: HttpRequest, **given: Any) -> Any:
            length = request.META.get("CONTENT_LENGTH") or ""
            if length.isdecimal() and int(length) > size:
                return problems.too_large(size)
            if not length and "HTTP_TRANSFER_ENCODING" in request.META:
                return problems.in_pieces()
            return run(request, **given)

        return ensure_small

    return around


def answered(view: View) -> View:
    """The operation, once its query is known to be one."""

    @wraps(view)
    def run(request: HttpRequest, **given: Any) -> HttpResponse:
        ensure_known(request, run.queries)  # type: ignore[attr-defined]
        if run.keyed:  # type: ignore[attr-defined]
            return retries.once(request, lambda: answers.of(view(request, **given)))
        return answers.of(view(request, **given))

    return run


def ensure_known(request: HttpRequest, queries: set[str]) -> None:
    """A mistyped filter would filter nothing, so it is refused like an unknown field."""
    if unknown := sorted(request.GET.keys() - queries):
        raise Invalid(_("There is no parameter “%(name)s” here.") % {"name": unknown[0][:80]}, field=unknown[0][:80])
