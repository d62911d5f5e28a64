"""Does an audit find nothing in a month of the real engine, and each kind of violation once it is planted?

``REKINDLE_AUDIT_CARTS`` makes the month larger: `make audit-month` lets 100,000 carts of twelve countries go by.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest

from rekindle.commands.audit import as_json, as_text
from rekindle.engine.audit import CHECKS, Report, audit
from rekindle.engine.audit_log import note
from rekindle.engine.consent_anchors import keep_anchor
from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.lib.ids import timed_id
from rekindle.store.buckets import address_bucket
from rekindle.store.database import Connection, connect
from rekindle.store.shops import load_shop
from rekindle.terms.consent import ConsentKind
from rekindle.terms.log_entry import Deed
from rekindle.terms.send import Channel

from .month import BEGIN, Month

CARTS = int(os.environ.get("REKINDLE_AUDIT_CARTS", "0"))
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOTHING = timedelta(0)


class Sent(NamedTuple):
    """A message that went, with what belongs to it."""

    bucket: int
    id: UUID
    shop_id: int
    shopper_id: UUID
    enrolment_id: UUID
    cart_id: UUID
    contact_point_id: UUID
    channel: str
    at: Any


class Planter:
    """Breaks a promise behind the engine's back, each time on messages that nothing else was done to."""

    def __init__(self, connection: Connection, context: Context, clock: MovableClock) -> None:
        self.connection, self.context, self.clock = connection, context, clock
        self.used: set[UUID] = set()

    def sent(self, where: str = "true") -> Sent:
        return self.pair(where, "true")[0]

    def pair(self, first: str, second: str) -> tuple[Sent, Sent]:
        """Two messages of one bucket, `a` and `b` (the same one, when ``second`` asks for nothing)."""
        join = "b.id = a.id" if second == "true" else f"b.bucket = a.bucket AND b.id <> a.id AND {second}"
        found = self.run(
            "WITH went AS (SELECT s.bucket, s.id, s.shop_id, s.shopper_id, s.enrolment_id, s.cart_id, s.contact_point_id,"
            " s.channel, v.at FROM sends s JOIN send_events v ON v.bucket = s.bucket AND v.send_id = s.id"
            " WHERE v.kind = 'handed_over' AND NOT s.id = ANY(%(used)s))"
            f" SELECT a.*, b.* FROM went a JOIN went b ON {join} WHERE {first} ORDER BY a.id, b.id LIMIT 1",
            used=list(self.used),
        ).fetchall()
        assert found, f"no message to plant {first} {second} on"
        a, b = Sent(*found[0][:9]), Sent(*found[0][9:])
        self.used |= {a.id, b.id}
        return a, b

    def run(self, statement: str, **values: Any) -> Any:
        return self.connection.execute(statement, values)  # type: ignore[arg-type]

    def change(self, table: str, bucket: int, key: UUID, change: str, **values: Any) -> None:
        done = self.run(f"UPDATE {table} SET {change} WHERE bucket = %(b)s AND id = %(k)s", b=bucket, k=key, **values)
        assert done.rowcount == 1

    def move(self, one: Sent, at: Any) -> None:
        """Let a message have been decided, and have gone, at another time."""
        self.run(
            "UPDATE send_events SET at = %(at)s, detail = detail || jsonb_build_object('started_at', %(text)s::text)"
            " WHERE bucket = %(b)s AND send_id = %(k)s AND kind = 'handed_over'",
            at=at, text=at.isoformat(), b=one.bucket, k=one.id,
        )  # fmt: skip
        self.run("UPDATE decisions SET at = %(at)s WHERE bucket = %(b)s AND send_id = %(k)s AND outcome = 'allow'", at=at, b=one.bucket, k=one.id)  # fmt: skip

    # --- one for each promise; each returns the id that the audit must name

    def purchased(self) -> object:
        one = self.sent()
        self.run(
            "INSERT INTO orders (bucket, id, shop_id, order_key, state, currency, total_cents, refunded_cents, ordered_at,"
            " received_at, cart_bucket, cart_id, shopper_bucket, shopper_id, matched_by, coupons, items, facts)"
            " VALUES (%(b)s, %(k)s, %(shop)s, 'planted', 'completed', 'EUR', 1, 0, %(at)s, %(at)s, %(b)s, %(cart)s, %(b)s,"
            " %(who)s, '', '[]', '[]', '{}')",
            b=one.bucket, k=uuid4(), shop=one.shop_id, at=one.at - MINUTE, cart=one.cart_id, who=one.shopper_id,
        )  # fmt: skip
        return one.id

    def opted_out(self) -> object:
        one = self.sent("a.channel = 'email'")
        shop = load_shop(self.connection, one.shop_id)
        row = self.run("SELECT address_hash FROM contact_points WHERE id = %(k)s", k=one.contact_point_id).fetchone()
        assert shop is not None
        now = self.clock.now()
        self.clock.set(one.at - MINUTE)
        record_consent(
            self.connection, self.context, shop, bucket=address_bucket(shop, bytes(row[0])), channel=Channel.EMAIL,
            address_hash=bytes(row[0]), kind=ConsentKind.WITHDRAWN, wording="", source="planted", evidence={},
            at=self.clock.now(),
        )  # fmt: skip
        self.clock.set(now)
        return one.id

    def erased(self) -> object:
        one = self.sent()
        self.change("shoppers", one.bucket, one.shopper_id, "erased_at = %(at)s", at=one.at - MINUTE)
        return one.id

    def suppressed(self) -> object:
        one = self.sent()
        self.run(
            "INSERT INTO suppressions (bucket, shop_id, channel, address_hash, reason, at, source)"
            " SELECT %(b)s, shop_id, channel, address_hash, 'manual', %(at)s, 'planted' FROM contact_points"
            " WHERE bucket = %(b)s AND id = %(k)s",
            b=one.bucket, k=one.contact_point_id, at=one.at - MINUTE,
        )  # fmt: skip
        return one.id

    def held_out(self) -> object:
        one = self.sent()
        self.change("enrolments", one.bucket, one.enrolment_id, "arm = 'holdout'")
        return one.id

    def decided(self) -> object:
        one = self.sent()
        self.run("DELETE FROM decisions WHERE bucket = %(b)s AND send_id = %(k)s", b=one.bucket, k=one.id)
        return one.id

    def basis(self) -> object:
        return self._evidence("evidence - 'basis'", self.sent())

    def lint(self) -> object:
        return self._evidence("""evidence || '{"lint": "failed"}'""", self.sent())

    def hours(self) -> object:
        return self._evidence(
            """evidence || '{"zones": ["Pacific/Auckland", "America/New_York"]}'""", self.sent("a.channel = 'sms'")
        )

    def _evidence(self, change: str, one: Sent) -> object:
        done = self.run(
            f"UPDATE decisions SET evidence = {change} WHERE bucket = %(b)s AND send_id = %(k)s AND outcome = 'allow'",
            b=one.bucket, k=one.id,
        )  # fmt: skip
        assert done.rowcount >= 1  # allowed, stopped by the second look, and allowed again
        return one.id

    def caps(self) -> object:
        first, second = self.pair(
            "a.channel = 'email' AND a.at < b.at", "b.channel = 'email' AND b.shopper_id = a.shopper_id"
        )
        self.move(second, first.at + 2 * HOUR)
        return second.id

    def gap(self) -> object:
        first, second = self.pair(
            "a.channel = 'sms' AND a.at < b.at", "b.channel = 'email' AND b.shopper_id = a.shopper_id"
        )
        self.move(second, first.at + 10 * MINUTE)
        return second.id

    def age(self) -> object:
        one = self.sent()
        self.change("enrolments", one.bucket, one.enrolment_id, "abandoned_at = %(at)s", at=one.at - MINUTE)
        return one.id

    def text_slot(self) -> object:
        first, second = self.pair(
            "a.channel = 'sms' AND a.at < b.at",
            "b.channel = 'sms' AND b.shopper_id <> a.shopper_id AND b.at < a.at + interval '48 hours'",
        )
        self.change("sends", second.bucket, second.id, "cart_id = %(cart)s", cart=first.cart_id)
        return second.id

    def once(self) -> object:
        one = self.sent()
        self.run(
            "INSERT INTO send_events (bucket, id, shop_id, send_id, kind, at, detail)"
            " VALUES (%(b)s, %(k)s, %(shop)s, %(send)s, 'handed_over', %(at)s, '{}')",
            b=one.bucket, k=timed_id(one.at + MINUTE, b"planted"), shop=one.shop_id, send=one.id, at=one.at + MINUTE,
        )  # fmt: skip
        return one.id

    def settled(self) -> object:
        one = self.sent()
        self.run(
            "INSERT INTO outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, lease_until,"
            " attempts, seed) VALUES (%(b)s, %(k)s, %(shop)s, %(who)s, %(run)s, 'email', 'sending', %(at)s, %(at)s, 0, '')",
            b=one.bucket, k=one.id, shop=one.shop_id, who=one.shopper_id, run=one.enrolment_id, at=one.at,
        )  # fmt: skip
        return one.id

    def log(self) -> object:
        with self.connection.transaction():
            note(self.connection, self.context, Deed(actor="ada", action="change_shop"))
            self.run("SET LOCAL session_replication_role = replica")
            self.run("UPDATE audit_log SET actor = 'somebody else'")
        return "row 1 was changed"

    def anchors(self) -> object:
        """The newest row of an address's ledger disappears after the ledger was sealed."""
        assert keep_anchor(self.connection, self.context)
        done = self.run(
            "DELETE FROM consents WHERE id = (SELECT id FROM consents ORDER BY recorded_at DESC, seq DESC LIMIT 1)"
        )
        assert done.rowcount == 1
        return ""

    def consents(self) -> object:
        row = self.run("SELECT bucket, id, shop_id FROM consents ORDER BY id LIMIT 1").fetchone()
        self.change("consents", row[0], row[1], "wording = 'something else'")
        return f"shop {row[2]} "


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


