"""What goes into a link? An opaque random token that carries its bucket and names its send, nothing personal.

One 16-byte random seed is drawn per send and lives only while the send waits; each purpose has its own secret, so a
token for one purpose opens nothing else. The database keeps hashes of the secrets (OWASP ASVS 11.5.1: 128 bits).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from rekindle.lib.hashing import hmac_sha256

#: The URL-safe spelling to the usual one, whose own two characters become ones that no spelling has.
_STANDARD = bytes.maketrans(b"-_+/", b"+/!!")
#: 46 characters are 34 bytes and four bits, which are zero in the canonical spelling.
_LAST = frozenset("AQgw")
_SHORT_BYTES = 2 + 16
_LENGTH = 46  # in base64 without its padding
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Purpose(StrEnum):
    LINK = "link"  #: restore the cart, follow a product link
    OPTOUT = "optout"  #: unsubscribe and preferences
    CONFIRM = "confirm"  #: confirm that the address agreed


@dataclass(frozen=True, slots=True)
class TokenParts:
    """A token taken apart: where the send lies, which one, and the hash to compare with the stored one."""

    bucket: int
    send_id: UUID
    secret_hash: bytes


def new_seed() -> bytes:
    return secrets.token_bytes(16)


def secret_of(seed: bytes, purpose: Purpose) -> bytes:
    """The 16-byte secret of a purpose; knowing one says nothing about the other."""
    return hmac_sha256(seed, purpose.encode())[:16]


def hash_of(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def make_token(bucket: int, send_id: UUID, seed: bytes, purpose: Purpose) -> str:
    """46 URL-safe characters.

    >>> t = make_token(7, UUID(int=1), b"s" * 16, Purpose.LINK)
    >>> len(t), read_token(t).bucket
    (46, 7)
    """
    raw = bucket.to_bytes(2, "big") + send_id.int.to_bytes(16, "big") + secret_of(seed, purpose)
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE)[:_LENGTH].decode()


def read_token(token: str) -> TokenParts | None:
    """Take a token apart; None for anything that is not the one canonical spelling of one."""
    found = take_apart(token)
    return None if found is None else TokenParts(found[0], UUID(bytes=found[1]), found[2])


def take_apart(token: str) -> tuple[int, bytes, bytes] | None:
    """`read_token` as a plain tuple, the send's id as its 16 bytes: for the many that are opened together."""
    if len(token) != _LENGTH or not token.isascii() or token[-1] not in _LAST:
        return None
    try:
        raw = binascii.a2b_base64(token.encode().translate(_STANDARD) + b"==", strict_mode=True)
    except binascii.Error:
        return None
    bucket = raw[0] << 8 | raw[1]
    return (bucket, raw[2:18], hashlib.sha256(raw[18:]).digest()) if bucket < 1024 else None


def make_short_token(bucket: int, seed: bytes, purpose: Purpose = Purpose.LINK) -> str:
    """24 URL-safe characters, where every character is paid for: the send is found by its hash.

    >>> t = make_short_token(7, b"s" * 16)
    >>> len(t), read_short_token(t) == (7, hash_of(secret_of(b"s" * 16, Purpose.LINK)))
    (24, True)
    """
    return base64.urlsafe_b64encode(bucket.to_bytes(2, "big") + secret_of(seed, purpose)).decode()


def read_short_token(token: str) -> tuple[int, bytes] | None:
    """The bucket and the hash by which the send is found; None for anything that is not a short token."""
    if len(token) != 24 or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    bucket = int.from_bytes(raw[:2], "big")
    if len(raw) != _SHORT_BYTES or bucket >= 1024 or base64.urlsafe_b64encode(raw).decode() != token:
        return None
    return bucket, hash_of(raw[2:])


def same_hash(stored: bytes, presented: bytes) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(stored, presented)
