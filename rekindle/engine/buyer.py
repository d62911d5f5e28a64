"""Who bought, as far as can be known, and which carts can be theirs?

The closure of an order's identities: its keys, the keys linked to them, the shoppers all of these and its addresses
lead to, and the carts of all of them. Notes of the order are left on the keys (and on a named cart that is not known
yet) before the carts are looked at: whoever adds a cart at the same moment writes it first and looks for notes after,
so that one of both sees the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.places import BROWSE, AddressPlace, Place, address_place, cart_place, mark_place, visitor_place
from rekindle.engine.routing import Placed
from rekindle.engine.transactions import Work
from rekindle.engine.visits import facts_of_mark
from rekindle.policy.cart_close import OrderMark
from rekindle.policy.cart_draft import to_ms
from rekindle.store.carts import carts_of_shoppers, load_carts
from rekindle.store.purchase import meet_unknown_cart
from rekindle.store.shoppers import find_contacts, load_shoppers
from rekindle.store.visitors import VisitorNews, VisitorRow, load_visitors, upsert_visitors
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

#: What an order is matched over, nearest first; stored as `orders.matched_by`.
CLUES = ("cart", "checkout", "visitor", "customer", "email", "phone")


@dataclass(slots=True)
class Clue:
    """One way from the order to carts. ``is_named``: the order itself names them; ``is_near``: they need not hold
    what was bought to be believed."""

    name: str
    is_named: bool = False
    is_near: bool = True
    carts: list[Place] = field(default_factory=list)


@dataclass(slots=True)
class Buyer:
    """The buyer of one order. ``clues``: nearest first; ``shoppers``: the one the order is counted for first;
    ``visits``: of the buyer's keys, those that only looked."""

    clues: list[Clue]
    told_by: str = "customer"  #: over what the shopper's further carts are found: an address, or the account
    shoppers: list[Place] = field(default_factory=list)
    visits: list[Place] = field(default_factory=list)

    @property
    def primary(self) -> Place | None:
        return self.shoppers[0] if self.shoppers else None

    def shoppers_by_bucket(self) -> dict[int, set[UUID]]:
        return by_bucket(self.shoppers)

    def add_shopper(self, shopper: Place | None) -> None:
        _add(self.shoppers, shopper)


