"""The ingest endpoints as they are served: at once, by official clients, under attack, and while the server dies."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from .live import KEY, Live, live, live_alone, served, track

__all__ = ["live", "live_alone", "served"]

ROOT = Path(__file__).resolve().parents[2]
NODE_CLIENT = ROOT / "frontend" / "node_modules" / "@segment" / "analytics-node"
SHARED = Path(os.environ.get("REKINDLE_SHARED", ROOT.parent / "shared"))
CONTRACT = SHARED / "contracts" / "segment" / "ecommerce_v2.json"
RECORDED = SHARED / "contracts" / "segment" / "sdk_batch_request.json"


def batch(*events: dict[str, object]) -> dict[str, object]:
    return {"writeKey": KEY, "batch": list(events)}


def test_events_that_arrive_at_once_are_each_stored_once(live: Live) -> None:
    events = [track("Product Added", n, cart_id=f"c{n}", product_id="p", price=2.5) for n in range(150)]

    def send(event: dict[str, object]) -> int:
        return live.post("/v1/track", event | {"writeKey": KEY})[0]

    with ThreadPoolExecutor(60) as pool:
        statuses = list(pool.map(send, events + events))  # each event is sent twice
    assert set(statuses) == {200}
    assert live.message_count() == 150
    carts = live.query("SELECT cart_key, items->0->>'quantity', total_cents FROM carts")
    assert sorted(carts) == sorted((f"c{number}", "1", 250) for number in range(150))


def test_chunked_and_compressed_bodies_are_taken(live: Live) -> None:
    raw = gzip.compress(msgspec.json.encode(batch(*[track("Product Viewed", n, product_id="p") for n in range(400)])))
    link = http.client.HTTPConnection("127.0.0.1", live.port, timeout=60)
    pieces = (raw[at : at + 1_000] for at in range(0, len(raw), 1_000))
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    link.request("POST", "/v1/batch", pieces, headers, encode_chunked=True)
    assert link.getresponse().status == 200
    link.close()
    assert live.message_count() == 400


def test_the_strict_endpoint_keeps_the_valid_rest(live: Live) -> None:
    status, told = live.post(
        "/v1/events",
        batch(
            track("Cart Viewed", 1), track("Product Added", 2, product_id="p", quantity=10**18), track("Cart Viewed", 3)
        ),
    )
    assert status == 207
    assert told["accepted"] == 2
    assert [(e["index"], e["path"]) for e in told["errors"]] == [(1, "properties.quantity")]  # type: ignore[attr-defined]
    assert live.message_count() == 2


def test_an_order_closes_its_cart_before_the_answer(live: Live) -> None:
    product = {"product_id": "p", "price": 10, "quantity": 1}
    added = track("Product Added", 1, cart_id="c1", **product) | {"writeKey": KEY}
    assert live.post("/v1/track", added)[0] == 200
    ordered = track("Order Completed", 2, cart_id="c1", order_id="o1", total=10, products=[product]) | {"writeKey": KEY}
    assert live.post("/v1/track", ordered)[0] == 200
    assert live.query("SELECT state FROM carts WHERE cart_key = 'c1'") == [("converted",)]
    assert live.query("SELECT order_key, total_cents FROM orders") == [("o1", 1000)]


@pytest.mark.skipif(not CONTRACT.exists(), reason="the published e-commerce examples are not here (REKINDLE_SHARED)")
def test_all_28_published_examples_are_stored(live: Live) -> None:
    examples: dict[str, dict[str, Any]] = json.loads(CONTRACT.read_text())
    events = [track(name, number, **entry["example"]) for number, (name, entry) in enumerate(examples.items())]
    status, told = live.post("/v1/events", batch(*events))
    assert (status, told) == (200, {"accepted": 28, "errors": []})
    assert {name for (name,) in live.query("SELECT name FROM events")} == set(examples)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded request is not here (REKINDLE_SHARED)")
def test_a_recorded_request_of_an_official_client_is_taken(live: Live) -> None:
    recorded = json.loads(RECORDED.read_text())
    body = recorded["body"] | {"writeKey": KEY}
    headers = {name.lower(): text for name, text in recorded["headers"].items()} | {"authorization": ""}
    for name in ("host", "content-length", "connection"):
        headers.pop(name)
    assert live.post("/v1/batch", body, **headers) == (200, {"success": True})
    assert live.query("SELECT kind FROM events ORDER BY kind") == [("identified",), ("order_completed",)]


@pytest.mark.parametrize("compressed", [False, True])
def test_the_official_python_client_works_unchanged(live: Live, compressed: bool) -> None:
    from segment.analytics.client import Client

    problems: list[object] = []
    client = Client(KEY, host=live.url, gzip=compressed, on_error=lambda error, _items: problems.append(error))
    client.identify("u1", {"email": "ada@example.com", "consent": {"email": True}})
    client.track("u1", "Product Added", {"cart_id": "c1", "product_id": "p", "price": 12.5, "currency": "EUR"})
    client.page("u1", "Catalogue", "Tents", {"url": "https://fernweh.example/tents"})
    client.screen("u1", "App", "Tents")
    client.group("u1", "g1", {"plan": "gold"})
    client.alias("anonymous-1", "u1")
    client.flush()
    client.shutdown()
    assert problems == []
    kinds = [kind for (kind,) in live.query("SELECT kind FROM events ORDER BY kind")]
    assert kinds == ["aliased", "identified", "other", "page_viewed", "page_viewed", "product_added"]
    assert live.query("SELECT total_cents, currency FROM carts WHERE cart_key = 'c1'") == [(1250, "EUR")]
    assert live.query("SELECT address, consent FROM contact_points WHERE address <> ''")[0][0] == "ada@example.com"


@pytest.mark.skipif(
    not NODE_CLIENT.exists() or not shutil.which("node"),
    reason="Segment's Node client is not installed (npm ci in frontend)",
)
def test_the_official_node_client_works_unchanged(live: Live) -> None:
    script = """
      const { Analytics } = require("@segment/analytics-node");
      const client = new Analytics({ writeKey: process.env.KEY, host: process.env.HOST, flushAt: 3 });
      client.on("error", (error) => { console.error(error); process.exitCode = 1; });
      client.identify({ userId: "u1", traits: { email: "ada@example.com" } });
      client.track({ anonymousId: "a1", event: "Cart Updated",
                     properties: { cart_id: "c1", currency: "EUR", products: [{ product_id: "p", price: 4.99, quantity: 2 }] } });
      for (let n = 0; n < 10; n++) client.track({ anonymousId: "a1", event: "Product Viewed", properties: { product_id: "p" + n } });
      client.closeAndFlush().then(() => client.alias);
    """
    done = subprocess.run(
        ["node", "-e", script],
        cwd=ROOT / "frontend",
        env={**os.environ, "KEY": KEY, "HOST": live.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert live.message_count() == 12
    assert live.query("SELECT total_cents FROM carts WHERE cart_key = 'c1'") == [(998,)]


HOSTILE: dict[str, tuple[bytes, dict[str, str], int]] = {
    "ten megabytes": (b'{"batch":[' + b" " * 10_000_000 + b"]}", {}, 413),
    "deep": (b'{"batch":[' + b"[" * 1_000 + b"]" * 1_000 + b"]}", {}, 400),
    "very deep": (b'{"batch":[' + b"[" * 100_000, {}, 400),
    "deep objects": (b'{"batch":' * 40_000, {}, 400),
    "not json": (b"\x00\x01\x02", {}, 400),
    "utf-16": ('{"batch":[]}'.encode("utf-16"), {}, 400),
    "latin-1": ('{"batch":[{"event":"ä"}]}'.encode("latin-1"), {}, 400),
    "bomb": (gzip.compress(bytes(300_000_000), 9), {"content-encoding": "gzip"}, 413),
    "broken gzip": (b"\x1f\x8b\x08nonsense", {"content-encoding": "gzip"}, 400),
    "too many": (b'{"batch":[' + b",".join([b"{}"] * 2_501) + b"]}", {}, 413),
    "other form": (b"a=1&b=2", {"content-type": "application/x-www-form-urlencoded"}, 415),
}
ODD_EVENTS: dict[str, bytes] = {
    "nan": b'{"type":"track","event":"Product Added","anonymousId":"h","properties":{"product_id":"p","price":NaN}}',
    "infinity": b'{"type":"track","event":"Product Added","anonymousId":"h","properties":{"product_id":"p","price":-Infinity}}',
    "negative": b'{"type":"track","event":"Product Added","anonymousId":"h","properties":{"product_id":"p","quantity":-1}}',
    "huge": b'{"type":"track","event":"Product Added","anonymousId":"h","properties":{"product_id":"p","quantity":1000000000000000000}}',
    "huge number": b'{"type":"track","event":"x","anonymousId":"h","properties":{"n":1e999999}}',
    "many digits": b'{"type":"track","event":"x","anonymousId":"h","properties":{"n":' + b"9" * 5_000 + b"}}",
    "nul": rb'{"type":"track","event":"x","anonymousId":"h","properties":{"a":"\u0000"}}',
    "surrogate": rb'{"type":"track","event":"x","anonymousId":"h","properties":{"a":"\ud800"}}',
    "fat": b'{"type":"track","event":"x","anonymousId":"h","properties":{"a":"' + b"x" * 33_000 + b'"}}',
    "depth 40": b'{"type":"track","event":"x","anonymousId":"h","properties":'
    + b'{"a":' * 40
    + b"1"
    + b"}" * 40
    + b"}",
    "long id": b'{"type":"track","event":"x","anonymousId":"' + b"h" * 300 + b'"}',
    "billion items": b'{"type":"track","event":"Cart Updated","anonymousId":"h","properties":{"products":['
    + b",".join([b'{"product_id":"p"}'] * 1_500)
    + b"]}}",
    "nobody": b'{"type":"track","event":"x"}',
}


def test_hostile_bodies_are_refused_and_cost_no_memory(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(20):
        live.post(
            "/v1/batch", batch(*[track("Product Viewed", f"warm{number}-{n}", product_id="p") for n in range(200)])
        )
    before, stored = live.resident_bytes(), live.message_count()
    lines = []
    for turn in range(3):
        for name, (body, headers, status) in HOSTILE.items():
            answered, told = _post_hostile(live, body, headers)
            assert (answered, told.get("success")) == (status, False), name
            assert isinstance(told["message"], str), name
            if turn == 0:
                lines.append(f"hostile body: {name:24} {len(body):>11,} bytes  {answered}  {told['message']:.80}")
    grown = live.resident_bytes() - before
    with capsys.disabled():
        print("", *lines, f"hostile bodies: memory grew by {grown / 1e6:.1f} MB over {3 * len(HOSTILE)}", sep="\n")
    assert grown < 100_000_000
    assert live.message_count() == stored
    assert live.request("GET", "/healthz")[0] == 200


def _post_hostile(live: Live, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
    """A client that keeps sending although the answer is there already, and reads it all the same."""
    named = {"content-type": "application/json", "content-length": str(len(body))} | headers
    head = "POST /v1/batch HTTP/1.1\r\nHost: x\r\n" + "".join(f"{name}: {text}\r\n" for name, text in named.items())
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as link:
        sender = threading.Thread(target=_send_all, args=(link, head.encode() + b"\r\n" + body))
        sender.start()
        answer = http.client.HTTPResponse(link)
        answer.begin()
        told = msgspec.json.decode(answer.read())
        with contextlib.suppress(OSError):  # the server may have hung up already
            link.shutdown(socket.SHUT_RDWR)
        sender.join()
    return answer.status, told


def _send_all(link: socket.socket, data: bytes) -> None:
    try:
        link.sendall(data)
    except OSError:
        return  # the server has heard enough


def test_a_body_without_end_is_cut_off(live: Live) -> None:
    link = http.client.HTTPConnection("127.0.0.1", live.port, timeout=60)

    def endless() -> Any:
        while True:
            yield b" " * 65_536

    try:
        link.request("POST", "/v1/batch", endless(), {"Content-Type": "application/json"}, encode_chunked=True)
    except OSError:
        pass
    else:
        assert link.getresponse().status == 413
    link.close()
    assert live.request("GET", "/healthz")[0] == 200


@pytest.mark.parametrize("name", ODD_EVENTS)
def test_an_odd_event_is_refused_and_its_neighbours_stored(
    live: Live, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [msgspec.json.encode(track("Product Viewed", f"good{number}", product_id="p")) for number in range(2)]
    body = b'{"writeKey":"%s","batch":[%s]}' % (KEY.encode(), b",".join([good[0], ODD_EVENTS[name], good[1]]))
    status, told = live.post("/v1/events", body)
    with capsys.disabled():
        print(f"\nodd event: {name:20} {status}  {told['accepted']} of its 2 neighbours stored")
    assert (status, told["accepted"]) == (207, 2)
    assert [error["index"] for error in told["errors"]] == [1]  # type: ignore[attr-defined]
    status, told = live.post("/v1/batch", body)
    assert (status, told["success"], told["dropped"]) == (200, True, 1)
    assert live.message_count() == 2


def test_what_was_acknowledged_survives_kill_9(live_alone: Live) -> None:
    acknowledged: list[int] = []
    stop = threading.Event()

    def send(worker: int) -> None:
        link = http.client.HTTPConnection("127.0.0.1", live_alone.port, timeout=60)
        number = worker
        while not stop.is_set():
            body = msgspec.json.encode(track("Product Viewed", number, product_id="p") | {"writeKey": KEY})
            try:
                link.request("POST", "/v1/track", body, {"Content-Type": "application/json"})
                answer = link.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                return
            if answer.status == 200:
                acknowledged.append(number)
            number += 16

    threads = [threading.Thread(target=send, args=(worker,)) for worker in range(16)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 500:
        assert any(thread.is_alive() for thread in threads), "all gave up"
        time.sleep(0.01)  # the only way to wait for other threads' progress without touching their loop
    os.kill(live_alone.process.pid, signal.SIGKILL)
    for thread in threads:
        thread.join(120)
    stop.set()
    stored = {str(key) for (key,) in live_alone.query("SELECT visitor_key FROM events")}
    assert {f"a:v{number}" for number in acknowledged} <= stored


def test_a_graceful_stop_answers_what_it_has_taken(live_alone: Live) -> None:
    answered: list[int | None] = []

    def send(number: int) -> None:
        try:
            answered.append(
                live_alone.post("/v1/track", track("Product Viewed", number, product_id="p") | {"writeKey": KEY})[0]
            )
        except (OSError, http.client.HTTPException):
            answered.append(None)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    live_alone.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(60)
    assert set(answered) <= {200, None}
    assert answered.count(200) <= live_alone.message_count()


def test_a_database_that_goes_away_loses_nothing(live_alone: Live) -> None:
    event = track("Product Viewed", 1, product_id="p") | {"writeKey": KEY}
    assert live_alone.post("/v1/track", event)[0] == 200
    name = psycopg.conninfo.conninfo_to_dict(live_alone.dsn)["dbname"]
    admin_dsn = psycopg.conninfo.make_conninfo(live_alone.dsn, dbname="postgres")
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        status, told, headers = live_alone.request(
            "POST", "/v1/track", msgspec.json.encode(event | {"messageId": "m2"}), content_type="application/json"
        )
        assert (status, headers["retry-after"]) == (503, "5")
        assert b"again" in told
        assert live_alone.request("GET", "/readyz")[0] == 503
        assert live_alone.request("GET", "/healthz")[0] == 200
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    deadline = time.monotonic() + 60
    while live_alone.post("/v1/track", event | {"messageId": "m2"})[0] != 200:
        assert time.monotonic() < deadline
    assert live_alone.message_count() == 2


def test_being_told_to_stop_by_everybody_at_once_ends_it_at_once(live_alone: Live) -> None:
    workers = live_alone.workers()
    assert len(workers) == 2
    with ThreadPoolExecutor(32) as pool:
        events = [track("Product Viewed", number, product_id="p") | {"writeKey": KEY} for number in range(64)]
        posted = [pool.submit(live_alone.post, "/v1/track", event) for event in events]
        for pid in (*workers, live_alone.process.pid, *workers):
            os.kill(pid, signal.SIGTERM)
        _, told = live_alone.process.communicate(timeout=60)
        for future in posted:
            with contextlib.suppress(OSError, http.client.HTTPException):
                assert future.result()[0] == 200
    assert live_alone.process.returncode == 0
    assert "Killing" not in told, "no worker waited for itself until it was killed"
