"""What do the tests of delivery share? A database that commits, and a shop whose sends go to the shipped fake."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect
from tests.databases import Copies

from .delivery import World, make_world


@pytest.fixture(scope="module")
def shared_dsn(copies: Copies) -> Iterator[str]:
    """A database for all tests of a module: a delivery worker commits on a connection of its own."""
    dsn = copies.take()
    yield dsn
    copies.give_back(dsn)


@pytest.fixture
def link(shared_dsn: str) -> Iterator[Connection]:
    with connect(shared_dsn) as connection:
        yield connection


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    return make_world(link, shared_dsn, context, clock, spread)
