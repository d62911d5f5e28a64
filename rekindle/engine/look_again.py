"""What waited for an account, or for the shop, and need not wait any longer: let it be looked at now.

A message that finds no way out is put off until the pause ends, an hour for a key that is refused. When a person ends
the pause earlier, these messages come forward, in the order in which they were planned, a moment later: by then every
worker has read of it. `may_send` decides each of them anew, so that nothing stale and nothing at night goes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from rekindle.engine.account_health import LOOK_AT_HELD
from rekindle.engine.books import FRESH_S
from rekindle.engine.context import Context
from rekindle.engine.transactions import until_free
from rekindle.policy.route_choice import SPREAD, in_turn
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.look_again import look_at_sends, sends_to_look_at
from rekindle.store.provider_accounts import AccountLine
from rekindle.terms.route_limits import PauseKind
from rekindle.terms.shop import ShopSettings

#: Until every worker has read the change; earlier ones would be put off again.
_READ: Final = timedelta(seconds=FRESH_S + 1)
#: Workers whose calls were refused one after the other put off what they held until slightly different ends.
_APART: Final = timedelta(minutes=1)
_BATCH: Final = 2_000


class Wait(NamedTuple):
    """When messages that wait for the same thing would be looked at: in (after, until]."""

    after: datetime
    until: datetime


def wait_for_person(now: datetime) -> Wait:
    """Nobody knows when a person acts, so messages look every quarter of an hour while a shop or an account is stopped,
    an account is switched off or not there yet."""
    return Wait(now, now + LOOK_AT_HELD + SPREAD)


def wait_for_account(account: AccountLine | None, now: datetime) -> Wait | None:
    """What waits for this account as it is; None: nothing does. An account that is not there yet is None."""
    if account is None or not account.enabled or account.pause_kind == PauseKind.HELD:
        return wait_for_person(now)
    if account.paused_until is None or account.paused_until <= now:
        return None
    return Wait(max(account.paused_until - _APART, now), account.paused_until + SPREAD)


def look_again(
    connection: Connection, context: Context, shop: ShopSettings, channels: Iterable[str], wait: Wait | None
) -> int:
    """Bring forward what waits on these channels; returns how many. Call after the pause has ended.

    Bucket by bucket in batches, each its own transaction: it may be stopped and called again.
    """
    if wait is None:
        return 0
    now = context.clock.now()
    coming = _Coming(connection, shop, wait, now, now + _READ)
    return sum(coming.forward(channel, bucket) for channel in channels for bucket in buckets_of(shop))


class _Coming(NamedTuple):
    """What waits, and when it comes forward to."""

    connection: Connection
    shop: ShopSettings
    wait: Wait
    now: datetime
    at: datetime

    def forward(self, channel: str, bucket: int) -> int:
        count, part = 0, _BATCH
        while part == _BATCH:
            part = until_free(self.connection, partial(self._batch, channel, bucket))
            count += part
        return count

    def _batch(self, channel: str, bucket: int) -> int:
        with self.connection.transaction():
            found = sends_to_look_at(
                self.connection,
                bucket,
                shop_id=self.shop.id,
                channel=channel,
                after=max(self.wait.after, self.at + SPREAD),  # what comes sooner than that need not be moved
                until=self.wait.until,
                now=self.now,
                limit=_BATCH,
            )
            if found:
                ats = [in_turn(self.at, one.planned_at) for one in found]
                look_at_sends(self.connection, bucket, [one.id for one in found], ats)
        return len(found)
