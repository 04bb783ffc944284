"""A room of a resuming client: one cursor that only entries in order move, and an outbox.

The wire's rules as a good SDK keeps them (docs/contract.md 5). Whatever breaks the server's part of them goes
into the ledger as a breach.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from tests.support.ledger import Delivery, Sent, Stay
from tests.support.link import Failure, Json, Refused, Settle

if TYPE_CHECKING:
    from tests.support.resuming import ResumingClient

WINDOW: Final = 16
"""Messages under way at once."""


class MemberRoom:
    """Wanted from `client.join` to `client.leave`; `entered` while the server has us in on this connection."""

    def __init__(self, client: "ResumingClient", name: str) -> None:
        self._client = client
        self.name = name
        self.stream = f"room:{name}"
        self.stay: Stay | None = None
        self.seq = 0
        self.epoch = ""
        self.entered = asyncio.Event()
        self.live = False
        self.members: set[str] = set()
        self.refused: Failure | None = None
        self._reading = False
        self._life = 0
        self._outbox: dict[str, bool] = {}
        self._paused = False

    # -- coming and going --------------------------------------------------------------------------------

    @property
    def cursor(self) -> Json | None:
        """None before the first join. While the epoch is not known, the beginning: everything was seen since
        the stream was empty, and what comes again is dropped."""
        if self.stay is None:
            return None
        return {"seq": self.seq if self.epoch else 0, "epoch": self.epoch}

    def connected(self, page: Json | None) -> None:
        """A login succeeded; `page`: what it says of this stream, if the session is still subscribed."""
        self._life += 1
        self._reading = self._paused = False
        if page is None or self.stay is None:
            self._enter()
            return
        self._take_page(page)
        self._entered()

    async def call(self, method: str, **params: Any) -> Json:
        """A call that may run twice, for members only: where it finds us outside, it waits until we are in."""
        while True:
            await self._client.join(self.name)
            try:
                return await self._client.call(method, room=self.name, **params)
            except Refused as refused:
                if refused.name != "not_in_room" or self.entered.is_set():
                    raise

    def disconnected(self) -> None:
        self._life += 1
        self.live = False
        self._paused = False
        self.entered.clear()
        self._outbox = dict.fromkeys(self._outbox, False)

    def _enter(self) -> None:
        params: Json = {"room": self.name}
        if (cursor := self.cursor) is not None:
            params["after"] = cursor
        self._request("room.join", params, self._joined)

    def _joined(self, failure: Failure | None, result: Json) -> None:
        note = failure or {name: result.get(name) for name in ("head", "recovered", "live")}
        self._client.ledger.note(f"joined {self.name}: {note}")
        if failure is not None:
            if failure.retryable:
                self._later(failure, self._enter)
            else:
                self.refused = failure
                self.entered.set()
            return
        if self.stay is None:
            self.seq, self.epoch, self.live = result["head"], result["epoch"], result["live"]
            self.stay = Stay(self.name, self.epoch, self.seq)
            self._client.ledger.stays.append(self.stay)
            if not self.live:
                self._read()
        else:
            self._take_page(result)
        self._entered()

    def _entered(self) -> None:
        self.entered.set()
        self._refresh_members()
        self._pump()

    def _refresh_members(self) -> None:
        self._request("room.members", {"room": self.name}, self._members)

    def _members(self, failure: Failure | None, result: Json) -> None:
        if failure is None:
            self.members = set(result["members"])
            self._client.ledger.note(f"members of {self.name}: {sorted(self.members)}")
        elif failure.retryable:
            self._later(failure, self._refresh_members)
        else:
            self._breach(f"room.members of a joined room: {failure}")

    # -- entries -----------------------------------------------------------------------------------------

    def push(self, method: str, entry: Json) -> None:
        if self.stay is None:
            return  # pushed before the answer to the join: the answer's head covers it
        if not self.live:
            self._breach(f"#{entry['seq']} was pushed while the stream was catching up at {self.seq}")
        elif entry["seq"] != self.seq + 1:
            self._breach(f"#{entry['seq']} was pushed at {self.seq}")
            self._read()
        else:
            self._deliver(entry)
            if not self.epoch:  # pushes do not tell it, pages do
                self._read()

    def _deliver(self, entry: Json) -> None:
        assert self.stay is not None
        if entry["seq"] <= self.seq:
            return
        self.seq = entry["seq"]
        self.stay.deliveries.append(Delivery(entry["seq"], entry["sender"], entry["message_id"]))

    def _read(self) -> None:
        if not self._reading:
            self._reading = True
            self._request("stream.read", {"stream": self.stream, "after": self.seq}, self._page)

    def _page(self, failure: Failure | None, result: Json) -> None:
        self._reading = False
        if failure is None:
            self._take_page(result)
        elif failure.retryable:
            self._later(failure, self._read)
        else:
            self._breach(f"stream.read of a joined room: {failure}")

    def _take_page(self, page: Json) -> None:
        """The server's word on what follows the cursor."""
        assert self.stay is not None
        entries, epoch = page["entries"], page["epoch"]
        if self.epoch and epoch != self.epoch:
            self._breach(f"epoch {self.epoch} became {epoch}")
        self.epoch = self.stay.epoch = epoch
        if not page.get("recovered", True):
            start = entries[0]["seq"] - 1 if entries else page["head"]
            self.stay.gaps.append((self.seq, start))
            self.seq = start
        for entry in entries:
            if entry["seq"] > self.seq + 1:
                self._breach(f"a page had #{entry['seq']} at {self.seq}")
            self._deliver(entry)
        self.live = page["live"]
        if not self.live:
            self._read()

    # -- messages ----------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Messages without an answer."""
        return len(self._outbox)

    def send(self, text: str) -> str:
        """Into the outbox, until it is answered or discarded; its message id."""
        message_id = self._client.make_message_id()
        body = {"type": "TEXT", "text": text}
        self._client.ledger.sent[message_id] = Sent(self.name, "room.sent", body)
        self._outbox[message_id] = False
        self._pump()
        return message_id

    def discard(self, message_id: str) -> None:
        """Not to be sent again. It may have arrived, or arrive still."""
        self._outbox.pop(message_id, None)

    def _pump(self) -> None:
        under_way = sum(self._outbox.values())
        for message_id, is_under_way in list(self._outbox.items()):
            if under_way >= WINDOW or self._paused or not self.entered.is_set():
                return
            if not is_under_way:
                self._outbox[message_id] = True
                under_way += 1
                self._send(message_id)

    def _send(self, message_id: str) -> None:
        def settle(failure: Failure | None, result: Json) -> None:
            if failure is None:
                self._client.ledger.acknowledge(message_id, result["seq"])
                self._outbox.pop(message_id, None)
                self._pump()
                return
            if message_id in self._outbox:
                self._outbox[message_id] = False
                self._client.ledger.resent += 1
            if failure.retryable:
                self._paused = True
                self._later(failure, self._go_on)
            elif self._outbox.pop(message_id, None) is not None:
                self._breach(f"{message_id} was refused: {failure}")

        message = self._client.ledger.sent[message_id].body
        self._request("room.send", {"room": self.name, "message_id": message_id, "message": message}, settle)

    def _go_on(self) -> None:
        self._paused = False
        self._pump()

    # -- small parts -------------------------------------------------------------------------------------

    def _request(self, method: str, params: Json, settle: Settle) -> None:
        """The answer counts only in the life of the connection, or of the stay, it was asked in."""
        life = self._life

        def settle_now(failure: Failure | None, result: Json) -> None:
            if life == self._life:
                settle(failure, result)

        self._client.request(method, params, settle_now)

    def _later(self, failure: Failure, action: Callable[[], None]) -> None:
        life = self._life
        delay_s = failure.retry_after_s or self._client.random.uniform(0.05, 0.6)

        def act() -> None:
            if life == self._life:
                action()

        asyncio.get_running_loop().call_later(delay_s, act)

    def forget(self) -> None:
        """Left: nothing that is still on its way concerns us."""
        self._life += 1
        self._outbox.clear()
        if self.stay is not None:
            self.stay.ended = True

    def _breach(self, what: str) -> None:
        self._client.ledger.breach(f"{self.name}: {what}")
