"""What the Redis store promises beyond the common suite: outages, restarts, lost answers, bounds."""

import asyncio
import contextlib
import copy
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
import redis

from realtime.presence import (
    PresenceStore,
    PresenceTiming,
    PresenceUnavailable,
    RedisPresence,
    Removed,
    SessionRecord,
)
from realtime.presence.calls import MAX_CONNECTIONS
from tests.realtime.presence.harness import log_in, record, seen
from tests.support.services import PrivateRedis

pytestmark = pytest.mark.shapeless

# Nothing here asserts that something is quick, only that it is not too early.
FAST = PresenceTiming(
    lease_renew_ms=100, lease_lost_ms=1_000, unreachable_ms=240, removal_ms=1_200, slack_ms=10, grace_ms=1_200
)


@pytest.fixture
def server(presence_redis: PrivateRedis) -> PrivateRedis:
    with redis.Redis.from_url(presence_redis.url) as client:
        client.flushall()
    return presence_redis


@pytest.fixture
def client(server: PrivateRedis) -> Iterator[Any]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def own_server() -> Iterator[PrivateRedis]:
    """A server to be restarted, stopped and killed."""
    with PrivateRedis() as server:
        yield server


@contextlib.asynccontextmanager
async def opened(
    server: PrivateRedis, node: str = "a", timing: PresenceTiming | None = None
) -> AsyncIterator[PresenceStore]:
    store = RedisPresence(server.url, timing=timing)
    await store.open(node)
    yield store
    await store.close()


# -- the server's clock ------------------------------------------------------------------------------------


async def test_times_are_the_servers(server: PrivateRedis) -> None:
    before_ms = time.time_ns() // 1_000_000
    async with opened(server) as store:
        outcome = await log_in(store)
    assert before_ms <= outcome.now_ms <= time.time_ns() // 1_000_000
    assert outcome.generation == outcome.since_ms == outcome.now_ms


async def test_a_login_at_a_process_of_an_earlier_version_says_of_no_capabilities(
    server: PrivateRedis, client: Any
) -> None:
    async with opened(server) as store:
        outcome = await store.login(1, "ann", None, "s1", capabilities="media")
        client.hdel("presence:{1}:user:ann", "capabilities")
        (state,) = await store.sessions(1, ["ann"])
        assert state is not None
        assert (state.generation, state.capabilities) == (outcome.generation, "")


async def test_a_session_is_removed_by_the_servers_clock_and_not_too_early(server: PrivateRedis) -> None:
    async with opened(server, timing=FAST) as store:
        outcome = await log_in(store)
        await store.set_gone(1, "ann", outcome.generation, 0, "")
        gone_s = time.monotonic()
        while not (removed := await store.reap(10)):
            await store.renew()
        assert time.monotonic() - gone_s >= FAST.removal_ms / 1000
        assert removed == [Removed(1, "ann", outcome.generation, ())]


async def test_a_lease_is_lost_and_its_sessions_are_removed_by_the_servers_clock(server: PrivateRedis) -> None:
    async with opened(server, "alive", FAST) as alive:
        dead = RedisPresence(server.url, timing=FAST)
        await dead.open("dead")
        await log_in(dead)
        dead_s = time.monotonic()
        while not await alive.reap(10):
            await alive.renew()
        assert time.monotonic() - dead_s >= FAST.removal_ms / 1000
        assert (await dead.renew()).lost
        await dead.close()


# -- outages -----------------------------------------------------------------------------------------------


async def test_rule_leases_a_restarted_server_is_filled_again(own_server: PrivateRedis) -> None:
    async with opened(own_server) as store:
        outcome = await log_in(store, "ann", "maths")
        epoch = await store.epoch()
        await asyncio.to_thread(own_server.restart)
        assert (await store.renew()).lost
        assert await store.restore([record(outcome, "ann", "maths")]) == []
        assert await store.members(1, "maths", 10) == ["ann"]
        assert await store.epoch() != epoch
        assert not (await store.renew()).lost


