"""What does a flow do, and what does each of its steps bring? Also: switch it on and off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
from django.http import Http404, HttpResponse

from rekindle.engine.preview import preview_email
from rekindle.store.buckets import base_bucket
from rekindle.store.dashboard.flows import (
    FlowLine,
    TemplateLine,
    flow_entries,
    flow_exits,
    flows_of_shop,
    orders_by_step,
    sends_by_step,
    skips_by_step,
    templates_of_shop,
    waiting_by_step,
)
from rekindle.store.dashboard.overview import ReasonCount, Scope
from rekindle.terms.attribution import LAST_CLICK
from rekindle.terms.cart import Stage
from rekindle.terms.flow import Flow, FlowError, parse_flow
from rekindle.terms.role import Action
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.flow_words import StepNumbers, condition_words, draw, trigger_words
from rekindle.web.dashboard.page import Section, show_page
from rekindle.web.dashboard.period import CHOICES, read_period
from rekindle.web.security import WITH_FRAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    reason: str
    n: int
    share: float


@shop_view(get=Action.READ)
def flows(visit: Visit, key: str = "") -> HttpResponse:
    """One flow's page; without a key the most important one."""
    lines = flows_of_shop(visit.connection, visit.shop.id)
    if key and not any(line.key == key for line in lines):
        raise Http404("there is no such flow")
    if not lines:
        return show_page(visit, "dashboard/no_flow.html", {}, section=Section.FLOWS)
    line = next((each for each in lines if each.key == key), lines[0])
    response = show_page(visit, "dashboard/flow.html", _content(visit, lines, line), section=Section.FLOWS)
    response["Content-Security-Policy"] = WITH_FRAMES
    return response


def definition_of(line: FlowLine) -> Flow | None:
    """The parsed definition; None when this version of the program cannot read it."""
    try:
        return parse_flow(msgspec.json.encode(line.definition))
    except FlowError:
        return None


def _content(visit: Visit, lines: Sequence[FlowLine], line: FlowLine) -> dict[str, object]:
    connection, shop = visit.connection, visit.shop
    period = read_period(visit.request.GET.get("period"), timezone=shop.timezone, now=visit.now)
    scope = Scope(shop_id=shop.id, bucket=base_bucket(shop), buckets=visit.buckets, since=period.since)
    flow = definition_of(line)
    numbers = StepNumbers(
        sends=sends_by_step(connection, scope, line.id),
        skips=skips_by_step(connection, scope, line.id),
        orders=orders_by_step(connection, scope, line.id, rule=LAST_CLICK),
        waiting=waiting_by_step(connection, scope, line.id),
    )
    templates = {template.key: _with_subject(visit, template) for template in templates_of_shop(connection, shop.id)}
    entries = flow_entries(connection, scope, line.id)
    exits = flow_exits(connection, scope, line.id)
    return {
        "period": period,
        "periods": CHOICES,
        "flows": lines,
        "flow": line,
        "readable": flow is not None,
        "trigger": trigger_words(flow, shop) if flow else "",
        "entry": condition_words(flow.entry, shop) if flow and flow.entry else "",
        "gap_s": flow.reentry.shopper_gap_s if flow else 0,
        "nodes": draw(flow, shop=shop, templates=templates, numbers=numbers) if flow else [],
        "entries": entries,
        "held_share": entries.held_out / entries.entered if entries.entered else None,
        "exits": _exits(exits),
        "is_about_visits": flow is not None and Stage.BROWSE in flow.trigger.kinds,
        "may_switch": visit.may(Action.SWITCH_FLOW),
    }


def _with_subject(visit: Visit, template: TemplateLine) -> TemplateLine:
    """The template with its subject as a shopper would read it, where it can be written now."""
    if template.channel != Channel.EMAIL:
        return template
    made = preview_email(visit.connection, visit.context, visit.shop, template.version_id)
    return replace(template, subject=made.email.subject) if made and made.email else template


def _exits(rows: Sequence[ReasonCount]) -> list[Exit]:
    most = rows[0].n if rows else 0
    return [Exit(reason=row.reason, n=row.n, share=row.n / most) for row in rows]
