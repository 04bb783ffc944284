"""What higher apps know of files in messages: which streams a session may read besides its inbox, and how long what is
sent to a stream is kept. They register it when Django's apps are ready."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta

from realtime.session import Session

StreamsOf = Callable[[Session], Iterable[str]]
"""The names of streams."""
LivesIn = Callable[[int, Collection[str]], Mapping[str, timedelta]]
"""Of a project's streams by name, those that have a life of their own. Runs in a transaction."""

_readable: list[StreamsOf] = []
_lives: list[LivesIn] = []


def add_readable_streams(streams_of: StreamsOf) -> None:
    _readable.append(streams_of)


def add_lives(lives_in: LivesIn) -> None:
    _lives.append(lives_in)


def readable_streams(session: Session) -> tuple[str, ...]:
    """Memory only."""
    return tuple(name for streams_of in _readable for name in streams_of(session))


def lives_of(project_id: int, streams: Collection[str]) -> dict[str, timedelta]:
    """How long a file is kept at least when it is sent to these streams; those without a life of their own are left
    out."""
    return {name: life for lives_in in _lives for name, life in lives_in(project_id, streams).items()}
