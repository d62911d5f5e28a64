"""Which requests have been lying for too long? Each shop gets one alert, open for as long as one of them is.

The alert, the banner on every page and the metric say the same; the law's own dates stay what they are.
"""

from __future__ import annotations

import logging

from rekindle.engine.context import Context
from rekindle.engine.privacy.record import add_line
from rekindle.store import privacy_requests as store
from rekindle.store.alerts import AlertKind, close_alerts, raise_alert_now
from rekindle.store.buckets import base_bucket
from rekindle.store.database import Connection
from rekindle.store.prepared import transaction
from rekindle.store.privacy_requests import Attention
from rekindle.store.shops import all_shops
from rekindle.terms.privacy_request import Happened, RequestLine
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)


def escalate(connection: Connection, context: Context) -> int:
    """Escalate what is too old, in every shop; returns how many requests that were. Safe to run by many at once."""
    return sum(escalate_shop(connection, context, shop) for shop in all_shops(connection))


def escalate_shop(connection: Connection, context: Context, shop: ShopSettings) -> int:
    now, bucket = context.clock.now(), base_bucket(shop)
    with transaction(connection):
        ids = store.escalate_requests(connection, bucket, shop.id, now)
        for request_id in ids:
            request = store.load_request(connection, bucket, shop.id, request_id)
            if request is not None:
                add_line(connection, request, RequestLine(at=now, what=Happened.ESCALATED, by=""))
        waiting = store.attention(connection, bucket, shop.id, now)
        kind = AlertKind.PRIVACY_REQUEST
        if waiting.escalated_count or waiting.overdue_count:
            raise_alert_now(connection, shop_id=shop.id, kind=kind, subject_id=0, text=sentence(waiting), at=now)
        else:
            close_alerts(connection, shop_id=shop.id, subject_id=0, at=now, by="answered", kind=kind)
    if ids:
        log.warning("privacy_requests_escalated", extra={"facts": {"shop": shop.id, "requests": len(ids)}})
    return len(ids)


def sentence(waiting: Attention) -> str:
    """What an alert and a banner say about requests that wait.

    >>> sentence(Attention(3, 2, 0))
    '2 requests about personal data have waited for long and need an answer.'
    >>> sentence(Attention(3, 2, 1))
    '1 request about personal data is past its legal date; 2 have waited for long.'
    """
    late, old = waiting.overdue_count, waiting.escalated_count
    if late:
        head = "1 request about personal data is past its legal date"
        if late > 1:
            head = f"{late} requests about personal data are past their legal dates"
        return f"{head}; {old} {'has' if old == 1 else 'have'} waited for long."
    if old == 1:
        return "1 request about personal data has waited for long and needs an answer."
    return f"{old} requests about personal data have waited for long and need an answer."
