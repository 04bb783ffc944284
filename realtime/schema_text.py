"""JSON Schemas as Markdown tables, for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_BOUNDS = (
    ("minLength", "not empty"),
    ("maxLength", "at most {} characters"),
    ("minimum", "{} or more"),
    ("maximum", "at most {}"),
    ("minItems", "not empty"),
    ("minProperties", "not empty"),
    ("maxItems", "at most {} items"),
    ("maxProperties", "at most {} keys"),
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, without the columns that have nothing in them."""
    rows = list(rows)
    used = [column for column in range(len(head)) if any(row[column] for row in rows)]
    lines = [[row[column] for column in used] for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def fields_table(schema: Schema) -> str:
    """The fields of an object; "" when it has none."""
    properties = schema.get("properties", {})
    if not properties:
        return ""
    required = schema.get("required", [])
    return table(
        ("field", "type", "default", ""),
        (
            (f"`{name}`", type_text(field), "" if name in required else _optional(field), notes(field))
            for name, field in properties.items()
        ),
    )


def type_text(schema: Schema) -> str:
    """A schema's type in a few words; objects of the protocol by name, with a link."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(type_text(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f'`"{value}"`' for value in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"array of {type_text(schema['items'])}"
        case "object":
            return f"object, each value {_article(type_text(schema['additionalProperties']))}"
        case "string" if schema.get("contentEncoding") == "base64":
            return "string, base64"
        case str(kind):
            return kind
    return "any JSON"


def notes(schema: Schema) -> str:
    """What a field's schema says beside its type; a description speaks for the bounds too."""
    parts = [schema["description"]] if "description" in schema else _bounds(schema)
    parts += [text for each in schema.get("anyOf", ()) if (text := notes(each)) and "$ref" not in each]
    return "; ".join(parts)


def _bounds(schema: Schema) -> list[str]:
    return [text.format(schema[bound]) for bound, text in _BOUNDS if schema.get(bound)]


def _optional(field: Schema) -> str:
    if "default" not in field:
        return "optional"
    return f"`{json.dumps(field['default'])}`"


def _article(text: str) -> str:
    return f"an {text}" if text.lstrip("[")[0].lower() in "aeiou" else f"a {text}"
