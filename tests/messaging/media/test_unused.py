"""A file goes with the last message that has it: from everybody at once, its bytes after that."""

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from messaging.media import unused
from messaging.media.local import LocalMediaStorage
from messaging.media.models import Media, MediaKind, MediaState, MediaUse
from messaging.media.purge import purge_media
from messaging.media.selectors import expired_media
from messaging.media.services import MEDIA_LIFE, UPLOAD_LIFE, start
from messaging.media.unused import ENTRY_COMES, count_idle_uses, purge_idle_uses
from messaging.models import Entry
from messaging.redaction import delete_message
from messaging.selectors import from_ms
from messaging.services import append_entry, ensure_stream, purge_entries
from projects.limits import Sizes
from projects.models import Project
from realtime.runtime import Runtime
from tests.support.client import Client
from tests.support.doubles import WAIT_S, ThreadGate
from tests.support.media import files, finished, refusal

NOW = datetime(2001, 1, 1, tzinfo=UTC)
"""Long before whatever other tests have left behind."""


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Iterator[Project]:
    project = make_project()
    yield project
    Media.objects.filter(project=project).delete()


def file_of(project: Project) -> Media:
    """Ready, with a week to live."""
    media = start(project_id=project.pk, uid="ann", kind=MediaKind.FILE, name="x", size=5, sizes=Sizes(), now=NOW)
    media.state = MediaState.READY
    media.expires_at = NOW + MEDIA_LIFE
    media.save()
    return media


def use(media: Media, room: str, message_id: str, *, made_at: datetime = NOW, entry: bool = True) -> MediaUse:
    """A message with the file, and with `entry` its entry: in this order, as it is sent."""
    stream = ensure_stream(project_id=media.project_id, name=f"room:{room}", creator="ann", now=NOW)
    made = MediaUse.objects.create(
        media=media, stream_id=stream.id, sender="ann", message_id=message_id, created_at=made_at
    )
    if entry:
        with transaction.atomic():
            append_entry(
                stream_id=stream.id, event="room.sent", sender="ann", message_id=message_id, body="{}", now=made_at
            )
    return made


def delete(message: MediaUse, now: datetime = NOW) -> list[int]:
    """The keys of the files that are not used any more."""
    seq = Entry.objects.get(stream=message.stream_id, message_id=message.message_id, sender=message.sender).seq
    gone = delete_message(stream_id=message.stream_id, seq=seq, event="tests.deleted", deleted_by="ann", now=now)
    return [media.pk for media in gone]


def is_there(media: Media, now: datetime = NOW) -> bool:
    return Media.objects.filter(pk=media.pk, expires_at__gt=now).exists()


def uses(project: Project) -> list[str]:
    return sorted(MediaUse.objects.filter(media__project=project).values_list("message_id", flat=True))


# With a message


def test_a_file_goes_with_the_last_message_that_has_it(project: Project) -> None:
    media, other = file_of(project), file_of(project)
    first, forwarded = use(media, "math", "m1"), use(media, "art", "m2")
    use(other, "math", "m3")
    assert (delete(first), is_there(media), uses(project)) == ([], True, ["m2", "m3"])
    assert (delete(forwarded), is_there(media), uses(project)) == ([media.pk], False, ["m3"])
    assert (delete(forwarded), is_there(other)) == ([], True)


def test_one_that_is_about_to_be_sent_elsewhere_stays(project: Project) -> None:
    """Its use is made before its message. One that has waited for an hour is nothing."""
    media = file_of(project)
    first, second = use(media, "math", "m1"), use(media, "math", "m2")
    use(media, "art", "m3", entry=False)
    assert delete(first, NOW + ENTRY_COMES - timedelta(seconds=1)) == []
    assert delete(second, NOW + ENTRY_COMES) == [media.pk]


def test_a_use_of_a_deleted_message_is_none(project: Project) -> None:
    """As when its sender sends it once more."""
    media = file_of(project)
    first, second = use(media, "math", "m1"), use(media, "math", "m2")
    assert delete(first) == []
    use(media, "math", "m1", entry=False)
    assert delete(second) == [media.pk]


