"""The two REST interfaces (docs/rest.md): the vendor's, and our own."""

from typing import Final

import activity.api
import messaging.media.api
import peers.api
import realtime.api
import rooms.api
from realtime.rest.errors import V1, VENDOR
from realtime.rest.interface import make_interface

vendor: Final = make_interface(
    title="Rostrum: the vendor's REST interface",
    description="The paths and bodies of Agora RTM 1.x. Everything else is in our own interface, at /api/docs.",
    version="2",
    namespace="vendor",
    shape=VENDOR,
    routers=[
        ("", peers.api.vendor),
        ("", rooms.api.messages.vendor),
        ("", rooms.api.history.vendor),
        ("", activity.api.vendor),
    ],
)

v1: Final = make_interface(
    title="Rostrum",
    description="Rooms, users and messages of a project. The vendor's own paths are at /dev/v2/project/docs.",
    version="1",
    namespace="v1",
    shape=V1,
    routers=[
        ("/v1", rooms.api.rooms.v1),
        ("/v1", rooms.api.messages.v1),
        ("/v1", rooms.api.attributes.v1),
        ("/v1", rooms.api.settings.v1),
        ("/v1", peers.api.v1),
        ("/v1", messaging.media.api.v1),
        ("/v1", realtime.api.v1),
    ],
)
