"""Through a proxy: requests and tunnels go out by it, and the address guard holds all the same."""

from __future__ import annotations

import asyncio
import socket
import ssl
from ipaddress import ip_network
from typing import Any

import pytest

from triggers.outbound import ErrorKind, OutboundError, Route
from triggers.outbound.guard import plain_socket
from triggers.tests.certificates import server_tls
from triggers.tests.raw_receivers import answering, exchange, proxying, read_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
PROXY = Route(proxy="http://127.0.0.1:{port}")
# The endpoint is at an address that is allowed, the proxy at one that is not.
ENDPOINT = "127.0.0.2"
ALLOWED = [ip_network("127.0.0.2/32")]


def test_a_request_goes_through_the_proxy() -> None:
    seen: list[bytes] = []
    at_proxy: list[bytes] = []

    answers = exchange(
        answering(OK, seen),
        url=f"http://{ENDPOINT}:{{port}}/a/../b%2Fc?sig=%2B",
        listen_on=ENDPOINT,
        allowed=ALLOWED,
        route=PROXY,
        proxy=proxying(at_proxy),
        times=2,
    )

    assert [each.body for each in answers] == [b"hello"] * 2
    assert len(seen) == len(at_proxy) == 2
    assert at_proxy[0].startswith(f"POST http://{ENDPOINT}:".encode())
    assert seen[0].startswith(b"POST /a/../b%2Fc?sig=%2B HTTP/1.1\r\n")
    assert answers[0].remote_address == "127.0.0.1"  # all that is known


def test_https_goes_through_a_tunnel(authority: Any, trusting: Route) -> None:
    at_proxy: list[bytes] = []
    tls = server_tls(authority, f"DNS:crm.example,IP:{ENDPOINT}")

    for host in (ENDPOINT, "crm.example"):
        answers = exchange(
            answering(OK),
            url=f"https://{host}:{{port}}/",
            listen_on=ENDPOINT,
            allowed=ALLOWED,
            route=Route(proxy=PROXY.proxy, authorities=trusting.authorities),
            proxy=proxying(at_proxy, leads_to={"crm.example": ENDPOINT}),
            tls=tls,
            look_up=lambda host: [ENDPOINT],
            times=2,
        )
        assert [each.body for each in answers] == [b"hello"] * 2
        assert answers[0].timing.tls_ms is not None
        assert answers[1].timing.tls_ms is None  # the tunnel stood

    assert [each.split(b" ")[0] for each in at_proxy] == [b"CONNECT"] * 2
    assert b"{}" not in b"".join(at_proxy)


def test_the_certificate_is_checked_through_a_tunnel(authority: Any, trusting: Route) -> None:
    seen: list[bytes] = []

    with pytest.raises(OutboundError, match=r"The certificate is not for 127.0.0.2") as caught:
        exchange(
            answering(OK, seen),
            url=f"https://{ENDPOINT}:{{port}}/",
            listen_on=ENDPOINT,
            allowed=ALLOWED,
            route=Route(proxy=PROXY.proxy, authorities=trusting.authorities),
            proxy=proxying([]),
            tls=server_tls(authority, "DNS:other.example"),
        )

    assert (caught.value.kind, seen) == (ErrorKind.TLS, [])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_proxy_has_its_name_and_password_and_the_endpoint_has_not(
    scheme: str, authority: Any, trusting: Route
) -> None:
    seen: list[bytes] = []
    at_proxy: list[bytes] = []

    answers = exchange(
        answering(OK, seen),
        url=f"{scheme}://{ENDPOINT}:{{port}}/",
        listen_on=ENDPOINT,
        allowed=ALLOWED,
        route=Route(proxy="http://mara:open%20sesame@127.0.0.1:{port}", authorities=trusting.authorities),
        proxy=proxying(at_proxy, credentials="mara:open sesame"),
        tls=server_tls(authority, f"IP:{ENDPOINT}") if scheme == "https" else None,
        times=2,
    )

    assert [each.body for each in answers] == [b"hello"] * 2
    assert b"authorization" not in b"".join(seen).lower() or scheme == "http"  # this proxy passes all on
    assert all(b"proxy-authorization" in each.lower() for each in at_proxy)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_it_says_when_the_proxy_wants_a_password(scheme: str) -> None:
    with pytest.raises(OutboundError, match=r"proxy.*An administrator can set .*in OUTBOUND_PROXY") as caught:
        exchange(
            answering(OK),
            url=f"{scheme}://{ENDPOINT}:{{port}}/",
            listen_on=ENDPOINT,
            allowed=ALLOWED,
            route=Route(proxy="http://mara:wrong-password@127.0.0.1:{port}"),
            proxy=proxying([], credentials="mara:open sesame"),
        )

    assert caught.value.kind == ErrorKind.PROXY
    assert "wrong-password" not in str(caught.value)


