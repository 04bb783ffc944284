from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from projects.management.arguments import find_project
from projects.services import kick_user


class Command(BaseCommand):
    help = "Ends a user's session within seconds. They may log in again; `ban` keeps them out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("app_id")
        parser.add_argument("uid")
        parser.add_argument("--reason", default="", help="for the staff")

    def handle(self, *args: Any, app_id: str, uid: str, reason: str, **options: Any) -> None:
        project = find_project(app_id)
        try:
            kick_user(project_id=project.pk, uid=uid, now=timezone.now(), reason=reason, by="command line")
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        self.stdout.write(f"{uid} is put out of {project.name}")
