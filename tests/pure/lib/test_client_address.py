"""Does nobody choose the address that limits go by, whatever they write into X-Forwarded-For?"""

from __future__ import annotations

import pytest

from rekindle.lib.client_address import TrustedProxies

ONE, TWO = TrustedProxies.parse("1"), TrustedProxies.parse("2")
INSIDE = TrustedProxies.parse("10.0.0.0/8, fd00::/8")


@pytest.mark.parametrize(
    ("proxies", "peer", "told", "client"),
    [
        (TrustedProxies(), "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        (ONE, "10.0.0.2", "198.51.100.1", "198.51.100.1"),
        (ONE, "10.0.0.2", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (ONE, "10.0.0.2", "", "10.0.0.2"),
        (TWO, "10.0.0.2", "6.6.6.6, 198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (TWO, "10.0.0.2", "198.51.100.1", "198.51.100.1"),
        (TWO, "10.0.0.2", "nonsense, 10.0.0.1", "10.0.0.1"),
        (INSIDE, "10.0.0.2", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        (INSIDE, "198.51.100.1", "6.6.6.6", "198.51.100.1"),
        (INSIDE, "fd00::2", "6.6.6.6, 2001:db8::7", "2001:db8::7"),
        (INSIDE, "10.0.0.2", "10.0.0.7", "10.0.0.7"),
        (INSIDE, "10.0.0.2", "6.6.6.6, unknown, 10.0.0.7", "10.0.0.7"),
        (INSIDE, "::ffff:10.0.0.2", "198.51.100.1:5000", "198.51.100.1"),
        (ONE, "10.0.0.2", "[2001:db8::1]:443", "2001:db8::1"),
        (ONE, "10.0.0.2", "6.6.6.6," * 9_000 + "198.51.100.1", "198.51.100.1"),
    ],
)
def test_only_what_trusted_proxies_wrote_counts(proxies: TrustedProxies, peer: str, told: str, client: str) -> None:
    assert proxies.client_of(peer, told) == client


@pytest.mark.parametrize(
    "text", ["eleven", "11", "-1", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.1,", "proxy.example"]
)
def test_what_would_trust_everybody_or_nobody_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TrustedProxies.parse(text)


def test_nothing_set_trusts_nobody() -> None:
    assert TrustedProxies.parse("") == TrustedProxies.parse("0") == TrustedProxies()
