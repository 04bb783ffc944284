"""Worked frames of the room methods, of reading a stream, and of the events of both."""

from typing import Final

from projects.demo import DEMO_APP_ID
from realtime.conversations import Given, add_conversation
from realtime.examples import logged_in

ANN_IN_MATH: Final = (*logged_in("ann"), Given("ann", "room.join", {"room": "math"}))
BOTH_IN_MATH: Final = (
    *logged_in("ann", "bob"),
    Given("ann", "room.join", {"room": "math"}),
    Given("bob", "room.join", {"room": "math"}),
)
BOTH: Final = "Ann and Bob are in the room math, which is new."
TAKES_MEDIA: Final = {"app": DEMO_APP_ID, "uid": "ann", "client": {"capabilities": ["media"]}}


def said(actor: str, number: int, text: str) -> Given:
    """A message in math; `number` tells it from others."""
    message = {"type": "TEXT", "text": text}
    message_id = f"019bc0e2-1280-7{number:03}-9c4e-51a0b7d3f6e8"
    return Given(actor, "room.send", {"room": "math", "message_id": message_id, "message": message})


add_conversation(
    "room.join",
    """
bob > {"jsonrpc":"2.0","id":2,"method":"room.join","params":{"room":"math"}}
bob < {"jsonrpc":"2.0","id":2,"result":{"room":"math","stream":"room:math","epoch":"8b1f0c62d94ea735","head":2,
        "member_count":2,"attributes":{"topic":{"value":"fractions","updated_by":"ann","updated_at":1768467600000}},
        "revision":1,"live":true}}
ann < {"jsonrpc":"2.0","method":"room.joined","params":{"room":"math","uid":"bob"}}
ann < {"jsonrpc":"2.0","method":"room.counted","params":{"room":"math","count":2}}
""",
    setting="Ann is in the room math. She has sent a message (seq 1) and set an attribute (seq 2). Bob is logged in.",
    given=(
        *logged_in("ann", "bob"),
        Given("ann", "room.join", {"room": "math"}),
        said("ann", 1, "Good morning"),
        Given(
            "ann",
            "room.update_attributes",
            {
                "room": "math",
                "message_id": "019bc0e2-1280-7002-9c4e-51a0b7d3f6e8",
                "attributes": {"topic": "fractions"},
            },
        ),
    ),
)

add_conversation(
    "room.join",
    """
bob > {"jsonrpc":"2.0","id":2,"method":"room.join","params":{"room":"math"}}
bob < {"jsonrpc":"2.0","id":2,"result":{"room":"math","stream":"room:math","epoch":"8b1f0c62d94ea735","head":1,
        "member_count":2,"attributes":{},"revision":0,"live":true}}
bob > {"jsonrpc":"2.0","id":3,"method":"room.leave","params":{"room":"math"}}
bob < {"jsonrpc":"2.0","id":3,"result":{}}
ann > {"jsonrpc":"2.0","id":5,"method":"room.send","params":{"room":"math",
        "message_id":"019bc0e2-1668-7a20-8f13-2c5be09d417f","message":{"type":"TEXT","text":"Page 12, please"}}}
ann < {"jsonrpc":"2.0","id":5,"result":{"seq":2,"ts":1768467601000}}
ann < {"jsonrpc":"2.0","method":"room.sent","params":{"stream":"room:math","seq":2,"sender":"ann",
        "message_id":"019bc0e2-1668-7a20-8f13-2c5be09d417f","ts":1768467601000,
        "body":{"type":"TEXT","text":"Page 12, please"}}}
bob > {"jsonrpc":"2.0","id":4,"method":"room.join","params":{"room":"math",
        "after":{"seq":1,"epoch":"8b1f0c62d94ea735"}}}
bob < {"jsonrpc":"2.0","id":4,"result":{"room":"math","stream":"room:math","epoch":"8b1f0c62d94ea735","head":2,
        "member_count":2,"attributes":{},"revision":0,"live":true,"recovered":true,"entries":[
        {"event":"room.sent","stream":"room:math","seq":2,"sender":"ann",
        "message_id":"019bc0e2-1668-7a20-8f13-2c5be09d417f","ts":1768467601000,
        "body":{"type":"TEXT","text":"Page 12, please"}}]}}
""",
    title="With a cursor, after having been away",
    setting="Ann is in the room math and has sent one message. Bob is logged in.",
    given=(*logged_in("ann", "bob"), Given("ann", "room.join", {"room": "math"}), said("ann", 1, "Good morning")),
)

