"""Recovery in pages: pulled, bounded, in order; nothing is pushed to who is still behind."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from messaging import selectors
from realtime.runtime import Runtime
from realtime.streams import PAGE_BYTES, entry_item
from tests.support.client import CallFailed, Client, InProcess
from tests.support.hubs import HubBench
from tests.support.runtimes import UNLIMITED_LOGINS, clients, elsewhere, forget_rings, runtimes, seqs

BIG = "课" * 10_000
"""30,000 bytes of text."""


async def send_big(client: Client, room: str, number: int) -> None:
    """As a browser does: the text as it is, not escaped."""
    message = f'{{"type":"TEXT","text":"{BIG}"}}'
    await (await client.start_text("room.send", f'{{"room":"{room}","message_id":"b{number}","message":{message}}}'))


class Returning:
    """Ann, who was in some rooms, is away, and comes back."""

    def __init__(self, at: Runtime, app: str) -> None:
        self.at = at
        self.app = app
        self.session = ""
        self.cursors: dict[str, dict[str, Any]] = {}

    async def leave_from(self, *rooms: str) -> None:
        client = Client(InProcess(self.at))
        self.session = (await client.login(self.app, "ann"))["session"]
        for room in rooms:
            joined = await client.call("room.join", room=room)
            self.cursors[joined["stream"]] = {"seq": joined["head"], "epoch": joined["epoch"]}
        await client.close()

    async def come_back(self) -> tuple[Client, dict[str, Any]]:
        client = Client(InProcess(self.at))
        answer = await client.login(self.app, "ann", session=self.session, streams=self.cursors)
        assert answer["resumed"]
        streams: dict[str, Any] = answer["streams"]
        return client, streams


@pytest.mark.parametrize("from_database", [False, True])
async def test_rule_pages_a_page_has_at_most_256_kb(fast_app: str, from_database: bool) -> None:
    assert PAGE_BYTES == 256 * 1024
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,), clients(fast_app, "math", bob=here) as client:
        ann = Returning(here, fast_app)
        await ann.leave_from("math")
        for number in range(25):
            await send_big(client("bob"), "math", number)
        if from_database:
            forget_rings(here)
        back, streams = await ann.come_back()
        page = streams["room:math"]
        got: list[int] = []
        pages = 0
        while True:
            pages += 1
            assert len(json.dumps(page["entries"], ensure_ascii=False).encode()) <= PAGE_BYTES
            got += [entry["seq"] for entry in page["entries"]]
            if page["live"]:
                break
            page = await back.call("stream.read", stream="room:math", after=got[-1])
        assert got == list(range(1, 26))
        assert pages == 4
        await back.close()


async def test_rule_pages_all_streams_of_a_login_together_are_one_page(fast_app: str) -> None:
    rooms = [f"r{number}" for number in range(5)]
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,), clients(fast_app, bob=here) as client:
        ann = Returning(here, fast_app)
        await ann.leave_from(*rooms)
        for room in rooms:
            await client("bob").call("room.join", room=room)
            for number in range(4):
                await send_big(client("bob"), room, number)
        back, streams = await ann.come_back()
        size = len(back.frames[0].encode())
        assert size < PAGE_BYTES + 40_000, "at most a page, and one entry over it"
        for name, state in streams.items():
            assert state["recovered"]
            got = [entry["seq"] for entry in state["entries"]]
            live = state["live"]
            while not live:
                page = await back.call("stream.read", stream=name, after=got[-1] if got else 0)
                got += [entry["seq"] for entry in page["entries"]]
                live = page["live"]
            assert got == [1, 2, 3, 4]
        await back.close()


async def test_rule_pages_a_stream_beyond_the_first_page_is_not_called_recovered_unseen(fast_app: str) -> None:
    """However little room there is left in the answer, each cursor is looked at."""
    rooms = ("first", "second", "third", "fourth")
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,), clients(fast_app, bob=here) as client:
        ann = Returning(here, fast_app)
        await ann.leave_from(*rooms)
        for room in rooms:
            await client("bob").call("room.join", room=room)
            for number in range(10):
                await send_big(client("bob"), room, number)
        ann.cursors["room:third"] = {"seq": 3, "epoch": "another"}
        ann.cursors["room:fourth"] = {"seq": 11, "epoch": ""}
        back, streams = await ann.come_back()
        assert [streams[f"room:{room}"]["recovered"] for room in rooms] == [True, True, False, False]
        assert [streams[f"room:{room}"]["live"] for room in rooms] == [False, False, True, True]
        await back.close()


async def test_rule_pages_who_catches_up_gets_no_pushes_until_the_last_page(fast_app: str) -> None:
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,), clients(fast_app, "math", bob=here) as client:
        ann = Returning(here, fast_app)
        await ann.leave_from("math")
        for number in range(12):
            await send_big(client("bob"), "math", number)
        back, streams = await ann.come_back()
        assert not streams["room:math"]["live"]
        await client("bob").send("math", "not pushed", "n1")
        await back.expect_nothing("room.sent")
        last = streams["room:math"]["entries"][-1]["seq"]
        page = await back.call("stream.read", stream="room:math", after=last)
        assert [entry["seq"] for entry in page["entries"]] == list(range(last + 1, 14))
        assert page["live"]
        await client("bob").send("math", "pushed", "n2")
        assert (await back.expect("room.sent"))["seq"] == 14
        await back.close()


@pytest.mark.parametrize("from_database", [False, True])
async def test_rule_pages_meet_a_stream_that_grows_all_the_while(fast_app: str, from_database: bool) -> None:
    """The reader is faster than the writer by the size of a page: it arrives, and misses nothing."""
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,), clients(fast_app, "math", bob=here) as client:
        ann = Returning(here, fast_app)
        await ann.leave_from("math")
        sent = 0

        async def grow(count: int) -> None:
            nonlocal sent
            for _ in range(count):
                sent += 1
                await send_big(client("bob"), "math", sent)

        await grow(30)
        if from_database:
            forget_rings(here)
        back, streams = await ann.come_back()
        got = [entry["seq"] for entry in streams["room:math"]["entries"]]
        live = streams["room:math"]["live"]
        rounds = 0
        while not live:
            await grow(4)
            page = await back.call("stream.read", stream="room:math", after=got[-1])
            got += [entry["seq"] for entry in page["entries"]]
            live = page["live"]
            rounds += 1
            assert rounds < 20, "the reader does not come nearer"
        await grow(2)
        await back.call("session.ping")
        assert got + seqs(back) == list(range(1, sent + 1))
        await back.close()


async def test_rule_pages_a_rejoin_is_paged_as_a_resume_is(fast_app: str) -> None:
    async with runtimes(1) as (here,), clients(fast_app, "math", bob=here) as client:
        for number in range(20):
            await send_big(client("bob"), "math", number)
        ann = Client(InProcess(here))
        await ann.login(fast_app, "ann")
        page = await ann.call("room.join", room="math", after={"seq": 2, "epoch": ""})
        assert (page["recovered"], page["live"], page["head"]) == (True, False, 20)
        got = [entry["seq"] for entry in page["entries"]]
        await client("bob").send("math", "not pushed", "n1")
        await ann.expect_nothing("room.sent")
        while not page["live"]:
            page = await ann.call("stream.read", stream="room:math", after=got[-1])
            got += [entry["seq"] for entry in page["entries"]]
        await client("bob").send("math", "pushed", "n2")
        assert (await ann.expect("room.sent"))["seq"] == 22
        assert got == list(range(3, 22))
        await ann.close()


async def test_rule_pages_where_no_entries_fit_the_window_begins_at_head() -> None:
    """An answer that is full already: the gap is cut at the window, and its entries are pulled from there."""
    bench = HubBench()
    await bench.join()
    bench.publish(*bench.commit(3))
    bench.clock.advance(700)
    bench.publish(*bench.commit(4))
    bench.stream.forget_ring(7)
    cut = await bench.recoveries.recover(bench.reader, 1, "first", 600_000, 0)
    assert (cut.recovered, cut.head, cut.entries, cut.live) == (False, 3, [], False)
    whole = await bench.recoveries.recover(bench.reader, 3, "first", 600_000, 0)
    assert (whole.recovered, whole.head, whole.entries, whole.live) == (True, 7, [], False)
    page = await bench.recoveries.page(bench.reader, cut.head)
    assert [seq for seq, _ in page.entries] == [4, 5, 6, 7]


async def test_rule_pages_a_reconnect_storm_reads_the_gap_once_if_at_all(
    fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        read = getattr(selectors, name)

        def run(*args: Any) -> Any:
            reads.append(name)
            return read(*args)

        return run

    for name in ("read_entries", "first_seq_since"):
        monkeypatch.setattr(selectors, name, counted(name))
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,), clients(fast_app, "math", bob=here) as client:
        away = []
        for number in range(30):
            reader = Client(InProcess(here))
            session = (await reader.login(fast_app, f"u{number}"))["session"]
            await reader.call("room.join", room="math")
            await reader.close()
            away.append((f"u{number}", session))
        for number in range(10):
            await client("bob").send("math", "while they are away", f"m{number}")
        for uid, session in away:
            back = Client(InProcess(here))
            cursor = {"room:math": {"seq": 0, "epoch": ""}}
            state = (await back.login(fast_app, uid, session=session, streams=cursor))["streams"]["room:math"]
            assert [entry["seq"] for entry in state["entries"]] == list(range(1, 11))
            await back.close()
    assert not reads, "what the process has just sent it still knows"


async def test_rule_pages_ring_and_database_give_the_same_bytes(fast_app: str) -> None:
    async with runtimes(1) as (here,), clients(fast_app, "math", ann=here) as client:
        odd = ["plain", "\u0000\u2028 \\ \"quoted\" 'x'", "课堂 😀", "a/b</script>", " "]
        for number, text in enumerate(odd):
            message = f'{{"text":{json.dumps(text, ensure_ascii=number % 2 == 0)},  "type":"TEXT"}}'
            params = f'{{"room":"math","message_id":"m{number}","message":{message}}}'
            await (await client("ann").start_text("room.send", params))
        attributes = {"键"[:1]: "värde", "k": "\u2028\\"}
        await client("ann").call("room.set_attributes", room="math", message_id="a1", attributes=attributes)
        await client("ann").call("session.ping")
        (stream,) = [stream for stream in here.hub.live.values() if not stream.is_inbox]
        (reader,) = stream.subscriptions.values()
        from_ring = (await here.recoveries.page(reader, 0)).entries
        forget_rings(here)
        from_database = (await here.recoveries.page(reader, 0)).entries
        assert from_ring == from_database
        assert [seq for seq, _ in from_ring] == list(range(1, len(odd) + 2))
        pushed = "".join(client("ann").frames)
        page = await client("ann").call("stream.read", stream="room:math", after=0)
        for (_, text), entry in zip(from_database, page["entries"], strict=True):
            assert text in pushed, "and these are the bytes that members were sent"
            assert json.loads(entry_item(text)) == entry


async def test_a_stream_is_read_by_its_subscribers_only(fast_app: str) -> None:
    async with runtimes(1) as (here,), clients(fast_app, "math", ann=here) as client:
        stranger = Client(InProcess(here))
        await stranger.login(fast_app, "stranger")
        for name in ("room:math", "room:other", "nothing"):
            with pytest.raises(CallFailed) as failed:
                await stranger.call("stream.read", stream=name, after=0)
            assert failed.value.name == "not_in_room"
        await stranger.close()
        page = await client("ann").call("stream.read", stream="room:math", after=5)
        assert page == {"entries": [], "epoch": "", "head": 0, "live": True}


async def test_an_entry_alone_may_be_larger_than_a_page_was_to_be(fast_app: str) -> None:
    """Escapes make 32 KB of text six times as long; a page has at least one entry, so it always goes on."""
    async with runtimes(1) as (here,), clients(fast_app, "math", ann=here) as client:
        for number in range(3):
            message = '{"type":"TEXT","text":"' + "\\u0001" * 32_000 + '"}'
            params = f'{{"room":"math","message_id":"m{number}","message":{message}}}'
            await (await client("ann").start_text("room.send", params))
        (stream,) = [stream for stream in here.hub.live.values() if not stream.is_inbox]
        assert stream.id is not None
        for limit in (1, 200_000, 400_000):
            rows = await elsewhere(selectors.read_entries, stream.id, 0, limit)
            assert [row.seq for row in rows] == list(range(1, max(1, limit // 193_000) + 1))
