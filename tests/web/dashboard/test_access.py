"""Can anybody see or change a shop that is not theirs? Every route of the URL map, every method (check S-01)."""

from __future__ import annotations

import pytest
from django.test import Client

from rekindle.terms.role import Action, Role, may
from tests.web.dashboard.routes import OPEN_ROUTES, Route, shop_routes, things_of
from tests.web.seed import Seeded, seed_shop
from tests.web.world import World

ROUTES = shop_routes()
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
NO_SUCH = "no-such-shop"


def ids(route: Route) -> str:
    return route.name


@pytest.fixture
def both(world: World, seeded: Seeded) -> World:
    """Both shops have a past, so that a leak would have something to show."""
    seed_shop(world.connection, world.context, world.other, *flow_of(world), cart_count=40, seed=3)
    world.connection.execute(
        "INSERT INTO memberships (person_id, shop_id, role) SELECT person_id, %s, 'viewer' FROM memberships m"
        " JOIN auth_user p ON p.id = m.person_id WHERE p.username = 'marketer@fernweh.example'",
        [world.other.id],
    )
    return world


def flow_of(world: World) -> tuple[tuple[int, int], tuple[int, int, int]]:
    row = world.connection.execute(
        "SELECT id, active_version_id FROM flows WHERE shop_id = %s", [world.other.id]
    ).fetchone()
    assert row is not None
    versions = [
        found[0]
        for found in world.connection.execute(
            "SELECT published_version_id FROM templates WHERE shop_id = %s ORDER BY key", [world.other.id]
        )
    ]
    return (row[0], row[1]), (versions[0], versions[1], versions[2])


def test_a_stranger_gets_404_on_every_route_and_method(both: World) -> None:
    things = things_of(both.connection, both.other)
    client = both.as_("viewer@fernweh.example")
    before = fingerprint(both)
    for route in ROUTES:
        path = route.path(both.other, things)
        for method in METHODS:
            answer = getattr(client, method)(path)
            assert answer.status_code == 404, f"{method} {path}"
            missing = getattr(client, method)(path.replace(both.other.slug, NO_SUCH, 1))
            assert normal(answer.content, path) == normal(missing.content, path.replace(both.other.slug, NO_SUCH, 1))
    assert fingerprint(both) == before


@pytest.mark.parametrize("world", [1, 1024], indirect=True, ids=["apart", "same bucket"])
def test_things_of_another_shop_do_not_exist_in_ones_own(both: World) -> None:
    """The slug is one's own, the id is somebody else's."""
    (stranger,) = both.connection.execute(
        "SELECT person_id FROM memberships WHERE shop_id = %s AND role = 'owner' AND person_id NOT IN"
        " (SELECT person_id FROM memberships WHERE shop_id = %s)",
        [both.other.id, both.shop.id],
    ).fetchone() or (0,)
    theirs = things_of(both.connection, both.other) | {"key": "no-such-flow", "person_id": stranger, "kind": "pigeon"}
    theirs["region"] = "NOWHERE"  # regions belong to nobody
    client = both.as_("owner@fernweh.example")
    before = fingerprint(both)
    for route in ROUTES:
        if route.pattern.count("<") == 1:
            continue  # names nothing but the shop
        for method in ("get", "post"):
            answer = getattr(client, method)(route.path(both.shop, theirs), {"choice": "give_up", "remove": "yes"})
            wanted = {404} if method.upper() in route.actions else {405}
            if route.name == "change_person":
                wanted = {422, 405}  # answers with the settings page and a sentence
            assert answer.status_code in wanted, f"{method} {route.name}"
    assert fingerprint(both) == before


def test_nobody_who_is_not_signed_in_gets_anywhere(both: World) -> None:
    things = things_of(both.connection, both.shop)
    client = Client(HTTP_HOST="127.0.0.1")
    for route in ROUTES:
        path = route.path(both.shop, things)
        for method in ("get", "post"):
            answer = getattr(client, method)(path)
            assert answer.status_code == 302, f"{method} {path}"
            assert answer.headers["Location"].startswith("/login?")
    part = client.get(both.path("carts/"), HTTP_HX_REQUEST="true")
    assert (part.status_code, part.headers["HX-Redirect"]) == (401, "/login?next=%2F")
    assert not part.content


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_do_exactly_what_the_table_says(both: World, role: Role) -> None:
    things = things_of(both.connection, both.shop)
    client = both.as_(f"{role.value}@fernweh.example")
    for route in ROUTES:
        for method, action in route.actions.items():
            if method == "POST" and may(role, action):
                continue  # what an allowed change does is another test's matter
            answer = getattr(client, method.lower())(route.path(both.shop, things))
            wanted = 200 if may(role, action) else 403
            assert answer.status_code == wanted, f"{role} {method} {route.name}"


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.OWNER, set(Action)),
        (
            Role.MARKETER,
            {
                Action.READ,
                Action.REVEAL_ADDRESS,
                Action.PAUSE_SENDING,
                Action.SWITCH_FLOW,
                Action.SETTLE_SEND,
                Action.TIGHTEN_LAW,
            },
        ),
        (Role.VIEWER, {Action.READ}),
    ],
)
def test_the_table_of_roles(role: Role, allowed: set[Action]) -> None:
    assert {action for action in Action if may(role, action)} == allowed


def test_reading_is_get_and_changing_is_post() -> None:
    """A link that is followed or prefetched changes nothing."""
    for route in ROUTES:
        for method, action in route.actions.items():
            looks = method in {"GET", "HEAD"}
            assert action in {Action.READ, Action.READ_LOG} if looks else action is not Action.READ, route.name


def test_every_change_needs_its_token(both: World) -> None:
    things = things_of(both.connection, both.shop)
    client = Client(HTTP_HOST="127.0.0.1", enforce_csrf_checks=True)
    client.cookies = both.as_("owner@fernweh.example").cookies
    before = fingerprint(both)
    for route in ROUTES:
        if "POST" in route.actions:
            assert client.post(route.path(both.shop, things)).status_code == 403, route.name
    assert fingerprint(both) == before


def test_no_page_is_kept_by_anybody(both: World) -> None:
    things = things_of(both.connection, both.shop)
    client = both.as_("owner@fernweh.example")
    for route in ROUTES:
        if "GET" in route.actions:
            answer = client.get(route.path(both.shop, things))
            assert answer.headers["Cache-Control"] == "no-store", route.name
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"] or route.name == "preview"
            assert "<script>" not in answer.text


def test_a_person_with_several_shops_switches_between_them(both: World) -> None:
    client = both.as_("both@kaffee.example")
    text = client.get(both.path(shop=both.other)).text
    assert f'href="/shops/{both.shop.slug}/"' in text
    assert client.get("/").headers["Location"] == f"/shops/{both.shop.slug}/"  # by name: Fernweh before Kaffee
    assert client.get(both.path()).status_code == 200


def test_the_only_open_routes_are_the_known_ones() -> None:
    assert {"home", "sign_in", "sign_out"} == OPEN_ROUTES


def normal(content: bytes, path: str) -> bytes:
    """An answer without what it repeats of the request."""
    return content.replace(path.encode(), b"").replace(path.lstrip("/").encode(), b"")


def fingerprint(world: World) -> list[tuple[object, ...]]:
    """Everything a stranger could have changed."""
    tables = ("shops", "memberships", "flows", "provider_accounts", "outbox", "send_events", "carts", "auth_user")
    return [
        tuple(row)
        for table in tables
        for row in world.connection.execute(
            f"SELECT '{table}', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
        ).fetchall()
    ]
