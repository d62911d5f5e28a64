"""Which cart is this event about?

The one it names. Else the one its checkout, its visitor or its customer is at, as long as that cart lives or the event
is older than its end. Else the visitor's own: `visitor:<key>` for what is done with a cart, `browse:<key>` for a visit
that only looks. The places are in `engine/places.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from rekindle.engine.places import BROWSE, DEFAULT, Place, cart_place, home_of, keys_of, lonely_bucket, own_cart_key
from rekindle.engine.transactions import Work
from rekindle.engine.visits import Visits
from rekindle.lib.ids import timed_bytes
from rekindle.policy.cart_close import close_visit
from rekindle.policy.cart_draft import BOUGHT, CartDraft, to_us
from rekindle.policy.cart_fold import OF_A_CART, OF_A_VISIT, begin_facts
from rekindle.policy.cart_merge import look_back, may_take_over, take_over
from rekindle.store.carts import load_carts
from rekindle.terms.cart import CartState
from rekindle.terms.event import EventKind, ShopEvent
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

_OPEN: Final = CartState.OPEN  # read once: an enum looks its members up slowly
_ALIVE: Final = frozenset({CartState.OPEN, CartState.ABANDONED, CartState.LOST, CartState.EMPTIED})


class Placed(Struct, eq=False, gc=False):
    """An event of the batch: its id (16 bytes), its instant in micro- and milliseconds, the bucket of its row, its
    visitor's keys, the cart it names, the cart or visit it belongs to by itself, and the one it went to.

    ``is_plain``: it comes from one visitor key and says nothing about persons, as most events do.
    """

    event: ShopEvent
    id: bytes
    at_us: int
    at_ms: int
    bucket: int
    keys: tuple[str, ...]
    is_plain: bool
    named: Place | None = None
    home: Place | None = None
    cart: Place | None = None


def event_id_of(shop: ShopSettings, event: ShopEvent) -> bytes:
    """The 16 bytes of an event's id: the sender's own stamp and message key, so that a repeat meets itself."""
    return timed_bytes(event.stamped_at, f"{shop.id}\0{event.message_key}".encode())


def placed(shop: ShopSettings, event: ShopEvent, event_id: bytes) -> Placed:
    """An event with the places that follow from it alone."""
    keys = keys_of(event)
    cart_key = event.cart_key
    home = named = None if cart_key is None else cart_place(shop, cart_key)
    if home is None:
        home = home_of(shop, event, keys)
    bucket = home.bucket if home is not None else lonely_bucket(shop, event)
    at_us = to_us(event.at)
    return Placed(event, event_id, at_us, at_us // 1000, bucket, keys, _is_plain(event, keys), named, home)


def place_all(shop: ShopSettings, events: Iterable[ShopEvent]) -> list[Placed]:
    """Events, each once, in the order of their ids."""
    found: dict[bytes, Placed] = {}
    start = f"{shop.id}\0".encode()
    for event in events:
        event_id = timed_bytes(event.stamped_at, start + event.message_key.encode())  # `event_id_of`
        if event_id not in found:
            found[event_id] = placed(shop, event, event_id)
    return [found[event_id] for event_id in sorted(found)]


def _is_plain(event: ShopEvent, keys: tuple[str, ...]) -> bool:
    if len(keys) != 1 or event.traits or event.gpc or event.previous_key is not None:
        return False
    return event.email is None and event.phone is None and event.device is None


class Carts:
    """The carts of one batch, by place. ``None`` stands for one that does not exist."""

    def __init__(self, work: Work, shop: ShopSettings, visits: Visits) -> None:
        self._work = work
        self._shop = shop
        self._visits = visits
        self._carts: dict[int, CartDraft | None] = {}  # by the id as a number, which hashes faster
        self.taken_over: list[tuple[CartDraft, CartDraft]] = []  # (own, named): the first goes on in the second

    def read(self, places: Iterable[Place]) -> None:
        """Load the carts that are not here yet."""
        by_bucket: dict[int, list[UUID]] = defaultdict(list)
        carts = self._carts
        for bucket, cart_id in places:
            if cart_id.int not in carts:
                carts[cart_id.int] = None
                by_bucket[bucket].append(cart_id)
        for bucket, ids in sorted(by_bucket.items()):
            for draft in load_carts(self._work.connection, bucket, ids):
                carts[draft.id.int] = draft

    def read_for(self, batch: Sequence[Placed]) -> None:
        """Load what the batch will ask for, in two rounds: carts that are named or gone to, then visitors' own."""
        first = [p.named for p in batch if p.named is not None]
        self.read(first + [visit.cart for visit in self._visits.all() if visit.cart is not None])
        second: list[Place] = []
        carts, visits = self._carts, self._visits
        for p in batch:
            named = None if p.named is None else carts[p.named.id.int]
            if p.is_plain and p.named is not None:  # the usual case: an open cart, or one of a visitor not seen before
                if named is not None and named.state is _OPEN:
                    continue
                if named is None and p.event.kind in OF_A_CART and not visits[p.keys[0]].is_known:
                    continue
            second += self._own_places(p, named)
        self.read(second)

    def read_missing_again(self, places: Iterable[Place]) -> None:
        """Look again for carts that did not exist when they were looked for."""
        missing = [place for place in places if self._carts.get(place.id.int) is None]
        for place in missing:
            self._carts.pop(place.id.int, None)
        self.read(missing)

    def known(self, place: Place | None) -> CartDraft | None:
        """A cart that was read already and exists."""
        return None if place is None else self._carts.get(place.id.int)

    def find(self, place: Place) -> CartDraft | None:
        if place.id.int not in self._carts:
            self.read([place])
        return self._carts[place.id.int]

    def put(self, draft: CartDraft) -> None:
        """Replace the state of a cart by a newer one."""
        self._carts[draft.id.int] = draft

    def all(self) -> list[CartDraft]:
        return [draft for draft in self._carts.values() if draft is not None]

    def cart_for(self, p: Placed) -> CartDraft | None:
        """The cart or visit that takes this event; a new one where the event begins one."""
        if p.event.kind in OF_A_CART:
            return self._cart_of(p)
        return self._cart_or_visit(p) if p.event.kind in OF_A_VISIT else None

    def end_visits(self, p: Placed, cart: CartDraft) -> None:
        """A cart begins: the visit that led to it goes on in it."""
        for key in p.keys:
            if not self._visits[key].has_looked:
                continue
            visit = self.find(cart_place(self._shop, BROWSE + key))
            if visit is not None and visit.state in (CartState.OPEN, CartState.ABANDONED):
                look_back(cart, visit)
                close_visit(visit, p.event.at, Reason.MOVED_TO_CART)

    def _own_places(self, p: Placed, named: CartDraft | None) -> list[Place]:
        event, keys = p.event, p.keys
        found = []
        if event.names_somebody or len(keys) > 1:
            strange = [key for key in keys if self._visits[key].shopper is None]
            found = [cart_place(self._shop, BROWSE + key) for key in strange]  # to be given to whom it turns out to be
        if event.kind in OF_A_CART:
            cart = named if p.named is not None else self._current(p)
            if cart is None or cart.state is not _OPEN:
                known = [key for key in keys if self._visits[key].is_known or p.named is None]
                found += [cart_place(self._shop, prefix + key) for key in known for prefix in (DEFAULT, BROWSE)]
        elif event.kind in OF_A_VISIT and keys and named is None and self._alive(p) is None:
            found.append(cart_place(self._shop, BROWSE + keys[0]))
        return found

    def _cart_of(self, p: Placed) -> CartDraft | None:
        if p.named is None:
            current = self._current(p)
            if current is not None:
                return current
        key = own_cart_key(p.event, p.keys)
        if key is None:
            return None
        place = p.named or cart_place(self._shop, key)
        return self.find(place) or self._begin(p, place, key)

    def _cart_or_visit(self, p: Placed) -> CartDraft | None:
        if p.named is not None:
            named = self.find(p.named)
            if named is not None:
                return named
        alive = self._alive(p)
        if alive is not None or not p.keys:
            return alive
        key = BROWSE + p.keys[0]
        place = cart_place(self._shop, key)
        visit = self.find(place)
        if visit is None and p.event.kind is EventKind.PRODUCT_VIEWED:
            return self._begin(p, place, key)
        return visit

    def _current(self, p: Placed) -> CartDraft | None:
        """The cart that the event's checkout, visitor or customer is at, if it can take the event."""
        for key in p.keys if len(p.keys) == 1 else sorted(p.keys, key=_nearness):
            visit = self._visits[key]
            cart = self.find(visit.cart) if visit.cart is not None else None
            if cart is not None and not cart.is_browse and _takes(cart, p.event):
                return cart
        return None

    def _alive(self, p: Placed) -> CartDraft | None:
        """The cart that looking around keeps alive: an open one, or the one that the late look belonged to."""
        cart = self._current(p)
        if cart is None or cart.state is _OPEN:
            return cart
        ended_at = cart.closed_at
        return cart if ended_at is not None and cart.created_at <= p.event.at <= ended_at else None

    def _begin(self, p: Placed, place: Place, key: str) -> CartDraft:
        draft = CartDraft(place.bucket, place.id, self._shop.id, key, p.event.at)
        is_returning = any(self._visits[one].was_here_before for one in p.keys)
        draft.facts.update(begin_facts(p.event.at, self._shop, p.event.facts, is_returning=is_returning))
        self._carts[place.id.int] = draft
        if p.named is not None:
            self._take_over_own(p, draft)
        else:
            self._visits[p.keys[0]].has_looked = True
        return draft

    def _take_over_own(self, p: Placed, named: CartDraft) -> None:
        for key in p.keys:
            if not self._visits[key].has_looked:
                continue
            own = self.find(cart_place(self._shop, DEFAULT + key))
            if own is not None and may_take_over(named, own):
                take_over(named, own)
                self.taken_over.append((own, named))
                if own.abandoned_at is None and own.state is _OPEN:
                    self._carts[own.id.int] = None  # it never was another cart: see project.write
                else:
                    own.end_with(CartState.EMPTIED, max(own.touched_at, p.event.at), Reason.MOVED_TO_CART)
                return


def _nearness(key: str) -> int:
    """Checkout before visit before customer account: the nearer one says more about where the event belongs."""
    return "kau".find(key[0])


def _takes(cart: CartDraft, event: ShopEvent) -> bool:
    if cart.state in _ALIVE:
        return True
    return cart.state in BOUGHT and cart.closed_at is not None and event.at <= cart.closed_at
