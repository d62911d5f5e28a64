"""Which HTML does this MJML mean? Asked when a template is saved, never when a letter is sent.

The compiler passes unknown ``mj-`` tags without a word and silently skips inline styles, so tags are checked against
a list first and ``<mj-style inline="inline">`` is applied here. Nothing is loaded: no includes, no fonts, no style
sheets, no icons from other people's hosts.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

import css_inline
import mjml

from rekindle.render.merge_guard import Hidden, hide
from rekindle.render.merge_syntax import TemplateError

TAGS: Final = frozenset(
    {
        "mjml",
        "mj-head",
        "mj-body",
        "mj-title",
        "mj-preview",
        "mj-style",
        "mj-attributes",
        "mj-all",
        "mj-class",
        "mj-breakpoint",
        "mj-section",
        "mj-column",
        "mj-group",
        "mj-wrapper",
        "mj-hero",
        "mj-text",
        "mj-button",
        "mj-image",
        "mj-divider",
        "mj-spacer",
        "mj-table",
        "mj-raw",
        "mj-social",
        "mj-social-element",
        "mj-navbar",
        "mj-navbar-link",
        "mj-accordion",
        "mj-accordion-element",
        "mj-accordion-title",
        "mj-accordion-text",
        "mj-carousel",
        "mj-carousel-image",
    }
)
_REFUSED: Final = {
    "mj-include": "files are never read: put the part itself here",
    "mj-font": "fonts are not loaded from other hosts: name installed fonts in font-family",
}
_INDENT = re.compile(r"\n[ \t\n]+")
#: Tags that no mail client runs and every spam filter counts.
_UNSAFE: Final = frozenset(
    {
        "script",
        "iframe",
        "object",
        "embed",
        "applet",
        "form",
        "input",
        "button",
        "textarea",
        "select",
        "base",
        "meta",
        "link",
        "frame",
        "frameset",
    }
)
#: The two that tell a mail client that the letter has colours for the dark.
_META: Final = frozenset({"color-scheme", "supported-color-schemes"})
_LINKS: Final = frozenset({"href", "src", "background", "background-url", "action"})
_UNSAFE_LINK = re.compile(r"\s*(javascript|data|vbscript|file)\s*:", re.IGNORECASE)
_INLINE_STYLE = re.compile(
    r"<mj-style\b[^>]*\binline\s*=\s*[\"']?inline\b[^>]*>(.*?)</mj-style\s*>", re.DOTALL | re.IGNORECASE
)
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)


def compile_mjml(source: str) -> str:
    """Compile one letter to HTML that still has its merge tags. Raises TemplateError with the line.

    >>> html = compile_mjml("<mjml><mj-body><mj-section><mj-column><mj-text>{{ a }}</mj-text></mj-column></mj-section>"
    ...     "</mj-body></mjml>")
    >>> "{{ a }}" in html
    True
    >>> compile_mjml("<mjml><mj-body>\\n<mj-txt>a</mj-txt></mj-body></mjml>")
    Traceback (most recent call last):
    rekindle.render.merge_syntax.TemplateError: line 2: <mj-txt> is not an MJML tag
    """
    hidden = hide(source)
    check = _Check()
    check.feed(hidden.text)
    check.finish()
    inline = "\n".join(_INLINE_STYLE.findall(hidden.text))
    try:
        html = mjml.mjml2html(_INLINE_STYLE.sub("", hidden.text), fonts={})
    except ValueError as fault:
        raise TemplateError(_line_of(hidden.text, str(fault)), f"not valid MJML: {_reason(str(fault))}") from None
    if inline.strip():
        html = _inlined(html, inline, hidden)
    if (lost := hidden.lost(html)) is not None:
        raise TemplateError(lost.line, f"{lost.raw[:40]!r} would be lost: no MJML attribute or part of this name")
    return hidden.show(html if "<pre" in html else _INDENT.sub("\n", html))


def _inlined(html: str, css: str, hidden: Hidden) -> str:
    """Apply the author's inline styles. Words between table rows travel as comments, else HTML rules move them out."""
    word = re.compile(rf"(<[^<>]*>)|({hidden.stem}\d+x)")
    guarded = word.sub(lambda found: found[1] or f"<!--{found[2]}-->", html)
    # HTML rules put the first row into a <tbody> of its own, behind the tag that begins the loop: begin it before
    rows = re.compile(rf"(<table\b[^>]*>\s*)((?:<!--{hidden.stem}\d+x-->\s*)+)(?=<tr\b)")
    guarded = rows.sub(r"\1<tbody>\2", guarded)
    inliner = css_inline.CSSInliner(
        inline_style_tags=False, keep_style_tags=True, load_remote_stylesheets=False, extra_css=hidden.show(css)
    )
    try:
        return re.sub(rf"<!--({hidden.stem}\d+x)-->", r"\1", inliner.inline(guarded))
    except (css_inline.InlineError, ValueError):
        raise TemplateError(1, "the inline styles are not valid CSS") from None


def _reason(message: str) -> str:
    if "unexpected token" in message:
        return "text or a merge tag cannot stand here; use mj-raw"
    return re.split(r" in root template| at position", message, maxsplit=1)[0][:120]


def _line_of(text: str, message: str) -> int:
    """The compiler tells a byte range ``at position 16:26``."""
    found = re.search(r"position \d+:(\d+)", message)
    return text.encode()[: int(found[1])].count(b"\n") + 1 if found else text.count("\n") + 1


class _Check(HTMLParser):
    """Walks the tags of a source, refuses what is unknown or unsafe and finds the one that is not closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)
        if tag not in _VOID:
            self.open.append((tag, self.getpos()[0]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        line = self.getpos()[0]
        if not self.open:
            raise TemplateError(line, f"</{tag}> without its beginning")
        name, began = self.open.pop()
        if name != tag:
            raise TemplateError(began, f"<{name}> is not closed before </{tag}> on line {line}")

    def finish(self) -> None:
        self.close()
        if self.open:
            name, began = self.open[-1]
            raise TemplateError(began, f"<{name}> is not closed")

    def _look(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line = self.getpos()[0]
        if tag in _REFUSED:
            raise TemplateError(line, f"<{tag}>: {_REFUSED[tag]}")
        if (tag == "mjml" or tag.startswith("mj-")) and tag not in TAGS:
            raise TemplateError(line, f"<{tag}> is not an MJML tag")
        if tag in _UNSAFE and not (tag == "meta" and dict(attrs).get("name") in _META):
            raise TemplateError(line, f"<{tag}> is not possible in an e-mail")
        if tag == "mj-social-element" and not dict(attrs).get("src"):
            raise TemplateError(line, "<mj-social-element> needs src: icons come from your own host")
        for name, value in attrs:
            if name.startswith("on"):
                raise TemplateError(line, f"{name}= is not possible in an e-mail")
            if name in _LINKS and _UNSAFE_LINK.match("".join((value or "").split())):
                raise TemplateError(line, f"{name}= must be an http or https address")
