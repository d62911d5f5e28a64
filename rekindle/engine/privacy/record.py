"""How does a request about personal data come in? Written down once, with the dates by which it must be answered.

Whose it is, is looked up by the addresses; nobody being there is a request all the same, and must be answered too.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.law import laws
from rekindle.engine.places import AddressPlace, address_place
from rekindle.engine.transactions import until_free
from rekindle.lib.addresses import AddressError, country_of_phone, normalise_email, normalise_phone
from rekindle.lib.ids import natural_id, timed_id
from rekindle.policy.regions import entries_of
from rekindle.policy.request_terms import request_terms
from rekindle.store import privacy_requests as store
from rekindle.store.buckets import base_bucket
from rekindle.store.consents import owner_of_contact
from rekindle.store.database import Connection
from rekindle.store.prepared import transaction
from rekindle.store.subject import home_of_shopper
from rekindle.terms.privacy_request import Happened, PrivacyRequest, RequestKind, RequestLine, RequestState, Subject
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

MAX_NOTE = 4_000
MAX_KEY = 200


class RequestError(Exception):
    """This cannot be done; the text says why, to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came in. ``key``: the sender's own number of the request, by which a repeat is recognised; ``by``: who typed
    it in, empty for a machine. ``is_verified``: the sender has made sure that it is the person."""

    kind: RequestKind
    source: str
    email: str = ""
    phone: str = ""
    customer_key: str = ""
    country: str = ""
    note: str = ""
    by: str = ""
    key: str = ""
    is_verified: bool = False


def record_request(
    connection: Connection, context: Context, shop: ShopSettings, asked: Asked, *, received_at: datetime | None = None
) -> PrivacyRequest:
    """Write a request down and return it; the same ``key`` told again returns the first one. Commits.

    ``received_at``: when it reached the shop, if that was earlier (a letter, a phone call); it starts every term.
    Raises RequestError for one that names nobody, or that came in in the future.
    """
    now = context.clock.now()
    at = received_at or now
    if at > now:
        raise RequestError("A request cannot have come in in the future.")
    places = _places(context, shop, asked)
    if not places:
        raise RequestError("Give the e-mail address or the phone number that the request is about.")
    owner = _owner(connection, places)
    evidence = [(shop.country, ""), (asked.country, "")]
    evidence += [(country_of_phone(place.address), "") for place in places if place.channel is Channel.SMS]
    if owner is not None:
        evidence.append(home_of_shopper(connection, *owner))
    pack = laws().pack_of(shop)
    entries = entries_of(pack.regions, evidence) if pack is not None else ()
    terms = request_terms(pack, entries, asked.kind, at)
    request = PrivacyRequest(
        bucket=base_bucket(shop),
        id=_id(shop, asked, at),
        shop_id=shop.id,
        kind=asked.kind,
        state=RequestState.VERIFIED if asked.is_verified else RequestState.RECEIVED,
        source=asked.source,
        regions=" ".join(entries),
        subjects=tuple(Subject(place.channel, place.hash, place.address) for place in places),
        customer_key=asked.customer_key[:MAX_KEY],
        note=asked.note.strip()[:MAX_NOTE],
        shopper_bucket=owner[0] if owner else None,
        shopper_id=owner[1] if owner else None,
        received_at=at,
        due_at=terms.due_at,
        acknowledge_by=terms.acknowledge_by,
        escalate_at=terms.escalate_at,
    )
    line = RequestLine(at=now, what=Happened.RECEIVED, by=asked.by, detail={"source": asked.source})

    def write() -> None:
        with transaction(connection):
            if store.add_request(connection, request):
                add_line(connection, request, line)

    until_free(connection, write)
    return store.load_request(connection, request.bucket, shop.id, request.id) or request


def record_whole_shop(
    connection: Connection, context: Context, shop: ShopSettings, *, source: str, key: str
) -> PrivacyRequest:
    """Everybody in a shop is to be erased: a request without an address, which a worker carries out. Commits."""
    now = context.clock.now()
    asked = Asked(kind=RequestKind.ERASURE, source=source, key=f"shop:{key}", is_verified=True)
    pack = laws().pack_of(shop)
    entries = entries_of(pack.regions, [(shop.country, "")]) if pack is not None else ()
    terms = request_terms(pack, entries, asked.kind, now)
    request = PrivacyRequest(
        bucket=base_bucket(shop), id=_id(shop, asked, now), shop_id=shop.id, kind=asked.kind,
        state=RequestState.VERIFIED, source=source, regions=" ".join(entries), subjects=(), received_at=now,
        due_at=terms.due_at, acknowledge_by=terms.acknowledge_by, escalate_at=terms.escalate_at,
    )  # fmt: skip
    with transaction(connection):
        if store.add_request(connection, request):
            add_line(connection, request, RequestLine(at=now, what=Happened.RECEIVED, by="", detail={"source": source}))
    return store.load_request(connection, request.bucket, shop.id, request.id) or request


def add_line(connection: Connection, request: PrivacyRequest, line: RequestLine) -> None:
    """A line of the history; the same instant and kind is one line."""
    store.add_line(connection, request, timed_id(line.at, f"{request.id}:{line.what}:{line.by}".encode()), line)


def _id(shop: ShopSettings, asked: Asked, at: datetime) -> UUID:
    if asked.key:
        return natural_id("privacy-request", shop.id, f"{asked.source}:{asked.kind}:{asked.key}")
    return timed_id(at, secrets.token_bytes(16))


def _places(context: Context, shop: ShopSettings, asked: Asked) -> list[AddressPlace]:
    found = []
    try:
        if asked.email.strip():
            found.append(address_place(context, shop, Channel.EMAIL, normalise_email(asked.email)))
        if asked.phone.strip():
            phone = normalise_phone(asked.phone, asked.country or shop.country or None)
            found.append(address_place(context, shop, Channel.SMS, phone))
    except AddressError as mistake:
        if not found:
            raise RequestError(f"{str(mistake)[:1].upper()}{str(mistake)[1:]}.") from None
    return found


def _owner(connection: Connection, places: Sequence[AddressPlace]) -> tuple[int, UUID] | None:
    for place in places:
        owner = owner_of_contact(connection, place.bucket, place.id)
        if owner is not None:
            return owner
    return None
