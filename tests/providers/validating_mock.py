"""A mock server made from a provider's own specification, which refuses what the specification does not allow.

`make setup-dev` installs Prism as it is locked beside this file, where the specifications are; nothing is installed while
testing. Where it is missing the tests that need it are skipped and say so.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.providers.shared_contracts import CONTRACTS

PROGRAM = Path(__file__).parent / "prism" / "node_modules" / ".bin" / "prism"
VENV_NODE = Path(__file__).parents[2] / ".venv" / "bin" / "node"


def prism() -> list[str]:
    """The command; skips the test where it is not there."""
    own = os.environ.get("REKINDLE_PRISM")
    if own:
        return own.split()
    node = shutil.which("node") or (str(VENV_NODE) if VENV_NODE.exists() else None)
    if node is None or not PROGRAM.exists():
        pytest.skip("Prism is not there: run make setup-dev, or set REKINDLE_PRISM")
    return [node, str(PROGRAM)]


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
