"""What did a shop change of the pack, and does any of it let more through than the pack does?

A shop lays its own entries over the pack. To tighten needs nothing; to loosen needs a role, a reason and an entry in
the history. So every change is compared field by field, region by region, after inheritance; what cannot be shown to be
no looser counts as looser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from rekindle.policy.pack.read import PackError
from rekindle.terms.policy_pack import ChannelRules, PolicyPack, SoftOptIn, Tracked, Window
from rekindle.terms.send import Channel

_DAYS: Final = ("mon_fri", "sat", "sun", "holidays")
_NEVER: Final = 10**6


class RuleChange(NamedTuple):
    """One field of one region and channel. ``before`` and ``after`` as a line to read."""

    region: str
    channel: str
    field: str
    before: str
    after: str
    loosens: bool


def compare(base: PolicyPack, own: PolicyPack) -> tuple[RuleChange, ...]:
    """Every difference that a shop's own pack makes, in the order of regions, channels, fields.

    Raises PackError for what no ceremony allows: a region that the pack does not have, a cap above the legal ceiling,
    other words about who made the pack.
    """
    if set(own.regions) != set(base.regions):
        unknown = ", ".join(sorted(set(own.regions) ^ set(base.regions)))
        raise PackError(f"regions: the pack has no entry {unknown}")
    if own.meta != base.meta or own.house_caps != base.house_caps:
        raise PackError("only regions can be changed; a shop's caps are in its limits")
    found: list[RuleChange] = []
    for region in sorted(base.regions):
        if own.regions[region].privacy != base.regions[region].privacy:
            raise PackError(f"regions.{region}.privacy: legal terms cannot be changed")
        for channel in Channel:
            before, after = base.regions[region].of(channel), own.regions[region].of(channel)
            _check_ceiling(f"regions.{region}.{channel.value}", before, after)
            found += _changes(region, channel, before, after)
    return tuple(found)


def _changes(region: str, channel: Channel, before: ChannelRules, after: ChannelRules) -> list[RuleChange]:
    made = []
    for field in ChannelRules.__struct_fields__:
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            loosens = not _NO_LOOSER.get(field, _same)(old, new)
            made.append(RuleChange(region, channel.value, field, _words(old), _words(new), loosens))
    return made


def _check_ceiling(where: str, base: ChannelRules, after: ChannelRules) -> None:
    ceiling = base.legal_max_per_24h
    if ceiling is not None and (after.max_per_24h is None or after.max_per_24h > ceiling):
        if after.max_per_24h == base.max_per_24h:
            return
        raise PackError(f"{where}.max_per_24h: the law allows {ceiling} at most")


# --- is the new value no looser than the old one?


def _same(old: object, new: object) -> bool:
    return bool(old == new)


def _at_most(old: float | None, new: float | None) -> bool:
    return (_NEVER if new is None else new) <= (_NEVER if old is None else old)


def _at_least(old: float | None, new: float | None) -> bool:
    return (0 if new is None else new) >= (0 if old is None else old)


def _subset(old: tuple[Any, ...], new: tuple[Any, ...]) -> bool:
    return set(new) <= set(old)


def _superset(old: tuple[Any, ...], new: tuple[Any, ...]) -> bool:
    return set(new) >= set(old)


def _inside(old: Window | None, new: Window | None) -> bool:
    if old is None:
        return True
    return new is not None and all(_span_inside(getattr(old, day), getattr(new, day)) for day in _DAYS)


def _no_softer(old: SoftOptIn, new: SoftOptIn) -> bool:
    asks_purchase = new.completed_purchase or not old.completed_purchase
    return asks_purchase and (old.negotiation_counts or not new.negotiation_counts)


def _span_inside(old: tuple[float, ...], new: tuple[float, ...]) -> bool:
    return not new or (bool(old) and old[0] <= new[0] and new[1] <= old[1])


_NO_LOOSER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "basis": _subset,
    "double_opt_in": lambda old, new: new or not old,
    "soft_opt_in": _no_softer,
    "implied": lambda old, new: new.purchase_days <= old.purchase_days and new.inquiry_days <= old.inquiry_days,
    "max_per_cart": _at_most,
    "max_per_24h": _at_most,
    "legal_max_per_24h": _at_most,
    "trigger_max_age_hours": _at_most,
    "window": _inside,
    "identity": _superset,
    "tracking": lambda old, new: all(
        getattr(new, name) is Tracked.CONSENT or getattr(old, name) is Tracked.ALLOW for name in ("open", "click")
    ),
    "subject_prefix_if_unsolicited": lambda old, new: not old or new == old,
    "optout_honour_hours": _at_most,
    "unsub_link_days": _at_least,
    "src": lambda old, new: True,
}


def _words(value: object) -> str:
    """As a file would have it.

    >>> _words((8.5, 20)), _words(None), _words(True)
    ('[8.5,20]', 'none', 'true')
    """
    return "none" if value is None else msgspec.json.encode(value).decode()
