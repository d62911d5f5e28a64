"""Which connection takes which request? A pool per origin, shared by every account that talks to it.

`Line.prepare` does everything slow (resolve, connect, TLS) and sets connections aside; `Line.start` only writes. A
connection that lay idle is used again only for a short while: a server that closes it at the very moment of a request
would leave a letter in doubt, and a new connection costs less than that.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rekindle.providers.http_client.connection import Connection, Exchange, NotWritten
from rekindle.providers.http_client.egress import BLOCKED, EgressError, EgressRules, Origin
from rekindle.providers.http_client.request import Request

log = logging.getLogger(__name__)

_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
#: Connections that were set aside are given to others when nothing started for so long.
_HOLD_S: Final = 10.0
#: However long a server says that it keeps idle connections.
_LONGEST_IDLE_S: Final = 30.0
_NOT_READY: Final = NotWritten("not_ready", "no connection is ready")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """``connections`` per origin. ``reuse_within_s``: an idle connection older than that is not used again, unless the
    server tells its own limit (Node closes after 5 s by default). ``answer_s``: from the first byte written to the last
    byte of the answer; also the least settle time before anyone may ask what became of a request. ``ca_file`` names
    further trusted authorities."""

    connections: int = 32
    connect_s: float = 10.0
    answer_s: float = 30.0
    reuse_within_s: float = 4.0
    answer_limit: int = 1024 * 1024
    ca_file: str = ""
    rules: EgressRules = field(default_factory=EgressRules)

    def tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        return context


class HttpClient:
    """One per process and event loop."""

    def __init__(self, settings: HttpSettings | None = None) -> None:
        self.settings = settings or HttpSettings()
        self._pools: dict[Origin, _Pool] = {}
        self._tls: ssl.SSLContext | None = None

    def line(self, base_url: str) -> Line:
        """A way to one origin, for one account. Raises EgressError for a URL that may never be called."""
        origin, _ = self.settings.rules.split(base_url)
        return Line(self._pool(origin), self._forget_unused)

    async def exchange(self, url: str, method: str = "GET", **parts: object) -> Exchange:
        """One request, with whatever waiting it needs: look-ups, tests of credentials, certificates.

        ``parts`` are ``headers`` and ``body`` of `Request`. Raises EgressError.
        """
        origin, target = self.settings.rules.split(url)
        line = Line(self._pool(origin), self._forget_unused)
        try:
            if not await line.prepare(1):
                return line.trouble or _NOT_READY
            return await line.start(Request(method, target, **parts))  # type: ignore[arg-type]
        finally:
            line.release()

    async def close(self) -> None:
        """Requests under way get the time of their own limits; then every connection is closed. Safe to call twice."""
        for pool in self._pools.values():
            await pool.close()

    def _forget_unused(self) -> None:
        """Whoever names origins at will must not fill the memory with them."""
        for origin in [origin for origin, pool in self._pools.items() if pool.is_unused]:
            del self._pools[origin]

    def _pool(self, origin: Origin) -> _Pool:
        pool = self._pools.get(origin)
        if pool is None:
            if origin.scheme == "https" and self._tls is None:
                self._tls = self.settings.tls_context()
            pool = self._pools[origin] = _Pool(origin, self.settings, self._tls if origin.scheme == "https" else None)
        return pool


class Line:
    """One account's share of a pool: what it set aside nobody else starts on."""

    def __init__(self, pool: _Pool, released: Callable[[], None] | None = None) -> None:
        self._pool = pool
        self._released = released
        pool.welcome(self)
        self._held = 0
        self._held_until = 0.0

    @property
    def origin(self) -> Origin:
        return self._pool.origin

    @property
    def trouble(self) -> NotWritten | None:
        """Why the last attempt to connect failed; None when it worked."""
        return self._pool.trouble

    @property
    def ready(self) -> int:
        """How many requests can start at this moment."""
        return min(self.held(self._pool.now()), self._pool.ready()) if self._held else 0

    def held(self, now: float) -> int:
        return self._held if now < self._held_until else 0

    async def prepare(self, width: int) -> int:
        """Set up to ``width`` connections aside, connecting where needed. Never raises; see `trouble`."""
        self._held = 0
        available = await self._pool.prepare(self, width)
        self._held, self._held_until = min(width, available), self._pool.now() + _HOLD_S
        return self.ready

    def start(self, request: Request) -> asyncio.Future[Exchange]:
        """Write a request on a connection that is ready, before returning. Raises ValueError for an impossible one."""
        wire = request.wire(self._pool.origin)
        future: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        set_aside = self._held > 0 and self.held(self._pool.now()) > 0  # the pool looks whether one of them is fresh
        started = set_aside and self._pool.start(wire, future, bodiless=request.method == "HEAD")
        self._held = max(self._held - 1, 0)
        if not started:
            future.set_result(self.trouble or _NOT_READY)
        return future

    def release(self) -> None:
        """Give back what was set aside."""
        self._held = 0
        self._pool.forget(self)
        if self._released is not None:
            self._released()


