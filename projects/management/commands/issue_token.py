from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from projects.management.arguments import find_project
from projects.services import issue_token
from projects.tokens import LONGEST_S


class Command(BaseCommand):
    help = "Prints a token with which a user may log in to a project."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("app_id")
        parser.add_argument("uid")
        parser.add_argument("--seconds", type=int, default=LONGEST_S, help="how long it is valid: 24 hours at most")

    def handle(self, *args: Any, app_id: str, uid: str, seconds: int, **options: Any) -> None:
        project = find_project(app_id)
        try:
            issued = issue_token(project=project, uid=uid, now=timezone.now(), valid_s=seconds)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        self.stdout.write(issued.token)
