"""What the documents say about JSON that is passed on as text: a field of type `msgspec.Raw` has no schema of its
own, so its annotation names the shape of what it carries."""

from typing import Any, Final

import msgspec

MARK: Final = "x-carries"
ANY_BODY: Final = msgspec.Meta(extra_json_schema={MARK: "body"})
"""For the body of an entry of any event."""

_shapes: dict[str, Any] = {}


def carries(shape: Any) -> msgspec.Meta:
    """`Annotated[msgspec.Raw, carries(Message)]`: decoded as any JSON, documented as a `Message`."""
    mark = str(len(_shapes))
    _shapes[mark] = shape
    return msgspec.Meta(extra_json_schema={MARK: mark})


def carried_shapes() -> dict[str, Any]:
    """The shapes by the mark that stands for them in a generated schema."""
    return dict(_shapes)
