"""Many writers on one database: on SQLite nobody is ever told that it is locked, and readers do not wait."""

import asyncio
import sys
from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import connection, transaction

from messaging.models import Entry, Stream
from projects.limits import RATES
from projects.models import Project
from realtime.runtime import Runtime
from tests.support.client import Client, InProcess
from tests.support.doubles import ThreadGate
from tests.support.runtimes import clients, elsewhere, runtimes, seqs

MESSAGES = 40
COMMANDS = 15


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project(limits={"rates": {name: [1_000_000, 1_000] for name in RATES}})


async def run_command(project: Project, name: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.command_writer",
        *(str(project.pk), "math", name, str(COMMANDS)),
        cwd=settings.BASE_DIR,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


def stored(project: Project) -> list[tuple[int, str]]:
    entries = Entry.objects.filter(stream__project=project, stream__name="room:math").order_by("seq")
    return list(entries.values_list("seq", "message_id"))


async def test_rule_sqlite_eight_writers_never_meet_a_locked_database(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """Two processes' journals and services, two commands in processes of their own, and joins all the while."""

    async def talk(client: Client, uid: str) -> None:
        for number in range(MESSAGES):
            await client.send("math", "on and on", f"{uid}-{number}")

    async def change(client: Client, uid: str) -> None:
        for number in range(MESSAGES):
            changed = {"room": "math", "message_id": f"{uid}-{number}", "attributes": {uid: str(number)}}
            await client.call("room.update_attributes", **changed)

    async def come_and_go(at: Runtime, uid: str) -> None:
        client = Client(InProcess(at))
        await client.login(project.app_id, uid)
        for room in range(MESSAGES):
            await client.call("room.join", room=f"r{room % 10}")
            await client.call("room.get_attributes", room="math")
            await client.call("room.leave", room=f"r{room % 10}")
        await client.close()

    uids = ("a1", "a2", "a3", "b1", "b2", "b3")
    async with runtimes(2) as (one, two):
        places = {uid: one if uid[0] == "a" else two for uid in uids}
        async with clients(project.app_id, "math", **places) as client:
            commands = [asyncio.create_task(run_command(project, name)) for name in ("c1", "c2")]
            talking = [talk(client(uid), uid) for uid in ("a1", "a2", "b1", "b2")]
            changing = [change(client(uid), uid) for uid in ("a3", "b3")]
            moving = [come_and_go(one, "x"), come_and_go(two, "y")]
            await asyncio.gather(*talking, *changing, *moving)
            await asyncio.gather(*commands)
            for runtime in (one, two):
                await runtime.hub.check_heads()
                await runtime.hub.settle(10)
            written = await elsewhere(stored, project)
            total = 6 * MESSAGES + 2 * 2 * COMMANDS
            assert [seq for seq, _ in written] == list(range(1, total + 1))
            assert len({message_id for _, message_id in written}) == total
            for uid in uids:
                await client(uid).call("session.ping")
                assert seqs(client(uid)) == list(range(1, total + 1))
            found = await client("a1").call("room.get_attributes", room="math")
            last = {key: attribute["value"] for key, attribute in found["attributes"].items()}
            assert last == dict.fromkeys(("a3", "b3"), str(MESSAGES - 1)) | dict.fromkeys(
                ("c1", "c2"), str(COMMANDS - 1)
            )
    assert "locked" not in caplog.text
    assert "not committed" not in caplog.text


async def test_rule_sqlite_who_reads_does_not_wait_for_who_writes(project: Project) -> None:
    """A command holds the database's one write lock: joining, reading and looking at heads go on."""
    gate = ThreadGate()

    def hold() -> None:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 60000")
            Stream.objects.filter(project=project).update(created_by="somebody else")
            gate.come()

    async with runtimes(1) as (here,), clients(project.app_id, "math", ann=here, bob=here) as client:
        await client("ann").send("math", "one", "m1")
        await client("ann").call("room.set_attributes", room="math", message_id="a1", attributes={"k": "1"})
        holding = asyncio.create_task(elsewhere(hold))
        await gate.arrived()
        await client("bob").call("room.leave", room="math")
        joined = await client("bob").call("room.join", room="math")
        assert joined["attributes"]["k"]["value"] == "1"
        assert len((await client("bob").call("room.history", room="math"))["entries"]) == 1
        assert (await client("bob").call("room.get_attributes", room="math"))["revision"] == 1
        await here.hub.check_heads()
        gate.open()
        await holding


async def test_rule_sqlite_services_and_groups_take_turns_on_one_thread(
    runtime: Runtime, open_client: Callable[..., Client], app: str, shape: str
) -> None:
    if shape == "cluster":
        pytest.skip("PostgreSQL lets them run side by side")
    gate = ThreadGate()
    ann = open_client()
    await ann.login(app, "ann")
    await ann.call("room.join", room="math")
    await ann.send("math", "one", "m1")
    service = asyncio.create_task(runtime.bridge.write(gate.come))
    await gate.arrived()
    waiting = await ann.start("room.send", room="math", message_id="m2", message={"type": "TEXT", "text": "two"})
    await ann.call("session.ping")
    assert not waiting.done()
    gate.open()
    await service
    assert (await waiting)["seq"] == 2


def test_rule_sqlite_a_commit_is_on_the_disk(shape: str) -> None:
    if shape == "cluster":
        pytest.skip("what PostgreSQL does by itself")
    with connection.cursor() as cursor:
        found = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]  # 2: FULL
