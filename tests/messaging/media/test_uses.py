"""Who may fetch a file because of a message that has it, and for how long it is kept (docs/contract.md 4)."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from messaging.media.models import Media, MediaUse
from messaging.media.selectors import may_read, shown_media
from messaging.media.uses import FilePost, use_media
from messaging.messages import PEER_MEDIA_SENT, ROOM_MEDIA_SENT, FileMessage
from messaging.models import Entry, EntryFlag, Stream, inbox_name
from messaging.selectors import from_ms
from projects.models import Project
from realtime.errors import RpcError
from rooms.models import Room
from tests.support.client import CallFailed, Client
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.journals import NOW_MS, answers, make_append, make_committer, make_stream
from tests.support.media import ready_media

NOW = from_ms(NOW_MS)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def make_media(project: Project, uid: str = "ann", **fields: Any) -> Media:
    times = {"created_at": NOW, "expires_at": NOW + timedelta(days=7)}
    return Media.objects.create(
        project=project, uid=uid, kind="FILE", name="a.txt", size=1, state="ready", **times | fields
    )


def wish(stream: Stream, media: Media | str, message_id: str = "m1", *streams: str, **fields: Any) -> Any:
    media_id = media if isinstance(media, str) else media.media_id
    post = FilePost(FileMessage(media_id), streams)
    is_room = stream.name.startswith("room:")
    return make_append(stream, message_id, event=ROOM_MEDIA_SENT if is_room else PEER_MEDIA_SENT, file=post, **fields)


def use(project: Project, *appends: Any, now: Any = NOW) -> list[str]:
    """What becomes of them: "done", if they may be written, or the error."""
    outcomes = use_media(project_id=project.pk, appends=appends, now=now)
    told = []
    for append, outcome in zip(appends, outcomes, strict=True):
        if isinstance(outcome, str):
            append.fill(outcome)
        told.append(outcome.kind.name if isinstance(outcome, RpcError) else "done")
    return told


def write(*appends: Any) -> list[int | str]:
    make_committer().commit(appends)
    return answers(appends)


def sent(project: Project, stream: Stream, media: Media, message_id: str = "m1", **fields: Any) -> None:
    append = wish(stream, media, message_id, **fields)
    assert use(project, append) == ["done"]
    write(append)


# Rights


def test_who_may_fetch_a_file(project: Project) -> None:
    media = make_media(project)
    math, bobs = make_stream(project, "room:math"), make_stream(project, inbox_name("bob"))
    carols, dans = make_stream(project, inbox_name("carol")), make_stream(project, inbox_name("dan"))
    may = {
        "its owner": ("ann", ()),
        "who is in the room": ("eve", ("room:art", "room:math")),
        "who has it in the inbox": ("bob", ()),
        "who has sent it to a user": ("bob", ("of-bob",)),
        "to whom it came too late, in the history": ("dan", ()),
    }
    may_not = {
        "who is in another room": ("eve", ("room:art",)),
        "who is nowhere": ("eve", ()),
        "to whom it came too late": ("carol", ()),
        "who names another inbox, which is none of theirs": ("eve", ("inbox:eve",)),
    }
    for uid, streams in (*may.values(), *may_not.values()):
        assert may_read(media, uid, streams) is (uid == "ann")
    sent(project, math, media)
    sent(project, bobs, media)
    sent(project, carols, media, flags=EntryFlag.WITHDRAWN)
    sent(project, dans, media, flags=EntryFlag.WITHDRAWN | EntryFlag.HISTORICAL)
    for who, (uid, streams) in may.items():
        assert may_read(media, uid, streams), who
    for who, (uid, streams) in may_not.items():
        assert not may_read(media, uid, streams), who


def test_who_has_handed_it_on_may_fetch_it_as_long_as_the_message_is_there(project: Project) -> None:
    media = make_media(project)
    bobs, carols = make_stream(project, inbox_name("bob")), make_stream(project, inbox_name("carol"))
    sent(project, bobs, media)
    sent(project, carols, media, "m2", sender="bob")
    Entry.objects.filter(stream=bobs).delete()  # by retention
    assert may_read(media, "bob", ())
    Entry.objects.filter(stream=carols).update(event="something else")
    assert not may_read(media, "bob", ())
    assert not may_read(media, "carol", ())


def test_a_room_that_its_sender_has_left_gives_the_sender_nothing(project: Project) -> None:
    media = make_media(project)
    math, bobs = make_stream(project, "room:math"), make_stream(project, inbox_name("bob"))
    sent(project, bobs, media)
    append = wish(math, media, sender="bob")
    assert use(project, append) == ["done"]
    write(append)
    Entry.objects.filter(stream=bobs).delete()
    assert may_read(media, "bob", ("room:math",))
    assert not may_read(media, "bob", ())


def fill(project: Project) -> tuple[Media, list[Stream]]:
    """Files that were sent into many inboxes by many users, and one of them with its streams."""
    files = [make_media(project) for _ in range(30)]
    streams = [make_stream(project, inbox_name(f"u{number}")) for number in range(10)]
    rows = [(files[number % 30], streams[number % 10], f"u{number % 50}", f"m{number}") for number in range(3_000)]
    Entry.objects.bulk_create(
        Entry(stream=stream, seq=seq, sender=sender, message_id=message_id, event=PEER_MEDIA_SENT, created_at=NOW)
        for seq, (_, stream, sender, message_id) in enumerate(rows)
    )
    MediaUse.objects.bulk_create(
        MediaUse(media=media, stream=stream, sender=sender, message_id=message_id, created_at=NOW)
        for media, stream, sender, message_id in rows
    )
    return files[0], streams[:3]


def test_rights_are_found_by_indexes(project: Project) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        media, streams = fill(project)
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE messaging_entry, messaging_mediause, messaging_stream")
            for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):  # which small tables invite to
                cursor.execute(f"SET LOCAL enable_{way} = off")
        plan = shown_media([media.pk], "u1", [stream.pk for stream in streams]).explain()
        transaction.set_rollback(True)
    assert "entry_message_id" in plan or "messaging_entry_2 (message_id=? AND sender=?" in plan, plan
    for index in ("media_use", "media_use_sender"):
        assert f"{index} " in plan, plan


def test_many_files_of_others_are_asked_about_at_once(project: Project) -> None:
    """Whoever hands many on keeps nobody's messages waiting for a query about each."""
    math, art = make_stream(project, "room:math"), make_stream(project, "room:art")
    files = [make_media(project) for _ in range(20)]
    for number, media in enumerate(files):
        sent(project, math, media, f"m{number}")
    unread = make_media(project)
    costs = []
    for wanted in ([files[0], unread], [*files[1:], unread]):
        appends = [wish(art, media, f"again{media.pk}", "room:math", sender="bob") for media in wanted]
        with CaptureQueriesContext(connection) as queries:
            assert use(project, *appends) == ["done"] * (len(wanted) - 1) + ["media_not_found"]
        costs.append(len(queries))
    assert costs[0] == costs[1]


