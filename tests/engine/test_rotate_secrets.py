"""Do stored credentials come under a new key, in batches, without losing one, beside somebody who enters another?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rekindle.engine import rotate_secrets
from rekindle.engine.context import Context
from rekindle.engine.hooks import hook_owner
from rekindle.engine.rotate_secrets import Rotation, count_sealed, rotate
from rekindle.engine.route import secret_owner
from rekindle.lib.vault import VaultKeys, open_sealed, seal
from rekindle.store.database import Connection
from rekindle.store.sealed import SealedAccount, seal_account_anew, sealed_accounts
from rekindle.terms.shop import ShopSettings
from tests.due_sends import add_account
from tests.factories import make_shop

OLD, NEW, ALIEN = b"o" * 32, b"n" * 32, b"a" * 32


@pytest.fixture
def both(context: Context) -> Context:
    return replace(context, vault_key=VaultKeys(NEW, (OLD,)))


def fill(connection: Connection, key: bytes, count: int, shop: ShopSettings) -> list[int]:
    ids = []
    for number in range(count):
        secret = seal(key, f"secret {number}".encode(), secret_owner(shop.id))
        made = add_account(connection, shop, kind="smtp", secret=secret)
        hook = seal(key, f"hook {number}".encode(), hook_owner(shop.id, made))
        connection.execute("UPDATE provider_accounts SET hook_secret = %s WHERE id = %s", [hook, made])
        ids.append(made)
    return ids


def opened(connection: Connection, key: bytes, shop: ShopSettings) -> set[bytes]:
    found = set()
    for one in sealed_accounts(connection, at_once=2):
        found.add(open_sealed(key, one.secret, secret_owner(shop.id)))
        found.add(open_sealed(key, one.hook_secret, hook_owner(shop.id, one.id)))
    return found


def test_everything_opens_with_the_new_key_alone_afterwards(connection: Connection, both: Context) -> None:
    shop = make_shop(connection)
    fill(connection, OLD, 5, shop)
    add_account(connection, shop, kind="sandbox")  # has none
    assert count_sealed(connection, both) == Rotation(older=10)
    done = rotate(connection, both)
    assert done == Rotation(anew=10)
    assert done.is_done
    assert opened(connection, NEW, shop) == {f"{what} {n}".encode() for what in ("secret", "hook") for n in range(5)}
    assert rotate(connection, both) == Rotation(current=10)
    assert count_sealed(connection, replace(both, vault_key=NEW)) == Rotation(current=10)


def test_what_no_key_opens_is_told_and_left_as_it_is(connection: Connection, both: Context) -> None:
    shop = make_shop(connection)
    (lost,) = fill(connection, ALIEN, 1, shop)
    before = connection.execute("SELECT secret, hook_secret FROM provider_accounts WHERE id = %s", [lost]).fetchone()
    assert rotate(connection, both) == Rotation(lost=2)
    assert before == connection.execute("SELECT secret, hook_secret FROM provider_accounts WHERE id = %s", [lost]).fetchone()  # fmt: skip


def test_a_value_entered_meanwhile_is_not_overwritten(
    connection: Connection, both: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(connection)
    (account,) = fill(connection, OLD, 1, shop)
    fresh = seal(OLD, b"entered by a process that was not restarted", secret_owner(shop.id))

    def overtaken(link: Connection, old: SealedAccount, *, secret: bytes, hook_secret: bytes) -> bool:
        link.execute("UPDATE provider_accounts SET secret = %s WHERE id = %s", [fresh, account])
        return seal_account_anew(link, old, secret=secret, hook_secret=hook_secret)

    monkeypatch.setattr(rotate_secrets, "seal_account_anew", overtaken)
    first = rotate(connection, both)
    assert (first.older, first.is_done) == (2, False)
    monkeypatch.undo()
    assert rotate(connection, both) == Rotation(anew=2)
    assert b"entered by a process that was not restarted" in opened(connection, NEW, shop)
