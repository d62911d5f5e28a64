"""Who is asked to confirm that they agreed, and what happens when they do?

An address that agreed where a confirmed one is asked for gets one message with a link (a text message can be answered
with yes as well). Looking at the link changes nothing; the button, or the answer, is a row of the ledger with a receipt
of its own. What is confirmed is the sentence in the message: the shop's kept wording, or one of ours, never a text that
only the public key told, for that could be anybody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.law import laws
from rekindle.engine.places import AddressPlace, Place
from rekindle.engine.transactions import Work
from rekindle.engine.wordings import Shown
from rekindle.lib.ids import timed_id
from rekindle.lib.tokens import Purpose, hash_of, new_seed, read_short_token, read_token, same_hash, secret_of
from rekindle.policy import confirmation as rules
from rekindle.policy.confirmation import DoubleOptIn, must_ask
from rekindle.render.confirmation_texts import agreement
from rekindle.store import double_opt_in as store
from rekindle.store.database import Connection
from rekindle.store.links import SendBehindLink, send_behind_link, send_behind_short_link
from rekindle.terms.consent import ConsentKind, ConsentMarks
from rekindle.terms.event import ConsentGiven, ShopEvent
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

SOURCE: Final = "double opt-in"
_UNKNOWN_NETWORK: Final = "unknown"
_NO_SECRET = bytes(32)


class Question(NamedTuple):
    """What an address is asked, as it lies with the send."""

    channel: Channel
    contact_id: UUID
    address_hash: bytes
    agreed: str
    is_written: bool
    facts: Mapping[str, object]

    def stored(self) -> dict[str, object]:
        return {
            "channel": self.channel.value,
            "contact": str(self.contact_id),
            "hash": self.address_hash.hex(),
            "agreed": self.agreed,
            "written": self.is_written,
            "facts": dict(self.facts),
        }


class Receipt(NamedTuple):
    """How an address confirmed: by ``link`` or ``keyword``, from where, as far as that is kept."""

    method: str
    network: str = ""
    browser: str = ""
    message: str = ""


class Agreed(NamedTuple):
    """A consent as it was told and written down, and whose it is."""

    owner: Place | None
    event: ShopEvent
    said: ConsentGiven
    shown: Shown


def ask_if_needed(work: Work, context: Context, shop: ShopSettings, address: AddressPlace, agreed: Agreed) -> bool:
    """Queue the question when the address must confirm what it agreed to; True when it was queued."""
    said, shown, owner = agreed.said, agreed.shown, agreed.owner
    asks, channel = DoubleOptIn(shop.double_opt_in), address.channel
    if owner is None or asks is DoubleOptIn.NEVER or channel is Channel.PUSH or said.source:
        return False
    if not shown.text or shown.marks.is_confirmed or context.clock.now() - agreed.event.at >= rules.TOO_LATE:
        return False
    with work.in_bucket(owner.bucket):
        contact = store.contact_now(work.connection, owner.bucket, address.id)
        if contact is None or not contact.address or contact.consent != ConsentKind.EXPRESS:
            return False
        if contact.is_confirmed and (contact.names_carts or not shown.marks.mentions_cart):
            return False
        if not _is_asked_for(shop, asks, channel, contact, agreed.event):
            return False
        is_ours = bool(shown.facts.get("is_kept")) or agreed.event.is_from_server
        locale = contact.locale or str(agreed.event.facts.get("locale") or "") or shop.locale
        question = Question(
            channel=channel,
            contact_id=address.id,
            address_hash=address.hash,
            agreed=shown.text if is_ours else agreement(channel.value, shop.name, locale),
            is_written=shown.marks.is_written or said.claimed.is_written,
            facts={**shown.facts, "mentions_cart": shown.marks.mentions_cart} if is_ours else {"mentions_cart": True},
        )
        return _queue(work.connection, context, shop, owner, question, locale=locale, network=_asker(agreed))


def open_confirm_link(connection: Connection, token: str, *, now: datetime) -> SendBehindLink | None:
    """The send that asked; None for every token that is not good any more, whatever is wrong with it."""
    short = read_short_token(token)
    if short is not None:
        send = send_behind_short_link(connection, short[0], hash_of(short[1]))
    else:
        parts = read_token(token)
        send = send_behind_link(connection, parts.bucket, parts.send_id) if parts is not None else None
        stored = send.link_hash if send is not None else _NO_SECRET
        if parts is None or not same_hash(stored, hash_of(parts.secret_hash)):
            return None
    return send if send is not None and question_of(send) is not None and now - send.created_at < rules.LIFE else None


def question_of(send: SendBehindLink) -> Question | None:
    """What a send asked; None for a message of another kind, and after an erasure."""
    told = send.context.get("asks")
    if not isinstance(told, dict):
        return None
    return Question(
        channel=Channel(told["channel"]),
        contact_id=UUID(told["contact"]),
        address_hash=bytes.fromhex(told["hash"]),
        agreed=str(told["agreed"]),
        is_written=bool(told["written"]),
        facts=told["facts"],
    )


def confirm(
    connection: Connection, context: Context, shop: ShopSettings, send: SendBehindLink, receipt: Receipt
) -> bool:
    """The address says yes to what it was asked. Commits before it returns; a repetition changes nothing.

    False when there is nothing to confirm any more: it said no since, or nobody has this address now.
    """
    question = question_of(send)
    contact = store.contact_now(connection, send.bucket, question.contact_id) if question else None
    if question is None or contact is None or not contact.address:
        return False
    if contact.consent == ConsentKind.WITHDRAWN:
        return False
    now = context.clock.now()
    facts = {name: value for name, value in question.facts.items() if name != "mentions_cart"}
    trace = {name: value for name, value in receipt._asdict().items() if value}
    record_consent(
        connection,
        context,
        shop,
        bucket=send.bucket,
        channel=question.channel,
        address_hash=question.address_hash,
        kind=ConsentKind.EXPRESS,
        wording=question.agreed,
        source=SOURCE,
        evidence={**facts, **trace, "asked": str(send.id)},
        at=now,
        marks=ConsentMarks(
            is_confirmed=True,
            is_written=question.is_written,
            mentions_cart=bool(question.facts.get("mentions_cart")),
        ),
    )
    store.answer_opt_in_request(connection, send.bucket, question.contact_id, send.id, now)
    return True


def open_question(connection: Connection, bucket: int, contact_id: UUID, now: datetime) -> SendBehindLink | None:
    """The send whose question an address has not answered yet."""
    send_id = store.open_opt_in_request(connection, bucket, contact_id, now - rules.LIFE)
    return send_behind_link(connection, bucket, send_id) if send_id is not None else None


def _is_asked_for(
    shop: ShopSettings, asks: DoubleOptIn, channel: Channel, contact: store.ContactNow, event: ShopEvent
) -> bool:
    """By what is stored of the shopper, and by what this event tells, which is stored a moment later."""
    phone = contact.address if channel is Channel.SMS else None
    told = (str(event.facts.get("country") or ""), str(event.facts.get("region") or ""))
    for country, state in {(contact.country, contact.region), told}:
        if must_ask(asks, laws().of(shop, channel, country=country, state=state, phone=phone).rules, channel):
            return True
    return False


def _asker(agreed: Agreed) -> str | None:
    """Whose questions are counted together; None: the shop's own server, which does its own counting."""
    return None if agreed.event.is_from_server else agreed.said.network or _UNKNOWN_NETWORK


