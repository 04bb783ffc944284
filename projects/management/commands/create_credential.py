from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from projects.credentials import create_credential
from projects.management.arguments import find_project


class Command(BaseCommand):
    help = "Makes a credential for a project's own server to use the REST interface with. Its secret is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("app_id")
        parser.add_argument("--name", default="", help="what it is for")

    def handle(self, *args: Any, app_id: str, name: str, **options: Any) -> None:
        try:
            made = create_credential(project=find_project(app_id), name=name)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        self.stdout.write(f"Customer id: {made.credential.customer_id}")
        self.stdout.write(f"Customer secret: {made.secret}")
