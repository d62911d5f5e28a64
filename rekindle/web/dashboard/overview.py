"""What came back, and why not more? The first page of a shop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.http import HttpResponse

from rekindle.lib.addresses import masked
from rekindle.store.buckets import base_bucket
from rekindle.store.dashboard.carts import shoppers_by_id
from rekindle.store.dashboard.flows import flows_of_shop
from rekindle.store.dashboard.overview import (
    CartCounts,
    DayOfRevenue,
    FunnelCounts,
    ReasonCount,
    RecoveredOrder,
    Scope,
    count_waiting_sends,
    latest_recovered,
    load_sums,
    revenue_by_day,
)
from rekindle.terms.attribution import LAST_CLICK
from rekindle.terms.cart import Stage
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.page import Section, show_page
from rekindle.web.dashboard.period import CHOICES, Period, read_period
from rekindle.web.templatetags.dashboard import zone

_LATEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One bar of the funnel. ``share`` of the first step, ``of_before`` of the step above."""

    label: str
    note: str
    n: int
    share: float
    of_before: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    reason: str
    n: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredLine:
    order: RecoveredOrder
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """Recovered revenue of a period in the shop's currency; ``others``: what came in other currencies."""

    cents: int
    order_count: int
    others: dict[str, int]


@shop_view(get=Action.READ)
def overview(visit: Visit) -> HttpResponse:
    period = read_period(visit.request.GET.get("period"), timezone=visit.shop.timezone, now=visit.now)
    connection, shop = visit.connection, visit.shop
    flows = flows_of_shop(connection, shop.id)
    following = [flow.id for flow in flows if set(flow.definition["trigger"]["kinds"]) != {Stage.BROWSE.value}]
    where = Scope(shop_id=shop.id, bucket=base_bucket(shop), buckets=visit.buckets, since=period.since)
    scope = replace(where, flow_ids=following)
    zone_key = zone(shop.timezone).key
    days = revenue_by_day(connection, scope, rule=LAST_CLICK, until=period.until, timezone=zone_key)
    before = replace(where, since=period.before)
    days_before = revenue_by_day(connection, before, rule=LAST_CLICK, until=period.since, timezone=zone_key)
    carts, funnel, sends, cart_refusals, send_refusals = load_sums(connection, scope, currency=shop.currency)
    revenue, revenue_before = _total(days, shop.currency), _total(days_before, shop.currency)
    content = {
        "period": period,
        "periods": CHOICES,
        "revenue": revenue,
        "change": _change(revenue.cents, revenue_before.cents),
        "times": _times(revenue.cents, revenue_before.cents),
        "chart": _chart(days, period, shop.currency),
        "carts": carts,
        "sends": sends,
        "click_rate": sends.clicked / sends.sent if sends.sent else None,
        "waiting_sends": count_waiting_sends(connection, scope),
        "funnel": _funnel(carts, funnel),
        "held_out": funnel.held_out,
        "holdout_share": funnel.held_out / funnel.entered if funnel.entered else None,
        "cart_refusals": _refusals(cart_refusals),
        "send_refusals": _refusals(send_refusals),
        "latest": _latest(visit, latest_recovered(connection, scope, rule=LAST_CLICK, limit=_LATEST)),
        "active_flow": any(flow.is_active for flow in flows),
    }
    return show_page(visit, "dashboard/overview.html", content, section=Section.OVERVIEW)


def _total(days: Sequence[DayOfRevenue], currency: str) -> Revenue:
    """Sums per currency: amounts of different currencies are never added."""
    sums: Counter[str] = Counter()
    for day in days:
        sums[day.currency] += day.net_cents
    own = sums.pop(currency, 0)
    return Revenue(cents=own, order_count=sum(day.order_count for day in days), others=dict(sums))


def _change(now_cents: int, before_cents: int) -> float | None:
    """Growth against the equally long period before; None when there was nothing to compare with."""
    return now_cents / before_cents - 1 if before_cents > 0 else None


def _times(now_cents: int, before_cents: int) -> int | None:
    """How many times as much as before, where a percentage would be an absurd one."""
    ratio = now_cents / before_cents if before_cents > 0 else 0
    return round(ratio) if ratio >= 4 else None


def _chart(days: Sequence[DayOfRevenue], period: Period, currency: str) -> dict[str, object]:
    by_day = {day.day: day.net_cents for day in days if day.currency == currency}
    shown = list(period.days())
    return {
        "kind": "bar",
        "title": "Recovered revenue by day",
        "unit": {"kind": "money", "currency": currency},
        "height": 250,
        "labels": [f"{day.day} {day:%b}" for day in shown],
        "series": [{"name": "Recovered", "values": [by_day.get(day, 0) for day in shown]}],
    }


def _funnel(carts: CartCounts, funnel: FunnelCounts) -> list[Step]:
    numbers = (
        ("Left behind", "idle for longer than the threshold", carts.detected),
        ("Reachable", "somebody is known for the cart", carts.reachable),
        ("Written to", "at least one message was handed over", funnel.sent),
        ("Clicked", "a link of a message was followed", funnel.clicked),
        ("Ordered", "an order followed the click", funnel.ordered),
    )
    first = carts.detected
    steps: list[Step] = []
    for label, note, n in numbers:
        before = steps[-1].n if steps else 0
        of_before = n / before if steps and before else None
        steps.append(Step(label=label, note=note, n=n, share=n / first if first else 0.0, of_before=of_before))
    return steps


def _refusals(rows: Sequence[ReasonCount]) -> list[Refusal]:
    most = rows[0].n if rows else 0
    return [Refusal(reason=row.reason, n=row.n, share=row.n / most) for row in rows]


def _latest(visit: Visit, orders: Sequence[RecoveredOrder]) -> list[RecoveredLine]:
    buckets = [order.shopper_bucket for order in orders if order.shopper_bucket is not None]
    ids = [order.shopper_id for order in orders if order.shopper_id is not None]
    people = shoppers_by_id(visit.connection, buckets=buckets, shopper_ids=ids)
    lines = []
    for order in orders:
        person = people.get(order.shopper_id) if order.shopper_id else None
        address = masked(person.first_address) if person and person.first_address else ""
        lines.append(RecoveredLine(order=order, name=(person.name if person else "") or address or "somebody"))
    return lines
