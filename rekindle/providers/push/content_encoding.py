"""How is a body encrypted as `aes128gcm`? RFC 8188: a header with salt, record size and key id, then records.

Each record ends with a delimiter, 2 in the last one and 1 before, so that a body that was cut off does not pass.
"""

from __future__ import annotations

import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SALT: Final = 16
TAG: Final = 16
_HEAD: Final = struct.Struct("!16sIB")
_LAST, _NOT_LAST = b"\x02", b"\x01"


class EncodingError(ValueError):
    """This is no body in this encoding, or not one for this key."""


def encode(plain: bytes, secret: bytes, salt: bytes, *, key_id: bytes = b"", record: int = 4_096) -> bytes:
    """Encrypt. ``secret`` is the input keying material, ``salt`` 16 random bytes that are never used again.

    Raises ValueError for sizes that the encoding does not allow.
    """
    room = record - TAG - 1
    if len(salt) != SALT or room < 1 or len(key_id) > 255:
        raise ValueError("a body needs a salt of 16 bytes, records of 18 and more, a key id of at most 255")
    cipher, nonce = _keys(secret, salt)
    parts = [plain[at : at + room] for at in range(0, len(plain), room)] or [b""]
    body = [_HEAD.pack(salt, record, len(key_id)), key_id]
    for number, part in enumerate(parts, 1):
        end = _LAST if number == len(parts) else _NOT_LAST
        body.append(cipher.encrypt(_nonce(nonce, number - 1), part + end, None))
    return b"".join(body)


def key_id_of(body: bytes) -> bytes:
    """The key id in the header. Raises EncodingError."""
    if len(body) < _HEAD.size or len(body) < _HEAD.size + body[_HEAD.size - 1]:
        raise EncodingError("the body has no header")
    return body[_HEAD.size : _HEAD.size + body[_HEAD.size - 1]]


def decode(body: bytes, secret: bytes) -> bytes:
    """Decrypt. Raises EncodingError for whatever is not whole and authentic."""
    key_id = key_id_of(body)
    salt, record, _ = _HEAD.unpack_from(body)
    records = body[_HEAD.size + len(key_id) :]
    if record < TAG + 2 or not records:
        raise EncodingError("the body has no records of a possible size")
    cipher, nonce = _keys(secret, salt)
    plain = bytearray()
    for at in range(0, len(records), record):
        is_last = at + record >= len(records)
        try:
            opened = cipher.decrypt(_nonce(nonce, at // record), records[at : at + record], None).rstrip(b"\0")
        except (InvalidTag, ValueError):
            raise EncodingError("a record does not open") from None
        if opened[-1:] != (_LAST if is_last else _NOT_LAST):
            raise EncodingError("a record does not end as it must")
        plain += opened[:-1]
    return bytes(plain)


def derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF with SHA-256 (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def _keys(secret: bytes, salt: bytes) -> tuple[AESGCM, int]:
    key = derive(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    return AESGCM(key), int.from_bytes(derive(secret, salt, b"Content-Encoding: nonce\0", 12), "big")


def _nonce(base: int, number: int) -> bytes:
    return (base ^ number).to_bytes(12, "big")
