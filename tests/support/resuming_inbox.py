"""The inbox of a resuming client: one cursor, which skips what is hidden, and acknowledgements (docs/contract.md 5)."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.inbox_ledger import HandedOver
from tests.support.link import Failure, Json

if TYPE_CHECKING:
    from tests.support.resuming import ResumingClient


class Inbox:
    """It comes with each login. `on_entry` is called with whatever is handed over."""

    def __init__(self, client: "ResumingClient", on_entry: Callable[[HandedOver], None]) -> None:
        self._client = client
        self._on_entry = on_entry
        self.seq = 0
        self.epoch = ""
        self.live = False
        self._told = 0
        """The newest seq of this connection: a client that comes to another process may be ahead of it."""
        self._asked_s = 0.0
        self._life = 0
        self._is_due = False

    def ask(self) -> None:
        """The login is about to be sent."""
        self._asked_s = asyncio.get_running_loop().time()

    def connected(self, page: Json) -> None:
        """A login succeeded; `page`: what it says of the inbox."""
        self._life += 1
        self._told = 0
        self._is_due = False
        self._take_page(page, self._asked_s)

    def disconnected(self) -> None:
        self._life += 1
        self.live = False

    def push(self, event: str, entry: Json) -> None:
        if not self.live:
            self._breach(f"#{entry['seq']} was pushed while the inbox was catching up at {self._told}")
        self._take(event, entry, self._asked_s)

    def _take_page(self, page: Json, asked_s: float) -> None:
        if self.epoch and page["epoch"] != self.epoch:
            self._breach(f"epoch {self.epoch} became {page['epoch']}")
        self.epoch = page["epoch"]
        for entry in page["entries"]:
            self._take(entry["event"], entry, asked_s)
        self.live = page["live"]
        if not self.live:
            self._read()

    def _take(self, event: str, entry: Json, asked_s: float) -> None:
        seq = entry["seq"]
        if seq <= self._told:
            self._breach(f"#{seq} came after #{self._told} on one connection")
        self._told = seq
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._acknowledge, self._life)
        if seq <= self.seq:
            self._client.ledger.inbox.repeats += 1
            return
        self.seq = seq
        handed = HandedOver(seq, event, entry["sender"], entry["message_id"], entry["body"], asked_s)
        self._client.ledger.inbox.handed.append(handed)
        self._on_entry(handed)

    def _acknowledge(self, life: int) -> None:
        """After each frame with entries."""
        if life == self._life:
            self._is_due = False
            self._client.notify("inbox.ack", seq=self.seq)

    def _read(self) -> None:
        life, asked_s = self._life, asyncio.get_running_loop().time()

        def settle(failure: Failure | None, page: Json) -> None:
            if life != self._life:
                return
            if failure is None:
                self._take_page(page, asked_s)
            elif failure.retryable:
                delay_s = failure.retry_after_s or self._client.random.uniform(0.05, 0.6)
                asyncio.get_running_loop().call_later(delay_s, self._read_again, life)
            else:
                self._breach(f"stream.read of the inbox: {failure}")

        stream = f"inbox:{self._client.uid}"
        self._client.request("stream.read", {"stream": stream, "after": max(self.seq, self._told)}, settle)

    def _read_again(self, life: int) -> None:
        if life == self._life:
            self._read()

    def _breach(self, what: str) -> None:
        self._client.ledger.breach(f"inbox: {what}")
