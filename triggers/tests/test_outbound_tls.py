"""HTTPS is checked, and a bad certificate is told in words. The certificates are made by openssl."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from triggers import outbound
from triggers.outbound import DIRECT, ErrorKind, OutboundError, Request, Route
from triggers.tests.certificates import openssl, server_tls
from triggers.tests.raw_receivers import LOOPBACK, answering, exchange, quietly

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NOW = datetime.now(UTC)


def refused(tls: ssl.SSLContext, route: Route, url: str = "https://localhost:{port}/") -> OutboundError:
    """Return the error of a request to a server of this certificate, which must see no request."""
    seen: list[bytes] = []
    with pytest.raises(OutboundError) as caught:
        exchange(answering(OK, seen), url=url, tls=tls, route=route)
    assert seen == []
    assert caught.value.kind == ErrorKind.TLS
    return caught.value


def test_it_delivers_over_https(authority: Path, trusting: Route) -> None:
    tls = server_tls(authority, "DNS:localhost,IP:127.0.0.1", ends=NOW + timedelta(days=1))

    for host in ("localhost", "127.0.0.1"):
        answers = exchange(answering(OK), url=f"https://{host}:{{port}}/", tls=tls, route=trusting, times=3)
        assert [each.body for each in answers] == [b"hello"] * 3
        assert answers[0].remote_address == "127.0.0.1"


@pytest.mark.parametrize("days", [1, 400])
def test_it_says_when_a_certificate_expired(authority: Path, trusting: Route, days: int) -> None:
    end = NOW - timedelta(days=days)
    tls = server_tls(authority, "DNS:localhost", starts=end - timedelta(days=1), ends=end)
    year = "" if end.year == datetime.now(UTC).year else f" {end.year}"

    words = str(refused(tls, trusting))

    assert words == f"Certificate expired on {end.day} {end:%b}{year}. Renew it on localhost."


def test_it_says_that_a_certificate_is_not_valid_yet(authority: Path, trusting: Route) -> None:
    tls = server_tls(authority, "DNS:localhost", starts=NOW + timedelta(days=1), ends=NOW + timedelta(days=2))

    words = "The certificate of localhost is not valid yet. Check it, and the clock of this server."
    assert str(refused(tls, trusting)) == words


def test_it_refuses_a_certificate_of_another_host(authority: Path, trusting: Route) -> None:
    tls = server_tls(authority, "DNS:other.example", ends=NOW + timedelta(days=1))

    assert "The certificate is not for localhost." in str(refused(tls, trusting))
    assert "The certificate is not for 127.0.0.1." in str(refused(tls, trusting, "https://127.0.0.1:{port}/"))


def test_it_refuses_a_certificate_of_an_unknown_authority(authority: Path) -> None:
    tls = server_tls(authority, "DNS:localhost", ends=NOW + timedelta(days=1))

    words = str(refused(tls, DIRECT))

    assert words.startswith("The certificate of localhost is not signed by an authority that this server knows.")
    assert words.endswith("An administrator can name the authority in OUTBOUND_CA_FILE.")


def test_it_refuses_a_server_that_speaks_no_tls() -> None:
    async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with pytest.raises(OutboundError, match=r"as it should: WRONG_VERSION_NUMBER. Use http://, or the port") as caught:
        exchange(speak_http, url="https://localhost:{port}/")

    assert caught.value.kind == ErrorKind.TLS


def test_it_does_not_wait_longer_for_a_handshake_than_its_deadline() -> None:
    async def never_shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    with pytest.raises(
        OutboundError, match=r"it was reached, and TLS did not come about. Check that it speaks HTTPS"
    ) as caught:
        exchange(never_shake_hands, url="https://localhost:{port}/", timeout_seconds=0.3)

    assert caught.value.kind == ErrorKind.CONNECT_TIMEOUT


def test_it_drops_an_endless_answer_over_tls_at_once(authority: Path, trusting: Route) -> None:
    tls = server_tls(authority, "DNS:localhost", ends=NOW + timedelta(days=1))
    hung_up = []

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        finally:
            hung_up.append(True)

    answers = exchange(endless, url="https://localhost:{port}/", tls=tls, route=trusting, times=2)

    assert [(each.status, each.is_cut, len(each.body)) for each in answers] == [(200, True, 1000)] * 2
    assert hung_up


# --- Whom it trusts, and whom it shows ---------------------------------------------------------------


def test_it_does_not_mind_any_certificate_when_told_so(authority: Path) -> None:
    end = NOW - timedelta(days=1)
    tls = server_tls(authority, "DNS:other.example", starts=end - timedelta(days=1), ends=end)

    answers = exchange(answering(OK), url="https://localhost:{port}/", tls=tls, route=Route(is_verified=False))

    assert answers[0].body == b"hello"


def test_an_unverified_connection_is_not_lent_to_others(authority: Path) -> None:
    """Each route has connections of its own."""
    tls = server_tls(authority, "DNS:other.example")

    async def both() -> None:
        server = await asyncio.start_server(quietly(answering(OK)), "127.0.0.1", 0, ssl=tls)
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
        async with server, outbound.open_session(LOOPBACK) as session:
            trusting_all = Request("GET", url, route=Route(is_verified=False))
            await outbound.send(session, trusting_all, timeout_seconds=5, body_limit=10)
            await outbound.send(session, Request("GET", url), timeout_seconds=5, body_limit=10)

    with pytest.raises(OutboundError, match="not signed by an authority"):
        asyncio.run(both())


@pytest.fixture
def client_pem(authority: Path) -> tuple[str, str]:
    """A certificate, signed by the authority, and its key."""
    server_tls(authority, "DNS:client.example")
    return (authority / "server.pem").read_text(), (authority / "server.key").read_text()


def asking_for_certificates(authority: Path) -> ssl.SSLContext:
    tls = server_tls(authority, "DNS:localhost")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authority / "ca.pem")
    return tls


def test_it_shows_its_certificate_to_an_endpoint_that_asks(
    authority: Path, trusting: Route, client_pem: tuple[str, str]
) -> None:
    shown = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.append(writer.get_extra_info("peercert"))
        await answering(OK)(reader, writer)

    certificate, key = client_pem
    route = Route(authorities=trusting.authorities, client_certificate=certificate, client_key=key)
    answers = exchange(handle, url="https://localhost:{port}/", tls=asking_for_certificates(authority), route=route)

    assert answers[0].body == b"hello"
    assert shown[0]["subjectAltName"] == (("DNS", "client.example"),)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (
            ssl.TLSVersion.TLSv1_3,
            r"did not take our client certificate \(.*CERTIFICATE_REQUIRED\). Give it one that it",
        ),
        (ssl.TLSVersion.TLSv1_2, r"refused the TLS handshake: .*HANDSHAKE_FAILURE. It may want a client certificate"),
    ],
)
def test_it_says_that_a_client_certificate_is_missing(
    authority: Path, trusting: Route, version: ssl.TLSVersion, words: str
) -> None:
    tls = asking_for_certificates(authority)
    tls.maximum_version = version

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Shake hands by hand, so that the alert is read before the connection ends."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = tls.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                server.do_handshake()
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
            except ssl.SSLError:
                writer.write(outgoing.read())
                await reader.read()
                return

    with pytest.raises(OutboundError, match=words) as caught:
        exchange(handle, url="https://localhost:{port}/", route=trusting)

    assert caught.value.kind == ErrorKind.TLS


def test_it_refuses_a_client_certificate_that_cannot_be_used(authority: Path, client_pem: tuple[str, str]) -> None:
    certificate, key = client_pem
    openssl(authority, "ec", "-in", "server.key", "-aes256", "-passout", "pass:open-sesame", "-out", "locked.key")
    locked = (authority / "locked.key").read_text()
    other = (authority / "ca.key").read_text()

    outbound.check_client_certificate(certificate, key)
    for bad_certificate, bad_key in ((certificate, ""), ("", key)):
        with pytest.raises(ValueError, match="give both, as PEM"):
            outbound.check_client_certificate(bad_certificate, bad_key)
    for bad_certificate, bad_key in ((certificate, other), (certificate, locked), ("x", key), (key, certificate)):
        with pytest.raises(ValueError, match="The client certificate cannot be used"):
            outbound.check_client_certificate(bad_certificate, bad_key)


def test_an_event_with_a_bad_client_certificate_says_so(client_pem: tuple[str, str]) -> None:
    route = Route(client_certificate=client_pem[0], client_key="x")

    with pytest.raises(OutboundError, match="The client certificate cannot be used") as caught:
        exchange(answering(OK), url="https://localhost:{port}/", route=route)

    assert caught.value.kind == ErrorKind.TLS


def test_secrets_of_a_route_are_in_no_log(client_pem: tuple[str, str]) -> None:
    route = Route(proxy="http://mara:open-sesame@proxy:1", client_certificate=client_pem[0], client_key=client_pem[1])

    shown = repr(Request("GET", "https://localhost/", [("Authorization", "open-sesame")], route=route))

    assert "open-sesame" not in shown
    assert "PRIVATE" not in shown


def test_it_tells_how_long_tls_took(authority: Path, trusting: Route) -> None:
    tls = server_tls(authority, "DNS:localhost")

    first, second = exchange(answering(OK), url="https://localhost:{port}/", tls=tls, route=trusting, times=2)

    assert None not in (first.timing.dns_ms, first.timing.connect_ms, first.timing.tls_ms)
    assert (second.timing.dns_ms, second.timing.connect_ms, second.timing.tls_ms) == (None, None, None)
