"""Webhooks reach the open Internet only, unless the installation says otherwise."""

import asyncio

import pytest

from activity.addresses import Refused, is_public, resolve
from activity.lookups import addresses_of


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fec0::1",
        "3fff::1",
        "192.88.99.1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


async def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    async def both(host: str) -> list[str]:
        return ["8.8.8.8", "10.0.0.1"]

    with pytest.raises(Refused):
        await resolve("hooks.example", allow_private=False, lookup=both)
    assert await resolve("hooks.example", allow_private=True, lookup=both) == ["8.8.8.8", "10.0.0.1"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "localhost"])
async def test_other_ways_to_write_a_private_address(host: str) -> None:
    async def by_system(host: str) -> list[str]:
        return await asyncio.to_thread(addresses_of, host)

    with pytest.raises(Refused):
        await resolve(host, allow_private=False, lookup=by_system)
