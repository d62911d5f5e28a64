"""How is a person forgotten? Addresses, names and what they told go; keyed suppressions stay: nobody comes back.

Applied before the request that asks for it is answered: waiting messages are withdrawn under the shopper's lock. What
remains is a pseudonym that sums and past sends refer to.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.places import Place, address_place
from rekindle.engine.transactions import Work
from rekindle.engine.withdraw import withdraw_channels
from rekindle.store import consents as consent_store
from rekindle.store import forget as store
from rekindle.store.buckets import address_bucket
from rekindle.store.consents import Subject
from rekindle.store.database import Connection
from rekindle.store.shoppers import contacts_of_shopper, hold_shoppers, load_shoppers
from rekindle.terms.consent import SuppressionReason
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings


def erase_address(
    connection: Connection, context: Context, shop: ShopSettings, *, channel: Channel, address: str, source: str
) -> bool:
    """Forget whoever has this address (normalised), and never write to it; False when nobody had given it.

    Idempotent; commits before it returns.
    """
    place = address_place(context, shop, channel, address)
    work, now = Work(connection, shop), context.clock.now()
    with work.whole():
        owner = consent_store.owner_of_contact(connection, place.bucket, place.id)
        if owner is not None:
            erase(connection, context, shop, bucket=owner[0], shopper_id=owner[1], source=source)
        with work.in_bucket(place.bucket):
            _suppress(connection, place.bucket, Subject(shop.id, channel.value, place.hash), now, source)
    return owner is not None


def erase(
    connection: Connection, context: Context, shop: ShopSettings, *, bucket: int, shopper_id: UUID, source: str
) -> int:
    """Forget a known shopper; returns how many waiting sends were withdrawn. Idempotent; commits before it returns."""
    work, now = Work(connection, shop), context.clock.now()
    with work.whole():
        carts = _carts_of(work, shop, bucket, shopper_id)
        for cart_bucket, ids in sorted(carts.items()):
            with work.in_bucket(cart_bucket):
                store.blank_carts(connection, cart_bucket, sorted(ids))
        with work.in_bucket(bucket):
            if not hold_shoppers(connection, bucket, [shopper_id]):
                return 0
            contacts = contacts_of_shopper(connection, bucket, shopper_id)
            cancelled = withdraw_channels(
                connection, shop, bucket, shopper_id, list(Channel), reason=Reason.ERASED, nothing_left=True, now=now
            )
            store.erase_shopper(connection, bucket, shopper_id, now)
            store.erase_contacts(connection, bucket, [contact.id for contact in contacts])
            for contact in contacts:
                _suppress(
                    connection, bucket, Subject(shop.id, contact.channel, bytes(contact.address_hash)), now, source
                )
        for contact in contacts:
            home = address_bucket(shop, bytes(contact.address_hash))
            if home != bucket:
                with work.in_bucket(home):
                    store.erase_contacts(connection, home, [contact.id])
                    subject = Subject(shop.id, contact.channel, bytes(contact.address_hash))
                    _suppress(connection, home, subject, now, source)
    return cancelled


def _suppress(connection: Connection, bucket: int, subject: Subject, at: datetime, source: str) -> None:
    consent_store.suppress(connection, bucket, subject, reason=SuppressionReason.ERASED.value, at=at, source=source)


def _carts_of(work: Work, shop: ShopSettings, bucket: int, shopper_id: UUID) -> dict[int, set[UUID]]:
    found: dict[int, set[UUID]] = defaultdict(set)
    if work.is_one:
        found[bucket].update(store.carts_of_shopper_ever(work.connection, bucket, shopper_id))
    else:
        for row in load_shoppers(work.connection, bucket, [shopper_id]).values():
            for one in row.traits.get("_carts", ()):
                place = Place(int(one["bucket"]), UUID(one["id"]))
                found[place.bucket].add(place.id)
    return {cart_bucket: ids for cart_bucket, ids in found.items() if ids}
