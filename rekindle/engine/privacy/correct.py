"""How is what is wrong about a person put right? Names are replaced; a wrong address gives way to the right one.

The right address takes over what was said about the wrong one: consent with its wording, and every no. Where it belongs
to somebody already, both were the same person: carts and purchases go over to whom the right address made known. The
wrong address is a stranger's afterwards; who really has it starts anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.places import AddressPlace, Place, address_place, visitor_place
from rekindle.engine.privacy.record import RequestError
from rekindle.engine.privacy.whom import owners
from rekindle.engine.transactions import Work
from rekindle.engine.withdraw import withdraw_channels
from rekindle.lib.addresses import AddressError, normalise_email, normalise_phone
from rekindle.lib.ids import natural_id
from rekindle.store import subject as store
from rekindle.store.buckets import address_bucket, buckets_of
from rekindle.store.carts import lock_carts
from rekindle.store.consents import Subject, owner_of_contact, suppress
from rekindle.store.database import Connection
from rekindle.store.devices import drop_devices_of_shopper
from rekindle.store.forget import carts_of_erased, orders_of_erased, visitors_of_erased
from rekindle.store.shoppers import (
    AddressRow,
    NewContact,
    ShopperNews,
    add_contacts,
    add_shoppers,
    contacts_of_shopper,
    drop_contacts,
    hold_shoppers,
    move_contact,
)
from rekindle.terms.consent import ConsentKind
from rekindle.terms.privacy_request import PrivacyRequest
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

MAX_NAME: Final = 200
_SOURCE: Final = "correction"
#: A bounce is about the wrong address itself, and stays with it.
_CARRIED: Final = frozenset({"unsubscribed", "complaint", "manual", "imported", "review"})


def correct(
    connection: Connection, context: Context, shop: ShopSettings, request: PrivacyRequest, values: Mapping[str, str]
) -> Mapping[str, object]:
    """Put right what ``values`` names: first_name, last_name, email, phone. Commits; the history gets what was changed,
    never to what. Raises RequestError when there is nothing to correct, or nobody."""
    people = owners(connection, shop, request)
    if not people:
        raise RequestError("Nobody with this address is known here, so that there is nothing to correct.")
    names = {
        name: values[name].strip()[:MAX_NAME] for name in ("first_name", "last_name") if values.get(name, "").strip()
    }
    wanted = _wanted(context, shop, values)
    if not names and not wanted:
        raise RequestError("Put in what is right: a name, an address or a number.")
    case = _Correction(Work(connection, shop), context, shop, request)
    for bucket, shopper_id in people:
        case.work.run_whole(partial(case.run, Place(bucket, shopper_id), names, wanted))
    return {"changed": [*names, *(place.channel.value for place in wanted)]}


def _wanted(context: Context, shop: ShopSettings, values: Mapping[str, str]) -> list[AddressPlace]:
    found = []
    try:
        if email := values.get("email", "").strip():
            found.append(address_place(context, shop, Channel.EMAIL, normalise_email(email)))
        if phone := values.get("phone", "").strip():
            found.append(address_place(context, shop, Channel.SMS, normalise_phone(phone, shop.country or None)))
    except AddressError as mistake:
        raise RequestError(f"{str(mistake)[:1].upper()}{str(mistake)[1:]}.") from None
    return found


class _Correction(NamedTuple):
    """One correction while it is carried out; each part is harmless to do twice."""

    work: Work
    context: Context
    shop: ShopSettings
    request: PrivacyRequest

    def run(self, shopper: Place, names: Mapping[str, str], wanted: list[AddressPlace]) -> None:
        connection = self.work.connection
        for new in wanted:
            shopper = self._readdress(shopper, new)
        if names:
            with self.work.in_bucket(shopper.bucket):
                store.correct_names(connection, shopper.bucket, shopper.id, names)

    def _readdress(self, shopper: Place, new: AddressPlace) -> Place:
        """The right address in the place of the wrong ones on its channel; returns whose it is then."""
        connection = self.work.connection
        found = owner_of_contact(connection, new.bucket, new.id)
        owner = Place(*found) if found is not None else None
        wrong = [
            row
            for row in contacts_of_shopper(connection, shopper.bucket, shopper.id)
            if row.channel == new.channel and row.id != new.id
        ]
        if owner is None:
            self._add(shopper, new)
        for row in wrong:
            self._hand_on(row, new, owner or shopper, is_new=owner is None)
        if owner is not None and owner != shopper:
            self._merge(shopper, owner, new.channel)
        for row in wrong:
            self._let_go(shopper, row)
        return owner or shopper

    def _add(self, shopper: Place, new: AddressPlace) -> None:
        contact = NewContact(
            id=new.id,
            shop_id=self.shop.id,
            shopper_bucket=shopper.bucket,
            shopper_id=shopper.id,
            channel=new.channel.value,
            address=new.address,
            hash=new.hash.hex(),
            created_at=self.context.clock.now(),
        )
        for bucket in sorted({new.bucket, shopper.bucket}):
            with self.work.in_bucket(bucket):
                add_contacts(self.work.connection, bucket, [contact])

    def _hand_on(self, row: AddressRow, new: AddressPlace, shopper: Place, *, is_new: bool) -> None:
        """Every no about the wrong address holds for the right one; a yes only where it has said nothing itself."""
        kind = ConsentKind(row.consent) if row.consent is not None else None
        if kind is ConsentKind.WITHDRAWN or (kind is not None and is_new):
            self._record(new.hash, new.channel, shopper.bucket, kind, row.consent_wording)
        digest = bytes(row.address_hash)
        reason = store.suppression_reason(
            self.work.connection, address_bucket(self.shop, digest), self.shop.id, row.channel, digest
        )
        if reason in _CARRIED:
            subject = Subject(self.shop.id, new.channel.value, new.hash)
            for bucket in sorted({new.bucket, shopper.bucket}):
                with self.work.in_bucket(bucket):
                    suppress(
                        self.work.connection,
                        bucket,
                        subject,
                        reason=reason,
                        at=self.context.clock.now(),
                        source=_SOURCE,
                    )

    def _let_go(self, shopper: Place, row: AddressRow) -> None:
        """The wrong address is a stranger's, to whom nobody may write: a shopper of its own, for the id that follows
        from an address is that of the shopper whom it first made known."""
        connection, digest = self.work.connection, bytes(row.address_hash)
        self._record(digest, Channel(row.channel), shopper.bucket, ConsentKind.WITHDRAWN, "")
        stranger = natural_id("shopper", self.shop.id, f"{row.channel}:{digest.hex()}:{self.request.id}")
        home = address_bucket(self.shop, digest)
        with self.work.in_bucket(home):
            news = ShopperNews(id=stranger, shop_id=self.shop.id, seen_at=self.context.clock.now())
            add_shoppers(connection, home, [news])
            move_contact(connection, home, row.id, from_id=shopper.id, to_bucket=home, to_id=stranger)
        if shopper.bucket != home:
            with self.work.in_bucket(shopper.bucket):
                drop_contacts(connection, shopper.bucket, [row.id])

    def _record(self, digest: bytes, channel: Channel, bucket: int, kind: ConsentKind, wording: str) -> None:
        record_consent(
            self.work.connection,
            self.context,
            self.shop,
            bucket=bucket,
            channel=channel,
            address_hash=digest,
            kind=kind,
            wording=wording,
            source=_SOURCE,
            evidence={"request": str(self.request.id)},
            at=self.context.clock.now(),
        )

    def _merge(self, old: Place, owner: Place, channel: Channel) -> None:
        """Everything of a shopper who turned out to be another one."""
        connection, buckets = self.work.connection, buckets_of(self.shop)
        self._move_carts(carts_by_bucket(connection, buckets, old.id), old, owner)
        for key in sorted(set(visitors_of_erased(connection, buckets, old.id))):
            place = visitor_place(self.shop, key)
            with self.work.in_bucket(place.bucket):
                store.move_visitor(connection, place.bucket, place.id, old.id, owner)
        for bucket, order_id, _ in orders_of_erased(connection, buckets, old.id):
            with self.work.in_bucket(bucket):
                store.move_order(connection, bucket, order_id, owner)
        with self.work.in_bucket(old.bucket):
            if not hold_shoppers(connection, old.bucket, [old.id]):
                return
            withdraw_channels(
                connection, self.shop, old.bucket, old.id, list(Channel), reason=Reason.OPERATOR, nothing_left=True,
                now=self.context.clock.now(),
            )  # fmt: skip
            counted = store.empty_shopper(connection, old.bucket, old.id)
            drop_devices_of_shopper(connection, old.bucket, old.id)
        with self.work.in_bucket(owner.bucket):
            store.add_counts(connection, owner.bucket, owner.id, counted)
        for row in contacts_of_shopper(connection, old.bucket, old.id):
            if row.channel != channel.value:
                self._move_contact(row, old, owner)

    def _move_carts(self, carts: Mapping[int, list[UUID]], old: Place, owner: Place) -> None:
        for bucket, ids in sorted(carts.items()):
            with self.work.in_bucket(bucket):
                lock_carts(self.work.connection, bucket, sorted(ids))
                store.move_carts(self.work.connection, bucket, sorted(ids), old.id, owner)

    def _move_contact(self, row: AddressRow, old: Place, owner: Place) -> None:
        """An address on another channel goes along; a browser's does not, it says who it is at its next visit."""
        connection, digest = self.work.connection, bytes(row.address_hash)
        home = address_bucket(self.shop, digest)
        if row.channel == Channel.PUSH or not row.address:
            for bucket in sorted({home, old.bucket}):
                with self.work.in_bucket(bucket):
                    drop_contacts(connection, bucket, [row.id])
            return
        contact = NewContact(
            id=row.id, shop_id=self.shop.id, shopper_bucket=owner.bucket, shopper_id=owner.id, channel=row.channel,
            address=row.address, hash=digest.hex(), created_at=row.created_at, consent=row.consent,
            consent_at=row.consent_at, consent_wording=row.consent_wording,
        )  # fmt: skip
        with self.work.in_bucket(home):
            move_contact(connection, home, row.id, from_id=old.id, to_bucket=owner.bucket, to_id=owner.id)
        if old.bucket not in (home, owner.bucket):
            with self.work.in_bucket(old.bucket):
                drop_contacts(connection, old.bucket, [row.id])
        with self.work.in_bucket(owner.bucket):
            add_contacts(connection, owner.bucket, [contact])


def carts_by_bucket(connection: Connection, buckets: list[int], shopper_id: UUID) -> dict[int, list[UUID]]:
    found: dict[int, list[UUID]] = defaultdict(list)
    for cart in carts_of_erased(connection, buckets, shopper_id):
        found[cart.bucket].append(cart.id)
    return found
