"""Kicks and bans, whoever writes them and wherever their users are (docs/contract.md 6)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command

from projects.models import Project, Removal
from projects.services import ban_user, kick_user, lift_ban
from realtime.presence import PresenceUnavailable
from realtime.removals import SETTLES_MS
from realtime.runtime import Runtime
from realtime.tenants import KEPT_S, Tenants
from tests.support.client import CallFailed, Client, connect
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.doubles import Gate, until
from tests.support.runtimes import elsewhere
from tests.support.server_process import server_process
from tests.support.told import people


class World:
    """A project, two processes, and what its staff does."""

    def __init__(self, lifetime: Lifetime, project: Project) -> None:
        self.lifetime = lifetime
        self.project = project
        self.app = project.app_id

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.lifetime.clock.now_ms() / 1000, UTC)

    async def kick(self, uid: str) -> None:
        await elsewhere(kick_user, project_id=self.project.pk, uid=uid, now=self.now())

    async def ban(self, uid: str, for_s: int | None = None) -> None:
        until = None if for_s is None else self.now() + timedelta(seconds=for_s)
        await elsewhere(ban_user, project_id=self.project.pk, uid=uid, now=self.now(), until=until)

    async def lift(self, uid: str) -> None:
        assert await elsewhere(lift_ban, project_id=self.project.pk, uid=uid, now=self.now())

    async def look(self, place: int = 0) -> None:
        """One process looks for rows; what follows from it has arrived."""
        await self.lifetime.runtimes[place].removals.look()
        await self.lifetime.settle()

    async def refusal(self, client: Client, uid: str = "ann", **params: Any) -> CallFailed:
        with pytest.raises(CallFailed) as refused:
            await client.login(self.app, uid, **params)
        return refused.value

    async def pending(self) -> int:
        return await elsewhere(Removal.objects.filter(project=self.project, carried_out_at=None).count)


@pytest.fixture
def nobody_is_told() -> Iterator[None]:
    """Rows are written as by another process: they are found by looking, which the test does."""
    with mock.patch("projects.services._listeners", []), mock.patch("realtime.runtime.LOOK_S", 3_600.0):
        yield


@pytest.fixture
async def world(make_project: Callable[..., Project], nobody_is_told: None) -> AsyncIterator[World]:
    project = await sync_to_async(make_project)(limits={"rates": {"login": [1_000_000, 1_000]}})
    async with clocked_runtimes(2) as lifetime:
        for runtime in lifetime.runtimes:
            runtime.tenants = Tenants(runtime.loop, runtime.bridge, runtime.clock_ms)  # by the test's clock
        yield World(lifetime, project)


@pytest.fixture(params=[0, 1], ids=["same process", "other process"])
def place(request: pytest.FixtureRequest) -> int:
    """Which process looks; the user is at the first."""
    chosen: int = request.param
    return chosen


async def closing(client: Client) -> tuple[int, str, bool]:
    told = await client.expect("session.closing")
    assert await client.expect_close() == told["code"]
    return told["code"], told["name"], told["reconnect"]


# -- kicks


async def test_a_kick_ends_the_session_and_its_rooms_are_told(world: World, place: int) -> None:
    bob = await world.lifetime.enter(world.app, "bob", "math", place=1)
    ann = await world.lifetime.enter(world.app, "ann", "math")
    await world.lifetime.news(bob)
    people(bob)
    await world.kick("ann")
    await world.look(place)
    assert await closing(ann) == (4001, "kicked", False)
    await world.lifetime.news(bob)
    assert people(bob) == ["left ann"]
    assert (await bob.call("room.members", room="math"))["members"] == ["bob"]
    assert await world.pending() == 0


async def test_a_kicked_user_may_come_again_but_not_into_the_old_session(world: World, place: int) -> None:
    ann = world.lifetime.open_client()
    session = (await ann.login(world.app, "ann"))["session"]
    await ann.call("room.join", room="math")
    await world.kick("ann")
    await world.look(place)
    assert await ann.expect_close() == 4001
    again = world.lifetime.open_client()
    answer = await again.login(world.app, "ann", session=session)
    assert (answer["resumed"], answer["streams"]) == (False, {})
    for looks in (0, 1):
        await world.look(looks)
    await world.lifetime.pass_time(3, again)
    assert await again.call("session.ping") == {}, "a kick is done once"


async def test_a_kick_ends_a_session_whose_connection_is_lost(world: World, place: int) -> None:
    bob = await world.lifetime.enter(world.app, "bob", "math")
    ann = world.lifetime.open_client()
    session = (await ann.login(world.app, "ann"))["session"]
    await ann.call("room.join", room="math")
    await ann.close()
    await world.lifetime.settle()
    await world.kick("ann")
    await world.look(place)
    assert (await bob.call("room.members", room="math"))["members"] == ["bob"]
    assert not (await world.lifetime.open_client().login(world.app, "ann", session=session))["resumed"]


async def test_a_login_that_comes_while_a_kick_is_carried_out_stays(world: World) -> None:
    gate = Gate()
    presence = world.lifetime.runtime.presence
    evict = presence.evict

    async def held(*args: Any) -> Any:
        evicted = await evict(*args)
        await gate.come()
        return evicted

    await world.lifetime.enter(world.app, "ann")
    await world.kick("ann")
    with mock.patch.object(presence, "evict", held):
        look = asyncio.create_task(world.lifetime.runtime.removals.look())
        await gate.arrived()
        again = await world.lifetime.enter(world.app, "ann", "math")
        gate.open()
        await look
    assert await again.call("room.members", room="math") == {"members": ["ann"], "total": 1}
    assert await world.pending() == 0


async def test_a_kick_of_nobody_waits_for_nobody(world: World) -> None:
    await world.kick("ann")
    await world.look()
    assert await world.pending() == 0
    ann = await world.lifetime.enter(world.app, "ann")
    await world.look()
    assert await ann.call("session.ping") == {}


# -- bans


async def test_a_ban_ends_the_session_and_refuses_logins_until_it_ends(world: World, place: int) -> None:
    ann = world.lifetime.open_client()
    session = (await ann.login(world.app, "ann"))["session"]
    until_ms = round((world.now() + timedelta(seconds=60)).timestamp() * 1000)
    await world.ban("ann", for_s=60)
    await world.look(place)
    assert await closing(ann) == (4002, "banned", False)
    again = world.lifetime.open_client(1)
    for params in ({}, {"session": session}):
        refused = await world.refusal(again, **params)
        assert (refused.name, refused.data["until"]) == ("banned", until_ms)
    await world.lifetime.pass_time(59.9)
    again = world.lifetime.open_client(1)
    assert (await world.refusal(again)).name == "banned"
    await world.lifetime.pass_time(0.2, again)
    assert (await again.login(world.app, "ann"))["resumed"] is False
    await world.look(place)
    assert await again.call("session.ping") == {}


async def test_a_ban_without_an_end_lasts_until_it_is_lifted(world: World) -> None:
    await world.ban("ann")
    client = world.lifetime.open_client()
    assert (await world.refusal(client)).data["until"] is None
    await world.lift("ann")
    world.lifetime.clock.advance(KEPT_S)
    assert await client.login(world.app, "ann")
    await world.look()
    assert await client.call("session.ping") == {}, "what was lifted is not carried out"


async def test_a_login_knows_of_a_ban_once_its_process_has_looked(world: World) -> None:
    await world.lifetime.enter(world.app, "bob")
    await world.ban("ann")
    await world.look()
    assert (await world.refusal(world.lifetime.open_client())).name == "banned"


async def test_a_login_knows_of_a_ban_after_a_few_seconds_whoever_looks(world: World) -> None:
    await world.lifetime.enter(world.app, "bob")
    await world.ban("ann")
    world.lifetime.clock.advance(KEPT_S)
    assert (await world.refusal(world.lifetime.open_client())).name == "banned"


@pytest.mark.parametrize("known", [0, 2])
async def test_with_more_bans_than_are_kept_each_login_asks(world: World, known: int) -> None:
    with mock.patch("projects.selectors.KNOWN_BANS", known):
        for uid in ("ann", "u1", "u2"):
            await world.ban(uid)
        client = world.lifetime.open_client()
        assert (await world.refusal(client)).name == "banned"
        await world.lift("ann")
        assert await client.login(world.app, "ann"), "asked for anew"


async def test_a_ban_is_for_its_user_and_its_project(world: World, make_project: Callable[..., Project]) -> None:
    other = await sync_to_async(make_project)()
    bob = await world.lifetime.enter(world.app, "bob")
    ann = await world.lifetime.enter(other.app_id, "ann")
    await world.ban("ann")
    await world.look()
    assert await bob.call("session.ping") == {}
    assert await ann.call("session.ping") == {}
    for uid in ("Ann", "ann ", "an"):
        assert await world.lifetime.open_client().login(world.app, uid)


@pytest.mark.parametrize("known", [0, 1_000])
async def test_logins_that_come_together_are_each_answered_for_their_own_user(world: World, known: int) -> None:
    await world.ban("u3")
    with mock.patch("projects.selectors.KNOWN_BANS", known):
        await log_in_together(world)


async def log_in_together(world: World) -> None:
    clients = [world.lifetime.open_client(number % 2) for number in range(20)]
    logins = [
        await client.start("session.login", app=world.app, uid=f"u{number}") for number, client in enumerate(clients)
    ]
    answers = await asyncio.gather(*logins, return_exceptions=True)
    assert [number for number, answer in enumerate(answers) if isinstance(answer, Exception)] == [3]


async def test_a_ban_also_ends_the_session_of_a_login_that_had_just_been_let_by(world: World, place: int) -> None:
    """It asked for bans before the ban was written, and had its session after the ban was carried out."""
    gate = Gate()
    presence = world.lifetime.runtime.presence
    login = presence.login

    async def held(*args: Any, **kwargs: Any) -> Any:
        await gate.come()
        return await login(*args, **kwargs)

    ann = world.lifetime.open_client()
    with mock.patch.object(presence, "login", held):
        answer = await ann.start("session.login", app=world.app, uid="ann")
        await gate.arrived()
        await world.ban("ann")
        await world.lifetime.runtimes[place].removals.look()
        gate.open()
        assert (await answer)["session"]
    await world.look(place)
    assert await closing(ann) == (4002, "banned", False)


async def test_a_ban_is_carried_out_until_no_login_can_be_under_way(world: World) -> None:
    await world.ban("ann")
    await world.look()
    assert await world.pending() == 1
    await world.lifetime.pass_time(SETTLES_MS / 1000)
    await world.look()
    assert await world.pending() == 0


# -- storage out of reach


async def test_without_a_presence_store_sessions_of_this_process_end_and_the_rest_follows(world: World) -> None:
    bob = await world.lifetime.enter(world.app, "bob", "math")
    ann = await world.lifetime.enter(world.app, "ann", "math")
    await world.kick("ann")
    with mock.patch.object(world.lifetime.runtime.presence, "evict", side_effect=PresenceUnavailable):
        await world.look()
    assert await ann.expect_close() == 4001
    assert await world.pending() == 1
    await world.look()
    assert await world.pending() == 0
    assert (await bob.call("room.members", room="math"))["members"] == ["bob"]


async def test_a_session_that_an_emptied_store_does_not_know_yet_is_found_when_it_is_named_again(
    world: World,
) -> None:
    ann = await world.lifetime.enter(world.app, "ann")
    world.lifetime.empty_store()
    await world.lifetime.runtimes[1].lease.renew()
    await world.kick("ann")
    await world.look(1)
    assert await world.pending() == 1
    await world.lifetime.runtime.lease.renew()
    await world.look(1)
    assert await ann.expect_close() == 4001
    assert await world.pending() == 0


async def test_a_ban_whose_eviction_was_lost_with_the_store_is_noticed_by_the_users_process(world: World) -> None:
    ann = await world.lifetime.enter(world.app, "ann")
    with mock.patch.object(world.lifetime.runtimes[1].layer, "send"):
        await world.ban("ann")
        await world.look(1)
    world.lifetime.clock.advance(SETTLES_MS / 1000)
    await world.lifetime.runtimes[1].lease.renew()
    await world.look(1)
    assert await world.pending() == 0
    world.lifetime.empty_store()
    await world.lifetime.runtime.lease.renew()
    await world.look(0)
    assert await closing(ann) == (4002, "banned", False)


# -- told at once, and from another process


async def test_what_this_process_writes_is_carried_out_at_once(
    runtime: Runtime, open_client: Callable[..., Client], make_project: Callable[..., Project]
) -> None:
    project = await sync_to_async(make_project)()
    ann = open_client()
    await ann.login(project.app_id, "ann")
    with mock.patch.object(runtime.removals, "look", wraps=runtime.removals.look) as look:
        await elsewhere(kick_user, project_id=project.pk, uid="ann", now=datetime.now(UTC))
        assert await ann.expect_close() == 4001
        await until(lambda: look.call_count > 0)


@pytest.mark.parametrize(("command", "code"), [("kick", 4001), ("ban", 4002)])
async def test_a_command_reaches_the_users_of_a_server_process(
    make_project: Callable[..., Project], command: str, code: int
) -> None:
    project = await sync_to_async(make_project)()
    async with server_process("manage.py", "serve", env={"PORT": "0"}) as server:
        port = urlsplit(server.url).port
        assert port is not None
        ann = await connect(port)
        await ann.login(project.app_id, "ann")
        await elsewhere(call_command, command, project.app_id, "ann", stdout=mock.Mock())
        assert await ann.expect_close() == code
        again = await connect(port)
        if command == "ban":
            with pytest.raises(CallFailed, match="banned"):
                await again.login(project.app_id, "ann")
        else:
            assert await again.login(project.app_id, "ann")
        await again.close()
        await ann.close()
