"""The protocol as an OpenRPC document, built from the registry."""

from typing import Any, Final

import msgspec

from realtime.errors import ERRORS
from realtime.registry import EVENTS, METHODS

PROTOCOL_VERSION: Final = "1.0.0"


def build_openrpc() -> dict[str, Any]:
    """One document for every method, with JSON Schemas of params and results, and the error table."""
    names = sorted(METHODS)
    shapes = [shape for name in names for shape in (METHODS[name].params, METHODS[name].result)]
    events = sorted(EVENTS)
    shapes += [EVENTS[name][0] for name in events]
    schemas, components = msgspec.json.schema_components(
        shapes, schema_hook=_schema_hook, ref_template="#/components/schemas/{name}"
    )
    by_shape = dict(zip(shapes, schemas, strict=True))
    return {
        "openrpc": "1.3.2",
        "info": {"title": "Rostrum RTM", "version": PROTOCOL_VERSION},
        "servers": [{"name": "websocket", "url": "/rtm/ws"}],
        "methods": [_method(name, by_shape) for name in names],
        "x-events": {name: {"params": by_shape[EVENTS[name][0]]} for name in events},
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


def _method(name: str, by_shape: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    declared = METHODS[name]
    return {
        "name": name,
        "description": declared.doc,
        "paramStructure": "by-name",
        "params": [{"name": "params", "schema": by_shape[declared.params]}],
        "result": {"name": "result", "schema": by_shape[declared.result]},
        "x-rate": declared.rate,
        "x-needs-session": declared.needs_session,
    }


def _schema_hook(kind: type) -> dict[str, Any]:
    if kind is msgspec.Raw:
        return {}
    raise NotImplementedError(kind)
