"""Twenty real shoppers over four weeks, through Segment's own client: do carts come out as the file has them?

The recount below reads the file alone. Rules, in plain words: a cart begins with an addition and ends with an order.
While it is open, anything the shopper does keeps it so; half an hour without anything, and it is left behind. What is
left behind comes back with the next addition only. Who is known enters the flow, at most once a day.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from segment.analytics.client import Client

from rekindle.engine.abandon import abandon
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.buckets import base_bucket
from rekindle.store.database import Connection, connect

from ..conftest import ROOT
from ..web.live import KEY, Live, live, served
from .scene import put_flow

__all__ = ["live", "served"]
FILE = ROOT.parent / "shared" / "data" / "otto" / "sessions.jsonl"
IDLE_S, GAP_S = 1_800, 86_400


@dataclass(frozen=True)
class Act:
    """One thing a shopper did; several articles ordered at one instant are one order."""

    ms: int
    session: int
    kind: str
    articles: tuple[int, ...]


def acts_of(path: Path) -> list[Act]:
    """All acts of all shoppers in the order of time."""
    found: list[Act] = []
    for line in path.read_text().splitlines():
        told = json.loads(line)
        for event in told["events"]:
            last = found[-1] if found else None
            one = Act(event["ts"], told["session"], event["type"], (event["aid"],))
            if last and one.kind == "orders" and (last.ms, last.session, last.kind) == (one.ms, one.session, one.kind):
                found[-1] = Act(one.ms, one.session, one.kind, last.articles + one.articles)
            else:
                found.append(one)
    return sorted(found, key=lambda act: act.ms)


def is_known(session: int) -> bool:
    """Three of four shoppers say who they are when they first put something in."""
    return session % 4 != 3


# --- the recount ----------------------------------------------------------------------------------------------------


@dataclass
class Count:
    """What came of one shopper."""

    carts: int = 0
    abandoned: int = 0
    ordered: int = 0
    orders: int = 0
    enrolled: int = 0
    left_at_ms: list[int] = field(default_factory=list)


def recount(acts: Sequence[Act], end_ms: int) -> dict[int, Count]:
    counts = {act.session: Count() for act in acts}
    for session, count in counts.items():
        mine = [act for act in acts if act.session == session]
        state, touched, entered = "none", 0, -GAP_S * 1000
        for act in [*mine, Act(end_ms, session, "end", ())]:
            if state == "open" and act.ms - touched >= IDLE_S * 1000:
                state = "left"
                left_at = touched + IDLE_S * 1000
                count.abandoned += 1
                count.left_at_ms.append(left_at)
                if is_known(session) and left_at - entered >= GAP_S * 1000:
                    entered = left_at
                    count.enrolled += 1
            if act.kind == "carts":
                count.carts += state == "none"
                state, touched = "open", act.ms
            elif act.kind == "clicks" and state == "open":
                touched = act.ms
            elif act.kind == "orders":
                count.orders += 1
                count.ordered += state != "none"
                state = "none"
    return counts


# --- the run --------------------------------------------------------------------------------------------------------


def instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def product(article: int) -> dict[str, Any]:
    return {"product_id": str(article), "name": f"Article {article}", "price": 5 + article % 9_000 / 100, "quantity": 1}


class Run:
    """Feeds the acts, and lets the worker look at idle carts at the very instants at which they become due."""

    def __init__(self, live: Live, link: Connection, context: Context, clock: MovableClock) -> None:
        self._client = Client(KEY, host=live.url, sync_mode=True, max_retries=1)
        self._link = link
        self._context = context
        self._clock = clock
        self._bucket = base_bucket(live.shop)
        self._named: set[int] = set()
        self._numbers: Counter[int] = Counter()

    def tell(self, act: Act) -> None:
        self.look_until(act.ms)
        key, at = f"otto-{act.session}", instant(act.ms)
        self._numbers[act.session] += 1
        message = {"anonymous_id": key, "timestamp": at, "message_id": f"{key}-{self._numbers[act.session]}"}
        if act.kind == "clicks":
            self._client.track(event="Product Viewed", properties=product(act.articles[0]), **message)
        elif act.kind == "carts":
            if is_known(act.session) and act.session not in self._named:
                self._named.add(act.session)
                name = message | {"message_id": f"{key}-name"}
                self._client.identify(traits={"email": f"{key}@shopper.example"}, **name)
            self._client.track(event="Product Added", properties=product(act.articles[0]), **message)
        else:
            products = [product(article) for article in act.articles]
            total = round(sum(one["price"] for one in products), 2)
            order = {"order_id": f"{key}-{act.ms}", "total": total, "currency": "EUR", "products": products}
            self._client.track(event="Order Completed", properties=order, **message)

    def look_until(self, ms: int) -> None:
        """Abandon what is due before an instant, each at its own."""
        end, books = instant(ms), Books.load(self._link)
        while True:
            row = self._link.execute("SELECT min(check_at) FROM carts WHERE check_at <= %s", [end]).fetchone()
            assert row is not None
            if row[0] is None:
                break
            self._clock.set(max(self._clock.now(), row[0]))
            abandon(self._link, self._context, books, self._bucket)
        self._clock.set(end)


@pytest.fixture
def link(live: Live) -> Iterator[Connection]:
    with connect(live.dsn) as connection:
        yield connection


def sums(live: Live) -> dict[str, dict[int, int]]:
    def by_session(statement: str) -> dict[int, int]:
        return {int(str(key).rsplit("otto-", 1)[1]): int(str(n)) for key, n in live.query(statement)}

    in_cart = "d.question = 'abandon' AND NOT d.evidence ? 'again' AND d.evidence->>'stage' <> 'browse'"
    return {
        "abandoned": by_session(
            f"SELECT c.cart_key, count(*) FROM decisions d JOIN carts c ON c.id = d.cart_id WHERE {in_cart} GROUP BY 1"
        ),
        "ordered": by_session("SELECT c.cart_key, count(*) FROM orders o JOIN carts c ON c.id = o.cart_id GROUP BY 1"),
        "orders": by_session("SELECT regexp_replace(order_key, '-[0-9]+$', ''), count(*) FROM orders GROUP BY 1"),
        "enrolled": by_session(
            "SELECT c.cart_key, count(*) FROM enrolments e JOIN carts c ON c.id = e.cart_id WHERE c.stage <> 'browse' GROUP BY 1"
        ),
    }


@pytest.mark.skipif(not FILE.exists(), reason=f"the OTTO sample is not there: {FILE.name} in shared/data/otto")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:segment.*", "ignore::DeprecationWarning:dateutil.*")
def test_the_file_and_rekindle_agree(live: Live, link: Connection, context: Context, clock: MovableClock) -> None:
    acts = acts_of(FILE)
    end_ms = acts[-1].ms + 2 * IDLE_S * 1000
    clock.set(instant(acts[0].ms) - timedelta(days=1))
    put_flow(link, live.shop, activated_at=clock.now())
    run = Run(live, link, context, clock)
    for act in acts:
        run.tell(act)
    run.look_until(end_ms)

    counted, found = recount(acts, end_ms), sums(live)
    assert live.query("SELECT count(*) FROM events WHERE kind <> 'identified'") == [(len(acts),)]
    print(f"\n{'':24}{'file':>8}{'Rekindle':>10}")
    for name in ("abandoned", "ordered", "orders", "enrolled"):
        mine = {session: getattr(count, name) for session, count in counted.items() if getattr(count, name)}
        print(f"{name:24}{sum(mine.values()):8}{sum(found[name].values()):10}")
        assert found[name] == mine, name
    sessions_with_cart = sum(1 for count in counted.values() if count.carts)
    carts = live.query("SELECT count(*) FROM carts WHERE starts_with(cart_key, 'visitor:')")
    print(f"{'shoppers with a cart':24}{sessions_with_cart:8}{carts[0][0]!s:>10}")
    assert carts == [(sessions_with_cart,)]
    lives = sum(count.carts for count in counted.values())
    print(f"{'carts begun':24}{lives:8}{begun(live):10}")
    assert begun(live) == lives


def begun(live: Live) -> int:
    """Lives of carts: those that ended in an order, and those that still go on."""
    ordered = int(str(live.query("SELECT count(*) FROM orders WHERE cart_id IS NOT NULL")[0][0]))
    going = live.query(
        "SELECT count(*) FROM carts WHERE starts_with(cart_key, 'visitor:') AND state IN ('open', 'abandoned')"
    )
    return ordered + int(str(going[0][0]))
