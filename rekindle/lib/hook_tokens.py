"""What stands in the address to which a provider reports? An account's number, made unguessable by a key.

Nothing of it is stored: an address that was made up is refused without asking the database, and who reads the database
cannot make one. The number behind the account counts the addresses it has had, so that one can be replaced.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from rekindle.lib.hashing import keyed_hash

_SIZE = 6 + 2 + 16
_LENGTH = 32  #: characters


def make_hook_token(key: bytes, account_id: int, serial: int) -> str:
    """32 URL-safe characters. Raises OverflowError for numbers that no account has.

    >>> len(make_hook_token(b"k" * 32, 7, 1))
    32
    """
    head = account_id.to_bytes(6, "big") + serial.to_bytes(2, "big")
    return base64.urlsafe_b64encode(head + _proof(key, account_id, serial)).decode()


def read_hook_token(key: bytes, token: str) -> tuple[int, int] | None:
    """Account and serial of a token of ours; None for every other text.

    >>> read_hook_token(b"k" * 32, make_hook_token(b"k" * 32, 7, 1)), read_hook_token(b"x" * 32, "A" * 32)
    ((7, 1), None)
    """
    if len(token) != _LENGTH or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _SIZE:
        return None
    account_id, serial = int.from_bytes(raw[:6], "big"), int.from_bytes(raw[6:8], "big")
    return (account_id, serial) if hmac.compare_digest(raw[8:], _proof(key, account_id, serial)) else None


def _proof(key: bytes, account_id: int, serial: int) -> bytes:
    return keyed_hash(key, "hook", str(account_id), str(serial))[:16]
