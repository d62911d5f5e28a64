"""Whose is this browser or app? What events tell about devices, gathered for one batch and written with its shoppers.

Whoever names a device's address holds the device: unlike an e-mail address nobody can guess it. So a device goes along
when the visit it is in turns out to be somebody's, for example after signing in; but only to a shopper who is known by
that very visit, or when the shop's own server says whose the visit is. Anybody can type an address into a form, or
claim another customer's account number on a page, and would get that person's messages. Until then the device stays
with its visit, as a shopper of its own.
"""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from rekindle.engine.places import AddressPlace, Place
from rekindle.engine.transactions import Work
from rekindle.store.devices import DeviceNews, drop_devices, keep_devices
from rekindle.store.shoppers import NewContact, add_contacts, drop_contacts, move_contact
from rekindle.terms.event import DeviceTold, ShopEvent
from rekindle.terms.shop import ShopSettings


class Devices:
    """The devices that one batch is about."""

    def __init__(self, shop: ShopSettings) -> None:
        self._shop = shop
        self._told: dict[UUID, tuple[AddressPlace, ShopEvent, DeviceTold]] = {}
        self._moves: dict[UUID, tuple[AddressPlace, Place]] = {}  # where from; where to is the owner in the end

    def tell(self, place: AddressPlace, event: ShopEvent, device: DeviceTold) -> None:
        """Note a device; the latest news of one counts."""
        known = self._told.get(place.id)
        if known is None or known[1].at <= event.at:
            self._told[place.id] = place, event, device

    def move(self, place: AddressPlace, before: Place) -> None:
        """A device that was another shopper's before this batch."""
        self._moves.setdefault(place.id, (place, before))

    def write(self, work: Work, owners: dict[UUID, Place]) -> None:
        """Write all of it, each bucket in its transaction; ``owners``: contact id -> shopper."""
        moves = [(place, before, owners[key]) for key, (place, before) in self._moves.items() if owners[key] != before]
        by_bucket: dict[int, list[tuple[AddressPlace, Place, Place]]] = defaultdict(list)
        for place, before, after in moves:
            for bucket in {place.bucket, before.bucket, after.bucket}:
                by_bucket[bucket].append((place, before, after))
        news: dict[int, list[DeviceNews]] = defaultdict(list)
        for place, event, device in self._told.values():
            owner = owners[place.id]
            news[owner.bucket].append(self._news(place, owner, event, device))
        for bucket in sorted({*by_bucket, *news}):
            with work.in_bucket(bucket):
                for place, before, after in by_bucket.get(bucket, ()):
                    self._move(work, bucket, place, before, after)
                keep_devices(work.connection, bucket, news.get(bucket, ()))

    def _move(self, work: Work, bucket: int, place: AddressPlace, before: Place, after: Place) -> None:
        connection = work.connection
        if bucket == before.bucket and before.bucket != after.bucket:
            drop_devices(connection, bucket, [place.id])
        if bucket == place.bucket or before.bucket == after.bucket:
            move_contact(connection, bucket, place.id, from_id=before.id, to_bucket=after.bucket, to_id=after.id)
        elif bucket == before.bucket:
            drop_contacts(connection, bucket, [place.id])
        elif bucket == after.bucket:
            _, event, _ = self._told[place.id]
            add_contacts(connection, bucket, [new_contact(self._shop, place, after, event)])

    def _news(self, place: AddressPlace, owner: Place, event: ShopEvent, device: DeviceTold) -> DeviceNews:
        return DeviceNews(
            id=place.id,
            shop_id=self._shop.id,
            shopper_id=owner.id,
            public_key=device.public_key.hex(),
            auth=device.auth.hex(),
            seen_at=event.at,
        )


def new_contact(shop: ShopSettings, place: AddressPlace, owner: Place, event: ShopEvent) -> NewContact:
    """An address as it becomes a shopper's."""
    return NewContact(
        id=place.id,
        shop_id=shop.id,
        shopper_bucket=owner.bucket,
        shopper_id=owner.id,
        channel=place.channel.value,
        address=place.address,
        hash=place.hash.hex(),
        created_at=event.at,
    )
