"""The one table of errors a request may be answered with. `docs/protocol.md` is generated from it."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """An error a client can act on: `retryable` means the same request may succeed later unchanged."""

    code: int
    name: str
    meaning: str
    retryable: bool = False


PARSE_ERROR: Final = ErrorKind(-32700, "parse_error", "The frame is no JSON.")
INVALID_REQUEST: Final = ErrorKind(-32600, "invalid_request", "The message is no JSON-RPC 2.0 request.")
METHOD_NOT_FOUND: Final = ErrorKind(-32601, "method_not_found", "There is no such method.")
INVALID_PARAMS: Final = ErrorKind(-32602, "invalid_params", "The params do not fit the method.")
INTERNAL: Final = ErrorKind(
    -32603, "internal", "The server failed; `incident` names the line in its log.", retryable=True
)
NOT_LOGGED_IN: Final = ErrorKind(1, "not_logged_in", "Log in first.")
ALREADY_LOGGED_IN: Final = ErrorKind(2, "already_logged_in", "This connection has logged in.")
TOO_OFTEN: Final = ErrorKind(
    3, "too_often", "A rate limit is spent; `retry_after_ms` tells when a call is free.", retryable=True
)
INVALID_APP_ID: Final = ErrorKind(4, "invalid_app_id", "No active project has this App ID.")
INVALID_TOKEN: Final = ErrorKind(5, "invalid_token", "The project wants a valid token of this user.")
NOT_AUTHORIZED: Final = ErrorKind(6, "not_authorized", "The policy does not allow it.")
NOT_IN_ROOM: Final = ErrorKind(7, "not_in_room", "Join the room first.")
LIMIT_EXCEEDED: Final = ErrorKind(8, "limit_exceeded", "A limit on the number of things is reached.")
SIZE_OVERFLOW: Final = ErrorKind(9, "size_overflow", "Something is larger than its limit.")
REVISION_CONFLICT: Final = ErrorKind(
    10, "revision_conflict", "The attributes have changed since the given revision; `revision` is theirs."
)
REJECTED: Final = ErrorKind(11, "rejected", "The storage refuses this data for good.")
EXPIRED: Final = ErrorKind(12, "expired", "Not done in time, and not done later either.", retryable=True)
UNAVAILABLE: Final = ErrorKind(
    13, "unavailable", "Storage is out of reach; whether it was done is not known.", retryable=True
)
OVERLOADED: Final = ErrorKind(14, "overloaded", "The server has too much to do.", retryable=True)
JOIN_SAME_ROOM_TOO_OFTEN: Final = ErrorKind(
    15, "join_same_room_too_often", "This room was joined too often just now.", retryable=True
)
TOKEN_EXPIRED: Final = ErrorKind(16, "token_expired", "The token has run out: get a new one.")
BANNED: Final = ErrorKind(17, "banned", "The user is banned; `until` tells when that ends, null: not by itself.")
USER_NOT_FOUND: Final = ErrorKind(18, "user_not_found", "The user is not online.")
INVITATION_NOT_FOUND: Final = ErrorKind(19, "invitation_not_found", "There is no such invitation to or from you.")
INVITATION_ENDED: Final = ErrorKind(
    20, "invitation_ended", "The invitation has ended otherwise; `state`, `reason` and `step` tell how."
)
OUT_OF_TURN: Final = ErrorKind(
    21, "out_of_turn", "A message before it was refused: not done, so that the order stays.", retryable=True
)
MEDIA_NOT_FOUND: Final = ErrorKind(
    22, "media_not_found", "There is no such file for this user: it was not uploaded, is not theirs, or is gone."
)
MEDIA_REFUSED: Final = ErrorKind(
    23, "media_refused", "What was uploaded is not what was announced; `reason` tells: size, image, or abandoned."
)
MEDIA_BUSY: Final = ErrorKind(24, "media_busy", "The file is being checked.", retryable=True)
TOO_MANY_UPLOADS: Final = ErrorKind(
    25, "too_many_uploads", "The user is sending as many files as the limit allows.", retryable=True
)
INCOMPATIBLE_MESSAGE: Final = ErrorKind(
    26, "incompatible_message", "The peer's client takes no files and images: the message is not sent."
)
MESSAGE_NOT_FOUND: Final = ErrorKind(27, "message_not_found", "There is no such message in the room, or no more.")

ERRORS: Final = tuple(value for value in list(globals().values()) if isinstance(value, ErrorKind))


class RpcError(Exception):
    """A known failure: becomes an error reply with `kind`, a readable detail and `data`."""

    def __init__(self, kind: ErrorKind, detail: str = "", **data: Any) -> None:
        super().__init__(detail or kind.meaning)
        self.kind = kind
        self.data = data
