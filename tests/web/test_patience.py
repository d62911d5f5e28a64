"""Who waits too long is given up, by one timer for all; who has an answer is forgotten."""

from __future__ import annotations

import asyncio

import pytest

from rekindle.web.ingest import patience
from rekindle.web.ingest.patience import Patience


def test_who_waits_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LOOK_S", 0.001)
    now = 100.0
    waiting = Patience("given up", 30.0, lambda: now)

    async def go() -> None:
        nonlocal now
        loop = asyncio.get_running_loop()
        first, second, third = (loop.create_future() for _ in range(3))
        for at, future in ((100.0, first), (100.0, second), (120.0, third)):
            waiting.watch(future, at)
        first.set_result("stored")
        now = 130.0
        assert await second == "given up"
        assert not third.done()
        now = 150.0
        assert await third == "given up"
        assert first.result() == "stored"

    for _ in range(2):  # and on another loop again
        now = 100.0
        asyncio.run(asyncio.wait_for(go(), 30))
