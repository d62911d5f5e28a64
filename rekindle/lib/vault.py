"""How are credentials kept at rest? AES-256-GCM under a key derived from the installation's vault key.

A sealed value is ``version | nonce | ciphertext and tag`` and is bound to what it belongs to: moved to another row it
does not open. Sizes: 12-byte random nonces (NIST SP 800-38D 8.2.2 allows 2**32 of them per key).
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"
_NONCE = 12
_MIN_KEY = 32


class VaultKeys(NamedTuple):
    """The key that seals, and older ones that still open what they sealed, until everything is sealed anew."""

    current: bytes
    older: tuple[bytes, ...] = ()


#: One key, or several while they are changed.
VaultKey: TypeAlias = bytes | VaultKeys


class VaultError(Exception):
    """The value cannot be opened: another vault key, another owner, or damaged."""


def seal(vault_key: VaultKey, secret: bytes, owner: str) -> bytes:
    """Encrypt a secret for its owner (for example ``provider:shop 7``). Raises ValueError for a short key.

    >>> open_sealed(b"k" * 32, seal(b"k" * 32, b"pass", "shop 7"), "shop 7")
    b'pass'
    """
    nonce = secrets.token_bytes(_NONCE)
    return _VERSION + nonce + _cipher(_keys(vault_key).current).encrypt(nonce, secret, owner.encode())


def open_sealed(vault_key: VaultKey, sealed: bytes, owner: str) -> bytes:
    """Decrypt, with whichever key fits. Raises VaultError; the text never holds anything of the value."""
    if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE + 16:
        raise VaultError("this is not a sealed value")
    nonce, box = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    keys = _keys(vault_key)
    for key in (keys.current, *keys.older):
        try:
            return _cipher(key).decrypt(nonce, box, owner.encode())
        except InvalidTag:
            continue
    raise VaultError("the sealed value does not open: was the vault key changed?")


def is_current(vault_key: VaultKey, sealed: bytes, owner: str) -> bool:
    """Whether the current key alone opens the value.

    >>> is_current(VaultKeys(b"n" * 32, (b"o" * 32,)), seal(b"o" * 32, b"pass", "shop 7"), "shop 7")
    False
    """
    try:
        open_sealed(_keys(vault_key).current, sealed, owner)
    except VaultError:
        return False
    return True


def _keys(vault_key: VaultKey) -> VaultKeys:
    return vault_key if isinstance(vault_key, VaultKeys) else VaultKeys(vault_key)


@lru_cache(maxsize=8)
def _cipher(vault_key: bytes) -> AESGCM:
    if len(vault_key) < _MIN_KEY:
        raise ValueError(f"a vault key needs at least {_MIN_KEY} bytes")
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"rekindle vault v1").derive(vault_key)
    return AESGCM(derived)
