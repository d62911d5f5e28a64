"""Which rules of the policy pack hold for this shopper, in this shop, on this channel?

The pack that ships with Rekindle is read once per process. When it cannot be read there are no rules, and without rules
nothing is sent. Evidence for a region is everything known: the shopper's country and state, the shop's own country, and
for text messages the country of the number.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from rekindle.lib.addresses import country_of_phone
from rekindle.policy.pack.read import PackError, read_pack
from rekindle.policy.regions import entries_of, rules_of, tightened
from rekindle.terms.limits import SendLimits, parse_limits
from rekindle.terms.policy_pack import PolicyPack, Rules
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_log = logging.getLogger(__name__)
_MAX_KEPT = 100_000


class Law(NamedTuple):
    """``limits``: the shop's, with the caps of ``rules`` laid over them. ``rules`` None: nothing may be sent."""

    rules: Rules | None
    limits: SendLimits


@lru_cache(maxsize=1)
def default_pack() -> PolicyPack | None:
    """The pack that ships; None when it cannot be used, which is logged."""
    try:
        return read_pack(files("rekindle.policy.pack").joinpath("default.toml").read_text("utf-8"))
    except (PackError, OSError, UnicodeDecodeError) as error:
        _log.error("policy_pack_unusable", extra={"facts": {"why": str(error)}})
        return None


class Laws:
    """Rules by what they follow from, each worked out once: there are few countries, and many shoppers."""

    def __init__(self, pack: PolicyPack | None) -> None:
        self._pack = pack
        self._rules: dict[tuple[str, str, str, str, Channel], Rules] = {}
        self._laws: dict[tuple[int, int, Channel], tuple[Law, object]] = {}
        self._limits: dict[str, SendLimits] = {}

    def of(self, shop: ShopSettings, channel: Channel, *, country: str, state: str, phone: str | None = None) -> Law:
        """The law for one send. Raises LimitsError for limits of the shop that mean nothing."""
        limits = self._limits_of(shop)
        if self._pack is None:
            return Law(None, limits)
        of_phone = country_of_phone(phone) if phone else ""
        key = (shop.country, country, state, of_phone, channel)
        rules = self._rules.get(key)
        if rules is None:
            _make_room(self._rules)
            evidence = [(shop.country, ""), (country, state), (of_phone, "")]
            rules = self._rules[key] = rules_of(self._pack, entries_of(self._pack.regions, evidence), channel)
        known = self._laws.get((id(limits), id(rules), channel))
        if known is None:
            _make_room(self._laws)
            law = Law(rules, tightened(limits, rules, channel))
            known = self._laws[id(limits), id(rules), channel] = (law, (limits, rules))  # held, so that ids stay theirs
        return known[0]

    def _limits_of(self, shop: ShopSettings) -> SendLimits:
        key = repr(shop.limits)
        found = self._limits.get(key)
        if found is None:
            _make_room(self._limits)
            found = self._limits[key] = parse_limits(shop.limits)
        return found


@lru_cache(maxsize=1)
def laws() -> Laws:
    """The rules of the pack that ships, for the whole process."""
    return Laws(default_pack())


def _make_room(kept: MutableMapping[Any, Any]) -> None:
    if len(kept) >= _MAX_KEPT:
        kept.clear()
