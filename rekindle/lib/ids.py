"""Which id does a thing get? Deterministic where it has a natural key, time-ordered where order helps.

Deterministic ids make retries harmless and save an index: the primary key is the duplicate check.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from datetime import UTC, datetime
from uuid import UUID, SafeUUID

_MAX_MS = (1 << 48) - 1
_FREE_BITS = ~(0xF000 << 64 | 0xC000 << 48)  # all but the version and the variant (RFC 9562 4.1, 4.2)
_VERSION_7 = 0x7000 << 64 | 0x8000 << 48
_VERSION_8 = 0x8000 << 64 | 0x8000 << 48
_head_and_tail = struct.Struct(">HQ").unpack_from  # of a hash: what follows the milliseconds, in two parts
_two_halves = struct.Struct(">QQ").pack
_set_int, _set_is_safe = UUID.int.__set__, UUID.is_safe.__set__  # type: ignore[misc,attr-defined]
_UNKNOWN = SafeUUID.unknown
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def natural_id(kind: str, shop_id: int, key: str) -> UUID:
    """The id of a thing that the shop already names: the same kind, shop and key always give the same id.

    Layout: SHA-256 of ``kind \\0 shop \\0 key`` cut to 128 bits, RFC 9562 version 8.

    >>> natural_id("cart", 1, "abc") == natural_id("cart", 1, "abc")
    True
    >>> natural_id("cart", 1, "abc") == natural_id("cart", 2, "abc")
    False
    """
    digest = hashlib.sha256(f"{kind}\0{shop_id}\0{key}".encode()).digest()
    return _stamped(int.from_bytes(digest[:16], "big"), _VERSION_8)


def timed_id(at: datetime, seed: bytes) -> UUID:
    """A time-ordered id (RFC 9562 version 7 layout) whose random part is a hash of ``seed``.

    The same instant and seed always give the same id, so a retried event or send meets its own primary key.

    >>> timed_id(datetime(2026, 1, 1, tzinfo=UTC), b"x").version
    7
    """
    digest = hashlib.sha256(seed).digest()
    return _stamped(epoch_ms(at) << 80 | int.from_bytes(digest[:10], "big"), _VERSION_7)


def timed_hex(milliseconds: int, seed: bytes) -> str:
    """`timed_id` as 32 hexadecimal digits, at half the cost: for ids that only pass through to the database.

    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> timed_hex(epoch_ms(at), b"x") == timed_id(at, b"x").hex
    True
    """
    return _timed_hex(milliseconds, hashlib.sha256(seed).hexdigest())


def fresh_timed_bytes(at: datetime, count: int) -> list[bytes]:
    """As many new ids of one instant as asked for, as 16 bytes each; one call to the system for all.

    >>> len(set(fresh_timed_bytes(datetime(2026, 1, 1, tzinfo=UTC), 3)))
    3
    """
    start, tails = epoch_ms(at).to_bytes(6, "big"), secrets.token_bytes(10 * count)
    return [_timed_bytes(start, tails[at : at + 10]) for at in range(0, 10 * count, 10)]


def timed_bytes(at: datetime, seed: bytes) -> bytes:
    """The 16 bytes of `timed_id`, without the object around them: for what only has to be stored and compared.

    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> timed_bytes(at, b"x") == timed_id(at, b"x").bytes
    True
    """
    return timed_bytes_at(epoch_ms(at), seed)


def timed_bytes_at(milliseconds: int, seed: bytes) -> bytes:
    """`timed_bytes` for one of many things of the same instant, whose `epoch_ms` is known."""
    head, tail = _head_and_tail(hashlib.sha256(seed).digest())
    return _two_halves(milliseconds << 16 | 0x7000 | head & 0x0FFF, 1 << 63 | tail & 0x3FFF_FFFF_FFFF_FFFF)


def fresh_timed_id(at: datetime) -> UUID:
    """A time-ordered id with a random tail: for things without a natural key (decisions, log rows)."""
    return _stamped(epoch_ms(at) << 80 | secrets.randbits(80), _VERSION_7)


def floor_id(at: datetime) -> UUID:
    """The smallest time-ordered id of an instant: a partition bound or the start of a range scan.

    >>> floor_id(datetime(2026, 1, 1, tzinfo=UTC)) <= timed_id(datetime(2026, 1, 1, tzinfo=UTC), b"x")
    True
    """
    return UUID(bytes=epoch_ms(at).to_bytes(6, "big") + bytes(10))


def instant_of(identifier: UUID) -> datetime:
    """The instant inside a time-ordered id, to the millisecond.

    >>> instant_of(timed_id(datetime(2026, 1, 1, tzinfo=UTC), b"x")).isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(int.from_bytes(identifier.bytes[:6], "big") / 1000, UTC)


def epoch_ms(at: datetime) -> int:
    """Milliseconds since 1970, clamped to the 48 bits that a time-ordered id has room for."""
    milliseconds = int(at.timestamp() * 1000)
    return milliseconds if 0 <= milliseconds <= _MAX_MS else 0 if milliseconds < 0 else _MAX_MS


def _timed_hex(milliseconds: int, tail: str) -> str:
    """The layout of `_stamp` in text: version 7 and variant 10 take the place of the upper bits of two digits."""
    return f"{milliseconds:012x}7{tail[1:4]}{_VARIANT[tail[4]]}{tail[5:20]}"


def _timed_bytes(start: bytes, tail: bytes) -> bytes:
    """The layout of `_stamped` in bytes, of 6 bytes of time and 10 others."""
    return start + bytes((tail[0] & 0x0F | 0x70, tail[1], tail[2] & 0x3F | 0x80)) + tail[3:10]


def _stamped(value: int, version: int) -> UUID:
    """A UUID of 128 bits with version and variant put in. Made past UUID's constructor, which takes five times as long:
    every cart and visitor of a batch gets one."""
    made = object.__new__(UUID)
    _set_int(made, value & _FREE_BITS | version)
    _set_is_safe(made, _UNKNOWN)
    return made
