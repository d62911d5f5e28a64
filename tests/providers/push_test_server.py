"""A push service that others wrote (web-push-testing): it takes subscriptions, and decrypts what is sent to them.

It comes with the front end's development packages, locked like them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rekindle.providers.base import Device
from rekindle.providers.http_client import Answered, EgressRules
from rekindle.providers.push.web_push import WebPush
from tests.providers.apis import local_client
from tests.providers.push_kit import VAPID_KEY, unpack

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "frontend" / "node_modules" / "web-push-testing" / "src" / "bin" / "server.js"
#: The server would listen on every interface; this is loaded before it.
ONLY_LOOPBACK = """
const net = require("net"), listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, port, "127.0.0.1", ...rest.filter((one) => typeof one === "function"));
};
"""


@contextmanager
def push_test_server() -> Iterator[str]:
    """Its address; on loopback only."""
    node = shutil.which("node")
    if node is None or not PROGRAM.exists():
        pytest.skip("the push test server is not there: run make setup-dev")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = subprocess.DEVNULL
    with tempfile.NamedTemporaryFile("w", suffix=".js") as preload:
        preload.write(ONLY_LOOPBACK)
        preload.flush()
        command = [node, "-r", preload.name, str(PROGRAM), str(port)]
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
    """What a browser asks a push service for."""

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

    async def subscribed(self, account: WebPush | None = None) -> tuple[Device, str]:
        """A new browser that allows this account's messages, and its name at the service."""
        account = account or WebPush(private_key=VAPID_KEY, subject="mailto:shop@example.com")
        wish = {"userVisibleOnly": "true", "applicationServerKey": account.public_key}
        given = await self.ask("/subscribe", wish)
        keys = {name: unpack(value) for name, value in given["keys"].items()}
        return Device(
            id=given["clientHash"][:8], address=given["endpoint"], public_key=keys["p256dh"], auth=keys["auth"]
        ), given["clientHash"]

    async def shown(self, name: str) -> list[str]:
        """What a browser was sent so far, decrypted."""
        messages: list[str] = (await self.ask("/get-notifications", {"clientHash": name}))["messages"]
        return messages
