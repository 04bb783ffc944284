"""What attributes of rooms and of users have in common (docs/contract.md 7)."""

import enum
from collections.abc import Collection, Mapping

from projects.limits import Sizes
from realtime.errors import INVALID_PARAMS, SIZE_OVERFLOW, RpcError


class Operation(enum.Enum):
    SET = "set"
    """Replaces all attributes."""
    UPDATE = "update"
    """Adds or replaces the named ones."""
    DELETE = "delete"
    CLEAR = "clear"


def apply(
    operation: Operation, before: Mapping[str, str], attributes: Mapping[str, str], keys: Collection[str]
) -> dict[str, str]:
    """What `before` becomes: `attributes` are those of a set or update, `keys` those of a delete."""
    match operation:
        case Operation.SET:
            return dict(attributes)
        case Operation.UPDATE:
            return {**before, **attributes}
        case Operation.DELETE:
            return {key: value for key, value in before.items() if key not in keys}
        case Operation.CLEAR:
            return {}


def check_attributes(attributes: Mapping[str, str], sizes: Sizes) -> None:
    """Raises RpcError for a key or value that nothing may have."""
    check_keys(attributes, sizes)
    for key, value in attributes.items():
        if not value:
            raise RpcError(INVALID_PARAMS, f"The value of {key!r} is empty.")
        if len(value.encode()) > sizes.attribute_value_bytes:
            raise RpcError(SIZE_OVERFLOW, f"The value of {key!r} is over {sizes.attribute_value_bytes} bytes.")


def check_keys(keys: Collection[str], sizes: Sizes) -> None:
    for key in keys:
        if not key or not key.isprintable() or key.isspace():
            raise RpcError(INVALID_PARAMS, "A key has visible characters only.")
        if len(key.encode()) > sizes.attribute_key_bytes:
            raise RpcError(SIZE_OVERFLOW, f"A key is over {sizes.attribute_key_bytes} bytes.")


def check_total(attributes: Mapping[str, str], *, most: int, most_bytes: int) -> None:
    """Raises RpcError `size_overflow` for more attributes, or more bytes of keys and values, than one may have."""
    if len(attributes) > most:
        raise RpcError(SIZE_OVERFLOW, f"At most {most} attributes.")
    total = sum(len(key.encode()) + len(value.encode()) for key, value in attributes.items())
    if total > most_bytes:
        raise RpcError(SIZE_OVERFLOW, f"All attributes together have at most {most_bytes} bytes.")
