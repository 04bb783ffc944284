"""Worked frames of a message with a file in a room."""

from messaging.examples import MEDIA, takes_media
from realtime.conversations import Given, add_conversation

SAID = f"""{{"type":"IMAGE","media":"{MEDIA}","name":"board.png",
                "description":"page 12","size":3000,"content_type":"image/png","width":640,"height":480,
                "thumbnail_width":320,"thumbnail_height":240}}"""

add_conversation(
    "room.send",
    f"""
* Ann uploads a picture, board.png.
ann > {{"jsonrpc":"2.0","id":3,"method":"room.send","params":{{"room":"math",
        "message_id":"019bc0e2-1280-7d41-a6e0-3b9c52f8714d",
        "message":{{"type":"IMAGE","media":"{MEDIA}","description":"page 12"}}}}}}
ann < {{"jsonrpc":"2.0","id":3,"result":{{"seq":1,"ts":1768467600000}}}}
ann < {{"jsonrpc":"2.0","method":"room.media_sent","params":{{"stream":"room:math","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7d41-a6e0-3b9c52f8714d","ts":1768467600000,
        "body":{SAID}}}}}
bob < {{"jsonrpc":"2.0","method":"room.media_sent","params":{{"stream":"room:math","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7d41-a6e0-3b9c52f8714d","ts":1768467600000,
        "body":{SAID}}}}}
bob > {{"jsonrpc":"2.0","id":3,"method":"media.url","params":{{"media":"{MEDIA}"}}}}
bob < {{"jsonrpc":"2.0","id":3,"result":{{
        "url":"/rtm/media/file?disposition=inline%3B+filename%3D%22board.png%22&signature=81aa",
        "type":"image/png","expires_at":1768467900000}}}}
""",
    title="An image",
    setting="Ann and Bob are in the room math, which is new. Bob may fetch the image, as he is in the room.",
    given=(
        *takes_media("ann", "bob"),
        Given("ann", "room.join", {"room": "math"}),
        Given("bob", "room.join", {"room": "math"}),
    ),
)
