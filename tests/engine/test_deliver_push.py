"""A due push message goes to all devices of its shopper and counts once; who is gone is forgotten, who bought is left alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from rekindle.engine.clicks import open_cart_link
from rekindle.engine.context import Context
from rekindle.engine.delivery_loop import DeliveryLoop
from rekindle.engine.templates import TemplateRefusedError, save_push_template
from rekindle.lib.clock import MovableClock
from rekindle.lib.ids import natural_id
from rekindle.render.defaults import default_push
from rekindle.render.push import PushTemplate
from rekindle.store.buckets import address_bucket
from rekindle.store.database import Connection, connect
from tests.due_sends import Person
from tests.providers.push_kit import VAPID_KEY, key_file, rules_for

from .delivery import LOOPBACK, World, make_world
from .push_service import PushService, push_service


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as made:
        yield made


@pytest.fixture(scope="module")
def shared_dsn(admin_dsn: str, template_database: str) -> Iterator[str]:
    name = f"rekindle_push_{secrets.token_hex(6)}"
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"')
    yield psycopg.conninfo.make_conninfo(admin_dsn, dbname=name)
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def connection(shared_dsn: str) -> Iterator[Connection]:
    with connect(shared_dsn) as link:
        link.execute("DELETE FROM send_events")
        yield link


@pytest.fixture
def world(
    connection: Connection, shared_dsn: str, context: Context, clock: MovableClock, spread: int, service: PushService
) -> World:
    world = make_world(connection, shared_dsn, context, clock, spread)
    connection.execute("DELETE FROM provider_accounts")
    world.http = replace(LOOPBACK, rules=rules_for(service.url))
    world.maker = type(world.maker)(clock, world.http)
    saved = save_push_template(
        connection, context, world.shop, key="cart-push", name="Push", template=default_push("en")
    )
    world.template_version_id = saved.version_id
    return world


def web_account(world: World) -> int:
    return world.add_api_account("web_push", "", subject="mailto:shop@example.com", vapid_private_key=VAPID_KEY)


def app_account(world: World, service: PushService) -> int:
    return world.add_api_account("fcm", service.url, key_file=key_file(f"{service.url}/token"))


def ada(world: World, service: PushService, name: str = "ada", **changes: Any) -> Person:
    """Ada, whose browser subscribed, with a message that is due."""
    endpoint, browser = service.browser(name)
    person = world.person(name, channel="push", address=endpoint, **changes)
    add_device(world, person, endpoint, browser.device(endpoint).public_key, browser.auth)
    return person


def also_on(world: World, person: Person, service: PushService, name: str, consent: str | None = "express") -> str:
    """One more browser of the same shopper."""
    endpoint, browser = service.browser(name)
    return add_device(world, person, endpoint, browser.device(endpoint).public_key, browser.auth, consent)


def add_device(
    world: World, person: Person, address: str, key: bytes, auth: bytes, consent: str | None = "express"
) -> str:
    digest = world.context.address_hash(person.shop.id, "push", address)
    contact = natural_id("contact", person.shop.id, f"push:{digest.hex()}")
    values = {
        "id": contact, "shop": person.shop.id, "owner": person.shopper_id, "home": person.bucket, "address": address,
        "hash": digest, "consent": consent, "now": world.clock.now(), "key": key, "auth": auth,
    }  # fmt: skip
    for bucket in {person.bucket, address_bucket(person.shop, digest)}:
        world.connection.execute(
            "INSERT INTO contact_points (bucket, id, shop_id, shopper_bucket, shopper_id, channel, address, address_hash, "
            "consent, consent_at, consent_wording, created_at) VALUES (%(bucket)s, %(id)s, %(shop)s, %(home)s, %(owner)s, "
            "'push', %(address)s, %(hash)s, %(consent)s, %(now)s, 'words', %(now)s) ON CONFLICT DO NOTHING",
            {**values, "bucket": bucket},
        )
    world.connection.execute(
        "INSERT INTO devices (bucket, id, shop_id, shopper_id, public_key, auth, created_at, seen_at) "
        "VALUES (%(home)s, %(id)s, %(shop)s, %(owner)s, %(key)s, %(auth)s, %(now)s, %(now)s)",
        values,
    )
    return str(contact)


def devices(world: World) -> list[str]:
    rows = world.connection.execute(
        "SELECT DISTINCT c.address FROM devices d JOIN contact_points c USING (bucket, id) WHERE d.shop_id = %s ORDER BY 1",
        [world.shop.id],
    )
    return [address.rpartition("/")[2] for (address,) in rows.fetchall()]


def test_all_browsers_of_a_shopper_show_it_and_it_counts_once(world: World, service: PushService) -> None:
    web_account(world)
    person = ada(world, service)
    also_on(world, person, service, "tablet")
    tally = world.deliver(person)
    assert tally.handed_over == 1
    assert world.state(person) == "handed_over"
    ((one,), (other,)) = service.shown["/ada"], service.shown["/tablet"]
    assert one == other
    assert one["title"].startswith("Your cart at ")
    assert one["body"] == "Rain jacket and more: we kept it for you."
    assert one["image"] == "https://fernweh.example/p1.jpg"
    assert [action["title"] for action in one["actions"]] == ["Return to your cart", "No more reminders"]
    assert one["tag"] == person.cart_id.hex
    assert {headers["ttl"] for headers in service.headers} == {"14400"}
    history = world.connection.execute("SELECT count(*) FROM send_events WHERE kind = 'handed_over'").fetchone()
    assert history == (1,)


def test_a_click_leads_back_to_the_cart(world: World, service: PushService) -> None:
    web_account(world)
    person = ada(world, service)
    world.deliver(person)
    ((shown,),) = (service.shown["/ada"],)
    prefix = f"{world.context.public_url}/r/"
    assert shown["url"].startswith(prefix)
    assert shown["actions"][0]["url"] == shown["url"]
    assert shown["actions"][1]["url"].startswith(f"{world.context.public_url}/u/")
    link = open_cart_link(world.connection, shown["url"].removeprefix(prefix), now=world.clock.now())
    assert link is not None
    assert link.send.id == person.send_id


def test_a_device_that_is_gone_is_forgotten_and_the_others_get_it(world: World, service: PushService) -> None:
    web_account(world)
    person = ada(world, service)
    also_on(world, person, service, "old")
    service.says["/old"] = 410
    assert world.deliver(person).handed_over == 1
    assert devices(world) == ["ada"]
    left = world.connection.execute("SELECT count(*) FROM contact_points WHERE address LIKE '%/old'").fetchone()
    assert left == (0,), "in no bucket"
    assert len(service.shown["/ada"]) == 1


def test_when_all_devices_are_gone_the_send_bounced(world: World, service: PushService) -> None:
    web_account(world)
    person = ada(world, service)
    service.says["/ada"] = 404
    world.deliver(person)
    assert world.events(person.send_id) == [("bounced", "PROVIDER_REFUSED")]
    assert devices(world) == []
    again = world.person("ada", channel="push", address=f"{service.url}/ada", step="second")
    world.deliver(again)
    assert world.state(again) == "skipped"
    assert world.decisions(again) == [("deny", "NO_ADDRESS")]


def test_apps_and_browsers_each_by_their_own_account(world: World, service: PushService) -> None:
    web, app = web_account(world), app_account(world, service)
    person = ada(world, service)
    token = "fGx:APA91b" + "x" * 30
    phone = world.person("bob", channel="push", address=token)
    add_device(world, phone, token, b"", b"")
    world.deliver(person, phone)
    assert world.state(person) == world.state(phone) == "handed_over"
    assert list(service.shown) == ["/ada", token] or list(service.shown) == [token, "/ada"]
    (message,) = service.shown[token]
    assert message["data"]["url"].startswith(f"{world.context.public_url}/r/")
    rows = world.connection.execute(
        "SELECT send_id, detail->>'account' FROM send_events WHERE kind = 'handed_over'"
    ).fetchall()
    assert dict(rows) == {person.send_id: str(web), phone.send_id: str(app)}


def test_a_token_that_firebase_forgot_is_forgotten(world: World, service: PushService) -> None:
    app_account(world, service)
    token = "fGx:APA91b" + "y" * 30
    phone = world.person("bob", channel="push", address=token)
    add_device(world, phone, token, b"", b"")
    service.says[token] = 404
    world.deliver(phone)
    assert world.state(phone) == "bounced"
    assert devices(world) == []


def test_without_an_account_that_reaches_the_device_it_waits(world: World, service: PushService) -> None:
    app_account(world, service)
    person = ada(world, service)
    assert world.deliver(person).again == 1
    assert world.decisions(person) == [("defer", "PAUSED")]
    assert service.shown == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consent": None}, "NO_BASIS"),
        ({"consent": "soft_opt_in"}, "NO_BASIS"),
        ({"consent": "withdrawn"}, "OPTED_OUT"),
        ({"wording": ""}, "CONSENT_UNPROVABLE"),
        ({"suppressed": True}, "SUPPRESSED"),
        ({"opted_out": timedelta(hours=1)}, "OPTED_OUT"),
        ({"last_order": timedelta(hours=1)}, "PURCHASED"),
        ({"arm": "holdout"}, "HELD_OUT"),
    ],
)
def test_what_stops_a_letter_stops_a_push(
    world: World, service: PushService, changes: dict[str, Any], reason: str
) -> None:
    web_account(world)
    person = ada(world, service, **changes)
    world.deliver(person)
    assert world.decisions(person) == [("deny", reason)]
    assert service.shown == {}


def test_a_browser_that_said_no_gets_nothing_while_another_of_the_shopper_does(
    world: World, service: PushService
) -> None:
    web_account(world)
    person = ada(world, service)
    also_on(world, person, service, "quiet", consent="withdrawn")
    world.deliver(person)
    assert list(service.shown) == ["/ada"]


def test_at_most_five_devices(world: World, service: PushService) -> None:
    web_account(world)
    person = ada(world, service)
    for number in range(8):
        also_on(world, person, service, f"d{number}")
    assert world.deliver(person).handed_over == 1
    assert len(service.shown) == 5


def test_a_service_that_asks_for_patience_uses_up_no_attempt(world: World, service: PushService) -> None:
    web_account(world)
    person = ada(world, service)
    service.says["/ada"] = 429
    assert world.deliver(person).again == 1
    assert world.outbox(person, "state", "attempts") == ("scheduled", 0)
    ((until,),) = [world.outbox(person, "send_at") or ()]
    assert until >= world.clock.now() + timedelta(seconds=50)
    service.says.clear()
    world.clock.advance(timedelta(minutes=2))
    assert world.deliver(person).handed_over == 1


def test_a_second_message_about_the_cart_waits_for_the_gap(world: World, service: PushService) -> None:
    """Two devices are one message: the caps count sends."""
    web_account(world)
    person = ada(world, service)
    also_on(world, person, service, "tablet")
    world.deliver(person)
    again = world.person("ada", channel="push", address=person.to, step="second", due=timedelta(seconds=1))
    world.deliver(again)
    ((outcome, _),) = world.decisions(again)
    assert outcome in {"defer", "deny"}
    assert len(service.shown["/ada"]) == 1


def test_a_worker_reaches_the_push_services_that_the_installation_added(context: Context) -> None:
    allowed = replace(context, push_hosts=("push.corp.example",))
    assert DeliveryLoop("", allowed).maker.http().rules.push_hosts == ("push.corp.example",)
    assert DeliveryLoop("", context).maker.http().rules.push_hosts == ()


def test_templates_are_tried_before_they_are_kept(world: World) -> None:
    def save(**changes: str) -> None:
        given = {"title": "Hi", "body": "Still there", **changes}
        save_push_template(
            world.connection, world.context, world.shop, key="x", name="X", template=PushTemplate(**given)
        )

    save()
    for wrong in ({"title": ""}, {"body": "{{ nobody.name }}"}, {"button": "{{ oops"}, {"stop": "{% if %}"}):
        with pytest.raises(TemplateRefusedError):
            save(**wrong)
