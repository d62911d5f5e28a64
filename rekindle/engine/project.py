"""What does a batch of new events make of carts, visitors and shoppers?

`engine/ingest.py` drives it: `read` what the batch touches, `take_all` events in the order of time (pure folding in
memory), then write new shoppers, visitors and carts (`engine/write_carts.py`). Visitors are written before carts and
say what others have learnt about them meanwhile. Locks are taken in one order: visitors, carts, shoppers, each in the
order of ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.people import People
from rekindle.engine.places import BROWSE, Place, cart_place
from rekindle.engine.routing import Carts, Placed
from rekindle.engine.transactions import Work
from rekindle.engine.visits import Visit, Visits
from rekindle.engine.write_carts import CartWriter, Folded, give, is_unheard
from rekindle.policy.cart_draft import CartDraft
from rekindle.policy.cart_fold import OF_A_CART, OF_A_VISIT, apply
from rekindle.store.shoppers import remember_carts
from rekindle.terms.cart import CartState
from rekindle.terms.event import EventKind
from rekindle.terms.shop import ShopSettings

_time = attrgetter("at_ms", "id")
_OPEN: Final = CartState.OPEN  # read once: an enum looks its members up slowly
_ALIASED: Final = EventKind.ALIASED
_WITH_CART: Final = OF_A_CART | OF_A_VISIT


class Projection:
    """One batch of one shop. ``writer`` writes its carts, and says what follows from that."""

    def __init__(self, work: Work, context: Context, shop: ShopSettings, batch: Sequence[Placed]) -> None:
        self._work = work
        self._shop = shop
        self._batch = sorted(batch, key=_time)
        self.people = People(context, shop)
        self.visits = Visits(shop)
        self.carts = Carts(work, shop, self.visits)
        self._folded: dict[int, Folded] = {}
        self._owners: dict[bytes, Place] = {}  # event id -> shopper
        self.writer = CartWriter(work, context, self.carts, self.visits, self._folded, shop=shop)

    def read(self) -> None:
        batch = self._batch
        self.visits.read(self._work, {key for p in batch for key in p.keys})
        told = [p for p in batch if not p.is_plain and _is_about_person(p)]
        if told:
            links = {link for p in told for key in p.keys for link in self.visits[key].links}
            links.update(_previous_keys(told))
            self.visits.read(self._work, links)
            self.people.read(self._work, [p.event for p in told])
            known = {self.visits[key].shopper for p in told if self.people.may_complete(p.event) for key in p.keys}
            self.people.look_at(self._work, [place for place in known if place is not None])
        self.carts.read_for(batch)

    def take_all(self) -> None:
        """Fold the batch in memory."""
        for p in self._batch:
            if p.is_plain:
                self._take_plain(p)
            else:
                self._take(p)
        if self.carts.taken_over:
            moved = {own.id.int: Place(named.bucket, named.id) for own, named in self.carts.taken_over}
            for p in self._batch:
                if p.cart is not None:
                    p.cart = moved.get(p.cart.id.int, p.cart)
        moved_or_told = {visit.key for visit in self.visits.all() if visit.is_moved and visit.shopper is not None}
        if not self._work.is_one:  # an interrupted batch may have written who it is, and not yet whose the carts are
            moved_or_told |= {key for p in self._batch if p.event.names_somebody for key in p.keys}
        self._stitch(self.visits[key] for key in sorted(moved_or_told))

    def owner_of(self, p: Placed) -> Place | None:
        """The shopper whom an event turned out to be about."""
        return self._owners.get(p.id)

    def write_visits(self) -> None:
        """Write visitors, and take over what others learnt about them meanwhile."""
        better = self.visits.write(self._work)
        if better:
            self.carts.read_missing_again(place for visit in better for place in self._places_of(visit))
            self._stitch(better)

    def remember_carts(self) -> None:
        """Tell shoppers of a shop over many buckets which carts became theirs."""
        by_bucket: dict[int, dict[UUID, list[tuple[int, UUID]]]] = defaultdict(lambda: defaultdict(list))
        for draft in self.carts.all():
            if draft.gained_shopper and draft.shopper_bucket is not None and draft.shopper_id is not None:
                by_bucket[draft.shopper_bucket][draft.shopper_id].append((draft.bucket, draft.id))
        for bucket, carts in sorted(by_bucket.items()):
            with self._work.in_bucket(bucket):
                remember_carts(self._work.connection, bucket, carts)

    def _take_plain(self, p: Placed) -> None:
        """As `_take`, for an event that says nothing about persons: most say nothing, and pay for nothing else."""
        event = p.event
        visit = self.visits[p.keys[0]]
        visit.see(event.at)
        owner = visit.shopper
        if owner is not None:
            self._owners[p.id] = owner
        if event.kind in _WITH_CART:
            draft = self.carts.known(p.named) or self.carts.cart_for(p)
            if draft is not None:
                self._fold(draft, p, (visit,), owner, is_told=False)

    def _take(self, p: Placed) -> None:
        event, keys = p.event, p.keys
        for key in keys:
            visit = self.visits[key]
            visit.see(event.at)
            if event.gpc:
                visit.gpc = True
        if len(keys) > 1:
            self.visits.link(keys)
        if event.kind is _ALIASED:
            keys = self._with_previous(p)
        known = self.visits.shopper_of(keys)
        person = self.people.of(event, keys, known) if event.names_somebody else None
        if person is not None:
            self.visits.meet(keys, person)
        elif known is not None:
            self._spread(keys, known, p)
        owner = person or known
        if owner is not None:
            self._owners[p.id] = owner
        draft = self.carts.cart_for(p)
        if draft is not None:
            visits = [self.visits[key] for key in p.keys]
            self._fold(draft, p, visits, owner, is_told=person is not None)

    def _spread(self, keys: Sequence[str], known: Place, p: Placed) -> None:
        """What is known of one key becomes known of the others, and the event may tell more about the shopper."""
        for key in keys:
            if self.visits[key].shopper is None:
                self.visits[key].meet(known)
        if p.event.traits or (p.event.gpc and not all(self.visits[key].has_told_gpc for key in keys)):
            self.people.tell(known, p.event)

    def _with_previous(self, p: Placed) -> tuple[str, ...]:
        """An alias says that an earlier key is the same visitor."""
        found = [key for key in _previous_keys([p]) if (visit := self.visits.get(key)) is not None and visit.is_known]
        keys = (*p.keys, *found)
        self.visits.link(keys)
        return keys

    def _fold(
        self, draft: CartDraft, p: Placed, visits: Sequence[Visit], owner: Place | None, *, is_told: bool
    ) -> None:
        event, number = p.event, draft.id.int
        folded = self._folded.get(number)
        if folded is None:
            folded = self._folded[number] = Folded(Place(draft.bucket, draft.id), [], set())
        place = folded.place
        was_open = draft.state is _OPEN and not draft.is_new
        if draft.is_new and not draft.is_changed:
            for visit in visits:
                visit.is_moved = True  # who learns of the visitor at the same time must learn of the cart
        may_change_hands = is_told and event.email is not None and self._is_own_visit(draft, p)
        if draft.bucket == p.bucket or is_unheard(draft, p):
            apply(draft, event, self._shop, p.at_ms)
        p.cart = place
        folded.events.append(p)
        folded.keys.update(p.keys)
        if owner is not None and (draft.shopper_id is None or (may_change_hands and draft.shopper_id != owner.id)):
            give(draft, owner)
        if event.kind in OF_A_CART and not draft.is_browse:
            if not was_open and draft.state is _OPEN:
                self.carts.end_visits(p, draft)
            for visit in visits:
                visit.go_to(place, p.at_ms)

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
            for place in self._places_of(visit):
                draft = self.carts.find(place)
                if draft is not None and draft.shopper_id is None:
                    give(draft, visit.shopper)

    def _places_of(self, visit: Visit) -> list[Place]:
        """The cart a visitor is at, and the visit that only looked."""
        places = [cart_place(self._shop, BROWSE + visit.key)] if visit.key[0] in "au" else []
        return places if visit.cart is None else [*places, visit.cart]


def _is_about_person(p: Placed) -> bool:
    event = p.event
    if len(p.keys) > 1 or event.names_somebody:
        return True
    return event.previous_key is not None


def _previous_keys(batch: Iterable[Placed]) -> list[str]:
    """An alias tells an earlier id without saying of which kind it was."""
    told = [p.event.previous_key for p in batch if p.event.previous_key is not None]
    return [key for one in told for key in (one, f"u:{one.removeprefix('a:')}")]
