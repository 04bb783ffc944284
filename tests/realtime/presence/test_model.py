"""Both presence stores against the naive model: any calls of two nodes, in any order, at any time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, TypeVar, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from realtime.presence import Evicted, LoginOutcome, PresenceStore, PresenceUnavailable, Removed, SessionRecord
from tests.realtime.presence.harness import TIMING, Harness, MemoryHarness, RedisHarness
from tests.realtime.presence.model import Model, ModelLease
from tests.support.services import PrivateRedis

pytestmark = pytest.mark.shapeless

T = TypeVar("T")

NODES = ("a", "b")
PROJECTS = (1, 2)
UIDS = ("ann", "bob")
ROOMS = ("maths", "music")
UNAVAILABLE = "unavailable"

node_names = st.sampled_from(NODES)
projects = st.sampled_from(PROJECTS)
uids = st.sampled_from(UIDS)
rooms = st.sampled_from(ROOMS)
steps_ms = st.sampled_from([1, 400, 600, 1_000, 4_000, 6_000, 10_000, 14_999, 15_000, 30_000])


def finish_at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    coroutine.close()
    raise AssertionError("it has suspended")


def comparable(answer: object) -> object:
    """Rooms come in any order."""
    if isinstance(answer, LoginOutcome):
        fields = {name: getattr(answer, name) for name in answer.__struct_fields__}
        return fields | {"rooms": sorted(answer.rooms), "left_rooms": sorted(answer.left_rooms)}
    if isinstance(answer, Removed):
        return (answer.project, answer.uid, answer.generation, sorted(answer.rooms))
    if isinstance(answer, Evicted):
        return (answer.node, answer.generation, sorted(answer.rooms))
    if isinstance(answer, tuple):
        return sorted(answer)
    return answer


class PresenceMachine(RuleBasedStateMachine):
    """Each node knows the sessions it logged in, until it hears otherwise: also those that are stale by now."""

    make_harness: ClassVar[Callable[[], Harness]]

    def __init__(self) -> None:
        super().__init__()
        self.harness = type(self).make_harness()
        self.model = Model(TIMING, self.harness.now_ms)
        self.model.begin_life()
        self.stores: dict[str, PresenceStore] = {}
        self.known: dict[str, dict[tuple[int, str], SessionRecord]] = {name: {} for name in NODES}
        self.serial = 0
        for name in NODES:
            self.stores[name] = self.run_coroutine(self.harness.node(name))
            self.model.leases[name] = ModelLease(name, self.harness.now_ms)

    def run_coroutine(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return finish_at_once(coroutine)

    def answer(self, call: Awaitable[T]) -> T | str:
        try:
            return self.run_coroutine(cast(Coroutine[Any, Any, T], call))
        except PresenceUnavailable:
            return UNAVAILABLE

    def expected(self, call: Callable[..., T], *arguments: Any) -> T | str:
        try:
            return call(*arguments)
        except PresenceUnavailable:
            return UNAVAILABLE

    def generation(self, node: str, project: int, uid: str) -> int:
        known = self.known[node].get((project, uid))
        return known.generation if known else 1

    def compare(self, node: str, method: str, project: int, uid: str, *rest: Any) -> object:
        """One write of a session, as its node knows it, on the store and on the model."""
        arguments = (project, uid, self.generation(node, project, uid), *rest)
        got = self.answer(getattr(self.stores[node], method)(*arguments))
        wanted = self.expected(getattr(self.model, method), node, *arguments)
        assert comparable(got) == comparable(wanted)
        return got

    def change(self, node: str, project: int, uid: str, **changes: Any) -> None:
        record = self.known[node].get((project, uid))
        if record is not None:
            fields = {name: getattr(record, name) for name in record.__struct_fields__}
            self.known[node][project, uid] = SessionRecord(**(fields | changes))

    def rooms_known(self, node: str, project: int, uid: str) -> set[str]:
        record = self.known[node].get((project, uid))
        return set(record.rooms) if record else set()

    @rule(node=node_names, project=projects, uid=uids, resume=st.booleans(), capabilities=st.sampled_from(["", "a b"]))
    def login(self, node: str, project: int, uid: str, resume: bool, capabilities: str) -> None:
        self.serial += 1
        stored = self.model.stored(project, uid)
        wanted = stored.session if stored is not None and resume else None
        arguments = (project, uid, wanted, f"s{self.serial}")
        got = self.answer(self.stores[node].login(*arguments, capabilities=capabilities))
        assert comparable(got) == comparable(self.expected(self.model.login, node, *arguments, capabilities))
        if isinstance(got, LoginOutcome) and not got.too_often:
            self.known[node][project, uid] = SessionRecord(
                project=project,
                uid=uid,
                session=got.session,
                generation=got.generation,
                since_ms=got.since_ms,
                rooms=got.rooms,
                capabilities=capabilities,
            )

    @rule(node=node_names, project=projects, uid=uids)
    def remove(self, node: str, project: int, uid: str) -> None:
        if self.compare(node, "remove", project, uid) != UNAVAILABLE:
            self.known[node].pop((project, uid), None)

    @rule(node=node_names, project=projects, uid=uids)
    def evict(self, node: str, project: int, uid: str) -> None:
        got = self.answer(self.stores[node].evict(project, uid, "kicked"))
        assert comparable(got) == comparable(self.expected(self.model.evict, node, project, uid, "kicked"))
        if isinstance(got, Evicted) and got.node == node:
            self.known[node].pop((project, uid), None)

    @rule(node=node_names, project=projects, uid=uids, room=rooms)
    def join(self, node: str, project: int, uid: str, room: str) -> None:
        if self.compare(node, "join", project, uid, room) is True:
            known = self.rooms_known(node, project, uid) | {room}
            self.change(node, project, uid, rooms=tuple(sorted(known)))

    @rule(node=node_names, project=projects, uid=uids, room=rooms)
    def leave(self, node: str, project: int, uid: str, room: str) -> None:
        if self.compare(node, "leave", project, uid, room) is True:
            known = self.rooms_known(node, project, uid) - {room}
            self.change(node, project, uid, rooms=tuple(sorted(known)))

    @rule(node=node_names, project=projects, uid=uids, silent_ms=st.sampled_from([0, 5_000]))
    def set_gone(self, node: str, project: int, uid: str, silent_ms: int) -> None:
        self.serial += 1
        levels = f"levels {self.serial}"
        if self.compare(node, "set_gone", project, uid, silent_ms, levels) is True:
            self.change(node, project, uid, silent_ms=silent_ms, levels=levels)

    @rule(node=node_names, project=projects, uid=uids)
    def set_here(self, node: str, project: int, uid: str) -> None:
        if self.compare(node, "set_here", project, uid) is True:
            self.change(node, project, uid, silent_ms=None)

    @rule(ms=steps_ms)
    def wait(self, ms: int) -> None:
        self.harness.advance(ms)
        self.model.now_ms += ms

    @rule(ms=steps_ms, node=node_names)
    def wait_while_one_renews(self, ms: int, node: str) -> None:
        self.wait(ms)
        self.renew(node)

    @rule(node=node_names)
    def renew(self, node: str) -> None:
        renewal = self.run_coroutine(self.stores[node].renew())
        lost, evictions = self.model.renew(node)
        assert (renewal.lost, set(renewal.evictions)) == (lost, evictions)
        for eviction in evictions:
            known = self.known[node].get((eviction.project, eviction.uid))
            if known is not None and known.generation == eviction.generation:
                del self.known[node][eviction.project, eviction.uid]

    @rule(node=node_names)
    def restore(self, node: str) -> None:
        """Also when nothing was lost: it says again what the store knows."""
        records = list(self.known[node].values())
        got = self.answer(self.stores[node].restore(records))
        assert got == self.expected(self.model.restore, node, records)
        if not isinstance(got, str):
            for key in got:
                del self.known[node][key]

    @rule(node=node_names)
    def reap(self, node: str) -> None:
        got = self.run_coroutine(self.stores[node].reap(100))
        wanted = self.model.reap(node)
        assert sorted(map(repr, map(comparable, got))) == sorted(map(repr, map(comparable, wanted)))

    @rule()
    def empty(self) -> None:
        self.harness.empty()
        self.run_coroutine(self.stores["a"].epoch())
        self.model.empty()

    @invariant()
    def the_store_shows_what_the_model_shows(self) -> None:
        store = self.stores["a"]
        for project in PROJECTS:
            members = [self.model.members(project, room) for room in ROOMS]
            assert self.run_coroutine(store.counts(project, ROOMS)) == [len(uids) for uids in members]
            for room, uids in zip(ROOMS, members, strict=True):
                assert set(self.run_coroutine(store.members(project, room, 100))) == uids
            states = [self.model.state(project, uid) for uid in UIDS]
            assert self.run_coroutine(store.sessions(project, UIDS)) == states
        assert self.run_coroutine(store.settled()) == (self.model.now_ms >= self.model.grace_until_ms)

    def teardown(self) -> None:
        self.run_coroutine(self.harness.close())


def test_the_memory_store_is_the_model_and_never_suspends() -> None:
    class MemoryMachine(PresenceMachine):
        make_harness = MemoryHarness

    run_state_machine_as_test(MemoryMachine, settings=settings(max_examples=300, stateful_step_count=60))


def test_the_redis_store_is_the_model(presence_redis: PrivateRedis) -> None:
    loop = asyncio.new_event_loop()

    class RedisMachine(PresenceMachine):
        @staticmethod
        def make_harness() -> Harness:
            return RedisHarness(presence_redis)

        def run_coroutine(self, coroutine: Coroutine[Any, Any, T]) -> T:
            return loop.run_until_complete(coroutine)

    few = settings(max_examples=25, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])
    try:
        run_state_machine_as_test(RedisMachine, settings=few)
    finally:
        loop.close()
