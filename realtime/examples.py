"""Worked frames of the session's methods, and of what is true of every method."""

from typing import Final

from projects.demo import DEMO_APP_ID
from realtime.conversations import Given, add_conversation


def logged_in(*actors: str) -> tuple[Given, ...]:
    """Each has logged in with its own name."""
    return tuple(Given(actor, "session.login", {"app": DEMO_APP_ID, "uid": actor}) for actor in actors)


ANN: Final = logged_in("ann")

add_conversation(
    "session.login",
    """
ann > {"jsonrpc":"2.0","id":1,"method":"session.login","params":{
        "app":"0123456789abcdef0123456789abcdef","uid":"ann","token":null,
        "client":{"sdk":"rostrum-js","version":"0.1.0","capabilities":[]}}}
ann < {"jsonrpc":"2.0","id":1,"result":{
        "session":"5d0c3a9e41f7b28c6e9ad013","generation":1768467600000,"resumed":false,
        "server_ts":1768467600000,"heartbeat_ms":3000,"ack_bytes":262144,
        "inbox":{"stream":"inbox:ann","epoch":"","head":0,"live":true,"entries":[]},"streams":{}}}
""",
)

add_conversation(
    "session.login",
    """
* Ann is banned for an hour.
ann > {"jsonrpc":"2.0","id":1,"method":"session.login","params":{
        "app":"0123456789abcdef0123456789abcdef","uid":"ann","token":null}}
ann < {"jsonrpc":"2.0","id":1,"error":{"code":17,
        "message":"The user is banned; `until` tells when that ends, null: not by itself.",
        "data":{"name":"banned","retryable":false,"until":1768471200000}}}
""",
    title="Refused",
)

add_conversation(
    "session.renew_token",
    """
* Ann's token has 30 seconds left.
ann < {"jsonrpc":"2.0","method":"session.token_expiring","params":{"expires_at":1768471200000}}
ann > {"jsonrpc":"2.0","id":5,"method":"session.renew_token","params":{
        "token":"007eJxTYFhRfz1z2bwdvnnqwWr5yxLyr/xZ2rEs5sS2ifcqGVjSDJINDI2MTUzNzC0sk5JTUtOQ2QwQkMoAAQz0GMgPkcvMTELwEzLA4A"}}
ann < {"jsonrpc":"2.0","id":5,"result":{}}
""",
    setting="Ann is logged in with a token.",
    given=ANN,
)

add_conversation(
    "session.renew_token",
    """
* Ann's token has run out.
ann < {"jsonrpc":"2.0","method":"session.closing","params":{
        "code":4004,"name":"token_expired","reconnect":false,"delay_ms":0}}
ann x 4004
""",
    title="Too late",
    setting="Ann is logged in with a token and has renewed nothing.",
    given=ANN,
)

add_conversation(
    "session.ping",
    """
ann > {"jsonrpc":"2.0","id":2,"method":"session.ping","params":{"received":214}}
ann < {"jsonrpc":"2.0","id":2,"result":{}}
""",
    setting="Ann is logged in and has been silent for 3 seconds.",
    given=ANN,
)

add_conversation(
    "session.ping",
    """
* The server has much of ann's to answer yet, and stops reading from her.
ann < {"jsonrpc":"2.0","method":"session.alive","params":{}}
""",
    title="The other way round",
    setting="Ann is logged in.",
    given=ANN,
)

add_conversation(
    "session.ack",
    """
ann > {"jsonrpc":"2.0","method":"session.ack","params":{"received":262410}}
""",
    setting="Ann is logged in, and frames with 262,410 bytes have arrived on this connection. No id, so no answer.",
    given=ANN,
)

add_conversation(
    "session.logout",
    """
ann > {"jsonrpc":"2.0","id":9,"method":"session.logout","params":{}}
ann < {"jsonrpc":"2.0","id":9,"result":{}}
ann < {"jsonrpc":"2.0","method":"session.closing","params":{
        "code":1000,"name":"logged_out","reconnect":false,"delay_ms":0}}
ann x 1000
""",
    setting="Ann is logged in.",
    given=ANN,
)

add_conversation(
    "batches",
    """
ann > [{"jsonrpc":"2.0","id":2,"method":"session.ping","params":{}},
       {"jsonrpc":"2.0","id":3,"method":"session.ping","params":{}}]
ann < [{"jsonrpc":"2.0","id":2,"result":{}},
       {"jsonrpc":"2.0","id":3,"result":{}}]
""",
    setting="Ann is logged in.",
    given=ANN,
)

add_conversation(
    "errors",
    """
ann > {"jsonrpc":"2.0","id":4,"method":
ann < {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Input data was truncated",
        "data":{"name":"parse_error","retryable":false}}}
ann > {"jsonrpc":"2.0","id":5,"method":"room.fly","params":{}}
ann < {"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"There is no such method.",
        "data":{"name":"method_not_found","retryable":false}}}
ann > {"jsonrpc":"2.0","id":6,"method":"session.ping","params":{"received":"many"}}
ann < {"jsonrpc":"2.0","id":6,"error":{"code":-32602,"message":"Expected `int`, got `str` - at `$.received`",
        "data":{"name":"invalid_params","retryable":false}}}
""",
    setting="Ann is logged in.",
    given=ANN,
)
