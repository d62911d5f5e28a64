"""What does an order end, before its report is acknowledged?

An order is matched over everything that is known of its buyer: the cart it names, its checkout, the visit, the customer
account, the e-mail address, the phone number, and the keys linked to these. Its own cart is closed (`policy.cart_close`
says as what); other carts of the person are closed when everything in them was bought, and stay left behind otherwise.
Whatever runs for the person ends, and what waits in the outbox is withdrawn, whichever cart it is about: nobody is
written to after a purchase.

An order may arrive before its cart. It leaves a note on every key it was matched over, and on the cart it names; the
cart is closed when it turns up (`engine.project`), and the order learns of it here (`link_late_carts`).

Everything is idempotent, and reads as well for one order as for a hundred. Locks: visitors, carts, shoppers, runs,
waiting sends, each in the order of ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from rekindle.engine.attribute import attribute, shoppers_of
from rekindle.engine.buyer import CLUES, Buyer, Clue, Search, by_bucket
from rekindle.engine.context import Context
from rekindle.engine.places import Place, order_place
from rekindle.engine.routing import Placed, event_id_of, placed
from rekindle.engine.transactions import Work
from rekindle.engine.visits import facts_of_mark
from rekindle.engine.withdraw import withdraw_after_order
from rekindle.engine.write_carts import LateCart
from rekindle.policy.cart_close import OrderMark, close, close_visit, holds_bought, is_all_bought, is_of
from rekindle.policy.cart_draft import CartDraft
from rekindle.policy.cart_lines import product_keys
from rekindle.policy.order_fold import PURCHASES, OrderDraft, apply_order_event, begin
from rekindle.store.carts import load_carts, lock_carts, write_carts
from rekindle.store.database import Connection
from rekindle.store.purchase import OrderNote, lock_orders, note_orders, open_orders, reached_carts, write_orders
from rekindle.store.shoppers import hold_shoppers
from rekindle.terms.event import ShopEvent
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

_MAX_MATCHED = 20
_MAX_NOTED = 100  #: orders remembered on a shopper, the latest
_Stored = TypeVar("_Stored", CartDraft, OrderDraft)


def apply_order(connection: Connection, context: Context, shop: ShopSettings, event: ShopEvent) -> None:
    """Apply one order event that did not come through `engine.ingest`; commits before it returns."""
    work = Work(connection, shop)
    work.run_whole(lambda: apply_orders(work, context, shop, [placed(shop, event, event_id_of(shop, event))]))


def apply_orders(work: Work, context: Context, shop: ShopSettings, batch: Sequence[Placed]) -> None:
    """Apply order events: completions, updates, refunds, cancellations; in any order, repeated or not."""
    told = sorted((p for p in batch if p.event.order is not None), key=lambda p: (p.event.at, p.id))
    orders = _fold(work, shop, told)
    purchases = [p for p in told if p.event.kind in PURCHASES]
    if purchases:
        search = Search(work, context, shop)
        search.read([(p, _mark(orders[_place(shop, p)])) for p in purchases])
        now = context.clock.now()
        for p in purchases:
            _Purchase(work, shop, orders[_place(shop, p)], search, search.buyer_of(p)).run(now)
    _note_all(work, list(orders.values()))
    for bucket, drafts in sorted(_by_bucket(orders.values()).items()):
        with work.in_bucket(bucket):
            known = drafts if work.is_one else _with_matches(work, bucket, drafts)
            write_orders(work.connection, bucket, known)
            for draft in known:
                attribute(work.connection, context, shop, draft, shoppers_of(draft))


def link_late_carts(work: Work, context: Context, shop: ShopSettings, late: Iterable[LateCart]) -> None:
    """Tell orders of carts that turned up after them."""
    for one in sorted(late, key=lambda one: one.order_key):
        place = order_place(shop, one.order_key)
        with work.in_bucket(place.bucket):
            draft = lock_orders(work.connection, place.bucket, [place.id]).get(place.id)
            if draft is None or not _take_cart(draft, one.cart, one.matched_by):
                continue
            if draft.shopper_id is None and one.shopper is not None:
                draft.shopper_bucket, draft.shopper_id = one.shopper
                _match(draft, [one.shopper])
            write_orders(work.connection, place.bucket, [draft])
            attribute(work.connection, context, shop, draft, shoppers_of(draft))


class _Purchase:
    """One order that was bought, and its buyer."""

    def __init__(self, work: Work, shop: ShopSettings, order: OrderDraft, search: Search, buyer: Buyer) -> None:
        self._work = work
        self._shop = shop
        self._order = order
        self._search = search
        self._buyer = buyer
        self._mark = _mark(order)
        self._carts: dict[Place, CartDraft] = {}

    def run(self, now: datetime) -> None:
        buyer, connection = self._buyer, self._work.connection
        own, matched_by = self._own_cart(buyer.clues)
        if own is not None:
            buyer.add_shopper(_owner(own))
        last = self._search.carts_of(buyer)
        if own is None:
            own, matched_by = self._own_cart([last])
        else:
            self._read(last.carts)
        self._read(buyer.visits)
        ending = [draft for draft in self._carts.values() if draft is own or self._goes_too(draft)]
        recovered = {draft.id for draft in ending if not draft.is_browse and self._is_recovered(draft)}
        for bucket, drafts in sorted(_by_bucket(ending).items()):
            with self._work.in_bucket(bucket):
                self._end(bucket, [draft.id for draft in drafts], own, recovered, now)
        for bucket, ids in sorted(buyer.shoppers_by_bucket().items()):
            with self._work.in_bucket(bucket):
                held = hold_shoppers(connection, bucket, sorted(ids))
                note = {"_order": facts_of_mark(self._mark)}
                newer = [row.id for row in held.values() if _is_news(row.traits.get("_order"), self._mark)]
                notes = [OrderNote(id=one, last_order_at=self._mark.at, notes=note) for one in newer]
                note_orders(connection, bucket, notes)
                withdraw_after_order(connection, self._shop, bucket, sorted(held), ordered_at=self._mark.at, now=now)
        self._remember(own, matched_by)

    def _read(self, places: Iterable[Place]) -> None:
        missing = [place for place in places if place not in self._carts]
        for bucket, ids in sorted(by_bucket(missing).items()):
            for draft in load_carts(self._work.connection, bucket, sorted(ids)):
                self._carts[Place(bucket, draft.id)] = draft

    def _own_cart(self, clues: Sequence[Clue]) -> tuple[CartDraft | None, str]:
        """The cart that was bought, and over what it was found: the nearest clue first, and of two carts of one clue
        the one that holds what was bought, then the one touched last."""
        self._read(place for clue in clues for place in clue.carts)
        for clue in clues:
            found = [self._carts[place] for place in clue.carts if place in self._carts]
            fitting = [draft for draft in found if is_of(draft, self._mark, is_named=clue.is_named)]
            if not clue.is_near:
                fitting = [draft for draft in fitting if holds_bought(draft, self._mark)]
            if fitting:
                best = max(fitting, key=lambda draft: (holds_bought(draft, self._mark), draft.touched_at))
                return best, clue.name
        return None, ""

    def _goes_too(self, draft: CartDraft) -> bool:
        if draft.is_browse:
            return True
        return is_of(draft, self._mark, is_named=False) and is_all_bought(draft, self._mark)

    def _end(self, bucket: int, ids: list[UUID], own: CartDraft | None, recovered: set[UUID], now: datetime) -> None:
        """Close carts of one bucket under their locks, on the state they have by then.

        ``recovered``: those that were written about. A link opened on another device begins a second cart there; the
        one that was left behind has come back all the same.
        """
        held = lock_carts(self._work.connection, bucket, sorted(ids))
        for draft in held:
            if draft.is_browse:
                close_visit(draft, self._mark.at, Reason.ORDERED)
            elif (own is not None and draft.id == own.id) or self._goes_too(draft):
                close(draft, self._mark, is_recovered=draft.id in recovered)
            self._give(draft)
            self._buyer.add_shopper(_owner(draft))
        write_carts(self._work.connection, bucket, held, now=now)

    def _give(self, draft: CartDraft) -> None:
        """A cart of nobody becomes the buyer's."""
        primary = self._buyer.primary
        if draft.shopper_id is None and primary is not None:
            draft.shopper_bucket, draft.shopper_id = primary
            draft.is_changed = True

    def _is_recovered(self, draft: CartDraft) -> bool:
        """Whether a send of the cart was handed over, or its link used, before the order."""
        buckets = set(self._buyer.shoppers_by_bucket())
        if draft.shopper_bucket is not None:
            buckets.add(draft.shopper_bucket)
        for bucket in sorted(buckets):
            reached_at = reached_carts(self._work.connection, bucket, [draft.id]).get(draft.id)
            if reached_at is not None and reached_at <= self._mark.at:
                return True
        return False

    def _remember(self, own: CartDraft | None, matched_by: str) -> None:
        order, primary = self._order, self._buyer.primary
        if own is not None:
            _take_cart(order, Place(own.bucket, own.id), matched_by)
        if order.shopper_id is None and primary is not None:
            order.shopper_bucket, order.shopper_id = primary
        _match(order, self._buyer.shoppers)