add_conversation(
    "room.leave",
    """
bob > {"jsonrpc":"2.0","id":2,"method":"room.join","params":{"room":"math"}}
bob < {"jsonrpc":"2.0","id":2,"result":{"room":"math","stream":"room:math","epoch":"","head":0,
        "member_count":2,"attributes":{},"revision":0,"live":true}}
ann < {"jsonrpc":"2.0","method":"room.joined","params":{"room":"math","uid":"bob"}}
bob > {"jsonrpc":"2.0","id":3,"method":"room.leave","params":{"room":"math"}}
bob < {"jsonrpc":"2.0","id":3,"result":{}}
ann < {"jsonrpc":"2.0","method":"room.left","params":{"room":"math","uid":"bob"}}
""",
    setting="Ann is in the room math, which has no entry yet: its epoch is empty. Bob is logged in.",
    given=(*logged_in("ann", "bob"), Given("ann", "room.join", {"room": "math"})),
)

add_conversation(
    "room.send",
    """
ann > {"jsonrpc":"2.0","id":3,"method":"room.send","params":{"room":"math",
        "message_id":"019bc0e2-1280-7d41-a6e0-3b9c52f8714d","message":{"type":"TEXT","text":"Good morning"}}}
ann < {"jsonrpc":"2.0","id":3,"result":{"seq":1,"ts":1768467600000}}
ann < {"jsonrpc":"2.0","method":"room.sent","params":{"stream":"room:math","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7d41-a6e0-3b9c52f8714d","ts":1768467600000,
        "body":{"type":"TEXT","text":"Good morning"}}}
bob < {"jsonrpc":"2.0","method":"room.sent","params":{"stream":"room:math","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7d41-a6e0-3b9c52f8714d","ts":1768467600000,
        "body":{"type":"TEXT","text":"Good morning"}}}
ann > {"jsonrpc":"2.0","id":4,"method":"room.send","params":{"room":"math",
        "message_id":"019bc0e2-1280-7d41-a6e0-3b9c52f8714d","message":{"type":"TEXT","text":"Good morning"}}}
ann < {"jsonrpc":"2.0","id":4,"result":{"seq":1,"ts":1768467600000}}
bob > {"jsonrpc":"2.0","id":3,"method":"room.send","params":{"room":"math",
        "message_id":"019bc0e2-1a50-7c05-b1d7-60e4a2938f5c",
        "message":{"type":"RAW","raw":"AAEC/w==","description":"a reading of the sensor"}}}
bob < {"jsonrpc":"2.0","id":3,"result":{"seq":2,"ts":1768467602000}}
bob < {"jsonrpc":"2.0","method":"room.sent","params":{"stream":"room:math","seq":2,"sender":"bob",
        "message_id":"019bc0e2-1a50-7c05-b1d7-60e4a2938f5c","ts":1768467602000,
        "body":{"type":"RAW","raw":"AAEC/w==","description":"a reading of the sensor"}}}
ann < {"jsonrpc":"2.0","method":"room.sent","params":{"stream":"room:math","seq":2,"sender":"bob",
        "message_id":"019bc0e2-1a50-7c05-b1d7-60e4a2938f5c","ts":1768467602000,
        "body":{"type":"RAW","raw":"AAEC/w==","description":"a reading of the sensor"}}}
""",
    setting=BOTH + " Ann's client sends its first message again, as after a lost connection: the answer is the same.",
    given=BOTH_IN_MATH,
)

add_conversation(
    "room.members",
    """
ann > {"jsonrpc":"2.0","id":4,"method":"room.members","params":{"room":"math"}}
ann < {"jsonrpc":"2.0","id":4,"result":{"members":["ann","bob"],"total":2}}
""",
    setting=BOTH,
    given=BOTH_IN_MATH,
)

