"""What every e-mail provider keeps, the shipped fake included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from rekindle.providers.base import Accepted, EmailProvider, Fault, NotStarted, Rejected, Uncertain
from rekindle.providers.fake import FakeProvider
from tests.providers import http_server
from tests.providers.apis import APIS, Account, account
from tests.providers.letters import letter, outcomes, run, send, smtp
from tests.providers.smtp_server import HANG_UP, Script, Server, serving


class Bench:
    """A provider and what reached the other side. ``denies``: its look-up can say no."""

    def __init__(self, provider: EmailProvider, server: Server | Account | None, *, denies: bool = True) -> None:
        self.provider, self.server, self.denies = provider, server, denies

    def arrived(self) -> list[str]:
        if isinstance(self.server, Account):
            return sorted(self.server.arrived)
        if self.server is not None:
            return sorted(one.recipient for one in self.server.received)
        assert isinstance(self.provider, FakeProvider)
        return sorted(one.recipient for one in self.provider.accepted.values())


Make = Callable[[], AbstractAsyncContextManager[Bench]]

BOUNCE = Rejected(True, "550 5.1.1", "rcpt: 550 5.1.1 no such user", Fault.RECIPIENT)
LATER = Rejected(False, "450 4.2.0", "rcpt: 450 4.2.0 later", Fault.PROVIDER)


@asynccontextmanager
async def fake() -> AsyncIterator[Bench]:
    provider = FakeProvider(width=4)
    answers = {"bounce@example.com": BOUNCE, "later@example.com": LATER}
    for number in range(12):
        provider.answer(lambda one, n=number: answers.get(one.recipient, Accepted(f"f{n}", "ok")))  # type: ignore[misc]
    await provider.open()
    yield Bench(provider, None)
    await provider.close()


def _smtp(extensions: tuple[str, ...]) -> Make:
    @asynccontextmanager
    async def make() -> AsyncIterator[Bench]:
        script = Script(
            extensions=extensions,
            for_recipient={
                "bounce@example.com": {"rcpt": b"550 5.1.1 no such user"},
                "later@example.com": {"rcpt": b"450 4.2.0 later"},
            },
        )
        async with serving(script) as server:
            provider = smtp(server.port)
            await provider.open()
            yield Bench(provider, server)
            await provider.close()

    return make


def _api(name: str) -> Make:
    @asynccontextmanager
    async def make() -> AsyncIterator[Bench]:
        with account(name) as (theirs, ours):
            async with http_server.serving(otherwise=theirs.answer) as server:
                provider = ours(server.url)
                await provider.open()
                yield Bench(provider, theirs, denies=False)
                await provider.close()

    return make


MAKES: dict[str, Make] = {
    "fake": fake,
    "smtp, pipelining": _smtp(("PIPELINING", "SIZE 10000000", "8BITMIME")),
    "smtp, lock-step": _smtp(()),
    **{name: _api(name) for name in APIS},
}


@pytest.fixture(params=MAKES)
def make(request: pytest.FixtureRequest) -> Make:
    return MAKES[request.param]


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_accepted_letters_arrive_once(make: Make, loop: str) -> None:
    async def work() -> None:
        async with make() as bench:
            for batch in ([1], [2, 3, 4, 5], [6, 7]):
                results = await send(bench.provider, *map(letter, batch))
                assert all(isinstance(one, Accepted) and one.provider_id for one in results)
            assert bench.arrived() == sorted(f"ada{n}@example.com" for n in range(1, 8))

    run(work(), loop)


def test_it_satisfies_the_protocol(make: Make) -> None:
    async def work() -> None:
        async with make() as bench:
            assert isinstance(bench.provider, EmailProvider)

    run(work())


def test_one_refused_letter_fails_alone_and_in_order(make: Make, loop: str) -> None:
    async def work() -> None:
        async with make() as bench:
            batch = [
                letter(1),
                letter(2, recipient="bounce@example.com"),
                letter(3, recipient="later@example.com"),
                letter(4),
            ]
            first = await send(bench.provider, *batch)
            assert [type(one) for one in first] == [Accepted, Rejected, Rejected, Accepted]
            if not isinstance(bench.server, Account):
                assert first[1:3] == [BOUNCE, LATER]
            assert [one.permanent for one in first if isinstance(one, Rejected)] == [True, False]
            again = await send(bench.provider, *map(letter, (5, 6, 7, 8)))
            assert all(isinstance(one, Accepted) for one in again)
            assert bench.arrived() == [f"ada{n}@example.com" for n in (1, 4, 5, 6, 7, 8)]

    run(work(), loop)


def test_letters_beyond_the_width_are_not_started(make: Make) -> None:
    async def work() -> None:
        async with make() as bench:
            width = await bench.provider.prepare(4)
            assert width == bench.provider.start_width == 4
            results = await outcomes(bench.provider.start([letter(n) for n in range(6)]))
            assert [type(one) for one in results] == [Accepted] * 4 + [NotStarted] * 2
            assert len(bench.arrived()) == 4

    run(work())


def test_nothing_starts_after_close(make: Make) -> None:
    async def work() -> None:
        async with make() as bench:
            await bench.provider.close()
            await bench.provider.close()
            assert await bench.provider.prepare(2) == 0
            (result,) = await outcomes(bench.provider.start([letter()]))
            assert isinstance(result, NotStarted)
            assert bench.arrived() == []

    run(work())


def test_a_cancelled_wait_harms_nothing(make: Make) -> None:
    async def work() -> None:
        async with make() as bench:
            await bench.provider.prepare(2)
            first, second = bench.provider.start([letter(1), letter(2)])
            first.cancel()
            assert isinstance(await second, Accepted)
            (third,) = await send(bench.provider, letter(3))
            assert isinstance(third, Accepted)

    run(work())


def test_a_look_up_is_honest_about_what_it_can_know(make: Make) -> None:
    async def work() -> None:
        async with make() as bench:
            await send(bench.provider, letter(1))
            known = bench.provider.capabilities.lookup
            assert await bench.provider.lookup("send-1@shop.example") is (True if known else None)
            assert await bench.provider.lookup("send-2@shop.example") is (False if known and bench.denies else None)

    run(work())


def test_the_fake_can_lose_a_confirmation() -> None:
    async def work() -> None:
        provider = FakeProvider()
        provider.answer(Uncertain("lost"), arrived=True)
        await provider.open()
        assert await send(provider, letter(1)) == [Uncertain("lost")]
        assert await provider.lookup("send-1@shop.example") is True

    run(work())


def test_the_fake_holds_letters_until_released() -> None:
    async def work() -> None:
        provider = FakeProvider(width=2, hold=True)
        await provider.open()
        futures = provider.start([letter(1), letter(2), letter(3)])
        assert [one.recipient for one in provider.started] == ["ada1@example.com", "ada2@example.com"]
        await asyncio.sleep(0)
        assert [one.done() for one in futures] == [False, False, True]
        assert provider.release() == 2
        assert all(isinstance(one, Accepted) for one in await outcomes(futures[:2]))

    run(work())


def test_a_provider_that_is_down_starts_nothing_and_says_why() -> None:
    async def work() -> None:
        async with serving(Script(replies={"banner": [HANG_UP]})) as server:
            provider = smtp(server.port)
            await provider.open()
            assert provider.trouble is not None
            assert await send(provider, letter()) == [provider.trouble]
            await provider.close()

    run(work())
