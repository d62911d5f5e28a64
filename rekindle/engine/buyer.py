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
_CLUE_OF = {"k": "checkout", "a": "visitor", "u": "customer"}


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
    """The buyer of one order. ``clues``: nearest first; ``shoppers``: the one the order is counted for first."""

    clues: list[Clue]
    told_by: str = "customer"  #: over what the shopper's further carts are found: an address, or the account
    shoppers: list[Place] = field(default_factory=list)
    others: list[Place] = field(default_factory=list)  # carts of the person that no clue leads to, and visits

    @property
    def primary(self) -> Place | None:
        return self.shoppers[0] if self.shoppers else None

    def shoppers_by_bucket(self) -> dict[int, set[UUID]]:
        return _by_bucket(self.shoppers)

    def carts_by_bucket(self) -> dict[int, set[UUID]]:
        return _by_bucket([*(place for clue in self.clues for place in clue.carts), *self.others])


def find_buyers(
    work: Work, context: Context, shop: ShopSettings, purchases: Sequence[tuple[Placed, OrderMark]]
) -> list[Buyer]:
    """The buyers of several orders, each with the notes of its order left behind."""
    search = _Search(work, context, shop)
    search.leave_notes(purchases)
    search.meet_named(purchases)
    search.look_up_addresses(purchases)
    buyers = [search.buyer_of(p) for p, _ in purchases]
    search.add_carts_of_shoppers(buyers)
    return buyers


class _Search:
    """What is read for the orders of one batch."""

    def __init__(self, work: Work, context: Context, shop: ShopSettings) -> None:
        self._work = work
        self._context = context
        self._shop = shop
        self._visitors: dict[str, VisitorRow] = {}
        self._owners: dict[UUID, Place] = {}  # contact id -> shopper

    def leave_notes(self, purchases: Sequence[tuple[Placed, OrderMark]]) -> None:
        """Write each order on its visitors, and read what they know."""
        self._load({key for p, _ in purchases for key in p.keys})
        self._load({link for row in list(self._visitors.values()) for link in row.links})
        news: dict[str, VisitorNews] = {}
        for p, mark in sorted(purchases, key=lambda purchase: purchase[1].at):
            for key in self._keys_of(p):
                news[key] = self._note(key, visitor_place(self._shop, key), p, mark)
        self._write(news)

    def meet_named(self, purchases: Sequence[tuple[Placed, OrderMark]]) -> None:
        """Leave a note for named carts that are not known, and wait for whoever is adding them right now."""
        named = {cart_place(self._shop, p.event.cart_key): (p, mark) for p, mark in purchases if p.event.cart_key}
        for bucket, ids in sorted(_by_bucket(named).items()):
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

    def look_up_addresses(self, purchases: Sequence[tuple[Placed, OrderMark]]) -> None:
        asked: dict[int, set[tuple[UUID, str, bytes]]] = defaultdict(set)
        for p, _ in purchases:
            for place in self._addresses(p):
                asked[place.bucket].add((place.id, place.channel.value, place.hash))
        for bucket, keys in sorted(asked.items()):
            for row in find_contacts(self._work.connection, bucket, self._shop.id, keys):
                if row.shopper_id is not None and row.shopper_bucket is not None:
                    self._owners[row.id] = Place(row.shopper_bucket, row.shopper_id)

    def buyer_of(self, p: Placed) -> Buyer:
        buyer = Buyer(clues=[Clue("cart", is_named=True)])
        if p.event.email is not None or p.event.phone is not None:
            buyer.told_by = "email" if p.event.email is not None else "phone"
        if p.event.cart_key is not None:
            buyer.clues[0].carts.append(cart_place(self._shop, p.event.cart_key))
        for place in self._addresses(p):
            _add(buyer.shoppers, self._owners.get(place.id))
        keys = self._keys_of(p)
        for kind in "kau":
            clue = Clue(_CLUE_OF[kind], is_named=kind == "k")
            for key in keys:
                if key[0] == kind and key in self._visitors:
                    _add(clue.carts, _cart_of(self._visitors[key]))
            buyer.clues.append(clue)
        for kind in "uka":
            for key in keys:
                if key[0] == kind and key in self._visitors:
                    _add(buyer.shoppers, _shopper_of(self._visitors[key]))
        buyer.others = [cart_place(self._shop, BROWSE + key) for key in keys if key[0] in "au"]
        return buyer

    def add_carts_of_shoppers(self, buyers: Sequence[Buyer]) -> None:
        """The living carts of everybody found: what the addresses lead to is a clue, the rest may go with the order."""
        carts = self._carts_of({place for buyer in buyers for place in buyer.shoppers})
        for buyer in buyers:
            clue = Clue(buyer.told_by, is_near=False)
            for shopper in buyer.shoppers:
                for place in carts.get(shopper, ()):
                    _add(clue.carts, place)
            buyer.clues.append(clue)

    def _carts_of(self, shoppers: Iterable[Place]) -> dict[Place, list[Place]]:
        found: dict[Place, list[Place]] = {}
        for bucket, ids in sorted(_by_bucket(shoppers).items()):
            if self._work.is_one:
                for cart_id, shopper_id in carts_of_shoppers(self._work.connection, bucket, sorted(ids)):
                    found.setdefault(Place(bucket, shopper_id), []).append(Place(bucket, cart_id))
                continue
            for row in load_shoppers(self._work.connection, bucket, sorted(ids)).values():
                noted = [Place(one["bucket"], UUID(one["id"])) for one in row.traits.get("_carts", ())]
                found[Place(bucket, row.id)] = noted
        return found

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
        for bucket, ids in sorted(_by_bucket(wanted).items()):
            for row in load_visitors(self._work.connection, bucket, sorted(ids)):
                self._visitors[row.visitor_key] = row

    def _write(self, news: dict[str, VisitorNews]) -> None:
        by_bucket: dict[int, list[VisitorNews]] = defaultdict(list)
        for one in news.values():
            by_bucket[one.bucket].append(one)
        for bucket, rows in sorted(by_bucket.items()):
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


def _by_bucket(places: Iterable[Place]) -> dict[int, set[UUID]]:
    found: dict[int, set[UUID]] = defaultdict(set)
    for place in places:
        found[place.bucket].add(place.id)
    return found
