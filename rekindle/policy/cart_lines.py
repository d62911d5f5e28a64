"""What is in the cart after this addition, removal or snapshot, whatever order they arrive in?

The sum of additions and removals does not depend on their order, as long as nothing is removed that never was there.
Two memories make the rest independent too: each line knows when it changed last, and ``facts["gone"]`` what was taken
out: ``{line: [when in ms, quantity taken out that had not arrived yet]}``. A removal that overtakes its addition leaves
such a debt, and the late addition pays it. Quantities are never negative, lines and quantities have caps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rekindle.policy.cart_draft import CartDraft, Line, line_of
from rekindle.terms.cart import MAX_ITEMS, MAX_QUANTITY, CartItem

MAX_GONE = 50  #: removed lines remembered per cart, the latest
MAX_TOTAL_CENTS = 9_000_000_000_000_000  #: below 2**53, so that no reader of JSON rounds it


def add(draft: CartDraft, item: CartItem, at_ms: int) -> None:
    """Put a quantity of a product in; what was taken out earlier than it arrived stays out."""
    quantity = item.quantity if 0 <= item.quantity <= MAX_QUANTITY else 0 if item.quantity < 0 else MAX_QUANTITY
    if "gone" in draft.facts:
        quantity = _pay_debt(draft, _key(item.product_key, item.sku, item.variant), quantity, at_ms)
    if quantity == 0:
        return
    line = _find(draft.items, item.product_key, item.sku, item.variant)
    if line is not None:
        line["quantity"] = min(line["quantity"] + quantity, MAX_QUANTITY)
        _describe(line, item, at_ms)
        return
    if len(draft.items) >= MAX_ITEMS:
        draft.facts["cut"] = True
        return
    line = line_of(item, at_ms)
    line["quantity"] = quantity
    draft.items.append(line)


def remove(draft: CartDraft, item: CartItem, at_ms: int) -> None:
    """Take a quantity of a product out; zero means all of it."""
    line = _find(draft.items, item.product_key, item.sku, item.variant) or _only_line(draft.items, item)
    there = line["quantity"] if line is not None else 0
    wanted = item.quantity if item.quantity > 0 else max(there, 1)
    taken = min(there, wanted)
    when = at_ms
    if line is not None:
        line["quantity"] = there - taken
        when = line["changed_ms"] = max(line.get("changed_ms", 0), at_ms)
        if line["quantity"] == 0:
            draft.items.remove(line)
    if line is None or taken == there:
        key = _key_of(line) if line is not None else _key(item.product_key, item.sku, item.variant)
        _remember_gone(draft, key, when, min(wanted - taken, MAX_QUANTITY))


def replace_all(draft: CartDraft, items: Iterable[CartItem], at_ms: int) -> None:
    """Take over the full state told at ``at_ms``; what is known to have changed later stays changed.

    A line changed later keeps the larger of both quantities: whether its change is part of the snapshot is not known.
    """
    told: dict[str, Line] = {}
    for item in items:
        _tell(draft, told, item, at_ms)
    if draft.items or "gone" in draft.facts:
        before = {_key_of(line): line for line in draft.items}
        _keep_later(before, told, at_ms)
        _take_gone(draft, before, told, at_ms)
    draft.items = list(told.values())


def keep_newer(draft: CartDraft, at_ms: int) -> None:
    """Drop the lines that have not changed since: an order at ``at_ms`` took them away."""
    draft.items = [line for line in draft.items if line.get("changed_ms", 0) > at_ms]
    gone: dict[str, list[int]] = draft.facts.get("gone", {})
    for key in [key for key, (when, _) in gone.items() if when <= at_ms]:
        del gone[key]


def retotal(draft: CartDraft) -> None:
    """The cart's worth: the sum of its lines when each has a price, else what the shop told since, else what it can."""
    total, is_complete = 0, bool(draft.items)
    for line in draft.items:
        unit = line.get("unit_cents")
        if unit is None:
            is_complete = False
        else:
            total += unit * line["quantity"]
    if not is_complete:
        told: list[Any] | None = draft.facts.get("told_value")
        if told and told[1] >= max((line.get("changed_ms", 0) for line in draft.items), default=0):
            total = told[0]
    draft.total_cents = total if total <= MAX_TOTAL_CENTS else MAX_TOTAL_CENTS


