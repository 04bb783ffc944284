"""Hints: what processes tell each other of entries. They may be lost, late or out of order: then the log is read."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from realtime.layer import Layer, stream_group
from realtime.streams import StreamHead, StreamKey, entries_size

if TYPE_CHECKING:
    from realtime.hub import Hub

LAYER_BYTES: Final = 256 * 1024
FRESH_MS: Final = 2_000
"""How old what is known of an inbox may be when it is pushed. What is older may have been withdrawn, its sender
answered that it has not arrived: it is read (again)."""


class Hints:
    def __init__(self, hub: "Hub", *, layer: Layer, node: str, clock_ms: Callable[[], int]) -> None:
        self._hub = hub
        self._layer = layer
        self._node = node
        self._clock_ms = clock_ms

    def announce(self, key: StreamKey, head: StreamHead, entries: Sequence[tuple[int, str]], ts: int) -> None:
        """One layer message for a stream's part of a group, committed at `ts` (ms since 1970); the cost grows with
        processes, not members."""
        if not self._hub.shared:
            return
        message: dict[str, Any] = {
            "kind": "entries",
            "node": self._node,
            "project": key[0],
            "stream": key[1],
            "id": head.id,
            "epoch": head.epoch,
            "head": entries[-1][0],
            "ts": ts,
        }
        if entries_size(entries) <= LAYER_BYTES:
            message["entries"] = [[seq, text] for seq, text in entries]
        self._layer.send(stream_group(key), message)

    def receive(self, message: Mapping[str, Any]) -> None:
        """Entries that another process committed, or (when they were too large) that there are some."""
        hub = self._hub
        stream = hub.live.get((message["project"], message["stream"]))
        if stream is None or message["node"] == self._node:
            return
        head = StreamHead(message["id"], message["epoch"], message["head"])
        entries = message.get("entries")
        if stream.is_inbox:
            stream.origins[message["node"]] = head.head
            if self.is_late(message["ts"]):
                entries = None
        if not head.epoch:  # the sender has nobody in the stream and does not know
            hub.repairs.start(stream)
            return
        if stream.id is None:
            hub.identify(stream, head)
        elif stream.epoch != head.epoch:
            return  # an old hint, or the first news of a restored database: the head check tells which
        for seq, text in entries or ():
            hub.publish(stream, seq, text)
        hub.flush()
        if stream.cursor is not None and head.head > stream.cursor and entries is None:
            hub.repairs.start(stream)

    def is_late(self, ts: int) -> bool:
        """Whether what was known of an inbox at `ts` (ms since 1970) is too old to be pushed."""
        return self._clock_ms() - ts > FRESH_MS
