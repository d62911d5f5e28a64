"""Does a flow write the right messages at the right instants, and stop when it must?"""

from __future__ import annotations

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from uuid import UUID

import pytest

from rekindle.engine.abandon import abandon
from rekindle.engine.advance import advance
from rekindle.engine.books import Books
from rekindle.engine.compose import Composer
from rekindle.engine.context import Context
from rekindle.engine.facts import Candidate
from rekindle.lib.clock import MovableClock
from rekindle.lib.ids import timed_id
from rekindle.lib.tokens import Purpose, hash_of, secret_of
from rekindle.providers.base import Letter
from rekindle.render.defaults import default_email
from rekindle.render.email import compile_email
from rekindle.store.buckets import base_bucket
from rekindle.store.database import Connection
from rekindle.store.outbox import CartRow, Claimed, SendRow
from rekindle.terms.decision import Verdict
from rekindle.terms.shop import ShopSettings
from tests.engine.scene import (
    Placed,
    busy_buckets,
    one,
    put_cart,
    put_flow,
    put_shopper,
    put_template,
    put_visit,
    rows,
    steps,
)
from tests.factories import make_shop

MIN, H, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def shop(connection: Connection, spread: int) -> ShopSettings:
    return make_shop(connection, spread=spread, holdout_rate=0)


def work(connection: Connection, context: Context, shop: ShopSettings) -> int:
    """One pass of abandon and advance over all buckets of the shop; returns the steps taken."""
    books = Books.load(connection)
    for bucket in busy_buckets(connection):
        abandon(connection, context, books, bucket)
    return sum(advance(connection, context, books, bucket) for bucket in busy_buckets(connection))


def left_cart(
    connection: Connection, context: Context, shop: ShopSettings, clock: MovableClock, **cart: object
) -> Placed:
    """A cart of Ada's, abandoned just now; returns it."""
    placed = put_cart(connection, context, shop, put_shopper(connection, context, shop), **cart)  # type: ignore[arg-type]
    clock.advance(timedelta(seconds=shop.cart_idle_s))
    work(connection, context, shop)
    return placed


def sent(connection: Connection) -> list[object]:
    return [row["step"] for row in rows(connection, "SELECT step FROM sends ORDER BY created_at, step")]


def reasons(connection: Connection) -> list[tuple[object, object]]:
    found = rows(connection, "SELECT step, reason FROM decisions WHERE question <> 'abandon' ORDER BY at, step")
    return [(row["step"], row["reason"]) for row in found]


def test_a_cart_gets_its_messages_after_4_24_and_72_hours(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now())
    cart = left_cart(connection, context, shop, clock)
    left_at = clock.now()
    for hours, expected in [
        (3.99, []),
        (4, ["m1"]),
        (23.99, ["m1"]),
        (24, ["m1", "m2"]),
        (71.99, ["m1", "m2"]),
        (72, ["m1", "m2", "m3"]),
    ]:
        clock.set(left_at + timedelta(hours=hours))
        work(connection, context, shop)
        assert sent(connection) == expected, hours
    run = one(connection, "SELECT * FROM enrolments")
    assert (run["state"], run["due_at"], run["step"], run["ended_at"]) == ("done", None, None, left_at + 72 * H)
    assert reasons(connection) == [
        ("m1", "STEP_TAKEN"),
        ("m2", "STEP_TAKEN"),
        ("m3", "STEP_TAKEN"),
        ("w3", "FLOW_DONE"),
    ]
    assert one(connection, "SELECT cart_id FROM sends WHERE step = 'm1'")["cart_id"] == cart.id
    clock.advance(10 * DAY)
    assert work(connection, context, shop) == 0


