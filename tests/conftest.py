"""What do the tests of every ring share? Databases, a clock, a context, and an end for a test that hangs."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

os.environ.setdefault("REKINDLE_DEBUG", "1")
os.environ.setdefault("REKINDLE_JOURNAL", "off")  # a test that is about it makes one of its own
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rekindle.settings")

from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect
from tests.databases import Copies, template

ROOT = Path(__file__).resolve().parent.parent
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday
_RINGS = ("pure", "store", "engine", "providers", "web", "browser", "race", "docs")


#: A test that hangs ends its process with a traceback of every thread after so long; the rest of the run goes on. The
#: proofs in full size (`make kill`, `make races`) ask for more.
LONGEST_TEST_S = float(os.environ.get("REKINDLE_LONGEST_TEST_S", "300"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    standard_error = item.config.stash[fault_handler_stderr_fd_key]  # the real one, not what a test has captured
    faulthandler.dump_traceback_later(LONGEST_TEST_S, exit=True, file=standard_error)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's ring is the folder it lies in."""
    for item in items:
        ring = item.path.relative_to(ROOT / "tests").parts[0]
        if ring in _RINGS:
            item.add_marker(getattr(pytest.mark, ring))


@pytest.fixture(scope="session")
def admin_dsn() -> str:
    """A server on which tests may create databases: by URL, else the embedded one under .rekindle/test."""
    url = os.environ.get("REKINDLE_TEST_DATABASE_URL")
    if url:
        return url
    from rekindle.store.postgres.runner import ensure_running

    dsn = ensure_running(ROOT / ".rekindle" / "test").admin_dsn
    with psycopg.connect(dsn, autocommit=True) as admin:  # nothing here has to outlive a power cut
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            admin.execute(f"ALTER SYSTEM SET {setting} = off")  # type: ignore[arg-type]
        admin.execute("SELECT pg_reload_conf()")
    return dsn


@pytest.fixture(scope="session")
def template_database(admin_dsn: str) -> str:
    """Name of a database with the schema of this checkout."""
    return template(admin_dsn)


@pytest.fixture(scope="session")
def copies(admin_dsn: str, template_database: str) -> Iterator[Copies]:
    made = Copies(admin_dsn, template_database)
    yield made
    made.close()


@pytest.fixture
def fresh_dsn(copies: Copies) -> Iterator[str]:
    """DSN of a database of this test's own; for tests that need several connections or kill things."""
    dsn = copies.take()
    yield dsn
    copies.give_back(dsn)


@pytest.fixture(scope="session")
def session_dsn(copies: Copies) -> Iterator[str]:
    """DSN of a database shared by the rolled-back tests of one test process."""
    dsn = copies.take()
    yield dsn
    copies.give_back(dsn)


@pytest.fixture
def connection(session_dsn: str) -> Iterator[Connection]:
    """A connection whose work is rolled back after the test; verbs' own transactions become savepoints."""
    link = connect(session_dsn, autocommit=False)
    link.execute("SELECT 1")  # opens the transaction: a verb's own would be the outermost one, and commit
    try:
        yield link
    finally:
        link.rollback()
        link.close()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(START)


@pytest.fixture
def context(clock: MovableClock) -> Context:
    return Context(hash_key=b"h" * 32, vault_key=b"v" * 32, public_url="https://rekindle.example", clock=clock)


@pytest.fixture(params=[1, 1024], ids=["spread1", "spread1024"])
def spread(request: pytest.FixtureRequest) -> int:
    """The engine ring runs everything twice: a shop in one bucket, and one over all of them."""
    return int(request.param)
