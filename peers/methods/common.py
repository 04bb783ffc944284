"""What several methods take or check."""

from collections.abc import Iterable

from realtime.errors import INVALID_PARAMS, RpcError
from realtime.ids import is_name


def check_uids(uids: Iterable[str]) -> None:
    if not all(is_name(uid) for uid in uids):
        raise RpcError(INVALID_PARAMS, "A user id has 1 to 64 bytes.")
