"""Does the main job work, end to end, with real parts? One cart is left behind and comes back; every step is checked.

Told by ``rekindle demo --once``: the shop's pages, the events over HTTP, the worker's own clock, SMTP, the link, the
order and the dashboard's numbers. The first thing that is not as it should be ends the story with a StoryError.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.lib.money import to_major
from rekindle.simulate.dashboard_visitor import DashboardVisitor
from rekindle.simulate.inbox.inbox import Inbox
from rekindle.simulate.inbox.received import ReceivedMail
from rekindle.simulate.scripted_shopper import ScriptedShopper, StoryError
from rekindle.simulate.storefront.serve import RunningShop
from rekindle.terms.shop import ShopSettings

NAME = "Ada Lovelace"
PRODUCTS = ("tent-firnlicht", "backpack-talweg")
MAIL_PATIENCE_S = 120.0
PAGE_PATIENCE_S = 30.0
#: As the dashboard calls them, newest first: the cart that the link filled in another browser, and the one left behind.
STATES = ["Ordered", "Recovered"]


@dataclass
class Story:
    """The parts of one telling. ``say`` is given (seconds of the step, sentence)."""

    shop: ShopSettings
    write_key: str
    rekindle_url: str
    storefront: RunningShop
    inbox: Inbox
    account: str
    password: str
    say: Callable[[float, str], None]
    email: str = "ada@shopper.example"
    _shopper: ScriptedShopper = field(init=False)

    def __post_init__(self) -> None:
        self._shopper = ScriptedShopper(
            shop_url=self.storefront.url,
            rekindle_url=self.rekindle_url,
            write_key=self.write_key,
            email=self.email,
            clock=SYSTEM_CLOCK,
        )

    def tell(self, *, wait_after_order_s: float) -> None:
        """Tell it. ``wait_after_order_s``: how long to listen for a message that must not come. Raises StoryError."""
        with self._step() as done:
            lines = self._shopper.fill_cart(*PRODUCTS)
            self._shopper.leave_address(name=NAME)
            done(f"{NAME} put {lines} things into the cart, left an address at the checkout, and walked away")
        with self._step() as done:
            mail = self._first_mail()
            done(f'the cart was noticed, and "{mail.subject}" reached the inbox over SMTP')
        with self._step() as done:
            count, target = self._shopper.open_link(self._recovery_link(mail))
            if count != len(PRODUCTS):
                raise StoryError(f"the link brought back {count} of {len(PRODUCTS)} things")
            done(f"the link led to {target.split('?')[0]} and brought the {count} things back in another browser")
        with self._step() as done:
            order_id = self._shopper.buy(name=NAME)
            done(f"order {order_id} was placed and reported by the shop's server")
        with self._step() as done:
            self._silence_after_order(wait_after_order_s)
            done("the flow stopped: nothing more was written")
        with self._step() as done:
            done("the dashboard says the same: " + self._numbers(order_id))

    @contextmanager
    def _step(self) -> Iterator[Callable[[str], None]]:
        began = time.monotonic()
        yield lambda sentence: self.say(time.monotonic() - began, sentence)

    def _first_mail(self) -> ReceivedMail:
        try:
            mail = self._mails(count=1, timeout_s=MAIL_PATIENCE_S)[0]
        except TimeoutError as late:
            raise StoryError(f"no message for the shopper reached the inbox: {late}") from None
        missing = [part for part in ("Firnlicht", "Talweg", "Ada") if part not in mail.html]
        if missing:
            raise StoryError(f"the message does not mention {', '.join(missing)}")
        if not mail.header("List-Unsubscribe"):
            raise StoryError("the message has no way to unsubscribe in its headers")
        return mail

    def _mails(self, *, count: int, timeout_s: float) -> list[ReceivedMail]:
        return self.inbox.wait_for(lambda mail: self.email in mail.recipients, count=count, timeout_s=timeout_s)

    def _recovery_link(self, mail: ReceivedMail) -> str:
        links = [link for link in mail.links if link.startswith(f"{self.rekindle_url}/r/")]
        if not links:
            raise StoryError("the message has no recovery link")
        return links[0]

    def _silence_after_order(self, seconds: float) -> None:
        before = len(self._mails(count=1, timeout_s=0))
        try:
            self._mails(count=before + 1, timeout_s=seconds)
        except TimeoutError:
            return
        raise StoryError("another message came after the order")

    def _numbers(self, order_id: str) -> str:
        """Compare what the dashboard shows with what happened; the sums may lag a few seconds behind."""
        expected_revenue = self._paid(order_id)
        expected_funnel = [1, 1, 1, 1, 1]  # detected, reachable, sent, clicked, ordered: one cart went all the way
        visitor = DashboardVisitor(self.rekindle_url)
        visitor.sign_in(self.account, self.password)
        give_up_at, pause, seen = time.monotonic() + PAGE_PATIENCE_S, threading.Event(), ""
        while time.monotonic() < give_up_at:
            overview = visitor.overview(self.shop.slug)
            seen = f"{overview.revenue} recovered; " + ", ".join(f"{n} {name}" for name, n in overview.funnel.items())
            states = visitor.carts(self.shop.slug)
            seen += "; carts: " + (", ".join(states) or "none")
            digits = "".join(filter(str.isdigit, overview.revenue))
            numbers = (digits, list(overview.funnel.values()), states)
            if numbers == (expected_revenue, expected_funnel, STATES):
                return seen
            pause.wait(0.5)
        raise StoryError(
            f"the dashboard shows {seen}; expected {expected_revenue} cents, one of each, and carts {', '.join(STATES)}"
        )

    def _paid(self, order_id: str) -> str:
        order = next((one for one in self.storefront.app.orders if one.order_id == order_id), None)
        if order is None:
            raise StoryError(f"the shop does not know order {order_id}")
        return "".join(filter(str.isdigit, str(to_major(order.total_cents, order.currency))))
