"""Keeping what clients' SDKs log about themselves."""

from datetime import datetime
from typing import Final

from django.db import transaction

from activity.models import ClientLog
from projects.models import Project

KEPT: Final = 1_000
"""The newest batches of a project."""


@transaction.atomic
def store_client_log(*, project_id: int, uid: str, sdk: str, version: str, lines: str, now: datetime) -> None:
    """Keeps a batch, and lets go of the project's oldest above KEPT. One for a project that is gone is passed over."""
    if not Project.objects.filter(pk=project_id).exists():
        return
    ClientLog.objects.create(project_id=project_id, uid=uid, sdk=sdk, version=version, lines=lines, received_at=now)
    of_project = ClientLog.objects.filter(project_id=project_id)
    newest = of_project.order_by("-pk").values_list("pk", flat=True)
    for edge in newest[KEPT : KEPT + 1]:
        of_project.filter(pk__lte=edge).delete()
