"""HTTPS is checked, and a bad certificate is told in words. The certificates are made by openssl."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from triggers.outbound import DIRECT, ErrorKind, OutboundError, Route
from triggers.tests.raw_receivers import answering, exchange

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl, which makes the certificates, is missing")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NOW = datetime.now(UTC)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority that signs certificates: ca.pem and its key."""
    folder = tmp_path_factory.mktemp("authority")
    _openssl(
        folder,
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"),
        *("-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem"),
    )
    (folder / "serial").write_text("01")
    return folder


@pytest.fixture(scope="module")
def trusting(authority: Path) -> Route:
    """A route that trusts the authority."""
    return Route(authorities=(authority / "ca.pem").read_text())


def server_tls(authority: Path, names: str, *, starts: datetime = NOW, ends: datetime = NOW) -> ssl.SSLContext:
    """What a server needs that shows a certificate for these names, valid between these two instants."""
    (authority / "index").write_text("")
    (authority / "ca.conf").write_text(
        "[ca]\ndefault_ca=it\n[it]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ncertificate=ca.pem\n"
        "private_key=ca.key\ndefault_md=sha256\npolicy=any\nx509_extensions=names\nunique_subject=no\n"
        f"[any]\ncommonName=optional\n[names]\nsubjectAltName={names}\n"
    )
    request = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=server")
    _openssl(authority, *request, "-keyout", "server.key", "-out", "server.csr")
    between = ("-startdate", f"{starts:%Y%m%d%H%M%SZ}", "-enddate", f"{ends:%Y%m%d%H%M%SZ}")
    _openssl(authority, "ca", "-batch", "-config", "ca.conf", *between, "-in", "server.csr", "-out", "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    return context


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
