"""Does a statement stay in one bucket? A static reading with sqlglot; the planner's own word is the prune oracle's.

Verdicts, best first: ``router`` (every sharded table is tied to one bucket), ``fanout`` (some are not, or to a list),
``reject`` (a cluster refuses it). The worse of this and the oracle counts. Rules come from what row-sharded
PostgreSQL accepted and refused when tried; each reason below names one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

SHARDED = frozenset(
    """attributions carts changed_hours consents contact_points coupons decisions devices enrolments events exposures
    opt_in_requests orders outbox privacy_events privacy_requests product_pairs products replies rollups seen_tokens
    send_events sends shoppers subject_exports suppressions text_slots visitors""".split()
)
_UNSTABLE = {
    "now",
    "random",
    "clock_timestamp",
    "statement_timestamp",
    "gen_random_uuid",
    "nextval",
    "currenttimestamp",
}
_SCOPES = (exp.Select, exp.Update, exp.Delete)


@dataclass
class Judgement:
    """``verdict`` and why it is not better."""

    rejects: list[str] = field(default_factory=list)
    fanouts: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return "reject" if self.rejects else "fanout" if self.fanouts else "router"

    @property
    def reasons(self) -> list[str]:
        return list(dict.fromkeys(self.rejects or self.fanouts))


def judge(statement: str) -> Judgement:
    """Judge one statement with %(name)s parameters. Raises sqlglot.ParseError for what is not SQL."""
    tree = sqlglot.parse_one(re.sub(r"%\((\w+)\)s", r":\1", statement), dialect="postgres")
    found = Judgement()
    _check_shapes(tree, found)
    buckets = _Buckets(tree)
    _check_inserts(tree, found)
    _check_tables(tree, buckets, found)
    return found


def _check_shapes(tree: exp.Expression, found: Judgement) -> None:
    if isinstance(tree, exp.Merge):
        found.rejects.append("MERGE")
    if tree.find(exp.GroupingSets, exp.Cube, exp.Rollup):
        found.rejects.append("GROUPING SETS, CUBE or ROLLUP")
    for update in tree.find_all(exp.Update):
        for pair in update.expressions:
            if isinstance(pair, exp.EQ) and pair.this.name == "bucket" and _target(update) in SHARDED:
                found.rejects.append("UPDATE of the bucket")
    for conflict in tree.find_all(exp.OnConflict):
        insert = conflict.find_ancestor(exp.Insert)
        if insert is None or _target(insert) not in SHARDED:
            continue
        for call in (c for part in conflict.expressions or [] for c in part.find_all(exp.Func)):
            name = (call.name if isinstance(call, exp.Anonymous) else type(call).__name__).lower()
            if name in _UNSTABLE:
                found.rejects.append(f"{name}() in DO UPDATE SET")


def _check_inserts(tree: exp.Expression, found: Judgement) -> None:
    for insert in tree.find_all(exp.Insert):
        if _target(insert) not in SHARDED:
            continue
        columns = [c.name for c in insert.this.expressions] if isinstance(insert.this, exp.Schema) else []
        if "bucket" not in columns:
            found.rejects.append("INSERT does not name the bucket")
            continue
        source = insert.expression
        select = source if isinstance(source, exp.Select) else source.find(exp.Select) if source else None
        if isinstance(source, exp.Values):
            values = {row.expressions[columns.index("bucket")].sql() for row in source.expressions}
            if len(values) > 1:
                found.fanouts.append("VALUES over several buckets")
        elif select is not None and len(select.expressions) > columns.index("bucket"):
            value = select.expressions[columns.index("bucket")]
            if not _constant(value.this if isinstance(value, exp.Alias) else value):
                found.fanouts.append("INSERT .. SELECT takes the bucket from its rows")


def _check_tables(tree: exp.Expression, buckets: _Buckets, found: Judgement) -> None:
    loose = []
    for table, scope, status in buckets.tables():
        if status == "one":
            if isinstance(scope, exp.Update | exp.Delete) and not buckets.names_its_own(scope):
                found.fanouts.append(f"{table} is written without a bucket of its own")
            continue
        locks = isinstance(scope, exp.Select) and scope.args.get("locks")
        writes = isinstance(scope, exp.Update | exp.Delete)
        if locks and status == "none":
            found.rejects.append(f"FOR UPDATE on {table} without its bucket")
        if writes and status == "none":
            found.fanouts.append(f"{table} is written without its bucket")
        found.fanouts.append(f"{table}: bucket = ANY" if status == "many" else f"{table} without its bucket")
        if status == "none":
            loose.append(table)
    if len(loose) > 1 and buckets.unlinked() > 1:
        found.rejects.append("tables joined without the bucket: " + ", ".join(sorted(set(loose))))


class _Buckets:
    """Which table references have their bucket tied to a constant, directly or through equalities."""

    def __init__(self, tree: exp.Expression) -> None:
        self.tree = tree
        self.parent: dict[tuple[int, str], tuple[int, str]] = {}
        self.names: dict[int, dict[str, tuple[int, str]]] = {}
        self.refs: list[tuple[tuple[int, str], str, exp.Expression]] = []
        self.one: set[tuple[int, str]] = set()
        self.many: set[tuple[int, str]] = set()
        self.ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
        self.scopes = list(tree.find_all(*_SCOPES))
        self._collect()
        self._link_derived()
        self._read_equalities()

    def tables(self) -> list[tuple[str, exp.Expression, str]]:
        one = {self._root(node) for node in self.one}
        many = {self._root(node) for node in self.many}
        out = []
        for node, table, scope in self.refs:
            root = self._root(node)
            out.append((table, scope, "one" if root in one else "many" if root in many else "none"))
        return out

    def names_its_own(self, scope: exp.Expression) -> bool:
        """Whether the table that is written has its constant bucket written on itself, not only by a join."""
        return (id(scope), scope.this.alias_or_name) in self.one

    def unlinked(self) -> int:
        """Number of groups of references that nothing ties to a bucket."""
        tied = {self._root(node) for node in self.one | self.many}
        return len({self._root(node) for node, _, _ in self.refs} - tied)

    def _root(self, node: tuple[int, str]) -> tuple[int, str]:
        self.parent.setdefault(node, node)
        while self.parent[node] != node:
            node = self.parent[node]
        return node

    def _join(self, left: tuple[int, str], right: tuple[int, str]) -> None:
        self.parent[self._root(left)] = self._root(right)

    def _collect(self) -> None:
        for scope in self.scopes:
            names = self.names.setdefault(id(scope), {})
            for table in scope.find_all(exp.Table):
                if _scope_of(table) is not scope or _is_inserted_into(table):
                    continue
                node = (id(scope), table.alias_or_name)
                names[table.alias_or_name] = node
                self._root(node)
                if table.name in SHARDED and table.name not in self.ctes:
                    self.refs.append((node, table.name, scope))
            for derived in scope.find_all(exp.Subquery, exp.Lateral):
                if _scope_of(derived) is scope and derived.alias:
                    names[derived.alias] = (id(scope), derived.alias)

    def _link_derived(self) -> None:
        for scope in self.scopes:
            for derived in scope.find_all(exp.Subquery, exp.Lateral):
                if _scope_of(derived) is scope and derived.alias:
                    inner = derived.this.this if isinstance(derived.this, exp.Subquery) else derived.this
                    self._expose((id(scope), derived.alias), inner)
            for table in scope.find_all(exp.Table):
                if _scope_of(table) is scope and table.name in self.ctes:
                    for cte in self.tree.find_all(exp.CTE):
                        if cte.alias == table.name:
                            self._expose((id(scope), table.alias_or_name), cte.this)

    def _expose(self, outer: tuple[int, str], inner: exp.Expression) -> None:
        for select in [inner] if isinstance(inner, _SCOPES) else list(inner.find_all(exp.Select))[:1]:
            returning = select.args.get("returning")
            columns = (
                select.expressions if isinstance(select, exp.Select) else returning.expressions if returning else []
            )
            for column in columns:
                value = column.this if isinstance(column, exp.Alias) else column
                if isinstance(value, exp.Star) or (isinstance(value, exp.Column) and isinstance(value.this, exp.Star)):
                    for node, _, scope in self.refs:
                        if scope is select:
                            self._join(outer, node)
                elif column.alias_or_name == "bucket":
                    if _constant(value):
                        self.one.add(outer)
                    elif isinstance(value, exp.Column) and (node := self._resolve(value)):
                        self._join(outer, node)

    def _resolve(self, column: exp.Column) -> tuple[int, str] | None:
        scope = _scope_of(column)
        while scope is not None:
            names = self.names.get(id(scope), {})
            if column.table and column.table in names:
                return names[column.table]
            if not column.table and names:
                sharded = {node for node, _, _ in self.refs}
                inside = [node for node in names.values() if node in sharded]
                return (inside or list(names.values()))[0]
            scope = _scope_of(scope)
        return None

    def _read_equalities(self) -> None:
        for equality in self.tree.find_all(exp.EQ):
            if equality.find_ancestor(exp.Or, exp.Not) or isinstance(equality.parent, exp.Update | exp.OnConflict):
                continue
            self._read_side(equality.this, equality.expression)
            self._read_side(equality.expression, equality.this)
        for member in self.tree.find_all(exp.In):
            if (node := self._bucket_of(member.this)) is not None:
                self.many.add(node)

    def _read_side(self, left: exp.Expression, right: exp.Expression) -> None:
        node = self._bucket_of(left)
        if node is None:
            return
        if isinstance(right, exp.Any):
            self.many.add(node)
        elif _constant(right):
            self.one.add(node)
        elif (other := self._bucket_of(right)) is not None:
            self._join(node, other)

    def _bucket_of(self, column: exp.Expression) -> tuple[int, str] | None:
        """The reference whose bucket this column is; None for anything else."""
        is_bucket = isinstance(column, exp.Column) and column.name == "bucket"
        return self._resolve(column) if is_bucket else None


def _scope_of(node: exp.Expression) -> exp.Expression | None:
    parent = node.parent
    while parent is not None and not isinstance(parent, _SCOPES):
        parent = parent.parent
    return parent


def _is_inserted_into(table: exp.Expression) -> bool:
    """The target of an INSERT, which `_check_inserts` judges: in a CTE it would seem to be read by the query around."""
    holder = table.parent.parent if isinstance(table.parent, exp.Schema) else table.parent
    return isinstance(holder, exp.Insert) and holder.this is (table if holder is table.parent else table.parent)


def _constant(value: exp.Expression) -> bool:
    while isinstance(value, exp.Cast | exp.Paren | exp.Neg):
        value = value.this
    return isinstance(value, exp.Literal | exp.Placeholder | exp.Parameter)


def _target(statement: exp.Expression) -> str:
    this = statement.this
    return (this.this if isinstance(this, exp.Schema) else this).name
