"""The header `Range`, of one range of bytes (RFC 9110 14)."""

import re
from typing import Final

ONE_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class RangeError(Exception):
    """None of the bytes is there."""


def range_of(header: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte asked for; None for what may be passed over: several ranges, or what is no range.

    Raises RangeError.
    """
    found = ONE_RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first == "":
        begin, end = max(0, size - int(last)), size - 1
    else:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < begin:
            return None
    if begin >= size or begin > end:
        raise RangeError
    return begin, end
