"""How does a flow come to run? Saved as a new version, checked, switched on, switched off.

Runs that began with a version end with it: saving or switching never changes what is under way, unless somebody says
that switching off ends the runs too.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from rekindle.engine.context import Context
from rekindle.engine.patience import hurry_timers
from rekindle.store import configuration
from rekindle.store.buckets import buckets_of
from rekindle.store.configuration import EndedRun
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow, write_decisions
from rekindle.terms.decision import Question, deny
from rekindle.terms.flow import Flow, FlowError, Message, dump_flow, parse_flow
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

_STOP_BATCH = 5_000
_log = logging.getLogger(__name__)


class SavedFlow(NamedTuple):
    """A stored version of a flow."""

    flow_id: int
    version_id: int
    number: int


def save_flow(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    key: str,
    name: str,
    definition: Flow | bytes | str,
    priority: int = 0,
    by: str = "",
) -> SavedFlow:
    """Store the next version of a flow; what runs stays as it is until `activate_flow`.

    Raises FlowError when the definition cannot be run or names a template that is missing or written for another
    channel; nothing is stored then.
    """
    flow = parse_flow(dump_flow(definition) if isinstance(definition, Flow) else definition)
    with connection.transaction():
        _check_templates(connection, shop, flow)
        known = configuration.lock_flow(connection, shop.id, key)
        if known is None:
            flow_id = configuration.insert_flow(connection, shop.id, key, name, priority)
        else:
            flow_id = known.id
            configuration.rename_flow(connection, flow_id, name, priority)
        version_id, number = configuration.insert_flow_version(
            connection, flow_id, dump_flow(flow), context.clock.now(), by
        )
    _log.info("flow_saved", extra={"facts": {"shop": shop.id, "flow": key, "number": number, "by": by}})
    return SavedFlow(flow_id, version_id, number)


def activate_flow(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    key: str,
    *,
    number: int | None = None,
    by: str = "",
) -> SavedFlow:
    """Let a version (the newest without ``number``) take carts from now on.

    Carts left before this moment are never taken; those that are not idle for long enough yet are found on time, also
    where the flow has less patience than its shop. A flow that is on already changes its version and keeps the moment
    at which it was switched on. Raises FlowError for an unknown flow or version, or a template that is gone.
    """
    with connection.transaction():
        known = configuration.lock_flow(connection, shop.id, key)
        version = configuration.flow_version(connection, known.id, number) if known else None
        if known is None or version is None:
            raise FlowError(f"there is no flow {key}" + (f" with a version {number}" if number else ""))
        flow = parse_flow(version.definition)
        _check_templates(connection, shop, flow)
        activated_at = known.activated_at or context.clock.now()
        configuration.switch_flow(connection, known.id, version.id, activated_at)
    hurry_timers(connection, context, shop, flow.trigger)
    facts = {"shop": shop.id, "flow": key, "number": version.number, "by": by}
    _log.info("flow_activated", extra={"facts": facts})
    return SavedFlow(known.id, version.id, version.number)


def deactivate_flow(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    key: str,
    *,
    end_running: bool = False,
    by: str = "",
) -> int:
    """Switch a flow off; returns how many runs were ended.

    ``end_running``: also end what is under way (reason FLOW_STOPPED); planned messages of those runs are then refused
    at the last moment. Otherwise runs go on to their end. Raises FlowError for an unknown flow.
    """
    with connection.transaction():
        known = configuration.lock_flow(connection, shop.id, key)
        if known is None:
            raise FlowError(f"there is no flow {key}")
        configuration.switch_flow(connection, known.id, None, None)
    ended = _end_runs(connection, context, shop, known.id) if end_running else 0
    _log.info("flow_deactivated", extra={"facts": {"shop": shop.id, "flow": key, "ended": ended, "by": by}})
    return ended


def _end_runs(connection: Connection, context: Context, shop: ShopSettings, flow_id: int) -> int:
    """Bucket by bucket, in batches, each its own transaction: it may be stopped and called again."""
    total, now, reason = 0, context.clock.now(), Reason.FLOW_STOPPED
    for bucket in buckets_of(shop):
        while True:
            with connection.transaction():
                ended = configuration.stop_enrolments_of_flow(
                    connection, bucket, flow_id, reason=reason.value, now=now, limit=_STOP_BATCH
                )
                write_decisions(connection, [_stopped(bucket, run, context) for run in ended])
            total += len(ended)
            if len(ended) < _STOP_BATCH:
                break
    return total


def _stopped(bucket: int, run: EndedRun, context: Context) -> DecisionRow:
    return DecisionRow(
        bucket=bucket,
        shop_id=run.shop_id,
        at=context.clock.now(),
        question=Question.EXIT,
        verdict=deny(Reason.FLOW_STOPPED),
        cart_id=run.cart_id,
        shopper_id=run.shopper_id,
        enrolment_id=run.id,
        step=run.step,
    )


def _check_templates(connection: Connection, shop: ShopSettings, flow: Flow) -> None:
    """Every message needs a published template for each channel that it names."""
    channels = configuration.template_channels(connection, shop.id)
    for step, _ in flow.walk():
        if not isinstance(step, Message):
            continue
        for channel in step.channels:
            key = step.template_of(channel)
            written_for = channels.get(key)
            if written_for is None:
                raise FlowError(f"step {step.id}: there is no published template {key}")
            if channel.value != written_for:
                raise FlowError(f"step {step.id}: template {key} is written for {written_for}, not for {channel.value}")