def product_keys(lines: Iterable[Line]) -> set[str]:
    return {line["product_key"] for line in lines}


def _tell(draft: CartDraft, told: dict[str, Line], item: CartItem, at_ms: int) -> None:
    if item.quantity <= 0:
        return
    key = _key(item.product_key, item.sku, item.variant)
    if key in told:
        told[key]["quantity"] = min(told[key]["quantity"] + item.quantity, MAX_QUANTITY)
    elif len(told) < MAX_ITEMS:
        told[key] = line_of(item, at_ms)
        told[key]["quantity"] = min(item.quantity, MAX_QUANTITY)
    else:
        draft.facts["cut"] = True


def _keep_later(before: dict[str, Line], told: dict[str, Line], at_ms: int) -> None:
    """Lines that changed after the snapshot, and arrived before it."""
    for key, line in before.items():
        if line.get("changed_ms", 0) <= at_ms:
            continue
        if key in told:
            told[key]["quantity"] = max(told[key]["quantity"], line["quantity"])
            told[key]["changed_ms"] = line["changed_ms"]
        elif len(told) < MAX_ITEMS:
            told[key] = line


def _take_gone(draft: CartDraft, before: dict[str, Line], told: dict[str, Line], at_ms: int) -> None:
    """Removals after the snapshot that arrived before it; older ones are part of it and forgotten."""
    gone: dict[str, list[int]] = draft.facts.get("gone", {})
    for key, (when, debt) in list(gone.items()):
        if when <= at_ms:
            del gone[key]
        elif key in told and (key not in before or debt):
            left = told[key]["quantity"] - debt if debt else 0
            gone[key] = [when, 0]
            if left > 0:
                told[key]["quantity"] = left
            else:
                del told[key]
    if not gone:
        draft.facts.pop("gone", None)


def _pay_debt(draft: CartDraft, key: str, quantity: int, at_ms: int) -> int:
    """What is left of an addition after what was taken out of it before it arrived."""
    gone: dict[str, list[int]] | None = draft.facts.get("gone")
    if not gone or key not in gone:
        return quantity
    when, debt = gone[key]
    if at_ms >= when or not debt:
        return quantity
    paid = min(debt, quantity)
    gone[key] = [when, debt - paid]
    return quantity - paid


def _remember_gone(draft: CartDraft, key: str, at_ms: int, debt: int) -> None:
    gone: dict[str, list[int]] = draft.facts.setdefault("gone", {})
    when, owed = gone.get(key, [0, 0])
    gone[key] = [max(when, at_ms), min(owed + debt, MAX_QUANTITY)]
    if len(gone) > MAX_GONE:
        del gone[min(gone, key=lambda name: gone[name][0])]


def _describe(line: Line, item: CartItem, at_ms: int) -> None:
    """Newer words and prices win; older ones fill gaps."""
    changed_ms = line.get("changed_ms", 0)
    told = line_of(item, max(changed_ms, at_ms))
    quantity = line["quantity"]
    if at_ms >= changed_ms:
        line.update(told)
    else:
        line.update(told | line)
    line["quantity"] = quantity


def _find(lines: list[Line], product_key: str, sku: str, variant: str) -> Line | None:
    for line in lines:
        if line["product_key"] == product_key and line.get("sku", "") == sku and line.get("variant", "") == variant:
            return line
    return None


def _only_line(lines: list[Line], item: CartItem) -> Line | None:
    """A removal that names the product alone means its line, when there is only one."""
    if item.sku or item.variant:
        return None
    found = [line for line in lines if line["product_key"] == item.product_key]
    return found[0] if len(found) == 1 else None


def _key_of(line: Line) -> str:
    return _key(line["product_key"], line.get("sku", ""), line.get("variant", ""))


def _key(product_key: str, sku: str, variant: str) -> str:
    return f"{product_key}\x1f{sku}\x1f{variant}" if sku or variant else product_key
