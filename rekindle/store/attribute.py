"""How are clicks read and credits written? One order at a time, in the order's bucket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from rekindle.policy.order_fold import OrderDraft
from rekindle.stats.attribution import Touch
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql


def clicks_of_shoppers(
    connection: Connection, bucket: int, shopper_ids: Sequence[UUID], since: datetime, until: datetime
) -> list[Touch]:
    values = {"bucket": bucket, "shopper_ids": array_literal(shopper_ids), "since": since, "until": until}
    rows = connection.execute(sql("clicks_of_shoppers"), values)
    return [Touch(bucket, row[0], row[1], row[2], row[3]) for row in rows]


class Credit(NamedTuple):
    """A stored attribution, as far as sums ask for it."""

    ordered_at: datetime
    enrolment_id: UUID | None


def put_attribution(
    connection: Connection, attribution_id: UUID, order: OrderDraft, rule: str, touch: Touch
) -> list[Credit]:
    """Returns what was stored before, if anything."""
    values = {
        "bucket": order.bucket,
        "id": attribution_id,
        "shop_id": order.shop_id,
        "order_id": order.id,
        "rule": rule,
        "send_bucket": touch.bucket,
        "send_id": touch.send_id,
        "enrolment_id": touch.enrolment_id,
        "flow_id": touch.flow_id,
        "touched_at": touch.at,
        "ordered_at": order.ordered_at,
        "currency": order.currency,
        "net_cents": order.net_cents,
    }
    return [Credit._make(row) for row in connection.execute(sql("put_attribution"), values)]


def drop_attribution(connection: Connection, bucket: int, attribution_id: UUID) -> list[Credit]:
    """Returns what was stored, if anything."""
    values = {"bucket": bucket, "id": attribution_id}
    return [Credit._make(row) for row in connection.execute(sql("drop_attribution"), values)]


def orders_between(connection: Connection, bucket: int, shop_id: int, since: datetime, until: datetime) -> list[UUID]:
    values = {"bucket": bucket, "shop_id": shop_id, "since": since, "until": until}
    return [row[0] for row in connection.execute(sql("orders_between"), values)]
