"""What an owner changes about the way out: stored, seen by the next reading of the books, refused with a sentence."""

from __future__ import annotations

import asyncio

import pytest

from rekindle.engine.books import Books
from rekindle.engine.change_route import AccountRoute, RouteError, change_route, hold_account, resume_account
from rekindle.engine.context import Context
from rekindle.store.alerts import AlertKind, count_open_alerts, open_alerts, raise_alert
from rekindle.store.async_connection import Line
from rekindle.store.database import Connection, connect
from tests.due_sends import add_account
from tests.factories import make_shop


def test_position_weight_and_limits_reach_the_workers(connection: Connection, context: Context) -> None:
    shop = make_shop(connection)
    first = add_account(connection, shop, kind="smtp")
    second = add_account(connection, shop, kind="resend", position=1)
    change_route(connection, context, shop, first, AccountRoute(position=2, weight=0), by=1)
    change_route(connection, context, shop, second, AccountRoute(position=0, weight=70, limits={"per_second": 5}), by=1)
    found = Books.load(connection).accounts_of(shop.id, "email")
    assert [(account.id, account.weight, account.limits) for account in found] == [
        (second, 70, {"per_second": 5}),
        (first, 0, None),
    ]
    change_route(connection, context, shop, second, AccountRoute(position=0, enabled=False), by=1)
    assert [account.id for account in Books.load(connection).accounts_of(shop.id, "email")] == [first]


@pytest.mark.parametrize(
    "route",
    [
        AccountRoute(position=0, weight=1_001),
        AccountRoute(position=-1),
        AccountRoute(position=0, limits={"per_second": "fast"}),
    ],
)
def test_what_means_nothing_is_refused_and_not_stored(
    connection: Connection, context: Context, route: AccountRoute
) -> None:
    shop = make_shop(connection)
    account = add_account(connection, shop, kind="smtp")
    with pytest.raises(RouteError):
        change_route(connection, context, shop, account, route, by=1)
    assert Books.load(connection).accounts_of(shop.id, "email")[0].weight == 100


def test_another_shops_account_cannot_be_changed(connection: Connection, context: Context) -> None:
    shop, other = make_shop(connection), make_shop(connection)
    account = add_account(connection, other, kind="smtp")
    with pytest.raises(RouteError):
        change_route(connection, context, shop, account, AccountRoute(position=5), by=1)
    with pytest.raises(RouteError):
        hold_account(connection, shop, account, by=1, why="mine now")
    with pytest.raises(RouteError):
        resume_account(connection, context, shop, account, by=1, name="eve")


def test_a_held_account_waits_for_a_person_and_its_alert_ends_with_it(context: Context, fresh_dsn: str) -> None:
    with connect(fresh_dsn) as connection:
        _hold_and_resume(connection, context, fresh_dsn)


def _hold_and_resume(connection: Connection, context: Context, dsn: str) -> None:
    shop = make_shop(connection)
    account = add_account(connection, shop, kind="smtp")

    async def report() -> list[bool]:
        line = Line(dsn)
        link = await line.get()
        try:
            return [
                await raise_alert(
                    link,
                    shop_id=shop.id,
                    kind=AlertKind.ACCOUNT_REFUSED,
                    subject_id=account,
                    text="401",
                    at=context.clock.now(),
                )
                for _ in range(3)
            ]
        finally:
            await line.drop()

    hold_account(connection, shop, account, by=1, why="a look at the bounces")
    (held,) = Books.load(connection).accounts_of(shop.id, "email")
    assert (held.pause_kind, held.paused_reason) == ("held", "a look at the bounces")
    assert asyncio.run(report()) == [True, False, False], "only the first report is news"
    (alert,) = open_alerts(connection, shop.id)
    assert (alert.kind, alert.subject_id, alert.times) == ("account_refused", account, 3)
    assert count_open_alerts(connection) == {"account_refused": 1}

    resume_account(connection, context, shop, account, by=1, name="Otto")
    (resumed,) = Books.load(connection).accounts_of(shop.id, "email")
    assert (resumed.pause_kind, resumed.paused_until) == ("", None)
    assert open_alerts(connection, shop.id) == []
