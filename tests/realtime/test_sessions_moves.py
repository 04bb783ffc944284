"""Sessions that move: generations decide, rates go along, and late news of a former place change nothing."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from projects.limits import RATES
from projects.models import Project
from realtime.close_codes import KICKED, REMOTE_LOGIN, SUPERSEDED
from realtime.presence import PresenceUnavailable
from realtime.runtime import Runtime
from tests.support.client import CallFailed, Client, InProcess
from tests.support.doubles import Gate, Hints
from tests.support.runtimes import UNLIMITED_LOGINS, clients, runtimes, seqs


@pytest.fixture
def tight(make_project: Callable[..., Project]) -> str:
    """An app with 20 messages a minute."""
    rates = {name: [1_000_000, 1_000] for name in RATES} | {"message": [20, 60_000]}
    return make_project(limits={"rates": rates}).app_id


async def open_at(runtime: Runtime, app: str, uid: str, **params: Any) -> tuple[Client, Any]:
    client = Client(InProcess(runtime))
    return client, await client.login(app, uid, **params)


async def sends(client: Client, name: str, most: int = 30) -> int:
    """How many messages a client may send now."""
    await client.call("room.join", room="math")
    for number in range(most):
        try:
            await client.send("math", "x", f"{name}-{number}")
        except CallFailed as failed:
            if failed.name != "too_often":
                raise
            return number
    return most


async def test_rule_leases_rate_buckets_move_with_a_resumed_session(tight: str) -> None:
    async with runtimes(2, timing=UNLIMITED_LOGINS) as (one, two):
        first, login = await open_at(one, tight, "ann")
        assert await sends(first, "a", 15) == 15
        await first.close()
        await one.hub.settle(10)
        second, resumed = await open_at(two, tight, "ann", session=login["session"])
        assert resumed["resumed"]
        assert await sends(second, "b") == 5
        await second.close()


async def test_rule_leases_a_quick_move_costs_no_bucket_that_was_not_used(tight: str) -> None:
    """Levels that came along say that the others are full."""
    async with runtimes(2, timing=UNLIMITED_LOGINS) as (one, two):
        first, login = await open_at(one, tight, "ann")
        await first.call("room.join", room="math")
        await first.close()
        await one.hub.settle(10)
        second, _ = await open_at(two, tight, "ann", session=login["session"])
        assert await sends(second, "b") == 20
        await second.close()


@pytest.mark.parametrize("places", [(0, 0), (0, 1)])
async def test_rule_leases_a_takeover_is_no_refill(tight: str, places: tuple[int, int]) -> None:
    async with runtimes(2, timing=UNLIMITED_LOGINS) as both:
        first, _ = await open_at(both[places[0]], tight, "ann")
        assert await sends(first, "a", 20) == 20
        second, login = await open_at(both[places[1]], tight, "ann")
        assert not login["resumed"]
        assert await sends(second, "b") <= 1
        for client in (first, second):
            await client.close()


async def test_rule_leases_levels_of_an_earlier_stay_are_no_refill(tight: str) -> None:
    """What was saved before the last login says nothing about what was spent since."""
    async with runtimes(2, timing=UNLIMITED_LOGINS) as (one, two):
        first, login = await open_at(one, tight, "ann")
        assert await sends(first, "a", 1) == 1
        await first.close()  # saves that 19 are left
        await one.hub.settle(10)
        second, again = await open_at(two, tight, "ann", session=login["session"])
        assert await sends(second, "b", 19) == 19
        third, _ = await open_at(one, tight, "ann", session=again["session"])  # the socket before is still open
        assert await sends(third, "c") <= 1
        for client in (second, third):
            await client.close()


async def test_rule_generation_grows_with_every_login(app: str) -> None:
    async with runtimes(2, timing=UNLIMITED_LOGINS) as both:
        generations = []
        session = ""
        opened = []
        for number in range(6):
            client, login = await open_at(both[number % 2], app, "ann", session=session if number % 3 else "")
            session = login["session"]
            generations.append(login["generation"])
            opened.append(client)
        assert generations == sorted(set(generations))
        for client in opened:
            await client.close()


@pytest.mark.parametrize(("resumes", "code"), [(True, SUPERSEDED.code), (False, REMOTE_LOGIN.code)])
@pytest.mark.parametrize("places", [(0, 0), (0, 1)])
async def test_rule_generation_the_older_socket_is_closed(
    app: str, places: tuple[int, int], resumes: bool, code: int
) -> None:
    async with runtimes(2, timing=UNLIMITED_LOGINS) as both, clients(app, "math", bob=both[0]) as client:
        old, login = await open_at(both[places[0]], app, "ann")
        await old.call("room.join", room="math")
        new, again = await open_at(both[places[1]], app, "ann", session=login["session"] if resumes else "")
        assert again["resumed"] is resumes
        assert await old.expect_close() == code
        assert ("room:math" in again["streams"]) is resumes
        await client("bob").send("math", "to the newer one", "m1")
        if resumes:
            await both[places[1]].hub.check_heads()
            assert (await new.expect("room.sent"))["seq"] == 1
        else:
            await new.expect_nothing("room.sent")
        assert seqs(old) == []
        for leaving in (old, new):
            await leaving.close()


async def test_rule_generation_a_takeover_is_told_when_the_lease_is_renewed_though_the_hint_was_lost(
    app: str,
) -> None:
    class Deaf(Hints):
        """Loses every hint, also that of an eviction."""

        def layer(self) -> Any:
            layer = super().layer()
            layer.send = lambda group, message: None  # type: ignore[method-assign]
            return layer

    async with runtimes(2, Deaf(), timing=UNLIMITED_LOGINS) as (one, two):
        old, _ = await open_at(one, app, "ann")
        new, _ = await open_at(two, app, "ann")
        await old.call("session.ping")
        await one.lease.renew()
        assert await old.expect_close() == REMOTE_LOGIN.code
        await new.call("session.ping")
        for client in (old, new):
            await client.close()


async def test_rule_generation_what_a_former_place_says_late_changes_nothing(fast_app: str) -> None:
    """The old socket's loss is noticed after the session has moved: its user stays here and in the room."""
    async with runtimes(2, timing=UNLIMITED_LOGINS) as (one, two):
        old, login = await open_at(one, fast_app, "ann")
        await old.call("room.join", room="math")
        (session,) = one.sessions.all()
        generation = session.generation
        new, _ = await open_at(two, fast_app, "ann", session=login["session"])
        project = session.project.id
        assert not await one.presence.set_gone(project, "ann", generation, 0, "")
        assert not await one.presence.leave(project, "ann", generation, "room:math")
        assert await one.presence.remove(project, "ann", generation) is None
        assert (await new.call("room.members", room="math")) == {"members": ["ann"], "total": 1}
        for client in (old, new):
            await client.close()


