"""What lies there before a provider reports: a shop, a shopper with an address and a number, a message sent to each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rekindle.engine.context import Context
from rekindle.engine.places import address_place
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.send import Channel
from rekindle.terms.send_reference import SendReference
from rekindle.terms.shop import ShopSettings
from tests.engine.scene import Placed, insert, rows
from tests.providers.signed_reports import Account, Told
from tests.web.sent import SEED, Sent

from .hooked import put_account

PHONE = "+4915112345678"


@dataclass
class World:
    connection: Connection
    context: Context
    clock: MovableClock
    shop: ShopSettings
    shopper: Placed
    sent: dict[str, Sent]

    def account(self, kind: str, **given: Any) -> Account:
        return put_account(self.connection, self.context, self.shop, kind, **given)

    def told(self, account: Account, what: str, **given: Any) -> Told:
        sms = account.kind in {"twilio", "vonage"}
        sent = self.sent["sms" if sms else "email"]
        facts = {"send": str(SendReference(sent.bucket, sent.id)), "at": self.now}
        facts |= {"address": PHONE if sms else "ada@example.com"}
        return Told(what, **(facts | given))

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def events(self, channel: str = "email") -> list[str]:
        query = "SELECT kind FROM send_events WHERE bucket = %s AND send_id = %s ORDER BY kind"
        sent = self.sent[channel]
        return [str(row["kind"]) for row in rows(self.connection, query, sent.bucket, sent.id)]

    @property
    def suppressed(self) -> list[tuple[object, object]]:
        found = rows(
            self.connection, "SELECT DISTINCT channel, reason FROM suppressions WHERE shop_id = %s", self.shop.id
        )
        return sorted((row["channel"], row["reason"]) for row in found)

    @property
    def consents(self) -> dict[str, object]:
        query = "SELECT channel, consent FROM contact_points WHERE shop_id = %s AND bucket = %s"
        return {
            str(row["channel"]): row["consent"]
            for row in rows(self.connection, query, self.shop.id, self.shopper.bucket)
        }

    @property
    def state(self) -> list[Any]:
        """Everything that a refused report would change."""
        tables = (
            "contact_points",
            "suppressions",
            "consents",
            "outbox",
            "send_events",
            "seen_tokens",
            "strange_reports",
        )
        return [rows(self.connection, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]


def put_phone(
    connection: Connection, context: Context, shop: ShopSettings, shopper: Placed, phone: str = PHONE
) -> None:
    """A number of the shopper: in its own bucket and a copy in the shopper's."""
    place = address_place(context, shop, Channel.SMS, phone)
    for bucket in {place.bucket, shopper.bucket}:
        insert(
            connection,
            "contact_points",
            {
                "bucket": bucket, "id": place.id, "shop_id": shop.id, "shopper_bucket": shopper.bucket,
                "shopper_id": shopper.id, "channel": "sms", "address": phone, "address_hash": place.hash,
                "consent": "express", "consent_at": context.clock.now(), "consent_wording": "carts",
                "created_at": context.clock.now(),
            },
        )  # fmt: skip


def put_waiting(world: World, channel: str = "email", state: str = "scheduled") -> None:
    sent = world.sent[channel]
    uncertain_at = world.now if state == "uncertain" else None
    world.connection.execute(
        "INSERT INTO outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, attempts, seed,"
        " uncertain_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 0, %s, %s)",
        [sent.bucket, sent.id, world.shop.id, world.shopper.id, sent.id, channel, state, world.now, SEED, uncertain_at],
    )