async def test_an_address_is_given_to_whoever_may_read_a_message(app: str) -> None:
    """By the rooms that a session is in now, and never of another project."""
    async with clocked_runtimes() as lifetime:
        ann, bob = await lifetime.enter(app, "ann", "math"), await lifetime.enter(app, "bob", "math")
        media = await ready_media(app, "ann", now=from_ms(lifetime.clock.now_ms()))

        async def may_fetch(client: Client) -> bool:
            answer = await client.start("media.url", media=media)
            await asyncio.wait({answer})
            error = answer.exception()
            assert error is None or (isinstance(error, CallFailed) and error.name == "media_not_found")
            return error is None

        assert [await may_fetch(client) for client in (ann, bob)] == [True, False]
        await send_file(ann, media)
        assert [await may_fetch(client) for client in (ann, bob)] == [True, True]
        await bob.call("room.leave", room="math")
        assert [await may_fetch(client) for client in (ann, bob)] == [True, False]
        await bob.call("room.join", room="math")
        assert await may_fetch(bob)
        await lifetime.pass_time(31, ann, bob)
        await Media.objects.filter(media_id=media).aupdate(expires_at=from_ms(lifetime.clock.now_ms()))
        assert [await may_fetch(client) for client in (ann, bob)] == [False, False]


async def send_file(client: Client, media: str, message_id: str = "m1") -> None:
    await client.call("room.send", room="math", message_id=message_id, message={"type": "FILE", "media": media})


# A use comes first, its entry after it


def test_a_use_whose_message_was_never_written_gives_nothing_and_is_found_again(project: Project) -> None:
    """As when the process is killed between the two: its client sends again, to another one."""
    media = make_media(project)
    math = make_stream(project)
    assert use(project, wish(math, media)) == ["done"]
    assert not may_read(media, "bob", ("room:math",))
    Media.objects.filter(pk=media.pk).update(expires_at=NOW)
    again = wish(math, media)
    assert use(project, wish(math, media, "m2"), again) == ["media_not_found", "done"], "under its id it was allowed"
    assert write(again) == [1]
    assert may_read(media, "bob", ("room:math",))
    assert MediaUse.objects.filter(media=media).count() == 1


def test_a_message_id_keeps_its_first_file(project: Project) -> None:
    first, other = make_media(project), make_media(project)
    math = make_stream(project)
    assert use(project, wish(math, first), wish(math, other), wish(math, first)) == ["done", "invalid_params", "done"]
    assert use(project, wish(math, other), wish(math, other, "m2")) == ["invalid_params", "done"]
    assert list(MediaUse.objects.order_by("pk").filter(stream=math).values_list("media_id", "message_id")) == [
        (first.pk, "m1"),
        (other.pk, "m2"),
    ]


# How long it is kept


async def set_days(lifetime: Lifetime, app: str, days: int) -> None:
    def keep() -> None:
        project = Project.objects.get(app_id=app)
        now = from_ms(lifetime.clock.now_ms())
        Room.objects.create(project=project, name="math", media_days=days, touched_at=now)

    await sync_to_async(keep)()


@pytest.mark.parametrize(("days", "kept"), [(None, 7), (3, 7), (30, 30)])
async def test_a_room_keeps_files_for_longer_and_never_for_less(app: str, days: int | None, kept: int) -> None:
    async with clocked_runtimes() as lifetime:
        if days is not None:
            await set_days(lifetime, app, days)
        ann = await lifetime.enter(app, "ann", "math", "art")
        now = from_ms(lifetime.clock.now_ms())
        media = await ready_media(app, "ann", now=now)
        for message_id in ("m1", "m2"):
            await send_file(ann, media, message_id)
        await ann.call("room.send", room="art", message_id="m1", message={"type": "FILE", "media": media})
        assert (await Media.objects.aget(media_id=media)).expires_at == now + timedelta(days=kept)
