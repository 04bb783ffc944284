"""Tokens as the gateway takes them: what a good one means, and which error a bad one is."""

from projects.selectors import Tenant
from projects.tokens import ExpiredToken, InvalidToken
from realtime.errors import INVALID_TOKEN, TOKEN_EXPIRED, RpcError


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
