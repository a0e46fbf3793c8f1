"""Real servers on a loopback port that answer byte by byte as a test says, well-behaved or not."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
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


# --- Ill-behaved ones --------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def drip(head: bytes, drops: bytes, endless: bool = True) -> Handler:
    """Answer with `head` at once, then with `drops` every 20 ms."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head)
        while endless:
            writer.write(drops)
            await writer.drain()
            await asyncio.sleep(0.02)

    return handle


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def hang_up_in_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


async def never_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


def once(answer: bytes) -> Handler:
    """Answer with these bytes, and hang up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)

    return handle


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Flood: yes\r\n" * 1000)
        await writer.drain()


async def endless_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nX-Flood: ")
    while True:
        writer.write(b"y" * 65536)
        await writer.drain()


def pour(head: bytes, drops: bytes) -> Handler:
    """Answer with `head`, then with `drops` as fast as they are taken, for ever."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head)
        while True:
            writer.write(drops)
            await writer.drain()

    return handle


async def reset_in_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await asyncio.sleep(0.05)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def speak_ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
    await reader.read()


_GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
_BOMB = gzip.compress(bytes(50_000_000))
_REDIRECT = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "

# What endpoints do to whoever sends to them; each with what must come of it: an error's kind, or the status.
HOSTILE: dict[str, tuple[Handler, str]] = {
    "nothing after accept": (never_read, "timeout"),
    "nothing after the request": (drip(b"", b""), "timeout"),
    "nothing after half a head": (drip(b"HTTP/1.1 200 OK\r\nX: ", b""), "read_timeout"),
    "nothing after half a body": (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b""), "read_timeout"),
    "a status line in drips": (drip(b"HTTP/1.1 200 ", b"y"), "total_timeout"),
    "a header in drips": (drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"), "total_timeout"),
    "a body in drips": (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"), "total_timeout"),
    "chunks in drips": (drip(CHUNKED, b"1\r\nx\r\n"), "total_timeout"),
    "trailers in drips": (drip(CHUNKED + b"0\r\n", b"X: y\r\n"), "total_timeout"),
    "interim answers in drips": (drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "too_large"),
    "interim answers in a flood": (pour(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000), "too_large"),
    "early hints in a flood": (pour(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" * 2000), "too_large"),
    "thousands of headers": (answering(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n"), "too_large"),
    "headers in a flood": (flood, "too_large"),
    "one huge header": (answering(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5_000_000 + b"\r\n\r\n"), "too_large"),
    "an endless header": (endless_header, "too_large"),
    "an endless header name": (pour(b"HTTP/1.1 200 OK\r\n", b"y" * 65536), "too_large"),
    "an endless status line": (pour(b"HTTP/1.1 200 ", b"y" * 65536), "too_large"),
    "trailers in a flood": (pour(CHUNKED + b"0\r\n", b"X: y\r\n" * 5000), "too_large"),
    "an endless trailer": (pour(CHUNKED + b"0\r\nX: ", b"y" * 65536), "too_large"),
    "an endless chunk extension": (pour(CHUNKED + b"1;a=", b"b" * 65536), "total_timeout"),
    "an endless body": (pour(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), "200"),
    "a body of a thousand gigabytes": (
        pour(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", b"x" * 65536),
        "200",
    ),
    "one endless chunk": (pour(CHUNKED + b"7fffffffffff\r\n", b"x" * 65536), "200"),
    "endless small chunks": (pour(CHUNKED, (b"40\r\n" + b"x" * 64 + b"\r\n") * 1000), "200"),
    "a gzip bomb": (answering(_GZIP + b"Content-Length: %d\r\n\r\n" % len(_BOMB) + _BOMB), "200"),
    "an endless gzip bomb": (pour(_GZIP + b"\r\n", _BOMB), "200"),
    "a truncated body": (hang_up_in_the_body, "reset"),
    "a chunk that breaks off": (once(CHUNKED + b"9\r\nhalf"), "reset"),
    "a body broken off by a reset": (reset_in_the_body, "reset"),
    "a reset in place of an answer": (reset, "reset"),
    "the end in place of an answer": (hang_up, "reset"),
    "half a status line": (once(b"HTTP/1."), "reset"),
    "a malformed status line": (answering(b"HTTP/1.1 OK 200\r\n\r\n"), "protocol"),
    "an SSH banner": (speak_ssh, "protocol"),
    "two lengths": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "protocol"),
    "a redirect to itself": (answering(_REDIRECT + b"/hook\r\n\r\n"), "302"),
    "a redirect to the metadata address": (answering(_REDIRECT + b"http://169.254.169.254/\r\n\r\n"), "302"),
    "another protocol": (
        pour(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"x" * 65536),
        "101",
    ),
    "two answers to one request": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 2), "200"),
}


# --- In between --------------------------------------------------------------------------------------


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
