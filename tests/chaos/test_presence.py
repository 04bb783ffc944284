"""Presence when a process dies or stands still (docs/contract.md 6), seen in the store and by a member elsewhere.

Both stories take the time that is promised, so they are lived through at once, each on processes and a Redis of
its own; the tests then look at what was seen.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from tests.chaos.stories import LOOK_S, OFFLINE, ROOM, Stage, Story
from tests.support.client import Client, connect
from tests.support.ledger import discrepancies, read_log
from tests.support.resuming import ResumingClient
from tests.support.services import PrivatePostgres

WATCHED_S: Final = 38.0
FROZEN_S: Final = 20.0
TOLD_S: Final = 1.0
"""From a removal to the notice of it."""
RECHECKED_S: Final = 5.0
"""From a change that nobody could hint at to the notice of it: each watched uid is read again every 3 s."""

GONE: Final = ("gone-1", "gone-2", "gone-3")
BACK: Final = {"back-after-5": 5.0, "back-after-16": 16.0, "back-after-27": 27.0}
STUCK: Final = ("keeps-its-socket", "moves", "comes-back")


@pytest.fixture(scope="module")
def stories(postgres: PrivatePostgres) -> Iterator[tuple[Story, Story]]:
    """Of a process that was killed, and of one that was stopped for 20 s."""
    with Stage(postgres) as killed, Stage(postgres) as frozen:

        async def live() -> tuple[Story, Story]:
            return await asyncio.gather(kill(killed), freeze(frozen))

        lived = asyncio.run(live())
        print(*lived, sep="\n")
        yield lived


async def enter(stage: Stage, clients: Sequence[ResumingClient], resources: contextlib.AsyncExitStack) -> None:
    for client in clients:
        await resources.enter_async_context(client)
        await client.join(ROOM)


async def kill(stage: Stage) -> Story:
    """The first process is killed. Some of its users never come back, some do, on the second."""
    story = Story()
    async with contextlib.AsyncExitStack() as resources:
        witness = stage.client("witness", "second")
        gone = [stage.client(uid, "first") for uid in GONE]
        back = [ResumingClient(stage.project.app_id, uid, lambda: stage.ports("first")) for uid in BACK]
        await enter(stage, [witness, *gone, *back], resources)
        async with stage.watched(story, witness, [*GONE, *BACK]) as blow_s:
            await asyncio.to_thread(stage.cluster["first"].kill)
            for client, after_s in zip(back, BACK.values(), strict=True):
                await asyncio.sleep(blow_s + after_s - time.monotonic())
                client.go_to(lambda: stage.ports("second"))
            await asyncio.sleep(blow_s + WATCHED_S - time.monotonic())
        await conclude(stage, story, [witness, *back])
    return story


async def freeze(stage: Stage) -> Story:
    """The first process is stopped for 20 s. Of its users one waits on its socket, one goes to the second
    process as soon as it notices, and one finds only the first."""
    story = Story()
    async with contextlib.AsyncExitStack() as resources:
        witness = stage.client("witness", "second")
        moves, comes_back = stage.client("moves", "first"), stage.client("comes-back", "first")
        await enter(stage, [witness, moves, comes_back], resources)
        (port,) = stage.ports("first")
        keeps = await connect(port)
        resources.push_async_callback(keeps.close)
        await keeps.login(stage.project.app_id, "keeps-its-socket")
        await keeps.call("room.join", room=ROOM)
        heartbeats = asyncio.create_task(beat(keeps))
        resources.callback(heartbeats.cancel)
        async with stage.watched(story, witness, STUCK) as blow_s:
            moves.go_to(lambda: stage.ports("second"))
            stage.cluster["first"].freeze()
            await asyncio.sleep(blow_s + FROZEN_S - time.monotonic())
            stage.cluster["first"].thaw()
            await asyncio.sleep(blow_s + WATCHED_S - time.monotonic())
        await conclude(stage, story, [witness, moves, comes_back])
        sent = [sent.body["text"] for sent in witness.ledger.sent.values()]
        if keeps.closed is not None or keeps.texts() != sent:
            story.wrong.append(f"keeps-its-socket: {keeps.closed}, {len(keeps.texts())} of {len(sent)} messages")
    return story


async def beat(client: Client) -> None:
    """A client that waits for ever."""
    while True:
        await asyncio.sleep(3)
        await client.notify("session.ping", received=client.received)


async def conclude(stage: Stage, story: Story, clients: Sequence[ResumingClient]) -> None:
    """Compares what was acknowledged and delivered with the database, when all has arrived."""
    (witness, *_) = clients
    room = witness.rooms[ROOM]
    for _ in range(300):
        if not room.waiting and all(client.rooms[ROOM].seq == room.seq for client in clients):
            break
        await asyncio.sleep(0.1)
    log = await asyncio.to_thread(read_log, stage.cluster.database, stage.project.pk, [ROOM])
    story.wrong = discrepancies([client.ledger for client in clients], log)
    story.resumed = {client.uid: client.ledger.resumed for client in clients}


def test_users_of_a_killed_process_are_unreachable_within_15_s(stories: tuple[Story, Story]) -> None:
    story, _ = stories
    for uid in GONE:
        assert story.looks[uid][0][2:] == ("ONLINE", True)
        assert story.first(uid, "UNREACHABLE").before_s <= 15.0


def test_users_of_a_killed_process_are_removed_between_30_and_35_s(stories: tuple[Story, Story]) -> None:
    story, _ = stories
    for uid in GONE:
        assert story.states(uid) == ["ONLINE", "UNREACHABLE", OFFLINE]
        removal = story.first(uid, OFFLINE)
        assert removal.at_s >= 30.0
        assert removal.before_s <= 35.0
        assert not story.looks[uid][-1].is_member
    told = {uid: at_s for at_s, uid in story.left}
    assert sorted(uid for _, uid in story.left) == sorted(GONE)
    assert all(30.0 <= at_s <= 35.0 + TOLD_S for at_s in told.values())


def test_subscribers_are_told_each_state_of_users_of_a_killed_process(stories: tuple[Story, Story]) -> None:
    story, _ = stories
    for uid in GONE:
        seen = story.looks[uid][1:]
        assert [state for _, state in story.told[uid]] == [look.state for look in seen]
        for (at_s, state), look in zip(story.told[uid], seen, strict=True):
            assert look.before_s - LOOK_S <= at_s <= look.at_s + RECHECKED_S, f"{uid} {state}"


def test_subscribers_are_told_who_is_back(stories: tuple[Story, Story]) -> None:
    """Who was missed so shortly that nobody looked, was not missed."""
    killed, frozen = stories
    for story, uids in ((killed, BACK), (frozen, STUCK)):
        for uid in uids:
            told = [state for _, state in story.told[uid]]
            assert told == ["UNREACHABLE", "ONLINE"] or (not told and uid != "back-after-27"), uid
            assert not told or story.states(uid) == ["ONLINE", *told]


def test_who_comes_back_to_another_process_was_not_missed(stories: tuple[Story, Story]) -> None:
    story, _ = stories
    for uid, after_s in BACK.items():
        expected = ["ONLINE"] if after_s < 10 else ["ONLINE", "UNREACHABLE", "ONLINE"]
        assert story.states(uid) == expected
        assert all(look.is_member for look in story.looks[uid])
        assert story.resumed[uid] == 1
    assert not {uid for _, uid in story.left} & set(BACK)
    assert story.wrong == []


def test_nobody_is_removed_while_a_process_stands_still_for_20_s(stories: tuple[Story, Story]) -> None:
    _, story = stories
    for uid in STUCK:
        assert OFFLINE not in story.states(uid)
        assert all(look.is_member for look in story.looks[uid])
        assert story.states(uid)[-1] == "ONLINE"
    assert story.left == []


def test_users_of_a_process_that_stood_still_have_missed_nothing(stories: tuple[Story, Story]) -> None:
    _, story = stories
    assert story.resumed["moves"] == story.resumed["comes-back"] == 1
    assert story.wrong == []
