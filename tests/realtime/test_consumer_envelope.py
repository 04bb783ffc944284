"""What may come in a frame: requests, notifications, batches, and everything that is none of it."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from realtime.calls import Call
from realtime.close_codes import FRAME_TOO_BIG, PROTOCOL_ERROR
from realtime.connection import ERROR_RATE
from realtime.payloads import Empty
from realtime.protocol import MAX_BATCH, MAX_FRAME_BYTES
from realtime.registry import METHODS, Method
from tests.support.client import CallFailed, Client, InProcess
from tests.support.runtimes import runtimes

pytestmark = pytest.mark.shapeless

PING = {"jsonrpc": "2.0", "method": "session.ping"}


async def answers(client: Client, text: str) -> list[Any]:
    """What a frame was answered with: all that came before the answer to a ping."""
    before = len(client.frames)
    await client.send_text(text)
    await client.send_text(json.dumps(PING | {"id": "marker"}))
    found: list[Any] = []
    async with asyncio.timeout(10):
        while True:
            frames, before = client.frames[before:], len(client.frames)
            for frame in frames:
                decoded = json.loads(frame)
                for message in decoded if isinstance(decoded, list) else [decoded]:
                    if message.get("id") == "marker":
                        return found
                    found.append(message)
            await asyncio.sleep(0)


def errors(messages: list[Any]) -> list[tuple[Any, str]]:
    return [(message["id"], message["error"]["data"]["name"]) for message in messages]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        '{"jsonrpc":"2.0","method":"session.ping","id":1',
        "[1,2",
        '"',
        "\x00",
        "[]]",
        "[" * 100_000,
    ],
)
async def test_what_is_no_json_is_a_parse_error(open_client: Callable[..., Client], text: str) -> None:
    found = await answers(open_client(), text)
    assert errors(found) == [(None, "parse_error")]
    assert found[0]["error"]["code"] == -32700


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "1",
        "null",
        '"session.ping"',
        '{"jsonrpc":"1.0","method":"session.ping","id":1}',
        '{"method":"session.ping","id":1}',
        '{"jsonrpc":"2.0","id":1}',
        '{"jsonrpc":"2.0","method":7,"id":1}',
        '{"jsonrpc":"2.0","method":null,"id":1}',
        '{"jsonrpc":"2.0","method":"session.ping","id":1.5}',
        '{"jsonrpc":"2.0","method":"session.ping","id":{}}',
        '{"jsonrpc":"2.0","method":"session.ping","id":true}',
        '{"jsonrpc":"2.0","method":"session.ping","id":["1"]}',
        '{"jsonrpc":"2.0","method":"session.ping","id":"%s"}' % ("x" * 65),
        '{"jsonrpc":"2.0","method":"session.ping","id":%s}' % ("9" * 20),
        '{"jsonrpc":"2.0","method":"session.ping","id":%s}' % ("9" * 5_000),
        '{"jsonrpc":"2.0","id":1,"result":{}}',
        "[]",
    ],
)
async def test_what_is_no_request_is_an_invalid_request(open_client: Callable[..., Client], text: str) -> None:
    assert errors(await answers(open_client(), text)) == [(None, "invalid_request")]


async def test_an_error_does_not_repeat_what_it_was_sent(open_client: Callable[..., Client]) -> None:
    """Or a small botnet of bad requests would be a large one of replies."""
    client = open_client()
    long = "x" * 100_000
    for text in (
        f'{{"jsonrpc":"{long}","method":"session.ping","id":1}}',
        f'{{"jsonrpc":"2.0","method":"{long}","id":1}}',
        f'{{"jsonrpc":"2.0","method":"session.ping","id":"{long}"}}',
        f'{{"jsonrpc":"2.0","method":"session.ping","id":1,"params":{{"{long}":1}}}}',
        f'{{"jsonrpc":"2.0","method":"session.ping","id":1,"params":{{"received":"{long}"}}}}',
    ):
        (found,) = await answers(client, text)
        assert "error" in found
        assert len(json.dumps(found)) < 1_000


@pytest.mark.parametrize("request_id", [0, -1, 2**53, "", "a", "x" * 64, "é\n\u2028", None])
async def test_an_id_comes_back_as_it_was(open_client: Callable[..., Client], request_id: Any) -> None:
    found = await answers(open_client(), json.dumps(PING | {"id": request_id}))
    assert found == [{"jsonrpc": "2.0", "id": request_id, "result": {}}]


async def test_a_notification_gets_no_answer_whatever_becomes_of_it(open_client: Callable[..., Client]) -> None:
    client = open_client()
    for notification in (
        PING,
        PING | {"method": "no.such"},
        PING | {"params": {"received": "x"}},
        PING | {"params": 1},
    ):
        assert await answers(client, json.dumps(notification)) == []


async def test_a_batch_is_answered_in_order_and_mixed_as_it_may_be(open_client: Callable[..., Client]) -> None:
    batch = [PING | {"id": 1}, 5, PING, PING | {"id": "two", "method": "no.such"}, {}, PING | {"id": 3}]
    found = await answers(open_client(), json.dumps(batch))
    assert [(message["id"], message.get("error", {}).get("data", {}).get("name", "")) for message in found] == [
        (1, ""),
        (None, "invalid_request"),
        ("two", "method_not_found"),
        (None, "invalid_request"),
        (3, ""),
    ]


async def test_answers_of_a_batch_leave_in_one_frame(open_client: Callable[..., Client]) -> None:
    client = open_client()
    await answers(client, json.dumps([PING | {"id": number} for number in range(10)]))
    batch = json.loads(client.frames[0])
    assert [message["id"] for message in batch[:10]] == list(range(10))


async def test_a_batch_is_limited(open_client: Callable[..., Client]) -> None:
    client = open_client()
    found = await answers(client, json.dumps([PING | {"id": number} for number in range(MAX_BATCH)]))
    assert len(found) == MAX_BATCH == 64
    found = await answers(client, json.dumps([PING | {"id": number} for number in range(MAX_BATCH + 1)]))
    assert errors(found) == [(None, "invalid_request")]


async def test_nesting_without_end_is_an_error_reply(open_client: Callable[..., Client]) -> None:
    client = open_client()
    deep = "[" * 50_000 + "]" * 50_000
    for text in (deep, f"[{deep}]", f'{{"jsonrpc":"2.0","method":"session.ping","id":1,"params":{deep}}}'):
        found = await answers(client, text)
        assert len(found) == 1
        assert "error" in found[0]


async def test_a_frame_above_256_kb_closes_and_says_why() -> None:
    async with runtimes(1) as (here,):
        for size, closes in ((MAX_FRAME_BYTES, False), (MAX_FRAME_BYTES + 1, True)):
            client = Client(InProcess(here))
            text = json.dumps(PING)
            await client.send_text(text[:-1] + " " * (size - len(text)) + "}")
            if closes:
                assert (await client.expect("session.closing"))["name"] == "frame_too_big"
                assert await client.expect_close() == FRAME_TOO_BIG.code
            else:
                await client.call("session.ping")
            await client.close()


async def test_a_binary_frame_closes_and_says_why() -> None:
    async with runtimes(1) as (here,):
        transport = InProcess(here)
        client = Client(transport)
        await client.call("session.ping")
        transport._to_app.put_nowait({"type": "websocket.receive", "bytes": b"{}"})
        assert (await client.expect("session.closing"))["name"] == "protocol_error"
        assert await client.expect_close() == PROTOCOL_ERROR.code
        await client.close()


async def test_errors_without_end_close_the_connection(open_client: Callable[..., Client]) -> None:
    client = open_client()
    for _ in range(ERROR_RATE.calls // 64 + 2):
        await client.send_text("[" + ",".join(["0"] * 64) + "]")
    assert (await client.expect("session.closing"))["name"] == "protocol_error"
    assert await client.expect_close() == PROTOCOL_ERROR.code
    refused = sum(frame.count('"invalid_request"') for frame in client.frames)
    assert ERROR_RATE.calls <= refused <= ERROR_RATE.calls + 20


def failing(name: str, handler: Callable[..., Any], *, is_async: bool) -> Method:
    return Method(
        name=name,
        params=Empty,
        result=Empty,
        rate=None,
        needs_session=False,
        is_async=is_async,
        handler=handler,
        doc="",
        decode=msgspec.json.Decoder(Empty).decode,
        errors=(),
    )


async def test_a_defect_is_an_error_reply_with_an_incident_and_the_socket_stays_open(
    open_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def at_once(call: Call, params: Empty) -> Empty:
        raise ZeroDivisionError("secret words")

    async def later(call: Call, params: Empty) -> Empty:
        await asyncio.sleep(0)
        raise ZeroDivisionError("secret words")

    monkeypatch.setitem(METHODS, "test.at_once", failing("test.at_once", at_once, is_async=False))
    monkeypatch.setitem(METHODS, "test.later", failing("test.later", later, is_async=True))
    client = open_client()
    for number, method in enumerate(("test.at_once", "test.later")):
        with caplog.at_level(logging.ERROR), pytest.raises(CallFailed) as failed:
            await (await client.start(method))
        assert (failed.value.code, failed.value.name, failed.value.data["retryable"]) == (-32603, "internal", True)
        assert "secret" not in str(failed.value)
        record = caplog.records[number]
        assert failed.value.data["incident"] in record.getMessage()
        assert method in record.getMessage()
        assert record.exc_info is not None
    assert await client.call("session.ping") == {}
