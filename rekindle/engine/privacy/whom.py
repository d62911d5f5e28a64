"""Whom is a request about? The shoppers behind its addresses, and the places of these addresses."""

from __future__ import annotations

from uuid import UUID

from rekindle.engine.places import AddressPlace
from rekindle.lib.ids import natural_id
from rekindle.store.buckets import address_bucket
from rekindle.store.consents import owner_of_contact
from rekindle.store.database import Connection
from rekindle.terms.privacy_request import PrivacyRequest
from rekindle.terms.shop import ShopSettings


def owners(connection: Connection, shop: ShopSettings, request: PrivacyRequest) -> list[tuple[int, UUID]]:
    """(bucket, id) of every shopper the request is about: by address, and by who it was when it came in."""
    found = []
    if request.shopper_bucket is not None and request.shopper_id is not None:
        found.append((request.shopper_bucket, request.shopper_id))
    for place in places_of(shop, request):
        owner = owner_of_contact(connection, place.bucket, place.id)
        if owner is not None and owner not in found:
            found.append(owner)
    return found


def places_of(shop: ShopSettings, request: PrivacyRequest) -> list[AddressPlace]:
    return [
        AddressPlace(
            address_bucket(shop, one.hash),
            natural_id("contact", shop.id, f"{one.channel.value}:{one.hash.hex()}"),
            one.channel,
            one.hash,
            one.address,
        )
        for one in request.subjects
    ]
