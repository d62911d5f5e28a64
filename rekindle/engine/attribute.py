"""Which send is credited with this order? Asked when an order is applied, and again whenever the rule changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.places import Place
from rekindle.lib.ids import instant_of, natural_id
from rekindle.policy.order_fold import OrderDraft
from rekindle.stats.attribution import Touch, last_click
from rekindle.store import attribute as store
from rekindle.store.buckets import buckets_of
from rekindle.store.changed_hours import note_changed_hours
from rekindle.store.database import Connection
from rekindle.store.purchase import lock_orders
from rekindle.terms.attribution import LAST_CLICK
from rekindle.terms.shop import ShopSettings


def attribute(
    connection: Connection, context: Context, shop: ShopSettings, order: OrderDraft, shoppers: Iterable[Place]
) -> Touch | None:
    """Credit the order to the last click of its shoppers, or to nobody; idempotent. Returns the credited click."""
    touch = None
    if order.counts:
        since = order.ordered_at - timedelta(days=shop.attribution_click_days)
        by_bucket: dict[int, set[UUID]] = defaultdict(set)
        for place in shoppers:
            by_bucket[place.bucket].add(place.id)
        touches = [
            touch
            for bucket, ids in sorted(by_bucket.items())
            for touch in store.clicks_of_shoppers(connection, bucket, sorted(ids), since, order.ordered_at)
        ]
        touch = last_click(touches, order.ordered_at, shop.attribution_click_days)
    attribution_id = natural_id("attribution", shop.id, f"{LAST_CLICK}:{order.order_key}")
    if touch is None:
        before = store.drop_attribution(connection, order.bucket, attribution_id)
    else:
        before = store.put_attribution(connection, attribution_id, order, LAST_CLICK, touch)
    instants = [order.ordered_at] + [credit.ordered_at for credit in before]
    runs = [credit.enrolment_id for credit in before] + ([touch.enrolment_id] if touch else [])
    instants += [instant_of(run) for run in runs if run is not None]
    note_changed_hours(connection, order.bucket, shop.id, instants, now=context.clock.now())
    return touch


def recompute(connection: Connection, context: Context, shop: ShopSettings, since: datetime, until: datetime) -> int:
    """Credit every order of the time again, as after a change of the window; returns how many were looked at."""
    count = 0
    for bucket in buckets_of(shop):
        ids = store.orders_between(connection, bucket, shop.id, since, until)
        with connection.transaction():
            for order in lock_orders(connection, bucket, ids).values():
                attribute(connection, context, shop, order, shoppers_of(order))
                count += 1
    return count


def shoppers_of(order: OrderDraft) -> list[Place]:
    """Everybody whom the order was matched with."""
    return [Place(int(one["bucket"]), UUID(one["id"])) for one in order.facts.get("shoppers", ())]
