"""Providers that fail in every way they fail: nobody gets a message twice, none disappears, a person sees what is open.

One table: each fault hits the first calls of a campaign (or an hour of them), at a provider with keys, at one that can
be asked, and at one with neither. A stand-in takes letters, or loses them, as the real one would; what it took is
counted by send. Prints what the run came to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rekindle.engine.change_route import AccountRoute, change_route
from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.settle import Settler
from rekindle.lib.clock import MovableClock
from rekindle.providers.http_client import EgressRules, HttpSettings
from rekindle.store.alerts import open_alerts
from rekindle.store.database import Connection
from tests.providers.apis import APIS
from tests.providers.http_server import HANG, RESET, Got, Reply, serving

from .api_delivery import VALUES, point_to
from .delivery import World, make_world

SENDS, FAULTY_CALLS = 18, 6
MINUTE = timedelta(minutes=1)
#: With keys for a day, with a look-up that can say yes (an empty list proves nothing there), with neither.
PROVIDERS = ("resend", "postmark", "sendgrid")
_REFERENCE = re.compile(rb"[0-9]{1,4}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass
class Fault:
    """``answer`` of the broken provider; ``takes``: it takes the letter all the same; ``lasts``: for how long beyond
    the first calls."""

    answer: Reply
    takes: bool = False
    lasts: timedelta = timedelta(0)


FAULTS = {
    "500 explained": Fault(Reply.of(500, {"message": "internal", "name": "application_error", "ErrorCode": 500})),
    "500 without a word": Fault(Reply.of(500)),
    "500 after taking it": Fault(Reply.of(500), takes=True),
    "502 before": Fault(Reply.of(502, b"<html>Bad gateway</html>")),
    "502 after taking it": Fault(Reply.of(502, b"<html>Bad gateway</html>"), takes=True),
    "503": Fault(Reply.of(503, b"<html>Unavailable</html>")),
    "reset before": Fault(RESET),
    "reset after taking it": Fault(RESET, takes=True),
    "hang before": Fault(HANG),
    "hang after taking it": Fault(HANG, takes=True),
    "200 with HTML": Fault(Reply.of(200, b"<html>Please sign in</html>")),
    "200 with HTML after taking it": Fault(Reply.of(200, b"<html>Please sign in</html>"), takes=True),
    "200 empty": Fault(Reply.of(200)),
    "200 truncated": Fault(Reply.of(200, b'{"id": "re_1'), takes=True),
    "200 garbage": Fault(Reply.of(200, b"\x00\xff\xfe{[")),
    "429 for 60 minutes": Fault(Reply.of(429), lasts=60 * MINUTE),
    "429 with Retry-After": Fault(Reply.of(429, Retry_After="600"), lasts=60 * MINUTE),
    "key revoked": Fault(Reply.of(401), lasts=90 * MINUTE),
}


@dataclass
class Provider:
    """A stand-in with a memory. ``broken_until``: simulated time, or the first calls."""

    kind: str
    clock: MovableClock
    fault: Fault | None = None
    faulty_calls: int = FAULTY_CALLS
    calls: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    keys: dict[str, bytes] = field(default_factory=dict)
    looked_up: dict[str, str] = field(default_factory=dict)
    call_times: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began = self.clock.now()

    def answer(self, got: Got) -> Reply:
        if got.method == "GET":
            return self._search(got)
        self.calls += 1
        self.call_times.append(self.clock.now())
        found = _REFERENCE.search(got.body)
        assert found, "every letter names its send"
        reference = found[0].decode()
        if self._is_broken():
            assert self.fault is not None
            if self.fault.takes:
                self._take(reference, got)
            return self.fault.answer
        self._take(reference, got)
        return APIS[self.kind].taken(self.calls)

    def _is_broken(self) -> bool:
        if self.fault is None:
            return False
        if self.fault.lasts:
            return self.clock.now() - self.began < self.fault.lasts
        return self.calls <= self.faulty_calls

    def _take(self, reference: str, got: Got) -> None:
        key = got.headers.get("idempotency-key")
        if key is not None:
            assert self.keys.setdefault(key, got.body) == got.body, "a repeat is the same byte for byte"
            if self.taken[reference]:
                return  # known by its key: answered without a second delivery
        if self.kind == "postmark":
            self.looked_up[got.json["Metadata"]["message"]] = reference  # type: ignore[index,call-overload]
        self.taken[reference] += 1

    def _search(self, got: Got) -> Reply:
        wanted = parse_qs(urlsplit(got.target).query).get("metadata_message", [""])[0]
        found = [{"Metadata": {"message": wanted}}] if wanted in self.looked_up else []
        return Reply.of(200, {"TotalCount": len(found), "Messages": found})


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock) -> World:
    made = make_world(link, shared_dsn, context, clock, 1)
    link.execute("DELETE FROM provider_accounts")
    made.use_http(HttpSettings(rules=EgressRules(allow_loopback=True), connections=4, connect_s=30.0, answer_s=30.0))
    return made


def campaign(world: World, *providers: Provider, hours: float = 3) -> None:
    """Deliver and settle for some simulated hours, by a worker that lives as long."""
    if any(provider.fault and provider.fault.answer is HANG for provider in providers):
        world.use_http(replace(world.http, answer_s=0.3))  # given up soon, and enough for those that answer
    for n in range(SENDS):
        world.person(f"p{n:02}")

    async def work(worker: Deliverer) -> None:
        settler = Settler(world.context, worker.routes)
        await _serve(world, worker, settler, list(providers), hours, 0)

    world.with_worker(work)


async def _serve(
    world: World, worker: Deliverer, settler: Settler, providers: list[Provider], hours: float, position: int
) -> None:
    if providers:
        first, *others = providers
        async with serving(otherwise=first.answer) as server:
            account = world.add_api_account(first.kind, server.url, position=position, **VALUES[first.kind])
            point_to(world, account, server)
            await _serve(world, worker, settler, others, hours, position + 1)
        return
    worker.books.refresh(world.connection)
    bucket, end = world.shop_bucket(), world.clock.now() + timedelta(hours=hours)
    step = MINUTE if hours > 2 else 3 * MINUTE  # each minute counts only where a fault lasts
    while world.clock.now() < end:
        while (await worker.deliver_batch(bucket)).claimed:
            worker.books.refresh(world.connection)
        await worker.hand_over.record_late()
        await settler.settle(await worker.line.get(), [bucket])
        worker.books.refresh(world.connection)
        world.clock.advance(step)


def verdict(world: World, *providers: Provider) -> dict[str, Any]:
    """What the campaign came to, in four words, and what its operator sees."""
    taken: Counter[str] = Counter()
    for provider in providers:
        taken += provider.taken
    shop = world.shop.id
    rows = world.connection.execute("SELECT id, state, attempts FROM outbox WHERE shop_id = %s", [shop]).fetchall()
    uncertain = {str(row[0]) for row in rows if row[1] == "uncertain"}
    events = world.connection.execute(
        "SELECT send_id, kind, provider_key FROM send_events WHERE shop_id = %s", [shop]
    ).fetchall()
    handed = {str(send): key for send, kind, key in events if kind == "handed_over"}
    doubted = {str(send) for send, kind, _ in events if kind == "uncertain"}
    arrived = {reference.partition("-")[2] for reference in taken}
    sends = {str(row[0]) for row in world.connection.execute("SELECT id FROM sends WHERE shop_id = %s", [shop])}
    return {
        "calls": sum(provider.calls for provider in providers),
        "duplicates": sum(count - 1 for count in taken.values()),
        "lost": len(sends - arrived - uncertain),
        "unexpected": len(set(handed) - arrived),
        "recovered": len(doubted - uncertain),
        "uncertain": len(uncertain),
        "waiting": len(rows) - len(uncertain),
        "failed": sum(kind in ("failed", "bounced") for _, kind, _ in events),
        "without_key": sum(1 for key in handed.values() if not key) - len(doubted & set(handed)),
        "alerts": sorted(alert.kind for alert in open_alerts(world.connection, shop)),
    }


HEAD = f"{'fault':30} {'provider':10} calls dup lost unexp recov shown alerts"


def show(capsys: pytest.CaptureFixture[str], name: str, kinds: str, came: dict[str, Any]) -> None:
    with capsys.disabled():
        print(
            f"\n{name:30} {kinds:10} {came['calls']:5} {came['duplicates']:3} {came['lost']:4} {came['unexpected']:5}"
            f" {came['recovered']:5} {came['uncertain']:5} {','.join(came['alerts'])}",
            end="",
        )


@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_doubles_and_loses_nothing(
    world: World, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = FAULTS[name]
    provider = Provider(kind, world.clock, fault)
    campaign(world, provider, hours=2.7 if fault.lasts else 1.5)
    came = verdict(world, provider)
    show(capsys, name, kind, came)
    assert came["duplicates"] == 0
    assert came["lost"] == 0
    assert came["unexpected"] == 0
    assert came["waiting"] == 0, "everything was tried to its end"
    assert came["failed"] == 0, "no message pays for its provider"
    assert came["without_key"] <= 0, "never called sent without the provider's own name for it"
    assert came["alerts"] == [], "it works again, so nobody needs to come"
    if kind == "resend" or (kind == "postmark" and fault.takes):
        assert came["uncertain"] == 0, "a key, or a look-up that finds the message, clears every doubt"
    if name.startswith(("429", "key")):
        assert came["recovered"] == came["uncertain"] == 0
        minutes = Counter((at - provider.began) // MINUTE for at in provider.call_times)
        broken = [count for minute, count in minutes.items() if 1 <= minute < fault.lasts // MINUTE]
        assert max(broken, default=0) <= 1, "at most one probe a minute"
    if name == "key revoked":
        assert sum(at - provider.began < fault.lasts for at in provider.call_times) <= 3


@pytest.mark.parametrize(
    "name", ["502 after taking it", "reset after taking it", "hang after taking it", "key revoked"]
)
@pytest.mark.parametrize("kinds", [("sendgrid", "postmark"), ("resend", "sendgrid"), ("postmark", "resend")])
def test_a_fail_over_in_the_middle_of_a_campaign(
    world: World, name: str, kinds: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The first account works, breaks for good, and the second takes over; what is in doubt stays with the first."""
    broken = Provider(kinds[0], world.clock, Fault(FAULTS[name].answer, FAULTS[name].takes), faulty_calls=10_000)
    works_for = 7
    answer: Callable[[Got], Reply] = broken.answer
    healthy = Provider(kinds[0], world.clock)

    def first(got: Got) -> Reply:
        if got.method != "GET" and healthy.calls < works_for:
            return healthy.answer(got)
        broken.looked_up |= healthy.looked_up
        return answer(got)

    broken.answer = first  # type: ignore[method-assign]
    second = Provider(kinds[1], world.clock)
    campaign(world, broken, second, hours=0.5)
    came = verdict(world, healthy, broken, second)
    show(capsys, f"{name}, for good", f"{kinds[0][:4]}>{kinds[1][:4]}", came)
    assert came["duplicates"] == 0
    assert came["lost"] == 0
    assert came["unexpected"] == 0
    assert healthy.calls == works_for
    assert sum(second.taken.values()) >= SENDS - works_for - 10
    assert came["alerts"], "an account that is broken for good is shown"


def test_the_second_account_is_not_touched_while_the_first_works(world: World) -> None:
    first, second = Provider("sendgrid", world.clock), Provider("resend", world.clock)
    campaign(world, first, second, hours=0.2)
    assert (sum(first.taken.values()), second.calls) == (SENDS, 0)


def test_two_accounts_share_by_weight(world: World) -> None:
    first, second = Provider("sendgrid", world.clock), Provider("resend", world.clock)

    original = world.add_api_account

    def same_position(kind: str, url: str, *, position: int = 0, **values: str) -> int:
        made = original(kind, url, position=0, **values)
        change_route(world.connection, world.context, world.shop, made, AccountRoute(position=0, weight=50), by=1)
        return made

    world.add_api_account = same_position  # type: ignore[method-assign]
    campaign(world, first, second, hours=0.2)
    assert sum(first.taken.values()) + sum(second.taken.values()) == SENDS
    assert min(sum(first.taken.values()), sum(second.taken.values())) >= 1
