"""Bytes of a request: sizes, compression, encoding, depth; and any bytes at all."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekindle.web.http import Request
from rekindle.web.ingest.arrival import Arrival
from rekindle.web.ingest.body import check_head, decoded
from rekindle.web.ingest.envelope import depth_exceeds, open_batch, open_event, single_envelope
from rekindle.web.ingest.limits import MAX_BODY, MAX_DEPTH, MAX_EVENT, MAX_EVENTS
from rekindle.web.ingest.problem import EventError, Findings, RequestError
from rekindle.web.ingest.segment import read_event

from .reading import NOW, SHOP, track


def request(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method="POST", path="/v1/batch", header=lambda name: named.get(name, ""))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_length": str(MAX_BODY + 1)}, 413),
        ({"content_length": "9" * 40}, 413),
        ({"content_length": "-1"}, 413),
        ({"content_type": "text/xml"}, 415),
        ({"content_type": "application/json; charset=latin-1"}, 400),
        ({"content_type": "application/json; charset=utf-16"}, 400),
        ({"content_encoding": "br"}, 415),
    ],
)
def test_a_head_that_cannot_be_right_is_refused_before_reading(headers: dict[str, str], status: int) -> None:
    with pytest.raises(RequestError) as refused:
        check_head(request(**headers))
    assert refused.value.status == status


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain;charset=UTF-8", 'application/json; charset="utf-8"', ""]
)
def test_the_types_that_clients_send_are_taken(kind: str) -> None:
    check_head(request(content_type=kind, content_length="10", content_encoding="gzip"))


def test_gzip_is_opened_and_a_byte_order_mark_dropped() -> None:
    assert decoded(gzip.compress(b'{"a":1}'), "gzip") == b'{"a":1}'
    assert decoded(gzip.compress(b'{"a"') + gzip.compress(b":1}"), "gzip") == b'{"a":1}'
    assert decoded(b"\xef\xbb\xbf{}", "") == b"{}"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(400_000_000), 9)
    assert len(bomb) < MAX_BODY
    tracemalloc.start()
    with pytest.raises(RequestError) as refused:
        decoded(bomb, "gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.status == 413
    assert peak < 3_000_000


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (b"nonsense", "gzip"),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip"),
        (gzip.compress(b"", mtime=0) * 20_000, "gzip"),
        (b"", "gzip"),
        ('{"a":"ä"}'.encode("latin-1"), ""),
        ('{"a":1}'.encode("utf-16"), ""),
        (b'{"a":"\xed\xa0\x80"}', ""),
    ],
)
def test_broken_encodings_are_refused(raw: bytes, encoding: str) -> None:
    with pytest.raises(RequestError) as refused:
        decoded(raw, encoding)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b'{"batch":1}',
        b'{"batch":[1,',
        b"{}",
        b'{"batch":[{"a":1}]} x',
        b'{"batch":[' + b"[" * 100_000,
        b"[" * 400_000,
        b'{"a":' * 1_000,
        b'{"batch":[],"writeKey":5}',
        b'{"batch":NaN}',
        b'{"batch":[{"a":NaN}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError) as refused:
        open_batch(body)
    assert refused.value.status == 400


def test_too_many_events_are_refused() -> None:
    with pytest.raises(RequestError) as refused:
        open_batch(b'{"batch":[' + b",".join([b"{}"] * (MAX_EVENTS + 1)) + b"]}")
    assert refused.value.status == 413


def test_nan_costs_only_its_own_event() -> None:
    good = msgspec.json.encode(track("Product Viewed", {"product_id": "ä"}))
    envelope = open_batch(
        b'{"batch":[' + good + b',{"type":"track","event":"x","properties":{"price":NaN}}],"writeKey":"k"}'
    )
    assert envelope.write_key == "k"
    assert msgspec.json.decode(envelope.events[0]) == msgspec.json.decode(good)
    with pytest.raises(EventError, match="NaN"):
        open_event(envelope.events[1])


@pytest.mark.parametrize(
    "raw",
    [
        b"1",
        b"null",
        b"[]",
        b'{"type":"track","properties":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b'{"event":"' + b"x" * MAX_EVENT + b'"}',
        rb'{"event":"a\u0000b"}',
        rb'{"event":"a\\\u0000"}',
    ],
    ids=lambda raw: repr(raw[:30]),
)
def test_an_event_that_cannot_be_stored_is_refused(raw: bytes) -> None:
    with pytest.raises(EventError):
        open_event(raw)


def test_a_text_about_nul_is_no_nul() -> None:
    assert open_event(rb'{"event":"a\\u0000b"}')[0].event == r"a\u0000b"


def test_depth_is_counted_outside_of_texts_only() -> None:
    deep = b'{"a":' * MAX_DEPTH + rb'"[[[\"{{{"' + b"}" * MAX_DEPTH
    assert not depth_exceeds(deep, MAX_DEPTH)
    assert depth_exceeds(b"[" + deep + b"]", MAX_DEPTH)


@given(
    st.recursive(
        st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30
    )
)
def test_depth_is_what_python_says(value: object) -> None:
    def depth(thing: object) -> int:
        inner = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    text = json.dumps(value).encode()
    assert depth_exceeds(text, depth(value)) is False
    assert depth(value) == 0 or depth_exceeds(text, depth(value) - 1)


@pytest.mark.parametrize(
    "evil", [b'"' * 31_999, b'"' + b"\\" * 31_990, b"{" * 16_000 + b"[" * 15_000, b'{"a":"' + b"\\u0000" * 5_000]
)
def test_hostile_texts_are_judged_in_linear_time(evil: bytes) -> None:
    began = time.process_time()
    with pytest.raises(EventError):
        open_event(evil)
    assert time.process_time() - began < 0.05


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["type", "event", "userId", "anonymousId", "messageId", "timestamp", "traits", "context", "previousId", "name"]
INNER = [
    "products",
    "cart_id",
    "order_id",
    "currency",
    "total",
    "price",
    "quantity",
    "product_id",
    "email",
    "consent",
    "url",
]


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING),
    st.dictionaries(st.sampled_from(INNER), ANYTHING),
    st.sampled_from(["track", "identify", "page", "alias", "group", None]),
    st.sampled_from(["Order Completed", "Cart Updated", "Product Added", "Unsubscribed", "Coupon Denied", "Odd", None]),
)
def test_any_json_is_either_an_event_or_a_refusal(
    message: dict[str, object], properties: dict[str, object], kind: str | None, name: str | None
) -> None:
    message |= {"properties": properties} | ({"type": kind} if kind else {}) | ({"event": name} if name else {})
    try:
        raw = msgspec.json.encode(message)
        event = read_event(raw, open_event(raw), Arrival(shop=SHOP, received_at=NOW, skew=NOW - NOW), Findings())
    except EventError:
        return
    assert event.at <= event.received_at
    assert 0 < len(event.message_key) < 100
    assert isinstance(msgspec.json.decode(event.payload), dict)
    assert all(0 <= item.quantity <= 100_000 and (item.unit_cents or 0) >= 0 for item in event.items)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_answered(body: bytes) -> None:
    statuses = set()
    for opened in (open_batch, single_envelope):
        try:
            opened(decoded(body, ""))
        except RequestError as error:
            statuses.add(error.status)
    assert statuses <= {400, 413}
