"""Run the engine: notice carts, advance flows, deliver, settle, measure.

Start as many as there are cores and machines; they need no coordination beyond the database. SIGTERM or Ctrl-C
finishes the batch at hand, within ten seconds.
"""

from __future__ import annotations

import argparse
import logging
import os

from rekindle.commands.children import Children, StopRequest, tail
from rekindle.lib.operator_error import OperatorError

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

    from rekindle.engine.context import Context
    from rekindle.engine.worker import make_loops, stop_loops

    log = logging.getLogger("rekindle.worker")
    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)
    loops = make_loops(settings.DATABASE_URL, context)
    for loop in loops:
        loop.start()
    log.info("worker_started", extra={"facts": {"loops": len(loops)}})
    stop.event.wait()
    is_clean = stop_loops(loops)
    log.info("worker_stopped", extra={"facts": {"clean": is_clean}})
    return 0 if is_clean else 1


def _supervise(processes: int, stop: StopRequest) -> int:
    from django.conf import settings

    with Children(logs=settings.HOME / "worker" / "logs") as children:
        for number in range(1, processes + 1):
            children.start(f"worker-{number}", ["worker"], os.environ)
        while not stop.event.wait(1.0):
            ended = children.ended()
            if ended is not None:
                raise OperatorError(f"{ended.name} ended ({ended.process.returncode}).", tail(ended.log))
    return 0
