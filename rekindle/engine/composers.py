"""Who writes the message of which channel? One composer for each; a channel without one lacks everything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rekindle.engine.batch import Message
from rekindle.engine.books import Books
from rekindle.engine.compose import Composer
from rekindle.engine.compose_confirmation import compose_confirmation, missing_of_confirmation
from rekindle.engine.compose_push import PushComposer
from rekindle.engine.compose_sms import TextComposer
from rekindle.engine.context import Context
from rekindle.engine.facts import Candidate
from rekindle.engine.make_provider import needs_parts
from rekindle.store.configuration import ProviderAccountRow
from rekindle.store.database import Connection
from rekindle.terms.decision import Verdict, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, MessageKind
from rekindle.terms.shop import ShopSettings


class Composers:
    """The composers of one worker."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._letters, self._texts, self._pushes = Composer(context), TextComposer(context), PushComposer(context)
        self._by_channel: dict[str, Composer | TextComposer | PushComposer] = {
            Channel.EMAIL.value: self._letters,
            Channel.SMS.value: self._texts,
            Channel.PUSH.value: self._pushes,
        }

    def learn(self, connection: Connection, books: Books, candidates: Sequence[Candidate]) -> None:
        """Read the templates of a batch that were never met before."""
        for channel, composer in self._by_channel.items():
            ids = {
                one.row.template_version_id
                for one in candidates
                if one.row and one.row.template_version_id and one.held.channel == channel
            }
            if ids:
                composer.learn(connection, books, ids)

    def missing(
        self, channel: str, shop: ShopSettings | None, version_id: int | None, kind: str = MessageKind.REMINDER
    ) -> tuple[str, ...] | None:
        """What every message of this shop and channel would lack; None when that cannot be told."""
        if kind == MessageKind.CONFIRMATION:
            return missing_of_confirmation(channel, shop)
        composer = self._by_channel.get(channel)
        return composer.missing(shop, version_id) if composer is not None else None

    def compose(self, candidate: Candidate, account: ProviderAccountRow | None, now: datetime) -> Message | Verdict:
        """The message for the account by which it leaves, or the verdict that denies it or puts it off."""
        channel = candidate.held.channel
        in_parts = account is not None and needs_parts(account.kind)
        if candidate.row is not None and candidate.row.kind == MessageKind.CONFIRMATION:
            return compose_confirmation(self._context, candidate, account, now, in_parts=in_parts)
        if channel == Channel.EMAIL.value:
            return self._letters.compose(candidate, now, in_parts=in_parts)
        if channel == Channel.SMS.value:
            return self._texts.compose(candidate, account, now)
        if channel == Channel.PUSH.value:
            return self._pushes.compose(candidate, account)
        return deny(Reason.RENDER_FAILED, why=f"nobody writes messages for {channel}")
