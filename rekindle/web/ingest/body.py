"""Which bytes did the sender mean? Size, compression and encoding, before anything is understood."""

from __future__ import annotations

import zlib
from functools import lru_cache

from rekindle.web.http import Request
from rekindle.web.ingest.limits import MAX_BODY
from rekindle.web.ingest.problem import RequestError

_GZIP = 16 + zlib.MAX_WBITS
_MEMBERS = 16  #: gzip members of one body; more is a bomb of empty ones
_BOM = b"\xef\xbb\xbf"
_UTF8 = frozenset(("utf-8", "utf8", "us-ascii"))


def too_large() -> RequestError:
    return RequestError(413, f"the body must not exceed {MAX_BODY} bytes")


def check_head(request: Request) -> None:
    """Refuse by the headers alone what needs no reading. Raises RequestError."""
    length = request.header("content-length")
    if length and (not length.isdigit() or int(length[:12]) > MAX_BODY):
        raise too_large()
    _check_types(request.header("content-type")[:200], request.header("content-encoding")[:200])


@lru_cache(maxsize=256)  # a handful of clients send the same few
def _check_types(content_type: str, encoding: str) -> None:
    kind, _, parameters = content_type.lower().partition(";")
    if kind.strip() not in ("application/json", "text/plain", ""):
        raise RequestError(415, "send application/json (or text/plain, as browsers' beacons do)")
    _, said, charset = parameters.partition("charset=")
    if said and charset.split(";")[0].strip(' "') not in _UTF8:
        raise RequestError(400, "the body must be UTF-8")
    if encoding.lower() not in ("", "identity", "gzip"):
        raise RequestError(415, "only gzip compression is understood")


def decoded(raw: bytes, encoding: str) -> bytes:
    """Decompress (never past the limit: a bomb costs 500 KB) and check UTF-8. Raises RequestError."""
    if encoding.lower() == "gzip":
        raw = _gunzip(raw)
    if not raw.isascii():
        raw = raw.removeprefix(_BOM)
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise RequestError(400, "the body is not valid UTF-8") from None
    return raw


def _gunzip(raw: bytes) -> bytes:
    out = b""
    try:
        for _ in range(_MEMBERS):  # members may be concatenated (RFC 1952 2.2)
            member = zlib.decompressobj(_GZIP)
            out += member.decompress(raw, MAX_BODY + 1 - len(out))
            if len(out) > MAX_BODY:
                raise RequestError(413, f"the decompressed body must not exceed {MAX_BODY} bytes")
            if not member.eof:
                raise RequestError(400, "the gzip body is cut off")
            raw = member.unused_data
            if not raw:
                return out
    except zlib.error:
        raise RequestError(400, "the body is not valid gzip") from None
    raise RequestError(400, f"the gzip body has more than {_MEMBERS} parts")
