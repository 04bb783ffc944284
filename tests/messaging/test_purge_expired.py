"""Retention: `purge_entries` and `manage.py purge_expired`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.utils import timezone

from messaging.models import Entry, EntryFlag, Stream
from messaging.services import append_entry, ensure_stream, purge_entries
from projects.models import Project
from tests.support.client import Client

NOW = timezone.now()


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def write(project: Project, room: str, *ages: float) -> Stream:
    """Appends entries that are so many days old, in this order."""
    from django.db import transaction

    head = ensure_stream(project_id=project.pk, name=f"room:{room}", creator="ann", now=NOW)
    for number, age in enumerate(ages):
        with transaction.atomic():
            append_entry(
                stream_id=head.id,
                event="room.sent",
                sender="ann",
                message_id=f"m{number}",
                body='{"type":"TEXT","text":"x"}',
                now=days_ago(age),
            )
    return Stream.objects.get(pk=head.id)


def seqs(stream: Stream) -> list[int]:
    return list(Entry.objects.filter(stream=stream).order_by("seq").values_list("seq", flat=True))


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("purge_expired", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_what_is_older_goes_and_the_rest_keeps_its_place(make_project: Callable[..., Project]) -> None:
    project = make_project()
    mixed = write(project, "mixed", 400, 399, 366, 364, 1)
    old = write(project, "old", 400, 400)
    fresh = write(project, "fresh", 0, 0)
    assert list(purge_entries(project_id=project.pk, before=days_ago(365), now=NOW)) == [3, 2]
    assert (seqs(mixed), seqs(old), seqs(fresh)) == ([4, 5], [], [1, 2])
    heads = {stream.name: stream.head for stream in Stream.objects.filter(project=project)}
    assert heads == {"room:mixed": 5, "room:old": 2, "room:fresh": 2}


def test_it_deletes_in_batches_between_which_the_caller_may_stop(make_project: Callable[..., Project]) -> None:
    project = make_project()
    stream = write(project, "long", *[400] * 7)
    steps = purge_entries(project_id=project.pk, before=days_ago(365), now=NOW, batch=3)
    assert next(steps) == 3
    assert seqs(stream) == [4, 5, 6, 7], "the oldest first"
    assert list(purge_entries(project_id=project.pk, before=days_ago(365), now=NOW, batch=3)) == [3, 1]
    assert list(purge_entries(project_id=project.pk, before=days_ago(365), now=NOW, batch=3)) == []


def test_an_entry_exactly_as_old_as_allowed_stays(make_project: Callable[..., Project]) -> None:
    project = make_project()
    stream = write(project, "math", 365)
    assert list(purge_entries(project_id=project.pk, before=days_ago(365), now=NOW)) == []
    assert seqs(stream) == [1]


def test_nothing_goes_early_when_clocks_of_processes_disagree(make_project: Callable[..., Project]) -> None:
    project = make_project()
    stream = write(project, "math", 367, 364, 366, 1)
    list(purge_entries(project_id=project.pk, before=days_ago(365), now=NOW))
    assert set(seqs(stream)) >= {2, 4}
    assert 1 not in seqs(stream)


def test_what_is_kept_for_a_user_who_is_away_has_its_7_days(make_project: Callable[..., Project]) -> None:
    """Also in a project that keeps its messages for less: 1 is too old, 2 is acknowledged, 5 was withdrawn."""
    project = make_project(retention_days=1)
    inbox = write(project, "bob", 8, 6, 6, 6, 6, 0)
    Stream.objects.filter(pk=inbox.pk).update(acked=2)
    kept = {1: EntryFlag.OFFLINE, 2: EntryFlag.OFFLINE, 4: EntryFlag.OFFLINE | EntryFlag.HISTORICAL}
    for seq, flags in {**kept, 5: EntryFlag.OFFLINE | EntryFlag.WITHDRAWN}.items():
        Entry.objects.filter(stream=inbox, seq=seq).update(flags=flags)
    assert run("--project", project.app_id, "--dry-run")[-1] == "would delete 4 entries"
    assert run("--project", project.app_id)[-1] == "deleted 4 entries"
    assert seqs(inbox) == [4, 6]
    Stream.objects.filter(pk=inbox.pk).update(acked=6)
    run("--project", project.app_id)
    assert seqs(inbox) == [6]


def test_other_projects_are_not_touched(make_project: Callable[..., Project]) -> None:
    project, other = make_project(), make_project()
    write(project, "math", 400)
    kept = write(other, "math", 400)
    assert list(purge_entries(project_id=project.pk, before=days_ago(365), now=NOW)) == [1]
    assert seqs(kept) == [1]


def test_a_message_after_the_purge_has_the_next_seq(make_project: Callable[..., Project]) -> None:
    project = make_project()
    write(project, "math", 400, 400)
    list(purge_entries(project_id=project.pk, before=days_ago(365), now=NOW))
    Entry.objects.filter(stream__project=project, message_id="m0").delete()
    assert seqs(write(project, "math", 0)) == [3]


def test_the_command_goes_by_each_projects_retention(make_project: Callable[..., Project]) -> None:
    month, year = make_project(retention_days=30), make_project(retention_days=365)
    streams = [write(project, "math", 400, 100, 1) for project in (month, year)]
    run()
    assert [seqs(stream) for stream in streams] == [[3], [2, 3]]


def test_the_command_says_what_it_did_and_does_nothing_twice(make_project: Callable[..., Project]) -> None:
    project = make_project(retention_days=30)
    write(project, "math", 400, 100, 1)
    said = run("--project", project.app_id)
    assert said[0].startswith(f"test ({project.app_id}): deleted 2 entries from before 20")
    assert said[1:] == ["deleted 2 entries"]
    assert run("--project", project.app_id) == ["deleted 0 entries"]


def test_a_dry_run_deletes_nothing(make_project: Callable[..., Project]) -> None:
    project = make_project(retention_days=30)
    stream = write(project, "math", 400, 100, 1)
    assert run("--project", project.app_id, "--dry-run")[-1] == "would delete 2 entries"
    assert seqs(stream) == [1, 2, 3]
    assert run("--project", project.app_id)[-1] == "deleted 2 entries"


def test_one_project_is_purged_without_the_others(make_project: Callable[..., Project]) -> None:
    one, other = make_project(retention_days=30), make_project(retention_days=30)
    streams = [write(project, "math", 100) for project in (one, other)]
    run("--project", one.app_id)
    assert [seqs(stream) for stream in streams] == [[], [1]]


def test_the_command_shows_its_progress(make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch) -> None:
    from messaging.management.commands import purge_expired

    monkeypatch.setattr(purge_expired, "REPORT_EVERY", 1)
    project = make_project(retention_days=30)
    for room in ("math", "art"):
        write(project, room, 100)
    said = run("--project", project.app_id)
    assert [line.rpartition(": ")[2] for line in said[:2]] == ["1 so far", "2 so far"]


def test_a_project_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CommandError, match="No project"):
        run("--project", "0" * 32)


async def test_who_was_away_is_told_that_something_is_missing(
    open_client: Callable[..., Client], make_project: Callable[..., Project]
) -> None:
    project = await sync_to_async(make_project)(retention_days=1, recovery_window_s=10**8)
    stream = await sync_to_async(write)(project, "math", 3, 2, 0)
    await sync_to_async(run)("--project", project.app_id)
    ann = open_client()
    await ann.login(project.app_id, "ann")
    joined = await ann.call("room.join", room="math", after={"seq": 1, "epoch": stream.epoch})
    assert joined["recovered"] is False
    assert [entry["seq"] for entry in joined["entries"]] == [3]
    page = await ann.call("room.history", room="math", order="asc")
    assert ([entry["seq"] for entry in page["entries"]], page["more"]) == ([3], False)
