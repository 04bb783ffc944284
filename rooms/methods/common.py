"""What several room methods take, answer with or check."""

from typing import Final

import msgspec

from realtime.errors import INVALID_PARAMS, OVERLOADED, UNAVAILABLE, RpcError
from realtime.ids import Name, is_name
from rooms.selectors import Attributes

STORAGE_ERRORS: Final = (UNAVAILABLE, OVERLOADED)


class AttributeItem(msgspec.Struct):
    """`updated_at`: ms since 1970."""

    value: str
    updated_by: str
    updated_at: int


class RoomParams(msgspec.Struct, forbid_unknown_fields=True):
    room: Name


def check_room(room: str) -> None:
    if not is_name(room):
        raise RpcError(INVALID_PARAMS, "A room id has 1 to 64 bytes.")


def attribute_items(attributes: Attributes) -> dict[str, AttributeItem]:
    return {
        key: AttributeItem(attribute.value, attribute.updated_by, attribute.updated_at)
        for key, attribute in attributes.attributes.items()
    }
