"""Which rules of the policy pack hold for this shopper, in this shop, on this channel?

The pack that ships with Rekindle is read once per process. When it cannot be read there are no rules, and without rules
nothing is sent. Evidence for a region is everything known: the shopper's country and state, the shop's own country, and
for text messages the country of the number.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from msgspec.structs import replace

from rekindle.lib.addresses import country_of_phone
from rekindle.policy.confirmation import DoubleOptIn
from rekindle.policy.own_rules import compare
from rekindle.policy.pack.read import PackError, read_pack
from rekindle.policy.public_holidays import holidays_near
from rekindle.policy.regions import entries_of, rules_of, tightened
from rekindle.terms.limits import SendLimits, parse_limits
from rekindle.terms.policy_pack import PolicyPack, Rules
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_log = logging.getLogger(__name__)
_MAX_KEPT = 100_000


class Law(NamedTuple):
    """``limits``: the shop's, with the caps of ``rules`` laid over them. ``rules`` None: nothing may be sent.

    ``places``: (country, state) of all evidence, for their holidays.
    """

    rules: Rules | None
    limits: SendLimits
    places: tuple[tuple[str, str], ...] = ()

    def holidays(self, now: datetime) -> frozenset[date]:
        """Holidays near ``now``; none are asked for where no window depends on them."""
        windowed = self.rules is not None and self.rules.windows
        return holidays_near(self.places, now.date()) if windowed else frozenset()


@lru_cache(maxsize=1)
def default_pack() -> PolicyPack | None:
    """The pack that ships; None when it cannot be used, which is logged."""
    try:
        return read_pack(_default_text())
    except (PackError, OSError, UnicodeDecodeError) as error:
        _log.error("policy_pack_unusable", extra={"facts": {"why": str(error)}})
        return None


def pack_with(own_rules: Mapping[str, object]) -> PolicyPack:
    """The pack that ships with a shop's own rules laid over it. Raises PackError for rules that cannot be."""
    base = default_pack()
    if base is None:
        raise PackError("the pack that ships cannot be used")
    own = read_pack(_default_text(), own_rules)
    compare(base, own)
    return own


class Laws:
    """Rules by what they follow from, each worked out once: there are few countries, and many shoppers."""

    def __init__(self, pack: PolicyPack | None) -> None:
        self._pack = pack
        self._laws: dict[tuple[str, str, str, str, Channel, str, str, str], Law] = {}
        self._packs: dict[str, PolicyPack | None] = {}

    def of(self, shop: ShopSettings, channel: Channel, *, country: str, state: str, phone: str | None = None) -> Law:
        """The law for one send. Raises LimitsError for limits of the shop that mean nothing."""
        of_phone = country_of_phone(phone) if phone else ""
        key = (
            shop.country,
            country,
            state,
            of_phone,
            channel,
            shop.double_opt_in,
            repr(shop.limits),
            repr(shop.own_rules),
        )
        law = self._laws.get(key)
        if law is None:
            _make_room(self._laws)
            evidence = ((shop.country, ""), (country, state), (of_phone, ""))
            law = self._laws[key] = self._work_out(shop, channel, evidence)
        return law

    def pack_of(self, shop: ShopSettings) -> PolicyPack | None:
        """The pack with the shop's own rules; None when they cannot be used: then nothing is sent, and it is logged."""
        if not shop.own_rules or self._pack is None:
            return self._pack
        key = repr(shop.own_rules)
        if key not in self._packs:
            _make_room(self._packs)
            try:
                self._packs[key] = pack_with(shop.own_rules)
            except PackError as error:
                _log.error("own_rules_unusable", extra={"facts": {"shop": shop.id, "why": str(error)}})
                self._packs[key] = None
        return self._packs[key]

    def _work_out(self, shop: ShopSettings, channel: Channel, evidence: tuple[tuple[str, str], ...]) -> Law:
        limits, pack = parse_limits(shop.limits), self.pack_of(shop)
        if pack is None:
            return Law(None, limits)
        rules = rules_of(pack, entries_of(pack.regions, evidence), channel)
        if shop.double_opt_in == DoubleOptIn.ALWAYS and channel is not Channel.PUSH:
            rules = replace(rules, double_opt_in=True)
        return Law(rules, tightened(limits, rules, channel), tuple(place for place in evidence if place[0].strip()))


@lru_cache(maxsize=1)
def laws() -> Laws:
    """The rules of the pack that ships, for the whole process."""
    return Laws(default_pack())


def _default_text() -> str:
    return files("rekindle.policy.pack").joinpath("default.toml").read_text("utf-8")


def _make_room(kept: MutableMapping[Any, Any]) -> None:
    if len(kept) >= _MAX_KEPT:
        kept.clear()
