"""Run the engine: notice carts, advance flows, deliver, settle, measure.

Start as many as there are cores and machines; they need no coordination beyond the database. SIGTERM or Ctrl-C
finishes the batch at hand, within ten seconds.
"""

from __future__ import annotations

import argparse
import logging
import os
import time

from rekindle.commands.children import Children, StopRequest, tail
from rekindle.lib.operator_error import OperatorError

#: So many ends of worker processes within so many seconds are too many.
MOST_RESTARTS, RESTARTS_WITHIN_S = 5, 60.0
HELP = "run the engine (any number of workers may run)"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--processes", type=int, default=1, help="worker processes (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    if not 1 <= args.processes <= 64:
        raise OperatorError(f"--processes must be from 1 to 64, not {args.processes}.")
    stop = StopRequest().listen()
    return _work(stop) if args.processes == 1 else _supervise(args.processes, stop)


def _work(stop: StopRequest) -> int:
    from django.conf import settings

    from rekindle.engine.collector import spare_the_collector
    from rekindle.engine.context import Context
    from rekindle.engine.worker import make_loops, stop_loops
    from rekindle.lib.journal import Journal

    log = logging.getLogger("rekindle.worker")
    context = Context(
        hash_key=settings.HASH_KEY,
        vault_key=settings.VAULT_KEY,
        public_url=settings.PUBLIC_URL,
        sandbox=settings.SANDBOX,
        push_hosts=settings.PUSH_HOSTS,
        heads_file=settings.HEADS_FILE,
        journal=Journal(settings.JOURNAL, settings.HASH_KEY) if settings.JOURNAL is not None else None,
    )
    loops = make_loops(settings.DATABASE_URL, context)
    spare_the_collector()
    for loop in loops:
        loop.start()
    log.info("worker_started", extra={"facts": {"loops": len(loops)}})
    stop.event.wait()
    is_clean = stop_loops(loops)
    log.info("worker_stopped", extra={"facts": {"clean": is_clean}})
    return 0 if is_clean else 1


def _supervise(processes: int, stop: StopRequest) -> int:
    """Keep so many workers running. One that ends is replaced; one that keeps ending is the operator's to look at."""
    from django.conf import settings

    ends: list[float] = []
    with Children(logs=settings.HOME / "worker" / "logs") as children:
        for number in range(1, processes + 1):
            children.start(f"worker-{number}", ["worker"], os.environ)
        while not stop.event.wait(1.0):
            ended = children.ended()
            if ended is None:
                continue
            now = time.monotonic()
            ends = [at for at in ends if now - at < RESTARTS_WITHIN_S] + [now]
            if len(ends) > MOST_RESTARTS:
                raise OperatorError(f"{ended.name} keeps ending ({ended.process.returncode}).", tail(ended.log))
            facts = {"name": ended.name, "status": ended.process.returncode}
            logging.getLogger("rekindle.worker").error("worker_ended", extra={"facts": facts})
            children.running.remove(ended)
            children.start(ended.name, ["worker"], os.environ)
    return 0
