"""How do days of a shop go by in a test? The whole engine over the fake provider, from one due instant to the next."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import NamedTuple

import uvloop

from rekindle.engine.abandon import abandon
from rekindle.engine.advance import advance
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.onboard import create_shop
from rekindle.lib.clock import MovableClock
from rekindle.providers.base import EmailProvider
from rekindle.providers.fake import FakeProvider
from rekindle.store.async_connection import Line
from rekindle.store.database import Connection
from tests.due_sends import add_account
from tests.engine.scene import busy_buckets

_NEXT_DUE = """
SELECT min(at) FROM (
  SELECT min(check_at) AS at FROM carts WHERE state IN ('open', 'abandoned')
  UNION ALL SELECT min(due_at) FROM enrolments WHERE state = 'waiting'
  UNION ALL SELECT min(send_at) FROM outbox WHERE state = 'scheduled') due
"""


class Went(NamedTuple):
    """A message that a provider took."""

    at: datetime
    step: str
    channel: str


class Days:
    """A new shop with its defaults, and time that passes in it."""

    def __init__(
        self, connection: Connection, dsn: str, context: Context, clock: MovableClock, **settings: object
    ) -> None:
        defaults = {
            "slug": "fernweh", "name": "Fernweh", "holdout_rate": 0, "postal_address": "Fernweh, 1 Main Street, Springfield",
            "country": "US",
            "sender_email": "shop@fernweh.example", "url": "https://fernweh.example",
        }  # fmt: skip
        self.connection, self.dsn, self.context, self.clock = connection, dsn, context, clock
        self.shop = create_shop(connection, context, **(defaults | settings))  # type: ignore[arg-type]
        add_account(connection, self.shop, kind="fake")
        self.provider = FakeProvider()
        self.providers: dict[str, EmailProvider] = {}  # by the kind of the account, where another one is wanted

    def pass_by(self, span: timedelta, *, delivering: bool = True) -> None:
        """Let time pass; every verb runs at the instants at which something is due. Without ``delivering`` the workers
        that write are down meanwhile."""
        end = self.clock.now() + span
        while True:
            self._work(delivering)
            due = self._next_due(delivering)
            if due is None or due > end:
                break
            self.clock.set(max(due, self.clock.now() + timedelta(milliseconds=1)))
        self.clock.set(end)
        self._work(delivering)

    def went(self) -> list[Went]:
        """What providers took, in the order of time."""
        found = self.connection.execute(
            "SELECT v.at, s.step, s.channel FROM send_events v JOIN sends s ON s.bucket = v.bucket AND s.id = v.send_id"
            " WHERE v.kind = 'handed_over' ORDER BY v.at, s.step"
        )
        return [Went(*row) for row in found.fetchall()]

    def decided(self, question: str = "may_send") -> list[tuple[str, str, str, datetime | None]]:
        """Step, outcome, reason and when to ask again, in the order of time."""
        found = self.connection.execute(
            "SELECT step, outcome, reason, retry_at FROM decisions WHERE question = %s ORDER BY at, step", [question]
        )
        return [(row[0], row[1], row[2], row[3]) for row in found.fetchall()]

    def _next_due(self, delivering: bool) -> datetime | None:
        query = _NEXT_DUE if delivering else _NEXT_DUE.replace("'scheduled'", "'nothing'")
        row = self.connection.execute(query).fetchone()  # type: ignore[arg-type]
        found = row[0] if row else None
        assert found is None or isinstance(found, datetime)
        return found

    def _work(self, delivering: bool) -> None:
        books = Books.load(self.connection)
        for verb in (abandon, advance):
            for bucket in busy_buckets(self.connection):
                verb(self.connection, self.context, books, bucket)
        if delivering:
            self._deliver()

    def _deliver(self) -> None:
        waiting = self.connection.execute(
            "SELECT DISTINCT bucket FROM outbox WHERE state = 'scheduled' AND send_at <= %s", [self.clock.now()]
        )
        buckets = sorted(row[0] for row in waiting.fetchall())
        if not buckets:
            return

        async def run() -> None:
            worker = Deliverer(
                Line(self.dsn), self.connection, self.context, Books.load(self.connection), self._provider
            )
            try:
                for bucket in buckets:
                    await worker.deliver_batch(bucket)
            finally:
                await worker.close()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())

    def _provider(self, kind: str, options: dict[str, object], secret: bytes) -> EmailProvider:
        return self.providers.get(kind, self.provider)
