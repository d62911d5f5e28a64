"""One delivery worker of the product for W3a: begins at a line on stdin, stops at the next, ends at the third.

Nothing of the product is imported before the first line, so that its start is part of the measured time.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rekindle.engine.loops import Loop

HASH_KEY, VAULT_KEY, PUBLIC_URL = b"h" * 32, b"v" * 32, "https://rekindle.example"


def main(dsn: str, port: int, connections: int, profile: str) -> None:
    from rekindle.engine.context import Context
    from rekindle.engine.delivery_loop import DeliveryLoop
    from rekindle.engine.worker import spare_the_collector
    from rekindle.providers.base import EmailProvider
    from rekindle.providers.email.smtp import SmtpProvider, SmtpSettings, Tls

    def make(kind: str, options: dict[str, object], secret: bytes) -> EmailProvider:
        return SmtpProvider(
            SmtpSettings(
                host="127.0.0.1",
                port=port,
                tls=Tls.NONE,
                connections=connections,
                letters_per_connection=10_000,
            )
        )

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
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), "".join(sys.argv[4:]))
    sys.stdin.readline()
