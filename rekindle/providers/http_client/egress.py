"""Which addresses may be called? Only https, only public ones, judged on the address that is then connected to.

The host is resolved once per connection and the connection goes to that very address, so a name that resolves
differently a moment later (DNS rebinding) gains nothing. Every refusal reads the same: the text must not tell a caller
what exists inside the network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

BLOCKED: Final = "this address may not be called"

_URL = re.compile(r"[\x21-\x7e]{1,4096}")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?\.?", re.IGNORECASE)
#: A request target: printable ASCII without space and without `#` (RFC 9112 3.2.1).
_TARGET = re.compile(r"/[\x21\x22\x24-\x7e]*")

#: Ranges that `is_global` lets through although they lead inside: NAT64, 6to4, Teredo, IPv4 in IPv6, 192.0.0.0/24.
#: Tried with Python 3.11.7: `is_global` is True for 64:ff9b::7f00:1, 2002:7f00:1::, ::127.0.0.1 and 192.0.0.8.
_INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "::/96",
        "::ffff:0:0/96",
        "192.0.0.0/24",
    )
)


class EgressError(ValueError):
    """This URL is not called: wrong form, or it leads where nothing may be called."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection goes: scheme, host in lower case (an IPv6 address without brackets), port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """For the Host header: the port only when it is not the scheme's own.

        >>> Origin("https", "api.example", 443).authority, Origin("https", "::1", 8443).authority
        ('api.example', '[::1]:8443')
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressRules:
    """``allow_loopback``: this machine may be called too, also without TLS. For tests and mocks.

    ``push_hosts``: push services besides the known ones, as `lib.push_endpoint` takes them.
    """

    allow_loopback: bool = False
    push_hosts: tuple[str, ...] = ()

    def split(self, url: str) -> tuple[Origin, str]:
        """A URL as origin and request target. Raises EgressError.

        >>> EgressRules().split("https://api.example/v3/mail?x=1")
        (Origin(scheme='https', host='api.example', port=443), '/v3/mail?x=1')
        >>> EgressRules().split("http://api.example/")
        Traceback (most recent call last):
        rekindle.providers.http_client.egress.EgressError: this address may not be called
        """
        if not _URL.fullmatch(url):  # urlsplit would drop line breaks in silence
            raise EgressError(BLOCKED)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise EgressError(BLOCKED) from None
        host = (parts.hostname or "").lower()
        schemes = {"https", "http"} if self.allow_loopback else {"https"}
        if parts.scheme not in schemes or "@" in parts.netloc or port == 0 or not _is_host(host):
            raise EgressError(BLOCKED)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not _TARGET.fullmatch(target):
            raise EgressError(BLOCKED)
        return Origin(parts.scheme, host, port or _PORTS[parts.scheme]), target

    def may_reach(self, address: str, *, encrypted: bool = True) -> bool:
        """May a connection go to this resolved address? Without TLS only to this machine.

        >>> [EgressRules().may_reach(a) for a in ("93.184.215.14", "127.0.0.1", "::ffff:93.184.215.14", "10.0.0.1")]
        [True, False, False, False]
        """
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if ip.is_loopback:
            return self.allow_loopback
        inside = any(ip.version == network.version and ip in network for network in _INSIDE)
        return encrypted and ip.is_global and not ip.is_multicast and not inside

    async def resolve(self, origin: Origin) -> list[str]:
        """The addresses of the host that may be reached, in the resolver's order.

        Raises EgressError when there is none among those it has, OSError when it has none at all.
        """
        found = await asyncio.get_running_loop().getaddrinfo(
            origin.host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
        allowed = [one for one in addresses if self.may_reach(one, encrypted=origin.scheme == "https")]
        if not allowed:
            raise EgressError(BLOCKED)
        return allowed


def _is_host(host: str) -> bool:
    if ":" in host:
        if "%" in host:  # a zone of this machine's own links
            return False
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return False
        return True
    return bool(_HOST.fullmatch(host))
