"""How does a server process stop when it is told to twice?

A supervisor often signals the whole group while the parent signals its workers too (systemd, Ctrl-C). Granian 2.8.7
stops at the first signal; the second one, arriving while it stops, makes it wait for itself for ever: its event is set
under a lock whose holder needs the interpreter that the setter holds. So only the first one reaches it.
"""

from __future__ import annotations

import asyncio
import signal

from granian import _signals
from granian._granian import WorkerSignal

STOPS = (signal.SIGINT, signal.SIGTERM)


def heed_first_signal_only() -> None:
    """Replace how a worker of this process listens for signals; call it before the worker serves."""
    _signals.set_loop_signals = _listen_once


def _listen_once(loop: asyncio.AbstractEventLoop) -> WorkerSignal:
    event = WorkerSignal()
    told: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not told:
            told.append(number)
            event.set()

    for number in STOPS:
        loop.add_signal_handler(number, stop, number)
    return event
