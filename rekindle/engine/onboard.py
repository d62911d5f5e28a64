"""How does a shop begin? With settings, e-mails in its language, a flow that is switched on, and one that is not.

The default flow writes 4, 24 and 72 hours after a cart was left, not sooner: in two randomised field experiments a
reminder within the first hour lowered purchases against no message at all, one after a day or more raised them (Li,
Luo, Lu, Moriguchi, Journal of Marketing 85(4), 2021). That early messages look best in vendors' figures is what
attribution makes of shoppers who would have come back by themselves.

The flow for visits that only looked waits switched off until a person decides: nothing was chosen on such a visit, and
in many places writing about it needs more consent than writing about a cart does.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rekindle.engine.context import Context
from rekindle.engine.flows import activate_flow, save_flow
from rekindle.engine.memberships import Added, add_to_shop
from rekindle.engine.templates import save_email_template, save_push_template
from rekindle.lib.addresses import AddressError, normalise_email
from rekindle.lib.money import MoneyError, parse_currency
from rekindle.render.defaults import default_email, default_mjml, default_push, default_visit_email, default_visit_mjml
from rekindle.render.email import EmailTemplate
from rekindle.store.database import Connection
from rekindle.store.new_shop import SETTABLE, insert_shop
from rekindle.store.shops import load_shop
from rekindle.terms.cart import Stage
from rekindle.terms.flow import Flow, Message, Reentry, Step, Trigger, Wait
from rekindle.terms.role import Role
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

FLOW_KEY = "cart-recovery"
DEFAULT_WAITS_S = (4 * 3_600, 24 * 3_600, 72 * 3_600)
BROWSE_FLOW_KEY, VISIT_TEMPLATE_KEY = "browse-reminder", "visit-reminder"
PUSH_TEMPLATE_KEY = "cart-push"
#: One message a day after the visit, at most one a week: a visit says less than a cart, so it asks for less attention.
BROWSE_WAIT_S, BROWSE_GAP_S = 24 * 3_600, 7 * 86_400
#: Below the cart flow's: a shopper with a cart is written to about the cart.
BROWSE_PRIORITY = -10
MIN_IDLE_S = 10
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_WEB = re.compile(r"https?://[^\s/]+(?:/\S*)?")


class ShopRefusedError(ValueError):
    """A shop cannot be made like this; the text says which setting and why."""


def create_shop(
    connection: Connection,
    context: Context,
    *,
    slug: str,
    name: str,
    write_key: str | None = None,
    waits_s: Sequence[int] = DEFAULT_WAITS_S,
    by: str = "",
    **settings: object,
) -> ShopSettings:
    """Make a shop with default templates and the default flow, running from now on.

    ``settings``: fields of ShopSettings. ``waits_s``: seconds after the abandonment at which each of the flow's
    messages is due (up to three differ in their text). One transaction. Raises ShopRefusedError.
    """
    values = _checked({"slug": slug, "name": name, **settings})
    with connection.transaction():
        key = write_key or secrets.token_urlsafe(18)  # 144 bits: public on the shop's pages, but not to be guessed
        shop_id = insert_shop(connection, values, write_key=key, at=context.clock.now())
        shop = load_shop(connection, shop_id) if shop_id is not None else None
        if shop is None:
            raise ShopRefusedError(f"slug: there is already a shop {slug}, or its write key is taken")
        give_defaults(connection, context, shop, waits_s=waits_s, by=by)
    return shop


def create_person(
    connection: Connection, context: Context, *, shop: ShopSettings, account: str, password: str, role: Role
) -> Added:
    """Give a person a role in a shop; the account is made when there is none. Raises MembershipError."""
    return add_to_shop(connection, context, shop_id=shop.id, account=account, role=role, by=None, password=password)


def give_defaults(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    waits_s: Sequence[int] = DEFAULT_WAITS_S,
    by: str = "",
) -> None:
    """The default templates in the shop's language, the default flow, switched on, and the one for visits, off."""

    def save(key: str, name: str, email: EmailTemplate, source: str) -> None:
        save_email_template(
            connection,
            context,
            shop,
            key=key,
            name=name,
            subject=email.subject,
            preheader=email.preheader,
            source=source,
            text=email.text,
            by=by,
        )

    for number in range(1, len(waits_s) + 1):
        email, source = default_email(number, shop.locale), default_mjml(number, shop.locale)
        save(template_key(number), f"Cart reminder {number}", email, source)
    save_push_template(
        connection,
        context,
        shop,
        key=PUSH_TEMPLATE_KEY,
        name="Cart reminder",
        template=default_push(shop.locale),
        by=by,
    )
    save(VISIT_TEMPLATE_KEY, "Browse reminder", default_visit_email(shop.locale), default_visit_mjml(shop.locale))
    save_flow(connection, context, shop, key=FLOW_KEY, name="Cart recovery", definition=default_flow(waits_s), by=by)
    activate_flow(connection, context, shop, FLOW_KEY, by=by)
    save_flow(
        connection,
        context,
        shop,
        key=BROWSE_FLOW_KEY,
        name="Browse reminder",
        definition=default_browse_flow(),
        priority=BROWSE_PRIORITY,
        by=by,
    )


