"""Does a push service that others wrote (web-push-testing) take our requests and read our messages?

Where it is missing the test is skipped and says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rekindle.providers.base import Accepted, Fault, Rejected
from rekindle.providers.push.vapid import make_private_key
from rekindle.providers.push.web_push import WebPush, WebPushProvider
from tests.providers.letters import run
from tests.providers.push_kit import VAPID_KEY, push, send
from tests.providers.push_test_server import Service, push_test_server


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with push_test_server() as url:
        yield url


def account(key: str = VAPID_KEY) -> WebPush:
    return WebPush(private_key=key, subject="mailto:shop@example.com")


def test_a_push_service_of_others_reads_our_messages(service: str) -> None:
    async def work() -> None:
        there = Service(service)
        one = WebPushProvider(there.client, account())
        devices = [await there.subscribed(account()) for _ in range(3)]
        message = push(*(device for device, _ in devices))
        assert await send(one, message) == [Accepted("", "201 (3 of 3 devices)")]
        for _, name in devices:
            (shown,) = (await there.ask("/get-notifications", {"clientHash": name}))["messages"]
            assert json.loads(shown)["body"] == message.body
        await one.close()
        await there.client.close()

    run(work())


def test_an_expired_subscription_is_gone(service: str) -> None:
    async def work() -> None:
        there = Service(service)
        one = WebPushProvider(there.client, account())
        device, name = await there.subscribed(account())
        await there.ask(f"/expire-subscription/{name}", {})
        (outcome,) = await send(one, push(device))
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.fault, outcome.gone) == ("410", Fault.RECIPIENT, (device.id,))
        await one.close()
        await there.client.close()

    run(work())


def test_another_shops_key_is_refused(service: str) -> None:
    async def work() -> None:
        there = Service(service)
        other = WebPushProvider(there.client, account(make_private_key()))
        device, name = await there.subscribed(account())
        (outcome,) = await send(other, push(device))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "400"
        kept = await there.ask("/get-notifications", {"clientHash": name})
        assert kept["messages"] == []
        await other.close()
        await there.client.close()

    run(work())
