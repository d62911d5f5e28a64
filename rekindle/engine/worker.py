"""What does a worker do? Every loop of the engine in one process; start as many workers as there are machines.

Threads for the stages that wait for the database, one event loop for delivery. Stopping finishes the batch at hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rekindle.engine.abandon import abandon
from rekindle.engine.advance import advance
from rekindle.engine.audit_log import keep_head
from rekindle.engine.books import Books
from rekindle.engine.consent_anchors import keep_anchor
from rekindle.engine.context import Context
from rekindle.engine.delivery_loop import DeliveryLoop
from rekindle.engine.double_opt_in import forget_askers
from rekindle.engine.hooks import forget_old_tokens
from rekindle.engine.loops import Job, JobLoop, Loop, StageLoop
from rekindle.engine.measure import RECENT_JOB, count_products, measure_deep, measure_late, measure_recent
from rekindle.engine.privacy.escalate import escalate
from rekindle.engine.privacy.export import make_files
from rekindle.engine.privacy.shopify import erase_whole_shops
from rekindle.engine.restore_gate import BEAT_S, beat
from rekindle.engine.retention import keep_in_bounds
from rekindle.engine.text_slot import forget_text_slots
from rekindle.store import work
from rekindle.store.database import Connection
from rekindle.store.partitions import ensure_partitions

#: One batch of one bucket; returns how much was done.
Work = Callable[[Connection, Books, int], int]
#: How long stopping loops may take for their batches; a supervisor kills what takes longer than ten seconds.
STOP_S = 8.0


def make_loops(dsn: str, context: Context) -> list[Loop]:
    """The loops of one worker, each waking the one after it."""
    deliver = DeliveryLoop(dsn, context)
    advancing = StageLoop(
        "advance", dsn, context, discover=work.first_steps, work=_advance(context), after=[deliver.wake]
    )
    noticing = StageLoop(
        "abandon", dsn, context, discover=work.first_checks, work=_abandon(context), after=[advancing.wake]
    )
    return [noticing, advancing, deliver, JobLoop("jobs", dsn, context, JOBS)]


def stop_loops(loops: Sequence[Loop]) -> bool:
    """Ask all to stop and wait for them together, at most `STOP_S`; whether all did."""
    for loop in loops:
        loop.ask_to_stop()
    deadline = time.monotonic() + STOP_S
    stopped = [loop.join(max(deadline - time.monotonic(), 0.1)) for loop in loops]
    return all(stopped)


def _abandon(context: Context) -> Work:
    def turn(connection: Connection, books: Books, bucket: int) -> int:
        return abandon(connection, context, books, bucket).examined

    return turn


def _advance(context: Context) -> Work:
    def turn(connection: Connection, books: Books, bucket: int) -> int:
        return advance(connection, context, books, bucket)

    return turn


def _partitions(connection: Connection, context: Context) -> object:
    return ensure_partitions(connection, context.clock.now())


JOBS = (
    Job("count-up", BEAT_S, beat, lease_s=60),
    Job("partitions", 3_600, _partitions),
    Job(RECENT_JOB, 5, measure_recent, lease_s=120),
    Job("measure-late", 900, measure_late),
    Job("measure-deep", 86_400, measure_deep, lease_s=7_200),
    Job("privacy-dates", 900, escalate),
    Job("keep-heads", 3_600, keep_head),
    Job("erase-shops", 3_600, erase_whole_shops, lease_s=14_400),
    Job("subject-exports", 5, make_files, lease_s=1_800),
    Job("retention", 86_400, keep_in_bounds, lease_s=14_400),
    Job("keep-anchors", 3_600, keep_anchor, lease_s=3_600),
    Job("forget-tokens", 3_600, forget_old_tokens),
    Job("forget-text-slots", 86_400, forget_text_slots),
    Job("forget-askers", 3_600, forget_askers),
    Job("count-products", 3_600, count_products, lease_s=3_600),
)
