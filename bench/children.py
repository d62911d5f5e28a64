"""How are processes of a workload told when to begin? By lines on their standard input, answered by words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from bench.harness import ROOT, BrokenRunError


@contextmanager
def child(
    arguments: list[str], env: Mapping[str, str], *, program: Sequence[str] = (sys.executable,)
) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        [*program, *arguments],
        cwd=ROOT,
        env=dict(env) or None,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def say(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.write(b"go\n")
    child.stdin.flush()


def hear(child: subprocess.Popen[bytes], word: bytes) -> None:
    assert child.stdout is not None
    if child.stdout.readline().strip() != word:
        raise BrokenRunError(f"a process ended before it was {word.decode()}")