def default_flow(waits_s: Sequence[int] = DEFAULT_WAITS_S) -> Flow:
    """Wait and write, once for each delay since the abandonment: by e-mail, and to whom there is only a browser or an
    app, there."""
    steps: list[Step] = []
    for number, delay_s in enumerate(waits_s, start=1):
        steps.append(Wait(id=f"wait-{number}", delay_s=delay_s))
        steps.append(
            Message(
                id=f"reminder-{number}",
                template=template_key(number),
                channels=(Channel.EMAIL, Channel.PUSH),
                templates={Channel.PUSH: PUSH_TEMPLATE_KEY},
            )
        )
    return Flow(trigger=Trigger(kinds=(Stage.CART, Stage.CHECKOUT, Stage.PAYMENT)), steps=tuple(steps))


def default_browse_flow() -> Flow:
    """One message about a visit that looked at products and put nothing into a cart."""
    return Flow(
        trigger=Trigger(kinds=(Stage.BROWSE,)),
        steps=(Wait(id="wait", delay_s=BROWSE_WAIT_S), Message(id="reminder", template=VISIT_TEMPLATE_KEY)),
        reentry=Reentry(shopper_gap_s=BROWSE_GAP_S),
    )


def template_key(number: int) -> str:
    return f"cart-reminder-{number}"


def _checked(values: dict[str, object]) -> dict[str, object]:
    """The settings, with the currency in capitals. Raises ShopRefusedError for the first that cannot be."""
    unknown = sorted(values.keys() - SETTABLE)
    if unknown:
        raise ShopRefusedError(f"{unknown[0]}: there is no such setting")
    _check_names(values)
    _check_numbers(values)
    for name in ("url", "restore_url", "logo_url"):
        if values.get(name) and not _WEB.fullmatch(str(values[name])):
            raise ShopRefusedError(f"{name}: must be an address such as https://shop.example")
    for name in ("sender_email", "reply_to", "support_email"):
        if values.get(name):
            try:
                normalise_email(values[name])
            except AddressError as error:
                raise ShopRefusedError(f"{name}: {error}") from None
    try:
        return values | ({"currency": parse_currency(values["currency"])} if "currency" in values else {})
    except MoneyError as error:
        raise ShopRefusedError(f"currency: {error}") from None


def _check_names(values: dict[str, object]) -> None:
    if not _SLUG.fullmatch(str(values["slug"])):
        raise ShopRefusedError("slug: 1 to 50 of a-z, 0-9 and -, beginning and ending with a letter or digit")
    if not 1 <= len(str(values["name"]).strip()) <= 120:
        raise ShopRefusedError("name: 1 to 120 characters")
    if "brand_color" in values and not _COLOR.fullmatch(str(values["brand_color"])):
        raise ShopRefusedError("brand_color: must look like #2f6f4f")
    if "timezone" in values:
        try:
            ZoneInfo(str(values["timezone"]))
        except (ValueError, KeyError, OSError):
            raise ShopRefusedError("timezone: must be a name such as Europe/Berlin") from None


#: Setting -> lowest and highest value.
_BOUNDS: dict[str, tuple[float, float]] = {
    "spread": (1, 1024),
    "cart_idle_s": (MIN_IDLE_S, 30 * 86_400),
    "checkout_idle_s": (MIN_IDLE_S, 30 * 86_400),
    "browse_idle_s": (MIN_IDLE_S, 30 * 86_400),
    "lost_after_days": (1, 365),
    "max_cart_age_days": (1, 365),
    "holdout_rate": (0, 0.9),
    "attribution_click_days": (0, 90),
}


def _check_numbers(values: dict[str, object]) -> None:
    for name, (low, high) in _BOUNDS.items():
        value = values.get(name, low)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ShopRefusedError(f"{name}: must be a number from {low:g} to {high:g}")
