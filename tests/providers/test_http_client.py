"""One request: does it leave at once, and is it known afterwards what became of it?"""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rekindle.providers.http_client import (
    Answered,
    EgressError,
    EgressRules,
    Exchange,
    HttpClient,
    HttpSettings,
    NotWritten,
    Origin,
    Request,
    Unanswered,
)
from rekindle.providers.http_client.answers import AnswerError, AnswerReader
from tests.providers.http_server import CLOSE, HANG, RESET, Reply, serving
from tests.providers.letters import run

LOCAL = EgressRules(allow_loopback=True)
POST = Request("POST", "/send", (("X-Key", "1"),), b"body")


def client(**changes: object) -> HttpClient:
    given: dict[str, object] = {"rules": LOCAL, "connections": 4, "connect_s": 30.0, "answer_s": 30.0, **changes}
    return HttpClient(HttpSettings(**given))  # type: ignore[arg-type]


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# -- what leaves, and when ------------------------------------------------------------------------------------------------


def test_a_request_has_left_before_start_returns() -> None:
    """On asyncio the first bytes are in the socket when `start` returns: nothing else ran in between."""

    async def work() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        http = client()
        line = http.line(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert await line.prepare(1) == 1
        peer, _ = listener.accept()
        peer.settimeout(30)
        future = line.start(POST)
        assert peer.recv(100).startswith(b"POST /send HTTP/1.1\r\nHost: 127.0.0.1:")
        peer.close()
        listener.close()
        assert isinstance(await future, Unanswered)
        await http.close()

    run(work())


def test_on_uvloop_it_has_left_after_one_turn() -> None:
    async def work() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        http = client()
        line = http.line(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert await line.prepare(1) == 1
        peer, _ = listener.accept()
        peer.setblocking(False)
        future = line.start(POST)
        await asyncio.sleep(0)
        assert peer.recv(100).startswith(b"POST /send")
        peer.close()
        listener.close()
        assert isinstance(await future, Unanswered)
        await http.close()

    run(work(), "uvloop")


def test_requests_arrive_whole_and_connections_are_kept(loop: str) -> None:
    async def work() -> None:
        async with serving() as server:
            http = client()
            line = http.line(server.url)
            for _ in range(3):
                assert await line.prepare(4) == 4
                answers = await asyncio.gather(*(line.start(POST) for _ in range(4)))
                assert all(isinstance(one, Answered) and one.answer.status == 200 for one in answers)
            assert server.connections == 4
            assert len(server.got) == 12
            (first, *_) = server.got
            assert (first.method, first.target, first.body) == ("POST", "/send", b"body")
            assert first.headers["host"] == f"127.0.0.1:{server.port}"
            assert first.headers["x-key"] == "1"
            assert first.headers["user-agent"].startswith("Rekindle")
            await http.close()

    run(work(), loop)


def test_no_more_start_than_were_prepared(loop: str) -> None:
    async def work() -> None:
        async with serving() as server:
            http = client()
            line = http.line(server.url)
            assert await line.prepare(2) == line.ready == 2
            results = await asyncio.gather(*(line.start(POST) for _ in range(3)))
            assert [type(one) for one in results] == [Answered, Answered, NotWritten]
            assert len(server.got) == 2
            await http.close()

    run(work(), loop)


def test_what_one_account_set_aside_no_other_takes() -> None:
    async def work() -> None:
        async with serving() as server:
            http = client()
            first, second = http.line(server.url), http.line(server.url)
            assert await first.prepare(3) == 3
            assert await second.prepare(3) == 1
            assert (first.ready, second.ready) == (3, 1)
            assert isinstance(await second.start(POST), Answered)
            assert isinstance(await second.start(POST), NotWritten)
            assert [type(await first.start(POST)) for _ in range(3)] == [Answered] * 3
            assert server.connections == 4
            first.release()
            assert await second.prepare(4) == 4
            await http.close()

    run(work())


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "/a b"),
        Request("POST", "/a\r\nX: y"),
        Request("POST", "no-slash"),
        Request("PO ST", "/"),
        Request("POST", "/", (("X-A", "a\r\nX-B: b"),)),
        Request("POST", "/", (("X A", "a"),)),
        Request("POST", "/", (("Content-Length", "3"),)),
        Request("POST", "/", (("Host", "elsewhere"),)),
        Request("POST", "/", (("X-A", "é\u2028"),)),
    ],
)
def test_no_value_can_break_a_request_apart(request_: Request) -> None:
    with pytest.raises(ValueError, match="not valid"):
        request_.wire(Origin("https", "api.example", 443))


# -- what became of it ------------------------------------------------------------------------------------------------------


async def exchange(*answers: Reply, **settings: object) -> tuple[Exchange, int]:
    async with serving(*answers) as server:
        http = client(**settings)
        result = await http.exchange(f"{server.url}/send", "POST", body=b"x")
        await http.close()
        return result, len(server.got)


