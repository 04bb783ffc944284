from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from projects.demo import DEMO_APP_ID, DEMO_PROJECT_NAME
from projects.limits import RATES
from projects.models import Project


class Command(BaseCommand):
    help = "Makes the demo project, so that a fresh installation has something to talk to. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--benchmark",
            action="store_true",
            help="raise the demo project's rates, for load tests; nothing else is changed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project, created = Project.objects.get_or_create(app_id=DEMO_APP_ID, defaults={"name": DEMO_PROJECT_NAME})
        if options["benchmark"]:
            project.limits = {"rates": {name: [1_000_000, 1_000] for name in RATES}}
            project.save(update_fields=["limits"])
        self.stdout.write(f"{'made' if created else 'found'} project {project.name}, App ID {project.app_id}")