def test_a_send_is_complete_and_in_line(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    version_id = put_template(connection, shop)
    put_flow(connection, shop, activated_at=clock.now())
    cart = left_cart(connection, context, shop, clock, facts='{"locale": "fr"}')
    clock.advance(4 * H + 7 * MIN)
    assert work(connection, context, shop) == 1
    run = one(connection, "SELECT * FROM enrolments")
    send, line = one(connection, "SELECT * FROM sends"), one(connection, "SELECT * FROM outbox")
    entered_at, run_id = run["entered_at"], run["id"]
    assert isinstance(entered_at, datetime)
    assert send["id"] == timed_id(entered_at, f"{run_id}:m1:email".encode())
    assert {key: send[key] for key in ("bucket", "enrolment_id", "flow_id", "flow_version_id", "shopper_id", "shop_id")} == {
        "bucket": run["bucket"], "enrolment_id": run["id"], "flow_id": run["flow_id"],
        "flow_version_id": run["flow_version_id"], "shopper_id": run["shopper_id"], "shop_id": shop.id,
    }  # fmt: skip
    assert (send["cart_bucket"], send["cart_id"], send["template_version_id"]) == (cart.bucket, cart.id, version_id)
    assert (send["created_at"], send["planned_at"]) == (clock.now(), clock.now() - 7 * MIN)
    assert send["contact_point_id"] == one(connection, "SELECT id FROM contact_points")["id"]
    assert (line["bucket"], line["id"], line["state"], line["attempts"]) == (send["bucket"], send["id"], "scheduled", 0)
    assert (line["send_at"], line["channel"], line["enrolment_id"]) == (clock.now(), "email", run["id"])
    seed = line["seed"]
    assert isinstance(seed, bytes)
    assert send["link_hash"] == hash_of(secret_of(seed, Purpose.LINK))
    assert send["optout_hash"] == hash_of(secret_of(seed, Purpose.OPTOUT))
    assert send["context"] == {
        "links": ["https://fernweh.example/p1", "https://fernweh.example/p2"], "locale": "en", "step_number": 1, "recommended": [],
    }  # fmt: skip
    decision = one(connection, "SELECT * FROM decisions WHERE question = 'next_step'")
    assert (decision["send_id"], decision["outcome"], decision["cart_id"]) == (send["id"], "allow", cart.id)


def test_after_three_days_without_a_worker_one_message_goes_out(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    """Check R-15: no burst. The cart was not even noticed before the outage."""
    put_flow(connection, shop, activated_at=clock.now())
    put_cart(connection, context, shop, put_shopper(connection, context, shop))
    left_at = clock.now() + 30 * MIN
    clock.set(left_at + 70 * H)
    work(connection, context, shop)
    assert sent(connection) == ["m1"]
    assert reasons(connection) == [("m1", "STEP_TAKEN"), ("m2", "CATCH_UP")]
    run = one(connection, "SELECT state, step, due_at, abandoned_at FROM enrolments")
    assert run == {"state": "waiting", "step": "w3", "due_at": left_at + 72 * H, "abandoned_at": left_at}
    clock.advance(2 * H)
    work(connection, context, shop)
    assert sent(connection) == ["m1", "m3"]


def test_an_outage_in_the_middle_skips_what_it_covered(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now())
    left_cart(connection, context, shop, clock)
    clock.advance(4 * H)
    work(connection, context, shop)
    clock.advance(100 * H)
    work(connection, context, shop)
    assert sent(connection) == ["m1", "m2"]
    assert ("m3", "CATCH_UP") in reasons(connection)
    assert one(connection, "SELECT state FROM enrolments")["state"] == "done"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE shoppers SET last_order_at = %(now)s", "ORDERED"),
        ("UPDATE shoppers SET erased_at = %(now)s", "ERASED"),
        ("UPDATE carts SET state = 'converted'", "ORDERED"),
        ("UPDATE carts SET state = 'recovered'", "ORDERED"),
        ("UPDATE carts SET state = 'emptied'", "EMPTIED"),
        ("UPDATE carts SET state = 'open', touched_at = %(now)s", "RETURNED"),
        ("UPDATE carts SET state = 'lost'", "LOST"),
        ("DELETE FROM carts WHERE %(now)s IS NOT NULL", "CART_CLOSED"),
        ("DELETE FROM shoppers WHERE %(now)s IS NOT NULL", "ERASED"),
    ],
)
def test_a_run_ends_before_its_next_message(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, change: str, reason: str
) -> None:
    put_flow(connection, shop, activated_at=clock.now())
    cart = left_cart(connection, context, shop, clock)
    clock.advance(1 * H)
    connection.execute(change, {"now": clock.now()})  # type: ignore[arg-type]
    clock.advance(3 * H)
    work(connection, context, shop)
    assert sent(connection) == []
    run = one(connection, "SELECT state, exit_reason, due_at, step, ended_at FROM enrolments")
    assert run == {"state": "exited", "exit_reason": reason, "due_at": None, "step": None, "ended_at": clock.now()}
    decision = one(connection, "SELECT outcome, step, cart_id FROM decisions WHERE question = 'exit'")
    assert decision == {"outcome": "deny", "step": "w1", "cart_id": cart.id}


