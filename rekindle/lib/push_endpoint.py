"""Where may a push message be sent? Only to the services that browsers name, over https.

An endpoint is typed in by whoever visits the shop: without this list a stranger could have this machine call addresses
of his choice. The rules of the HTTP client (``providers.http_client.egress``) judge the resolved address as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

#: Chrome and others, Firefox, Safari, Edge. A leading dot means: any one name below.
KNOWN_HOSTS: Final = (
    "fcm.googleapis.com",
    "android.googleapis.com",
    "jmt17.google.com",
    "updates.push.services.mozilla.com",
    "web.push.apple.com",
    ".push.apple.com",
    ".notify.windows.com",
    ".push.samsungosp.com",
)
MAX_ENDPOINT: Final = 2_000
_SHAPE = re.compile(r"https?://[\x21-\x7e]+")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


def is_push_endpoint(endpoint: str, further: Sequence[str] = ()) -> bool:
    """Is this the address of a subscription at a known push service?

    ``further`` are hosts, or origins such as http://127.0.0.1:8090, that the operator knows besides.

    >>> is_push_endpoint("https://web.push.apple.com/QGuQ"), is_push_endpoint("https://wns2-am3p.notify.windows.com/w/?t=B")
    (True, True)
    >>> [is_push_endpoint(f"https://{one}/x") for one in ("10.0.0.1", "a.b.notify.windows.com", "evil.example")]
    [False, False, False]
    """
    if len(endpoint) > MAX_ENDPOINT or not _SHAPE.fullmatch(endpoint):
        return False
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").lower()
    if "@" in parts.netloc or parts.fragment:
        return False
    if f"{parts.scheme}://{parts.netloc.lower()}" in further:
        return True
    if parts.scheme != "https" or port not in {None, 443}:
        return False
    return any(_is_named(host, known) for known in (*KNOWN_HOSTS, *further))


def _is_named(host: str, known: str) -> bool:
    if not known.startswith("."):
        return host == known
    first = host.removesuffix(known)
    return first != host and _NAME.fullmatch(first) is not None
