"""A room whose members' clients can different things: the gateway's answers and pushes to each."""

from typing import Any

from rooms.methods.messages import MEDIA_SENT
from tests.support.appends import append_message
from tests.support.client import TAKES_MEDIA, Client, InProcess
from tests.support.runtimes import UNLIMITED_LOGINS, entries, forget_rings, runtimes

FILE = {"type": "FILE", "media": "0" * 32, "name": ',"body":{}'}
ROOM = "room:math"


async def logged_in(runtime: Any, app: str, uid: str, **params: Any) -> tuple[Client, dict[str, Any]]:
    client = Client(InProcess(runtime))
    return client, await client.login(app, uid, **params)


def seen(items: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(item["event"], item["seq"]) for item in items]


async def test_a_client_without_the_capability_is_told_of_files_as_skipped_wherever_it_looks(fast_app: str) -> None:
    """Two processes, a join, a page, a resume, a history; and what it gets when it has learned to take them."""
    async with runtimes(2, timing=UNLIMITED_LOGINS) as (here, there):
        ann, _ = await logged_in(here, fast_app, "ann", **TAKES_MEDIA)
        bob, login = await logged_in(there, fast_app, "bob")
        for client in (ann, bob):
            await client.call("room.join", room="math")
        await ann.send("math", "before", "m1")
        await append_message(here, fast_app, ROOM, MEDIA_SENT, "ann", "m2", FILE)
        await ann.send("math", "after", "m3")

        pushed = await ann.expect(MEDIA_SENT)
        skipped = await bob.expect("stream.skipped")
        assert pushed["body"] == FILE
        assert skipped == {**pushed, "body": {}}
        await bob.expect("room.sent")
        assert [entry["seq"] for entry in entries(bob)] == [1, 2, 3]

        as_skipped = [("room.sent", 1), ("stream.skipped", 2), ("room.sent", 3)]
        as_it_is = [("room.sent", 1), (MEDIA_SENT, 2), ("room.sent", 3)]
        start = {"seq": 0, "epoch": ""}
        for _ in range(2):  # by the ring, and by the database
            for client, wanted in ((ann, as_it_is), (bob, as_skipped)):
                assert seen((await client.call("stream.read", stream=ROOM, after=0))["entries"]) == wanted
                assert seen((await client.call("room.join", room="math", after=start))["entries"]) == wanted
            for runtime in (here, there):
                forget_rings(runtime)

        assert seen((await ann.call("room.history", room="math"))["entries"]) == as_it_is[::-1]
        assert seen((await bob.call("room.history", room="math"))["entries"]) == [("room.sent", 3), ("room.sent", 1)]

        resume = {"session": login["session"], "streams": {ROOM: start}}
        learned, answer = await logged_in(there, fast_app, "bob", **resume, **TAKES_MEDIA)
        assert seen(answer["streams"][ROOM]["entries"]) == as_it_is
        await append_message(here, fast_app, ROOM, MEDIA_SENT, "ann", "m4", FILE)
        assert (await learned.expect(MEDIA_SENT))["seq"] == 4
        unlearned, answer = await logged_in(here, fast_app, "bob", **resume)
        assert seen(answer["streams"][ROOM]["entries"]) == [*as_skipped, ("stream.skipped", 4)]
        await append_message(there, fast_app, ROOM, MEDIA_SENT, "ann", "m5", FILE)
        await here.hub.check_heads()
        assert (await unlearned.expect("stream.skipped"))["seq"] == 5
        for client in (ann, bob, learned, unlearned):
            await client.close()
