"""Who is behind these visitor keys, and which cart are they at, while a batch of events is folded?

A visitor key is an anonymous id, a customer id or a checkout token. Keys that occur in one event belong to the same
visitor and are linked; what becomes known of one becomes known of the others. `read` looks them up, `project` moves
them on event by event, `write` merges what is new, and learns what others learnt meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from rekindle.engine.places import Place, visitor_place
from rekindle.engine.transactions import Work
from rekindle.policy.cart_close import OrderMark
from rekindle.policy.cart_draft import from_ms
from rekindle.store.visitors import VisitorNews, VisitorRow, add_visitors, copy_visitors, load_visitors, upsert_visitors
from rekindle.terms.shop import ShopSettings

MAX_LINKS: Final = 16
_STALE = timedelta(minutes=10)  #: `seen_at` is moved on in steps of this, not at every event


class Visit(Struct, eq=False, gc=False):
    """One visitor key during a batch. A struct: a batch has hundreds, and they are made in a quarter of the time.

    ``has_looked``: there may be a visit, or a cart of its own, to be found. ``is_moved``: learnt a shopper, a cart or a
    link; others must see that before the cart is written.
    """

    key: str
    place: Place
    row: VisitorRow | None = None
    is_known: bool = False
    has_looked: bool = False
    shopper: Place | None = None
    cart: Place | None = None
    cart_ms: int = 0
    links: list[str] = []
    first_at: datetime | None = None
    last_at: datetime | None = None
    gpc: bool = False
    new_links: list[str] = []
    is_moved: bool = False

    @classmethod
    def of(cls, key: str, place: Place, row: VisitorRow) -> Visit:
        """A visitor who is known."""
        visit = cls(key, place, row, is_known=True, has_looked=True, links=row.links)
        if row.shopper_id is not None and row.shopper_bucket is not None:
            visit.shopper = Place(row.shopper_bucket, row.shopper_id)
        if row.cart_id is not None and row.cart_bucket is not None:
            visit.cart = Place(row.cart_bucket, row.cart_id)
            visit.cart_ms = row.facts.get("cart_ms", 0)
        return visit

    def see(self, at: datetime) -> None:
        if self.first_at is None or self.last_at is None:
            self.first_at = self.last_at = at
        elif at > self.last_at:
            self.last_at = at
        elif at < self.first_at:
            self.first_at = at

    def meet(self, shopper: Place) -> None:
        """The visitor is known to be this shopper."""
        if self.shopper != shopper:
            self.shopper, self.is_moved = shopper, True

    def go_to(self, cart: Place, at_ms: int) -> None:
        """The visitor's latest cart."""
        if at_ms >= self.cart_ms:
            if self.cart != cart:
                self.cart, self.is_moved = cart, True
            self.cart_ms = at_ms

    def link(self, key: str) -> None:
        if key != self.key and key not in self.links and len(self.links) < MAX_LINKS:
            self.links.append(key)
            self.new_links.append(key)
            self.is_moved = True

    @property
    def mark(self) -> OrderMark | None:
        """The visitor's latest order."""
        return mark_of(self.row)

    @property
    def was_here_before(self) -> bool:
        """Whether this is not the first visit; asked while the batch is folded."""
        return self.row is not None and self.row.visit_count > 1

    @property
    def has_told_gpc(self) -> bool:
        return self.row is not None and bool(self.row.facts.get("gpc"))

    @property
    def exists(self) -> bool:
        """Whether the key ever occurred in an event; a link may name one that is long gone."""
        return self.is_known or self.last_at is not None

    @property
    def must_be_written(self) -> bool:
        if self.row is None or self.is_moved:
            return self.last_at is not None or self.is_moved
        if self.last_at is None:
            return False
        return self.last_at > self.row.seen_at + _STALE or (self.gpc and not self.row.facts.get("gpc"))

    def news(self, shop_id: int) -> VisitorNews:
        seen_at = self.last_at or (self.row.seen_at if self.row is not None else from_ms(0))
        facts: dict[str, Any] = {f"~{key}": 1 for key in self.new_links} if self.new_links else {}
        if self.gpc:
            facts["gpc"] = True
        if self.cart is not None and self.cart_ms:
            facts["cart_ms"] = self.cart_ms
        return VisitorNews(
            bucket=self.place.bucket,
            id=self.place.id,
            shop_id=shop_id,
            visitor_key=self.key,
            first_seen_at=self.first_at or seen_at,
            seen_at=seen_at,
            shopper_bucket=self.shopper.bucket if self.shopper else None,
            shopper_id=self.shopper.id if self.shopper else None,
            cart_bucket=self.cart.bucket if self.cart else None,
            cart_id=self.cart.id if self.cart else None,
            facts=facts,
        )

    def learn(self, row: VisitorRow) -> bool:
        """Take over the visitor as it is by now; True when its carts must be looked at again."""
        if self.shopper is None and row.shopper_id is not None and row.shopper_bucket is not None:
            self.shopper = Place(row.shopper_bucket, row.shopper_id)
            self.is_moved = True
        if row.cart_id is not None and row.cart_bucket is not None:
            self.cart = Place(row.cart_bucket, row.cart_id)
        return self.is_moved and self.shopper is not None


