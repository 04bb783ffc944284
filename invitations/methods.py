"""Call invitations (docs/contract.md 8): what both sides do. What comes of it is told in both inboxes."""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from invitations.selectors import InvitationView, open_invitations
from invitations.services import INVITATION_CHANGED, Decision, act_on, send
from invitations.transitions import Act, InvitationState, Refusal
from projects.names import NAME_PATTERN
from realtime.calls import Call
from realtime.errors import (
    INVALID_PARAMS,
    INVITATION_ENDED,
    INVITATION_NOT_FOUND,
    LIMIT_EXCEEDED,
    OVERLOADED,
    SIZE_OVERFLOW,
    UNAVAILABLE,
    RpcError,
)
from realtime.ids import MessageId, Name, Seq, is_name
from realtime.payloads import EntryPush
from realtime.presence import PresenceUnavailable
from realtime.registry import event, method
from realtime.streams import PAGE_BYTES

STORAGE_ERRORS: Final = (UNAVAILABLE, OVERLOADED)
ACT_ERRORS: Final = (INVITATION_NOT_FOUND, INVITATION_ENDED, *STORAGE_ERRORS)

ChannelId = Annotated[
    str,
    msgspec.Meta(
        max_length=64,
        pattern=NAME_PATTERN.replace("{1,64}", "{0,64}"),
        description="A room's id, or nothing; nobody is put into that room.",
    ),
]

Text = Annotated[str, msgspec.Meta(max_length=64 * 1024)]
"""A content or response. What is above a project's limit is a matter of size, not of the call's form."""


class InvitationChangedEntry(EntryPush):
    """An invitation from or to this user, as it is after each thing that happened to it."""

    body: InvitationView


event(INVITATION_CHANGED, InvitationChangedEntry)


class InvitationAnswer(msgspec.Struct):
    """What the invitation is after the call; `reason`: why it failed. The entry with this `step` is in the inbox."""

    state: InvitationState
    reason: str
    step: int
    ts: int


def _answer(decision: Decision) -> InvitationAnswer:
    """Raises RpcError `invitation_ended` for what came after the end."""
    found = decision.invitation
    if decision.refusal not in (None, Refusal.REPEATED):
        raise RpcError(INVITATION_ENDED, state=found.state.value, reason=found.reason, step=found.step)
    return InvitationAnswer(found.state, found.reason, found.step, found.ts)


def _now(call: Call) -> datetime:
    return datetime.fromtimestamp(call.runtime.clock_ms() / 1000, UTC)


class SendParams(msgspec.Struct, forbid_unknown_fields=True):
    """`invitation`: its id. `channel`: of the vendor's legacy signaling."""

    invitation: MessageId
    peer: Name
    content: Text = ""
    channel: ChannelId = ""


@method(
    "invitation.send",
    params=SendParams,
    result=InvitationAnswer,
    rate="invitation",
    errors=(SIZE_OVERFLOW, LIMIT_EXCEEDED, *STORAGE_ERRORS),
)
async def send_invitation(call: Call, params: SendParams) -> InvitationAnswer:
    """Invites another user. Without a session of theirs it fails at once; else it waits 30 s for their client to
    confirm and 60 s in all for an answer. The same id again is answered with what has become of it."""
    session = call.logged_in()
    if not is_name(params.peer) or not is_name(params.channel):
        raise RpcError(INVALID_PARAMS, "An id has at most 64 bytes.")
    if params.peer == session.uid:
        raise RpcError(INVALID_PARAMS, "Nobody invites themselves.")
    decision = await call.runtime.bridge.write(
        send,
        project_id=session.project.id,
        caller=session.uid,
        caller_since=session.since_ms,
        callee=params.peer,
        callee_since=await _session_of(call, session.project.id, params.peer),
        invitation=params.invitation,
        channel=params.channel,
        content=params.content,
        sizes=session.project.limits.sizes,
        now=_now(call),
    )
    return _answer(decision)


