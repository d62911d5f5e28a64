"""A transaction waits for those who were answered by the last one, and for nobody else."""

from __future__ import annotations

import threading

import pytest

from rekindle.web import crowd as crowds
from rekindle.web.crowd import FEW, STEPS, Crowd


@pytest.mark.parametrize(
    ("size", "here", "coming", "taken", "pauses"),
    [
        (FEW, 1, [5], 1, 0),  # few share so little that nobody is kept waiting
        (20, 20, [5], 20, 0),  # all are back already
        (20, 12, [8, 1], 20, 1),  # goes on as soon as they are
        (20, 3, [4, 0, 9], 7, 2),  # a step without anybody ends it
        (500, 1, [1] * 99, 1 + STEPS, STEPS),  # and after all steps it ends anyway
    ],
)
def test_the_crowd_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, size: int, here: int, coming: list[int], taken: int, pauses: int
) -> None:
    steps: list[float] = []

    def pause(_back: threading.Condition, seconds: float) -> None:
        nonlocal here
        steps.append(seconds)
        here += coming[len(steps) - 1]

    monkeypatch.setattr(crowds, "pause", pause)
    lock = threading.Lock()
    crowd = Crowd(lock)
    crowd.size = size
    with lock:
        crowd.wait(lambda: here)
    assert (here, len(steps)) == (taken, pauses)


def test_the_last_one_to_come_back_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, waits, done = threading.Lock(), threading.Event(), threading.Event()
    crowd, here = Crowd(lock), [1]
    crowd.size = 20

    def pause(back: threading.Condition, _seconds: float) -> None:
        waits.set()
        assert back.wait(30)  # nobody but the twentieth wakes it

    def wait() -> None:
        with lock:
            crowd.wait(lambda: here[0])
        done.set()

    monkeypatch.setattr(crowds, "pause", pause)
    threading.Thread(target=wait, daemon=True).start()
    assert waits.wait(30)
    for count in (2, 19, 20):
        with lock:
            here[0] = count
            crowd.joined(count)
    assert done.wait(30)
