"""Room messages: their two types and their size (docs/contract.md 4)."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from projects.models import Project
from realtime.pressure import CONNECTION_REQUESTS
from realtime.runtime import Runtime
from tests.support.client import CallFailed, Client
from tests.support.runtimes import entries

LIMIT = 32 * 1024

Enter = Callable[..., Awaitable[Client]]


def raw(size: int, description: str = "") -> dict[str, Any]:
    return {"type": "RAW", "raw": base64.b64encode(bytes(size)).decode(), "description": description}


async def send_json(client: Client, message: str) -> Any:
    """Sends a message that is written as this JSON; its answer, or the name of its error."""
    future = await client.start_text("room.send", f'{{"room":"math","message_id":"m1","message":{message}}}')
    try:
        return await future
    except CallFailed as failed:
        return failed.name


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a", "a"),
        ("é", "é"),
        ("é", "\\u00e9"),
        ("你", "你"),
        ("你", "\\u4f60"),
        ("😀", "😀"),
        ("😀", "\\ud83d\\ude00"),
        ("\x00", "\\u0000"),
        ("\x1f", "\\u001f"),
        ('"', '\\"'),
        ("\\", "\\\\"),
        ("\n", "\\n"),
        ("/", "\\/"),
        ("a", "\\u0061"),
    ],
)
async def test_text_has_32_kib_in_utf8_however_it_is_written(enter: Enter, app: str, text: str, written: str) -> None:
    ann = await enter(app, "ann", "math")
    bob = await enter(app, "bob", "math")
    fitting, rest = divmod(LIMIT, len(text.encode()))
    assert await send_json(ann, f'{{"type":"TEXT","text":"{written * fitting}{"a" * (rest + 1)}"}}') == "size_overflow"
    assert (await send_json(ann, f'{{"type":"TEXT","text":"{written * fitting}{"a" * rest}"}}'))["seq"] == 1
    body = (await bob.expect("room.sent"))["body"]
    assert body == {"type": "TEXT", "text": text * fitting + "a" * rest}
    (entry,) = (await ann.call("room.history", room="math"))["entries"]
    assert entry["body"] == body


@pytest.mark.parametrize(
    ("size", "description"),
    [(LIMIT, ""), (LIMIT - 5, "photo"), (0, "d" * LIMIT), (LIMIT - 6, "你好"), (1, "\x00" * (LIMIT - 1))],
)
async def test_raw_bytes_and_description_have_32_kib_together(
    enter: Enter, app: str, size: int, description: str
) -> None:
    ann = await enter(app, "ann", "math")
    bob = await enter(app, "bob", "math")
    with pytest.raises(CallFailed) as refused:
        await ann.call("room.send", room="math", message_id="m1", message=raw(size + 1, description))
    assert refused.value.name == "size_overflow"
    message = raw(size, description)
    await ann.call("room.send", room="math", message_id="m1", message=message)
    assert (await bob.expect("room.sent"))["body"] == message


async def test_a_raw_message_needs_no_description(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "math")
    message = {"type": "RAW", "raw": "AAECAw=="}
    await ann.call("room.send", room="math", message_id="m1", message=message)
    assert (await ann.expect("room.sent"))["body"] == message


async def test_a_message_arrives_as_it_was_written(enter: Enter, app: str) -> None:
    """It is passed on, not taken apart and written anew."""
    ann = await enter(app, "ann", "math")
    written = '{ "text" : "\\u0061\\u4f60\\/" ,"type":"TEXT"}'
    await send_json(ann, written)
    await ann.expect("room.sent")
    assert any(written in frame for frame in ann.frames)
    await ann.call("room.history", room="math")
    assert written in ann.frames[-1]


@pytest.mark.parametrize(
    "message",
    [
        "null",
        "[]",
        '"TEXT"',
        "1",
        "{}",
        '{"type":"TEXT"}',
        '{"text":"a"}',
        '{"type":"TEXT","text":null}',
        '{"type":"TEXT","text":1}',
        '{"type":"TEXT","text":["a"]}',
        '{"type":"TEXT","text":"a","raw":"AA=="}',
        '{"type":"TEXT","text":"a","messageType":"TEXT"}',
        '{"type":"text","text":"a"}',
        '{"type":"FILE","text":"a"}',
        '{"type":null,"text":"a"}',
        '{"type":"RAW"}',
        '{"type":"RAW","raw":"A"}',
        '{"type":"RAW","raw":"*"}',
        '{"type":"RAW","raw":[0]}',
        '{"type":"RAW","raw":"AA==","description":null}',
        '{"type":"RAW","raw":"AA==","text":"a"}',
    ],
)
async def test_what_is_no_message_is_refused_and_not_stored(enter: Enter, app: str, message: str) -> None:
    ann = await enter(app, "ann", "math")
    assert await send_json(ann, message) == "invalid_params"
    assert (await ann.call("room.history", room="math"))["entries"] == []


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00", "\\ud83d", "\\udc00\\ud800", "\\x", "\\u12"])
async def test_text_that_is_no_unicode_is_refused_and_not_stored(enter: Enter, app: str, text: str) -> None:
    ann = await enter(app, "ann", "math")
    await ann.start_text(
        "room.send", f'{{"room":"math","message_id":"m1","message":{{"type":"TEXT","text":"{text}"}}}}'
    )
    while "error" not in (answer := await ann.next_push()):
        pass
    assert answer["error"]["data"]["name"] == "parse_error"
    assert (await ann.call("room.history", room="math"))["entries"] == []


async def test_only_members_send(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "art")
    with pytest.raises(CallFailed) as refused:
        await ann.send("math", "hello", "m1")
    assert refused.value.name == "not_in_room"


async def test_a_pipelined_message_is_checked_like_any_other(open_client: Callable[..., Client], app: str) -> None:
    """What is sent before the login's answer waits for it, and fails on its own account."""
    client = open_client()
    login = await client.start("session.login", app=app, uid="ann")
    wrong = await client.start("room.send", room="math", message_id="m1", message={"type": "TEXT"})
    large = await client.start(
        "room.send", room="math", message_id="m2", message={"type": "TEXT", "text": "a" * (LIMIT + 1)}
    )
    join = await client.start("room.join", room="math")
    assert (await login)["resumed"] is False
    for future, name in ((wrong, "invalid_params"), (large, "size_overflow")):
        with pytest.raises(CallFailed) as refused:
            await future
        assert refused.value.name == name
    assert (await join)["head"] == 0


