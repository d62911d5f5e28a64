"""What does one request look like on the wire? Checked so that no value can add a header or a second request."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from rekindle.providers.http_client.egress import Origin

_METHOD = re.compile(r"[A-Z]{3,8}")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(r"/[\x21\x22\x24-\x7e]*")
#: Written by `wire` itself.
_OURS: Final = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding", "user-agent"})

#: Some providers refuse requests without one (Resend answers 403).
USER_AGENT: Final = "Rekindle/1 (cart recovery)"


class Request(msgspec.Struct, frozen=True):
    """``target`` is the path with its query, already encoded. Header values are text of one line."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def wire(self, origin: Origin) -> bytes:
        """The bytes to write. Raises ValueError for anything that does not fit into one request.

        >>> Request("GET", "/x").wire(Origin("https", "api.example", 443)).split(b"\\r\\n")[:2]
        [b'GET /x HTTP/1.1', b'Host: api.example']
        """
        if not _METHOD.fullmatch(self.method) or not _TARGET.fullmatch(self.target):
            raise ValueError("the request line is not valid")
        lines = [
            f"{self.method} {self.target} HTTP/1.1",
            f"Host: {origin.authority}",
            f"User-Agent: {USER_AGENT}",
            "Accept-Encoding: identity",
        ]
        for name, value in self.headers:
            if not _NAME.fullmatch(name) or name.lower() in _OURS or not _VALUE.fullmatch(value):
                raise ValueError(f"the header {name[:40]!r} is not valid")
            lines.append(f"{name}: {value}")
        if self.body or self.method not in {"GET", "HEAD", "DELETE"}:
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self.body
