"""As much of JSON Schema as the published protocol uses, to hold frames against it."""

import re
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

TYPES: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}
KNOWN = frozenset(
    {
        "$ref",
        "additionalProperties",
        "anyOf",
        "contentEncoding",
        "default",
        "description",
        "discriminator",
        "enum",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
    }
)


def problems(value: Any, schema: Json, components: dict[str, Json], where: str = "$") -> list[str]:
    """Why a value does not fit; empty when it does. AssertionError for a keyword that is not known here."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        return problems(value, components[schema["$ref"].rpartition("/")[2]], components, where)
    if "anyOf" in schema:
        branches = [problems(value, each, components, where) for each in schema["anyOf"]]
        return [] if [] in branches else [problem for branch in branches for problem in branch]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r} is none of {schema['enum']}"]
    if "type" in schema and not _is_a(value, schema["type"]):
        return [f"{where}: {value!r} is no {schema['type']}"]
    found = _bounds(value, schema, where)
    if isinstance(value, list):
        for number, item in enumerate(value):
            found += problems(item, schema.get("items", {}), components, f"{where}[{number}]")
    if isinstance(value, dict):
        found += _object(value, schema, components, where)
    return found


def _is_a(value: Any, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _object(value: Json, schema: Json, components: dict[str, Json], where: str) -> list[str]:
    found = [f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value]
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            found += problems(item, properties[name], components, f"{where}.{name}")
        elif others is False:
            found.append(f"{where}: {name} is not known")
        elif isinstance(others, dict):
            found += problems(item, others, components, f"{where}.{name}")
    return found


def _bounds(value: Any, schema: Json, where: str) -> list[str]:
    checks: dict[str, Callable[[Any], bool]] = {
        "minimum": lambda bound: value >= bound,
        "maximum": lambda bound: value <= bound,
        "minLength": lambda bound: len(value) >= bound,
        "maxLength": lambda bound: len(value) <= bound,
        "minItems": lambda bound: len(value) >= bound,
        "maxItems": lambda bound: len(value) <= bound,
        "minProperties": lambda bound: len(value) >= bound,
        "maxProperties": lambda bound: len(value) <= bound,
        "pattern": lambda bound: re.search(bound, value) is not None,
    }
    return [
        f"{where}: {value!r} breaks {keyword} {schema[keyword]}"
        for keyword, holds in checks.items()
        if keyword in schema and not holds(schema[keyword])
    ]
