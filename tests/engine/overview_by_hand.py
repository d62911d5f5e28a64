"""What does the overview have to say? The same figures counted from the raw rows, one by one, in Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from rekindle.lib.ids import instant_of
from rekindle.store.dashboard.overview import (
    CartCounts,
    DayOfRevenue,
    FunnelCounts,
    OverviewSums,
    ReasonCount,
    SendCounts,
)
from rekindle.store.database import Connection
from rekindle.terms.attribution import LAST_CLICK
from rekindle.terms.shop import ShopSettings

from .scene import rows

_NOT_LEFT = {"CART_EMPTY", "MOVED_TO_CART", "CART_CLOSED", "LOST", "STILL_ACTIVE"}
_BECAME = {
    "clicked": "clicked",
    "restored": "clicked",
    "bounced": "bounced",
    "failed": "failed",
    "unsubscribed": "unsubscribed",
}


def sums_by_hand(connection: Connection, shop: ShopSettings, since: datetime, flow_ids: Sequence[int]) -> OverviewSums:
    """As `store.dashboard.overview.load_sums`."""

    def all_of(table: str) -> list[dict[str, Any]]:
        return rows(connection, f"SELECT * FROM {table} WHERE shop_id = %s", shop.id)

    happened: dict[UUID, set[str]] = {}
    handed: dict[UUID, datetime] = {}
    skipped: Counter[str] = Counter()
    for event in all_of("send_events"):
        happened.setdefault(event["send_id"], set()).add(event["kind"])
        if event["kind"] == "handed_over":
            handed[event["send_id"]] = min(handed.get(event["send_id"], event["at"]), event["at"])
        if event["kind"] == "skipped" and event["at"] >= since:
            skipped[event["reason"] or ""] += 1
    became: Counter[str] = Counter()
    for send_id, at in handed.items():
        if at >= since:
            became.update({"sent"} | {_BECAME[kind] for kind in happened[send_id] if kind in _BECAME})
    return OverviewSums(
        carts=_carts(all_of("carts"), all_of("decisions"), shop, since),
        funnel=_funnel(all_of("enrolments"), all_of("sends"), all_of("attributions"), happened, since, flow_ids),
        sends=SendCounts(**{kind: became[kind] for kind in SendCounts._fields}),
        cart_refusals=_sorted(
            row["reason"]
            for row in all_of("decisions")
            if row["question"] == "abandon" and row["outcome"] == "deny" and row["at"] >= since
            and row["reason"] not in _NOT_LEFT
            and not (row["reason"] == "NO_FLOW" and row["evidence"].get("stage") == "browse")
        ),
        send_refusals=_sorted(skipped.elements()),
    )  # fmt: skip


def _carts(
    carts: list[dict[str, Any]], decisions: list[dict[str, Any]], shop: ShopSettings, since: datetime
) -> CartCounts:
    left = [
        row
        for row in decisions
        if row["question"] == "abandon" and row["at"] >= since and row["reason"] not in _NOT_LEFT
        and row["evidence"]["stage"] != "browse"
    ]  # fmt: skip
    own = [cart for cart in carts if cart["stage"] != "browse"]
    waiting = [cart for cart in own if cart["state"] == "abandoned"]
    return CartCounts(
        detected=sum("again" not in row["evidence"] for row in left),
        reachable=sum(row["shopper_id"] is not None for row in left),
        open_now=sum(cart["state"] == "open" for cart in own),
        abandoned_now=len(waiting),
        waiting_cents=sum(cart["total_cents"] for cart in waiting if cart["currency"] == shop.currency),
        any_ever=bool(own),
    )


def _funnel(
    enrolments: list[dict[str, Any]],
    sends: list[dict[str, Any]],
    attributions: list[dict[str, Any]],
    happened: dict[UUID, set[str]],
    since: datetime,
    flow_ids: Sequence[int],
) -> FunnelCounts:
    runs = {row["id"]: row for row in enrolments if row["abandoned_at"] >= since and row["flow_id"] in flow_ids}
    told: dict[UUID, set[str]] = {run_id: set() for run_id in runs}
    for send in sends:
        if send["enrolment_id"] in told:
            told[send["enrolment_id"]] |= happened.get(send["id"], set())
    ordered = {
        row["enrolment_id"]
        for row in attributions
        if row["rule"] == LAST_CLICK and row["send_id"] is not None and row["flow_id"] in flow_ids
        and instant_of(row["enrolment_id"]) >= since
    }  # fmt: skip
    return FunnelCounts(
        entered=len(runs),
        held_out=sum(run["arm"] == "holdout" for run in runs.values()),
        sent=sum("handed_over" in kinds for kinds in told.values()),
        clicked=sum(not kinds.isdisjoint({"clicked", "restored"}) for kinds in told.values()),
        ordered=len(ordered),
    )


def revenue_by_hand(connection: Connection, shop: ShopSettings, since: datetime, timezone: str) -> list[DayOfRevenue]:
    """As `store.dashboard.overview.revenue_by_day`, until now."""
    counts: Counter[tuple[Any, str]] = Counter()
    cents: Counter[tuple[Any, str]] = Counter()
    for row in rows(connection, "SELECT * FROM attributions WHERE shop_id = %s AND send_id IS NOT NULL", shop.id):
        at: Any = row["ordered_at"]
        if row["rule"] == LAST_CLICK and at >= since:
            key = (at.astimezone(ZoneInfo(timezone)).date(), str(row["currency"]))
            counts[key] += 1
            cents[key] += int(str(row["net_cents"]))
    return [DayOfRevenue(day, currency, n, cents[day, currency]) for (day, currency), n in sorted(counts.items())]


def _sorted(reasons: Any) -> list[ReasonCount]:
    found = [ReasonCount(*pair) for pair in Counter(reasons).items()]
    return sorted(found, key=lambda row: (-row.n, row.reason))
