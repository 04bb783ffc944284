"""Worked frames: short conversations that `docs/protocol.md` shows and a test replays against the real gateway.

An app keeps its own in `examples.py`. A conversation is text, one line each:

    ann > {...}            ann's client sends a frame
    ann < {...}            ann's client receives a message
    ann x 1000             the server closes ann's connection with this code
    ann ~                  ann's connection is lost
    * Something happens.   a stage direction; the test knows how to make it happen

A line that begins with a blank continues the one before.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.module_loading import autodiscover_modules

_LINE: Final = re.compile(r"(?:(\w+) ([<>x~])|(\*)) ?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Given:
    """A call that was made before a conversation begins; its answer is of no interest."""

    actor: str
    method: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """`actor` is "" for a stage direction (kind `*`); `messages` are those of a frame, one or a batch."""

    actor: str
    kind: str
    text: str
    messages: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """`subject`: the method it is about, or a word of the page's own. `setting`: what `given` has led to, for
    people."""

    subject: str
    title: str
    setting: str
    given: tuple[Given, ...]
    text: str
    lines: tuple[Line, ...]

    def frames(self) -> Iterator[tuple[Line, dict[str, Any]]]:
        """Each message with its line."""
        for line in self.lines:
            for message in line.messages:
                yield line, message


CONVERSATIONS: Final[list[Conversation]] = []


def add_conversation(
    subject: str, text: str, *, title: str = "", setting: str = "", given: Sequence[Given] = ()
) -> None:
    """Registers worked frames. Raises ValueError for a line that is none, or whose frame is no JSON."""
    text = text.strip("\n")
    CONVERSATIONS.append(Conversation(subject, title, setting, tuple(given), text, tuple(_parse(text))))


def conversations() -> Sequence[Conversation]:
    """Those of every installed app."""
    autodiscover_modules("examples")
    return CONVERSATIONS


def shown_event(name: str) -> str | None:
    """The text of the first frame with which a conversation shows an event; None if none does."""
    for conversation in conversations():
        for line, message in conversation.frames():
            if line.kind == "<" and message.get("method") == name:
                return line.text
    return None


def _parse(text: str) -> Iterator[Line]:
    for line in re.split(r"\n(?! )", text):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a line of a conversation: {line!r}")
        actor, kind, star, rest = match.groups()
        if kind in ("<", ">"):
            yield Line(actor, kind, rest, _messages(rest))
        else:
            yield Line(actor or "", kind or star, rest)


def _messages(frame: str) -> tuple[dict[str, Any], ...]:
    """Of a frame. One that is to be refused as no JSON has none."""
    try:
        value = json.loads(frame)
    except ValueError:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)
