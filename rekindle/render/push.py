"""How do a template and the facts become a message on a screen: title, text and buttons?

Its pieces are short texts in the merge language, kept together as one JSON object: what a shop wrote is what is stored.
Pictures and links are not written by hand: the first product's picture, the shop's logo, the way back to the cart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from rekindle.render.merge import Compiled, TemplateError, compile_template, render
from rekindle.render.plain import Facts, Plain

#: What a lock screen shows is less than that; longer texts are cut.
MAX_TITLE: Final = 120
MAX_BODY: Final = 300
MAX_BUTTON: Final = 40


class PushTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sources in the merge language. ``button`` leads to the cart, ``stop`` to the way out; empty: left out."""

    title: str
    body: str
    button: str = ""
    stop: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPush:
    """The parts of a template version, ready to render; keep it, keyed by version id."""

    title: Compiled
    body: Compiled
    button: Compiled
    stop: Compiled


@dataclass(frozen=True, slots=True)
class RenderedPush:
    """One message. ``icon`` and ``image`` are https addresses or empty."""

    title: str
    body: str
    button: str
    stop: str
    icon: str
    image: str


class PushTemplateError(TemplateError):
    """A TemplateError that knows its ``part``: title, body, button or stop."""

    def __init__(self, part: str, line: int, text: str) -> None:
        super().__init__(line, text)
        self.part = part
        self.args = (f"{part}, line {line}: {text}",)


def read_push_template(source: str) -> PushTemplate:
    """A template as it is stored. Raises TemplateError.

    >>> read_push_template('{"title": "Hi", "body": "Still there"}').title
    'Hi'
    """
    try:
        return msgspec.json.decode(source, type=PushTemplate)
    except msgspec.MsgspecError as fault:
        raise TemplateError(1, f"this is no push template: {fault}") from None


def compile_push(template: PushTemplate) -> CompiledPush:
    """Understand all parts. Raises PushTemplateError naming the first that is wrong."""
    return CompiledPush(
        title=_compiled("title", template.title),
        body=_compiled("body", template.body),
        button=_compiled("button", template.button),
        stop=_compiled("stop", template.stop),
    )


def render_push(compiled: CompiledPush, facts: Facts) -> RenderedPush:
    """Fill one message. Raises PushTemplateError for a missing value, or an empty title or text.

    >>> from rekindle.render.sample import sample_facts
    >>> made = compile_push(PushTemplate(title="{{ shop.name }}", body="{{ cart.items[0].title|truncate(12) }}"))
    >>> render_push(made, sample_facts()).title
    'Nordlicht Outdoor'
    """
    title, body = (
        _rendered("title", compiled.title, facts, MAX_TITLE),
        _rendered("body", compiled.body, facts, MAX_BODY),
    )
    for part, text in (("title", title), ("body", body)):
        if not text:
            raise PushTemplateError(part, 1, "is empty")
    return RenderedPush(
        title=title,
        body=body,
        button=_rendered("button", compiled.button, facts, MAX_BUTTON),
        stop=_rendered("stop", compiled.stop, facts, MAX_BUTTON),
        icon=_picture(facts.values.get("shop"), "logo_url"),
        image=_picture(_first_item(facts), "image_url"),
    )


def _compiled(part: str, source: str) -> Compiled:
    try:
        return compile_template(source, kind="text")
    except TemplateError as fault:
        raise PushTemplateError(part, fault.line, fault.text) from None


def _rendered(part: str, compiled: Compiled, facts: Facts, longest: int) -> str:
    try:
        text = " ".join(render(compiled, facts).split())
    except TemplateError as fault:
        raise PushTemplateError(part, fault.line, fault.text) from None
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _first_item(facts: Facts) -> Plain:
    cart = facts.values.get("cart")
    items = cart.get("items") if isinstance(cart, dict) else None
    return items[0] if isinstance(items, list) and items else None


def _picture(group: Plain, name: str) -> str:
    """Browsers load pictures over https only; a very long address would leave no room for the words."""
    value = group.get(name) if isinstance(group, dict) else None
    return value if isinstance(value, str) and value.startswith("https://") and len(value) <= 1_000 else ""
