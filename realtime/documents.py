"""The documents that are generated: `docs/openrpc.json` and `docs/protocol.md` from the registry, `docs/limits.md` from
the table of limits.

The pages' prose is in templates of their names; names, tables, numbers and frames are put in.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final, get_args, get_type_hints

from django.template.loader import render_to_string

from projects.limits import CEILINGS, RATES, Rate, Sizes
from projects.models import Project
from realtime import connection, consumer, methods, pressure, protocol, silence, streams, tokens
from realtime.close_codes import CLOSE_CODES
from realtime.conversations import Conversation, conversations, shown_event
from realtime.errors import ERRORS
from realtime.openrpc import Schema, build_openrpc, one_line, resolve, struct_doc
from realtime.presence import PresenceTiming
from realtime.registry import EVENTS, METHODS, Method
from realtime.schema_text import fields_table, table

OTHER_SPENDERS: Final = {
    "login": "`session.login`, by uid",
    "join_same_room": "`room.join`, by session and room",
    "client_logs": "`POST /rtm/logs`, by project",
    "rest_peer_messages": "REST: peer messages, by project",
    "rest_room_messages": "REST: room messages, by project",
    "rest_events": "REST: each query of events, by project",
    "rest_calls": "REST: everything else, by project",
}
"""Rate buckets that no method's declaration names."""
SPENT_BY_REST: Final = {
    "message": "messages by REST",
    "members": "members by REST",
    "member_counts": "member counts by REST",
    "set_room_attributes": "their changes by REST",
    "get_room_attributes": "reading them by REST",
    "history": "history by REST",
    "session": "everything else by REST",
}
"""What a user with a token does there."""


def build_documents() -> dict[str, str]:
    """The text of each generated document, by its name in `docs/`."""
    return {
        "openrpc.json": json.dumps(build_openrpc(), indent=2, ensure_ascii=False) + "\n",
        "protocol.md": _tidy(render_to_string("realtime/protocol.md", _context())),
        "limits.md": _tidy(render_to_string("realtime/limits.md", _limits())),
    }


