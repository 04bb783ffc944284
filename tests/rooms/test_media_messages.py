"""Files and images in rooms (docs/contract.md 4): what the room sees of them, and their place in its order."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from messaging.media.models import Media, MediaState, MediaUse
from messaging.media.uses import use_media
from projects.models import Project
from realtime.errors import UNAVAILABLE, RpcError
from realtime.runtime import Runtime
from tests.support.client import TAKES_MEDIA, CallFailed, Client
from tests.support.doubles import Gate
from tests.support.media import IMAGE, ready_media
from tests.support.runtimes import entries

Enter = Callable[..., Awaitable[Client]]
TEXT = {"type": "TEXT", "text": "x"}
THUMBNAIL = base64.b64encode(b"a small one").decode()
LIMIT = 32 * 1024


@pytest.fixture
def enter(enter: Enter) -> Enter:
    """Of clients that take files and images."""
    return partial(enter, **TAKES_MEDIA)


def file(media: str, **fields: Any) -> dict[str, Any]:
    return {"type": "FILE", "media": media, **fields}


async def send(client: Client, message: dict[str, Any], message_id: str = "m1", **params: Any) -> Any:
    return await client.call("room.send", room="math", message_id=message_id, message=message, **params)


async def refusal(client: Client, message: dict[str, Any], message_id: str = "m1", **params: Any) -> str:
    with pytest.raises(CallFailed) as refused:
        await send(client, message, message_id, **params)
    return refused.value.name


class Held:
    """Whoever asks about files waits at the gate; then the database answers, or fails."""

    def __init__(self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = Gate()
        self.failure: RpcError | None = None
        self._write = runtime.bridge.write
        monkeypatch.setattr(runtime.bridge, "write", self._wait)

    async def _wait(self, function: Any, **wanted: Any) -> Any:
        if function is use_media:
            await self.gate.come()
            if self.failure is not None:
                raise self.failure
        return await self._write(function, **wanted)


@pytest.fixture
def held(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(runtime, monkeypatch)


# What the room sees


async def test_an_image_is_what_the_server_knows_of_it(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann", "math"), await enter(app, "bob", "math")
    media = await ready_media(app, "ann", **IMAGE)
    wished = {"name": "../up/the board.png", "description": "page 12", "width": 1, "height": 1}
    own = {"thumbnail": THUMBNAIL, "thumbnail_width": 8, "thumbnail_height": 6}
    answer = await send(ann, {"type": "IMAGE", "media": media, **wished, **own})
    said = {
        "type": "IMAGE",
        "media": media,
        "name": "the board.png",
        "description": "page 12",
        "thumbnail": THUMBNAIL,
        "size": 3_000,
        "content_type": "image/png",
        "width": 640,
        "height": 480,
        "thumbnail_width": 8,
        "thumbnail_height": 6,
    }
    for client in (ann, bob):
        pushed = await client.expect("room.media_sent")
        assert (pushed["seq"], pushed["ts"], pushed["sender"]) == (answer["seq"], answer["ts"], "ann")
        assert pushed["body"] == said
    (entry,) = (await bob.call("room.history", room="math"))["entries"]
    assert (entry["event"], entry["body"]) == ("room.media_sent", said)


async def test_what_the_sender_does_not_say_is_the_uploads(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "math")
    media = await ready_media(app, "ann", **IMAGE)
    await send(ann, {"type": "IMAGE", "media": media}, "m1")
    image = (await ann.expect("room.media_sent"))["body"]
    assert (image["name"], image["description"], "thumbnail" in image) == ("board.png", "", False)
    assert (image["thumbnail_width"], image["thumbnail_height"]) == (320, 240)
    await send(ann, file(media), "m2")
    sent = (await ann.expect("room.media_sent"))["body"]
    assert sent == {
        "type": "FILE",
        "media": media,
        "name": "board.png",
        "description": "",
        "size": 3_000,
        "content_type": "image/png",
    }


@pytest.mark.shapeless
async def test_name_description_and_thumbnail_have_32_kib_together(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "math")
    media = await ready_media(app, "ann")
    most = base64.b64encode(bytes(LIMIT - 6)).decode()
    assert await refusal(ann, file(media, name="a", description="你好", thumbnail=most)) == "size_overflow"
    await send(ann, file(media, description="你好", thumbnail=most))
    assert (await ann.expect("room.media_sent"))["body"]["thumbnail"] == most


# What is refused


async def test_a_file_that_the_sender_may_not_use_is_not_found(
    enter: Enter, app: str, make_project: Callable[..., Project]
) -> None:
    ann = await enter(app, "ann", "math")
    other = await sync_to_async(make_project)()
    started = await ready_media(app, "ann", state=MediaState.STARTED)
    expired = await ready_media(app, "ann")
    await Media.objects.filter(media_id=expired).aupdate(expires_at=datetime(2001, 1, 1, tzinfo=UTC))
    bobs, elsewhere = await ready_media(app, "bob"), await ready_media(other.app_id, "ann")
    for media in ("0" * 32, bobs, elsewhere, started, expired):
        assert await refusal(ann, file(media)) == "media_not_found"
    assert not await MediaUse.objects.filter(stream__project__app_id=app).aexists()
    assert (await ann.call("room.history", room="math"))["entries"] == []


@pytest.mark.shapeless
async def test_what_is_no_message_with_a_file_is_refused(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "math")
    media = await ready_media(app, "ann")
    for message in (
        {"type": "IMAGE", "media": media},  # nothing that was decoded
        {"type": "FILE"},
        {"type": "FILE", "media": media.upper() + "x"},
        {"type": "FILE", "media": f"{media}\n"},
        {"type": "FILE", "media": media, "thumbnail": "?"},
        {"type": "FILE", "media": media, "width": 1},
        {"type": "IMAGE", "media": media, "thumbnail_width": -1},
        {"type": "FILE", "media": media, "size": 1},
    ):
        assert await refusal(ann, message) == "invalid_params"


# Order


async def test_what_the_same_sender_sends_behind_a_file_waits_for_it_and_nobody_else_does(
    enter: Enter, app: str, held: Held
) -> None:
    ann, bob = await enter(app, "ann", "math", "art"), await enter(app, "bob", "math", "art")
    media = await ready_media(app, "ann")
    messages = [TEXT, file(media), TEXT, file(media), TEXT]
    await bob.send("math", "the room's row", "b0")
    waiting = [
        await ann.start("room.send", room="math", message_id=f"m{number}", message=message)
        for number, message in enumerate(messages)
    ]
    await held.gate.arrived()
    assert (await waiting[0])["seq"] == 2
    assert (await bob.send("math", "meanwhile", "b1"))["seq"] == 3
    assert (await ann.send("art", "another room", "m0"))["seq"] == 1
    assert not any(answer.done() for answer in waiting[1:])
    held.gate.open()
    assert [(await answer)["seq"] for answer in waiting] == [2, 4, 5, 6, 7]
    await bob.call("session.ping")
    found = [entry["message_id"] for entry in entries(bob) if entry["stream"] == "room:math"]
    assert found == ["b0", "m0", "b1", "m1", "m2", "m3", "m4"]


async def test_a_file_may_be_the_first_message_of_a_room(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "math")
    media = await ready_media(app, "ann")
    messages = [file(media), TEXT, file(media), TEXT]
    waiting = [
        await ann.start("room.send", room="math", message_id=f"m{number}", message=message)
        for number, message in enumerate(messages)
    ]
    assert [(await answer)["seq"] for answer in waiting] == [1, 2, 3, 4]


async def run(ann: Client, media: str, first: int = 0) -> list[Any]:
    """Three messages, the one in the middle with a file, each behind the one before; their seqs, or errors."""
    waiting = []
    for number, message in enumerate([TEXT, file(media), TEXT]):
        behind = {"follows": f"m{first + number - 1}"} if number else {}
        params = {"room": "math", "message_id": f"m{first + number}", "message": message, **behind}
        waiting.append(await ann.start("room.send", **params))
    answers: list[Any] = await asyncio.gather(*waiting, return_exceptions=True)
    return [answer.name if isinstance(answer, CallFailed) else answer["seq"] for answer in answers]


async def test_rule_turns_a_file_that_is_refused_for_good_holds_nobody_up(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "math")
    assert await run(ann, "0" * 32) == [1, "media_not_found", 2]


async def test_rule_turns_who_stands_behind_a_file_that_could_not_be_looked_at_is_not_written(
    enter: Enter, app: str, held: Held
) -> None:
    ann = await enter(app, "ann", "math")
    media = await ready_media(app, "ann")
    await ann.send("math", "the room's row", "first")
    held.failure = RpcError(UNAVAILABLE)
    running = asyncio.create_task(run(ann, media))
    await held.gate.arrived()
    await ann.expect("room.sent")
    await ann.expect("room.sent")  # what stands before it is not held up
    held.gate.open()
    assert await running == [2, "unavailable", "out_of_turn"]
    held.failure = None
    assert await run(ann, media) == [2, 3, 4]


async def test_what_nobody_waits_for_any_more_is_not_looked_at(
    enter: Enter, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await enter(app, "ann", "math")
    media = await ready_media(app, "ann")
    with monkeypatch.context() as late:
        late.setattr("messaging.engine.EXPIRY_S", -1.0)
        assert await refusal(ann, file(media)) == "expired"
    assert not await MediaUse.objects.filter(media__media_id=media).aexists()
    assert (await send(ann, file(media)))["seq"] == 1


# Again


async def test_rule_idempotency_of_a_message_with_a_file(enter: Enter, app: str) -> None:
    """Also when both attempts are in flight, and when its sender or the file has gone."""
    ann, bob = await enter(app, "ann", "math"), await enter(app, "bob", "math")
    media, other = await ready_media(app, "ann"), await ready_media(app, "ann")
    wish = {"room": "math", "message_id": "m1", "message": file(media)}
    both = [await ann.start("room.send", **wish) for _ in range(2)]
    first = await both[0]
    assert await both[1] == first
    assert await ann.call("room.send", **wish | {"message": file(other)}) == first
    assert [use async for use in MediaUse.objects.filter(message_id="m1", stream__project__app_id=app)]
    await MediaUse.objects.filter(media__media_id=media).adelete()
    assert await ann.call("room.send", **wish) == first
    assert await refusal(ann, TEXT) == "invalid_params"
    await send(ann, TEXT, "m2")
    assert await refusal(ann, file(media), "m2") == "invalid_params"
    await ann.call("room.leave", room="math")
    assert await ann.call("room.send", **wish) == first
    assert await refusal(ann, file(media), "m3") == "not_in_room"
    await bob.call("session.ping")
    assert [entry["message_id"] for entry in entries(bob)] == ["m1", "m2"]


# Handed on


async def test_who_has_got_a_file_hands_it_on(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann", "math"), await enter(app, "bob", "math", "art")
    carol = await enter(app, "carol", "art")
    media = await ready_media(app, "ann")
    await send(ann, file(media))
    await bob.call("room.send", room="art", message_id="m1", message=file(media, name="from ann"))
    assert (await carol.expect("room.media_sent"))["body"]["name"] == "from ann"
    assert await carol.call("media.url", media=media)
    await bob.call("room.leave", room="math")
    await bob.call("room.leave", room="art")
    with pytest.raises(CallFailed) as refused:
        await bob.call("peer.send", peer="dan", message_id="m2", message=file(media), offline=True)
    assert refused.value.name == "media_not_found"
