"""A user's inbox: what of it is still to be delivered, and what has arrived (docs/contract.md 5).

The user's client acknowledges up to a seq, which is committed (`Stream.acked`). Whether an entry has arrived is
decided under the lock of the stream's row: either it was acknowledged, or it is withdrawn and never delivered.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import transaction
from django.db.models import F

from messaging.models import Entry, EntryFlag, Stream
from messaging.selectors import withdrawn_among

OFFLINE_KEPT: Final = timedelta(days=7)
BATCH: Final = 500

_lifetimes: dict[str, timedelta] = {}


def set_lifetime(event: str, lifetime: timedelta) -> None:
    """How old an entry of this event may be when it is delivered; those with the offline flag: 7 days."""
    _lifetimes[event] = lifetime


def open_inbox(*, stream_id: int, generation: int, limit: int, now: datetime) -> int | None:
    """For a login of this generation: withdraws what is too old, and of the entries with the offline flag all but the
    newest `limit`. Returns the seq after which to deliver; None when a newer login was first."""
    with transaction.atomic():
        stream = Stream.objects.select_for_update().get(pk=stream_id)
        if stream.reader_generation > generation:
            return None
        kept, outdated = _sort_out(stream, limit, now)
        _withdraw(stream_id, outdated)
        stream.acked = min(kept) - 1 if kept else stream.head
        stream.reader_generation = generation
        stream.save(update_fields=["acked", "reader_generation"])
        return stream.acked


def _sort_out(stream: Stream, limit: int, now: datetime) -> tuple[list[int], list[int]]:
    """The seqs of what is not acknowledged: to be delivered, and not any more."""
    kept: list[int] = []
    outdated: list[int] = []
    offline = 0
    unread = Entry.objects.filter(stream=stream, seq__gt=stream.acked, flags__lt=EntryFlag.WITHDRAWN)
    for seq, event, flags, created_at in (
        unread.order_by("-seq").values_list("seq", "event", "flags", "created_at").iterator()
    ):
        is_offline = bool(flags & EntryFlag.OFFLINE)
        lifetime = OFFLINE_KEPT if is_offline else _lifetimes.get(event, OFFLINE_KEPT)
        if now - created_at > lifetime or (is_offline and offline == limit):
            outdated.append(seq)
        else:
            offline += is_offline
            kept.append(seq)
    return kept, outdated


class Receipt(NamedTuple):
    """An entry whose sender waits to hear whether it has arrived. `is_kept`: if not, it stays for later."""

    stream_id: int
    seq: int
    is_kept: bool


def settle_receipts(*, receipts: Sequence[Receipt]) -> list[bool]:
    """For each: whether it has arrived. What has not is withdrawn, save what is kept."""
    with transaction.atomic():
        ids = {receipt.stream_id for receipt in receipts}
        streams = Stream.objects.select_for_update().filter(pk__in=ids).order_by("pk")
        acked = dict(streams.values_list("pk", "acked"))
        withdrawn = {
            (stream_id, seq)
            for stream_id in ids
            for seq in withdrawn_among(
                stream_id, [receipt.seq for receipt in receipts if receipt.stream_id == stream_id]
            )
        }
        arrived = [
            receipt.seq <= acked.get(receipt.stream_id, 0) and receipt[:2] not in withdrawn for receipt in receipts
        ]
        for stream_id in ids:
            _withdraw(
                stream_id,
                [
                    receipt.seq
                    for receipt, is_there in zip(receipts, arrived, strict=True)
                    if receipt.stream_id == stream_id and not is_there and not receipt.is_kept
                ],
            )
        return arrived


def _withdraw(stream_id: int, seqs: Sequence[int]) -> None:
    for part in _parts(seqs):
        Entry.objects.filter(stream_id=stream_id, seq__in=part, flags__lt=EntryFlag.WITHDRAWN).update(
            flags=F("flags").bitor(EntryFlag.WITHDRAWN)
        )


def _parts(seqs: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(seqs), BATCH):
        yield seqs[start : start + BATCH]
