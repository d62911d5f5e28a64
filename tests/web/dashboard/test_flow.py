"""Does a flow's page show what runs, with numbers that are true, and switch it only on demand?"""

from __future__ import annotations

from typing import Literal

import pytest

from rekindle.engine.flows import activate_flow, save_flow
from rekindle.engine.onboard import BROWSE_FLOW_KEY, FLOW_KEY, template_key
from rekindle.terms.cart import Stage
from rekindle.terms.flow import AllOf, Branch, Exit, Field, Flow, Message, Trigger, Wait
from rekindle.terms.flow import Test as Compare
from rekindle.terms.send import Channel
from rekindle.web.dashboard.flow_words import channel_words
from tests.web.dashboard.test_overview import rows_of
from tests.web.seed import Seeded
from tests.web.world import World

pytestmark = pytest.mark.only_reads

MARKETER, VIEWER = "marketer@fernweh.example", "viewer@fernweh.example"


@pytest.mark.parametrize("world", [1, 1024], indirect=True, ids=["spread1", "spread1024"])
def test_each_step_counts_what_happened_to_its_sends(world: World, seeded: Seeded) -> None:
    shown = world.as_(VIEWER).get(world.path("flows/?period=90")).context
    sends, events = rows_of(world, "sends"), rows_of(world, "send_events")
    attributed = [row["send_id"] for row in rows_of(world, "attributions")]
    for node in [node for node in shown["nodes"] if node.kind == "message"]:
        ids = {send["id"] for send in sends if send["step"] == node.id}

        def having(*kinds: str, ids: set[object] = ids) -> int:
            return len({e["send_id"] for e in events if e["send_id"] in ids and e["kind"] in kinds})

        assert (node.sends.planned, node.sends.sent, node.sends.skipped, node.sends.failed, node.sends.clicked) == (
            len(ids),
            having("handed_over"),
            having("skipped"),
            having("failed"),
            having("clicked", "restored"),
        )
        assert node.orders.order_count == sum(1 for send_id in attributed if send_id in ids)
        assert sum(row.n for row in node.skips) == node.sends.skipped
    runs = rows_of(world, "enrolments")
    assert shown["entries"].entered == len(runs)
    assert shown["entries"].held_out == sum(run["arm"] == "holdout" for run in runs)
    assert {row.reason: row.n for row in shown["exits"]} == {"ORDERED": sum(run["state"] == "exited" for run in runs)}


def test_subjects_are_shown_as_a_shopper_reads_them(world: World, seeded: Seeded) -> None:
    text = world.as_(VIEWER).get(world.path("flows/")).text
    assert "Your cart at Fernweh Outdoor" in text
    assert "{{" not in text


def test_the_flow_for_visits_is_there_and_off_and_says_what_the_law_asks(world: World, seeded: Seeded) -> None:
    page = world.as_(MARKETER).get(world.path(f"flows/{BROWSE_FLOW_KEY}/"))
    assert not page.context["flow"].is_active
    assert "stays off until you switch it on" in page.text
    assert "express consent" in page.text
    assert "Another look at" in page.text
    assert "express consent" not in world.as_(MARKETER).get(world.path(f"flows/{FLOW_KEY}/")).text


@pytest.mark.parametrize(
    ("channels", "choose", "words"),
    [
        ((Channel.EMAIL,), "order", "email"),
        ((Channel.EMAIL, Channel.SMS), "order", "email; where that is not possible or fails by SMS"),
        ((Channel.SMS, Channel.PUSH, Channel.EMAIL), "order", "SMS; where that is not possible or fails by push, then email"),
        ((Channel.EMAIL, Channel.SMS), "response", "email or SMS, whichever the shopper asked for or answers more; by the next where that fails"),
    ],
)  # fmt: skip
def test_the_channels_of_a_message_read_as_what_happens(
    channels: tuple[Channel, ...], choose: Literal["order", "response"], words: str
) -> None:
    assert channel_words(Message(id="m", template="t", channels=channels, choose=choose)) == words


def test_the_preview_is_the_letter_in_a_cage(world: World, seeded: Seeded) -> None:
    answer = world.as_(VIEWER).get(world.path(f"templates/{world.versions[0]}/preview"))
    assert answer.status_code == 200
    assert "Fernweh GmbH" in answer.text  # the postal address: it is the whole letter
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox;")
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    flow = world.as_(VIEWER).get(world.path("flows/"))
    assert 'sandbox=""' in flow.text
    assert "frame-src 'self'" in flow.headers["Content-Security-Policy"]


