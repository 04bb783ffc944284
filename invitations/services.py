"""What happens to invitations (docs/contract.md 8): state and both inboxes' entries in one transaction.

The row's lock decides every race: whoever comes second finds what the first has made of it. A service that is
run again, as after a commit of unknown outcome, finds its own work and answers the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import msgspec
from django.db import IntegrityError, transaction

from invitations.models import UNKNOWN, Invitation
from invitations.selectors import InvitationView, view
from invitations.transitions import Act, InvitationState, Party, Refusal, Step, transition
from messaging.models import inbox_name
from messaging.selectors import find_streams
from messaging.services import append_entry, ensure_stream
from projects.limits import Sizes
from realtime.errors import INVALID_PARAMS, INVITATION_NOT_FOUND, LIMIT_EXCEEDED, SIZE_OVERFLOW, RpcError
from realtime.streams import StreamHead

INVITATION_CHANGED: Final = "invitation.changed"
INVITATION_LIFETIME_MS: Final = 120_000
"""An entry is of no use to a client that gets it later: by then the invitation has ended."""
PURGE_BATCH: Final = 500

_GONE: Final = {Party.CALLER: Act.CALLER_GONE, Party.CALLEE: Act.CALLEE_GONE}


@dataclass(frozen=True, slots=True)
class Decision:
    """An invitation after an act, as its party sees it; `refusal`: why the act changed nothing."""

    invitation: InvitationView
    refusal: Refusal | None = None


def send(
    *,
    project_id: int,
    caller: str,
    caller_since: int,
    callee: str,
    callee_since: int | None,
    invitation: str,
    channel: str,
    content: str,
    sizes: Sizes,
    now: datetime,
) -> Decision:
    """Begins an invitation. `callee_since` is None for a callee without a session: then it fails at once. The
    same id again gets what has become of it. Raises RpcError `size_overflow`, `limit_exceeded`, `invalid_params`.
    """
    check_text(content, sizes)
    told = (caller,) if callee_since is None else (caller, callee)
    # In transactions of their own: two senders that make rows of both their streams in one could wait for each
    # other for ever.
    _inboxes(project_id, told, now)
    new = partial(
        Invitation,
        project_id=project_id,
        invitation=invitation,
        caller=caller,
        callee=callee,
        channel=channel,
        content=content,
        caller_since=caller_since,
        callee_since=callee_since or UNKNOWN,
        created_at=now,
        step=0,
    )

    def attempt() -> Decision:
        with transaction.atomic():
            return _begin(new(), Act.SEND if callee_since is not None else Act.SEND_TO_NOBODY, told, sizes, now)

    try:
        return attempt()
    except IntegrityError:  # the same id on another process at the same moment
        return attempt()


def _begin(new: Invitation, act: Act, told: Sequence[str], sizes: Sizes, now: datetime) -> Decision:
    row = _lock(new.project_id, new.caller, new.invitation)
    if row is not None:
        if (row.callee, row.channel) != (new.callee, new.channel):
            raise RpcError(INVALID_PARAMS, "This id was used for another invitation.")
        return Decision(view(row, Party.CALLER), Refusal.REPEATED)
    open_ones = Invitation.objects.filter(project_id=new.project_id, caller=new.caller, due_at__isnull=False)
    if open_ones.count() >= sizes.open_invitations:
        raise RpcError(LIMIT_EXCEEDED, f"At most {sizes.open_invitations} of your invitations may be open.")
    step = transition(None, act, Party.CALLER, now, now)
    assert isinstance(step, Step)
    _apply(new, step, now)
    new.save()
    _tell(new, told, new.caller, now)
    return Decision(view(new, Party.CALLER))


def act_on(
    *,
    project_id: int,
    caller: str,
    invitation: str,
    act: Act,
    uid: str,
    since: int,
    text: str | None = None,
    sizes: Sizes,
    now: datetime,
) -> Decision:
    """What a party does: the callee confirms, accepts or refuses, the caller cancels. `text`: the response, or
    another content that the cancelling tells. `since`: when the party's session began; one that took over from
    the invitation's own finds it ended, and one that was taken over, as its process may not know yet, finds nothing.
    Raises RpcError `invitation_not_found`, `size_overflow`.
    """
    by = Party.CALLER if act is Act.CANCEL else Party.CALLEE
    check_text(text or "", sizes)
    with transaction.atomic():
        row = _lock(project_id, caller, invitation)
        if row is None or uid != (row.caller if by is Party.CALLER else row.callee):
            raise RpcError(INVITATION_NOT_FOUND)
        own_since = row.caller_since if by is Party.CALLER else row.callee_since
        if since < own_since:
            raise RpcError(INVITATION_NOT_FOUND, "It is another session's.")
        if own_since not in (UNKNOWN, since):
            _happen(row, _GONE[by], Party.SERVER, now)
        refusal = _happen(row, act, by, now, text=text, since=since)
        return Decision(view(row, by), refusal)


def time_out(*, invitation_id: int, now: datetime) -> bool:
    """Ends an invitation whose time is over; False if it has ended or another process is at it."""
    with transaction.atomic():
        row = Invitation.objects.select_for_update(skip_locked=True).filter(pk=invitation_id).first()
        return row is not None and _happen(row, Act.TIME_OUT, Party.SERVER, now) is None


def end_for_gone(*, invitation_id: int, party: Party, since: int, now: datetime) -> bool:
    """Ends an invitation one of whose sessions, that began at `since`, has ended for good; False if it has ended or
    is another session's."""
    with transaction.atomic():
        row = Invitation.objects.select_for_update().filter(pk=invitation_id).first()
        if row is None or since != (row.caller_since if party is Party.CALLER else row.callee_since):
            return False
        return _happen(row, _GONE[party], Party.SERVER, now) in (None, Refusal.TOO_LATE)


