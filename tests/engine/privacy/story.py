"""Everything that can happen to one person in a shop, over the real wire: so that nothing about them can be forgotten.

`CANARIES` are words that name or describe the person, each planted in another place; none may be left after an erasure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rekindle.engine.context import Context
from rekindle.engine.feedback import Source, apply_feedback
from rekindle.engine.ingest import ingest
from rekindle.engine.privacy.record import Asked, record_request
from rekindle.providers.feedback import Feedback, FeedbackKind
from rekindle.store.database import Connection
from rekindle.terms.event import ShopEvent
from rekindle.terms.privacy_request import RequestKind
from rekindle.terms.send import Channel
from rekindle.terms.shop import KeyOwner, ShopSettings
from rekindle.web.http import Answer, Request
from rekindle.web.ingest.app import Intake
from rekindle.web.ingest.store import EventStore
from rekindle.web.ingest.writer import Writer
from rekindle.web.rate import RateLimit
from rekindle.web.remember import Remembered

from ..journey import HOURS, Journey

EMAIL, PHONE = "zora.mailbird@example.com", "+436641234599"
USER, ANONYMOUS = "zoraaccount77", "zoraanon"
CANARIES = (
    EMAIL, PHONE, "Zorafirst", "Zoralast", "Zorastreet 7", "Zoratown", USER, ANONYMOUS, "zoracheckout", "zoracart",
    "203.0.113.77", "ZoraBrowser", "zorapage", "zoraengraving", "zoraclub", "zoragift", "zorarecover", "zoratoken",
    "zorabounce", "zorareply", "zoranote", "zorareferrer", "zorautm", "zorakey",
)  # fmt: skip
KEY = "wk"


def intake_of(connection: Connection, context: Context, shop: ShopSettings) -> Intake:
    """The product's own entrance for events, over the test's connection."""

    @contextmanager
    def opened(_bucket: int) -> Iterator[Any]:
        yield connection

    def put(link: Connection, whose: ShopSettings, events: Sequence[ShopEvent]) -> None:
        ingest(link, context, whose, events)

    return Intake(
        writer=Writer(EventStore(opened, put)),
        shops=Remembered(lambda key: KeyOwner(shop, is_secret=False) if key == KEY else None, fresh_s=0.0),
        clock=context.clock,
        rate=RateLimit(0),
        push_hosts=(),
    )


class Wire:
    """Posts events as shops and browsers do."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.intake = intake_of(journey.connection, journey.context, journey.shop)
        self.number = 0

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Answer:
        raw = json.dumps({"writeKey": KEY} | body).encode()
        named = {"content-type": "application/json"} | headers
        return self.intake.accept(
            Request(
                method="POST",
                path=path,
                remote="203.0.113.77",
                header=lambda name: named.get(name, ""),
                read=lambda _limit: raw,
            )
        )

    def event(self, kind: str, name: str = "", **more: Any) -> dict[str, Any]:
        self.number += 1
        at = self.journey.clock.now().isoformat()
        event = {"type": kind, "messageId": f"m{self.number}", "anonymousId": ANONYMOUS, "timestamp": at}
        event["context"] = {
            "ip": "203.0.113.77",
            "userAgent": "ZoraBrowser/9",
            "page": {"url": "https://fernweh.example/zorapage", "referrer": "https://zorareferrer.example/"},
            "campaign": {"source": "zorautm"},
        }
        return event | ({"event": name} if name else {}) | more

    def tell(self, *events: dict[str, Any]) -> None:
        answer = self.post("/v1/batch", {"batch": list(events)})
        assert answer.status == 200, answer.body


PERSON = {
    "email": EMAIL, "phone": PHONE, "firstName": "Zorafirst", "lastName": "Zoralast", "club": "zoraclub",
    "address": {"street": "Zorastreet 7", "city": "Zoratown", "country": "AT"},
    "consent": {"email": {"granted": True, "wording": "Write to me about my cart.", "method": "checkbox",
                          "page": "https://fernweh.example/zorapage?mail=" + "zora.mailbird@example.com"}},
}  # fmt: skip


