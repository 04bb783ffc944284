from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from projects.management.arguments import find_project
from projects.services import ban_user


class Command(BaseCommand):
    help = "Ends a user's session within seconds and refuses their logins. It takes the place of an earlier ban."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("app_id")
        parser.add_argument("uid")
        parser.add_argument("--minutes", type=int, help="for so long; until it is lifted without it")
        parser.add_argument("--reason", default="", help="for the staff")

    def handle(self, *args: Any, app_id: str, uid: str, minutes: int | None, reason: str, **options: Any) -> None:
        project = find_project(app_id)
        now = timezone.now()
        try:
            until = None if minutes is None else now + timedelta(minutes=minutes)
            ban_user(project_id=project.pk, uid=uid, now=now, until=until, reason=reason, by="command line")
        except OverflowError:
            raise CommandError("That is too many minutes.") from None
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        lasts = "until the ban is lifted" if until is None else f"until {until.isoformat(timespec='seconds')}"
        self.stdout.write(f"{uid} is banned from {project.name} {lasts}")
