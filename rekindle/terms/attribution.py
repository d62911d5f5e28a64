"""Which rules may give an order to a send? Their names, as they are stored with each attribution."""

from __future__ import annotations

from typing import Final

#: The last send whose link was followed within the shop's window before the order.
LAST_CLICK: Final = "last_click"
