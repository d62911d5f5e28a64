"""What does a shop look like after ninety busy days? Made-up but believable carts, sends and orders, always the same.

Used by the dashboard's tests and for its pictures; the numbers it counted itself are in `Seeded.counted`.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rekindle.engine.context import Context
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings
from tests.web.seed_rows import Rows

PICTURES = "https://pictures.fernweh.example"
PRODUCTS = [
    ("tent", "Trail tent for two", 34900), ("pack", "Daypack 24 l, moss", 8990), ("mug", "Enamel mug", 1490),
    ("lamp", "Head lamp 400 lm", 4995), ("boots", "Leather boots Karwendel", 21900), ("socks", "Merino socks, 2 pairs", 2900),
    ("jacket", "Rain jacket Sylt", 17900), ("bottle", "Steel bottle 0.75 l", 2795), ("mat", "Sleeping mat R 3.4", 9900),
    ("bag", "Down sleeping bag -2 °C", 28900), ("stove", "Gas stove, foldable", 5490), ("knife", "Pocket knife, beech", 3900),
    ("poles", "Carbon poles", 11900), ("hat", "Felt hat Allgäu", 4900), ("map", "Map set: the Alps", 3450),
]  # fmt: skip
FIRST = "Ada Jonas Mira Theo Leyla Emil Nora Piotr Ines Karim Sofie Luca Hanna Milan Clara Oskar Yuki Rosa Anton Freya".split()
LAST = "Winter Okafor Brandt Rossi Novak Haddad Lindqvist Moreau Petrov Sato Keller Duarte Schulz Byrne Vogel".split()
STEPS = (("reminder-1", 4), ("reminder-2", 24), ("reminder-3", 72))


@dataclass
class Seeded:
    """The shop and what was put into it. ``story``: one cart that was written to, clicked and bought."""

    shop: ShopSettings
    flow: tuple[int, int]
    counted: Counter[str] = field(default_factory=Counter)
    revenue_cents: int = 0
    story: dict[str, Any] = field(default_factory=dict)
    uncertain: list[dict[str, Any]] = field(default_factory=list)


def seed_shop(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    flow: tuple[int, int],
    versions: tuple[int, int, int],
    *,
    cart_count: int = 320,
    seed: int = 7,
) -> Seeded:
    """Fill a shop whose default flow has the message steps of `STEPS` and these template versions."""
    dice = random.Random(seed)
    rows, seeded, now = Rows(shop, context), Seeded(shop=shop, flow=flow), context.clock.now()
    for number in range(cart_count):
        age = timedelta(days=min(dice.expovariate(1 / 26), 80)) + timedelta(minutes=dice.randrange(1, 1440))
        _one_cart(dice, rows, seeded, versions, number, now - age, now)
    for number in range(6):  # somebody is always at it
        _one_cart(
            dice, rows, seeded, versions, cart_count + number, now - timedelta(minutes=dice.randrange(1, 20)), now
        )
    _one_put_off(rows, seeded, versions, now)
    rows.write(connection)
    return seeded


def _one_put_off(rows: Rows, seeded: Seeded, versions: tuple[int, int, int], now: datetime) -> None:
    """One cart whose first message waits for the morning."""
    at = now - timedelta(hours=6)
    shopper = rows.shopper("Ida", "Falk", "ida.falk@mail.example", at)
    cart = rows.cart(
        "c-night", at, _items(random.Random(1)), touched_at=at, abandoned_at=at + timedelta(minutes=30),
        state="abandoned", check_at=at + timedelta(days=30), shopper_bucket=shopper["bucket"], shopper_id=shopper["id"],
    )  # fmt: skip
    enrolment = rows.enrolment(cart, shopper, seeded.flow)
    due, later = cart["abandoned_at"] + timedelta(hours=4), now + timedelta(hours=2)
    enrolment.update(step=STEPS[1][0], due_at=cart["abandoned_at"] + timedelta(hours=24), step_at=due)
    send = rows.send(enrolment, shopper, STEPS[0][0], due, versions[0])
    rows.outbox(send, "scheduled", later)
    about = {"cart_id": cart["id"], "shopper_id": shopper["id"], "enrolment_id": enrolment["id"]}
    rows.decided(cart["bucket"], cart["abandoned_at"], "abandon", "allow", "ENROLLED", **about)
    rows.decided(
        shopper["bucket"], due, "may_send", "defer", "QUIET_HOURS", **about, send_id=send["id"], step=send["step"],
        retry_at=later, evidence={"zones": ["Europe/Berlin"], "local": "23:40"},
    )  # fmt: skip
    for name in ("detected", "reachable", "entered", "abandoned", "waiting"):
        seeded.counted[name] += 1


def _items(dice: random.Random) -> list[dict[str, Any]]:
    chosen = dice.sample(PRODUCTS, dice.choices([1, 2, 3, 5, 6], [40, 30, 18, 8, 4])[0])
    return [
        {
            "product_key": key, "sku": f"{key}-1", "variant": dice.choice(["", "", "Moss", "M"]), "title": title,
            "unit_cents": cents, "quantity": dice.choices([1, 2, 3], [80, 15, 5])[0], "category": "Outdoor", "brand": "",
            "url": f"https://fernweh.example/p/{key}", "image_url": f"{PICTURES}/{key}.svg",
        }
        for key, title, cents in chosen
    ]  # fmt: skip


def _one_cart(
    dice: random.Random,
    rows: Rows,
    seeded: Seeded,
    versions: tuple[int, int, int],
    number: int,
    at: datetime,
    now: datetime,
) -> None:
    stage = dice.choices(["cart", "checkout", "payment"], [62, 30, 8])[0]
    known = dice.random() < (0.55 if stage == "cart" else 0.9)
    touched = min(at + timedelta(minutes=dice.randrange(1, 35)), now)
    cart = rows.cart(
        f"c-{10_000 + number}", at, _items(dice), stage=stage, touched_at=touched, visitor_key=f"a:v{number}"
    )
    rows.told(cart, "product_added", "Product Added", at)
    rows.told(cart, "checkout_started" if stage != "cart" else "cart_updated", "Cart Updated", touched)
    shopper = None
    if known:
        first, last = dice.choice(FIRST), dice.choice(LAST)
        email = f"{first}.{last}{number}@mail.example".lower()
        shopper = rows.shopper(first, last, email, at)
        cart.update(shopper_bucket=shopper["bucket"], shopper_id=shopper["id"])
    if dice.random() < 0.22 or touched + timedelta(minutes=30) > now:
        _finish_without_us(dice, rows, seeded, cart, shopper, now)
        return
    cart["abandoned_at"] = touched + timedelta(minutes=30)
    cart["state"], cart["check_at"] = "abandoned", touched + timedelta(days=30)
    seeded.counted["detected"] += 1
    if shopper is None:
        rows.decided(cart["bucket"], cart["abandoned_at"], "abandon", "deny", "NO_SHOPPER", cart_id=cart["id"])
        _maybe_lost(seeded, cart, now)
        return
    seeded.counted["reachable"] += 1
    if dice.random() < 0.07:
        rows.decided(
            cart["bucket"], cart["abandoned_at"], "abandon", "deny", "REENTRY_TOO_SOON", cart_id=cart["id"],
            shopper_id=shopper["id"], evidence={"flow": "default", "shopper_gap_s": 86400},
        )  # fmt: skip
        _maybe_lost(seeded, cart, now)
        return
    _run(dice, rows, seeded, versions, cart, shopper, now)


def _finish_without_us(
    dice: random.Random, rows: Rows, seeded: Seeded, cart: dict[str, Any], shopper: dict[str, Any] | None, now: datetime
) -> None:
    ordered_at = cart["touched_at"] + timedelta(minutes=6)
    is_open = cart["touched_at"] + timedelta(minutes=30) > now
    if shopper is not None and not is_open:
        cart.update(state="converted", closed_at=ordered_at, order_key=f"o{cart['cart_key'][2:]}")
        rows.order(cart["order_key"], ordered_at, cart, shopper, cart["total_cents"])
        seeded.counted["converted"] += 1
    else:
        cart["check_at"] = cart["touched_at"] + timedelta(minutes=30)
        if is_open:
            seeded.counted["open"] += 1
        else:
            cart.update(state="emptied", check_at=None, closed_at=cart["touched_at"], items=[], total_cents=0)


def _maybe_lost(seeded: Seeded, cart: dict[str, Any], now: datetime) -> None:
    if cart["check_at"] <= now:
        cart.update(state="lost", closed_at=cart["check_at"], check_at=None)
    else:
        seeded.counted["abandoned"] += 1


def _run(
    dice: random.Random, rows: Rows, seeded: Seeded, versions: tuple[int, int, int], cart: dict[str, Any],
    shopper: dict[str, Any], now: datetime,
) -> None:  # fmt: skip
    start = cart["abandoned_at"]
    about = {"cart_id": cart["id"], "shopper_id": shopper["id"]}
    rows.decided(cart["bucket"], start, "abandon", "allow", "ENROLLED", **about, evidence={"flow": "default"})
    enrolment = rows.enrolment(cart, shopper, seeded.flow)
    about |= {"enrolment_id": enrolment["id"]}
    held = dice.random() < 0.1
    enrolment["arm"] = "holdout" if held else "treated"
    arm = "ASSIGNED_HOLDOUT" if held else "ASSIGNED_TREATED"
    rows.decided(
        shopper["bucket"], start, "assign", "allow", arm, **about, evidence={"probability": 0.1 if held else 0.9}
    )
    seeded.counted["entered"] += 1
    seeded.counted["held_out"] += held
    returns_after = timedelta(hours=dice.expovariate(1 / 30)) if dice.random() < 0.1 else None
    clicked: tuple[dict[str, Any], datetime] | None = None
    handed = False
    for index, (step, hours) in enumerate(STEPS):
        due = start + timedelta(hours=hours)
        if due > now:
            enrolment.update(step=step, due_at=due, step_at=start)
            rows.decided(shopper["bucket"], start, "next_step", "defer", "WAITING", **about, step=step, retry_at=due)
            seeded.counted["abandoned"] += 1
            break
        send = rows.send(enrolment, shopper, step, due, versions[index])
        sent_at = due + timedelta(seconds=dice.randrange(1, 20))
        if _not_sent(dice, rows, seeded, send, about, sent_at, held):
            continue
        handed = True
        rows.decided(shopper["bucket"], sent_at, "may_send", "allow", "ALLOWED", **about, send_id=send["id"], step=step)
        rows.happened(send, "handed_over", sent_at + timedelta(seconds=1))
        seeded.counted["sends"] += 1
        if dice.random() < 0.17 - 0.03 * index:
            click = sent_at + timedelta(minutes=dice.expovariate(1 / 120) + 1)
            if click < now:
                rows.happened(send, "clicked", click)
                rows.happened(send, "restored", click + timedelta(seconds=3))
                seeded.counted["clicked_sends"] += 1
                clicked = (send, click)
        if clicked and dice.random() < 0.45:
            _buy(rows, seeded, cart, shopper, enrolment, clicked, sent_at, now)
            break
        if returns_after is not None and start + returns_after > due:
            continue
    else:
        enrolment.update(state="done", step=None, ended_at=start + timedelta(hours=72, seconds=5))
        _maybe_lost(seeded, cart, now)
    seeded.counted["sent_carts"] += handed
    seeded.counted["clicked_carts"] += clicked is not None


def _not_sent(
    dice: random.Random,
    rows: Rows,
    seeded: Seeded,
    send: dict[str, Any],
    about: dict[str, Any],
    at: datetime,
    held: bool,
) -> bool:
    """Whether this send did not go out; its rows say why."""
    luck = dice.random()
    reason = (
        "HELD_OUT"
        if held
        else "CART_CAP"
        if luck < 0.04
        else "OPTED_OUT"
        if luck < 0.07
        else "QUIET"
        if luck < 0.12
        else ""
    )
    decision = {**about, "send_id": send["id"], "step": send["step"]}
    if reason == "QUIET":  # put off, then sent
        later = at + timedelta(hours=9)
        evidence = {"zones": ["Europe/Berlin"], "local": "23:40"}
        rows.decided(
            send["bucket"], at, "may_send", "defer", "QUIET_HOURS", **decision, retry_at=later, evidence=evidence
        )
        if later > rows.context.clock.now():
            rows.outbox(send, "scheduled", later)
            seeded.counted["waiting"] += 1
            return True
        return False
    if reason:
        rows.decided(send["bucket"], at, "may_send", "deny", reason, **decision)
        rows.happened(send, "skipped", at, reason=reason)
        seeded.counted[f"skipped {reason}"] += 1
        return True
    if luck > 0.985:
        rows.decided(send["bucket"], at, "may_send", "allow", "ALLOWED", **decision)
        rows.happened(send, "failed", at, reason="PROVIDER_REFUSED")
        return True
    if luck > 0.975 and len(seeded.uncertain) < 2:
        rows.decided(send["bucket"], at, "may_send", "allow", "ALLOWED", **decision)
        rows.happened(send, "uncertain", at, reason="CONNECTION_LOST")
        rows.outbox(send, "uncertain", at, uncertain_at=at)
        seeded.uncertain.append(send)
        return True
    return False


def _buy(
    rows: Rows, seeded: Seeded, cart: dict[str, Any], shopper: dict[str, Any], enrolment: dict[str, Any],
    clicked: tuple[dict[str, Any], datetime], sent_at: datetime, now: datetime,
) -> None:  # fmt: skip
    send, click = clicked
    at = min(max(click, sent_at) + timedelta(minutes=12), now - timedelta(seconds=30))
    cart.update(state="recovered", closed_at=at, check_at=None, order_key=f"o{cart['cart_key'][2:]}")
    enrolment.update(state="exited", exit_reason="ORDERED", step=None, ended_at=at)
    order = rows.order(cart["order_key"], at, cart, shopper, cart["total_cents"])
    rows.attribute(order, send, click, "last_click")
    rows.told(cart, "order_completed", "Order Completed", at)
    rows.decided(
        shopper["bucket"], at, "exit", "deny", "ORDERED", cart_id=cart["id"], shopper_id=shopper["id"],
        enrolment_id=enrolment["id"], evidence={"order": cart["order_key"]},
    )  # fmt: skip
    shopper.update(order_count=1, last_order_at=at, spent_cents=cart["total_cents"])
    seeded.counted["recovered"] += 1
    seeded.revenue_cents += cart["total_cents"]
    seeded.story = cart
