"""How often does a worker look for garbage? Seldom: its batches are freed by counting references."""

from __future__ import annotations

import gc


def spare_the_collector() -> None:
    """Tell the garbage collector that batches make many objects and no cycles: it cost a tenth of noticing a cart."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