def test_it_says_when_the_proxy_does_not_connect() -> None:
    async def forbid(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(
        OutboundError, match=r"did not connect to 127.0.0.2:443: it answered 403. Have it allow"
    ) as caught:
        exchange(answering(OK), url=f"https://{ENDPOINT}/", allowed=ALLOWED, route=PROXY, proxy=forbid)

    assert caught.value.kind == ErrorKind.PROXY


def test_it_says_when_the_proxy_is_not_there() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))  # bound, and not listening
        route = Route(proxy=f"http://mara:open-sesame@127.0.0.1:{placeholder.getsockname()[1]}")
        with pytest.raises(OutboundError, match=r"proxy \(OUTBOUND_PROXY\) is not there.*refused the conn") as caught:
            exchange(answering(OK), url=f"http://{ENDPOINT}/", allowed=ALLOWED, route=route)

    assert caught.value.kind == ErrorKind.PROXY
    assert "open-sesame" not in str(caught.value)


def test_it_says_when_the_proxy_is_not_found() -> None:
    def look_up(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(
        OutboundError, match=r"proxy \(OUTBOUND_PROXY\) is not there. Could not find proxy.ex"
    ) as caught:
        exchange(
            answering(OK),
            url=f"http://{ENDPOINT}/",
            allowed=ALLOWED,
            route=Route(proxy="http://proxy.example:3128"),
            look_up=look_up,
        )

    assert caught.value.kind == ErrorKind.PROXY


def test_a_proxy_that_hangs_does_not_outlast_the_deadline() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    with pytest.raises(OutboundError) as caught:
        exchange(
            answering(OK),
            url=f"https://{ENDPOINT}/",
            allowed=ALLOWED,
            route=PROXY,
            proxy=hang,
            timeout_seconds=0.3,
        )

    assert caught.value.kind == ErrorKind.CONNECT_TIMEOUT


# --- The guard ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "crm.example", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"]
)
def test_the_proxy_is_not_asked_for_what_is_inside(scheme: str, host: str) -> None:
    at_proxy: list[bytes] = []

    def look_up(host: str) -> list[str]:
        # One of them may be reached. Which one the proxy would take is not ours to say.
        return [ENDPOINT, "127.0.0.1"]

    with pytest.raises(OutboundError, match="which this server does not deliver to") as caught:
        exchange(
            answering(OK),
            url=f"{scheme}://{host}:{{port}}/",
            allowed=ALLOWED,
            route=PROXY,
            proxy=proxying(at_proxy),
            look_up=look_up,
        )

    assert (caught.value.kind, at_proxy) == (ErrorKind.BLOCKED, [])


def test_a_name_that_leads_inside_later_is_refused_on_an_open_connection_too() -> None:
    at_proxy: list[bytes] = []
    addresses = iter([ENDPOINT, "127.0.0.1"])

    with pytest.raises(OutboundError, match=r"crm.example leads to 127.0.0.1.") as caught:
        exchange(
            answering(OK),
            url="http://crm.example:{port}/",
            listen_on="0.0.0.0",
            allowed=ALLOWED,
            route=PROXY,
            proxy=proxying(at_proxy, leads_to={"crm.example": "127.0.0.1"}),
            look_up=lambda host: [next(addresses)],
            times=2,
        )

    assert caught.value.kind == ErrorKind.BLOCKED
    assert len(at_proxy) == 1


def test_a_name_that_is_not_found_here_is_not_handed_to_the_proxy() -> None:
    at_proxy: list[bytes] = []

    with pytest.raises(OutboundError, match=r"Could not find crm.example") as caught:
        exchange(
            answering(OK),
            url="http://crm.example:{port}/",
            allowed=ALLOWED,
            route=PROXY,
            proxy=proxying(at_proxy),
            look_up=lambda host: [],
        )

    assert (caught.value.kind, at_proxy) == (ErrorKind.DNS, [])


def test_only_the_proxy_is_connected_to() -> None:
    connected: list[Any] = []

    def make_socket(addr_info: Any) -> socket.socket:
        connected.append(addr_info[4][0])
        return plain_socket(addr_info)

    exchange(
        answering(OK),
        url="http://crm.example:{port}/",
        listen_on=ENDPOINT,
        allowed=ALLOWED,
        route=PROXY,
        proxy=proxying([], leads_to={"crm.example": ENDPOINT}),
        look_up=lambda host: [ENDPOINT],
        make_socket=make_socket,
        times=3,
    )

    assert connected == ["127.0.0.1"]


def test_the_proxy_opens_no_way_for_others() -> None:
    """Its address is allowed for the proxy, and for no endpoint of the same session."""
    with pytest.raises(OutboundError, match=r"127.0.0.1 is this machine itself"):
        exchange(
            answering(OK),
            url="http://127.0.0.1:{port}/",
            allowed=ALLOWED,
            route=PROXY,
            proxy=proxying([]),
        )


def test_the_environments_proxy_is_never_used(monkeypatch: pytest.MonkeyPatch, authority: Any, trusting: Route) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9/")
    tls: ssl.SSLContext = server_tls(authority, "DNS:localhost")

    assert exchange(answering(OK), url="https://localhost:{port}/", tls=tls, route=trusting)[0].status == 200
