"""Keeping what clients' SDKs log about themselves."""

from datetime import datetime
from typing import Final

from django.db import models, transaction
from django.utils.crypto import salted_hmac

from activity.models import ClientLog
from projects.models import Project

KEPT_BATCHES: Final = 10_000
"""The newest of a project."""
KEPT_BYTES: Final = 64 * 1024 * 1024
"""Of a project's batches."""
SHARES: Final = 8
"""What comes from one address has one of so many parts of either."""


@transaction.atomic
def store_client_log(
    *, project_id: int, uid: str, address: str, sdk: str, version: str, lines: str, now: datetime
) -> None:
    """Keeps a batch, and lets go of the oldest: of its address, then of the project, above what each may keep. One for
    a project that is gone is passed over."""
    if not Project.objects.filter(pk=project_id).exists():
        return
    log = ClientLog.objects.create(
        project_id=project_id,
        uid=uid,
        source=salted_hmac("activity.client_logs", address).hexdigest()[:32],
        sdk=sdk,
        version=version,
        lines=lines,
        size=len(lines.encode()),
        received_at=now,
    )
    of_project = ClientLog.objects.filter(project_id=project_id)
    _let_go(of_project.filter(source=log.source), KEPT_BATCHES // SHARES, KEPT_BYTES // SHARES)
    _let_go(of_project, KEPT_BATCHES, KEPT_BYTES)


def _let_go(logs: "models.QuerySet[ClientLog]", batches: int, size: int) -> None:
    """Of the oldest, until there are at most so many of so many bytes."""
    kept = logs.aggregate(batches=models.Count("pk"), size=models.Sum("size", default=0))
    batches_over, bytes_over = kept["batches"] - batches, kept["size"] - size
    oldest = logs.order_by("pk").values_list("pk", "size").iterator()
    edge = None
    while batches_over > 0 or bytes_over > 0:
        edge, gone = next(oldest)
        batches_over -= 1
        bytes_over -= gone
    if edge is not None:
        logs.filter(pk__lte=edge).delete()
