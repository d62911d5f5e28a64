"""What may a merchant write in a template, and what does it mean?

`read` takes a template apart with our own grammar, refuses everything the grammar does not know (calls, methods,
assignments, macros, includes, multiplication) and puts it together again in one canonical, fully parenthesised form.
Only that form reaches the template engine, so a difference between two lexers cannot become a hole.
Used by `merge.compile_template`; it must never evaluate anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from rekindle.render.merge_expression import Expression, ExpressionError, Scope, parse_expression

MAX_SOURCE_CHARS = 512 * 1024
MAX_TAGS = 2_000
MAX_LOOP_DEPTH = 3

_OPEN = re.compile(r"\{\{|\{%|\{#")
#: The inside of a tag: anything but its end, where a quoted string may contain the end.
_INSIDE = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?!-?[%}]\}).)*""", re.DOTALL)
_FOR = re.compile(r"for\s+([A-Za-z_]\w*)\s+in\s+(.+)", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]+")


class TemplateError(ValueError):
    """A template is wrong or cannot be rendered: ``line`` (1-based) and a text without personal data."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}")
        self.line = line
        self.text = text


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a template. ``body`` of a tag is its inside without delimiters and dashes; of text, the text."""

    kind: Literal["text", "print", "block", "comment"]
    body: str
    raw: str
    line: int

    @property
    def trims_before(self) -> bool:
        """``{{-`` eats the white space before it."""
        return self.kind != "text" and self.raw[2:3] == "-"

    @property
    def trims_after(self) -> bool:
        """``-}}`` eats the white space behind it."""
        return self.kind != "text" and self.raw[-3:-2] == "-" and len(self.raw) > 5


@dataclass(frozen=True, slots=True)
class Syntax:
    """A template that was understood.

    ``canonical`` is for rendering. ``marked`` renders the same and calls ``_mark(n)`` before it evaluates the tag
    ``tags[n]`` = (line, what was written): it finds the place of a fault.
    """

    canonical: str
    marked: str
    tags: tuple[tuple[int, str], ...]
    variables: frozenset[str]


def pieces(source: str) -> Iterator[Piece]:
    """Split a template into text and tags. Raises TemplateError for a tag that is not closed.

    >>> [(p.kind, p.body) for p in pieces("Hi {{ name }}!")]
    [('text', 'Hi '), ('print', 'name'), ('text', '!')]
    """
    at, line = 0, 1
    while found := _OPEN.search(source, at):
        if found.start() > at:
            text = source[at : found.start()]
            yield Piece("text", text, text, line)
            line += text.count("\n")
        piece, at = _tag(source, found.start(), line)
        yield piece
        line += piece.raw.count("\n")
    if at < len(source):
        yield Piece("text", source[at:], source[at:], line)


def _tag(source: str, start: int, line: int) -> tuple[Piece, int]:
    opening = source[start : start + 2]
    if opening == "{#":
        end = source.find("#}", start + 2)
        if end < 0:
            raise TemplateError(line, "a comment {# is not closed with #}")
        return Piece("comment", "", source[start : end + 2], line), end + 2
    inside = _INSIDE.match(source, start + 2)
    end = inside.end() if inside else start + 2
    closing = source[end : end + 3].removeprefix("-")[:2]
    if closing != ("}}" if opening == "{{" else "%}"):
        raise TemplateError(line, f"a tag {opening} is not closed with {'}}' if opening == '{{' else '%}'}")
    stop = end + (3 if source[end] == "-" else 2)
    body = source[start + 2 : end]
    kind: Literal["print", "block"] = "print" if opening == "{{" else "block"
    return Piece(kind, body.removeprefix("-").strip(), source[start:stop], line), stop


