"""A command that writes beside a running service: `python -m tests.support.command_writer PROJECT ROOM NAME COUNT`.

Appends messages and changes attributes by the services, one after the other, and fails with whatever they raise.
"""

import sys
from datetime import UTC, datetime

import django


def main(project_id: int, room: str, name: str, count: int) -> None:
    from django.db import transaction

    from messaging.attributes import Operation
    from messaging.services import append_entry, ensure_stream
    from projects.limits import DEFAULT_LIMITS
    from rooms.models import stream_name
    from rooms.services.attributes import change_attributes

    for number in range(count):
        now = datetime.now(UTC)
        with transaction.atomic():
            stream = ensure_stream(project_id=project_id, name=stream_name(room), creator=name, now=now)
            append_entry(
                stream_id=stream.id,
                event="room.sent",
                sender=name,
                message_id=f"{name}-{number}",
                body='{"type":"TEXT","text":"by a command"}',
                now=now,
            )
        change_attributes(
            project_id=project_id,
            room=room,
            uid=name,
            message_id=f"{name}-attributes-{number}",
            operation=Operation.UPDATE,
            attributes={name: str(number)},
            keys=(),
            notify=False,
            revision=None,
            sizes=DEFAULT_LIMITS.sizes,
            now=now,
        )


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
