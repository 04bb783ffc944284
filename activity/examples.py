"""Worked frames of what a session tells the project's servers by."""

from realtime.conversations import add_conversation
from realtime.examples import ANN

add_conversation(
    "session.set_business_id",
    """
ann > {"jsonrpc":"2.0","id":2,"method":"session.set_business_id","params":{"business_id":"evening-class"}}
ann < {"jsonrpc":"2.0","id":2,"result":{}}
""",
    setting="Ann is logged in. What she does from now on is told to webhooks with this business id.",
    given=ANN,
)
