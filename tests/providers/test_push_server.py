"""Does a push service that others wrote (web-push-testing) take our requests and read our messages?

It comes with the front end's development packages, locked like them; where those are missing the test is skipped and says
so. It listens on loopback only.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rekindle.providers.base import Accepted, Device, Fault, Rejected
from rekindle.providers.http_client import Answered, EgressRules
from rekindle.providers.push.vapid import make_private_key
from rekindle.providers.push.web_push import WebPush, WebPushProvider
from tests.providers.apis import local_client
from tests.providers.letters import run
from tests.providers.push_kit import VAPID_KEY, push, send, unpack

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "frontend" / "node_modules" / "web-push-testing" / "src" / "bin" / "server.js"
#: The server would listen on every interface; this is loaded before it.
ONLY_LOOPBACK = """
const net = require("net"), listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, port, "127.0.0.1", ...rest.filter((one) => typeof one === "function"));
};
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    node = shutil.which("node")
    if node is None or not PROGRAM.exists():
        pytest.skip("the push test server is not there: run make setup-dev")
    preload = tmp_path_factory.mktemp("push") / "loopback.js"
    preload.write_text(ONLY_LOOPBACK, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = subprocess.DEVNULL
    command = [node, "-r", str(preload), str(PROGRAM), str(port)]
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, stdin=quiet)
    try:
        asyncio.run(_listening(port, server))
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait(10)


async def _listening(port: int, server: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(60):
        while server.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return
    pytest.skip("the push test server does not start here")


class Service:
    def __init__(self, url: str) -> None:
        self.url = url
        self.client = local_client(rules=EgressRules(allow_loopback=True, push_hosts=(url,)))

    async def ask(self, path: str, body: object) -> Any:
        headers = (("Content-Type", "application/json"),)
        exchange = await self.client.exchange(
            f"{self.url}{path}", "POST", headers=headers, body=json.dumps(body).encode()
        )
        assert isinstance(exchange, Answered), exchange
        assert exchange.answer.status == 200, exchange.answer
        return json.loads(exchange.answer.body)["data"] if exchange.answer.body[:1] == b"{" else None

    async def subscribed(self, account: WebPush) -> tuple[Device, str]:
        wish = {"userVisibleOnly": "true", "applicationServerKey": account.public_key}
        given = await self.ask("/subscribe", wish)
        keys = {name: unpack(value) for name, value in given["keys"].items()}
        return Device(
            id=given["clientHash"][:8], address=given["endpoint"], public_key=keys["p256dh"], auth=keys["auth"]
        ), given["clientHash"]


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
