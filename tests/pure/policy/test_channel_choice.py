"""Which of a shopper's addresses is a message planned for?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rekindle.policy.channel_choice import Reach, choose_reach
from rekindle.terms.send import Channel

T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def reach(name: str, channel: str = "email", consent: str | None = None, days: int = 0) -> Reach:
    return Reach(channel, name, consent, T - timedelta(days=days))


@pytest.mark.parametrize(
    ("channels", "known", "expected"),
    [
        ((Channel.EMAIL,), [], None),
        ((Channel.EMAIL,), [reach("a", "sms")], None),
        ((Channel.SMS, Channel.EMAIL), [reach("a"), reach("b", "sms")], (Channel.SMS, "b")),
        ((Channel.SMS, Channel.EMAIL), [reach("a")], (Channel.EMAIL, "a")),
        # the strongest consent, then the newest address
        ((Channel.EMAIL,), [reach("old", days=9), reach("new", days=1)], (Channel.EMAIL, "new")),
        ((Channel.EMAIL,), [reach("new", days=1), reach("asked", consent="express", days=9)], (Channel.EMAIL, "asked")),
        ((Channel.EMAIL,), [reach("soft", consent="soft_opt_in"), reach("asked", consent="express", days=9)], (Channel.EMAIL, "asked")),
        ((Channel.EMAIL,), [reach("no", consent="withdrawn"), reach("old", days=99)], (Channel.EMAIL, "old")),
        # only one there is, and it said no: planned all the same, may_send refuses it with the reason
        ((Channel.EMAIL,), [reach("no", consent="withdrawn")], (Channel.EMAIL, "no")),
        ((Channel.EMAIL,), [reach("b"), reach("a")], (Channel.EMAIL, "a")),
    ],
)  # fmt: skip
def test_the_choice(channels: tuple[Channel, ...], known: list[Reach], expected: tuple[Channel, str] | None) -> None:
    chosen = choose_reach(channels, known)
    assert (chosen and (chosen[0], chosen[1].contact_point_id)) == expected
