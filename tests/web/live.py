"""How does a test talk to the whole product? A server of its own over a database of its own, and a shop in it."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg
import pytest

from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.store.database import connect
from rekindle.store.partitions import ensure_partitions
from rekindle.terms.shop import ShopSettings
from tests.factories import make_shop

from .test_serve import free_port, serving

KEY = "live-write-key"


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


@pytest.fixture
def live(fresh_dsn: str) -> Iterator[Live]:
    """The product as `rekindle serve` runs it, with two worker processes."""
    with connect(fresh_dsn) as connection:
        ensure_partitions(connection, SYSTEM_CLOCK.now())
        shop = make_shop(connection, write_key=KEY, now=SYSTEM_CLOCK.now())
    port = free_port()
    with serving(fresh_dsn, port) as process:
        yield Live(port, fresh_dsn, process, shop)


def track(name: str, number: object, /, **properties: object) -> dict[str, object]:
    """A message of a visitor of its own."""
    message: dict[str, object] = {
        "type": "track",
        "event": name,
        "anonymousId": f"v{number}",
        "messageId": f"m{number}",
    }
    return message | {"timestamp": SYSTEM_CLOCK.now().isoformat(), "properties": properties}
