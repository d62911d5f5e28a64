"""From which address did a request come, when proxies stand in front? Only what trusted ones added is believed.

Every proxy appends the address it was called from to ``X-Forwarded-For``; whatever stands left of what trusted proxies
wrote was written by the caller and may be anything.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MOST_PROXIES: Final = 10
_LONGEST_HEADER: Final = 2_000  # characters from the right that are looked at


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Which proxies are ours: as many as ``count``, or those in ``networks``; by default none is."""

    count: int = 0
    networks: tuple[Network, ...] = field(default=())

    def __bool__(self) -> bool:
        """Whether any is trusted."""
        return self.count > 0 or bool(self.networks)

    @classmethod
    def parse(cls, text: str) -> TrustedProxies:
        """``0``, a number of proxies, or their networks separated by commas. Raises ValueError.

        >>> TrustedProxies.parse("2").count
        2
        >>> TrustedProxies.parse("10.0.0.0/8, ::1").networks[1]
        IPv6Network('::1/128')
        """
        told = text.strip()
        if not told:
            return cls()
        if told.isascii() and told.isdigit():
            if int(told) > _MOST_PROXIES:
                raise ValueError(f"at most {_MOST_PROXIES} proxies")
            return cls(count=int(told))
        networks = tuple(ipaddress.ip_network(part.strip(), strict=False) for part in told.split(","))
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("a network of all addresses trusts everybody")
        return cls(networks=networks)

    def client_of(self, peer: str, forwarded_for: str) -> str:
        """The client's address, as text without a port. ``peer``: who is connected to us; ``forwarded_for``: the whole
        header, several joined by commas. What cannot be read as an address ends the search: the last trusted one stays.

        >>> TrustedProxies(count=1).client_of("10.0.0.2", "6.6.6.6, 203.0.113.9")
        '203.0.113.9'
        >>> TrustedProxies().client_of("203.0.113.9", "6.6.6.6")
        '203.0.113.9'
        """
        if not self:
            return peer
        found, hops = _plain(peer), 0
        for told in reversed(forwarded_for[-_LONGEST_HEADER:].split(",")):
            if not self._trusts(found, hops):
                break
            address = _address(told)
            if address is None:
                break
            found, hops = str(address), hops + 1
        return found

    def _trusts(self, address: str, hops: int) -> bool:
        if self.count:
            return hops < self.count
        known = _address(address)
        return known is not None and any(known in network for network in self.networks)


def _plain(peer: str) -> str:
    address = _address(peer)
    return str(address) if address is not None else peer


def _address(text: str) -> Address | None:
    """An address as proxies write it: bare, in brackets, or with a port; one of IPv4 inside IPv6 as IPv4.

    >>> str(_address(' [2001:db8::1]:443 ')), str(_address('192.0.2.1:80')), str(_address('::ffff:192.0.2.1'))
    ('2001:db8::1', '192.0.2.1', '192.0.2.1')
    """
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
