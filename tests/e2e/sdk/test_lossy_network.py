"""The bad network itself: it loses what it says, and nothing else."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.lossy_network import CLEAR, CUT, LossyNetwork, Weather, inside, why_not

# Sends numbered datagrams to an echo, reads what comes back until nothing more does, prints it.
ECHO = """
import socket
echo = socket.socket(type=socket.SOCK_DGRAM)
echo.bind(("0.0.0.0", 7007))
print("ready", flush=True)
while True:
    packet, sender = echo.recvfrom(99)
    echo.sendto(packet, sender)
"""
PROBE = """
import socket, sys
address, count = sys.argv[1], int(sys.argv[2])
probe = socket.socket(type=socket.SOCK_DGRAM)
probe.settimeout(0.1)
back = []
for number in range(count):
    probe.sendto(str(number).encode(), (address, 7007))
    if number % 50 == 49 or number == count - 1:
        try:
            while len(back) <= number:
                back.append(int(probe.recv(99)))
        except TimeoutError:
            pass
print(*back)
"""


@pytest.fixture(scope="module")
def network() -> Iterator[LossyNetwork]:
    if reason := why_not():
        pytest.skip(reason)
    with LossyNetwork(2) as network:
        echo = subprocess.Popen(inside(network.servers, sys.executable, "-c", ECHO), stdout=subprocess.PIPE, text=True)
        assert echo.stdout is not None
        assert echo.stdout.readline() == "ready\n"
        yield network
        echo.kill()
        echo.wait()
        echo.stdout.close()


def probe(network: LossyNetwork, link: int, count: int) -> list[int]:
    """The datagrams that came back."""
    command = inside(network.clients, sys.executable, "-c", PROBE, network.server_address(link), str(count))
    return [int(number) for number in subprocess.check_output(command, text=True).split()]


def test_a_clear_link_loses_nothing_and_keeps_the_order(network: LossyNetwork) -> None:
    network.forecast(0, (0, CLEAR))
    network.wait()
    assert probe(network, 0, 200) == list(range(200))


def test_a_link_loses_both_ways_what_it_says_and_the_others_nothing(network: LossyNetwork) -> None:
    network.forecast(0, (0, Weather(loss=0.5)))
    network.forecast(1, (0, CLEAR))
    before = network.wait()
    back = probe(network, 0, 400)
    assert len(probe(network, 1, 100)) == 100
    after = network.wait()
    assert 50 <= len(back) <= 150, "a quarter"
    assert 150 <= after[0]["lost"] - before[0]["lost"] <= 450
    assert after[1]["lost"] == before[1]["lost"]


def test_packets_are_delayed_doubled_and_change_places(network: LossyNetwork) -> None:
    network.forecast(0, (0, Weather(doubled=0.5, delay_s=0.01, jitter_s=0.02)))
    network.wait()
    back = probe(network, 0, 20)
    assert back != sorted(back)
    assert set(back) <= set(range(20))


def test_a_cut_ends_when_it_was_to_end(network: LossyNetwork) -> None:
    network.forecast(0, (0, CUT))
    network.wait()
    assert probe(network, 0, 1) == []
    network.forecast(0, (0.2, CLEAR))
    network.wait()
    assert probe(network, 0, 1) == [0]


def test_the_namespaces_are_gone_afterwards() -> None:
    if reason := why_not():
        pytest.skip(reason)
    with LossyNetwork(1) as network:
        names = {network.servers, network.clients}
        assert names <= set(subprocess.check_output(["ip", "netns", "list"], text=True).split())
    assert not names & set(subprocess.check_output(["ip", "netns", "list"], text=True).split())
