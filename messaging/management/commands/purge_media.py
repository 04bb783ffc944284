from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from messaging.media.models import Media
from messaging.media.purge import left_uploads, purge_media, purge_uploads
from messaging.media.selectors import expired_media, formless_media
from messaging.media.storage import StorageUnavailable, media_storage
from messaging.media.unused import count_idle_uses, purge_idle_uses
from projects.models import Project

REPORT_EVERY: Final = 1_000


class Command(BaseCommand):
    help = (
        "Deletes files and images that were kept for their time or whose messages are deleted, and uploads that were "
        "never finished or came once more. With --all everything of a project that is to be deleted. "
        "Works in small steps beside a running service; safe to repeat and to break off. For an hourly timer."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="APP_ID", help="only of this project")
        parser.add_argument(
            "--all", action="store_true", help="whether or not they have outlived their time; of an inactive project"
        )
        parser.add_argument("--dry-run", action="store_true", help="delete nothing, say how much would be")

    def handle(self, *args: Any, project: str | None, dry_run: bool, **options: Any) -> None:
        now = timezone.now()
        found = self._find(project, everything=options["all"])
        due = formless_media(now) if options["all"] else expired_media(now)
        if found is not None:
            due = due.filter(project=found)
        if dry_run:
            self.stdout.write(f"would delete {due.count()} files and images")
        else:
            self._purge(due)
        if found is None:
            self._purge_uses(now, dry_run=dry_run)
            self._purge_uploads(now, due if dry_run else None)
        elif options["all"] and not dry_run and (left := Media.objects.filter(project=found).count()):
            raise CommandError(f"{left} are left: they may be on their way still. Run it again in an hour.")

    def _find(self, app_id: str | None, *, everything: bool) -> Project | None:
        if app_id is None:
            if everything:
                raise CommandError("--all is for one --project.")
            return None
        found = Project.objects.filter(app_id=app_id).first()
        if found is None:
            raise CommandError(f"No project has the App ID {app_id}.")
        if everything and found.is_active:
            raise CommandError(f"{found.name} is active. Make it inactive first, so that nothing new comes.")
        return found

    def _purge(self, due: "QuerySet[Media]") -> None:
        deleted = 0
        try:
            for total in self._totals(purge_media(media_storage(), due)):
                deleted = total
        except StorageUnavailable as error:
            raise CommandError(f"The storage is out of reach: {error}") from error
        finally:
            self.stdout.write(f"deleted {deleted} files and images")

    def _purge_uses(self, now: datetime, *, dry_run: bool) -> None:
        """Notes of messages with files that were never taken."""
        count = count_idle_uses(now) if dry_run else max(self._totals(purge_idle_uses(now)), default=0)
        if count:
            self.stdout.write(f"{'would delete' if dry_run else 'deleted'} {count} notes of messages that never came")

    def _purge_uploads(self, now: datetime, would_go: "QuerySet[Media] | None") -> None:
        """What came by forms once more, when it was of no use. `would_go`: in a dry run, the files that were said
        already."""
        storage = media_storage()
        try:
            if would_go is None:
                count = max(self._totals(purge_uploads(storage, now)), default=0)
            else:
                left = (folder.rpartition("/")[2] for folder in left_uploads(storage, now))
                count = sum(not would_go.filter(media_id=media_id).exists() for media_id in left)
        except StorageUnavailable as error:
            raise CommandError(f"The storage is out of reach: {error}") from error
        if count:
            self.stdout.write(f"{'deleted' if would_go is None else 'would delete'} {count} uploads that were left")

    def _totals(self, steps: Iterator[int]) -> Iterator[int]:
        """How many so far, after each step; said now and then."""
        total = reported = 0
        for step in steps:
            total += step
            if total - reported >= REPORT_EVERY:
                reported = total
                self.stdout.write(f"{total} so far")
            yield total
