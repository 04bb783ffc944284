"""Tasks that run until they are told to stop, and how they end."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest

from realtime import tasks

pytestmark = pytest.mark.shapeless


async def for_ever(asked: list[str], deaf_times: int = 0) -> None:
    """Loses so many cancellations, as a library's time-out may that is over at the same moment."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            asked.append("stop")
            if len(asked) > deaf_times:
                raise


async def begun(*coroutines: Coroutine[Any, Any, None]) -> list["asyncio.Task[None]"]:
    started = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.sleep(0)
    return started


async def test_all_have_ended_when_it_returns() -> None:
    running = await begun(for_ever([]), for_ever([]), asyncio.sleep(0))
    await tasks.cancel_all(running)
    assert all(task.done() for task in running)


async def test_a_lost_cancellation_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "ASK_AGAIN_S", 0.01)
    asked: list[str] = []
    running = await begun(for_ever(asked, deaf_times=2))
    await tasks.cancel_all(running)
    assert (running[0].cancelled(), len(asked)) == (True, 3)


async def test_a_task_that_does_not_end_is_left_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "ASK_AGAIN_S", 0.01)
    monkeypatch.setattr(tasks, "GIVE_UP_S", 0.03)
    (deaf,) = await begun(for_ever([], deaf_times=3))
    deaf.set_name("deaf")
    with caplog.at_level(logging.ERROR):
        await tasks.cancel_all([deaf])
    assert caplog.messages == ["the task deaf does not end"]
    deaf.cancel()
    with suppress(asyncio.CancelledError):
        await deaf


async def test_how_a_task_ended_is_of_no_interest(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("broken")

    running = await begun(fail())
    await asyncio.wait(running)
    await tasks.cancel_all(running)
    assert caplog.messages == []
