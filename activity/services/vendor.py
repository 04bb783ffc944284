"""What the vendor's event queries hand out (docs/contract.md 10)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from activity.models import VendorEvent
from messaging.selectors import to_ms

MAX_TAKEN: Final = 1_000
KEPT: Final = 2_000
"""The newest events of each kind in a project."""
TRIM_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class TakenEvent:
    """`type`: Login, Logout, Join or Leave. `room`: "" for the first two. `ts`: when it happened, ms since 1970."""

    type: str
    uid: str
    room: str
    ts: int


def take_user_events(project_id: int, limit: int = MAX_TAKEN) -> list[TakenEvent]:
    """Hands out logins and logouts, the oldest of the newest 2000 first: each once, whoever asks at the same time."""
    return _take(project_id, VendorEvent.Kind.USER, limit)


def take_channel_events(project_id: int, limit: int = MAX_TAKEN) -> list[TakenEvent]:
    """The same for joins and leaves of rooms."""
    return _take(project_id, VendorEvent.Kind.CHANNEL, limit)


@transaction.atomic
def _take(project_id: int, kind: VendorEvent.Kind, limit: int) -> list[TakenEvent]:
    kept = VendorEvent.objects.filter(project_id=project_id, kind=kind, pk__gt=_edge(project_id, kind))
    taken = list(kept.order_by("pk").select_for_update(skip_locked=True)[: min(limit, MAX_TAKEN)])
    VendorEvent.objects.filter(pk__in=[event.pk for event in taken]).delete()
    return [TakenEvent(event.type, event.uid, event.room, to_ms(event.happened_at)) for event in taken]


def _edge(project_id: int, kind: str) -> int:
    """The key of the newest event that is not kept any more; 0 if all are."""
    newest = VendorEvent.objects.filter(project_id=project_id, kind=kind).order_by("-pk")
    return next(iter(newest.values_list("pk", flat=True)[KEPT : KEPT + 1]), 0)


def trim_vendor_events(*, project_id: int) -> Iterator[int]:
    """Deletes what is not kept any more; each step is one short transaction and yields how many it deleted."""
    for kind in VendorEvent.Kind.values:
        old = VendorEvent.objects.filter(project_id=project_id, kind=kind, pk__lte=_edge(project_id, kind))
        while ids := list(old.order_by("pk").values_list("pk", flat=True)[:TRIM_BATCH]):
            yield VendorEvent.objects.filter(pk__in=ids).delete()[0]
