"""The embedded PostgreSQL: found, started, shared, killed, recovered, refused."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from rekindle.lib.operator_error import OperatorError
from rekindle.store.postgres import (
    address,
    binaries,
    configuration,
    ensure_running,
    identity,
    place,
    postmaster,
    release,
    runner,
    status,
    stop,
)

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@contextmanager
def folder_open_to_all() -> Iterator[Path]:
    """A folder that every account can pass through, as a clone in /srv or /opt is."""
    folder = Path(tempfile.mkdtemp(prefix="rk-"))
    folder.chmod(0o711)
    yield folder
    for home in [*folder.glob("*/postgres"), *folder.glob("postgres")]:
        stop(home.parent)
    shutil.rmtree(folder)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with folder_open_to_all() as folder:
        yield folder


@pytest.fixture(scope="module")
def running_home() -> Iterator[Path]:
    """The home of a server that runs for the whole module, for tests that only look."""
    with folder_open_to_all() as folder:
        ensure_running(folder / "home")
        yield folder / "home"


@pytest.fixture
def home(open_folder: Path) -> Path:
    return open_folder / "home"


def in_another_process(code: str, home: Path) -> subprocess.Popen[str]:
    """Run code with `home` bound and the runner's functions imported; its output is read by the caller."""
    start = f"from pathlib import Path\nfrom rekindle.store.postgres import *\nhome = Path({str(home)!r})\n"
    return subprocess.Popen(
        [sys.executable, "-c", start + code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate("\n", timeout=120)
    assert process.returncode == 0, output
    return output


def one_value(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def is_gone(pid: int, home: Path) -> bool:
    return not postmaster.is_postmaster(pid, place.find_place(home).data)


# --- start, use, stop ------------------------------------------------------------------------------------------------


def test_a_start_gives_a_database_that_the_application_owns_without_being_superuser(home: Path) -> None:
    server = ensure_running(home)
    assert server.started_by_us
    with psycopg.connect(server.dsn) as connection:
        role = connection.execute(
            "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
        assert role == ("rekindle", False, False, False, False, False)
        connection.execute("CREATE TABLE ours (id int)")
        owner = connection.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert owner == ("rekindle",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY ours TO PROGRAM 'id'")
    assert one_value(server.admin_dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True


def test_the_server_listens_on_no_port_and_keeps_what_it_acknowledged(running_home: Path) -> None:
    server = ensure_running(running_home)
    with psycopg.connect(server.admin_dsn) as connection:
        settings = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
        encoding = connection.execute(
            "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = 'rekindle'"
        ).fetchone()
    assert encoding == ("UTF8", "C")
    wanted = {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "TimeZone": "UTC",
        "random_page_cost": "1.1",
        "wal_compression": "off",
        "log_error_verbosity": "terse",
    }
    assert {name: settings[name] for name in wanted} == wanted


def test_no_other_account_can_reach_the_socket(running_home: Path) -> None:
    ensure_running(running_home)
    record = postmaster.find_postmaster(place.find_place(running_home))
    assert record is not None
    assert record.socket_folder is not None
    assert stat.S_IMODE(record.socket_folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((record.socket_folder / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert stat.S_IMODE(place.find_place(running_home).data.stat().st_mode) == 0o700


def test_the_log_tells_of_errors_but_not_of_addresses(running_home: Path) -> None:
    server = ensure_running(running_home)
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE addresses (address text PRIMARY KEY)")
        connection.execute("INSERT INTO addresses VALUES ('ann@example.org')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO addresses VALUES ('ann@example.org')")
    log = place.find_place(running_home).log.read_text()
    assert "duplicate key value" in log
    assert "ann@example.org" not in log


def test_data_outlive_a_stop_and_a_second_start(home: Path) -> None:
    server = ensure_running(home)
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert stop(home) is True
    assert is_gone(server.pid, home)
    assert status(home).state == "stopped"
    again = ensure_running(home)
    assert again.started_by_us
    assert again.pid != server.pid
    assert one_value(again.dsn, "SELECT answer FROM kept") == 42


def test_status_starts_nothing_and_stop_of_nothing_is_no_error(home: Path) -> None:
    assert status(home).state == "absent"
    assert stop(home) is False
    assert release(home) is False
    assert not home.exists()
    server = ensure_running(home)
    seen = status(home)
    assert (seen.state, seen.pid, seen.dsn) == ("running", server.pid, server.dsn)


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(open_folder: Path) -> None:
    home = open_folder / ("a long name, with \"quotes\" and 'more' $HOME " * 3)
    server = ensure_running(home)
    record = postmaster.find_postmaster(place.find_place(home))
    assert record is not None
    assert record.socket_folder is not None
    assert record.socket_folder.parent == Path(tempfile.gettempdir())
    assert stat.S_IMODE(record.socket_folder.stat().st_mode) == 0o700
    assert one_value(server.dsn, "SELECT 1") == 1
    stop(home)
    shutil.rmtree(record.socket_folder)


@ROOT_ONLY
def test_a_short_folder_that_a_stranger_made_first_is_not_used(open_folder: Path) -> None:
    somewhere = place.Place(home=open_folder, root=open_folder / ("x" * 120))
    planted = Path(tempfile.gettempdir()) / f"rekindle-{somewhere.fingerprint}"
    planted.mkdir(mode=0o777)
    os.chown(planted, 12345, 12345)
    try:
        used = place.prepare_socket_folder(somewhere, os.geteuid(), os.getegid())
        assert used != planted
        assert used.stat().st_uid == os.geteuid()
        assert stat.S_IMODE(used.stat().st_mode) == 0o700
        used.rmdir()
    finally:
        planted.rmdir()


# --- crashes ---------------------------------------------------------------------------------------------------------


def test_a_killed_server_is_recovered_with_every_acknowledged_row(home: Path) -> None:
    server = ensure_running(home)
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    os.kill(server.pid, signal.SIGKILL)
    again = ensure_running(home)
    assert again.started_by_us
    assert again.pid != server.pid
    assert one_value(again.dsn, "SELECT count(*) FROM kept") == 1000


def test_a_stale_pid_file_that_names_a_living_stranger_does_not_stop_the_start(home: Path) -> None:
    server = ensure_running(home)
    data = place.find_place(home).data
    os.kill(server.pid, signal.SIGKILL)
    ensure_running(home)
    record = (data / "postmaster.pid").read_text()
    stop(home)
    stranger = os.getpid()  # as after a reboot, or in a new container over the same volume
    (data / "postmaster.pid").write_text(f"{stranger}\n" + record.split("\n", 1)[1])
    lock = record.splitlines()[4] + "/.s.PGSQL.5432.lock"
    Path(lock).write_text(f"{stranger}\n" + record.split("\n", 1)[1])
    again = ensure_running(home)
    assert again.started_by_us
    assert one_value(again.dsn, "SELECT 1") == 1


def test_data_that_an_unseen_server_has_open_are_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ensure_running(home)
    record = (place.find_place(home).data / "postmaster.pid").read_text()
    monkeypatch.setattr(runner, "find_postmaster", lambda _: None)  # as from another container over the same volume
    monkeypatch.setattr(runner, "see_orphans_out", lambda _: None)
    monkeypatch.setattr(runner, "LET_GO_SECONDS", 0.2)
    with pytest.raises(OperatorError, match="another process has the database"):
        ensure_running(home)
    monkeypatch.undo()
    assert (place.find_place(home).data / "postmaster.pid").read_text() == record
    assert ensure_running(home).pid == server.pid


def test_a_server_whose_starter_was_killed_is_used_again_and_then_stopped(home: Path) -> None:
    starter = in_another_process("print(ensure_running(home).pid, flush=True)\ninput()", home)
    pid = int(first_line(starter))
    starter.kill()
    starter.communicate()
    assert not is_gone(pid, home)
    server = ensure_running(home)
    assert server.pid == pid
    assert not server.started_by_us
    assert release(home) is True
    assert is_gone(pid, home)


def test_an_interrupted_creation_is_begun_again(home: Path) -> None:
    unfinished = home / "postgres" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    assert one_value(ensure_running(home).dsn, "SELECT 1") == 1
    assert not unfinished.exists()


def test_a_missing_role_or_database_is_made_good_by_the_next_call(running_home: Path) -> None:
    server = ensure_running(running_home)
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE rekindle")
        connection.execute("DROP ROLE rekindle")
    assert one_value(ensure_running(running_home).dsn, "SELECT current_user") == "rekindle"


def test_a_start_that_cannot_work_says_why(home: Path) -> None:
    ensure_running(home)
    stop(home)
    (home / "postgres" / "data" / "global" / "pg_control").unlink()
    with pytest.raises(OperatorError) as refused:
        ensure_running(home)
    assert "did not start" in refused.value.message
    assert "pg_control" in refused.value.hint
    assert str(place.find_place(home).log) in refused.value.hint


# --- sharing ---------------------------------------------------------------------------------------------------------


def test_processes_that_start_at_once_get_the_same_server_and_the_last_one_stops_it(home: Path) -> None:
    starters = [
        in_another_process(
            "s = ensure_running(home)\nprint(s.pid, s.started_by_us, flush=True)\ninput()\nprint(release(home))", home
        )
        for _ in range(4)
    ]
    told = [first_line(starter).split() for starter in starters]
    assert len({pid for pid, _ in told}) == 1, told
    assert sorted(started for _, started in told) == ["False", "False", "False", "True"]
    stopped = [finish(starter).strip() for starter in starters]
    assert stopped == ["False", "False", "False", "True"]
    assert is_gone(int(told[0][0]), home)


def test_a_process_that_just_ends_leaves_no_server_behind(home: Path) -> None:
    pid = int(finish(in_another_process("print(ensure_running(home).pid)", home)))
    assert is_gone(pid, home)
    assert status(home).state == "stopped"


def test_a_server_that_was_asked_to_stay_stays_until_stop(home: Path) -> None:
    pid = int(finish(in_another_process("print(ensure_running(home, keep=True).pid)", home)))
    assert not is_gone(pid, home)
    assert status(home).kept
    assert ensure_running(home).pid == pid
    assert release(home) is False
    assert stop(home) is True
    assert is_gone(pid, home)
    assert not status(home).kept


def test_a_forked_child_does_not_stop_its_parents_server(home: Path) -> None:
    code = """
import os
pid = ensure_running(home).pid
child = os.fork()
if child == 0:
    raise SystemExit(1 if release(home) else 0)
_, ended = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(ended), status(home).pid == pid)
"""
    assert finish(in_another_process(code, home)).split() == ["0", "True"]


# --- who runs it -----------------------------------------------------------------------------------------------------


@ROOT_ONLY
@pytest.mark.parametrize("way", [identity.as_postgres, identity.as_namespace, identity.as_nobody])
def test_root_runs_it_as_somebody_else(
    way: Callable[..., identity.Choice | None], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner._create_control_folder(place.find_place(home))
    found = binaries.choose_installation(binaries.find_installations(), None)
    choice = way(found, place.find_place(home))
    if choice is None:
        pytest.skip(f"{way.__name__} is not possible on this machine")
    monkeypatch.setattr(runner, "choose_identity", lambda *_: choice)
    server = ensure_running(home)
    assert one_value(server.dsn, "SELECT current_user") == "rekindle"
    assert Path(f"/proc/{server.pid}").stat().st_uid == choice.identity.uid
    assert place.find_place(home).data.stat().st_uid == choice.identity.uid
    os.kill(server.pid, signal.SIGKILL)
    assert one_value(ensure_running(home).dsn, "SELECT 1") == 1
    monkeypatch.undo()
    stop(home)
    assert identity.choose_identity(found, place.find_place(home)).identity == choice.identity, "data are a vote"


@ROOT_ONLY
def test_a_folder_that_becomes_private_changes_the_account_and_keeps_the_data(home: Path) -> None:
    server = ensure_running(home)
    if place.find_place(home).data.stat().st_uid == os.geteuid():
        pytest.skip("no other account runs the server here")
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    stop(home)
    home.chmod(0o700)
    assert one_value(ensure_running(home).dsn, "SELECT answer FROM kept") == 42
    record = postmaster.find_postmaster(place.find_place(home))
    assert record is not None
    assert record.socket_folder == home / "postgres" / "socket"


@ROOT_ONLY
def test_inside_a_private_folder_no_permission_changes(home: Path) -> None:
    private = home / "private"
    private.mkdir(parents=True, mode=0o700)
    inner = private / "home"
    before = [stat.S_IMODE(folder.stat().st_mode) for folder in (private, home, home.parent)]
    try:
        assert one_value(ensure_running(inner).dsn, "SELECT 1") == 1
    finally:
        stop(inner)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (private, home, home.parent)] == before


@ROOT_ONLY
def test_nobody_gets_a_copy_elsewhere_when_nothing_else_works(
    open_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir(mode=0o700)
    monkeypatch.setattr(identity, "as_postgres", lambda *_: None)
    monkeypatch.setattr(identity, "as_namespace", lambda *_: None)
    monkeypatch.setattr(identity, "ELSEWHERE", open_folder / "elsewhere")
    hidden = open_folder / "hidden"
    hidden.mkdir(mode=0o700)
    wheel = binaries._wheel_folders()[0]
    shutil.copytree(wheel / "pginstall18", hidden / wheel.name / "pginstall18", symlinks=True)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), hidden / f"{wheel.name}.libs", symlinks=True)
    monkeypatch.setattr(binaries, "_wheel_folders", lambda: [hidden / wheel.name])
    try:
        server = ensure_running(home)
        assert one_value(server.dsn, "SELECT 1") == 1
        where = place.find_place(home)
        assert where.root.parent == open_folder / "elsewhere"
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert Path(f"/proc/{server.pid}/exe").resolve().is_relative_to(where.root / "programs")
        stop(home)
        assert ensure_running(home).started_by_us
    finally:
        stop(home)


@ROOT_ONLY
def test_an_account_that_does_not_own_the_data_is_told_so(home: Path) -> None:
    ensure_running(home)
    stop(home)
    code = """
import os
import rekindle.store.postgres.runner
os.setgroups([]), os.setgid(54321), os.setuid(54321)
for verb in (ensure_running, stop):
    try:
        print("allowed", verb(home))
    except Exception as refused:
        print(type(refused).__name__, refused)
"""
    told = finish(in_another_process(code, home))
    assert told.count("OperatorError") == 2, told
    assert told.count("belongs to another account") == 2, told


# --- which programs --------------------------------------------------------------------------------------------------


def fake_installation(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / "bin" / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_wheel_folders", list)
    monkeypatch.setattr(binaries, "DISTRIBUTION_PATTERNS", ())
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.usefixtures("no_programs")
def test_without_programs_the_error_says_what_to_install(home: Path) -> None:
    with pytest.raises(OperatorError) as refused:
        ensure_running(home)
    assert refused.value.message == "no PostgreSQL 16 or newer was found."
    assert "make setup" in refused.value.hint
    assert "DATABASE_URL" in refused.value.hint
    assert status(home).state == "absent"


@pytest.mark.usefixtures("no_programs")
def test_programs_below_16_are_named_and_refused(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_installation(tmp_path / "old", "15.18")
    monkeypatch.setenv("PATH", str(old))
    with pytest.raises(OperatorError) as refused:
        ensure_running(home)
    assert f"{old} (PostgreSQL 15.18 is too old)" in refused.value.message


@pytest.mark.usefixtures("no_programs")
def test_the_wheel_comes_first_then_the_newest_of_the_distribution_then_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_installation(tmp_path / "wheel" / "pginstall", "16.14")
    fake_installation(tmp_path / "wheel" / "pginstall18", "18.4")
    fake_installation(tmp_path / "distribution" / "9", "9.6")
    fake_installation(tmp_path / "distribution" / "16", "16.2")
    fake_installation(tmp_path / "distribution" / "17", "17.1")
    monkeypatch.setattr(binaries, "_wheel_folders", lambda: [tmp_path / "wheel"])
    monkeypatch.setattr(binaries, "DISTRIBUTION_PATTERNS", (f"{tmp_path}/distribution/*/bin",))
    monkeypatch.setenv("PATH", str(fake_installation(tmp_path / "path", "19.0")))
    search = binaries.find_installations()
    assert [one.version for one in search.usable] == ["18.4", "16.14", "17.1", "16.2", "19.0"]
    assert binaries.choose_installation(search, None).version == "18.4"
    assert binaries.choose_installation(search, 17).version == "17.1"
    assert len(search.refused) == 1


@pytest.mark.usefixtures("no_programs")
def test_data_of_another_major_version_are_not_touched(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    monkeypatch.setenv("PATH", str(fake_installation(tmp_path / "path", "19.0")))
    with pytest.raises(OperatorError) as refused:
        ensure_running(home)
    assert "written by PostgreSQL 17" in refused.value.message
    assert "PostgreSQL 19.0" in refused.value.message
    assert [entry.name for entry in data.iterdir()] == ["PG_VERSION"]


def test_a_broken_program_is_refused_not_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fake_installation(tmp_path / "broken", "18.1")
    (folder / "postgres").write_text("#!/bin/sh\nexit 127\n")
    monkeypatch.setattr(binaries, "_wheel_folders", list)
    monkeypatch.setattr(binaries, "DISTRIBUTION_PATTERNS", (f"{tmp_path}/*/bin",))
    search = binaries.find_installations({"PATH": "/nonexistent"})
    assert search.usable == ()
    assert "does not run here" in search.refused[0]


# --- DATABASE_URL ----------------------------------------------------------------------------------------------------


def test_a_named_database_wins_and_nothing_is_started(home: Path) -> None:
    url = "postgresql://shop:secret@db.example:5432/rekindle"
    assert address.database_url({"DATABASE_URL": url}, home) == url
    assert not home.exists()


def test_the_database_may_be_named_in_a_file(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://from.file/rekindle\n")
    assert address.database_url({"DATABASE_URL_FILE": str(secret)}, home) == "postgresql://from.file/rekindle"
    with pytest.raises(OperatorError, match="cannot be read"):
        address.database_url({"DATABASE_URL_FILE": str(tmp_path / "missing")}, home)
    assert not home.exists()


def test_without_a_name_the_embedded_server_is_used(running_home: Path) -> None:
    url = address.database_url({"DATABASE_URL": ""}, running_home)
    assert one_value(url, "SELECT current_user") == "rekindle"
    assert address.require_supported_server(url) // 10000 >= 16


@pytest.mark.parametrize("url", ["sqlite:///db.sqlite3", "mysql://root:hunter2@localhost/shop", "nonsense"])
def test_another_kind_of_database_is_refused_without_repeating_its_password(url: str, home: Path) -> None:
    with pytest.raises(OperatorError) as refused:
        address.database_url({"DATABASE_URL": url}, home)
    assert "does not name a PostgreSQL database" in refused.value.message
    assert "hunter2" not in str(refused.value)


def test_a_server_that_cannot_be_reached_is_an_operators_error(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="the database cannot be used"):
        address.require_supported_server(f"postgresql://rekindle:hunter2@/rekindle?host={tmp_path}")


def test_a_url_that_cannot_be_parsed_does_not_repeat_its_password() -> None:
    with pytest.raises(OperatorError) as refused:
        address.require_supported_server("postgresql://rekindle:hunter2%zz@localhost/rekindle")
    assert "cannot be understood" in refused.value.message
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("version", "allowed"), [(150018, False), (90624, False), (160000, True), (180004, True)])
def test_servers_below_16_are_refused(version: int, allowed: bool) -> None:
    if allowed:
        address.require_supported_version(version)
        return
    with pytest.raises(OperatorError, match="needs 16 or newer"):
        address.require_supported_version(version)


def test_a_real_server_below_16_is_refused(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = next((path for path in Path("/usr/lib/postgresql").glob("1[3-5]/bin") if (path / "initdb").exists()), None)
    if old is None:
        pytest.skip("no PostgreSQL older than 16 on this machine")
    monkeypatch.setattr(binaries, "MINIMUM_MAJOR", 10)
    monkeypatch.setattr(binaries, "_wheel_folders", list)
    monkeypatch.setattr(binaries, "DISTRIBUTION_PATTERNS", (str(old),))
    monkeypatch.setenv("PATH", "/nonexistent:/usr/bin:/bin")
    server = ensure_running(open_folder / "old")
    with pytest.raises(OperatorError, match="needs 16 or newer"):
        address.require_supported_server(server.dsn)


def test_the_home_folder_is_named_or_beside_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert address.home_folder({}) == tmp_path / ".rekindle"
    assert address.home_folder({"REKINDLE_HOME": "/srv/rekindle"}) == Path("/srv/rekindle")


@pytest.mark.parametrize(
    ("memory_gib", "buffers_mib"), [(0.5, 64), (1, 256), (2, 512), (4, 1024), (64, 1024), (0.75, 96)]
)
def test_shared_buffers_follow_the_memory(memory_gib: float, buffers_mib: int) -> None:
    assert configuration.shared_buffers_mib(int(memory_gib * 2**30)) == buffers_mib
