"""The schema, completed with what holds for all operations: each refusal with an example, the headers, the keys.

Said here once, so that no operation retypes it and none forgets it.
"""

from typing import Any

from . import examples, problems

Told = dict[str, Any]

READ, CHANGE = frozenset({"get"}), frozenset({"patch", "put", "delete"})
TEXT: Told = {"type": "string"}

# One refusal of each status, as somebody may meet it. All of it is said of every operation.
REFUSALS: dict[int, tuple[str, str, Told]] = {
    400: ("malformed", "This is not JSON.", {}),
    401: ("unauthenticated", "This needs a token that is still good, or a sign-in.", {}),
    403: (
        "missing_permission",
        "You need the permission “Manage members” for this.",
        {"missing": ["members.manage"]},
    ),
    404: ("not_found", "There is nothing here that you may see.", {}),
    409: (
        "last_administrator",
        "Acme needs an active administrator whose membership does not end. Make somebody else one first.",
        {},
    ),
    412: ("changed_meanwhile", "Somebody changed this meanwhile. Here is how it stands now.", {}),
    413: ("too_large", "At most 64 KiB can be sent here.", {}),
    422: (
        "invalid",
        "A token lives for 1 to 3650 days, or is perpetual.",
        {
            "field": "days",
            "errors": [{"field": "days", "detail": "A token lives for 1 to 3650 days, or is perpetual."}],
        },
    ),
    429: ("limited", "You ask too often. Wait 12 seconds.", {}),
    503: ("unavailable", "Portico cannot reach its database just now. Nothing was changed.", {}),
}
PROBLEM: Told = {
    "title": "Problem",
    "description": "A refusal (RFC 9457). Programs read `code`, which never changes; people read `detail`.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "code": TEXT,
        "field": {"type": ["string", "null"], "description": "What was sent wrong, where it is one thing"},
        "errors": {
            "type": "array",
            "description": "All that was sent wrong",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": {"type": ["string", "null"]}, "detail": TEXT},
            },
        },
        "missing": {"type": "array", "items": TEXT, "description": "Permissions that it would have needed"},
        "id": {"type": "string", "format": "uuid", "description": "Of what was done already"},
    },
}
TAG: Told = {"description": "Which version of it this is", "schema": TEXT}
AFTER: Told = {"description": "Seconds to wait", "schema": {"type": "integer"}}
# On every answer but that of a check, which is not counted.
LIMITS: Told = {
    "RateLimit-Limit": {"description": "So many requests in a minute", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "So many more in this one", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until the next one", "schema": {"type": "integer"}},
}
HEADERS: dict[str, tuple[str, str]] = {
    "Idempotency-Key": (
        "idempotency_key",
        "Asked again with the same key and body within 24 hours, it is done once and answered the same",
    ),
    "If-None-Match": ("if_none_match", "An `ETag`: answered with 304 while it is still the one"),
    "If-Match": ("if_match", "An `ETag`: refused with 412 `changed_meanwhile` if it is no longer the one"),
}


def completed(schema: Told) -> Told:
    schema["components"]["schemas"]["Problem"] = PROBLEM
    schema["components"]["responses"] = {name(status): _refusal(status) for status in REFUSALS}
    schema["components"]["parameters"] = {told[0]: _header(header, told[1]) for header, told in HEADERS.items()}
    for methods in schema["paths"].values():
        for method, operation in methods.items():
            _complete(method, operation, schema)
    return schema


def _complete(method: str, operation: Told, schema: Told) -> None:
    responses = operation["responses"]
    good = {status: told for status, told in responses.items() if int(status) < 300}
    single = method in READ and not _is_list(good, schema)
    if single:
        responses[304] = {"description": "It is still the one of `If-None-Match`"}
        _takes(operation, "If-None-Match")
    if method in CHANGE:
        _takes(operation, "If-Match")
    counted = not operation["operationId"].startswith("check")
    for status, told in good.items():
        told["headers"] = _headers(int(status), tagged=single or method in CHANGE, counted=counted)
    for told in [*good.values(), operation.get("requestBody", {})]:
        for content in told.get("content", {}).values():
            content["example"] = examples.of(content["schema"], schema["components"]["schemas"])
    for status in REFUSALS:
        responses[status] = {"$ref": f"#/components/responses/{name(status)}"}
    operation["responses"] = {str(status): responses[status] for status in sorted(responses, key=int)}


def _headers(status: int, *, tagged: bool, counted: bool) -> Told:
    limits = LIMITS if counted else {}
    if status == 201:
        return {"Location": {"description": "Where it is", "schema": TEXT}, "ETag": TAG, **limits}
    return {"ETag": TAG, **limits} if status == 200 and tagged else limits


def _is_list(good: Told, schema: Told) -> bool:
    for told in good.values():
        for content in told.get("content", {}).values():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            if "next" in schema["components"]["schemas"].get(name, {}).get("properties", {}):
                return True
    return False


def _takes(operation: Told, header: str) -> None:
    operation["parameters"].append({"$ref": f"#/components/parameters/{HEADERS[header][0]}"})


def name(status: int) -> str:
    return REFUSALS[status][0]


def _refusal(status: int) -> Told:
    code, detail, more = REFUSALS[status]
    example = problems.body(status, code, detail, **more)
    told: Told = {
        "description": problems.TITLES[status],
        "content": {problems.KIND: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
    if status in {429, 503}:
        told["headers"] = {"Retry-After": AFTER}
    return told


def _header(header: str, description: str) -> Told:
    return {"name": header, "in": "header", "required": False, "description": description, "schema": TEXT}
