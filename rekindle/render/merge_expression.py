"""What does one expression of the merge language mean, and which variables does it read?

A recursive-descent parser for the part of the Jinja syntax that a letter needs: paths, filters, comparisons,
and / or / not, inline if, plus and minus. It writes the expression again, fully parenthesised. Used by `merge_syntax`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from rekindle.render.merge_filters import ARGUMENTS

MAX_EXPRESSION_CHARS = 2_000
MAX_DEPTH = 30
TESTS = frozenset({"defined", "undefined", "none", "odd", "even"})

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<number>\d{1,15}(?![\w.]))|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<symbol>==|!=|<=|>=|[<>+\-|.,()\[\]]))""",
    re.ASCII,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t"}
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"})
_CONSTANTS = {"true": "true", "True": "true", "false": "false", "False": "false", "none": "none", "None": "none"}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})


class ExpressionError(ValueError):
    """This expression is not in the language; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Names that loops have bound, and the set of paths seen so far (shared by all scopes of one template)."""

    loops: tuple[tuple[str, str | None], ...] = ()
    seen: set[str] = field(default_factory=set)

    def inside_loop(self, name: str, path: str | None) -> Scope:
        """The scope of a loop body: ``name`` stands for the elements of ``path``."""
        if name in _KEYWORDS or name == "loop" or name.startswith("_"):
            raise ExpressionError(f'"{name}" cannot be the name of a loop variable')
        return Scope((*self.loops, (name, f"{path}[]" if path else None)), self.seen)

    def outside_loop(self) -> Scope:
        """The scope behind the end of the innermost loop."""
        return Scope(self.loops[:-1], self.seen)

    def path_of(self, name: str) -> str | None:
        """The path from the facts that a name stands for; None for ``loop`` and for elements of a written list."""
        for bound, path in reversed(self.loops):
            if bound == name:
                return path
        return None if name == "loop" and self.loops else name


@dataclass(frozen=True, slots=True)
class Expression:
    """``code`` for the engine; ``path`` when the expression is nothing but a path such as ``cart.items[]``."""

    code: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def parse_expression(text: str, scope: Scope) -> Expression:
    """Parse one whole expression and note its variables in ``scope.seen``. Raises ExpressionError.

    >>> scope = Scope()
    >>> parse_expression("a.b + 1 if not c|default('') else 'x'", scope).code
    '((a.b + 1) if (not c|default("")) else "x")'
    >>> sorted(scope.seen)
    ['a.b', 'c']
    """
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(f"an expression longer than {MAX_EXPRESSION_CHARS} characters")
    parser = _Parser(_tokens(text), scope)
    result = parser.expression()
    if parser.token.kind != "end":
        raise ExpressionError(parser.surprise())
    return result


