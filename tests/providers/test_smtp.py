"""SMTP against a scripted server: every refusal, every point of disconnection, with and without PIPELINING."""

from __future__ import annotations

import asyncio
import socket

import pytest

from rekindle.providers.base import Accepted, Fault, NotStarted, Outcome, Pause, Rejected, Uncertain
from rekindle.providers.email.smtp import Timeouts
from tests.providers.letters import letter, outcomes, run, send, smtp
from tests.providers.smtp_server import HANG_UP, SILENCE, Script, Server, serving

BOTH = pytest.mark.parametrize("extensions", [("PIPELINING", "SIZE 10000000"), ()], ids=["pipelining", "lock-step"])
LOOP = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
#: For servers that fall silent: what comes before the silence must be done within them, on a busy machine, too.
SHORT = Timeouts(connect=30.0, command=0.5, final=0.5, close=0.1, drain=0.5)


async def one(script: Script, **changes: object) -> tuple[Outcome, Server]:
    async with serving(script) as server:
        provider = smtp(server.port, **changes)
        (outcome,) = await send(provider, letter())
        await provider.close()
        return outcome, server


@BOTH
@pytest.mark.parametrize(
    ("command", "reply", "outcome"),
    [
        ("rcpt", b"550 5.1.1 no such user", Rejected(True, "550 5.1.1", "rcpt: 550 5.1.1 no such user", Fault.RECIPIENT)),
        ("rcpt", b"550 no such user", Rejected(True, "550", "rcpt: 550 no such user", Fault.RECIPIENT)),
        ("rcpt", b"550 5.2.1 disabled", Rejected(True, "550 5.2.1", "rcpt: 550 5.2.1 disabled", Fault.RECIPIENT)),
        ("rcpt", b"552 5.2.2 mailbox full", Rejected(True, "552 5.2.2", "rcpt: 552 5.2.2 mailbox full", Fault.LETTER)),
        ("rcpt", b"550 5.7.1 policy", Rejected(True, "550 5.7.1", "rcpt: 550 5.7.1 policy", Fault.LETTER)),
        ("rcpt", b"450 4.2.0 greylisted", Rejected(False, "450 4.2.0", "rcpt: 450 4.2.0 greylisted", Fault.PROVIDER)),
        ("rcpt", b"554 5.7.1 Relay access denied", NotStarted("554 5.7.1", "rcpt: 554 5.7.1 Relay access denied", Pause.OPERATOR)),
        ("rcpt", b"553 5.7.1 Sender address rejected", NotStarted("553 5.7.1", "rcpt: 553 5.7.1 Sender address rejected", Pause.OPERATOR)),
        ("rcpt", b"550 5.1.8 who are you", NotStarted("550 5.1.8", "rcpt: 550 5.1.8 who are you", Pause.OPERATOR)),
        ("rcpt", b"421 4.7.0 too much", NotStarted("421 4.7.0", "rcpt: 421 4.7.0 too much", Pause.BACK_OFF)),
        ("rcpt", b"452 4.5.3 Too many recipients", NotStarted("452 4.5.3", "rcpt: 452 4.5.3 Too many recipients", Pause.BACK_OFF)),
        ("mail", b"530 5.7.0 log in first", NotStarted("530 5.7.0", "mail: 530 5.7.0 log in first", Pause.OPERATOR)),
        ("mail", b"550 5.7.1 sender not allowed", NotStarted("550 5.7.1", "mail: 550 5.7.1 sender not allowed", Pause.OPERATOR)),
        ("mail", b"552 5.3.4 too big", Rejected(True, "552 5.3.4", "mail: 552 5.3.4 too big", Fault.LETTER)),
        ("mail", b"451 4.3.0 later", Rejected(False, "451 4.3.0", "mail: 451 4.3.0 later", Fault.PROVIDER)),
        ("mail", b"454 4.7.0 Throttling failure", NotStarted("454 4.7.0", "mail: 454 4.7.0 Throttling failure", Pause.BACK_OFF)),
        ("mail", b"421 closing", NotStarted("421", "mail: 421 closing", Pause.BACK_OFF)),
        ("data", b"451 4.3.2 not now", Rejected(False, "451 4.3.2", "data: 451 4.3.2 not now", Fault.PROVIDER)),
        ("data", b"554 5.7.1 no", Rejected(True, "554 5.7.1", "data: 554 5.7.1 no", Fault.LETTER)),
        ("data", b"250 what", Rejected(False, "250", "data: 250 what", Fault.PROVIDER)),
        ("data", b"421 bye", NotStarted("421", "data: 421 bye", Pause.BACK_OFF)),
        ("dot", b"554 5.7.1 spam", Rejected(True, "554 5.7.1", "dot: 554 5.7.1 spam", Fault.LETTER)),
        ("dot", b"451 4.3.0 disk", Rejected(False, "451 4.3.0", "dot: 451 4.3.0 disk", Fault.PROVIDER)),
        ("dot", b"421 4.3.2 shutting down", NotStarted("421 4.3.2", "dot: 421 4.3.2 shutting down", Pause.BACK_OFF)),
        ("dot", b"450 4.7.1 rate limited", NotStarted("450 4.7.1", "dot: 450 4.7.1 rate limited", Pause.BACK_OFF)),
        ("dot", b"354 what", Uncertain("an unexpected reply to the letter: 354")),
    ],
)  # fmt: skip
def test_each_refusal_is_told_for_what_it_is_and_the_next_letter_goes_out(
    extensions: tuple[str, ...], command: str, reply: bytes, outcome: Outcome
) -> None:
    async def work() -> None:
        script = Script(extensions=extensions, for_recipient={"ada1@example.com": {command: reply}})
        async with serving(script) as server:
            provider = smtp(server.port, connections=1)
            assert await send(provider, letter(1)) == [outcome]
            (second,) = await send(provider, letter(2))
            assert isinstance(second, Accepted)
            await provider.close()
            assert [got.recipient for got in server.received] == ["ada2@example.com"]

    run(work())


