"""What lies in the database before an engine test begins? Carts, shoppers and flows, one builder each.

Only what matters to the test is named; the rest is an ordinary cart of an ordinary shopper.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.lib.ids import natural_id
from rekindle.store.buckets import address_bucket, cart_bucket, visitor_bucket
from rekindle.store.database import Connection
from rekindle.terms.flow import dump_flow, parse_flow
from rekindle.terms.shop import ShopSettings

ITEMS = [
    {
        "product_key": "p1",
        "quantity": 2,
        "title": "Tent",
        "unit_cents": 10_000,
        "url": "https://fernweh.example/p1",
        "image_url": "https://fernweh.example/p1.jpg",
    },
    {"product_key": "p2", "quantity": 1, "title": "Stove", "unit_cents": 5_000, "url": "https://fernweh.example/p2"},
]


@dataclass(frozen=True)
class Placed:
    """Where a thing was put."""

    bucket: int
    id: UUID


def insert(connection: Connection, table: str, values: Mapping[str, object]) -> None:
    columns, marks = ", ".join(values), ", ".join(f"%({name})s" for name in values)
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # type: ignore[arg-type]


def put_shopper(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    email: str | None = "ada@example.com",
    **overrides: object,
) -> Placed:
    """A shopper known by an e-mail address, with express consent; ``email`` None: known, but without any address."""
    now = context.clock.now()
    address_hash = context.address_hash(shop.id, "email", email or "nobody")
    placed = Placed(address_bucket(shop, address_hash), natural_id("shopper", shop.id, f"email:{address_hash.hex()}"))
    values: dict[str, object] = {
        "bucket": placed.bucket, "id": placed.id, "shop_id": shop.id, "first_name": "Ada", "last_name": "", "locale": "en",
        "country": "AT", "region": "", "timezones": "[]", "gpc": False, "first_seen_at": now, "seen_at": now,
        "order_count": 0, "spent_cents": 0, "traits": "{}", "seq": 0,
    }  # fmt: skip
    insert(connection, "shoppers", values | overrides)
    if email is not None:
        insert(
            connection,
            "contact_points",
            {
                "bucket": placed.bucket, "id": natural_id("contact", shop.id, f"email:{address_hash.hex()}"), "shop_id": shop.id,
                "shopper_bucket": placed.bucket, "shopper_id": placed.id, "channel": "email", "address": email,
                "address_hash": address_hash, "consent": "express", "consent_at": now, "consent_wording": "w1", "created_at": now,
            },
        )  # fmt: skip
    return placed


def put_cart(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    shopper: Placed | None = None,
    *,
    key: str = "cart-1",
    stage: str = "cart",
    items: Sequence[Mapping[str, object]] = tuple(ITEMS),
    **overrides: object,
) -> Placed:
    """An open cart touched now, with its idle timer set as ingest sets it."""
    now = context.clock.now()
    placed = Placed(cart_bucket(shop, key), natural_id("cart", shop.id, key))
    touched_at = overrides.get("touched_at", now)
    assert isinstance(touched_at, datetime)
    idle = {"cart": shop.cart_idle_s, "browse": shop.browse_idle_s}.get(stage, shop.checkout_idle_s)
    total = sum(int(str(i.get("unit_cents", 0))) * int(str(i.get("quantity", 1))) for i in items)
    values: dict[str, object] = {
        "bucket": placed.bucket, "id": placed.id, "shop_id": shop.id, "cart_key": key, "state": "open", "stage": stage,
        "items": json.dumps(list(items)), "currency": "EUR", "total_cents": total, "created_at": touched_at,
        "touched_at": touched_at, "check_at": touched_at + timedelta(seconds=idle), "views": "[]", "facts": "{}", "seq": 1,
        "shopper_bucket": shopper.bucket if shopper else None, "shopper_id": shopper.id if shopper else None,
    }  # fmt: skip
    insert(connection, "carts", values | overrides)
    return placed


def put_visit(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    shopper: Placed | None = None,
    *,
    visitor_key: str = "a:v1",
    views: Sequence[str] = ("p1",),
    led_to: Placed | None = None,
) -> Placed:
    """A visit that looked at products, with its visitor; ``led_to``: the cart it went on in."""
    now = context.clock.now()
    bucket = visitor_bucket(shop, visitor_key)
    insert(
        connection,
        "visitors",
        {
            "bucket": bucket, "id": natural_id("visitor", shop.id, visitor_key), "shop_id": shop.id, "visitor_key": visitor_key,
            "cart_bucket": led_to.bucket if led_to else None, "cart_id": led_to.id if led_to else None,
            "first_seen_at": now, "seen_at": now, "visit_count": 1, "facts": "{}",
        },
    )  # fmt: skip
    key = f"browse:{visitor_key}"
    placed = Placed(bucket, natural_id("cart", shop.id, key))
    put_cart(
        connection, context, shop, shopper, key=key, stage="browse", items=(), bucket=bucket, visitor_key=visitor_key,
        views=json.dumps(list(views)),
    )  # fmt: skip
    return placed


def steps(*hours: float) -> list[dict[str, object]]:
    """A wait and a message for each delay since the abandonment."""
    out: list[dict[str, object]] = []
    for number, hour in enumerate(hours, start=1):
        out.append({"type": "wait", "id": f"w{number}", "delay_s": int(hour * 3_600)})
        out.append({"type": "message", "id": f"m{number}", "template": "reminder"})
    return out


def put_template(connection: Connection, shop: ShopSettings, key: str = "reminder", channel: str = "email") -> int:
    """A published template; returns its version's id."""
    row = connection.execute(
        "INSERT INTO templates (shop_id, key, name, channel) VALUES (%s, %s, %s, %s) RETURNING id",
        [shop.id, key, key, channel],
    ).fetchone()
    assert row is not None
    version = connection.execute(
        "INSERT INTO template_versions (template_id, number, subject, preheader, source, html, text, created_at, created_by)"
        " VALUES (%s, 1, 'You left something', '', '', '<p>Hello</p>', '', '2026-01-01Z', '') RETURNING id",
        [row[0]],
    ).fetchone()
    assert version is not None
    connection.execute("UPDATE templates SET published_version_id = %s WHERE id = %s", [version[0], row[0]])
    return int(version[0])


