from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from messaging.services import renew_epochs
from projects.models import Project


class Command(BaseCommand):
    help = (
        "Run it once after the database was restored from a backup, before the service starts. Clients may know of "
        "entries that the backup does not have: with other epochs they learn that their place in a stream is lost."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="APP_ID", help="only this project's streams; all without it")

    def handle(self, *args: Any, project: str | None, **options: Any) -> None:
        project_id: int | None = None
        if project is not None:
            found = Project.objects.filter(app_id=project).first()
            if found is None:
                raise CommandError(f"No project has the App ID {project}.")
            project_id = found.pk
        self.stdout.write(f"renewed {renew_epochs(project_id=project_id)} epochs")