async def _session_of(call: Call, project: int, uid: str) -> int | None:
    """When the user's session began; None: there is none; 0: the store may only not know of it yet."""
    presence = call.runtime.presence
    try:
        (found,) = await presence.sessions(project, [uid])
        if found is not None:
            return found.since_ms
        return None if await presence.settled() else 0
    except PresenceUnavailable as error:
        raise RpcError(UNAVAILABLE) from error


class CalleeParams(msgspec.Struct, forbid_unknown_fields=True):
    """An invitation is named by its caller and its id."""

    invitation: MessageId
    caller: Name


class AnswerParams(CalleeParams, forbid_unknown_fields=True, kw_only=True):
    response: Text = ""


class CancelParams(msgspec.Struct, forbid_unknown_fields=True):
    """`content`: another one, which the callee is told with the cancelling."""

    invitation: MessageId
    content: Text | None = None


async def _act(call: Call, caller: str, invitation: str, act: Act, text: str | None = None) -> InvitationAnswer:
    session = call.logged_in()
    decision = await call.runtime.bridge.write(
        act_on,
        project_id=session.project.id,
        caller=caller,
        invitation=invitation,
        act=act,
        uid=session.uid,
        since=session.since_ms,
        text=text,
        sizes=session.project.limits.sizes,
        now=_now(call),
    )
    return _answer(decision)


@method("invitation.confirm", params=CalleeParams, result=InvitationAnswer, rate="invitation", errors=ACT_ERRORS)
async def confirm(call: Call, params: CalleeParams) -> InvitationAnswer:
    """The callee's client has the invitation and shows it."""
    return await _act(call, params.caller, params.invitation, Act.CONFIRM)


@method(
    "invitation.accept",
    params=AnswerParams,
    result=InvitationAnswer,
    rate="invitation",
    errors=(SIZE_OVERFLOW, *ACT_ERRORS),
)
async def accept(call: Call, params: AnswerParams) -> InvitationAnswer:
    """The callee accepts. Of all that comes to one invitation at the same moment only the first happens; the
    others are told what it was."""
    return await _act(call, params.caller, params.invitation, Act.ACCEPT, params.response)


@method(
    "invitation.refuse",
    params=AnswerParams,
    result=InvitationAnswer,
    rate="invitation",
    errors=(SIZE_OVERFLOW, *ACT_ERRORS),
)
async def refuse(call: Call, params: AnswerParams) -> InvitationAnswer:
    """The callee refuses; as with accepting, what comes after the end is told how it ended."""
    return await _act(call, params.caller, params.invitation, Act.REFUSE, params.response)


@method(
    "invitation.cancel",
    params=CancelParams,
    result=InvitationAnswer,
    rate="invitation",
    errors=(SIZE_OVERFLOW, *ACT_ERRORS),
)
async def cancel(call: Call, params: CancelParams) -> InvitationAnswer:
    """The caller takes the invitation back."""
    return await _act(call, call.logged_in().uid, params.invitation, Act.CANCEL, params.content)


class ListParams(msgspec.Struct, forbid_unknown_fields=True):
    """`before`: the `number` of the last one of the page before."""

    before: Seq | None = None


class ListedInvitation(InvitationView, kw_only=True):
    number: int


class ListResult(msgspec.Struct):
    """`more`: there are older ones."""

    invitations: list[ListedInvitation]
    more: bool


@method("invitation.list", params=ListParams, result=ListResult, rate="invitation", errors=STORAGE_ERRORS)
async def list_invitations(call: Call, params: ListParams) -> ListResult:
    """The open invitations from and to this user, the newest first, a page of at most 256 KiB: for a client that was
    away for longer than its inbox is recovered."""
    session = call.logged_in()
    page = await call.runtime.bridge.read(
        open_invitations, session.project.id, session.uid, before=params.before, max_bytes=PAGE_BYTES
    )
    listed = [ListedInvitation(number=number, **msgspec.structs.asdict(found)) for number, found in page.invitations]
    return ListResult(listed, page.more)
