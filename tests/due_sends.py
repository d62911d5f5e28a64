"""How does a test get sends that are due? Whole people at once: shopper, address, cart, enrolment, send and outbox row.

Used by the engine ring, the race ring and the delivery benchmark. One `Person` is one send; what differs from a send
that may go out is named by the test.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from rekindle.engine.context import Context
from rekindle.lib.ids import natural_id, timed_id
from rekindle.lib.tokens import Purpose, hash_of, new_seed, secret_of
from rekindle.render.defaults import default_email
from rekindle.render.defaults.sms import default_sms
from rekindle.render.email import EmailTemplate
from rekindle.store.buckets import address_bucket, cart_bucket
from rekindle.store.copying import bytes_cell, cell, copy_lines, instant_cell, json_cell
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings

ITEMS = (
    {"product_key": "p1", "title": "Rain jacket", "quantity": 1, "unit_cents": 14900, "url": "https://fernweh.example/p1", "image_url": "https://fernweh.example/p1.jpg", "sku": "", "variant": "M", "category": "", "brand": ""},
    {"product_key": "p2", "title": "Wool socks", "quantity": 2, "unit_cents": 2450, "url": "https://fernweh.example/p2", "image_url": "https://fernweh.example/p2.jpg", "sku": "", "variant": "", "category": "", "brand": ""},
)  # fmt: skip


@dataclass
class Person:
    """One shopper with one abandoned cart and one send that is due. Times are relative to the seeding."""

    name: str
    shop: ShopSettings
    channel: str = "email"
    consent: str | None = "express"
    wording: str = "newsletter v3"
    country: str = "AT"
    region: str = ""
    arm: str = "treated"
    enrolment_state: str = "waiting"
    exit_reason: str | None = None
    cart_state: str = "abandoned"
    order_key: str | None = None
    abandoned: timedelta = timedelta(hours=2)
    touched: timedelta = timedelta(hours=2, minutes=30)
    due: timedelta = timedelta(minutes=1)
    last_order: timedelta | None = None
    opted_out: timedelta | None = None
    erased: timedelta | None = None
    suppressed: bool = False
    items: Sequence[dict[str, object]] = ITEMS
    address: str | None = None
    template_version_id: int = 0
    step: str = "first"
    # filled in by `seed`
    bucket: int = field(default=-1)
    shopper_id: UUID = field(default=UUID(int=0))
    contact_id: UUID = field(default=UUID(int=0))
    cart_bucket: int = field(default=-1)
    cart_id: UUID = field(default=UUID(int=0))
    enrolment_id: UUID = field(default=UUID(int=0))
    send_id: UUID = field(default=UUID(int=0))
    seed: bytes = b""
    address_hash: bytes = b""

    @property
    def to(self) -> str:
        return self.address if self.address is not None else f"{self.name}@shopper.example"


def publish_template(
    connection: Connection,
    shop: ShopSettings,
    now: datetime,
    template: EmailTemplate | None = None,
    *,
    channel: str = "email",
) -> int:
    """A template with one published version; returns the version's id."""
    made = template or (default_email(1, "en") if channel == "email" else EmailTemplate("", "", "", default_sms("en")))
    key = f"letter-{secrets.token_hex(3)}"
    row = connection.execute(
        "INSERT INTO templates (shop_id, key, name, channel) VALUES (%s, %s, 'Letter', %s) RETURNING id",
        [shop.id, key, channel],
    ).fetchone()
    assert row is not None
    version = connection.execute(
        "INSERT INTO template_versions (template_id, number, subject, preheader, source, html, text, created_at, created_by)"
        " VALUES (%s, 1, %s, %s, '', %s, %s, %s, '') RETURNING id",
        [row[0], made.subject, made.preheader, made.html, made.text, now],
    ).fetchone()
    assert version is not None
    connection.execute("UPDATE templates SET published_version_id = %s WHERE id = %s", [version[0], row[0]])
    return int(version[0])


