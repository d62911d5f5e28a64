"""Serve the API, the webhooks, the public pages and the dashboard.

Stops gracefully on SIGTERM or Ctrl-C: requests under way are finished first.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from rekindle.commands.leash import die_with
from rekindle.commands.stop_once import STOPS, heed_first_signal_only
from rekindle.lib.operator_error import OperatorError

HELP = "serve the API, webhooks, public pages and dashboard"
GRACE_SECONDS = 30

#: Granian's own lines become JSON lines like ours, on standard error.
LOGGING = {
    "formatters": {"json": {"()": "rekindle.lib.logs.JsonLines"}},
    "handlers": {"json": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "json"}},
    "loggers": {
        "_granian": {"handlers": ["json"], "level": "INFO", "propagate": False},
        "granian.access": {"handlers": ["json"], "level": "INFO", "propagate": False},
    },
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--workers",
        type=int,
        help="processes (default: one for each core, which serves the most events, but at least two)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        help="threads of each process for pages and webhooks; events need none (default: REKINDLE_REQUEST_THREADS)",
    )


def run(args: argparse.Namespace) -> int:
    from django.conf import settings
    from granian import Granian
    from granian.constants import Interfaces

    require_sensible(args)
    workers = args.workers or max(2, os.cpu_count() or 1)
    require_free_port(args.host, args.port)
    if args.threads:
        settings.REQUEST_THREADS = args.threads
    import_module("rekindle.rsgi")  # here, not in each worker: shared memory, a quick start, and one error if it fails
    gc.freeze()  # the collector of a worker then leaves the shared pages alone
    server = Granian(
        "rekindle.rsgi:application",
        address=args.host,
        port=args.port,
        interface=Interfaces.RSGI,
        workers=workers,
        websockets=False,
        log_dictconfig=LOGGING,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_SECONDS,
    )
    print(f"Serving on http://{args.host}:{args.port} ({workers} processes). Ctrl-C stops.", file=sys.stderr)
    server.serve(target_loader=partial(_load_in_worker, os.getpid()))
    return 0


def require_sensible(args: argparse.Namespace) -> None:
    """Raise OperatorError for numbers that cannot be."""
    if not 1 <= args.port <= 65535:
        raise OperatorError(f"--port must be from 1 to 65535, not {args.port}.")
    for name in ("workers", "threads"):
        if getattr(args, name) is not None and not 1 <= getattr(args, name) <= 256:
            raise OperatorError(f"--{name} must be from 1 to 256, not {getattr(args, name)}.")


def require_free_port(host: str, port: int) -> None:
    """Raise OperatorError when we cannot listen there; asked first because workers would only fail one by one."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as failed:
        raise OperatorError(
            f"cannot listen on {host}:{port}: {failed.strerror}.", "Choose another with --host and --port."
        ) from failed


def _load_in_worker(parent: int, target: str) -> Callable[..., Any]:
    """Load the application in a worker process, which ends when its parent does, `kill -9` included."""
    for number in STOPS:  # until the worker listens for itself: the parent's handler came along and ends nobody here
        signal.signal(number, signal.SIG_DFL)
    die_with(parent)
    heed_first_signal_only()
    module, name = target.split(":")
    application: Callable[..., Any] = getattr(import_module(module), name)
    return application