@BOTH
@LOOP
@pytest.mark.parametrize(
    ("point", "kind"),
    [("mail", Rejected), ("rcpt", Rejected), ("data", Rejected), ("dot", Uncertain)],
)
def test_a_lost_connection_is_uncertain_only_after_the_final_dot(
    extensions: tuple[str, ...], loop: str, point: str, kind: type
) -> None:
    async def work() -> None:
        script = Script(extensions=extensions, for_recipient={"ada2@example.com": {point: HANG_UP}})
        async with serving(script) as server:
            provider = smtp(server.port)
            results = await send(provider, letter(1), letter(2), letter(3))
            assert [type(one) for one in results] == [Accepted, kind, Accepted]
            if isinstance(results[1], Rejected):
                assert (results[1].permanent, results[1].code) == (False, "connection_lost")
                assert "ada2@example.com" not in [got.recipient for got in server.received]
            assert all(isinstance(one, Accepted) for one in await send(provider, letter(4), letter(5), letter(6)))
            await provider.close()

    run(work(), loop)


@BOTH
@pytest.mark.parametrize(
    ("point", "kind"),
    [("mail", Rejected), ("rcpt", Rejected), ("data", Rejected), ("dot", Uncertain)],
)
def test_a_server_that_falls_silent_is_given_up_in_time(extensions: tuple[str, ...], point: str, kind: type) -> None:
    async def work() -> None:
        outcome, server = await one(Script(extensions=extensions, replies={point: [SILENCE]}), timeouts=SHORT)
        assert isinstance(outcome, kind)
        assert "did not answer in time" in outcome.detail  # type: ignore[attr-defined]
        assert server.open_now == 0

    run(work())


@BOTH
@pytest.mark.parametrize(
    "garbage", [b"hello\r\n", b"\xff\xfe\x00\r\n", b"99 x\r\n", b"250-a\r\n251 b\r\n", b"x" * 5000]
)
@pytest.mark.parametrize(("point", "kind"), [("rcpt", Rejected), ("dot", Uncertain)])
def test_garbage_ends_the_connection_and_never_counts_as_success(
    extensions: tuple[str, ...], garbage: bytes, point: str, kind: type
) -> None:
    async def work() -> None:
        outcome, _ = await one(Script(extensions=extensions, replies={point: [garbage]}))
        assert isinstance(outcome, kind)

    run(work())


def test_a_multi_line_reply_is_one_reply() -> None:
    async def work() -> None:
        outcome, _ = await one(Script(replies={"dot": [b"250-2.0.0 thank\r\n250-you\r\n250 queued as ABC123XYZ\r\n"]}))
        assert outcome == Accepted("ABC123XYZ", "250 2.0.0 thank you queued as ABC123XYZ")

    run(work())


@LOOP
def test_pipelined_commands_leave_in_one_write_and_lock_step_ones_do_not(loop: str) -> None:
    async def work() -> None:
        for extensions, together in ((("PIPELINING",), True), ((), False)):
            async with serving(Script(extensions=extensions)) as server:
                provider = smtp(server.port)
                await send(provider, letter(1))
                envelope = b"MAIL FROM:<bounce+1@shop.example>\r\nRCPT TO:<ada1@example.com>\r\nDATA\r\n"
                assert (envelope in server.segments) is together
                await provider.close()

    run(work(), loop)


