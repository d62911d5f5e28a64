"""How does a test talk to the whole product? A running server over a database of its own, and a shop in it."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg
import pytest
from psycopg import sql

from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.store.database import connect
from rekindle.store.partitions import ensure_partitions
from rekindle.terms.shop import ShopSettings
from tests.databases import Copies
from tests.factories import make_shop

from .test_serve import free_port, serving

KEY = "live-write-key"
_GROWING = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'bucket'
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
"""


@dataclass(frozen=True)
class Live:
    """A running server. ``dsn`` is its database, ``process`` the parent of its workers."""

    port: int
    dsn: str
    process: subprocess.Popen[str]
    shop: ShopSettings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and lower-case headers of one request on a connection of its own."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): text for name, text in headers.items()}
            link.request(method, path, body or None, named)
            answer = link.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, answer.read(), found
        finally:
            link.close()

    def post(self, path: str, body: object, **headers: str) -> tuple[int, dict[str, object]]:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        status, told, _ = self.request("POST", path, raw, **{"content-type": "application/json", **headers})
        return status, msgspec.json.decode(told)

    def query(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]

    def message_count(self) -> int:
        return int(str(self.query("SELECT count(*) FROM events")[0][0]))

    def forget_the_past(self) -> None:
        """Remove all that grows with shoppers; the shop and its key stay, which the server remembers."""
        with psycopg.connect(self.dsn) as connection:
            tables = connection.execute(_GROWING).fetchall()
            names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in tables)
            connection.execute(sql.SQL("TRUNCATE {}").format(names))

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [pid for pid in numbers if _parent(pid) == self.process.pid]

    def resident_bytes(self) -> int:
        """Memory of the server and its workers that is theirs alone."""
        return sum(_private_bytes(pid) for pid in (self.process.pid, *self.workers()))


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))) * 1024


@contextmanager
def _live_on(dsn: str) -> Iterator[Live]:
    """The product as `rekindle serve` runs it, with two worker processes, and a shop in it."""
    with connect(dsn) as connection:
        ensure_partitions(connection, SYSTEM_CLOCK.now())
        shop = make_shop(connection, write_key=KEY, now=SYSTEM_CLOCK.now())
    port = free_port()
    with serving(dsn, port) as process:
        yield Live(port, dsn, process, shop)


@pytest.fixture(scope="module")
def served(copies: Copies) -> Iterator[Live]:
    """One server for all tests of a module that leave it as it was; a module that uses `live` imports this one, too."""
    dsn = copies.take()
    with _live_on(dsn) as running:
        yield running
    copies.give_back(dsn)


@pytest.fixture
def live(served: Live) -> Live:
    """A running server whose shop has no past; for tests that let it live."""
    served.forget_the_past()
    return served


@pytest.fixture
def live_alone(fresh_dsn: str) -> Iterator[Live]:
    """A server of this test's own, which it may stop, kill, or cut off."""
    with _live_on(fresh_dsn) as running:
        yield running


def track(name: str, number: object, /, **properties: object) -> dict[str, object]:
    """A message of a visitor of its own."""
    message: dict[str, object] = {
        "type": "track",
        "event": name,
        "anonymousId": f"v{number}",
        "messageId": f"m{number}",
    }
    return message | {"timestamp": SYSTEM_CLOCK.now().isoformat(), "properties": properties}
