"""Capabilities: what a client says at its login that it can take (docs/contract.md 4).

An event may need one (`registry.event`). To a client without it such an entry is `stream.skipped`, in the same place of
the stream: so its cursor moves on, and the log stays one for all.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from realtime.registry import EVENTS

SKIPPED: Final = "stream.skipped"
EVENT_AT: Final = len('{"jsonrpc":"2.0","method":"')
"""Where the event's name begins in the text of an entry (`streams.entry_text`)."""

Entries = list[tuple[int, str]]
"""Each with its seq."""


def known_capabilities(named: Iterable[str]) -> str:
    """Of those that a client names the ones that some event needs: sorted, with blanks between."""
    return " ".join(sorted({event.needs for event in EVENTS.values() if event.needs is not None}.intersection(named)))


@lru_cache(maxsize=64)
def withheld_events(capabilities: str) -> frozenset[str]:
    """The events that a client with these known capabilities is not given."""
    held = capabilities.split()
    return frozenset(event.name for event in EVENTS.values() if event.needs is not None and event.needs not in held)


def is_for_some(entries: Entries) -> bool:
    """Whether one of the entries needs a capability."""
    return not withheld_events("").isdisjoint([_event_of(text) for _, text in entries])


def shown(entries: Entries, withheld: frozenset[str]) -> Entries:
    """The entries as they are told to a client that is not given some events."""
    if not withheld:
        return entries
    return [(seq, _skipped(text) if _event_of(text) in withheld else text) for seq, text in entries]


def _event_of(text: str) -> str:
    return text[EVENT_AT : text.index('"', EVENT_AT)]


def _skipped(text: str) -> str:
    """The body is left out. What is before it are names and strings in JSON, whose quotes are escaped."""
    params = text[text.index('"', EVENT_AT) : text.index(',"body":')]
    return f'{text[:EVENT_AT]}{SKIPPED}{params},"body":{{}}}}}}'
