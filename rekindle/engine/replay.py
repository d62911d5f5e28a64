"""After a restore: who opted out or was erased since the backup? The journal's lines, carried out once more.

Each line is harmless to carry out twice, so the whole journal is replayed; then the gate opens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.forget import erase_place
from rekindle.engine.opt_out import opt_out_place
from rekindle.engine.places import AddressPlace
from rekindle.engine.restore_gate import open_gate
from rekindle.engine.tracking import Answer, answer_tracking, owners_of, record_tracking
from rekindle.engine.transactions import Work
from rekindle.lib.ids import natural_id
from rekindle.lib.journal import Counts, Journal
from rekindle.store.buckets import address_bucket
from rekindle.store.consents import Subject, owner_of_contact
from rekindle.store.database import Connection
from rekindle.store.shops import load_shop
from rekindle.store.subject import stop_sale
from rekindle.terms.consent import ConsentKind, Purpose
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

SOURCE = "restore"


@dataclass(slots=True)
class Replayed:
    """How many lines of each kind were carried out, and how many belong to no shop of this database."""

    by_kind: dict[str, int] = field(default_factory=dict)
    without_shop: int = 0
    counts: Counts = field(default_factory=Counts)


def replay(connection: Connection, context: Context, journal: Journal) -> Replayed:
    """Carry out every line, then open the gate. Raises JournalError, with the gate still closed."""
    done = Replayed()
    shops: dict[int, ShopSettings | None] = {}
    for facts in newest_of_each(journal.lines(done.counts)):
        shop_id = int(facts["shop"])
        if shop_id not in shops:
            shops[shop_id] = load_shop(connection, shop_id)
        shop = shops[shop_id]
        if shop is None:
            done.without_shop += 1
            continue
        _carry_out(connection, context, shop, facts)
        done.by_kind[facts["what"]] = done.by_kind.get(facts["what"], 0) + 1
    open_gate(connection, context, journal)
    return done


def newest_of_each(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One line for each address and kind, in the order in which they were last written."""
    last: dict[tuple[object, ...], Mapping[str, Any]] = {}
    for facts in lines:
        key = (facts["shop"], facts["channel"], facts["hash"], facts["what"])
        last.pop(key, None)
        last[key] = facts
    return list(last.values())


def _carry_out(connection: Connection, context: Context, shop: ShopSettings, facts: Mapping[str, Any]) -> None:
    digest, at = bytes.fromhex(facts["hash"]), datetime.fromisoformat(facts["at"])
    channel = facts["channel"]
    bucket = address_bucket(shop, digest)
    if channel not in list(Channel):  # another purpose that was refused
        _refuse(connection, context, shop, Subject(shop.id, channel, digest), at)
        return
    contact_id: UUID = natural_id("contact", shop.id, f"{channel}:{digest.hex()}")
    place = AddressPlace(bucket, contact_id, Channel(channel), digest, "")
    if facts["what"] == "erased":
        erase_place(connection, context, shop, place, source=SOURCE)
    elif facts["what"] == "no_sale":
        owner = owner_of_contact(connection, bucket, contact_id)
        if owner is not None:
            stop_sale(connection, *owner)
    else:
        opt_out_place(Work(connection, shop), context, shop, place, source=SOURCE, at=at)


def _refuse(connection: Connection, context: Context, shop: ShopSettings, refused: Subject, at: datetime) -> None:
    """A purpose that is no channel was refused for an address."""
    digest = refused.address_hash
    if refused.channel == Purpose.TRACK_CLICKS:
        no = Answer(False, "", SOURCE, {}, at)
        for owner in owners_of(connection, shop, digest):
            answer_tracking(Work(connection, shop), context, shop, owner, no)
        record_tracking(connection, context, shop, digest, no)
        return
    record_consent(
        connection, context, shop, bucket=address_bucket(shop, digest), channel=Purpose(refused.channel),
        address_hash=digest, kind=ConsentKind.WITHDRAWN, wording="", source=SOURCE, evidence={}, at=at,
    )  # fmt: skip
