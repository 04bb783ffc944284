"""Worked frames of invitations: each thing that happens is told in both inboxes."""

from typing import Final

from realtime.conversations import Given, add_conversation
from realtime.examples import logged_in

INVITATION: Final = "019bc0e2-1280-7c15-b2f4-90d3a86e417b"
BOTH: Final = logged_in("ann", "bob")
SENT: Final = (
    *BOTH,
    Given(
        "ann",
        "invitation.send",
        {"invitation": INVITATION, "peer": "bob", "content": "Fractions, in five minutes?", "channel": "math"},
    ),
)
RECEIVED: Final = (*SENT, Given("bob", "invitation.confirm", {"invitation": INVITATION, "caller": "ann"}))
RINGING: Final = "Ann has invited Bob, and his client has confirmed it."

add_conversation(
    "invitation.send",
    """
ann > {"jsonrpc":"2.0","id":2,"method":"invitation.send","params":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b",
        "peer":"bob","content":"Fractions, in five minutes?","channel":"math"}}
ann < {"jsonrpc":"2.0","id":2,"result":{"state":"SENT","reason":"","step":1,"ts":1768467600000}}
ann < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:ann","seq":1,"sender":"ann",
        "message_id":"invitation:7:1","ts":1768467600000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"",
        "state":"SENT","reason":"","step":1,"ts":1768467600000}}}
bob < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:bob","seq":1,"sender":"ann",
        "message_id":"invitation:7:1","ts":1768467600000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"",
        "state":"SENT","reason":"","step":1,"ts":1768467600000}}}
""",
    setting="Ann and Bob are logged in.",
    given=BOTH,
)

add_conversation(
    "invitation.confirm",
    """
bob > {"jsonrpc":"2.0","id":2,"method":"invitation.confirm","params":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann"}}
bob < {"jsonrpc":"2.0","id":2,"result":{"state":"RECEIVED","reason":"","step":2,"ts":1768467601000}}
ann < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:ann","seq":2,"sender":"bob",
        "message_id":"invitation:7:2","ts":1768467601000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"",
        "state":"RECEIVED","reason":"","step":2,"ts":1768467601000}}}
bob < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:bob","seq":2,"sender":"bob",
        "message_id":"invitation:7:2","ts":1768467601000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"",
        "state":"RECEIVED","reason":"","step":2,"ts":1768467601000}}}
""",
    setting="Ann has invited Bob.",
    given=SENT,
)

add_conversation(
    "invitation.accept",
    """
bob > {"jsonrpc":"2.0","id":3,"method":"invitation.accept","params":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann","response":"Coming"}}
bob < {"jsonrpc":"2.0","id":3,"result":{"state":"ACCEPTED","reason":"","step":3,"ts":1768467608000}}
ann < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:ann","seq":3,"sender":"bob",
        "message_id":"invitation:7:3","ts":1768467608000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"Coming",
        "state":"ACCEPTED","reason":"","step":3,"ts":1768467608000}}}
bob < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:bob","seq":3,"sender":"bob",
        "message_id":"invitation:7:3","ts":1768467608000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"Coming",
        "state":"ACCEPTED","reason":"","step":3,"ts":1768467608000}}}
""",
    setting=RINGING,
    given=RECEIVED,
)

add_conversation(
    "invitation.accept",
    """
ann > {"jsonrpc":"2.0","id":3,"method":"invitation.cancel","params":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b"}}
ann < {"jsonrpc":"2.0","id":3,"result":{"state":"CANCELED","reason":"","step":3,"ts":1768467608000}}
ann < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:ann","seq":3,"sender":"ann",
        "message_id":"invitation:7:3","ts":1768467608000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"",
        "state":"CANCELED","reason":"","step":3,"ts":1768467608000}}}
bob < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:bob","seq":3,"sender":"ann",
        "message_id":"invitation:7:3","ts":1768467608000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"",
        "state":"CANCELED","reason":"","step":3,"ts":1768467608000}}}
bob > {"jsonrpc":"2.0","id":3,"method":"invitation.accept","params":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann","response":"Coming"}}
bob < {"jsonrpc":"2.0","id":3,"error":{"code":20,
        "message":"The invitation has ended otherwise; `state`, `reason` and `step` tell how.",
        "data":{"name":"invitation_ended","retryable":false,"state":"CANCELED","reason":"","step":3}}}
""",
    title="After the caller has cancelled",
    setting=RINGING + " She cancels it at the moment in which he accepts, and comes first.",
    given=RECEIVED,
)

add_conversation(
    "invitation.refuse",
    """
bob > {"jsonrpc":"2.0","id":3,"method":"invitation.refuse","params":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann","response":"After lunch"}}
bob < {"jsonrpc":"2.0","id":3,"result":{"state":"REFUSED","reason":"","step":3,"ts":1768467608000}}
ann < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:ann","seq":3,"sender":"bob",
        "message_id":"invitation:7:3","ts":1768467608000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"After lunch",
        "state":"REFUSED","reason":"","step":3,"ts":1768467608000}}}
bob < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:bob","seq":3,"sender":"bob",
        "message_id":"invitation:7:3","ts":1768467608000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"After lunch",
        "state":"REFUSED","reason":"","step":3,"ts":1768467608000}}}
""",
    setting=RINGING,
    given=RECEIVED,
)

add_conversation(
    "invitation.cancel",
    """
ann > {"jsonrpc":"2.0","id":3,"method":"invitation.cancel","params":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","content":"I found it myself"}}
ann < {"jsonrpc":"2.0","id":3,"result":{"state":"CANCELED","reason":"","step":3,"ts":1768467608000}}
ann < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:ann","seq":3,"sender":"ann",
        "message_id":"invitation:7:3","ts":1768467608000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"I found it myself","response":"",
        "state":"CANCELED","reason":"","step":3,"ts":1768467608000}}}
bob < {"jsonrpc":"2.0","method":"invitation.changed","params":{"stream":"inbox:bob","seq":3,"sender":"ann",
        "message_id":"invitation:7:3","ts":1768467608000,"body":{
        "invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b","caller":"ann",
        "callee":"bob","channel":"math","content":"I found it myself","response":"",
        "state":"CANCELED","reason":"","step":3,"ts":1768467608000}}}
""",
    setting=RINGING,
    given=RECEIVED,
)

add_conversation(
    "invitation.list",
    """
bob > {"jsonrpc":"2.0","id":3,"method":"invitation.list","params":{}}
bob < {"jsonrpc":"2.0","id":3,"result":{"invitations":[{"invitation":"019bc0e2-1280-7c15-b2f4-90d3a86e417b",
        "caller":"ann","callee":"bob","channel":"math","content":"Fractions, in five minutes?","response":"",
        "state":"RECEIVED","reason":"","step":2,"ts":1768467601000,"number":7}],"more":false}}
""",
    setting=RINGING,
    given=RECEIVED,
)
