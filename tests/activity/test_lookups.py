"""Look-ups that never end hold a bounded number of threads, and nobody else's."""

import asyncio

import pytest

from activity.lookups import OF_PROJECT, THREADS, UNPROVEN_THREADS, Lookups
from tests.support.doubles import until
from tests.support.name_server import NameServer


def begin(lookups: Lookups, host: str, project: int, *, is_proven: bool = True) -> "asyncio.Future[list[str]]":
    return asyncio.ensure_future(lookups.find(host, project=project, is_proven=is_proven))


async def test_those_that_are_not_proven_take_threads_of_their_own(name_server: NameServer) -> None:
    lookups = Lookups(name_server.resolve)
    silent = [begin(lookups, f"silent{n}.example", project=n, is_proven=False) for n in range(20)]
    await until(lambda: name_server.waiting == UNPROVEN_THREADS)
    for number in range(THREADS + 1):
        assert await begin(lookups, f"127.0.0.{number}", project=1) == [f"127.0.0.{number}"]
    assert name_server.waiting == UNPROVEN_THREADS
    name_server.release()
    assert all(isinstance(failure, OSError) for failure in await asyncio.gather(*silent, return_exceptions=True))
    lookups.stop()


@pytest.mark.parametrize("is_proven", [True, False])
async def test_a_project_has_a_few_threads_whatever_hosts_it_names(name_server: NameServer, is_proven: bool) -> None:
    """All of them in one dead zone."""
    lookups = Lookups(name_server.resolve)
    silent = [begin(lookups, f"silent{n}.example", project=1, is_proven=is_proven) for n in range(20)]
    await until(lambda: name_server.waiting == OF_PROJECT)
    assert await begin(lookups, "127.0.0.1", project=2, is_proven=is_proven) == ["127.0.0.1"]
    for one in silent:
        one.cancel()
    await asyncio.gather(*silent, return_exceptions=True)
    late = begin(lookups, "127.0.0.2", project=1, is_proven=is_proven)
    assert await begin(lookups, "127.0.0.3", project=2, is_proven=is_proven) == ["127.0.0.3"]
    assert (late.done(), name_server.waiting) == (False, OF_PROJECT), "who gives up has not given the thread back"
    name_server.release()
    assert await late == ["127.0.0.2"]
    lookups.stop()


async def test_a_host_has_one_thread_however_many_wait_for_it_and_however_often_they_give_up(
    name_server: NameServer,
) -> None:
    lookups = Lookups(name_server.resolve)
    for _ in range(3):
        waiting = [begin(lookups, "silent.example", project=n) for n in range(4)]
        await until(lambda: name_server.waiting == 1)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert (name_server.asked, name_server.waiting) == (1, 1)
    answer = begin(lookups, "silent.example", project=1)
    name_server.release()
    with pytest.raises(OSError, match="no answer"):
        await answer
    assert name_server.asked == 1
    with pytest.raises(OSError, match="no answer"):
        await begin(lookups, "silent.example", project=1)
    assert name_server.asked == 2, "once it has ended, the next one asks anew"
    lookups.stop()
