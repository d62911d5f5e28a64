"""What does a batch of new events make of carts, visitors and shoppers?

`engine/ingest.py` drives it, in this order: `read` what the batch touches, `take` each event in the order of time
(pure folding in memory), then write: new shoppers, visitors, carts. Visitors are written before carts and say what
others have learnt about them meanwhile; carts carry a step number, and who was overtaken folds again on the fresh
state. Locks are taken in one order: visitors, carts, shoppers, each in the order of ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.people import People
from rekindle.engine.places import Place, cart_place, mark_place
from rekindle.engine.routing import Carts, Placed
from rekindle.engine.transactions import OvertakenError, Work
from rekindle.engine.visits import Visit, Visits, mark_of, mark_of_facts
from rekindle.policy.cart_close import OrderMark, close, holds_bought, is_all_bought, is_bought_late, latest
from rekindle.policy.cart_draft import CartDraft, to_ms
from rekindle.policy.cart_fold import OF_A_CART, apply
from rekindle.store.carts import load_carts, write_carts
from rekindle.store.ingest import drop_cart, move_events
from rekindle.store.shoppers import load_shoppers, remember_carts
from rekindle.store.visitors import load_visitors
from rekindle.terms.cart import CartState
from rekindle.terms.event import EventKind
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

_MAX_HEARD = 20


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


class Projection:
    """One batch of one shop."""

    def __init__(self, work: Work, context: Context, shop: ShopSettings, batch: Sequence[Placed]) -> None:
        self._work = work
        self._shop = shop
        self._batch = sorted(batch, key=lambda p: (p.event.at, p.id))
        self.people = People(context, shop)
        self.visits = Visits(shop)
        self.carts = Carts(work, shop, self.visits)
        self._folded: dict[UUID, list[Placed]] = defaultdict(list)
        self._keys: dict[UUID, set[str]] = defaultdict(set)
        self._special: set[UUID] = set()  # carts that came about by more than folding: refolding alone is not enough
        self._owners: dict[UUID, Place] = {}  # event id -> shopper
        self.late: list[LateCart] = []
        self.left: list[LeftCart] = []

    def read(self) -> None:
        batch = self._batch
        self.visits.read(self._work, {key for p in batch for key in p.keys})
        told = [p for p in batch if _is_about_person(p)]
        if told:
            links = {link for p in told for key in p.keys for link in self.visits[key].links}
            links.update(_previous_keys(told))
            self.visits.read(self._work, links)
            self.people.read(self._work, [p.event for p in told])
            known = {self.visits[key].shopper for p in told if p.event.phone for key in p.keys}
            self.people.look_at(self._work, [place for place in known if place is not None])
        self.carts.read_for(batch)

    def take_all(self) -> None:
        """Fold the batch in memory."""
        for p in self._batch:
            self._take(p)
        moved = {Place(own.bucket, own.id): named for own, named in self.carts.taken_over}
        for p in self._batch:
            if p.cart in moved:
                named = moved[p.cart]
                p.cart = Place(named.bucket, named.id)
        self._stitch(visit for visit in self.visits.all() if visit.is_moved)

    def owner_of(self, p: Placed) -> Place | None:
        """The shopper whom an event turned out to be about."""
        return self._owners.get(p.id)

    def write_visits(self) -> None:
        """Write visitors, and take over what others learnt about them meanwhile."""
        self._stitch(self.visits.write(self._work))

    def write_carts(self) -> None:
        """Write all changed carts, bucket by bucket; see `carts_by_bucket` and `write_bucket`."""
        self.settle()
        for bucket, drafts in sorted(self.carts_by_bucket().items()):
            with self._work.in_bucket(bucket):
                self.write_bucket(bucket, drafts)

    def settle(self) -> None:
        """What follows for carts from all that is known now: orders that were there first, people learnt late."""
        marks = self._marks_of_shoppers()
        for draft in self.carts.all():
            if draft.is_changed:
                self._settle(draft, marks)

    def carts_by_bucket(self) -> dict[int, list[CartDraft]]:
        """The changed carts, and the buckets from which a cart goes away."""
        by_bucket: dict[int, list[CartDraft]] = defaultdict(list)
        for own, _ in self.carts.taken_over:
            by_bucket.setdefault(own.bucket, [])
        for draft in self.carts.all():
            if draft.is_changed:
                by_bucket[draft.bucket].append(draft)
        return by_bucket

    def write_bucket(self, bucket: int, drafts: Sequence[CartDraft]) -> None:
        """Write carts of one bucket. Raises OvertakenError when that needs more than folding once more."""
        begun = [draft for draft in drafts if draft.is_new and not draft.is_browse]
        left = [draft for draft in drafts if draft.left is not None]
        overtaken = write_carts(self._work.connection, bucket, drafts)
        if overtaken:
            left = [draft for draft in left if draft not in overtaken]
            again = self._fold_again(bucket, overtaken)
            left += [draft for draft in again if draft.left is not None]
        self._drop_taken_over(bucket)
        self._close_by_marks(bucket, begun)
        for draft in left:
            self._note_left(draft)

    def remember_carts(self) -> None:
        """Tell shoppers of a shop over many buckets which carts became theirs."""
        by_bucket: dict[int, dict[UUID, list[tuple[int, UUID]]]] = defaultdict(lambda: defaultdict(list))
        for draft in self.carts.all():
            if draft.gained_shopper and draft.shopper_bucket is not None and draft.shopper_id is not None:
                by_bucket[draft.shopper_bucket][draft.shopper_id].append((draft.bucket, draft.id))
        for bucket, carts in sorted(by_bucket.items()):
            with self._work.in_bucket(bucket):
                remember_carts(self._work.connection, bucket, carts)

    # --- folding

    def _take(self, p: Placed) -> None:
        event, keys, visits = p.event, p.keys, self.visits
        for key in keys:
            visit = visits[key]
            visit.see(event.at)
            visit.gpc = visit.gpc or bool(event.gpc)
        if len(keys) > 1:
            visits.link(keys)
        if event.kind is EventKind.ALIASED:
            keys = self._with_previous(p)
        known = self._known(keys)
        person = self.people.of(event, keys, known) if event.email is not None or event.phone is not None else None
        if person is not None:
            visits.meet(keys, person)
        elif known is not None:
            self._spread(keys, known, p)
        owner = person or known
        if owner is not None:
            self._owners[p.id] = owner
        draft = self.carts.cart_for(p)
        if draft is not None:
            self._fold(draft, p, owner, is_told=person is not None)

    def _known(self, keys: Sequence[str]) -> Place | None:
        """Whom these keys lead to: the customer account says most, then the checkout, then the visit."""
        for first in "uka":
            for key in keys:
                shopper = self.visits[key].shopper
                if key[0] == first and shopper is not None:
                    return shopper
        return None

    def _spread(self, keys: Sequence[str], known: Place, p: Placed) -> None:
        for key in keys:
            if self.visits[key].shopper is None:
                self.visits[key].meet(known)
        if p.event.traits or (p.event.gpc and any(not v.row or not v.row.facts.get("gpc") for v in self._of(keys))):
            self.people.tell(known, p.event)

    def _of(self, keys: Sequence[str]) -> list[Visit]:
        return [self.visits[key] for key in keys]

    def _with_previous(self, p: Placed) -> tuple[str, ...]:
        """An alias says that an earlier key is the same visitor."""
        found = [key for key in _previous_keys([p]) if (visit := self.visits.get(key)) is not None and visit.is_known]
        keys = (*p.keys, *found)
        self.visits.link(keys)
        return keys

    def _fold(self, draft: CartDraft, p: Placed, owner: Place | None, *, is_told: bool) -> None:
        was_open = draft.state is CartState.OPEN and not draft.is_new
        may_change_hands = is_told and p.event.email is not None and self._is_own_visit(draft, p)
        if draft.bucket == p.bucket or _is_unheard(draft, p):
            apply(draft, p.event, self._shop)
        place = Place(draft.bucket, draft.id)
        p.cart = place
        self._folded[draft.id].append(p)
        self._keys[draft.id].update(p.keys)
        if owner is not None and (draft.shopper_id is None or (may_change_hands and draft.shopper_id != owner.id)):
            _give(draft, owner)
        if p.event.kind in OF_A_CART and not draft.is_browse:
            if not was_open and draft.state is CartState.OPEN:
                self.carts.end_visits(p, draft)
            at_ms = to_ms(p.event.at)
            for key in p.keys:
                self.visits[key].go_to(place, at_ms)

    def _is_own_visit(self, draft: CartDraft, p: Placed) -> bool:
        """An event of another visit must not carry a cart away to an address of its own."""
        if draft.is_new or draft.visitor_key in p.keys or f"k:{draft.checkout_key}" in p.keys:
            return True
        return any(draft.visitor_key in self.visits[key].links for key in p.keys)

    def _stitch(self, visits: Iterable[Visit]) -> None:
        """Carts that belonged to nobody become those of the shopper whom their visitor turned out to be."""
        for visit in visits:
            if visit.shopper is None:
                continue
            places = [cart_place(self._shop, f"browse:{visit.key}")] if visit.key[0] in "au" else []
            for place in [*places, *([visit.cart] if visit.cart is not None else [])]:
                draft = self.carts.find(place)
                if draft is not None and draft.shopper_id is None:
                    _give(draft, visit.shopper)

    # --- what follows

    def _settle(self, draft: CartDraft, marks: dict[Place, OrderMark]) -> None:
        if draft.order_key is not None:
            self._note_nearer(draft)
        if draft.is_begun and not draft.is_closed and not draft.is_browse:
            known = {key: mark for key in self._keys[draft.id] if (mark := self.visits[key].mark) is not None}
            mark = latest(known.values())
            if mark is not None and is_bought_late(draft, mark):
                keys = [key for key, one in known.items() if one == mark]
                if self._close_late(draft, mark, _clue(draft, mark, keys)):
                    return
        owner = _owner(draft)
        if not draft.gained_shopper or owner is None:
            return
        order = marks.get(owner)
        if order is not None and _was_bought(draft, order):
            self._close_late(draft, order, "cart" if order.cart_key == draft.cart_key else "email")
        if draft.state is CartState.ABANDONED:
            draft.check_at = draft.abandoned_at  # nobody was known when it was left: to be looked at again

    def _close_late(self, draft: CartDraft, mark: OrderMark, clue: str) -> bool:
        is_closed = close(draft, mark, is_recovered=False)
        if is_closed or draft.facts.get("since_ms") == to_ms(mark.at):  # its run ended with the order, or goes on since
            self.late.append(LateCart(mark.order_key, Place(draft.bucket, draft.id), _owner(draft), clue))
        return is_closed

    def _note_nearer(self, draft: CartDraft) -> None:
        """A bought cart whose checkout only turns up now: the order was of that checkout all along."""
        marks = [self.visits[key].mark for key in self._keys[draft.id] if key[0] == "k"]
        if any(mark is not None and mark.order_key == draft.order_key for mark in marks):
            self.late.append(LateCart(str(draft.order_key), Place(draft.bucket, draft.id), _owner(draft), "checkout"))

    def _marks_of_shoppers(self) -> dict[Place, OrderMark]:
        """Latest orders of shoppers who gained a cart now."""
        wanted: dict[int, set[UUID]] = defaultdict(set)
        for draft in self.carts.all():
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
        by_id = {mark_place(self._shop, draft.cart_key).id: draft for draft in named}
        changed = []
        for row in load_visitors(self._work.connection, bucket, list(by_id)):
            mark, draft = mark_of(row), by_id[row.id]
            if mark is not None and not draft.is_closed and self._close_late(draft, mark, "cart"):
                changed.append(draft)
        if write_carts(self._work.connection, bucket, changed):
            raise OvertakenError

    # --- writing

    def _fold_again(self, bucket: int, overtaken: Sequence[CartDraft]) -> list[CartDraft]:
        fresh = load_carts(self._work.connection, bucket, [draft.id for draft in overtaken])
        for old in overtaken:
            draft = fresh.get(old.id)
            if draft is None or any(old in pair for pair in self.carts.taken_over):
                raise OvertakenError
            for p in self._folded[old.id]:
                if draft.bucket == p.bucket or _is_unheard(draft, p):
                    apply(draft, p.event, self._shop)
            owner = _owner(old)
            if owner is not None and old.gained_shopper and draft.shopper_id is None:
                _give(draft, owner)
            if not self._folded[old.id] and not draft.is_changed:
                raise OvertakenError  # it was changed by something else than its own events
            self.carts.put(draft)
        self.late = [late for late in self.late if late.cart.id not in fresh]
        marks = self._marks_of_shoppers()
        for draft in fresh.values():
            self._settle(draft, marks)
        left = [draft for draft in fresh.values() if draft.left is not None]
        if write_carts(self._work.connection, bucket, fresh.values()):
            raise OvertakenError
        return left

    def _drop_taken_over(self, bucket: int) -> None:
        for own, named in self.carts.taken_over:
            if own.bucket != bucket or own.seq == 0 or own.is_closed:
                continue
            if not drop_cart(self._work.connection, bucket, own.id, own.seq):
                raise OvertakenError
            move_events(self._work.connection, bucket, own.id, named.id)

    def _note_left(self, draft: CartDraft) -> None:
        owner = _owner(draft)
        if owner is not None and draft.left is not None:
            self.left.append(LeftCart(Place(draft.bucket, draft.id), owner, draft.left))


def _owner(draft: CartDraft) -> Place | None:
    if draft.shopper_bucket is None or draft.shopper_id is None:
        return None
    return Place(draft.shopper_bucket, draft.shopper_id)


def _give(draft: CartDraft, owner: Place) -> None:
    draft.shopper_bucket, draft.shopper_id = owner
    draft.gained_shopper = draft.is_changed = True


def _was_bought(draft: CartDraft, order: OrderMark) -> bool:
    """Whether an order of the shopper, older than the knowledge whose cart this is, bought it."""
    if draft.is_closed or draft.is_browse or draft.touched_at > order.at:
        return False
    return is_all_bought(draft, order) or (draft.is_begun and holds_bought(draft, order))


def _is_unheard(draft: CartDraft, p: Placed) -> bool:
    """A change of items whose row lies in another bucket may be told again after a crash: the cart remembers it."""
    if p.event.kind not in (EventKind.PRODUCT_ADDED, EventKind.PRODUCT_REMOVED):
        return True
    heard: list[str] = draft.facts.setdefault("heard", [])
    if p.id.hex in heard:
        return False
    heard.append(p.id.hex)
    del heard[:-_MAX_HEARD]
    return True


def _clue(draft: CartDraft, mark: OrderMark, keys: Sequence[str]) -> str:
    """Over what the order and its cart met: the same names as when the cart is there first."""
    if mark.cart_key == draft.cart_key:
        return "cart"
    kinds = {key[0] for key in keys}
    return "checkout" if "k" in kinds else "visitor" if "a" in kinds else "customer"


def _is_about_person(p: Placed) -> bool:
    event = p.event
    return bool(event.email or event.phone or event.previous_key or len(p.keys) > 1)


def _previous_keys(batch: Iterable[Placed]) -> list[str]:
    """An alias tells an earlier id without saying of which kind it was."""
    told = [p.event.previous_key for p in batch if p.event.previous_key is not None]
    return [key for one in told for key in (one, f"u:{one.removeprefix('a:')}")]
