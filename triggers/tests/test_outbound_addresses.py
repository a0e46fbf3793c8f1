"""Which addresses may be reached, and which endpoints are accepted: tables, and the public vectors."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from yarl import URL

from triggers.outbound import checked_endpoint, refusal
from triggers.outbound.addresses import client_url

VECTORS: Path = settings.BASE_DIR.parent / "shared" / "vectors" / "ssrf"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="the public test vectors are not at ../shared/vectors")


# --- Addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",  # just below the shared address space
        "100.128.0.0",  # just above it
        "172.15.255.255",
        "172.32.0.0",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2001:200::1",  # the first that is given out after 2001::/23
        "::ffff:8.8.8.8",  # an IPv4 address in IPv6 clothes
    ],
)
def test_it_reaches_public_addresses(address: str) -> None:
    assert refusal(address, []) is None


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.0.4.17", "on a private network"),
        ("172.16.0.1", "on a private network"),
        ("192.168.255.255", "on a private network"),
        ("100.64.0.1", "on a private network"),  # carrier-grade NAT
        ("fd00:ec2::254", "on a private network"),  # metadata of a cloud
        ("127.0.0.1", "this machine itself"),
        ("127.255.255.254", "this machine itself"),
        ("0.0.0.0", "this machine itself"),
        ("::1", "this machine itself"),
        ("::", "this machine itself"),
        ("::ffff:127.0.0.1", "this machine itself"),
        ("169.254.169.254", "a link-local address"),  # metadata of most clouds
        ("fe80::1", "a link-local address"),
        ("fe80::1%eth0", "a link-local address"),
        ("192.0.0.192", "not a public address"),  # metadata of a cloud
        ("192.0.2.1", "not a public address"),  # documentation
        ("192.88.99.1", "not a public address"),  # 6to4 relays
        ("198.19.255.255", "not a public address"),  # benchmarks
        ("224.0.0.1", "not a public address"),  # multicast
        ("255.255.255.255", "not a public address"),
        ("64:ff9b::8.8.8.8", "not a public address"),  # NAT64 leads anywhere
        ("64:ff9b:1::1", "not a public address"),
        ("2002:7f00:1::", "not a public address"),  # 6to4 of 127.0.0.1
        ("2001::1", "not a public address"),  # Teredo
        ("2001:db8::1", "not a public address"),
        ("3fff::1", "not a public address"),
        ("fec0::1", "not a public address"),  # site-local
        ("::127.0.0.1", "not a public address"),  # IPv4-compatible
        ("ff02::1", "not a public address"),
        ("4000::1", "not a public address"),  # given to nobody yet
    ],
)
def test_it_refuses_all_others_and_says_why(address: str, why: str) -> None:
    assert refusal(address, []) == (
        f"{address} is {why}, which this server does not deliver to. "
        "An administrator can allow it with DELIVERY_ALLOWED_NETWORKS."
    )


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.4.17", "10.0.0.0/16"),
        ("::ffff:10.0.4.17", "10.0.0.0/16"),
        ("::ffff:10.0.4.17", "::ffff:0:0/96"),
        ("fd00::1", "fd00::/8"),
        ("::1", "::1/128"),
        ("64:ff9b::8.8.8.8", "64:ff9b::/96"),
        ("fe80::1%eth0", "fe80::/10"),
    ],
)
def test_it_reaches_what_the_administrator_allows(address: str, network: str) -> None:
    assert refusal(address, [ip_network("192.168.0.0/24"), ip_network(network)]) is None


def test_it_refuses_what_lies_beside_an_allowed_network() -> None:
    assert refusal("10.1.0.0", [ip_network("10.0.0.0/16")])
    assert refusal("::1", [ip_network("127.0.0.0/8")])


@pytest.mark.parametrize("address", ["", "localhost", "2130706433", "0x7f000001", "127.1", "010.0.0.1", "1.2.3.4.5"])
def test_it_refuses_what_is_no_literal_address(address: str) -> None:
    assert refusal(address, [ip_network("0.0.0.0/0")]) == f"{address} is not an IP address that can be read."


@needs_vectors
def test_it_agrees_with_the_public_address_vectors() -> None:
    rows = [json.loads(line) for line in (VECTORS / "ip_vectors.jsonl").read_text().splitlines()]
    # smokescreen allows what is not given out to anybody; only 2000::/3 is, so it is refused here.
    stricter = {"64:ff9c::1"}

    differing = {row["ip"] for row in rows if (refusal(row["ip"], []) is None) != (row["verdict"] == "allow")}

    assert len(rows) > 200
    assert differing == stricter


# --- Endpoints ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",  # no slash is appended
        "https://example.com/",
        "HTTPS://Example.COM/Hook",
        "https://example.com:8443/a/../b?c=d&e[]=f",
        "https://example.com./",
        "https://a_b.example.com/hook",
        "https://xn--bcher-kva.example/",
        "https://bücher.example/straße?grün=ä",
        "http://receiver:65535/",
        "http://localhost/",
        "http://10.0.4.17/",  # whether it may be reached is decided when it is connected to
        "http://127.0.0.1:8000",
        "http://[::1]:8000/",
        "http://[::ffff:192.0.2.7]/",
        "http://[2001:DB8:0:0::7]/",
        "https://example.com/a%2Fb?sig=%2B%7e%3D==",
        "https://example.com/{id}|'\"",
        "https://example.com/?to=http://other.example/@x",
        "https://example.com/" + "a" * 1980,
    ],
)
def test_it_accepts_an_endpoint_and_leaves_it_as_typed(url: str) -> None:
    assert checked_endpoint(url) == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "begins with http"),
        ("example.com/hook", "begins with http"),
        ("//example.com/hook", "begins with http"),
        ("ftp://example.com/", "begins with http"),
        ("file:///etc/passwd", "begins with http"),
        ("javascript:alert(1)", "begins with http"),
        ("unix:///run/docker.sock", "begins with http"),
        ("http:/example.com", "begins with http"),
        ("http:example.com", "begins with http"),
        ("http://", "Use a host name"),
        ("http:///path", "Use a host name"),
        ("http://:80/", "Use a host name"),
        ("http://?x", "Use a host name"),
        ("https://user:password@example.com/", "user name and password"),
        ("https://example.com@10.0.0.1/", "user name and password"),
        ("https://@example.com/", "user name and password"),
        ("https://example.com/#part", "from # on"),
        ("https://example.com#@10.0.0.1/", "from # on"),
        ("http://example.com:0/", "port from 1 to 65535"),
        ("http://example.com:65536/", "port from 1 to 65535"),
        ("http://example.com:/", "Use a host name"),
        ("http://example.com:-1/", "Use a host name"),
        ("http://example.com:8O/", "Use a host name"),
        ("http://example.com:٨٠/", "Use a host name"),  # digits, but not ours
        ("http://example.com:80:80/", "Use a host name"),
        ("http://::1/", "Use a host name"),
        ("http://[::1", "Use a host name"),
        ("http://[::1]x/", "Use a host name"),
        ("http://[fe80::1%25eth0]/", "Use a host name"),
        ("http://[1::2::3]/", "Use an IPv6 address"),
        ("http://[127.0.0.1]/", "Use an IPv6 address"),
        ("http://127.1/", "Write an IPv4 address"),
        ("http://2130706433/", "Write an IPv4 address"),
        ("http://0x7f000001/", "Write an IPv4 address"),
        ("http://0x7f.0.0.1/", "Write an IPv4 address"),
        ("http://0177.0.0.1/", "Write an IPv4 address"),
        ("http://127.0.0.1./", "Write an IPv4 address"),
        ("http://1.2.3.256/", "Write an IPv4 address"),
        ("http://１２７.０.０.0x1/", "Write an IPv4 address"),
        ("http://a..b/", "letters, digits, dots"),
        ("http://.example.com/", "letters, digits, dots"),
        ("http://exa%6dple.com/", "letters, digits, dots"),
        ("http://127.0.0.1%2f.example.com/", "letters, digits, dots"),
        ("http://a,b;c/", "letters, digits, dots"),
        ("http://*.example.com/", "letters, digits, dots"),
        (f"http://{'a' * 64}.example/", "letters, digits, dots"),
        (f"http://{'a.' * 127}example/", "letters, digits, dots"),
        ("https://example.com/a b", "Leave out spaces"),
        (" https://example.com/", "Leave out spaces"),
        ("https://example.com/\n", "Leave out spaces"),
        ("https://example.com/\r\nX: y", "Leave out spaces"),
        ("https://example.com\\@10.0.0.1/", "Leave out spaces"),
        ("https://example.com/\x00", "Leave out spaces"),
        ("https://example.com/\x7f", "Leave out spaces"),
        ("https://example.com/\u2028", "Leave out spaces"),
        ("https://example.com/\ud800", "Leave out spaces"),
        ("https://example.com/" + "a" * 1981, "at most 2000 characters"),
    ],
)
def test_it_refuses_an_endpoint_with_words(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        checked_endpoint(url)


def _cases() -> list[dict[str, Any]]:
    return [case for case in json.loads((VECTORS / "urltestdata.json").read_text()) if isinstance(case, dict)]


@needs_vectors
def test_it_reads_the_host_of_every_public_url_as_browsers_do_or_refuses_it() -> None:
    accepted = 0
    for case in _cases():
        try:
            host = URL(checked_endpoint(case["input"])).raw_host or ""
        except ValueError:
            continue
        accepted += 1
        if case.get("failure"):
            # Browsers also check that "xn--…" can be shown; for us it is a name like any other.
            assert "xn--" in host, case
        else:
            assert _same_host(host, case["hostname"].strip("[]")), case
    assert accepted > 50


def _same_host(one: str, other: str) -> bool:
    return ip_address(one) == ip_address(other) if ":" in one else one.lower() == other


@needs_vectors
def test_the_client_reads_the_host_that_was_checked() -> None:
    for case in _cases():
        try:
            target = client_url(case["input"])
        except ValueError:
            continue
        host = (target.raw_host or "").lower()
        assert not case["input"].isascii() or host in case["input"].lower()