def _take_cart(order: OrderDraft, cart: Place, clue: str) -> bool:
    """The order's cart is the first that was found; of the same cart the nearest clue counts. False: nothing new."""
    if order.cart_id is not None:
        is_nearer = order.cart_id == cart.id and CLUES.index(clue) < CLUES.index(order.matched_by)
        if not is_nearer:
            return False
    order.cart_bucket, order.cart_id = cart
    order.matched_by = clue
    return True


def _match(order: OrderDraft, shoppers: Iterable[Place]) -> None:
    """Remember everybody whom the order was matched with: any of them may have followed a link to it."""
    known = {(one["bucket"], one["id"]) for one in order.facts.get("shoppers", ())}
    known |= {(place.bucket, str(place.id)) for place in shoppers}
    if known:
        order.facts["shoppers"] = [{"bucket": bucket, "id": one} for bucket, one in sorted(known)][:_MAX_MATCHED]


def _fold(work: Work, shop: ShopSettings, told: Sequence[Placed]) -> dict[Place, OrderDraft]:
    """Write the orders as their events tell them; they are written again when their cart and shopper are known."""
    by_bucket: dict[int, list[Placed]] = defaultdict(list)
    for p in told:
        by_bucket[_place(shop, p).bucket].append(p)
    orders: dict[Place, OrderDraft] = {}
    for bucket, events in sorted(by_bucket.items()):
        first = {_place(shop, p).id: p for p in reversed(events)}
        with work.in_bucket(bucket):
            drafts = open_orders(
                work.connection, bucket, [begin(bucket, order_id, p.event) for order_id, p in first.items()]
            )
            for p in events:
                apply_order_event(drafts[_place(shop, p).id], p.event, p.id.hex())
            write_orders(work.connection, bucket, drafts.values())
        orders.update({Place(bucket, order_id): draft for order_id, draft in drafts.items()})
    return orders