async def test_pipelined_calls_count_as_work_until_they_are_answered(
    open_client: Callable[..., Client], runtime: Runtime, fast_app: str
) -> None:
    """More of them than a connection may have in work at once."""
    client = open_client()
    login = await client.start("session.login", app=fast_app, uid="ann")
    message = {"type": "TEXT", "text": "x"}
    sends = [
        await client.start("room.send", room="math", message_id=f"m{number}", message=message)
        for number in range(CONNECTION_REQUESTS + 6)
    ]
    await login
    for answer in await asyncio.gather(*sends, return_exceptions=True):
        assert isinstance(answer, CallFailed)
        assert answer.name == "not_in_room"
    await client.call("session.ping")
    assert runtime.pressure.bytes == 0


async def test_calls_of_a_connection_that_is_gone_count_no_more(
    open_client: Callable[..., Client], runtime: Runtime, fast_app: str
) -> None:
    client = open_client()
    await client.login(fast_app, "ann")
    for number in range(20):
        await client.start("room.join", room=f"room-{number}")
    await client.close()
    await runtime.hub.settle(10)
    assert runtime.pressure.bytes == 0


async def say(client: Client, message_id: str, **params: str) -> Any:
    """The seq, or the name of the error."""
    try:
        text = {"type": "TEXT", "text": "x"}
        return (await client.call("room.send", room="math", message_id=message_id, message=text, **params))["seq"]
    except CallFailed as failed:
        return failed.name


async def test_rule_turns_a_message_is_taken_only_behind_the_one_it_follows(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann", "math")
    assert await say(ann, "m1", follows="m0") == "out_of_turn", "that was refused, or never came"
    assert [await say(ann, "m0"), await say(ann, "m1", follows="m0")] == [1, 2]
    assert await say(ann, "m3", follows="m2") == "out_of_turn"
    assert await say(ann, "m4", follows="m3") == "out_of_turn"
    assert [await say(ann, "m2"), await say(ann, "m3", follows="m2"), await say(ann, "m4", follows="m3")] == [3, 4, 5]
    assert [await say(ann, "m0"), await say(ann, "m5", follows="m0")] == [1, 6], "sent again, and gone on behind it"


@pytest.fixture
def dripping(make_project: Callable[..., Project]) -> str:
    """An app that takes a message in a millisecond."""
    return make_project(limits={"rates": {"message": [2, 2]}}).app_id


async def test_rule_turns_what_was_sent_behind_a_refused_message_does_not_overtake_it(
    enter: Enter, dripping: str
) -> None:
    """The rate lets later ones pass: each run goes on where the last one was refused."""
    ann = await enter(dripping, "ann", "math")
    left = [f"m{number}" for number in range(20)]
    while left:
        answers = []
        for message_id, before in zip(left, [None, *left], strict=False):
            params = {"room": "math", "message_id": message_id, "message": {"type": "TEXT", "text": "x"}}
            answers.append(await ann.start("room.send", **params, follows=before))
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        taken = [message_id for message_id, outcome in zip(left, outcomes, strict=True) if isinstance(outcome, dict)]
        assert taken == left[: len(taken)]
        left = left[len(taken) :]
    await ann.call("session.ping")
    assert [entry["message_id"] for entry in entries(ann)] == [f"m{number}" for number in range(20)]