class _Pool:
    def __init__(self, origin: Origin, settings: HttpSettings, tls: ssl.SSLContext | None) -> None:
        self.origin = origin
        self.trouble: NotWritten | None = None
        self._settings = settings
        self._tls = tls
        self._idle: list[Connection] = []  # last in, first out: the freshest is the safest
        self._busy: set[Connection] = set()
        self._lines: set[Line] = set()
        self._opening = asyncio.Lock()
        self._changes = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._failures = 0
        self._not_before = 0.0
        self._closed = False

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def is_unused(self) -> bool:
        return not (self._lines or self._idle or self._busy or self._opening.locked())

    def ready(self) -> int:
        return sum(1 for one in self._idle if self._is_fresh(one))

    async def prepare(self, line: Line, width: int) -> int:
        """Connections free for this line after connecting what is missing. One caller at a time."""
        async with self._opening:
            free = self._free(line)
            missing = min(width - free, self._settings.connections - len(self._idle) - len(self._busy))
            if missing > 0 and not self._closed and self.now() >= self._not_before:
                await self._connect(missing)
                free = self._free(line)
            if free >= width:
                self.trouble = None
            return max(free, 0)

    def start(self, wire: bytes, future: asyncio.Future[Exchange], *, bodiless: bool) -> bool:
        while self._idle and not self._closed:
            connection = self._idle.pop()
            if self._is_fresh(connection) and connection.start(
                wire, future, timeout_s=self._settings.answer_s, bodiless=bodiless
            ):
                self._busy.add(connection)
                return True
            connection.close()
        return False

    def welcome(self, line: Line) -> None:
        self._lines.add(line)

    def forget(self, line: Line) -> None:
        self._lines.discard(line)

    async def close(self) -> None:
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        while self._busy:
            self._changes.clear()
            await self._changes.wait()
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # -- connections --------------------------------------------------------------------------------------------------

    def _free(self, line: Line) -> int:
        """What is idle, will be fresh for a while, and is not set aside for others."""
        now = self.now()
        for connection in [one for one in self._idle if not self._is_fresh(one, part=0.5)]:
            self._idle.remove(connection)
            connection.close()
        return len(self._idle) - sum(other.held(now) for other in self._lines if other is not line)

    def _is_fresh(self, connection: Connection, part: float = 1.0) -> bool:
        told = connection.idle_limit_s
        limit = self._settings.reuse_within_s if told is None else min(told * 0.8, _LONGEST_IDLE_S)
        return connection.usable and self.now() - connection.idle_since <= limit * part

    async def _connect(self, count: int) -> None:
        try:
            addresses = await self._resolve()
            results = await asyncio.gather(*(self._open(addresses) for _ in range(count)), return_exceptions=True)
        except (OSError, EgressError) as fault:
            results = [fault]
        failures = [result for result in results if isinstance(result, BaseException)]
        if not failures:
            self.trouble, self._failures, self._not_before = None, 0, 0.0
            return
        self.trouble = _explain(failures[0])
        self._failures += 1
        wait = min(_FIRST_WAIT_S * 2 ** min(self._failures - 1, 10), _LONGEST_WAIT_S)
        self._not_before = self.now() + wait
        log.warning("http_unavailable", extra={"facts": {"code": self.trouble.code, "wait_s": wait}})

    async def _resolve(self) -> list[str]:
        async with asyncio.timeout(self._settings.connect_s):
            return await self._settings.rules.resolve(self.origin)

    async def _open(self, addresses: list[str]) -> None:
        """One connection to the first address that takes it; all of them share the time limit."""
        async with asyncio.timeout(self._settings.connect_s):
            for place, address in enumerate(addresses, 1):
                try:
                    await self._open_to(address, self._settings.connect_s / (len(addresses) - place + 1))
                except OSError as fault:
                    if place == len(addresses) or isinstance(fault, ssl.SSLCertVerificationError):
                        raise
                else:
                    return

    async def _open_to(self, address: str, limit_s: float) -> None:
        async with asyncio.timeout(limit_s):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._settings.answer_limit, self._changed),
                address,
                self.origin.port,
                ssl=self._tls,
                server_hostname=self.origin.host if self._tls else None,
            )
        if self._closed or not connection.usable:
            connection.close()
            raise ConnectionResetError("the connection was closed at once")
        self._idle.append(connection)
        self._sweep_later()

    def _changed(self, connection: Connection) -> None:
        """A connection became idle or died."""
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if connection.state == "idle" and not self._closed:
            self._idle.append(connection)
            self._sweep_later()
        elif connection.state == "idle":
            connection.close()
        self._changes.set()

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._settings.reuse_within_s, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        for connection in [one for one in self._idle if not self._is_fresh(one)]:
            self._idle.remove(connection)
            connection.close()
        if self._idle:
            self._sweep_later()


def _explain(fault: BaseException) -> NotWritten:
    """The failure as something an operator can act on. Raises the fault again if it is a mistake of ours."""
    if isinstance(fault, EgressError):
        return NotWritten("blocked", BLOCKED)
    if isinstance(fault, ssl.SSLCertVerificationError):
        return NotWritten("certificate", f"the server's certificate is not trusted: {fault.verify_message}")
    if isinstance(fault, ssl.SSLError):
        return NotWritten("tls", f"no TLS: {fault.reason}")
    if isinstance(fault, TimeoutError):
        return NotWritten("timeout", "no connection in time")
    if isinstance(fault, socket.gaierror):
        return NotWritten("dns", "the host name is not known")
    if isinstance(fault, OSError):
        text = fault.strerror or type(fault).__name__
        return NotWritten("connect", f"no connection: {text}"[:300])
    raise fault