def live_through(journey: Journey) -> Wire:
    """Visit, cart, letters, a click, a bounce, a reply, an order, devices, requests: rows in every table there is."""
    wire, connection, shop = Wire(journey), journey.connection, journey.shop
    product = {"product_id": "mug", "name": "Mug", "price": 19.5, "quantity": 1, "variant": "zoraengraving"}
    device = {"endpoint": "https://fcm.googleapis.com/fcm/send/zoratoken", "keys": {
        "p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
        "auth": "tBHItJI5svbpez7KI4CCXg"}}  # fmt: skip
    wire.tell(
        wire.event("page"),
        wire.event("track", "Product Viewed", properties=product),
        wire.event("identify", userId=USER, traits=PERSON),
        wire.event("track", "Product Added", properties={"cart_id": "zoracart", **product}),
        wire.event("track", "Checkout Started", properties={
            "cart_id": "zoracart", "checkout_id": "zoracheckout", "products": [product], "note": "zoragift",
            "recover_url": "https://fernweh.example/zorarecover", "coupon": "zorakey"}),
        wire.event("identify", traits={"push": device}),
    )  # fmt: skip
    journey.pass_time(HOURS)
    journey.pass_time(4 * HOURS)
    journey.send_happened("handed_over", journey.clock.now())
    journey.send_happened("clicked", journey.clock.now() + timedelta(minutes=5))
    note_bounce(journey)
    journey.pass_time(20 * HOURS)
    reply(journey)
    put_coupon(journey)
    for kind in (RequestKind.COMPLAINT, RequestKind.ACCESS):
        asked = Asked(kind=kind, source="dashboard", email=EMAIL, customer_key=USER, note=f"zoranote from {EMAIL}")
        record_request(connection, journey.context, shop, asked)
    wire.tell(
        wire.event("track", "Order Completed", userId=USER, properties={
            "order_id": "o-77", "cart_id": "zoracart", "checkout_id": "zoracheckout", "total": 19.5, "email": EMAIL,
            "products": [product], "coupon": "zorakey", "shipping_address": {"street": "Zorastreet 7"}}),
    )  # fmt: skip
    journey.clock.advance(HOURS)
    elsewhere = wire.event(
        "track",
        "Order Completed",
        properties={
            "order_id": "o-till",
            "total": 5,
            "email": EMAIL.title(),
            "products": [product],
            "note": "zoragift at the till",
        },
    )
    del elsewhere["anonymousId"]
    elsewhere["userId"] = USER
    wire.tell(elsewhere, bare(wire))
    journey.clock.advance(8 * 24 * HOURS)  # behind the pause after a purchase
    wire.tell(wire.event("track", "Product Added", userId=USER, properties={"cart_id": "zoracart2", **product}))
    journey.pass_time(HOURS)
    journey.pass_time(4 * HOURS)
    return wire


def bare(wire: Wire) -> dict[str, Any]:
    """An order that a till reports: no visit, no account, only an address, written in its own way."""
    order = wire.event(
        "track",
        "Order Completed",
        properties={
            "order_id": "o-bare",
            "total": 7,
            "email": EMAIL.upper(),
            "products": [],
            "note": "zoragift in person",
        },
    )
    del order["anonymousId"]
    return order | {"userId": None, "anonymousId": None}


def reply(journey: Journey) -> None:
    """Texted back by the person: a no, in their own words, which the ledger keeps."""
    row = journey.connection.execute(
        "INSERT INTO provider_accounts (shop_id, channel, kind, name, options, secret, position, enabled, paused_reason)"
        " VALUES (%s, 'sms', 'twilio', 'Texts', '{}', '', 0, true, '') RETURNING id",
        [journey.shop.id],
    ).fetchone()
    assert row is not None
    told = Feedback(
        kind=FeedbackKind.REPLIED, name="received", event_id="SM1", at=journey.clock.now(), address=PHONE,
        text="STOP zorareply, it is Zorafirst",
    )  # fmt: skip
    source = Source(shop=journey.shop, channel=Channel.SMS, name="twilio", account_id=row[0])
    apply_feedback(journey.connection, journey.context, source, [told])


def note_bounce(journey: Journey) -> None:
    """What a provider said about the letter, address and all."""
    send = journey.send_happened("bounced", journey.clock.now())
    journey.connection.execute(
        "UPDATE send_events SET detail = %s WHERE send_id = %s AND kind = 'bounced'",
        [json.dumps({"answer": f"550 zorabounce <{EMAIL}> mailbox full"}), send],
    )


def put_coupon(journey: Journey) -> None:
    """No code issues them yet; the table is there. And the address was asked to confirm."""
    journey.connection.execute(
        "INSERT INTO opt_in_requests (bucket, id, shop_id, send_id, asked_at, times)"
        " SELECT s.bucket, s.contact_point_id, s.shop_id, s.id, s.created_at, 1 FROM sends s WHERE s.shop_id = %s"
        " ORDER BY s.id LIMIT 1 ON CONFLICT DO NOTHING",
        [journey.shop.id],
    )
    journey.connection.execute(
        "INSERT INTO coupons (bucket, id, shop_id, offer_id, code, shopper_id, cart_id, state, issued_at)"
        " SELECT s.bucket, s.id, s.shop_id, 1, 'CODE-' || s.id, s.shopper_id, s.cart_id, 'issued', s.created_at"
        " FROM sends s WHERE s.shop_id = %s ORDER BY s.id LIMIT 1",
        [journey.shop.id],
    )