@LOOP
def test_every_letter_has_begun_before_start_lets_go(loop: str) -> None:
    """The purchase race depends on it: the other side can read the commands before anything else here runs."""
    width = 3
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = []

    def greet() -> None:
        for _ in range(width):
            end = listener.accept()[0]
            end.sendall(b"220 test\r\n")
            end.recv(4096)
            end.sendall(b"250-test\r\n250 PIPELINING\r\n")
            ends.append(end)

    async def work() -> None:
        greeting = asyncio.get_running_loop().run_in_executor(None, greet)
        provider = smtp(listener.getsockname()[1], connections=width)
        assert await provider.prepare(width) == width
        await greeting
        futures = provider.start([letter(n) for n in range(width)])
        seen = [end.recv(4096, socket.MSG_DONTWAIT) for end in ends]  # no await since start: raises if nothing is there
        assert sorted(seen) == [
            b"MAIL FROM:<bounce+%d@shop.example>\r\nRCPT TO:<ada%d@example.com>\r\nDATA\r\n" % (n, n)
            for n in range(width)
        ]
        for end in ends:
            end.close()
        assert all(isinstance(one, Rejected) for one in await outcomes(futures))
        await provider.close()

    with listener:
        run(work(), loop)


def test_an_unwanted_data_is_ended_by_a_lone_dot_and_the_recipient_gets_nothing() -> None:
    """RFC 2920 3.1: a server may answer 354 although it refused the recipient."""

    async def work() -> None:
        script = Script(for_recipient={"ada1@example.com": {"rcpt": b"550 5.1.1 no", "data": b"354 go on"}})
        async with serving(script) as server:
            provider = smtp(server.port, connections=1)
            first = await send(provider, letter(1))
            assert isinstance(first[0], Rejected)
            assert first[0].code == "550 5.1.1"
            assert isinstance((await send(provider, letter(2)))[0], Accepted)
            assert server.dots == 2
            assert [got.content for got in server.received] == [b"Subject: 2\r\n\r\nbody 2\r\n"]
            assert server.connections == 1
            await provider.close()

    run(work())


def test_a_lone_dot_is_never_sent_where_it_would_deliver_an_empty_letter() -> None:
    """MAIL refused, yet RCPT and DATA accepted: out of step, so the connection is dropped."""

    async def work() -> None:
        script = Script(
            for_recipient={"ada1@example.com": {"mail": b"451 4.3.0 no", "rcpt": b"250 ok", "data": b"354 go"}}
        )
        async with serving(script) as server:
            provider = smtp(server.port, connections=1)
            (outcome,) = await send(provider, letter(1))
            assert isinstance(outcome, Rejected)
            await provider.close()
            assert server.received == []

    run(work())


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: x\r\n\r\n.\r\n..\r\n.a\r\nend\r\n",
        b".\r\n",
        b"",
        b"no line end",
        b"a\n.\nb\r.\rc\r\n",
        b"smuggled\r\n.\nMAIL FROM:<e@e.example>\r\n",
    ],
)
@BOTH
def test_dots_and_odd_line_ends_never_end_a_letter_early(extensions: tuple[str, ...], content: bytes) -> None:
    async def work() -> None:
        async with serving(Script(extensions=extensions)) as server:
            provider = smtp(server.port)
            (outcome,) = await send(provider, letter(content=content))
            assert isinstance(outcome, Accepted)
            normal = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
            assert server.received[0].content.rstrip(b"\r\n") == normal.rstrip(b"\r\n")
            assert b"\n.\n" not in b"".join(server.segments).replace(b"\r\n.\r\n", b"")
            await provider.close()

    run(work())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recipient": "zoë@example.com"}, "smtputf8"),
        ({"content": "Größe".encode()}, "8bitmime"),
        ({"content": b"x" * 2000}, "size"),
        ({"recipient": "a@b.example>\r\nRCPT TO:<c@d.example"}, "address"),
        ({"recipient": "a b@c.example"}, "address"),
        ({"sender": "x\r\ny@c.example"}, "address"),
        ({"recipient": "nobody"}, "address"),
    ],
)
def test_what_the_server_cannot_take_is_refused_before_a_byte_is_written(changes: dict[str, object], code: str) -> None:
    async def work() -> None:
        async with serving(Script(extensions=("PIPELINING", "SIZE 1000"))) as server:
            provider = smtp(server.port, connections=1)
            (outcome,) = await send(provider, letter(**changes))
            assert isinstance(outcome, Rejected)
            assert (outcome.permanent, outcome.code, outcome.fault) == (True, code, Fault.LETTER)
            assert not any(command.startswith("MAIL") for command in server.commands)
            assert isinstance((await send(provider, letter(2)))[0], Accepted)
            await provider.close()

    run(work())


