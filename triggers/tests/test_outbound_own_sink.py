"""The server's own test receiver is reached out of the box, and nothing else that stands at its address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest

from triggers import outbound
from triggers.outbound import ErrorKind, OutboundError, Request, Route
from triggers.outbound.addresses import is_own_sink

TOKEN = "5b5PK4YnpY-Hj0T_cVYV7dYxDhX1yqKz"
Send = Callable[[str], Awaitable[str]]


class Server:
    """Answers every request 200, keeps connections open, and notes what was asked, and on which connection."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []
        self.connections = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.asked.append((number, head.split()[1].decode()))
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /api\r\nContent-Length: 0\r\n\r\n")


def at_a_server(
    do: Callable[[Send, int], Awaitable[None]],
    own_sinks: Sequence[str] = ("http://127.0.0.1:{port}/sink/",),
    route: Route = outbound.DIRECT,
    names: dict[str, list[str]] | None = None,
) -> tuple[Server, list[str]]:
    """Call `do` with a function that sends (it returns the status, or the kind of error) and the server's port.

    Return the server, and the address of every socket that was made. `own_sinks` may name the {port}.
    """
    addresses: list[str] = []

    def make_socket(addr_info: Any) -> socket.socket:
        addresses.append(str(addr_info[4][0]))
        return socket.socket(*addr_info[:3])

    def look_up(host: str) -> list[str]:
        return (names or {"localhost": ["127.0.0.1"]})[host]

    async def run() -> Server:
        server = Server()
        listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        prefixes = [each.format(port=port) for each in own_sinks]
        async with outbound.open_session([], own_sinks=prefixes, look_up=look_up, make_socket=make_socket) as session:

            async def send(url: str) -> str:
                request = Request("POST", url.format(port=port), body=b"{}", route=route)
                try:
                    answer = await outbound.send(session, request, timeout_seconds=5, body_limit=100)
                except OutboundError as error:
                    return error.kind
                return str(answer.status)

            await do(send, port)
        listening.close()
        return server

    return asyncio.run(run()), addresses


def results_of(urls: Iterable[str], **options: Any) -> tuple[list[str], Server, list[str]]:
    """Send to one after another over one session; return the results, the server, and the sockets' addresses."""
    results: list[str] = []

    async def do(send: Send, port: int) -> None:
        results.extend([await send(url) for url in urls])

    return results, *at_a_server(do, **options)


SINK = f"http://127.0.0.1:{{port}}/sink/{TOKEN}"


def test_it_is_delivered_to_although_no_network_is_allowed() -> None:
    results, server, addresses = results_of([SINK, SINK])

    # Its redirect is an answer like any: it is not followed. The second request goes out on the open connection.
    assert results == ["302", "302"]
    assert server.asked == [(1, f"/sink/{TOKEN}"), (1, f"/sink/{TOKEN}")]
    assert addresses == ["127.0.0.1"]


OTHERS = [
    *("http://127.0.0.1:{port}/", "http://127.0.0.1:{port}/api/triggers", "http://127.0.0.1:{port}"),
    *("http://127.0.0.1:{port}/sink/", "http://127.0.0.1:{port}/sink", "http://127.0.0.1:{port}/sink/short"),
    # Paths that begin as it does, or lead to it, or from it.
    *(f"{SINK}/", f"{SINK}/../../api", f"{SINK}/..", f"{SINK}/../{TOKEN}", f"{SINK}%2f..%2fapi", f"{SINK}%00"),
    *(f"{SINK}.", f"{SINK};a", f"{SINK}?", f"{SINK}?to=api", f"{SINK}%3Fa", f"{SINK}{TOKEN}{TOKEN}", f"{SINK}é"),
    f"http://127.0.0.1:{{port}}/sink/{TOKEN[:-1]}%41",
    *(f"http://127.0.0.1:{{port}}{path}{TOKEN}" for path in ("//sink/", "/./sink/", "/a/../sink/", "/sink//")),
    *(f"http://127.0.0.1:{{port}}{path}{TOKEN}" for path in ("/%2e%2e/sink/", "/sink/%2e%2e/", "/%73ink/", "/SINK/")),
    "http://127.0.0.1:{port}/sink/../../../../../../../../api",
    "http://127.0.0.1:{port}/sink/%2e%2e%2f%2e%2e%2f%2e%2e%2fapi",
    # The same machine, spelled in another way.
    *(f"http://{host}:{{port}}/sink/{TOKEN}" for host in ("localhost", "[::1]", "127.1", "2130706433", "0x7f000001")),
    *(f"http://{host}:{{port}}/sink/{TOKEN}" for host in ("127.0.0.1.", "127.0.0.2", "0.0.0.0", "[::ffff:127.0.0.1]")),
    *(f"http://{host}:{{port}}/sink/{TOKEN}" for host in ("a@127.0.0.1", "127.0.0.1:80@127.0.0.1", "１２７.0.0.1")),
    *(f"{scheme}://127.0.0.1:{{port}}/sink/{TOKEN}" for scheme in ("https", "HTTP", "ftp")),
    *(f"http://127.0.0.1:{port}/sink/{TOKEN}" for port in ("1", "0{port}", "{port}0", "")),
    *(f" {SINK}", f"{SINK}\n", f"{SINK}#a", f"{SINK}\\..\\api", SINK.replace("/sink/", "\\sink/")),
]


