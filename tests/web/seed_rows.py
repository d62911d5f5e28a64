"""How does a made-up past get into the tables? Rows collected per table, written at once; ids as the engine makes them."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from rekindle.engine.context import Context
from rekindle.lib.ids import fresh_timed_id, natural_id, timed_id
from rekindle.store import buckets
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings


class Rows:
    """Collects rows; `write` inserts them all in one transaction."""

    def __init__(self, shop: ShopSettings, context: Context) -> None:
        self.shop, self.context = shop, context
        self.tables: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def add(self, table: str, **values: Any) -> dict[str, Any]:
        row = {"shop_id": self.shop.id, **values}
        self.tables[table].append(row)
        return row

    def write(self, connection: Connection) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            for table, rows in self.tables.items():
                alike: dict[tuple[str, ...], list[list[Any]]] = defaultdict(list)
                for row in rows:
                    names = tuple(name for name in row if not name.startswith("_"))
                    alike[names].append([_value(row[name]) for name in names])
                for names, values in alike.items():
                    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                        sql.Identifier(table),
                        sql.SQL(", ").join(sql.Identifier(name) for name in names),
                        sql.SQL(", ").join(sql.Placeholder() for _ in names),
                    )
                    cursor.executemany(statement, values)
        self.tables.clear()

    def shopper(self, first: str, last: str, email: str, at: datetime, **more: Any) -> dict[str, Any]:
        """A shopper with one consenting e-mail address."""
        address_hash = self.context.address_hash(self.shop.id, "email", email)
        bucket = buckets.address_bucket(self.shop, address_hash)
        shopper_id = natural_id("shopper", self.shop.id, f"email:{address_hash.hex()}")
        contact_id = natural_id("contact", self.shop.id, f"email:{address_hash.hex()}")
        shopper = {
            "bucket": bucket, "id": shopper_id, "first_name": first, "last_name": last, "locale": "en", "country": "AT",
            "region": "", "timezones": ["Europe/Berlin"], "gpc": False, "first_seen_at": at, "seen_at": at,
            "order_count": 0, "spent_cents": 0, "traits": {}, "seq": 0, "_contact": contact_id,
        } | more  # fmt: skip
        row = self.add("shoppers", **shopper)
        self.add(
            "contact_points", bucket=bucket, id=contact_id, shopper_bucket=bucket, shopper_id=shopper_id,
            channel="email", address=email, address_hash=address_hash, consent="express", consent_at=at,
            consent_wording="Yes, write me about my cart", created_at=at,
        )  # fmt: skip
        return row

    def cart(self, key: str, at: datetime, items: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        bucket = buckets.cart_bucket(self.shop, key)
        total = sum(item["unit_cents"] * item["quantity"] for item in items)
        cart = {
            "bucket": bucket, "id": natural_id("cart", self.shop.id, key), "cart_key": key, "state": "open",
            "stage": "cart", "items": items, "currency": self.shop.currency, "total_cents": total, "created_at": at,
            "touched_at": at, "views": [], "facts": {}, "seq": 1,
        } | more  # fmt: skip
        self.tables["carts"].append({"shop_id": self.shop.id, **cart})
        return self.tables["carts"][-1]

    def enrolment(
        self, cart: dict[str, Any], shopper: dict[str, Any], flow: tuple[int, int], **more: Any
    ) -> dict[str, Any]:
        at = cart["abandoned_at"]
        identifier = timed_id(at, f"{flow[0]}:{cart['id']}:{int(at.timestamp() * 1000)}".encode())
        enrolment = {
            "bucket": shopper["bucket"], "id": identifier, "flow_id": flow[0], "flow_version_id": flow[1],
            "cart_bucket": cart["bucket"], "cart_id": cart["id"], "shopper_id": shopper["id"], "arm": "treated",
            "state": "waiting", "abandoned_at": at, "entered_at": at + timedelta(seconds=40), "step_at": at,
        } | more  # fmt: skip
        return self.add("enrolments", **enrolment)

    def send(
        self, enrolment: dict[str, Any], shopper: dict[str, Any], step: str, at: datetime, version: int
    ) -> dict[str, Any]:
        identifier = timed_id(enrolment["entered_at"], f"{enrolment['id']}:{step}:email".encode())
        return self.add(
            "sends", bucket=enrolment["bucket"], id=identifier, enrolment_id=enrolment["id"],
            flow_id=enrolment["flow_id"], flow_version_id=enrolment["flow_version_id"], step=step, channel="email",
            shopper_id=shopper["id"], contact_point_id=shopper["_contact"], cart_bucket=enrolment["cart_bucket"],
            cart_id=enrolment["cart_id"], template_version_id=version, created_at=at, planned_at=at,
            link_hash=b"l" * 32, optout_hash=b"o" * 32, context={"links": [], "locale": "en", "step_number": 1},
        )  # fmt: skip

    def outbox(self, send: dict[str, Any], state: str, at: datetime, **more: Any) -> None:
        self.add(
            "outbox", bucket=send["bucket"], id=send["id"], shopper_id=send["shopper_id"],
            enrolment_id=send["enrolment_id"], channel="email", state=state, send_at=at, attempts=0, seed=b"s" * 16, **more,
        )  # fmt: skip

    def happened(self, send: dict[str, Any], kind: str, at: datetime, **more: Any) -> None:
        identifier = timed_id(at, f"{send['id']}:{kind}:{more.get('reason') or ''}".encode())
        self.add(
            "send_events", bucket=send["bucket"], id=identifier, send_id=send["id"], shopper_id=send["shopper_id"],
            kind=kind, at=at, detail={}, **more,
        )  # fmt: skip

    def decided(self, bucket: int, at: datetime, question: str, outcome: str, reason: str, **more: Any) -> None:
        cart = {"stage": "cart", "currency": self.shop.currency, "total_cents": 0} if question == "abandon" else {}
        self.add(
            "decisions", bucket=bucket, id=fresh_timed_id(at), at=at, question=question, outcome=outcome, reason=reason,
            **{**more, "evidence": cart | more.get("evidence", {})},
        )  # fmt: skip

    def order(
        self, key: str, at: datetime, cart: dict[str, Any], shopper: dict[str, Any], cents: int
    ) -> dict[str, Any]:
        return self.add(
            "orders", bucket=buckets.order_bucket(self.shop, key), id=natural_id("order", self.shop.id, key),
            order_key=key, state="paid", currency=self.shop.currency, total_cents=cents, refunded_cents=0, ordered_at=at,
            received_at=at, cart_bucket=cart["bucket"], cart_id=cart["id"], shopper_bucket=shopper["bucket"],
            shopper_id=shopper["id"], matched_by="cart", coupons=[], items=[], facts={},
        )  # fmt: skip

    def attribute(self, order: dict[str, Any], send: dict[str, Any], touched_at: datetime, rule: str) -> None:
        self.add(
            "attributions", bucket=order["bucket"], id=natural_id("attribution", self.shop.id, f"{order['id']}:{rule}"),
            order_id=order["id"], rule=rule, send_bucket=send["bucket"], send_id=send["id"],
            enrolment_id=send["enrolment_id"], flow_id=send["flow_id"], touched_at=touched_at,
            ordered_at=order["ordered_at"], currency=order["currency"], net_cents=order["total_cents"],
        )  # fmt: skip

    def told(self, cart: dict[str, Any], kind: str, name: str, at: datetime) -> UUID:
        identifier = timed_id(at, f"{cart['id']}:{name}:{at.isoformat()}".encode())
        self.add(
            "events", bucket=cart["bucket"], id=identifier, kind=kind, name=name, at=at, received_at=at,
            visitor_key=cart.get("visitor_key"), cart_id=cart["id"], payload={},
        )  # fmt: skip
        return identifier


def _value(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict | list) else value
