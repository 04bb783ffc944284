"""What is kept of activity, and for how long."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Model, Q, QuerySet

from activity.models import BusinessId, ClientLog, VendorEvent, WebhookDelivery
from activity.services.deliveries import GIVEN_UP
from activity.services.vendor import KEPT, trim_vendor_events
from messaging.retention import Purge

DELIVERED_KEPT: Final = timedelta(days=3)
GIVEN_UP_KEPT: Final = timedelta(days=30)
"""From when the event was queued."""
BUSINESS_IDS_KEPT: Final = timedelta(days=3)
"""From their end."""
CLIENT_LOGS_KEPT: Final = timedelta(days=7)
"""From when they came (docs/contract.md 1)."""
BATCH: Final = 500


def _old_deliveries(project_id: int, now: datetime) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(
        Q(delivered_at__lt=now - DELIVERED_KEPT) | (GIVEN_UP & Q(created_at__lt=now - GIVEN_UP_KEPT)),
        webhook__project_id=project_id,
    )


def _count_old_deliveries(project_id: int, now: datetime) -> int:
    return _old_deliveries(project_id, now).count()


def purge_deliveries(project_id: int, now: datetime) -> Iterator[int]:
    """Deletes what was delivered 3 days ago, and what was queued 30 days ago and given up."""
    return _delete(WebhookDelivery, _old_deliveries(project_id, now))


def _old_business_ids(project_id: int, now: datetime) -> QuerySet[BusinessId]:
    return BusinessId.objects.filter(project_id=project_id, until__lt=now - BUSINESS_IDS_KEPT)


def _count_old_business_ids(project_id: int, now: datetime) -> int:
    return _old_business_ids(project_id, now).count()


def purge_business_ids(project_id: int, now: datetime) -> Iterator[int]:
    return _delete(BusinessId, _old_business_ids(project_id, now))


def _old_client_logs(project_id: int, now: datetime) -> QuerySet[ClientLog]:
    return ClientLog.objects.filter(project_id=project_id, received_at__lt=now - CLIENT_LOGS_KEPT)


def _count_old_client_logs(project_id: int, now: datetime) -> int:
    return _old_client_logs(project_id, now).count()


def purge_client_logs(project_id: int, now: datetime) -> Iterator[int]:
    return _delete(ClientLog, _old_client_logs(project_id, now))


def _delete(model: type[Model], rows: QuerySet[Any]) -> Iterator[int]:
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        yield model._default_manager.filter(pk__in=ids).delete()[0]


def _count_old_vendor_events(project_id: int, now: datetime) -> int:
    counts = [VendorEvent.objects.filter(project_id=project_id, kind=kind).count() for kind in VendorEvent.Kind.values]
    return sum(max(0, count - KEPT) for count in counts)


def _purge_vendor_events(project_id: int, now: datetime) -> Iterator[int]:
    return trim_vendor_events(project_id=project_id)


PURGES: Final = (
    Purge("webhook deliveries", _count_old_deliveries, purge_deliveries),
    Purge("business ids", _count_old_business_ids, purge_business_ids),
    Purge("client logs", _count_old_client_logs, purge_client_logs),
    Purge("events for the vendor's queries", _count_old_vendor_events, _purge_vendor_events),
)