def told(label: str, work: Callable[[], Report]) -> Report:
    began = time.monotonic()
    report = work()
    print(f"--- {label}\n{as_text(report, time.monotonic() - began)}", flush=True)
    return report


def test_a_month_is_clean_and_each_violation_planted_in_it_is_found(
    link: Connection, fresh_dsn: str, context: Context, clock: MovableClock
) -> None:
    if CARTS:
        month = Month(link, fresh_dsn, context, clock, CARTS, tell=lambda line: print(line, flush=True))
    else:
        month = Month(link, fresh_dsn, context, clock, 120, days=4, tick=2 * HOUR)
    began = time.monotonic()
    month.pass_by()
    print(f"{month.carts} carts took {time.monotonic() - began:.0f} s: {dict(month.done)}", flush=True)
    assert month.done["taken"] > month.carts / 2

    clean = told("the month as it was", lambda: audit(link, context, since=BEGIN, slack=NOTHING))
    assert clean.holds
    assert sum(check.unjudged for check in clean.checks) == 0

    planter = Planter(link, context, clock)
    planted = {name: getattr(planter, name.replace("-", "_"))() for name in CHECKS}
    found = told("one of each kind planted", lambda: audit(link, context, since=BEGIN, slack=NOTHING))
    for check in found.checks:
        named = [one for one in check.ids if one.startswith(str(planted[check.name]))]
        assert check.broken >= 1, check
        assert named or check.broken > len(check.ids), f"{check} does not name {planted[check.name]}"
    assert not found.holds
    assert json.loads(as_json(found))["holds"] is False
