"""Whose request is it? The address of the connection, or what a trusted proxy says in X-Forwarded-For.

The answer only shares out connections and threads. It decides nothing about who may do what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
HOSTS_OF_ONE = 64  # bits; who has one IPv6 address usually has all of its /64


@dataclass(frozen=True)
class Clients:
    """`proxies` are the networks of the reverse proxies in front of the web process."""

    proxies: Sequence[Network] = ()

    def is_proxy(self, address: str) -> bool:
        found = _read(address)
        return found is not None and any(found in network for network in self.proxies)

    def who(self, address: str, forwarded_for: str = "") -> str:
        """A key for one client. Header values of others than trusted proxies are ignored, because anyone can write them."""
        if not self.is_proxy(address):
            return _key(address)
        hops = [hop.strip() for hop in forwarded_for.split(",")]
        outside = (hop for hop in reversed(hops) if _read(hop) is not None and not self.is_proxy(hop))
        return _key(next(outside, address))


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """Some proxies add the port, as in `192.0.2.1:4711` and `[2001:db8::1]:4711`."""
    bare = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _key(text: str) -> str:
    found = _read(text)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, HOSTS_OF_ONE), strict=False))
    return str(found or text)
