"""Do the overview's numbers equal what happened?"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg.rows import dict_row

from rekindle.engine.measure import rebuild
from rekindle.lib.ids import instant_of
from tests.web.seed import Seeded
from tests.web.world import World

DAYS = {"today": 1, "7": 7, "30": 30, "90": 90}


def rows_of(world: World, table: str) -> list[dict[str, Any]]:
    with world.connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"SELECT * FROM {table} WHERE shop_id = %s", [world.shop.id]).fetchall()


def start_of(world: World, key: str) -> datetime:
    """The plain way to find the period's start, apart from the code under test."""
    local = world.clock.now().astimezone(ZoneInfo("Europe/Berlin"))
    return local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS[key] - 1)


def recount(world: World, since: datetime) -> dict[str, Any]:
    """The same numbers from all rows, in plain Python."""
    carts = [cart for cart in rows_of(world, "carts") if cart["stage"] != "browse"]
    events = rows_of(world, "send_events")
    kinds: dict[Any, set[str]] = {}
    for event in events:
        kinds.setdefault(event["send_id"], set()).add(event["kind"])
    runs = {run["id"]: run for run in rows_of(world, "enrolments") if run["abandoned_at"] >= since}
    of_runs = [send for send in rows_of(world, "sends") if send["enrolment_id"] in runs]
    attributions = [row for row in rows_of(world, "attributions") if row["ordered_at"] >= since]
    handed = {e["send_id"] for e in events if e["kind"] == "handed_over" and e["at"] >= since}
    decisions = [row for row in rows_of(world, "decisions") if row["at"] >= since]
    refused = {(d["reason"], d["cart_id"]) for d in decisions if d["question"] == "abandon" and d["outcome"] == "deny"}
    return {
        "detected": sum(1 for cart in carts if cart["abandoned_at"] and cart["abandoned_at"] >= since),
        "reachable": sum(
            1 for cart in carts if cart["abandoned_at"] and cart["abandoned_at"] >= since and cart["shopper_id"]
        ),
        "open": sum(1 for cart in carts if cart["state"] == "open"),
        "abandoned": sum(1 for cart in carts if cart["state"] == "abandoned"),
        "waiting_cents": sum(cart["total_cents"] for cart in carts if cart["state"] == "abandoned"),
        "entered": len({run["cart_id"] for run in runs.values()}),
        "held_out": len({run["cart_id"] for run in runs.values() if run["arm"] == "holdout"}),
        "written_to": len({send["cart_id"] for send in of_runs if "handed_over" in kinds.get(send["id"], set())}),
        "clicked": len({s["cart_id"] for s in of_runs if kinds.get(s["id"], set()) & {"clicked", "restored"}}),
        "ordered": len({runs[row["enrolment_id"]]["cart_id"] for row in attributions if row["enrolment_id"] in runs}),
        "sends": len(handed),
        "clicked_sends": sum(1 for send_id in handed if kinds[send_id] & {"clicked", "restored"}),
        "revenue": sum(row["net_cents"] for row in attributions),
        "orders": len({row["order_id"] for row in attributions}),
        "cart_refusals": Counter(reason for reason, _ in refused),
        "send_refusals": Counter(e["reason"] for e in events if e["kind"] == "skipped" and e["at"] >= since),
        "waiting_sends": sum(1 for row in rows_of(world, "outbox") if row["state"] == "scheduled"),
    }


def measure(world: World) -> None:
    """What the worker does, over the whole past."""
    rebuild(world.connection, world.shop, world.clock.now() - timedelta(days=100), world.clock.now())


@pytest.fixture
def measured(world: World, seeded: Seeded) -> Seeded:
    measure(world)
    return seeded


@pytest.mark.parametrize("world", [1, 1024], indirect=True, ids=["spread1", "spread1024"])
@pytest.mark.parametrize("period", list(DAYS))
def test_every_number_equals_a_plain_recount(world: World, measured: Seeded, period: str) -> None:
    shown = world.as_("viewer@fernweh.example").get(world.path(f"?period={period}")).context
    true = recount(world, start_of(world, period))
    assert {
        "detected": shown["carts"].detected,
        "reachable": shown["carts"].reachable,
        "open": shown["carts"].open_now,
        "abandoned": shown["carts"].abandoned_now,
        "waiting_cents": shown["carts"].waiting_cents,
        "entered": round(shown["held_out"] / shown["holdout_share"]) if shown["held_out"] else true["entered"],
        "held_out": shown["held_out"],
        "written_to": shown["funnel"][2].n,
        "clicked": shown["funnel"][3].n,
        "ordered": shown["funnel"][4].n,
        "sends": shown["sends"].sent,
        "clicked_sends": shown["sends"].clicked,
        "revenue": shown["revenue"].cents,
        "orders": shown["revenue"].order_count,
        "cart_refusals": {row.reason: row.n for row in shown["cart_refusals"]},
        "send_refusals": {row.reason: row.n for row in shown["send_refusals"]},
        "waiting_sends": shown["waiting_sends"],
    } == true


def test_the_funnel_only_narrows_and_the_chart_adds_up(world: World, measured: Seeded) -> None:
    shown = world.as_("viewer@fernweh.example").get(world.path("?period=90")).context
    numbers = [step.n for step in shown["funnel"]]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] > 0
    (series,) = shown["chart"]["series"]
    assert sum(series["values"]) == shown["revenue"].cents == measured.revenue_cents
    assert len(shown["chart"]["labels"]) == len(series["values"]) == 90


def test_two_currencies_are_never_added(world: World, measured: Seeded) -> None:
    world.connection.execute(
        "UPDATE attributions SET currency = 'JPY' WHERE id = (SELECT id FROM attributions ORDER BY ordered_at DESC LIMIT 1)"
    )
    moved = world.connection.execute("SELECT net_cents FROM attributions WHERE currency = 'JPY'").fetchone()
    assert moved is not None
    measure(world)
    answer = world.as_("viewer@fernweh.example").get(world.path("?period=90"))
    assert answer.context["revenue"].others == {"JPY": moved[0]}
    assert answer.context["revenue"].cents == measured.revenue_cents - moved[0]


def test_an_empty_shop_says_what_to_do(world: World) -> None:
    answer = world.as_("owner@fernweh.example").get(world.path())
    assert "Three steps to the first recovered cart" in answer.text


def test_late_work_shows_on_every_page(world: World, seeded: Seeded) -> None:
    client = world.as_("viewer@fernweh.example")
    assert "No work is overdue" in client.get(world.path()).text
    world.clock.advance(timedelta(hours=3))
    text = client.get(world.path("sends/")).text
    assert "Work is overdue." in text
    assert "rekindle worker" in text


def test_a_number_has_only_the_time_inside_its_id(world: World, seeded: Seeded) -> None:
    """The overview cuts enrolments by their id: it must carry the time of abandonment."""
    assert all(
        abs(instant_of(run["id"]) - run["abandoned_at"]) < timedelta(seconds=1) for run in rows_of(world, "enrolments")
    )