class Search:
    """What is looked up for the orders of one batch: `read` once, then `buyer_of` and `carts_of` for each order."""

    def __init__(self, work: Work, context: Context, shop: ShopSettings) -> None:
        self._work = work
        self._context = context
        self._shop = shop
        self._visitors: dict[str, VisitorRow] = {}
        self._owners: dict[UUID, Place] = {}  # contact id -> shopper

    def read(self, purchases: Sequence[tuple[Placed, OrderMark]]) -> None:
        """Leave the notes of the orders behind, and read what is known about their buyers."""
        self._leave_notes(purchases)
        self._meet_named(purchases)
        self._look_up_addresses(purchases)

    def buyer_of(self, p: Placed) -> Buyer:
        """The buyer as far as keys and addresses tell."""
        buyer = Buyer(clues=[Clue("cart", is_named=True)])
        if p.event.email is not None or p.event.phone is not None:
            buyer.told_by = "email" if p.event.email is not None else "phone"
        if p.event.cart_key is not None:
            buyer.clues[0].carts.append(cart_place(self._shop, p.event.cart_key))
        for place in self._addresses(p):
            _add(buyer.shoppers, self._owners.get(place.id))
        keys = self._keys_of(p)
        for key in sorted(keys, key=lambda key: (key not in p.keys, "kau".index(key[0]))):
            row = self._visitors.get(key)
            if row is not None:
                is_named = key[0] == "k" and key in p.keys
                name = "checkout" if is_named else "customer" if key[0] == "u" else "visitor"
                buyer.clues.append(Clue(name, is_named=is_named, carts=[c for c in [_cart_of(row)] if c is not None]))
        for key in sorted(keys, key=lambda key: "uka".index(key[0])):
            if key in self._visitors:
                _add(buyer.shoppers, _shopper_of(self._visitors[key]))
        buyer.visits = [cart_place(self._shop, BROWSE + key) for key in keys if key[0] in "au"]
        return buyer

    def carts_of(self, buyer: Buyer) -> Clue:
        """The living carts of everybody who is known by now: a last clue, which must hold what was bought."""
        clue = Clue(buyer.told_by, is_near=False)
        for bucket, ids in sorted(buyer.shoppers_by_bucket().items()):
            if self._work.is_one:
                for cart_id, _ in carts_of_shoppers(self._work.connection, bucket, sorted(ids)):
                    _add(clue.carts, Place(bucket, cart_id))
                continue
            for row in load_shoppers(self._work.connection, bucket, sorted(ids)).values():
                for one in row.traits.get("_carts", ()):
                    _add(clue.carts, Place(one["bucket"], UUID(one["id"])))
        return clue

    def _leave_notes(self, purchases: Sequence[tuple[Placed, OrderMark]]) -> None:
        """Write each order on its visitors, and read what they know."""
        self._load({key for p, _ in purchases for key in p.keys})
        self._load({link for row in list(self._visitors.values()) for link in row.links})
        news: dict[str, VisitorNews] = {}
        for p, mark in sorted(purchases, key=lambda purchase: purchase[1].at):
            for key in self._keys_of(p):
                news[key] = self._note(key, visitor_place(self._shop, key), p, mark)
        self._write(news)

    def _meet_named(self, purchases: Sequence[tuple[Placed, OrderMark]]) -> None:
        """Leave a note for named carts that are not known, and wait for whoever is adding them right now."""
        named = {cart_place(self._shop, p.event.cart_key): (p, mark) for p, mark in purchases if p.event.cart_key}
        for bucket, ids in sorted(by_bucket(named).items()):
            known = load_carts(self._work.connection, bucket, sorted(ids))
            unknown = [
                (place, *named[place]) for place in sorted(named) if place.bucket == bucket and place.id not in known
            ]
            if not unknown:
                continue
            with self._work.in_bucket(bucket):
                news = [
                    self._note(f"c:{p.event.cart_key}", mark_place(self._shop, str(p.event.cart_key)), p, mark)
                    for _, p, mark in unknown
                ]
                upsert_visitors(self._work.connection, bucket, news)
                for place, p, mark in unknown:
                    meet_unknown_cart(
                        self._work.connection,
                        bucket,
                        place.id,
                        shop_id=self._shop.id,
                        cart_key=str(p.event.cart_key),
                        at=mark.at,
                    )

    def _look_up_addresses(self, purchases: Sequence[tuple[Placed, OrderMark]]) -> None:
        asked: dict[int, set[tuple[UUID, str, bytes]]] = defaultdict(set)
        for p, _ in purchases:
            for place in self._addresses(p):
                asked[place.bucket].add((place.id, place.channel.value, place.hash))
        for bucket, keys in sorted(asked.items()):
            for row in find_contacts(self._work.connection, bucket, self._shop.id, keys):
                if row.shopper_id is not None and row.shopper_bucket is not None:
                    self._owners[row.id] = Place(row.shopper_bucket, row.shopper_id)

    def _addresses(self, p: Placed) -> list[AddressPlace]:
        told = ((Channel.EMAIL, p.event.email), (Channel.SMS, p.event.phone))
        return [address_place(self._context, self._shop, channel, text) for channel, text in told if text is not None]

    def _keys_of(self, p: Placed) -> list[str]:
        """The order's keys and those known to be the same visitor."""
        keys = list(p.keys)
        for key in p.keys:
            if key in self._visitors:
                keys += [link for link in self._visitors[key].links if link in self._visitors and link not in keys]
        return keys

    def _note(self, key: str, place: Place, p: Placed, mark: OrderMark) -> VisitorNews:
        at = p.event.at
        facts = {"order_ms": to_ms(mark.at), "order": facts_of_mark(mark)}
        return VisitorNews(
            bucket=place.bucket,
            id=place.id,
            shop_id=self._shop.id,
            visitor_key=key,
            first_seen_at=at,
            seen_at=at,
            facts=facts,
        )

    def _load(self, keys: Iterable[str]) -> None:
        wanted = [visitor_place(self._shop, key) for key in keys if key not in self._visitors]
        for bucket, ids in sorted(by_bucket(wanted).items()):
            for row in load_visitors(self._work.connection, bucket, sorted(ids)):
                self._visitors[row.visitor_key] = row

    def _write(self, news: dict[str, VisitorNews]) -> None:
        grouped: dict[int, list[VisitorNews]] = defaultdict(list)
        for one in news.values():
            grouped[one.bucket].append(one)
        for bucket, rows in sorted(grouped.items()):
            with self._work.in_bucket(bucket):
                for row in upsert_visitors(self._work.connection, bucket, rows):
                    self._visitors[row.visitor_key] = row


def _add(places: list[Place], place: Place | None) -> None:
    if place is not None and place not in places:
        places.append(place)


def _cart_of(row: VisitorRow) -> Place | None:
    return Place(row.cart_bucket, row.cart_id) if row.cart_bucket is not None and row.cart_id is not None else None


def _shopper_of(row: VisitorRow) -> Place | None:
    known = row.shopper_bucket is not None and row.shopper_id is not None
    return Place(row.shopper_bucket, row.shopper_id) if known else None  # type: ignore[arg-type]


def by_bucket(places: Iterable[Place]) -> dict[int, set[UUID]]:
    found: dict[int, set[UUID]] = defaultdict(set)
    for place in places:
        found[place.bucket].add(place.id)
    return found
