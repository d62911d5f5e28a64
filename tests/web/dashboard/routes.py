"""Which addresses has the dashboard? All of them from the URL map, filled with things that exist: none can be missed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern

from rekindle.engine.onboard import FLOW_KEY
from rekindle.store.buckets import base_bucket
from rekindle.terms.role import Action
from rekindle.terms.shop import ShopSettings
from rekindle.web.dashboard.access import GUARDED
from rekindle.web.dashboard.urls import urlpatterns

#: Routes that belong to no shop.
OPEN_ROUTES = {"home", "sign_in", "sign_out"}


@dataclass(frozen=True)
class Route:
    """``actions``: what each method needs; ``converters``: names in the address besides the shop's slug."""

    name: str
    pattern: str
    actions: dict[str, Action]

    def path(self, shop: ShopSettings, things: dict[str, Any]) -> str:
        """A concrete address. Raises KeyError for a kind of thing that no test provides yet."""
        route = self.pattern.replace("<slug:slug>", shop.slug)
        while "<" in route:
            inside = route[route.index("<") + 1 : route.index(">")]
            route = route.replace(f"<{inside}>", str(things[inside.partition(":")[2]]))
        return f"/{route}"


def shop_routes() -> list[Route]:
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        if pattern.name in OPEN_ROUTES:
            continue
        view: Callable[..., Any] = pattern.callback
        actions = getattr(view, GUARDED, None)
        assert actions, f"{pattern.name} does not go through shop_view"
        found.append(Route(str(pattern.name), str(pattern.pattern), actions))
    return found


def things_of(connection: Any, shop: ShopSettings) -> dict[str, Any]:
    """One existing thing of every kind that addresses name, of this shop."""

    def one(query: str) -> tuple[Any, ...]:
        row = connection.execute(query, [shop.id]).fetchone()
        assert row is not None
        return tuple(row)

    cart = one("SELECT bucket, id FROM carts WHERE shop_id = %s AND shopper_id IS NOT NULL ORDER BY id LIMIT 1")
    reply = cart[1]
    connection.execute(
        "INSERT INTO replies (bucket, id, shop_id, channel, address_hash, text, verdict, at)"
        " VALUES (%s, %s, %s, 'sms', '', 'stop?', 'review', '2026-03-02T09:00:00Z') ON CONFLICT DO NOTHING",
        [cart[0], reply, shop.id],
    )
    connection.execute(
        "INSERT INTO privacy_requests (bucket, id, shop_id, kind, state, source, regions, subjects, customer_key, note,"
        " received_at, due_at, escalate_at) VALUES (%s, %s, %s, 'access', 'received', 'dashboard', '', '[]', '', '',"
        " '2026-03-02T09:00:00Z', '2026-04-01T09:00:00Z', '2026-03-22T09:00:00Z') ON CONFLICT DO NOTHING",
        [base_bucket(shop), cart[1], shop.id],
    )
    connection.execute(
        "INSERT INTO subject_exports (bucket, id, shop_id, request_id, state, ordered_at, ordered_by, taken_by, manifest)"
        " VALUES (%s, %s, %s, %s, 'ordered', '2026-03-02T09:00:00Z', '', '', '{}') ON CONFLICT DO NOTHING",
        [base_bucket(shop), cart[1], shop.id, cart[1]],
    )
    (send,) = one("SELECT id FROM sends WHERE shop_id = %s ORDER BY id LIMIT 1")
    (version,) = one(
        "SELECT v.id FROM template_versions v JOIN templates t ON t.id = v.template_id"
        " WHERE t.shop_id = %s AND t.channel = 'email' ORDER BY v.id LIMIT 1"
    )
    (account,) = one(
        "INSERT INTO provider_accounts (shop_id, channel, kind, name, options, secret, position, enabled, paused_reason)"
        " VALUES (%s, 'email', 'smtp', 'mail', '{\"host\": \"mail.example.com\"}', '', 0, true, '') RETURNING id"
    )
    (person,) = one("SELECT person_id FROM memberships WHERE shop_id = %s AND role = 'viewer' LIMIT 1")
    return {
        "key": FLOW_KEY,
        "kind": "smtp",
        "account_id": account,
        "bucket": cart[0],
        "cart_id": cart[1],
        "send_id": send,
        "reply_id": reply,
        "request_id": cart[1],
        "export_id": cart[1],
        "version_id": version,
        "person_id": person,
        "region": "DE",
        "channel": "email",
    }