@pytest.mark.parametrize(
    "reply",
    [
        RESET,
        CLOSE,
        Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "close"),
        Reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "close"),
        Reply(b"HTTP/1.1 200 OK\r\nContent-Le", "close"),
        Reply(b"220 mail.example ESMTP\r\n"),
        Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        Reply(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        Reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx"),
        Reply(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"),
        Reply(b"HTTP/1.1 101 Switching\r\n\r\n"),
        Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"),
        Reply(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000),
        Reply(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 2_000_000, "close"),
    ],
)
def test_once_written_only_a_whole_answer_tells(reply: Reply, loop: str) -> None:
    async def work() -> None:
        result, arrived = await exchange(reply)
        assert isinstance(result, Unanswered)
        assert arrived == 1

    run(work(), loop)


def test_a_server_that_hangs_is_left_in_time() -> None:
    async def work() -> None:
        result, _ = await exchange(HANG, answer_s=0.05)
        assert result == Unanswered("the server did not answer in time before an answer came")

    run(work())


def test_nothing_listening_is_nothing_written() -> None:
    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        http = client()
        result = await http.exchange(f"http://127.0.0.1:{port}/")
        assert isinstance(result, NotWritten)
        assert result.code == "connect"
        await http.close()

    run(work())


def test_after_a_failure_it_waits_before_it_connects_again() -> None:
    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        http = client()
        line = http.line(f"http://127.0.0.1:{port}")
        assert await line.prepare(2) == 0
        with socket.create_server(("127.0.0.1", port)) as listener:
            listener.settimeout(0.05)
            assert await line.prepare(2) == 0
            assert line.trouble is not None
            with pytest.raises(TimeoutError):
                listener.accept()
        await http.close()

    run(work())


def test_trouble_that_is_over_is_not_told_any_more() -> None:
    async def work() -> None:
        async with serving() as server:
            http = client(connections=3)
            line = http.line(server.url)
            assert await line.prepare(1) == 1
            loop_, failing = asyncio.get_running_loop(), True

            async def connect(*given: object, **more: object) -> object:
                if failing:
                    raise ConnectionRefusedError(111, "refused")
                return await original(*given, **more)  # type: ignore[arg-type]

            original, loop_.create_connection = loop_.create_connection, connect  # type: ignore[method-assign, assignment]
            assert await line.prepare(2) == 1
            assert line.trouble == NotWritten("connect", "no connection: refused")
            assert await line.prepare(1) == 1
            assert line.trouble is None
            await http.close()

    run(work())


def test_a_connection_that_the_server_closed_is_not_used(loop: str) -> None:
    async def work() -> None:
        async with serving() as server:
            http = client()
            line = http.line(server.url)
            await line.prepare(1)
            assert isinstance(await line.start(POST), Answered)
            server.hang_up()
            while line._pool.ready():  # until the end of the connection is noticed
                await asyncio.sleep(0)
            assert line.ready == 0
            assert await line.prepare(1) == 1
            assert isinstance(await line.start(POST), Answered)
            assert (server.connections, len(server.got)) == (2, 2)
            await http.close()

    run(work(), loop)


def test_a_connection_that_lay_idle_is_replaced() -> None:
    async def work() -> None:
        async with serving(Reply.of(200, {}, Keep_Alive="timeout=0")) as server:
            http = client()
            line = http.line(server.url)
            await line.prepare(1)
            await line.start(POST)
            await line.prepare(1)
            await line.start(POST)
            assert server.connections == 2
            await http.close()

    run(work())


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n",
            b"hello",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_an_answer_is_read_however_it_is_cut(raw: bytes, body: bytes, size: int) -> None:
    reader = AnswerReader(1_000)
    results = [reader.feed(raw[at : at + size]) for at in range(0, len(raw), size)]
    assert results[:-1] == [None] * (len(results) - 1)
    assert results[-1] is not None
    assert results[-1].body == body
    assert reader.keep_alive


def test_an_answer_until_the_end_of_the_connection_is_read() -> None:
    async def work() -> None:
        result, _ = await exchange(Reply(b"HTTP/1.0 200 OK\r\n\r\nhello", "close"))
        assert isinstance(result, Answered)
        assert result.answer.body == b"hello"

    run(work())


def test_bytes_behind_an_answer_end_the_connection() -> None:
    reader = AnswerReader(1_000)
    answer = reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500")
    assert answer is not None
    assert answer.body == b"ok"
    assert not reader.keep_alive


def test_two_lengths_are_not_believed_twice() -> None:
    reader = AnswerReader(1_000)
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    answer = reader.feed(raw)
    assert answer is not None
    assert answer.body == b"ok"
    assert not reader.keep_alive


