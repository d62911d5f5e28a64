"""Who waits for a letter in the delivery workloads? Shoppers of four shops, and one in twenty who must get nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bench import w3a_letter
from bench.harness import Bench
from bench.w3a_worker import HASH_KEY, PUBLIC_URL, VAULT_KEY
from rekindle.engine.context import Context
from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.lib.ids import fresh_timed_id
from rekindle.render.email import EmailTemplate
from rekindle.store.database import Connection, connect
from rekindle.terms.shop import ShopSettings
from tests.due_sends import Person, add_account, publish_template, seed
from tests.factories import make_shop

CONTEXT = Context(hash_key=HASH_KEY, vault_key=VAULT_KEY, public_url=PUBLIC_URL)
SHOPS = 4  #: each in its own bucket, as most shops are
#: Of a hundred shoppers: who must not get anything, and why.
FORBIDDEN = {"opted_out": 1, "suppressed": 1, "held_out": 2, "capped": 1}
TABLES = ("outbox", "sends", "send_events", "enrolments", "shoppers", "contact_points", "carts", "suppressions")


def kind_of(number: int) -> str:
    """What is special about the n-th shopper; empty: may get the letter."""
    place = number % 100
    for kind, count in FORBIDDEN.items():
        if place < count:
            return kind
        place -= count
    return ""


def people_of(shops: Sequence[tuple[ShopSettings, int]], sends: int) -> list[Person]:
    """The shoppers, taking turns over the shops (each with its template version)."""
    people = []
    for number in range(sends):
        shop, version = shops[number % len(shops)]
        items = [
            {
                "product_key": f"p{number}-{at}",
                "title": f"Piece {number}-{at} & <more>",
                "quantity": at + 1,
                "unit_cents": 1_000 + number % 9_000,
                "url": f"https://fernweh.example/p{at}",
                "image_url": f"https://fernweh.example/p{at}.jpg",
                "sku": "",
                "variant": "",
                "category": "",
                "brand": "",
            }
            for at in range(3)
        ]
        kind = kind_of(number)
        changes = {
            "opted_out": {"opted_out": timedelta(hours=1)},
            "suppressed": {"suppressed": True},
            "held_out": {"arm": "holdout"},
        }.get(kind, {})
        people.append(Person(f"shopper{number}", shop, template_version_id=version, items=items, **changes))
    return people


def build(bench: Bench, name: str, sends: int, *, kind: str = "smtp") -> list[Person]:
    """The database every run of the product starts from, made once and copied."""
    with connect(bench.fresh(name)) as link:
        subject, html, text = w3a_letter.ours()
        template = EmailTemplate(subject, "", html, text)
        places = []
        for _ in range(SHOPS):
            shop = make_shop(link, now=SYSTEM_CLOCK.now())
            places.append((shop, publish_template(link, shop, SYSTEM_CLOCK.now(), template)))
            add_account(link, shop, kind=kind)
        people = people_of(places, sends)
        seed(link, CONTEXT, people)
        _had_one_today(link, [p for n, p in enumerate(people) if kind_of(n) == "capped"])
        for table in TABLES:
            link.execute(f"VACUUM (ANALYZE) {table}")  # type: ignore[arg-type]
    return people


def _had_one_today(link: Connection, people: list[Person]) -> None:
    """An earlier message of today for each."""
    now = SYSTEM_CLOCK.now() - timedelta(hours=3)
    for person in people:
        earlier = fresh_timed_id(now)
        link.execute(
            "INSERT INTO sends SELECT bucket, %s, shop_id, enrolment_id, flow_id, flow_version_id, 'earlier', channel,"
            " shopper_id, contact_point_id, cart_bucket, cart_id, template_version_id, %s, %s, link_hash, optout_hash,"
            " context FROM sends WHERE bucket = %s AND id = %s",
            [earlier, now, now, person.bucket, person.send_id],
        )
        link.execute(
            "INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, detail)"
            " VALUES (%s, %s, %s, %s, %s, 'handed_over', %s, '{}')",
            [person.bucket, fresh_timed_id(now), person.shop.id, earlier, person.shopper_id, now],
        )
