"""Does every page of the dashboard show itself whole, without an error, in both colours, on a desk and in a hand?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.conftest import fits
from tests.browser.dashboard.conftest import SignIn
from tests.web.seed import Seeded
from tests.web.world import World

SHOTS = os.environ.get("REKINDLE_SHOTS")  #: a folder that gets a picture of every page


def pages_of(world: World, seeded: Seeded) -> dict[str, str]:
    story = seeded.story
    return {
        "overview": world.path("?period=90"),
        "carts": world.path("carts/"),
        "cart": world.path(f"carts/{story['bucket']}/{story['id']}/"),
        "flow": world.path("flows/?period=90"),
        "sends": world.path("sends/"),
        "settings": world.path("settings/"),
    }


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_and_complains_of_nothing(
    world: World, seeded: Seeded, site: str, sign_in: SignIn, width: int, colours: str
) -> None:
    page = sign_in("owner@fernweh.example", width=width, height=900, colours=colours)
    for name, path in pages_of(world, seeded).items():
        page.goto(f"{site}{path}")
        page.wait_for_load_state("networkidle")
        if SHOTS:
            page.wait_for_timeout(700)
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{colours}.png", full_page=True)
        assert fits(page), f"{name} is wider than {width} px"
