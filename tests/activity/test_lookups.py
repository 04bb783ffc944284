"""Look-ups that never end hold a bounded number of threads, and nobody else's."""

import asyncio

import pytest

from activity.lookups import FAILING_THREADS, THREADS, Lookups
from tests.support.doubles import until
from tests.support.name_server import NameServer


async def test_who_failed_last_time_takes_threads_of_their_own(name_server: NameServer) -> None:
    lookups = Lookups(name_server.resolve)
    silent = [asyncio.ensure_future(lookups.find(f"silent{n}.example", 443, is_failing=True)) for n in range(20)]
    await until(lambda: name_server.waiting == FAILING_THREADS)
    for number in range(THREADS + 1):
        assert await lookups.find(f"127.0.0.{number}", 443) == [f"127.0.0.{number}"]
    assert name_server.waiting == FAILING_THREADS
    name_server.release()
    assert all(isinstance(failure, OSError) for failure in await asyncio.gather(*silent, return_exceptions=True))
    lookups.stop()


async def test_a_host_has_one_thread_however_many_wait_for_it_and_however_often_they_give_up(
    name_server: NameServer,
) -> None:
    lookups = Lookups(name_server.resolve)
    for _ in range(3):
        waiting = [asyncio.ensure_future(lookups.find("silent.example", 443)) for _ in range(4)]
        await until(lambda: name_server.waiting == 1)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert (name_server.asked, name_server.waiting) == (1, 1)
    answer = asyncio.ensure_future(lookups.find("silent.example", 443))
    name_server.release()
    with pytest.raises(OSError, match="no answer"):
        await answer
    assert name_server.asked == 1
    with pytest.raises(OSError, match="no answer"):
        await lookups.find("silent.example", 443)
    assert name_server.asked == 2, "once it has ended, the next one asks anew"
    lookups.stop()