async def test_rule_leases_a_server_that_comes_back_with_old_data_is_put_right(
    own_server: PrivateRedis,
) -> None:
    """As after a crash with snapshots, or the promotion of a replica: the lease looks sound, the rest is old."""
    with redis.Redis.from_url(own_server.url) as client:
        async with opened(own_server, "a") as a, opened(own_server, "b") as b:
            stays = await log_in(a, "stays", "maths")
            left = await log_in(a, "left", "maths")
            moved = await log_in(b, "moved", "maths")
            epoch = await a.epoch()
            client.save()
            await a.leave(1, "stays", stays.generation, "maths")
            await a.remove(1, "left", left.generation)
            came = await log_in(a, "came", "maths")
            moved_here = await log_in(a, "moved")
            await asyncio.to_thread(own_server.kill)
            await asyncio.to_thread(own_server.start)

            assert await a.epoch() != epoch
            assert not await a.settled()
            assert await b.reap(10) == []
            assert (await a.renew()).lost
            assert (await b.renew()).lost
            records = [
                record(stays, "stays"),
                record(came, "came", "maths"),
                record(moved_here, "moved", "maths"),
            ]
            assert await a.restore(records) == []
            assert await b.restore([record(moved, "moved", "maths")]) == [(1, "moved")]
            assert sorted(await a.members(1, "maths", 10)) == ["came", "left", "moved"]
            assert [await seen(b, uid) for uid in ("stays", "came", "moved")] == ["ONLINE a"] * 3
            # "left" is on the lease that ended: it goes with it.
            assert await seen(b, "left") == "UNREACHABLE a"


async def test_while_the_server_is_away_every_call_says_so_and_then_works_again(
    own_server: PrivateRedis,
) -> None:
    async with opened(own_server) as store:
        outcome = await log_in(store)
        await asyncio.to_thread(own_server.kill)
        for _ in range(2):
            with pytest.raises(PresenceUnavailable):
                await store.login(1, "bob", None, "s1")
            with pytest.raises(PresenceUnavailable):
                await store.members(1, "maths", 10)
            with pytest.raises(PresenceUnavailable):
                await store.renew()
        await asyncio.to_thread(own_server.start)
        assert (await store.renew()).lost
        assert await store.restore([record(outcome)]) == []
        await log_in(store, "bob", "maths")


async def test_a_server_that_is_away_at_the_start_may_come_later(own_server: PrivateRedis) -> None:
    await asyncio.to_thread(own_server.stop)
    store = RedisPresence(own_server.url)
    with pytest.raises(PresenceUnavailable):
        await store.open("a")
    await asyncio.to_thread(own_server.start)
    await store.open("a")
    await log_in(store)
    await store.close()


async def test_closing_ends_also_when_the_server_is_away(own_server: PrivateRedis) -> None:
    async with opened(own_server) as store:
        await log_in(store)
        await asyncio.to_thread(own_server.stop)
    await asyncio.to_thread(own_server.start)


