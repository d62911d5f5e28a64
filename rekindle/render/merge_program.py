"""How is a template filled without an engine? As a Python function, written once when the template is compiled.

For what letters do nearly always: texts, paths, filters, conditions, one level of loops. `program` gives None for a
template that needs more, and a program that meets anything out of the ordinary (a missing value, a wrong kind) raises
UnsureError: then the engine renders, and says what is wrong. So a program never decides; where it prints, it prints
what the engine would (tests compare the two). What is written here comes from the canonical form of `merge_syntax` and
passes a list of allowed nodes; names of the template become numbers, texts become constants.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from types import CodeType
from typing import Any, Final, NoReturn, TypeAlias

from rekindle.render.merge_filters import FILTERS, MAX_LOOP_ITEMS
from rekindle.render.merge_syntax import Piece, Syntax, pieces
from rekindle.render.plain import Plain

#: What the engine strips at a dash: White_Space of Unicode, which is not what str.strip takes by itself.
_WHITE: Final = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
_FOR = re.compile(r"for (\w+) in \((.*)\)\|_each", re.DOTALL)
_CONSTANTS: Final = {"true": "True", "false": "False", "none": "None"}
_LOOP: Final = {
    "index": "(i{n} + 1)",
    "index0": "i{n}",
    "first": "(i{n} == 0)",
    "last": "(i{n} + 1 == len(l{n}))",
    "length": "len(l{n})",
}
_MATH: Final = {ast.Add: "plus", ast.Sub: "minus"}
_COMPARE: Final = {
    ast.Eq: "same",
    ast.NotEq: "not same",
    ast.Lt: "less",
    ast.GtE: "not less",
    ast.In: "inside",
    ast.NotIn: "not inside",
}
_MIRRORED: Final = {ast.Gt: "less", ast.LtE: "not less"}


class Said(IntFlag):
    """What a letter has printed as a whole value: `render.lint` asks for it."""

    NOTHING = 0
    RECOVER = 1
    UNSUBSCRIBE = 2
    SENDER = 4
    ADDRESS = 8
    LINKED_RECOVER = 16  #: as the address of a link, as HTML needs it
    LINKED_UNSUBSCRIBE = 32
    IN_TEXT = RECOVER | UNSUBSCRIBE | SENDER | ADDRESS
    IN_HTML = LINKED_RECOVER | LINKED_UNSUBSCRIBE | SENDER | ADDRESS


_SAID: Final = {
    "links.recover": Said.RECOVER,
    "links.unsubscribe": Said.UNSUBSCRIBE,
    "shop.name": Said.SENDER,
    "shop.postal_address": Said.ADDRESS,
    "shop.postal_lines[]": Said.ADDRESS,
}
_LINKED: Final = {
    Said.RECOVER: Said.RECOVER | Said.LINKED_RECOVER,
    Said.UNSUBSCRIBE: Said.UNSUBSCRIBE | Said.LINKED_UNSUBSCRIBE,
}


class UnsureError(Exception):
    """Out of the ordinary: let the engine render and decide."""


#: The pieces of a letter in their order, and what was said (`Said`).
Filled: TypeAlias = tuple[list[str], int]
Run: TypeAlias = Callable[[Mapping[str, Plain]], Filled]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The function's code with its texts; `with_style` makes it run."""

    code: CodeType
    texts: tuple[str, ...]

    def with_style(self, text: Callable[[str], str], value: Callable[[object], str]) -> Run:
        """``text`` is applied to each constant text now, ``value`` to each printed value in every run."""
        names: dict[str, object] = {f"k{n}": text(one) for n, one in enumerate(self.texts)}
        names |= {f"f_{name}": made for name, made in FILTERS.items()}
        names |= {"p": value, "__builtins__": {"len": len, "enumerate": enumerate, "range": range}}
        names |= {made.__name__.strip("_"): made for made in (_same, _less, _inside, _plus, _minus, _at, _odd, _each)}
        exec(self.code, names)  # noqa: S102  written by `_Writer`, which lets no word of the template in
        return names["run"]  # type: ignore[return-value]


def program(syntax: Syntax) -> Program | None:
    """The template as a function; None when it needs the engine.

    >>> from rekindle.render.merge_syntax import read
    >>> run = program(read("Hi {{ a.b }}{% for x in l %}, {{ x }}{% endfor %}")).with_style(str, str)
    >>> "".join(run({"a": {"b": "Ada"}, "l": ["x", 1]})[0])
    'Hi Ada, x, 1'
    """
    writer = _Writer()
    try:
        found = list(pieces(syntax.canonical))
        for at, piece in enumerate(found):
            writer.take(piece, found[at - 1] if at else None, found[at + 1] if at + 1 < len(found) else None)
        writer.flush()
    except _BeyondError:
        return None
    lines = ["def run(F):", " o = []", " e = o.extend", " m = 0", *writer.lines, " return o, m"]
    return Program(compile("\n".join(lines), "<letter>", "exec"), tuple(writer.texts))


