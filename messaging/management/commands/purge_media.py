from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from messaging.media.purge import purge_media
from messaging.media.selectors import count_expired
from messaging.media.storage import StorageUnavailable, media_storage

REPORT_EVERY: Final = 1_000


class Command(BaseCommand):
    help = (
        "Deletes files and images that were kept for their time, and uploads that were never finished. "
        "Works in small steps beside a running service; safe to repeat and to break off. For an hourly timer."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="delete nothing, say how much would be")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        now = timezone.now()
        if dry_run:
            self.stdout.write(f"would delete {count_expired(now)} files and images")
            return
        deleted = reported = 0
        try:
            for step in purge_media(media_storage(), now):
                deleted += step
                if deleted - reported >= REPORT_EVERY:
                    reported = deleted
                    self.stdout.write(f"{deleted} so far")
        except StorageUnavailable as error:
            raise CommandError(f"The storage is out of reach: {error}") from error
        finally:
            self.stdout.write(f"deleted {deleted} files and images")
