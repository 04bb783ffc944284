"""Worked frames of files and images."""

from typing import Final

from projects.demo import DEMO_APP_ID
from realtime.conversations import Given, add_conversation
from realtime.examples import ANN

MEDIA: Final = "9f2d7c1be05a4d3c8b6ef01a2c3d4e5f"
UPLOAD_URL: Final = "/rtm/media/upload?expires=1768468500&key=uploads%2F7%2F9f2d7c1b%2Ffile&size=11&signature=5ce0"
START: Final = f"""
ann > {{"jsonrpc":"2.0","id":2,"method":"media.start","params":{{"kind":"FILE","name":"tables.txt","size":11}}}}
ann < {{"jsonrpc":"2.0","id":2,"result":{{"media":"{MEDIA}",
        "url":"{UPLOAD_URL}",
        "fields":{{}},"expires_at":1768468500000}}}}
"""
FINISH: Final = f"""
* Ann's browser posts the file.
ann > {{"jsonrpc":"2.0","id":3,"method":"media.finish","params":{{"media":"{MEDIA}"}}}}
ann < {{"jsonrpc":"2.0","id":3,"result":{{"media":"{MEDIA}","kind":"FILE","name":"tables.txt",
        "size":11,"type":"application/octet-stream",
        "sha256":"12dae150b030f57b4f8498f226344ad1159f3af8fab4709f207c002e55418922",
        "width":0,"height":0,"thumbnail_width":0,"thumbnail_height":0,"expires_at":1769072400000}}}}
"""


def takes_media(*actors: str) -> tuple[Given, ...]:
    """Each has logged in with its own name, and takes files and images."""
    client = {"capabilities": ["media"]}
    return tuple(
        Given(actor, "session.login", {"app": DEMO_APP_ID, "uid": actor, "client": client}) for actor in actors
    )


add_conversation("media.start", START, setting="Ann is logged in.", given=ANN)

add_conversation(
    "media.finish",
    START + FINISH.lstrip("\n"),
    setting="Ann is logged in. `url` is where her browser posts the file.",
    given=ANN,
)

add_conversation(
    "media.abandon",
    START
    + f"""\
ann > {{"jsonrpc":"2.0","id":3,"method":"media.abandon","params":{{"media":"{MEDIA}"}}}}
ann < {{"jsonrpc":"2.0","id":3,"result":{{}}}}
ann > {{"jsonrpc":"2.0","id":4,"method":"media.finish","params":{{"media":"{MEDIA}"}}}}
ann < {{"jsonrpc":"2.0","id":4,"error":{{"code":23,
        "message":"What was uploaded is not what was announced; `reason` tells: size, image, or abandoned.",
        "data":{{"name":"media_refused","retryable":false,"reason":"abandoned"}}}}}}
""",
    setting="Ann is logged in.",
    given=ANN,
)

add_conversation(
    "media.url",
    START
    + FINISH.lstrip("\n")
    + f"""\
ann > {{"jsonrpc":"2.0","id":4,"method":"media.url","params":{{"media":"{MEDIA}"}}}}
ann < {{"jsonrpc":"2.0","id":4,"result":{{
        "url":"/rtm/media/file?disposition=attachment%3B+filename%3D%22tables.txt%22&signature=81aa",
        "type":"application/octet-stream","expires_at":1768467900000}}}}
""",
    setting="Ann is logged in.",
    given=ANN,
)
