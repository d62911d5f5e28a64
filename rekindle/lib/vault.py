"""How are credentials kept at rest? AES-256-GCM under a key derived from the installation's vault key.

A sealed value is ``version | nonce | ciphertext and tag`` and is bound to what it belongs to: moved to another row it
does not open. Sizes: 12-byte random nonces (NIST SP 800-38D 8.2.2 allows 2**32 of them per key).
"""

from __future__ import annotations

import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"
_NONCE = 12
_MIN_KEY = 32


class VaultError(Exception):
    """The value cannot be opened: another vault key, another owner, or damaged."""


def seal(vault_key: bytes, secret: bytes, owner: str) -> bytes:
    """Encrypt a secret for its owner (for example ``provider:shop 7``). Raises ValueError for a short key.

    >>> open_sealed(b"k" * 32, seal(b"k" * 32, b"pass", "shop 7"), "shop 7")
    b'pass'
    """
    nonce = secrets.token_bytes(_NONCE)
    return _VERSION + nonce + _cipher(vault_key).encrypt(nonce, secret, owner.encode())


def open_sealed(vault_key: bytes, sealed: bytes, owner: str) -> bytes:
    """Decrypt. Raises VaultError; the text never holds anything of the value."""
    if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE + 16:
        raise VaultError("this is not a sealed value")
    nonce, box = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    try:
        return _cipher(vault_key).decrypt(nonce, box, owner.encode())
    except InvalidTag:
        raise VaultError("the sealed value does not open: was the vault key changed?") from None


@lru_cache(maxsize=8)
def _cipher(vault_key: bytes) -> AESGCM:
    if len(vault_key) < _MIN_KEY:
        raise ValueError(f"a vault key needs at least {_MIN_KEY} bytes")
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"rekindle vault v1").derive(vault_key)
    return AESGCM(derived)
