"""Looking up hosts in threads. A name server that never answers holds one for half a minute, whoever waits for it."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

THREADS: Final = 8
FAILING_THREADS: Final = 4
"""Besides: for hosts of webhooks whose receiver failed last time, so that these take nobody else's."""

Resolver = Callable[[str, int], list[str]]


def addresses_of(host: str, port: int) -> list[str]:
    """The IP addresses of a host, the best first; blocks. Raises OSError when it has none."""
    found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Lookups:
    """Who asks for a host while it is looked up waits for that answer, so that a host never has more than one thread
    of each kind."""

    def __init__(self, resolver: Resolver = addresses_of) -> None:
        self._resolver = resolver
        self._threads = ThreadPoolExecutor(THREADS, "webhook-lookup")
        self._failing_threads = ThreadPoolExecutor(FAILING_THREADS, "failing-webhook-lookup")
        self._under_way: dict[tuple[str, int, bool], asyncio.Future[list[str]]] = {}

    async def find(self, host: str, port: int, *, is_failing: bool = False) -> list[str]:
        """The host's IP addresses, the best first. Raises OSError when it has none."""
        key = (host, port, is_failing)
        answer = self._under_way.get(key)
        if answer is None:
            threads = self._failing_threads if is_failing else self._threads
            answer = asyncio.get_running_loop().run_in_executor(threads, self._resolver, host, port)
            self._under_way[key] = answer
            answer.add_done_callback(partial(self._end, key))
        return await asyncio.shield(answer)

    def _end(self, key: tuple[str, int, bool], answer: "asyncio.Future[list[str]]") -> None:
        del self._under_way[key]
        if not answer.cancelled():
            answer.exception()  # nobody may wait for it any more

    def stop(self) -> None:
        for threads in (self._threads, self._failing_threads):
            threads.shutdown(wait=False, cancel_futures=True)
