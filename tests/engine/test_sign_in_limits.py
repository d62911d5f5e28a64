"""Do mistakes count over sign-ins, accounts and addresses, so that guessing ends whatever way it is spread (check S-12)?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from rekindle.engine.context import Context
from rekindle.engine.sign_in import (
    PER_ACCOUNT,
    PER_ACCOUNT_AND_ADDRESS,
    PER_ADDRESS,
    WINDOW,
    note_failed_sign_in,
    note_sign_in,
    sign_in_blocked_until,
)
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection

ADA, EVE = "ada@shop.example", "eve@shop.example"


class Door:
    def __init__(self, connection: Connection, context: Context) -> None:
        self.connection, self.context = connection, context

    def fail(self, account: str, address: str, times: int = 1) -> None:
        for _ in range(times):
            note_failed_sign_in(self.connection, self.context, account=account, address=address)

    def enter(self, account: str, address: str) -> None:
        note_sign_in(self.connection, self.context, account=account, address=address)

    def is_shut(self, account: str, address: str) -> bool:
        return sign_in_blocked_until(self.connection, self.context, account=account, address=address) is not None


@pytest.fixture
def door(connection: Connection, context: Context) -> Door:
    return Door(connection, context)


def test_signing_in_as_oneself_between_guesses_forgets_none_of_them(door: Door) -> None:
    for _ in range(PER_ACCOUNT_AND_ADDRESS):
        assert not door.is_shut(ADA, "203.0.113.9")
        door.fail(ADA, "203.0.113.9")
        door.enter(EVE, "203.0.113.9")
    assert door.is_shut(ADA, "203.0.113.9")
    assert not door.is_shut(EVE, "203.0.113.9")


def test_one_account_guessed_from_many_places_shuts_everywhere(door: Door) -> None:
    for number in range(PER_ACCOUNT):
        assert not door.is_shut(ADA, f"198.51.100.{number}")
        door.fail(ADA, f"198.51.100.{number}")
    assert door.is_shut(ADA, "192.0.2.1"), "also where nobody has guessed yet"
    assert door.is_shut(ADA.upper(), "192.0.2.1"), "however it is written"
    assert not door.is_shut(EVE, "192.0.2.1")


def test_many_accounts_guessed_from_one_place_shut_that_place_whoever_gets_in(door: Door) -> None:
    for number in range(PER_ADDRESS):
        door.fail(f"person{number}@shop.example", "203.0.113.9")
        door.enter(EVE, "203.0.113.9")
    assert door.is_shut(ADA, "203.0.113.9")
    assert door.is_shut(EVE, "203.0.113.9")
    assert not door.is_shut(ADA, "203.0.113.10")


def test_it_opens_again_after_the_window_and_a_guess_then_begins_a_new_count(door: Door, clock: MovableClock) -> None:
    door.fail(ADA, "203.0.113.9", PER_ACCOUNT_AND_ADDRESS)
    clock.advance(WINDOW - timedelta(seconds=1))
    assert door.is_shut(ADA, "203.0.113.9")
    clock.advance(timedelta(seconds=1))
    assert not door.is_shut(ADA, "203.0.113.9")
    door.fail(ADA, "203.0.113.9", PER_ACCOUNT_AND_ADDRESS - 1)
    assert not door.is_shut(ADA, "203.0.113.9")


def test_the_counts_name_nobody(door: Door) -> None:
    door.fail(ADA, "203.0.113.9")
    stored = repr(door.connection.execute("SELECT * FROM sign_in_attempts").fetchall())
    assert "ada" not in stored
    assert "203.0.113" not in stored
