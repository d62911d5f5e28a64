"""What happened between the decision and the call: final things end the send, changes send it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from rekindle.policy.stopped_since import Before, Now, stopped_since
from rekindle.terms.reasons import Reason

LEFT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BEFORE = Before(abandoned_at=LEFT, order_count=2, last_order_at=LEFT - timedelta(days=90), consent="express")
NOW = Now(
    order_count=2,
    last_order_at=BEFORE.last_order_at,
    opted_out_at=None,
    erased_at=None,
    enrolment_state="waiting",
    exit_reason=None,
    consent="express",
    suppressed=False,
    others=False,
)


@pytest.mark.parametrize("state", ["waiting", "done"])
def test_nothing_happened(state: str) -> None:
    assert stopped_since(BEFORE, replace(NOW, enrolment_state=state)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order_count": 3, "last_order_at": LEFT}, Reason.PURCHASED),
        ({"enrolment_state": "exited", "exit_reason": "ORDERED"}, Reason.PURCHASED),
        ({"order_count": 3}, Reason.PURCHASED),
        ({"order_count": None}, Reason.ERASED),
        ({"erased_at": LEFT}, Reason.ERASED),
        ({"enrolment_state": "exited", "exit_reason": "RETURNED"}, Reason.CART_CLOSED),
        ({"enrolment_state": None}, Reason.CART_CLOSED),
        ({"suppressed": True}, Reason.SUPPRESSED),
        ({"suppressed": None}, Reason.SUPPRESSED),
        ({"opted_out_at": LEFT}, Reason.OPTED_OUT),
        ({"consent": "withdrawn"}, Reason.OPTED_OUT),
        ({"last_order_at": LEFT - timedelta(days=1)}, None),
        ({"consent": "soft_opt_in"}, None),
        ({"consent": None}, None),
        ({"others": True}, None),
    ],
)
def test_what_happened_stops_the_call(changes: dict[str, object], reason: Reason | None) -> None:
    stop = stopped_since(BEFORE, replace(NOW, **changes))  # type: ignore[arg-type]
    assert stop is not None
    assert stop.reason is reason
    assert stop.why


def test_an_order_outranks_an_opt_out() -> None:
    stop = stopped_since(BEFORE, replace(NOW, last_order_at=LEFT, opted_out_at=LEFT, suppressed=True))
    assert stop is not None
    assert stop.reason is Reason.PURCHASED
