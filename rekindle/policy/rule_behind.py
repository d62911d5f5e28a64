"""Which rule stands behind a verdict of `may_send`, in which region, and where does it come from?

A person who asks "why not?" gets the region's own words and source; limits that are ours, not law, say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from rekindle.terms.decision import Verdict
from rekindle.terms.policy_pack import Basis, ChannelRules, Rules, Window
from rekindle.terms.reasons import Reason

HOUSE: Final = "house"
_DAYS: Final = (("mon_fri", "Mon-Fri"), ("sat", "Sat"), ("sun", "Sun"), ("holidays", "public holidays"))
_BASIS: Final = frozenset(
    {Reason.NO_BASIS, Reason.DOUBLE_OPT_IN_MISSING, Reason.CART_NOT_IN_OPTIN_TEXT, Reason.CONSENT_UNPROVABLE}
)
_BASIS_WORDS: Final = {Basis.EXPRESS_WRITTEN_CART: "express, written and naming carts", Basis.OPT_OUT: "none needed"}
_OURS: Final = {
    Reason.CAP_24H: "messages within 24 hours",
    Reason.CAP_7D: "messages within 7 days",
    Reason.CHANNEL_GAP: "time between messages on different channels",
    Reason.TOO_SOON: "least age of a cart",
    Reason.PURCHASE_COOL_OFF: "rest after a purchase",
}


class Ground(NamedTuple):
    """``region``: an entry of the pack, empty for what holds everywhere. ``src``: as the pack gives it."""

    region: str
    rule: str
    src: str


def rules_behind(verdict: Verdict, rules: Rules | None) -> tuple[Ground, ...]:
    """The rules that decided; for a yes, the basis in each region. Empty where it is a matter of fact (a purchase)."""
    if rules is None:
        return ()
    reason, evidence = verdict.reason, verdict.evidence
    if verdict.allowed:
        basis = evidence.get("basis")
        found = basis if isinstance(basis, dict) else {}
        return tuple(Ground(code, f"basis: {found[code]}", one.src) for code, one in rules.per_region if code in found)
    if reason in _BASIS:
        return _of_regions(rules, basis_words, lambda one, code: code == evidence.get("region"))
    if reason is Reason.CART_CAP:
        own = _of_regions(rules, cap_words, lambda one, _: one.max_per_cart == evidence.get("cap"))
        return own or (Ground("", "messages about one cart", HOUSE),)
    if reason is Reason.STALE:
        return _of_regions(
            rules,
            lambda one: f"within {one.trigger_max_age_hours:g} hours of leaving the cart",
            lambda one, _: one.trigger_max_age_hours is not None,
        ) or (Ground("", "the shop's greatest age of a cart", HOUSE),)
    if reason is Reason.QUIET_HOURS:
        return _of_regions(rules, lambda one: window_words(one.window), lambda one, _: one.window is not None)
    return (Ground("", _OURS[reason], HOUSE),) if reason in _OURS else ()


def _of_regions(
    rules: Rules, words: Callable[[ChannelRules], str], holds: Callable[[ChannelRules, str], bool]
) -> tuple[Ground, ...]:
    return tuple(Ground(code, words(one), one.src) for code, one in rules.per_region if holds(one, code))


def basis_words(one: ChannelRules) -> str:
    """What a region accepts, as a line to read.

    >>> basis_words(ChannelRules(basis=(Basis.EXPRESS, Basis.SOFT_OPT_IN), double_opt_in=True))
    'any of: express, soft opt in; express consent confirmed by the address'
    """
    text = "any of: " + ", ".join(_BASIS_WORDS.get(basis, basis.value.replace("_", " ")) for basis in one.basis)
    return f"{text}; express consent confirmed by the address" if one.double_opt_in else text


def cap_words(one: ChannelRules) -> str:
    return f"at most {one.max_per_cart} about one cart"


def window_words(window: Window | None) -> str:
    """Local hours in which messages may go out.

    >>> window_words(Window(mon_fri=(8.5, 20), sat=(10, 17), sun=()))
    'Mon-Fri 8:30-20:00, Sat 10:00-17:00'
    """
    if window is None:
        return "at any time"
    days: list[tuple[str, Sequence[float]]] = [(name, getattr(window, field)) for field, name in _DAYS]
    return ", ".join(f"{name} {_clock(hours[0])}-{_clock(hours[1])}" for name, hours in days if hours) or "never"


def _clock(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60}:{minutes % 60:02d}"
