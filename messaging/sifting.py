"""What of an inbox is not delivered any more: too old, or pushed out by newer ones (docs/contract.md 5).

All of it works under the lock of the stream's row, and looks at a bounded number of entries however many there are:
those of the offline flag have an index, and of the others all up to `Stream.sifted` is done with.
"""

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from django.db.models import F, Q, QuerySet

from messaging.models import Entry, EntryFlag, Stream
from messaging.selectors import fleeting, kept_for_later

OFFLINE_KEPT: Final = timedelta(days=7)
STEP: Final = 500
"""Entries beyond those to be delivered that one transaction looks at, so that nobody waits long for the lock."""

_lifetimes: dict[str, timedelta] = {}


def set_lifetime(event: str, lifetime: timedelta) -> None:
    """How old an entry of this event may be when it is delivered; those with the offline flag: 7 days. Every event of
    inboxes has a lifetime."""
    _lifetimes[event] = lifetime


def sift(stream: Stream, *, limit: int, now: datetime, sent_before: datetime | None = None) -> bool:
    """One step: withdraws what is older than any lifetime, and all but the newest `limit` of the offline flag, of those
    what was sent before a moment if one is given. Moves `sifted`, which the caller saves. Returns whether this was the
    last step."""
    has_room = _withdraw_overflow(stream, limit, now, sent_before)
    return _withdraw_old(stream, now) and has_room


def _withdraw_overflow(stream: Stream, limit: int, now: datetime, sent_before: datetime | None) -> bool:
    unread = kept_for_later(stream.pk).filter(seq__gt=stream.acked)
    oldest = list(unread.order_by("seq").values_list("seq", "created_at")[: limit + STEP])
    last = 0
    for place, (seq, created_at) in enumerate(oldest, 1 + limit - len(oldest)):
        is_pushed_out = place <= 0 and (sent_before is None or created_at < sent_before)
        if not is_pushed_out and now - created_at <= OFFLINE_KEPT:
            break
        last = seq
    if last:
        withdraw(unread.filter(seq__lte=last))
    return not last or len(oldest) < limit + STEP


def _withdraw_old(stream: Stream, now: datetime) -> bool:
    """Of those without the offline flag."""
    longest = max(_lifetimes.values())
    after = max(stream.acked, stream.sifted)
    rows = Entry.objects.filter(stream=stream, seq__gt=after).order_by("seq").values_list("seq", "created_at")[:STEP]
    old = [seq for seq, _ in takewhile(lambda row: now - row[1] > longest, rows)]
    if old:
        withdraw(fleeting(stream.pk).filter(seq__gt=after, seq__lte=old[-1]))
        stream.sifted = old[-1]
    return len(old) < STEP


def withdraw_late(stream: Stream, now: datetime) -> None:
    """After the last step: what of the newest entries is older than its event may be."""
    is_late = Q()
    for event, lifetime in _lifetimes.items():
        is_late |= Q(event=event, created_at__lt=now - lifetime)
    withdraw(fleeting(stream.pk).filter(is_late, seq__gt=max(stream.acked, stream.sifted)))


def first_to_deliver(stream: Stream) -> int | None:
    """The first seq of an inbox that is to be delivered, after all is withdrawn that is not."""
    kept = kept_for_later(stream.pk).filter(seq__gt=stream.acked)
    others = fleeting(stream.pk).filter(seq__gt=max(stream.acked, stream.sifted))
    firsts = [entries.order_by("seq").values_list("seq", flat=True).first() for entries in (kept, others)]
    return min((seq for seq in firsts if seq is not None), default=None)


def withdraw(entries: QuerySet[Entry]) -> None:
    entries.filter(flags__lt=EntryFlag.WITHDRAWN).update(flags=F("flags").bitor(EntryFlag.WITHDRAWN))
