"""What is a flow made of? Versioned data: trigger, entry filter, steps; validated when it is read.

A definition is JSON. ``parse_flow`` is the only way in; what it returns is safe to run: ids are unique, waits and
depth are bounded, fields and operators are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

import msgspec

from rekindle.terms.cart import Stage
from rekindle.terms.send import Channel

MAX_STEPS = 100
MAX_DEPTH = 5
MAX_WAIT_S = 90 * 86_400
_ID = r"^[a-z0-9][a-z0-9_-]{0,39}$"


class FlowError(ValueError):
    """The definition cannot be run; the text says where and why."""


class Field(StrEnum):
    """Facts that an entry filter or a branch may look at."""

    TOTAL_CENTS = "total_cents"
    ITEM_COUNT = "item_count"
    CURRENCY = "currency"
    STAGE = "stage"
    COUNTRY = "country"
    LOCALE = "locale"
    DEVICE = "device"
    RETURNING = "returning"
    ORDER_COUNT = "order_count"
    PRODUCT_KEYS = "product_keys"
    CLICKED = "clicked"


class Test(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="test"):
    """One comparison. A fact that is not known makes every test false except ``missing``."""

    field: Field
    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "contains", "missing"]
    value: str | int | float | bool | list[str | int] | None = None


class AllOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="all"):
    of: tuple[Condition, ...]


class AnyOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="any"):
    of: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="not"):
    of: Condition


Condition = Test | AllOf | AnyOf | Not


class Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which abandonment starts the flow; ``idle_s`` overrides the shop's threshold (seconds)."""

    kinds: tuple[Stage, ...]
    idle_s: int | None = None


class Reentry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often the same shopper may enter.

    ``shopper_gap_s``: seconds between two entries of one shopper. ``again_after_return``: a cart whose shopper came
    back and left again may enter once more (after the gap).
    """

    shopper_gap_s: int = 86_400
    again_after_return: bool = True


class Wait(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="wait"):
    """Wait ``delay_s`` seconds since the abandonment or since the previous step."""

    id: str
    delay_s: int
    since: Literal["abandonment", "previous"] = "abandonment"


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="message"):
    """Write on one of these channels; the others are where to turn when it fails.

    ``template`` is the template's key in this shop, ``templates`` names another one for single channels.
    ``choose``: "order" takes the first channel that is possible, "response" the one that the shopper asked for or
    answered most (policy.channel_choice).
    """

    id: str
    template: str
    channels: tuple[Channel, ...] = (Channel.EMAIL,)
    templates: dict[Channel, str] = {}
    choose: Literal["order", "response"] = "order"

    def template_of(self, channel: Channel) -> str:
        """The key of what is written on a channel."""
        return self.templates.get(channel, self.template)


class Branch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="branch"):
    id: str
    when: Condition
    then: tuple[Step, ...] = ()
    otherwise: tuple[Step, ...] = ()


class Exit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="exit"):
    id: str


Step = Wait | Message | Branch | Exit


class Flow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A flow's definition. An order always exits; that is not configurable."""

    trigger: Trigger
    steps: tuple[Step, ...]
    entry: Condition | None = None
    reentry: Reentry = Reentry()

    def walk(self) -> Iterator[tuple[Step, str | None]]:
        """Every step, with the id of the step that follows it when it does not branch."""
        yield from _walk(self.steps, None)


def parse_flow(raw: bytes | str) -> Flow:
    """Read and validate a definition. Raises FlowError with a sentence that names the place."""
    try:
        flow = msgspec.json.decode(raw, type=Flow)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        raise FlowError(f"this is not a flow definition: {error}") from None
    _check(flow)
    return flow


def dump_flow(flow: Flow) -> bytes:
    """The canonical JSON of a definition."""
    return msgspec.json.encode(flow)


def _walk(steps: tuple[Step, ...], after: str | None) -> Iterator[tuple[Step, str | None]]:
    for index, step in enumerate(steps):
        following = steps[index + 1].id if index + 1 < len(steps) else after
        yield step, following
        if isinstance(step, Branch):
            yield from _walk(step.then, following)
            yield from _walk(step.otherwise, following)


def _check(flow: Flow) -> None:
    if not flow.trigger.kinds:
        raise FlowError("trigger.kinds must name at least one of browse, cart, checkout, payment")
    if flow.trigger.idle_s is not None and not 10 <= flow.trigger.idle_s <= MAX_WAIT_S:
        raise FlowError("trigger.idle_s must be 10 seconds to 90 days")
    if not 0 <= flow.reentry.shopper_gap_s <= 366 * 86_400:
        raise FlowError("reentry.shopper_gap_s must be 0 seconds to 366 days")
    if _depth(flow.steps) > MAX_DEPTH:
        raise FlowError(f"branches may be nested {MAX_DEPTH} deep at most")
    seen: set[str] = set()
    steps = [step for step, _ in flow.walk()]
    if not 1 <= len(steps) <= MAX_STEPS:
        raise FlowError(f"a flow needs 1 to {MAX_STEPS} steps")
    for step in steps:
        _check_step(step, seen)
    if flow.entry is not None:
        _check_condition(flow.entry, "entry", 0)


def _check_step(step: Step, seen: set[str]) -> None:
    if not re.match(_ID, step.id):
        raise FlowError("a step id is 1 to 40 of a-z, 0-9, _ and -")
    if step.id in seen:
        raise FlowError(f"two steps are called {step.id}")
    seen.add(step.id)
    if isinstance(step, Wait) and not 0 <= step.delay_s <= MAX_WAIT_S:
        raise FlowError(f"step {step.id}: delay_s must be 0 seconds to 90 days")
    if isinstance(step, Message):
        _check_message(step)
    if isinstance(step, Branch):
        _check_condition(step.when, f"step {step.id}", 0)


def _check_message(step: Message) -> None:
    if not step.channels or len(set(step.channels)) != len(step.channels):
        raise FlowError(f"step {step.id}: channels must name each channel once, and at least one")
    for channel in step.templates:
        if channel not in step.channels:
            raise FlowError(f"step {step.id}: templates names {channel.value}, which is not among its channels")
    for key in (step.template, *step.templates.values()):
        if not re.match(_ID, key):
            raise FlowError(f"step {step.id}: template must be a template key")


def _check_condition(condition: Condition, where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FlowError(f"{where}: conditions may be nested {MAX_DEPTH} deep at most")
    if isinstance(condition, AllOf | AnyOf):
        if not 1 <= len(condition.of) <= 20:
            raise FlowError(f"{where}: a group of conditions needs 1 to 20 members")
        for member in condition.of:
            _check_condition(member, where, depth + 1)
    elif isinstance(condition, Not):
        _check_condition(condition.of, where, depth + 1)
    else:
        _check_test(condition, where)


def _check_test(test: Test, where: str) -> None:
    if test.op == "missing":
        if test.value is not None:
            raise FlowError(f"{where}: 'missing' takes no value")
    elif test.value is None:
        raise FlowError(f"{where}: {test.field} {test.op} needs a value")
    is_number = isinstance(test.value, int | float) and not isinstance(test.value, bool)
    if test.op in ("lt", "le", "gt", "ge") and not is_number:
        raise FlowError(f"{where}: {test.op} needs a number")
    if test.op == "in" and not isinstance(test.value, list):
        raise FlowError(f"{where}: 'in' needs a list")


def _depth(steps: tuple[Step, ...]) -> int:
    branches = [step for step in steps if isinstance(step, Branch)]
    return max((1 + max(_depth(step.then), _depth(step.otherwise)) for step in branches), default=0)