class _BeyondError(Exception):
    """This template needs the engine."""


def _beyond() -> NoReturn:
    raise _BeyondError


@dataclass
class _Block:
    """An open ``if`` or ``for``; ``number`` of a loop, ``name`` and ``path`` of its variable."""

    kind: str
    number: int = 0
    name: str = ""
    path: str = ""


@dataclass
class _Writer:
    lines: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)  # printed one after the other: one statement for all
    loops: int = 0

    @property
    def indent(self) -> str:
        return " " * (len(self.blocks) + 1)

    def add(self, line: str) -> None:
        self.lines.append(self.indent + line)

    def flush(self) -> None:
        if self.waiting:
            self.add(f"e(({', '.join(self.waiting)},))")
            self.waiting = []

    def take(self, piece: Piece, before: Piece | None, after: Piece | None) -> None:
        if piece.kind == "text":
            text = piece.body.lstrip(_WHITE) if before and before.trims_after else piece.body
            text = text.rstrip(_WHITE) if after and after.trims_before else text
            if text:
                self.texts.append(text)
                self.waiting.append(f"k{len(self.texts) - 1}")
        elif piece.kind == "print":
            self.print(piece, before, after)
        elif piece.kind == "block":
            self.flush()
            self.block(piece.body)

    def print(self, piece: Piece, before: Piece | None, after: Piece | None) -> None:
        tree = _parsed(piece.body)
        self.waiting.append(f"p({self.expression(tree)})")
        path = self.path(tree)
        said = _SAID.get(path, Said.NOTHING)
        if path.endswith("[]") and self.blocks[-1].kind != "for":
            said = Said.NOTHING  # not for every line of the address
        if _in_link(before, after):
            said = _LINKED.get(said, said)
        if said:
            self.flush()
            self.add(f"m |= {int(said)}")

    def block(self, body: str) -> None:
        word, _, rest = body.partition(" ")
        if word == "if":
            self.add(f"if {self.condition(rest)}:")
            self.open(_Block("if"))
        elif word == "elif":
            self.blocks.pop()
            self.add(f"elif {self.condition(rest)}:")
            self.open(_Block("if"))
        elif word == "else":
            self.other(self.blocks.pop())
        elif word == "for":
            self.loop(body)
        else:
            self.blocks.pop()

    def open(self, block: _Block) -> None:
        self.blocks.append(block)
        self.add("pass")

    def other(self, block: _Block) -> None:
        self.add("else:" if block.kind == "if" else f"if not l{block.number}:")
        self.open(_Block("else"))

    def loop(self, body: str) -> None:
        found = _FOR.fullmatch(body)
        if found is None or any(block.kind == "for" for block in self.blocks):
            _beyond()  # loops inside each other need the engine's fuel
        tree = _parsed(found[2])
        number, self.loops = self.loops, self.loops + 1
        self.add(f"l{number} = each({self.expression(tree)})")
        self.add(f"for i{number}, v{number} in enumerate(l{number}):")
        self.open(_Block("for", number, found[1], f"{self.path(tree)}[]"))

    def condition(self, code: str) -> str:
        return self.expression(_parsed(code))

    # -- expressions -----------------------------------------------------------------------------------------------

    def path(self, tree: ast.expr) -> str:
        """``a.b`` for what is nothing but a path, else empty."""
        if isinstance(tree, ast.Name):
            block = self.bound(tree.id)
            return block.path if block else tree.id
        if isinstance(tree, ast.Attribute):
            before = self.path(tree.value)
            return f"{before}.{tree.attr}" if before else ""
        return ""

    def bound(self, name: str) -> _Block | None:
        return next((block for block in self.blocks if block.kind == "for" and block.name == name), None)

    def expression(self, tree: ast.expr) -> str:
        handler = _HANDLERS.get(type(tree))
        return handler(self, tree) if handler else _beyond()

    def name(self, tree: ast.Name) -> str:
        if tree.id in _CONSTANTS:
            return _CONSTANTS[tree.id]
        block = self.bound(tree.id)
        return f"v{block.number}" if block else f"F[{tree.id!r}]"

    def constant(self, tree: ast.Constant) -> str:
        if type(tree.value) is int:
            return str(tree.value)
        if type(tree.value) is not str:
            _beyond()
        return ascii(tree.value)

    def attribute(self, tree: ast.Attribute) -> str:
        loop = next((block for block in self.blocks if block.kind == "for"), None)
        if isinstance(tree.value, ast.Name) and tree.value.id == "loop" and loop:
            return _LOOP[tree.attr].format(n=loop.number) if tree.attr in _LOOP else _beyond()
        return f"{self.expression(tree.value)}[{tree.attr!r}]"

    def subscript(self, tree: ast.Subscript) -> str:
        return f"at({self.expression(tree.value)}, {self.expression(tree.slice)})"

    def either(self, tree: ast.BoolOp) -> str:
        word = " and " if isinstance(tree.op, ast.And) else " or "
        return f"({word.join(map(self.expression, tree.values))})"

    def negation(self, tree: ast.UnaryOp) -> str:
        return f"(not {self.expression(tree.operand)})" if isinstance(tree.op, ast.Not) else _beyond()

    def choice(self, tree: ast.IfExp) -> str:
        return f"({self.expression(tree.body)} if {self.expression(tree.test)} else {self.expression(tree.orelse)})"

    def written_list(self, tree: ast.List) -> str:
        return f"[{', '.join(map(self.expression, tree.elts))}]"

    def comparison(self, tree: ast.Compare) -> str:
        sign, right = tree.ops[0], tree.comparators[0]
        if isinstance(sign, ast.Is) and isinstance(right, ast.Name) and right.id in ("odd", "even"):
            return f"({'not ' * (right.id == 'even')}odd({self.expression(tree.left)}))"
        a, b = self.expression(tree.left), self.expression(right)
        if type(sign) in _MIRRORED:
            return f"({_MIRRORED[type(sign)]}({b}, {a}))"
        return f"({_COMPARE[type(sign)]}({a}, {b}))" if type(sign) in _COMPARE else _beyond()

    def binary(self, tree: ast.BinOp) -> str:
        if type(tree.op) in _MATH:
            return f"{_MATH[type(tree.op)]}({self.expression(tree.left)}, {self.expression(tree.right)})"
        return self.filter(tree) if isinstance(tree.op, ast.BitOr) else _beyond()

    def filter(self, tree: ast.BinOp) -> str:
        """``a|upper`` and ``a|money(b)``. Python's | binds weaker than its +, so a sum beside one was read wrongly."""
        left, right = tree.left, tree.right
        if isinstance(left, ast.UnaryOp) or (isinstance(left, ast.BinOp) and not isinstance(left.op, ast.BitOr)):
            _beyond()
        call = right if isinstance(right, ast.Call) else None
        made = call.func if call else right
        if not isinstance(made, ast.Name) or made.id not in FILTERS or (call and call.keywords):
            _beyond()
        values = [left, *(call.args if call else ())]
        return f"f_{made.id}({', '.join(map(self.expression, values))})"


