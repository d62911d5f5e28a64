"""What does a shop send that has not written anything itself? The default letters, each in eight languages: three about
a cart, one about a visit that only looked.

One layout (`letter.mjml`, `letter.txt`) whose ``[[words]]`` come from `texts` and `visit_texts`; a language is one
entry in each. What stands between ``[[cart only]]`` and ``[[end]]`` is left out for visits. The letters promise no
discount and no urgency, and read well without pictures and in dark mode.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from rekindle.render.defaults.push_texts import PUSH_TEXTS
from rekindle.render.defaults.texts import TEXTS, StepTexts, Texts
from rekindle.render.defaults.visit_texts import VISIT_TEXTS, VisitTexts
from rekindle.render.email import EmailTemplate
from rekindle.render.locales import language_of
from rekindle.render.mjml import compile_mjml
from rekindle.render.push import PushTemplate

STEPS = (1, 2, 3)
_WORD = re.compile(r"\[\[(\w+)\]\]")
_CART_ONLY = re.compile(r"\[\[cart only\]\](.*?)\[\[end\]\]", re.DOTALL)


def default_email(step: int, locale: str) -> EmailTemplate:
    """The letter of a step (later steps use the last) in the language that fits the locale, HTML compiled.

    >>> default_email(1, "de-AT").subject
    'Dein Warenkorb bei {{ shop.name }}'
    """
    return _email(min(max(step, STEPS[0]), STEPS[-1]), language_of(locale))


def default_mjml(step: int, locale: str) -> str:
    """The same letter as MJML: what the editor opens when a shop begins to write its own."""
    return _layout("letter.mjml", min(max(step, STEPS[0]), STEPS[-1]), language_of(locale))


def default_visit_email(locale: str) -> EmailTemplate:
    """The letter about a visit in the language that fits the locale, HTML compiled.

    >>> default_visit_email("nl").subject
    'Nog eens kijken naar {{ cart.items[0].title|truncate(60) }}?'
    """
    return _visit_email(language_of(locale))


def default_visit_mjml(locale: str) -> str:
    """The same letter as MJML."""
    return _visit_layout("letter.mjml", language_of(locale))


def default_push(locale: str) -> PushTemplate:
    """The message in a browser or an app, in the language that fits the locale.

    >>> default_push("de-AT").button
    'Zum Warenkorb'
    """
    return PUSH_TEXTS[language_of(locale)]


@lru_cache(maxsize=32)
def _email(step: int, language: str) -> EmailTemplate:
    words = TEXTS[language].steps[step - 1]
    return EmailTemplate(
        subject=words.subject,
        preheader=words.preheader,
        html=compile_mjml(_layout("letter.mjml", step, language)),
        text=_layout("letter.txt", step, language),
    )


@lru_cache(maxsize=16)
def _visit_email(language: str) -> EmailTemplate:
    words = VISIT_TEXTS[language]
    return EmailTemplate(
        subject=words.subject,
        preheader=words.preheader,
        html=compile_mjml(_visit_layout("letter.mjml", language)),
        text=_visit_layout("letter.txt", language),
    )


@lru_cache(maxsize=64)
def _layout(name: str, step: int, language: str) -> str:
    texts = TEXTS[language]
    return _filled(_CART_ONLY.sub(r"\1", _source(name)), language, texts.steps[step - 1], texts)


@lru_cache(maxsize=16)
def _visit_layout(name: str, language: str) -> str:
    return _filled(_CART_ONLY.sub("", _source(name)), language, VISIT_TEXTS[language], TEXTS[language])


def _source(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _filled(source: str, language: str, words: StepTexts | VisitTexts, texts: Texts) -> str:
    """The layout with its words: those of the letter first, then those of all letters of the language."""

    def word(found: re.Match[str]) -> str:
        key = found[1]
        if key == "language":
            return language
        return str(getattr(words, key) if hasattr(words, key) else getattr(texts, key))

    return _WORD.sub(word, source)