def _tidy(text: str) -> str:
    """Without the blank lines that the template's tags leave."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def _context() -> dict[str, Any]:
    document = build_openrpc()
    components = document["components"]["schemas"]
    described = {each["name"]: each for each in document["methods"]}
    timing = PresenceTiming()
    return {
        "methods": [_method(method, described[method.name], components) for method in _in_order()],
        "events": [
            {
                "name": event["name"],
                "doc": event["description"],
                "needs": event["needs"],
                "fields": fields_table(resolve(event["params"], components)),
                "frame": shown_event(event["name"]),
            }
            for event in document["x-events"]
        ],
        "shapes": [
            {"name": name, "doc": one_line(schema.get("description", "")), "fields": fields_table(schema)}
            for name, schema in _shared(document).items()
        ],
        "shown": {word: _shown(word) for word in ("batches", "capabilities", "errors", "recovery")},
        "capabilities": table(("capability", "events that need it"), _capabilities()),
        "errors": table(
            ("code", "name", "again?", "meaning"),
            ((str(kind.code), f"`{kind.name}`", _yes(kind.retryable), kind.meaning) for kind in ERRORS),
        ),
        "close_codes": table(
            ("code", "name", "reconnect?", "meaning"),
            ((str(close.code), f"`{close.name}`", _yes(close.reconnect), close.meaning) for close in CLOSE_CODES),
        ),
        "rates": table(("bucket", "calls", "spent by"), _rates()),
        "sizes": table(("name", "at most", "of what"), _sizes()),
        "frame_kib": protocol.MAX_FRAME_BYTES // 1024,
        "max_batch": protocol.MAX_BATCH,
        "max_cursors": methods.MAX_CURSORS,
        "heartbeat_s": methods.HEARTBEAT_MS // 1000,
        "ack_bytes": f"{connection.ACK_BYTES:,}",
        "unacknowledged": f"{connection.UNACKNOWLEDGED_LIMIT:,}",
        "login_timeout_s": round(silence.LOGIN_TIMEOUT_S),
        "token_warning_s": tokens.TOKEN_WARNING_MS // 1000,
        "unreachable_s": timing.unreachable_ms // 1000,
        "removal_s": timing.removal_ms // 1000,
        "page_kib": streams.PAGE_BYTES // 1024,
        "work_requests": pressure.CONNECTION_REQUESTS,
        "work_kib": pressure.CONNECTION_BYTES // 1024,
        "max_connections": f"{consumer.MAX_CONNECTIONS:,}",
        "error_rate": _rate_text(connection.ERROR_RATE),
    }


def _in_order() -> list[Method]:
    """The methods as their worked frames order them; those without any last."""
    shown = dict.fromkeys(conversation.subject for conversation in conversations())
    return [METHODS[name] for name in dict.fromkeys([*shown, *METHODS]) if name in METHODS]


def _method(method: Method, described: Schema, components: Mapping[str, Schema]) -> dict[str, Any]:
    facts = []
    if method.rate is not None:
        facts.append(f"Bucket `{method.rate}`: {_rate_text(RATES[method.rate])}.")
    if method.errors:
        facts.append(f"Errors of its own: {', '.join(f'`{kind.name}`' for kind in method.errors)}.")
    params = {
        "properties": {each["name"]: each["schema"] for each in described["params"]},
        "required": [each["name"] for each in described["params"] if each["required"]],
    }
    result = resolve(described["result"]["schema"], components)
    return {
        "name": method.name,
        "doc": one_line(method.doc),
        "facts": " ".join(facts),
        "params_doc": struct_doc(method.params),
        "params": fields_table(params),
        "result_doc": struct_doc(method.result),
        "result": fields_table(result),
        "conversations": _shown(method.name),
    }


def _shown(subject: str) -> list[Conversation]:
    return [conversation for conversation in conversations() if conversation.subject == subject]


def _shared(document: Schema) -> dict[str, Schema]:
    """The components that have no place of their own: neither a result nor an event."""
    described = [each["result"]["schema"] for each in document["methods"]]
    described += [each["params"] for each in document["x-events"]]
    placed = {schema["$ref"].rpartition("/")[2] for schema in described}
    return {name: each for name, each in document["components"]["schemas"].items() if name not in placed}


def _capabilities() -> Iterator[tuple[str, ...]]:
    for capability in sorted({event.needs for event in EVENTS.values() if event.needs is not None}):
        needing = sorted(name for name, event in EVENTS.items() if event.needs == capability)
        yield f"`{capability}`", ", ".join(f"[`{name}`](#{name.replace('.', '')})" for name in needing)


def _rates() -> Iterator[tuple[str, ...]]:
    for name, rate in RATES.items():
        spenders = sorted(f"`{method.name}`" for method in METHODS.values() if method.rate == name)
        spenders += [text for text in (OTHER_SPENDERS.get(name), SPENT_BY_REST.get(name)) if text is not None]
        yield f"`{name}`", _rate_text(rate), ", ".join(spenders)


def _sizes() -> Iterator[tuple[str, ...]]:
    hints = get_type_hints(Sizes, include_extras=True)
    for field in fields(Sizes):
        assert isinstance(field.default, int)
        _, meaning = get_args(hints[field.name])
        yield f"`{field.name}`", _size_text(field.name, field.default), meaning


def _quotas() -> Iterator[tuple[str, ...]]:
    for field in Project._meta.fields:
        if field.name.endswith("_quota"):
            yield f"`{field.name}`", f"{field.default:,}", str(field.help_text)


def _limits() -> dict[str, str]:
    return {
        "rates": table(("rate", "calls", "spent by"), _rates()),
        "sizes": table(
            ("size", "at most", "a project may set it up to", "of what"),
            (
                (name, default, _size_text(name.strip("`"), getattr(CEILINGS, name.strip("`"))), meaning)
                for name, default, meaning in _sizes()
            ),
        ),
        "quotas": table(("quota", "at first", "of what"), _quotas()),
    }


def _size_text(name: str, size: int) -> str:
    return f"{size:,}{' bytes' if name.endswith('_bytes') else ''}"


def _rate_text(rate: Rate) -> str:
    window = f"{rate.window_ms // 1000} s" if rate.window_ms != 1000 else "second"
    return f"{rate.calls:,} per {window}"


def _yes(yes: bool) -> str:
    return "yes" if yes else "no"
