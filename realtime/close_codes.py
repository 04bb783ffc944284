"""The one table of close codes. `docs/protocol.md` is generated from it."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class CloseCode:
    """Why the server closes a connection, and whether the client is to come back by itself."""

    code: int
    name: str
    reconnect: bool
    meaning: str


LOGGED_OUT: Final = CloseCode(1000, "logged_out", False, "The client logged out.")
FRAME_TOO_BIG: Final = CloseCode(1009, "frame_too_big", True, "A frame was larger than 256 KiB.")
SERVER_RESTART: Final = CloseCode(1012, "server_restart", True, "The server stops: come back after `delay_ms`.")
KICKED: Final = CloseCode(4001, "kicked", False, "A moderator removed the user.")
BANNED: Final = CloseCode(4002, "banned", False, "The user is banned.")
REMOTE_LOGIN: Final = CloseCode(4003, "remote_login", False, "The same uid logged in elsewhere.")
TOKEN_EXPIRED: Final = CloseCode(4004, "token_expired", False, "The token ran out: log in with a new one.")
SLOW_CONSUMER: Final = CloseCode(
    4005, "slow_consumer", True, "More than 1 MiB was sent and not acknowledged: the connection was cut."
)
LOGIN_TIMEOUT: Final = CloseCode(4006, "login_timeout", True, "No login within 12 s of connecting.")
PROTOCOL_ERROR: Final = CloseCode(4007, "protocol_error", False, "Too many frames were no valid requests.")
SESSION_LOST: Final = CloseCode(4008, "session_lost", True, "The session was removed: log in again.")
OVERLOADED: Final = CloseCode(4009, "overloaded", True, "The server has too many connections.")
SUPERSEDED: Final = CloseCode(4010, "superseded", False, "The same session came back on a newer connection.")

CLOSE_CODES: Final = tuple(value for value in list(globals().values()) if isinstance(value, CloseCode))
