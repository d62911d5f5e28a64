"""What follows from a shopper's reply? A no is carried out at once, a doubt stops the messages until somebody read it.

The reply's row is written last: what is told twice is heard once, and nothing of it is lost in between. One answer at
most goes back, and only for a no or a cry for help that the provider has not answered itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.double_opt_in import Receipt, confirm, open_question
from rekindle.engine.opt_out import opt_out, opt_out_place
from rekindle.engine.places import AddressPlace
from rekindle.engine.transactions import Work, until_free
from rekindle.lib.ids import natural_id
from rekindle.policy.stop_words import Wish, normalise, wish_of
from rekindle.render.reply_texts import help_text, stopped_text
from rekindle.store import consents as consent_store
from rekindle.store import replies as store
from rekindle.store.buckets import address_bucket
from rekindle.store.consents import Subject
from rekindle.store.database import Connection
from rekindle.store.links import SendBehindLink
from rekindle.store.shoppers import hold_shoppers
from rekindle.terms.consent import ConsentKind, ConsentMarks, SuppressionReason
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

SOURCE: Final = "reply"
HELP_AGAIN: Final = timedelta(hours=1)
MAX_WORDING: Final = 200
#: Providers answer these words themselves and then let nothing through (Twilio's own list).
_ANSWERED_BY_PROVIDER: Final = frozenset(
    "stop stopall unsubscribe end quit revoke optout cancel help info start yes unstop".split()
)


class Decided(StrEnum):
    """What a person took a doubtful reply for."""

    STOP = "stop"
    NOTHING = "nothing"


class ReplyDecision(NamedTuple):
    """Which reply, what it was taken for, and by whom."""

    bucket: int
    reply_id: UUID
    decided: Decided
    by: str


class Said:
    """One reply. ``is_signed``: by a provider's account; otherwise anybody may have written it, and a no is a doubt.
    ``is_answered``: the provider has replied already."""

    __slots__ = ("account_id", "at", "event_id", "is_answered", "is_signed", "text")

    def __init__(
        self, text: str, event_id: str, at: datetime, *, account_id: int | None, is_answered: bool = False
    ) -> None:
        self.text = text.replace("\0", "").encode("utf-8", "replace").decode()
        self.event_id, self.at = event_id, at
        self.account_id, self.is_signed, self.is_answered = account_id, account_id is not None, is_answered


def hear(work: Work, context: Context, shop: ShopSettings, place: AddressPlace, said: Said) -> str:
    """Carry out what a reply wants, within the caller's `Work`; returns what is to be answered, mostly nothing."""
    return _Hearing(work, context, shop, place, said).run()


def settle_reply(connection: Connection, context: Context, shop: ShopSettings, decision: ReplyDecision) -> bool:
    """A person has read a reply; all that wait from the same address are decided with it. Commits before it returns.

    False when somebody has decided already, or the shop has no such reply.
    """
    return until_free(connection, lambda: _settle(connection, context, shop, decision))


