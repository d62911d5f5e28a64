"""Does a new shop begin with all it needs, and are flows and templates checked before they run?"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import check_password

from rekindle.engine.abandon import abandon
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.flows import activate_flow, deactivate_flow, save_flow
from rekindle.engine.onboard import (
    BROWSE_FLOW_KEY,
    FLOW_KEY,
    VISIT_TEMPLATE_KEY,
    ShopRefusedError,
    create_person,
    create_shop,
    default_browse_flow,
    default_flow,
)
from rekindle.engine.templates import TemplateRefusedError, save_email_template
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.flow import FlowError
from rekindle.terms.role import Role
from rekindle.terms.shop import ShopSettings
from tests.engine.scene import busy_buckets, one, put_cart, put_shopper, put_template, rows, steps

DAY = timedelta(days=1)


def new_shop(connection: Connection, context: Context, **settings: object) -> ShopSettings:
    return create_shop(connection, context, **({"slug": "fernweh", "name": "Fernweh", "locale": "de"} | settings))  # type: ignore[arg-type]


def test_a_new_shop_has_letters_in_its_language_and_a_running_flow(
    connection: Connection, context: Context, clock: MovableClock
) -> None:
    shop = new_shop(connection, context, currency="chf", cart_idle_s=60)
    assert (shop.slug, shop.currency, shop.cart_idle_s, shop.checkout_idle_s) == ("fernweh", "CHF", 60, 900)
    books = Books.load(connection)
    (flow,) = books.flows_of(shop.id)
    assert (flow.key, flow.activated_at) == (FLOW_KEY, clock.now())
    assert flow.flow == default_flow()
    for number in (1, 2, 3):
        template = books.template(shop.id, f"cart-reminder-{number}")
        assert template is not None
        content = books.template_content(connection, template.version_id)
        assert content is not None
        assert "Warenkorb" in content.subject + content.text
        assert "<html" in content.html
    key = one(connection, "SELECT write_key FROM shops WHERE id = %s", shop.id)["write_key"]
    assert len(str(key)) >= 20


def test_a_flow_for_visits_comes_along_and_waits_switched_off(connection: Connection, context: Context) -> None:
    shop = new_shop(connection, context)
    stored = one(connection, "SELECT id, active_version_id, activated_at FROM flows WHERE key = %s", BROWSE_FLOW_KEY)
    assert (stored["active_version_id"], stored["activated_at"]) == (None, None)
    assert BROWSE_FLOW_KEY not in [flow.key for flow in Books.load(connection).flows_of(shop.id)]
    activate_flow(connection, context, shop, BROWSE_FLOW_KEY)
    books = Books.load(connection)
    assert [flow.key for flow in books.flows_of(shop.id)] == [FLOW_KEY, BROWSE_FLOW_KEY]
    assert books.flows_of(shop.id)[1].flow == default_browse_flow()
    template = books.template(shop.id, VISIT_TEMPLATE_KEY)
    assert template is not None
    content = books.template_content(connection, template.version_id)
    assert content is not None
    assert "angesehen" in content.text
    assert "Warenkorb" not in content.subject + content.html + content.text


def test_the_default_delays_are_those_that_bring_something(connection: Connection, context: Context) -> None:
    waits = [step.delay_s for step in default_flow().steps if hasattr(step, "delay_s")]
    assert waits == [4 * 3_600, 24 * 3_600, 72 * 3_600]


def test_a_demo_may_be_in_a_hurry(connection: Connection, context: Context) -> None:
    shop = new_shop(connection, context, waits_s=(20, 60), write_key="wk-demo")
    (flow,) = Books.load(connection).flows_of(shop.id)
    assert [step.id for step, _ in flow.flow.walk()] == ["wait-1", "reminder-1", "wait-2", "reminder-2"]
    assert one(connection, "SELECT write_key FROM shops")["write_key"] == "wk-demo"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"slug": "Fern Weh"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"name": "  "}, "name"),
        ({"currency": "XXX"}, "currency"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"sender_email": "nobody"}, "sender_email"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"brand_color": "red"}, "brand_color"),
        ({"spread": 0}, "spread"),
        ({"spread": 2_000}, "spread"),
        ({"holdout_rate": 1.0}, "holdout_rate"),
        ({"holdout_rate": "much"}, "holdout_rate"),
        ({"cart_idle_s": 1}, "cart_idle_s"),
        ({"id": 7}, "id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_made(
    connection: Connection, context: Context, settings: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ShopRefusedError, match=f"^{complaint}:"):
        new_shop(connection, context, **settings)
    assert rows(connection, "SELECT 1 FROM shops") == []


def test_a_slug_is_taken_once(connection: Connection, context: Context) -> None:
    new_shop(connection, context)
    with pytest.raises(ShopRefusedError, match="already a shop fernweh"):
        new_shop(connection, context)
    assert len(rows(connection, "SELECT 1 FROM templates")) == 5


def test_a_person_gets_a_role(connection: Connection, context: Context) -> None:
    shop = new_shop(connection, context)
    made = create_person(
        connection, context, shop=shop, account="ada@example.com", password="a long enough secret", role=Role.OWNER
    )
    person = one(
        connection,
        "SELECT p.password, m.role FROM auth_user p JOIN memberships m ON m.person_id = p.id WHERE p.id = %s",
        made.person_id,
    )
    assert person["role"] == "owner"
    assert check_password("a long enough secret", str(person["password"]))


def definition(**changes: object) -> str:
    return json.dumps({"trigger": {"kinds": ["cart"]}, "steps": steps(4)} | changes)


def test_saving_changes_nothing_until_it_is_switched_on(
    connection: Connection, context: Context, clock: MovableClock
) -> None:
    shop = new_shop(connection, context)
    put_template(connection, shop)
    saved = save_flow(connection, context, shop, key=FLOW_KEY, name="Mine", definition=definition(), priority=5)
    assert saved.number == 2
    assert Books.load(connection).flows_of(shop.id)[0].flow == default_flow()
    switched_on = clock.now()
    clock.advance(DAY)
    assert activate_flow(connection, context, shop, FLOW_KEY).number == 2
    (flow,) = Books.load(connection).flows_of(shop.id)
    assert (flow.version_id, flow.priority, flow.activated_at) == (saved.version_id, 5, switched_on)
    assert activate_flow(connection, context, shop, FLOW_KEY, number=1).number == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not a flow definition"),
        (definition(steps=[]), "1 to 100 steps"),
        (definition(steps=[{"type": "message", "id": "m", "template": "nowhere"}]), "no published template nowhere"),
        (definition(steps=[{"type": "message", "id": "m", "template": "text"}]), "written for sms, not for email"),
        (definition(steps=[{"type": "message", "id": "m", "template": "reminder", "channels": ["email", "sms"]}]), "written for email, not for sms"),
    ],
)  # fmt: skip
def test_a_flow_that_cannot_run_is_not_saved(
    connection: Connection, context: Context, text: str, complaint: str
) -> None:
    shop = new_shop(connection, context)
    put_template(connection, shop)
    put_template(connection, shop, "text", "sms")
    with pytest.raises(FlowError, match=complaint):
        save_flow(connection, context, shop, key="mine", name="Mine", definition=text)
    assert rows(connection, "SELECT 1 FROM flows WHERE key = 'mine'") == []


def test_an_unknown_flow_cannot_be_switched(connection: Connection, context: Context) -> None:
    shop = new_shop(connection, context)
    with pytest.raises(FlowError, match="no flow nope"):
        activate_flow(connection, context, shop, "nope")
    with pytest.raises(FlowError, match="with a version 9"):
        activate_flow(connection, context, shop, FLOW_KEY, number=9)
    with pytest.raises(FlowError, match="no flow nope"):
        deactivate_flow(connection, context, shop, "nope")


@pytest.mark.parametrize("end_running", [False, True])
def test_switching_off_ends_runs_only_when_asked(
    connection: Connection, context: Context, clock: MovableClock, spread: int, end_running: bool
) -> None:
    shop = new_shop(connection, context, spread=spread)
    for number in range(3):
        put_cart(
            connection,
            context,
            shop,
            put_shopper(connection, context, shop, f"s{number}@example.com"),
            key=f"c{number}",
        )
    clock.advance(timedelta(minutes=30))
    books = Books.load(connection)
    for bucket in busy_buckets(connection):
        abandon(connection, context, books, bucket)
    assert deactivate_flow(connection, context, shop, FLOW_KEY, end_running=end_running) == (3 if end_running else 0)
    assert Books.load(connection).flows_of(shop.id) == ()
    found = {
        (row["state"], row["exit_reason"]) for row in rows(connection, "SELECT state, exit_reason FROM enrolments")
    }
    assert found == ({("exited", "FLOW_STOPPED")} if end_running else {("waiting", None)})
    stopped = rows(connection, "SELECT 1 FROM decisions WHERE question = 'exit' AND reason = 'FLOW_STOPPED'")
    assert len(stopped) == (3 if end_running else 0)


def test_switched_on_again_it_begins_from_that_moment(
    connection: Connection, context: Context, clock: MovableClock
) -> None:
    shop = new_shop(connection, context)
    deactivate_flow(connection, context, shop, FLOW_KEY)
    clock.advance(DAY)
    activate_flow(connection, context, shop, FLOW_KEY)
    assert Books.load(connection).flows_of(shop.id)[0].activated_at == clock.now()


GOOD = (
    "<p>{{ cart.item_count }} things at {{ shop.name }}<br>"
    "{% for line in shop.postal_lines %}{{ line }} {% endfor %}</p>"
    '<a href="{{ links.recover }}">back</a> <a href="{{ links.unsubscribe }}">unsubscribe</a>'
)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"subject": "Hi {{ nobody.knows }}"}, "nobody"),
        ({"source": "<p>{% for %}</p>"}, "html"),
        ({"source": "<mjml><mj-body><mj-nonsense/></mj-body></mjml>"}, "mj-nonsense"),
        ({"source": "<p>no way out</p>"}, "unsubscribe"),
        ({"key": "No Key"}, "key"),
    ],
)
def test_a_template_that_would_stop_messages_is_refused(
    connection: Connection, context: Context, changes: dict[str, str], complaint: str
) -> None:
    shop = new_shop(connection, context)
    parts = {"key": "mine", "name": "Mine", "subject": "Your cart at {{ shop.name }}", "source": GOOD} | changes
    with pytest.raises(TemplateRefusedError, match=complaint):
        save_email_template(connection, context, shop, **parts)  # type: ignore[arg-type]
    assert rows(connection, "SELECT 1 FROM templates WHERE key = 'mine'") == []


def test_template_versions_count_and_only_published_ones_go_out(connection: Connection, context: Context) -> None:
    shop = new_shop(connection, context)
    parts = {"key": "mine", "name": "Mine", "subject": "Your cart", "source": GOOD}
    first = save_email_template(connection, context, shop, **parts)  # type: ignore[arg-type]
    draft = save_email_template(connection, context, shop, **parts, publish=False)  # type: ignore[arg-type]
    assert (first.number, draft.number) == (1, 2)
    published = Books.load(connection).template(shop.id, "mine")
    assert published is not None
    assert published.version_id == first.version_id
    put_template(connection, shop, "text", "sms")
    with pytest.raises(TemplateRefusedError, match="written for sms"):
        save_email_template(connection, context, shop, **(parts | {"key": "text"}))  # type: ignore[arg-type]
