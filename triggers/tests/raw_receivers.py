"""Real servers on a loopback port that answer byte by byte as a test says, well-behaved or not."""

from __future__ import annotations

import asyncio
import ssl
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import ip_network

from yarl import URL

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


def proxying(seen: list[bytes], *, credentials: str = "", leads_to: dict[str, str] | None = None) -> Handler:
    """Be an HTTP proxy: tunnels for CONNECT, requests in absolute form. `leads_to`: the addresses that it finds."""
    wanted = f"proxy-authorization: basic {b64encode(credentials.encode()).decode()}".lower().encode()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            seen.append(request)
            if credentials and wanted not in request.lower():
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                continue
            method, target = request.split(b" ", 2)[:2]
            url = URL(f"https://{target.decode()}/" if method == b"CONNECT" else target.decode(), encoded=True)
            assert url.host
            assert url.port
            address = (leads_to or {}).get(url.host, url.host)
            to_reader, to_writer = await asyncio.open_connection(address, url.port)
            if method == b"CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(_pour(reader, to_writer), _pour(to_reader, writer))
                return
            to_writer.write(request.replace(target, url.raw_path_qs.encode(), 1))
            writer.write(await to_reader.readuntil(b"hello"))
            to_writer.close()

    return handle


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


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
    proxy: Handler | None = None,
) -> list[Answer]:
    """Send to a server that handles its connections so, `times` times in a row, and return the answers.

    In `url`, {port} is the port of the server. With `proxy` another server handles its connections so; it is the proxy
    of the route, where {port} is its port.

    Each must end within its deadline and a second, whether with an answer or an error.
    """

    async def both() -> list[Answer]:
        server = await asyncio.start_server(quietly(handle), listen_on, 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        way = route
        if proxy:
            before = await asyncio.start_server(quietly(proxy), "127.0.0.1", 0)
            way = replace(route, proxy=route.proxy.format(port=before.sockets[0].getsockname()[1]))
        answers = []
        pairs = tuple(headers.items() if isinstance(headers, Mapping) else headers)
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(
                outbound.open_session(allowed, connections, look_up=look_up, make_socket=make_socket)
            )
            stack.callback(server.close)
            if proxy:
                stack.callback(before.close)
            for _ in range(times):
                start = time.monotonic()
                try:
                    answers.append(
                        await outbound.send(
                            session,
                            Request(method, url.format(port=port), pairs, body, way),
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
