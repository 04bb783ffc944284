"""Tokens: who may log in, said by the customer's server (docs/contract.md 9).

Both of the vendor's formats are verified, `006` and `007`, and `007` is issued. Nothing here reads a clock, and
nothing but TokenError is raised, whatever bytes come.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from projects.tokens import access_token_006, access_token_007
from projects.tokens.access_token_006 import read_006
from projects.tokens.access_token_007 import issue_007
from projects.tokens.errors import ExpiredToken, InvalidToken, TokenError
from projects.tokens.times import CLOCK_SLACK_S, LONGEST_S

__all__ = [
    "CLOCK_SLACK_S",
    "LONGEST_S",
    "MAX_CHARS",
    "ExpiredToken",
    "InvalidToken",
    "Token",
    "TokenError",
    "issue_007",
    "verify",
]

MAX_CHARS: Final = 4096
"""Of a token that is looked at."""

_READERS: Final = {access_token_006.VERSION: read_006, access_token_007.VERSION: access_token_007.read_007}


class Token(NamedTuple):
    """A valid token: its format, and the moment from which it is not, in ms since 1970."""

    version: str
    expires_ms: int


def verify(token: str, *, app_id: str, certificates: Sequence[str], uid: str, now_ms: int) -> Token:
    """Whether a token lets `uid` log in now. `certificates`: any of them may have signed it.

    Raises InvalidToken, or ExpiredToken for one that was good.
    """
    version, body = token[:3], token[3:]
    read = _READERS.get(version)
    if read is None:
        raise InvalidToken("The token is of no known format.")
    if len(token) > MAX_CHARS:
        raise InvalidToken("The token is too large.")
    expires_s = read(body, app_id=app_id, certificates=certificates, uid=uid, now_s=now_ms // 1000)
    return Token(version, expires_s * 1000)
