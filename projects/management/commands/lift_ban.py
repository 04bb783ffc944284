from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from projects.management.arguments import find_project
from projects.services import lift_ban


class Command(BaseCommand):
    help = "Lets a banned user log in again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("app_id")
        parser.add_argument("uid")

    def handle(self, *args: Any, app_id: str, uid: str, **options: Any) -> None:
        project = find_project(app_id)
        if not lift_ban(project_id=project.pk, uid=uid, now=timezone.now()):
            raise CommandError(f"{uid} is not banned from {project.name}.")
        self.stdout.write(f"{uid} may log in to {project.name} again")
