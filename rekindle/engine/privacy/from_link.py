"""A shopper asks about their data by the link of a message. Who holds the link is not proven: the shop makes sure."""

from __future__ import annotations

from rekindle.engine.context import Context
from rekindle.engine.privacy.record import Asked, RequestError, record_request
from rekindle.lib.ids import epoch_ms
from rekindle.store.database import Connection
from rekindle.store.links import SendBehindLink
from rekindle.store.shoppers import contacts_of_shopper
from rekindle.terms.privacy_request import PrivacyRequest, RequestKind
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_DAY_MS = 86_400_000


def ask_by_link(
    connection: Connection, context: Context, shop: ShopSettings, send: SendBehindLink, kind: RequestKind
) -> PrivacyRequest | None:
    """Write the request down, once a day and kind; None when nobody is behind the link any more. Commits."""
    contacts = [contact for contact in contacts_of_shopper(connection, send.bucket, send.shopper_id) if contact.address]
    emails = [contact.address for contact in contacts if contact.channel == Channel.EMAIL.value]
    phones = [contact.address for contact in contacts if contact.channel == Channel.SMS.value]
    day = epoch_ms(context.clock.now()) // _DAY_MS
    asked = Asked(
        kind=kind,
        source="preference page",
        email=emails[0] if emails else "",
        phone=phones[0] if phones else "",
        key=f"{send.shopper_id}:{day}",
    )
    try:
        return record_request(connection, context, shop, asked)
    except RequestError:
        return None