def purge_invitations(*, project_id: int, before: datetime, batch: int = PURGE_BATCH) -> Iterator[int]:
    """Deletes a project's ended invitations from before a time, in short transactions of at most `batch`, each of
    which yields how many it deleted."""
    expired = Invitation.objects.filter(project_id=project_id, ended_at__lt=before)
    while ids := list(expired.order_by("pk").values_list("pk", flat=True)[:batch]):
        yield Invitation.objects.filter(pk__in=ids).delete()[0]


def check_text(text: str, sizes: Sizes) -> None:
    """Raises RpcError `size_overflow` for a content or response that is too long."""
    if len(text.encode()) > sizes.invitation_bytes:
        raise RpcError(SIZE_OVERFLOW, f"A content or response has at most {sizes.invitation_bytes} bytes.")


def _lock(project_id: int, caller: str, invitation: str) -> Invitation | None:
    return (
        Invitation.objects.select_for_update()
        .filter(project_id=project_id, caller=caller, invitation=invitation)
        .first()
    )


def _happen(
    row: Invitation, act: Act, by: Party, now: datetime, *, text: str | None = None, since: int = UNKNOWN
) -> Refusal | None:
    """Does an act to the locked row and tells both sides, or says why it changes nothing. One that is too late finds
    what the time has brought, which happens now if nobody has seen to it."""
    now = max(now, row.changed_at)  # another process's clock may be ahead
    step = transition(InvitationState(row.state), act, by, now, row.created_at)
    if step is Refusal.TOO_LATE:
        _happen(row, Act.TIME_OUT, Party.SERVER, now)
    if isinstance(step, Refusal):
        return step
    _apply(row, step, now)
    if by is Party.CALLEE:
        row.callee_since = since
    if act is Act.CANCEL and text is not None:
        row.content = text
    if act in (Act.ACCEPT, Act.REFUSE):
        row.response = text or ""
    row.save()
    uid = {Party.CALLER: row.caller, Party.CALLEE: row.callee, Party.SERVER: ""}[by]
    _tell(row, (row.caller, row.callee), uid, now)
    return None


def _apply(row: Invitation, step: Step, now: datetime) -> None:
    state = step.outcome.state
    row.state = state
    row.caller_reason = step.outcome.caller_reason
    row.callee_reason = step.outcome.callee_reason
    row.step += 1
    row.due_at = step.due_at
    if step.due_at is None:
        row.ended_at = now
    if (
        state in (InvitationState.RECEIVED, InvitationState.ACCEPTED, InvitationState.REFUSED)
        and row.confirmed_at is None
    ):
        row.confirmed_at = now


def _tell(row: Invitation, uids: Sequence[str], sender: str, now: datetime) -> None:
    """Appends the invitation as it is now to these inboxes, heads in id order. No client can have used the id of the
    entry: theirs have no colon."""
    heads = _inboxes(row.project_id, uids, now)
    for uid, head in sorted(heads.items(), key=lambda item: item[1].id):
        party = Party.CALLER if uid == row.caller else Party.CALLEE
        append_entry(
            stream_id=head.id,
            event=INVITATION_CHANGED,
            sender=sender,
            message_id=f"invitation:{row.pk}:{row.step}",
            body=msgspec.json.encode(view(row, party)).decode(),
            now=now,
        )


def _inboxes(project_id: int, uids: Sequence[str], now: datetime) -> dict[str, StreamHead]:
    """The users' streams; a new one counts as made by its owner, who was logged in."""
    found = find_streams([(project_id, inbox_name(uid)) for uid in uids])
    return {
        uid: found.get((project_id, inbox_name(uid)))
        or ensure_stream(project_id=project_id, name=inbox_name(uid), creator=uid, now=now)
        for uid in uids
    }
