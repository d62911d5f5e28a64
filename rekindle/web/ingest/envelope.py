"""Which events lie in a body? Taken apart without letting one broken event, or a deep or odd one, harm the others.

What msgspec says of an error names positions and types, never values, and may be told to the sender.
"""

from __future__ import annotations

import json
import re

import msgspec

from rekindle.web.ingest.limits import MAX_DEPTH, MAX_EVENT, MAX_EVENTS
from rekindle.web.ingest.problem import EventError, RequestError
from rekindle.web.ingest.shapes import Message, message_of

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_ALL_BUT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NOT_STRICT = re.compile(rb"NaN|Infinity|\\u[dD][89a-fA-F]")
_BATCH_FORM = '{"batch": [...]}'
_NOT_A_NUMBER = b"NaN"


#: A message, and what is wrong with its properties.
Opened = tuple[Message, EventError | None]


class Envelope(msgspec.Struct, frozen=True):
    """``events`` are one JSON text each, not yet looked into; key and time of sending as they were told.

    ``is_single``: the body is the one event. ``single`` is that event where it had to be opened already.
    """

    events: list[bytes]
    write_key: object
    sent_at: object
    is_single: bool = False
    single: Opened | None = None


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]
    writeKey: str | None = None  # noqa: N815 - the names are Segment's
    sentAt: str | None = None  # noqa: N815


class _Kind(msgspec.Struct):
    type: str | None = None


class _Head(msgspec.Struct):
    writeKey: str | None = None  # noqa: N815
    sentAt: str | None = None  # noqa: N815


_KIND = msgspec.json.Decoder(_Kind)
_BATCH = msgspec.json.Decoder(_Batch)
_HEAD = msgspec.json.Decoder(_Head)


def open_batch(body: bytes) -> Envelope:
    """A body of `/v1/batch` or `/v1/events`. Raises RequestError when it is not JSON, or no batch."""
    try:
        found = _BATCH.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        if _NOT_STRICT.search(body) is None:
            raise _not_an_envelope(error, _BATCH_FORM) from None
        return _open_tolerantly(body, error)
    return _counted([bytes(raw) for raw in found.batch], found.writeKey, found.sentAt)


def single_envelope(body: bytes) -> Envelope:
    """A body that is one event, looked into no further than for its key. Raises RequestError: it is no JSON object."""
    try:
        head = _HEAD.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        opened = open_single(body)
        return Envelope([body], opened[0].writeKey, opened[0].sentAt, True, opened)
    return Envelope([body], head.writeKey, head.sentAt, True)


def open_single(body: bytes) -> Opened:
    """The event of a body that is one. Raises RequestError when it is not a JSON object."""
    try:
        return message_of(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _not_an_envelope(error, "one event") from None


def is_single(body: bytes) -> bool:
    """Is this body one event rather than a batch? Judged by its type; False for what is no JSON object."""
    try:
        return _KIND.decode(body).type is not None
    except (msgspec.MsgspecError, RecursionError):
        return False


def open_event(raw: bytes) -> Opened:
    """One event of a batch. Raises EventError: too large, too deep, not an object, not storable."""
    check_event(raw)
    try:
        return message_of(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        if raw == _NOT_A_NUMBER:
            raise EventError("", "NaN and Infinity are not JSON numbers") from None
        raise EventError("", f"not a JSON object: {error}") from None


def check_event(raw: bytes) -> None:
    """Raises EventError for an event that is too large, too deep, or has characters that no database takes."""
    if len(raw) > MAX_EVENT:
        raise EventError("", f"an event must not exceed {MAX_EVENT} bytes")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and depth_exceeds(raw, MAX_DEPTH):
        raise EventError("", f"an event must not nest deeper than {MAX_DEPTH} levels")
    if b"\\" in raw and b"u0000" in raw and _NUL.search(raw):  # the first is looked for at ten times the speed
        raise EventError("", "NUL characters are refused")


def depth_exceeds(text: bytes, levels: int) -> bool:
    """Is any value nested deeper than this? Works on broken JSON too, in C speed and without recursion.

    >>> depth_exceeds(b'[[["]]]"]]]', 2), depth_exceeds(b'[["[[["]]', 2)
    (True, False)
    """
    brackets = _STRING.sub(b"", text).translate(_ONE_KIND, _ALL_BUT_BRACKETS)
    for _ in range(levels):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")  # each pass takes the innermost level away
    return bool(brackets)


def _counted(events: list[bytes], write_key: object, sent_at: object) -> Envelope:
    if len(events) > MAX_EVENTS:
        raise RequestError(413, f"a batch must not exceed {MAX_EVENTS} events")
    return Envelope(events, write_key, sent_at)


def _open_tolerantly(body: bytes, error: Exception) -> Envelope:
    """Some clients write NaN, or half of a character; the events without it are still good.

    Slow, and only for a body that is no strict JSON. The bad events are handed on so that they are refused one by one.
    """
    marker = "\ufdd0NaN"  # a noncharacter: in nobody's text
    try:
        found = json.loads(body, parse_constant=lambda _word: marker)
        if not isinstance(found["batch"], list):
            raise TypeError
        texts = [json.dumps(event, ensure_ascii=True).encode() for event in found["batch"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _not_an_envelope(error, _BATCH_FORM) from None
    mark = json.dumps(marker).strip('"').encode()
    return _counted(
        [_NOT_A_NUMBER if mark in text else text for text in texts], found.get("writeKey"), found.get("sentAt")
    )


def _not_an_envelope(error: Exception, wanted: str) -> RequestError:
    if isinstance(error, RecursionError):
        return RequestError(400, f"the body nests deeper than {MAX_DEPTH} levels")
    return RequestError(400, f"the body is not valid JSON of the form {wanted}: {error}")
