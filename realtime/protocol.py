"""The JSON-RPC 2.0 envelope: reading requests, writing replies, errors and notifications as text."""

from typing import Annotated, Any, Final, Literal

import msgspec

from realtime.errors import ErrorKind, RpcError

MAX_FRAME_BYTES: Final = 256 * 1024
"""A received frame: 32 KiB of text may grow sixfold by escaping."""
MAX_BATCH: Final = 64

RequestId = int | str | None
_IntId = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
_StrId = Annotated[str, msgspec.Meta(max_length=64)]


class Request(msgspec.Struct):
    jsonrpc: Literal["2.0"]
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: _IntId | _StrId | msgspec.UnsetType | None = msgspec.UNSET


decode_request = msgspec.json.Decoder(Request).decode
decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def encode(value: Any) -> str:
    """Any msgspec value as JSON text."""
    return _encode(value).decode()


def encode_id(request_id: RequestId) -> str:
    return str(request_id) if type(request_id) is int else encode(request_id)


def result_text(request_id: RequestId, result: str) -> str:
    """A reply; `result` is JSON text already."""
    return f'{{"jsonrpc":"2.0","id":{encode_id(request_id)},"result":{result}}}'


def error_text(request_id: RequestId, kind: ErrorKind, detail: str, data: dict[str, Any]) -> str:
    error = {
        "code": kind.code,
        "message": detail,
        "data": {"name": kind.name, "retryable": kind.retryable, **data},
    }
    return f'{{"jsonrpc":"2.0","id":{encode_id(request_id)},"error":{encode(error)}}}'


def failure_text(request_id: RequestId, error: RpcError) -> str:
    return error_text(request_id, error.kind, str(error), error.data)


def notification_text(method: str, params: Any) -> str:
    return f'{{"jsonrpc":"2.0","method":"{method}","params":{encode(params)}}}'
