"""Requests with events, whichever way they come in: what is stored, what is answered. The store is a recording double."""

from __future__ import annotations

import asyncio
import base64
import gzip
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from rekindle.lib.clock import MovableClock
from rekindle.terms.consent import NO_MARKS, ConsentMarks
from rekindle.terms.event import EventKind, ShopEvent
from rekindle.terms.shop import KeyOwner, ShopSettings
from rekindle.web.crowd import FEW
from rekindle.web.http import Answer, Request
from rekindle.web.ingest.app import Intake
from rekindle.web.ingest.limits import MAX_BODY
from rekindle.web.ingest.patience import Patience
from rekindle.web.ingest.store import EventStore
from rekindle.web.ingest.writer import Job, NotStored, Stored, Writer
from rekindle.web.rate import RateLimit
from rekindle.web.remember import Remembered

SHOP = ShopSettings(id=7, slug="fernweh", name="Fernweh", currency="EUR", country="DE")
Post = Callable[..., Answer]


class Recorder:
    """Stands where the engine stands: keeps what it is given, or fails as told."""

    def __init__(self) -> None:
        self.calls: list[list[ShopEvent]] = []
        self.fail: Callable[[Sequence[ShopEvent]], None] = lambda _events: None
        self.is_away = False

    @property
    def events(self) -> list[ShopEvent]:
        return [event for call in self.calls for event in call]

    def __call__(self, _connection: object, _shop: ShopSettings, events: Sequence[ShopEvent]) -> None:
        self.fail(events)
        self.calls.append(list(events))

    @contextmanager
    def open(self, _bucket: int) -> Iterator[Any]:
        if self.is_away:
            raise psycopg.OperationalError("the server is away")
        yield None


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def intake(recorder: Recorder, clock: MovableClock) -> Intake:
    def owner_of(key: str) -> KeyOwner | None:
        if recorder.is_away:
            raise psycopg.OperationalError("the server is away")
        return KeyOwner(SHOP, is_secret=key == "rks_sk") if key in ("wk", "rks_sk") else None

    return Intake(
        writer=Writer(EventStore(recorder.open, recorder)),
        shops=Remembered(owner_of, fresh_s=0.0),
        clock=clock,
        rate=RateLimit(0),
    )


@pytest.fixture(params=["thread", "loop"])
def post(request: pytest.FixtureRequest, intake: Intake) -> Post:
    """Posts a body, blocking a thread or on an event loop."""

    def send(path: str, body: object, *, method: str = "POST", remote: str = "", **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        named = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}

        def read(limit: int) -> bytes | None:
            return raw if len(raw) <= limit else None

        async def read_later(limit: int) -> bytes | None:
            return read(limit)

        made = Request(method=method, path=path, remote=remote, header=lambda name: named.get(name, ""), read=read)
        if request.param == "thread":
            return intake.accept(made)
        return asyncio.run(intake.accept_async(made, read_later))

    return send


def batch(*events: dict[str, object], **fields: object) -> dict[str, object]:
    return {"batch": list(events), "writeKey": "wk"} | fields


def track(name: str, number: int = 1, **properties: object) -> dict[str, object]:
    known = {"type": "track", "event": name, "anonymousId": "v", "messageId": f"m{number}"}
    return known | {"timestamp": "2026-03-02T08:00:00Z", "properties": properties}


def told(answer: Answer) -> dict[str, Any]:
    body = msgspec.json.decode(answer.body)
    assert isinstance(body, dict)
    return body


def test_a_batch_is_stored_and_answered_like_segment(post: Post, recorder: Recorder, clock: MovableClock) -> None:
    answer = post("/v1/batch", batch(track("Product Viewed", product_id="p"), track("Cart Viewed", 2)))
    assert (answer.status, answer.body) == (200, b'{"success":true}')
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert [event.kind for event in recorder.events] == [EventKind.PRODUCT_VIEWED, EventKind.CART_VIEWED]
    assert {event.received_at for event in recorder.events} == {clock.now()}


@pytest.mark.parametrize("kind", ["track", "identify", "page", "screen", "group"])
def test_a_single_event_has_its_type_from_the_path(post: Post, recorder: Recorder, kind: str) -> None:
    answer = post(f"/v1/{kind}", {"event": "Cart Viewed", "userId": "u", "writeKey": "wk", "messageId": "m"})
    assert answer.status == 200
    assert len(recorder.events) == 1


