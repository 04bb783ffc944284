"""The offline drain: users for whom messages were kept come back all at once, and read until they have everything.

This client is Python: a hundred connections with 200 messages each leave it most of its core free, as `client_cpu`
in the results shows.
"""

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from websockets.exceptions import WebSocketException

from benchmarks.client import LoadFailed, unique_run
from benchmarks.user import Json, connected
from projects.demo import DEMO_APP_ID

PEERS_AT_ONCE: Final = 100
"""Receivers of one peer.send_many."""
CALLS_IN_FLIGHT: Final = 8
TEXT_CHARS: Final = 90
"""They make a message object of 115 bytes, like the load generator's."""
LIMIT_S: Final = 60.0


def run(
    port: int, *, users: int, messages: int, on_event: Callable[[str], None] = lambda name: None
) -> dict[str, float]:
    """Keeps `messages` for each of `users`, then lets them log in at once. `drain_s` is the time from the first
    connection's beginning until the last user has acknowledged everything. `on_event` is called with `measuring` and
    `measured` at its ends. Raises LoadFailed."""
    try:
        return asyncio.run(_run(port, users, messages, on_event))
    except (OSError, TimeoutError, WebSocketException) as failure:
        raise LoadFailed(f"drain: {failure!r}") from failure


async def _run(port: int, users: int, messages: int, on_event: Callable[[str], None]) -> dict[str, float]:
    run_name = unique_run()
    uids = [f"{run_name}-u{number}" for number in range(users)]
    async with asyncio.timeout(LIMIT_S):
        await _fill(port, f"{run_name}-sender", uids, messages)
        on_event("measuring")
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        taken = await asyncio.gather(*(_take_all(port, uid) for uid in uids))
        drain_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
        on_event("measured")
    return {
        "drain_s": drain_s,
        "client_cpu": cpu_s / drain_s,
        "missing": sum(messages - len({number for _, number in entries}) for entries in taken),
        "repeats_or_backward": sum(_breaks(entries) for entries in taken),
    }


def _breaks(entries: list[tuple[int, int]]) -> int:
    """How often a sequence number, or the sender's own number in the text, does not grow."""
    return sum(after[0] <= before[0] or after[1] <= before[1] for before, after in pairwise(entries))


async def _fill(port: int, uid: str, peers: list[str], messages: int) -> None:
    """Sends numbered messages to peers that are away, each to all of them before the next."""
    async with connected(port) as sender:
        await sender.call("session.login", {"app": DEMO_APP_ID, "uid": uid})
        in_flight = 0
        for number in range(messages):
            for start in range(0, len(peers), PEERS_AT_ONCE):
                params = {
                    "peers": peers[start : start + PEERS_AT_ONCE],
                    "message_id": f"{uid}-{start}-{number:06d}",
                    "message": {"type": "TEXT", "text": f"{number} ".ljust(TEXT_CHARS, "-")},
                    "offline": True,
                }
                if in_flight == CALLS_IN_FLIGHT:
                    _require_kept(await sender.answer())
                    in_flight -= 1
                await sender.request("peer.send_many", params)
                in_flight += 1
        for _ in range(in_flight):
            _require_kept(await sender.answer())


def _require_kept(result: Json) -> None:
    if result["failed"] or any(result["received"].values()):
        raise LoadFailed(f"a message was not kept: {result}"[:300])


async def _take_all(port: int, uid: str) -> list[tuple[int, int]]:
    """Logs in and reads until the inbox is live, acknowledging each page. Returns (seq, number in the text) of each
    entry."""
    taken: list[tuple[int, int]] = []
    async with connected(port) as user:
        page: Json = (await user.call("session.login", {"app": DEMO_APP_ID, "uid": uid}))["inbox"]
        while True:
            taken += [(entry["seq"], int(entry["body"]["message"]["text"].split()[0])) for entry in page["entries"]]
            if taken:
                await user.notify("inbox.ack", {"seq": taken[-1][0]})
            if page["live"]:
                return taken
            after = taken[-1][0] if taken else 0
            page = await user.call("stream.read", {"stream": f"inbox:{uid}", "after": after})
