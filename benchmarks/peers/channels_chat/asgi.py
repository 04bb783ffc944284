"""The tutorial's ASGI application. To serve: daphne benchmarks.peers.channels_chat.asgi:application"""

import os
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import re_path

from benchmarks.peers.channels_chat.consumers import ChatConsumer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.peers.channels_chat.settings")

chat: Any = ChatConsumer.as_asgi()  # Django's types know views only
urlpatterns: list[Any] = [re_path(r"ws/chat/(?P<room_name>[\w-]+)/$", chat)]
application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(urlpatterns))),
    }
)