@pytest.mark.parametrize("url", OTHERS)
def test_nothing_else_there_is_reached_neither_before_nor_over_its_open_connection(url: str) -> None:
    (before, sink, after), server, addresses = results_of([url, SINK, url])

    refused = {ErrorKind.BLOCKED, ErrorKind.PROTOCOL, ErrorKind.DNS}
    assert sink == "302"
    assert {before, after} <= refused
    assert server.asked == [(1, f"/sink/{TOKEN}")]
    assert addresses == ["127.0.0.1"]


def test_requests_at_once_do_not_lend_each_other_the_way() -> None:
    results: list[str] = []

    async def do(send: Send, port: int) -> None:
        other = "http://127.0.0.1:{port}/sink/other"
        results.extend(await asyncio.gather(*(send(url) for url in [SINK, other] * 20)))

    server, addresses = at_a_server(do)

    assert results == ["302", ErrorKind.BLOCKED] * 20
    assert {path for _, path in server.asked} == {f"/sink/{TOKEN}"}
    assert set(addresses) == {"127.0.0.1"}


def test_it_is_reached_by_the_name_of_the_server_where_that_is_private() -> None:
    at_name = "http://events.internal:{port}"
    urls = [f"{at_name}/", f"{at_name}/sink/{TOKEN}", f"{at_name}/", f"{at_name}/sink/{TOKEN}"]

    results, server, addresses = results_of(
        urls, own_sinks=[f"{at_name}/sink/"], names={"events.internal": ["127.0.0.1"]}
    )

    assert results == [ErrorKind.BLOCKED, "302", ErrorKind.BLOCKED, "302"]
    assert [path for _, path in server.asked] == [f"/sink/{TOKEN}"] * 2
    assert set(addresses) == {"127.0.0.1"}


def test_a_look_up_that_is_under_way_for_another_path_is_not_shared() -> None:
    at_name = "http://events.internal:{port}"
    results: list[str] = []

    async def do(send: Send, port: int) -> None:
        both = (send(f"{at_name}{path}") for path in ("/api", f"/sink/{TOKEN}", "/api"))
        results.extend(await asyncio.gather(*both))

    at_a_server(do, own_sinks=[f"{at_name}/sink/"], names={"events.internal": ["127.0.0.1"]})

    assert results == [ErrorKind.BLOCKED, "302", ErrorKind.BLOCKED]


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "192.0.2.1", "224.0.0.1"])
def test_a_name_of_the_server_that_leads_to_where_no_server_is_stays_refused(address: str) -> None:
    at_name = "http://events.internal:{port}"

    results, _, addresses = results_of(
        [f"{at_name}/sink/{TOKEN}"], own_sinks=[f"{at_name}/sink/"], names={"events.internal": [address]}
    )

    assert (results, addresses) == ([ErrorKind.BLOCKED], [])


def test_it_is_reached_directly_where_all_else_goes_through_a_proxy() -> None:
    results, server, _ = results_of([SINK], route=Route(proxy="http://127.0.0.1:1"))

    assert results == ["302"]
    assert server.asked == [(1, f"/sink/{TOKEN}")]


@pytest.mark.parametrize("prefixes", [[], ["http://127.0.0.1:8000/sink/"]])
def test_without_its_own_address_nothing_is_a_test_receiver(prefixes: list[str]) -> None:
    assert not is_own_sink(f"http://127.0.0.1:8001/sink/{TOKEN}", prefixes)
