"""Tokens as the gateway takes them: what a good one means, which error a bad one is, and what its end does."""

from typing import TYPE_CHECKING, Final

from projects.selectors import Tenant
from projects.tokens import ExpiredToken, InvalidToken
from realtime import close_codes
from realtime.connection import Connection
from realtime.errors import INVALID_TOKEN, TOKEN_EXPIRED, RpcError
from realtime.fanout import Fanout
from realtime.protocol import notification_text

if TYPE_CHECKING:
    from realtime.session import Session

TOKEN_WARNING_MS: Final = 30_000
"""So long before a token runs out its user is told."""


def token_end(tenant: Tenant, uid: str, token: str | None, now_ms: int) -> int | None:
    """When the token that `uid` shows ends its connection, in ms since 1970. None: it does not, as the certificate is
    off, or as it is a 006 token, which the vendor looks at only at logins, and the project has it so.

    Raises RpcError `invalid_token`, `token_expired`.
    """
    if not tenant.certificate_enabled:
        return None
    if not token:
        raise RpcError(INVALID_TOKEN, "The project wants a token.")
    try:
        shown = tenant.verify_token(token, uid, now_ms)
    except InvalidToken as error:
        raise RpcError(INVALID_TOKEN, str(error)) from None
    except ExpiredToken:
        raise RpcError(TOKEN_EXPIRED) from None
    if shown.version == "006" and not tenant.end_006_sessions:
        return None
    return shown.expires_ms


def watch_token(fanout: Fanout, session: "Session", connection: Connection, ends_ms: int, now_ms: int) -> None:
    """Warns once, and at the end closes the connection (docs/contract.md 9).

    Nothing is suspended on an open socket: without a connection a session neither sends nor is sent to, it shows
    as unreachable and is removed after 30 s, and a login with a new token resumes it, all by the rules for any
    lost connection."""
    if now_ms >= ends_ms:
        connection.close(close_codes.TOKEN_EXPIRED)
    elif now_ms >= ends_ms - TOKEN_WARNING_MS and not session.token_warned:
        session.token_warned = True
        warning = notification_text("session.token_expiring", {"expires_at": ends_ms})
        fanout.enqueue(connection, warning)