def _queue(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    owner: Place,
    question: Question,
    *,
    locale: str,
    network: str | None,
) -> bool:
    now, seed = context.clock.now(), new_seed()
    new = store.NewConfirmation(
        id=UUID(bytes=timed_id(now, b"confirm:" + question.contact_id.bytes).bytes),
        shop_id=shop.id,
        shopper_id=owner.id,
        contact_id=question.contact_id,
        channel=question.channel.value,
        now=now,
        link_hash=hash_of(hash_of(secret_of(seed, Purpose.CONFIRM))),  # once more: the token opens no cart
        optout_hash=hash_of(secret_of(seed, Purpose.OPTOUT)),
        seed=seed,
        context={"asks": question.stored(), "locale": locale},
    )
    may = store.note_opt_in_request(
        connection,
        owner.bucket,
        new,
        open_since=now - rules.LIFE,
        answered_before=now - rules.ASK_AGAIN,
        most=rules.MOST_UNANSWERED,
    )
    if not may:
        return False
    if network is not None and not store.ask_network(
        connection, shop.id, network, now=now, span=rules.NETWORK_SPAN, most=rules.MOST_PER_NETWORK
    ):
        return False  # the address counts as asked, so that whoever tries many does not have them all asked later
    store.queue_confirmation(connection, owner.bucket, new)
    return True


def forget_askers(connection: Connection, context: Context) -> None:
    """Networks that asked so long ago that it counts no more."""
    store.forget_networks(connection, context.clock.now() - rules.NETWORK_SPAN)
