"""The head check: what nobody was told of is found by comparing heads, for all live streams in one query."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from messaging import selectors
from messaging.models import Stream
from messaging.services import append_entry, ensure_stream
from projects.models import Project
from realtime.heads import HEAD_CHECK_S
from tests.support.doubles import Hints
from tests.support.hubs import KEY, HubBench
from tests.support.runtimes import clients, elsewhere, runtimes, seqs

TEXT = '{"type":"TEXT","text":"from a command"}'


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def command_appends(project_id: int, name: str, message_id: str) -> int:
    """What a management command of another process does: nobody is told."""
    now = datetime.now(UTC)
    with transaction.atomic():
        stream = ensure_stream(project_id=project_id, name=name, creator="admin", now=now)
        return append_entry(
            stream_id=stream.id, event="room.sent", sender="admin", message_id=message_id, body=TEXT, now=now
        )


def test_rule_head_check_is_made_every_two_seconds() -> None:
    assert HEAD_CHECK_S == 2.0


async def test_rule_head_check_finds_what_a_dead_publisher_committed(app: str) -> None:
    hints = Hints()
    hints.mode = "drop"
    async with runtimes(2, hints) as (here, there), clients(app, "math", ann=here, bob=there) as client:
        await client("bob").send("math", "never announced", "m1")
        await client("ann").expect_nothing("room.sent")
        await here.hub.check_heads()
        assert (await client("ann").expect("room.sent"))["body"]["text"] == "never announced"


async def test_rule_head_check_finds_what_a_command_wrote(project: Project) -> None:
    async with runtimes(1) as (here,), clients(project.app_id, "math", ann=here, bob=here) as client:
        await elsewhere(command_appends, project.pk, "room:math", "c1")
        await client("ann").expect_nothing("room.sent")
        await here.hub.check_heads()
        assert (await client("ann").expect("room.sent"))["body"]["text"] == "from a command"
        await client("bob").send("math", "and on", "m1")
        await client("ann").expect("room.sent")
        assert seqs(client("ann")) == seqs(client("bob")) == [1, 2]


async def test_rule_head_check_is_made_when_the_layer_is_back(app: str) -> None:
    hints = Hints()
    hints.mode = "drop"
    async with runtimes(2, hints) as (here, there), clients(app, "math", ann=here, bob=there) as client:
        await client("bob").send("math", "lost with the layer", "m1")
        hints.layers[0].reconnect()
        assert (await client("ann").expect("room.sent"))["body"]["text"] == "lost with the layer"


def test_rule_head_check_is_one_query_however_many_streams(project: Project) -> None:
    now = datetime.now(UTC)
    rows = [Stream(project=project, name=f"room:{n}", created_by="ann", created_at=now) for n in range(300)]
    Stream.objects.bulk_create(rows)
    ids = list(Stream.objects.filter(project=project).values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as queries:
        assert len(selectors.stream_heads(ids)) == 300
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        assert len(selectors.find_streams([(project.pk, row.name) for row in rows])) == 300
    assert len(queries) == 1


async def test_rule_head_check_a_head_read_before_a_commit_takes_nothing_back() -> None:
    bench = HubBench()
    ann = await bench.join()
    bench.publish(*bench.commit(2))
    heads = dict(await bench.store.heads([1]))
    later = bench.commit(1)

    async def stale(_ids: object) -> object:
        bench.publish(*later)  # committed and sent while the answer was on its way
        return heads

    bench.store.heads = stale  # type: ignore[assignment,method-assign]
    await bench.hub.check_heads()
    await bench.settle()
    assert ann.seqs() == [1, 2, 3]
    assert bench.stream.cursor == 3
    assert "stream.reset" not in [message["method"] for message in ann.messages()]


async def test_rule_head_check_a_head_behind_the_cursor_is_a_lost_time() -> None:
    """A failover to a copy that lacks the last commits keeps epochs, and numbers again what it lost."""
    bench = HubBench()
    ann = await bench.join()
    bench.publish(*bench.commit(5))
    row = bench.store.heads_of[KEY]
    bench.store.heads_of[KEY] = row._replace(head=3)
    del bench.store.rows[row.id][3:]
    await bench.hub.check_heads()
    bench.publish(*bench.commit(1, body='"numbered again"'))
    await bench.settle()
    reset, entry = ann.messages()[-2:]
    assert (reset["method"], reset["params"]["head"]) == ("stream.reset", 3)
    assert (entry["params"]["seq"], entry["params"]["body"]) == (4, "numbered again")
