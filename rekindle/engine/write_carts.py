"""How are folded carts written, when others write the same carts at the same moment?

A cart carries a step number: who was overtaken folds the same events again on the fresh state, whose row is locked by
then. What follows from all that is known by now is settled first: orders that were there before their cart, shoppers
who were learnt late. What follows for others is noted: `late` carts whose orders must learn of them, `left` ones whose
runs end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.places import Place, mark_id
from rekindle.engine.routing import Carts, Placed
from rekindle.engine.transactions import OvertakenError, Work
from rekindle.engine.visits import Visits, mark_of, mark_of_facts
from rekindle.policy.cart_close import (
    OrderMark,
    close,
    close_visit,
    holds_bought,
    is_all_bought,
    is_bought_late,
    latest,
)
from rekindle.policy.cart_draft import CartDraft, to_ms
from rekindle.policy.cart_fold import apply
from rekindle.store.carts import add_carts, load_carts, lock_carts, write_carts
from rekindle.store.changed_hours import note_changed_hours
from rekindle.store.ingest import drop_cart, move_events
from rekindle.store.shoppers import load_shoppers
from rekindle.store.visitors import load_visitors
from rekindle.terms.cart import CartState
from rekindle.terms.event import EventKind
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

_MAX_HEARD = 20


class Folded(NamedTuple):
    """What a cart of the batch came from: its events in the order of time, and the visitor keys of all of them."""

    place: Place
    events: list[Placed]
    keys: set[str]


@dataclass(frozen=True, slots=True)
class LateCart:
    """A cart whose order was there first: the order does not know it yet."""

    order_key: str
    cart: Place
    shopper: Place | None
    matched_by: str


@dataclass(frozen=True, slots=True)
class LeftCart:
    """A cart that is no longer left behind: what runs for it ends."""

    cart: Place
    shopper: Place
    reason: Reason


class CartWriter:
    """Writes the carts of one batch."""

    def __init__(
        self,
        work: Work,
        context: Context,
        carts: Carts,
        visits: Visits,
        folded: dict[int, Folded],
        *,
        shop: ShopSettings,
    ) -> None:
        self._work = work
        self._clock = context.clock
        self._shop = shop
        self._carts = carts
        self._visits = visits
        self._folded = folded
        self.late: list[LateCart] = []
        self.left: list[LeftCart] = []

    def write_all(self) -> None:
        """Settle and write everything that changed, bucket by bucket."""
        self.settle()
        for bucket, drafts in sorted(self.by_bucket().items()):
            with self._work.in_bucket(bucket):
                self.write_bucket(bucket, drafts)

    def settle(self) -> None:
        """What follows for carts from all that is known now."""
        marks = self._marks_of_shoppers()
        for draft in self._carts.all():
            if draft.is_changed:
                self._settle(draft, marks)

    def by_bucket(self) -> dict[int, list[CartDraft]]:
        """The changed carts, and the buckets from which a cart goes away."""
        found: dict[int, list[CartDraft]] = defaultdict(list)
        for own, _ in self._carts.taken_over:
            found.setdefault(own.bucket, [])
        for draft in self._carts.all():
            if draft.is_changed:
                found[draft.bucket].append(draft)
        return found

    def write_bucket(self, bucket: int, drafts: Sequence[CartDraft]) -> None:
        """Write carts of one bucket. Raises OvertakenError when that needs more than folding once more."""
        begun = [draft for draft in drafts if draft.is_new and not draft.is_browse]
        left = [draft for draft in drafts if draft.left is not None]
        now = self._clock.now()
        if self._work.is_calm:
            add_carts(self._work.connection, bucket, [draft for draft in drafts if draft.is_new], now=now)
        overtaken = write_carts(self._work.connection, bucket, drafts, now=now)
        if overtaken:
            left = [draft for draft in left if draft not in overtaken]
            left += [draft for draft in self._fold_again(bucket, overtaken) if draft.left is not None]
        self._drop_taken_over(bucket)
        self._close_by_marks(bucket, begun)
        for draft in left:
            self._note_left(draft)

    def give_up(self, drafts: Sequence[CartDraft]) -> None:
        """These were not written: nothing follows from them."""
        ids = {draft.id for draft in drafts}
        for draft in drafts:
            draft.is_begun = draft.is_changed = draft.gained_shopper = False
        self.late = [late for late in self.late if late.cart.id not in ids]
        self.left = [left for left in self.left if left.cart.id not in ids]

    def look_again(self) -> None:
        """For shops over many buckets, after the carts were written: what was learnt about their visitors between the
        two commits. Whoever learnt it looked for the carts after, so one of both sees the other."""
        begun = [draft for draft in self._carts.all() if draft.is_begun]
        better = self._visits.read_again(self._work, {key for draft in begun for key in self._keys_of(draft)})
        learnt = {visit.key for visit in better}
        doubtful = [draft for draft in begun if not learnt.isdisjoint(self._keys_of(draft))]
        for bucket, ids in sorted(_ids_by_bucket(doubtful).items()):
            with self._work.in_bucket(bucket):
                held = lock_carts(self._work.connection, bucket, sorted(ids))
                for draft in held:
                    owner = self._visits.shopper_of(sorted(self._keys_of(draft)))
                    if draft.shopper_id is None and owner is not None:
                        give(draft, owner)
                    draft.is_begun = True
                    self._carts.put(draft)
                marks = self._marks_of_shoppers()
                for draft in held:
                    self._settle(draft, marks)
                write_carts(self._work.connection, bucket, held, now=self._clock.now())
                for draft in held:
                    self._note_left(draft)

    def _keys_of(self, draft: CartDraft) -> set[str]:
        folded = self._folded.get(draft.id.int)
        return folded.keys if folded is not None else set()

    # --- what follows

    def _settle(self, draft: CartDraft, marks: dict[Place, OrderMark]) -> None:
        if draft.order_key is not None:
            self._note_nearer(draft)
        if draft.is_begun and not draft.is_closed and not draft.is_browse and self._settle_by_visits(draft):
            return
        owner = _owner(draft)
        if not draft.gained_shopper or owner is None:
            return
        order = marks.get(owner)
        if order is not None and _was_bought(draft, order):
            self._close_late(draft, order, "cart" if order.cart_key == draft.cart_key else "email")
        if draft.state is CartState.ABANDONED:
            draft.check_at = draft.abandoned_at  # nobody was known when it was left: to be looked at again

    def _settle_by_visits(self, draft: CartDraft) -> bool:
        """Whether an order of the cart's visitors was there before it, and bought it."""
        visits = [self._visits[key] for key in self._keys_of(draft)]
        known = {visit.key: mark for visit in visits if visit.row is not None and (mark := visit.mark) is not None}
        if not known:
            return False
        mark = latest(known.values())
        if mark is None or not is_bought_late(draft, mark):
            return False
        return self._close_late(draft, mark, _clue(draft, mark, [key for key, one in known.items() if one == mark]))

    def _close_late(self, draft: CartDraft, mark: OrderMark, clue: str) -> bool:
        is_closed = close(draft, mark, is_recovered=False)
        if is_closed or draft.facts.get("since_ms") == to_ms(mark.at):  # its run ended with the order, or goes on since
            self.late.append(LateCart(mark.order_key, Place(draft.bucket, draft.id), _owner(draft), clue))
        return is_closed

    def _note_nearer(self, draft: CartDraft) -> None:
        """A bought cart whose checkout only turns up now: the order was of that checkout all along."""
        marks = [self._visits[key].mark for key in self._keys_of(draft) if key[0] == "k"]
        if any(mark is not None and mark.order_key == draft.order_key for mark in marks):
            self.late.append(LateCart(str(draft.order_key), Place(draft.bucket, draft.id), _owner(draft), "checkout"))

    def _marks_of_shoppers(self) -> dict[Place, OrderMark]:
        """Latest orders of shoppers who gained a cart now."""
        wanted: dict[int, set[UUID]] = defaultdict(set)
        for draft in self._carts.all():
            if draft.gained_shopper and draft.shopper_bucket is not None and draft.shopper_id is not None:
                wanted[draft.shopper_bucket].add(draft.shopper_id)
        marks = {}
        for bucket, ids in sorted(wanted.items()):
            for row in load_shoppers(self._work.connection, bucket, sorted(ids)).values():
                if "_order" in row.traits:
                    marks[Place(bucket, row.id)] = mark_of_facts(row.traits["_order"])
        return marks

    def _close_by_marks(self, bucket: int, begun: Sequence[CartDraft]) -> None:
        """Orders that named these carts before they were known. Asked after the carts were written: an order that
        runs at the same time writes its note first and looks for the cart after, so one of both sees the other."""
        named = [draft for draft in begun if not draft.cart_key.startswith("visitor:")]
        if not named:
            return
        by_id = {mark_id(self._shop, draft.cart_key): draft for draft in named}
        changed = []
        for row in load_visitors(self._work.connection, bucket, list(by_id)):
            mark, draft = mark_of(row), by_id[row.id]
            if mark is not None and not draft.is_closed and self._close_late(draft, mark, "cart"):
                changed.append(draft)
        if write_carts(self._work.connection, bucket, changed, now=self._clock.now()):
            raise OvertakenError

    # --- who was overtaken

    def _fold_again(self, bucket: int, overtaken: Sequence[CartDraft]) -> list[CartDraft]:
        fresh = {draft.id: draft for draft in load_carts(self._work.connection, bucket, [one.id for one in overtaken])}
        for old in overtaken:
            draft, folded = fresh.get(old.id), self._folded.get(old.id.int)
            if draft is None or any(old in pair for pair in self._carts.taken_over):
                raise OvertakenError
            for p in folded.events if folded is not None else ():
                if draft.bucket == p.bucket or is_unheard(draft, p):
                    apply(draft, p.event, self._shop, p.at_ms)
            owner = _owner(old)
            if owner is not None and old.gained_shopper and draft.shopper_id is None:
                give(draft, owner)
            if old.left is Reason.MOVED_TO_CART and old.closed_at is not None:
                close_visit(draft, old.closed_at, Reason.MOVED_TO_CART)
            self._carts.put(draft)
        self.late = [late for late in self.late if late.cart.id not in fresh]
        marks = self._marks_of_shoppers()
        for draft in fresh.values():
            self._settle(draft, marks)
        left = [draft for draft in fresh.values() if draft.left is not None]
        if write_carts(self._work.connection, bucket, fresh.values(), now=self._clock.now()):
            raise OvertakenError
        return left

    def _drop_taken_over(self, bucket: int) -> None:
        for own, named in self._carts.taken_over:
            if own.bucket != bucket or own.seq == 0 or own.is_closed:
                continue
            if not drop_cart(self._work.connection, bucket, own.id, own.seq):
                raise OvertakenError
            now = self._clock.now()
            note_changed_hours(self._work.connection, bucket, own.shop_id, [own.created_at], now=now)
            move_events(self._work.connection, bucket, own.id, named.id)

    def _note_left(self, draft: CartDraft) -> None:
        owner = _owner(draft)
        if owner is not None and draft.left is not None:
            self.left.append(LeftCart(Place(draft.bucket, draft.id), owner, draft.left))


