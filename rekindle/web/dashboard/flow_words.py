"""How does a flow read to a person? Definitions turned into sentences and a tree that a template can draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rekindle.render.money_format import money
from rekindle.store.dashboard.flows import StepOrders, StepSends, TemplateLine
from rekindle.store.dashboard.overview import ReasonCount
from rekindle.terms.cart import Stage
from rekindle.terms.flow import (
    AllOf,
    AnyOf,
    Branch,
    Condition,
    Exit,
    Field,
    Flow,
    Message,
    Not,
    Step,
    Test,
    Wait,
)
from rekindle.terms.shop import ShopSettings
from rekindle.web.templatetags.dashboard import duration

_FIELDS: Final = {
    Field.TOTAL_CENTS: "the cart's value",
    Field.ITEM_COUNT: "the number of items",
    Field.CURRENCY: "the currency",
    Field.STAGE: "the stage",
    Field.COUNTRY: "the country",
    Field.LOCALE: "the language",
    Field.DEVICE: "the device",
    Field.RETURNING: "a returning shopper",
    Field.ORDER_COUNT: "the number of earlier orders",
    Field.PRODUCT_KEYS: "the products",
    Field.CLICKED: "a click in this flow",
}
_OPERATORS: Final = {
    "eq": "is",
    "ne": "is not",
    "lt": "is below",
    "le": "is at most",
    "gt": "is above",
    "ge": "is at least",
    "in": "is one of",
    "contains": "include",
}
_KINDS: Final = {
    Stage.BROWSE: "browse visit",
    Stage.CART: "cart",
    Stage.CHECKOUT: "checkout",
    Stage.PAYMENT: "payment",
}

_CHANNELS: Final = {"sms": "SMS"}
_MESSAGES: Final = {"email": "e-mail", "sms": "text message", "push": "push message"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepNumbers:
    """What the steps of a flow brought in a period, by step id; ``waiting`` is as it is now."""

    sends: Mapping[str, StepSends] = field(default_factory=dict)
    skips: Mapping[str, Sequence[ReasonCount]] = field(default_factory=dict)
    orders: Mapping[str, StepOrders] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """How the message of a step looks on a channel: ``what`` it is called there, and the version that is shown."""

    what: str
    channel: str
    version_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step as the page draws it. ``kind``: wait, message, branch or exit; branches carry both sides."""

    kind: str
    id: str
    title: str
    detail: str = ""
    pictures: Sequence[Picture] = ()
    sends: StepSends | None = None
    skips: Sequence[ReasonCount] = ()
    orders: StepOrders | None = None
    waiting: int = 0
    number: int = 0
    then: Sequence[Node] = ()
    otherwise: Sequence[Node] = ()


def draw(flow: Flow, *, shop: ShopSettings, templates: Mapping[str, TemplateLine], numbers: StepNumbers) -> list[Node]:
    """The steps of a flow from top to bottom."""
    order = {step.id: n for n, step in enumerate((s for s, _ in flow.walk() if isinstance(s, Message)), start=1)}
    return [_node(step, shop, templates, numbers, order) for step in flow.steps]


def trigger_words(flow: Flow, shop: ShopSettings) -> str:
    """When a cart enters, in one sentence.

    >>> from rekindle.terms.flow import Trigger
    >>> shop = ShopSettings(id=1, slug="s", name="S")
    >>> trigger_words(Flow(trigger=Trigger(kinds=(Stage.CART, Stage.CHECKOUT, Stage.PAYMENT)), steps=()), shop)
    'When a cart is left alone for 30 min, a checkout or payment for 15 min'
    """
    by_idle: dict[int, list[str]] = {}
    for kind in flow.trigger.kinds:
        idle_s = flow.trigger.idle_s if flow.trigger.idle_s is not None else shop.idle_s(kind)
        by_idle.setdefault(idle_s, []).append(_KINDS[kind])
    (first_s, first), *others = by_idle.items()
    rest = "".join(f", a {' or '.join(kinds)} for {duration(idle_s)}" for idle_s, kinds in others)
    return f"When a {' or '.join(first)} is left alone for {duration(first_s)}{rest}"