@dataclass
class _Reader:
    """Walks the pieces once, checks that blocks fit together and writes both forms."""

    plain: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    blocks: list[tuple[str, int]] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)
    tags: list[tuple[int, str]] = field(default_factory=list)

    def both(self, text: str) -> None:
        self.plain.append(text)
        self.marked.append(text)

    def emit(self, piece: Piece, plain: str, marked: str) -> None:
        opening, closing = ("{{", "}}") if piece.kind == "print" else ("{%", "%}")
        before, after = "-" if piece.trims_before else "", "-" if piece.trims_after else ""
        self.plain.append(f"{opening}{before} {plain} {after}{closing}")
        self.marked.append(f"{opening}{before} {marked} {after}{closing}")

    def take(self, piece: Piece) -> None:
        if piece.kind == "text":
            self.both(piece.body)
            return
        self.tags.append((piece.line, " ".join(piece.body.split())[:80]))
        if len(self.tags) > MAX_TAGS:
            raise TemplateError(piece.line, f"more than {MAX_TAGS} tags")
        if piece.kind == "comment":  # kept as an empty one, so that what stands on its two sides can never join
            self.both(f"{{#{'-' * piece.trims_before} {'-' * piece.trims_after}#}}")
        elif piece.kind == "print":
            code = self.expression(piece, piece.body)
            self.emit(piece, code, self.watched(code))
        else:
            self.block(piece)

    def watched(self, code: str) -> str:
        return f"({code} if _mark({len(self.tags) - 1}) else none)"

    def expression(self, piece: Piece, text: str) -> str:
        try:
            parsed: Expression = parse_expression(text, self.scope)
        except ExpressionError as problem:
            raise TemplateError(piece.line, str(problem)) from None
        return parsed.code

    def block(self, piece: Piece) -> None:
        found = _WORD.match(piece.body)
        word = found[0] if found else ""
        rest = piece.body[len(word) :].strip()
        handler = {"if": self.open_if, "elif": self.open_elif, "for": self.open_for}.get(word)
        if handler is not None:
            handler(piece, rest)
        elif word in {"else", "endif", "endfor"} and not rest:
            self.close(piece, word)
        else:
            raise TemplateError(piece.line, f"{{% {word or '?'} %}} is not known here: use if, elif, else or for")

    def condition(self, piece: Piece, word: str, rest: str) -> None:
        if not rest:
            raise TemplateError(piece.line, f"{{% {word} %}} needs a condition")
        code = self.expression(piece, rest)
        self.emit(piece, f"{word} {code}", f"{word} {self.watched(code)}")

    def open_if(self, piece: Piece, rest: str) -> None:
        self.condition(piece, "if", rest)
        self.blocks.append(("if", piece.line))

    def open_elif(self, piece: Piece, rest: str) -> None:
        if not self.blocks or self.blocks[-1][0] != "if":
            raise TemplateError(piece.line, "{% elif %} without an open {% if %}")
        self.condition(piece, "elif", rest)

    def open_for(self, piece: Piece, rest: str) -> None:
        found = _FOR.fullmatch(piece.body)
        if not found:
            raise TemplateError(piece.line, "a loop is written {% for item in list %}")
        if sum(kind.startswith("for") for kind, _ in self.blocks) >= MAX_LOOP_DEPTH:
            raise TemplateError(piece.line, f"more than {MAX_LOOP_DEPTH} loops inside each other")
        name = found[1]
        try:
            parsed = parse_expression(found[2], self.scope)
            self.scope = self.scope.inside_loop(name, parsed.path)
        except ExpressionError as problem:
            raise TemplateError(piece.line, str(problem)) from None
        walked = f"for {name} in ({parsed.code})|_each", f"for {name} in {self.watched(parsed.code)}|_each"
        self.emit(piece, *walked)
        self.blocks.append(("for", piece.line))

    def close(self, piece: Piece, word: str) -> None:
        kind, line = self.blocks[-1] if self.blocks else ("", piece.line)
        if word == "else":
            if not kind or kind.endswith("else"):
                raise TemplateError(piece.line, "{% else %} without an open {% if %} or {% for %}")
            self.blocks[-1] = (kind + "-else", line)
            if kind == "for":
                self.scope = self.scope.outside_loop()
        elif kind.removesuffix("-else") != word.removeprefix("end"):
            raise TemplateError(piece.line, f"{{% {word} %}} without its beginning")
        else:
            self.blocks.pop()
            if kind == "for":
                self.scope = self.scope.outside_loop()
        self.emit(piece, word, word)


def read(source: str) -> Syntax:
    """Understand a template or raise TemplateError with the line and what to write instead.

    >>> read("{{ cart.items[0].title|default('x') }}").canonical
    '{{ cart.items[0].title|default("x") }}'
    >>> read("{{ cart.clear() }}")
    Traceback (most recent call last):
    rekindle.render.merge_syntax.TemplateError: line 1: calls are not possible: "("
    """
    if len(source) > MAX_SOURCE_CHARS:
        raise TemplateError(1, f"the template is longer than {MAX_SOURCE_CHARS} characters")
    reader = _Reader()
    for piece in pieces(source):
        reader.take(piece)
    if reader.blocks:
        kind, line = reader.blocks[-1]
        word = kind.removesuffix("-else")
        raise TemplateError(line, f"{{% {word} %}} is not closed with {{% end{word} %}}")
    return Syntax("".join(reader.plain), "".join(reader.marked), tuple(reader.tags), frozenset(reader.scope.seen))
