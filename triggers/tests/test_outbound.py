"""A request goes out once, as it should look, and what comes back is an answer whatever its status."""

from __future__ import annotations

import asyncio
import gzip
import socket
from ipaddress import ip_network
from typing import Any

import pytest

from triggers import outbound
from triggers.outbound import Answer, ErrorKind, OutboundError
from triggers.outbound.connections import Connector
from triggers.outbound.guard import Guard
from triggers.tests.raw_receivers import LOOPBACK, answering, exchange, read_request

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"


def test_it_posts_the_body_and_returns_the_answer() -> None:
    seen: list[bytes] = []

    answers = exchange(
        answering(OK, seen),
        url="http://127.0.0.1:{port}/a/../b%2Fc?sig=%2B%7e",
        body=b'{"a": 1}',
        headers={"Content-Type": "application/json", "webhook-id": "evt_1"},
    )

    assert answers == [
        Answer(200, (("Content-Type", "text/plain"), ("Content-Length", "5")), b"hello", False, "127.0.0.1")
    ]
    head, _, body = seen[0].partition(b"\r\n\r\n")
    request_line, *headers = head.decode().split("\r\n")
    assert request_line == "POST /a/../b%2Fc?sig=%2B%7e HTTP/1.1"  # just as typed: the client's quoting is off
    assert body == b'{"a": 1}'
    assert {"webhook-id: evt_1", "Content-Type: application/json", "Accept-Encoding: identity"} <= set(headers)
    assert not [line for line in headers if line.lower().startswith(("cookie", "authorization"))]


@pytest.mark.parametrize("status", [200, 204, 304, 400, 404, 500, 503, 599])
def test_it_returns_every_status_as_an_answer(status: int) -> None:
    answer = f"HTTP/1.1 {status} Words\r\nContent-Length: 0\r\n\r\n".encode()

    assert [each.status for each in exchange(answering(answer))] == [status]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_it_does_not_follow_a_redirect(status: int) -> None:
    seen: list[bytes] = []
    to_metadata = f"HTTP/1.1 {status} Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n".encode()

    answers = exchange(answering(to_metadata, seen))

    assert (answers[0].status, dict(answers[0].headers)["Location"]) == (status, "http://169.254.169.254/")
    assert len(seen) == 1


def test_it_reuses_its_connection() -> None:
    connections = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await answering(OK)(reader, writer)

    answers = exchange(handle, times=20)

    assert (len(answers), len(connections)) == (20, 1)


def test_it_does_not_return_cookies_or_use_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    seen: list[bytes] = []

    exchange(answering(OK.replace(b"200 OK", b"200 OK\r\nSet-Cookie: a=b"), seen), times=2)

    assert len(seen) == 2
    assert b"cookie" not in seen[1].lower()


def test_it_reads_no_more_of_a_body_than_asked_for() -> None:
    hung_up = []

    async def five_megabytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5242880\r\n\r\n")
        try:
            for _ in range(80):
                writer.write(b"x" * 65536)
                await writer.drain()
            await reader.read()
        except ConnectionError:
            pass
        hung_up.append(True)

    answers = exchange(five_megabytes, body_limit=1000, times=2)

    assert [(each.status, len(each.body), each.is_cut) for each in answers] == [(200, 1000, True)] * 2
    assert hung_up


@pytest.mark.parametrize(("size", "is_cut"), [(999, False), (1000, False), (1001, True)])
def test_it_says_whether_a_body_was_cut(size: int, is_cut: bool) -> None:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size

    answers = exchange(answering(answer), body_limit=1000)

    assert (len(answers[0].body), answers[0].is_cut) == (min(size, 1000), is_cut)


def test_it_reads_a_body_in_chunks_and_one_that_ends_with_the_connection() -> None:
    chunks = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
    )

    async def until_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nabcde")

    assert exchange(answering(chunks))[0].body == b"abcde"
    assert exchange(until_the_end)[0].body == b"abcde"


