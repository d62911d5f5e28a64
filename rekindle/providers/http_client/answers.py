"""What did the server answer? Bytes in, at most one whole answer out; strict, because a misread answer loses a letter.

RFC 9112: status line, headers, then a body by chunks, by length or until the connection closes, in that order of
precedence. Interim answers (1xx) are skipped. Everything has a limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

MAX_HEAD: Final = 64 * 1024
_MAX_CHUNK_LINE: Final = 1_024

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_LENGTH = re.compile(r"[0-9]{1,15}")
_KEEP_ALIVE = re.compile(r"\btimeout=([0-9]{1,6})", re.IGNORECASE)


class AnswerError(ValueError):
    """The bytes are no HTTP answer, or too many."""


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. Header names in lower case; repeated headers joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerReader:
    """Reads the answer to one request. ``limit``: bytes of body that are accepted; ``bodiless``: it was a HEAD."""

    def __init__(self, limit: int, *, bodiless: bool = False) -> None:
        self._limit = limit
        self._bodiless = bodiless
        self._buffer = bytearray()
        self._state: Literal["head", "length", "chunk", "data", "trailer", "close", "done"] = "head"
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._wanted = 0
        self.keep_alive = False
        self.idle_limit_s: float | None = None  #: how long the server says it keeps an idle connection

    @property
    def begun(self) -> bool:
        """Something has come."""
        return self._state != "head" or bool(self._buffer)

    def feed(self, data: bytes) -> Answer | None:
        """The answer, once it is whole. Raises AnswerError."""
        self._buffer += data
        while True:
            before = (self._state, len(self._buffer))
            if self._state == "head":
                self._read_head()
            elif self._state == "length":
                self._read_length()
            elif self._state in {"chunk", "data", "trailer"}:
                self._read_chunks()
            elif self._state == "close":
                self._take(len(self._buffer))
            if self._state == "done":
                if self._buffer:  # bytes behind the answer: nobody asked for them
                    self.keep_alive = False
                return Answer(self._status, self._headers, bytes(self._body))
            if (self._state, len(self._buffer)) == before:
                return None

    def end(self) -> Answer | None:
        """The connection ended: the answer, if its body was to go on until then."""
        if self._state != "close":
            return None
        self._state = "done"
        return Answer(self._status, self._headers, bytes(self._body))

    # -- parts --------------------------------------------------------------------------------------------------------

    def _read_head(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_HEAD or (end < 0 and len(self._buffer) > MAX_HEAD):
            raise AnswerError("the head of the answer is too long")
        if end < 0:
            if self._buffer and not b"HTTP/1.".startswith(bytes(self._buffer[:7])):
                raise AnswerError("not an HTTP answer")
            return
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        status = _STATUS.fullmatch(lines[0])
        if not status:
            raise AnswerError("not an HTTP answer")
        self._status = int(status[2])
        if self._status == 101:
            raise AnswerError("the server wants another protocol")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            found = _HEADER.fullmatch(line)
            if not found:
                raise AnswerError("a header of the answer is not valid")
            name, value = found[1].decode().lower(), found[2].decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if self._status < 200:
            return
        self._headers = headers
        self._read_connection(minor=status[1])
        self._choose_body()

    def _read_connection(self, minor: bytes) -> None:
        words = {word.strip().lower() for word in self._headers.get("connection", "").split(",")}
        self.keep_alive = "close" not in words and (minor == b"1" or "keep-alive" in words)
        told = _KEEP_ALIVE.search(self._headers.get("keep-alive", ""))
        self.idle_limit_s = float(told[1]) if told else None

    def _choose_body(self) -> None:
        coding = self._headers.get("transfer-encoding", "").strip().lower()
        length = self._headers.get("content-length")
        if self._bodiless or self._status in {204, 304}:
            self._state = "done"
        elif coding:
            if coding != "chunked":
                raise AnswerError("the answer has an unknown transfer coding")
            if length is not None:
                self.keep_alive = False  # RFC 9112 6.3: two lengths are a trick or a fault
            self._state = "chunk"
        elif length is not None:
            values = {part.strip() for part in length.split(",")}
            if len(values) != 1 or not _LENGTH.fullmatch(value := values.pop()):
                raise AnswerError("the answer's length is not valid")
            self._wanted = int(value)
            if self._wanted > self._limit:
                raise AnswerError("the answer is too long")
            self._state = "length"
        else:
            self.keep_alive = False
            self._state = "close"

    def _read_length(self) -> None:
        self._take(min(self._wanted, len(self._buffer)))
        if self._wanted == 0:
            self._state = "done"

    def _read_chunks(self) -> None:
        if self._state == "data":
            if self._wanted:
                self._take(min(self._wanted, len(self._buffer)))
            if self._wanted or len(self._buffer) < 2:
                return
            if self._buffer[:2] != b"\r\n":
                raise AnswerError("a chunk of the answer is not valid")
            del self._buffer[:2]
            self._state = "chunk"
            return
        line = self._line()
        if line is None:
            return
        if self._state == "trailer":
            if not line:
                self._state = "done"
            return
        size = _CHUNK.fullmatch(line)
        if not size:
            raise AnswerError("a chunk of the answer is not valid")
        self._wanted = int(size[1], 16)
        self._state = "data" if self._wanted else "trailer"

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > _MAX_CHUNK_LINE or (end < 0 and len(self._buffer) > _MAX_CHUNK_LINE):
            raise AnswerError("a chunk of the answer is not valid")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self, count: int) -> None:
        if len(self._body) + count > self._limit:
            raise AnswerError("the answer is too long")
        self._body += self._buffer[:count]
        del self._buffer[:count]
        self._wanted = max(self._wanted - count, 0)
