"""How does this HTML letter read without HTML? For the text part when the author wrote none.

Runs on a rendered letter or on a template (merge tags pass through, `email.compile_email` uses that). Links stay, as
``text (https://...)``; pictures become their alt text; what is hidden stays hidden.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from rekindle.render.merge_guard import hide

_BLOCKS: Final = frozenset(
    {
        "address",
        "article",
        "blockquote",
        "div",
        "dl",
        "dd",
        "dt",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    }
)
_PARAGRAPHS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "table", "blockquote"})
_SILENT: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_HIDDEN = re.compile(r"display\s*:\s*none|max-height\s*:\s*0(px)?\s*(;|$)", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f\u200b\u200c\u034f\u00ad]+")


def html_to_text(html: str) -> str:
    r"""Readable text of an HTML letter, ending with one line break.

    >>> html_to_text('<h1>Hi {{ a }}</h1><p>See <a href="https://x.example/c">your cart</a>.<br>Bye</p>')
    'Hi {{ a }}\n\nSee your cart (https://x.example/c).\nBye\n'
    """
    hidden = hide(html)
    reader = _Reader()
    reader.feed(hidden.text)
    reader.close()
    lines = [line.strip() for line in "".join(reader.out).split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return hidden.show(text) + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.silent: list[str] = []
        self.link: tuple[str, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _VOID:
            self._void(tag, given)
            return
        if self.silent or tag in _SILENT or _HIDDEN.search(given.get("style") or "") or "hidden" in given:
            self.silent.append(tag)
            return
        if tag == "a":
            self.link = (given.get("href") or "", len(self.out))
        elif tag == "li":
            self._break(1)
            self.out.append("- ")
        elif tag in _BLOCKS:
            self._break(2 if tag in _PARAGRAPHS else 1)
        elif tag in {"td", "th"}:
            self._space()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._void(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if self.silent:
            if tag in self.silent:
                while self.silent.pop() != tag:
                    pass
            return
        if tag == "a" and self.link is not None:
            self._close_link()
        elif tag in _BLOCKS:
            self._break(2 if tag in _PARAGRAPHS else 1)

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
        text = _SPACES.sub(" ", data)
        if text.startswith(" ") and (not self.out or self.out[-1].endswith(("\n", " "))):
            text = text[1:]
        if text:
            self.out.append(text)

    def _void(self, tag: str, given: dict[str, str | None]) -> None:
        if self.silent:
            return
        if tag == "br":
            self.out.append("\n")
        elif tag == "hr":
            self._break(2)
            self.out.append("----")
            self._break(2)
        elif tag == "img" and (alt := _SPACES.sub(" ", given.get("alt") or "").strip()):
            self._space()
            self.out.append(alt)

    def _close_link(self) -> None:
        href, start = self.link or ("", 0)
        self.link = None
        text = "".join(self.out[start:])
        if not href or href.startswith("#") or not text.strip():
            return
        target = href.removeprefix("mailto:")
        if text.strip() != target:
            del self.out[start:]
            self.out.append(f"{text.rstrip()} ({target})")

    def _space(self) -> None:
        if self.out and not self.out[-1].endswith((" ", "\n")):
            self.out.append(" ")

    def _break(self, lines: int) -> None:
        if not self.out:
            return
        tail = "".join(self.out[-3:])
        there = len(tail) - len(tail.rstrip("\n"))
        if there < lines:
            self.out.append("\n" * (lines - there))
