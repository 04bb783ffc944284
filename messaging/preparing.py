"""Appends that wait for something to be found out first: whether their sender may use the file of the message, and what
the message says of it (`messaging.media.uses`)."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from messaging.journal import Append
from messaging.media.uses import Outcome, use_media
from messaging.selectors import from_ms
from realtime.errors import EXPIRED, OUT_OF_TURN, UNAVAILABLE, RpcError
from realtime.runtime import Runtime
from realtime.streams import StreamKey

logger = logging.getLogger(__name__)

GROUP: Final = 100
"""Files that one transaction looks at."""

Place = tuple[StreamKey, str]
"""A stream and a sender."""


class Preparations:
    """What one sender sends to one stream meanwhile stands in a line behind it, so that the order stays. Nobody else
    waits: a project's files are looked at in groups, one at a time, each in one transaction.

    Lines are as long as what their senders may have in work: every append in one has its request unanswered.
    """

    def __init__(
        self, runtime: Runtime, *, submit: Callable[[Append], None], answered: Callable[[list[Append]], None]
    ) -> None:
        """`submit` takes what may be written, `answered` what is refused or was written before."""
        self._runtime = runtime
        self._submit = submit
        self._answered = answered
        self.lines: dict[Place, deque[Append]] = {}
        self._wanted: dict[int, list[Append]] = {}
        """By project; there while a group of it is in work."""
        self.tasks: set[asyncio.Task[None]] = set()

    def line_up(self, append: Append) -> None:
        """Takes an append whose stream has a row."""
        place = (append.key, append.sender)
        line = self.lines.get(place)
        if line is not None:
            line.append(append)
        elif append.file is None:
            self._submit(append)
            return
        else:
            self.lines[place] = deque([append])
        if append.file is not None:
            self._want(append.key[0], append)

    def _want(self, project: int, append: Append) -> None:
        wanted = self._wanted.get(project)
        if wanted is not None:
            wanted.append(append)
            return
        self._wanted[project] = [append]
        task = self._runtime.hub.spawn(self._work(project))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _work(self, project: int) -> None:
        try:
            while wanted := self._wanted[project]:
                self._wanted[project] = wanted[GROUP:]
                await self._prepare(project, wanted[:GROUP])
        finally:
            del self._wanted[project]

    async def _prepare(self, project: int, group: Sequence[Append]) -> None:
        wanted = [append for append in group if not _is_over(append)]
        outcomes = await self._find_out(project, wanted) if wanted else []
        for append, outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, str):
                append.fill(outcome)
            elif isinstance(outcome, RpcError):
                append.fail(outcome)
            else:
                append.repeat(*outcome)
        answered = [append for append in group if append.error is not None or append.duplicate]
        for append in answered:
            append.file = None
        for place in {(append.key, append.sender) for append in group}:
            self._move_up(place)
        self._answered(answered)

    async def _find_out(self, project: int, appends: Sequence[Append]) -> Sequence[Outcome]:
        now = from_ms(self._runtime.clock_ms())
        try:
            return await self._runtime.bridge.write(use_media, project_id=project, appends=appends, now=now)
        except RpcError as error:
            failure = error
        except Exception:
            logger.exception("%d messages with files could not be prepared", len(appends))
            failure = RpcError(UNAVAILABLE)
        return [failure] * len(appends)

    def _move_up(self, place: Place) -> None:
        """Hands over what stands before the next one that is still to be looked at."""
        line = self.lines[place]
        while line and line[0].file is None:
            append = line.popleft()
            if append.error is None and not append.duplicate:
                self._submit(append)
        if not line:
            del self.lines[place]


def _is_over(append: Append) -> bool:
    """Its client has given it up, or one before it in its run was refused for now."""
    if append.expires_s < time.monotonic():
        append.fail(RpcError(EXPIRED))
    elif append.run is not None and append.run.is_broken:
        append.fail(RpcError(OUT_OF_TURN))
    return append.error is not None
