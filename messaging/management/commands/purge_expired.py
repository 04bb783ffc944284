from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from messaging.retention import purges
from messaging.services import expired_entries, purge_entries
from projects.models import Project

REPORT_EVERY: Final = 100_000


class Command(BaseCommand):
    help = (
        "Deletes the messages and other entries that are older than their project's retention_days, and what other "
        "parts of the service keep for a time only. "
        "Works in short transactions beside a running service; safe to repeat and to break off. For a daily timer."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="APP_ID", help="only this project; all of them without it")
        parser.add_argument("--dry-run", action="store_true", help="delete nothing, say how much would be")

    def handle(self, *args: Any, project: str | None, dry_run: bool, **options: Any) -> None:
        projects = Project.objects.order_by("pk")
        if project is not None:
            projects = projects.filter(app_id=project)
            if not projects.exists():
                raise CommandError(f"No project has the App ID {project}.")
        now = timezone.now()
        total = 0
        for one in projects:
            before = now - timedelta(days=one.retention_days)
            if dry_run:
                expired = expired_entries(before=before, now=now).filter(stream__project=one).count()
                verb = "would delete"
            else:
                expired = self._purge(one, before, now)
                verb = "deleted"
            total += expired
            if expired or options["verbosity"] > 1:
                until = before.isoformat(timespec="minutes")
                self.stdout.write(f"{one.name} ({one.app_id}): {verb} {expired} entries from before {until}")
            self._purge_others(one, now, dry_run=dry_run)
        self.stdout.write(f"{'would delete' if dry_run else 'deleted'} {total} entries")

    def _purge(self, project: Project, before: datetime, now: datetime) -> int:
        deleted = reported = 0
        for step in purge_entries(project_id=project.pk, before=before, now=now):
            deleted += step
            if deleted - reported >= REPORT_EVERY:
                reported = deleted
                self.stdout.write(f"{project.name} ({project.app_id}): {deleted} so far")
        return deleted

    def _purge_others(self, project: Project, now: datetime, *, dry_run: bool) -> None:
        for purge in purges():
            count = purge.count(project.pk, now) if dry_run else sum(purge.delete(project.pk, now))
            if count:
                verb = "would delete" if dry_run else "deleted"
                self.stdout.write(f"{project.name} ({project.app_id}): {verb} {count} {purge.what}")
