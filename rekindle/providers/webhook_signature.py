"""Was this really sent by the provider? The schemes that several of them share.

Every comparison takes the same time wherever the difference lies, and every key is tried, so that nothing is learned
from how long a refusal takes. Two keys may be valid at once: a key is changed by adding the new one, then removing the
old one. No key at all means that nothing is believed.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from rekindle.providers.feedback import ForgedError, Post
from rekindle.providers.read_json import number

#: Both ways, as the Svix and Standard Webhooks libraries have it (and Stripe).
TOLERANCE: Final = timedelta(seconds=300)


def any_matches(wanted: Iterable[bytes], presented: Sequence[bytes]) -> bool:
    """Is one of the presented values one of the wanted ones? Looks at all pairs."""
    found = False
    for one in wanted:
        for other in presented:
            found = hmac.compare_digest(one, other) or found
    return found


def require_fresh(
    timestamp: object, received_at: datetime, *, past: timedelta = TOLERANCE, future: timedelta = TOLERANCE
) -> None:
    """Raises ForgedError when the signed time (seconds) is missing, too old, or ahead of ours."""
    at = number(timestamp)
    now = received_at.timestamp()
    if at is None or not now - past.total_seconds() <= at <= now + future.total_seconds():
        raise ForgedError


def require_standard_webhook(post: Post, secrets: Sequence[str], *, prefix: str) -> str:
    """Standard Webhooks and Svix: HMAC-SHA256 over ``id.timestamp.body``. Returns the message id, stable over reposts.

    ``prefix`` of the headers is ``svix`` or ``webhook``; secrets are base64, mostly behind ``whsec_``. The signature
    header may list several, any of which may fit. Raises ForgedError.
    """
    name = post.headers.get(f"{prefix}-id", "")
    stamp = post.headers.get(f"{prefix}-timestamp", "")
    given = [
        part.partition(",")[2].encode("latin-1", "replace")
        for part in post.headers.get(f"{prefix}-signature", "").split(" ")[:16]
        if part.startswith("v1,")
    ]
    signed = name.encode("latin-1", "replace") + b"." + stamp.encode("latin-1", "replace") + b"." + post.body
    wanted = [b64encode(hmac.digest(key, signed, "sha256")) for key in map(webhook_key, secrets) if key]
    if not name or not any_matches(wanted, given):
        raise ForgedError
    require_fresh(stamp, post.received_at)
    return name


def webhook_key(secret: str) -> bytes:
    """The key behind a ``whsec_`` secret; empty when it is not one, so that it matches nothing."""
    try:
        return b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def require_shared_secret(post: Post, credentials: Sequence[str]) -> None:
    """For providers that do not sign: basic authentication (``user:password``) or a bearer token, as agreed with them.

    Raises ForgedError, also when no credential was agreed.
    """
    wanted = [
        f"Basic {b64encode(one.encode()).decode()}".encode() if ":" in one else f"Bearer {one}".encode()
        for one in credentials
        if all(one.partition(":")[::2]) or (one and ":" not in one)
    ]
    given = post.headers.get("authorization", "").strip()
    scheme, _, rest = given.partition(" ")
    if not any_matches(wanted, [f"{scheme.capitalize()} {rest.strip()}".encode("utf-8", "replace")]):
        raise ForgedError