def test_what_the_server_offers_is_used() -> None:
    async def work() -> None:
        async with serving(Script(extensions=("pipelining", "SMTPUTF8", "8BITMIME", "SIZE"))) as server:
            provider = smtp(server.port)
            (outcome,) = await send(provider, letter(recipient="zoë@example.com", content="Größe\r\n".encode()))
            assert isinstance(outcome, Accepted)
            size = len("Größe\r\n".encode())
            assert f"MAIL FROM:<bounce+1@shop.example> SIZE={size} BODY=8BITMIME SMTPUTF8" in server.commands
            await provider.close()

    run(work())


def test_the_recipient_is_not_repeated_in_what_is_stored() -> None:
    async def work() -> None:
        outcome, _ = await one(Script(replies={"rcpt": [b"550 5.1.1 <ADA1@example.com>: unknown"]}))
        assert isinstance(outcome, Rejected)
        assert outcome.detail == "rcpt: 550 5.1.1 <<recipient>>: unknown"

    run(work())


def test_connections_are_kept_and_used_again() -> None:
    async def work() -> None:
        async with serving() as server:
            provider = smtp(server.port, connections=2)
            for number in range(0, 10, 2):
                await send(provider, letter(number), letter(number + 1))
            assert (server.connections, len(server.received)) == (2, 10)
            await provider.close()
            assert server.commands.count("QUIT") == 2

    run(work())


def test_a_connection_is_renewed_after_its_number_of_letters() -> None:
    async def work() -> None:
        async with serving() as server:
            provider = smtp(server.port, connections=1, letters_per_connection=2)
            for number in range(5):
                assert isinstance((await send(provider, letter(number)))[0], Accepted)
            assert server.connections == 3
            await provider.close()

    run(work())


def test_a_connection_that_slept_is_asked_and_a_dead_one_replaced() -> None:
    async def work() -> None:
        async with serving(Script(replies={"noop": [b"250 ok", HANG_UP, b"421 closing", b"250 ok"]})) as server:
            provider = smtp(server.port, connections=1, check_after_s=0.0)
            for number in range(4):
                assert isinstance((await send(provider, letter(number)))[0], Accepted)
            assert server.commands.count("NOOP") == 3
            assert server.connections == 3
            assert len(server.received) == 4
            await provider.close()

    run(work())


def test_a_connection_the_server_closed_is_noticed_without_asking() -> None:
    async def work() -> None:
        async with serving() as server:
            provider = smtp(server.port, connections=1)
            await send(provider, letter(1))
            await server.stop()
            while provider.start_width:
                await asyncio.sleep(0)
            assert isinstance((await outcomes(provider.start([letter(2)])))[0], NotStarted)
            assert isinstance((await send(provider, letter(3)))[0], Accepted)
            await provider.close()

    run(work())


def test_idle_connections_are_closed_after_a_while() -> None:
    async def work() -> None:
        async with serving() as server:
            provider = smtp(server.port, connections=2, close_after_s=0.05)
            await send(provider, letter(1), letter(2))
            while server.open_now:
                await asyncio.sleep(0)
            assert provider.start_width == 0
            assert server.commands.count("QUIT") == 2
            assert isinstance((await send(provider, letter(3)))[0], Accepted)
            await provider.close()

    run(work())


@pytest.mark.parametrize(
    ("script", "code", "pause"),
    [
        (Script(replies={"banner": [b"554 5.7.1 no service for you"]}), "554 5.7.1", Pause.BACK_OFF),
        (Script(replies={"banner": [b"421 4.3.2 busy"]}), "421 4.3.2", Pause.BACK_OFF),
        (Script(replies={"banner": [HANG_UP]}), "connect", Pause.BACK_OFF),
        (Script(replies={"banner": [SILENCE]}), "timeout", Pause.BACK_OFF),
        (Script(replies={"banner": [b"HTTP/1.1 400 Bad Request"]}), "connect", Pause.BACK_OFF),
        (Script(replies={"ehlo": [b"421 no"]}), "421", Pause.BACK_OFF),
        (Script(replies={"ehlo": [b"502 no"], "helo": [b"550 no"]}), "550", Pause.BACK_OFF),
        (Script(replies={"ehlo": [HANG_UP]}), "connect", Pause.BACK_OFF),
    ],
)
def test_why_no_connection_was_made_is_known(script: Script, code: str, pause: Pause) -> None:
    async def work() -> None:
        async with serving(script) as server:
            patience = 0.2 if code == "timeout" else 30.0
            provider = smtp(server.port, timeouts=Timeouts(connect=patience, command=patience))
            (outcome,) = await send(provider, letter())
            assert isinstance(outcome, NotStarted)
            assert (outcome.code, outcome.pause) == (code, pause)
            assert provider.trouble == outcome
            await provider.close()

    run(work())


