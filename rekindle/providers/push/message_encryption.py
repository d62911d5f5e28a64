"""How is a message encrypted for one browser? RFC 8291: a key of its own for each message, agreed by ECDH on P-256.

Only the browser that made the subscription can read it; the push service between sees nothing but its length.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rekindle.providers.push.content_encoding import SALT, EncodingError, decode, derive, encode, key_id_of

_CURVE: Final = ec.SECP256R1()
#: RFC 8291 4: 4096 bytes of body without header (86), tag (16) and delimiter (1).
MAX_PLAIN: Final = 3_993


def encrypt(
    plain: bytes,
    receiver: bytes,
    auth: bytes,
    *,
    sender: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body for a subscription with this public key (uncompressed point, 65 bytes) and this secret (16 bytes).

    ``sender`` and ``salt`` are for known answers only. Raises ValueError for a key that is no point of the curve and
    for a message that is too long.
    """
    if len(plain) > MAX_PLAIN:
        raise ValueError(f"a push message has at most {MAX_PLAIN} bytes")
    public = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, receiver)
    sender = sender or ec.generate_private_key(_CURVE)
    own = point_of(sender)
    secret = _secret(sender.exchange(ec.ECDH(), public), auth, receiver, own)
    return encode(plain, secret, salt or secrets.token_bytes(SALT), key_id=own)


def decrypt(body: bytes, receiver: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """What a browser does with a body. Raises EncodingError."""
    own = key_id_of(body)
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, own)
    except ValueError:
        raise EncodingError("the sender's key is no point of the curve") from None
    return decode(body, _secret(receiver.exchange(ec.ECDH(), public), auth, point_of(receiver), own))


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key as 65 bytes: an uncompressed point."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _secret(shared: bytes, auth: bytes, receiver: bytes, sender: bytes) -> bytes:
    return derive(shared, auth, b"WebPush: info\0" + receiver + sender, 32)
