"""What the engine really sends to Amazon SES, to browsers and to Firebase, held against what others wrote of them: moto, a
push service that decrypts, and a discovery document. One stored cart each, handed over by the worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.make_provider import Maker
from rekindle.engine.templates import save_push_template
from rekindle.lib.clock import SYSTEM_CLOCK, MovableClock
from rekindle.providers.email.ses import Ses
from rekindle.providers.http_client import Answered, EgressRules, HttpSettings
from rekindle.providers.over_http import json_request
from rekindle.render.defaults import default_push
from rekindle.store.database import Connection
from tests.due_sends import Person
from tests.providers.apis import local_client
from tests.providers.fcm_mock import FcmMock
from tests.providers.http_server import Got, Reply, Server, serving
from tests.providers.push_kit import VAPID_KEY, key_file, rules_for
from tests.providers.push_test_server import Service, push_test_server
from tests.providers.ses_mock import SesMock, moto, needs_moto

from .api_delivery import VALUES
from .delivery import World, make_world
from .test_deliver_push import add_device

SLOW = HttpSettings(rules=EgressRules(allow_loopback=True), connect_s=5.0, answer_s=20.0)


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock) -> World:
    """A shop without an account; noon in Berlin."""
    clock.advance(timedelta(hours=2))
    made = make_world(link, shared_dsn, context, clock, 1)
    link.execute("DELETE FROM provider_accounts")
    made.use_http(SLOW)
    return made


def deliver_to(
    world: World, answer: Callable[[Got], Reply], account: Callable[[Server], object], *people: Person
) -> None:
    """One batch, to a server in the worker's own loop."""

    async def work(worker: Deliverer) -> None:
        async with serving(otherwise=answer) as server:
            account(server)
            worker.books.refresh(world.connection)
            for bucket in sorted({person.bucket for person in people}):
                await worker.deliver_batch(bucket)
            await worker.hand_over.close()

    world.with_worker(work)


# --- Amazon SES


def test_amazon_takes_the_letter_with_its_signature_and_its_tag(world: World) -> None:
    amazon = SesMock(world.clock, "AKIDEXAMPLE", "hidden", "eu-central-1", verified={"fernweh.example"})
    ada = world.person("ada")
    deliver_to(world, amazon.answer, lambda server: world.add_api_account("ses", server.url, **VALUES["ses"]), ada)
    assert amazon.refused == []
    assert world.events(ada.send_id) == [("handed_over", None)]
    (letter,), (tags,) = amazon.taken, amazon.tags
    assert letter["To"].addresses[0].addr_spec == "ada@shopper.example"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert {part.get_content_type() for part in letter.walk()} >= {"text/plain", "text/html"}
    assert tags == {"send_id": f"{ada.bucket}-{ada.send_id}"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"secret_key": "another"}, "SignatureDoesNotMatch"), ({"region": "us-east-1"}, "InvalidSignatureException")],
)
def test_the_mock_of_amazon_refuses_another_key_and_another_place(
    world: World, changes: dict[str, str], reason: str
) -> None:
    """What passes it is worth nothing otherwise. Nobody's message fails for it: the account pauses."""
    amazon = SesMock(world.clock, "AKIDEXAMPLE", "hidden", "eu-central-1", verified={"fernweh.example"})
    ada, values = world.person("ada"), {**VALUES["ses"], **changes}
    deliver_to(world, amazon.answer, lambda server: world.add_api_account("ses", server.url, **values), ada)
    assert [one.partition(":")[0] for one in amazon.refused] == [reason]
    assert world.outbox(ada, "state", "attempts") == ("scheduled", 0)


@needs_moto
def test_moto_takes_the_letter_once_the_sender_is_verified(world: World) -> None:
    with moto() as url:
        account = world.add_api_account("ses", url, **VALUES["ses"])
        ada, bob = world.person("ada"), world.person("bob")

        async def work(worker: Deliverer) -> None:
            await verify(url, "somebody.example")  # the first request is a slow one
            await worker.deliver_batch(ada.bucket)
            assert world.outbox(ada, "state", "attempts") == ("scheduled", 0), "nobody's message fails for the account"
            await verify(url, "fernweh.example")
            world.connection.execute(
                "UPDATE provider_accounts SET paused_until = NULL, pause_kind = '' WHERE id = %s", [account]
            )
            world.clock.advance(timedelta(hours=1, seconds=2))
            worker.books.refresh(world.connection)
            for _ in range(10):  # one message is the trial; a slow machine may need a second one
                await worker.deliver_batch(ada.bucket)
                world.clock.advance(timedelta(minutes=20))

        world.with_worker(work)
        assert [world.events(one.send_id) for one in (ada, bob)] == [[("handed_over", None)]] * 2


async def verify(url: str, identity: str) -> None:
    ses = Ses(access_key="AKIDEXAMPLE", secret_key="x" * 40, region="eu-central-1", base_url=url, clock=SYSTEM_CLOCK)
    client = local_client(answer_s=60.0)
    request = ses._signed(json_request("/v2/email/identities", {"EmailIdentity": identity}))
    done = await client.exchange(f"{url}{request.target}", "POST", headers=request.headers, body=request.body)
    assert isinstance(done, Answered), done
    assert done.answer.status == 200, done.answer
    await client.close()


# --- push


def push_world(world: World, rules: EgressRules) -> None:
    world.use_http(replace(SLOW, rules=rules))
    template = default_push("en")
    saved = save_push_template(world.connection, world.context, world.shop, key="p", name="P", template=template)
    world.template_version_id = saved.version_id


def test_a_push_service_of_others_decrypts_what_the_worker_sends(world: World) -> None:
    with push_test_server() as url:
        push_world(world, rules_for(url))
        world.maker = Maker(SYSTEM_CLOCK, world.http)  # the service looks at its own clock whether a token has run out
        world.add_api_account("web_push", "", subject="mailto:shop@example.com", vapid_private_key=VAPID_KEY)
        there = Service(url)

        async def work(worker: Deliverer) -> tuple[Person, list[dict[str, Any]]]:
            subscribed = [await there.subscribed() for _ in range(2)]
            person = world.person("ada", channel="push", address=subscribed[0][0].address)
            for device, _ in subscribed:
                add_device(world, person, device.address, device.public_key, device.auth)
            await worker.deliver_batch(person.bucket)
            shown = [await there.shown(name) for _, name in subscribed]
            assert [len(messages) for messages in shown] == [1, 1]
            await there.client.close()
            return person, [json.loads(messages[0]) for messages in shown]

        person, (one, other) = world.with_worker(work)
        assert world.events(person.send_id) == [("handed_over", None)]
        assert one == other
        assert one["body"] == "Rain jacket and more: we kept it for you."
        assert one["url"].startswith(f"{world.context.public_url}/r/")


def test_firebase_takes_what_its_discovery_document_describes(world: World) -> None:
    push_world(world, EgressRules(allow_loopback=True))
    firebase, token = FcmMock("demo-shop"), "fGx:APA91b" + "x" * 30
    person = world.person("ada", channel="push", address=token)
    add_device(world, person, token, b"", b"")
    deliver_to(
        world,
        firebase.answer,
        lambda server: world.add_api_account("fcm", server.url, key_file=key_file(f"{server.url}/token")),
        person,
    )
    assert firebase.refused == []
    assert world.events(person.send_id) == [("handed_over", None)]
    (message,) = firebase.taken
    assert message["token"] == token
    assert message["data"]["url"].startswith(f"{world.context.public_url}/r/")