def test_nobody_elses_use_is_dropped(project: Project) -> None:
    """The same message id of another sender, or in another room, is another message's."""
    media = file_of(project)
    first = use(media, "math", "m1")
    use(media, "art", "m1")
    MediaUse.objects.create(media=media, stream_id=first.stream_id, sender="bob", message_id="m1", created_at=NOW)
    assert delete(first) == []
    assert MediaUse.objects.filter(media=media).count() == 2


def test_of_two_deletions_at_the_same_moment_the_second_takes_the_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has not committed yet when the second comes to the file."""
    media = file_of(project)
    first, second = use(media, "math", "m1"), use(media, "art", "m2")
    gate, arrived = ThreadGate(), threading.Event()
    append = append_entry

    def append_held(**entry: Any) -> int:
        if entry["stream_id"] == first.stream_id:
            gate.come()
        return append(**entry)

    def drop_uses(**dropped: Any) -> Any:
        if dropped["stream_id"] == second.stream_id:
            arrived.set()
        return unused.drop_uses(**dropped)

    monkeypatch.setattr("messaging.redaction.append_entry", append_held)
    monkeypatch.setattr("messaging.redaction.drop_uses", drop_uses)
    with ThreadPoolExecutor(2) as threads:
        deletions = [threads.submit(delete_apart, first)]
        assert gate.wait_for_arrival()
        deletions.append(threads.submit(delete_apart, second))
        if connection.vendor != "sqlite":  # there it does not even begin
            assert arrived.wait(WAIT_S)
        gate.open()
        assert [deletion.result() for deletion in deletions] == [[], [media.pk]]


def delete_apart(message: MediaUse) -> list[int]:
    """With a connection of the thread's own."""
    try:
        return delete(message)
    finally:
        connection.close()


def test_a_text_costs_one_query_and_a_file_four(project: Project) -> None:
    """However many messages have it."""
    media = file_of(project)
    texts, sent = [use(media, "math", f"m{number}") for number in range(2)], use(media, "math", "m2")
    use(media, "art", "m3")
    MediaUse.objects.filter(pk__in=[text.pk for text in texts]).delete()
    counts = []
    for message in (*texts, sent):
        with CaptureQueriesContext(connection) as queries:
            delete(message)
        counts.append(len([query for query in queries if "messaging_media" in query["sql"]]))
    assert counts == [1, 1, 4]


# With retention


def test_retention_takes_the_files_of_what_it_deletes(project: Project) -> None:
    """In the transaction that deletes the entries. Who has another message, or has never been sent, keeps its time."""
    lost, kept, forwarded, unsent = (file_of(project) for _ in range(4))
    use(lost, "math", "m1")
    use(lost, "math", "m2")
    use(forwarded, "math", "m3")
    later = NOW + timedelta(days=2)
    use(forwarded, "art", "m4", made_at=later)
    use(kept, "math", "m5", made_at=later)
    assert list(purge_entries(project_id=project.pk, before=later, now=later, batch=2)) == [2, 1]
    assert [is_there(media, later) for media in (lost, kept, forwarded, unsent)] == [False, True, True, True]
    assert uses(project) == ["m4", "m5"]
    assert list(purge_entries(project_id=project.pk, before=later, now=later)) == []