def _tokens(text: str) -> list[_Token]:
    tokens, at, text = [], 0, text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise ExpressionError(f"not understood: {text[at:].strip()[:12]!r}")
        tokens.append(_Token(str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    return [*tokens, _Token("end", "")]


class _Parser:
    def __init__(self, tokens: list[_Token], scope: Scope) -> None:
        self.tokens, self.scope, self.at, self.depth = tokens, scope, 0, 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def next(self) -> _Token:
        token = self.token
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def sees(self, *texts: str) -> bool:
        return self.token.kind in {"symbol", "name"} and self.token.text in texts

    def took(self, *texts: str) -> str:
        return self.next().text if self.sees(*texts) else ""

    def need(self, text: str) -> None:
        if not self.took(text):
            raise ExpressionError(f'"{text}" is missing before {self.token.text or "the end"!r}')

    def surprise(self) -> str:
        if self.token.kind == "end":
            return "the expression is empty or ends too early"
        if self.token.text == "(":
            return 'calls are not possible: "("'
        return f'not expected here: "{self.token.text[:20]}"'

    def expression(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError("too many brackets inside each other")
        value = self.either()
        if self.took("if"):
            condition = self.either()
            self.need("else")  # without it the expression would print nothing, silently
            value = Expression(f"({value.code} if {condition.code} else {self.expression().code})")
        self.depth -= 1
        return value

    def either(self) -> Expression:
        value = self.both()
        while self.took("or"):
            value = Expression(f"({value.code} or {self.both().code})")
        return value

    def both(self) -> Expression:
        value = self.negation()
        while self.took("and"):
            value = Expression(f"({value.code} and {self.negation().code})")
        return value

    def negation(self) -> Expression:
        negations = 0
        while self.took("not"):
            negations += 1
        value = self.comparison()
        return Expression("(not " * negations + value.code + ")" * negations) if negations else value

    def comparison(self) -> Expression:
        value = self.total()
        if self.took("is"):
            return self.test(value)
        negated = self.sees("not") and self.tokens[self.at + 1].text == "in"
        if negated:
            self.next()
        if sign := self.took("in", *_COMPARISONS):
            value = Expression(f"({value.code} {'not in' if negated else sign} {self.total().code})")
            if self.sees("in", "is", *_COMPARISONS):
                raise ExpressionError("write two comparisons with and between them")
        return value

    def test(self, value: Expression) -> Expression:
        word = "is not" if self.took("not") else "is"
        name = self.next()
        if name.text not in TESTS:
            raise ExpressionError(f'"{word} {name.text}" is not known: use {", ".join(sorted(TESTS))}')
        return Expression(f"({value.code} {word} {name.text})")

    def total(self) -> Expression:
        value = self.sign()
        while sign := self.took("+", "-"):
            value = Expression(f"({value.code} {sign} {self.sign().code})")
        return value

    def sign(self) -> Expression:
        if self.took("-"):
            return Expression(f"(-{self.postfix().code})")
        return self.postfix()

    def postfix(self) -> Expression:
        value = self.primary()
        while sign := self.took(".", "[", "|"):
            if sign == "|":
                value = self.noted(value)
                value = self.filter(value)
            else:
                value = self.member(value, sign)
        if self.sees("("):
            raise ExpressionError(self.surprise())
        return self.noted(value)

    def noted(self, value: Expression) -> Expression:
        if value.path:
            self.scope.seen.add(value.path)
        return value

    def member(self, value: Expression, sign: str) -> Expression:
        if sign == ".":
            name = self.next()
            if name.kind != "name" or name.text.startswith("_"):
                raise ExpressionError(f'"{name.text[:20]}" cannot follow a dot')
            return Expression(f"{value.code}.{name.text}", f"{value.path}.{name.text}" if value.path else None)
        if self.token.kind == "string":
            raise ExpressionError("write a.name instead of a['name']")
        index = self.expression()
        self.need("]")
        return Expression(f"{value.code}[{index.code}]", f"{value.path}[]" if value.path else None)

    def filter(self, value: Expression) -> Expression:
        name = self.next().text
        if name not in ARGUMENTS:
            raise ExpressionError(f'the filter "{name}" is not known: use {", ".join(sorted(ARGUMENTS))}')
        arguments: list[str] = []
        if self.took("("):
            while not self.took(")"):
                arguments.append(self.expression().code)
                if not self.sees(")"):
                    self.need(",")
        least, most = ARGUMENTS[name]
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise ExpressionError(f'the filter "{name}" takes {wanted} values in brackets, not {len(arguments)}')
        return Expression(f"{value.code}|{name}" + (f"({', '.join(arguments)})" if arguments else ""))

    def primary(self) -> Expression:
        token = self.next()
        if token.kind == "string":
            return Expression(_quoted(token.text))
        if token.kind == "number":
            return Expression(str(int(token.text)))
        if token.kind == "name" and token.text in _CONSTANTS:
            return Expression(_CONSTANTS[token.text])
        if token.kind == "name" and token.text not in _KEYWORDS:
            if token.text.startswith("_"):
                raise ExpressionError("names do not begin with _")
            return Expression(token.text, self.scope.path_of(token.text))
        if token.text == "(" and token.kind == "symbol":
            value = self.expression()
            self.need(")")
            return Expression(f"({value.code})")
        if token.text == "[" and token.kind == "symbol":
            return self.written_list()
        self.at = max(self.at - 1, 0) if token.kind != "end" else self.at
        raise ExpressionError(self.surprise())

    def written_list(self) -> Expression:
        values: list[str] = []
        while not self.took("]"):
            values.append(self.expression().code)
            if not self.sees("]"):
                self.need(",")
        return Expression(f"[{', '.join(values)}]")


def _quoted(token: str) -> str:
    r"""The string token written with double quotes and only the escapes that every lexer reads alike.

    >>> _quoted(r"'it\'s \"x\"'")
    '"it\'s \\"x\\""'
    """
    value = _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), token[1:-1])
    return json.dumps(value, ensure_ascii=False)
