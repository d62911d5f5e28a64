"""What must have happened before an event is acknowledged? Orders, opt-outs, erasures, and consents written down.

The second half of `engine/ingest.py`: everything here is idempotent, and runs in the transaction of the batch, or
before the event's row is written when the shop lies in several buckets.
"""

from __future__ import annotations

from collections.abc import Sequence

from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.double_opt_in import Agreed, ask_if_needed
from rekindle.engine.forget import erase, erase_address
from rekindle.engine.opt_out import opt_out, opt_out_address
from rekindle.engine.places import AddressPlace, Place
from rekindle.engine.project import Projection
from rekindle.engine.purchase import apply_orders
from rekindle.engine.routing import Placed
from rekindle.engine.tracking import Answer, answer_tracking
from rekindle.engine.transactions import Work
from rekindle.engine.wordings import shown_to
from rekindle.store.buckets import address_bucket
from rekindle.store.shoppers import contacts_of_shopper
from rekindle.terms.consent import ConsentKind, Purpose
from rekindle.terms.event import ConsentGiven, EventKind, ShopEvent
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_FINAL = frozenset({EventKind.OPTED_OUT, EventKind.ERASURE_REQUESTED})
_SOURCE, _FROM_SERVER = "event", "shop server"


def record_consents(
    work: Work, context: Context, shop: ShopSettings, projection: Projection, batch: Sequence[Placed]
) -> None:
    """Write down what events say about consent. A no is carried out at once: nothing that waits goes out any more."""
    for p in sorted((p for p in batch if p.event.consents), key=lambda p: (p.event.at, p.id)):
        owner = projection.owner_of(p)
        for said in p.event.consents:
            if said.channel == Purpose.TRACK_CLICKS:
                if owner is not None:
                    answer_tracking(work, context, shop, owner, _answer_of(work, shop, p.event, said))
            elif said.granted:
                for address in _addresses(work, shop, projection, p, Channel(said.channel)):
                    _agree(work, context, shop, (address, owner), event=p.event, said=said)
            elif p.event.kind is not EventKind.OPTED_OUT and owner is not None:
                opt_out(
                    work.connection,
                    context,
                    shop,
                    bucket=owner.bucket,
                    shopper_id=owner.id,
                    channels=[Channel(said.channel)],
                    source=said.source or _SOURCE,
                    wording=said.wording,
                    at=p.event.at,
                    is_suppressing=False,
                )


def apply_now(
    work: Work, context: Context, shop: ShopSettings, projection: Projection, batch: Sequence[Placed]
) -> None:
    """Carry out what promises that nothing is sent any more, in the order of time."""
    orders = [p for p in batch if p.event.order is not None]
    if orders:
        apply_orders(work, context, shop, orders)
    final = [p for p in batch if p.event.kind in _FINAL]
    for p in sorted(final, key=lambda p: (p.event.at, p.id)):
        if p.event.kind is EventKind.OPTED_OUT:
            _opt_out(work, context, shop, projection.owner_of(p), p.event)
        else:
            _erase(work, context, shop, projection.owner_of(p), p.event)


def _agree(
    work: Work,
    context: Context,
    shop: ShopSettings,
    whose: tuple[AddressPlace, Place | None],
    *,
    event: ShopEvent,
    said: ConsentGiven,
) -> None:
    address, owner = whose
    shown = shown_to(work.connection, shop, said, event.at)
    record_consent(
        work.connection,
        context,
        shop,
        bucket=owner.bucket if owner is not None else address.bucket,
        channel=address.channel,
        address_hash=address.hash,
        kind=ConsentKind.EXPRESS,
        wording=shown.text,
        source=said.source or (_FROM_SERVER if event.is_from_server else _SOURCE),
        evidence={**receipt_of(event, said), **shown.facts},
        at=event.at,
        marks=shown.marks,
        is_lifting=not said.source,
    )
    ask_if_needed(work, context, shop, address, Agreed(owner, event, said, shown))


def _answer_of(work: Work, shop: ShopSettings, event: ShopEvent, said: ConsentGiven) -> Answer:
    """What was said about links that are followed, as it is written down."""
    shown = shown_to(work.connection, shop, said, event.at)
    source = said.source or (_FROM_SERVER if event.is_from_server else _SOURCE)
    return Answer(said.granted, shown.text, source, {**receipt_of(event, said), **shown.facts}, event.at)


def receipt_of(event: ShopEvent, said: ConsentGiven) -> dict[str, object]:
    """Where and how it was said, for the ledger; ``claimed`` are marks on the word of the public key alone."""
    told: dict[str, object] = {
        "message": event.message_key,
        "method": said.method,
        "form": said.form,
        "page": said.page,
        "network": said.network,
        "browser": said.browser,
        "claimed": sorted(said.claimed.known()),
    }
    return {name: value for name, value in told.items() if value}


def _addresses(
    work: Work, shop: ShopSettings, projection: Projection, p: Placed, channel: Channel
) -> list[AddressPlace]:
    """The addresses that a consent is about: the event's own, else those of the shopper it is about."""
    told = [place for place in projection.people.addresses_of(p.event) if place.channel is channel]
    owner = projection.owner_of(p)
    if told or owner is None:
        return [] if told and projection.people.is_erased(p.event) else told
    found = contacts_of_shopper(work.connection, owner.bucket, owner.id)
    hashes = [(row, bytes(row.address_hash)) for row in found if row.channel == channel.value and row.address]
    return [AddressPlace(address_bucket(shop, digest), row.id, channel, digest, row.address) for row, digest in hashes]


def _opt_out(work: Work, context: Context, shop: ShopSettings, owner: Place | None, event: ShopEvent) -> None:
    channels = [
        Channel(said.channel) for said in event.consents if said.channel in list(Channel) and not said.granted
    ] or list(Channel)
    wording = next((said.wording for said in event.consents if said.wording), "")
    connection, at = work.connection, event.at
    if owner is not None:
        opt_out(
            connection,
            context,
            shop,
            bucket=owner.bucket,
            shopper_id=owner.id,
            channels=channels,
            source=_SOURCE,
            wording=wording,
            at=at,
        )
    for channel, address in _told(event):
        if channel in channels:
            opt_out_address(
                connection, context, shop, channel=channel, address=address, source=_SOURCE, wording=wording, at=at
            )


def _erase(work: Work, context: Context, shop: ShopSettings, owner: Place | None, event: ShopEvent) -> None:
    if owner is not None:
        erase(work.connection, context, shop, bucket=owner.bucket, shopper_id=owner.id, source=_SOURCE)
    for channel, address in _told(event):
        erase_address(work.connection, context, shop, channel=channel, address=address, source=_SOURCE)


def _told(event: ShopEvent) -> list[tuple[Channel, str]]:
    """The addresses that an event names."""
    device = event.device.address if event.device is not None else None
    named = ((Channel.EMAIL, event.email), (Channel.SMS, event.phone), (Channel.PUSH, device))
    return [(channel, address) for channel, address in named if address is not None]