def test_a_purge_that_is_broken_off_leaves_entries_and_uses(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    media = file_of(project)
    use(media, "math", "m1")
    later = NOW + timedelta(days=2)

    def fail(**_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("messaging.services.drop_uses", fail)
        with pytest.raises(RuntimeError):
            list(purge_entries(project_id=project.pk, before=later, now=later))
    assert (uses(project), Entry.objects.filter(stream__project=project).count()) == (["m1"], 1)
    assert list(purge_entries(project_id=project.pk, before=later, now=later)) == [1]


# What is left over


def test_uses_of_messages_that_never_came_are_purged(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unused, "BATCH", 2)
    media = file_of(project)
    deleted = use(media, "math", "m1")
    delete(deleted)
    use(media, "math", "m1", entry=False)
    for number in range(3):
        use(media, "math", f"sent-{number}")
        use(media, "math", f"never-{number}", entry=False)
    use(media, "math", "coming", made_at=NOW + timedelta(seconds=1), entry=False)
    assert count_idle_uses(NOW + ENTRY_COMES) == sum(purge_idle_uses(NOW + ENTRY_COMES)) == 4
    assert uses(project) == ["coming", "sent-0", "sent-1", "sent-2"]
    assert sum(purge_idle_uses(NOW + ENTRY_COMES)) == 0


def test_a_row_stays_while_its_form_can_be_used(local_storage: LocalMediaStorage, project: Project) -> None:
    """What is posted after the bytes were deleted would be found by nobody else."""
    media = file_of(project)
    delete(use(media, "math", "m1"))
    local_storage.put(media.uploaded_key, io.BytesIO(b"again"))
    assert sum(purge_media(local_storage, expired_media(NOW + UPLOAD_LIFE - timedelta(seconds=1)))) == 0
    assert sum(purge_media(local_storage, expired_media(NOW + UPLOAD_LIFE))) == 1
    assert files(local_storage) == []


# The indexes


def test_no_query_looks_through_a_table(project: Project) -> None:
    """Of uses, files and entries: each by the messages it is about, or in order of keys."""
    media = file_of(project)
    message = use(media, "math", "m1")
    use(media, "art", "m2")
    with CaptureQueriesContext(connection) as queries:
        delete(message)
        list(purge_idle_uses(NOW))
        list(purge_entries(project_id=project.pk, before=NOW + timedelta(days=1), now=NOW))
    for query in queries:
        sql = query["sql"]
        if "messaging_media" in sql and not sql.startswith(("INSERT", "SAVEPOINT", "RELEASE")):
            assert full_scans(sql) == [], sql


def full_scans(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            return [row[3] for row in cursor.fetchall() if row[3].startswith("SCAN")]
        cursor.execute("SET enable_seqscan = off")
        try:
            cursor.execute(f"EXPLAIN {sql}")
            return [row[0] for row in cursor.fetchall() if "Seq Scan" in row[0]]
        finally:
            cursor.execute("RESET enable_seqscan")


# In a running service


async def test_nobody_is_given_it_once_its_message_is_deleted(
    local_storage: LocalMediaStorage, ann: Client, fast_app: str, runtime: Runtime
) -> None:
    """The bytes are deleted right afterwards, the row with its quota when no form is good for it any more."""
    await ann.call("room.join", room="math")
    media = (await finished(ann, b"content"))["media"]
    await ann.send("math", "with a file", "m1")
    await sync_to_async(lambda: _attach(fast_app, media))()
    await ann.call("media.url", media=media)
    assert files(local_storage) != []
    await ann.call("room.delete_message", room="math", seq=1)
    assert await refusal(ann.call("media.url", media=media)) == ("media_not_found", None)
    await runtime.hub.settle(10)
    assert files(local_storage) == []
    assert (await Project.objects.aget(app_id=fast_app)).media_bytes == 7


async def test_a_storage_out_of_reach_hinders_no_deletion(
    local_storage: LocalMediaStorage, ann: Client, fast_app: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes go with the next purge."""
    await ann.call("room.join", room="math")
    media = (await finished(ann, b"content"))["media"]
    await ann.send("math", "with a file", "m1")
    await sync_to_async(lambda: _attach(fast_app, media))()

    def fail(folder: str) -> None:
        raise PermissionError(folder)

    with monkeypatch.context() as patch:
        patch.setattr(local_storage, "delete_folder", fail)
        assert await ann.call("room.delete_message", room="math", seq=1) == {}
        await runtime.hub.settle(10)
    assert files(local_storage) != []
    await Media.objects.filter(media_id=media).aupdate(created_at=NOW)
    due = expired_media(from_ms(runtime.clock_ms())).filter(project__app_id=fast_app)
    assert await sync_to_async(lambda: sum(purge_media(local_storage, due)))() == 1
    assert files(local_storage) == []


def _attach(app: str, media_id: str) -> None:
    entry = Entry.objects.get(stream__project__app_id=app, message_id="m1")
    MediaUse.objects.create(
        media=Media.objects.get(project__app_id=app, media_id=media_id),
        stream_id=entry.stream_id,
        sender=entry.sender,
        message_id=entry.message_id,
        created_at=entry.created_at,
    )
