"""Letters and running for the tests of e-mail providers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from rekindle.providers.base import EmailProvider, Letter, Outcome
from rekindle.providers.email.smtp import SmtpProvider, SmtpSettings, Timeouts, Tls

PATIENT = Timeouts(connect=30.0, command=30.0, final=30.0, close=0.5, drain=30.0)  #: nothing may depend on them
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def run(work: Coroutine[Any, Any, None], loop: str = "asyncio", limit_s: float = 60) -> None:
    """Run one test on a fresh loop, with a limit so that a fault here never hangs the suite."""

    async def limited() -> None:
        async with asyncio.timeout(limit_s):
            await work

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(limited())


def letter(number: int = 1, **changes: object) -> Letter:
    """A small letter; every part can be changed."""
    given: dict[str, object] = {
        "send_id": f"send-{number}",
        "message_id": f"send-{number}@shop.example",
        "sender": f"bounce+{number}@shop.example",
        "recipient": f"ada{number}@example.com",
        "content": b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number),
        **changes,
    }
    return Letter(**given)  # type: ignore[arg-type]


def smtp(port: int, **changes: object) -> SmtpProvider:
    """An adapter for a server on loopback."""
    given: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "tls": Tls.NONE,
        "connections": 4,
        "timeouts": PATIENT,
        "client_name": "test.example",
        **changes,
    }
    return SmtpProvider(SmtpSettings(**given))  # type: ignore[arg-type]


async def send(provider: EmailProvider, *letters: Letter) -> list[Outcome]:
    """Prepare, start and await, as the engine does."""
    await provider.prepare(len(letters))
    return await outcomes(provider.start(letters))


async def outcomes(futures: list[asyncio.Future[Outcome]]) -> list[Outcome]:
    gathered: Awaitable[list[Outcome]] = asyncio.gather(*futures)
    return await gathered
