"""Which write key does a request name? As Basic user name, as Segment's clients do, or in the body."""

from __future__ import annotations

import base64
import binascii

_MAX_KEY = 200


def told_key(authorization: str, in_body: str | None) -> str | None:
    """The user name of Basic authorization, else the body's key; None if there is none that could be one."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            name = base64.b64decode(coded.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, ValueError):
            name = ""
        if name:
            return name if _plausible(name) else None
    return in_body if in_body and _plausible(in_body) else None


def _plausible(key: str) -> bool:
    return len(key) <= _MAX_KEY and "\0" not in key and key.isprintable()