class Visits:
    """All visitor keys of one batch."""

    def __init__(self, shop: ShopSettings) -> None:
        self._shop = shop
        self._visits: dict[str, Visit] = {}

    def read(self, work: Work, keys: Iterable[str]) -> list[Visit]:
        """Look up the keys that are not known here yet."""
        shop, known = self._shop, self._visits
        missing = {key: visitor_place(shop, key) for key in keys if key not in known}
        by_bucket: dict[int, list[Place]] = defaultdict(list)
        for place in missing.values():
            by_bucket[place.bucket].append(place)
        rows: dict[str, VisitorRow | None] = {}
        for bucket, places in sorted(by_bucket.items()):
            for found in load_visitors(work.connection, bucket, [place.id for place in places]):
                rows[found.visitor_key] = found
        for key, place in missing.items():
            row = rows.get(key)
            self._visits[key] = Visit(key, place) if row is None else Visit.of(key, place, row)
        return [self._visits[key] for key in missing]

    def read_again(self, work: Work, keys: Iterable[str]) -> list[Visit]:
        """Look at visitors once more; returns those of whom a shopper or an order is known that was not."""
        by_bucket: dict[int, list[Visit]] = defaultdict(list)
        for key in keys:
            by_bucket[self._visits[key].place.bucket].append(self._visits[key])
        better = []
        for bucket, visits in sorted(by_bucket.items()):
            rows = {row.id: row for row in load_visitors(work.connection, bucket, [v.place.id for v in visits])}
            for visit in visits:
                row = rows.get(visit.place.id)
                if row is None:
                    continue
                before, visit.row = (visit.shopper, mark_of(visit.row)), row
                visit.learn(row)
                if (visit.shopper, mark_of(row)) != before:
                    better.append(visit)
        return better

    def __getitem__(self, key: str) -> Visit:
        return self._visits[key]

    def shopper_of(self, keys: Sequence[str]) -> Place | None:
        """Whom these keys lead to: the customer account says most, then the checkout, then the visit."""
        if len(keys) == 1:
            return self._visits[keys[0]].shopper
        for first in "uka":
            for key in keys:
                shopper = self._visits[key].shopper
                if key[0] == first and shopper is not None:
                    return shopper
        return None

    def get(self, key: str) -> Visit | None:
        return self._visits.get(key)

    def all(self) -> list[Visit]:
        return list(self._visits.values())

    def link(self, keys: Sequence[str]) -> None:
        """These keys are one visitor."""
        for key in keys:
            for other in keys:
                self._visits[key].link(other)

    def meet(self, keys: Sequence[str], shopper: Place) -> None:
        """The visitor of these keys, and of those linked to them that lead to nobody yet, is this shopper."""
        for key in keys:
            visit = self._visits[key]
            visit.meet(shopper)
            for other in visit.links:
                linked = self._visits.get(other)
                if linked is not None and linked.exists and linked.shopper is None:
                    linked.meet(shopper)

    def write(self, work: Work) -> list[Visit]:
        """Merge what is new; returns the visits of which others learnt something meanwhile, or whose shopper was learnt
        here: a cart of theirs may have begun elsewhere since the visits were read."""
        by_bucket: dict[int, list[Visit]] = defaultdict(list)
        for visit in self._visits.values():
            if visit.must_be_written:
                by_bucket[visit.place.bucket].append(visit)
        better = []
        for bucket, visits in sorted(by_bucket.items()):
            with work.in_bucket(bucket):
                new = [visit.news(self._shop.id) for visit in visits if not visit.is_known]
                added = _add(work, bucket, new)
                known = [visit for visit in visits if visit.place.id not in added]
                news = [visit.news(self._shop.id) for visit in known]
                rows = {row.id: row for row in upsert_visitors(work.connection, bucket, news)}
            for visit in known:
                row = rows[visit.place.id]
                before, visit.row = visit.row, row
                if visit.learn(row) or mark_of(row) != mark_of(before):
                    better.append(visit)
        return better


def _add(work: Work, bucket: int, new: list[VisitorNews]) -> set[UUID]:
    """Add visitors who were not known when they were looked for; returns who is added, the others are known by now."""
    if not work.is_calm:
        return add_visitors(work.connection, bucket, new)
    copy_visitors(work.connection, bucket, new)
    return {one.id for one in new}


def mark_of(row: VisitorRow | None) -> OrderMark | None:
    """The latest order that is noted on a visitor."""
    if row is None or "order_ms" not in row.facts:
        return None
    return mark_of_facts(row.facts["order"])


def mark_of_facts(told: dict[str, Any]) -> OrderMark:
    """An order as it is noted on visitors and shoppers."""
    at, products = datetime.fromisoformat(told["at"]), frozenset(told["products"])
    return OrderMark(order_key=told["key"], at=at, product_keys=products, cart_key=told.get("cart"))


def facts_of_mark(mark: OrderMark) -> dict[str, Any]:
    """How an order is noted: the newest one, with at most 50 products."""
    products = sorted(mark.product_keys)[:50]
    return {"key": mark.order_key, "at": mark.at.isoformat(), "products": products, "cart": mark.cart_key}
