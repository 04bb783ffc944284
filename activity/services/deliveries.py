"""The queue of webhooks: who sends what next, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q, QuerySet

from activity.models import WebhookDelivery

BACK_OFF_S: Final = (5, 30, 120, 600, 3_600, 21_600)
"""After the first failure, the second, ...; after one more the delivery is given up."""
LEASE: Final = timedelta(seconds=30)
"""Longer than an attempt: a delivery whose sender died is sent again after it."""
BATCH: Final = 500

GIVEN_UP: Final = Q(next_attempt_at=None, delivered_at=None)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that the caller is to send now. `attempt`: 1 is the first."""

    id: int
    project: int
    attempt: int
    url: str
    secret: str
    event_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to. `status`: the receiver's answer, None for none; `error`: "" when it was taken."""

    id: int
    attempt: int
    status: int | None
    error: str


@transaction.atomic
def claim_deliveries(*, webhook_id: int, limit: int, now: datetime) -> list[Claimed]:
    """Takes the deliveries of a webhook that are due, the longest due first, for as long as the lease: nobody else
    sends them meanwhile."""
    due = WebhookDelivery.objects.filter(
        webhook_id=webhook_id, webhook__is_active=True, next_attempt_at__lte=now
    ).select_related("webhook")
    deliveries = list(due.select_for_update(skip_locked=True, of=("self",)).order_by("next_attempt_at", "pk")[:limit])
    WebhookDelivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries]).update(
        attempts=F("attempts") + 1, next_attempt_at=now + LEASE
    )
    return [
        Claimed(
            id=delivery.pk,
            project=delivery.webhook.project_id,
            attempt=delivery.attempts + 1,
            url=delivery.webhook.url,
            secret=delivery.webhook.secret,
            event_id=delivery.event_id,
            payload=delivery.payload,
        )
        for delivery in deliveries
    ]


@transaction.atomic
def finish_attempts(*, outcomes: Sequence[Outcome], jitter: float, now: datetime) -> None:
    """Notes what came of attempts. `jitter`: -1 to 1, moves the next attempt by up to a fifth.

    One that was taken is delivered, whatever happened since. A failure counts only if nobody else has claimed the
    delivery after its lease.
    """
    for outcome in outcomes:
        delivery = WebhookDelivery.objects.filter(pk=outcome.id)
        if not outcome.error:
            delivery.update(delivered_at=now, next_attempt_at=None, last_status=outcome.status, last_error="")
        else:
            delivery.filter(attempts=outcome.attempt, next_attempt_at__isnull=False).update(
                next_attempt_at=_next_attempt(outcome.attempt, jitter, now),
                last_status=outcome.status,
                last_error=outcome.error[:200],
            )


def _next_attempt(attempt: int, jitter: float, now: datetime) -> datetime | None:
    if attempt > len(BACK_OFF_S):
        return None
    return now + timedelta(seconds=BACK_OFF_S[attempt - 1] * (1 + jitter / 5))


def replay_deliveries(
    *,
    now: datetime,
    project_id: int | None = None,
    webhook_id: int | None = None,
    since: datetime | None = None,
    failed: bool = False,
) -> int:
    """Queues deliveries again, under the same event ids: those that failed (given up, or waiting for another attempt),
    or all since a time, or with both those that failed since. Returns how many."""
    chosen = WebhookDelivery.objects.all()
    if project_id is not None:
        chosen = chosen.filter(webhook__project_id=project_id)
    if webhook_id is not None:
        chosen = chosen.filter(webhook_id=webhook_id)
    if since is not None:
        chosen = chosen.filter(created_at__gte=since)
    # What is due within the lease may be on its way, or comes by itself.
    retried = Q(next_attempt_at__gt=now + LEASE)
    chosen = chosen.filter(GIVEN_UP | retried if failed else Q(next_attempt_at=None) | retried)
    return requeue(deliveries=chosen, now=now)


def requeue(*, deliveries: QuerySet[WebhookDelivery], now: datetime) -> int:
    """Queues deliveries again, as if they had never been tried; one that is on its way may come twice. Works in short
    transactions; returns how many."""
    queued = after = 0
    while ids := list(deliveries.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        queued += WebhookDelivery.objects.filter(pk__in=ids).update(
            attempts=0, next_attempt_at=now, delivered_at=None, last_status=None, last_error=""
        )
        after = ids[-1]
    return queued
