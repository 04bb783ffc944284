"""What several calls take or answer with."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from realtime.rest.fields import Body

BASE64_PATTERN: Final = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

AppId = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[0-9A-Za-z]{32}$"})]
"""Of the path: who is let in has named a project that exists."""


class TextMessage(Body):
    type: Literal["TEXT"]
    text: str


class RawMessage(Body):
    """`raw`: base64."""

    type: Literal["RAW"]
    raw: Annotated[str, WithJsonSchema({"type": "string", "pattern": BASE64_PATTERN})]
    description: str = ""


Message = Annotated[TextMessage | RawMessage, Field(discriminator="type")]


class Done(BaseModel):
    """It is done."""