def condition_words(condition: Condition, shop: ShopSettings) -> str:
    """A condition as a sentence part.

    >>> shop = ShopSettings(id=1, slug="s", name="S")
    >>> condition_words(Test(field=Field.TOTAL_CENTS, op="ge", value=5000), shop)
    "the cart's value is at least €50.00"
    """
    if isinstance(condition, AllOf):
        return " and ".join(_grouped(member, shop) for member in condition.of)
    if isinstance(condition, AnyOf):
        return " or ".join(_grouped(member, shop) for member in condition.of)
    if isinstance(condition, Not):
        return f"not ({condition_words(condition.of, shop)})"
    return _test_words(condition, shop)


def channel_words(step: Message) -> str:
    """On which channels a message goes out, in the order in which they are tried.

    >>> from rekindle.terms.send import Channel
    >>> both = (Channel.EMAIL, Channel.SMS)
    >>> channel_words(Message(id="m", template="t", channels=both))
    'email; where that is not possible or fails by SMS'
    >>> channel_words(Message(id="m", template="t", channels=both, choose="response"))
    'email or SMS, whichever the shopper asked for or answers more; by the next where that fails'
    """
    names = [_CHANNELS.get(channel.value, channel.value) for channel in step.channels]
    if len(names) == 1:
        return names[0]
    if step.choose == "response":
        chosen = f"{', '.join(names[:-1])} or {names[-1]}"
        return f"{chosen}, whichever the shopper asked for or answers more; by the next where that fails"
    return f"{names[0]}; where that is not possible or fails by {', then '.join(names[1:])}"


def _wait_words(step: Wait) -> str:
    if not step.delay_s:
        return "Go on at once"
    if step.since == "abandonment":
        return f"Wait until {duration(step.delay_s)} after the cart was left"
    return f"Wait {duration(step.delay_s)}"


def _grouped(condition: Condition, shop: ShopSettings) -> str:
    text = condition_words(condition, shop)
    return f"({text})" if isinstance(condition, AllOf | AnyOf) else text


def _test_words(test: Test, shop: ShopSettings) -> str:
    name = _FIELDS[test.field]
    if test.op == "missing":
        return f"{name} is not known"
    if test.field in {Field.RETURNING, Field.CLICKED} and isinstance(test.value, bool) and test.op in {"eq", "ne"}:
        wanted = test.value == (test.op == "eq")
        return f"there is {'' if wanted else 'not '}{name}"
    return f"{name} {_OPERATORS[test.op]} {_value_words(test, shop)}"


def _value_words(test: Test, shop: ShopSettings) -> str:
    value = test.value
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    if test.field is Field.TOTAL_CENTS and isinstance(value, int | float):
        return money(int(value), shop.currency, shop.locale)
    return str(value)


def _pictures(step: Message, templates: Mapping[str, TemplateLine]) -> list[Picture]:
    found = [(channel.value, templates.get(step.template_of(channel))) for channel in step.channels]
    return [
        Picture(what=_MESSAGES[channel], channel=channel, version_id=template.version_id)
        for channel, template in found
        if template is not None and template.channel == channel
    ]


def _node(
    step: Step,
    shop: ShopSettings,
    templates: Mapping[str, TemplateLine],
    numbers: StepNumbers,
    order: Mapping[str, int],
) -> Node:
    waiting = numbers.waiting.get(step.id, 0)
    if isinstance(step, Wait):
        return Node(kind="wait", id=step.id, title=_wait_words(step), waiting=waiting)
    if isinstance(step, Message):
        template = templates.get(step.template_of(step.channels[0]))
        return Node(
            kind="message",
            id=step.id,
            title=(template.subject or template.name) if template else step.template,
            detail=f"by {channel_words(step)}, if the shopper may get it at that moment",
            pictures=_pictures(step, templates),
            sends=numbers.sends.get(step.id),
            skips=numbers.skips.get(step.id, ()),
            orders=numbers.orders.get(step.id),
            waiting=waiting,
            number=order[step.id],
        )
    if isinstance(step, Branch):
        return Node(
            kind="branch",
            id=step.id,
            title=f"If {condition_words(step.when, shop)}",
            waiting=waiting,
            then=[_node(each, shop, templates, numbers, order) for each in step.then],
            otherwise=[_node(each, shop, templates, numbers, order) for each in step.otherwise],
        )
    assert isinstance(step, Exit)
    return Node(kind="exit", id=step.id, title="Leave the flow", waiting=waiting)
