"""What the servers have in common that the load generator is tested against: their answers are known."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from websockets.asyncio.server import ServerConnection, serve

from benchmarks import client

Json = dict[str, Any]


class FakeServer(Protocol):
    async def talk(self, connection: ServerConnection) -> None: ...


def answer(call: Json, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": call["id"], "result": result}


def refusal(call: Json, name: str, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": 1, "message": message, "data": {"name": name}}}


def compact(message: object) -> str:
    """As the real server writes it."""
    return json.dumps(message, separators=(",", ":"))


@asynccontextmanager
async def serving(server: FakeServer) -> AsyncIterator[int]:
    async with serve(server.talk, "127.0.0.1", 0, compression=None) as listening:
        port: int = next(iter(listening.sockets)).getsockname()[1]
        yield port


async def load(program: Path, port: int, protocol: str = "rtm", **options: Any) -> dict[str, client.Event]:
    timing = {"warmup": 0.1, "seconds": 0.5, "members": 8}
    return await asyncio.to_thread(client.run, program, protocol=protocol, port=port, options={**timing, **options})
