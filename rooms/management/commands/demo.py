from argparse import ArgumentParser
from typing import Any, Final

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from messaging.messages import TextMessage
from messaging.selectors import find_answer
from messaging.services import append_entry, ensure_stream
from projects.demo import DEMO_APP_ID, DEMO_PROJECT_NAME, DEMO_ROOM
from projects.limits import RATES
from projects.models import Project
from rooms.methods.messages import SENT
from rooms.models import stream_name

WELCOME: Final = (
    "Welcome. Open this page in a second window, take another name, and write.\n"
    "欢迎。请在另一个窗口再打开本页，换个名字，写一句试试。"
)
SENDER: Final = "Rostrum"
MESSAGE_ID: Final = "demo-welcome"


class Command(BaseCommand):
    help = "Makes the demo project and its room, so that a fresh installation has something to open. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--benchmark",
            action="store_true",
            help="raise the demo project's rates and its quota of files, for load tests; nothing else is changed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project, created = Project.objects.get_or_create(app_id=DEMO_APP_ID, defaults={"name": DEMO_PROJECT_NAME})
        if options["benchmark"]:
            project.limits = {"rates": {name: [1_000_000, 1_000] for name in RATES}}
            project.media_quota = 2**40
            project.save(update_fields=["limits", "media_quota"])
        _welcome(project)
        self.stdout.write(f"{'made' if created else 'found'} project {project.name}, App ID {project.app_id}")
        self.stdout.write(f"open http://{settings.HOST}:{settings.PORT}/?room={DEMO_ROOM} in two windows")


@transaction.atomic
def _welcome(project: Project) -> None:
    """The room's first message, once."""
    room, now = stream_name(DEMO_ROOM), timezone.now()
    if find_answer(project.pk, room, SENDER, MESSAGE_ID) is None:
        stream = ensure_stream(project_id=project.pk, name=room, creator=SENDER, now=now)
        body = msgspec.json.encode(TextMessage(WELCOME)).decode()
        append_entry(stream_id=stream.id, event=SENT, sender=SENDER, message_id=MESSAGE_ID, body=body, now=now)
