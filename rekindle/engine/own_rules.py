"""How does a shop change rules of the policy pack for itself? Tighter by anybody who may; looser with role and reason.

What is looser is asked of the pack that ships, not of what held before: to go back to the pack is no ceremony, and a
looser rule that was granted stays granted while others change.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from rekindle.engine.law import default_pack, pack_with
from rekindle.policy.own_rules import RuleChange, compare
from rekindle.policy.pack.read import PackError
from rekindle.store.database import Connection
from rekindle.store.own_rules import RuleChangeNote, lock_own_rules, write_own_rules
from rekindle.terms.role import Action, Role, may
from rekindle.terms.send import Channel

log = logging.getLogger(__name__)

#: Letters of a reason: long enough that it says something.
LEAST_REASON: Final = 20
MOST_REASON: Final = 2_000


class OwnRulesError(ValueError):
    """The rules cannot become so; the text says why."""


class Person(NamedTuple):
    id: int
    name: str
    role: Role


class Proposal(NamedTuple):
    """``changes``: against what ``held``, each marked by whether it is looser than the pack that ships."""

    held: Mapping[str, object] | None
    own_rules: Mapping[str, object] | None
    changes: tuple[RuleChange, ...]

    @property
    def loosens(self) -> bool:
        return any(change.loosens for change in self.changes)


def propose(
    held: Mapping[str, object] | None, *, region: str, channel: Channel, rules: Mapping[str, object]
) -> Proposal:
    """What would change if these were the shop's rules for one region and channel. Raises OwnRulesError.

    ``rules``: fields of a channel as a pack has them; those that are as the pack's are left out, so that its updates
    still arrive.
    """
    base = default_pack()
    if base is None or region not in base.regions:
        raise OwnRulesError(f"the pack has no region {region}")
    try:
        before = pack_with(held or {})
        own_rules = _with_entry(held, region, channel, _own_part(held, region, channel, rules))
        after = pack_with(own_rules)
    except PackError as error:
        raise OwnRulesError(str(error)) from None
    had = {change[:3]: change for change in compare(base, before)}
    wanted = {change[:3]: change for change in compare(base, after)}
    changes = [
        change._replace(before=had[key].after) if key in had else change
        for key, change in wanted.items()
        if had.get(key) != change
    ]
    gone = [change for key, change in had.items() if key not in wanted]
    changes += [one._replace(before=one.after, after=one.before, loosens=False) for one in gone]
    return Proposal(held or None, own_rules or None, tuple(sorted(changes)))


def change_own_rules(
    connection: Connection, shop_id: int, proposal: Proposal, *, by: Person, reason: str, now: datetime
) -> None:
    """Let a proposal hold. Raises OwnRulesError when it may not, or when somebody else changed the rules meanwhile."""
    reason = reason.strip()
    if not proposal.changes:
        raise OwnRulesError("nothing would change")
    if not may(by.role, Action.TIGHTEN_LAW):
        raise OwnRulesError("this role does not change rules")
    if proposal.loosens:
        if not may(by.role, Action.LOOSEN_LAW):
            raise OwnRulesError("only an owner may let more through than the pack does")
        if len(reason) < LEAST_REASON:
            raise OwnRulesError(f"a reason of at least {LEAST_REASON} letters is needed to let more through")
    if len(reason) > MOST_REASON:
        raise OwnRulesError(f"a reason has at most {MOST_REASON} letters")
    note = RuleChangeNote(
        at=now,
        person_id=by.id,
        person_name=by.name,
        role=by.role.value,
        loosens=proposal.loosens,
        reason=reason,
        changes=[change._asdict() for change in proposal.changes],
    )
    with connection.transaction():
        if (lock_own_rules(connection, shop_id) or None) != proposal.held:
            raise OwnRulesError("somebody else has changed the rules meanwhile; look at them again")
        write_own_rules(connection, shop_id, proposal.own_rules, note)
    facts = {"shop": shop_id, "by": by.id, "loosens": proposal.loosens, "changes": len(proposal.changes)}
    log.info("own_rules_changed", extra={"facts": facts})


def _own_part(
    held: Mapping[str, object] | None, region: str, channel: Channel, rules: Mapping[str, object]
) -> dict[str, object]:
    """The fields that differ from what would hold without an entry of the shop's own."""
    without = pack_with(_with_entry(held, region, channel, {})).regions[region].of(channel)
    wanted = pack_with(_with_entry(held, region, channel, rules)).regions[region].of(channel)
    return {name: value for name, value in rules.items() if getattr(wanted, name) != getattr(without, name)}


def _with_entry(
    held: Mapping[str, object] | None, region: str, channel: Channel, rules: Mapping[str, object]
) -> dict[str, Any]:
    regions: dict[str, dict[str, Any]] = msgspec.convert((held or {}).get("regions") or {}, dict[str, dict[str, Any]])
    entry = {name: value for name, value in regions.get(region, {}).items() if name != channel.value}
    if rules:
        entry[channel.value] = dict(rules)
    regions = {code: one for code, one in {**regions, region: entry}.items() if one}
    return {"regions": regions} if regions else {}
