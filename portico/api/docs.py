"""The reading page: every operation, with what it takes and what it answers. Made from the schema, without script."""

import json
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from . import schema
from .app import api
from .examples import Told, resolved


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html", page())


@cache
def page() -> Told:
    """It is the same until another version is started."""
    whole = api.get_openapi_schema()
    sections: dict[str, list[Told]] = {}
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            sections.setdefault(operation["tags"][0], []).append(_operation(method, path, operation, whole))
    refusals = [whole["components"]["responses"][schema.name(status)] for status in schema.REFUSALS]
    return {
        "version": whole["info"]["version"],
        "sections": [{"title": title, "operations": found} for title, found in sections.items()],
        "refusals": [_refusal(each) for each in refusals],
    }


def _operation(method: str, path: str, operation: Told, whole: Told) -> Told:
    components = whole["components"]
    parameters = [resolved(each, components["parameters"]) for each in operation["parameters"]]
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "title": operation["summary"],
        "says": _marked(operation.get("description", "")),
        "parameters": [_field(each["name"], each["schema"] | _said(each), each["required"]) for each in parameters],
        "body": _body(operation.get("requestBody"), components["schemas"]),
        "answers": [_answer(status, each) for status, each in operation["responses"].items() if "$ref" not in each],
    }


def _said(parameter: Told) -> Told:
    return {"description": parameter["description"]} if "description" in parameter else {}


def _body(body: Told | None, schemas: Told) -> Told | None:
    if body is None:
        return None
    [(kind, content)] = body["content"].items()
    shape = resolved(content["schema"], schemas)
    required = shape.get("required", ())
    fields = [_field(name, resolved(each, schemas), name in required) for name, each in _properties(shape).items()]
    return {"kind": kind, "fields": fields, "example": _written(content.get("example"))}


def _properties(shape: Told) -> Told:
    found: Told = shape.get("properties", {})
    return found


def _answer(status: str, answer: Told) -> Told:
    content: Told = next(iter(answer.get("content", {}).values()), {})
    return {"status": status, "says": answer["description"], "example": _written(content.get("example"))}


def _refusal(answer: Told) -> Told:
    [content] = answer["content"].values()
    return {**content["example"], "example": _written(content["example"])}


def _field(name: str, shape: Told, required: bool) -> Told:
    return {"name": name, "kind": _kind(shape), "says": _marked(shape.get("description", "")), "required": required}


def _kind(shape: Told) -> str:
    """In words: what may be sent."""
    if several := shape.get("anyOf", shape.get("oneOf")):
        return _(" or ").join(dict.fromkeys(_kind(each) for each in several))
    if "enum" in shape:
        return " · ".join(map(str, shape["enum"]))
    kind = shape.get("format") or shape.get("type", "object")
    if kind == "array":
        return _("list of %(kind)s") % {"kind": _kind(shape.get("items", {}))}
    return str(kind)


def _marked(text: str) -> SafeString:
    """Names stand between backticks."""
    parts = text.split("`")
    return format_html_join("", "{}", ((_code(part) if n % 2 else part,) for n, part in enumerate(parts)))


def _code(name: str) -> SafeString:
    return format_html('<code class="mono">{}</code>', name)


def _written(example: Any) -> str:
    return "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)
