"""What an error is over HTTP: one table of statuses, and the two shapes of bodies."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from pydantic import BaseModel, ConfigDict

from realtime import errors
from realtime.errors import ErrorKind, RpcError

STATUSES: Final[Mapping[ErrorKind, int]] = {
    errors.INTERNAL: 500,
    errors.NOT_LOGGED_IN: 401,
    errors.INVALID_APP_ID: 401,
    errors.INVALID_TOKEN: 401,
    errors.TOKEN_EXPIRED: 401,
    errors.BANNED: 403,
    errors.NOT_AUTHORIZED: 403,
    errors.NOT_IN_ROOM: 403,
    errors.METHOD_NOT_FOUND: 404,
    errors.MEDIA_NOT_FOUND: 404,
    errors.MESSAGE_NOT_FOUND: 404,
    errors.EXPIRED: 408,
    errors.LIMIT_EXCEEDED: 409,
    errors.REVISION_CONFLICT: 409,
    errors.SIZE_OVERFLOW: 413,
    errors.TOO_OFTEN: 429,
    errors.UNAVAILABLE: 503,
    errors.OVERLOADED: 503,
}
"""Every other kind is a request that cannot be right: 400."""

VENDOR_STATUSES: Final[Mapping[int, int]] = {
    401: 401,
    403: 401,
    404: 404,
    405: 405,
    408: 408,
    429: 429,
    500: 500,
    503: 500,
}
"""The vendor's interface knows fewer (docs/contract.md 10); every other status is its 400."""


class V1Error(BaseModel):
    """`code`: a name of docs/protocol.md's table. More of what the table says of it may follow."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str


class V1Failure(BaseModel):
    error: V1Error


class VendorFailure(BaseModel):
    result: str
    reason: str


class Shape(Protocol):
    """How an interface says that something failed."""

    def status(self, error: RpcError) -> int: ...

    def body(self, error: RpcError) -> dict[str, Any]: ...


def status_of(kind: ErrorKind) -> int:
    return STATUSES.get(kind, 400)


class V1Shape:
    def status(self, error: RpcError) -> int:
        return status_of(error.kind)

    def body(self, error: RpcError) -> dict[str, Any]:
        return {"error": {**error.data, "code": error.kind.name, "message": str(error)}}


class VendorShape:
    def status(self, error: RpcError) -> int:
        return VENDOR_STATUSES.get(status_of(error.kind), 400)

    def body(self, error: RpcError) -> dict[str, Any]:
        return {"result": "failed", "reason": str(error)}


V1: Final = V1Shape()
VENDOR: Final = VendorShape()

V1_FAILURES: Final = frozenset({400, 401, 403, 404, 405, 408, 409, 413, 429, 500, 503})
VENDOR_FAILURES: Final = frozenset({400, *VENDOR_STATUSES.values()})
