"""Does what is too old go, and nothing else? By partition where all shops are done with it, row by row where one is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rekindle.commands import retention as command
from rekindle.commands.cli import parser_of
from rekindle.engine.configure import change_shop
from rekindle.engine.context import Context
from rekindle.engine.retention import days_of, keep_in_bounds, would_take
from rekindle.lib.clock import MovableClock
from rekindle.lib.operator_error import OperatorError
from rekindle.store.database import Connection, connect
from rekindle.store.partitions import ensure_partitions
from rekindle.store.retention import report
from rekindle.store.shops import load_shop
from rekindle.terms.retention import KEPT, DataClass, RetentionError, parse_retention
from rekindle.terms.shop import ShopSettings

from ...event_factory import added, item, tell
from ...factories import make_shop
from ..journey import Journey
from .story import live_through

DAY = timedelta(days=1)


@pytest.fixture(params=[1, 5], ids=["spread1", "spread5"])
def spread(request: pytest.FixtureRequest) -> int:
    """A few buckets say as much as a thousand, each of which is looked through for every class."""
    return int(request.param)


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))


def again(journey: Journey) -> ShopSettings:
    shop = load_shop(journey.connection, journey.shop.id)
    assert shop is not None
    return shop


def taken(journey: Journey) -> dict[str, int]:
    return {
        one.data_class: one.row_count for one in keep_in_bounds(journey.connection, journey.context) if one.row_count
    }


def test_each_class_goes_at_its_age_and_not_a_day_before(journey: Journey) -> None:
    """One person's story, years later: what is left after each run."""
    live_through(journey)
    stranger = journey.clock.now()
    tell(journey.connection, journey.context, journey.shop, added(item("mug"), at=stranger, visitor_key="a:nobody"))
    asks = journey.read("privacy_requests", "id")
    journey.connection.execute("UPDATE privacy_requests SET closed_at = %s", [journey.clock.now()])
    ended = journey.clock.now()
    assert keep_in_bounds(journey.connection, journey.context) == []
    gone: dict[str, int] = {}
    for days in sorted({kept.days for kept in KEPT.values()}):
        kinds = {kind for kind, kept in KEPT.items() if kept.days == days}
        journey.clock.set(ended + days * DAY - 10 * DAY)  # the story took nine days
        gone |= taken(journey)
        assert kinds.isdisjoint(gone), kinds
        journey.clock.set(ended + days * DAY + DAY)
        planned = {
            one.data_class: one.row_count for one in would_take(journey.connection, journey.context, again(journey))
        }
        now_gone = taken(journey)
        assert {kind.value: planned[kind.value] for kind in kinds} == {
            kind.value: now_gone[kind.value] for kind in kinds
        }
        gone |= now_gone
    assert set(gone) == set(DataClass)
    for table in ("events", "send_events", "decisions", "privacy_requests", "privacy_events", "consents"):
        assert journey.read(table, "count(*)") == [(0,)], table
    assert len(asks) == 2
    assert journey.read("carts", "count(*)", "shopper_id IS NULL") == [(0,)]
    assert journey.read("carts", "count(*)", "order_key IS NULL AND cart_key NOT LIKE 'erased:%%'") == [(0,)]
    assert journey.read("replies", "text") == [("",)]
    assert journey.read("orders", "count(*)") == [(3,)]
    assert journey.read("suppressions", "count(*) > 0") == [(True,)]  # for good
    outside = journey.read("sends", "count(*)", "id NOT IN (SELECT id FROM outbox)")
    assert outside == [(0,)]


def test_a_shop_chooses_within_bounds_and_the_report_says_what_went(journey: Journey) -> None:
    live_through(journey)
    change_shop(journey.connection, journey.shop.id, {"retention": {"events": 30}}, by=1)
    journey.clock.advance(40 * DAY)
    count = journey.read("events", "count(*)")[0][0]
    assert taken(journey) == {"events": count}
    first = report(journey.connection, journey.shop.id)[0]
    assert (first.data_class, first.row_count, first.partitions) == ("events", count, "")
    assert first.before == journey.clock.now() - 30 * DAY
    other = make_shop(journey.connection)
    assert report(journey.connection, other.id) == []
    change_shop(journey.connection, journey.shop.id, {"retention": {"events": 3}}, by=1)
    assert (
        days_of(again(journey))[DataClass.EVENTS] == KEPT[DataClass.EVENTS].days
    )  # what means nothing shortens nothing
    for wrong in ({"events": 3}, {"events": "30"}, {"events": True}, {"logs": 30}):
        with pytest.raises(RetentionError):
            parse_retention(wrong)


def test_whole_partitions_go_when_no_shop_keeps_them(fresh_dsn: str, context: Context, clock: MovableClock) -> None:
    with connect(fresh_dsn) as link:
        shop = make_shop(link)
        ensure_partitions(link, clock.now())
        tell(link, context, shop, added(item("mug"), at=clock.now(), visitor_key="a:1"))
        name = f"events_{clock.now():%Y%m%d}"
        clock.advance(180 * DAY)
        assert name not in " ".join(one.partitions for one in keep_in_bounds(link, context))
        make_shop(link, retention=None)
        clock.advance(2 * DAY)
        (gone,) = [one for one in keep_in_bounds(link, context) if name in one.partitions.split()]
        assert gone.data_class == "events"
        assert link.execute("SELECT to_regclass(%s)", [name]).fetchone() == (None,)
        assert link.execute("SELECT count(*) FROM events").fetchone() == (0,)
        assert gone in report(link, shop.id)
        assert link.execute("SELECT to_regclass('events_default') IS NOT NULL").fetchone() == (True,)


def test_the_command_shows_counts_sets_and_runs(
    fresh_dsn: str, context: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.conf import settings

    for name, value in {"DATABASE_URL": fresh_dsn, "HASH_KEY": context.hash_key, "VAULT_KEY": b"v" * 32}.items():
        monkeypatch.setattr(settings, name, value)

    def said(*words: str) -> str:
        assert command.run(parser_of("retention").parse_args(words)) == 0
        return capsys.readouterr().out

    with connect(fresh_dsn) as link:
        shop = make_shop(link)
        tell(link, context, shop, added(item("mug"), at=context.clock.now(), visitor_key="a:1"))
    assert "events             180 days" in said("show")
    assert "keeps events for 30 days" in said("set", "events", "30")
    assert "events              30 days" in said("show")
    assert "events" in said("dry-run")
    assert "events" in said("run")
    assert "events" in said("report")
    assert "Nothing is too old" in said("dry-run")
    with pytest.raises(OperatorError, match="from 30 to"):
        said("set", "events", "1")
