"""What a user's session tells the project's own servers by (docs/contract.md 2)."""

from typing import Annotated

import msgspec

from activity.services.recording import set_business_id as set_id
from messaging.selectors import from_ms
from realtime.calls import Call
from realtime.errors import OVERLOADED, UNAVAILABLE
from realtime.payloads import Empty
from realtime.registry import method

BusinessIdText = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=64, pattern=r"\A[!-~]{1,64}\Z", description="1 to 64 visible ASCII characters"
    ),
]


class SetBusinessIdParams(msgspec.Struct, forbid_unknown_fields=True):
    business_id: BusinessIdText


@method("session.set_business_id", params=SetBusinessIdParams, result=Empty, errors=(UNAVAILABLE, OVERLOADED))
async def set_business_id(call: Call, params: SetBusinessIdParams) -> Empty:
    """Gives the session a business id, until it ends: webhooks get it with what the user does from now on. A session
    that is resumed keeps it; after a login that is not, the client sets it again."""
    session = call.logged_in()
    await call.runtime.bridge.write(
        set_id,
        project_id=session.project.id,
        uid=session.uid,
        business_id=params.business_id,
        now=from_ms(call.runtime.clock_ms()),
    )
    return Empty()
