"""A bad network on one machine: links between two network namespaces that lose, delay and double packets.

Each link is a pair of TUN devices: `10.77.<number>.1` in the servers' namespace, `10.77.<number>.2` in the clients'.
This module's own process carries the packets from one to the other, so that no `tc netem` is needed. Needs root.
"""

import asyncio
import fcntl
import json
import os
import random
import secrets
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

TUN = Path("/dev/net/tun")
# linux/if_tun.h: TUNSETIFF with IFF_TUN | IFF_NO_PI, a device for IP packets without a header before them.
TUNSETIFF = 0x400454CA
TUN_WITHOUT_HEADER = 0x0001 | 0x1000
MTU = 1400
READY_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to packets, each way. `loss` and `doubled` are shares from 0 to 1; a packet takes from `delay_s` to
    `delay_s + jitter_s`, so that jitter changes their order."""

    loss: float = 0.0
    doubled: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0


CLEAR = Weather()
CUT = Weather(loss=1.0)
Counts = dict[str, int]
"""How many packets a link has `carried`, and how many it has `lost`."""


class LossyNetwork:
    """Two namespaces and the links between them. A context manager."""

    def __init__(self, links: int) -> None:
        name = f"rostrum-{secrets.token_hex(4)}"
        self.servers = f"{name}-servers"
        self.clients = f"{name}-clients"
        self._links = links
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            for namespace in (self.servers, self.clients):
                _ip("netns", "add", namespace)
                _ip("-n", namespace, "link", "set", "lo", "up")
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, self.servers, self.clients, str(self._links)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._answer()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=READY_WITHIN_S)
        for namespace in (self.servers, self.clients):
            subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True)

    def server_address(self, link: int) -> str:
        """Where a client on this link finds a server that listens on all addresses of its namespace."""
        return _address(link, 1)

    def forecast(self, link: int, *course: tuple[float, Weather]) -> None:
        """The link's weather from now on: each from so many seconds after now."""
        self._ask({"link": link, "course": [(after_s, asdict(weather)) for after_s, weather in course]})

    def wait(self) -> list[Counts]:
        """Returns when all forecasts have come true, with the counts of each link."""
        counts: list[Counts] = self._ask({"wait": True})
        return counts

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that carries the packets has ended")
        return json.loads(line)


def inside(namespace: str, *command: str) -> list[str]:
    """The command, run inside a namespace: the process that is started becomes it."""
    return ["ip", "netns", "exec", namespace, *command]


def why_not() -> str | None:
    """Why there can be no such network here; None when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not TUN.exists():
        return "there is no /dev/net/tun"
    name = f"rostrum-{secrets.token_hex(4)}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "delete", name)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces: {error}"
    return None


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _address(link: int, end: int) -> str:
    return f"10.77.{link}.{end}"


# --- The process that carries the packets


def _open_device(namespace: str, link: int, end: int) -> int:
    """A device that has been moved into a namespace; what is sent there is read here."""
    name = f"rt{os.getpid() % 100_000}x{link}x{end}"
    device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), TUN_WITHOUT_HEADER))
    _ip("link", "set", name, "netns", namespace)
    _ip("-n", namespace, "address", "add", f"{_address(link, end)}/24", "dev", name)
    _ip("-n", namespace, "link", "set", name, "mtu", str(MTU), "up")
    return device


class Carrier:
    """Both ways of one link."""

    def __init__(self, servers: int, clients: int, dice: random.Random) -> None:
        self.counts: Counts = {"carried": 0, "lost": 0}
        self._weather = CLEAR
        self._dice = dice
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(servers, self._readable, servers, clients)
        self._loop.add_reader(clients, self._readable, clients, servers)

    def turn(self, weather: Weather) -> None:
        self._weather = weather

    def _readable(self, source: int, target: int) -> None:
        packet = os.read(source, MTU)
        weather, dice = self._weather, self._dice
        if dice.random() < weather.loss:
            self.counts["lost"] += 1
            return
        for _ in range(2 if dice.random() < weather.doubled else 1):
            self.counts["carried"] += 1
            delay_s = weather.delay_s + weather.jitter_s * dice.random()
            if delay_s:
                self._loop.call_later(delay_s, os.write, target, packet)
            else:
                os.write(target, packet)


async def _carry(servers: str, clients: str, links: int) -> None:
    """Until the input ends: each line is a question, answered with a line."""
    dice = random.Random(1)
    carriers = [Carrier(_open_device(servers, link, 1), _open_device(clients, link, 2), dice) for link in range(links)]
    questions = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    settled_s = 0.0
    print("null", flush=True)
    while line := await questions.readline():
        question: dict[str, Any] = json.loads(line)
        answer: Any = None
        if "wait" in question:
            await asyncio.sleep(settled_s - loop.time())
            answer = [carrier.counts for carrier in carriers]
        else:
            for after_s, weather in question["course"]:
                at_s = loop.time() + after_s
                settled_s = max(settled_s, at_s)
                loop.call_at(at_s, carriers[question["link"]].turn, Weather(**weather))
        print(json.dumps(answer), flush=True)


def main(arguments: Sequence[str]) -> None:
    servers, clients, links = arguments
    asyncio.run(_carry(servers, clients, int(links)))


if __name__ == "__main__":
    main(sys.argv[1:])
