"""Worked frames of peer messages."""

from typing import Final

from messaging.examples import FINISH, MEDIA, START, takes_media
from realtime.conversations import Given, add_conversation
from realtime.examples import logged_in

BOTH: Final = logged_in("ann", "bob")


def sent(number: int, text: str, **flags: bool) -> Given:
    """A message of ann's to bob; `number` tells it from others."""
    message = {"type": "TEXT", "text": text}
    message_id = f"019bc0e2-1280-7{number:03}-9c4e-51a0b7d3f6e8"
    return Given("ann", "peer.send", {"peer": "bob", "message_id": message_id, "message": message, **flags})


add_conversation(
    "peer.send",
    """
ann > {"jsonrpc":"2.0","id":2,"method":"peer.send","params":{"peer":"bob",
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","message":{"type":"TEXT","text":"Are you there?"}}}
bob < {"jsonrpc":"2.0","method":"peer.sent","params":{"stream":"inbox:bob","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","ts":1768467600000,
        "body":{"message":{"type":"TEXT","text":"Are you there?"}}}}
bob > {"jsonrpc":"2.0","method":"inbox.ack","params":{"seq":1}}
ann < {"jsonrpc":"2.0","id":2,"result":{"received":true,"ts":1768467600000}}
""",
    setting="Ann and Bob are logged in.",
    given=BOTH,
)

add_conversation(
    "peer.send",
    """
ann > {"jsonrpc":"2.0","id":2,"method":"peer.send","params":{"peer":"bob",
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","offline":true,
        "message":{"type":"TEXT","text":"See you tomorrow"}}}
ann < {"jsonrpc":"2.0","id":2,"result":{"received":false,"ts":1768467600000}}
bob > {"jsonrpc":"2.0","id":1,"method":"session.login","params":{
        "app":"0123456789abcdef0123456789abcdef","uid":"bob"}}
bob < {"jsonrpc":"2.0","id":1,"result":{
        "session":"5d0c3a9e41f7b28c6e9ad013","generation":1768467600000,"resumed":false,
        "server_ts":1768467605000,"heartbeat_ms":3000,"ack_bytes":262144,
        "inbox":{"stream":"inbox:bob","epoch":"8b1f0c62d94ea735","head":1,"live":true,"entries":[
                {"event":"peer.sent","stream":"inbox:bob","seq":1,"sender":"ann",
                "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","ts":1768467600000,
                "body":{"message":{"type":"TEXT","text":"See you tomorrow"},"offline":true}}]},
        "streams":{}}}
bob > {"jsonrpc":"2.0","method":"inbox.ack","params":{"seq":1}}
""",
    title="To a peer who is away",
    setting="Ann is logged in. Bob is not, until he comes.",
    given=logged_in("ann"),
)

add_conversation(
    "peer.send",
    START
    + FINISH.lstrip("\n")
    + f"""\
ann > {{"jsonrpc":"2.0","id":4,"method":"peer.send","params":{{"peer":"bob",
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8",
        "message":{{"type":"FILE","media":"{MEDIA}","name":"the tables.txt"}}}}}}
bob < {{"jsonrpc":"2.0","method":"peer.media_sent","params":{{"stream":"inbox:bob","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","ts":1768467600000,
        "body":{{"message":{{"type":"FILE","media":"{MEDIA}","name":"the tables.txt",
                "description":"","size":11,"content_type":"application/octet-stream"}}}}}}}}
bob > {{"jsonrpc":"2.0","method":"inbox.ack","params":{{"seq":1}}}}
ann < {{"jsonrpc":"2.0","id":4,"result":{{"received":true,"ts":1768467600000}}}}
""",
    title="A file",
    setting="Ann and Bob are logged in.",
    given=takes_media("ann", "bob"),
)

add_conversation(
    "inbox.ack",
    """
ann > {"jsonrpc":"2.0","method":"inbox.ack","params":{"seq":17}}
""",
    setting="Ann is logged in, and has been given everything up to seq 17 of her inbox. No id, so no answer.",
    given=logged_in("ann"),
)

add_conversation(
    "peer.send_many",
    """
ann > {"jsonrpc":"2.0","id":2,"method":"peer.send_many","params":{"peers":["bob","carol"],
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","message":{"type":"TEXT","text":"We begin"}}}
bob < {"jsonrpc":"2.0","method":"peer.sent","params":{"stream":"inbox:bob","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","ts":1768467600000,
        "body":{"message":{"type":"TEXT","text":"We begin"}}}}
bob > {"jsonrpc":"2.0","method":"inbox.ack","params":{"seq":1}}
ann < {"jsonrpc":"2.0","id":2,"result":{"received":{"bob":true,"carol":false},"failed":{}}}
""",
    setting="Ann and Bob are logged in, Carol is not.",
    given=BOTH,
)

add_conversation(
    "peer.history",
    """
bob > {"jsonrpc":"2.0","id":2,"method":"peer.history","params":{"peer":"ann","limit":1}}
bob < {"jsonrpc":"2.0","id":2,"result":{"messages":[
        {"position":1042,"sender":"ann","receiver":"bob","message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8",
        "ts":1768467600000,"body":{"message":{"type":"TEXT","text":"Page 12"},"offline":true,"historical":true}}],
        "more":false}}
""",
    setting="Ann and Bob are logged in. Before Bob came, Ann has sent him a message with `offline` and `historical`.",
    given=(*logged_in("ann"), sent(1, "Page 12", offline=True, historical=True), *logged_in("bob")),
)