def test_a_preview_names_nobody_and_works_without_any_cart(world: World, seeded: Seeded) -> None:
    text = world.as_(VIEWER).get(world.path(f"templates/{world.versions[0]}/preview")).text
    names = {row["first_name"] for row in rows_of(world, "shoppers")} - {"Ada"}
    assert not [name for name in names if f"{name}," in text]
    other = world.as_("owner@kaffee.example")
    (version,) = world.connection.execute(
        "SELECT published_version_id FROM templates WHERE shop_id = %s AND key = %s", [world.other.id, template_key(1)]
    ).fetchone() or (0,)
    assert "Trail rain jacket" in other.get(world.path(f"templates/{version}/preview", world.other)).text


@pytest.mark.writes
def test_a_letter_that_would_not_go_out_says_what_it_lacks(world: World, seeded: Seeded) -> None:
    world.connection.execute("UPDATE shops SET postal_address = '' WHERE id = %s", [world.shop.id])
    text = world.as_(VIEWER).get(world.path(f"templates/{world.versions[0]}/preview")).text
    assert "This message would not go out" in text
    assert "postal" in text


@pytest.mark.writes
def test_switching_off_and_on_is_asked_for_and_done(world: World, seeded: Seeded) -> None:
    client = world.as_(MARKETER)
    waiting = sum(run["state"] == "waiting" for run in rows_of(world, "enrolments"))
    off = client.post(world.path(f"flows/{FLOW_KEY}/off"), follow=True)
    assert "The flow is off. What is under way goes on." in off.text
    assert "Switch on" in off.text
    assert sum(run["state"] == "waiting" for run in rows_of(world, "enrolments")) == waiting
    on = client.post(world.path(f"flows/{FLOW_KEY}/on"), follow=True)
    assert "The flow is on with version 1" in on.text
    ended = client.post(world.path(f"flows/{FLOW_KEY}/off"), {"end_running": "yes"}, follow=True)
    assert f"{waiting} runs ended" in ended.text
    assert "The flow was switched off." in ended.text


def test_branches_conditions_and_exits_read_as_sentences(world: World) -> None:
    big = AllOf(
        of=(
            Compare(field=Field.TOTAL_CENTS, op="ge", value=20000),
            Compare(field=Field.COUNTRY, op="in", value=["DE", "AT"]),
        )
    )
    flow = Flow(
        trigger=Trigger(kinds=(Stage.CART,), idle_s=600),
        entry=Compare(field=Field.ORDER_COUNT, op="missing"),
        steps=(
            Wait(id="pause", delay_s=5400, since="previous"),
            Branch(
                id="big", when=big, then=(Message(id="gift", template=template_key(1)),), otherwise=(Exit(id="bye"),)
            ),
        ),
    )
    save_flow(
        world.connection, world.context, world.shop, key="vip", name="VIP <b>flow</b>", definition=flow, priority=9
    )
    activate_flow(world.connection, world.context, world.shop, "vip")
    text = world.as_(VIEWER).get(world.path("flows/vip/")).text
    assert "When a cart is left alone for 10 min" in text
    assert "and the number of earlier orders is not known" in text
    assert "Wait 1 h 30 min" in text
    assert "If the cart&#x27;s value is at least €200.00 and the country is one of DE, AT" in text
    assert "Leave the flow" in text
    assert "VIP &lt;b&gt;flow&lt;/b&gt;" in text
    assert f'href="/shops/fernweh/flows/{FLOW_KEY}/"' in text


def test_a_definition_from_a_newer_release_breaks_nothing(world: World) -> None:
    world.connection.execute(
        "UPDATE flow_versions SET definition = jsonb_set(definition, '{steps,0,type}', '\"teleport\"')"
    )
    assert "This version cannot be read" in world.as_(VIEWER).get(world.path("flows/")).text


def test_an_unknown_flow_is_404(world: World) -> None:
    client = world.as_(MARKETER)
    assert client.get(world.path("flows/none/")).status_code == 404
    assert client.post(world.path("flows/none/off")).status_code == 404
