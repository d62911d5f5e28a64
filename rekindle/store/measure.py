"""How are sums counted, kept and read? From their sources over a shop's buckets into its base bucket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import msgspec

from rekindle.lib.ids import floor_id
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.attribution import LAST_CLICK
from rekindle.terms.send import SendEventKind

#: Each metric, the statement that counts it, and what that asks for besides the shop and the hours.
METRICS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "carts_detected": ("carts_detected_by_hour", {}),
    "carts_abandoned": ("carts_abandoned_by_hour", {"reachable": False}),
    "carts_reachable": ("carts_abandoned_by_hour", {"reachable": True}),
    # `resent` is not among them: the send that took the place of an uncertain one is handed over itself
    "sends_handed_over": ("sends_handed_over_by_hour", {"kinds": [SendEventKind.HANDED_OVER.value]}),
    "sends_clicked": (
        "sends_handed_over_by_hour",
        {"kinds": [SendEventKind.CLICKED.value, SendEventKind.RESTORED.value]},
    ),
    "orders_all": ("orders_by_hour", {}),
    "orders_recovered": ("orders_recovered_by_hour", {}),
    "decisions": ("decisions_by_hour", {}),
    "carts_now": ("carts_now_by_hour", {}),
    "carts_refused": ("carts_refused_by_hour", {}),
    "runs": ("runs_by_hour", {}),
    "runs_ordered": ("runs_ordered_by_hour", {"rule": LAST_CLICK}),
    "sends_became": ("sends_became_by_hour", {}),
    "sends_skipped": ("sends_skipped_by_hour", {}),
}
#: Metrics that lie in the hour in which something began, and change when something comes of it later.
OF_BEGINNINGS = ("runs", "sends_became")


class HourlySum(NamedTuple):
    """Sufficient statistics of one metric, label and hour; ``total`` in minor units, ``total_sq`` in their squares."""

    metric: str
    label: str
    hour: datetime
    n: int
    total: int
    total_sq: Decimal


class Hours(NamedTuple):
    """Hours of a shop, [since, until), both on the hour; ``bucket``: its base bucket, in which sums lie. ``bin``: how
    long one sum is; shorter than an hour where the shop's days do not begin with a full hour of UTC."""

    bucket: int
    shop_id: int
    since: datetime
    until: datetime
    bin: timedelta = timedelta(hours=1)


class Sums(NamedTuple):
    """The same over a longer time."""

    n: int
    total: int
    total_sq: Decimal


class CountedProduct(NamedTuple):
    """A product of the counted baskets; ``item`` is the cart line in which it was seen last, if in any."""

    product_key: str
    popularity: float
    seen_at: datetime
    item: dict[str, Any] | None


def shops_with_news(connection: Connection, buckets: Sequence[int], since: datetime) -> set[int]:
    """Shops about which something was written down since an instant, by its own time."""
    parameters = {"buckets": array_literal(buckets), "since_id": floor_id(since)}
    return {row[0] for row in connection.execute(sql("shops_with_news"), parameters)}


def count_hours(
    connection: Connection, hours: Hours, buckets: Sequence[int], metrics: Iterable[str] = METRICS
) -> list[HourlySum]:
    """Count metrics of a shop from their source, over all its buckets."""
    every = {
        "buckets": array_literal(buckets),
        "since_id": floor_id(hours.since),
        "until_id": floor_id(hours.until),
        **hours._asdict(),
    }
    found = []
    for metric in metrics:
        statement, more = METRICS[metric]
        text = sql(statement)
        for label, hour, n, total, total_sq in connection.execute(text, _asked(text, {**every, **more})):
            found.append(HourlySum(metric, label, hour, n, total, Decimal(total_sq)))
    return found


def replace_sums(
    connection: Connection, hours: Hours, sums: Sequence[HourlySum], metrics: Iterable[str] = METRICS
) -> None:
    """Make the stored sums of these hours equal to the counted ones; rows that are equal already are not touched."""
    body = msgspec.json.encode([row._asdict() for row in sums]).decode()
    where = {"bucket": hours.bucket, "shop_id": hours.shop_id, "rows": body}
    connection.execute(sql("put_rollups"), where)
    within = {"metrics": list(metrics), "since": hours.since, "until": hours.until}
    connection.execute(sql("drop_other_rollups"), {**where, **within})


def sum_of(connection: Connection, hours: Hours, metric: str) -> dict[str, Sums]:
    """What a metric adds up to over these hours, by label."""
    rows = connection.execute(sql("sum_rollups"), {**hours._asdict(), "metric": metric})
    return {row[0]: Sums(*row[1:]) for row in rows}


def count_members(
    connection: Connection,
    shop_id: int,
    buckets: Sequence[int],
    since: datetime,
    weights: tuple[float, float, float],
) -> None:
    """Fill the transaction's counting table; ``weights``: of an order, a cart and a visit."""
    order, cart, view = weights
    connection.execute(sql("make_counting_table"))
    connection.execute(
        sql("count_members"),
        {
            "buckets": array_literal(buckets),
            "shop_id": shop_id,
            "since": since,
            "order_weight": order,
            "cart_weight": cart,
            "view_weight": view,
        },
    )


def counted_products(connection: Connection, limit: int) -> list[CountedProduct]:
    rows = connection.execute(sql("counted_products"), {"limit": limit}).fetchall()
    return [CountedProduct(*row) for row in rows]


def put_products(
    connection: Connection, bucket: int, shop_id: int, products: Sequence[tuple[UUID, CountedProduct]]
) -> None:
    """Write products with their ids as they were seen last."""
    body = msgspec.json.encode([_product_row(key, product) for key, product in products]).decode()
    connection.execute(sql("put_products"), {"bucket": bucket, "shop_id": shop_id, "rows": body})


def forget_uncounted_products(connection: Connection, bucket: int, shop_id: int) -> None:
    """What lies in no basket any more is no longer popular."""
    connection.execute(sql("forget_uncounted_products"), {"bucket": bucket, "shop_id": shop_id})


def replace_pairs(connection: Connection, bucket: int, shop_id: int, most: int) -> None:
    """Write the pairs of the counted baskets in place of the stored ones; of each product the ``most`` frequent."""
    connection.execute(sql("clear_pairs"), {"bucket": bucket, "shop_id": shop_id})
    connection.execute(sql("put_pairs"), {"bucket": bucket, "shop_id": shop_id, "most": most})


def end_counting(connection: Connection) -> None:
    """Throw the counting table away."""
    connection.execute(sql("drop_counting_table"))


def _asked(text: LiteralString, values: Mapping[str, object]) -> dict[str, object]:
    """The parameters that a statement names: psycopg sends what it is given."""
    return {name: value for name, value in values.items() if f"%({name})s" in text}


def _product_row(key: UUID, product: CountedProduct) -> dict[str, object]:
    item = product.item or {}
    unit_cents, currency = item.get("unit_cents"), item.get("currency")
    is_priced = isinstance(unit_cents, int) and isinstance(currency, str)
    return {
        "id": key,
        "product_key": product.product_key,
        "title": str(item.get("title") or "")[:500],
        "url": str(item.get("url") or "")[:2_000],
        "image_url": str(item.get("image_url") or "")[:2_000],
        "unit_cents": unit_cents if is_priced else None,
        "currency": currency if is_priced else None,
        "category": str(item.get("category") or "")[:200],
        "popularity": product.popularity,
        "seen_at": product.seen_at,
    }