class _Hearing:
    def __init__(self, work: Work, context: Context, shop: ShopSettings, place: AddressPlace, said: Said) -> None:
        self.work, self.context, self.shop, self.place, self.said = work, context, shop, place, said
        self.connection = work.connection
        self.subject = Subject(shop.id, place.channel.value, place.hash)
        self.asked: SendBehindLink | None = None
        #: the number itself wrote, and the provider says so: that is a confirmation
        self.marks = ConsentMarks(is_confirmed=True)
        self.reply_id = natural_id("reply", shop.id, f"{said.account_id}:{said.event_id}")

    def run(self) -> str:
        if store.has_reply(self.connection, self.place.bucket, self.reply_id, self.shop.id):
            return ""
        owner = consent_store.owner_of_contact(self.connection, self.place.bucket, self.place.id)
        wish = self._wish(owner)
        if wish is Wish.OTHER and not self.said.is_signed:
            return ""  # a letter to the shop, which its people read anyway
        if owner is not None:
            with self.work.in_bucket(owner[0]):
                hold_shoppers(self.connection, owner[0], [owner[1]])
        answer = self._carry_out(wish, owner)
        with self.work.in_bucket(self.place.bucket):
            is_new = store.put_reply(
                self.connection,
                self.place.bucket,
                self.reply_id,
                self.subject,
                account_id=self.said.account_id,
                shopper=owner,
                text=self.said.text,
                verdict=wish.value,
                at=self.said.at,
            )
        return answer if is_new else ""

    def _wish(self, owner: tuple[int, UUID] | None) -> Wish:
        head = consent_store.last_consent(self.connection, self.place.bucket, self.subject) if owner else None
        self.asked = open_question(self.connection, owner[0], self.place.id, self.said.at) if owner else None
        is_pending = head is not None and head.kind == ConsentKind.PENDING.value
        wish = wish_of(self.said.text, is_asked=is_pending or self.asked is not None)
        if wish is Wish.STOP and not self.said.is_signed:
            return Wish.REVIEW
        return wish if self.said.is_signed or wish is Wish.REVIEW else Wish.OTHER

    def _carry_out(self, wish: Wish, owner: tuple[int, UUID] | None) -> str:
        if wish is Wish.STOP:
            return self._stop()
        if wish is Wish.REVIEW:
            self._doubt(owner)
        elif wish is Wish.START:
            self._agree(owner, self._earlier_wording())
        elif wish is Wish.CONFIRM and self.asked is not None:
            receipt = Receipt("keyword", message=self.said.event_id[:100])
            confirm(self.connection, self.context, self.shop, self.asked, receipt)
        elif wish is Wish.CONFIRM:
            head = consent_store.last_consent(self.connection, self.place.bucket, self.subject)
            self._agree(owner, head.wording if head is not None else "")
        elif wish is Wish.HELP:
            return self._help()
        return ""

    def _stop(self) -> str:
        with self.work.in_bucket(self.place.bucket):
            is_first = consent_store.suppress_on_word(
                self.connection, self.place.bucket, self.subject, at=self.said.at, source=SOURCE
            )
        opt_out_place(
            self.work,
            self.context,
            self.shop,
            self.place,
            source=SOURCE,
            wording=self.said.text[:MAX_WORDING],
            at=self.said.at,
        )
        may_answer = is_first and not self._is_answered()
        return stopped_text(self.shop.name, self.shop.locale) if may_answer else ""

    def _doubt(self, owner: tuple[int, UUID] | None) -> None:
        for bucket in sorted({self.place.bucket} | ({owner[0]} if owner else set())):
            with self.work.in_bucket(bucket):
                consent_store.suppress(
                    self.connection,
                    bucket,
                    self.subject,
                    reason=SuppressionReason.REVIEW.value,
                    at=self.said.at,
                    source=SOURCE,
                )

    def _agree(self, owner: tuple[int, UUID] | None, wording: str) -> None:
        """Only to a text that was shown to them once: a word alone is no consent to anything."""
        if not wording:
            return
        record_consent(
            self.connection,
            self.context,
            self.shop,
            bucket=owner[0] if owner is not None else self.place.bucket,
            channel=self.place.channel,
            address_hash=self.place.hash,
            kind=ConsentKind.EXPRESS,
            wording=wording,
            source=SOURCE,
            evidence={"method": "keyword", "message": self.said.event_id[:100]},
            at=self.said.at,
            marks=self.marks,
        )

    def _earlier_wording(self) -> str:
        chain = consent_store.consent_chain(self.connection, self.place.bucket, self.subject)
        agreed = [row for row in chain if row.kind == ConsentKind.EXPRESS.value and row.wording]
        return agreed[-1].wording if agreed else ""

    def _help(self) -> str:
        since = self.said.at - HELP_AGAIN
        if self._is_answered() or store.asked_for_help_since(self.connection, self.place.bucket, self.subject, since):
            return ""
        contact = self.shop.support_email or self.shop.url or self.shop.sender_email
        return help_text(self.shop.name, contact, self.shop.locale)

    def _is_answered(self) -> bool:
        return self.said.is_answered or normalise(self.said.text) in _ANSWERED_BY_PROVIDER


def _settle(connection: Connection, context: Context, shop: ShopSettings, decision: ReplyDecision) -> bool:
    now = context.clock.now()
    work = Work(connection, shop)
    bucket, reply_id, decided, by = decision
    with work.whole():
        with work.in_bucket(bucket):
            settled = store.settle_replies(
                connection, bucket, reply_id, shop.id, now=now, decided=decided.value, by=by[:150]
            )
        if not settled:
            return False
        one = settled[0]
        channel = Channel(one.channel)
        if decided is Decided.NOTHING:
            _lift(work, shop, Subject(shop.id, one.channel, one.address_hash), one.shopper_bucket)
            return True
        source, wording = f"{SOURCE}, read by {by}"[:120], one.text[:MAX_WORDING]
        if one.shopper_id is not None and one.shopper_bucket is not None:
            opt_out(
                connection, context, shop, bucket=one.shopper_bucket, shopper_id=one.shopper_id, channels=[channel],
                source=source, wording=wording, at=now,
            )  # fmt: skip
        else:
            contact_id = natural_id("contact", shop.id, f"{channel.value}:{one.address_hash.hex()}")
            place = AddressPlace(address_bucket(shop, one.address_hash), contact_id, channel, one.address_hash, "")
            opt_out_place(work, context, shop, place, source=source, wording=wording, at=now)
    return True


def _lift(work: Work, shop: ShopSettings, subject: Subject, shopper_bucket: int | None) -> None:
    home = address_bucket(shop, subject.address_hash)
    for bucket in sorted({home} | ({shopper_bucket} if shopper_bucket is not None else set())):
        with work.in_bucket(bucket):
            consent_store.lift_review(work.connection, bucket, subject)
