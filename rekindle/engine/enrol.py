"""Which flow does each newly idle cart enter? The part of `abandon` that reaches into the shoppers' buckets.

Shoppers are locked before their history is read, so that two workers (or an order) never decide about one shopper at
the same time: one running flow per shopper, and none after a purchase.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.lib.ids import epoch_ms, timed_hex
from rekindle.policy.abandonment import Finding, IdleRules
from rekindle.policy.assignment import assign
from rekindle.policy.enrolling import ActiveFlow, Candidate, Entry, enrolling, flows_between, span
from rekindle.policy.entry import PLAIN_FACTS, Facts, facts_of
from rekindle.store import abandon as store
from rekindle.store.abandon import ClaimedCart, LockedShopper, NewEnrolment
from rekindle.store.changed_hours import note_changed_hours
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow
from rekindle.terms.cart import Stage
from rekindle.terms.decision import Question, Verdict, allow, deny
from rekindle.terms.flow import Field
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Arm
from rekindle.terms.shop import ShopSettings


class Place(NamedTuple):
    """What carts of one shop and stage have in common."""

    shop: ShopSettings
    stage: Stage
    rules: IdleRules


@dataclass(slots=True)
class Found:
    """One look at a cart. ``is_again``: the cart was abandoned already; ``place`` None: nobody knows the shop."""

    cart: ClaimedCart
    place: Place | None
    finding: Finding
    is_again: bool

    def evidence(self) -> dict[str, object]:
        """What a person, and the hourly sums, want to know of the cart at this moment."""
        facts: dict[str, object] = {"stage": self.cart.stage, "total_cents": self.cart.total_cents}
        if self.cart.currency:
            facts["currency"] = self.cart.currency
        if self.is_again:
            facts["again"] = True
        return facts


class Batch(NamedTuple):
    """One batch of one bucket, decided at one instant."""

    connection: Connection
    context: Context
    books: Books
    bucket: int
    now: datetime


class _Case(NamedTuple):
    """A look that some flows may take, with those flows."""

    look: Found
    place: Place
    flows: tuple[ActiveFlow, ...]


class _Outcome(NamedTuple):
    """What was decided about a case; ``run`` when it enters a flow, ``outranked`` what ends for it."""

    case: _Case
    verdict: Verdict
    run: NewEnrolment | None
    outranked: Sequence[Entry] = ()


def enrol(batch: Batch, looks: Sequence[Found]) -> tuple[list[DecisionRow], int]:
    """Decide about abandoned carts and add the runs; returns the decisions and the number of runs."""
    cases = _cases(batch.books, looks)
    people = _People(batch.connection, batch.books, cases)
    facts = _entry_facts(batch, cases, people)
    outcomes = [_outcome(batch, case, people, facts.get(case.look.cart.id, {})) for case in cases]
    outcomes = _without_repeats(batch.connection, outcomes)
    ended = _end_outranked(batch, outcomes)
    runs = [outcome.run for outcome in outcomes if outcome.run is not None]
    store.add_enrolments(batch.connection, runs, batch.now)
    _note_hours(batch, runs)
    decisions = [row for outcome in outcomes for row in _decided(batch, outcome)] + ended
    return decisions, sum(1 for outcome in outcomes if outcome.run is not None)


def _note_hours(batch: Batch, runs: Sequence[NewEnrolment]) -> None:
    """Runs count in the hour in which their cart was left, which may be long ago when the worker was away."""
    begun: dict[tuple[int, int], list[datetime]] = defaultdict(list)
    for run in runs:
        begun[run.bucket, run.shop_id].append(run.abandoned_at)
    for (bucket, shop_id), instants in sorted(begun.items()):
        note_changed_hours(batch.connection, bucket, shop_id, instants, now=batch.now)


def _cases(books: Books, looks: Sequence[Found]) -> list[_Case]:
    """Looks with the flows that each of them concerns; a later look that concerns none asks nothing."""
    chosen: dict[tuple[int, Stage, int, int], tuple[ActiveFlow, ...]] = {}
    cases = []
    for look in looks:
        place, finding = look.place, look.finding
        if place is None:
            continue
        shop, stage, rules = place
        passed = bisect_right(rules.idle_s, finding.until_s)
        key = (shop.id, stage, finding.from_s, passed)
        flows = chosen.get(key)
        if flows is None:
            flows = chosen[key] = flows_between(books.flows_of(shop.id), shop, stage, finding.from_s, finding.until_s)
        if flows or not look.is_again:
            cases.append(_Case(look, place, flows))
    return cases


class _People:
    """The shoppers of a batch: locked, with their earlier runs and the one that this batch may have added."""

    def __init__(self, connection: Connection, books: Books, cases: Sequence[_Case]) -> None:
        self.shoppers: dict[str, LockedShopper] = {}
        self.history: dict[str, list[Entry]] = {}
        self.added: dict[str, NewEnrolment] = {}
        by_bucket: dict[int, set[str]] = defaultdict(set)
        shops: dict[str, int] = {}
        for case in cases:
            cart = case.look.cart
            if case.flows and cart.shopper_id is not None and cart.shopper_bucket is not None:
                by_bucket[cart.shopper_bucket].add(cart.shopper_id)
                shops[cart.shopper_id] = case.place.shop.id
        for bucket in sorted(by_bucket):
            self.shoppers |= store.lock_shoppers(connection, bucket, by_bucket[bucket])
            for shopper_id, runs in store.enrolments_of_shoppers(connection, bucket, by_bucket[bucket]).items():
                shop_id = shops[shopper_id]
                self.history[shopper_id] = [
                    Entry(*run[1:], priority=books.priority_of(shop_id, run.flow_id) if run.is_running else None)
                    for run in runs
                ]

    def runs_of(self, shopper_id: str, now: datetime) -> Sequence[Entry]:
        earlier, added = self.history.get(shopper_id, ()), self.added.get(shopper_id)
        if added is None:
            return earlier
        return [*earlier, Entry(added.flow_id, added.cart_id, added.abandoned_at, now, is_running=True)]


def _entry_facts(batch: Batch, cases: Sequence[_Case], people: _People) -> Mapping[str, Facts]:
    """What the entry filters ask, by cart; nothing for shops without filters, items only where one looks at them."""
    asked = {shop_id: _getters(batch.books, shop_id) for shop_id in {case.look.cart.shop_id for case in cases}}
    facts: dict[str, Facts] = {}
    looking: list[_Case] = []
    for case in cases:
        cart = case.look.cart
        getters = asked[cart.shop_id]
        if getters is None:
            looking.append(case)
        elif case.flows and getters:
            shopper = people.shoppers.get(cart.shopper_id) if cart.shopper_id else None
            facts[cart.id] = {field: get(cart, shopper) for field, get in getters}
    return facts | _facts_with_items(batch, [case for case in looking if case.flows], people)


def _getters(
    books: Books, shop_id: int
) -> list[tuple[Field, Callable[[ClaimedCart, LockedShopper | None], object]]] | None:
    """How the facts are found that a shop's filters ask for; None when some of them lie in the carts' lines."""
    fields = books.entry_fields(shop_id)
    return [(field, PLAIN_FACTS[field]) for field in fields] if fields <= PLAIN_FACTS.keys() else None


def _facts_with_items(batch: Batch, cases: Sequence[_Case], people: _People) -> dict[str, Facts]:
    """All that entry filters can ask, for carts whose lines or behaviour are asked for."""
    ids = [case.look.cart.id for case in cases]
    stored = store.entry_filter_facts(batch.connection, batch.bucket, ids) if ids else {}
    facts: dict[str, Facts] = {}
    for case in cases:
        cart = case.look.cart
        items, cart_facts = stored.get(cart.id, ((), {}))
        shopper = people.shoppers.get(cart.shopper_id) if cart.shopper_id else None
        facts[cart.id] = facts_of(
            stage=cart.stage,
            currency=cart.currency,
            total_cents=cart.total_cents,
            items=items,
            cart_facts=cart_facts,
            country=shopper.country if shopper else "",
            locale=shopper.locale if shopper else "",
            order_count=shopper.order_count if shopper else None,
        )
    return facts


def _outcome(batch: Batch, case: _Case, people: _People, facts: Facts) -> _Outcome:
    cart = case.look.cart
    shopper = people.shoppers.get(cart.shopper_id) if cart.shopper_id is not None else None
    candidate = Candidate(
        cart.id,
        case.place.stage,
        cart.touched_at,
        shopper.id if shopper else None,
        shopper.last_order_at if shopper else None,
        shopper is not None and shopper.erased_at is not None,
        shopper is not None and shopper.objected_at is not None,
    )
    history = people.runs_of(shopper.id, batch.now) if shopper else ()
    answer = enrolling(candidate, shop=case.place.shop, flows=case.flows, history=history, facts=facts, now=batch.now)
    if answer.flow is None or answer.abandoned_at is None:
        return _Outcome(case, answer.verdict, None)
    run = _run(batch, case, answer.flow, answer.abandoned_at)
    people.added[run.shopper_id] = run
    return _Outcome(case, answer.verdict, run, answer.outranked)


def _run(batch: Batch, case: _Case, flow: ActiveFlow, abandoned_at: datetime) -> NewEnrolment:
    """The run that begins here: its arm is drawn now, before anyone knows whether the shopper can be reached."""
    cart, shop = case.look.cart, case.place.shop
    assert cart.shopper_id is not None and cart.shopper_bucket is not None  # noqa: PT018 (one fact)
    drawn = assign(batch.context.hash_key, shop.id, cart.shopper_id, shop.holdout_rate)
    milliseconds = epoch_ms(abandoned_at)
    return NewEnrolment(  # by place: in the order of the columns
        cart.shopper_bucket,
        timed_hex(milliseconds, f"{flow.id}:{cart.id}:{milliseconds}".encode()),
        shop.id,
        flow.id,
        flow.version_id,
        batch.bucket,
        cart.id,
        cart.shopper_id,
        drawn.arm,
        drawn.probability,
        flow.route.first,
        abandoned_at + span(flow.route.first_wait_s),
        abandoned_at,
    )


def _without_repeats(connection: Connection, outcomes: list[_Outcome]) -> list[_Outcome]:
    """Refuse runs that exist already: a cart that belonged to another shopper may have been here before."""
    by_bucket: dict[int, list[str]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.run is not None:
            by_bucket[outcome.run.bucket].append(outcome.run.id)
    known: set[str] = set()
    for bucket in sorted(by_bucket):
        known |= store.existing_enrolments(connection, bucket, by_bucket[bucket])
    if not known:
        return outcomes
    return [
        outcome._replace(verdict=deny(Reason.ALREADY_ENROLLED), run=None, outranked=())
        if outcome.run is not None and outcome.run.id in known
        else outcome
        for outcome in outcomes
    ]


def _end_outranked(batch: Batch, outcomes: Sequence[_Outcome]) -> list[DecisionRow]:
    """End the runs that give way to more important ones; what was decided about them."""
    flows: dict[tuple[int, str], str] = {}
    for outcome in outcomes:
        for entry in outcome.outranked:
            assert outcome.run is not None
            flows[outcome.run.bucket, entry.id] = str(outcome.verdict.evidence["flow"])
    decisions = []
    for bucket in sorted({bucket for bucket, _ in flows}):
        ids = sorted(run_id for home, run_id in flows if home == bucket)
        for ended in store.end_enrolments(batch.connection, bucket, ids, Reason.OUTRANKED.value, batch.now):
            decisions.append(
                DecisionRow(
                    bucket=bucket,
                    shop_id=ended.shop_id,
                    at=batch.now,
                    question=Question.EXIT,
                    verdict=deny(Reason.OUTRANKED, by=flows[bucket, str(ended.id)]),
                    cart_id=ended.cart_id,
                    shopper_id=ended.shopper_id,
                    enrolment_id=ended.id,
                    step=ended.step,
                )
            )
    return decisions


def _decided(batch: Batch, outcome: _Outcome) -> list[DecisionRow]:
    """The decision about the cart; for the held out also the draw, which is why they will get nothing."""
    case, verdict, run, _ = outcome
    cart = case.look.cart
    evidence = {**case.look.evidence(), **verdict.evidence}
    if run is not None:
        evidence["arm"] = run.arm
    row = DecisionRow(
        bucket=batch.bucket,
        shop_id=cart.shop_id,
        at=batch.now,
        question=Question.ABANDON,
        verdict=verdict,
        evidence=evidence,
        cart_id=cart.id,
        shopper_id=cart.shopper_id,
        enrolment_id=run.id if run else None,
    )
    if run is None or run.arm != Arm.HOLDOUT:
        return [row]
    draw = allow(Reason.ASSIGNED_HOLDOUT, probability=run.probability)
    return [row, replace(row, question=Question.ASSIGN, verdict=draw, evidence=None)]
