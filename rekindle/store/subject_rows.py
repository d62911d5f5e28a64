"""Which rows of which tables are about one person? Everything that a person may ask for, in the order it is found.

A table with a shopper, an address, a cart, a visit, an order or a message in it belongs here, or into `LEFT_OUT` with
the reason; a test walks all tables and finds one that is in neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from rekindle.lib.ids import natural_id
from rekindle.store.buckets import buckets_of
from rekindle.store.copying import array_literal, id_array
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.shop import ShopSettings


class Part(NamedTuple):
    """``statement``: what reads the rows; ``meaning``: what they are, for the person who reads the file."""

    statement: str
    meaning: str


#: In an order in which each finds what the later ones look for.
PARTS: Final[Mapping[str, Part]] = {
    "shoppers": Part("rows_of_shoppers", "Who the person is in this shop."),
    "contact_points": Part("rows_of_contact_points", "Addresses, and what was agreed to for each."),
    "devices": Part("rows_of_devices", "Browsers and apps that show messages."),
    "visitors": Part("rows_of_visitors", "Visits and outside keys that lead to the person."),
    "carts": Part("rows_of_carts", "What was put into carts, and what became of them."),
    "orders": Part("rows_of_orders", "Purchases."),
    "events": Part("rows_of_events", "What happened at the shop, as it was told."),
    "enrolments": Part("rows_of_enrolments", "Runs of carts through a flow."),
    "sends": Part("rows_of_sends", "Messages that were planned or sent."),
    "outbox": Part("rows_of_outbox", "Messages that wait, or are on their way."),
    "send_events": Part("rows_of_send_events", "What became of messages: delivered, clicked, bounced."),
    "decisions": Part("rows_of_decisions", "What was decided, and why."),
    "exposures": Part("rows_of_exposures", "Into which group of a comparison the person was drawn."),
    "coupons": Part("rows_of_coupons", "Codes that were issued to the person."),
    "attributions": Part("rows_of_attributions", "Which order is credited to which message."),
    "consents": Part("rows_of_consents", "What was agreed to or withdrawn, with the wording."),
    "opt_in_requests": Part("rows_of_opt_in_requests", "Addresses that were asked to confirm."),
    "suppressions": Part("rows_of_suppressions", "Addresses that are not written to."),
    "replies": Part("rows_of_replies", "What the person wrote back."),
    "privacy_requests": Part("rows_of_privacy_requests", "Requests about personal data."),
    "privacy_events": Part("rows_of_privacy_events", "What was done about these requests."),
    "subject_exports": Part("rows_of_subject_exports", "Files that were made of this kind."),
}
#: Tables that point to a person and hold nothing about them.
LEFT_OUT: Final[Mapping[str, str]] = {
    "text_slots": "says for two days that a cart's one text message was sent, which the message itself says too",
}

Row = dict[str, Any]
#: How the key of a visitor's own cart, and of a visit that only looked, is made of the visitor's.
_OWN: Final = ("visitor:", "browse:")


@dataclass(slots=True)
class _Keys:
    """By what rows are found; grows as they are."""

    shopper_ids: set[UUID] = field(default_factory=set)
    hashes: set[bytes] = field(default_factory=set)
    contact_ids: set[UUID] = field(default_factory=set)
    cart_ids: set[UUID] = field(default_factory=set)
    visitor_keys: set[str] = field(default_factory=set)
    order_ids: set[UUID] = field(default_factory=set)
    order_keys: set[str] = field(default_factory=set)
    send_ids: set[UUID] = field(default_factory=set)
    request_ids: set[UUID] = field(default_factory=set)

    def values(self, shop: ShopSettings) -> dict[str, object]:
        found: dict[str, object] = {"buckets": array_literal(buckets_of(shop)), "shop_id": shop.id}
        for name in ("shopper_ids", "contact_ids", "order_ids", "send_ids", "request_ids"):
            found[name] = id_array(sorted(getattr(self, name)))
        own = {natural_id("cart", shop.id, prefix + key) for key in self.visitor_keys for prefix in _OWN}
        found["cart_ids"] = id_array(sorted(self.cart_ids | own))
        for name in ("hashes", "visitor_keys", "order_keys"):
            found[name] = sorted(getattr(self, name))
        return found

    def learn(self, table: str, rows: Iterable[Row]) -> None:
        """What the rows of a table lead to."""
        for row in rows:
            if table == "contact_points":
                self.contact_ids.add(UUID(row["id"]))
                self.hashes.add(bytes.fromhex(row["address_hash"].removeprefix("\\x")))
            elif table == "visitors":
                self.visitor_keys.add(row["visitor_key"])
            elif table == "carts":
                self.cart_ids.add(UUID(row["id"]))
                if row["visitor_key"] is not None:
                    self.visitor_keys.add(row["visitor_key"])
            elif table == "orders":
                self.order_ids.add(UUID(row["id"]))
                self.order_keys.add(row["order_key"])
            elif table == "sends":
                self.send_ids.add(UUID(row["id"]))
            elif table == "privacy_requests":
                self.request_ids.add(UUID(row["id"]))


def rows_of_subject(
    connection: Connection,
    shop: ShopSettings,
    *,
    shopper_ids: Iterable[UUID],
    hashes: Iterable[bytes],
    request_ids: Iterable[UUID],
) -> dict[str, list[Row]]:
    """Every row about a person, by table; tables without one are there too, empty."""
    keys = _Keys(shopper_ids=set(shopper_ids), hashes=set(hashes), request_ids=set(request_ids))
    found: dict[str, list[Row]] = {}
    for table, part in PARTS.items():
        found[table] = [row[0] for row in connection.execute(sql(part.statement), keys.values(shop))]
        keys.learn(table, found[table])
    return found
