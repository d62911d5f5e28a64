"""Did this shopper agree that it is noticed which links they follow, and do they have to?

The answer lies with the shopper's preferences, where a followed link looks; the ledger keeps the proof, for every
address that is known. An older answer never replaces a newer one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.law import laws
from rekindle.engine.places import Place
from rekindle.engine.transactions import Work
from rekindle.lib.ids import natural_id
from rekindle.policy.tracking import may_note_clicks, may_note_opens
from rekindle.store import preferences as store
from rekindle.store.buckets import address_bucket
from rekindle.store.consents import owner_of_contact
from rekindle.store.database import Connection
from rekindle.store.links import SendBehindLink
from rekindle.store.shoppers import contacts_of_shopper
from rekindle.terms.consent import ConsentKind, Purpose
from rekindle.terms.limits import LimitsError
from rekindle.terms.policy_pack import Rules
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_log = logging.getLogger(__name__)
_MAX_KNOWN = 10_000


class Answer(NamedTuple):
    """What a shopper said. ``evidence``: JSON values, never an address."""

    is_yes: bool
    wording: str
    source: str
    evidence: Mapping[str, object]
    at: datetime


class Clicking(NamedTuple):
    """``answer`` None: none was given. ``needs_consent``: whether the law asks for one here."""

    answer: bool | None
    needs_consent: bool
    is_noted: bool


@dataclass(slots=True)
class Decided:
    """Decisions for many links: the rules of each region are asked for once, and again when a shop's settings were read
    anew. For one thread."""

    _known: dict[tuple[int, str, str, str], tuple[ShopSettings, Rules | None]] = field(default_factory=dict)

    def may_note(self, shop: ShopSettings, channel: str, country: str, state: str, answer: bool | None) -> bool:
        """May a followed link of a message on ``channel`` be noted with who followed it?"""
        if answer is not None:
            return may_note_clicks(None, answer)
        return may_note_clicks(self._rules(shop, channel, country, state), None)

    def may_note_open(self, shop: ShopSettings, channel: str, country: str, state: str) -> bool:
        """May an opened message be noted, when somebody else's pixel told of it?"""
        return may_note_opens(self._rules(shop, channel, country, state))

    def _rules(self, shop: ShopSettings, channel: str, country: str, state: str) -> Rules | None:
        key = (shop.id, channel, country, state)
        known = self._known.get(key)
        if known is None or known[0] is not shop:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[key] = (shop, _rules(shop, channel, country, state, None))
        return known[1]


def clicking_of(connection: Connection, shop: ShopSettings, send: SendBehindLink) -> Clicking:
    """For the shopper of one send; somebody who is gone has given no answer, from nowhere."""
    watched = store.watched_shopper(connection, send.bucket, send.shopper_id)
    country, state, answer, phone = watched if watched is not None else ("", "", None, None)
    rules = _rules(shop, send.channel, country, state, phone)
    needs_consent = not may_note_clicks(rules, None)
    return Clicking(answer, needs_consent, may_note_clicks(rules, answer))


def answer_tracking(work: Work, context: Context, shop: ShopSettings, owner: Place, answer: Answer) -> None:
    """Let it hold for this shopper, for messages that were sent already, too; runs within the caller's `Work`."""
    work.run_in_bucket(
        owner.bucket,
        lambda: store.answer_clicks(work.connection, owner.bucket, owner.id, is_yes=answer.is_yes, at=answer.at),
    )
    for contact in contacts_of_shopper(work.connection, owner.bucket, owner.id):
        if contact.address:
            record_tracking(work.connection, context, shop, bytes(contact.address_hash), answer)


def record_tracking(
    connection: Connection, context: Context, shop: ShopSettings, address_hash: bytes, answer: Answer
) -> None:
    """Write the answer of one address into the ledger."""
    record_consent(
        connection,
        context,
        shop,
        bucket=address_bucket(shop, address_hash),
        channel=Purpose.TRACK_CLICKS,
        address_hash=address_hash,
        kind=ConsentKind.EXPRESS if answer.is_yes else ConsentKind.WITHDRAWN,
        wording=answer.wording,
        source=answer.source,
        evidence=answer.evidence,
        at=answer.at,
        is_lifting=False,
    )


def owners_of(connection: Connection, shop: ShopSettings, address_hash: bytes) -> Iterable[Place]:
    """Whose address is it, on whichever channel?"""
    bucket = address_bucket(shop, address_hash)
    for channel in Channel:
        contact_id = natural_id("contact", shop.id, f"{channel.value}:{address_hash.hex()}")
        owner = owner_of_contact(connection, bucket, contact_id)
        if owner is not None:
            yield Place(*owner)


def _rules(shop: ShopSettings, channel: str, country: str, state: str, phone: str | None) -> Rules | None:
    try:
        return laws().of(shop, Channel(channel), country=country, state=state, phone=phone).rules
    except (LimitsError, ValueError) as error:
        _log.error("clicks_without_rules", extra={"facts": {"shop": shop.id, "why": str(error)}})
        return None
