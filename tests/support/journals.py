"""Streams and appends for tests of the journal."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection

from messaging.journal import Append
from messaging.journal.backends import Backend, backend_for
from messaging.journal.committer import Committer
from messaging.models import Entry, Stream
from projects.models import Project
from realtime.protocol import encode

NOW_MS: Final = 1_700_000_000_123
BODY: Final = '{"type":"TEXT","text":"hello"}'


def make_stream(project: Project, name: str = "room:math") -> Stream:
    return Stream.objects.create(
        project=project, name=name, created_by="ann", created_at=datetime.fromtimestamp(NOW_MS / 1000, UTC)
    )


def make_append(stream: Stream, message_id: str, **fields: Any) -> Append:
    """A message of ann's, as a room's `send` makes it; it does not expire."""
    sender = fields.pop("sender", "ann")
    append = Append(
        key=(stream.project_id, stream.name),
        event=fields.pop("event", "room.sent"),
        sender=sender,
        json_sender=encode("ann"),
        message_id=message_id,
        body=fields.pop("body", BODY),
        expires_s=fields.pop("expires_s", time.monotonic() + 3600),
        **fields,
    )
    append.stream_id = stream.pk
    return append


def make_committer(backend: Backend | None = None, **options: Any) -> Committer:
    """On this shape's database; retries do not wait."""
    options.setdefault("sleep", lambda _seconds: None)
    options.setdefault("clock_ms", lambda: NOW_MS)
    return Committer(backend or backend_for(connection.vendor), **options)


def rows(stream: Stream) -> list[tuple[int, str, str]]:
    """(seq, sender, message id) of all entries, in order."""
    return list(Entry.objects.filter(stream=stream).order_by("seq").values_list("seq", "sender", "message_id"))


def answers(appends: Sequence[Append]) -> list[int | str]:
    """The seq of each append, or the name of its error."""
    return [append.error.kind.name if append.error is not None else append.seq for append in appends]
