"""How does a text message read, how many segments does it take, and is it fit to leave?

Plain text in the merge language. Typographic characters that would double the price (one curly quote turns 160
characters into 70) become their plain forms; everything else stays as it is written. Sources: 3GPP TS 23.038 (the
alphabet of GSM-7 and its extension), 23.040 (concatenated messages: 153 and 67 units each).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from rekindle.render.lint import Finding
from rekindle.render.merge import Compiled, TemplateError, compile_template, render
from rekindle.render.plain import Facts, Plain

#: More is refused: the second segment is already twice the price.
MAX_SEGMENTS: Final = 2
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: These take an escape and count twice; the pair is never split between two segments.
_EXTENDED = frozenset("\f^{}\\[~]|€")
_PLAIN_FORMS: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f\t", " "),
        "…": "...",
        "•": "-",
        "™": "(TM)",
        "\u200b": "",
        "\ufeff": "",
        "\u00ad": "",
    }
)
_SPACES = re.compile(r"[ ]{2,}")
_STOP = re.compile(r"\bSTOP\b")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Segments:
    """``units`` are septets of GSM-7 or 16-bit units of UCS-2; ``count`` messages are paid for."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class CompiledSms:
    """A template version, ready to render; keep it, keyed by version id."""

    text: Compiled


def compile_sms(text: str) -> CompiledSms:
    """Raises TemplateError naming the line that is wrong.

    >>> render_sms(compile_sms("Hi {{ name }}, “see”"), Facts({"name": "Ada"}))
    'Hi Ada, "see"'
    """
    return CompiledSms(compile_template(text, kind="text"))


def render_sms(compiled: CompiledSms, facts: Facts) -> str:
    """The text as it is sent. Raises TemplateError for a missing value or an empty text."""
    text = _CONTROL.sub(" ", render(compiled.text, facts).translate(_PLAIN_FORMS))
    text = "\n".join(_SPACES.sub(" ", line).strip() for line in text.strip().split("\n"))
    if not text:
        raise TemplateError(1, "the text is empty")
    return text


def segments(text: str) -> Segments:
    """How a text is encoded and what it costs.

    >>> segments("a" * 160), segments("a" * 161).count, segments("€" * 80).count
    (Segments(encoding='GSM-7', units=160, count=1), 2, 1)
    >>> segments("ж" * 71)
    Segments(encoding='UCS-2', units=71, count=2)
    """
    if all(character in _BASIC or character in _EXTENDED for character in text):
        sizes, single, part = [2 if character in _EXTENDED else 1 for character in text], 160, 153
        encoding: Literal["GSM-7", "UCS-2"] = "GSM-7"
    else:
        sizes, single, part, encoding = [2 if ord(character) > 0xFFFF else 1 for character in text], 70, 67, "UCS-2"
    units = sum(sizes)
    return Segments(encoding, units, 1 if units <= single else _parts(sizes, part))


def lint_sms(text: str, facts: Facts) -> tuple[Finding, ...]:
    """What would stop this message: no sender, no way back, no way out, too long.

    ``STOP`` in capital letters, or the unsubscribe link where answers cannot be received, is the way out (CTIA
    Messaging Principles 5.2.1; ePrivacy Directive art. 13(2)).
    """
    shop, links = _group(facts.values["shop"]), _group(facts.values["links"])
    found: list[tuple[str, str]] = []
    if not str(shop["name"]) or _as_sent(str(shop["name"])) not in text:
        found.append(("sender_missing", "the shop's name is missing"))
    if str(links["recover"]) not in text:
        found.append(("recover_missing", "the link back to the cart is missing"))
    if not _STOP.search(text) and str(links["unsubscribe"]) not in text:
        found.append(("unsubscribe_missing", "how to stop is missing: STOP, or the unsubscribe link"))
    if "{{" in text or "{%" in text:
        found.append(("leftover_tag", "a merge tag was left over"))
    size = segments(text)
    if size.count > MAX_SEGMENTS:
        found.append(("too_long", f"the text takes {size.count} segments of {size.encoding}, at most {MAX_SEGMENTS}"))
    return tuple(Finding("error", code, words) for code, words in found)


def _as_sent(name: str) -> str:
    return _SPACES.sub(" ", name.translate(_PLAIN_FORMS)).strip()


def _parts(sizes: list[int], limit: int) -> int:
    count, used = 1, 0
    for size in sizes:
        if used + size > limit:
            count, used = count + 1, 0
        used += size
    return count


def _group(value: Plain) -> dict[str, Plain]:
    if not isinstance(value, dict):
        raise TypeError("these facts have no links and no shop")
    return value
