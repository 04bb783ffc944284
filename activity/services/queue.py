"""Putting events into the queues of the webhooks that want them."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from activity.events import LoggedEntry, Occurrence, entry_payload, occurrence_payload
from activity.models import Webhook, WebhookDelivery
from activity.selectors import BusinessIds, entries_between, waiting_counts

logger = logging.getLogger(__name__)

LOG_QUEUE: Final = 1_000
"""So many deliveries of a webhook wait here before the log, which is kept anyway, waits for it."""
PRESENCE_QUEUE: Final = 20_000
"""While more than so many wait, what is not in the log is not kept for that webhook."""


def enqueue_occurrences(
    *, occurrences: Sequence[Occurrence], app_ids: dict[int, str], business_ids: BusinessIds, now: datetime
) -> None:
    """Inside the caller's transaction. An event that a webhook has had is not queued again."""
    assert transaction.get_connection().in_atomic_block
    webhooks = list(Webhook.objects.filter(is_active=True, project_id__in=app_ids))
    if not webhooks:
        return
    waiting = waiting_counts([webhook.pk for webhook in webhooks])
    by_project: dict[int, list[Webhook]] = {}
    for webhook in webhooks:
        if waiting.get(webhook.pk, 0) > PRESENCE_QUEUE:
            logger.warning("webhook %d: its queue is full, logins and rooms are not kept for it", webhook.pk)
        else:
            by_project.setdefault(webhook.project_id, []).append(webhook)
    deliveries = []
    for occurrence in occurrences:
        business_id = business_ids.at(occurrence.project, occurrence.uid, occurrence.ts)
        wanting = [hook for hook in by_project.get(occurrence.project, ()) if hook.wants(occurrence.event, business_id)]
        if wanting:
            payload = occurrence_payload(occurrence, app_ids[occurrence.project], business_id)
            deliveries += [_delivery(hook, occurrence.id, occurrence.event, payload, now) for hook in wanting]
    WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)


@transaction.atomic
def enqueue_entries(*, horizon: int, now: datetime) -> bool:
    """Queues the next page of the log, up to key `horizon`, for the webhooks that are furthest behind; those that have
    enough waiting are passed over. Returns whether there is more to do at once. Several processes may call it: each
    webhook is served by one of them at a time."""
    # no_key: a new delivery's reference to its webhook does not wait for this lock.
    behind = Webhook.objects.select_for_update(skip_locked=True, no_key=True).filter(
        is_active=True, entry_cursor__lt=horizon
    )
    webhooks = list(behind.order_by("pk"))
    waiting = waiting_counts([webhook.pk for webhook in webhooks])
    webhooks = [webhook for webhook in webhooks if waiting.get(webhook.pk, 0) < LOG_QUEUE]
    if not webhooks:
        return False
    after = min(webhook.entry_cursor for webhook in webhooks)
    entries, reached = entries_between(after, horizon, {webhook.project_id for webhook in webhooks})
    business_ids = BusinessIds({(entry.project, entry.sender) for entry in entries})
    deliveries = [
        delivery
        for entry in entries
        for delivery in _entry_deliveries(entry, webhooks, business_ids.at(entry.project, entry.sender, entry.ts), now)
    ]
    WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    served = [webhook.pk for webhook in webhooks if webhook.entry_cursor < reached]
    Webhook.objects.filter(pk__in=served).update(entry_cursor=reached)
    return reached < horizon


def _entry_deliveries(
    entry: LoggedEntry, webhooks: Collection[Webhook], business_id: str, now: datetime
) -> list[WebhookDelivery]:
    wanting = [
        webhook
        for webhook in webhooks
        if webhook.project_id == entry.project
        and webhook.entry_cursor < entry.key
        and webhook.wants(entry.event, business_id)
    ]
    if not wanting:
        return []
    payload = entry_payload(entry, business_id)
    return [_delivery(webhook, entry.event_id, entry.event, payload, now) for webhook in wanting]


def _delivery(webhook: Webhook, event_id: str, event: str, payload: str, now: datetime) -> WebhookDelivery:
    return WebhookDelivery(
        webhook=webhook,
        event_id=event_id,
        event=event,
        payload=payload,
        next_attempt_at=now,
        created_at=now,
    )
