"""Entries as methods append them, of any event."""

import asyncio
from typing import Any

from messaging.engine import Messaging
from messaging.journal import Append
from realtime.protocol import encode
from realtime.runtime import Runtime


async def append_message(
    runtime: Runtime, app: str, stream: str, event: str, sender: str, message_id: str, message: dict[str, Any]
) -> None:
    """Returns when it is committed and on its way to whoever is there."""
    project = await runtime.tenants.get(app)
    assert project is not None
    done: asyncio.Future[Append] = runtime.loop.create_future()
    messaging = runtime.part(Messaging)
    messaging.append(
        Append(
            key=(project.id, stream),
            event=event,
            sender=sender,
            json_sender=encode(sender),
            message_id=message_id,
            body=encode(message),
            expires_s=messaging.expiry(),
            done=done.set_result,
        )
    )
    error = (await done).error
    assert error is None, error
