"""The command line: what it finds, what it prepares, how it says no."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rekindle.commands import cli, serve, setup_db
from rekindle.lib.operator_error import OperatorError
from rekindle.store.postgres import status, stop

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="rk-"))
    yield folder / "home"
    stop(folder / "home")
    shutil.rmtree(folder)


def rekindle(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as an operator does."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("REKINDLE_", "DATABASE_"))}
    return subprocess.run(
        [sys.executable, "-m", "rekindle.commands.cli", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=inherited | environ,
        check=False,
        timeout=120,
    )


def test_help_lists_every_command_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    told = capsys.readouterr().out
    for name, text in (cli.discover() | cli.DJANGO_COMMANDS).items():
        assert text
        assert any(line.split() == [name, *text.split()] for line in told.splitlines()), name
    assert {"serve", "setup-db", "postgres"} <= set(cli.discover())


@pytest.mark.parametrize("name", sorted(cli.discover()))
def test_every_command_explains_itself_without_database_or_settings(name: str, tmp_path: Path) -> None:
    answer = rekindle(name, "--help", REKINDLE_HOME=str(tmp_path / "home"))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"usage: rekindle {name} ")
    assert not (tmp_path / "home").exists()


def test_only_modules_with_help_are_commands(tmp_path: Path) -> None:
    (tmp_path / "resend_all.py").write_text('HELP: str = "send again"\n')
    (tmp_path / "prepare.py").write_text("HELPED = 1\n")
    assert cli.discover(tmp_path) == {"resend-all": "send again"}


def test_an_unknown_command_is_the_operators_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serv"]) == 2
    assert capsys.readouterr().err == (
        "rekindle: there is no command 'serv'.\n  Did you mean serve? See rekindle --help.\n"
    )


def test_mistakes_end_in_two_lines_and_status_2_not_in_a_traceback(home: Path) -> None:
    answer = rekindle("setup-db", REKINDLE_HOME=str(home), DATABASE_URL="mysql://root:hunter2@localhost/shop")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("rekindle: DATABASE_URL does not name a PostgreSQL database.\n  ")
    assert "Traceback" not in answer.stderr
    assert "hunter2" not in answer.stderr


def test_a_missing_secret_is_named(home: Path) -> None:
    answer = rekindle("setup-db", REKINDLE_HOME=str(home))
    assert answer.returncode == 2
    assert "REKINDLE_SECRET_KEY is not set" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert status(home).state == "stopped"


def test_set_up_makes_the_tables_and_leaves_nothing_running(home: Path) -> None:
    first = rekindle("setup-db", REKINDLE_HOME=str(home), REKINDLE_DEBUG="1")
    assert first.returncode == 0, first.stderr
    assert "The database is ready" in first.stdout
    assert status(home).state == "stopped"
    again = rekindle("setup-db", "--quiet", REKINDLE_HOME=str(home), REKINDLE_DEBUG="1")
    assert (again.returncode, again.stdout) == (0, ""), again.stderr
    passed_through = rekindle("migrate", "--check", REKINDLE_HOME=str(home), REKINDLE_DEBUG="1")
    assert passed_through.returncode == 0, passed_through.stdout + passed_through.stderr


def test_two_set_ups_at_once_take_turns(fresh_dsn: str) -> None:
    with psycopg.connect(fresh_dsn, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [setup_db.TURN])
        info = other.info
        url = f"postgresql://{info.user}@/{info.dbname}?host={info.host.replace('/', '%2F')}&port={info.port}"
        waiting = subprocess.Popen(
            [sys.executable, "-m", "rekindle.commands.cli", "setup-db", "--quiet"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url, "REKINDLE_DEBUG": "1"},
        )
        waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND (classid::bigint << 32 | objid::bigint) = %s"
        while not other.execute(waits, [setup_db.TURN]).fetchone():
            assert waiting.poll() is None, "it did not wait for its turn"
            threading.Event().wait(0.02)
        other.execute("SELECT pg_advisory_unlock_all()")
        assert waiting.wait(timeout=60) == 0


def test_postgres_can_be_left_running_and_stopped(home: Path) -> None:
    assert rekindle("postgres", "status", REKINDLE_HOME=str(home)).returncode == 3
    started = rekindle("postgres", "start", REKINDLE_HOME=str(home))
    assert started.returncode == 0, started.stderr
    assert status(home).state == "running"
    seen = rekindle("postgres", "status", REKINDLE_HOME=str(home), DATABASE_URL="postgresql://elsewhere/rekindle")
    assert seen.returncode == 0
    assert "Rekindle does not use the embedded server" in seen.stderr
    assert rekindle("postgres", "stop", REKINDLE_HOME=str(home)).stdout == "stopped\n"
    assert status(home).state == "stopped"


def test_a_port_in_use_is_refused_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OperatorError, match="cannot listen on"):
            serve.require_free_port("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("wrong", [["--port", "0"], ["--port", "70000"], ["--workers", "0"], ["--threads", "-1"]])
def test_numbers_that_cannot_be_are_refused(wrong: list[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    serve.configure(parser)
    with pytest.raises(OperatorError, match=wrong[0]):
        serve.require_sensible(parser.parse_args(wrong))
