"""One user of Rostrum's, in Python: for what needs few calls."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.client import LoadFailed

ACK_BYTES: Final = 256 * 1024

Json = dict[str, Any]


class User:
    """A user's connection. Its requests are answered in their order here; what is pushed is of no interest."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._answers: deque[Json] = deque()
        self._received_bytes = 0
        self._told_bytes = 0
        self._last_id = 0

    async def request(self, method: str, params: Json) -> None:
        self._last_id += 1
        await self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})

    async def notify(self, method: str, params: Json) -> None:
        await self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def answer(self) -> Json:
        """The next result. Raises LoadFailed for an error."""
        while not self._answers:
            text = await self._connection.recv(decode=False)
            await self._acknowledge_bytes(len(text))
            messages = msgspec.json.decode(text)
            self._answers.extend(
                message for message in (messages if isinstance(messages, list) else [messages]) if "id" in message
            )
        answer = self._answers.popleft()
        if "error" in answer:
            raise LoadFailed(f"refused: {answer['error']}")
        result: Json = answer["result"]
        return result

    async def _acknowledge_bytes(self, received: int) -> None:
        self._received_bytes += received
        if self._received_bytes - self._told_bytes >= ACK_BYTES:
            self._told_bytes = self._received_bytes
            await self.notify("session.ack", {"received": self._received_bytes})

    async def call(self, method: str, params: Json) -> Json:
        await self.request(method, params)
        return await self.answer()

    async def _send(self, message: Json) -> None:
        await self._connection.send(msgspec.json.encode(message), text=True)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[User]:
    """One who has not logged in yet."""
    async with connect(f"ws://127.0.0.1:{port}/rtm/ws", compression=None, max_size=None) as connection:
        yield User(connection)
