"""An HTTP server on loopback that answers as told, misbehaving included; used by tests of everything that speaks HTTP."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Got:
    """One request as it arrived. Header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """``raw`` goes out as it is; then the connection is closed, reset, kept open without a word, or goes on."""

    raw: bytes = b""
    after: str = "keep"  # keep, close, reset, hang

    @classmethod
    def of(cls, status: int, body: object = b"", *, after: str = "keep", **headers: str) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return cls("\r\n".join(lines).encode() + b"\r\n\r\n" + data, after)


HANG = Reply(after="hang")
RESET = Reply(after="reset")
CLOSE = Reply(after="close")

Answer = Reply | Callable[[Got], Reply]


@dataclass
class Server:
    """``answers`` are used up one by one; then ``otherwise``."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    otherwise: Answer = field(default_factory=lambda: Reply.of(200, {}))
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    on_connect: Reply | None = None
    scheme: str = "http"
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if self.on_connect is not None and not await self._send(writer, self.on_connect):
                return
            while (request := await _read(reader)) is not None:
                self.got.append(request)
                answer = self.answers.pop(0) if self.answers else self.otherwise
                reply = answer if isinstance(answer, Reply) else answer(request)
                if not await self._send(writer, reply):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        if reply.raw:
            writer.write(reply.raw)
            await writer.drain()
        if reply.after == "hang":
            await asyncio.Event().wait()
        if reply.after == "reset":
            writer.transport.abort()
        return reply.after == "keep"

    def hang_up(self) -> None:
        """Close every open connection, as a server does that restarts."""
        for writer in list(self._writers):
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Got | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as short:
        if short.partial:
            raise
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Got(method, target, headers, body)


@asynccontextmanager
async def serving(
    *answers: Answer, otherwise: Answer | None = None, tls: ssl.SSLContext | None = None, **more: object
) -> AsyncIterator[Server]:
    server = Server(answers=list(answers), scheme="https" if tls else "http", **more)  # type: ignore[arg-type]
    if otherwise is not None:
        server.otherwise = otherwise
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await server.serve(reader, writer)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def form(body: bytes) -> Mapping[str, str]:
    """A form body, decoded once."""
    from urllib.parse import parse_qsl

    return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
