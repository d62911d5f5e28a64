"""Does a verdict lead to the rule that made it, with its region and source?"""

from __future__ import annotations

import pytest

from rekindle.policy.regions import rules_of
from rekindle.policy.rule_behind import rules_behind
from rekindle.terms.decision import Verdict, allow, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel

from .send_facts import PACK


@pytest.mark.parametrize(
    ("entries", "channel", "verdict", "expected"),
    [
        (["DE", "US"], Channel.EMAIL, deny(Reason.NO_BASIS, region="DE"), [("DE", "any of: express; express consent confirmed by the address")]),
        (["DE", "US"], Channel.EMAIL, deny(Reason.CART_CAP, cap=1), [("DE", "at most 1 about one cart")]),
        (["US"], Channel.EMAIL, deny(Reason.CART_CAP, cap=2), [("", "messages about one cart")]),
        (["EU", "FR"], Channel.SMS, deny(Reason.QUIET_HOURS), [("EU", "Mon-Fri 9:00-20:00, Sat 10:00-18:00"), ("FR", "Mon-Fri 8:30-20:00, Sat 8:30-20:00")]),
        (["EU"], Channel.SMS, deny(Reason.STALE), [("EU", "within 48 hours of leaving the cart")]),
        (["EU"], Channel.EMAIL, deny(Reason.STALE), [("", "the shop's greatest age of a cart")]),
        (["EU"], Channel.EMAIL, deny(Reason.CAP_7D), [("", "messages within 7 days")]),
        (["EU"], Channel.EMAIL, deny(Reason.PURCHASED), []),
        (["DE", "US"], Channel.EMAIL, allow(basis={"DE": "express", "US": "opt_out"}), [("DE", "basis: express"), ("US", "basis: opt_out")]),
    ],
)  # fmt: skip
def test_the_rule_and_its_region(
    entries: list[str], channel: Channel, verdict: Verdict, expected: list[tuple[str, str]]
) -> None:
    found = rules_behind(verdict, rules_of(PACK, entries, channel))
    assert [(ground.region, ground.rule) for ground in found] == expected
    assert all(ground.src for ground in found)


def test_without_a_pack_there_is_no_rule() -> None:
    assert rules_behind(deny(Reason.EVALUATION_FAILED), None) == ()
