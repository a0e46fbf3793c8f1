"""No answer, half an answer, or none that can be read: each ends by its deadline, with its kind and its words."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import time
from typing import Any

import pytest

from triggers import outbound
from triggers.outbound import Answer, ErrorKind, OutboundError, Request
from triggers.tests.raw_receivers import (
    CHUNKED,
    LOOPBACK,
    Handler,
    answering,
    drip,
    endless_header,
    exchange,
    flood,
    hang_up,
    hang_up_in_the_body,
    never_read,
    quietly,
    read_request,
    reset,
)

AT_ONCE = "Let it answer at once, and do what takes long afterwards."
SHORTLY = "Let it answer shortly, and do what takes long afterwards."


@pytest.mark.parametrize(
    ("handle", "kind", "words"),
    [
        (drip(b"", b""), "timeout", f"No answer within 0.3 s. {AT_ONCE}"),
        (never_read, "timeout", f"No answer within 0.3 s. {AT_ONCE}"),
        (drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"), "total_timeout", "it was still coming"),
        (drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "total_timeout", "it was still coming"),
        (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x"), "total_timeout", SHORTLY),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), "total_timeout", SHORTLY),
        (drip(CHUNKED, b"1\r\nx\r\n"), "total_timeout", SHORTLY),
        (drip(CHUNKED + b"0\r\n", b"X: y\r\n"), "total_timeout", SHORTLY),
        (drip(CHUNKED + b"1;a=", b"b"), "total_timeout", SHORTLY),
        (drip(b"HTTP/1.1 200 OK\r\n", b""), "read_timeout", "nothing more came. Look into the log of 127.0.0.1:"),
        (drip(b"HTTP/1.1 100 Continue\r\n\r\n", b""), "read_timeout", "did not end within 0.3 s: nothing more came"),
        (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b""), "read_timeout", "nothing more came"),
    ],
)
def test_it_gives_up_at_its_deadline_however_the_answer_drips(handle: Handler, kind: str, words: str) -> None:
    with pytest.raises(OutboundError, match=re.escape(words)) as caught:
        exchange(handle, body=b"x" * 1_000_000 if handle is never_read else b"{}", timeout_seconds=0.3)

    assert caught.value.kind == kind
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
    assert len(words) < 350
    assert re.search(r"Check that a web server listens at 127.0.0.1:\d+\.$", words)


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        (answering(b"HTTP/1.1 200 OK\r\n" + b"X-Flood: yes\r\n" * 101 + b"\r\n"), "it has too many headers"),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 8191 + b"\r\n\r\n"), "a header is longer than 8190 bytes"),
        (answering(b"HTTP/1.1 200 " + b"y" * 8191 + b"\r\n\r\n"), "a header is longer than 8190 bytes"),
        (flood, "it has too many headers"),
        (endless_header, "a header is longer than 8190 bytes"),
        (drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), r"more than 20 interim answers \(1xx\) came before it"),
        (drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" * 500), "more than 20 interim"),
        (drip(CHUNKED + b"0\r\n", b"X: y\r\n" * 5000), "it has too many headers"),
    ],
)
def test_it_stops_an_answer_that_is_too_large(handle: Handler, words: str) -> None:
    with pytest.raises(OutboundError, match=rf"The answer is too large: {words}.*Check what answers at") as caught:
        exchange(handle, timeout_seconds=20)

    assert caught.value.kind == ErrorKind.TOO_LARGE
    assert caught.value.remote_address == "127.0.0.1"


def test_it_stops_at_once_when_the_rest_of_an_answer_cannot_be_read() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED)
        await asyncio.sleep(0.1)  # the head is read by then
        writer.write(b"no chunk\r\n")
        await reader.read()

    with pytest.raises(OutboundError, match="not HTTP that can be read") as caught:
        exchange(handle, timeout_seconds=20)

    assert caught.value.kind == ErrorKind.PROTOCOL


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


def test_it_tells_of_a_name_without_an_address() -> None:
    with pytest.raises(OutboundError, match=r"Could not find crm.example. Check the name.") as caught:
        exchange(hang_up, url="http://crm.example/", look_up=lambda host: [])

    assert caught.value.kind == ErrorKind.DNS


def test_it_tells_of_a_network_that_is_not_there() -> None:
    def no_network(_: Any) -> socket.socket:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    with pytest.raises(OutboundError, match=r"cannot be reached: Network is unreachable. Check the address") as caught:
        exchange(hang_up, make_socket=no_network)

    assert caught.value.kind == ErrorKind.UNREACHABLE


def test_it_says_when_all_connections_were_in_use() -> None:
    """Which is no fault of the endpoint."""

    async def herd() -> list[BaseException | Answer]:
        server = await asyncio.start_server(quietly(drip(b"", b"")), "127.0.0.1", 0)
        request = Request("GET", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        async with outbound.open_session(LOOPBACK, connections=1) as session:
            sends = [outbound.send(session, request, timeout_seconds=seconds, body_limit=10) for seconds in (1, 0.3)]
            answers = await asyncio.gather(*sends, return_exceptions=True)
        server.close()
        return answers

    words = [str(each) for each in asyncio.run(herd())]

    assert words[0].startswith("No answer within 1 s.")
    assert "all of this server's were in use. Fire fewer events at a time." in words[1]


def test_it_does_not_wait_longer_for_a_name_than_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1.5))

    with pytest.raises(OutboundError, match=r"Could not find crm.example within 0.2 s: the name server gave") as caught:
        exchange(hang_up, url="http://crm.example/", timeout_seconds=0.2)

    assert caught.value.kind == ErrorKind.DNS


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
