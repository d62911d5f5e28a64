"""A mock server made from a provider's own specification, which refuses what the specification does not allow.

Prism is installed once into the cache folder of the person who runs the tests, never into the checkout; where that is
impossible the tests that need it are skipped and say so.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.providers.shared_contracts import CONTRACTS

VERSION = "5.14.2"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rekindle" / f"prism-{VERSION}"


def prism() -> list[str]:
    """The command; skips the test where it cannot be had."""
    own = os.environ.get("REKINDLE_PRISM")
    if own:
        return own.split()
    program = CACHE / "node_modules" / ".bin" / "prism"
    if not program.exists():
        if shutil.which("npm") is None:
            pytest.skip("Prism is not installed and there is no npm: set REKINDLE_PRISM")
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one test process installs, the others wait
            if not program.exists():
                _install()
    return ["node", str(program)]


def _install() -> None:
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(CACHE)]
    try:
        done = subprocess.run(
            [*command, f"@stoplight/prism-cli@{VERSION}"], capture_output=True, text=True, timeout=240, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("Prism could not be installed in time: set REKINDLE_PRISM")
    if done.returncode:
        pytest.skip(f"Prism could not be installed (set REKINDLE_PRISM): {done.stderr.strip()[-200:]}")


@contextmanager
def mocking(specification: str) -> Iterator[str]:
    """The address of a mock of this specification. It listens on loopback only."""
    path = CONTRACTS / specification
    if not path.is_file():
        pytest.skip(f"{path} is not there: set REKINDLE_SHARED")
    command = prism()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [*command, "mock", "--errors", "-h", "127.0.0.1", "-p", str(port), str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        asyncio.run(_listening(port, server))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def _listening(port: int, server: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(90):
        while server.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return
    pytest.skip("Prism does not start here")