def _with_matches(work: Work, bucket: int, drafts: Sequence[OrderDraft]) -> list[OrderDraft]:
    """The orders as they are by now, with the cart and shopper that were found: their first transaction has ended."""
    fresh = lock_orders(work.connection, bucket, sorted(draft.id for draft in drafts))
    for draft in drafts:
        now = fresh[draft.id]
        if draft.cart_bucket is not None and draft.cart_id is not None:
            _take_cart(now, Place(draft.cart_bucket, draft.cart_id), draft.matched_by)
        if now.shopper_id is None:
            now.shopper_bucket, now.shopper_id = draft.shopper_bucket, draft.shopper_id
        _match(now, shoppers_of(draft))
    return list(fresh.values())


def _note_all(work: Work, orders: Sequence[OrderDraft]) -> None:
    """Count and sum up orders on their shoppers: by order, so that nothing counts twice."""
    by_shopper: dict[Place, list[OrderDraft]] = defaultdict(list)
    for order in orders:
        if order.shopper_bucket is not None and order.shopper_id is not None:
            by_shopper[Place(order.shopper_bucket, order.shopper_id)].append(order)
    by_bucket: dict[int, list[UUID]] = defaultdict(list)
    for place in by_shopper:
        by_bucket[place.bucket].append(place.id)
    for bucket, ids in sorted(by_bucket.items()):
        with work.in_bucket(bucket):
            notes = []
            for row in hold_shoppers(work.connection, bucket, sorted(ids)).values():
                if row.erased_at is None:
                    notes.append(_count(row.id, row.traits.get("_orders", {}), by_shopper[Place(bucket, row.id)]))
            note_orders(work.connection, bucket, notes)


def _count(shopper_id: UUID, known: dict[str, list[int]], orders: Sequence[OrderDraft]) -> OrderNote:
    counted = dict(known)
    count_change = spent_change = 0
    for order in orders:
        before = counted.pop(order.order_key, [0, 0])
        after = [int(order.counts), order.net_cents if order.is_purchase else 0]
        counted[order.order_key] = after
        count_change += after[0] - before[0]
        spent_change += after[1] - before[1]
    latest = dict(list(counted.items())[-_MAX_NOTED:])
    return OrderNote(id=shopper_id, count_change=count_change, spent_change=spent_change, notes={"_orders": latest})


def _owner(draft: CartDraft) -> Place | None:
    if draft.shopper_bucket is None or draft.shopper_id is None:
        return None
    return Place(draft.shopper_bucket, draft.shopper_id)


def _mark(order: OrderDraft) -> OrderMark:
    return OrderMark(
        order_key=order.order_key,
        at=order.ordered_at,
        product_keys=frozenset(product_keys(order.items)),
        cart_key=order.facts.get("cart_key"),
    )


def _is_news(noted: dict[str, str] | None, mark: OrderMark) -> bool:
    return noted is None or datetime.fromisoformat(noted["at"]) <= mark.at


def _place(shop: ShopSettings, p: Placed) -> Place:
    assert p.event.order is not None
    return order_place(shop, p.event.order.order_key)


def _by_bucket(things: Iterable[_Stored]) -> dict[int, list[_Stored]]:
    found: dict[int, list[_Stored]] = defaultdict(list)
    for thing in things:
        found[thing.bucket].append(thing)
    return found
