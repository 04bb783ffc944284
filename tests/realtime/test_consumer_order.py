"""Order on one connection: what was sent first happens first, also before there is an answer to wait for."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from realtime.runtime import Runtime
from realtime.silence import LOGIN_TIMEOUT_S
from rooms.selectors import get_snapshot
from tests.support.client import CallFailed, Client, InProcess
from tests.support.doubles import ThreadGate, held_at, until
from tests.support.runtimes import entries, runtimes, seqs


def text(value: str) -> dict[str, str]:
    return {"type": "TEXT", "text": value}


async def test_before_the_login_a_method_is_refused(open_client: Callable[..., Client]) -> None:
    client = open_client()
    for method, params in (
        ("room.join", {"room": "math"}),
        ("room.send", {"room": "math", "message_id": "m", "message": text("x")}),
        ("stream.read", {"stream": "room:math", "after": 0}),
        ("session.logout", {}),
    ):
        with pytest.raises(CallFailed) as failed:
            await client.call(method, **params)
        assert failed.value.name == "not_logged_in"
    assert await client.call("session.ping") == {}


async def test_calls_may_follow_the_login_without_waiting_for_it(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    login = await client.start("session.login", app=app, uid="ann")
    join = await client.start("room.join", room="math")
    sends = [
        await client.start("room.send", room="math", message_id=f"m{number}", message=text(str(number)))
        for number in range(3)
    ]
    members = await client.start("room.members", room="math")
    assert (await login)["resumed"] is False
    assert (await join)["room"] == "math"
    assert [(await send)["seq"] for send in sends] == [1, 2, 3]
    assert (await members)["total"] == 1


async def test_what_comes_after_the_login_does_not_overtake_what_came_before_it(
    runtime: Runtime, open_client: Callable[..., Client], app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ThreadGate()
    monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot))
    client = open_client()
    login = await client.start("session.login", app=app, uid="ann")
    join = await client.start("room.join", room="math")
    early = await client.start("room.send", room="math", message_id="m1", message=text("early"))
    await gate.arrived()
    await login
    late = await client.start("room.send", room="math", message_id="m2", message=text("late"))
    assert await client.call("session.ping") == {}, "a heartbeat waits for nothing"
    gate.open()
    await join
    assert [(await early)["seq"], (await late)["seq"]] == [1, 2]
    await client.call("session.ping")
    assert [entry["body"]["text"] for entry in entries(client)] == ["early", "late"]


async def test_calls_behind_a_login_that_fails_are_refused(open_client: Callable[..., Client]) -> None:
    client = open_client()
    login = await client.start("session.login", app="0" * 32, uid="ann")
    join = await client.start("room.join", room="math")
    with pytest.raises(CallFailed) as failed:
        await login
    assert failed.value.name == "invalid_app_id"
    with pytest.raises(CallFailed) as failed:
        await join
    assert failed.value.name == "not_logged_in"


async def test_a_login_and_what_follows_may_come_in_one_batch(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("session.login", {"app": app, "uid": "ann"}),
        ("room.join", {"room": "math"}),
        ("room.send", {"room": "math", "message_id": "m1", "message": text("x")}),
        ("room.leave", {"room": "math"}),
    ]
    batch = [
        {"jsonrpc": "2.0", "id": f"b{place}", "method": name, "params": params}
        for place, (name, params) in enumerate(calls)
    ]
    await client.send_text(json.dumps(batch))
    await until(lambda: len(answered(client)) == 4)
    assert ["result" in message for message in answered(client)] == [True] * 4


def answered(client: Client) -> list[dict[str, Any]]:
    """Every answer so far."""
    found: list[dict[str, Any]] = []
    for frame in client.frames:
        decoded = json.loads(frame)
        found += [message for message in (decoded if isinstance(decoded, list) else [decoded]) if "id" in message]
    return found


async def test_a_second_login_on_a_connection_is_refused(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    await client.login(app, "ann")
    for uid in ("ann", "bob"):
        with pytest.raises(CallFailed) as failed:
            await client.login(app, uid)
        assert failed.value.name == "already_logged_in"
    await client.call("room.join", room="math")


async def test_one_slow_call_holds_up_its_own_connection_only(
    open_client: Callable[..., Client], app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joins of one connection run one after the other; messages and heartbeats of it go on."""
    gate = ThreadGate()
    ann, bob = open_client(), open_client()
    await ann.login(app, "ann")
    await bob.login(app, "bob")
    await ann.call("room.join", room="open")
    await ann.send("open", "the room's row", "m0")
    monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot))
    slow = await ann.start("room.join", room="slow")
    await gate.arrived()
    behind = await ann.start("room.join", room="behind")
    await bob.call("room.join", room="open")
    assert (await ann.send("open", "not held up", "m1"))["seq"] == 2
    await ann.call("session.ping")
    assert (slow.done(), behind.done()) == (False, False)
    assert (await bob.expect("room.sent"))["body"]["text"] == "not held up"
    gate.open()
    assert [(await slow)["room"], (await behind)["room"]] == ["slow", "behind"]
    assert seqs(ann) == [1, 2]


async def test_who_does_not_log_in_is_closed(open_client: Callable[..., Client], runtime: Runtime) -> None:
    client = open_client()
    await client.call("session.ping")
    (connection,) = runtime.sessions.connections
    connection.connected_s -= LOGIN_TIMEOUT_S + 1
    runtime.silence.tick()
    closing = await client.expect("session.closing")
    assert (closing["name"], closing["reconnect"]) == ("login_timeout", True)
    assert await client.expect_close() == 4006


async def test_a_full_server_sends_newcomers_elsewhere(
    runtime: Runtime, open_client: Callable[..., Client], app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.consumer.MAX_CONNECTIONS", 1)
    ann = open_client()
    await ann.login(app, "ann")
    assert await open_client().expect_close() == 4009
    await ann.call("session.ping")
    await ann.close()
    await open_client().login(app, "bob")


async def test_a_stopping_server_finishes_what_is_in_work_and_reads_nothing_more(app: str) -> None:
    async with runtimes(1) as (here,):
        client = Client(InProcess(here))
        await client.login(app, "ann")
        await client.call("room.join", room="math")
        answers = [
            await client.start("room.send", room="math", message_id=f"m{number}", message=text("x"))
            for number in range(5)
        ]
        await until(lambda: here.pressure.bytes > 0)
        draining = asyncio.create_task(here.drain())
        closing = await client.expect("session.closing")
        assert (closing["name"], closing["reconnect"]) == ("server_restart", True)
        assert 0 <= closing["delay_ms"] <= 5_000
        done = [answer.result()["seq"] for answer in answers if answer.done() and not answer.exception()]
        assert done == list(range(1, len(done) + 1))
        assert done, "what had been read was answered before the close"
        assert await client.expect_close() == 1012
        await draining
        refused = Client(InProcess(here))
        assert await refused.expect_close() == 1012
        await refused.close()
        await client.close()
