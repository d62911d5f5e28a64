"""A delivery worker of the product in a process that can be killed: ``python -m tests.race.delivery_worker JSON``.

The JSON says: dsn, port of the sink, connections, leases and settle time in seconds, and ``lookup``: whether the
provider can be asked what it accepted (the sink can; SMTP cannot). ``keyed``: the port is that of the sink over HTTP.
``limit``: sends in a batch. ``notes``: a file to which it adds a line for each call, the send and when its first bytes were away. It works until it is
killed or stopped by SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from types import FrameType
from typing import Any

from rekindle.engine.batch import Pace
from rekindle.engine.context import Context
from rekindle.engine.delivery_loop import DeliveryLoop
from rekindle.engine.make_provider import Maker, Provider
from rekindle.providers.base import Capabilities
from rekindle.providers.email.smtp import SmtpProvider, SmtpSettings, Tls
from rekindle.providers.http_client import EgressRules, HttpSettings

HASH_KEY, VAULT_KEY, PUBLIC_URL = b"h" * 32, b"v" * 32, "https://rekindle.example"


class AskableSmtp(SmtpProvider):
    """SMTP to our own sink, which also answers whether it accepted a send."""

    def __init__(self, settings: SmtpSettings, port: int) -> None:
        super().__init__(settings)
        self._port = port

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(lookup=True)

    async def lookup(self, message_id: str) -> bool | None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        await reader.readline()
        writer.write(f"HAS {message_id.partition('@')[0]}\r\n".encode())
        count = int(await reader.readline())
        writer.close()
        return count > 0


def note_starts(provider: Provider, path: str) -> None:
    """Write down when the first bytes of each call are away: at the end of the turn in which it was started, while the
    caller still holds the locks. One write a line: several workers share the file."""
    start: Any = provider.start
    file = os.open(path, os.O_WRONLY | os.O_APPEND)

    def note(letters: Sequence[Any]) -> None:
        at = time.monotonic_ns()
        os.write(file, b"".join(b"%b %d\n" % (letter.send_id.encode(), at) for letter in letters))

    def noting(letters: Sequence[Any]) -> Any:
        replies = start(letters)
        asyncio.get_running_loop().call_soon(note, letters)
        return replies

    provider.start = noting  # type: ignore[method-assign, assignment]


def run(options: dict[str, object]) -> None:
    connections = int(str(options["connections"]))
    maker = Maker(http=HttpSettings(rules=EgressRules(allow_loopback=True), connections=connections))

    def make(kind: str, settings: dict[str, object], secret: bytes) -> Provider:
        made = choose(kind, settings, secret)
        if notes := options.get("notes"):
            note_starts(made, str(notes))
        return made

    def choose(kind: str, settings: dict[str, object], secret: bytes) -> Provider:
        if options.get("keyed"):
            return maker(kind, settings, secret)
        port = int(str(options["port"]))
        smtp = SmtpSettings(host="127.0.0.1", port=port, tls=Tls.NONE, connections=connections)
        return AskableSmtp(smtp, port) if options["lookup"] else SmtpProvider(smtp)

    seconds = {name: float(str(options[name])) for name in ("claim_lease", "sending_lease", "settle_time")}
    limit = int(str(options.get("limit", 64)))
    pace = Pace(limit=limit, settle_every_s=0.3, **{name: timedelta(seconds=value) for name, value in seconds.items()})
    context = Context(hash_key=HASH_KEY, vault_key=VAULT_KEY, public_url=PUBLIC_URL)
    loop = DeliveryLoop(str(options["dsn"]), context, make=make, pace=pace)

    def stop(number: int, frame: FrameType | None) -> None:
        loop.ask_to_stop()

    signal.signal(signal.SIGTERM, stop)
    loop.start()
    print("up", flush=True)
    while not loop.join(0.2):
        pass


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
