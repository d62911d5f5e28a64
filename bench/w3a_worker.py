"""One delivery worker of the product for W3a and W3b: begins at a line on stdin, stops at the next, ends at the third.

Nothing of the product is imported before the first line, so that its start is part of the measured time.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rekindle.engine.loops import Loop
    from rekindle.engine.make_provider import MakeProvider

HASH_KEY, VAULT_KEY, PUBLIC_URL = b"h" * 32, b"v" * 32, "https://rekindle.example"


def main(dsn: str, way: str, port: int, connections: int, profile: str) -> None:
    from rekindle.engine.collector import spare_the_collector
    from rekindle.engine.context import Context
    from rekindle.engine.delivery_loop import DeliveryLoop

    make = by_smtp(port, connections) if way == "smtp" else by_api(port, connections)
    context = Context(hash_key=HASH_KEY, vault_key=VAULT_KEY, public_url=PUBLIC_URL)
    loop = DeliveryLoop(dsn, context, make=make)
    spare_the_collector()  # as the worker command does
    if profile:
        run_profiled(loop, profile)
    else:
        loop.start()
        sys.stdin.readline()
        loop.ask_to_stop()
    if not loop.join(30):
        sys.exit("the loop did not end")
    print("done", flush=True)


def by_smtp(port: int, connections: int) -> MakeProvider:
    from rekindle.providers.email.smtp import SmtpProvider, SmtpSettings, Tls

    settings = SmtpSettings(
        host="127.0.0.1", port=port, tls=Tls.NONE, connections=connections, letters_per_connection=10_000
    )
    return lambda kind, options, secret: SmtpProvider(settings)


def by_api(port: int, connections: int) -> MakeProvider:
    """SendGrid's adapter over the product's HTTP client; only the address of the API is ours."""
    from rekindle.engine.make_provider import Maker, sealed_values
    from rekindle.providers.http_client import EgressRules, HttpSettings

    maker = Maker(http=HttpSettings(connections=connections, rules=EgressRules(allow_loopback=True)))
    options, secret = {"base_url": f"http://127.0.0.1:{port}"}, sealed_values({"api_key": "key"})
    return lambda kind, _options, _secret: maker(kind, options, secret)


def run_profiled(loop: Loop, path: str) -> None:
    from pathlib import Path

    from bench.profile import Sampler

    sampler = Sampler()
    sampler.start()
    loop.start()
    sampler.wait(sys.stdin)
    sys.stdin.readline()
    sampler.stop(Path(path))
    loop.ask_to_stop()


if __name__ == "__main__":
    sys.stdin.readline()
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), "".join(sys.argv[5:]))
    sys.stdin.readline()
