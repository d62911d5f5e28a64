"""A person is erased: does any trace remain in the database, the logs or the files, and does anything bring them back? (C-10)"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from psycopg import sql

from rekindle.engine.consents import fault_of_chain
from rekindle.engine.context import Context
from rekindle.engine.privacy.export import make_files
from rekindle.engine.privacy.record import Asked, record_request
from rekindle.engine.privacy.steps import Taken, take_step
from rekindle.lib.clock import MovableClock
from rekindle.lib.logs import JsonLines
from rekindle.store.database import Connection
from rekindle.terms.privacy_request import RequestKind, Step
from rekindle.terms.send import Channel

from ...factories import make_shop
from ..journey import HOURS, Journey
from .story import CANARIES, EMAIL, PERSON, PHONE, USER, Wire, live_through

#: Events keep their normal form only, so that these never reach a table.
NEVER_STORED = {"203.0.113.77", "ZoraBrowser", "Zoratown", "zoragift", "Zorastreet 7", "zorareferrer"}


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that the product logs, at every level, as it writes it."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def dump(connection: Connection) -> bytes:
    """Every row of every table in the database, as COPY writes it: what a dump of it holds. Bytes are in the clear too."""
    tables = connection.execute(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    assert len(tables) > 40
    found = io.BytesIO()
    for (table,) in tables:
        with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.SQL(table))) as copy:
            for block in copy:
                found.write(bytes(block))
    return found.getvalue()


def hits(text: bytes) -> dict[str, int]:
    """How often each canary occurs, in any spelling, and as the hexadecimal digits in which bytes are dumped."""
    lowered = text.lower()
    found = {}
    for canary in CANARIES:
        plain = canary.lower().encode()
        count = lowered.count(plain) + lowered.count(canary.encode().hex().encode())
        if count:
            found[canary] = count
    return found


def erase(journey: Journey) -> None:
    asked = Asked(kind=RequestKind.ERASURE, source="dashboard", email=EMAIL, note=f"zoranote {EMAIL}", is_verified=True)
    request = record_request(journey.connection, journey.context, journey.shop, asked)
    for step, text in ((Step.NOTE, f"zoranote: {PHONE} called"), (Step.ERASE, "")):
        taken = Taken(step=step, by="owner", text=text)
        take_step(journey.connection, journey.context, journey.shop, request.id, taken)


def order_file(journey: Journey) -> None:
    asked = Asked(kind=RequestKind.ACCESS, source="dashboard", email=EMAIL, is_verified=True)
    request = record_request(journey.connection, journey.context, journey.shop, asked)
    take_step(journey.connection, journey.context, journey.shop, request.id, Taken(step=Step.EXPORT, by="owner"))
    assert make_files(journey.connection, journey.context) == 1


def test_no_canary_is_left_after_an_erasure(
    journey: Journey, logs: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    live_through(journey)
    order_file(journey)
    before = hits(dump(journey.connection))
    assert set(CANARIES) - set(before) == NEVER_STORED  # each of the others was really there
    erase(journey)
    after = hits(dump(journey.connection))
    with capsys.disabled():
        print(f"\n  canaries: {len(CANARIES)} planted, {sum(before.values())} hits before, {sum(after.values())} after")
    assert after == {}
    assert hits(logs.getvalue().encode()) == {}
    assert journey.read("subject_exports", "count(*)", "content IS NOT NULL") == [(0,)]
    for channel, address in ((Channel.EMAIL, EMAIL), (Channel.SMS, PHONE)):
        digest = journey.context.address_hash(journey.shop.id, channel.value, address)
        assert fault_of_chain(journey.connection, journey.context, journey.shop, channel, digest) is None
    assert journey.read("orders", "sum(total_cents)") == [(3150,)]  # what was counted still adds up


def test_no_path_brings_the_person_back(journey: Journey, logs: io.StringIO) -> None:
    live_through(journey)
    erase(journey)
    journey.clock.advance(9 * 24 * HOURS)
    wire = Wire(journey)
    product = {"product_id": "tent", "name": "Tent", "price": 99, "quantity": 1}
    yes = {"email": {"granted": True, "wording": "Write to me."}, "sms": {"granted": True, "wording": "Text me."}}
    cart = wire.event("track", "Product Added", properties={"cart_id": "again", "email": EMAIL, **product})
    told = [
        ("/v1/identify", wire.event("identify", traits=PERSON | {"consent": yes})),
        ("/v1/track", cart | {"context": {"traits": {"email": EMAIL.upper()}}}),
        ("/v1/batch", {"batch": [wire.event("identify", traits={"phone": PHONE, "consent": yes})]}),
        ("/v1/events", {"batch": [wire.event("track", "Checkout Started", properties={
            "cart_id": "again", "email": EMAIL, "products": [product]})]}),
        ("/v1/track", wire.event("track", "Order Completed", properties={
            "order_id": "late", "total": 99, "email": EMAIL, "products": [product]})),
    ]  # fmt: skip
    for path, body in told:
        assert wire.post(path, body).status in (200, 207), path
    for _ in range(4):
        journey.pass_time(24 * HOURS)
    left = hits(dump(journey.connection))
    assert {
        name for name in left if name in (EMAIL, PHONE, "Zorafirst", "Zoralast", "Zorastreet 7", "zoraclub")
    } == set()
    assert {reason for (reason,) in journey.read("suppressions", "reason")} == {"erased"}
    assert journey.read("outbox", "count(*)") == [(0,)]
    assert journey.read("shoppers", "count(*)", "erased_at IS NULL") == [(0,)]
    assert USER not in logs.getvalue()
