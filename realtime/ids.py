"""The character sets of ids, as annotated types for params (docs/contract.md 2).

All are full matches: `\\A...\\Z`, since `$` would let a final newline pass.
"""

from typing import Annotated

import msgspec

from projects.names import NAME_PATTERN

Name = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        pattern=NAME_PATTERN,
        description="1 to 64 bytes of a-z A-Z 0-9 space and `!#$%&()+-:;<=.>?@[]^_{}|~,`",
    ),
]
MessageId = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        pattern=r"\A[A-Za-z0-9_-]{1,64}\Z",
        description="Made by the client, time-ordered; the same id again gets the first answer.",
    ),
]
Seq = Annotated[
    int, msgspec.Meta(ge=0, le=2**53 - 1, description="0 to 2^53 - 1, which every JSON reader takes exactly")
]
AppId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z]{32}\Z", description="32 letters and digits")]


def is_name(name: str) -> bool:
    """Whether a matched name also keeps to 64 bytes: the no-break space has two."""
    return name.isascii() or len(name.encode()) <= 64