async def test_rule_leases_a_server_that_hangs_ends_calls_in_bounded_time(own_server: PrivateRedis) -> None:
    """All that wait end with the first; what they did meanwhile is put right by the next renewal."""
    async with opened(own_server) as store:
        outcome = await log_in(store, "ann", "maths")
        os.kill(own_server.pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(10):
                answers = await asyncio.gather(
                    store.leave(1, "ann", outcome.generation, "maths"),
                    *[store.login(1, f"u{number}", None, "s") for number in range(3_000)],
                    return_exceptions=True,
                )
        finally:
            os.kill(own_server.pid, signal.SIGCONT)
        assert {type(answer) for answer in answers} == {PresenceUnavailable}
        assert (await store.renew()).lost
        assert await store.restore([record(outcome)]) == []
        assert await store.counts(1, ["maths"]) == [0]
        assert await store.sessions(1, ["ann"]) != [None]
        assert not (await store.renew()).lost


@contextlib.contextmanager
def read_only(client: Any) -> Iterator[None]:
    """The server refuses writes, as a replica does that was a primary before. Port 1 is nobody's."""
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")


async def test_rule_leases_a_session_whose_removal_failed_goes_with_the_old_lease(
    client: Any, server: PrivateRedis
) -> None:
    async with opened(server, "a", FAST) as a, opened(server, "b", FAST) as b:
        kept, out = await log_in(a, "kept"), await log_in(a, "out")
        with read_only(client), pytest.raises(PresenceUnavailable):
            await a.remove(1, "out", out.generation)
        removed: list[Removed] = []
        while not removed:
            for node, records in ((a, [record(kept, "kept")]), (b, [])):
                if (await node.renew()).lost:
                    assert await node.restore(records) == []
            removed = await b.reap(10)
        assert [session.uid for session in removed] == ["out"]
        assert await seen(b, "kept") == "ONLINE a"


async def test_rule_leases_a_write_that_comes_after_the_lease_it_was_made_under_is_refused(
    client: Any, server: PrivateRedis
) -> None:
    """A call that timed out may still be in the server's buffers when its node restores."""
    async with opened(server) as store:
        outcome = await log_in(store)
        before = copy.copy(store)
        with read_only(client), pytest.raises(PresenceUnavailable):
            await store.join(1, "ann", outcome.generation, "maths")
        assert (await store.renew()).lost
        assert await store.restore([record(outcome)]) == []
        with pytest.raises(PresenceUnavailable):
            await before.join(1, "ann", outcome.generation, "maths")
        assert await store.counts(1, ["maths"]) == [0]


async def test_a_server_that_answers_slowly_ends_calls_in_bounded_time() -> None:
    left = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                writer.write(b"+OK\r\n")
                await writer.drain()
                await asyncio.sleep(0.1)
        left.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as dripping, asyncio.timeout(10):
        port = dripping.sockets[0].getsockname()[1]
        store = RedisPresence(f"redis://127.0.0.1:{port}/0")
        calls = [store.members(1, "maths", 10) for _ in range(200)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(answer) for answer in answers} == {PresenceUnavailable}
        await left.wait()
        await store.close()


async def test_rule_leases_a_renewal_whose_answer_is_lost_is_told_again(client: Any, server: PrivateRedis) -> None:
    async with opened(server, timing=FAST) as store:
        outcome = await log_in(store)
        client.flushall()
        renewal = asyncio.create_task(store.renew())
        await asyncio.sleep(0)
        renewal.cancel()
        with pytest.raises(asyncio.CancelledError):
            await renewal
        assert (await store.renew()).lost
        assert await store.restore([record(outcome)]) == []


async def test_a_server_that_refuses_to_write_is_left_for_whoever_answers_next(
    client: Any, server: PrivateRedis
) -> None:
    """After a failover the address may lead to another server, while the old one keeps its connections."""
    async with opened(server) as store:
        outcome = await log_in(store)
        with read_only(client), pytest.raises(PresenceUnavailable):
            await store.join(1, "ann", outcome.generation, "maths")
        before = client.info("stats")["total_connections_received"]
        await store.renew()
        assert client.info("stats")["total_connections_received"] == before + 1


async def test_the_servers_refusal_is_an_outage(client: Any, server: PrivateRedis) -> None:
    async with opened(server) as store:
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(PresenceUnavailable):
                await store.login(1, "ann", None, "s1")
        finally:
            client.config_set("maxmemory", 0)
        assert (await store.renew()).lost
        await store.restore([])
        await log_in(store)


async def test_scripts_that_the_server_has_forgotten_are_sent_again(client: Any, server: PrivateRedis) -> None:
    async with opened(server) as store:
        outcome = await log_in(store)
        client.script_flush()
        rooms = [f"room{number}" for number in range(50)]
        assert all(await asyncio.gather(*[store.join(1, "ann", outcome.generation, room) for room in rooms]))
        assert await store.counts(1, rooms) == [1] * 50
        assert not (await store.renew()).lost


# -- callers that go away, writes beside a restore -----------------------------------------------------------


async def test_a_login_that_is_cancelled_is_gone_from_the_start(server: PrivateRedis) -> None:
    async with opened(server, timing=FAST) as store:
        login = asyncio.create_task(store.login(1, "ann", None, "s1"))
        await asyncio.sleep(0)
        login.cancel()
        with pytest.raises(asyncio.CancelledError):
            await login
        async with asyncio.timeout(20):
            while await seen(store) != "UNREACHABLE a":
                await store.renew()
            while not await store.reap(10):
                await store.renew()
        assert await seen(store) == "OFFLINE"


async def test_rule_leases_a_restore_never_writes_back_what_a_call_has_just_changed(
    server: PrivateRedis,
) -> None:
    """A node joins, leaves, logs out and goes silent while it restores a thousand sessions."""
    async with opened(server, "a") as store:
        known: dict[str, SessionRecord] = {}
        changed: dict[str, int] = {}
        for uid in [f"u{number}" for number in range(1_000)]:
            outcome = await log_in(store, uid, "maths")
            known[uid] = record(outcome, uid, "maths")

        async def change(uid: str, how: int) -> None:
            old = known[uid]
            if how == 0:
                assert await store.remove(1, uid, old.generation) is not None
                del known[uid]
            elif how == 1:
                assert await store.join(1, uid, old.generation, "music")
                known[uid] = SessionRecord(**_fields(old) | {"rooms": ("maths", "music")})
            elif how == 2:
                assert await store.leave(1, uid, old.generation, "maths")
                known[uid] = SessionRecord(**_fields(old) | {"rooms": ()})
            else:
                assert await store.set_gone(1, uid, old.generation, 7_000, "")
                known[uid] = SessionRecord(**_fields(old) | {"silent_ms": 7_000})
            changed[uid] = how

        async def keep_changing() -> None:
            for uid in list(known):
                await change(uid, len(changed) % 4)

        async with asyncio.TaskGroup() as group:
            group.create_task(keep_changing())
            restoring = group.create_task(store.restore(known[uid] for uid in list(known) if uid in known))
        assert restoring.result() == []
        assert len(changed) == 1_000
        for uid, how in changed.items():
            expected = {0: "OFFLINE", 3: "UNREACHABLE a"}.get(how, "ONLINE a")
            assert await seen(store, uid) == expected
        assert await store.counts(1, ["maths", "music"]) == [500, 250]


async def test_a_restore_is_not_kept_waiting_by_writes(server: PrivateRedis) -> None:
    async with opened(server) as store:
        outcome = await log_in(store)
        restored = asyncio.Event()

        async def keep_writing() -> None:
            while not restored.is_set():
                assert await store.set_here(1, "ann", outcome.generation)

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(keep_writing())
            await asyncio.sleep(0)
            assert await store.restore([record(outcome)]) == []
            restored.set()


async def test_rule_leases_a_restore_that_breaks_off_is_asked_for_again(server: PrivateRedis) -> None:
    async with opened(server) as store:
        outcome = await log_in(store)
        with pytest.raises(ZeroDivisionError):
            await store.restore(record(outcome, f"u{1 // number}") for number in (1, 0))
        assert (await store.renew()).lost
        assert await store.restore([record(outcome)]) == []
        assert not (await store.renew()).lost


async def test_rule_leases_of_two_renewals_at_once_one_says_lost(client: Any, server: PrivateRedis) -> None:
    async with opened(server) as store:
        outcome = await log_in(store)
        client.flushall()
        renewals = await asyncio.gather(store.renew(), store.renew())
        assert [renewal.lost for renewal in renewals] == [True, False]
        assert await store.restore([record(outcome)]) == []
        assert await store.join(1, "ann", outcome.generation, "maths")


async def test_rule_leases_a_renewal_waits_for_the_restore_under_way(client: Any, server: PrivateRedis) -> None:
    async with opened(server) as store:
        outcome = await log_in(store)
        with read_only(client), pytest.raises(PresenceUnavailable):
            await store.join(1, "ann", outcome.generation, "maths")
        records = [record(outcome, f"u{number}") for number in range(1_000)]
        rejected, renewal = await asyncio.gather(store.restore(records), store.renew())
        assert (rejected, renewal.lost) == ([], True)


def _fields(known: SessionRecord) -> dict[str, Any]:
    return {name: getattr(known, name) for name in known.__struct_fields__}


# -- bounds ------------------------------------------------------------------------------------------------


async def test_fifty_thousand_sessions_are_restored(server: PrivateRedis) -> None:
    records = [
        SessionRecord(project=1, uid=f"u{number}", session="s", generation=5, since_ms=1, rooms=(f"r{number % 1000}",))
        for number in range(50_000)
    ]
    async with opened(server) as store:
        assert await store.restore(iter(records)) == []
        assert await store.counts(1, ["r0", "r999"]) == [50, 50]


async def test_a_thousand_calls_at_once_share_few_connections(client: Any, server: PrivateRedis) -> None:
    async with opened(server) as store:
        others = len(client.client_list())
        logins = [store.login(1, f"u{number}", None, "s") for number in range(1_000)]
        assert len({outcome.generation for outcome in await asyncio.gather(*logins)}) > 0
        assert len(client.client_list()) - others < MAX_CONNECTIONS


async def test_every_call_is_one_round_trip(client: Any, server: PrivateRedis) -> None:
    async with opened(server) as store:
        outcome = await log_in(store, "ann", *[f"room{number}" for number in range(20)])
        calls = [
            store.login(1, "ann", outcome.session, "s2"),
            store.join(1, "ann", outcome.generation, "maths"),
            store.members(1, "maths", 512),
            store.counts(1, [f"room{number}" for number in range(20)]),
            store.sessions(1, [f"u{number}" for number in range(256)]),
            store.renew(),
            store.reap(100),
        ]
        for call in calls:
            before = client.info("stats")["total_commands_processed"]
            scripts = client.info("commandstats")["cmdstat_evalsha"]["calls"]
            await cast(Any, call)
            assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - scripts == 1
            assert before < client.info("stats")["total_commands_processed"]


async def test_the_only_keys_left_without_an_end_are_those_of_who_is_here(client: Any, server: PrivateRedis) -> None:
    async with opened(server, "a") as a, opened(server, "b") as b:
        await log_in(a, "ann", "maths")
        await log_in(b, "ann", session="s2")
        ending = {key for key in client.keys("*") if client.ttl(key) > 0}
        assert ending == {"presence:{1}:logins:ann", "presence:evictions:a"}
        assert set(client.keys("*")) - ending == {
            "presence:meta",
            "presence:leases",
            *client.keys("presence:held:b#*"),
            "presence:{1}:user:ann",
        }
        assert len(client.keys("presence:held:*")) == 1
