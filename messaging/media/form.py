"""The file in a multipart/form-data body, found as the body comes; nothing is kept but a few bytes."""

import re
from typing import Final

MAX_TYPE_BYTES: Final = 256
MAX_OTHER_BYTES: Final = 64 * 1024
"""Of a body: everything that is not the file's content."""
BOUNDARY: Final = re.compile(r'multipart/form-data\s*;(?:.*;)?\s*boundary="?([!-!#-:<-~ ]{1,70})"?\s*', re.IGNORECASE)
FILE_FIELD: Final = re.compile(
    rb'^content-disposition:\s*form-data\s*;[^\r\n]*\bname="?file"?\s*(?:;|$)', re.IGNORECASE | re.MULTILINE
)


class FormError(Exception):
    """It is no such form."""


def boundary_of(content_type: str) -> bytes:
    """Raises FormError."""
    found = BOUNDARY.fullmatch(content_type[:MAX_TYPE_BYTES])
    if found is None:
        raise FormError("The body is a multipart/form-data form.")
    return found[1].encode("ascii")


class FilePart:
    """`feed` answers with what is certainly the content of the field `file`; `complete`: there is no more of it."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = b"\r\n"  # the first delimiter may have none
        self._other_bytes = 0
        self._step = self._skip
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """Raises FormError."""
        if self.complete:
            self._count(len(data))
            return b""
        self._buffer += data
        content = b""
        step = None
        while step != self._step and not self.complete:  # each step goes as far as the buffer does
            step = self._step
            content += step()
        return content

    def _skip(self) -> bytes:
        before, found, rest = self._buffer.partition(self._delimiter)
        if found:
            self._count(len(before) + len(found))
            self._buffer, self._step = rest, self._head
        else:
            self._count(len(self._take_certain()))
        return b""

    def _head(self) -> bytes:
        """After a delimiter: the head of a part, or `--` for the end."""
        if self._buffer.startswith(b"--"):
            raise FormError("The form has no field `file`.")
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if found:
            self._count(len(head))
            self._buffer = rest
            self._step = self._content if FILE_FIELD.search(head.replace(b"\r\n", b"\n")) else self._skip
        elif len(self._buffer) > MAX_OTHER_BYTES:
            raise FormError("The form has too much beside the file.")
        return b""

    def _content(self) -> bytes:
        before, found, _ = self._buffer.partition(self._delimiter)
        self.complete = bool(found)
        return before if found else self._take_certain()

    def _take_certain(self) -> bytes:
        """All but what may be the beginning of a delimiter."""
        certain = max(0, len(self._buffer) - len(self._delimiter) + 1)
        taken, self._buffer = self._buffer[:certain], self._buffer[certain:]
        return taken

    def _count(self, size: int) -> None:
        self._other_bytes += size
        if self._other_bytes > MAX_OTHER_BYTES:
            raise FormError("The form has too much beside the file.")