def give(draft: CartDraft, owner: Place) -> None:
    """The cart is this shopper's."""
    draft.shopper_bucket, draft.shopper_id = owner
    draft.gained_shopper = draft.is_changed = True


def is_unheard(draft: CartDraft, p: Placed) -> bool:
    """A change of items whose row lies in another bucket may be told again after a crash: the cart remembers it."""
    if p.event.kind not in (EventKind.PRODUCT_ADDED, EventKind.PRODUCT_REMOVED):
        return True
    heard: list[str] = draft.facts.setdefault("heard", [])
    if p.id.hex() in heard:
        return False
    heard.append(p.id.hex())
    del heard[:-_MAX_HEARD]
    return True


def _owner(draft: CartDraft) -> Place | None:
    if draft.shopper_bucket is None or draft.shopper_id is None:
        return None
    return Place(draft.shopper_bucket, draft.shopper_id)


def _ids_by_bucket(drafts: Iterable[CartDraft]) -> dict[int, set[UUID]]:
    found: dict[int, set[UUID]] = defaultdict(set)
    for draft in drafts:
        found[draft.bucket].add(draft.id)
    return found


def _was_bought(draft: CartDraft, order: OrderMark) -> bool:
    """Whether an order of the shopper, older than the knowledge whose cart this is, bought it."""
    if draft.is_closed or draft.is_browse or draft.touched_at > order.at:
        return False
    return is_all_bought(draft, order) or (draft.is_begun and holds_bought(draft, order))


def _clue(draft: CartDraft, mark: OrderMark, keys: Sequence[str]) -> str:
    """Over what the order and its cart met: the same names as when the cart is there first."""
    if mark.cart_key == draft.cart_key:
        return "cart"
    kinds = {key[0] for key in keys}
    return "checkout" if "k" in kinds else "visitor" if "a" in kinds else "customer"
