"""Where deliveries may go: nobody who may set a webhook is to reach the service's own network by it."""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_NAT64: Final = IPv6Network("64:ff9b::/96")
_DOCUMENTATION: Final = IPv6Network("3fff::/20")
_RELAY: Final = IPv4Network("192.88.99.0/24")
"""Once the anycast address of relays from IPv4 to IPv6."""


Lookup = Callable[[str], Awaitable[list[str]]]
"""A host's addresses, the best first; raises OSError when it has none."""


class Refused(Exception):
    """Nothing is sent to this address."""


async def resolve(host: str, *, allow_private: bool, lookup: Lookup) -> list[str]:
    """The IP addresses to connect to, the best first: looked up once, so that what was checked is what is used.

    Raises Refused when any of the host's addresses is not a public one, OSError when it has none.
    """
    addresses = await lookup(host)
    if not allow_private and not all(is_public(address) for address in addresses):
        raise Refused("The host has an address that is not public.")
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is of the open Internet: not private, loopback, link-local, multicast or reserved, also
    when it is wrapped into one of IPv6."""
    if "%" in address:  # a zone is of a link
        return False
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        if ip.sixtofour is not None or ip.teredo is not None:
            return False
        inner = ip.ipv4_mapped
        if inner is None and ip in _NAT64:
            inner = IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local or ip in _DOCUMENTATION:
            return False
    elif ip in _RELAY:
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified
