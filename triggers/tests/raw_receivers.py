"""Real servers on a loopback port that answer byte by byte as a test says, well-behaved or not."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_network

from triggers import outbound
from triggers.outbound import DIRECT, Answer, Network, Request, Route
from triggers.outbound.guard import LookUp, MakeSocket, ask_name_servers, plain_socket

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(answer: bytes, seen: list[bytes] | None = None) -> Handler:
    """Answer every request of a connection with these bytes and keep it open; `seen` collects the requests."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            if seen is not None:
                seen.append(request)
            writer.write(answer)

    return handle


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Return one request, head and body; b"" when the client is gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    lengths = head.lower().split(b"content-length:")[1:]
    length = int(lengths[0].split(b"\r\n")[0]) if lengths else 0
    return head + await reader.readexactly(length)


def exchange(
    handle: Handler,
    *,
    method: str = "POST",
    url: str = "http://127.0.0.1:{port}/hook",
    body: bytes | None = b"{}",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    route: Route = DIRECT,
    allowed: Sequence[Network] = LOOPBACK,
    timeout_seconds: float = 5,
    body_limit: int = 1000,
    times: int = 1,
    connections: int = 32,
    listen_on: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    look_up: LookUp = ask_name_servers,
    make_socket: MakeSocket = plain_socket,
) -> list[Answer]:
    """Send to a server that handles its connections so, `times` times in a row, and return the answers.

    Each must end within its deadline and a second, whether with an answer or an error.
    """

    async def both() -> list[Answer]:
        server = await asyncio.start_server(quietly(handle), listen_on, 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        answers = []
        pairs = tuple(headers.items() if isinstance(headers, Mapping) else headers)
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(
                outbound.open_session(allowed, connections, look_up=look_up, make_socket=make_socket)
            )
            stack.callback(server.close)
            for _ in range(times):
                start = time.monotonic()
                try:
                    answers.append(
                        await outbound.send(
                            session,
                            Request(method, url.format(port=port), pairs, body, route),
                            timeout_seconds=timeout_seconds,
                            body_limit=body_limit,
                        )
                    )
                finally:
                    assert time.monotonic() - start < timeout_seconds + 1
        return answers

    return asyncio.run(both())


def quietly(handle: Handler) -> Handler:
    """The client hangs up in the middle, as it should: no news for the log of the test."""

    async def handle_quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    return handle_quietly
