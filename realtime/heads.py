"""The head check: an entry whose publisher died, or that a command wrote, is never stuck."""

from typing import TYPE_CHECKING, Final

from realtime.streams import LiveStream, StreamHead, StreamStore

if TYPE_CHECKING:
    from realtime.hub import Hub

HEAD_CHECK_S: Final = 2.0
INBOXES_CHECKED: Final = 5_000
"""In one head check; up to so many users are checked each time."""


class HeadCheck:
    def __init__(self, hub: "Hub", store: StreamStore) -> None:
        self._hub = hub
        self._store = store
        self._inboxes_checked = 0

    async def check(self) -> None:
        """Compares the live streams with their rows, and has what is missing read."""
        due = self._due_for_check()
        with_row = {stream.id: (stream, stream.cursor) for stream in due if stream.id is not None}
        without = [stream for stream in due if stream.id is None and stream.cursor is not None]
        heads = await self._store.heads(list(with_row)) if with_row else {}
        for stream_id, (stream, passed) in with_row.items():
            if (head := heads.get(stream_id)) is not None:
                self._compare(stream, head, passed or 0)
            elif self._hub.live.get(stream.key) is stream:
                self._lose_row(stream)
        found = await self._store.find([stream.key for stream in without]) if without else {}
        for stream in without:
            if (head := found.get(stream.key)) is not None:
                self._compare(stream, head)

    def _due_for_check(self) -> list[LiveStream]:
        """Every room, and inboxes in turn: of those there are as many as users."""
        rooms = [stream for stream in self._hub.live.values() if not stream.is_inbox]
        inboxes = [stream for stream in self._hub.live.values() if stream.is_inbox]
        if len(inboxes) > INBOXES_CHECKED:
            start = self._inboxes_checked % len(inboxes)
            inboxes = (inboxes[start:] + inboxes[:start])[:INBOXES_CHECKED]
            self._inboxes_checked = start + INBOXES_CHECKED
        return rooms + inboxes

    def _lose_row(self, stream: LiveStream) -> None:
        stream.id = None
        stream.epoch = ""
        self._hub.reset(stream, StreamHead(0, "", 0))
        self._hub.fanout.pump()

    def _compare(self, stream: LiveStream, head: StreamHead, passed: int = 0) -> None:
        """`passed`: the cursor before the head was read. All of it had been committed, so that a lower head is
        that of a copy which took over and lacks the last commits: their seqs will be used again."""
        if self._hub.live.get(stream.key) is not stream or stream.cursor is None:
            return
        if stream.id == head.id and stream.epoch == head.epoch and head.head < passed <= stream.cursor:
            self._hub.reset(stream, head)
        self._hub.identify(stream, head)
        if head.head > stream.cursor:
            self._hub.repairs.start(stream)
