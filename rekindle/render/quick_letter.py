"""Which letters can be written without the template engine, and how? Nearly all of them, at a fifth of the cost.

The parts of a template become `merge_program`s; the HTML is encoded for the wire while it is written
(`quoted_printable`) and the content lint follows from what the programs say they printed. Whatever is out of the
ordinary gives None, and `email.render_email`, `lint.lint_before_send` and `mime.build_message` write the letter, or say
why not. Both ways write the same letter: tests compare them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from rekindle.render.merge import MAX_OUTPUT_BYTES, Compiled, print_html, print_text
from rekindle.render.merge_program import Filled, Program, Run, Said, program
from rekindle.render.plain import Facts
from rekindle.render.quoted_printable import SOFT, cell, fold

#: Longer subjects are cut, which is left to `email.render_email`.
_MAX_SUBJECT: Final = 200
#: Nothing to escape, nothing to encode, short enough, and not "From ": what `print_html` and `cell` leave alone.
_is_harmless = re.compile(r"[A-EG-Za-z0-9][A-Za-z0-9/:_,;?+#%()@!~*$. -]{0,74}").fullmatch
_IN_TEXT, _IN_HTML = int(Said.IN_TEXT), int(Said.IN_HTML)


@dataclass(frozen=True, slots=True, eq=False)
class QuickLetter:
    """The three parts of a template version; ``html`` as it travels by mail, ``bare_html`` for APIs that take text."""

    subject: Run
    text: Run
    html: Run
    bare_html: Run


#: subject, text, html
Parts: TypeAlias = tuple[str, str, str]


def quick_letter(subject: Compiled, text: Compiled, html: Compiled) -> QuickLetter | None:
    """The quick form of a template; None when one of its parts needs the engine."""
    made: list[Program] = [one for part in (subject, text, html) if (one := program(part.syntax)) is not None]
    if len(made) < 3:
        return None
    return QuickLetter(
        subject=made[0].with_style(str, _text_value),
        text=made[1].with_style(str, _text_value),
        html=made[2].with_style(fold, _mail_value),
        bare_html=made[2].with_style(str, _html_value),
    )


def write_for_mail(letter: QuickLetter, facts: Facts) -> Parts | None:
    """Subject, text, and the HTML as quoted-printable; None when the engine has to look."""
    return _written(letter, letter.html, facts.values)


def write_bare(letter: QuickLetter, facts: Facts) -> Parts | None:
    """Subject, text and HTML as they are; None when the engine has to look."""
    return _written(letter, letter.bare_html, facts.values)


def _written(letter: QuickLetter, html_run: Run, values: Mapping[str, object]) -> Parts | None:
    try:
        return _checked(letter.subject(values), letter.text(values), html_run(values))  # type: ignore[arg-type]
    except Exception:  # whatever it is: the engine finds it again and says where
        return None


def _checked(subject_run: Filled, text_run: Filled, html_run: Filled) -> Parts | None:
    """The finished parts, when they are fit to leave: what `lint.lint_before_send` would ask of them."""
    subject = " ".join("".join(subject_run[0]).split())
    text = "".join(text_run[0]).strip()
    html = "".join(html_run[0])
    complete = html_run[1] & _IN_HTML == _IN_HTML and text_run[1] & _IN_TEXT == _IN_TEXT
    if not complete or not 0 < len(subject) <= _MAX_SUBJECT or len(html) + 3 * len(text) > MAX_OUTPUT_BYTES:
        return None
    if "{{" in text or "{%" in text or "{{" in subject or "{%" in subject:
        return None
    while "\n\n\n" in text:  # where a condition printed nothing
        text = text.replace("\n\n\n", "\n\n")
    return subject, text + "\n", html.removesuffix(SOFT)


def _text_value(value: object) -> str:
    return value if type(value) is str else str(print_text(value))


def _html_value(value: object) -> str:
    return str(print_html(value))


def _mail_value(value: object) -> str:
    if type(value) is str:
        return value + SOFT if _is_harmless(value) else _mail_text(value)
    return cell(str(print_html(value)))


@lru_cache(maxsize=8192)  # amounts and titles come again, in one letter and in many; links are harmless
def _mail_text(value: str) -> str:
    return cell(str(print_html(value)))
