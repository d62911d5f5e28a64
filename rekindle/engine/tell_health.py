"""How do the other workers, and people, learn that an account pauses or works again? Stored, logged, and an alert."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from rekindle.engine.account_health import Change, Working
from rekindle.store import routing as store
from rekindle.store.alerts import AlertKind, close_alerts_later, raise_alert
from rekindle.store.async_connection import AsyncConnection
from rekindle.terms.route_limits import PauseKind

log = logging.getLogger(__name__)

#: Pauses that a person should know of; less pressure is none of them.
_ALERTS: Final = {PauseKind.OPERATOR: AlertKind.ACCOUNT_REFUSED, PauseKind.BREAKER: AlertKind.ACCOUNT_FAILING}


async def tell(link: AsyncConnection, shop_id: int | None, change: Change, now: datetime) -> None:
    """Store a change of an account's health; ``shop_id`` None: the account is gone, nobody needs to know."""
    if isinstance(change, Working):
        works = await store.account_works(link, change.account_id, now)
        if works is not None:
            by = "the account works again"
            await close_alerts_later(link, shop_id=works, subject_id=change.account_id, at=now, by=by)
            log.info("account_works", extra={"facts": {"account": change.account_id}})
        return
    seconds = (change.until - now).total_seconds()
    facts = {"account": change.account_id, "s": seconds, "why": change.why, "kind": change.kind.value}
    log.warning("account_paused", extra={"facts": facts})
    await store.pause_account(
        link,
        change.account_id,
        until=change.until,
        reason=change.why,
        kind=change.kind.value,
        trips=change.trips,
    )
    alert = _ALERTS.get(change.kind)
    if alert is not None and shop_id is not None:
        await raise_alert(link, shop_id=shop_id, kind=alert, subject_id=change.account_id, text=change.why, at=now)
