from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from projects.management.arguments import find_project
from projects.services import drop_secondary_certificate, rotate_certificate


class Command(BaseCommand):
    help = (
        "Gives a project a new certificate and prints it. Tokens signed with the one before are accepted until it is "
        "dropped, so that servers have time to change over."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("app_id")
        parser.add_argument(
            "--drop-secondary", action="store_true", help="make no new certificate: drop the one before the current"
        )

    def handle(self, *args: Any, app_id: str, drop_secondary: bool, **options: Any) -> None:
        project = find_project(app_id)
        if drop_secondary:
            drop_secondary_certificate(project_id=project.pk)
            self.stdout.write("Only tokens signed with the current certificate are accepted.")
            return
        self.stdout.write(f"App certificate: {rotate_certificate(project_id=project.pk).certificate}")
