"""How is a benchmark run so that its figure means something on a busy machine?

The unit is **units per core-second**: units done, divided by the CPU seconds of the product's processes plus those of
the database, read from /proc over whole process trees. Load generators and sinks are not counted; their CPU is
printed beside it. Wall rates are printed and never compared. Product, limit and peers run as interleaved rounds in one
run, and the result is the ratio within each round. `foreign_busy` tells how many cores others used meanwhile.

    with database() as db:                       # an embedded server of our own, or REKINDLE_BENCH_DATABASE_URL
        runs = {"product": ..., "limit": ...}    # each callable returns a Sample
        rounds = run_rounds(runs, count=5)
        report("W1a", rounds, compare=[Comparison("product", "limit", floor=0.25, aim=0.5)])

A run that lost or doubled anything raises `BrokenRunError`: it prints no number.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
QUIET_CORES = 0.35  #: below this foreign load a run counts as quiet


class BrokenRunError(Exception):
    """The run broke a rule (something lost, doubled or sent to the wrong one): its figure would be worth nothing."""


# --- CPU of process trees ---------------------------------------------------------------------------------------


def tree_of(pid: int) -> list[int]:
    """The process and all its living descendants; empty when it is gone."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        if _stat(current):
            found.append(current)
        todo += children.get(current, [])
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """User and system seconds of these process trees so far, children that have ended included."""
    total = 0
    for root in pids:
        for pid in tree_of(root):
            if fields := _stat(pid):
                total += sum(int(value) for value in fields[11:15])  # utime stime cutime cstime
    return total * _TICK_S


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the state on (field 3), so that [1] is the parent."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def rss_bytes(pid: int) -> int:
    """Resident memory of a whole process tree, in bytes (shared pages count once per process)."""
    pages = 0
    for member in tree_of(pid):
        try:
            pages += int(Path(f"/proc/{member}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def _machine_busy_s() -> float:
    fields = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq + steal) * _TICK_S


@dataclass
class Meter:
    """CPU used between start and stop. ``counted`` are root pids of the product and database, ``beside`` those of
    load generators and sinks; the own process is beside unless it is counted."""

    counted: list[int]
    beside: list[int] = field(default_factory=list)
    core_s: float = 0.0
    beside_s: float = 0.0
    wall_s: float = 0.0
    foreign_busy: float = 0.0

    def start(self) -> None:
        if os.getpid() not in self.counted and os.getpid() not in self.beside:
            self._own = True
        self._at = self._read()

    def stop(self) -> None:
        now = self._read()
        wall, busy, counted, beside = (after - before for after, before in zip(now, self._at, strict=True))
        self.wall_s, self.core_s, self.beside_s = wall, counted, beside
        self.foreign_busy = (busy - counted - beside) / wall if wall else 0.0

    def add_beside(self, core_s: float) -> None:
        """CPU of a load generator that came and went between start and stop; call it after `stop`."""
        self.beside_s += core_s
        self.foreign_busy -= core_s / self.wall_s if self.wall_s else 0.0

    def _read(self) -> tuple[float, float, float, float]:
        own = sum(os.times()[:2]) if getattr(self, "_own", False) else 0.0
        return time.monotonic(), _machine_busy_s(), cpu_s(self.counted), cpu_s(self.beside) + own


# --- samples, rounds, ratios ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """One measured run: ``units`` done for ``core_s`` CPU seconds; ``note`` is printed at the end of its line."""

    units: int
    core_s: float
    wall_s: float
    foreign_busy: float
    beside_s: float = 0.0
    note: str = ""

    @classmethod
    def of(cls, units: int, meter: Meter, note: str = "") -> Sample:
        return cls(units, meter.core_s, meter.wall_s, meter.foreign_busy, meter.beside_s, note)

    @property
    def per_core_s(self) -> float:
        return self.units / self.core_s if self.core_s else float("nan")

    @property
    def per_wall_s(self) -> float:
        return self.units / self.wall_s if self.wall_s else float("nan")


@dataclass(frozen=True)
class Comparison:
    """``over`` / ``under`` per round; below ``floor`` (median) the run fails, ``aim`` is only printed."""

    over: str
    under: str
    floor: float | None = None
    aim: float | None = None


Rounds = list[dict[str, Sample]]


def run_rounds(runs: Mapping[str, Callable[[], Sample]], *, count: int = 5, turn: bool = True) -> Rounds:
    """Run A, B, C, C, B, A ... and print each line as it comes.

    ``turn=False`` keeps the order A, B, C: for a limit that repeats what the product's run left behind.
    """
    rounds: Rounds = []
    print(f"{'':14}{'units':>9}{'per core-s':>12}{'per s':>10}{'core-s':>9}{'beside':>9}{'foreign':>9}")
    for number in range(count):
        order = list(runs)[::-1] if turn and number % 2 else list(runs)
        samples = {}
        for name in order:
            samples[name] = sample = runs[name]()
            mark = " " if sample.foreign_busy < QUIET_CORES else "n"
            print(
                f"{number + 1} {name:12}{sample.units:9d}{sample.per_core_s:12,.0f}{sample.per_wall_s:10,.0f}"
                f"{sample.core_s:9.2f}{sample.beside_s:9.2f}{sample.foreign_busy:8.2f}{mark} {sample.note}",
                flush=True,
            )
        rounds.append(samples)
    return rounds


def ratios(rounds: Rounds, over: str, under: str) -> list[float]:
    return [samples[over].per_core_s / samples[under].per_core_s for samples in rounds]


def report(title: str, rounds: Rounds, compare: Iterable[Comparison]) -> bool:
    """Print the ratios with min, median and max; True when every median reaches its floor."""
    good = True
    print(f"\n{title}: {versions()}")
    for pair in compare:
        values = sorted(ratios(rounds, pair.over, pair.under))
        middle = statistics.median(values)
        verdict = ""
        if pair.floor is not None:
            reached = middle >= pair.floor
            good = good and reached
            verdict = f"  floor {pair.floor:g} {'reached' if reached else 'MISSED'}"
        if pair.aim is not None:
            verdict += f"  aim {pair.aim:g} {'reached' if middle >= pair.aim else 'not reached'}"
        print(
            f"  {pair.over} / {pair.under} per core-second: "
            f"min {values[0]:.3f}  median {middle:.3f}  max {values[-1]:.3f}{verdict}"
        )
    return good


def versions() -> str:
    """Commit, Python and machine: what a figure must be read with."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return f"commit {commit or 'unknown'}, Python {sys.version.split()[0]}, {os.cpu_count()} cores"


# --- the database under the benchmark -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """A server for benchmarks: ``admin_dsn`` may create databases, ``pid`` is its postmaster (None: not on this
    machine, its CPU cannot be counted and the run is refused)."""

    admin_dsn: str
    pid: int

    def fresh(self, name: str = "rekindle_bench") -> str:
        """Drop and create a database with the schema of this checkout and today's partitions; returns its DSN."""
        import psycopg

        with psycopg.connect(self.admin_dsn, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            template = self._template(admin)
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        dsn = psycopg.conninfo.make_conninfo(self.admin_dsn, dbname=name)
        from rekindle.lib.clock import SYSTEM_CLOCK
        from rekindle.store.partitions import ensure_partitions

        with psycopg.connect(dsn, autocommit=True) as connection:
            ensure_partitions(connection, SYSTEM_CLOCK.now())
        return dsn

    def settle(self) -> None:
        """Checkpoint, so that the next run does not pay for this one's dirty pages."""
        import psycopg

        with psycopg.connect(self.admin_dsn, autocommit=True) as admin:
            admin.execute("CHECKPOINT")

    def _template(self, admin: object) -> str:
        import hashlib

        import psycopg

        assert isinstance(admin, psycopg.Connection)
        digest = hashlib.sha256()
        for path in sorted((ROOT / "rekindle" / "store").rglob("*.py")):
            if path.parent.name in ("migrations", "models") or path.name == "partitions.py":
                digest.update(path.read_bytes())
        name = f"rekindle_bench_{digest.hexdigest()[:12]}"
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            admin.execute(f'DROP DATABASE IF EXISTS "{name}_building" WITH (FORCE)')
            admin.execute(f'CREATE DATABASE "{name}_building"')
            migrate(psycopg.conninfo.make_conninfo(self.admin_dsn, dbname=f"{name}_building"))
            admin.execute(f'ALTER DATABASE "{name}_building" RENAME TO "{name}"')
        return name


def url_of(dsn: str) -> str:
    """A libpq connection string as the postgresql:// URL that DATABASE_URL wants."""
    from urllib.parse import quote

    import psycopg

    info = psycopg.conninfo.conninfo_to_dict(dsn)
    options = {key: str(info[key]) for key in ("host", "port") if info.get(key)}
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in options.items())
    login = quote(str(info.get("user", ""))) + (f":{quote(str(info['password']))}" if info.get("password") else "")
    return f"postgresql://{login}@/{info['dbname']}" + (f"?{query}" if query else "")


def migrate(dsn: str) -> None:
    """Run the migrations in a process of its own, as an installation does."""
    done = subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--verbosity", "0"],
        env=environment(dsn),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BrokenRunError(f"the migrations failed:\n{done.stderr[-3000:]}")


def environment(dsn: str, **extra: str) -> dict[str, str]:
    """The environment of a product process: development secrets, this database, nothing else of ours."""
    ours = {"REKINDLE_DEBUG": "1", "DJANGO_SETTINGS_MODULE": "rekindle.settings", "DATABASE_URL": url_of(dsn)}
    return {**os.environ, **ours, **extra}


@contextmanager
def database() -> Iterator[Bench]:
    """A server of the benchmark's own under .rekindle/bench, or the one of REKINDLE_BENCH_DATABASE_URL (same machine,
    a role that may create databases). Stopped at the end when this run started it."""
    import psycopg

    url = os.environ.get("REKINDLE_BENCH_DATABASE_URL")
    if url:
        with psycopg.connect(url) as link:
            fields = _stat(link.info.backend_pid)
        if not fields:
            raise BrokenRunError("the benchmark's database must run on this machine: its CPU is part of the unit")
        yield Bench(url, int(fields[1]))
        return
    from rekindle.store.postgres import ensure_running, release

    home = ROOT / ".rekindle" / "bench"
    server = ensure_running(home)
    try:
        yield Bench(server.admin_dsn, server.pid)
    finally:
        release(home)


# --- processes ----------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A TCP port of the loopback that is free now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    arguments: list[str], env: Mapping[str, str], *, ready: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends (SIGTERM, then SIGKILL after 10 s), entering it when ``ready`` says so."""
    child = subprocess.Popen(arguments, env=dict(env), cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while not ready():
            if child.poll() is not None or time.monotonic() > deadline:
                raise BrokenRunError(f"{arguments[:4]} did not get ready")
            time.sleep(0.05)
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def port_open(port: int) -> Callable[[], bool]:
    """A ``ready`` for `process`: true once the port accepts connections."""
    import socket

    def ready() -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return ready
