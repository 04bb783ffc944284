"""Worked frames of online states and attributes of users."""

from typing import Final

from realtime.conversations import Given, add_conversation
from realtime.examples import logged_in

BOTH: Final = "Ann and Bob are logged in."

add_conversation(
    "presence.query",
    """
ann > {"jsonrpc":"2.0","id":2,"method":"presence.query","params":{"uids":["bob","cal"]}}
ann < {"jsonrpc":"2.0","id":2,"result":{"states":{"bob":"ONLINE","cal":"OFFLINE"}}}
""",
    setting=BOTH,
    given=logged_in("ann", "bob"),
)

add_conversation(
    "presence.subscribe",
    """
ann > {"jsonrpc":"2.0","id":2,"method":"presence.subscribe","params":{"uids":["bob","cal"]}}
ann < {"jsonrpc":"2.0","id":2,"result":{"states":{"bob":"ONLINE","cal":"OFFLINE"}}}
bob > {"jsonrpc":"2.0","id":2,"method":"session.logout","params":{}}
bob < {"jsonrpc":"2.0","id":2,"result":{}}
bob < {"jsonrpc":"2.0","method":"session.closing","params":{
        "code":1000,"name":"logged_out","reconnect":false,"delay_ms":0}}
bob x 1000
ann < {"jsonrpc":"2.0","method":"presence.changed","params":{"states":{"bob":"OFFLINE"}}}
""",
    setting=BOTH,
    given=logged_in("ann", "bob"),
)

add_conversation(
    "presence.subscribe",
    """
ann ~
bob > {"jsonrpc":"2.0","id":2,"method":"session.logout","params":{}}
bob < {"jsonrpc":"2.0","id":2,"result":{}}
bob < {"jsonrpc":"2.0","method":"session.closing","params":{
        "code":1000,"name":"logged_out","reconnect":false,"delay_ms":0}}
bob x 1000
ann > {"jsonrpc":"2.0","id":1,"method":"session.login","params":{
        "app":"0123456789abcdef0123456789abcdef","uid":"ann"}}
ann < {"jsonrpc":"2.0","id":1,"result":{
        "session":"5d0c3a9e41f7b28c6e9ad013","generation":1768467600000,"resumed":false,
        "server_ts":1768467600000,"heartbeat_ms":3000,"ack_bytes":262144,
        "inbox":{"stream":"inbox:ann","epoch":"","head":0,"live":true,"entries":[]},"streams":{}}}
ann > {"jsonrpc":"2.0","id":2,"method":"presence.subscribe","params":{"uids":["bob"]}}
ann < {"jsonrpc":"2.0","id":2,"result":{"states":{"bob":"OFFLINE"}}}
""",
    title="After a lost connection",
    setting="Ann has subscribed to Bob, who is online. She subscribes again, and sees what she missed.",
    given=(*logged_in("ann", "bob"), Given("ann", "presence.subscribe", {"uids": ["bob"]})),
)

add_conversation(
    "presence.unsubscribe",
    """
ann > {"jsonrpc":"2.0","id":3,"method":"presence.unsubscribe","params":{"uids":["bob","cal"]}}
ann < {"jsonrpc":"2.0","id":3,"result":{}}
""",
    setting="Ann has subscribed to Bob, and not to Cal.",
    given=(*logged_in("ann", "bob"), Given("ann", "presence.subscribe", {"uids": ["bob"]})),
)

add_conversation(
    "presence.subscriptions",
    """
ann > {"jsonrpc":"2.0","id":3,"method":"presence.subscriptions","params":{}}
ann < {"jsonrpc":"2.0","id":3,"result":{"uids":["bob","cal"]}}
""",
    setting="Ann has subscribed to Bob and Cal.",
    given=(*logged_in("ann"), Given("ann", "presence.subscribe", {"uids": ["bob", "cal"]})),
)

add_conversation(
    "user.set_attributes",
    """
ann > {"jsonrpc":"2.0","id":2,"method":"user.set_attributes","params":{"attributes":{"name":"Ann","hand":"down"}}}
ann < {"jsonrpc":"2.0","id":2,"result":{}}
""",
    setting="Ann is logged in.",
    given=logged_in("ann"),
)

add_conversation(
    "user.update_attributes",
    """
ann > {"jsonrpc":"2.0","id":3,"method":"user.update_attributes","params":{"attributes":{"hand":"up"}}}
ann < {"jsonrpc":"2.0","id":3,"result":{}}
bob > {"jsonrpc":"2.0","id":2,"method":"user.get_attributes","params":{"uid":"ann"}}
bob < {"jsonrpc":"2.0","id":2,"result":{"attributes":{"name":"Ann","hand":"up"}}}
""",
    setting=BOTH + " Ann has the attributes `name` and `hand`.",
    given=(
        *logged_in("ann", "bob"),
        Given("ann", "user.set_attributes", {"attributes": {"name": "Ann", "hand": "down"}}),
    ),
)

add_conversation(
    "user.delete_attributes",
    """
ann > {"jsonrpc":"2.0","id":3,"method":"user.delete_attributes","params":{"keys":["hand","colour"]}}
ann < {"jsonrpc":"2.0","id":3,"result":{}}
""",
    setting="Ann has an attribute `hand`, and no `colour`.",
    given=(*logged_in("ann"), Given("ann", "user.set_attributes", {"attributes": {"hand": "up"}})),
)

add_conversation(
    "user.clear_attributes",
    """
ann > {"jsonrpc":"2.0","id":3,"method":"user.clear_attributes","params":{}}
ann < {"jsonrpc":"2.0","id":3,"result":{}}
""",
    setting="Ann is logged in.",
    given=logged_in("ann"),
)

add_conversation(
    "user.get_attributes",
    """
bob > {"jsonrpc":"2.0","id":2,"method":"user.get_attributes","params":{"uid":"ann","keys":["hand","colour"]}}
bob < {"jsonrpc":"2.0","id":2,"result":{"attributes":{"hand":"up"}}}
bob > {"jsonrpc":"2.0","id":3,"method":"user.get_attributes","params":{"uid":"cal"}}
bob < {"jsonrpc":"2.0","id":3,"error":{"code":18,"message":"The user is not online.",
        "data":{"name":"user_not_found","retryable":false}}}
""",
    setting=BOTH + " Ann has the attributes `name` and `hand`. Cal is offline.",
    given=(
        *logged_in("ann", "bob"),
        Given("ann", "user.set_attributes", {"attributes": {"name": "Ann", "hand": "up"}}),
    ),
)
