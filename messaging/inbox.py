"""A user's inbox: what of it is still to be delivered, and what has arrived (docs/contract.md 5).

The user's client acknowledges up to a seq, which is committed (`Stream.acked`). Whether an entry has arrived is
decided under the lock of the stream's row: either it was acknowledged, or it is withdrawn and never delivered.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.db import transaction

from messaging.models import Entry, Stream
from messaging.selectors import withdrawn_among
from messaging.sifting import first_to_deliver, sift, withdraw, withdraw_late
from projects.limits import parse_limits

BATCH: Final = 500


class Opened(NamedTuple):
    """`after`: the seq after which to deliver, if the inbox is sifted; if not, it is to be opened once more."""

    after: int
    is_sifted: bool


@transaction.atomic
def open_inbox(*, stream_id: int, generation: int, limit: int, now: datetime) -> Opened | None:
    """For a login of this generation: withdraws what is too old, and of the entries with the offline flag all but the
    newest `limit`, or as much of that as one transaction may. None when a newer login was first."""
    stream = Stream.objects.select_for_update().get(pk=stream_id)
    if stream.reader_generation > generation:
        return None
    stream.reader_generation = generation
    is_sifted = sift(stream, limit=limit, now=now)
    if is_sifted:
        withdraw_late(stream, now)
        first = first_to_deliver(stream)
        stream.acked = stream.head if first is None else first - 1
    stream.save(update_fields=["acked", "sifted", "reader_generation"])
    return Opened(stream.acked, is_sifted)


@transaction.atomic
def sift_inbox(*, stream_id: int, sent_before: datetime | None, now: datetime) -> bool:
    """One step at an inbox that its user may not have read for long, so that what is to be done at the login stays
    little. Only what was sent before a moment, if one is given, is pushed out by newer ones. Returns whether it was the
    last step."""
    stream = Stream.objects.select_for_update(of=("self",)).select_related("project").get(pk=stream_id)
    limit = parse_limits(stream.project.limits).sizes.offline_messages
    if stream.head - stream.acked <= limit:
        return True
    is_sifted = sift(stream, limit=limit, now=now, sent_before=sent_before)
    stream.save(update_fields=["sifted"])
    return is_sifted


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
        withdraw(Entry.objects.filter(stream_id=stream_id, seq__in=part))


def _parts(seqs: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(seqs), BATCH):
        yield seqs[start : start + BATCH]
