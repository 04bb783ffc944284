"""The ASGI application: HTTP by Django, the WebSocket by the gateway, start and stop by the lifespan."""

import os
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
pages = get_asgi_application()  # before the imports that need the apps loaded

from channels.routing import ProtocolTypeRouter  # noqa: E402
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402

from config.body import with_bounded_body  # noqa: E402
from config.lifespan import lifespan  # noqa: E402
from messaging.media.http import LocalMedia, is_media  # noqa: E402
from realtime.consumer import Gateway  # noqa: E402
from realtime.rest.handler import is_rest, rest  # noqa: E402

gateway = Gateway.as_asgi()
media = LocalMedia()


async def http(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The REST interface and the local storage of media have applications of their own; the rest is Django's."""
    assert scope["type"] == "http"
    path = scope["path"]
    application: Any = rest if is_rest(path) else media if is_media(path) else pages
    await application(scope, receive, send)


async def websocket(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The gateway at /rtm/ws; at any other address the handshake is refused (HTTP 403)."""
    assert scope["type"] == "websocket"
    if scope["path"] == "/rtm/ws":
        await gateway(scope, receive, send)
    else:
        await receive()
        await send({"type": "websocket.close", "code": 1000, "reason": None})


def keep_no_queries() -> None:
    """With DEBUG on, Django keeps every query of a connection for a page to show, and has SQLite quote its
    parameters once more. A server's connections live as long as it does: only who asks (a test) gets the log.
    """
    asked_for = property(lambda connection: connection.force_debug_cursor)
    BaseDatabaseWrapper.queries_logged = asked_for  # type: ignore[assignment, method-assign]


keep_no_queries()
application = ProtocolTypeRouter({"http": with_bounded_body(http), "websocket": websocket, "lifespan": lifespan})
