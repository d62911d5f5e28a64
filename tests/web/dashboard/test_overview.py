"""Do the overview's numbers equal what happened?"""

from __future__ import annotations

from tests.web.seed import Seeded
from tests.web.world import World


def test_the_numbers_equal_what_was_put_in(world: World, seeded: Seeded) -> None:
    answer = world.as_("viewer@fernweh.example").get(world.path("?period=90"))
    assert answer.status_code == 200
    shown = answer.context
    print(seeded.counted, shown["carts"], shown["sends"], [(s.label, s.n) for s in shown["funnel"]])
