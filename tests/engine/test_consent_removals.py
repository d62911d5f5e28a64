"""Does the ledger stay whole when old rows go lawfully, and is every other deletion still found? (C-15)"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rekindle.engine.audit_log import kept_heads
from rekindle.engine.consent_anchors import LAG, LEDGER, Checked, check_ledger, keep_anchor
from rekindle.engine.consent_removals import take_old_consents
from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.privacy.record import record_whole_shop
from rekindle.engine.privacy.shopify import KIND, erase_whole_shops
from rekindle.engine.retention import keep_in_bounds
from rekindle.lib.clock import MovableClock
from rekindle.policy.chain import GENESIS
from rekindle.policy.consent_removal import REMOVALS
from rekindle.store.buckets import address_bucket, buckets_of
from rekindle.store.consent_anchors import all_removals
from rekindle.store.database import Connection
from rekindle.store.retention import take_old
from rekindle.terms.consent import ConsentKind
from rekindle.terms.retention import KEPT, DataClass
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

from ..event_factory import identified, tell
from ..factories import make_shop

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
KEPT_DAYS = KEPT[DataClass.CONSENTS].days


class Ledger:
    """Six addresses said yes in the first hour; the even ones say no a year later, and one more comes."""

    def __init__(self, connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings) -> None:
        self.connection, self.context, self.clock, self.shop = connection, context, clock, shop
        for table in ("consents", "consent_anchors", "consent_removals"):
            connection.execute(f"DELETE FROM {table}")  # type: ignore[arg-type]
        for number in range(6):
            self.say(number, ConsentKind.EXPRESS)
            self.seal(HOUR if number == 2 else LAG)
        clock.advance(365 * DAY)
        for number in (0, 2, 4):
            self.say(number, ConsentKind.WITHDRAWN)
        self.say(7, ConsentKind.EXPRESS)
        self.seal(HOUR)

    def say(self, number: int, kind: ConsentKind) -> None:
        digest = self.context.address_hash(self.shop.id, "email", f"shopper-{number}@example.com")
        record_consent(
            self.connection, self.context, self.shop, bucket=address_bucket(self.shop, digest), channel=Channel.EMAIL,
            address_hash=digest, kind=kind, wording="v1", source="form", evidence={}, at=self.clock.now(),
        )  # fmt: skip

    def seal(self, later: timedelta) -> None:
        self.clock.advance(later)
        keep_anchor(self.connection, self.context)

    def check(self) -> Checked:
        kept = (kept_heads(self.context.heads_file, name) for name in (LEDGER, REMOVALS))
        return check_ledger(self.connection, self.context, *kept)

    def take(self, days: int) -> int:
        return take_old_consents(self.connection, self.context, self.shop, self.clock.now() - days * DAY)

    def as_superuser(self, statement: str) -> None:
        self.connection.execute("SET session_replication_role = replica")
        self.connection.execute(statement)  # type: ignore[arg-type]
        self.connection.execute("RESET session_replication_role")


@pytest.fixture
def ledger(connection: Connection, context: Context, clock: MovableClock, spread: int, tmp_path: Path) -> Ledger:
    own = replace(context, heads_file=tmp_path / "heads.jsonl")
    return Ledger(connection, own, clock, make_shop(connection, spread=min(spread, 8)))


def test_what_the_retention_deletes_is_no_fault(ledger: Ledger) -> None:
    assert ledger.check() == Checked(10, 7, 7, ())
    ledger.clock.advance(KEPT_DAYS * DAY - 300 * DAY)
    (taken,) = [one for one in keep_in_bounds(ledger.connection, ledger.context) if one.data_class == "consents"]
    assert taken.row_count == 3, "those that said nothing for so long"
    assert ledger.check() == Checked(7, 4, 7, ())
    (removal,) = all_removals(ledger.connection)
    assert (removal.row_count, removal.previous_hash, removal.shop_id) == (3, GENESIS, ledger.shop.id)
    assert [(span.gone, span.row_count) for span in removal.spans] == [(1, 0), (1, 0), (1, 0)]
    assert kept_heads(ledger.context.heads_file, REMOVALS) == {1: removal.own_hash}
    assert ledger.take(KEPT_DAYS) == 0, "nothing goes, nothing is said"
    ledger.clock.advance(400 * DAY)
    assert ledger.take(KEPT_DAYS) == 7
    assert ledger.check() == Checked(0, 0, 7, ())
    assert [one.row_count for one in all_removals(ledger.connection)] == [3, 7]


def test_rows_that_no_anchor_sealed_may_go_too_and_the_next_one_does_not_miss_them(ledger: Ledger) -> None:
    ledger.say(8, ConsentKind.EXPRESS)
    ledger.clock.advance(timedelta(seconds=1))
    ledger.seal(timedelta(0))
    assert ledger.take(0) == 11
    assert sum(span.gone for span in all_removals(ledger.connection)[0].spans) == 10
    ledger.seal(HOUR)
    assert ledger.check() == Checked(0, 0, 7, ())


@pytest.mark.parametrize("first", ["the run", "the thief"])
def test_what_anybody_else_deletes_is_found_before_and_after_the_run(ledger: Ledger, first: str) -> None:
    """The thief takes a whole chain whose row lies in a span from which the run takes another."""
    connection = ledger.connection
    ledger.say(9, ConsentKind.EXPRESS)
    ledger.say(10, ConsentKind.EXPRESS)
    ledger.seal(HOUR)
    ledger.clock.advance(100 * DAY)
    ledger.say(10, ConsentKind.WITHDRAWN)
    ledger.seal(HOUR)
    assert ledger.check().faults == ()
    victim = ledger.context.address_hash(ledger.shop.id, "email", "shopper-10@example.com").hex()
    theft = f"DELETE FROM consents WHERE address_hash = '\\x{victim}'"
    if first == "the thief":
        ledger.as_superuser(theft)
    assert ledger.take(50) == 11
    if first == "the run":
        assert ledger.check().faults == ()
        ledger.as_superuser(theft)
    faults = ledger.check().faults
    assert len(faults) == 2, "both spans in which the address spoke"
    assert all("rows were sealed" in fault for fault in faults)
    assert connection.execute("SELECT count(*) FROM consents").fetchone() == (0,)


@pytest.mark.parametrize("forgery", ["invented", "stretched", "copied", "cut", "changed"])
def test_a_forged_removal_covers_nothing(ledger: Ledger, forgery: str) -> None:
    """Whoever owns the database writes removals as they like, but has no key."""
    ledger.clock.advance((KEPT_DAYS - 300) * DAY)
    assert ledger.take(KEPT_DAYS) == 3
    assert ledger.check().faults == ()
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of nothing
    spans = ", ".join(f'[{seq}, 1, 0, "{digest}"]' for seq in range(1, 8))
    ledger.as_superuser("DELETE FROM consents") if forgery != "cut" else None
    columns = "at, shop_id, before, row_count"
    match forgery:
        case "invented":
            ledger.as_superuser(
                f"INSERT INTO consent_removals (seq, {columns}, spans, previous_hash, own_hash)"
                f" SELECT 2, {columns}, '[{spans}]', own_hash, sha256(own_hash) FROM consent_removals"
            )
        case "stretched":
            ledger.as_superuser(f"UPDATE consent_removals SET spans = '[{spans}]', row_count = 10")
        case "copied":
            ledger.as_superuser(
                f"INSERT INTO consent_removals (seq, {columns}, spans, previous_hash, own_hash)"
                f" SELECT 2, {columns}, '[{spans}]', previous_hash, own_hash FROM consent_removals"
            )
        case "cut":
            ledger.as_superuser("DELETE FROM consent_removals")
        case "changed":
            ledger.as_superuser("UPDATE consent_removals SET spans = '{\"a\": 2}'")
    faults = ledger.check().faults
    assert any(fault.startswith("removals: ") for fault in faults), faults
    assert sum("rows were sealed" in fault for fault in faults) >= 3, faults


def test_a_deletion_without_its_seal_cannot_happen(ledger: Ledger) -> None:
    """The rows and the word about them are one transaction, and no other way deletes them."""
    with pytest.raises(ValueError, match="removal"):
        take_old(ledger.connection, buckets_of(ledger.shop)[0], ledger.shop.id, DataClass.CONSENTS, ledger.clock.now())
    ledger.connection.execute("ALTER TABLE consent_removals RENAME TO elsewhere")
    try:
        with pytest.raises(Exception, match="consent_removals"):
            ledger.take(0)
    finally:
        ledger.connection.execute("ALTER TABLE elsewhere RENAME TO consent_removals")
    assert ledger.check() == Checked(10, 7, 7, ())


def test_a_shop_that_left_is_erased_and_its_ledger_is_whole(ledger: Ledger) -> None:
    tell(
        ledger.connection, ledger.context, ledger.shop, identified(at=ledger.clock.now(), email="shopper-1@example.com")
    )
    record_whole_shop(ledger.connection, ledger.context, ledger.shop, source=KIND, key="left")
    assert erase_whole_shops(ledger.connection, ledger.context) == 1
    found = ledger.connection.execute("SELECT count(*) FROM consents WHERE evidence ? 'redacted'").fetchone()
    assert found is not None
    assert found[0] >= 1
    assert ledger.check().faults == ()