def test_the_key_is_taken_from_basic_authorization_first(post: Post, recorder: Recorder) -> None:
    basic = "Basic " + base64.b64encode(b"wk:").decode()
    assert post("/v1/batch", {"batch": [track("x")]}, authorization=basic).status == 200
    wrong = "Basic " + base64.b64encode(b"other:").decode()
    assert post("/v1/batch", batch(track("x", 2)), authorization=wrong).status == 401
    assert len(recorder.events) == 1


def test_a_beacon_is_taken(post: Post, recorder: Recorder) -> None:
    assert post("/v1/batch", batch(track("x")), content_type="text/plain;charset=UTF-8", sec_gpc="1").status == 200
    assert recorder.events[0].gpc is True


def test_gzip_is_taken(post: Post, recorder: Recorder) -> None:
    body = gzip.compress(msgspec.json.encode(batch(*[track("x", number) for number in range(500)])))
    assert post("/v1/batch", body, content_encoding="gzip").status == 200
    assert len(recorder.events) == 500


def test_the_sender_s_clock_is_corrected_by_sent_at(post: Post, recorder: Recorder, clock: MovableClock) -> None:
    behind = (clock.now() - timedelta(hours=2)).isoformat()
    post("/v1/batch", batch(track("x") | {"timestamp": behind}, sentAt=behind))
    assert recorder.events[0].at == clock.now()
    assert recorder.events[0].stamped_at == datetime.fromisoformat(behind)


def test_an_invalid_event_of_a_compatible_batch_is_dropped_and_told(post: Post, recorder: Recorder) -> None:
    answer = post(
        "/v1/batch", batch(track("Cart Viewed"), track("Product Added", 2, product_id="p", quantity=-1), track("y", 3))
    )
    assert answer.status == 200
    assert told(answer) == {
        "success": True,
        "dropped": 1,
        "errors": [
            {
                "index": 1,
                "messageId": "m2",
                "path": "properties.quantity",
                "message": "a quantity must be a whole number from 1 to 100000",
            }
        ],
    }
    assert [event.message_key for event in recorder.events] == ["m1", "m3"]


def test_a_part_left_out_is_a_warning(post: Post, recorder: Recorder) -> None:
    answer = post("/v1/identify", {"userId": "u", "traits": {"email": "no"}, "writeKey": "wk", "messageId": "m"})
    body = told(answer)
    assert (answer.status, body["success"], body["warnings"][0]["path"]) == (200, True, "traits.email")
    assert recorder.events[0].email is None


