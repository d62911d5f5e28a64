"""A delivery worker of the product in a process that can be killed: ``python -m tests.race.delivery_worker JSON``.

The JSON says: dsn, port of the sink, connections, leases and settle time in seconds, and ``lookup``: whether the
provider can be asked what it accepted (the sink can; SMTP cannot). ``keyed``: the port is that of the sink over HTTP. It works until it is killed or stopped by SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from datetime import timedelta
from types import FrameType

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


def run(options: dict[str, object]) -> None:
    connections = int(str(options["connections"]))
    maker = Maker(http=HttpSettings(rules=EgressRules(allow_loopback=True), connections=connections))

    def make(kind: str, settings: dict[str, object], secret: bytes) -> Provider:
        if options.get("keyed"):
            return maker(kind, settings, secret)
        port = int(str(options["port"]))
        smtp = SmtpSettings(host="127.0.0.1", port=port, tls=Tls.NONE, connections=connections)
        return AskableSmtp(smtp, port) if options["lookup"] else SmtpProvider(smtp)

    seconds = {name: float(str(options[name])) for name in ("claim_lease", "sending_lease", "settle_time")}
    pace = Pace(limit=64, settle_every_s=0.3, **{name: timedelta(seconds=value) for name, value in seconds.items()})
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
