"""No answer, half an answer, or none that can be read: each ends by its deadline, with its kind and its words."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import Any

import pytest

from triggers.outbound import ErrorKind, OutboundError
from triggers.tests.raw_receivers import Handler, answering, exchange, read_request


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


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        (drip(b"", b""), "No answer within 0.3 s."),
        (drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"), "No answer within 0.3 s."),
        (drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "No answer within 0.3 s."),
        (drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "No answer within 0.3 s."),
        (drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" * 500), "No answer within 0.3 s."),
        (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x"), "The answer did not end within 0.3 s."),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), "The answer did not end within 0.3 s."),
        (drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), "The answer did not end"),
        (drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"), "The answer did not end"),
        (never_read, "No answer within 0.3 s."),
    ],
)
def test_it_gives_up_at_its_deadline_however_the_answer_drips(handle: Handler, words: str) -> None:
    with pytest.raises(OutboundError, match=words) as caught:
        exchange(handle, body=b"x" * 1_000_000 if handle is never_read else b"{}", timeout_seconds=0.3)

    assert caught.value.kind == ErrorKind.TIMEOUT
    assert caught.value.remote_address == "127.0.0.1"


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        (hang_up, "closed the connection before it answered"),
        (reset, "closed the connection before it answered"),
        (hang_up_in_the_body, "closed the connection before the answer was complete"),
    ],
)
def test_it_tells_of_a_connection_that_was_cut(handle: Handler, words: str) -> None:
    with pytest.raises(OutboundError, match=words) as caught:
        exchange(handle)

    assert caught.value.kind == ErrorKind.RESET


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46" * 4,  # a TLS alert: HTTP was spoken to HTTPS
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Flood: yes\r\n" * 101 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Flood: " + b"y" * 8191 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"y" * 8191 + b"\r\n\r\n",
    ],
    ids=lambda answer: ascii(answer[:60]),
)
def test_it_refuses_an_answer_that_is_not_http(answer: bytes) -> None:
    with pytest.raises(OutboundError, match="not HTTP that can be read") as caught:
        exchange(answering(answer), timeout_seconds=2)

    words = str(caught.value)
    assert caught.value.kind == ErrorKind.PROTOCOL
    assert words.isprintable()
    assert words.isascii()
    assert len(words) < 300


@pytest.mark.parametrize("handle", [flood, endless_header])
def test_it_stops_a_flood_of_headers(handle: Handler) -> None:
    start = time.monotonic()

    with pytest.raises(OutboundError) as caught:
        exchange(handle, timeout_seconds=5)

    assert caught.value.kind == ErrorKind.PROTOCOL
    assert time.monotonic() - start < 2


# --- No connection -----------------------------------------------------------------------------------


def test_it_tells_of_a_port_where_nothing_listens() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))  # bound, and not listening
        port = placeholder.getsockname()[1]
        with pytest.raises(OutboundError, match=rf"127.0.0.1:{port} refused the connection") as caught:
            exchange(hang_up, url=f"http://127.0.0.1:{port}/")

    assert caught.value.kind == ErrorKind.REFUSED


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "Could not find crm.example. Check the name.",
        ),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "Could not find crm.example: the name server gave"),
        (UnicodeError("label too long"), "Could not find crm.example"),
    ],
)
def test_it_tells_of_a_name_that_cannot_be_found(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, words: str
) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> Any:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    with pytest.raises(OutboundError, match=words) as caught:
        exchange(hang_up, url="http://crm.example/")

    assert caught.value.kind == ErrorKind.DNS


def test_it_does_not_wait_longer_for_a_name_than_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1.5))

    with pytest.raises(OutboundError, match=r"No connection to crm.example:80 within 0.2 s") as caught:
        exchange(hang_up, url="http://crm.example/", timeout_seconds=0.2)

    assert caught.value.kind == ErrorKind.CONNECT_TIMEOUT


def test_it_tells_of_a_host_that_takes_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with pytest.raises(OutboundError, match=rf"No connection to 127.0.0.1:{port} within 0.3 s") as caught:
            exchange(hang_up, url=f"http://127.0.0.1:{port}/", timeout_seconds=0.3)
        for each in waiting:
            each.close()

    assert (caught.value.kind, caught.value.remote_address) == (ErrorKind.CONNECT_TIMEOUT, "")
