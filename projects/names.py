"""How users are called (docs/contract.md 2)."""

import re
from typing import Final

NAME_PATTERN: Final = r"\A[a-zA-Z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,\t\n\u00a0]{1,64}\Z"
"""User and room ids. The length of 64 is in bytes: the no-break space has two."""

_NAME: Final = re.compile(NAME_PATTERN)


def is_user_id(uid: str) -> bool:
    """Whether somebody may log in under it."""
    return _NAME.match(uid) is not None and len(uid.encode()) <= 64 and uid != "null"
