"""Is an idle cart noticed once, at the right instant, and given to the right flow?"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from rekindle.engine.abandon import AbandonResult, abandon
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.flows import activate_flow, save_flow
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings
from tests.engine.scene import busy_buckets, one, put_cart, put_flow, put_shopper, put_template, put_visit, rows, steps
from tests.factories import make_shop

MIN = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def shop(connection: Connection, clock: MovableClock, spread: int) -> ShopSettings:
    return make_shop(connection, spread=spread, holdout_rate=0)


@pytest.fixture
def flow_id(connection: Connection, shop: ShopSettings, clock: MovableClock) -> int:
    return put_flow(connection, shop, activated_at=clock.now() - DAY)


def run(connection: Connection, context: Context, shop: ShopSettings) -> AbandonResult:
    """One pass over all buckets of the shop."""
    books = Books.load(connection)
    results = [abandon(connection, context, books, bucket) for bucket in busy_buckets(connection)]
    return AbandonResult(*(sum(column) for column in zip((0, 0, 0), *results, strict=True)))


def reasons(connection: Connection) -> list[object]:
    return [row["reason"] for row in rows(connection, "SELECT reason FROM decisions ORDER BY id")]


def test_a_cart_is_enrolled_at_its_threshold_and_not_before(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    shopper = put_shopper(connection, context, shop)
    cart = put_cart(connection, context, shop, shopper)
    start = clock.now()
    clock.advance(30 * MIN - timedelta(seconds=1))
    assert run(connection, context, shop) == (0, 0, 0)
    clock.advance(timedelta(seconds=1) + 2 * MIN)  # the worker is two minutes late
    assert run(connection, context, shop) == (1, 1, 1)
    assert run(connection, context, shop) == (0, 0, 0)

    stored = one(connection, "SELECT * FROM carts")
    assert (stored["state"], stored["abandoned_at"], stored["seq"]) == ("abandoned", start + 30 * MIN, 2)
    assert (stored["check_at"], stored["closed_at"]) == (start + 30 * DAY, None)
    enrolment = one(connection, "SELECT * FROM enrolments")
    assert (enrolment["bucket"], enrolment["shopper_id"]) == (shopper.bucket, shopper.id)
    assert (enrolment["cart_bucket"], enrolment["cart_id"], enrolment["flow_id"]) == (cart.bucket, cart.id, flow_id)
    assert (enrolment["state"], enrolment["arm"], enrolment["step"]) == ("waiting", "treated", "w1")
    assert enrolment["abandoned_at"] == start + 30 * MIN
    assert enrolment["due_at"] == start + 30 * MIN + timedelta(hours=4)
    assert enrolment["entered_at"] == clock.now()
    exposure = one(connection, "SELECT * FROM exposures")
    assert (exposure["enrolment_id"], exposure["variant"], exposure["probability"]) == (enrolment["id"], "treated", 1.0)
    decision = one(connection, "SELECT * FROM decisions")
    assert (decision["bucket"], decision["cart_id"], decision["enrolment_id"]) == (
        cart.bucket,
        cart.id,
        enrolment["id"],
    )
    assert (decision["question"], decision["outcome"], decision["reason"]) == ("abandon", "allow", "ENROLLED")
    assert decision["evidence"] == {
        "stage": "cart", "total_cents": 25_000, "currency": "EUR", "flow": "cart-recovery", "arm": "treated",
    }  # fmt: skip


def test_activity_pushes_the_timer_without_a_trace(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    put_cart(connection, context, shop, put_shopper(connection, context, shop))
    clock.advance(20 * MIN)
    connection.execute("UPDATE carts SET touched_at = %s", [clock.now()])
    touched_at = clock.now()
    clock.advance(10 * MIN)
    assert run(connection, context, shop) == (1, 0, 0)
    assert one(connection, "SELECT state, check_at FROM carts") == {"state": "open", "check_at": touched_at + 30 * MIN}
    assert rows(connection, "SELECT 1 FROM decisions") == []
    clock.advance(20 * MIN)
    assert run(connection, context, shop) == (1, 1, 1)
    assert one(connection, "SELECT abandoned_at FROM carts")["abandoned_at"] == touched_at + 30 * MIN


def test_nobody_to_write_to_is_a_stored_reason(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    put_cart(connection, context, shop)
    clock.advance(DAY)
    assert run(connection, context, shop) == (1, 1, 0)
    assert one(connection, "SELECT state FROM carts")["state"] == "abandoned"
    assert one(connection, "SELECT outcome, reason FROM decisions") == {"outcome": "deny", "reason": "NO_SHOPPER"}


def test_an_emptied_cart_is_closed(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    put_cart(connection, context, shop, put_shopper(connection, context, shop), items=())
    clock.advance(DAY)
    assert run(connection, context, shop) == (1, 0, 0)
    stored = one(connection, "SELECT state, check_at, closed_at, abandoned_at FROM carts")
    assert stored == {"state": "emptied", "check_at": None, "closed_at": clock.now(), "abandoned_at": None}
    assert reasons(connection) == ["CART_EMPTY"]


def test_a_cart_is_given_up_after_the_shops_days_and_its_run_ends(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    cart = put_cart(connection, context, shop, put_shopper(connection, context, shop))
    clock.advance(30 * MIN)
    assert run(connection, context, shop) == (1, 1, 1)
    clock.advance(30 * DAY - 30 * MIN)
    assert run(connection, context, shop) == (1, 0, 0)
    assert one(connection, "SELECT state, check_at, closed_at FROM carts") == {
        "state": "lost", "check_at": None, "closed_at": clock.now(),
    }  # fmt: skip
    enrolment = one(connection, "SELECT state, exit_reason, due_at, ended_at FROM enrolments")
    assert enrolment == {"state": "exited", "exit_reason": "LOST", "due_at": None, "ended_at": clock.now()}
    exits = one(connection, "SELECT * FROM decisions WHERE question = 'exit'")
    assert (exits["reason"], exits["cart_id"], exits["step"]) == ("LOST", cart.id, "w1")
    assert reasons(connection).count("LOST") == 2


def test_after_weeks_without_a_worker_a_cart_goes_straight_to_lost(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    put_cart(connection, context, shop, put_shopper(connection, context, shop))
    start = clock.now()
    clock.advance(40 * DAY)
    assert run(connection, context, shop) == (1, 0, 0)
    assert one(connection, "SELECT state, abandoned_at FROM carts") == {
        "state": "lost",
        "abandoned_at": start + 30 * MIN,
    }
    assert rows(connection, "SELECT 1 FROM enrolments") == []


def test_switching_a_flow_on_writes_to_no_old_cart(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    old, fresh = put_shopper(connection, context, shop), put_shopper(connection, context, shop, "bob@example.com")
    put_cart(connection, context, shop, old, key="old")
    clock.advance(31 * MIN)
    put_cart(connection, context, shop, fresh, key="fresh")
    put_flow(connection, shop, activated_at=clock.now())
    clock.advance(DAY)
    assert run(connection, context, shop) == (2, 2, 1)
    assert sorted(map(str, reasons(connection))) == ["BEFORE_ACTIVATION", "ENROLLED"]
    assert one(connection, "SELECT shopper_id FROM enrolments")["shopper_id"] == fresh.id


def test_carts_abandoned_before_the_first_flow_stay_untouched(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_cart(connection, context, shop, put_shopper(connection, context, shop))
    clock.advance(DAY)
    assert run(connection, context, shop) == (1, 1, 0)
    assert reasons(connection) == ["NO_FLOW"]
    put_flow(connection, shop, activated_at=clock.now())
    clock.advance(5 * DAY)
    assert run(connection, context, shop) == (0, 0, 0)


def test_two_carts_of_one_shopper_do_not_both_enter(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    shopper = put_shopper(connection, context, shop)
    for key in ("one", "two", "three"):
        put_cart(connection, context, shop, shopper, key=key)
    clock.advance(DAY)
    assert run(connection, context, shop) == (3, 3, 1)
    assert sorted(map(str, reasons(connection))) == ["ENROLLED", "OTHER_FLOW_RUNNING", "OTHER_FLOW_RUNNING"]


def come_back(connection: Connection, clock: MovableClock) -> None:
    """What ingest does when the shopper returns to an abandoned cart."""
    connection.execute(
        "UPDATE carts SET state = 'open', touched_at = %(now)s, check_at = %(check)s, abandoned_at = NULL",
        {"now": clock.now(), "check": clock.now() + 30 * MIN},
    )
    connection.execute(
        "UPDATE enrolments SET state = 'exited', exit_reason = 'RETURNED', due_at = NULL WHERE state = 'waiting'"
    )


@pytest.mark.parametrize(
    ("reentry", "away", "expected"),
    [
        ({}, timedelta(hours=1), "REENTRY_TOO_SOON"),
        ({}, timedelta(hours=24), "ENROLLED"),
        ({"shopper_gap_s": 0}, timedelta(hours=1), "ENROLLED"),
        ({"shopper_gap_s": 0, "again_after_return": False}, timedelta(hours=1), "ALREADY_ENROLLED"),
    ],
)
def test_a_shopper_who_returned_and_left_again(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings,
    reentry: dict[str, object], away: timedelta, expected: str,
) -> None:  # fmt: skip
    put_flow(connection, shop, activated_at=clock.now(), reentry=reentry)
    put_cart(connection, context, shop, put_shopper(connection, context, shop))
    clock.advance(30 * MIN)
    run(connection, context, shop)
    clock.advance(away)
    come_back(connection, clock)
    clock.advance(30 * MIN)
    assert run(connection, context, shop).abandoned == 1
    assert reasons(connection) == ["ENROLLED", expected]


def test_a_flow_with_its_own_threshold_takes_the_cart_at_that_time(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now(), trigger={"kinds": ["cart"], "idle_s": 7_200})
    put_cart(connection, context, shop, put_shopper(connection, context, shop))
    start = clock.now()
    clock.advance(30 * MIN)
    assert run(connection, context, shop) == (1, 1, 0)
    assert one(connection, "SELECT check_at FROM carts")["check_at"] == start + timedelta(hours=2)
    assert reasons(connection) == ["NO_FLOW"]
    clock.advance(90 * MIN)
    assert run(connection, context, shop) == (1, 0, 1)
    assert one(connection, "SELECT abandoned_at FROM enrolments")["abandoned_at"] == start + timedelta(hours=2)
    stored = one(connection, "SELECT abandoned_at, check_at FROM carts")
    assert stored == {"abandoned_at": start + 30 * MIN, "check_at": start + 30 * DAY}
    assert one(connection, "SELECT evidence FROM decisions WHERE reason = 'ENROLLED'")["evidence"]["again"] is True  # type: ignore[index]


def test_a_quick_flow_comes_before_the_shops_threshold(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now(), trigger={"kinds": ["cart"], "idle_s": 600})
    put_cart(connection, context, shop, put_shopper(connection, context, shop))
    start = clock.now()
    connection.execute("UPDATE carts SET check_at = %s", [start + 10 * MIN])
    clock.advance(10 * MIN)
    assert run(connection, context, shop) == (1, 1, 1)
    assert one(connection, "SELECT abandoned_at FROM carts")["abandoned_at"] == start + 10 * MIN


@pytest.mark.parametrize(
    ("idle_minutes", "found_after_minutes"), [(25, 25), (15, 30), (120, 120)], ids=["quick", "too late", "slow"]
)
def test_switching_on_a_flow_brings_running_timers_forward(
    connection: Connection,
    context: Context,
    clock: MovableClock,
    shop: ShopSettings,
    idle_minutes: int,
    found_after_minutes: int,
) -> None:
    """Twenty minutes after a cart was touched; another that is closed, and one of another stage, stay as they are."""
    put_template(connection, shop)
    shopper = put_shopper(connection, context, shop)
    put_cart(connection, context, shop, shopper)
    put_cart(connection, context, shop, shopper, key="pay", stage="payment")
    put_cart(connection, context, shop, shopper, key="gone", state="converted", check_at=None)
    start = clock.now()
    if idle_minutes > 30:
        clock.advance(30 * MIN)
        run(connection, context, shop)  # abandoned by the shop's own threshold; the timer waits for the day it is lost
    else:
        clock.advance(20 * MIN)
    definition = json.dumps({"trigger": {"kinds": ["cart"], "idle_s": idle_minutes * 60}, "steps": steps(1)})
    save_flow(connection, context, shop, key="mine", name="Mine", definition=definition)
    activate_flow(connection, context, shop, "mine")
    timers = {row["cart_key"]: row["check_at"] for row in rows(connection, "SELECT cart_key, check_at FROM carts")}
    assert timers["cart-1"] == start + found_after_minutes * MIN
    assert timers["pay"] == start + (15 * MIN if idle_minutes < 30 else 30 * DAY)
    assert timers["gone"] is None
    clock.set(start + found_after_minutes * MIN)
    run(connection, context, shop)
    runs = rows(connection, "SELECT abandoned_at FROM enrolments")
    assert [row["abandoned_at"] for row in runs] == ([] if idle_minutes == 15 else [start + found_after_minutes * MIN])


def test_the_thresholds_of_shops_and_stages_differ(
    connection: Connection, context: Context, clock: MovableClock, spread: int
) -> None:
    quick = make_shop(connection, spread=spread, cart_idle_s=60, checkout_idle_s=30)
    slow = make_shop(connection, spread=spread, cart_idle_s=3_600, checkout_idle_s=1_800)
    for shop in (quick, slow):
        put_cart(connection, context, shop, key="c", stage="cart")
        put_cart(connection, context, shop, key="k", stage="checkout")
    seen = []
    for seconds in (30, 60, 1_800, 3_600):
        clock.set(datetime.fromisoformat("2026-03-02T09:00:00Z") + timedelta(seconds=seconds))
        run(connection, context, quick)
        run(connection, context, slow)
        gone = rows(connection, "SELECT shop_id, stage FROM carts WHERE state = 'abandoned'")
        seen.append({(row["shop_id"] == quick.id, row["stage"]) for row in gone})
    expected = [(True, "checkout"), (True, "cart"), (False, "checkout"), (False, "cart")]
    assert seen == [set(expected[: n + 1]) for n in range(4)]


def test_an_entry_filter_sees_cart_and_shopper(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    wanted = [
        {"type": "test", "field": "country", "op": "eq", "value": "AT"},
        {"type": "test", "field": "item_count", "op": "ge", "value": 3},
        {"type": "test", "field": "product_keys", "op": "contains", "value": "p2"},
        {"type": "test", "field": "device", "op": "eq", "value": "mobile"},
    ]
    put_flow(connection, shop, activated_at=clock.now(), entry={"type": "all", "of": wanted})
    austrian = put_shopper(connection, context, shop)
    french = put_shopper(connection, context, shop, "b@example.com", country="FR")
    put_cart(connection, context, shop, austrian, key="a", facts='{"device": "mobile"}')
    put_cart(connection, context, shop, french, key="b", facts='{"device": "mobile"}')
    put_cart(connection, context, shop, put_shopper(connection, context, shop, "c@example.com"), key="c")
    clock.advance(DAY)
    assert run(connection, context, shop) == (3, 3, 1)
    assert one(connection, "SELECT shopper_id FROM enrolments")["shopper_id"] == austrian.id
    failed = rows(
        connection, "SELECT evidence->'failed'->>'field' AS field FROM decisions WHERE reason = 'ENTRY_FILTER'"
    )
    assert sorted(str(row["field"]) for row in failed) == ["country", "device"]


@pytest.mark.parametrize(
    ("shopper", "expected"),
    [
        ({"last_order_at": datetime.fromisoformat("2026-03-02T09:10:00Z")}, "PURCHASED"),
        ({"last_order_at": datetime.fromisoformat("2026-03-01T09:10:00Z")}, "ENROLLED"),
        ({"erased_at": datetime.fromisoformat("2026-03-02T09:10:00Z")}, "ERASED"),
        (
            {"opted_out_at": datetime.fromisoformat("2026-03-02T09:10:00Z")},
            "ENROLLED",
        ),  # may_send says no, for both arms
    ],
)
def test_what_happened_to_the_shopper_meanwhile(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int,
    shopper: dict[str, object], expected: str,
) -> None:  # fmt: skip
    put_cart(connection, context, shop, put_shopper(connection, context, shop, **shopper))  # type: ignore[arg-type]
    clock.advance(DAY)
    run(connection, context, shop)
    assert reasons(connection) == [expected]


def test_a_shopper_who_is_gone_is_nobody(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    put_cart(connection, context, shop, put_shopper(connection, context, shop))
    connection.execute("DELETE FROM shoppers")
    clock.advance(DAY)
    run(connection, context, shop)
    assert reasons(connection) == ["NO_SHOPPER"]


def test_browse_abandonment_has_its_own_flow(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    browse = put_flow(
        connection, shop, activated_at=clock.now(), key="browse", trigger={"kinds": ["browse"]}, steps=steps(24)
    )
    put_visit(connection, context, shop, put_shopper(connection, context, shop))
    put_visit(connection, context, shop, visitor_key="a:nothing", views=())
    clock.advance(59 * MIN)
    assert run(connection, context, shop) == (0, 0, 0)
    clock.advance(1 * MIN)
    assert run(connection, context, shop) == (2, 1, 1)
    assert one(connection, "SELECT flow_id FROM enrolments")["flow_id"] == browse
    assert sorted(map(str, reasons(connection))) == ["CART_EMPTY", "ENROLLED"]


def test_a_visit_that_went_on_in_a_cart_is_followed_there(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    shopper = put_shopper(connection, context, shop)
    cart = put_cart(connection, context, shop, shopper, key="theirs")
    visit = put_visit(connection, context, shop, shopper, led_to=cart)
    clock.advance(DAY)
    assert run(connection, context, shop) == (2, 1, 1)
    assert one(connection, "SELECT state FROM carts WHERE id = %s", visit.id)["state"] == "emptied"
    assert sorted(map(str, reasons(connection))) == ["ENROLLED", "MOVED_TO_CART"]
    assert one(connection, "SELECT cart_id FROM enrolments")["cart_id"] == cart.id


def test_the_holdout_is_drawn_here_and_said_so(
    connection: Connection, context: Context, clock: MovableClock, spread: int
) -> None:
    shop = make_shop(connection, spread=spread, holdout_rate=0.5)
    put_flow(connection, shop, activated_at=clock.now())
    for number in range(60):
        shopper = put_shopper(connection, context, shop, f"s{number}@example.com")
        put_cart(connection, context, shop, shopper, key=f"c{number}")
    clock.advance(DAY)
    assert run(connection, context, shop) == (60, 60, 60)
    arms = rows(
        connection,
        "SELECT e.arm, x.variant, x.probability, count(*) AS n FROM enrolments e"
        " JOIN exposures x ON x.bucket = e.bucket AND x.enrolment_id = e.id GROUP BY 1, 2, 3 ORDER BY 1",
    )
    assert [(row["arm"], row["variant"], row["probability"]) for row in arms] == [
        ("holdout",) * 2 + (0.5,),
        ("treated",) * 2 + (0.5,),
    ]
    held = one(
        connection, "SELECT count(*) AS n FROM decisions WHERE question = 'assign' AND reason = 'ASSIGNED_HOLDOUT'"
    )
    assert held["n"] == arms[0]["n"]
    assert 15 <= int(str(held["n"])) <= 45


def test_a_batch_takes_the_oldest_first_and_leaves_the_rest(
    connection: Connection, context: Context, clock: MovableClock, flow_id: int, shop: ShopSettings
) -> None:
    for number in range(5):
        put_cart(
            connection, context, shop, key=f"c{number}", touched_at=clock.now() - timedelta(hours=number), bucket=7
        )
    clock.advance(DAY)
    books = Books.load(connection)
    assert [abandon(connection, context, books, 7, 2).examined for _ in range(4)] == [2, 2, 1, 0]


def test_a_run_that_exists_already_is_not_added_twice(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    """A cart that was abandoned with one shopper, then given to another without any activity."""
    ada = put_shopper(connection, context, shop)
    put_cart(connection, context, shop, ada)
    clock.advance(30 * MIN)
    assert run(connection, context, shop).enrolled == 1
    bob = put_shopper(connection, context, shop, "bob@example.com")
    connection.execute(
        "UPDATE carts SET state = 'open', check_at = touched_at, shopper_id = %s, shopper_bucket = %s",
        [bob.id, ada.bucket],
    )
    connection.execute("UPDATE shoppers SET bucket = %s WHERE id = %s", [ada.bucket, bob.id])
    clock.advance(MIN)
    assert run(connection, context, shop) == (1, 1, 0)
    assert reasons(connection) == ["ENROLLED", "ALREADY_ENROLLED"]
    assert len(rows(connection, "SELECT 1 FROM enrolments")) == 1


def test_a_cart_of_a_shop_that_nobody_knows_stops_nobody(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, flow_id: int
) -> None:
    put_cart(connection, context, shop, put_shopper(connection, context, shop), key="good")
    put_cart(connection, context, shop, key="lost", shop_id=987_654_321)
    clock.advance(DAY)
    assert run(connection, context, shop) == (2, 1, 1)
    stray = one(connection, "SELECT state, check_at FROM carts WHERE shop_id = 987654321")
    assert stray == {"state": "open", "check_at": clock.now() + DAY}


def test_a_shop_made_after_the_books_were_read_is_looked_up(
    connection: Connection, context: Context, clock: MovableClock, spread: int
) -> None:
    books = Books.load(connection)
    shop = make_shop(connection, spread=spread)
    cart = put_cart(connection, context, shop)
    clock.advance(DAY)
    assert abandon(connection, context, books, cart.bucket) == (1, 1, 0)
