"""What does a shop send that has not written anything itself? The default letter: three steps, eight languages.

One layout (`letter.mjml`, `letter.txt`) whose ``[[words]]`` come from `texts`; a language is one entry there. It
promises no discount and no urgency, and reads well without pictures and in dark mode.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from rekindle.render.defaults.texts import TEXTS, StepTexts, Texts
from rekindle.render.email import EmailTemplate
from rekindle.render.locales import language_of
from rekindle.render.mjml import compile_mjml

STEPS = (1, 2, 3)
_WORD = re.compile(r"\[\[(\w+)\]\]")


def default_email(step: int, locale: str) -> EmailTemplate:
    """The letter of a step (later steps use the last) in the language that fits the locale, HTML compiled.

    >>> default_email(1, "de-AT").subject
    'Dein Warenkorb bei {{ shop.name }}'
    """
    return _email(min(max(step, STEPS[0]), STEPS[-1]), language_of(locale))


def default_mjml(step: int, locale: str) -> str:
    """The same letter as MJML: what the editor opens when a shop begins to write its own."""
    return _layout("letter.mjml", min(max(step, STEPS[0]), STEPS[-1]), language_of(locale))


@lru_cache(maxsize=32)
def _email(step: int, language: str) -> EmailTemplate:
    words = TEXTS[language].steps[step - 1]
    return EmailTemplate(
        subject=words.subject,
        preheader=words.preheader,
        html=compile_mjml(_layout("letter.mjml", step, language)),
        text=_layout("letter.txt", step, language),
    )


@lru_cache(maxsize=64)
def _layout(name: str, step: int, language: str) -> str:
    texts: Texts = TEXTS[language]
    words: StepTexts = texts.steps[step - 1]
    source = (files(__package__) / name).read_text(encoding="utf-8")

    def word(found: re.Match[str]) -> str:
        key = found[1]
        if key == "language":
            return language
        return str(getattr(words, key) if hasattr(words, key) else getattr(texts, key))

    return _WORD.sub(word, source)
