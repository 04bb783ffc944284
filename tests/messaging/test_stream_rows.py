"""A stream's row is made at its first entry, once, and only within quotas."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection

from messaging.models import Stream
from messaging.services import ensure_stream
from projects.models import Project
from realtime.errors import RpcError
from realtime.runtime import Runtime
from tests.support.client import CallFailed, Client
from tests.support.runtimes import clients, elsewhere, runtimes, seqs

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def names(project: Project) -> list[str]:
    return sorted(Stream.objects.filter(project=project).values_list("name", flat=True))


def counted(project: Project) -> int:
    project.refresh_from_db()
    return project.stream_count


async def test_rule_size_a_row_is_made_at_the_first_entry(project: Project) -> None:
    async with runtimes(1) as (here,), clients(project.app_id, "math", ann=here) as client:
        await client("ann").call("room.join", room="music")
        assert await elsewhere(names, project) == []
        await client("ann").send("math", "the first", "m1")
        assert await elsewhere(names, project) == ["room:math"]
        assert await elsewhere(counted, project) == 1


async def test_rule_size_the_first_messages_of_many_make_one_row(project: Project) -> None:
    """Of two processes, all at once; each sender's own order is kept."""
    async with runtimes(2) as (one, two):
        uids = {f"u{number}": (one, two)[number % 2] for number in range(6)}
        async with clients(project.app_id, "math", **uids) as client:
            answers = [
                await client(uid).start(
                    "room.send", room="math", message_id=f"{uid}-{number}", message={"type": "TEXT", "text": "x"}
                )
                for number in range(4)
                for uid in uids
            ]
            order = [(await answer)["seq"] for answer in answers]
            assert sorted(order) == list(range(1, 25))
            for place in range(6):
                own = order[place::6]
                assert own == sorted(own)
            for runtime in (one, two):
                await runtime.hub.check_heads()
                await runtime.hub.settle(10)
            for uid in uids:
                await client(uid).call("session.ping")
                assert seqs(client(uid)) == list(range(1, 25))
        assert await elsewhere(counted, project) == 1


async def test_rule_size_a_project_has_a_quota_of_streams(make_project: Callable[..., Project]) -> None:
    project = await elsewhere(make_project, stream_quota=2)
    async with runtimes(1) as (here,), clients(project.app_id, ann=here) as client:
        ann = client("ann")
        for room in ("r1", "r2", "r3"):
            await ann.call("room.join", room=room)
        for room in ("r1", "r2"):
            await ann.send(room, "x", "m1")
        with pytest.raises(CallFailed) as failed:
            await ann.send("r3", "x", "m1")
        assert (failed.value.name, failed.value.data["retryable"]) == ("limit_exceeded", False)
        await ann.send("r1", "rooms that have a row go on", "m2")
        assert await elsewhere(names, project) == ["room:r1", "room:r2"]


def test_rule_size_a_user_has_a_quota_of_new_streams_a_day(make_project: Callable[..., Project]) -> None:
    project = make_project(user_stream_quota=2)

    def make(name: str, creator: str | None, now: datetime) -> None:
        ensure_stream(project_id=project.pk, name=name, creator=creator, now=now)

    make("room:1", "ann", NOW)
    make("room:2", "ann", NOW + timedelta(hours=1))
    with pytest.raises(RpcError) as failed:
        make("room:3", "ann", NOW + timedelta(hours=2))
    assert (failed.value.kind.name, str(failed.value)) == (
        "limit_exceeded",
        "You have written into too many new rooms today.",
    )
    make("inbox:1", "ann", NOW + timedelta(hours=2))
    make("inbox:2", "ann", NOW + timedelta(hours=2))
    with pytest.raises(RpcError, match="to too many new users"):
        make("inbox:3", "ann", NOW + timedelta(hours=2))
    for number in range(3, 6):
        make(f"inbox:{number}", None, NOW + timedelta(hours=2))
    make("room:1", "ann", NOW + timedelta(hours=2))
    make("room:3", "bob", NOW + timedelta(hours=2))
    make("room:4", "ann", NOW + timedelta(hours=24, minutes=1))
    assert counted(project) == 9


def test_a_row_made_by_two_at_once_is_one_and_counts_once(project: Project) -> None:
    barrier = threading.Barrier(4)
    heads: list[tuple[int, str]] = []

    def make() -> None:
        try:
            for number in range(8):
                barrier.wait(10)
                head = ensure_stream(project_id=project.pk, name=f"room:{number}", creator="ann", now=NOW)
                heads.append((head.id, head.epoch))
        finally:
            connection.close()

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heads) == 32
    assert len(set(heads)) == 8
    assert counted(project) == 8


async def test_when_the_row_cannot_be_made_everybody_is_told_and_the_next_try_is_new(
    runtime: Runtime, open_client: Callable[..., Client], app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it was: messages to the room must not wait for ever behind it."""

    def fail(**_fields: object) -> None:
        raise DatabaseError("a defect")

    ann = open_client()
    await ann.login(app, "ann")
    await ann.call("room.join", room="math")
    with monkeypatch.context() as patch:
        patch.setattr("messaging.engine.ensure_stream", fail)
        answers = [
            await ann.start("room.send", room="math", message_id=f"m{number}", message={"type": "TEXT", "text": "x"})
            for number in range(3)
        ]
        for answer in answers:
            with pytest.raises(CallFailed) as failed:
                await answer
            assert (failed.value.name, failed.value.data["retryable"]) == ("unavailable", True)
    assert runtime.pressure.bytes == 0
    assert (await ann.send("math", "x", "m1"))["seq"] == 1


async def test_a_quota_that_is_used_up_stops_nobody_elses_message_on_its_way(
    make_project: Callable[..., Project],
) -> None:
    """Who comes while the row is being made for another."""
    project = await elsewhere(make_project, user_stream_quota=1)
    async with runtimes(1) as (here,), clients(project.app_id, "art", ann=here, bob=here, eve=here) as client:
        await client("ann").call("room.join", room="math")
        await client("ann").send("math", "x", "m1")
        answers = {
            uid: [
                await client(uid).start(
                    "room.send", room="art", message_id=f"m{number}", message={"type": "TEXT", "text": "x"}
                )
                for number in range(2)
            ]
            for uid in ("ann", "bob", "eve")
        }
        for answer in answers["ann"]:
            with pytest.raises(CallFailed) as failed:
                await answer
            assert failed.value.name == "limit_exceeded"
        seqs_of = {uid: [(await answer)["seq"] for answer in answers[uid]] for uid in ("bob", "eve")}
        assert sorted(seqs_of["bob"] + seqs_of["eve"]) == [1, 2, 3, 4]
        assert all(order == sorted(order) for order in seqs_of.values())