add_conversation(
    "room.member_counts",
    """
ann > {"jsonrpc":"2.0","id":4,"method":"room.member_counts","params":{"rooms":["math","physics"]}}
ann < {"jsonrpc":"2.0","id":4,"result":{"counts":{"math":2,"physics":0}}}
ann > {"jsonrpc":"2.0","id":5,"method":"room.member_counts","params":{"rooms":["math"]}}
ann < {"jsonrpc":"2.0","id":5,"error":{"code":3,
        "message":"A rate limit is spent; `retry_after_ms` tells when a call is free.",
        "data":{"name":"too_often","retryable":true,"retry_after_ms":994}}}
""",
    setting=BOTH + " One such call a second is free.",
    given=BOTH_IN_MATH,
)

add_conversation(
    "room.set_attributes",
    """
ann > {"jsonrpc":"2.0","id":4,"method":"room.set_attributes","params":{"room":"math",
        "message_id":"019bc0e2-1280-7e63-8a15-f07d24c9b38e","attributes":{"topic":"fractions"},"notify":true}}
ann < {"jsonrpc":"2.0","id":4,"result":{"seq":1,"revision":1}}
ann < {"jsonrpc":"2.0","method":"room.attributes_changed","params":{"stream":"room:math","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7e63-8a15-f07d24c9b38e","ts":1768467600000,
        "body":{"set":{"topic":"fractions"},"deleted":[],"revision":1,"notify":true}}}
bob < {"jsonrpc":"2.0","method":"room.attributes_changed","params":{"stream":"room:math","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7e63-8a15-f07d24c9b38e","ts":1768467600000,
        "body":{"set":{"topic":"fractions"},"deleted":[],"revision":1,"notify":true}}}
""",
    setting=BOTH,
    given=BOTH_IN_MATH,
)

add_conversation(
    "room.update_attributes",
    """
ann > {"jsonrpc":"2.0","id":4,"method":"room.update_attributes","params":{"room":"math",
        "message_id":"019bc0e2-1280-7b04-93c8-4e51ad60f72b","attributes":{"page":"12"},"revision":0}}
ann < {"jsonrpc":"2.0","id":4,"result":{"seq":1,"revision":1}}
ann > {"jsonrpc":"2.0","id":5,"method":"room.update_attributes","params":{"room":"math",
        "message_id":"019bc0e2-1668-7f92-b7a1-c35d0e8246b9","attributes":{"page":"13"},"revision":0}}
ann < {"jsonrpc":"2.0","id":5,"error":{"code":10,
        "message":"The attributes have changed since the given revision; `revision` is theirs.",
        "data":{"name":"revision_conflict","retryable":false,"revision":1}}}
""",
    setting="Ann is logged in and in no room: attributes do not ask for that.",
    given=logged_in("ann"),
)

add_conversation(
    "room.delete_attributes",
    """
ann > {"jsonrpc":"2.0","id":4,"method":"room.delete_attributes","params":{"room":"math",
        "message_id":"019bc0e2-1280-7c38-85f6-a917e2b04d63","keys":["page","colour"]}}
ann < {"jsonrpc":"2.0","id":4,"result":{"seq":2,"revision":2}}
""",
    setting="Ann is logged in. The room math has an attribute `page`, set at seq 1, and no `colour`.",
    given=(
        *logged_in("ann"),
        Given(
            "ann",
            "room.set_attributes",
            {"room": "math", "message_id": "019bc0e2-1280-7001-9c4e-51a0b7d3f6e8", "attributes": {"page": "12"}},
        ),
    ),
)

add_conversation(
    "room.clear_attributes",
    """
ann > {"jsonrpc":"2.0","id":4,"method":"room.clear_attributes","params":{"room":"math",
        "message_id":"019bc0e2-1280-7a5f-9e02-7d4c18f36ba5"}}
ann < {"jsonrpc":"2.0","id":4,"result":{"seq":1,"revision":1}}
""",
    setting="Ann is logged in.",
    given=logged_in("ann"),
)

add_conversation(
    "room.get_attributes",
    """
ann > {"jsonrpc":"2.0","id":4,"method":"room.get_attributes","params":{"room":"math","keys":["page","colour"]}}
ann < {"jsonrpc":"2.0","id":4,"result":{"attributes":{
        "page":{"value":"12","updated_by":"ann","updated_at":1768467600000}},"revision":1}}
""",
    setting="Ann is logged in. The room math has the attributes `page` and `topic`.",
    given=(
        *logged_in("ann"),
        Given(
            "ann",
            "room.set_attributes",
            {
                "room": "math",
                "message_id": "019bc0e2-1280-7001-9c4e-51a0b7d3f6e8",
                "attributes": {"page": "12", "topic": "fractions"},
            },
        ),
    ),
)

