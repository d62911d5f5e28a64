"""What is known about the claimed sends of a batch? Three reads for the whole batch, then one set of facts per send.

Called by ``engine.deliver`` between the claim and the decision. A row that is not found becomes None, never a default.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from rekindle.engine.device_kinds import MAX_DEVICES, kinds_of
from rekindle.engine.law import Law, laws
from rekindle.lib.addresses import is_role_account
from rekindle.lib.ids import floor_id
from rekindle.providers.base import Device
from rekindle.store import outbox
from rekindle.store.async_connection import AsyncConnection
from rekindle.store.devices import devices_to_reach
from rekindle.store.outbox import CartRow, Claimed, HistoryRow, SendRow
from rekindle.terms.cart import BEFORE_CHECKOUT, CartState, Stage
from rekindle.terms.consent import ConsentKind, ConsentMarks, ConsentState
from rekindle.terms.limits import HOUSE_LIMITS
from rekindle.terms.preferences import Topic, parse_preferences
from rekindle.terms.send import Arm, Channel, EnrolmentState, MessageKind
from rekindle.terms.send_facts import (
    CartFacts,
    ContactFacts,
    EnrolmentFacts,
    PriorSend,
    RouteFacts,
    SendFacts,
    ShopperFacts,
)
from rekindle.terms.shop import ShopSettings

_NO_CART = UUID(int=0)
#: Looking up takes a tenth of what asking the class does; the class says what is wrong with the rest.
_CHANNELS = {one.value: one for one in Channel}
_CART_STATES = {one.value: one for one in CartState}
_ENROLMENT_STATES = {one.value: one for one in EnrolmentState}
_ARMS = {one.value: one for one in Arm}
_KINDS = {one.value: one for one in MessageKind}
_CONSENTS = {one.value: one for one in ConsentKind}
_NO_LAW = Law(None, HOUSE_LIMITS)


class Candidate(msgspec.Struct, frozen=True):
    """A claimed send with what was found about it; None where a row is missing. ``cart``: the row with its columns.

    ``devices``: where a push message can go, those that were seen last first.
    """

    held: Claimed
    row: SendRow | None
    cart: SendRow | CartRow | None
    shop: ShopSettings | None
    history: tuple[PriorSend, ...]
    devices: tuple[Device, ...] = ()

    @property
    def kinds(self) -> frozenset[str] | None:
        """The kinds of accounts that reach any of its devices; None for a message to an address."""
        return kinds_of(self.devices) if self.held.channel == Channel.PUSH.value else None


async def read_candidates(
    link: AsyncConnection, bucket: int, claimed: Sequence[Claimed], shops: Mapping[int, ShopSettings], now: datetime
) -> list[Candidate]:
    """Read everything about a batch. History reaches back as far as any cap of its shops looks."""
    days = max([8, *(shops[row.shop_id].max_cart_age_days + 2 for row in claimed if row.shop_id in shops)])
    since = now - timedelta(days=days)
    found, earlier = await outbox.read_facts(link, bucket, claimed, since=since, since_id=floor_id(since))
    rows = {row.id.int: row for row in found}  # a number's hash is quick, that of an id is not
    away = [row for row in found if row.cart_bucket != bucket]
    carts: dict[UUID, CartRow] = {}
    if away:
        buckets = sorted({row.cart_bucket for row in away})
        carts = {cart.id: cart for cart in await outbox.read_carts(link, buckets, [row.cart_id for row in away])}
    history: dict[int, list[PriorSend]] = defaultdict(list)
    for one in earlier:
        history[one.shopper_id.int].append(_prior(one))
    devices = await _devices(link, bucket, claimed)
    return [
        Candidate(
            held,
            row := rows.get(held.id.int),
            _cart_columns(row, carts),
            shops.get(held.shop_id),
            tuple(history.get(held.shopper_id.int, ())),
            tuple(devices.get(held.shopper_id, ())) if held.channel == Channel.PUSH.value else (),
        )
        for held in claimed
    ]


async def _devices(link: AsyncConnection, bucket: int, claimed: Sequence[Claimed]) -> dict[UUID, list[Device]]:
    """By shopper, for those of the batch who get a push message."""
    asked = list({held.shopper_id for held in claimed if held.channel == Channel.PUSH.value})
    found: dict[UUID, list[Device]] = defaultdict(list)
    if asked:
        for row in await devices_to_reach(link, bucket, asked, MAX_DEVICES):
            device = Device(id=str(row.id), address=row.address, public_key=row.public_key, auth=row.auth)
            found[row.shopper_id].append(device)
    return found


def facts_of(
    candidate: Candidate, *, missing: tuple[str, ...] | None, route: RouteFacts | None, now: datetime
) -> SendFacts:
    """The facts of one send. Raises ValueError when a stored value means nothing (the caller denies)."""
    held, row, shop = candidate.held, candidate.row, candidate.shop
    channel = _CHANNELS.get(held.channel) or Channel(held.channel)
    law = law_of(candidate, channel)
    return SendFacts(
        now=now,
        channel=channel,
        kind=_KINDS.get(row.kind) or MessageKind(row.kind) if row else MessageKind.REMINDER,
        cart_id=row.cart_id if row else _NO_CART,
        enrolment_id=held.enrolment_id,
        planned_at=row.planned_at if row else held.send_at,
        limits=law.limits,
        rules=law.rules,
        holidays=law.holidays(now),
        max_cart_age_days=shop.max_cart_age_days if shop else 0,
        cart=_cart(candidate.cart),
        enrolment=_enrolment(row),
        shopper=_shopper(row, shop),
        contact=_contact(candidate),
        suppressed=row.suppressed if row else None,
        history=candidate.history,
        missing=missing,
        identity=identity_of(shop) if shop else frozenset(),
        route=route,
    )


def _prior(row: HistoryRow) -> PriorSend:
    return PriorSend(
        channel=_CHANNELS.get(row.channel) or Channel(row.channel),
        cart_id=row.cart_id,
        enrolment_id=row.enrolment_id,
        planned_at=row.planned_at,
        at=row.at,
    )


def law_of(candidate: Candidate, channel: Channel) -> Law:
    """What the law and the shop's limits say; no rules where the shop or the shopper is not known."""
    row, shop = candidate.row, candidate.shop
    if row is None or shop is None or row.country is None or row.region is None:
        return _NO_LAW
    phone = row.address if channel is Channel.SMS else None
    return laws().of(shop, channel, country=row.country, state=row.region, phone=phone)


