"""How do merge tags survive a compiler that does not know them?

MJML, the CSS inliner and the HTML parser each spoil ``{% if a < b %}`` in their own way. `hide` puts a harmless word
in the place of every tag, `show` puts the tags back. Line numbers stay the same: a word carries the tag's line breaks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rekindle.render.merge_syntax import Piece, pieces


@dataclass(frozen=True, slots=True)
class Hidden:
    """A source whose merge tags are words; ``tags[n]`` is what the word ``{stem}{n}x`` stands for."""

    text: str
    stem: str
    tags: tuple[Piece, ...]

    def word(self, index: int) -> str:
        """The word that stands for one tag."""
        return f"{self.stem}{index}x"

    def show(self, text: str) -> str:
        """Put the tags back into what a compiler made of ``text``."""
        return re.sub(rf"{self.stem}(\d+)x\n*", self._tag, text)

    def _tag(self, found: re.Match[str]) -> str:
        raw = self.tags[int(found[1])].raw
        breaks = found[0].count("\n") - raw.count("\n")
        return raw + "\n" * max(breaks, 0)

    def lost(self, text: str) -> Piece | None:
        """The first tag that a compiler dropped, comments aside."""
        there = set(map(int, re.findall(rf"{self.stem}(\d+)x", text)))
        return next((tag for n, tag in enumerate(self.tags) if n not in there and tag.kind != "comment"), None)


def hide(source: str) -> Hidden:
    """Replace every merge tag by a word. Raises TemplateError for a tag that is not closed.

    >>> hidden = hide("<b>{{ a }}</b>")
    >>> hidden.text, hidden.show(hidden.text.upper().replace("MERGETAG0X", "mergetag0x"))
    ('<b>mergetag0x</b>', '<B>{{ a }}</B>')
    """
    stem = "mergetag"
    while stem in source:
        stem += "q"
    out: list[str] = []
    tags: list[Piece] = []
    for piece in pieces(source):
        if piece.kind == "text":
            out.append(piece.body)
        else:
            out.append(f"{stem}{len(tags)}x" + "\n" * piece.raw.count("\n"))
            tags.append(piece)
    return Hidden("".join(out), stem, tuple(tags))
