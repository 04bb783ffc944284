from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from activity.models import Webhook
from activity.services.deliveries import replay_deliveries
from projects.models import Project


class Command(BaseCommand):
    help = (
        "Queues webhook deliveries again, under the same event ids: those that failed, or all since a time, as far "
        "back as they are kept (3 days when they were delivered, 30 when they were given up)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="APP_ID", help="only this project's webhooks; all without it")
        parser.add_argument("--webhook", metavar="ID", type=int, help="only this webhook")
        parser.add_argument("--since", metavar="TIME", help="what was queued since then, as 2026-01-15T09:00Z (or UTC)")
        parser.add_argument("--failed", action="store_true", help="what was given up, or waits for another attempt")

    def handle(
        self, *args: Any, project: str | None, webhook: int | None, since: str | None, failed: bool, **options: Any
    ) -> None:
        if since is None and not failed:
            raise CommandError("Say what to send again: --failed, or --since a time, or both.")
        project_id: int | None = None
        if project is not None:
            found = Project.objects.filter(app_id=project).first()
            if found is None:
                raise CommandError(f"No project has the App ID {project}.")
            project_id = found.pk
        if webhook is not None and not Webhook.objects.filter(pk=webhook).exists():
            raise CommandError(f"There is no webhook {webhook}.")
        queued = replay_deliveries(
            project_id=project_id,
            webhook_id=webhook,
            since=_moment(since) if since is not None else None,
            failed=failed,
            now=timezone.now(),
        )
        self.stdout.write(f"queued {queued} deliveries again")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text} is no time like 2026-01-15T09:00Z.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
