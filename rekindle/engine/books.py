"""What is configured now? Shops, flows, templates and accounts, read together and kept for a few seconds.

Every loop of a worker asks the same books, so a change in the dashboard reaches all of them within `FRESH_S`.
What runs already (a flow version, a template version) is immutable and kept for good.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from rekindle.engine.recommend import Shelf
from rekindle.policy.abandonment import IdleRules, idle_rules
from rekindle.policy.enrolling import ActiveFlow
from rekindle.policy.entry import fields_of
from rekindle.policy.next_step import Route, route_of
from rekindle.store import configuration
from rekindle.store.configuration import ProviderAccountRow, PublishedTemplate, TemplateContent
from rekindle.store.database import Connection
from rekindle.store.shops import all_shops
from rekindle.terms.cart import Stage
from rekindle.terms.flow import Field, Flow, FlowError, parse_flow
from rekindle.terms.shop import ShopSettings

FRESH_S = 3.0
_log = logging.getLogger(__name__)


class RunningVersion:
    """A flow version that enrolments run on: ``flow_key`` for people, ``flow`` and ``route`` to run it."""

    __slots__ = ("flow", "flow_id", "flow_key", "route", "version_id")

    def __init__(self, version_id: int, flow_id: int, flow_key: str, definition: str) -> None:
        self.version_id, self.flow_id, self.flow_key = version_id, flow_id, flow_key
        self.flow: Flow = parse_flow(definition)
        self.route: Route = route_of(self.flow)


class Books:
    """Configuration as of the last reading. Not shared between threads: each loop keeps its own."""

    def __init__(self) -> None:
        self.shops: dict[int, ShopSettings] = {}
        self.flows: dict[int, tuple[ActiveFlow, ...]] = {}
        self.templates: dict[tuple[int, str], PublishedTemplate] = {}
        self.accounts: dict[int, tuple[ProviderAccountRow, ...]] = {}
        self._accounts_by_id: dict[int, ProviderAccountRow] = {}
        self.shelf = Shelf()
        self._versions: dict[int, RunningVersion] = {}
        self._contents: dict[int, TemplateContent] = {}
        self._rules: dict[tuple[int, Stage], IdleRules] = {}
        self._entry_fields: dict[int, frozenset[Field]] = {}
        self._read_at: float | None = None

    @classmethod
    def load(cls, connection: Connection) -> Books:
        books = cls()
        books.refresh(connection)
        return books

    def refresh(self, connection: Connection) -> None:
        """Read everything again, in one snapshot per table."""
        self.shops = {shop.id: shop for shop in all_shops(connection)}
        flows: dict[int, list[ActiveFlow]] = {}
        for row in configuration.active_flows(connection):
            version = self._version(row.version_id, row.flow_id, row.key, row.definition)
            if version is None:
                continue
            flow = ActiveFlow(
                id=row.flow_id,
                version_id=row.version_id,
                key=row.key,
                priority=row.priority,
                activated_at=row.activated_at,
                flow=version.flow,
                route=version.route,
            )
            flows.setdefault(row.shop_id, []).append(flow)
        self.flows = {shop_id: tuple(found) for shop_id, found in flows.items()}
        self.templates = {(t.shop_id, t.key): t for t in configuration.published_templates(connection)}
        accounts: dict[int, list[ProviderAccountRow]] = {}
        self._accounts_by_id = {account.id: account for account in configuration.provider_accounts(connection)}
        for account in self._accounts_by_id.values():
            accounts.setdefault(account.shop_id, []).append(account)
        self.accounts = {shop_id: tuple(found) for shop_id, found in accounts.items()}
        self._rules.clear()
        self._entry_fields.clear()
        self._read_at = time.monotonic()

    def refresh_if_stale(self, connection: Connection) -> None:
        """Read again when the last reading is older than `FRESH_S`."""
        if self._read_at is None or time.monotonic() - self._read_at > FRESH_S:
            self.refresh(connection)

    def shop(self, shop_id: int) -> ShopSettings | None:
        return self.shops.get(shop_id)

    def flows_of(self, shop_id: int) -> tuple[ActiveFlow, ...]:
        """The shop's flows that are switched on, most important first."""
        return self.flows.get(shop_id, ())

    def priority_of(self, shop_id: int, flow_id: int) -> int | None:
        """The priority of a flow that is switched on; None for others, whose runs may still go on."""
        return next((flow.priority for flow in self.flows_of(shop_id) if flow.id == flow_id), None)

    def idle_rules(self, shop: ShopSettings, stage: Stage) -> IdleRules:
        """The silences that matter for a cart of this stage in this shop."""
        rules = self._rules.get((shop.id, stage))
        if rules is None:
            handling = [f.flow.trigger.idle_s for f in self.flows_of(shop.id) if f.handles(stage)]
            rules = self._rules[shop.id, stage] = idle_rules(shop, stage, handling)
        return rules

    def entry_fields(self, shop_id: int) -> frozenset[Field]:
        """The facts that the entry filters of the shop's flows ask for."""
        fields = self._entry_fields.get(shop_id)
        if fields is None:
            asked = [fields_of(flow.flow.entry) for flow in self.flows_of(shop_id)]
            fields = self._entry_fields[shop_id] = frozenset().union(*asked)
        return fields

    def versions(self, connection: Connection, ids: Iterable[int]) -> Mapping[int, RunningVersion]:
        """Flow versions by id, active or not; reads those that were never met before."""
        unknown = sorted(set(ids) - self._versions.keys())
        if unknown:
            for row in configuration.flow_versions(connection, unknown):
                self._version(row.version_id, row.flow_id, row.key, row.definition)
        return self._versions

    def template(self, shop_id: int, key: str) -> PublishedTemplate | None:
        """What a template key of a shop leads to now."""
        return self.templates.get((shop_id, key))

    def template_content(self, connection: Connection, version_id: int) -> TemplateContent | None:
        """The content of a template version; immutable, read once."""
        content = self._contents.get(version_id)
        if content is None:
            content = configuration.template_content(connection, version_id)
            if content is not None:
                self._contents[version_id] = content
        return content

    def accounts_of(self, shop_id: int, channel: str) -> tuple[ProviderAccountRow, ...]:
        """The shop's accounts on a channel, in the order in which they are tried."""
        return tuple(a for a in self.accounts.get(shop_id, ()) if a.channel == channel)

    def account(self, account_id: int) -> ProviderAccountRow | None:
        """One account that is switched on."""
        return self._accounts_by_id.get(account_id)

    def _version(self, version_id: int, flow_id: int, key: str, definition: str) -> RunningVersion | None:
        """None for a definition that this release cannot read: one broken flow must not stop the others."""
        version = self._versions.get(version_id)
        if version is None:
            try:
                version = self._versions[version_id] = RunningVersion(version_id, flow_id, key, definition)
            except FlowError as error:
                facts = {"flow": key, "version_id": version_id, "error": str(error)}
                _log.error("flow_unreadable", extra={"facts": facts})
        return version
