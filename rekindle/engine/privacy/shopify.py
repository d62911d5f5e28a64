"""What does Shopify ask about personal data? Its three mandatory topics, as requests like all others.

customers/data_request is an access request, whose file a worker makes; customers/redact erases a person at once;
shop/redact, 48 hours after the app was taken out of a shop, erases everybody in it, which a worker does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from rekindle.engine.configure import pause_sending
from rekindle.engine.context import Context
from rekindle.engine.forget import erase
from rekindle.engine.privacy.export import order_file
from rekindle.engine.privacy.record import Asked, RequestError, record_request, record_whole_shop
from rekindle.engine.privacy.steps import Taken, note_step, take_step
from rekindle.lib.vault import VaultError, open_sealed, seal
from rekindle.store import shop_platforms as store
from rekindle.store.buckets import base_bucket, buckets_of
from rekindle.store.database import Connection
from rekindle.store.privacy_requests import list_requests
from rekindle.store.retention import take_old
from rekindle.store.shops import all_shops, load_shop
from rekindle.terms.privacy_request import PrivacyRequest, RequestKind, Step
from rekindle.terms.retention import DataClass
from rekindle.terms.shop import ShopSettings

KIND: Final = "shopify"
DATA_REQUEST, REDACT, SHOP_REDACT = "customers/data_request", "customers/redact", "shop/redact"
TOPICS: Final = frozenset({DATA_REQUEST, REDACT, SHOP_REDACT})
_MOST_SECRETS: Final = 2
_BATCH: Final = 500
#: Consents stay as proof and suppressions for good; requests say that it was done.
_KEPT: Final = frozenset({DataClass.CONSENTS, DataClass.REQUESTS})


class NotShopifyError(Exception):
    """Nothing proves that this came from Shopify."""


class Told(NamedTuple):
    """One call of a hook. ``delivery``: Shopify's number of it, the same when it is repeated."""

    topic: str
    domain: str
    signature: str
    delivery: str
    body: bytes


def keep_secrets(context: Context, shop: ShopSettings, domain: str, secrets: list[str]) -> bytes:
    """The app's client secrets of a shop, sealed for its row; the newest first. Raises ValueError."""
    named = [secret.strip() for secret in secrets if secret.strip()]
    if not 1 <= len(named) <= _MOST_SECRETS:
        raise ValueError("one client secret is needed, or two while it is changed")
    return seal(context.vault_key, msgspec.json.encode(named), _owner(shop.id, domain))


def hear(connection: Connection, context: Context, told: Told) -> PrivacyRequest:
    """Believe, write down and carry out one call; commits. Raises NotShopifyError, RequestError for a body that means
    nothing. The same call told again changes nothing."""
    shop = _believed(connection, context, told)
    try:
        body = msgspec.json.decode(told.body)
    except msgspec.DecodeError:
        raise RequestError("the body is not JSON") from None
    if told.topic not in TOPICS or not isinstance(body, dict):
        raise RequestError(f"the topic is one of {', '.join(sorted(TOPICS))}")
    key = told.delivery or hashlib.sha256(told.body).hexdigest()
    if told.topic == SHOP_REDACT:
        return record_whole_shop(connection, context, shop, source=KIND, key=key)
    asked = _asked(told.topic, body, key)
    request = record_request(connection, context, shop, asked)
    if request.is_open and asked.kind is RequestKind.ERASURE:
        return take_step(connection, context, shop, request.id, Taken(step=Step.ERASE, by=KIND))
    if request.is_open:
        order_file(connection, context, shop, request, by=KIND)
    return request


def erase_whole_shops(connection: Connection, context: Context) -> int:
    """Carry on with the erasure of shops that left; returns how many people were erased in this turn."""
    return sum(_erase_shop(connection, context, shop) for shop in all_shops(connection))


def _erase_shop(connection: Connection, context: Context, shop: ShopSettings) -> int:
    asked = [
        request
        for request in list_requests(
            connection, base_bucket(shop), shop.id, kind=RequestKind.ERASURE, is_open=True, limit=10_000
        )
        if not request.subjects and request.source == KIND
    ]
    if not asked:
        return 0
    pause_sending(connection, shop.id, by=0)
    count = 0
    for bucket in buckets_of(shop):
        while ids := store.unerased_shoppers(connection, bucket, shop.id, _BATCH):
            for shopper_id in ids:
                erase(connection, context, shop, bucket=bucket, shopper_id=shopper_id, source=KIND)
            count += len(ids)
    now = context.clock.now()
    for kind in sorted(set(DataClass) - _KEPT):
        for bucket in buckets_of(shop):
            take_old(connection, bucket, shop.id, kind, now)
    for request in asked:
        taken = Taken(step=Step.ERASE, by=KIND)
        note_step(connection, context, shop, taken, request_id=request.id, detail={"people": count})
    return count


def _asked(topic: str, body: Mapping[str, Any], key: str) -> Asked:
    customer = body.get("customer")
    known = customer if isinstance(customer, dict) else {}
    return Asked(
        kind=RequestKind.ACCESS if topic == DATA_REQUEST else RequestKind.ERASURE,
        source=KIND,
        email=_text(known.get("email")),
        phone=_text(known.get("phone")),
        customer_key=_text(known.get("id")),
        key=key,
        is_verified=True,
    )


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _believed(connection: Connection, context: Context, told: Told) -> ShopSettings:
    """The shop that the call is about. An unknown domain costs as much as a wrong signature, and says the same."""
    domain = told.domain.strip().lower()
    found = store.platform_of_domain(connection, KIND, domain)
    secrets = ["x" * 32]
    if found is not None:
        try:
            secrets = msgspec.json.decode(open_sealed(context.vault_key, found[1], _owner(found[0], domain)))
        except VaultError:
            raise NotShopifyError from None
    good = [hmac.compare_digest(_signature(secret, told.body), told.signature.encode()) for secret in secrets]
    shop = load_shop(connection, found[0]) if found is not None and any(good) else None
    if shop is None:
        raise NotShopifyError
    return shop


def _signature(secret: str, body: bytes) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))


def _owner(shop_id: int, domain: str) -> str:
    return f"platform:{KIND}:{shop_id}:{domain}"
