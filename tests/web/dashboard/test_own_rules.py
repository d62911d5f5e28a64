"""Can rules be read by region, changed with a look at what that means, and loosened by an owner with a reason only?"""

from __future__ import annotations

import pytest
from django.test import Client

from rekindle.store.shops import load_shop
from tests.web.world import World

OWNER, MARKETER, VIEWER = "owner@fernweh.example", "marketer@fernweh.example", "viewer@fernweh.example"
GERMANY = "law/rules/DE/sms/"
AS_SHIPPED = {
    "own-basis": ["express"], "own-double_opt_in": "on", "own-max_per_cart": "1", "own-trigger_max_age_hours": "48",
    "own-has_hours": "on", "own-mon_fri": "9-20", "own-sat": "10:00-18:00", "own-sun": "closed", "own-holidays": "",
    "own-track_open": "on", "own-track_click": "on",
}  # fmt: skip


def post(client: Client, world: World, path: str = GERMANY, **changes: object) -> tuple[int, str]:
    fields = {name.replace("own_", "own-", 1): value for name, value in changes.items()}
    data = {name: value for name, value in {**AS_SHIPPED, **fields}.items() if value is not None}
    answer = client.post(world.path(path), data, follow=True)
    return answer.status_code, answer.text


def own_rules(world: World) -> object:
    shop = load_shop(world.connection, world.shop.id)
    assert shop is not None
    return shop.own_rules


def test_rules_are_read_by_everybody(world: World) -> None:
    client = world.as_(VIEWER)
    page = client.get(world.path("law/rules/?channel=sms")).text
    assert "Mon-Fri 8:30-20:00" in page
    assert "The pack holds as it ships" in page
    assert "disabled" in client.get(world.path(GERMANY)).text
    assert post(client, world)[0] == 403
    for bad in ("law/rules/?channel=fax", "law/rules/XX/sms/", "law/rules/DE/fax/"):
        assert client.get(world.path(bad)).status_code == 404


def test_the_form_as_it_is_changes_nothing(world: World) -> None:
    status, page = post(world.as_(MARKETER), world)
    assert (status, "Nothing would change" in page) == (200, True)
    assert own_rules(world) is None


def test_tightening_is_looked_at_and_then_holds(world: World) -> None:
    client = world.as_(MARKETER)
    status, page = post(client, world, own_sat="closed")
    assert status == 200
    assert "This would change" in page
    assert "looser" not in page
    assert own_rules(world) is None
    status, page = post(client, world, own_sat="closed", confirmed="yes", reason="Nobody on Saturdays")
    assert "Nobody on Saturdays" in page
    assert own_rules(world) == {"regions": {"DE": {"sms": {"window": {"mon_fri": [9, 20], "sat": [], "sun": [], "holidays": []}}}}}  # fmt: skip
    assert "1 of your own" in client.get(world.path("law/rules/?channel=sms")).text


def test_loosening_needs_the_owner_and_a_reason(world: World) -> None:
    looser = {"own_sun": "12-14", "confirmed": "yes"}
    status, page = post(world.as_(MARKETER), world, **looser, reason="Our counsel said on 3 March that it may be")
    assert (status, "only an owner" in page) == (422, True)
    owner = world.as_(OWNER)
    status, page = post(owner, world, own_sun="12-14")
    assert "looser than the pack" in page
    status, page = post(owner, world, **looser, reason="why not")
    assert (status, "a reason of at least" in page) == (422, True)
    assert own_rules(world) is None
    status, page = post(owner, world, **looser, reason="<b>Our counsel</b> said on 3 March that it may be")
    assert "&lt;b&gt;Our counsel" in page
    assert own_rules(world) is not None
    assert "looser" in owner.get(world.path("law/rules/?channel=sms")).text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("own_mon_fri", "early"), ("own_mon_fri", "20-9"), ("own_mon_fri", "9:03-20"), ("own_mon_fri", "9-25"),
        ("own_max_per_cart", "-1"), ("own_max_per_cart", "101"), ("own_trigger_max_age_hours", "nan"),
        ("own_trigger_max_age_hours", "1e999"), ("own_basis", "magic"), ("own_basis", None), ("own_identity", "shoe_size"),
    ],
)  # fmt: skip
def test_bad_rules_are_told_apart(world: World, field: str, value: str | None) -> None:
    status, page = post(world.as_(OWNER), world, **{field: value})
    assert status == 422
    assert "Nothing was saved" in page
    assert own_rules(world) is None
