"""A request goes out once, as it should look, and what comes back is an answer whatever its status."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from ipaddress import ip_network
from typing import Any

import pytest

from triggers import outbound
from triggers.outbound import KEPT_FOR_THE_CLIENT, ErrorKind, OutboundError, Request
from triggers.outbound.answers import location
from triggers.outbound.connections import Connector
from triggers.outbound.guard import Guard, plain_socket
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

    answer = answers[0]
    assert (answer.status, answer.body, answer.is_cut, answer.remote_address) == (200, b"hello", False, "127.0.0.1")
    assert answer.headers == (("Content-Type", "text/plain"), ("Content-Length", "5"))
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
def test_it_does_not_follow_a_redirect_and_says_where_it_pointed(status: int) -> None:
    seen: list[bytes] = []
    to_metadata = f"HTTP/1.1 {status} Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n".encode()

    answers = exchange(answering(to_metadata, seen))

    assert (answers[0].status, answers[0].location) == (status, "http://169.254.169.254/")
    assert len(seen) == 1


def test_it_does_not_go_round_in_a_redirect_loop() -> None:
    seen: list[bytes] = []

    answers = exchange(answering(b"HTTP/1.1 302 Found\r\nLocation: /hook\r\nContent-Length: 0\r\n\r\n", seen))

    assert answers[0].location.endswith("/hook")
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("status", "named", "shown"),
    [
        (302, "/b", "https://example.com/b"),
        (302, "c?d=e", "https://example.com/a/c?d=e"),
        (302, "//other.example/", "https://other.example/"),
        (302, "https://user:password@other.example/", "https://other.example/"),
        (302, "javascript:alert(1)", "javascript:alert(1)"),
        (302, "http://[::1", "http://[::1"),  # cannot be read, and is shown as it is
        (302, "/\x1b[31m\u202e", "https://example.com/%1B%5B31m%E2%80%AE"),
        (302, "http://[\x1b\u202e", "http://[\ufffd\ufffd"),
        (302, "/" + "x" * 8000, "https://example.com/" + "x" * 479 + "…"),
        (302, "", ""),
        (302, None, ""),
        (201, "/b", ""),  # what was created, no redirect
    ],
)
def test_it_shows_where_a_redirect_pointed(status: int, named: str | None, shown: str) -> None:
    assert location("https://example.com/a/b", status, named) == shown


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", None, None),
        ("HEAD", None, None),
        ("OPTIONS", None, None),
        ("POST", None, b"0"),
        ("PUT", None, b"0"),
        ("PATCH", None, b"0"),
        ("DELETE", None, b"0"),
        ("GET", b"{}", b"2"),
        ("POST", b"{}", b"2"),
        ("PUT", b"", b"0"),
        ("PATCH", b"{}", b"2"),
        ("DELETE", b"{}", b"2"),
        ("OPTIONS", b"{}", b"2"),
    ],
)
def test_it_sends_every_method_with_and_without_a_body(method: str, body: bytes | None, length: bytes | None) -> None:
    seen: list[bytes] = []
    answer = OK.removesuffix(b"hello") if method == "HEAD" else OK

    answers = exchange(answering(answer, seen), method=method, body=body, times=2)

    assert [each.body for each in answers] == [b"" if method == "HEAD" else b"hello"] * 2
    head, _, sent_body = seen[0].partition(b"\r\n\r\n")
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert head.startswith(method.encode() + b" /hook HTTP/1.1\r\n")
    assert (lines.get(b"Content-Length"), sent_body) == (length, body or b"")
    assert b"Transfer-Encoding" not in lines
    assert b"Content-Type" not in lines  # none is made up


def test_the_callers_headers_go_out_as_they_are() -> None:
    seen: list[bytes] = []
    headers = [
        ("x-lower", "a"),
        ("X-UPPER", "b"),
        ("X-Twice", "1"),
        ("X-Twice", "2"),
        ("Accept", "text/html"),
        ("Cookie", "c=d"),
    ]

    exchange(answering(OK, seen), headers=[*headers, ("User-Agent", "Tests/1"), ("Content-Type", "a/b")])

    assert seen[0].decode().split("\r\n")[1:] == [
        seen[0].decode().split("\r\n")[1],  # Host
        "Accept: text/html",
        "Accept-Encoding: identity",
        "User-Agent: Tests/1",
        *(f"{name}: {value}" for name, value in headers if name != "Accept"),
        "Content-Type: a/b",
        "Content-Length: 2",
        "",
        "{}",
    ]


@pytest.mark.parametrize("name", [*sorted(KEPT_FOR_THE_CLIENT), "hOsT", "content-LENGTH"])
def test_no_header_of_the_connection_can_be_overridden(name: str) -> None:
    seen: list[bytes] = []

    with pytest.raises(
        OutboundError, match=r"cannot be sent: leave out the header .* belongs to the connection"
    ) as caught:
        exchange(answering(OK, seen), headers={name: "5"})

    assert (caught.value.kind, seen) == (ErrorKind.PROTOCOL, [])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_one_request_goes_out_even_when_the_connection_breaks(method: str) -> None:
    """The client would send those again that change nothing twice; an attempt on record is one request."""
    seen: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))

    with pytest.raises(OutboundError, match="closed the connection before it answered"):
        exchange(hang_up, method=method)

    assert len(seen) == 1


# --- How long each part took -------------------------------------------------------------------------


def test_it_tells_how_long_each_part_took() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            await asyncio.sleep(0.05)
            writer.write(OK.removesuffix(b"hello"))
            await asyncio.sleep(0.05)
            writer.write(b"hello")

    def look_up(host: str) -> list[str]:
        time.sleep(0.05)
        return ["127.0.0.1"]

    first, second = (
        each.timing for each in exchange(handle, url="http://crm.example:{port}/", look_up=look_up, times=2)
    )

    assert first.dns_ms is not None
    assert first.dns_ms >= 50
    assert first.connect_ms is not None
    assert first.tls_ms is None
    assert (second.dns_ms, second.connect_ms, second.tls_ms) == (None, None, None)  # the connection was open
    for each in (first, second):
        assert each.first_byte_ms is not None
        assert each.first_byte_ms >= 49
        assert each.body_ms is not None
        assert each.body_ms >= 49


def test_an_address_is_not_looked_up() -> None:
    timing = exchange(answering(OK))[0].timing

    assert timing.dns_ms is None
    assert timing.connect_ms is not None


def test_an_error_tells_how_long_the_parts_took_that_it_came_to() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await reader.read()

    with pytest.raises(OutboundError) as caught:
        exchange(half, timeout_seconds=0.3)

    timing = caught.value.timing
    assert None not in (timing.connect_ms, timing.first_byte_ms)
    assert timing.body_ms is None


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


def test_an_endpoint_that_changes_the_protocol_does_not_keep_the_connection() -> None:
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    ended = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(upgrade)
        try:
            await reader.read()
        finally:
            ended.append(True)

    answers = exchange(handle, times=3, connections=1)

    assert [each.status for each in answers] == [101] * 3
    assert len(ended) >= 2


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
            session.connector.names._guard = Guard(LOOPBACK, plain_socket)
            request = Request("POST", "http://localhost:9/")
            await outbound.send(session, request, timeout_seconds=2, body_limit=10)

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
                outbound.send(session, Request("POST", url, body=b"{}"), timeout_seconds=10, body_limit=100)
                for _ in range(200)
            ]
            return len(await asyncio.gather(*sends))

    assert asyncio.run(herd()) == 200
    assert most == 4
