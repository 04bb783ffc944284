"""A small application to start, drain and end. It prints what it is told to do.

`/` over HTTP reads the body and answers with the process's id. A WebSocket gets back what it sends, and for "flood"
24 MB. The drain says "goodbye" to every WebSocket and waits until each has answered "bye": a test that does not answer
holds it open. To "farewell" it answers by closing, as the gateway does.
Environment variables: with BROKEN, the application does not start; with IMPATIENT, the drain waits for nobody.
"""

import asyncio
import os
from typing import Any

from config.body import with_bounded_body
from realtime.server.lifecycle import Lifecycle
from tests.support.asgi import Receive, Send

clients: dict[Send, asyncio.Future[None]] = {}


def say(words: str) -> None:
    """One whole line, also when several processes speak at once."""
    os.write(1, f"{words}\n".encode())


async def application(scope: Any, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        await page(scope, receive, send)
    else:
        await echo(receive, send)


@with_bounded_body
async def page(scope: Any, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    body = str(os.getpid()).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    if os.environ.get("BROKEN"):
        await send({"type": "lifespan.startup.failed", "message": "broken"})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await shutdown()
    await send({"type": "lifespan.shutdown.complete"})


async def echo(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    answered = clients[send] = asyncio.get_running_loop().create_future()
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "bye":
            answered.set_result(None)
        elif message.get("text") == "farewell":
            answered.set_result(None)
            await send({"type": "websocket.close", "code": 1012})
        elif message.get("text") == "flood":
            say("floods")
            for _ in range(400):
                await send({"type": "websocket.send", "text": "x" * 60_000})
        else:
            await send({**message, "type": "websocket.send"})
    del clients[send]


async def drain() -> None:
    say("drains")
    if os.environ.get("IMPATIENT"):
        return
    answers = list(clients.values())
    for send in list(clients):
        await send({"type": "websocket.send", "text": "goodbye"})
    await asyncio.gather(*answers)
    say("drained")


async def shutdown() -> None:
    say("shut down")


def lifecycle(*, patient: bool) -> Lifecycle:
    return Lifecycle(drain=drain, shutdown=shutdown, patient=patient)
