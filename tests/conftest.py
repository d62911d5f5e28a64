"""Where do tests get a database? A template with all migrations, made once, cloned per test process or per test."""

from __future__ import annotations

import faulthandler
import os
import secrets
import sys
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

os.environ.setdefault("REKINDLE_DEBUG", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rekindle.settings")

from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect

ROOT = Path(__file__).resolve().parent.parent
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday
_RINGS = ("pure", "store", "engine", "providers", "web", "browser", "race", "docs")


#: A test that hangs ends its process with a traceback of every thread after so long; the rest of the run goes on.
LONGEST_TEST_S = 300.0


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


def _with_database(dsn: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(dsn, dbname=name)


@pytest.fixture(scope="session")
def admin_dsn() -> str:
    """A server on which tests may create databases: by URL, else the embedded one under .rekindle/test."""
    url = os.environ.get("REKINDLE_TEST_DATABASE_URL")
    if url:
        return url
    from rekindle.store.postgres.runner import ensure_running

    return ensure_running(ROOT / ".rekindle" / "test").admin_dsn


@pytest.fixture(scope="session")
def template_database(admin_dsn: str) -> str:
    """Name of a database with the schema of this checkout; made once per schema, shared by all test processes."""
    import hashlib

    digest = hashlib.sha256()
    for path in sorted((ROOT / "rekindle" / "store").rglob("*.py")):
        if path.parent.name in ("migrations", "models") or path.name == "partitions.py":
            digest.update(path.read_bytes())
    name = f"rekindle_template_{digest.hexdigest()[:12]}"
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(723001)")  # one test process builds, the others wait
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            building = f"{name}_building"
            admin.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
            admin.execute(f'CREATE DATABASE "{building}"')
            _migrate(_with_database(admin_dsn, building))
            admin.execute(f'ALTER DATABASE "{building}" RENAME TO "{name}"')
        admin.execute("SELECT pg_advisory_unlock(723001)")
    return name


def _migrate(dsn: str) -> None:
    """Run the migrations in a process of its own, as an installation does."""
    import subprocess
    from urllib.parse import quote

    info = psycopg.conninfo.conninfo_to_dict(dsn)
    query = f"?host={quote(str(info['host']), safe='')}" if info.get("host") else ""
    if info.get("port"):
        query += ("&" if query else "?") + f"port={info['port']}"
    auth = str(info.get("user", "")) + (f":{info['password']}" if info.get("password") else "")
    url = f"postgresql://{auth}@/{info['dbname']}{query}"
    done = subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--verbosity", "0"],
        env={**os.environ, "DATABASE_URL": url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the migrations failed:\n{done.stderr[-4000:]}")


@pytest.fixture
def fresh_dsn(admin_dsn: str, template_database: str) -> Iterator[str]:
    """DSN of a database of this test's own; for tests that need several connections or kill things."""
    name = f"rekindle_test_{secrets.token_hex(6)}"
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"')
    yield _with_database(admin_dsn, name)
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def session_dsn(admin_dsn: str, template_database: str) -> Iterator[str]:
    """DSN of a database shared by the rolled-back tests of one test process."""
    name = f"rekindle_session_{secrets.token_hex(6)}"
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"')
    yield _with_database(admin_dsn, name)
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


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
