"""The same message sent again, through the whole way: one answer, and every member gets it once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from messaging.journal import backends
from realtime.close_codes import SUPERSEDED
from realtime.runtime import Runtime
from tests.support.client import CallFailed, Client, InProcess
from tests.support.doubles import ScriptedBackend, ThreadGate
from tests.support.runtimes import UNLIMITED_LOGINS, clients, entries, runtimes, seqs

MESSAGE = {"room": "math", "message_id": "m1", "message": {"type": "TEXT", "text": "once"}}

Scripted = Callable[..., list[ScriptedBackend]]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """The journals of the runtimes that are made next follow these scripts, one each."""

    def use(*scripts: list[Any]) -> list[ScriptedBackend]:
        made = [ScriptedBackend(backends.backend_for(connection.vendor), *script) for script in scripts]
        left = iter(made)
        monkeypatch.setattr("messaging.engine.backend_for", lambda _vendor: next(left))
        return made

    return use


async def everybody_has(seqs_expected: list[int], *here: Client, at: list[Runtime]) -> None:
    for runtime in at:
        await runtime.hub.check_heads()
        await runtime.hub.settle(10)
    for client in here:
        await client.call("session.ping")
        assert seqs(client) == seqs_expected


async def test_rule_idempotency_a_commit_whose_answer_was_lost_is_delivered_once(app: str, scripted: Scripted) -> None:
    scripted(["forget", None, None, "forget"], [])
    async with (
        runtimes(2) as both,
        clients(app, "math", ann=both[0], bob=both[0], carl=both[1]) as client,
    ):
        first = await client("ann").call("room.send", **MESSAGE)
        assert first["seq"] == 1
        for uid in ("ann", "bob"):
            assert (await client(uid).expect("room.sent"))["seq"] == 1, "read at once, where its commit was unknown"
        assert await client("ann").call("room.send", **MESSAGE) == first
        for number in (2, 3):
            assert (await client("bob").send("math", "and on", f"b{number}"))["seq"] == number
        await everybody_has([1, 2, 3], client("ann"), client("bob"), client("carl"), at=both)


async def test_rule_idempotency_in_flight_twice_on_two_processes(fast_app: str, scripted: Scripted) -> None:
    """Ann's first connection hangs in the commit; she comes back on another process and sends again."""
    gate = ThreadGate()
    scripted([gate], [])
    async with (
        runtimes(2, timing=UNLIMITED_LOGINS) as (one, two),
        clients(fast_app, "math", bob=one, carl=two) as client,
    ):
        ann = Client(InProcess(one))
        session = (await ann.login(fast_app, "ann"))["session"]
        await ann.call("room.join", room="math")
        await ann.start("room.send", **MESSAGE)
        await gate.arrived()
        back = Client(InProcess(two))
        resumed = await back.login(fast_app, "ann", session=session, streams={"room:math": {"seq": 0, "epoch": ""}})
        assert resumed["resumed"]
        again = await back.start("room.send", **MESSAGE)
        assert await ann.expect_close() == SUPERSEDED.code
        gate.open()
        assert (await again)["seq"] == 1
        await client("bob").send("math", "and on", "b2")
        await everybody_has([1, 2], client("bob"), client("carl"), back, at=[one, two])
        for leaving in (ann, back):
            await leaving.close()


async def test_rule_idempotency_twice_at_once_on_one_connection(open_client: Callable[..., Client], app: str) -> None:
    ann, bob = open_client(), open_client()
    for uid, client in (("ann", ann), ("bob", bob)):
        await client.login(app, uid)
        await client.call("room.join", room="math")
    answers = [await ann.start("room.send", **MESSAGE) for _ in range(5)]
    assert len({str(await answer) for answer in answers}) == 1
    await bob.expect("room.sent")
    await bob.expect_nothing("room.sent")
    assert seqs(ann) == [1]


async def test_rule_idempotency_after_leaving_the_room(open_client: Callable[..., Client], app: str) -> None:
    """The look-up comes before the policy: whoever may not send any more still learns what became of it."""
    ann = open_client()
    await ann.login(app, "ann")
    await ann.call("room.join", room="math")
    first = await ann.call("room.send", **MESSAGE)
    await ann.call("room.leave", room="math")
    assert await ann.call("room.send", **MESSAGE) == first
    with pytest.raises(CallFailed) as failed:
        await ann.call("room.send", **MESSAGE | {"message_id": "m2"})
    assert failed.value.name == "not_in_room"


async def test_rule_idempotency_of_another_sender_or_room_is_another_message(
    open_client: Callable[..., Client], app: str
) -> None:
    ann, bob = open_client(), open_client()
    for uid, client in (("ann", ann), ("bob", bob)):
        await client.login(app, uid)
        for room in ("math", "music"):
            await client.call("room.join", room=room)
    answers = [
        (await client.call("room.send", **MESSAGE | {"room": room}))["seq"]
        for room in ("math", "music")
        for client in (ann, bob)
    ]
    assert answers == [1, 2, 1, 2]


async def test_rule_idempotency_of_a_change_of_attributes(open_client: Callable[..., Client], app: str) -> None:
    """Also when both attempts are in flight, and when the attributes have changed since."""
    ann, bob = open_client(), open_client()
    for uid, client in (("ann", ann), ("bob", bob)):
        await client.login(app, uid)
        await client.call("room.join", room="math")
    change = {"room": "math", "message_id": "a1", "attributes": {"k": "1"}, "notify": True, "revision": 0}
    both = [await ann.start("room.set_attributes", **change) for _ in range(2)]
    first = [await answer for answer in both]
    assert first == [{"seq": 1, "revision": 1}] * 2
    await bob.call("room.update_attributes", room="math", message_id="b1", attributes={"k": "2"})
    assert await ann.call("room.set_attributes", **change) == first[0]
    found = await ann.call("room.get_attributes", room="math")
    assert (found["attributes"]["k"]["value"], found["revision"]) == ("2", 2)
    assert seqs(bob) == [1, 2]


async def test_rule_idempotency_one_id_for_two_methods_is_refused(open_client: Callable[..., Client], app: str) -> None:
    ann = open_client()
    await ann.login(app, "ann")
    await ann.call("room.join", room="math")
    await ann.call("room.send", **MESSAGE)
    with pytest.raises(CallFailed) as failed:
        await ann.call("room.set_attributes", room="math", message_id="m1", attributes={"k": "1"})
    assert failed.value.name == "invalid_params"
    await ann.call("room.set_attributes", room="math", message_id="m2", attributes={"k": "1"})
    with pytest.raises(CallFailed) as failed:
        await ann.send("math", "text", "m2")
    assert failed.value.name == "invalid_params"
    await ann.call("room.leave", room="math")
    with pytest.raises(CallFailed) as failed:
        await ann.send("math", "text", "m2")
    assert failed.value.name in ("invalid_params", "not_in_room")


async def test_an_entry_read_after_an_unknown_outcome_is_the_one_that_was_committed(
    app: str, scripted: Scripted
) -> None:
    """The sender may have sent other words under the same id meanwhile: what counts is what is stored."""
    scripted(["forget"])
    async with runtimes(1) as (here,), clients(app, "math", ann=here, bob=here) as client:
        await client("ann").call("room.send", **MESSAGE)
        await client("ann").call("room.send", **MESSAGE | {"message": {"type": "TEXT", "text": "twice"}})
        await everybody_has([1], client("ann"), client("bob"), at=[here])
        assert [entry["body"]["text"] for entry in entries(client("bob"))] == ["once"]