def test_an_old_server_is_greeted_with_helo() -> None:
    async def work() -> None:
        outcome, server = await one(Script(replies={"ehlo": [b"502 5.5.2 unknown"]}))
        assert isinstance(outcome, Accepted)
        assert server.commands[:2] == ["EHLO test.example", "HELO test.example"]

    run(work())


def test_without_a_name_we_greet_with_the_address_of_our_end() -> None:
    async def work() -> None:
        _, server = await one(Script(), client_name="")
        assert server.commands[0] == "EHLO [127.0.0.1]"

    run(work())


def test_a_server_that_is_down_is_not_asked_at_every_batch() -> None:
    async def work() -> None:
        async with serving(Script(replies={"banner": [b"421 busy"]})) as server:
            provider = smtp(server.port, connections=1)
            for number in range(5):
                assert isinstance((await send(provider, letter(number)))[0], NotStarted)
            assert server.connections == 1
            provider._not_before = 0.0  # the wait is over
            await send(provider, letter(6))
            assert server.connections == 2
            assert provider._not_before > asyncio.get_running_loop().time() + 1.5  # twice as long now
            await provider.close()

    run(work())


def test_nobody_listens() -> None:
    async def work() -> None:
        async with serving() as server:
            port = server.port
        provider = smtp(port)
        (outcome,) = await send(provider, letter())
        assert isinstance(outcome, NotStarted)
        assert outcome.code == "connect"
        await provider.close()

    run(work())


def test_some_connections_are_better_than_none() -> None:
    async def work() -> None:
        async with serving(Script(replies={"banner": [b"220 ok", b"421 4.7.0 too many connections"]})) as server:
            provider = smtp(server.port, connections=4)
            results = await send(provider, letter(1), letter(2), letter(3))
            assert [type(one) for one in results].count(Accepted) == 1
            assert provider.trouble is not None
            rest = [one for one in results if not isinstance(one, Accepted)]
            assert rest == [provider.trouble] * 2
            await provider.close()

    run(work())


def test_close_waits_for_letters_under_way_but_not_for_ever() -> None:
    async def work() -> None:
        async with serving() as server:
            server.gate = asyncio.Event()
            provider = smtp(server.port)
            await provider.prepare(1)
            futures = provider.start([letter(1)])
            closing = asyncio.create_task(provider.close())
            await asyncio.sleep(0)
            server.gate.set()
            await closing
            assert isinstance(futures[0].result(), Accepted)
        async with serving(Script(replies={"dot": [SILENCE]})) as server:
            provider = smtp(server.port, timeouts=Timeouts(drain=0.1, close=0.1))
            await provider.prepare(1)
            futures = provider.start([letter(1)])
            await provider.close()
            assert isinstance(futures[0].result(), Uncertain)

    run(work())


def test_a_cancelled_prepare_leaves_no_connection_behind() -> None:
    async def work() -> None:
        async with serving(Script(replies={"ehlo": [SILENCE]})) as server:
            provider = smtp(server.port)
            task = asyncio.create_task(provider.prepare(2))
            while "EHLO test.example" not in server.commands:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert provider.start_width == 0
            await provider.close()

    run(work())


def test_many_letters_over_few_connections_arrive_once_each() -> None:
    async def work() -> None:
        script = Script(for_recipient={f"ada{n}@example.com": {"rcpt": b"550 5.1.1 no"} for n in range(0, 200, 7)})
        async with serving(script) as server:
            provider = smtp(server.port, connections=8, letters_per_connection=9)
            results: list[Outcome] = []
            waiting = [letter(n) for n in range(200)]
            while waiting:
                width = await provider.prepare(min(8, len(waiting)))
                batch, waiting = waiting[:width], waiting[width:]
                results += await outcomes(provider.start(batch))
            await provider.close()
            good = [n for n in range(200) if n % 7]
            assert sorted(got.recipient for got in server.received) == sorted(f"ada{n}@example.com" for n in good)
            assert [isinstance(one, Accepted) for one in results] == [bool(n % 7) for n in range(200)]

    run(work())