def test_it_does_not_unpack_a_body() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    answer = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode() + bomb

    assert exchange(answering(answer), body_limit=20_000)[0].body == bomb


def test_it_returns_headers_that_can_be_stored_and_not_too_many() -> None:
    large = b"".join(b"X-%d: " % number + b"y" * 1000 + b"\r\n" for number in range(50))
    answer = OK.replace(b"\r\n\r\n", b"\r\nX-Odd: caf\xe9 \xff\r\n" + large + b"\r\n")

    headers = exchange(answering(answer))[0].headers

    assert ("X-Odd", "caf\ufffd \ufffd") in headers
    assert 10 < len(headers) < 20


def test_it_counts_an_answer_that_comes_before_the_whole_request_was_taken() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    assert exchange(handle, body=b"x" * 262_144)[0].status == 413


# --- The guard on the wire ---------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_it_refuses_an_address_before_it_connects(host: str) -> None:
    seen: list[bytes] = []

    with pytest.raises(OutboundError, match=r"this machine itself.*DELIVERY_ALLOWED_NETWORKS") as caught:
        exchange(answering(OK, seen), url=f"http://{host}:{{port}}/", allowed=[ip_network("10.0.0.0/8")])

    assert caught.value.kind == ErrorKind.BLOCKED
    assert seen == []


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """The world's name servers cannot be had in a test: they say this of every name."""

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_it_leaves_out_the_blocked_addresses_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2", "10.0.0.1")

    answers = exchange(
        answering(OK),
        url="http://crm.example:{port}/",
        allowed=[ip_network("127.0.0.2/32")],
        listen_on="0.0.0.0",  # so that the blocked address would answer, too
    )

    assert answers[0].remote_address == "127.0.0.2"


def test_it_refuses_a_name_whose_addresses_are_all_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve_to(monkeypatch, "10.0.0.1", "127.0.0.1")

    with pytest.raises(OutboundError, match=r"crm.example leads to 10.0.0.1. 10.0.0.1 is on a private") as caught:
        exchange(answering(OK), url="http://crm.example:{port}/", allowed=[])

    assert caught.value.kind == ErrorKind.BLOCKED


def test_the_guard_does_not_rely_on_the_resolver() -> None:
    """Were the resolver wrong, or its answer old: the socket is refused all the same."""

    async def both() -> None:
        async with outbound.open_session([]) as session:
            assert isinstance(session.connector, Connector)
            session.connector.names._guard = Guard(LOOPBACK)
            await outbound.send(session, "http://localhost:9/", body=b"", headers={}, timeout_seconds=2, body_limit=10)

    with pytest.raises(OutboundError, match="this machine itself"):
        asyncio.run(both())


# --- What cannot be sent -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://127.0.0.1/", {}),
        ("http://127.0.0.1:99999/", {}),
        ("", {}),
        ("http://127.0.0.1:{port}/", {"X-Odd": "a\r\nX-Other: b"}),
    ],
)
def test_it_says_so_when_a_request_cannot_be_sent(url: str, headers: dict[str, str]) -> None:
    seen: list[bytes] = []

    with pytest.raises(OutboundError, match="cannot be sent") as caught:
        exchange(answering(OK, seen), url=url, headers=headers)

    assert (caught.value.kind, seen) == (ErrorKind.PROTOCOL, [])


def test_it_opens_no_more_connections_than_the_session_has() -> None:
    most = open_now = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most, open_now
        open_now += 1
        most = max(most, open_now)
        await answering(OK)(reader, writer)
        writer.close()
        open_now -= 1

    async def herd() -> int:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server, outbound.open_session(LOOPBACK, connections=4) as session:
            sends = [
                outbound.send(session, url, body=b"{}", headers={}, timeout_seconds=10, body_limit=100)
                for _ in range(200)
            ]
            return len(await asyncio.gather(*sends))

    assert asyncio.run(herd()) == 200
    assert most == 4