add_conversation(
    "room.history",
    """
ann > {"jsonrpc":"2.0","id":6,"method":"room.history","params":{"room":"math","before":3,"limit":1}}
ann < {"jsonrpc":"2.0","id":6,"result":{"entries":[
        {"event":"room.sent","stream":"room:math","seq":2,"sender":"ann",
        "message_id":"019bc0e2-1280-7002-9c4e-51a0b7d3f6e8","ts":1768467600000,
        "body":{"type":"TEXT","text":"Page 12, please"}}],"more":true}}
""",
    setting="Ann has sent three messages to the room math.",
    given=(
        *ANN_IN_MATH,
        said("ann", 1, "Good morning"),
        said("ann", 2, "Page 12, please"),
        said("ann", 3, "Who begins?"),
    ),
)

add_conversation(
    "room.delete_message",
    """
ann > {"jsonrpc":"2.0","id":4,"method":"room.delete_message","params":{"room":"math","seq":1}}
ann < {"jsonrpc":"2.0","method":"room.message_deleted","params":{"stream":"room:math","seq":2,"sender":"ann",
        "message_id":"deletion:1","ts":1768467601000,
        "body":{"seq":1,"message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8"}}}
ann < {"jsonrpc":"2.0","id":4,"result":{}}
bob < {"jsonrpc":"2.0","method":"room.message_deleted","params":{"stream":"room:math","seq":2,"sender":"ann",
        "message_id":"deletion:1","ts":1768467601000,
        "body":{"seq":1,"message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8"}}}
bob > {"jsonrpc":"2.0","id":3,"method":"room.history","params":{"room":"math","tombstones":true}}
bob < {"jsonrpc":"2.0","id":3,"result":{"entries":[
        {"event":"stream.tombstone","stream":"room:math","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","ts":1768467600000,"body":{}}],"more":false}}
bob > {"jsonrpc":"2.0","id":4,"method":"room.delete_message","params":{"room":"math","seq":2}}
bob < {"jsonrpc":"2.0","id":4,"error":{"code":27,
        "message":"There is no such message in the room, or no more.",
        "data":{"name":"message_not_found","retryable":false}}}
""",
    setting=BOTH + " Ann has sent a message.",
    given=(*BOTH_IN_MATH, said("ann", 1, "Good morning")),
)

add_conversation(
    "room.delete_message",
    """
* Cal's message of another process is deleted before this one has heard of it.
ann < {"jsonrpc":"2.0","method":"stream.tombstone","params":{"stream":"room:math","seq":2,"sender":"cal",
        "message_id":"019bc0e2-1a50-7c05-b1d7-60e4a2938f5c","ts":1768467602000,"body":{}}}
ann < {"jsonrpc":"2.0","method":"room.message_deleted","params":{"stream":"room:math","seq":3,"sender":"cal",
        "message_id":"deletion:2","ts":1768467602000,
        "body":{"seq":2,"message_id":"019bc0e2-1a50-7c05-b1d7-60e4a2938f5c"}}}
""",
    title="For whoever gets to it later",
    setting="Ann is in the room math and has sent one message.",
    given=(*ANN_IN_MATH, said("ann", 1, "Good morning")),
)

add_conversation(
    "stream.read",
    """
ann > {"jsonrpc":"2.0","id":6,"method":"stream.read","params":{"stream":"room:math","after":1}}
ann < {"jsonrpc":"2.0","id":6,"result":{"entries":[
        {"event":"room.sent","stream":"room:math","seq":2,"sender":"ann",
        "message_id":"019bc0e2-1280-7002-9c4e-51a0b7d3f6e8","ts":1768467600000,
        "body":{"type":"TEXT","text":"Page 12, please"}}],
        "epoch":"8b1f0c62d94ea735","head":2,"live":true}}
""",
    setting="Ann has sent two messages to the room math.",
    given=(*ANN_IN_MATH, said("ann", 1, "Good morning"), said("ann", 2, "Page 12, please")),
)