def add_account(
    connection: Connection,
    shop: ShopSettings,
    *,
    kind: str,
    options: dict[str, object] | None = None,
    secret: bytes = b"",
    channel: str = "email",
    position: int = 0,
    enabled: bool = True,
) -> int:
    row = connection.execute(
        "INSERT INTO provider_accounts (shop_id, channel, kind, name, options, secret, position, enabled, paused_reason)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '') RETURNING id",
        [shop.id, channel, kind, kind, msgspec.json.encode(options or {}).decode(), secret, position, enabled],
    ).fetchone()
    assert row is not None
    return int(row[0])


def seed(connection: Connection, context: Context, people: Iterable[Person]) -> list[Person]:
    """Store everything about these people, as ingest, abandon and advance would have left it."""
    now = context.clock.now()
    everyone = list(people)
    for person in everyone:
        _identify(person, context, now)
    columns = {
        "shoppers": "bucket, id, shop_id, first_name, last_name, locale, country, region, timezones, gpc, first_seen_at, seen_at, last_order_at, order_count, spent_cents, opted_out_at, erased_at, traits, seq",
        "contact_points": "bucket, id, shop_id, shopper_bucket, shopper_id, channel, address, address_hash, consent, consent_at, consent_wording, created_at",
        "carts": "bucket, id, shop_id, cart_key, state, stage, items, currency, total_cents, created_at, touched_at, check_at, abandoned_at, shopper_bucket, shopper_id, order_key, views, facts, seq",
        "enrolments": "bucket, id, shop_id, flow_id, flow_version_id, cart_bucket, cart_id, shopper_id, arm, state, exit_reason, abandoned_at, entered_at, step_at",
        "sends": "bucket, id, shop_id, enrolment_id, flow_id, flow_version_id, step, channel, shopper_id, contact_point_id, cart_bucket, cart_id, template_version_id, created_at, planned_at, link_hash, optout_hash, context",
        "outbox": "bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, attempts, seed",
        "suppressions": "bucket, shop_id, channel, address_hash, reason, at, source",
    }  # fmt: skip
    with connection.transaction():
        stored = connection.execute("SELECT id FROM shoppers WHERE id = ANY(%s)", [[p.shopper_id for p in everyone]])
        known = {row[0] for row in stored.fetchall()}  # they keep their rows; a further cart of theirs is added
        for table, names in columns.items():
            skip = known if table in ("shoppers", "contact_points", "suppressions") else set()
            lines = [line for p in everyone if p.shopper_id not in skip and (line := _LINES[table](p, now))]
            copy_lines(connection, f"COPY {table} ({names}) FROM STDIN", list(dict.fromkeys(lines)))  # type: ignore[arg-type]
    return everyone


def _identify(person: Person, context: Context, now: datetime) -> None:
    shop = person.shop
    person.address_hash = context.address_hash(shop.id, person.channel, person.to)
    person.bucket = address_bucket(shop, person.address_hash)
    person.shopper_id = natural_id("shopper", shop.id, f"{person.channel}:{person.address_hash.hex()}")
    person.contact_id = natural_id("contact", shop.id, f"{person.channel}:{person.address_hash.hex()}")
    key = f"cart-{person.name}-{person.step}"
    person.cart_bucket, person.cart_id = cart_bucket(shop, key), natural_id("cart", shop.id, key)
    abandoned_at = now - person.abandoned
    person.enrolment_id = timed_id(abandoned_at, f"1:{person.cart_id}".encode())
    person.send_id = timed_id(abandoned_at, f"{person.enrolment_id}:{person.step}:{person.channel}".encode())
    person.seed = new_seed()


def _ago(now: datetime, since: timedelta | None) -> str:
    return instant_cell(None if since is None else now - since)


