"""When does an account's turn come, how fast may it go, is it stopped? What an owner changes about a shop's way out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rekindle.engine.context import Context
from rekindle.engine.look_again import look_again, wait_for_account
from rekindle.store import provider_accounts as store
from rekindle.store.alerts import close_alerts
from rekindle.store.database import Connection
from rekindle.terms.route_limits import RouteLimitsError, parse_route_limits
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)

MAX_WEIGHT, MAX_POSITION = 1_000, 99
#: A held account waits for a person, not for an hour.
_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


class RouteError(Exception):
    """The account cannot be used like this; the text says why, to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRoute:
    """``position``: the accounts with the lowest one share the messages by ``weight`` (0: only when the others of that
    position cannot), the next position stands in for them. ``limits`` as terms.route_limits reads them."""

    position: int
    weight: int = 100
    limits: Mapping[str, object] = field(default_factory=dict)
    enabled: bool = True


def change_route(
    connection: Connection, context: Context, shop: ShopSettings, account_id: int, route: AccountRoute, *, by: int
) -> None:
    """Workers follow within seconds; what waited for an account that is switched on comes forward.

    Raises RouteError, nothing is stored then.
    """
    if not 0 <= route.weight <= MAX_WEIGHT:
        raise RouteError(f"A weight is 0 to {MAX_WEIGHT}.")
    if not 0 <= route.position <= MAX_POSITION:
        raise RouteError(f"A position is 0 to {MAX_POSITION}.")
    try:
        parse_route_limits(route.limits)
    except RouteLimitsError as mistake:
        raise RouteError(f"{mistake}".capitalize() + ".") from None
    before = store.account_of_shop(connection, shop.id, account_id)
    known = store.set_route(
        connection,
        shop_id=shop.id,
        account_id=account_id,
        position=route.position,
        weight=route.weight,
        limits=dict(route.limits) or None,
        enabled=route.enabled,
    )
    _done(known, "account_route_changed", shop, account_id, by)
    if before is not None and route.enabled and not before.enabled:
        _look_again(connection, context, shop, before)


def hold_account(connection: Connection, shop: ShopSettings, account_id: int, *, by: int, why: str) -> None:
    """Nothing goes out by this account until `resume_account`. Raises RouteError."""
    known = store.hold(connection, shop_id=shop.id, account_id=account_id, until=_FOR_EVER, reason=why[:300])
    _done(known, "account_held", shop, account_id, by)


def resume_account(
    connection: Connection, context: Context, shop: ShopSettings, account_id: int, *, by: int, name: str
) -> None:
    """End any pause, and the alerts about it; what waited for it comes forward, and its first message shows whether the
    account works. Raises RouteError."""
    before = store.account_of_shop(connection, shop.id, account_id)
    known = store.resume(connection, shop_id=shop.id, account_id=account_id)
    close_alerts(connection, shop_id=shop.id, subject_id=account_id, at=context.clock.now(), by=name)
    _done(known, "account_resumed", shop, account_id, by)
    if before is not None:
        _look_again(connection, context, shop, before)


def _look_again(connection: Connection, context: Context, shop: ShopSettings, before: store.AccountLine) -> None:
    look_again(connection, context, shop, [before.channel], wait_for_account(before, context.clock.now()))


def _done(known: bool, what: str, shop: ShopSettings, account_id: int, by: int) -> None:
    if not known:
        raise RouteError("This account is gone; reload the page.")
    log.info(what, extra={"facts": {"shop": shop.id, "account": account_id, "by": by}})