def test_an_order_before_the_cart_was_left_ends_nothing(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now())
    shopper = put_shopper(connection, context, shop, last_order_at=clock.now() - DAY)
    put_cart(connection, context, shop, shopper)
    clock.advance(5 * H)
    work(connection, context, shop)
    assert sent(connection) == ["m1"]


def test_without_an_address_the_flow_goes_on_and_says_so(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now())
    put_cart(connection, context, shop, put_shopper(connection, context, shop, None))
    clock.advance(5 * H)
    work(connection, context, shop)
    assert sent(connection) == []
    assert reasons(connection) == [("m1", "NO_ADDRESS")]
    assert one(connection, "SELECT step FROM enrolments")["step"] == "w2"


def test_an_erased_address_is_no_address(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now())
    left_cart(connection, context, shop, clock)
    connection.execute("UPDATE contact_points SET address = ''")
    clock.advance(5 * H)
    work(connection, context, shop)
    assert reasons(connection) == [("m1", "NO_ADDRESS")]


def test_a_template_that_is_gone_stops_one_message_only(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now())
    left_cart(connection, context, shop, clock)
    connection.execute("UPDATE templates SET published_version_id = NULL")
    clock.advance(4 * H)
    work(connection, context, shop)
    assert reasons(connection) == [("m1", "CONTENT_MISSING")]
    put_template(connection, shop, "other")
    connection.execute(
        "UPDATE templates SET published_version_id = (SELECT max(id) FROM template_versions) WHERE key = 'reminder'"
    )
    clock.advance(20 * H)
    work(connection, context, shop)
    assert sent(connection) == ["m2"]


def test_the_held_out_get_ghost_sends(
    connection: Connection, context: Context, clock: MovableClock, spread: int
) -> None:
    """They pass the same way, so that both arms share the clock; may_send stops them at the last moment."""
    shop = make_shop(connection, spread=spread, holdout_rate=0.9)
    put_flow(connection, shop, activated_at=clock.now())
    for number in range(20):
        put_cart(
            connection,
            context,
            shop,
            put_shopper(connection, context, shop, f"s{number}@example.com"),
            key=f"c{number}",
        )
    clock.advance(5 * H)
    work(connection, context, shop)
    arms = {row["arm"] for row in rows(connection, "SELECT DISTINCT arm FROM enrolments")}
    assert "holdout" in arms
    assert len(sent(connection)) == 20


BRANCHES = [
    {"type": "wait", "id": "w1", "delay_s": 3_600},
    {
        "type": "branch", "id": "b1", "when": {"type": "test", "field": "total_cents", "op": "ge", "value": 20_000},
        "then": [{"type": "message", "id": "big", "template": "reminder"}],
        "otherwise": [{"type": "message", "id": "small", "template": "reminder"}],
    },
    {"type": "wait", "id": "w2", "delay_s": 7_200},
    {
        "type": "branch", "id": "b2", "when": {"type": "test", "field": "clicked", "op": "eq", "value": True},
        "then": [{"type": "exit", "id": "x"}], "otherwise": [{"type": "message", "id": "again", "template": "reminder"}],
    },
]  # fmt: skip


