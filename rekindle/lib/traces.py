"""What may be kept of where a request came from? A piece of the network's address and the browser's name, no more."""

from __future__ import annotations

import ipaddress

_MAX_AGENT = 400
#: What names a browser, in the order in which it must be looked for: most say they are several.
_BROWSERS = (
    ("edg", "Edge"),
    ("opr/", "Opera"),
    ("samsungbrowser", "Samsung Internet"),
    ("firefox/", "Firefox"),
    ("fxios", "Firefox"),
    ("crios", "Chrome"),
    ("chrome/", "Chrome"),
    ("safari/", "Safari"),
)


def network_of(address: object) -> str:
    """The network of an IP address: /24 for IPv4, /48 for IPv6; empty for anything that is not an address.

    >>> network_of("203.0.113.77"), network_of("2001:db8:1:2::7"), network_of("::ffff:203.0.113.77"), network_of("x")
    ('203.0.113.0/24', '2001:db8:1::/48', '203.0.113.0/24', '')
    """
    if not isinstance(address, str) or len(address) > 64:
        return ""
    try:
        ip = ipaddress.ip_address(address.strip().partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def browser_of(agent: object) -> str:
    """The family of a browser, without its version; "other" for what is no known one, empty when nothing was said.

    >>> browser_of("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36")
    'Chrome'
    >>> browser_of("curl/8.5"), browser_of(None)
    ('other', '')
    """
    if not isinstance(agent, str) or not agent.strip():
        return ""
    lowered = agent[:_MAX_AGENT].lower()
    return next((name for mark, name in _BROWSERS if mark in lowered), "other")
