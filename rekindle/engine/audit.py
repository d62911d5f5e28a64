"""Was every promise about sending kept? Asked anew of the live database, over everything that went since an instant.

Nothing is written, and nothing that decides sends is asked: what lies in the tables is judged by statements of their
own (store/sql/audit_sends.sql) and by ``policy.recheck``. Ids are named, people are not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from rekindle.engine.audit_log import fault_of_log, kept_heads
from rekindle.engine.consent_anchors import LEDGER as ANCHORS
from rekindle.engine.consent_anchors import check_ledger
from rekindle.engine.consents import ledger_key, with_bytes
from rekindle.engine.context import Context
from rekindle.engine.law import laws
from rekindle.lib.ids import floor_id
from rekindle.policy.consent_chain import ConsentRow, first_fault
from rekindle.policy.consent_removal import REMOVALS
from rekindle.policy.recheck import Broken, Went, broken
from rekindle.policy.regions import rules_of, tightened
from rekindle.store import audit as store
from rekindle.store.audit import Counted, Span
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.shops import all_shops
from rekindle.terms.limits import LimitsError, SendLimits, parse_limits
from rekindle.terms.policy_pack import Rules
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

#: Between two text messages about one cart (carriers' rules for cart reminders).
TEXTS_APART = timedelta(hours=48)
#: A lease that ended so long ago is one that no worker looks after.
PATIENCE = timedelta(minutes=10)
#: From the start of a request that says stop to its answer at most; a call that began meanwhile may have begun first.
SLACK = timedelta(seconds=10)
#: Bounces and complaints bear the provider's time, and may reach us so much later.
REPORT_DELAY = timedelta(hours=24)
_SAMPLES = 5

CHECKS: Mapping[str, str] = {
    "purchased": "Nothing went after an order of the cart or its shopper was accepted.",
    "opted-out": "Nothing went to an address after its no was written down.",
    "erased": "Nothing went to a shopper who was erased.",
    "suppressed": "Nothing went to a suppressed address.",
    "held-out": "Nothing went to a shopper of the holdout.",
    "decided": "A stored decision allowed each message before it went.",
    "basis": "That decision names the pack, its regions and a legal basis in each of them.",
    "lint": "No message went whose content had not passed its check.",
    "hours": "Nothing was allowed outside its hours, in any time zone the shopper may be in.",
    "caps": "Nothing went beyond the caps per cart, 24 hours and 7 days.",
    "gap": "Nothing went too soon after a message on another channel.",
    "age": "Nothing went about a cart that was too young or too old.",
    "text-slot": "No cart had a second text message within 48 hours.",
    "once": "No step of a run was written twice.",
    "settled": "No message is left on its way without a worker.",
    "consents": "The ledger of consents is whole.",
    "anchors": "The ledger of consents holds everything that was sealed, and goes on from the heads kept outside.",
    "log": "The log of what people did is whole, and goes on from the heads that were kept outside.",
}
_JUDGED = {
    "undecided": "decided",
    "baseless": "basis",
    "unlinted": "lint",
    "held_out": "held-out",
    "erased": "erased",
    "suppressed": "suppressed",
}


@dataclass(slots=True)
class Check:
    """One promise: how many things were looked at, how many broke it, some of their ids; ``unjudged``: those that the
    installed rules cannot judge, because other rules decided them."""

    name: str
    looked_at: int = 0
    broken: int = 0
    ids: list[str] = field(default_factory=list)
    unjudged: int = 0

    @property
    def sentence(self) -> str:
        return CHECKS[self.name]

    def add(self, looked_at: int, number: int, ids: Iterable[object] = ()) -> None:
        self.looked_at += looked_at
        self.broken += number
        self.ids = (self.ids + [str(one) for one in ids])[:_SAMPLES]

    def count(self, counted: Counted) -> None:
        self.add(*counted)


class Report(NamedTuple):
    """What an audit found."""

    at: datetime
    since: datetime
    checks: list[Check]

    @property
    def holds(self) -> bool:
        return not any(check.broken for check in self.checks)


def audit(connection: Connection, context: Context, *, since: datetime, slack: timedelta = SLACK) -> Report:
    """Judge everything that went since an instant. Raises psycopg.Error when the database cannot be read."""
    now = context.clock.now()
    span = Span(since=since, since_id=floor_id(since), slack=slack, report_delay=REPORT_DELAY)
    case = _Case(connection, context, span, {shop.id: shop for shop in all_shops(connection)})
    buckets = sorted({bucket for shop in case.shops.values() for bucket in buckets_of(shop)})
    for bucket in store.buckets_to_audit(connection, buckets, span):
        with store.reading(connection):
            case.look_at(bucket, now)
    count, fault = fault_of_log(connection, context, kept_heads(context.heads_file))
    case.checks["log"].add(count, int(fault is not None), [fault] if fault else [])
    heads = (kept_heads(context.heads_file, chain) for chain in (ANCHORS, REMOVALS))
    ledger = check_ledger(connection, context, *heads)
    case.checks["anchors"].add(ledger.anchors, len(ledger.faults), list(ledger.faults))
    return Report(now, since, list(case.checks.values()))


class _Case:
    """An audit under way."""

    def __init__(self, connection: Connection, context: Context, span: Span, shops: Mapping[int, ShopSettings]) -> None:
        self.shops = shops
        self.checks = {name: Check(name) for name in CHECKS}
        self._connection, self._context, self._span = connection, context, span
        self._laws: dict[tuple[int, tuple[str, ...], Channel], tuple[Rules, SendLimits, int]] = {}

    def look_at(self, bucket: int, now: datetime) -> None:
        link, span, checks = self._connection, self._span, self.checks
        for name, counted in store.judge_went(link, bucket, span).items():
            checks[_JUDGED[name]].count(counted)
        self._orders(bucket)
        self._withdrawals(bucket)
        checks["once"].count(store.sent_twice(link, bucket, span))
        checks["text-slot"].count(store.crowded_texts(link, bucket, span, TEXTS_APART))
        checks["settled"].count(store.stuck_sends(link, bucket, now, PATIENCE))
        self._letters(bucket)
        self._ledger(bucket)

    def _orders(self, bucket: int) -> None:
        for orders in store.orders_to_keep(self._connection, bucket, self._span):
            self.checks["purchased"].add(len(orders), 0)
            rows: dict[int, list[dict[str, object]]] = defaultdict(list)
            for one in orders:
                quiet_until = one.ordered_at + timedelta(seconds=self._limits(one.shop_id).purchase_cool_off_s)
                rows[one.shopper_bucket].append(
                    {
                        "shopper_id": str(one.shopper_id),
                        "ordered_at": one.ordered_at.isoformat(),
                        "received_at": one.received_at.isoformat(),
                        "quiet_until": quiet_until.isoformat(),
                    }
                )
            self._sent_after("purchased", store.sent_after_orders, rows)

    def _withdrawals(self, bucket: int) -> None:
        for said in store.withdrawals(self._connection, bucket):
            self.checks["opted-out"].add(len(said), 0)
            rows: dict[int, list[dict[str, object]]] = defaultdict(list)
            for one in said:
                rows[one.shopper_bucket].append(
                    {
                        "contact_point_id": str(one.contact_point_id),
                        "from_at": one.from_at.isoformat(),
                        "until_at": one.until_at.isoformat() if one.until_at else None,
                    }
                )
            self._sent_after("opted-out", store.sent_after_withdrawals, rows)

    def _sent_after(
        self, check: str, find: Callable[..., list[UUID]], rows: Mapping[int, list[dict[str, object]]]
    ) -> None:
        for bucket, told in sorted(rows.items()):
            sent = find(self._connection, bucket, self._span, told)
            self.checks[check].add(0, len(sent), sent)

    def _letters(self, bucket: int) -> None:
        checks = [self.checks[one.value] for one in Broken]
        rows = store.letters_by_shopper(self._connection, bucket, self._span)
        for _, group in groupby(rows, key=lambda row: row["shopper_id"]):
            letters = [_went(row) for row in group]
            found, unjudged = broken(letters, self._law_of)
            for check in checks:
                check.looked_at += len(letters)
                check.unjudged += unjudged
            for one, what in found:
                self.checks[what.value].add(0, 1, [one.send_id])

    def _ledger(self, bucket: int) -> None:
        key, check = ledger_key(self._context), self.checks["consents"]
        for subject, rows in groupby(store.ledger(self._connection, bucket), key=_subject):
            chain = [with_bytes(row) for row in rows]
            fault = first_fault(key, chain)
            check.add(len(chain), int(fault is not None), [f"{_short(subject)}: {fault}"] if fault else [])

    def _law_of(self, one: Went) -> tuple[Rules, SendLimits, int] | None:
        """Rules of the regions that the decision names, with the shop's limits; None when other rules decided."""
        shop = self.shops.get(one.shop_id)
        pack = laws().pack_of(shop) if shop else None
        if shop is None or pack is None or any(region not in pack.regions for region in one.regions):
            return None
        key = (one.shop_id, one.regions, one.channel)
        law = self._laws.get(key)
        if law is None:
            rules = rules_of(pack, one.regions, one.channel)
            limits = tightened(self._limits(one.shop_id), rules, one.channel)
            law = self._laws[key] = (rules, limits, shop.max_cart_age_days)
        return law if law[0].pack == one.pack else None

    def _limits(self, shop_id: int) -> SendLimits:
        shop = self.shops.get(shop_id)
        try:
            return parse_limits(shop.limits if shop else None)
        except LimitsError:
            return parse_limits(None)  # with limits that mean nothing the shop sends nothing


def _went(row: Mapping[str, Any]) -> Went:
    zones = row["zones"]
    return Went(
        send_id=row["send_id"],
        shop_id=row["shop_id"],
        channel=Channel(row["channel"]),
        cart_id=row["cart_id"],
        enrolment_id=row["enrolment_id"],
        abandoned_at=row["abandoned_at"],
        decided_at=row["decided_at"],
        went_at=row["went_at"],
        pack=row["pack"] or "",
        regions=tuple(row["regions"] or ()),
        zones=tuple(zones) if zones is not None else None,
        holidays=frozenset(date.fromisoformat(day) for day in row["holidays"] or ()),
    )


def _subject(row: ConsentRow) -> tuple[int, str, bytes]:
    return row.shop_id, row.channel, bytes(row.address_hash)


def _short(subject: tuple[int, str, bytes]) -> str:
    shop_id, channel, digest = subject
    return f"shop {shop_id} {channel} {digest.hex()[:12]}"