def _cart_columns(row: SendRow | None, carts: Mapping[UUID, CartRow]) -> SendRow | CartRow | None:
    """Where the cart's columns are: beside the send, or read from another bucket."""
    if row is None or row.cart_state is not None:
        return row
    return carts.get(row.cart_id)


def _cart(found: SendRow | CartRow | None) -> CartFacts | None:
    if found is None or found.cart_state is None or found.touched_at is None:
        return None
    return CartFacts(
        state=_CART_STATES.get(found.cart_state) or CartState(found.cart_state),
        touched_at=found.touched_at,
        ordered=bool(found.ordered),
        has_checkout=found.cart_stage not in BEFORE_CHECKOUT,
        topic=topic_of(found.cart_stage),
    )


def _enrolment(row: SendRow | None) -> EnrolmentFacts | None:
    if row is None or row.enrolment_state is None or row.arm is None or row.abandoned_at is None:
        return None
    return EnrolmentFacts(
        state=_ENROLMENT_STATES.get(row.enrolment_state) or EnrolmentState(row.enrolment_state),
        arm=_ARMS.get(row.arm) or Arm(row.arm),
        abandoned_at=row.abandoned_at,
        exit_reason=row.exit_reason,
    )


def _shopper(row: SendRow | None, shop: ShopSettings | None) -> ShopperFacts | None:
    if row is None or shop is None or row.order_count is None:
        return None
    zones = plausible_zones(row, shop)
    return ShopperFacts(
        last_order_at=row.last_order_at,
        opted_out_at=row.opted_out_at,
        erased_at=row.erased_at,
        zones=zones,
        preferences=parse_preferences(row.preferences),
    )


def topic_of(stage: str | None) -> Topic:
    """What a message about a cart of this stage is about."""
    return Topic.BROWSE if stage == Stage.BROWSE.value else Topic.CART


def identity_of(shop: ShopSettings) -> frozenset[str]:
    """What messages of this shop say of their sender. A no-reply address is no contact."""
    sender = shop.sender_email.strip().lower()
    said = {
        "sender_name": shop.sender_name or shop.name,
        "postal_address": shop.postal_address,
        "contact": shop.reply_to or shop.support_email or ("" if is_role_account(sender) else sender),
    }
    return frozenset(field for field, text in said.items() if text.strip())


def plausible_zones(row: SendRow, shop: ShopSettings) -> tuple[str, ...]:
    """Every time zone in which the shopper may be; the shop's own is always one of them."""
    return tuple(dict.fromkeys([*(row.timezones or ()), shop.timezone]))


def _contact(candidate: Candidate) -> ContactFacts | None:
    """A push message needs any device, not the very one that it was planned for."""
    row = candidate.row
    if row is None or row.address is None:
        return None
    consent = None
    if row.consent is not None and row.consent_at is not None:
        kind = _CONSENTS.get(row.consent) or ConsentKind(row.consent)
        marks = ConsentMarks(bool(row.consent_confirmed), bool(row.consent_written), bool(row.consent_names_carts))
        consent = ConsentState(kind=kind, at=row.consent_at, wording=row.consent_wording or "", marks=marks)
    has_address = bool(candidate.devices) if candidate.kinds is not None else bool(row.address)
    is_role = candidate.held.channel == Channel.EMAIL.value and is_role_account(row.address)
    return ContactFacts(has_address=has_address, is_role=is_role, consent=consent)
