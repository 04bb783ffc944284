"""Looking up hosts in threads. A name server that never answers holds one for half a minute, whoever waits for it."""

import asyncio
import socket
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

THREADS: Final = 8
UNPROVEN_THREADS: Final = 8
"""Besides: for webhooks that have not been known to work for a while, so that these take nobody else's."""
OF_PROJECT: Final = 2
"""Threads of each kind that a project's webhooks may hold at a time, however many hosts they have."""

Resolver = Callable[[str], list[str]]


def addresses_of(host: str) -> list[str]:
    """The IP addresses of a host, the best first; blocks. Raises OSError when it has none."""
    found = socket.getaddrinfo(host, None, 0, socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Pool:
    """Who asks for a host while it is looked up waits for that answer: a host never has more than one thread."""

    def __init__(self, threads: int, name: str, resolver: Resolver) -> None:
        self._resolver = resolver
        self._threads = ThreadPoolExecutor(threads, name)
        self._under_way: dict[str, asyncio.Future[list[str]]] = {}
        self._places: dict[int, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, OF_PROJECT))
        """By project."""

    async def find(self, host: str, project: int) -> list[str]:
        if host not in self._under_way:
            places = self._places[project]
            await places.acquire()
            if host in self._under_way:  # somebody else was first
                places.release()
            else:
                self._begin(host, places)
        return await asyncio.shield(self._under_way[host])

    def _begin(self, host: str, places: asyncio.Semaphore) -> None:
        answer = asyncio.get_running_loop().run_in_executor(self._threads, self._resolver, host)
        self._under_way[host] = answer
        answer.add_done_callback(partial(self._end, host, places))

    def _end(self, host: str, places: asyncio.Semaphore, answer: "asyncio.Future[list[str]]") -> None:
        """Only now, not when who waited has given up: the thread was held so long."""
        del self._under_way[host]
        places.release()
        if not answer.cancelled():
            answer.exception()  # nobody may wait for it any more

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Lookups:
    def __init__(self, resolver: Resolver = addresses_of) -> None:
        self._proven = _Pool(THREADS, "webhook-lookup", resolver)
        self._unproven = _Pool(UNPROVEN_THREADS, "unproven-webhook-lookup", resolver)

    async def find(self, host: str, *, project: int, is_proven: bool) -> list[str]:
        """The host's IP addresses, the best first, for a webhook of a project. Raises OSError when it has none."""
        pool = self._proven if is_proven else self._unproven
        return await pool.find(host, project)

    def stop(self) -> None:
        for pool in (self._proven, self._unproven):
            pool.stop()
