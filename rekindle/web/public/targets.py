"""Where may a link of a message lead? Only to the shop it belongs to (no open redirect).

A shop is its address and its cart page: their host names and what lies below them, with the same scheme and port.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from rekindle.terms.shop import ShopSettings

RESTORE_PARAMETER = "rekindle_cart"
_MAX_TARGET = 4_000
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>\\^`{|}')
_TOKEN = re.compile(r"[A-Za-z0-9_-]*")
_UNFIT = re.compile(r"[\x00-\x1f\\]")
_PORTS = {"http": 80, "https": 443}


def safe_target(url: str | None, shop: ShopSettings) -> str | None:
    """The address as it may stand in a Location header, or None when it is not the shop's own.

    >>> from rekindle.terms.shop import ShopSettings
    >>> shop = ShopSettings(id=1, slug="s", name="S", url="https://shop.example")
    >>> safe_target("https://www.shop.example/a b", shop), safe_target("https://shop.example@evil.example/", shop)
    ('https://www.shop.example/a%20b', None)
    """
    return _safe(url, shop.url, shop.restore_url) if url and len(url) <= _MAX_TARGET else None


@lru_cache(maxsize=4_096)
def _safe(url: str, *own: str) -> str | None:
    """Remembered: the cart pages and products of a shop come again and again."""
    place = _place_of(url) if not _UNFIT.search(url) else None
    if place is None:
        return None
    scheme, host, port = place
    for one in own:
        home = _place_of(one)
        if home is None or (scheme, port) != (home[0], home[2]):
            continue
        base = home[1].removeprefix("www.")
        if host == base or host.endswith(f".{base}"):
            return quote(url, safe=_PRINTABLE)
    return None


def restore_target(shop: ShopSettings, token: str, told: str | None = None) -> str | None:
    """Where a cart comes back: the address the shop told with the cart, else its cart page, else its front page.

    Always with the token that lets the shop's script fetch the cart: the told address may be a plain page.
    """
    target = safe_target(told, shop) or safe_target(shop.restore_url or shop.url, shop)
    if target is None:
        return None
    before, after = _around_token(target)
    return f"{before}{token if _TOKEN.fullmatch(token) else quote(token, safe='')}{after}"


@lru_cache(maxsize=4_096)
def _around_token(target: str) -> tuple[str, str]:
    """The address with room for a token. Remembered: a shop's cart page is the same for all of its shoppers."""
    parts = urlsplit(target)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != RESTORE_PARAMETER]
    query = urlencode([*kept, (RESTORE_PARAMETER, "")])
    whole = urlunsplit((parts.scheme, parts.netloc, parts.path or "/", query, ""))
    return whole, f"#{parts.fragment}" if parts.fragment else ""


def _place_of(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for anything but a plain http or https address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or "@" in parts.netloc or not _HOST.fullmatch(host):
        return None
    return parts.scheme, host, port or _PORTS[parts.scheme]
