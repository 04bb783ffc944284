"""Reads of invitations. All run in the bridge's threads; times are ms since 1970."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import msgspec
from django.db.models import Q

from invitations.models import Invitation
from invitations.transitions import InvitationState, Party
from messaging.selectors import to_ms
from realtime.frames import utf8_size

LISTED: Final = 50
ENVELOPE_BYTES: Final = 400
"""About what an invitation has around its texts."""


class InvitationView(msgspec.Struct):
    """An invitation as one of its two parties sees it: `reason` is that party's. `step` counts what happened to
    it, 1 is the sending: of two views the one with the higher step is newer. `ts`: when that was, ms since 1970.
    """

    invitation: str
    caller: str
    callee: str
    channel: str
    content: str
    response: str
    state: InvitationState
    reason: str
    step: int
    ts: int


def view(row: Invitation, party: Party) -> InvitationView:
    return InvitationView(
        invitation=row.invitation,
        caller=row.caller,
        callee=row.callee,
        channel=row.channel,
        content=row.content,
        response=row.response,
        state=InvitationState(row.state),
        reason=row.caller_reason if party is Party.CALLER else row.callee_reason,
        step=row.step,
        ts=to_ms(row.changed_at),
    )


@dataclass(frozen=True, slots=True)
class OpenPage:
    """Open invitations by number, descending; `more`: there are older ones."""

    invitations: list[tuple[int, InvitationView]]
    more: bool


def open_invitations(project_id: int, uid: str, *, before: int | None, max_bytes: int) -> OpenPage:
    """Those that a user has sent or got and that have not ended, the newest first: as many as fit into `max_bytes`,
    at least one if there is one."""
    rows = Invitation.objects.filter(Q(caller=uid) | Q(callee=uid), project_id=project_id, due_at__isnull=False)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: LISTED + 1])
    page: list[tuple[int, InvitationView]] = []
    size = 0
    for row in found[:LISTED]:
        size += utf8_size(row.content) + ENVELOPE_BYTES
        if page and size > max_bytes:
            break
        page.append((row.pk, view(row, Party.CALLER if row.caller == uid else Party.CALLEE)))
    return OpenPage(page, len(page) < len(found))


def due_invitations(now: datetime, limit: int) -> Sequence[int]:
    """The ids of those whose time is over, the longest first."""
    return list(
        Invitation.objects.filter(due_at__lte=now).order_by("due_at", "pk").values_list("pk", flat=True)[:limit]
    )


@dataclass(frozen=True, slots=True)
class Parties:
    """Between whose sessions an open invitation is."""

    id: int
    project_id: int
    caller: str
    caller_since: int
    callee: str
    callee_since: int

    def side(self, party: Party) -> tuple[str, int]:
        """A party's uid, and when its session began."""
        if party is Party.CALLER:
            return self.caller, self.caller_since
        return self.callee, self.callee_since


_PARTIES: Final = ("id", "project_id", "caller", "caller_since", "callee", "callee_since")


def open_parties(after_id: int, limit: int) -> Sequence[Parties]:
    """Of all open invitations, in pages by id."""
    rows = Invitation.objects.filter(due_at__isnull=False, pk__gt=after_id).order_by("pk")
    return [Parties(*row) for row in rows.values_list(*_PARTIES)[:limit]]


def open_parties_of(project_id: int, uids: Sequence[str]) -> Sequence[Parties]:
    """Of the open invitations from and to these users."""
    rows = Invitation.objects.filter(
        Q(caller__in=uids) | Q(callee__in=uids), project_id=project_id, due_at__isnull=False
    ).order_by("pk")
    return [Parties(*row) for row in rows.values_list(*_PARTIES)]


@dataclass(frozen=True, slots=True)
class PastCall:
    """An ended invitation in a user's history. `number`: its place, for the next page. `outcome`: how it ended;
    `reason`: why it failed, as this user was told. `missed`: nobody answered it. `waited_ms`: from the sending to
    the end."""

    number: int
    invitation: str
    is_caller: bool
    peer: str
    channel: str
    outcome: InvitationState
    reason: str
    missed: bool
    started_at: int
    waited_ms: int


def call_history(project_id: int, uid: str, *, before: int | None = None, limit: int) -> tuple[list[PastCall], bool]:
    """A user's ended invitations, sent and got, the newest first; and whether there are more before the last."""
    ended = Invitation.objects.filter(project_id=project_id, ended_at__isnull=False)
    if before is not None:
        ended = ended.filter(pk__lt=before)
    # Two index scans: one for both sides would read and sort a user's whole past.
    rows = [row for side in (Q(caller=uid), Q(callee=uid)) for row in ended.filter(side).order_by("-pk")[: limit + 1]]
    rows.sort(key=lambda row: row.pk, reverse=True)
    return [_past_call(row, uid) for row in islice(rows, limit)], len(rows) > limit


def _past_call(row: Invitation, uid: str) -> PastCall:
    assert row.ended_at is not None
    is_caller = row.caller == uid
    started_at = to_ms(row.created_at)
    return PastCall(
        number=row.pk,
        invitation=row.invitation,
        is_caller=is_caller,
        peer=row.callee if is_caller else row.caller,
        channel=row.channel,
        outcome=InvitationState(row.state),
        reason=row.caller_reason if is_caller else row.callee_reason,
        missed=row.state not in (InvitationState.ACCEPTED, InvitationState.REFUSED),
        started_at=started_at,
        waited_ms=to_ms(row.ended_at) - started_at,
    )


def count_ended(project_id: int, before: datetime) -> int:
    """How many of a project's had ended before a time."""
    return Invitation.objects.filter(project_id=project_id, ended_at__lt=before).count()
