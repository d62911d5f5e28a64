"""Care after a collision is short, and grows with each one that follows soon."""

from __future__ import annotations

from rekindle.engine.collisions import CARE_S, MOST_CARE_S, Collisions


def test_care_grows_with_each_collision_that_follows_soon() -> None:
    now = 1_000.0
    met = Collisions(lambda: now)
    spans = []
    for _ in range(8):
        assert met.is_calm(1)
        met.note(1)
        began = now
        while not met.is_calm(1):
            assert met.is_calm(2)
            now += 0.05
        spans.append(round(now - began, 1))
    assert spans == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, MOST_CARE_S, MOST_CARE_S]
    now += 101 * MOST_CARE_S
    met.note(1)
    now += CARE_S + 0.01
    assert met.is_calm(1)