def put_flow(
    connection: Connection,
    shop: ShopSettings,
    *,
    activated_at: datetime,
    key: str = "cart-recovery",
    priority: int = 0,
    **definition: object,
) -> int:
    """A flow that is switched on; the reminder template is made when it is missing. Returns the flow's id."""
    body = {"trigger": {"kinds": ["cart", "checkout", "payment"]}, "steps": steps(4, 24, 72)} | definition
    if not connection.execute("SELECT 1 FROM templates WHERE shop_id = %s AND key = 'reminder'", [shop.id]).fetchone():
        put_template(connection, shop)
    flow = connection.execute(
        "INSERT INTO flows (shop_id, key, name, priority, activated_at) VALUES (%s, %s, %s, %s, %s) RETURNING id",
        [shop.id, key, key, priority, activated_at],
    ).fetchone()
    assert flow is not None
    version = connection.execute(
        "INSERT INTO flow_versions (flow_id, number, definition, created_at, created_by) VALUES (%s, 1, %s, %s, '') RETURNING id",
        [flow[0], dump_flow(parse_flow(json.dumps(body))).decode(), activated_at],
    ).fetchone()
    assert version is not None
    connection.execute("UPDATE flows SET active_version_id = %s WHERE id = %s", [version[0], flow[0]])
    return int(flow[0])


def rows(connection: Connection, query: str, *parameters: object) -> list[dict[str, object]]:
    """Any question to the database, as dictionaries."""
    cursor = connection.execute(query, parameters)  # type: ignore[arg-type]
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def one(connection: Connection, query: str, *parameters: object) -> dict[str, object]:
    """The only row of a question."""
    found = rows(connection, query, *parameters)
    assert len(found) == 1, found
    return found[0]


def busy_buckets(connection: Connection) -> list[int]:
    """The buckets in which anything waits; a pass over all 1024 would take seconds."""
    found = rows(connection, "SELECT bucket FROM carts UNION SELECT bucket FROM enrolments ORDER BY 1")
    return [int(str(row["bucket"])) for row in found]
