"""Parts that look again and again: nothing that befalls one look keeps the next from coming."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from realtime.errors import UNAVAILABLE, RpcError
from realtime.parts import RecurringPart, Round
from realtime.presence import PresenceUnavailable
from realtime.runtime import Runtime
from tests.support.doubles import until
from tests.support.runtimes import runtimes


class Looks:
    """Each look is logged in the list; the first ones fail of these."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.number = 0

    async def look(self) -> None:
        self.number += 1
        if self.failures:
            raise self.failures.pop(0)


class Part(RecurringPart):
    def __init__(self, runtime: Runtime, *rounds: Round) -> None:
        super().__init__(runtime)
        self._all = rounds

    def rounds(self) -> Sequence[Round]:
        return self._all


async def test_a_look_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    looks = Looks(RpcError(UNAVAILABLE), PresenceUnavailable(), ValueError("a defect"))
    async with runtimes(1) as (runtime,):
        part = Part(runtime, Round("the lost", 0, looks.look))
        await part.start()
        await until(lambda: looks.number > 3)
        await part.stop()
    told = [(record.levelno, record.getMessage()) for record in caplog.records if record.name == "realtime.parts"]
    put_off = (logging.WARNING, "the lost: put off, as storage is out of reach")
    assert told == [put_off, put_off, (logging.ERROR, "the lost: failed")]
    assert "ValueError: a defect" in caplog.text


async def test_rounds_wait_for_nobody_and_end_with_the_part() -> None:
    looks, stuck = Looks(), asyncio.Event()
    async with runtimes(1) as (runtime,):
        part = Part(runtime, Round("the stuck", 0, stuck.wait), Round("the others", 0, looks.look))
        await part.start()
        await until(lambda: looks.number > 1)
        await part.drain()
        await part.stop()
        assert {task.get_name() for task in asyncio.all_tasks()}.isdisjoint({"the stuck", "the others"})
