"""Types of what the REST interface takes, with the schemas that its documents show."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from projects.names import NAME_PATTERN, is_user_id

_NAME: Final = re.compile(NAME_PATTERN)
_NAME_SCHEMA: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "pattern": r"^[a-zA-Z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,]+$",
}
_INTEGER: Final = re.compile(r"-?[0-9]{1,16}", re.ASCII)


class _Body(BaseModel):
    def take(self, name: str) -> Any:
        """The value of a field, which is let go of: a body lives as long as its call."""
        value = getattr(self, name)
        delattr(self, name)
        return value


class Body(_Body):
    """A request's body: nothing is converted, and nothing unknown is passed over."""

    model_config = ConfigDict(strict=True, extra="forbid")


class VendorBody(_Body):
    """The same for the vendor's interface, whose callers may name what only the vendor knows."""

    model_config = ConfigDict(strict=True, extra="ignore")


def _check_room(value: str) -> str:
    if _NAME.match(value) is None or len(value.encode()) > 64:
        raise ValueError("no room can have this id")
    return value


def _check_uid(value: str) -> str:
    if not is_user_id(value):
        raise ValueError("no user can have this id")
    return value


def _from_query(value: Any) -> Any:
    if isinstance(value, str):
        if _INTEGER.fullmatch(value) is None:
            raise ValueError("no whole number")
        return int(value)
    return value


def whole(value: Any) -> Any:
    """A validator of numbers in bodies: 12.0 is the whole number 12, as JSON Schema has it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


RoomId = Annotated[str, AfterValidator(_check_room), WithJsonSchema(_NAME_SCHEMA)]
UserId = Annotated[str, AfterValidator(_check_uid), WithJsonSchema(_NAME_SCHEMA)]
QueryFlag = Literal["true", "1", "false", "0", ""]
QueryPlace = Annotated[int, Field(ge=0, le=2**53 - 1), BeforeValidator(_from_query)]
"""A seq, a position, a revision, a cursor."""
QueryPage = Annotated[int, Field(ge=1, le=100), BeforeValidator(_from_query)]
QueryLimit = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_from_query)]
MessageId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Revision = Annotated[int, Field(ge=0, le=2**53 - 1), BeforeValidator(whole)]


def is_set(flag: QueryFlag) -> bool:
    return flag in ("true", "1")