def test_the_strict_endpoint_answers_each_error(post: Post, recorder: Recorder) -> None:
    good, bad = track("Cart Viewed"), {"type": "identify", "userId": "u", "messageId": "m9", "traits": {"email": "no"}}
    assert (post("/v1/events", batch(good)).status, told(post("/v1/events", batch()))) == (
        200,
        {"accepted": 0, "errors": []},
    )
    assert told(post("/v1/events", good | {"writeKey": "wk"})) == {"accepted": 1, "errors": []}
    mixed = post("/v1/events", batch(bad, track("x", 2), {"type": "fly"}))
    assert mixed.status == 207
    assert told(mixed)["accepted"] == 1
    assert [(error["index"], error["messageId"], error["path"]) for error in told(mixed)["errors"]] == [
        (0, "m9", "traits.email"),
        (2, None, "type"),
    ]
    assert post("/v1/events", batch(bad)).status == 422
    assert [event.message_key for event in recorder.events] == ["m1", "m1", "m2"]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/batch", b"{", {}, 400),
        ("/v1/track", b"[]", {}, 400),
        ("/v1/batch", b"x" * (MAX_BODY + 1), {}, 413),
        ("/v1/batch", batch() | {"writeKey": None}, {}, 401),
        ("/v1/batch", batch() | {"writeKey": "unknown"}, {}, 401),
        ("/v1/batch", batch() | {"writeKey": "k\u0000"}, {}, 401),
        ("/v1/batch", batch(), {"authorization": "Basic %%%"}, 200),
        ("/v1/batch", batch(), {"content_type": "application/xml"}, 415),
        ("/v1/nothing", batch(), {}, 404),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_whole(
    post: Post, recorder: Recorder, path: str, body: object, headers: dict[str, str], status: int
) -> None:
    answer = post(path, body, **headers)
    assert answer.status == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert recorder.events == []
    if status != 200:
        assert told(answer)["success"] is False
        assert told(answer)["message"]


def test_browsers_may_ask_first(post: Post) -> None:
    answer = post("/v1/batch", b"", method="OPTIONS")
    assert answer.status == 204
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert post("/v1/batch", b"", method="GET").status == 405


def test_a_database_that_is_away_is_503_with_a_time(post: Post, recorder: Recorder) -> None:
    def away(_events: Sequence[ShopEvent]) -> None:
        raise psycopg.errors.AdminShutdown("terminating connection")

    recorder.fail = away
    answer = post("/v1/batch", batch(track("x")))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    recorder.is_away = True
    assert post("/v1/batch", batch(track("x"))).status == 503
    assert recorder.events == []


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/events"])
def test_what_the_database_cannot_hold_stands_alone(post: Post, recorder: Recorder, path: str) -> None:
    def refuse(events: Sequence[ShopEvent]) -> None:
        if any(event.message_key in ("m3", "m7") for event in events):
            raise psycopg.errors.NumericValueOutOfRange("out of range")

    recorder.fail = refuse
    answer = post(path, batch({"type": "fly"}, *[track("x", number) for number in range(1, 11)]))
    assert answer.status == (200 if path == "/v1/batch" else 207)
    assert [(error["index"], error["messageId"]) for error in told(answer)["errors"]] == [
        (0, None),
        (3, "m3"),
        (7, "m7"),
    ]
    assert sorted(event.message_key for event in recorder.events) == ["m1", "m10", "m2", "m4", "m5", "m6", "m8", "m9"]


def test_a_mistake_of_ours_is_500_and_the_rest_is_stored(post: Post, recorder: Recorder) -> None:
    def fail(events: Sequence[ShopEvent]) -> None:
        if any(event.message_key == "m1" for event in events):
            raise RuntimeError("a bug")

    recorder.fail = fail
    answer = post("/v1/batch", batch(track("x"), track("y", 2)))
    assert answer.status == 500
    assert b"bug" not in answer.body
    assert [event.message_key for event in recorder.events] == ["m2"]


def test_a_deadlock_is_tried_again(post: Post, recorder: Recorder) -> None:
    failures = [psycopg.errors.DeadlockDetected("deadlock"), psycopg.errors.SerializationFailure("again")]

    def fail(_events: Sequence[ShopEvent]) -> None:
        if failures:
            raise failures.pop()

    recorder.fail = fail
    assert post("/v1/batch", batch(track("x"))).status == 200
    assert len(recorder.events) == 1


def test_events_that_wait_together_are_stored_together(recorder: Recorder) -> None:
    gate, entered = threading.Event(), threading.Event()

    def hold(_events: Sequence[ShopEvent]) -> None:
        entered.set()
        assert gate.wait(10)

    recorder.fail = hold
    writer = Writer(EventStore(recorder.open, recorder), threads=2)
    jobs = [Job(SHOP, [object()]) for _ in range(50)]  # type: ignore[list-item]
    other = Job(ShopSettings(id=8, slug="o", name="O"), [object()])  # type: ignore[list-item]
    assert writer.submit(jobs[0])
    assert entered.wait(10)
    assert all(writer.submit(job) for job in (*jobs[1:], other))
    gate.set()
    assert all(job.wait(10) == Stored() for job in (*jobs, other))
    assert sorted(len(call) for call in recorder.calls) == [1, 1, 49]  # the other shop never waited for this one


def test_a_crowd_that_was_answered_is_waited_for_while_it_comes_back(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, entered = threading.Event(), threading.Event()
    writer = Writer(EventStore(recorder.open, recorder), threads=1)
    pauses: list[list[Job]] = [[Job(SHOP, [object()]) for _ in range(4)] for _ in range(3)]  # type: ignore[list-item]
    came: list[Job] = []

    def come_back(back: threading.Condition, _seconds: float) -> None:
        group = pauses.pop() if pauses else []
        back.release()
        assert all(writer.submit(job) for job in group)
        back.acquire()
        came.extend(group)

    def hold(_events: Sequence[ShopEvent]) -> None:
        entered.set()
        assert gate.wait(10)

    recorder.fail = hold
    monkeypatch.setattr("rekindle.web.crowd.pause", come_back)
    crowd = [Job(SHOP, [object()]) for _ in range(FEW + 20)]  # type: ignore[list-item]
    assert writer.submit(crowd[0])
    assert entered.wait(10)
    assert all(writer.submit(job) for job in crowd[1:])
    gate.set()
    assert all(job.wait(10) == Stored() for job in crowd)
    last = Job(SHOP, [object()])  # type: ignore[list-item]
    assert writer.submit(last)
    assert all(job.wait(10) == Stored() for job in (last, *came))
    assert [len(call) for call in recorder.calls] == [1, FEW + 19 + 4, 1 + 8]  # as many as before, or all who come


def test_one_bad_request_does_not_spoil_its_neighbours(recorder: Recorder) -> None:
    class Bad:
        kind = EventKind.OTHER

    def refuse(events: Sequence[object]) -> None:
        if any(isinstance(event, Bad) for event in events):
            raise psycopg.DataError("no")

    recorder.fail = refuse
    store = EventStore(recorder.open, recorder)
    good, bad = object(), Bad()
    results = store(SHOP, [[good], [bad, good], [good]])  # type: ignore[list-item]
    assert results == [Stored(), Stored({0: "the database cannot hold this event"}), Stored()]
    assert len(recorder.events) == 3


def test_a_sender_may_not_send_without_end() -> None:
    now = [0.0]
    rate = RateLimit(10, lambda: now[0])
    assert [rate.wait_s("k", "ip") for _ in range(21)] == [0] * 20 + [1]
    assert rate.wait_s("k", "other") == 0
    now[0] += 0.1
    assert rate.wait_s("k", "ip") == 0
    assert rate.is_empty("k", "ip")


def test_over_the_rate_is_429(recorder: Recorder, clock: MovableClock) -> None:
    intake = Intake(
        writer=Writer(EventStore(recorder.open, recorder)),
        shops=Remembered(lambda _key: KeyOwner(SHOP)),
        clock=clock,
        rate=RateLimit(1, lambda: 0.0),
    )
    body = msgspec.json.encode(batch(track("x")))
    statuses = [
        intake.accept(Request(method="POST", path="/v1/batch", remote="ip", read=lambda _limit: body)) for _ in range(3)
    ]
    assert [answer.status for answer in statuses] == [200, 200, 429]
    assert statuses[2].headers["Retry-After"] == "1"
    assert statuses[2].headers["Access-Control-Expose-Headers"] == "Retry-After"  # a browser hides it otherwise


@pytest.mark.parametrize("entrance", ["thread", "loop"])
def test_a_database_that_never_answers_is_503(
    recorder: Recorder, intake: Intake, monkeypatch: pytest.MonkeyPatch, entrance: str
) -> None:
    frozen = threading.Event()
    recorder.fail = lambda _events: frozen.wait(20) and None
    monkeypatch.setattr("rekindle.web.ingest.app.TIMEOUT_S", 0.05)
    monkeypatch.setattr("rekindle.web.ingest.patience.LOOK_S", 0.01)
    monkeypatch.setattr(intake, "_patience", Patience(NotStored(again=True), 0.05))
    body = msgspec.json.encode(batch(track("x")))
    request = Request(method="POST", path="/v1/batch", read=lambda _limit: body)

    async def read(_limit: int) -> bytes:
        return body

    try:
        answer = intake.accept(request) if entrance == "thread" else asyncio.run(intake.accept_async(request, read))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    finally:
        frozen.set()


def consent(**context: object) -> dict[str, object]:
    said = {"granted": True, "wording": "Yes.", "confirmed": True, "written": True, "mentions_cart": True}
    traits = {"email": "ada@example.com", "consent": {"email": said}}
    return {"type": "identify", "anonymousId": "v", "messageId": "c1", "traits": traits, "context": context}


def test_only_the_shops_server_is_believed_that_an_address_was_confirmed(post: Post, recorder: Recorder) -> None:
    context = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11) Gecko/20100101 Firefox/130.0"}
    post("/v1/batch", batch(consent(**context)), remote="2001:db8:7:8::1", user_agent="Mozilla/5.0 Chrome/140 Safari/5")
    post("/v1/batch", batch(consent(**context)) | {"writeKey": "rks_sk"}, remote="198.51.100.7", user_agent="php")
    public, server = (event.consents[0] for event in recorder.events)
    assert (public.marks, public.claimed) == (ConsentMarks(mentions_cart=True), ConsentMarks(True, True))
    assert (public.network, public.browser) == ("2001:db8:7::/48", "Chrome"), "the one that asks, not what it says"
    assert (server.marks, server.claimed) == (ConsentMarks(True, True, True), NO_MARKS)
    assert (server.network, server.browser) == ("203.0.113.0/24", "Firefox"), "the shopper's, as the server saw them"
    assert [event.is_from_server for event in recorder.events] == [False, True]


def test_a_secret_key_on_a_page_is_refused(post: Post, recorder: Recorder) -> None:
    answer = post("/v1/batch", batch(consent()) | {"writeKey": "rks_sk"}, origin="https://shop.example")
    assert answer.status == 403
    assert "never be on a page" in answer.body.decode()
    assert recorder.calls == []
