"""Peer messages of a resuming client: each sent under one id until it is answered, whoever the session is by then."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tests.support.inbox_ledger import PeerSent
from tests.support.link import Failure, Json

if TYPE_CHECKING:
    from tests.support.resuming import ResumingClient

WINDOW: Final = 32
"""Messages under way at once: an answer may take 9 s."""
NEVER: Final = ("invalid_params", "limit_exceeded", "rejected", "size_overflow")
"""What `failed` may not say of a peer here."""


class Post:
    """Its outbox has the message ids without an answer, each with the peers it is still to be sent to."""

    def __init__(self, client: "ResumingClient") -> None:
        self._client = client
        self._outbox: dict[str, list[str]] = {}
        self._under_way: set[str] = set()
        self._life = 0
        self._is_up = self._is_paused = False

    @property
    def waiting(self) -> int:
        """Messages without an answer."""
        return len(self._outbox)

    def send(self, peers: Sequence[str], text: str, *, offline: bool) -> None:
        message_id = self._client.make_message_id()
        body: Json = {"message": {"type": "TEXT", "text": text}}
        if offline:
            body["offline"] = True
        for peer in peers:
            sent = PeerSent(peer, body, None, float("inf"))
            self._client.ledger.inbox.sent[message_id, peer] = sent
        self._outbox[message_id] = list(peers)
        self._pump()

    def connected(self) -> None:
        self._life += 1
        self._is_up, self._is_paused = True, False
        self._pump()

    def disconnected(self) -> None:
        self._life += 1
        self._is_up = False
        self._client.ledger.resent += len(self._under_way)
        self._under_way.clear()

    def _pump(self) -> None:
        """The oldest first."""
        for message_id in list(self._outbox):
            if len(self._under_way) >= WINDOW or self._is_paused or not self._is_up:
                return
            if message_id not in self._under_way:
                self._under_way.add(message_id)
                self._send(message_id)

    def _send(self, message_id: str) -> None:
        peers = self._outbox[message_id]
        self._note_attempt(message_id, peers)
        body = self._client.ledger.inbox.sent[message_id, peers[0]].body
        params: Json = {"message_id": message_id, **body}
        life = self._life

        def settle(failure: Failure | None, result: Json) -> None:
            if life != self._life:
                return
            self._under_way.discard(message_id)
            if failure is None:
                received = result["received"]
                for peer, is_there in (received if isinstance(received, dict) else {peers[0]: received}).items():
                    self._answer(message_id, peer, is_there)
                failed: dict[str, str] = result.get("failed", {})
                if unexpected := [name for name in failed.values() if name in NEVER]:
                    self._breach(f"{message_id} to many failed: {unexpected}")
                if set(self._outbox[message_id]) != set(failed):
                    self._breach(f"{message_id} to many: {self._outbox[message_id]} left, {failed} failed")
                self._outbox[message_id] = list(failed)
                if not failed:
                    del self._outbox[message_id]
                    self._pump()
                    return
            elif not failure.retryable:
                self._breach(f"{message_id} was refused: {failure}")
                del self._outbox[message_id]
                return
            self._client.ledger.resent += 1
            self._is_paused = True
            delay_s = (failure and failure.retry_after_s) or self._client.random.uniform(0.05, 0.6)
            asyncio.get_running_loop().call_later(delay_s, self._go_on, life)

        if len(peers) == 1:
            self._client.request("peer.send", {**params, "peer": peers[0]}, settle)
        else:
            self._client.request("peer.send_many", {**params, "peers": peers}, settle)

    def _note_attempt(self, message_id: str, peers: Sequence[str]) -> None:
        for peer in peers:
            sent = self._client.ledger.inbox.sent[message_id, peer]
            if sent.sent_s == float("inf"):
                sent.sent_s = asyncio.get_running_loop().time()
                sent.link = self._client.links
            else:
                sent.link = None

    def _answer(self, message_id: str, peer: str, is_there: bool) -> None:
        sent = self._client.ledger.inbox.sent[message_id, peer]
        if sent.received is not None:
            self._breach(f"{message_id} to {peer} was answered twice")
        sent.received = is_there
        sent.answered_s = asyncio.get_running_loop().time()
        self._outbox[message_id].remove(peer)

    def _go_on(self, life: int) -> None:
        if life == self._life:
            self._is_paused = False
            self._pump()

    def _breach(self, what: str) -> None:
        self._client.ledger.breach(f"post: {what}")
