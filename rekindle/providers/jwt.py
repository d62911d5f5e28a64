"""How are compact JSON Web Tokens made and checked? Only the algorithms that our providers use.

RS256 to sign in (RFC 7515, 7518 3.3), ES256 for push services (3.4), HS256 to check reports (3.2). The algorithm is
ours to say, never the token's.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from rekindle.providers.read_json import mapping, parsed, text


def rs256(claims: Mapping[str, object], private_key_pem: str, *, key_id: str = "") -> str:
    """A signed token. Raises ValueError for a key that is no RSA key in PEM."""
    header: dict[str, str] = {"alg": "RS256", "typ": "JWT"}
    if key_id:
        header["kid"] = key_id
    signed = f"{_pack(msgspec.json.encode(header))}.{_pack(msgspec.json.encode(dict(claims)))}"
    return f"{signed}.{_pack(rsa_key(private_key_pem).sign(signed.encode(), PKCS1v15(), SHA256()))}"


def es256(claims: Mapping[str, object], key: EllipticCurvePrivateKey) -> str:
    """A signed token. ``key`` must be on P-256; the signature is R and S, 32 bytes each (RFC 7518 3.4)."""
    signed = f"{_pack(msgspec.json.encode({'typ': 'JWT', 'alg': 'ES256'}))}.{_pack(msgspec.json.encode(dict(claims)))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ECDSA(SHA256())))
    return f"{signed}.{_pack(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def hs256_claims(token: str, secret: bytes) -> Mapping[str, object] | None:
    """The claims of a token that this secret has signed; None for every other. The caller judges times and contents."""
    parts = token.split(".")
    if len(token) > 8_192 or len(parts) != 3 or not token.isascii() or not secret:
        return None
    header, body, signature = (_unpack(part) for part in parts)
    if header is None or body is None or signature is None:
        return None
    wanted = hmac.digest(secret, f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256)
    if not hmac.compare_digest(wanted, signature) or text(mapping(parsed(header)).get("alg")) != "HS256":
        return None
    claims = parsed(body)
    return mapping(claims) if isinstance(claims, dict) else None


@lru_cache(maxsize=64)
def rsa_key(pem: str) -> RSAPrivateKey:
    """Raises ValueError."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("this is not a private key in PEM form without a password") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("this is not an RSA key")
    return key


def _pack(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _unpack(part: str) -> bytes | None:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        return None