def _shopper(p: Person, now: datetime) -> str:
    orders = 0 if p.last_order is None else 1
    return (
        f"{p.bucket}\t{p.shopper_id}\t{p.shop.id}\t{cell(p.name.title())}\t\ten\t{p.country}\t{p.region}\t{json_cell(['Europe/Berlin'])}\tf"
        f"\t{_ago(now, p.abandoned)}\t{_ago(now, p.touched)}\t{_ago(now, p.last_order)}\t{orders}\t0"
        f"\t{_ago(now, p.opted_out)}\t{_ago(now, p.erased)}\t{{}}\t0"
    )


def _contact(p: Person, now: datetime) -> str:
    consented = "\\N" if p.consent is None else (now - timedelta(days=30)).isoformat()
    return (
        f"{p.bucket}\t{p.contact_id}\t{p.shop.id}\t{p.bucket}\t{p.shopper_id}\t{p.channel}\t{cell(p.to)}"
        f"\t{bytes_cell(p.address_hash)}\t{p.consent or chr(92) + 'N'}\t{consented}\t{cell(p.wording)}\t{_ago(now, p.touched)}"
    )


def _cart(p: Person, now: datetime) -> str:
    total = sum(int(str(i["unit_cents"])) * int(str(i["quantity"])) for i in p.items)
    return (
        f"{p.cart_bucket}\t{p.cart_id}\t{p.shop.id}\tcart-{p.name}-{p.step}\t{p.cart_state}\tcart\t{json_cell(list(p.items))}"
        f"\tEUR\t{total}\t{_ago(now, p.touched)}\t{_ago(now, p.touched)}\t{(now + timedelta(days=30)).isoformat()}"
        f"\t{_ago(now, p.abandoned)}\t{p.bucket}\t{p.shopper_id}\t{p.order_key or chr(92) + 'N'}\t[]\t{{}}\t0"
    )


def _enrolment(p: Person, now: datetime) -> str:
    return (
        f"{p.bucket}\t{p.enrolment_id}\t{p.shop.id}\t1\t1\t{p.cart_bucket}\t{p.cart_id}\t{p.shopper_id}\t{p.arm}"
        f"\t{p.enrolment_state}\t{p.exit_reason or chr(92) + 'N'}\t{_ago(now, p.abandoned)}\t{_ago(now, p.abandoned)}"
        f"\t{_ago(now, p.due)}"
    )


def _send(p: Person, now: datetime) -> str:
    hashes = [bytes_cell(hash_of(secret_of(p.seed, purpose))) for purpose in (Purpose.LINK, Purpose.OPTOUT)]
    context = {"links": [i["url"] for i in p.items], "locale": "en", "step_number": 1}
    return (
        f"{p.bucket}\t{p.send_id}\t{p.shop.id}\t{p.enrolment_id}\t1\t1\t{p.step}\t{p.channel}\t{p.shopper_id}\t{p.contact_id}"
        f"\t{p.cart_bucket}\t{p.cart_id}\t{p.template_version_id}\t{_ago(now, p.due)}\t{_ago(now, p.due)}\t{hashes[0]}"
        f"\t{hashes[1]}\t{json_cell(context)}"
    )


def _outbox(p: Person, now: datetime) -> str:
    return (
        f"{p.bucket}\t{p.send_id}\t{p.shop.id}\t{p.shopper_id}\t{p.enrolment_id}\t{p.channel}\tscheduled\t{_ago(now, p.due)}"
        f"\t0\t{bytes_cell(p.seed)}"
    )


def _suppression(p: Person, now: datetime) -> str:
    if not p.suppressed:
        return ""
    return f"{p.bucket}\t{p.shop.id}\t{p.channel}\t{bytes_cell(p.address_hash)}\thard_bounce\t{now.isoformat()}\ttest"


_LINES = {
    "shoppers": _shopper,
    "contact_points": _contact,
    "carts": _cart,
    "enrolments": _enrolment,
    "sends": _send,
    "outbox": _outbox,
    "suppressions": _suppression,
}
