"""A peer of W3c: procrastinate, with jobs that do nothing. The database comes from PGHOST, PGDATABASE and their like.

Run as a process: ``queue COUNT``, then ``work COUNT``, which waits for a line, works until no job is left, prints "done",
waits. 24 jobs at once, on one connection pool; all else as the package sets it.
"""

from __future__ import annotations

import asyncio
import sys

from bench.procrastinate_app import AT_ONCE, app, step


async def queue(count: int) -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await step.batch_defer_async(*({"run": number} for number in range(count)))


async def work() -> None:
    async with app.open_async():
        await app.run_worker_async(concurrency=AT_ONCE, wait=False, install_signal_handlers=False)


if __name__ == "__main__":
    if sys.argv[1] == "queue":
        asyncio.run(queue(int(sys.argv[2])))
    else:
        print("ready", flush=True)
        sys.stdin.readline()
        asyncio.run(work())
        print("done", flush=True)
        sys.stdin.readline()
