"""How are bytes written so that they can stand in an address? base64 with `-` and `_`, without padding (RFC 4648 5)."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode


def pack(raw: bytes) -> str:
    """
    >>> pack(b"\\xff\\xfe")
    '__4'
    """
    return urlsafe_b64encode(raw).decode().rstrip("=")


def unpack(text: str) -> bytes | None:
    """None for what is not in this form; padding and the plain alphabet are taken too.

    >>> unpack("__4"), unpack("//4="), unpack("a"), unpack("a b4")
    (b'\\xff\\xfe', b'\\xff\\xfe', None, None)
    """
    text = text.rstrip("=").replace("+", "-").replace("/", "_")
    if not text.isascii() or not text.replace("-", "a").replace("_", "a").isalnum():
        return b"" if text == "" else None
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