add_conversation(
    "stream.read",
    """
* The database is restored from a backup, and all epochs are renewed.
ann < {"jsonrpc":"2.0","method":"stream.reset","params":{
        "stream":"room:math","epoch":"e24a97c0518d63fb","head":1}}
""",
    title="What a restored database looks like",
    setting="Ann has sent a message to the room math.",
    given=(*ANN_IN_MATH, said("ann", 1, "Good morning")),
)

add_conversation(
    "recovery",
    """
bob > {"jsonrpc":"2.0","id":1,"method":"session.login","params":{
        "app":"0123456789abcdef0123456789abcdef","uid":"bob"}}
bob < {"jsonrpc":"2.0","id":1,"result":{
        "session":"c81e0f5a7b3d92641f60ae58","generation":1768467600000,"resumed":false,
        "server_ts":1768467600000,"heartbeat_ms":3000,"ack_bytes":262144,
        "inbox":{"stream":"inbox:bob","epoch":"","head":0,"live":true,"entries":[]},"streams":{}}}
bob > {"jsonrpc":"2.0","id":2,"method":"room.join","params":{"room":"math"}}
bob < {"jsonrpc":"2.0","id":2,"result":{"room":"math","stream":"room:math","epoch":"8b1f0c62d94ea735","head":1,
        "member_count":2,"attributes":{},"revision":0,"live":true}}
bob ~
ann > {"jsonrpc":"2.0","id":3,"method":"room.send","params":{"room":"math",
        "message_id":"019bc0e2-2de8-7b70-94a2-e6c1508df37a","message":{"type":"TEXT","text":"Who begins?"}}}
ann < {"jsonrpc":"2.0","id":3,"result":{"seq":2,"ts":1768467607000}}
ann < {"jsonrpc":"2.0","method":"room.sent","params":{"stream":"room:math","seq":2,"sender":"ann",
        "message_id":"019bc0e2-2de8-7b70-94a2-e6c1508df37a","ts":1768467607000,
        "body":{"type":"TEXT","text":"Who begins?"}}}
bob > {"jsonrpc":"2.0","id":1,"method":"session.login","params":{
        "app":"0123456789abcdef0123456789abcdef","uid":"bob","session":"c81e0f5a7b3d92641f60ae58",
        "streams":{"room:math":{"seq":1,"epoch":"8b1f0c62d94ea735"}}}}
bob < {"jsonrpc":"2.0","id":1,"result":{
        "session":"c81e0f5a7b3d92641f60ae58","generation":1768467610000,"resumed":true,
        "server_ts":1768467610000,"heartbeat_ms":3000,"ack_bytes":262144,
        "inbox":{"stream":"inbox:bob","epoch":"","head":0,"live":true,"entries":[]},"streams":{"room:math":{
        "recovered":true,"epoch":"8b1f0c62d94ea735","head":2,"live":true,"entries":[
        {"event":"room.sent","stream":"room:math","seq":2,"sender":"ann",
        "message_id":"019bc0e2-2de8-7b70-94a2-e6c1508df37a","ts":1768467607000,
        "body":{"type":"TEXT","text":"Who begins?"}}]}}}}
""",
    setting="Ann is in the room math and has sent one message. Bob logs in, joins, and loses his connection.",
    given=(*ANN_IN_MATH, said("ann", 1, "Good morning")),
)

add_conversation(
    "capabilities",
    """
* Ann sends a file to the room.
ann < {"jsonrpc":"2.0","method":"room.media_sent","params":{"stream":"room:math","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","ts":1768467600000,
        "body":{"type":"FILE","media":"9f2d7c1be05a4d3c8b6ef01a2c3d4e5f","name":"tables.txt",
        "description":"","size":11,"content_type":"application/octet-stream"}}}
bob < {"jsonrpc":"2.0","method":"stream.skipped","params":{"stream":"room:math","seq":1,"sender":"ann",
        "message_id":"019bc0e2-1280-7001-9c4e-51a0b7d3f6e8","ts":1768467600000,"body":{}}}
""",
    setting=f"{BOTH} Ann's client has named `media` at its login, Bob's has not.",
    given=(
        Given("ann", "session.login", TAKES_MEDIA),
        *logged_in("bob"),
        Given("ann", "room.join", {"room": "math"}),
        Given("bob", "room.join", {"room": "math"}),
    ),
)
