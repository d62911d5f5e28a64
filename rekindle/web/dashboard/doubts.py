"""Which sends need a person? Uncertain ones, with what is known about each and how to find out; and failed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import HttpResponse

from rekindle.engine.batch import PACE
from rekindle.engine.compose import message_id
from rekindle.engine.make_provider import SMTP
from rekindle.store.dashboard.sends import SendList, list_sends
from rekindle.store.provider_accounts import AccountLine, accounts_of_shop
from rekindle.terms.reasons import Reason
from rekindle.terms.role import Action
from rekindle.terms.send import Channel, SendState
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.account_view import title_of
from rekindle.web.dashboard.page import Section, show_page
from rekindle.web.dashboard.sends import SendView, show_sends

MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtView:
    """``account``: by which the message left, empty when that is not known any more; ``provider``: its kind in words;
    ``answer``: what was heard last; ``ask_at``: from when on asking makes sense, None when it does now."""

    row: SendView
    account: str
    provider: str
    message_id: str
    answer: str
    ask_at: datetime | None
    can_ask: bool
    may_repeat: bool


@shop_view(get=Action.READ)
def doubts(visit: Visit) -> HttpResponse:
    accounts = {
        one.id: one for channel in Channel for one in accounts_of_shop(visit.connection, visit.shop.id, channel.value)
    }
    content = {
        "uncertain": _views(visit, SendList.UNCERTAIN, accounts),
        "failed": _views(visit, SendList.FAILED, accounts),
        "most": MOST,
        "may_settle": visit.may(Action.SETTLE_SEND),
    }
    return show_page(visit, "dashboard/doubts.html", content, section=Section.SENDS)


def _views(visit: Visit, which: SendList, accounts: Mapping[int, AccountLine]) -> list[DoubtView]:
    lines = list_sends(
        visit.connection,
        shop_id=visit.shop.id,
        buckets=visit.buckets,
        which=which,
        step=None,
        after=None,
        limit=MOST,
    )
    rows: Sequence[SendView] = show_sends(visit, lines)
    wanted = SendState.UNCERTAIN if which is SendList.UNCERTAIN else SendState.FAILED
    return [_view(visit, row, accounts) for row in rows if row.state == wanted]


def _view(visit: Visit, row: SendView, accounts: Mapping[int, AccountLine]) -> DoubtView:
    detail = row.last.detail if row.last else {}
    account_id = row.outbox.account_id if row.outbox else detail.get("account")
    account = accounts.get(account_id) if isinstance(account_id, int) else None
    ask_at = row.outbox.uncertain_at + PACE.settle_time if row.outbox and row.outbox.uncertain_at else None
    answer = " ".join(str(detail[name]) for name in ("code", "detail") if detail.get(name))
    return DoubtView(
        row=row,
        account=account.name if account else "",
        provider=title_of(account.kind) if account else "the provider",
        message_id=message_id(visit.context, row.send.id),
        answer=answer[:300],
        ask_at=ask_at if ask_at and ask_at > visit.now else None,
        can_ask=account is not None and account.kind != SMTP,
        may_repeat=row.reason != Reason.OPERATOR.value,
    )
