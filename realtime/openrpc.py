"""The protocol as an OpenRPC document, built from the registry."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from functools import cache
from typing import Any, Final

import msgspec

from projects.limits import RATES, Sizes
from realtime.close_codes import CLOSE_CODES
from realtime.conversations import conversations
from realtime.errors import ERRORS, INTERNAL, INVALID_PARAMS, NOT_LOGGED_IN, TOO_OFTEN, ErrorKind
from realtime.payloads import EntryPush
from realtime.registry import EVENTS, METHODS, Method
from realtime.shapes import MARK, carried_shapes

PROTOCOL_VERSION: Final = "1.0.0"

Schema = dict[str, Any]


@cache
def build_openrpc() -> Schema:
    """One document for every method and event, with JSON Schemas and the tables of errors, close codes and limits.
    It is the same for the life of the process: not to be changed by the caller."""
    methods = [METHODS[name] for name in sorted(METHODS)]
    events = [EVENTS[name] for name in sorted(EVENTS)]
    schemas, components = _schemas()
    document: Schema = {
        "openrpc": "1.3.2",
        "info": {"title": "Rostrum RTM", "version": PROTOCOL_VERSION, "license": {"name": "Apache-2.0"}},
        "servers": [{"name": "websocket", "url": "/rtm/ws"}],
        "methods": [_method(method, schemas, components) for method in methods],
        "x-events": [
            {
                "name": event.name,
                "description": one_line(event.doc),
                "params": schemas[event.params],
                "needs": event.needs,
            }
            for event in events
        ],
        "x-close-codes": [asdict(close) for close in CLOSE_CODES],
        "x-rates": {name: asdict(rate) for name, rate in RATES.items()},
        "x-sizes": {field.name: field.default for field in fields(Sizes)},
        "components": {
            "schemas": components,
            "errors": {
                kind.name: {
                    "code": kind.code,
                    "message": kind.meaning,
                    "data": {"name": kind.name, "retryable": kind.retryable},
                }
                for kind in ERRORS
            },
        },
    }
    used = set(references(document))
    document["components"]["schemas"] = {name: components[name] for name in sorted(components) if _place(name) in used}
    return document


def errors_of(method: Method) -> list[ErrorKind]:
    """What a call of the method may be answered with, once its name is known."""
    errors = {INVALID_PARAMS, INTERNAL, *method.errors}
    if method.needs_session:
        errors.add(NOT_LOGGED_IN)
    if method.rate is not None:
        errors.add(TOO_OFTEN)
    return [kind for kind in ERRORS if kind in errors]


def resolve(schema: Schema, components: Mapping[str, Schema]) -> Schema:
    """The schema itself, or the one that it refers to."""
    reference = schema.get("$ref")
    return components[reference.rpartition("/")[2]] if reference is not None else schema


def references(node: Any) -> Iterator[str]:
    """Every `$ref` in a node."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def one_line(doc: str) -> str:
    """A docstring's text without its line breaks."""
    return " ".join(doc.split())


def struct_doc(kind: type) -> str:
    """A params struct's own docstring, or that of the one it extends; "" if there is none."""
    documented = (base.__doc__ for base in kind.__mro__[: kind.__mro__.index(msgspec.Struct)])
    return one_line(next(filter(None, documented), ""))


def _schemas() -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """JSON Schemas of all params, results and events, and the components that they refer to."""
    carried = carried_shapes()
    shapes: list[Any] = [shape for method in METHODS.values() for shape in (method.params, method.result)]
    shapes += [event.params for event in EVENTS.values()]
    bodies = _bodies()
    every = [*shapes, *carried.values(), *bodies]
    found, components = msgspec.json.schema_components(every, schema_hook=_schema_of_raw, ref_template=_place("{name}"))
    stands_for = dict(zip(carried, found[len(shapes) :], strict=False))
    stands_for["body"] = {"description": "As in the event's push.", "anyOf": list(found[len(every) - len(bodies) :])}
    filled = [_fill(schema, stands_for) for schema in found[: len(shapes)]]
    return dict(zip(shapes, filled, strict=True)), {name: _fill(each, stands_for) for name, each in components.items()}


def _bodies() -> list[Any]:
    """The bodies of the events that are entries."""
    return [
        field.type
        for name in sorted(EVENTS)
        if issubclass(EVENTS[name].params, EntryPush)
        for field in msgspec.structs.fields(EVENTS[name].params)
        if field.name == "body"
    ]


def _fill(node: Any, stands_for: Mapping[str, Schema]) -> Any:
    """Puts in the schema of what is carried as text, and patterns and descriptions as others read them."""
    if isinstance(node, list):
        return [_fill(item, stands_for) for item in node]
    if not isinstance(node, dict):
        return node
    if MARK in node:
        return _fill(stands_for[node[MARK]], stands_for)
    filled = {key: _fill(value, stands_for) for key, value in node.items()}
    if isinstance(filled.get("pattern"), str):
        filled["pattern"] = filled["pattern"].replace(r"\A", "^").replace(r"\Z", "$")
    if isinstance(filled.get("description"), str):
        filled["description"] = one_line(filled["description"])
    return filled


def _schema_of_raw(kind: type) -> Schema:
    if kind is msgspec.Raw:
        return {}
    raise NotImplementedError(kind)


def _place(name: str) -> str:
    return f"#/components/schemas/{name}"


def _method(method: Method, schemas: Mapping[Any, Schema], components: Mapping[str, Schema]) -> Schema:
    params = resolve(schemas[method.params], components)
    required = params.get("required", [])
    return {
        "name": method.name,
        "description": f"{one_line(method.doc)} {struct_doc(method.params)}".strip(),
        "paramStructure": "by-name",
        "params": [
            {"name": name, "required": name in required, "schema": schema}
            for name, schema in params.get("properties", {}).items()
        ],
        "result": {"name": "result", "schema": schemas[method.result]},
        "errors": [{"$ref": f"#/components/errors/{kind.name}"} for kind in errors_of(method)],
        "examples": list(_examples(method)),
        "x-rate": method.rate,
        "x-needs-session": method.needs_session,
    }


def _examples(method: Method) -> Iterator[Schema]:
    """The answered calls of the method in its worked frames, as pairings."""
    for conversation in conversations():
        if conversation.subject != method.name:
            continue
        frames = list(conversation.frames())
        for line, request in frames:
            if line.kind != ">" or request["method"] != method.name or "id" not in request:
                continue
            for other, answer in frames:
                if (
                    other.kind + other.actor == "<" + line.actor
                    and "result" in answer
                    and answer["id"] == request["id"]
                ):
                    yield _pairing(conversation.setting, request, answer)
                    return


def _pairing(setting: str, request: Schema, answer: Schema) -> Schema:
    return {
        "name": request["method"],
        "description": setting,
        "params": [{"name": name, "value": value} for name, value in request["params"].items()],
        "result": {"name": "result", "value": answer["result"]},
    }
