"""What went out, what waits, what did not go and why? What nobody knows the fate of stands first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import HttpResponse

from rekindle.lib.addresses import masked
from rekindle.policy.send_state import send_state
from rekindle.store.dashboard.carts import ShopperLine, shoppers_by_id
from rekindle.store.dashboard.sends import (
    OutboxLine,
    SendFact,
    SendLine,
    SendList,
    count_in_outbox,
    events_of_sends,
    list_sends,
    outbox_of_sends,
)
from rekindle.store.replies import count_replies_waiting
from rekindle.terms.role import Action
from rekindle.terms.send import SendEventKind, SendState
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.page import Section, show_page, show_part, wants_part

ON_A_PAGE: Final = 40
_LISTS: Final = (
    (SendList.ALL, "All"),
    (SendList.WAITING, "Waiting"),
    (SendList.SENT, "Sent"),
    (SendList.CLICKED, "Clicked"),
    (SendList.FAILED, "Failed"),
    (SendList.SKIPPED, "Not sent"),
    (SendList.UNCERTAIN, "Uncertain"),
)
_KNOWN_KINDS: Final = frozenset(kind.value for kind in SendEventKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendView:
    """One row. ``reason`` explains a send that failed, was skipped or is uncertain; ``last``: the newest fact."""

    send: SendLine
    state: str
    name: str
    address: str
    reason: str
    last: SendFact | None
    outbox: OutboxLine | None
    clicked: bool


@shop_view(get=Action.READ)
def sends(visit: Visit) -> HttpResponse:
    params = visit.request.GET
    which = next((name for name, _ in _LISTS if name == params.get("state")), SendList.ALL)
    step = params.get("step", "")[:40].replace("\x00", "") or None
    after = _read_id(params.get("after", ""))
    lines = _list(visit, which, step=step, after=after, limit=ON_A_PAGE + 1)
    shown = lines[:ON_A_PAGE]
    content: dict[str, object] = {
        "which": which.value,
        "lists": _LISTS,
        "step": step,
        "rows": show_sends(visit, shown),
        "next_place": shown[-1].id if len(lines) > ON_A_PAGE else "",
    }
    if wants_part(visit):
        return show_part(visit, "dashboard/parts/send_rows.html", content)
    content["replies_waiting"] = count_replies_waiting(visit.connection, visit.buckets, visit.shop.id)
    content["counts"] = count_in_outbox(visit.connection, shop_id=visit.shop.id, buckets=visit.buckets)
    return show_page(visit, "dashboard/sends.html", content, section=Section.SENDS)


def show_sends(visit: Visit, lines: Sequence[SendLine]) -> list[SendView]:
    """The rows of these sends, in the same order."""
    people = shoppers_by_id(
        visit.connection, buckets=[line.bucket for line in lines], shopper_ids=[line.shopper_id for line in lines]
    )
    outbox = outbox_of_sends(visit.connection, lines)
    facts = events_of_sends(visit.connection, lines)
    return [_view(line, people, outbox.get(line.id), facts.get(line.id, [])) for line in lines]


def _list(visit: Visit, which: SendList, *, step: str | None, after: UUID | None, limit: int) -> list[SendLine]:
    return list_sends(
        visit.connection,
        shop_id=visit.shop.id,
        buckets=visit.buckets,
        which=which,
        step=step,
        after=after,
        limit=limit,
    )


def _view(
    line: SendLine, people: Mapping[UUID, ShopperLine], outbox: OutboxLine | None, facts: Sequence[SendFact]
) -> SendView:
    person = people.get(line.shopper_id)
    kinds = {SendEventKind(fact.kind) for fact in facts if fact.kind in _KNOWN_KINDS}
    state = send_state(SendState(outbox.state) if outbox else None, kinds)
    explaining = [fact for fact in facts if fact.reason and state is not None and fact.kind == state.value]
    return SendView(
        send=line,
        state=state.value if state else "unknown",
        name=person.name if person else "",
        address=masked(person.first_address) if person and person.first_address else "",
        reason=(explaining[-1].reason or "") if explaining else "",
        last=facts[-1] if facts else None,
        outbox=outbox,
        clicked=bool(kinds & {SendEventKind.CLICKED, SendEventKind.RESTORED}),
    )


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
