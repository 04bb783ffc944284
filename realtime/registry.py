"""The method registry: a method is declared once, by decorator, with its params and its rate bucket."""

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from realtime.errors import ErrorKind

if TYPE_CHECKING:
    from realtime.calls import Call


class Deferred:
    """What a handler returns that has replied, or whose reply comes from elsewhere."""


DEFERRED: Final = Deferred()

P = TypeVar("P", bound=msgspec.Struct)
Answer = msgspec.Struct | Deferred
Handler = Callable[["Call", Any], Answer | Coroutine[Any, Any, Answer]]


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC method: `rate` names the bucket that a call spends, None for free ones. `errors`: those of its own,
    beside what any request may be answered with."""

    name: str
    params: type[msgspec.Struct]
    result: type[msgspec.Struct]
    rate: str | None
    needs_session: bool
    is_async: bool
    handler: Handler
    errors: tuple[ErrorKind, ...]
    doc: str
    decode: Callable[[msgspec.Raw], msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Event:
    """A notification that the server sends. `needs`: the capability without which a client does not get it."""

    name: str
    params: type[msgspec.Struct]
    doc: str
    needs: str | None = None


METHODS: Final[dict[str, Method]] = {}
EVENTS: Final[dict[str, Event]] = {}


def method(
    name: str,
    *,
    params: type[P],
    result: type[msgspec.Struct],
    rate: str | None = "session",
    needs_session: bool = True,
    errors: tuple[ErrorKind, ...] = (),
) -> Callable[[Callable[["Call", P], Any]], Callable[["Call", P], Any]]:
    """Declares `name`. A plain function answers in the same turn of the loop; a coroutine function's calls
    run one after the other for each connection."""

    def register(handler: Callable[["Call", P], Any]) -> Callable[["Call", P], Any]:
        if name in METHODS:
            raise RuntimeError(f"method {name} is declared twice")
        METHODS[name] = Method(
            name=name,
            params=params,
            result=result,
            rate=rate,
            needs_session=needs_session,
            is_async=inspect.iscoroutinefunction(handler),
            handler=handler,
            errors=errors,
            doc=inspect.getdoc(handler) or "",
            decode=msgspec.json.Decoder(params).decode,
        )
        return handler

    return register


def event(name: str, params: type[msgspec.Struct], *, needs: str | None = None) -> str:
    """Declares a notification; returns its name. One that `needs` a capability is an entry: clients without it get
    `stream.skipped` in its place."""
    EVENTS[name] = Event(name, params, inspect.getdoc(params) or "", needs)
    return name
