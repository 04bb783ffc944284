"""Calls of Lua scripts in Redis. What is called while a batch is under way goes with the next."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from realtime.presence.base import PresenceUnavailable

logger = logging.getLogger(__name__)

BATCH_LIMIT: Final = 256
MAX_CONNECTIONS: Final = 4

Argument = str | int | bytes

EXPECTED: Final = (RedisError, OSError, TimeoutError)
"""What an outage looks like. A plain ResponseError is a script's own failure."""


class _Call(NamedTuple):
    script: str
    arguments: list[int | bytes]
    answer: asyncio.Future[Any]


class ScriptCalls:
    """Runs scripts in the order of the calls. Nothing is sent twice: when a batch fails, its calls and all
    that wait end with PresenceUnavailable, and the next call connects again.

    A call ends within `timeout_s` of the start of its batch; that begins when the one before has ended.
    """

    def __init__(self, url: str, scripts: Mapping[str, str], *, timeout_s: float) -> None:
        self._scripts = scripts
        self._digests = {
            name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in scripts.items()
        }
        self._timeout_s = timeout_s
        self._pool = ConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            protocol=2,
        )
        self._client = Redis(connection_pool=self._pool)
        self._waiting: list[_Call] = []
        self._runner: asyncio.Task[None] | None = None
        self._closed = False
        self.failed = False
        """Set by every call that failed, so that it may or may not have had its effect."""

    def submit(self, script: str, *arguments: Argument) -> asyncio.Future[Any]:
        """The call takes its place at once; the future gets the script's answer."""
        encoded = [part.encode() if isinstance(part, str) else part for part in arguments]
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._closed:
            answer.set_exception(PresenceUnavailable("the store is closed"))
            return answer
        self._waiting.append(_Call(script, encoded, answer))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return answer

    async def close(self) -> None:
        """Waits for the calls under way, then disconnects."""
        self._closed = True
        if self._runner is not None:
            await self._runner
        await self._disconnect()

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_LIMIT], self._waiting[BATCH_LIMIT:]
                try:
                    async with asyncio.timeout(self._timeout_s):
                        answers = await self._execute(batch)
                except Exception as error:  # whatever it is, nobody may wait for ever
                    batch += self._waiting
                    self._waiting = []
                    answers = [error] * len(batch)
                if any(isinstance(answer, Exception) for answer in answers):
                    await self._disconnect()  # the next call may find another server under the address
                for call, answer in zip(batch, answers, strict=True):
                    self._answer(call, answer)
        finally:
            self._runner = None

    def _answer(self, call: _Call, answer: Any) -> None:
        if isinstance(answer, Exception):
            self.failed = True
            if not isinstance(answer, EXPECTED) or type(answer) is ResponseError:
                logger.error("presence: the script %s failed", call.script, exc_info=answer)
            unavailable = PresenceUnavailable(f"presence store: {answer or type(answer).__name__}")
            unavailable.__cause__ = answer
            answer = unavailable
        if call.answer.done():
            return
        if isinstance(answer, PresenceUnavailable):
            call.answer.set_exception(answer)
        else:
            call.answer.set_result(answer)

    async def _execute(self, batch: list[_Call]) -> list[Any]:
        answers = await self._send(batch)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            await self._load()
            for place, answer in zip(unknown, await self._send([batch[i] for i in unknown]), strict=True):
                answers[place] = answer
        return answers

    async def _send(self, batch: list[_Call]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for script, arguments, _ in batch:
            pipeline.execute_command("EVALSHA", self._digests[script], 0, *arguments)
        return await pipeline.execute(raise_on_error=False)

    async def _load(self) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for text in self._scripts.values():
            pipeline.execute_command("SCRIPT LOAD", text)
        await pipeline.execute()

    async def _disconnect(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._pool.disconnect(inuse_connections=True)
