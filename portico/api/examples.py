"""An example of every shape, made from the schema: from its examples where it gives some, else from its types."""

from typing import Any

Told = dict[str, Any]

OF_FORMAT = {
    "uuid": "01985c2e-7b1d-7a3c-9f4e-2d6b8a1c0e57",
    "date-time": "2026-11-27T11:30:00Z",
    "email": "ann@example.org",
    "binary": "…",
}
OF_TYPE: Told = {"string": "…", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def of(shape: Told, schemas: Told) -> Any:
    """`schemas` are those that others name by $ref."""
    shape = resolved(shape, schemas)
    if "examples" in shape:
        return shape["examples"][0]
    if "const" in shape:
        return shape["const"]
    if "enum" in shape:
        return shape["enum"][0]
    if "properties" in shape:
        return {name: of(each, schemas) for name, each in shape["properties"].items()}
    if "default" in shape and shape["default"] is not None:
        return shape["default"]
    for several in ("anyOf", "oneOf"):
        if several in shape:
            return of(shape[several][0], schemas)
    if shape.get("type") == "array":
        return [of(shape.get("items", {}), schemas)]
    if shape.get("type") == "object":
        return {}
    return OF_FORMAT.get(shape.get("format", ""), OF_TYPE.get(shape.get("type", "string")))


def resolved(shape: Told, schemas: Told) -> Told:
    """The shape itself, where another one names it, with what that one says besides."""
    said = {name: each for name, each in shape.items() if name not in {"$ref", "allOf"}}
    if "allOf" in shape:  # how a reference says something besides
        return resolved(shape["allOf"][0], schemas) | said
    named: Told = schemas[shape["$ref"].rpartition("/")[2]] if "$ref" in shape else {}
    return named | said