async def test_rule_generation_a_login_that_another_overtook_does_not_come_back(
    fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer from the store arrives after a newer login of the same uid: it is refused, the newer one stays."""
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (one,):
        login_in_store = one.presence.login
        late = asyncio.Event()

        async def delayed(*args: Any, **options: Any) -> Any:
            outcome = await login_in_store(*args, **options)
            monkeypatch.setattr(one.presence, "login", login_in_store)
            await late.wait()
            return outcome

        monkeypatch.setattr(one.presence, "login", delayed)
        slow, quick = Client(InProcess(one)), Client(InProcess(one))
        waiting = await slow.start("session.login", app=fast_app, uid="ann")
        while one.presence.login is not login_in_store:  # the first has its generation
            await quick.call("session.ping")
        await quick.login(fast_app, "ann")
        late.set()
        with pytest.raises(CallFailed):
            await waiting
        assert await quick.call("room.member_counts", rooms=["math"]) == {"counts": {"math": 0}}
        assert [session.connection is not None for session in one.sessions.all()] == [True]
        for client in (slow, quick):
            await client.close()


@pytest.mark.parametrize("place", ["subscribe", "open_inbox", "recover"])
@pytest.mark.parametrize("how", ["takeover", "resume", "kick", "loss"])
async def test_rule_generation_a_login_that_is_overtaken_on_its_way_ends_without_a_trace(
    fast_app: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str, how: str
) -> None:
    """A session that is being resumed is taken over, resumed elsewhere, kicked or lost at each place where it waits."""
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (one,), clients(fast_app, "math", bob=one) as client:
        first, login = await open_at(one, fast_app, "ann")
        joined = await first.call("room.join", room="math")
        await first.close()
        for number in range(3):
            await client("bob").send("math", "missed", f"m{number}")
        where = one.hub if place == "subscribe" else one.recoveries
        gate, original = Gate(), getattr(where, place)

        async def held(*args: Any) -> Any:
            monkeypatch.setattr(where, place, original)
            answer = await original(*args)
            await gate.come()
            return answer

        monkeypatch.setattr(where, place, held)
        resume = {
            "session": login["session"],
            "streams": {"room:math": {"seq": joined["head"], "epoch": joined["epoch"]}},
        }
        slow, quick = Client(InProcess(one)), Client(InProcess(one))
        await slow.start("session.login", app=fast_app, uid="ann", **resume)
        await gate.arrived()
        if how == "takeover":
            await quick.login(fast_app, "ann")
            assert await slow.expect_close() == REMOTE_LOGIN.code
        elif how == "resume":
            answer = await quick.login(fast_app, "ann", **resume)
            assert [entry["seq"] for entry in answer["streams"]["room:math"]["entries"]] == [1, 2, 3]
            assert await slow.expect_close() == SUPERSEDED.code
        elif how == "kick":
            (project,) = {session.project.id for session in one.sessions.all()}
            await one.sessions.evict(project, "ann", "kicked")
            assert await slow.expect_close() == KICKED.code
        else:
            await slow.close()
        gate.open()
        await one.hub.settle(10)
        assert "incident" not in caplog.text
        await client("bob").send("math", "after it", "m3")
        if how == "resume":
            assert (await quick.expect("room.sent"))["seq"] == 4
        else:
            total = 2 if how == "loss" else 1
            assert (await client("bob").call("room.members", room="math"))["total"] == total
        assert seqs(slow) == []
        for leaving in (slow, quick):
            await leaving.close()


async def test_rule_leases_a_lost_lease_is_put_right_and_nobody_leaves(app: str) -> None:
    async with runtimes(1) as (one,), clients(app, "math", ann=one, bob=one) as client:
        renew = one.presence.renew
        lost = [True]

        async def lose_once() -> Any:
            renewal = await renew()
            return type(renewal)(lost=lost.pop() if lost else renewal.lost, evictions=renewal.evictions)

        one.presence.renew = lose_once  # type: ignore[method-assign]
        await one.lease.renew()
        assert (await client("ann").call("room.members", room="math"))["total"] == 2
        await client("bob").send("math", "as before", "m1")
        assert (await client("ann").expect("room.sent"))["seq"] == 1


async def test_without_a_presence_store_a_login_is_told_to_try_again(app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with runtimes(1) as (one,):
        login_in_store = one.presence.login

        async def away(*_args: object, **_options: object) -> Any:
            raise PresenceUnavailable

        monkeypatch.setattr(one.presence, "login", away)
        client = Client(InProcess(one))
        with pytest.raises(CallFailed) as failed:
            await client.login(app, "ann")
        assert (failed.value.name, failed.value.data["retryable"]) == ("unavailable", True)
        monkeypatch.setattr(one.presence, "login", login_in_store)
        await client.login(app, "ann")
        await client.close()