@pytest.mark.parametrize(
    ("items", "clicks", "messages", "ending"),
    [
        (None, False, ["big", "again"], ("done", None)),
        ([{"product_key": "p", "quantity": 1, "unit_cents": 5}], False, ["small", "again"], ("done", None)),
        (None, True, ["big"], ("exited", "EXIT_STEP")),
    ],
)
def test_branches_look_at_the_cart_and_at_clicks(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings,
    items: list[dict[str, object]] | None, clicks: bool, messages: list[str], ending: tuple[str, str | None],
) -> None:  # fmt: skip
    put_flow(connection, shop, activated_at=clock.now(), steps=BRANCHES)
    left_cart(connection, context, shop, clock, **({"items": items} if items else {}))
    clock.advance(1 * H)
    work(connection, context, shop)
    if clicks:
        connection.execute(
            "INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, detail)"
            " SELECT bucket, gen_random_uuid(), shop_id, id, shopper_id, 'clicked', created_at, '{}' FROM sends"
        )
    clock.advance(1 * H)
    work(connection, context, shop)
    assert sent(connection) == messages
    run = one(connection, "SELECT state, exit_reason FROM enrolments")
    assert (run["state"], run["exit_reason"]) == ending
    branches = rows(
        connection, "SELECT evidence->'branches' AS ways FROM decisions WHERE evidence ? 'branches' ORDER BY at"
    )
    assert branches[-1]["ways"] == {"b2": "then" if clicks else "otherwise"}


