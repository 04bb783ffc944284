"""The vendor's packing: little-endian integers, `u16 length + bytes`, and maps of u16 to u32."""

import binascii
import struct
from collections.abc import Mapping
from typing import Final

from projects.tokens.errors import InvalidToken

_U16: Final = struct.Struct("<H")
_U32: Final = struct.Struct("<I")
_PAIR: Final = struct.Struct("<HI")


class Reader:
    """Reads packed fields one after the other. Raises InvalidToken where the bytes end too soon."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def u16(self) -> int:
        return self._number(_U16)

    def u32(self) -> int:
        return self._number(_U32)

    def _number(self, form: struct.Struct) -> int:
        try:
            (value,) = form.unpack_from(self._data, self._at)
        except struct.error:
            raise InvalidToken("The token is cut short.") from None
        self._at += form.size
        number: int = value
        return number

    def text(self) -> bytes:
        start = self._at + _U16.size
        end = start + self.u16()
        if end > len(self._data):
            raise InvalidToken("The token is cut short.")
        self._at = end
        return self._data[start:end]

    def numbers(self) -> dict[int, int]:
        """A map."""
        count = self.u16()
        start = self._at
        end = start + count * _PAIR.size
        if end > len(self._data):
            raise InvalidToken("The token is cut short.")
        self._at = end
        return dict(_PAIR.iter_unpack(self._data[start:end]))

    def rest(self) -> bytes:
        """What has not been read yet."""
        return self._data[self._at :]

    def end(self) -> None:
        """Raises InvalidToken if there is more."""
        if self._at != len(self._data):
            raise InvalidToken("The token goes on after its end.")


def from_base64(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # also for what is not ASCII
        raise InvalidToken("The token is no base64.") from None


def pack_u16(value: int) -> bytes:
    return _U16.pack(value)


def pack_u32(value: int) -> bytes:
    return _U32.pack(value)


def pack_text(value: bytes) -> bytes:
    return _U16.pack(len(value)) + value


def pack_numbers(values: Mapping[int, int]) -> bytes:
    return _U16.pack(len(values)) + b"".join(_PAIR.pack(key, values[key]) for key in sorted(values))
