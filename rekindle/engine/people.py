"""Whose event is this, judged by the addresses in it? And what does it tell about that shopper?

An address belongs to the shopper who was first known by it. An event with an e-mail address is about the shopper of
that address; a phone number decides only without one, a device only without both. What an event may do to somebody who
exists already is little, because anybody can type an address: fill gaps, never overwrite, and add another address only
when it comes from a visit that is the shopper's: the one that first made them known, or one that the shop's own server
said to be theirs. A page may claim any customer account, so an account proves nothing unless the server named it
together with the address.

Used by `engine/project.py` for one batch: `read` first, then `of` for each event in the order of time, then `write`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.devices import Devices, new_contact
from rekindle.engine.places import AddressPlace, Place, address_place, shopper_place
from rekindle.engine.transactions import OvertakenError, Work
from rekindle.store.consents import Subject, suppress
from rekindle.store.shoppers import (
    ContactRow,
    NewContact,
    ShopperNews,
    ShopperRow,
    add_contacts,
    add_shoppers,
    find_contacts,
    improve_shoppers,
    load_shoppers,
)
from rekindle.terms.consent import SuppressionReason
from rekindle.terms.event import EventKind, ShopEvent
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_MAX_ORIGINS: Final = 3
_MAX_VOUCHED: Final = 10  #: visits of a shopper that the shop's server named, the latest
_ACCOUNT: Final = "u:"  #: how a visitor key of a customer account begins
#: Who only says goodbye is not made known by it.
_GOING: Final = frozenset({EventKind.OPTED_OUT, EventKind.ERASURE_REQUESTED})


class People:
    """The shoppers and addresses that one batch is about."""

    def __init__(self, context: Context, shop: ShopSettings) -> None:
        self._context = context
        self._shop = shop
        self._places: dict[tuple[Channel, str], AddressPlace] = {}
        self._contacts: dict[UUID, ContactRow] = {}
        self._owners: dict[UUID, Place] = {}  # contact id -> shopper, as far as this batch knows
        self._shoppers: dict[Place, ShopperRow] = {}  # those whose ownership had to be looked at
        self._new: dict[Place, ShopperNews] = {}
        self._news: dict[Place, ShopperNews] = {}
        self._new_contacts: list[tuple[int, NewContact]] = []
        self._with_email: set[Place] = set()  # shoppers who got an e-mail address in this batch
        self._devices = Devices(shop)
        self._suppressed: list[tuple[int, AddressPlace, str, datetime]] = []  # known by hash before they were given

    def read(self, work: Work, events: Iterable[ShopEvent]) -> None:
        """Look up every address of these events, and the owners to whom another address might be added."""
        asked: dict[int, dict[UUID, AddressPlace]] = defaultdict(dict)
        told = [(event, places) for event in events if (places := self.addresses_of(event))]
        for place in (place for _, places in told for place in places):
            if place.id not in self._contacts:
                asked[place.bucket][place.id] = place
        for bucket, wanted in sorted(asked.items()):
            keys = {(place.id, place.channel.value, place.hash) for place in wanted.values()}
            for row in find_contacts(work.connection, bucket, self._shop.id, keys):
                self._contacts[row.id] = row
                if row.shopper_id is not None and row.shopper_bucket is not None:
                    self._owners[row.id] = Place(row.shopper_bucket, row.shopper_id)
        self.look_at(work, [owner for event, places in told if (owner := self._in_question(event, places)) is not None])

    def _in_question(self, event: ShopEvent, places: Sequence[AddressPlace]) -> Place | None:
        """The owner to whom the event may add an address, or a visit."""
        first, *others = places
        owner = self._owners.get(first.id)
        may_add = _vouches(event) or any(self._owners.get(other.id) != owner for other in others)
        return owner if may_add else None

    def look_at(self, work: Work, shoppers: Iterable[Place]) -> None:
        """Read shoppers whose account or origin matters."""
        wanted: dict[int, set[UUID]] = defaultdict(set)
        for place in shoppers:
            if place not in self._shoppers:
                wanted[place.bucket].add(place.id)
        for bucket, ids in sorted(wanted.items()):
            for row in load_shoppers(work.connection, bucket, sorted(ids)).values():
                self._shoppers[Place(bucket, row.id)] = row

    def addresses_of(self, event: ShopEvent) -> list[AddressPlace]:
        """The event's addresses, the one that decides first."""
        found = []
        if event.email is not None:
            found.append(self._place(Channel.EMAIL, event.email))
        if event.phone is not None:
            found.append(self._place(Channel.SMS, event.phone))
        if event.device is not None:
            found.append(self._place(Channel.PUSH, event.device.address))
        return found

    def may_complete(self, event: ShopEvent) -> bool:
        """Whether the event may give an address, or a visit, to the shopper whom the visit is known to be so far."""
        if _vouches(event):
            return True
        if event.email is not None:
            return self._place(Channel.EMAIL, event.email).id not in self._owners
        return event.phone is not None or event.device is not None

    def of(self, event: ShopEvent, keys: Sequence[str], known: Place | None) -> Place | None:
        """The shopper whom the event's addresses mean; None without addresses, or when they were erased.

        ``known``: whom the visit is known to be so far. A device says less than that: it goes along.
        """
        addresses = [place for place in self.addresses_of(event) if not self._is_erased(place)]
        if not addresses:
            return None
        first, *others = addresses
        owner = self._owners.get(first.id)
        if event.kind in _GOING:
            return owner
        if first.channel is Channel.PUSH and known is not None:
            self._bring(first, known, event, keys)
            return None
        if owner is None and known is not None and self._completes(first, known, event, keys):
            owner = known
            self._add_contact(first, owner, event)
        elif owner is None:
            owner = shopper_place(self._shop, first)
            self._new[owner] = news = self._blank(owner, event)
            news.traits["_origin"] = list(keys[:_MAX_ORIGINS])
            self._add_contact(first, owner, event)
        self._vouch(owner, event, keys)
        for other in others:
            if other.channel is Channel.PUSH:
                self._bring(other, owner, event, keys)
            elif other.id not in self._owners:
                self._adopt(other, owner, event, keys)
        if first.channel is Channel.PUSH and event.device is not None:
            self._devices.tell(first, event, event.device)
        self.tell(owner, event)
        return owner

    def tell(self, shopper: Place, event: ShopEvent) -> None:
        """Note what the event says about a shopper."""
        news = self._new.get(shopper) or self._news.get(shopper)
        if news is None:
            news = self._news[shopper] = self._blank(shopper, event)
        news.seen_at = max(news.seen_at, event.at)
        news.gpc = news.gpc or bool(event.gpc)
        news.customer_key = news.customer_key or event.customer_key
        for name in ("locale", "country", "region"):
            if told := event.facts.get(name):
                setattr(news, name, str(told))
        zone = event.facts.get("timezone")
        if zone and zone not in news.timezones and len(news.timezones) < 5:
            news.timezones.append(str(zone))
        _tell_traits(news, event.traits)

    def is_erased(self, event: ShopEvent) -> bool:
        """Whether an address of the event was erased: what the event tells is then not kept."""
        return any(self._is_erased(place) for place in self.addresses_of(event))

    def write_new(self, work: Work) -> None:
        """Add the shoppers and addresses that were not known. Raises OvertakenError when an address went to another."""
        by_bucket: dict[int, list[ShopperNews]] = defaultdict(list)
        for place, news in self._new.items():
            by_bucket[place.bucket].append(news)
        contacts: dict[int, list[NewContact]] = defaultdict(list)
        for bucket, contact in self._new_contacts:
            contacts[bucket].append(contact)
        for bucket in sorted({*by_bucket, *contacts}):
            with work.in_bucket(bucket):
                add_shoppers(work.connection, bucket, by_bucket[bucket])
                added = add_contacts(work.connection, bucket, contacts[bucket])
                if any(c.id not in added and self._is_canonical(bucket, c) for c in contacts[bucket]):
                    self._check_owners(work, bucket, contacts[bucket])
        for bucket, address, reason, at in self._suppressed:
            with work.in_bucket(bucket):
                subject = Subject(self._shop.id, address.channel.value, address.hash)
                suppress(work.connection, bucket, subject, reason=reason, at=at, source="known before")
        self._devices.write(work, self._owners)

    def write_news(self, work: Work) -> None:
        """Merge what was told about shoppers who were known."""
        by_bucket: dict[int, list[ShopperNews]] = defaultdict(list)
        for place, news in self._news.items():
            by_bucket[place.bucket].append(news)
        for bucket in sorted(by_bucket):
            with work.in_bucket(bucket):
                improve_shoppers(work.connection, bucket, by_bucket[bucket])

    def _check_owners(self, work: Work, bucket: int, contacts: list[NewContact]) -> None:
        keys = [(c.id, c.channel, bytes.fromhex(c.hash)) for c in contacts if self._is_canonical(bucket, c)]
        owners = {row.id: row.shopper_id for row in find_contacts(work.connection, bucket, self._shop.id, keys)}
        if any(owners[contact.id] != contact.shopper_id for contact in contacts if contact.id in owners):
            raise OvertakenError

    def _is_canonical(self, bucket: int, contact: NewContact) -> bool:
        place = self._places[Channel(contact.channel), contact.address]
        return place.bucket == bucket

    def _place(self, channel: Channel, address: str) -> AddressPlace:
        place = self._places.get((channel, address))
        if place is None:
            place = self._places[channel, address] = address_place(self._context, self._shop, channel, address)
        return place

    def _is_erased(self, place: AddressPlace) -> bool:
        row = self._contacts.get(place.id)
        return row is not None and (row.suppression == SuppressionReason.ERASED or row.has_address is False)

    def _is_own(self, shopper: Place, event: ShopEvent, keys: Sequence[str]) -> bool:
        """Whether the event comes from a visit that is the shopper's, or the shop's server names their account. A page
        knows its own visit by a key that nobody guesses; account numbers are guessed easily."""
        if _vouches(event) and self._note_of(shopper, "_account") == event.customer_key:
            return True
        believed = {key for key in keys if not key.startswith(_ACCOUNT)}
        return not believed.isdisjoint(self._note_of(shopper, "_origin") or ())

    def _vouch(self, shopper: Place, event: ShopEvent, keys: Sequence[str]) -> None:
        """When the shop's server says which address, account and visits belong together, they are this shopper's."""
        new, row = self._new.get(shopper), self._shoppers.get(shopper)
        claimed = new.customer_key if new is not None else row.customer_key if row is not None else None
        if not _vouches(event) or claimed not in (None, event.customer_key):
            return
        known = list(self._note_of(shopper, "_origin") or ())
        fresh = [key for key in keys if key not in known and not key.startswith(_ACCOUNT)]
        self.tell(shopper, event)
        notes = (new or self._news[shopper]).traits
        notes["_account"] = event.customer_key
        if fresh:
            notes["_origin"] = [*known[:_MAX_ORIGINS], *[*known[_MAX_ORIGINS:], *fresh][-_MAX_VOUCHED:]]

    def _note_of(self, shopper: Place, name: str) -> Any:
        """What we noted of a shopper ourselves, as far as this batch has looked: `_origin` the visits that are theirs,
        `_account` the account that the shop's server named."""
        for told in (self._new.get(shopper), self._news.get(shopper), self._shoppers.get(shopper)):
            if told is not None and name in told.traits:
                return told.traits[name]
        return None

    def _completes(self, place: AddressPlace, known: Place, event: ShopEvent, keys: Sequence[str]) -> bool:
        """Whether a new address is a known shopper's: a phone number after the e-mail address, or the first e-mail
        address of somebody who was known only by a device or a phone number."""
        if not self._is_own(known, event, keys):
            return False
        if place.channel is not Channel.EMAIL:
            return True
        row = self._shoppers.get(known)
        return known not in self._with_email and not (row is not None and row.has_email)

    def _bring(self, place: AddressPlace, owner: Place, event: ShopEvent, keys: Sequence[str]) -> None:
        """A device in the visit of this shopper: theirs, if the visit or the account says so."""
        before = self._owners.get(place.id)
        if before is None:
            self._adopt(place, owner, event, keys)
        elif before != owner and self._is_own(owner, event, keys):
            self._devices.move(place, before)
            self._owners[place.id] = owner
        if event.device is not None:
            self._devices.tell(place, event, event.device)

    def _adopt(self, place: AddressPlace, owner: Place, event: ShopEvent, keys: Sequence[str]) -> None:
        """A further address: the owner's when that can be believed, else it stands alone."""
        if self._is_own(owner, event, keys):
            self._add_contact(place, owner, event)
            return
        alone = shopper_place(self._shop, place)
        self._new[alone] = self._blank(alone, event)
        self._add_contact(place, alone, event)

    def _add_contact(self, place: AddressPlace, owner: Place, event: ShopEvent) -> None:
        contact = new_contact(self._shop, place, owner, event)
        self._owners[place.id] = owner
        if place.channel is Channel.EMAIL:
            self._with_email.add(owner)
        row = self._contacts.get(place.id)
        if row is not None and row.suppression is not None and owner.bucket != place.bucket:
            self._suppressed.append((owner.bucket, place, row.suppression, event.at))
        self._new_contacts += [(bucket, contact) for bucket in sorted({place.bucket, owner.bucket})]

    def _blank(self, shopper: Place, event: ShopEvent) -> ShopperNews:
        return ShopperNews(id=shopper.id, shop_id=self._shop.id, seen_at=event.at)


def _vouches(event: ShopEvent) -> bool:
    """Does the shop's own server say whose account a visit belongs to?"""
    return event.is_from_server and event.customer_key is not None


def _tell_traits(news: ShopperNews, traits: dict[str, Any]) -> None:
    for name, value in traits.items():
        if name in ("first_name", "last_name"):
            setattr(news, name, str(value))
        elif not name.startswith("_"):
            news.traits[name] = value
