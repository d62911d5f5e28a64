"""Which unkeyed and keyed hashes does the house use? Fixed for ever: changing one orphans stored rows."""

from __future__ import annotations

import hashlib
from functools import lru_cache

BUCKETS = 1024
_BLOCK = 64  # bytes, of SHA-256
_INNER, _OUTER = bytes(byte ^ 0x36 for byte in range(256)), bytes(byte ^ 0x5C for byte in range(256))


def stable_hash(text: str) -> int:
    """First 8 bytes of SHA-256 as an unsigned integer: the same in every process and release.

    >>> stable_hash("rekindle")
    8514031680706331930
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def bucket_of(shop_id: int, anchor: str, spread: int) -> int:
    """The bucket (0..1023) in which a thing of this shop lives.

    ``(h(shop) + h(anchor) mod spread) mod 1024``: with spread 1 the whole shop sits in one bucket, a giant shop
    spreads over up to 1024. Raises ValueError when spread is outside 1..1024.

    >>> bucket_of(1, "a", 1) == bucket_of(1, "b", 1)
    True
    """
    if not 1 <= spread <= BUCKETS:
        raise ValueError(f"spread must be 1..{BUCKETS}, got {spread}")
    offset = stable_hash(anchor) % spread if spread > 1 else 0
    return (_shop_hash(shop_id) + offset) % BUCKETS


@lru_cache(maxsize=10_000)
def _shop_hash(shop_id: int) -> int:
    return stable_hash(f"shop:{shop_id}")


def keyed_hash(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 over NUL-joined parts, 32 bytes. Raises ValueError for a key shorter than 32 bytes.

    A plain hash of an address is guessed in a second from a list; a keyed one is not.
    """
    if len(key) < 32:
        raise ValueError("a hashing key needs at least 32 bytes")
    return hmac_sha256(key, "\0".join(parts).encode())


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC with SHA-256 (RFC 2104), 32 bytes.

    As `hmac.digest`, which asks OpenSSL for its algorithm at every call and takes thrice as long: links of messages
    and draws of a batch are made ten thousand at a time.

    >>> import hmac
    >>> hmac_sha256(b"k" * 16, b"message") == hmac.digest(b"k" * 16, b"message", "sha256")
    True
    """
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(block.translate(_INNER) + message).digest()
    return hashlib.sha256(block.translate(_OUTER) + inner).digest()


def uniform(key: bytes, *parts: str) -> float:
    """A reproducible draw from [0, 1) for these parts: sticky assignment without a table.

    >>> 0 <= uniform(b"k" * 32, "shopper") < 1
    True
    """
    return int.from_bytes(keyed_hash(key, *parts)[:7], "big") / (1 << 56)