def test_a_folded_header_is_refused() -> None:
    with pytest.raises(AnswerError):
        AnswerReader(10).feed(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n")


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def work() -> None:
        async with serving() as canary:
            result, _ = await exchange(Reply.of(302, Location=f"{canary.url}/x"))
            assert isinstance(result, Answered)
            assert result.answer.status == 302
            assert canary.connections == 0

    run(work())


def test_close_waits_for_what_is_under_way(loop: str) -> None:
    async def work() -> None:
        async with serving() as server:
            http = client()
            line = http.line(server.url)
            await line.prepare(2)
            futures = [line.start(POST), line.start(POST)]
            await http.close()
            assert all(isinstance(one.result(), Answered) for one in futures)
            await http.close()
            assert await line.prepare(1) == 0

    run(work(), loop)


# -- egress -----------------------------------------------------------------------------------------------------------------

#: checks.md S-07 and section 2: each form of an address that leads inside, or that is none.
INSIDE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "2001:db8::1",
    "nonsense",
]


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_reached(address: str) -> None:
    assert not EgressRules().may_reach(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700::1111"])
def test_public_addresses_are_reached_with_tls_only(address: str) -> None:
    assert EgressRules().may_reach(address)
    assert not EgressRules().may_reach(address, encrypted=False)
    assert not LOCAL.may_reach(address, encrypted=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/",
        "gopher://api.example/",
        "file:///etc/passwd",
        "https://user:pass@api.example/",
        "https:///x",
        "https://",
        "https://a b/",
        "https://api.example:0/",
        "https://api.example:99999/",
        "https://[::1",
        "https://api.example/\r\nX: y",
        "https://api.example/x\r\n",
        "https://[fe80::1%25eth0]/",
        "",
    ],
)
def test_urls_of_another_form_are_refused_alike(url: str) -> None:
    with pytest.raises(EgressError, match=r"^this address may not be called$"):
        EgressRules().split(url)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "localhost", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_nothing_connects_to_this_machine_unless_told(host: str) -> None:
    """A canary listens; every spelling of its address is refused before a connection, with one and the same text."""

    async def work() -> None:
        async with serving() as canary:
            http = HttpClient()
            try:
                result = await http.exchange(f"https://{host}:{canary.port}/latest/meta-data")
            except EgressError as refused:
                result = NotWritten("blocked", str(refused))
            assert result == NotWritten("blocked", "this address may not be called")
            await asyncio.sleep(0.02)
            assert canary.connections == 0
            await http.close()

    run(work())


def test_a_name_is_resolved_once_and_its_address_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the second answer of the resolver would lead inside, but nobody asks twice."""

    async def work() -> None:
        asked: list[str] = []

        async def rebinding(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            asked.append(host)
            address = "93.184.215.14" if len(asked) == 1 else "127.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        connected: list[str] = []

        async def connect(*arguments: object, **_: object) -> None:
            connected.append(str(arguments[1]))
            raise ConnectionRefusedError

        running = asyncio.get_running_loop()
        monkeypatch.setattr(running, "getaddrinfo", rebinding)
        monkeypatch.setattr(running, "create_connection", connect)
        http = HttpClient(HttpSettings(connections=2))
        line = http.line("https://rebind.example")
        assert await line.prepare(2) == 0
        assert asked == ["rebind.example"]
        assert connected == ["93.184.215.14"] * 2
        await http.close()

    run(work())


def test_of_several_addresses_only_public_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async def mixed(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            return [(2, 1, 6, "", (address, port)) for address in ("10.0.0.1", "93.184.215.14", "::1")]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", mixed)
        assert await EgressRules().resolve(Origin("https", "mixed.example", 443)) == ["93.184.215.14"]

    run(work())


# -- TLS --------------------------------------------------------------------------------------------------------------------


def _certificate(folder: Path, address: str) -> tuple[ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{address}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context, file


def test_a_trusted_certificate_for_the_right_host_is_taken(tmp_path: Path, loop: str) -> None:
    async def work() -> None:
        tls, file = _certificate(tmp_path, "127.0.0.1")
        async with serving(tls=tls) as server:
            http = client(ca_file=str(file))
            line = http.line(server.url)
            assert await line.prepare(2) == 2
            results = await asyncio.gather(line.start(POST), line.start(POST))
            assert all(isinstance(one, Answered) for one in results)
            assert [got.body for got in server.got] == [b"body"] * 2
            await http.close()

    run(work(), loop)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_any_other_certificate_is_refused(tmp_path: Path, address: str, loop: str) -> None:
    """The first is not trusted, the second is trusted but for another host."""

    async def work() -> None:
        tls, file = _certificate(tmp_path, address)
        async with serving(tls=tls) as server:
            http = client(ca_file=str(file) if address != "127.0.0.1" else "")
            result = await http.exchange(server.url)
            assert isinstance(result, NotWritten)
            assert result.code == "certificate"
            assert server.got == []
            await http.close()

    run(work(), loop)
