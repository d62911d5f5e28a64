"""How does a merchant's template become a letter, without the template being able to do harm?

`compile_template` once per template version (the caller keeps the result, keyed by version id), `render` per letter.
The language is a strict part of Jinja (`merge_syntax`), run by minijinja with fuel; only freshly built plain data
enters (`plain`), every printed value passes `print_html` or `print_text`. A missing value fails the render: nothing is
ever sent with a hole in it. Why this engine: docs/adr/0003-merge-language.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import minijinja

from rekindle.render.merge_filters import FILTERS, MergeValueError, MissingValueError, each
from rekindle.render.merge_syntax import Syntax, TemplateError, read
from rekindle.render.plain import Facts, Plain, plain_facts

__all__ = ["MAX_OUTPUT_BYTES", "Compiled", "Kind", "TemplateError", "compile_template", "render", "variables"]

Kind = Literal["html", "text"]

#: Largest result. Gmail clips a message at 102 KB; four times that is no letter any more.
MAX_OUTPUT_BYTES: Final = 256 * 1024
#: Steps of the engine per render; it also charges one step per 64 bytes written, so this bounds memory too
#: (about 1.3 MB). The default letter with 20 items needs about 2,600.
FUEL: Final = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A template that was understood; safe to keep and to use from several threads."""

    kind: Kind
    syntax: Syntax
    environment: minijinja.Environment


def compile_template(source: str, *, kind: Kind) -> Compiled:
    """Understand a template once. Raises TemplateError with the line.

    >>> render(compile_template("Hi {{ name }}!", kind="html"), {"name": "A<b"})
    'Hi A&lt;b!'
    """
    syntax = read(source)
    return Compiled(kind, syntax, _environment(kind, syntax.canonical))


def variables(compiled: Compiled) -> frozenset[str]:
    """Paths that the template reads; elements of lists are written ``[]``.

    >>> sorted(variables(compile_template("{% for i in cart.items %}{{ i.title }}{% endfor %}", kind="text")))
    ['cart.items', 'cart.items[].title']
    """
    return compiled.syntax.variables


def render(compiled: Compiled, facts: Facts | Mapping[str, Plain]) -> str:
    """Fill a template. Raises TemplateError for a missing value, a wrong kind of value or too much work.

    >>> render(compile_template("{{ a|default('none') }}", kind="text"), {})
    'none'
    >>> render(compile_template("Hello {{ a }}", kind="text"), {})
    Traceback (most recent call last):
    rekindle.render.merge_syntax.TemplateError: line 1: "a" has no value
    """
    ready = facts if isinstance(facts, Facts) else plain_facts(facts)
    try:
        out = compiled.environment.render_template("t", **ready.values)
    except (minijinja.TemplateError, MergeValueError) as fault:
        raise _explained(compiled, ready, fault) from None
    if len(out) > MAX_OUTPUT_BYTES // 4 and len(out.encode()) > MAX_OUTPUT_BYTES:  # UTF-8: at most 4 bytes each
        raise TemplateError(1, f"the result is larger than {MAX_OUTPUT_BYTES // 1024} KB")
    return out


def _environment(kind: Kind, canonical: str) -> minijinja.Environment:
    environment = minijinja.Environment(
        debug=False,  # debug errors print the values of variables, and those are personal data
        fuel=FUEL,
        undefined_behavior="chainable",  # a.b.c|default("x") works when a is missing; `finalizer` refuses to print it
        auto_escape_callback=lambda _name: False,  # `print_html` escapes: the engine would write &#x2f; for /
        finalizer=print_html if kind == "html" else print_text,
        filters={**FILTERS, "_each": each},
        keep_trailing_newline=True,
        pycompat=False,
    )
    for name in ("range", "dict", "namespace", "debug"):
        environment.remove_global(name)
    try:
        environment.add_template("t", canonical)
    except minijinja.TemplateError as fault:  # our grammar is narrower than the engine's: reaching this is a fault here
        raise TemplateError(fault.line or 1, "the template is not understood") from None
    return environment


def print_text(value: object) -> object:
    """A value as it is printed in text. Raises MergeValueError for what cannot be printed."""
    kind = type(value)
    if kind is str or kind is int:
        return value
    raise _unprintable(value)


def print_html(value: object) -> object:
    """The same for HTML."""
    if type(value) is str:
        # `in` before `replace`: most values have nothing to escape, and the look costs a third of the replacement
        if "&" in value:
            value = value.replace("&", "&amp;")
        if "<" in value:
            value = value.replace("<", "&lt;")
        if ">" in value:
            value = value.replace(">", "&gt;")
        if '"' in value:
            value = value.replace('"', "&quot;")
        return value.replace("'", "&#39;") if "'" in value else value
    if type(value) is int:
        return value
    raise _unprintable(value)


def _unprintable(value: object) -> MergeValueError:
    if value is None:
        return MissingValueError("has no value")
    if isinstance(value, bool):
        return MergeValueError("is true or false: use it in {% if %}")
    if isinstance(value, list | dict):
        return MergeValueError("is a list or a group: name one of its values")
    return MergeValueError("is not a text or a number")


def _explained(compiled: Compiled, facts: Facts, fault: Exception) -> TemplateError:
    """The fault with its line: rendered once more in the marked form, which notes where it is."""
    at = 0

    def mark(index: int) -> bool:
        nonlocal at
        at = index
        return True

    environment = _environment(compiled.kind, compiled.syntax.marked)
    environment.add_global("_mark", mark)
    environment.fuel = FUEL * 4  # the marks cost steps of their own
    try:
        environment.render_template("t", **facts.values)
    except (minijinja.TemplateError, MergeValueError) as again:
        fault = fault if _is_fuel(fault) else again
    line, written = compiled.syntax.tags[at]
    if _is_fuel(fault):
        return TemplateError(line, "the template needs too much work: fewer or smaller loops")
    if isinstance(fault, MergeValueError):
        return TemplateError(line, f'"{written}" {fault}')
    return TemplateError(line, f'"{written}" combines or compares values that do not fit')


def _is_fuel(fault: Exception) -> bool:
    return isinstance(fault, minijinja.TemplateError) and fault.kind == "OutOfFuel"