def test_runs_go_on_with_the_version_they_entered(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    flow_id = put_flow(connection, shop, activated_at=clock.now())
    left_cart(connection, context, shop, clock)
    connection.execute(
        "WITH v AS (INSERT INTO flow_versions (flow_id, number, definition, created_at, created_by)"
        " VALUES (%(f)s, 2, %(d)s, %(now)s, '') RETURNING id) UPDATE flows SET active_version_id = v.id FROM v WHERE flows.id = %(f)s",
        {
            "f": flow_id,
            "now": clock.now(),
            "d": '{"trigger": {"kinds": ["cart"]}, "steps": [{"type": "exit", "id": "x"}]}',
        },
    )
    clock.advance(4 * H)
    work(connection, context, shop)
    assert sent(connection) == ["m1"]


def test_a_flow_that_cannot_be_read_stops_nobody_else(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now())
    left_cart(connection, context, shop, clock)
    put_cart(connection, context, shop, put_shopper(connection, context, shop, "b@example.com"), key="b")
    clock.advance(30 * MIN)
    work(connection, context, shop)
    connection.execute(
        "UPDATE enrolments SET flow_version_id = 987654321 WHERE shopper_id <> %s",
        [rows(connection, "SELECT shopper_id FROM carts WHERE cart_key = 'b'")[0]["shopper_id"]],
    )
    clock.advance(4 * H)
    assert work(connection, context, shop) == 2
    assert sent(connection) == ["m1"]
    stuck = one(connection, "SELECT state, step, due_at FROM enrolments WHERE flow_version_id = 987654321")
    assert stuck == {"state": "waiting", "step": "w1", "due_at": clock.now() + H}
    assert ("w1", "EVALUATION_FAILED") in reasons(connection)


def test_links_lead_somewhere_even_without_a_products_address(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now(), steps=steps(1))
    items = [
        {"product_key": "a", "quantity": 1, "url": "https://fernweh.example/a"},
        {"product_key": "b", "quantity": 1},
        {"product_key": "c", "quantity": 1, "url": "javascript:alert(1)"},
    ]
    left_cart(connection, context, shop, clock, items=items, recover_url="https://fernweh.example/recover/1")
    clock.advance(1 * H)
    work(connection, context, shop)
    recover = "https://fernweh.example/recover/1"
    assert one(connection, "SELECT context->'links' AS links FROM sends")["links"] == [
        "https://fernweh.example/a",
        recover,
        recover,
    ]


def test_recommendations_come_after_the_carts_lines(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    from rekindle.lib.ids import natural_id

    base = base_bucket(shop)
    for key, popularity, url in [
        ("p1", 9, "x"),
        ("mat", 5, "https://fernweh.example/mat"),
        ("rope", 4, "https://fernweh.example/rope"),
        ("sold-out", 99, ""),
    ]:
        connection.execute(
            "INSERT INTO products (bucket, id, shop_id, product_key, title, url, image_url, unit_cents, currency, category, popularity, seen_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, '', 900, 'EUR', '', %s, %s)",
            [base, natural_id("product", shop.id, key), shop.id, key, key.title(), url, popularity, clock.now()],
        )
    for key, other, weight in [("p1", "rope", 3), ("p1", "sold-out", 9), ("p2", "mat", 1)]:
        connection.execute("INSERT INTO product_pairs VALUES (%s, %s, %s, %s, %s)", [base, shop.id, key, other, weight])
    put_flow(connection, shop, activated_at=clock.now(), steps=steps(1))
    left_cart(connection, context, shop, clock)
    clock.advance(1 * H)
    work(connection, context, shop)
    context_of = one(connection, "SELECT context FROM sends")["context"]
    assert isinstance(context_of, dict)
    assert context_of["links"][2:] == ["https://fernweh.example/rope", "https://fernweh.example/mat"]
    assert context_of["recommended"][0] == {
        "product_key": "rope", "title": "Rope", "url": "https://fernweh.example/rope", "image_url": "", "unit_cents": 900, "currency": "EUR",
    }  # fmt: skip


def test_a_message_about_a_visit_shows_what_was_looked_at(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    from rekindle.lib.ids import natural_id

    for key, currency in [("p1", "EUR"), ("p2", "EUR"), ("p3", "USD")]:
        connection.execute(
            "INSERT INTO products (bucket, id, shop_id, product_key, title, url, image_url, unit_cents, currency, category, popularity, seen_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, '', 900, %s, '', 0, %s)",
            [
                base_bucket(shop),
                natural_id("product", shop.id, key),
                shop.id,
                key,
                key.title(),
                f"https://fernweh.example/{key}",
                currency,
                clock.now(),
            ],
        )
    put_flow(connection, shop, activated_at=clock.now(), key="browse", trigger={"kinds": ["browse"]}, steps=steps(1))
    put_visit(connection, context, shop, put_shopper(connection, context, shop), views=["p2", "p3", "gone", "p1"])
    clock.advance(3 * H)
    work(connection, context, shop)
    made = one(connection, "SELECT context FROM sends")["context"]
    assert isinstance(made, dict)
    assert made["links"] == ["https://fernweh.example/p2", "https://fernweh.example/p1"]
    assert [(line["product_key"], line["quantity"], line["unit_cents"]) for line in made["viewed"]] == [
        ("p2", 1, 900),
        ("p1", 1, 900),
    ]
    letter = letter_of(context, shop, made)
    assert isinstance(letter, Letter)
    plain = message_from_bytes(letter.content, policy=policy.default).get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert 0 < text.index("P2") < text.index("P1")
    assert "18.00" in text


def letter_of(context: Context, shop: ShopSettings, made: dict[str, object]) -> Letter | Verdict:
    """What delivery would write about a visit, in the default letter."""
    email = default_email(1, "en")
    composer, nobody = Composer(context), UUID(int=0)
    composer._compiled[1] = compile_email(email)
    held = Claimed(0, nobody, shop.id, nobody, nobody, "email", 0, context.clock.now(), bytes(16))
    row = SendRow._make([None] * len(SendRow._fields))._replace(
        id=nobody, template_version_id=1, context=made, first_name="Ada", address="ada@example.com"
    )
    cart = CartRow(nobody, "abandoned", context.clock.now(), False, [], None, 0, "cart")
    return composer.compose(Candidate(held, row, cart, shop, ()), context.clock.now())


def test_a_batch_is_no_larger_than_asked(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_flow(connection, shop, activated_at=clock.now())
    bucket = 7
    for number in range(5):
        shopper = put_shopper(connection, context, shop, f"s{number}@example.com")
        put_cart(connection, context, shop, shopper, key=f"c{number}")
    clock.advance(30 * MIN)
    work(connection, context, shop)
    connection.execute("UPDATE enrolments SET bucket = %s", [bucket])
    connection.execute("UPDATE shoppers SET bucket = %s", [bucket])
    connection.execute("UPDATE contact_points SET bucket = %s", [bucket])
    clock.advance(4 * H)
    books = Books.load(connection)
    assert [advance(connection, context, books, bucket, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert len({UUID(str(row["id"])) for row in rows(connection, "SELECT id FROM sends")}) == 5