_HANDLERS: Final[dict[type[ast.expr], Callable[[_Writer, Any], str]]] = {
    ast.Name: _Writer.name,
    ast.Constant: _Writer.constant,
    ast.Attribute: _Writer.attribute,
    ast.Subscript: _Writer.subscript,
    ast.BoolOp: _Writer.either,
    ast.UnaryOp: _Writer.negation,
    ast.IfExp: _Writer.choice,
    ast.List: _Writer.written_list,
    ast.Compare: _Writer.comparison,
    ast.BinOp: _Writer.binary,
}


def _in_link(before: Piece | None, after: Piece | None) -> bool:
    """Between ``href="`` and ``"``."""
    if before is None or after is None or before.kind != "text" or after.kind != "text":
        return False
    return before.body.endswith('href="') and after.body.startswith('"')


def _parsed(code: str) -> ast.expr:
    """The canonical form is an expression of Python too, but for names such as ``class``."""
    try:
        return ast.parse(code, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        _beyond()


# -- what a program calls; each is surer than Python about kinds -----------------------------------------------------


def _comparable(a: object, b: object) -> bool:
    return type(a) is type(b) and type(a) in (str, int)


def _same(a: object, b: object) -> bool:
    if not _comparable(a, b):
        raise UnsureError
    return a == b


def _less(a: object, b: object) -> bool:
    if not _comparable(a, b):
        raise UnsureError
    return a < b  # type: ignore[operator,no-any-return]


def _inside(a: object, b: object) -> bool:
    if type(a) is str and (type(b) is str or (type(b) is list and all(type(one) is str for one in b))):
        return a in b
    raise UnsureError


def _plus(a: object, b: object) -> int:
    if type(a) is int and type(b) is int:
        return a + b
    raise UnsureError


def _minus(a: object, b: object) -> int:
    if type(a) is int and type(b) is int:
        return a - b
    raise UnsureError


def _at(values: object, at: object) -> object:
    if type(values) is list and type(at) is int and 0 <= at < len(values):
        return values[at]
    raise UnsureError


def _odd(value: object) -> bool:
    if type(value) is int:
        return value % 2 == 1
    raise UnsureError


def _each(values: object) -> Sequence[object]:
    if type(values) is list and len(values) <= MAX_LOOP_ITEMS:
        return values
    raise UnsureError
