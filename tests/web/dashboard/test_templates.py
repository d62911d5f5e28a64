"""The templates of a shop: every version can be looked at, as a letter, a text message or a push message."""

from __future__ import annotations

import pytest

from rekindle.engine.templates import save_push_template, save_sms_template
from rekindle.render.defaults.sms import default_sms
from rekindle.render.push import PushTemplate
from tests.web.seed import Seeded
from tests.web.world import World

pytestmark = pytest.mark.only_reads

VIEWER = "viewer@fernweh.example"


def version_of(world: World, channel: str) -> int:
    row = world.connection.execute(
        "SELECT published_version_id FROM templates WHERE shop_id = %s AND channel = %s ORDER BY key LIMIT 1",
        [world.shop.id, channel],
    ).fetchone()
    assert row is not None
    return int(row[0])


def save_text(world: World, text: str, **more: object) -> int:
    where = (world.connection, world.context, world.shop)
    return save_sms_template(*where, key="cart-sms", name="A text", text=text, **more).version_id  # type: ignore[arg-type]


def test_all_templates_are_listed_by_channel(world: World, seeded: Seeded) -> None:
    text = world.as_(VIEWER).get(world.path("templates/")).text
    assert text.index("E-mail") < text.index("cart-reminder-1") < text.index("Text messages") < text.index("cart-push")
    assert "No template: no flow can write on this channel" in text
    assert world.path("templates/") in world.as_(VIEWER).get(world.path("flows/")).text


def test_a_push_message_is_shown_as_a_device_shows_it_in_the_same_cage(world: World, seeded: Seeded) -> None:
    answer = world.as_(VIEWER).get(world.path(f"templates/{version_of(world, 'push')}/preview"))
    assert answer.status_code == 200
    assert "Your cart at Fernweh Outdoor" in answer.text
    assert "No more reminders" in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "script" not in answer.text
    page = world.as_(VIEWER).get(world.path(f"templates/{version_of(world, 'push')}/"))
    assert 'sandbox=""' in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    assert "Shown with your newest cart" in page.text


@pytest.mark.writes
def test_a_text_message_is_shown_with_what_it_costs(world: World, seeded: Seeded) -> None:
    version = save_text(world, default_sms("en"))
    shown = world.as_(VIEWER).get(world.path(f"templates/{version}/preview")).text
    assert "STOP" in shown
    assert "Fernweh Outdoor" in shown
    assert "1 segment of GSM-7" in shown
    assert "1 segment of GSM-7" in world.as_(VIEWER).get(world.path(f"templates/{version}/")).text


@pytest.mark.writes
def test_every_version_can_be_looked_at_and_hostile_words_stay_words(world: World, seeded: Seeded) -> None:
    first = save_text(world, default_sms("en"), by="otto")
    second = save_text(world, default_sms("en") + " <script>x</script>", publish=False)
    page = world.as_(VIEWER).get(world.path(f"templates/{second}/")).text
    assert world.path(f"templates/{first}/") in page
    assert "Not used" in page
    assert "by otto" in world.as_(VIEWER).get(world.path(f"templates/{first}/")).text
    assert "&lt;script&gt;" in world.as_(VIEWER).get(world.path(f"templates/{second}/preview")).text
    push = PushTemplate(title="<img src=x onerror=alert(1)>", body="{{ cart.items[0].title }}")
    saved = save_push_template(world.connection, world.context, world.shop, key="p", name="<b>P", template=push)
    shown = world.as_(VIEWER).get(world.path(f"templates/{saved.version_id}/preview")).text
    assert "&lt;img src=x" in shown
    assert "<img src=x" not in shown
    assert "&lt;b&gt;P" in world.as_(VIEWER).get(world.path("templates/")).text


@pytest.mark.writes
def test_a_text_that_would_not_go_out_says_why(world: World, seeded: Seeded) -> None:
    version = save_text(world, default_sms("en"))
    world.connection.execute(
        "UPDATE template_versions SET text = 'Come back: {{ links.recover }}' WHERE id = %s", [version]
    )
    shown = world.as_(VIEWER).get(world.path(f"templates/{version}/preview")).text
    assert "This message would not go out" in shown
    assert "unsubscribe_missing" in shown
    page = world.as_(VIEWER).get(world.path(f"templates/{version}/"))
    assert page.status_code == 200


def test_another_shops_template_is_not_there(world: World, seeded: Seeded) -> None:
    stranger = world.as_("owner@kaffee.example")
    version = version_of(world, "push")
    for rest in ("", "preview"):
        assert stranger.get(world.path(f"templates/{version}/{rest}", world.other)).status_code == 404
