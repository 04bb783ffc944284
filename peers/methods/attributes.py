"""User attributes (docs/contract.md 7)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from messaging.attributes import Operation
from peers.methods.common import check_uids
from peers.selectors import get_attributes
from peers.services.attributes import change_attributes
from realtime.calls import Call
from realtime.errors import OVERLOADED, SIZE_OVERFLOW, UNAVAILABLE, USER_NOT_FOUND, RpcError
from realtime.ids import Name
from realtime.payloads import Empty
from realtime.registry import method
from realtime.session import Session

MAX_NAMED: Final = 1_024
"""Keys in one call. A user has fewer: what is above its limit is a matter of size, not of the call's form."""

STORAGE_ERRORS: Final = (UNAVAILABLE, OVERLOADED)
CHANGE_ERRORS: Final = (SIZE_OVERFLOW, *STORAGE_ERRORS)

Keys = Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_NAMED)]


class GetUserAttributesParams(msgspec.Struct, forbid_unknown_fields=True):
    """`keys`: only these, where they exist."""

    uid: Name
    keys: Keys | None = None


class UserAttributesResult(msgspec.Struct):
    attributes: dict[str, str]


@method(
    "user.get_attributes",
    params=GetUserAttributesParams,
    result=UserAttributesResult,
    rate="get_user_attributes",
    errors=(USER_NOT_FOUND, *STORAGE_ERRORS),
)
async def get_user_attributes(call: Call, params: GetUserAttributesParams) -> UserAttributesResult:
    """The attributes of a user that is online or may still come back, or one's own."""
    session = call.logged_in()
    check_uids([params.uid])
    project = session.project.id
    current = await _current_session(call, session, params.uid)
    found = await call.runtime.bridge.read(get_attributes, project, params.uid, current)
    if params.keys is not None:
        found = {key: value for key, value in found.items() if key in params.keys}
    return UserAttributesResult(found)


async def _current_session(call: Call, session: Session, uid: str) -> str:
    if uid == session.uid:
        return session.id
    (found,) = await call.runtime.sessions.states(session.project.id, [uid])
    if found is None:
        raise RpcError(USER_NOT_FOUND)
    return found.session


class PutUserAttributesParams(msgspec.Struct, forbid_unknown_fields=True):
    attributes: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=MAX_NAMED)]


class DeleteUserAttributesParams(msgspec.Struct, forbid_unknown_fields=True):
    keys: Keys


async def _change(call: Call, operation: Operation, attributes: Mapping[str, str], keys: Sequence[str]) -> Empty:
    session = call.logged_in()
    await call.runtime.bridge.write(
        change_attributes,
        project_id=session.project.id,
        uid=session.uid,
        session=session.id,
        generation=session.generation,
        operation=operation,
        attributes=attributes,
        keys=keys,
        sizes=session.project.limits.sizes,
        now=datetime.fromtimestamp(call.runtime.clock_ms() / 1000, UTC),
    )
    return Empty()


@method(
    "user.set_attributes",
    params=PutUserAttributesParams,
    result=Empty,
    rate="set_user_attributes",
    errors=CHANGE_ERRORS,
)
async def set_attributes(call: Call, params: PutUserAttributesParams) -> Empty:
    """Replaces all of one's own attributes. They last as long as the session: a resumed one has them still, on any
    process; a logout, a login elsewhere or the removal after 30 seconds ends them."""
    return await _change(call, Operation.SET, params.attributes, ())


@method(
    "user.update_attributes",
    params=PutUserAttributesParams,
    result=Empty,
    rate="set_user_attributes",
    errors=CHANGE_ERRORS,
)
async def update_attributes(call: Call, params: PutUserAttributesParams) -> Empty:
    """Adds or replaces some of one's own attributes."""
    return await _change(call, Operation.UPDATE, params.attributes, ())


@method(
    "user.delete_attributes",
    params=DeleteUserAttributesParams,
    result=Empty,
    rate="set_user_attributes",
    errors=CHANGE_ERRORS,
)
async def delete_attributes(call: Call, params: DeleteUserAttributesParams) -> Empty:
    """Deletes some of one's own attributes by key; keys that do not exist are no error."""
    return await _change(call, Operation.DELETE, {}, params.keys)


@method(
    "user.clear_attributes",
    params=Empty,
    result=Empty,
    rate="set_user_attributes",
    errors=STORAGE_ERRORS,
)
async def clear_attributes(call: Call, params: Empty) -> Empty:
    """Deletes all of one's own attributes."""
    return await _change(call, Operation.CLEAR, {}, ())
