"""Worked frames cannot rot: each conversation of docs/protocol.md is played on the real gateway."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from messaging.examples import MEDIA, UPLOAD_URL
from messaging.media.storage import UploadForm
from messaging.models import Stream
from messaging.redaction import delete_message
from messaging.services import append_entry, renew_epochs
from projects.models import Project
from projects.services import ban_user
from realtime.conversations import Conversation, conversations, shown_event
from realtime.registry import EVENTS, METHODS
from realtime.runtime import Runtime
from rooms.deletion import DELETED
from tests.support.appends import append_message
from tests.support.conversation import Player
from tests.support.media import IMAGE, ready_media, upload

FILE = {
    "type": "FILE",
    "media": "9f2d7c1be05a4d3c8b6ef01a2c3d4e5f",
    "name": "tables.txt",
    "description": "",
    "size": 11,
    "content_type": "application/octet-stream",
}


async def stop_reading_from_ann(player: Player) -> None:
    (session,) = [session for session in player.runtime.sessions.all() if session.uid == "ann"]
    assert session.connection is not None
    session.connection.paused = True
    player.runtime.silence.tick()
    session.connection.paused = False


async def leave_ann(player: Player, left_ms: int) -> None:
    """So long until her token runs out."""
    (session,) = [session for session in player.runtime.sessions.all() if session.uid == "ann"]
    session.set_token_end(player.runtime.clock_ms() + left_ms)
    player.runtime.silence.tick()


async def ban_ann(player: Player) -> None:
    def ban() -> None:
        now = datetime.now(UTC)
        project = Project.objects.get(app_id=player.app)
        ban_user(project_id=project.pk, uid="ann", now=now, until=now + timedelta(hours=1))

    await player.runtime.bridge.write(ban)


async def restore_the_database(player: Player) -> None:
    def renew() -> None:
        renew_epochs(project_id=Project.objects.get(app_id=player.app).pk)

    await player.runtime.bridge.write(renew)
    await player.runtime.hub.check_heads()


async def send_a_file(player: Player) -> None:
    """As a message of Ann's with a file is appended."""
    message_id = "019bc0e2-1280-7001-9c4e-51a0b7d3f6e8"
    await append_message(player.runtime, player.app, "room:math", "room.media_sent", "ann", message_id, FILE)


async def delete_unheard(player: Player) -> None:
    """Not by the bridge, as in another process."""

    def write_and_delete() -> None:
        stream = Stream.objects.get(project__app_id=player.app, name="room:math")
        now = datetime.now(UTC)
        said = {"sender": "cal", "message_id": "019bc0e2-1a50-7c05-b1d7-60e4a2938f5c"}
        with transaction.atomic():
            seq = append_entry(
                stream_id=stream.pk, event="room.sent", body='{"type":"TEXT","text":"x"}', now=now, **said
            )
        delete_message(
            stream_id=stream.pk,
            seq=seq,
            event=DELETED,
            deleted_by="cal",
            now=now,
        )

    await sync_to_async(write_and_delete)()
    await player.runtime.hub.check_heads()


async def post_the_file(player: Player) -> None:
    form = UploadForm(player.real("url", UPLOAD_URL), {})
    assert await upload(form, b"7 * 8 = 56\n") == 204


async def upload_a_picture(player: Player) -> None:
    await ready_media(player.app, "ann", media_id=MEDIA, **IMAGE)


DIRECTIONS: Mapping[str, Callable[[Player], Awaitable[None]]] = {
    "Ann's token has 30 seconds left.": partial(leave_ann, left_ms=30_000),
    "Ann's token has run out.": partial(leave_ann, left_ms=0),
    "Ann is banned for an hour.": ban_ann,
    "Ann's browser posts the file.": post_the_file,
    "Ann uploads a picture, board.png.": upload_a_picture,
    "Ann sends a file to the room.": send_a_file,
    "Cal's message of another process is deleted before this one has heard of it.": delete_unheard,
    "The server has much of ann's to answer yet, and stops reading from her.": stop_reading_from_ann,
    "The database is restored from a backup, and all epochs are renewed.": restore_the_database,
}


@pytest.mark.parametrize(
    "conversation", [pytest.param(each, id=f"{each.subject} {each.title}".strip()) for each in conversations()]
)
async def test_worked_frames_are_what_the_gateway_says(runtime: Runtime, app: str, conversation: Conversation) -> None:
    await Player(runtime, app, DIRECTIONS).play(conversation)


def test_every_method_has_a_worked_request() -> None:
    shown = {
        message["method"]
        for conversation in conversations()
        for line, message in conversation.frames()
        if line.kind == ">" and message.get("method") == conversation.subject
    }
    assert shown == set(METHODS)


def test_every_event_has_a_worked_frame() -> None:
    assert [name for name in EVENTS if shown_event(name) is None] == []
