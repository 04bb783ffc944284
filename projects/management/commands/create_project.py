from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from projects.services import create_project


class Command(BaseCommand):
    help = "Makes a project and prints its App ID and its certificate, the secret that tokens are signed with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--app-id", default="", help="an App ID that clients have already; a new one without it")
        parser.add_argument(
            "--certificate",
            default="",
            help="a certificate that servers sign tokens with already; a new one without it",
        )
        parser.add_argument(
            "--enable-certificate",
            action="store_true",
            help="refuse logins without a valid token from the start; without it any uid may log in, for trying out",
        )

    def handle(
        self, *args: Any, name: str, app_id: str, certificate: str, enable_certificate: bool, **options: Any
    ) -> None:
        try:
            project = create_project(
                name=name, app_id=app_id, certificate=certificate, certificate_enabled=enable_certificate
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        self.stdout.write(f"App ID: {project.app_id}")
        self.stdout.write(f"App certificate: {project.certificate}")
        self.stdout.write(f"Logins without a token: {'refused' if enable_certificate else 'accepted'}")
