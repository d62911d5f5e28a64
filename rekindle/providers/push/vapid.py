"""How does a shop prove to a push service that it is the one the browser agreed to? RFC 8292: a signed token, a key.

A subscription is bound to the public key under which it was made: a shop that loses its key loses its subscriptions.
"""

from __future__ import annotations

import threading
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from rekindle.lib.base64url import pack, unpack
from rekindle.lib.clock import Clock
from rekindle.providers import jwt
from rekindle.providers.push.message_encryption import point_of

#: RFC 8292 2 allows 24 hours; half of it leaves room for clocks that differ.
_LIFE_S: Final = 12 * 3600
_RENEW_S: Final = 3600
_MAX_ORIGINS: Final = 1_000


def make_private_key() -> str:
    """A new private key: 32 bytes in base64url, as other libraries write it."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return pack(number.to_bytes(32, "big"))


def public_key_of(private_key: str) -> str:
    """The application server key that browsers subscribe with: 65 bytes in base64url. Raises ValueError."""
    return pack(point_of(load_private_key(private_key)))


def load_private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """A key as 32 bytes in base64url or as PEM. Raises ValueError."""
    text = text.strip()
    try:
        if text.startswith("-----BEGIN"):
            key = load_pem_private_key(text.encode(), password=None)
            if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
                return key
        else:
            raw = unpack(text)
            if raw is not None and len(raw) == 32:
                return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise ValueError("a VAPID private key is 32 bytes in base64url, or a P-256 key in PEM form without a password")


class Vapid:
    """Signs for one shop. One token for each push service, kept for most of its life.

    ``subject`` is where a push service can complain: a mailto: or https: address.
    """

    def __init__(self, private_key: str, subject: str, clock: Clock) -> None:
        self._key = load_private_key(private_key)
        self._subject, self._clock = subject, clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, int]] = {}
        self.public_key = pack(point_of(self._key))

    def authorization(self, audience: str) -> str:
        """The header's value for a push service, named by its origin such as https://push.example."""
        now = int(self._clock.now().timestamp())
        with self._lock:
            token, good_until = self._tokens.get(audience, ("", 0))
            if not good_until - _LIFE_S <= now < good_until - _RENEW_S:
                good_until = now + _LIFE_S
                token = jwt.es256({"aud": audience, "exp": good_until, "sub": self._subject}, self._key)
                if len(self._tokens) >= _MAX_ORIGINS:
                    self._tokens.clear()
                self._tokens[audience] = token, good_until
        return f"vapid t={token}, k={self.public_key}"
