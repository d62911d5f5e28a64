"""Which text did somebody agree to? Versions are kept as they were shown; an event names one, or brings its text."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NamedTuple

from rekindle.engine.context import Context
from rekindle.store import wordings as store
from rekindle.store.database import Connection
from rekindle.terms.consent import ConsentMarks, Purpose, Wording
from rekindle.terms.event import ConsentGiven
from rekindle.terms.shop import ShopSettings

MAX_TEXT: Final = 4_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?")


class WordingRefusedError(ValueError):
    """A wording cannot be kept like this; the text says why."""


class Shown(NamedTuple):
    """What is written down of the text that was agreed to. ``text`` empty: it cannot be proven which one."""

    text: str
    facts: dict[str, object]
    marks: ConsentMarks


def keep_wording(connection: Connection, context: Context, shop: ShopSettings, wording: Wording, *, by: str) -> Wording:
    """Add a version of a text. What was kept before is never changed: another text needs another version.

    Raises WordingRefusedError.
    """
    problem = _problem(wording)
    if problem:
        raise WordingRefusedError(problem)
    clean = wording._replace(text=wording.text.strip())
    if not store.add_wording(connection, shop.id, clean, now=context.clock.now(), by=by):
        raise WordingRefusedError(
            f"version: {wording.version} of {wording.purpose} in {wording.language} is kept already, and stays as it is"
        )
    return clean


def shown_to(connection: Connection, shop: ShopSettings, said: ConsentGiven, at: datetime) -> Shown:
    """The text of a consent, with what is known of it. A kept text knows best whether it names carts."""
    if said.wording:
        kept = store.wording_of_text(connection, shop.id, purpose=said.channel, text=said.wording.strip(), at=at)
    elif said.version:
        kept = store.wording_named(
            connection, shop.id, purpose=said.channel, version=said.version, language=said.language, at=at
        )
    else:
        kept = None
    if kept is None:
        facts: dict[str, object] = {
            "version": said.version,
            "language": said.language,
            "is_kept": False if said.version else None,
        }
        return Shown(
            said.wording, {name: value for name, value in facts.items() if value not in ("", None)}, said.marks
        )
    known: dict[str, object] = {"version": kept.version, "language": kept.language, "is_kept": True}
    return Shown(kept.text, known, said.marks._replace(mentions_cart=kept.mentions_cart))


def _problem(wording: Wording) -> str:
    if wording.purpose not in tuple(Purpose):
        return "purpose: must be one of " + ", ".join(Purpose)
    if not _NAME.fullmatch(wording.version):
        return "version: 1 to 40 letters, digits, dots, hyphens and underscores, such as 2026-11"
    if not _LANGUAGE.fullmatch(wording.language):
        return "language: must be a code such as de or pt-BR"
    if not 1 <= len(wording.text.strip()) <= MAX_TEXT:
        return f"text: 1 to {MAX_TEXT} characters, as the shopper reads it"
    return ""
