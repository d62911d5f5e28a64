"""Which regions' rules apply to this shopper? All that any evidence makes plausible; the strictest wins, per field.

Evidence is a country with or without a state: where the goods go, the account's, the phone number's, the shop's market.
Nobody picks one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from rekindle.terms.limits import SendLimits
from rekindle.terms.policy_pack import UNKNOWN_REGION, PolicyPack, Rules, Tracked
from rekindle.terms.send import Channel

#: Members of the EU and the EEA; those without an entry of their own resolve to EU. GB left both.
EEA: Final = frozenset(
    "AT BE BG HR CY CZ DE DK EE ES FI FR GR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()
)
_EU, _US = "EU", "US"
#: Same rules as the country they belong to, under a country code of their own; Greece as the EU writes it.
_ALSO: Final = {"UK": "GB", "EL": "GR"}


def entry_of(regions: Mapping[str, object], country: str, state: str = "") -> str:
    """The entry of a pack that a country (ISO 3166-1 alpha-2), and a state where known, resolves to.

    >>> entry_of({"ZZ": 1, "EU": 1, "US": 1, "US-UNKNOWN": 1, "US-TX": 1}, "at")
    'EU'
    >>> entry_of({"ZZ": 1, "EU": 1, "US": 1, "US-UNKNOWN": 1, "US-TX": 1}, "US", "TX")
    'US-TX'
    >>> entry_of({"ZZ": 1, "EU": 1, "US": 1, "US-UNKNOWN": 1, "US-TX": 1}, "US")
    'US-UNKNOWN'
    """
    code, own_state = country.strip().upper(), state.strip().upper()
    code = _ALSO.get(code, code)
    own_state = own_state.removeprefix(f"{code}-")
    if code == _US:
        if own_state not in US_STATES:
            return f"{_US}-UNKNOWN" if f"{_US}-UNKNOWN" in regions else UNKNOWN_REGION
        return f"{_US}-{own_state}" if f"{_US}-{own_state}" in regions else _known(regions, _US)
    if code in regions and code != _EU and "-" not in code:
        return code
    return _known(regions, _EU) if code in EEA else UNKNOWN_REGION


def entries_of(regions: Mapping[str, object], evidence: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The entries of all evidence, sorted; (country, state) pairs, those without a country say nothing.

    >>> entries_of({"ZZ": 1, "EU": 1, "US": 1}, [("FR", ""), ("", "")])
    ('EU',)
    >>> entries_of({"ZZ": 1}, [])
    ('ZZ',)
    """
    found = {entry_of(regions, country, state) for country, state in evidence if country.strip()}
    return tuple(sorted(found)) or (UNKNOWN_REGION,)


def rules_of(pack: PolicyPack, entries: Iterable[str], channel: Channel) -> Rules:
    """The rules of several entries together. Raises KeyError for an entry that the pack does not have."""
    per_region = tuple((code, pack.regions[code].of(channel)) for code in sorted(set(entries)))
    if not per_region:
        per_region = ((UNKNOWN_REGION, pack.regions[UNKNOWN_REGION].of(channel)),)
    each = [rules for _, rules in per_region]
    day_caps = [rules.max_per_24h for rules in each if rules.max_per_24h is not None]
    ages = [timedelta(hours=rules.trigger_max_age_hours) for rules in each if rules.trigger_max_age_hours is not None]
    return Rules(
        pack=f"{pack.meta.id} {pack.meta.version} {pack.digest[:12]}",
        regions=tuple(code for code, _ in per_region),
        per_region=per_region,
        max_per_cart=min(rules.max_per_cart for rules in each),
        max_per_24h=min(day_caps) if day_caps else None,
        max_age=min(ages) if ages else None,
        windows=tuple(dict.fromkeys(rules.window for rules in each if rules.window is not None)),
        identity=tuple(sorted({field for rules in each for field in rules.identity})),
        double_opt_in=any(rules.double_opt_in for rules in each),
        open_needs_consent=any(rules.tracking.open is Tracked.CONSENT for rules in each),
        click_needs_consent=any(rules.tracking.click is Tracked.CONSENT for rules in each),
    )


def tightened(limits: SendLimits, rules: Rules, channel: Channel) -> SendLimits:
    """A shop's limits with the law's caps laid over them: the lower of both. Never more than the shop allows."""
    name = channel.value
    per_cart = min(limits.per_cart.of(channel), rules.max_per_cart)
    limits = replace(limits, per_cart=replace(limits.per_cart, **{name: per_cart}))
    if rules.max_per_24h is None:
        return limits
    per_24h = min(limits.per_24h.of(channel), rules.max_per_24h)
    return replace(limits, per_24h=replace(limits.per_24h, **{name: per_24h}))


def _known(regions: Mapping[str, object], code: str) -> str:
    return code if code in regions else UNKNOWN_REGION


#: The states and the federal district (ISO 3166-2:US); territories are not states and count as unknown.
US_STATES: Final = frozenset(
    (
        "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK "
        "OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC"
    ).split()
)
