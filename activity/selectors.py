"""Reads of what happened and of the queue of webhooks. All run in the bridge's threads."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from django.db.models import Count, Min

from activity.events import LOG_EVENTS, LoggedEntry
from activity.models import BusinessId, OpenRoom, Webhook, WebhookDelivery
from messaging.models import Entry
from messaging.selectors import to_ms
from projects.models import RestCredential

PAGE: Final = 100
"""Entries that are told in one step."""
SPAN: Final = 10_000
"""Keys that one step looks through."""


class BusinessIds:
    """Who had which business id when, for some users."""

    def __init__(self, users: Collection[tuple[int, str]]) -> None:
        self._rows: dict[tuple[int, str], list[tuple[datetime, datetime | None, str]]] = {}
        if not users:
            return
        rows = BusinessId.objects.filter(
            project_id__in={project for project, _ in users}, uid__in={uid for _, uid in users}
        ).order_by("since", "pk")
        for project, uid, since, until, business_id in rows.values_list(
            "project_id", "uid", "since", "until", "business_id"
        ):
            self._rows.setdefault((project, uid), []).append((since, until, business_id))

    def at(self, project: int, uid: str, ts: int) -> str:
        """The business id of a user at a moment (ms since 1970), "" for none."""
        for since, until, business_id in reversed(self._rows.get((project, uid), ())):
            if to_ms(since) <= ts and (until is None or ts <= to_ms(until)):
                return business_id
        return ""


def has_webhooks() -> bool:
    """Whether any webhook is to be told of anything."""
    return Webhook.objects.filter(is_active=True).exists()


def heard_projects(project_ids: Collection[int]) -> set[int]:
    """Those of the projects whose owner's servers hear of what happens: by a webhook, or as they can ask for events."""
    asking = RestCredential.objects.filter(project_id__in=project_ids, is_active=True)
    told = Webhook.objects.filter(project_id__in=project_ids, is_active=True)
    return set(asking.values_list("project_id", flat=True)) | set(told.values_list("project_id", flat=True))


def waiting_counts(webhook_ids: Collection[int]) -> dict[int, int]:
    """How many deliveries of each webhook wait; those without any are left out."""
    counted = (
        WebhookDelivery.objects.filter(webhook_id__in=webhook_ids, next_attempt_at__isnull=False)
        .order_by()
        .values("webhook_id")
        .annotate(waiting=Count("pk"))
    )
    return {row["webhook_id"]: row["waiting"] for row in counted}


def due_webhooks(now: datetime) -> list[int]:
    """The active webhooks that have a delivery to be sent, those that wait longest first."""
    due = (
        WebhookDelivery.objects.filter(next_attempt_at__lte=now, webhook__is_active=True)
        .order_by()
        .values("webhook_id")
        .annotate(oldest=Min("next_attempt_at"))
        .order_by("oldest", "webhook_id")
    )
    return [row["webhook_id"] for row in due]


def entries_between(after: int, until: int, project_ids: Collection[int]) -> tuple[Sequence[LoggedEntry], int]:
    """The entries of some projects that webhooks tell of, with keys above `after` and up to `until`, a page at most;
    and the key up to which this is all of them."""
    until = min(until, after + SPAN)
    rows = (
        Entry.objects.filter(pk__gt=after, pk__lte=until, event__in=LOG_EVENTS, stream__project_id__in=project_ids)
        .order_by("pk")
        .values_list(
            "pk",
            "stream__project_id",
            "stream__project__app_id",
            "stream__name",
            "stream__epoch",
            "seq",
            "event",
            "sender",
            "message_id",
            "created_at",
            "body",
        )[:PAGE]
    )
    entries = [LoggedEntry(*row[:9], to_ms(row[9]), row[10]) for row in rows]
    return entries, entries[-1].key if len(entries) == PAGE else until


def open_rooms(after: int, limit: int) -> list[tuple[int, tuple[int, str]]]:
    """Rooms that are open, with the key of each row: those above key `after`, ascending."""
    rows = OpenRoom.objects.filter(pk__gt=after).order_by("pk").values_list("pk", "project_id", "name")[:limit]
    return [(key, (project, name)) for key, project, name in rows]
