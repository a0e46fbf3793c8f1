"""No spelling of an address leads inside: not a single socket is made for one that may not be reached."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from triggers import outbound
from triggers.outbound import ErrorKind, OutboundError, Request
from triggers.outbound.addresses import Network

VECTORS: Path = settings.BASE_DIR.parent / "shared" / "vectors" / "ssrf"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="the public test vectors are not at ../shared/vectors")

# What the name servers of a stranger may answer; other names are not found.
NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "localhost.localdomain": ["127.0.0.1"],
    "ip6-localhost": ["::1"],
    "127.0.0.1.nip.example": ["127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "zone.example": ["fe80::1%eth0"],
    "metadata.google.internal": ["169.254.169.254"],
    "many.example": ["10.0.0.1", "192.168.0.1", "fd00::1", "0.0.0.0"],
}


def look_up(host: str) -> list[str]:
    """Answer as the C library does: it reads numbers of any form as addresses, and ignores the dot at the end."""
    try:
        numeric = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        pass
    else:
        return [str(address[0]) for *_, address in numeric]
    if found := NAMES.get(host.lower().rstrip(".")):
        return found
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def send_all(urls: Iterable[str], allowed: list[Network] | None = None) -> tuple[list[str], dict[str, OutboundError]]:
    """Send to each, with sockets that are noted and never connect; return their addresses, and the errors."""
    addresses: list[str] = []

    def make_socket(addr_info: Any) -> socket.socket:
        addresses.append(str(addr_info[4][0]))
        raise OSError(errno.ENETUNREACH, "This test connects to nothing")

    async def run() -> dict[str, OutboundError]:
        errors = {}
        async with outbound.open_session(allowed or [], look_up=look_up, make_socket=make_socket) as session:
            for url in urls:
                try:
                    await outbound.send(session, Request("GET", url), timeout_seconds=5, body_limit=10)
                except OutboundError as error:
                    errors[url] = error
        return errors

    return addresses, asyncio.run(run())


IN_ANY_SPELLING = [
    *("127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "127.0.0.1..", "127.000.000.001", "0", "0.0.0.0", "00.00.00.00"),
    *("2130706433", "02130706433", "0x7f000001", "0X7F000001", "017700000001", "0x7f.0x0.0x0.0x1", "0177.0.0.01"),
    *("0x7f.1", "127.0x1", "4294967295", "4294967296", "127.0.0.256", "127.0.0.1.0x7f", "127.0.0.1.1"),
    *("１２７.０.０.１", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "①②⑦.⓪.⓪.①", "𝟏𝟐𝟕.𝟎.𝟎.𝟏", "١٢٧.0.0.1", "०x7f.1"),
    *(
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[0000:0000:0000:0000:0000:0000:0000:0001]",
        "[0::1]",
        "[::0:1]",
        "[::0001]",
    ),
    *(
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::FFFF:7F00:0001]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
    ),
    *("[::127.0.0.1]", "[::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]"),
    *("[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:7f00:1::]", "[2001::80ff:fffe]", "[::ffff:0x7f.1]"),
    *(
        "[fe80::1]",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "[::1%25lo]",
        "[::1%lo]",
        "[fec0::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
    ),
    *(
        "[127.0.0.1]",
        "[::1",
        "::1",
        "::1]",
        "[::1].",
        "[::1].example.com",
        "[::1]example.com",
        "[v1.::1]",
        "[]",
        "[::1%]",
    ),
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]", "169.254.43518"),
    *(
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ),
    *("localhost", "LOCALHOST", "localhost.", "localhost..", ".localhost", "localhost.localdomain", "ip6-localhost"),
    *(
        "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
        "ｌｏｃａｌｈｏｓｔ",
        "localhoſt",
        "loca\u00adlhost",
        "local\u200dhost",
        "local\u200bhost",
        "localhost。",
    ),
    *("lоcalhost", "xn--lcalhost-11g", "xn--localhost-", "locаlhost.", "ℓocalhost", "ₗocalhost", "𝐥𝐨𝐜𝐚𝐥𝐡𝐨𝐬𝐭"),
    *(
        "127.0.0.1.nip.example",
        "mapped.example",
        "nat64.example",
        "zone.example",
        "metadata.google.internal",
        "many.example",
    ),
    *(
        "example.com@127.0.0.1",
        "127.0.0.1@example.com",
        "example.com:80@127.0.0.1",
        "@127.0.0.1",
        "a:b@127.0.0.1",
        "%40127.0.0.1",
    ),
    *(
        "example.com#@127.0.0.1",
        "example.com\\@127.0.0.1",
        "127.0.0.1\\.example.com",
        "127.0.0.1#.example.com",
        "127.0.0.1?.example",
    ),
    *(
        "%31%32%37.0.0.1",
        "127%2e0%2e0%2e1",
        "127.0.0.1%00.example.com",
        "127.0.0.1%0d%0a",
        "%6cocalhost",
        "127.0.0.1%2f.example",
    ),
    *(
        "127.0.0.1\t",
        "127.0.0.1\r\nHost: example.com",
        "exa\nmple.com",
        " 127.0.0.1",
        "127.0.0.1\x00.example.com",
        "127.0.0.1\u3000",
    ),
    *(
        "127.0.0.1:80:80",
        "127.0.0.1:",
        "127.0.0.1:0x50",
        "127.0.0.1:+80",
        "127.0.0.1:８０",
        "127.0.0.1:65616",
        "/127.0.0.1",
        "",
    ),
]
SCHEMES = [
    "",
    "//",
    "http:",
    "http:/",
    "http:///",
    "hTTp://",
    "ftp://",
    "file://",
    "gopher://",
    "dict://",
    "ws://",
    "unix://",
    "http+unix://",
]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_spelling_of_what_is_inside_gets_a_socket(scheme: str) -> None:
    urls = [f"{scheme}://{each}/" for each in IN_ANY_SPELLING] + [f"{scheme}://{each}:8080" for each in IN_ANY_SPELLING]

    addresses, errors = send_all(urls)

    assert addresses == []
    assert set(errors) == set(urls)
    assert {each.kind for each in errors.values()} == {ErrorKind.BLOCKED, ErrorKind.PROTOCOL, ErrorKind.DNS}
    assert all(each.remote_address == "" for each in errors.values())


def test_no_other_scheme_gets_a_socket() -> None:
    urls = [f"{scheme}127.0.0.1/" for scheme in SCHEMES]

    addresses, errors = send_all(urls)

    assert addresses == []
    assert set(errors) == set(urls)


def test_a_public_address_gets_its_socket_and_only_that() -> None:
    addresses, errors = send_all(["http://8.8.8.8/", "http://[::ffff:8.8.8.8]/", "http://[2606:4700:4700:0::1111]/"])

    assert [ip_address(each) for each in addresses] == [
        ip_address("8.8.8.8"),
        ip_address("::ffff:8.8.8.8"),
        ip_address("2606:4700:4700::1111"),
    ]
    assert {each.kind for each in errors.values()} == {ErrorKind.UNREACHABLE}


def test_what_an_administrator_allows_gets_its_socket() -> None:
    addresses, _ = send_all(["http://many.example/", "http://127.0.0.1/"], [ip_network("192.168.0.0/16")])

    assert addresses == ["192.168.0.1"]


@needs_vectors
def test_the_public_address_vectors_hold_when_it_connects() -> None:
    rows = [json.loads(line) for line in (VECTORS / "ip_vectors.jsonl").read_text().splitlines()]
    denied = [row["ip"] for row in rows if row["verdict"] != "allow"]
    granted = [row["ip"] for row in rows if row["verdict"] == "allow" and row["ip"] != "64:ff9c::1"]  # see above

    assert send_all(f"http://[{ip}]/" if ":" in ip else f"http://{ip}/" for ip in denied)[0] == []
    addresses, _ = send_all(f"http://[{ip}]/" if ":" in ip else f"http://{ip}/" for ip in granted)
    assert {ip_address(each) for each in addresses} == {ip_address(each) for each in granted}


@needs_vectors
def test_no_public_url_vector_gets_a_socket_for_what_is_inside() -> None:
    cases = [case for case in json.loads((VECTORS / "urltestdata.json").read_text()) if isinstance(case, dict)]

    addresses, _ = send_all(case["input"] for case in cases)

    assert not [each for each in addresses if outbound.refusal(each, [])]
